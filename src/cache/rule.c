/*
 * Rules are made once for a response, on the worker of its fetch, and read by every request for the family:
 * everything that a key needs is sorted and spelled here.
 */
#include "cache/rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "http/field.h"
#include "http/lines.h"

/* A rule has no more bytes of lines: its text, the names of its fields, "gzip". */
#define RULE_LINES_MAX (RULE_TEXT_MAX + RULE_SEARCH_TEXT_MAX + 512)

/* Such a field does not reach the origin as the visitor sent it (CACHING.md 3.7, 4.2), or is in the primary
 * key: it selects no page. */
static bool is_never_sent(enum field_id id)
{
    enum field_class class = field_class_of(id);
    return class == FIELD_CLASS_H || class == FIELD_CLASS_F || id == FIELD_RANGE || id == FIELD_IF_MATCH ||
           id == FIELD_IF_NONE_MATCH || id == FIELD_IF_MODIFIED_SINCE || id == FIELD_IF_UNMODIFIED_SINCE ||
           id == FIELD_IF_RANGE || id == FIELD_SEC_PURPOSE || id == FIELD_PURPOSE;
}

static enum rule_result vary_add(struct rule *draft, struct str member, size_t *names_left, struct arena *a)
{
    if (str_eq(member, STR("*")))
        return RULE_STAR;
    if (!is_token(member) || *names_left == 0)
        return RULE_INVALID;
    --*names_left;
    enum field_id id = field_id_of(member);
    if (id == FIELD_ACCEPT_ENCODING)
        draft->vary_encoding = true;
    else if (id == FIELD_ACCEPT_LANGUAGE)
        draft->vary_language = true;
    else if (!is_never_sent(id))
        draft->vary.v[draft->vary.n++] = arena_dup_lower(a, member);
    return RULE_OK;
}

#define VARY_MEMBERS_MAX (2 * RULE_NAMES_MAX) /* good ones and bad ones */

/* Reads all lines even after a malformed name, up to the limit of names: a "*" is the stronger reason. */
static enum rule_result vary_read(const struct fields *response, struct rule *draft, struct arena *a)
{
    enum rule_result result = RULE_OK;
    size_t names_left = RULE_NAMES_MAX, members = 0;
    draft->vary = (struct names){ arena_alloc(a, RULE_NAMES_MAX * sizeof(*draft->vary.v)), 0 };
    for (size_t i = 0; i < response->n; i++) {
        if (response->v[i].id != FIELD_VARY)
            continue;
        struct str rest = response->v[i].value, member;
        while (list_next(&rest, &member)) {
            enum rule_result r = vary_add(draft, member, &names_left, a);
            if (r == RULE_STAR || members++ == VARY_MEMBERS_MAX)
                return r == RULE_STAR ? r : RULE_INVALID;
            if (r != RULE_OK)
                result = r;
        }
    }
    draft->vary.n = str_sort_unique(draft->vary.v, draft->vary.n);
    return result;
}

static bool netlify_read(const struct fields *response, struct netlify_vary *out, struct arena *a)
{
    struct str value = fields_joined(response, FIELD_NETLIFY_VARY, a);
    if (!netlify_vary_parse(value, RULE_NAMES_MAX, a, out))
        return false;
    if (out->query_all) {
        out->query_all = out->query_some = false;
        out->query.n = 0;
    }
    return true;
}

/* An invalid field, and one that would make the rule too long, only costs hits. */
static void search_read(const struct fields *response, struct no_vary_search *out, struct arena *a)
{
    no_vary_search_parse(fields_joined(response, FIELD_NO_VARY_SEARCH, a), RULE_NAMES_MAX, a, out);
    if (no_vary_search_canonical(out, a).n > RULE_SEARCH_TEXT_MAX)
        *out = (struct no_vary_search){ 0 };
}

bool rule_search_is_invalid(const struct fields *response, struct arena *a)
{
    struct no_vary_search v;
    return fields_has(response, FIELD_NO_VARY_SEARCH) &&
           (!no_vary_search_parse(fields_joined(response, FIELD_NO_VARY_SEARCH, a), RULE_NAMES_MAX, a, &v) ||
            no_vary_search_canonical(&v, a).n > RULE_SEARCH_TEXT_MAX);
}

static bool names_have(const struct names *list, struct str name)
{
    return list->n && bsearch(&name, list->v, list->n, sizeof(*list->v), str_order);
}

/* What both fields say together: a parameter counts when neither leaves it out. Fills r->params.v, which has
 * room for the names of both. */
static void combine_query(struct rule *r)
{
    const struct no_vary_search *s = &r->search;
    const struct names *from = r->netlify.query_some ? &r->netlify.query : &s->names;
    r->params.n = 0;
    for (size_t i = 0; i < from->n; i++)
        if (from == &s->names || names_have(&s->names, from->v[i]) == s->keeps_listed)
            r->params.v[r->params.n++] = from->v[i];
    r->query = r->netlify.query_some || s->keeps_listed ? RULE_QUERY_LISTED
               : s->names.n                             ? RULE_QUERY_OTHERS
                                                        : RULE_QUERY_WHOLE;
}

static size_t groups_codes(const struct vary_groups *groups)
{
    size_t n = 0;
    for (size_t i = 0; i < groups->n; i++)
        n += groups->v[i].n;
    return n;
}

static size_t names_count(const struct rule *r)
{
    return r->netlify.query.n + r->netlify.headers.n + r->netlify.cookies.n +
           groups_codes(&r->netlify.languages) + groups_codes(&r->netlify.countries) + r->vary.n;
}

static void text_vary(struct buf *b, const char **before, struct str name)
{
    buf_add(b, str_from(*before));
    buf_add(b, name);
    *before = ", ";
}

/* Names have no white space, and those of Netlify-Vary no ';': the text can be read in one way only.
 * *too_long: the part of Netlify-Vary and Vary is. */
static struct str text_write(const struct rule *r, struct arena *a, bool *too_long)
{
    struct buf b = BUF_INIT;
    buf_add(&b, netlify_vary_canonical(&r->netlify, a));
    const char *before = b.n ? "; vary: " : "vary: ";
    if (rule_has_encoding(r))
        text_vary(&b, &before, STR("accept-encoding"));
    if (r->vary_language)
        text_vary(&b, &before, STR("accept-language"));
    for (size_t i = 0; i < r->vary.n; i++)
        text_vary(&b, &before, r->vary.v[i]);
    *too_long = b.n > RULE_TEXT_MAX;
    struct str search = no_vary_search_canonical(&r->search, a);
    if (search.n)
        buf_printf(&b, "%sno-vary-search: %.*s", b.n ? "; " : "", STR_ARG(search));
    struct str text = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}

/* Where a rule's parts are copied to: arrays from the front, strings behind them. */
struct packer {
    char *arrays, *strings, *end;
};

static void *pack_array(struct packer *p, size_t n, size_t bytes)
{
    void *at = p->arrays;
    p->arrays += n * bytes;
    return at;
}

static struct str pack_str(struct packer *p, struct str s)
{
    char *at = p->strings;
    CHECK((size_t)(p->end - at) >= s.n);
    if (s.n)
        memcpy(at, s.p, s.n);
    p->strings += s.n;
    return (struct str){ at, s.n };
}

static struct names pack_names(struct packer *p, const struct names *from)
{
    struct names to = { pack_array(p, from->n, sizeof(*to.v)), from->n };
    for (size_t i = 0; i < from->n; i++)
        to.v[i] = pack_str(p, from->v[i]);
    return to;
}

static struct vary_names pack_vary_names(struct packer *p, const struct vary_names *from)
{
    struct vary_names to = { pack_array(p, from->n, sizeof(*to.v)), from->n };
    for (size_t i = 0; i < from->n; i++)
        to.v[i] = (struct vary_name){ pack_str(p, from->v[i].name), from->v[i].presence };
    return to;
}

static struct vary_groups pack_groups(struct packer *p, const struct vary_groups *from)
{
    struct vary_groups to = { pack_array(p, from->n, sizeof(*to.v)), from->n };
    for (size_t i = 0; i < from->n; i++) {
        struct names codes = pack_names(p, &(struct names){ from->v[i].codes, from->v[i].n });
        to.v[i] = (struct vary_group){ codes.v, codes.n };
    }
    return to;
}

static size_t arrays_bytes(const struct rule *r)
{
    const struct netlify_vary *v = &r->netlify;
    size_t strs = 2 * v->query.n + groups_codes(&v->languages) + groups_codes(&v->countries) + r->vary.n +
                  2 * r->search.names.n;
    return strs * sizeof(struct str) + (v->headers.n + v->cookies.n) * sizeof(struct vary_name) +
           (v->languages.n + v->countries.n) * sizeof(struct vary_group);
}

_Static_assert(sizeof(struct rule) % 8 == 0 && sizeof(struct str) % 8 == 0 &&
                   sizeof(struct vary_name) % 8 == 0 && sizeof(struct vary_group) % 8 == 0,
               "the arrays of a rule follow each other without gaps");

/* Makes one allocation with everything in it. Each name is in the text, so the names together are no longer
 * than the text. */
static struct rule *rule_new(const struct rule *draft, struct str text)
{
    size_t arrays = arrays_bytes(draft), bytes = sizeof(struct rule) + arrays + 2 * text.n;
    struct rule *r = mem_alloc_budgeted(bytes);
    char *front = (char *)(r + 1);
    struct packer p = { .arrays = front, .strings = front + arrays, .end = (char *)r + bytes };
    atomic_init(&r->refs, 1);
    r->bytes = bytes;
    r->text = pack_str(&p, text);
    r->netlify = draft->netlify;
    r->netlify.query = pack_names(&p, &draft->netlify.query);
    r->netlify.headers = pack_vary_names(&p, &draft->netlify.headers);
    r->netlify.cookies = pack_vary_names(&p, &draft->netlify.cookies);
    r->netlify.languages = pack_groups(&p, &draft->netlify.languages);
    r->netlify.countries = pack_groups(&p, &draft->netlify.countries);
    r->vary = pack_names(&p, &draft->vary);
    r->search = draft->search;
    r->search.names = pack_names(&p, &draft->search.names);
    r->params.v = pack_array(&p, r->netlify.query.n + r->search.names.n, sizeof(*r->params.v));
    combine_query(r);
    r->vary_encoding = draft->vary_encoding;
    r->vary_language = draft->vary_language;
    r->varies_encoding = draft->varies_encoding;
    CHECK(p.arrays == front + arrays && p.strings <= p.end);
    return r;
}

static void inherit(struct rule *draft, const struct rule *known)
{
    draft->netlify = known->netlify;
    draft->search = known->search;
    draft->vary = known->vary;
    draft->vary_encoding = known->vary_encoding;
    draft->vary_language = known->vary_language;
    draft->varies_encoding = known->varies_encoding;
}

static bool is_encoded(const struct fields *response)
{
    struct str coding = fields_value(response, FIELD_CONTENT_ENCODING);
    return coding.n && !str_eq_nocase(coding, STR("identity"));
}

/* What a response says of its coding. */
enum encoding { ENCODING_KEYED, ENCODING_NOTHING, ENCODING_STAYS };

static enum rule_result make_rule(const struct fields *response, const struct rule *known, bool of_2xx,
                                  enum encoding encoding, struct arena *a, struct rule **out)
{
    struct rule draft = { 0 };
    *out = NULL;
    if (known)
        inherit(&draft, known);
    if (encoding == ENCODING_STAYS || (encoding == ENCODING_KEYED && is_encoded(response)))
        draft.varies_encoding = true;
    if (fields_has(response, FIELD_VARY)) {
        draft.vary_encoding = draft.vary_language = false;
        enum rule_result result = vary_read(response, &draft, a);
        if (result != RULE_OK)
            return result;
    }
    if (encoding != ENCODING_KEYED)
        draft.vary_encoding = false;
    if (fields_has(response, FIELD_NETLIFY_VARY) && !netlify_read(response, &draft.netlify, a))
        return RULE_INVALID;
    if (of_2xx)
        draft.search = (struct no_vary_search){ 0 };
    if (of_2xx && fields_has(response, FIELD_NO_VARY_SEARCH))
        search_read(response, &draft.search, a);
    bool too_long;
    struct str text = text_write(&draft, a, &too_long);
    if (names_count(&draft) > RULE_NAMES_MAX || too_long)
        return RULE_INVALID;
    if (str_eq(text, rule_text(known)))
        *out = rule_ref(known);
    else if (text.n)
        *out = rule_new(&draft, text);
    return RULE_OK;
}

enum rule_result rule_of_response(const struct fields *response, const struct rule *known, bool of_2xx,
                                  struct arena *a, struct rule **out)
{
    return make_rule(response, known, of_2xx, ENCODING_KEYED, a, out);
}

enum rule_result rule_of_response_uncoded(const struct fields *response, const struct rule *known,
                                          bool of_2xx, bool stays_coded, struct arena *a, struct rule **out)
{
    return make_rule(response, known, of_2xx, stays_coded ? ENCODING_STAYS : ENCODING_NOTHING, a, out);
}

unsigned rule_headers_ignored(const struct fields *response, struct arena *a)
{
    struct netlify_vary v;
    return fields_has(response, FIELD_NETLIFY_VARY) && netlify_read(response, &v, a) ? v.headers_ignored : 0;
}

/* Only the count of a rule ever changes. */
static struct rule *counted(const struct rule *r)
{
    union {
        const struct rule *in;
        struct rule *out;
    } u = { .in = r };
    return u.out;
}

struct rule *rule_ref(const struct rule *r)
{
    struct rule *rule = counted(r);
    if (rule)
        CHECK(atomic_fetch_add_explicit(&rule->refs, 1, memory_order_relaxed) > 0);
    return rule;
}

void rule_unref(struct rule *r)
{
    if (!r)
        return;
    unsigned before = atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1)
        mem_free_budgeted(r);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
    return a == b || str_eq(rule_text(a), rule_text(b));
}

size_t rule_bytes(const struct rule *r)
{
    return r ? mem_cost(r->bytes) : 0;
}

struct str rule_text(const struct rule *r)
{
    return r ? r->text : STR_NONE;
}

static bool is_netlify(const struct rule *r)
{
    const struct netlify_vary *n = &r->netlify;
    return n->query_some || n->headers.n || n->cookies.n || n->languages.n || n->countries.n;
}

static bool is_search(const struct rule *r)
{
    return r->search.any_order || r->search.keeps_listed || r->search.names.n;
}

static bool is_vary(const struct rule *r)
{
    return r->vary_encoding || r->vary_language || r->vary.n;
}

size_t rule_fields(const struct rule *r, struct str *out)
{
    size_t n = 0;
    if (r && is_netlify(r))
        out[n++] = STR("Netlify-Vary");
    if (r && is_search(r))
        out[n++] = STR("No-Vary-Search");
    if (r && is_vary(r))
        out[n++] = STR("Vary");
    if (r && r->varies_encoding)
        out[n++] = STR("Content-Encoding");
    return n;
}

static void write_vary(const struct rule *r, struct buf *lines)
{
    struct buf b = BUF_INIT;
    const char *before = "";
    if (r->vary_encoding)
        text_vary(&b, &before, STR("accept-encoding"));
    if (r->vary_language)
        text_vary(&b, &before, STR("accept-language"));
    for (size_t i = 0; i < r->vary.n; i++)
        text_vary(&b, &before, r->vary.v[i]);
    lines_add(lines, field_name(FIELD_VARY), buf_str(&b));
    buf_fini(&b);
}

struct str rule_lines(const struct rule *r, struct arena *a)
{
    struct buf b = BUF_INIT;
    if (!r)
        return STR_NONE;
    if (is_netlify(r))
        lines_add(&b, field_name(FIELD_NETLIFY_VARY), netlify_vary_canonical(&r->netlify, a));
    if (is_search(r))
        lines_add(&b, field_name(FIELD_NO_VARY_SEARCH), no_vary_search_canonical(&r->search, a));
    if (is_vary(r))
        write_vary(r, &b);
    /* Which coding it was is not known any more; each one but identity says the same. */
    if (r->varies_encoding)
        lines_add(&b, field_name(FIELD_CONTENT_ENCODING), STR("gzip"));
    struct str lines = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return lines;
}

bool rule_of_lines(struct str lines, struct arena *a, struct rule **out)
{
    struct fields fields = { 0 };
    struct str rest = lines;
    *out = NULL;
    if (lines.n > RULE_LINES_MAX || !lines_are_whole(lines))
        return false;
    for (struct field f; lines_next(&rest, &f);)
        fields_add(&fields, a, f.name, f.value);
    /* As a 2xx, whoever brought it: else its part of No-Vary-Search would not count. */
    struct rule *rule;
    if (rule_of_response(&fields, NULL, true, a, &rule) != RULE_OK)
        return false;
    if (!str_eq(rule_lines(rule, a), lines)) {
        rule_unref(rule);
        return false;
    }
    *out = rule;
    return true;
}

static const struct vary_name *vary_names_find(const struct vary_names *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->v[i].name, name))
            return &list->v[i];
    return NULL;
}

bool rule_has_field(const struct rule *r, struct str name)
{
    return r && (names_have(&r->vary, name) || vary_names_find(&r->netlify.headers, name));
}

bool rule_keys_lines(struct str name)
{
    return str_eq(name, STR("cookie")) || str_eq(name, STR("authorization"));
}

static bool groups_equal(const struct vary_groups *a, const struct vary_groups *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].n != b->v[i].n)
            return false;
        for (size_t k = 0; k < a->v[i].n; k++)
            if (!str_eq(a->v[i].codes[k], b->v[i].codes[k]))
                return false;
    }
    return true;
}

static bool param_counts(const struct rule *r, struct str name)
{
    return r->query == RULE_QUERY_WHOLE || names_have(&r->params, name) == (r->query == RULE_QUERY_LISTED);
}

/* Does any parameter count by r that does not by `known`? */
static bool query_names_more(const struct rule *r, const struct rule *known)
{
    if (known->search.any_order && !r->search.any_order)
        return true;
    if (r->query != RULE_QUERY_LISTED && known->query == RULE_QUERY_LISTED)
        return true; /* of infinitely many names only some count by `known` */
    for (size_t i = 0; i < r->params.n; i++)
        if (param_counts(r, r->params.v[i]) && !param_counts(known, r->params.v[i]))
            return true;
    for (size_t i = 0; i < known->params.n; i++)
        if (param_counts(r, known->params.v[i]) && !param_counts(known, known->params.v[i]))
            return true;
    return false;
}

static bool cookies_name_more(const struct rule *r, const struct rule *known)
{
    if (rule_has_field(known, STR("cookie")))
        return false;
    for (size_t i = 0; i < r->netlify.cookies.n; i++) {
        const struct vary_name *mine = &r->netlify.cookies.v[i];
        const struct vary_name *theirs = vary_names_find(&known->netlify.cookies, mine->name);
        if (!theirs || (theirs->presence && !mine->presence))
            return true;
    }
    return false;
}

/* Vary keeps less of a field than header= does, which keys the whole lines, except for credentials. */
static bool fields_name_more(const struct rule *r, const struct rule *known)
{
    for (size_t i = 0; i < r->netlify.headers.n; i++) {
        struct str name = r->netlify.headers.v[i].name;
        bool vary = names_have(&known->vary, name) && rule_keys_lines(name);
        if (!vary && !vary_names_find(&known->netlify.headers, name))
            return true;
    }
    for (size_t i = 0; i < r->vary.n; i++)
        if (!rule_has_field(known, r->vary.v[i]))
            return true;
    return false;
}

bool rule_names_more(const struct rule *r, const struct rule *known)
{
    static const struct rule none;
    r = r ? r : &none;
    known = known ? known : &none;
    const struct netlify_vary *mine = &r->netlify, *theirs = &known->netlify;
    return query_names_more(r, known) || fields_name_more(r, known) || cookies_name_more(r, known) ||
           (rule_has_encoding(r) && !rule_has_encoding(known)) ||
           (r->vary_language && !known->vary_language) ||
           (mine->languages.n && !groups_equal(&mine->languages, &theirs->languages)) ||
           (mine->countries.n && !groups_equal(&mine->countries, &theirs->countries));
}

bool rule_is_encoding_only(const struct rule *r)
{
    return rule_has_encoding(r) && !r->vary_language && r->vary.n == 0 && !is_netlify(r) && !is_search(r);
}
