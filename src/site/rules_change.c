#include <string.h>

#include "base/check.h"
#include "http/accept.h"
#include "http/lines.h"
#include "site/rules_machine.h"

/* ---- captures ---- */

/* A comma or a space would make two tags of one. */
static void add_capture(struct buf *b, struct str s, bool plain)
{
    for (size_t i = 0; i < s.n; i++)
        if (plain && (s.p[i] == ',' || s.p[i] == ' '))
            buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
        else
            buf_add_char(b, s.p[i]);
}

struct str rules_expand(struct str text, const struct glob_captures *c, bool plain, struct arena *a)
{
    struct buf b = BUF_INIT;
    if (str_index(text, '{') == text.n)
        return text;
    for (size_t i = 0; i < text.n; i++) {
        bool is_capture = i + 2 < text.n && text.p[i] == '{' && is_digit(text.p[i + 1]) &&
                          text.p[i + 2] == '}' && text.p[i + 1] != '0';
        if (!is_capture) {
            buf_add_char(&b, text.p[i]);
            continue;
        }
        size_t which = (size_t)(text.p[i + 1] - '1');
        add_capture(&b, which < c->n ? c->v[which] : STR_NONE, plain);
        i += 2;
    }
    struct str out = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

/* ---- names that an earlier rule has spoken of ---- */

struct spoken {
    struct str v[256];
    size_t n;
};

/* Is this the first rule to speak of the name? */
static bool speaks_first(struct spoken *s, struct str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq_nocase(s->v[i], name))
            return false;
    if (s->n == COUNT_OF(s->v))
        return false;
    s->v[s->n++] = name;
    return true;
}

static void change_headers(const struct map_value *set, const struct map_value *removed,
                           const struct glob_captures *c, struct spoken *spoken, struct fields *fields,
                           struct arena *a)
{
    /* What one rule sets and removes is said at once: a name that it sets twice has two lines. */
    size_t before = spoken->n;
    for (size_t i = 0; i < removed->list.n; i++)
        if (speaks_first(spoken, removed->list.v[i]))
            fields_remove_by_name(fields, removed->list.v[i]);
    for (size_t i = 0; i < set->list.n; i++) {
        struct str value, name = rules_split(set->list.v[i], ':', &value);
        bool first = speaks_first(spoken, name), again = false;
        for (size_t k = before; !first && k < spoken->n; k++)
            again |= str_eq_nocase(spoken->v[k], name);
        if (first)
            fields_remove_by_name(fields, name);
        if (first || again)
            fields_add(fields, a, name, rules_expand(value, c, false, a));
    }
}

/* ---- requests ---- */

static bool is_dropped(const struct map_value *drop, struct str name)
{
    for (size_t i = 0; i < drop->list.n; i++)
        if (glob_match_text(drop->list.v[i], name))
            return true;
    return false;
}

/* Writes one Cookie line of those that stay; one that loses none stays as it is. */
static void drop_cookies(const struct map_value *drop, struct fields *fields, struct arena *a)
{
    struct cookies all = cookie_list(fields);
    struct cookie c;
    struct buf b = BUF_INIT;
    bool dropped = false;
    while (cookie_next(&all, &c)) {
        if (is_dropped(drop, c.name)) {
            dropped = true;
            continue;
        }
        if (b.n)
            buf_add(&b, STR("; "));
        buf_add(&b, c.raw);
    }
    if (dropped) {
        fields_remove(fields, FIELD_COOKIE);
        if (b.n)
            fields_add_id(fields, a, FIELD_COOKIE, arena_dup(a, buf_str(&b)));
    }
    buf_fini(&b);
}

/* Rules that match a request, in order. */
struct matching {
    struct {
        size_t rule;
        struct glob_captures captures;
    } * v;
    size_t n;
};

/* Which rules may match: those of the key, and those that ask only of place and method. One that asks of the
 * visitor and is not in the key bypasses, redirects or says what is static, and changes nothing. */
static size_t find_possible(const struct rules *rules, struct str path, struct str key, uint64_t *out)
{
    uint64_t in_key[RULES_WORDS] = { 0 };
    size_t n = 0;
    CHECK(key.n == 0 || key.n == (rules->words + 1) * sizeof(*in_key));
    if (key.n)
        memcpy(in_key, key.p, rules->words * sizeof(*in_key));
    for (size_t w = 0; w < rules->words; w++)
        out[w] = rules->changes[w] & (~rules->keyed[w] | in_key[w]);
    rules_candidates(rules, path, out);
    for (size_t w = 0; w < rules->words; w++)
        n += (size_t)__builtin_popcountll(out[w]);
    return n;
}

static void find_matching(const struct rules *rules, const struct rules_request *q, struct str key,
                          struct arena *a, struct matching *out)
{
    uint64_t possible[RULES_WORDS];
    size_t most = find_possible(rules, q->path, key, possible);
    *out = (struct matching){ most ? arena_alloc(a, most * sizeof(*out->v)) : NULL, 0 };
    for (size_t w = 0; w < rules->words; w++)
        for (uint64_t left = possible[w]; left; left &= left - 1) {
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            out->v[out->n].rule = rule;
            if (rules_match_place(rules, rule, q, &out->v[out->n].captures))
                out->n++;
        }
}

void rules_change_request(const struct rules *rules, const struct rules_request *q,
                          const struct rules_said *said, struct fields *fields, struct arena *a)
{
    struct matching m;
    struct spoken *spoken = arena_alloc(a, sizeof(*spoken));
    spoken->n = 0;
    find_matching(rules, q, said->key, a, &m);
    for (size_t i = 0; i < m.n; i++) {
        const struct map_value *v = rules->v[m.v[i].rule].v;
        change_headers(&v[RULE_set_header], &v[RULE_remove_header], &m.v[i].captures, spoken, fields, a);
        if (v[RULE_drop_cookie].line && fields_has(fields, FIELD_COOKIE))
            drop_cookies(&v[RULE_drop_cookie], fields, a);
    }
}

/* Is the target what was asked for? The browser would come again, and again. */
static bool is_itself(const struct rules_request *q, struct str to)
{
    struct str scheme = q->https ? STR("https://") : STR("http://");
    if (str_starts(to, scheme)) {
        to = str_from_index(to, scheme.n);
        if (!str_eq_nocase(str_first(to, str_index(to, '/')), q->host))
            return false;
        to = str_from_index(to, str_index(to, '/'));
    }
    to = str_first(to, str_index(to, '#'));
    struct str path = str_cut(&to, '?');
    return str_eq(path, q->path) && str_eq(to, q->query);
}

/* Never to a host that the path names: what begins with "/" begins with one only. */
struct str rules_redirect(const struct rules *rules, const struct rules_request *q, size_t rule, int *status,
                          struct arena *a)
{
    static const int statuses[] = { 301, 302, 308 };
    const struct map_value *v = rules->v[rule].v;
    struct glob_captures c;
    CHECK(rules_match_place(rules, rule, q, &c));
    *status = statuses[v[RULE_redirect_status].choice];
    struct str to = rules_expand(v[RULE_redirect].text, &c, false, a);
    size_t slashes = 0;
    while (slashes < to.n && to.p[0] == '/' && (to.p[slashes] == '/' || to.p[slashes] == '\\'))
        slashes++;
    if (slashes > 1)
        to = ARENA_JOIN(a, STR("/"), str_from_index(to, slashes));
    if (q->query.n && str_index(to, '?') == to.n && str_index(to, '#') == to.n)
        to = ARENA_JOIN(a, to, STR("?"), q->query);
    return is_itself(q, to) ? STR_NONE : to;
}

/* ---- answers ---- */

static bool is_silent(const struct rules *rules, const struct rules_request *q, const struct fields *f)
{
    const struct strs *targeted = &rules->site->cdn_cache_control;
    for (size_t i = 0; i < targeted->n; i++)
        if (fields_index_of(f, targeted->v[i], 0) < f->n)
            return false;
    /* Where the origin sees cookies that no key holds, its silence does not mean that all get the same. */
    if (rules->site->unkeyed_cookies == UNKEYED_FORWARD && fields_has(q->fields, FIELD_COOKIE))
        return false;
    return !fields_has(f, FIELD_CACHE_CONTROL) && !fields_has(f, FIELD_EXPIRES) &&
           !fields_has(f, FIELD_PRAGMA);
}

static bool holds_member(struct str list, struct str one)
{
    struct str member;
    while (list_next(&list, &member))
        if (str_eq(member, one))
            return true;
    return false;
}

/* Adds to the list in the first of these fields that is there; none is: to the first one. */
static void add_tag(const struct rules *rules, struct str tag, struct fields *f, struct arena *a)
{
    const struct site_settings *site = rules->site;
    if (!site->tag_headers.n)
        return;
    const struct tag_header *h = &site->tag_header_list[0];
    for (size_t i = 0; i < site->tag_headers.n; i++)
        if (fields_index_of(f, site->tag_header_list[i].name, 0) < f->n) {
            h = &site->tag_header_list[i];
            break;
        }
    size_t at = fields_index_of(f, h->name, 0);
    bool by_space = h->separator == TAG_SEPARATOR_SPACE;
    if (at == f->n) {
        fields_add(f, a, h->name, tag);
        return;
    }
    struct str rest = f->v[at].value;
    if (by_space)
        while (rest.n)
            if (str_eq(str_cut(&rest, ' '), tag))
                return;
    if (!by_space && holds_member(rest, tag))
        return;
    f->v[at].value = ARENA_JOIN(a, f->v[at].value, by_space ? STR(" ") : STR(", "), tag);
}

static void add_vary(struct str text, struct fields *f, struct arena *a)
{
    size_t at = fields_index_of(f, field_name(FIELD_NETLIFY_VARY), 0);
    if (at == f->n)
        fields_add_id(f, a, FIELD_NETLIFY_VARY, text);
    else if (!str_ends(f->v[at].value, text))
        f->v[at].value = ARENA_JOIN(a, f->v[at].value, STR(","), text);
}

/* A redirect or an error gets cache control only from a rule that names its status. */
static bool may_control(const struct map_value *v, int status)
{
    return status == 200 || v[RULE_status].line;
}

struct control {
    struct str forced, by_default;
};

static void set_control(const struct rules *rules, const struct rules_request *q, const struct control *c,
                        struct fields *f, struct arena *a)
{
    struct str text = c->forced.n ? c->forced : c->by_default;
    if (!text.n || (!c->forced.n && !is_silent(rules, q, f)))
        return;
    const struct strs *targeted = &rules->site->cdn_cache_control;
    for (size_t i = 0; i < targeted->n; i++)
        fields_remove_by_name(f, targeted->v[i]);
    fields_add(f, a, targeted->v[0], text);
}

static void change_answer(const struct rules *rules, const struct map_value *v, const struct glob_captures *c,
                          struct spoken *spoken, struct fields *f, struct arena *a)
{
    change_headers(&v[RULE_set_response_header], &v[RULE_remove_response_header], c, spoken, f, a);
    for (size_t i = 0; i < v[RULE_tags].list.n; i++)
        add_tag(rules, rules_expand(v[RULE_tags].list.v[i], c, true, a), f, a);
}

/* ---- undone, before a 304 is merged ---- */

/* Have both the same lines of that name, in their order? */
static bool has_same_lines(const struct fields *a, const struct fields *b, struct str name)
{
    size_t i = fields_index_of(a, name, 0), k = fields_index_of(b, name, 0);
    while (i < a->n && k < b->n) {
        if (!str_eq(a->v[i].value, b->v[k].value))
            return false;
        i = fields_index_of(a, name, i + 1);
        k = fields_index_of(b, name, k + 1);
    }
    return i == a->n && k == b->n;
}

/* The lines as they came, each behind a "+". A cookie was one visitor's and comes back to nobody. */
static void put_lines(struct buf *b, const struct fields *came, struct str name, struct arena *a)
{
    enum field_id id = field_id_of(name);
    if (id == FIELD_SET_COOKIE || id == FIELD_SET_COOKIE2)
        return;
    for (size_t i = fields_index_of(came, name, 0); i < came->n; i = fields_index_of(came, name, i + 1))
        lines_add(b, ARENA_JOIN(a, STR("+"), name), came->v[i].value);
}

/* The names whose lines were changed, each behind a "-", then its lines. */
static struct str undo_of(const struct fields *came, const struct fields *now, struct arena *a)
{
    const struct fields *both[] = { came, now };
    struct buf b = BUF_INIT;
    for (size_t k = 0; k < COUNT_OF(both); k++)
        for (size_t i = 0; i < both[k]->n; i++) {
            struct str name = both[k]->v[i].name;
            bool again = fields_index_of(both[k], name, 0) < i ||
                         (both[k] == now && fields_index_of(came, name, 0) < came->n);
            if (again || has_same_lines(came, now, name))
                continue;
            lines_add(&b, ARENA_JOIN(a, STR("-"), name), STR(""));
            put_lines(&b, came, name, a);
        }
    struct str undo = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return undo;
}

static void change_whole_answer(const struct rules *rules, const struct rules_request *q,
                                const struct matching *m, int status, struct fields *f, struct arena *a)
{
    struct control control = { STR_NONE, STR_NONE };
    struct str vary = STR_NONE;
    struct spoken *spoken = arena_alloc(a, sizeof(*spoken));
    spoken->n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct map_value *v = rules->v[m->v[i].rule].v;
        if (!control.forced.n && may_control(v, status))
            control.forced = v[RULE_cdn_cache_control].text;
        if (!control.by_default.n && may_control(v, status))
            control.by_default = v[RULE_default_cdn_cache_control].text;
        if (!vary.n)
            vary = v[RULE_vary].text;
    }
    set_control(rules, q, &control, f, a);
    for (size_t i = 0; i < m->n; i++)
        change_answer(rules, rules->v[m->v[i].rule].v, &m->v[i].captures, spoken, f, a);
    if (vary.n)
        add_vary(vary, f, a);
}

void rules_change_answer(const struct rules *rules, const struct rules_request *q, struct str key, int status,
                         struct fields *f, struct str *undo, struct arena *a)
{
    struct matching m;
    size_t kept = 0;
    *undo = STR_NONE;
    find_matching(rules, q, key, a, &m);
    /* All conditions are about the answer as it came, so they come before all changes. */
    for (size_t i = 0; i < m.n; i++)
        if (rules_match_answer(rules, m.v[i].rule, status, f))
            m.v[kept++] = m.v[i];
    m.n = kept;
    if (kept == 0)
        return;
    struct fields came = { 0 };
    for (size_t i = 0; rules->may_end && i < f->n; i++)
        fields_add_line(&came, a, f->v[i]);
    change_whole_answer(rules, q, &m, status, f, a);
    if (rules->may_end)
        *undo = undo_of(&came, f, a);
}

void rules_undo(struct str undo, struct fields *fields, struct arena *a)
{
    for (struct field line; lines_next(&undo, &line);) {
        struct str name = str_from_index(line.name, 1);
        if (line.name.p[0] == '-')
            fields_remove_by_name(fields, name);
        else
            fields_add(fields, a, name, line.value);
    }
}
