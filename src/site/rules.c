#include <string.h>

#include "base/check.h"
#include "http/accept.h"
#include "http/scan.h"
#include "http/url.h"
#include "site/rules_machine.h"

/* ---- one condition ---- */

bool rules_list_matches(const struct strs *list, bool (*one)(struct str pattern, const void *ctx),
                        const void *ctx)
{
    bool wanted = false, found = false;
    for (size_t i = 0; i < list->n; i++) {
        struct str pattern = list->v[i];
        bool is_not = pattern.p[0] == '!';
        if (is_not)
            pattern = str_from_index(pattern, 1);
        else if (found)
            continue;
        bool matches = one(pattern, ctx);
        if (is_not && matches)
            return false;
        wanted |= !is_not;
        found |= !is_not && matches;
    }
    return found || !wanted;
}

struct path_question {
    struct str path;
    struct glob_captures *captures;
};

static bool one_path(struct str pattern, const void *ctx)
{
    const struct path_question *q = ctx;
    struct glob_captures c;
    if (!glob_match_path(pattern, q->path, &c))
        return false;
    *q->captures = c;
    return true;
}

bool rules_path_matches(const struct strs *list, struct str path, struct glob_captures *captures)
{
    return rules_list_matches(list, one_path, &(struct path_question){ path, captures });
}

static bool one_text(struct str pattern, const void *ctx)
{
    return glob_match_text(pattern, *(const struct str *)ctx);
}

static bool one_text_nocase(struct str pattern, const void *ctx)
{
    const struct str *s = ctx;
    char low[256];
    if (s->n > sizeof(low))
        return false;
    for (size_t i = 0; i < s->n; i++)
        low[i] = ascii_lower(s->p[i]);
    return glob_match_text(pattern, (struct str){ low, s->n });
}

struct str rules_split(struct str s, char separator, struct str *value)
{
    size_t i = str_index(s, separator);
    *value = i < s.n ? str_trim((struct str){ s.p + i + 1, s.n - i - 1 }) : STR_NONE;
    if (i < s.n && !value->p)
        *value = STR("");
    return str_trim(str_first(s, i));
}

static bool one_header(struct str pattern, const void *ctx)
{
    const struct fields *f = ctx;
    struct str value, name = rules_split(pattern, ':', &value);
    for (size_t i = fields_index_of(f, name, 0); i < f->n; i = fields_index_of(f, name, i + 1))
        if (!value.p || glob_match_text(value, f->v[i].value))
            return true;
    return false;
}

static bool one_cookie(struct str pattern, const void *ctx)
{
    struct str value, name = rules_split(pattern, '=', &value);
    struct cookies all = cookie_list(ctx);
    struct cookie c;
    while (cookie_next(&all, &c))
        if (glob_match_text(name, c.name) && (!value.p || glob_match_text(value, c.value)))
            return true;
    return false;
}

#define NAME_MOST 256 /* a longer name of a parameter matches as it stands */

/* As a form's parser reads it, into `to`. */
static struct str decode_name(struct str name, char *to)
{
    size_t n = 0;
    if (name.n > NAME_MOST)
        return name;
    for (size_t i = 0; i < name.n; i++) {
        bool coded = name.p[i] == '%' && i + 2 < name.n && ascii_hex_value(name.p[i + 1]) >= 0 &&
                     ascii_hex_value(name.p[i + 2]) >= 0;
        to[n++] = coded ? (char)(ascii_hex_value(name.p[i + 1]) << 4 | ascii_hex_value(name.p[i + 2]))
                  : name.p[i] == '+' ? ' '
                                     : name.p[i];
        i += coded ? 2 : 0;
    }
    return (struct str){ to, n };
}

static bool one_param(struct str pattern, const void *ctx)
{
    char name[NAME_MOST];
    struct str rest = *(const struct str *)ctx;
    struct query_param p;
    while (query_next(&rest, &p))
        if (glob_match_text(pattern, decode_name(p.name, name)))
            return true;
    return false;
}

static bool one_status(struct str pattern, const void *ctx)
{
    int status = *(const int *)ctx;
    if (str_ends(pattern, STR("xx")))
        return pattern.p[0] - '0' == status / 100;
    uint64_t n;
    return str_to_u64(pattern, 999, &n) && (int)n == status;
}

/* ---- the parts of a rule ---- */

bool rules_match_place(const struct rules *rules, size_t rule, const struct rules_request *q,
                       struct glob_captures *captures)
{
    const struct map_value *v = rules->v[rule].v;
    captures->n = 0;
    if (!(rules->v[rule].parts & (1u << RULE_path | 1u << RULE_host | 1u << RULE_method)))
        return true;
    struct str method = str_eq(q->method, STR("HEAD")) ? STR("GET") : q->method;
    return rules_path_matches(&v[RULE_path].list, q->path, captures) &&
           rules_list_matches(&v[RULE_host].list, one_text, &q->host) &&
           rules_list_matches(&v[RULE_method].list, one_text, &method);
}

bool rules_match_visitor(const struct rules *rules, size_t rule, const struct rules_request *q)
{
    const struct map_value *v = rules->v[rule].v;
    unsigned parts = rules->v[rule].parts & (1u << RULE_header | 1u << RULE_cookie | 1u << RULE_query);
    if (parts == 0)
        return true;
    return rules_list_matches(&v[RULE_header].list, one_header, q->fields) &&
           rules_list_matches(&v[RULE_cookie].list, one_cookie, q->fields) &&
           rules_list_matches(&v[RULE_query].list, one_param, &q->query);
}

static struct str media_type(const struct fields *fields)
{
    struct str type = fields_value(fields, FIELD_CONTENT_TYPE);
    return str_trim(str_first(type, str_index(type, ';')));
}

bool rules_match_answer(const struct rules *rules, size_t rule, int status, const struct fields *fields)
{
    const struct map_value *v = rules->v[rule].v;
    struct str type = media_type(fields);
    return rules_list_matches(&v[RULE_status].list, one_status, &status) &&
           rules_list_matches(&v[RULE_content_type].list, one_text_nocase, &type) &&
           rules_list_matches(&v[RULE_response_header].list, one_header, fields);
}

/* ---- which rules ---- */

static bool is_coded_slash(struct str s, size_t i)
{
    return i + 2 < s.n && s.p[i] == '%' && s.p[i + 1] == '2' && ascii_lower(s.p[i + 2]) == 'f';
}

/* Has it no "%", and no two slashes beside each other? Asked for each request of a site with rules. */
static bool is_plain(struct str path)
{
    unsigned before = 0;
    for (size_t at = 0; at < path.n; at += WORD_BYTES) {
        size_t left = path.n - at;
        word w = left >= WORD_BYTES ? word_load(path.p + at) : word_load_short(path.p + at, left, 'a');
        unsigned slashes = word_bits(word_is(w, '/'));
        if (word_bits(word_is(w, '%')) || (slashes & (slashes << 1 | before)))
            return false;
        before = slashes >> (WORD_BYTES - 1) & 1;
    }
    return true;
}

struct str rules_path(struct str path, struct arena *a)
{
    size_t n = 0;
    if (is_plain(path))
        return path;
    char *p = arena_alloc(a, path.n);
    for (size_t i = 0; i < path.n; i++) {
        bool coded = is_coded_slash(path, i);
        char c = coded ? '/' : path.p[i];
        i += coded ? 2 : 0;
        if (c != '/' || n == 0 || p[n - 1] != '/')
            p[n++] = c;
    }
    return (struct str){ p, n };
}

void rules_candidates(const struct rules *rules, struct str path, uint64_t *some)
{
    size_t words = rules->words;
    if (words == 1) { /* most sites */
        uint64_t left = some[0];
        for (size_t i = 0; left && i < RULES_PROBES; i++) {
            size_t at = rules->probes[i];
            left &= rules->may[i * 256 + (at < path.n ? (unsigned char)path.p[at] : 0)];
        }
        some[0] = left;
        return;
    }
    for (size_t i = 0; i < RULES_PROBES; i++) {
        size_t at = rules->probes[i];
        unsigned char byte = at < path.n ? (unsigned char)path.p[at] : 0;
        const uint64_t *may = rules->may + (i * 256 + byte) * words;
        for (size_t w = 0; w < words; w++)
            some[w] &= may[w];
    }
}

static void note_first(size_t *at, const struct map_value *value, size_t rule)
{
    if (*at == RULES_NONE && value->line)
        *at = rule;
}

/* Notes what a matching rule says of the request itself. */
static void note(const struct rules *rules, size_t rule, struct rules_said *out)
{
    const struct map_value *v = rules->v[rule].v;
    note_first(&out->bypass, &v[RULE_bypass], rule);
    note_first(&out->redirect, &v[RULE_redirect], rule);
    note_first(&out->is_static, &v[RULE_static], rule);
    out->changes |= v[RULE_set_header].line || v[RULE_remove_header].line || v[RULE_drop_cookie].line;
}

/* The first rule may say false: then no later one says true. */
static void keep_if_yes(const struct rules *rules, size_t *rule, enum rule_field field)
{
    if (*rule != RULES_NONE && !rules->v[*rule].v[field].yes)
        *rule = RULES_NONE;
}

/* Which rules are asked about this request. */
static void find_asked(const struct rules *rules, const struct rules_request *q, uint64_t *out)
{
    uint64_t without = fields_has(q->fields, FIELD_COOKIE) ? 0 : UINT64_MAX;
    for (size_t w = 0; w < rules->words; w++)
        out[w] = rules->asked[w] & ~(rules->by_cookie[w] & without);
    rules_candidates(rules, q->path, out);
}

/* The key: the rules that matched, and which rules they are numbers of. A request that began before a reload
 * still has the old ones. */
static uint64_t *new_key(const struct rules *rules, struct arena *a)
{
    uint64_t *key = arena_zero(a, (rules->words + 1) * sizeof(*key));
    key[rules->words] = rules->hash;
    return key;
}

void rules_ask(const struct rules *rules, const struct rules_request *q, struct arena *a,
               struct rules_said *out)
{
    uint64_t asked[RULES_WORDS], *key = NULL;
    struct glob_captures captures;
    *out = (struct rules_said){ RULES_NONE, RULES_NONE, RULES_NONE, STR_NONE, false };
    find_asked(rules, q, asked);
    for (size_t w = 0; w < rules->words; w++)
        for (uint64_t left = asked[w]; left; left &= left - 1) {
            uint64_t bit = left & -left;
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            if (!rules_match_place(rules, rule, q, &captures) || !rules_match_visitor(rules, rule, q))
                continue;
            note(rules, rule, out);
            if (!(rules->keyed[w] & bit))
                continue;
            if (!key)
                key = new_key(rules, a);
            key[w] |= bit;
        }
    if (key)
        out->key = (struct str){ (const char *)key, (rules->words + 1) * sizeof(*key) };
    keep_if_yes(rules, &out->bypass, RULE_bypass);
    keep_if_yes(rules, &out->is_static, RULE_static);
}

/* ---- for people ---- */

size_t rules_count(const struct rules *rules)
{
    return rules ? rules->n : 0;
}

struct str rules_name(const struct rules *rules, size_t rule, struct arena *a)
{
    const struct rules_entry *e = &rules->v[rule];
    switch (e->source) {
    case RULES_OF_SITE: return arena_printf(a, "rule %u of %.*s", e->number, STR_ARG(rules->site->name));
    case RULES_OF_FILE:
        return arena_printf(a, "line %u of %.*s", e->line, STR_ARG(rules->site->headers_file));
    case RULES_OF_PRESET:
        return arena_printf(a, "rule %u of preset %.*s", e->number,
                            STR_ARG(rules_preset_name(rules->site->preset)));
    }
    UNREACHABLE();
}

bool rules_match(const struct rules *rules, size_t rule, const struct rules_request *q, bool *of_answer)
{
    struct glob_captures captures;
    *of_answer = rules->v[rule].asks_answer;
    return rules_match_place(rules, rule, q, &captures) && rules_match_visitor(rules, rule, q);
}

size_t rules_actions(const struct rules *rules, size_t rule, struct str *names)
{
    const struct shape *shape = &shape_table[SHAPE_RULE];
    size_t n = 0;
    for (size_t i = RULE_bypass; i < RULE_redirect_status; i++)
        if (rules->v[rule].v[i].line) {
            CHECK(n < RULES_ACTIONS);
            names[n++] = shape->fields[i].name;
        }
    return n;
}

bool rules_action_is_once(struct str name)
{
    static const enum rule_field once[] = { RULE_bypass,   RULE_static, RULE_cdn_cache_control,
                                            RULE_redirect, RULE_vary,   RULE_default_cdn_cache_control };
    for (size_t i = 0; i < COUNT_OF(once); i++)
        if (str_eq(name, shape_table[SHAPE_RULE].fields[once[i]].name))
            return true;
    return false;
}
