/*
 * Writes keys. Material is a sequence of parts in an order that the rule's text, its first part, determines;
 * a part is a byte, a 32-bit number, or a string behind its length (numbers with the lowest byte first). So
 * no byte inside a part can pass for the end of it.
 */
#include "cache/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/accept.h"
#include "http/scan.h"
#include "http/url.h"

#define NO_GROUP UINT32_MAX

/* Frameworks answer these with something else than the page (CACHING.md 4.7). Sorted by bytes. */
static const struct str never_dropped[] = {
    STR_INIT("__nextDataReq"),
    STR_INIT("_routes"),
    STR_INIT("_rsc"),
    STR_INIT("x-sveltekit-invalidated"),
};

/* ---- material: bytes that grow in the arena ---- */

struct material {
    struct arena *arena;
    char *p;
    size_t n, cap;
};

static char *material_room(struct material *m, size_t bytes)
{
    if (m->cap - m->n < bytes) {
        size_t cap = m->cap ? m->cap * 2 : 256;
        while (cap - m->n < bytes)
            cap *= 2;
        char *p = arena_alloc(m->arena, cap);
        if (m->n)
            memcpy(p, m->p, m->n);
        m->p = p;
        m->cap = cap;
    }
    char *at = m->p + m->n;
    m->n += bytes;
    return at;
}

static void put_bytes(struct material *m, struct str s)
{
    if (s.n)
        memcpy(material_room(m, s.n), s.p, s.n);
}

static void put_byte(struct material *m, unsigned value)
{
    *material_room(m, 1) = (char)value;
}

static void number_write(char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(value >> 8 * i & 0xff);
}

static uint32_t number_read(const char *from)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)(unsigned char)from[i] << 8 * i;
    return value;
}

static void put_number(struct material *m, uint32_t value)
{
    number_write(material_room(m, 4), value);
}

static void put_str(struct material *m, struct str s)
{
    CHECK(s.n < UINT32_MAX);
    put_number(m, (uint32_t)s.n);
    put_bytes(m, s);
}

/* One byte says whether there is a value, for missing and empty differ. */
static void put_maybe(struct material *m, struct str s)
{
    put_byte(m, s.p != NULL);
    if (s.p)
        put_str(m, s);
}

static struct str material_str(const struct material *m)
{
    return (struct str){ m->p, m->n };
}

/* There are as many of these as families: a length is a byte, when it is small. */
#define LONG 255

static size_t short_bytes(struct str s)
{
    return (s.n < LONG ? 1 : 5) + s.n;
}

static char *short_write(char *to, struct str s)
{
    CHECK(s.n < UINT32_MAX);
    *to++ = (char)(s.n < LONG ? s.n : LONG);
    if (s.n >= LONG) {
        number_write(to, (uint32_t)s.n);
        to += 4;
    }
    return str_put(to, s);
}

struct str key_primary(const struct key_request *r, struct arena *a)
{
    /* Made for every request: one allocation of the right size. The path comes last and needs no length. */
    size_t bytes = short_bytes(r->site) + 1 + short_bytes(r->host) + 2 + r->path.n;
    char *p = arena_alloc(a, bytes), *at = short_write(p, r->site);
    *at++ = r->https;
    at = short_write(at, r->host);
    *at++ = (char)(r->port & 0xff);
    *at++ = (char)(r->port >> 8);
    at = str_put(at, r->path);
    CHECK(at == p + bytes);
    return (struct str){ p, bytes };
}

static bool short_take(struct str *rest, struct str *out)
{
    size_t n = rest->n ? (unsigned char)rest->p[0] : 0, before = 1;
    if (n == LONG) {
        before = 5;
        n = rest->n < before ? 0 : number_read(rest->p + 1);
    }
    if (rest->n < before || rest->n - before < n)
        return false;
    *out = (struct str){ rest->p + before, n };
    *rest = str_from_index(*rest, before + n);
    return true;
}

static struct str short_read(struct str *rest)
{
    struct str s;
    CHECK(short_take(rest, &s));
    return s;
}

struct str key_authority(const struct key_request *r, struct arena *a)
{
    return r->port ? ARENA_JOIN(a, r->host, STR(":"), arena_decimal(a, r->port)) : arena_dup(a, r->host);
}

void key_read_primary(struct str primary, struct key_request *out)
{
    struct str rest = primary;
    *out = (struct key_request){ .site = short_read(&rest) };
    CHECK(rest.n > 0);
    out->https = rest.p[0];
    rest = str_from_index(rest, 1);
    out->host = short_read(&rest);
    CHECK(rest.n >= 2);
    out->port = (uint16_t)((unsigned char)rest.p[0] | (unsigned char)rest.p[1] << 8);
    out->path = str_from_index(rest, 2);
}

bool key_is_primary(struct str bytes)
{
    struct str s, rest = bytes;
    if (!short_take(&rest, &s) || rest.n == 0)
        return false;
    rest = str_from_index(rest, 1);
    return short_take(&rest, &s) && rest.n > 2 && rest.p[2] == '/';
}

/* ---- queries ---- */

static bool is_never_dropped(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(never_dropped); i++)
        if (str_eq(name, never_dropped[i]))
            return true;
    return false;
}

static bool is_in_sorted(const struct str *v, size_t n, struct str name)
{
    size_t low = 0;
    while (low < n) {
        size_t mid = low + (n - low) / 2;
        int c = str_cmp(v[mid], name);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            n = mid;
    }
    return false;
}

/* How often the byte is in s. Stops counting above `most`. */
static size_t count_of(struct str s, char c, size_t most)
{
    size_t n = 0;
    for (size_t at = 0; at < s.n && n <= most; at += WORD_BYTES) {
        size_t left = s.n - at;
        word w = left >= WORD_BYTES ? word_load(s.p + at) : word_load_short(s.p + at, left, (char)(c + 1));
        unsigned found = word_bits(word_is(w, c));
        n += found ? (size_t)__builtin_popcount(found) : 0;
    }
    return n;
}

bool key_query_is_long(struct str query)
{
    return query.n > KEY_PARAMS_MAX && count_of(query, '&', KEY_PARAMS_MAX) >= KEY_PARAMS_MAX;
}

/* A set of parameter names that stay (or go). */
struct param_filter {
    const struct str *names; /* decoded, sorted by bytes */
    size_t n;
    bool keeps_listed; /* the listed ones stay; else they go */
};

static bool param_stays(const struct param_filter *f, struct str name)
{
    return is_in_sorted(f->names, f->n, name) == f->keeps_listed || is_never_dropped(name);
}

/* The name of a parameter as names are compared. `coded` says whether anything of its query is encoded. */
static struct str param_name(const struct query_param *q, bool coded, struct arena *a)
{
    return coded ? query_decode(q->name, a) : q->name;
}

/* Is the name longer than any listed one with each byte encoded? Then no list has
 * it, and it need not be decoded. */
static bool is_too_long(const struct param_filter *f, struct str coded_name)
{
    size_t longest = 64; /* of never_dropped, and far longer than what people call a parameter */
    if (coded_name.n <= 3 * longest)
        return false;
    for (size_t i = 0; i < f->n; i++)
        longest = f->names[i].n > longest ? f->names[i].n : longest;
    return coded_name.n > 3 * longest;
}

static bool query_param_stays(const struct param_filter *f, const struct query_param *q, bool coded,
                              struct arena *a)
{
    return is_too_long(f, q->name) ? !f->keeps_listed : param_stays(f, param_name(q, coded, a));
}

static size_t put_param(char *to, size_t n, struct str raw)
{
    if (n)
        to[n++] = '&';
    return (size_t)(str_put(to + n, raw) - to);
}

/* The parameters that stay, in the order sent; `query` itself when all do. */
static struct str query_filter(struct str query, const struct param_filter *f, struct arena *a, bool *dropped)
{
    struct str rest = query;
    struct query_param q = { 0 };
    bool coded = query_is_coded(query);
    *dropped = false;
    while (!*dropped && query_next(&rest, &q))
        *dropped = !query_param_stays(f, &q, coded, a);
    if (!*dropped)
        return query;
    char *p = arena_alloc(a, query.n);
    size_t n = 0;
    struct str before = str_first(query, (size_t)(q.raw.p - query.p)); /* all of it stays */
    while (query_next(&before, &q))
        n = put_param(p, n, q.raw);
    while (query_next(&rest, &q))
        if (query_param_stays(f, &q, coded, a))
            n = put_param(p, n, q.raw);
    CHECK(n < query.n);
    return (struct str){ p, n };
}

struct str query_strip_ignored(struct str query, const struct strs *ignored, struct arena *a, bool *has_query)
{
    bool dropped;
    if (query.n == 0 || ignored->n == 0 || key_query_is_long(query))
        return query;
    struct str left =
        query_filter(query, &(struct param_filter){ ignored->v, ignored->n, false }, a, &dropped);
    if (left.n == 0)
        *has_query = false;
    return left;
}

static bool query_has_name(struct str query, struct str name, struct arena *a)
{
    struct query_param q;
    while (query_next(&query, &q))
        if (str_eq(query_decode(q.name, a), name))
            return true;
    return false;
}

struct str query_ignored(struct str query, const struct strs *ignored, struct str known, struct arena *a)
{
    struct param_filter f = { ignored->v, ignored->n, false };
    struct query_param q;
    char *p = NULL;
    size_t n = 0;
    if (key_query_is_long(query))
        return STR_NONE; /* nothing was dropped of it */
    bool coded = query_is_coded(query);
    for (struct str rest = query; ignored->n && query_next(&rest, &q);) {
        struct str name = param_name(&q, coded, a);
        if (param_stays(&f, name) || query_has_name(known, name, a))
            continue;
        if (!p)
            p = arena_alloc(a, query.n);
        n = put_param(p, n, q.raw);
    }
    return (struct str){ p, n };
}

struct str query_keep_listed(struct str query, const struct rule *rule, struct arena *a, bool *dropped)
{
    *dropped = false;
    if (query.n == 0 || !rule_cuts_query(rule) || key_query_is_long(query))
        return query;
    const struct names *names = &rule->params;
    return query_filter(query, &(struct param_filter){ names->v, names->n, rule_lists_query(rule) }, a,
                        dropped);
}

/* A parameter to be sorted. */
struct piece {
    struct str name, raw; /* the name is decoded: what the origin takes for one name keeps its order */
    size_t place;
};

static int compare_piece(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : x->place < y->place ? -1 : x->place > y->place;
}

/* Up to here each is put into its place, which costs less than qsort and, of so few, never much. */
#define PIECES_FEW 8

static void sort_pieces(struct piece *v, size_t n)
{
    if (n > PIECES_FEW) {
        qsort(v, n, sizeof(*v), compare_piece);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct piece moved = v[i];
        size_t to = i;
        for (; to > 0 && str_cmp(v[to - 1].name, moved.name) > 0; to--)
            v[to] = v[to - 1];
        v[to] = moved;
    }
}

/* Splits a query that is not long. *sorted: it is what sorting would make of it, without empty pieces and in
 * order. */
static size_t query_split(struct str query, struct piece *v, bool *sorted, struct arena *a)
{
    size_t n = 0, bytes = 0;
    bool coded = query_is_coded(query), in_order = true;
    struct query_param q;
    for (struct str rest = query; query_next(&rest, &q); n++) {
        CHECK(n < KEY_PARAMS_MAX);
        v[n] = (struct piece){ param_name(&q, coded, a), q.raw, n };
        in_order = in_order && (n == 0 || str_cmp(v[n - 1].name, v[n].name) <= 0);
        bytes += q.raw.n + 1;
    }
    *sorted = in_order && bytes == query.n + 1;
    return n;
}

/* Parameters by name, the order among equal names kept (CACHING.md 4.3). */
static struct str query_sort(struct str query, struct arena *a)
{
    struct piece pieces[KEY_PARAMS_MAX];
    bool sorted;
    size_t bytes = 0;
    if (str_index(query, '&') == query.n || key_query_is_long(query))
        return query;
    size_t n = query_split(query, pieces, &sorted, a);
    if (sorted)
        return query;
    sort_pieces(pieces, n);
    char *p = arena_alloc(a, query.n);
    for (size_t i = 0; i < n; i++)
        bytes = put_param(p, bytes, pieces[i].raw);
    CHECK(bytes <= query.n);
    return (struct str){ p, bytes };
}

bool key_sorts_query(const struct key_request *r, const struct rule *rule)
{
    return r->order == QUERY_SORTED || (rule && rule->search.any_order);
}

/* The part of the query that is in the key, p == NULL when there is none. */
static struct str query_part(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    bool dropped;
    if (!r->has_query)
        return STR_NONE;
    struct str kept = query_keep_listed(r->query, rule, a, &dropped);
    bool sorted = key_sorts_query(r, rule);
    if (sorted)
        kept = query_sort(kept, a);
    /* Byte for byte "/?" is not "/"; but what a list leaves empty is sent without "?". */
    bool none = kept.n == 0 && (sorted || rule_cuts_query(rule));
    return none ? STR_NONE : kept.n ? kept : STR("");
}

/* ---- variants ---- */

/* Every line of the field on its own, as sent. */
static void put_lines(struct material *m, const struct fields *f, struct str name)
{
    uint32_t n = 0;
    size_t at = m->n;
    put_number(m, 0);
    for (size_t i = fields_index_of(f, name, 0); i < f->n; i = fields_index_of(f, name, i + 1), n++)
        put_str(m, f->v[i].value);
    number_write(m->p + at, n);
}

/* The lines of many names at once: looking for each among all would be names times lines. */

#define LINES_APART 4 /* so few are looked for one by one */
#define BUCKETS     64

struct lines {
    size_t from[RULE_NAMES_MAX + 1]; /* of name k: places from[k] to from[k + 1] of `line` */
    size_t *line;                    /* their indexes, in order */
};

static unsigned bucket_of(struct str name)
{
    unsigned last = (unsigned char)name.p[name.n - 1] | 0x20,
             middle = (unsigned char)name.p[name.n / 2] | 0x20;
    return (unsigned)(name.n + 5 * last + 11 * middle) % BUCKETS;
}

static void find_lines(const struct fields *f, const struct str *names, size_t n, struct arena *a,
                       struct lines *out)
{
    uint8_t first[BUCKETS] = { 0 }, next[RULE_NAMES_MAX];
    uint8_t *which = arena_alloc(a, f->n + 1); /* the name of a line; names are counted from one here */
    CHECK(n <= RULE_NAMES_MAX);
    for (size_t k = 0; k < n; k++) {
        unsigned b = bucket_of(names[k]);
        next[k] = first[b];
        first[b] = (uint8_t)(k + 1);
    }
    memset(out->from, 0, sizeof(out->from));
    for (size_t i = 0; i < f->n; i++) {
        unsigned k = first[bucket_of(f->v[i].name)];
        while (k && !str_eq_nocase(names[k - 1], f->v[i].name))
            k = next[k - 1];
        which[i] = (uint8_t)k;
        if (k)
            out->from[k]++;
    }
    for (size_t k = 0; k < n; k++)
        out->from[k + 1] += out->from[k];
    out->line = arena_alloc(a, (f->n + 1) * sizeof(*out->line));
    size_t at[RULE_NAMES_MAX];
    memcpy(at, out->from, n * sizeof(*at));
    for (size_t i = 0; i < f->n; i++)
        if (which[i])
            out->line[at[which[i] - 1]++] = i;
}

static void put_headers(struct material *m, const struct fields *f, const struct vary_names *headers)
{
    struct str names[RULE_NAMES_MAX];
    struct lines lines;
    if (headers->n <= LINES_APART) {
        for (size_t i = 0; i < headers->n; i++)
            put_lines(m, f, headers->v[i].name);
        return;
    }
    for (size_t k = 0; k < headers->n; k++)
        names[k] = headers->v[k].name;
    find_lines(f, names, headers->n, m->arena, &lines);
    for (size_t k = 0; k < headers->n; k++) {
        put_number(m, (uint32_t)(lines.from[k + 1] - lines.from[k]));
        for (size_t i = lines.from[k]; i < lines.from[k + 1]; i++)
            put_str(m, f->v[lines.line[i]].value);
    }
}

/* ---- cookies: one pass over them, however many names ---- */

bool key_has_many_cookies(const struct fields *f)
{
    size_t n = 0;
    if (fields_bytes(f, FIELD_COOKIE) <= KEY_COOKIES_MAX)
        return false;
    for (size_t i = 0; i < f->n && n <= KEY_COOKIES_MAX; i++)
        if (f->v[i].id == FIELD_COOKIE)
            n += 1 + count_of(f->v[i].value, ';', KEY_COOKIES_MAX);
    return n > KEY_COOKIES_MAX;
}

/* The name's place in the rule's list, which is sorted; names.n: it is not there. */
static size_t cookie_place(const struct vary_names *names, struct str name)
{
    size_t low = 0, high = names->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = str_cmp(names->v[mid].name, name);
        if (c == 0)
            return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return names->n;
}

struct cookie_seen {
    struct str value;
    struct cookie_seen *next;
};

struct cookies_of_name {
    uint32_t n;
    struct cookie_seen *first, **end;
};

static void put_cookies(struct material *m, const struct fields *f, const struct vary_names *names)
{
    struct cookies_of_name found[RULE_NAMES_MAX];
    if (names->n == 0)
        return;
    if (key_has_many_cookies(f)) {
        put_number(m, UINT32_MAX); /* no name has so many */
        put_lines(m, f, field_name(FIELD_COOKIE));
        return;
    }
    for (size_t k = 0; k < names->n; k++)
        found[k] = (struct cookies_of_name){ 0, NULL, &found[k].first };
    struct cookies all = cookie_list(f);
    struct cookie c;
    while (cookie_next(&all, &c)) {
        size_t k = cookie_place(names, c.name);
        if (k == names->n)
            continue;
        found[k].n++;
        if (names->v[k].presence)
            continue;
        struct cookie_seen *seen = arena_alloc(m->arena, sizeof(*seen));
        *seen = (struct cookie_seen){ c.value, NULL };
        *found[k].end = seen;
        found[k].end = &seen->next;
    }
    for (size_t k = 0; k < names->n; k++) {
        if (names->v[k].presence) {
            put_byte(m, found[k].n > 0);
            continue;
        }
        put_number(m, found[k].n);
        for (const struct cookie_seen *s = found[k].first; s; s = s->next)
            put_str(m, s->value);
    }
}

static const struct languages *languages_of(const struct key_request *r, struct arena *a)
{
    return r->languages ? r->languages : accept_language_read(r->fields, a);
}

static uint32_t language_group(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    int group = accept_language_best_group(languages_of(r, a), &rule->netlify.languages);
    return group < 0 ? NO_GROUP : (uint32_t)group;
}

static uint32_t country_group(const struct key_request *r, const struct rule *rule)
{
    const struct vary_groups *groups = &rule->netlify.countries;
    for (size_t i = 0; i < groups->n; i++)
        if (is_in_sorted(groups->v[i].codes, groups->v[i].n, r->country))
            return (uint32_t)i;
    return NO_GROUP;
}

static void put_netlify(struct material *m, const struct key_request *r, const struct rule *rule)
{
    const struct netlify_vary *v = &rule->netlify;
    put_headers(m, r->fields, &v->headers);
    put_cookies(m, r->fields, &v->cookies);
    if (v->languages.n)
        put_number(m, language_group(r, rule, m->arena));
    if (v->countries.n)
        put_number(m, country_group(r, rule));
}

static void put_vary(struct material *m, const struct key_request *r, const struct rule *rule)
{
    if (rule_has_encoding(rule))
        put_str(m, accept_encoding_normalize(r->fields));
    if (rule->vary_language)
        put_maybe(m, accept_language_key(languages_of(r, m->arena), m->arena));
    struct lines lines;
    bool apart = rule->vary.n <= LINES_APART;
    if (!apart)
        find_lines(r->fields, rule->vary.v, rule->vary.n, m->arena, &lines);
    for (size_t i = 0; i < rule->vary.n; i++) {
        struct str name = rule->vary.v[i];
        if (rule_keys_lines(name))
            put_lines(m, r->fields, name);
        else if (apart)
            put_maybe(m, field_value_normalize(r->fields, name, m->arena));
        else
            put_maybe(m, field_value_normalize_lines(r->fields, lines.line + lines.from[i],
                                                     lines.from[i + 1] - lines.from[i], m->arena));
    }
}

/* What makes another page under every rule, marked by a byte each; most requests have none. They stand at the
 * end: what comes before is as long as the rule says. */
static void put_rare(struct material *m, const struct key_request *r)
{
    if (r->spelling.n) {
        put_byte(m, 's');
        put_str(m, r->spelling);
    }
    if (r->data_request.n) {
        put_byte(m, 'd');
        put_str(m, r->data_request);
    }
    if (r->rules.n) {
        put_byte(m, 'r');
        put_str(m, r->rules);
    }
}

struct str key_variant(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    struct str query = query_part(r, rule, a);
    if (!rule && !query.p && !r->spelling.n && !r->data_request.n && !r->rules.n)
        return STR("");
    struct material m = { .arena = a };
    put_str(&m, rule_text(rule));
    put_maybe(&m, query);
    if (rule) {
        put_netlify(&m, r, rule);
        put_vary(&m, r, rule);
    }
    put_rare(&m, r);
    return material_str(&m);
}

/* ---- for people ---- */

/* "; name: " or "; what name: ". */
static void say(struct material *m, const char *what, struct str name)
{
    if (m->n)
        put_bytes(m, STR("; "));
    put_bytes(m, str_from(what));
    put_bytes(m, name);
    put_bytes(m, STR(": "));
}

static void say_value(struct material *m, struct str value)
{
    put_bytes(m, !value.p ? STR("(none)") : value.n ? value : STR("(empty)"));
}

static void say_group(struct material *m, const struct vary_groups *groups, uint32_t group)
{
    if (group == NO_GROUP) {
        put_bytes(m, STR("no group"));
        return;
    }
    put_bytes(m, arena_printf(m->arena, "group %u (", group + 1));
    for (size_t k = 0; k < groups->v[group].n; k++) {
        if (k)
            put_bytes(m, STR("+"));
        put_bytes(m, groups->v[group].codes[k]);
    }
    put_bytes(m, STR(")"));
}

static void say_cookie(struct material *m, const struct fields *f, const struct vary_name *name)
{
    struct cookies all = cookie_list(f);
    struct cookie c;
    size_t n = 0;
    say(m, "cookie ", name->name);
    while (cookie_next(&all, &c)) {
        if (!str_eq(c.name, name->name))
            continue;
        if (n++ && !name->presence)
            put_bytes(m, STR(", "));
        if (!name->presence)
            say_value(m, c.value.p ? c.value : STR(""));
    }
    if (name->presence)
        put_bytes(m, n ? STR("present") : STR("absent"));
    else if (n == 0)
        say_value(m, STR_NONE);
}

static void say_rule(struct material *m, const struct key_request *r, const struct rule *rule)
{
    const struct netlify_vary *v = &rule->netlify;
    for (size_t i = 0; i < v->headers.n; i++) {
        say(m, "header ", v->headers.v[i].name);
        say_value(m, fields_joined_by_name(r->fields, v->headers.v[i].name, m->arena));
    }
    for (size_t i = 0; i < v->cookies.n; i++)
        say_cookie(m, r->fields, &v->cookies.v[i]);
    if (v->languages.n) {
        say(m, "language", STR_NONE);
        say_group(m, &v->languages, language_group(r, rule, m->arena));
    }
    if (v->countries.n) {
        say(m, "country", STR_NONE);
        say_group(m, &v->countries, country_group(r, rule));
    }
    if (rule_has_encoding(rule)) {
        say(m, "", STR("accept-encoding"));
        say_value(m, accept_encoding_normalize(r->fields));
    }
    if (rule->vary_language) {
        say(m, "", STR("accept-language"));
        say_value(m, accept_language_key(languages_of(r, m->arena), m->arena));
    }
    for (size_t i = 0; i < rule->vary.n; i++) {
        say(m, "", rule->vary.v[i]);
        say_value(m, field_value_normalize(r->fields, rule->vary.v[i], m->arena));
    }
}

struct str key_describe(const struct key_request *r, const struct rule *rule, struct arena *a)
{
    struct material m = { .arena = a };
    say(&m, "site", STR_NONE);
    put_bytes(&m, r->site);
    say(&m, "url", STR_NONE);
    put_bytes(&m, r->https ? STR("https://") : STR("http://"));
    put_bytes(&m, r->host);
    if (r->port)
        put_bytes(&m, arena_printf(a, ":%u", r->port));
    put_bytes(&m, r->path);
    if (r->spelling.n) {
        say(&m, "spelling", STR_NONE);
        put_bytes(&m, r->spelling);
    }
    say(&m, "query", STR_NONE);
    say_value(&m, query_part(r, rule, a));
    if (r->data_request.n) {
        say(&m, "", STR("x-nextjs-data"));
        put_bytes(&m, r->data_request);
    }
    if (r->rules.n) {
        say(&m, "rules", STR_NONE);
        put_bytes(&m, STR("those that the visitor's header, cookie or query meets"));
    }
    if (rule)
        say_rule(&m, r, rule);
    return material_str(&m);
}

/* ---- background refreshes ---- */

/* Fields that a refresh without a visitor never carries. */
static bool is_visitors_own(const struct field *f, const struct rule *rule)
{
    switch (f->id) {
    case FIELD_COOKIE:
    case FIELD_ACCEPT_ENCODING:
    case FIELD_RANGE:
    case FIELD_IF_RANGE:
    case FIELD_IF_MATCH:
    case FIELD_IF_NONE_MATCH:
    case FIELD_IF_MODIFIED_SINCE:
    case FIELD_IF_UNMODIFIED_SINCE: return true;
    case FIELD_AUTHORIZATION: return !rule_has_field(rule, STR("authorization"));
    case FIELD_EXPECT: return !rule_has_field(rule, STR("expect"));
    default: break;
    }
    enum field_class class = field_class_of(f->id);
    return class == FIELD_CLASS_H || class == FIELD_CLASS_F;
}

static const struct vary_name *cookie_rule(const struct rule *rule, struct str name)
{
    size_t k = rule ? cookie_place(&rule->netlify.cookies, name) : 0;
    return rule && k < rule->netlify.cookies.n ? &rule->netlify.cookies.v[k] : NULL;
}

/* Are the lines of Cookie in the key as they stand? Of too many to be taken apart they are. */
static bool keys_cookie_lines(const struct fields *in, const struct rule *rule)
{
    return rule_has_field(rule, STR("cookie")) ||
           (rule && rule->netlify.cookies.n && key_has_many_cookies(in));
}

/* One line with the cookies that the rule names. With `hides_values` the value of a :presence cookie, which
 * is not in the key, becomes "1". */
static struct str cookies_reduce(const struct fields *in, const struct rule *rule, bool hides_values,
                                 struct arena *a)
{
    struct material m = { .arena = a };
    struct cookies all = cookie_list(in);
    struct cookie c;
    while (cookie_next(&all, &c)) {
        const struct vary_name *name = cookie_rule(rule, c.name);
        if (!name)
            continue;
        if (m.n)
            put_bytes(&m, STR("; "));
        put_bytes(&m, c.name);
        put_bytes(&m, STR("="));
        put_bytes(&m, name->presence && hides_values ? STR("1") : c.value);
    }
    return material_str(&m);
}

bool key_has_unkeyed_cookies(const struct fields *request, const struct rule *rule)
{
    struct cookies all = cookie_list(request);
    struct cookie c;
    if (!fields_has(request, FIELD_COOKIE) || keys_cookie_lines(request, rule))
        return false;
    while (cookie_next(&all, &c))
        if (!cookie_rule(rule, c.name))
            return true;
    return false;
}

void key_fields_for_fetch(const struct fields *in, const struct rule *rule, struct arena *a,
                          struct fields *out)
{
    CHECK(!keys_cookie_lines(in, rule));
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < in->n; i++)
        if (in->v[i].id != FIELD_COOKIE)
            fields_add_line(out, a, in->v[i]);
    struct str cookies = cookies_reduce(in, rule, false, a);
    if (cookies.n)
        fields_add_id(out, a, FIELD_COOKIE, cookies);
}

void key_fields_for_refresh(const struct fields *in, const struct rule *rule, struct arena *a,
                            struct fields *out)
{
    bool whole_cookie = keys_cookie_lines(in, rule);
    *out = (struct fields){ 0 };
    for (size_t i = 0; i < in->n; i++) {
        const struct field *f = &in->v[i];
        if (is_visitors_own(f, rule) && !(whole_cookie && f->id == FIELD_COOKIE))
            continue;
        fields_add_line(out, a, *f);
    }
    struct str encoding = accept_encoding_normalize(in);
    /* Where no coding is asked for, the origin is told so. */
    if (!encoding.n && str_eq(fields_value(in, FIELD_ACCEPT_ENCODING), STR("identity")))
        encoding = STR("identity");
    if (encoding.n)
        fields_add_id(out, a, FIELD_ACCEPT_ENCODING, encoding);
    struct str cookies = whole_cookie ? STR_NONE : cookies_reduce(in, rule, true, a);
    if (cookies.n)
        fields_add_id(out, a, FIELD_COOKIE, cookies);
}
