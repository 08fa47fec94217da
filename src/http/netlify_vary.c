/*
 * Parses Netlify-Vary. The grammar is small, so every doubt is an error: a typo that was overlooked would
 * give one visitor's page to another, an error only costs the storing and says so.
 */
#include "http/netlify_vary.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/field.h"
#include "http/url.h"

#define LANGUAGE_BYTES_MAX 64

struct parser {
    struct netlify_vary *out;
    struct arena *arena;
    size_t names_left;
    size_t names_cap; /* no list can get longer: the separators of the value, plus one */
};

/* Names that would make a variant of nearly every visitor, or that do not reach the origin as they were
 * sent. */
static const struct str header_ignored[] = {
    STR_INIT("accept"),          STR_INIT("accept-charset"),  STR_INIT("accept-datetime"),
    STR_INIT("accept-encoding"), STR_INIT("accept-language"), STR_INIT("cache-control"),
    STR_INIT("connection"),      STR_INIT("content-length"),  STR_INIT("host"),
    STR_INIT("purpose"),         STR_INIT("range"),           STR_INIT("referer"),
    STR_INIT("sec-purpose"),     STR_INIT("upgrade"),         STR_INIT("user-agent"),
};

static bool is_header_ignored(struct str lower)
{
    for (size_t i = 0; i < COUNT_OF(header_ignored); i++)
        if (str_eq(lower, header_ignored[i]))
            return true;
    return str_starts(lower, STR("if-"));
}

/* Visible ASCII without what separates in this field and in a query; ';' is refused as a likely typo for
 * '|'. */
static bool is_query_char(char c)
{
    return c > ' ' && c < 0x7f && !memchr("|,;&=#\"", c, 7);
}

static bool is_query_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_query_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* More than RFC 6265's token, because servers use more ("cart[id]"). A colon only begins ":presence". */
static bool is_cookie_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("|,;:=\"\\", s.p[i], 7))
            return false;
    return s.n > 0;
}

/* ALPHA of 1 to 8, then "-" and 1 to 8 letters or digits (RFC 4647 §2.1 without "*"). */
static bool is_language(struct str s)
{
    size_t subtag = 0;
    bool first = true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-') {
            if (subtag == 0)
                return false;
            subtag = 0;
            first = false;
        } else if (++subtag > 8 || !(is_alpha(s.p[i]) || (!first && is_digit(s.p[i])))) {
            return false;
        }
    }
    return subtag > 0 && s.n <= LANGUAGE_BYTES_MAX;
}

static bool is_country(struct str s)
{
    return s.n == 2 && is_alpha(s.p[0]) && is_alpha(s.p[1]);
}

static size_t str_count(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

/* The next name of a list; *rest ends with p == NULL. false: one name too many. */
static bool name_take(struct parser *p, struct str *rest, char separator, struct str *name)
{
    if (p->names_left == 0)
        return false;
    p->names_left--;
    *name = str_trim(str_cut(rest, separator));
    return true;
}

static bool query_names(struct parser *p, struct str rest)
{
    struct names *list = &p->out->query;
    p->out->query_some = true;
    if (!list->v)
        list->v = arena_alloc(p->arena, p->names_cap * sizeof(*list->v));
    while (rest.p) {
        struct str name;
        if (!name_take(p, &rest, '|', &name) || !is_query_name(name))
            return false;
        list->v[list->n++] = query_decode(name, p->arena);
    }
    return true;
}

static void names_add(struct parser *p, struct vary_names *list, struct str name, bool presence)
{
    if (!list->v)
        list->v = arena_alloc(p->arena, p->names_cap * sizeof(*list->v));
    list->v[list->n++] = (struct vary_name){ name, presence };
}

static bool header_names(struct parser *p, struct str rest)
{
    while (rest.p) {
        struct str name;
        if (!name_take(p, &rest, '|', &name) || !is_token(name))
            return false;
        name = arena_dup_lower(p->arena, name);
        if (str_eq(name, STR("cookie")))
            return false;
        if (is_header_ignored(name))
            p->out->headers_ignored++;
        else
            names_add(p, &p->out->headers, name, false);
    }
    return true;
}

static bool cookie_names(struct parser *p, struct str rest)
{
    static const struct str suffix = STR_INIT(":presence");
    while (rest.p) {
        struct str name;
        if (!name_take(p, &rest, '|', &name))
            return false;
        bool presence = str_ends(name, suffix);
        if (presence)
            name.n -= suffix.n;
        if (!is_cookie_name(name))
            return false;
        names_add(p, &p->out->cookies, name, presence);
    }
    return true;
}

static struct str dup_upper(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 0x20) : s.p[i];
    return (struct str){ p, s.n };
}

/* One group, "de+nl", as it is written. */
static bool group_parse(struct parser *p, struct str rest, bool country, struct vary_groups *groups)
{
    size_t cap = str_count(rest, '+') + 1;
    if (cap > p->names_left)
        return false;
    struct vary_group *g = &groups->v[groups->n++];
    *g = (struct vary_group){ arena_alloc(p->arena, cap * sizeof(*g->codes)), 0 };
    while (rest.p) {
        struct str code;
        if (!name_take(p, &rest, '+', &code) || !(country ? is_country(code) : is_language(code)))
            return false;
        g->codes[g->n++] = country ? dup_upper(p->arena, code) : arena_dup_lower(p->arena, code);
    }
    return true;
}

static bool groups_parse(struct parser *p, struct str rest, bool country)
{
    struct vary_groups *groups = country ? &p->out->countries : &p->out->languages;
    if (!groups->v)
        groups->v = arena_alloc(p->arena, p->names_cap * sizeof(*groups->v));
    while (rest.p) {
        if (!group_parse(p, str_cut(&rest, '|'), country, groups))
            return false;
    }
    return true;
}

static bool instruction_parse(struct parser *p, struct str s)
{
    size_t eq = str_index(s, '=');
    struct str word = str_trim(str_first(s, eq));
    if (eq == s.n) {
        p->out->query_all = true;
        return str_eq_nocase(word, STR("query"));
    }
    /* Not str_from_index: an empty list is one empty name, which each of these refuses. */
    struct str list = { s.p + eq + 1, s.n - eq - 1 };
    if (str_eq_nocase(word, STR("query")))
        return query_names(p, list);
    if (str_eq_nocase(word, STR("header")))
        return header_names(p, list);
    if (str_eq_nocase(word, STR("cookie")))
        return cookie_names(p, list);
    if (str_eq_nocase(word, STR("language")))
        return groups_parse(p, list, false);
    if (str_eq_nocase(word, STR("country")))
        return groups_parse(p, list, true);
    return false;
}

/* By name; the one without :presence first, because it is the one that stays. */
static int compare_name(const void *a, const void *b)
{
    const struct vary_name *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : (int)x->presence - (int)y->presence;
}

static void vary_names_settle(struct vary_names *list)
{
    size_t n = 0;
    if (list->n)
        qsort(list->v, list->n, sizeof(*list->v), compare_name);
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || !str_eq(list->v[n - 1].name, list->v[i].name))
            list->v[n++] = list->v[i];
    list->n = n;
}

struct member {
    struct str code;
    size_t group;
};

/* By code; of equal ones the earliest group first, because it is the one that stays. */
static int compare_member(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = str_cmp(x->code, y->code);
    return c ? c : (x->group > y->group) - (x->group < y->group);
}

static void groups_drop_empty(struct vary_groups *groups)
{
    size_t n = 0;
    for (size_t i = 0; i < groups->n; i++)
        if (groups->v[i].n)
            groups->v[n++] = groups->v[i];
    groups->n = n;
}

/* Sorts the codes of each group. A code that an earlier group has can never choose a later one: it is left
 * out. All codes are sorted at once: an answer may name as many as it likes, up to the limit. */
static void groups_settle(struct parser *p, struct vary_groups *groups)
{
    if (groups->n == 0)
        return;
    struct member *all = arena_alloc(p->arena, p->names_cap * sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; i < groups->n; i++) {
        for (size_t k = 0; k < groups->v[i].n; k++)
            all[n++] = (struct member){ groups->v[i].codes[k], i };
        groups->v[i].n = 0;
    }
    qsort(all, n, sizeof(*all), compare_member);
    for (size_t i = 0; i < n; i++) {
        struct vary_group *g = &groups->v[all[i].group];
        if (i == 0 || !str_eq(all[i - 1].code, all[i].code))
            g->codes[g->n++] = all[i].code;
    }
    groups_drop_empty(groups);
}

bool netlify_vary_parse(struct str value, size_t names_max, struct arena *a, struct netlify_vary *out)
{
    *out = (struct netlify_vary){ 0 };
    size_t cap = str_count(value, ',') + str_count(value, '|') + str_count(value, '+') + 1;
    if (cap > names_max)
        cap = names_max;
    struct parser p = { .out = out, .arena = a, .names_left = names_max, .names_cap = cap };
    bool any = false;
    while (value.p) {
        while (value.n && value.p[0] == ',') { /* empty ones, fast */
            value.p++;
            value.n--;
        }
        struct str instruction = str_trim(str_cut(&value, ','));
        if (instruction.n == 0)
            continue; /* RFC 9110 §5.6.1.2: a list may have empty members */
        any = true;
        if (!instruction_parse(&p, instruction))
            return false;
    }
    out->query.n = str_sort_unique(out->query.v, out->query.n);
    vary_names_settle(&out->headers);
    vary_names_settle(&out->cookies);
    groups_settle(&p, &out->countries);
    groups_settle(&p, &out->languages);
    return any;
}

/* Adds "word=" behind a comma when something stands before. */
static void write_word(struct buf *b, struct str word)
{
    if (b->n)
        buf_add_char(b, ',');
    buf_add(b, word);
}

static void write_names(struct buf *b, struct str word, const struct vary_names *list)
{
    if (list->n)
        write_word(b, word);
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buf_add_char(b, '|');
        buf_add(b, list->v[i].name);
        if (list->v[i].presence)
            buf_add(b, STR(":presence"));
    }
}

/* In one spelling, that reads back as the same name: what may stand here stands for itself, the rest is
 * percent-encoded. */
static void write_query_name(struct buf *b, struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (is_query_char(c) && c != '%' && c != '+')
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

static void write_groups(struct buf *b, struct str word, const struct vary_groups *groups)
{
    if (groups->n)
        write_word(b, word);
    for (size_t i = 0; i < groups->n; i++)
        for (size_t k = 0; k < groups->v[i].n; k++) {
            if (k || i)
                buf_add_char(b, k ? '+' : '|');
            buf_add(b, groups->v[i].codes[k]);
        }
}

struct str netlify_vary_canonical(const struct netlify_vary *v, struct arena *a)
{
    struct buf b = BUF_INIT;
    if (v->query_some && !v->query_all) {
        write_word(&b, STR("query="));
        for (size_t i = 0; i < v->query.n; i++) {
            if (i)
                buf_add_char(&b, '|');
            write_query_name(&b, v->query.v[i]);
        }
    }
    write_names(&b, STR("header="), &v->headers);
    write_names(&b, STR("cookie="), &v->cookies);
    write_groups(&b, STR("language="), &v->languages);
    write_groups(&b, STR("country="), &v->countries);
    struct str text = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}
