/*
 * Keys against a plain comparison: two requests have equal keys exactly when their parts are equal one by
 * one, so no value can pass for another by the separators that it holds. And: what is sent to the origin is
 * what is in the key. Input: bytes that choose the rule and the two requests from a small alphabet full of
 * separators.
 */
#include <string.h>

#include "base/check.h"
#include "cache/key.h"
#include "http/accept.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct choice {
    const uint8_t *p;
    size_t n;
    struct arena *arena;
};

static unsigned pick(struct choice *c, unsigned below)
{
    if (c->n == 0)
        return 0;
    c->n--;
    return *c->p++ % below;
}

#define ANY(c, table) ((table)[pick(c, COUNT_OF(table))])

/* Up to `max` characters; separators of every kind among them. */
static struct str text(struct choice *c, unsigned max)
{
    static const char letters[] = "ab=&;,|+\"\\ :%\t1";
    unsigned n = pick(c, max + 1);
    char *p = arena_alloc(c->arena, n + 1);
    for (unsigned i = 0; i < n; i++)
        p[i] = letters[pick(c, sizeof(letters) - 1)];
    return (struct str){ p, n };
}

static struct str query(struct choice *c)
{
    static const char *const pieces[] = { "a",     "a=",      "a=1",     "a=2",   "b",     "b=a=1", "=",
                                          "=a",    "_rsc=1",  "_routes", "c;a=1", "",      "%61=1", "aa=1",
                                          "a+b=1", "a%20b=2", "%5Frsc",  "%=1",   "b%3da", "%6=1" };
    struct str q = STR("");
    for (unsigned i = pick(c, 6); i > 0; i--)
        q = arena_printf(c->arena, "%.*s%s%s", STR_ARG(q), q.n ? "&" : "", ANY(c, pieces));
    return q;
}

static struct fields *fields(struct choice *c)
{
    static const struct str names[] = { STR_INIT("Cookie"),
                                        STR_INIT("X-A"),
                                        STR_INIT("X-B"),
                                        STR_INIT("Accept-Encoding"),
                                        STR_INIT("Accept-Language"),
                                        STR_INIT("Authorization"),
                                        STR_INIT("cookie") };
    static const char *const usual[] = { "gzip", "br, gzip", "de, en;q=0.5",  "en",
                                         "a=1",  "a=1; b=2", "b=2; a=1; a=3", "" };
    struct fields *f = arena_zero(c->arena, sizeof(*f));
    for (unsigned i = pick(c, 6); i > 0; i--) {
        struct str name = ANY(c, names);
        fields_add(f, c->arena, name, pick(c, 2) ? str_from(ANY(c, usual)) : str_trim(text(c, 8)));
    }
    return f;
}

static struct key_request request(struct choice *c)
{
    static const char *const countries[] = { "", "US", "DE", "CA" };
    struct key_request r = {
        .site = text(c, 2),
        .https = pick(c, 2),
        .host = text(c, 3),
        .port = (uint16_t)(pick(c, 3) * 255),
        .path = text(c, 3),
        .has_query = pick(c, 2),
        .country = str_from(ANY(c, countries)),
        .order = pick(c, 4) ? QUERY_SORTED : QUERY_RAW,
    };
    if (r.has_query)
        r.query = query(c);
    r.fields = fields(c);
    if (pick(c, 3) == 1)
        r.spelling = text(c, 3);
    if (pick(c, 3) == 1)
        r.data_request = text(c, 2);
    return r;
}

/* A second request: some parts of the first, some of its own. */
static struct key_request relative(struct choice *c, const struct key_request *of)
{
    struct key_request r = request(c);
    unsigned keep = pick(c, 256);
    r.order = of->order;
    if (keep & 1)
        r.site = of->site;
    if (keep & 2)
        r.host = of->host;
    if (keep & 4)
        r.path = of->path, r.spelling = of->spelling, r.data_request = of->data_request;
    if (keep & 8)
        r.https = of->https, r.port = of->port;
    if (keep & 16)
        r.query = of->query, r.has_query = of->has_query;
    if (keep & 32)
        r.fields = of->fields;
    if (keep & 64)
        r.country = of->country;
    return r;
}

static struct rule *rule(struct choice *c, const struct rule *known)
{
    static const char *const netlify[] = { "query",          "query=a",        "query=a|b",
                                           "query=aa|c",     "query=%61|a+b",  "query=a%20b|%62",
                                           "header=x-a",     "header=X-A|x-b", "header=authorization",
                                           "cookie=a",       "cookie=a|b",     "cookie=a:presence",
                                           "language=de|en", "language=de+en", "country=us+ca|de",
                                           "header=range",   "country=de" };
    static const char *const vary[] = {
        "Accept-Encoding", "accept-language", "Cookie", "Authorization", "X-A", "x-b, x-a", "Range"
    };
    static const char *const search[] = {
        "key-order",      "params=(\"a\")", "params=(\"a\" \"aa\")",
        "except=(\"a\")", "except=()",      "params, except=(\"%61\" \"b\"), key-order",
        "params",         "params=?0",      "params=(\"a+b\" \"\" \"_rsc\")",
        "params=(a)"
    };
    struct fields response = { 0 };
    for (unsigned i = pick(c, 4); i > 0; i--)
        fields_add(&response, c->arena, STR("Netlify-Vary"), str_from(ANY(c, netlify)));
    for (unsigned i = pick(c, 3); i > 0; i--)
        fields_add(&response, c->arena, STR("Vary"), str_from(ANY(c, vary)));
    if (pick(c, 2))
        fields_add(&response, c->arena, STR("No-Vary-Search"), str_from(ANY(c, search)));
    if (pick(c, 4) == 1)
        fields_add(&response, c->arena, STR("Content-Encoding"), STR("br"));
    struct rule *r, *again;
    CHECK(rule_of_response(&response, known, true, c->arena, &r) == RULE_OK);
    /* a rule is at rest: the same response makes the same of it */
    CHECK(rule_of_response(&response, r, true, c->arena, &again) == RULE_OK);
    CHECK(again == r);
    rule_unref(again);
    CHECK(!rule_names_more(r, r));
    return r;
}

/* ---- the plain comparison ---- */

/* What a form's parser makes of a name, a second time. */
static struct str decoded(struct str s, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *high = s.p[i] == '%' && i + 2 < s.n ? strchr(digits, ascii_lower(s.p[i + 1])) : NULL,
                   *low = high ? strchr(digits, ascii_lower(s.p[i + 2])) : NULL;
        if (high && low && *high && *low) {
            p[n++] = (char)((high - digits) * 16 + (low - digits));
            i += 2;
        } else {
            p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return (struct str){ p, n };
}

static bool same_name(struct str x, struct str y)
{
    struct arena a;
    arena_init(&a, 1024);
    bool same = str_eq(decoded(x, &a), decoded(y, &a));
    arena_fini(&a);
    return same;
}

static bool is_among(const struct names *names, struct str name)
{
    struct arena a;
    bool found = false;
    arena_init(&a, 1024);
    for (size_t i = 0; i < names->n; i++)
        found |= str_eq(names->v[i], decoded(name, &a));
    arena_fini(&a);
    return found;
}

/* Does neither field leave it out? */
static bool is_listed(const struct rule *r, struct str name)
{
    if (!r || same_name(name, STR("_rsc")) || same_name(name, STR("_routes")))
        return true;
    bool by_netlify = !r->netlify.query_some || is_among(&r->netlify.query, name);
    return by_netlify && is_among(&r->search.names, name) == r->search.keeps_listed;
}

/* The place'th parameter that counts; named: among those of that name. */
static bool nth_param(struct str q, const struct rule *r, const struct str *named, size_t place,
                      struct query_param *out)
{
    while (query_next(&q, out))
        if (is_listed(r, out->name) && (!named || same_name(out->name, *named)) && place-- == 0)
            return true;
    return false;
}

/* Every parameter of `x` has its like in `y`, in the same order among its name. */
static bool query_within(struct str x, struct str y, const struct rule *r)
{
    struct query_param p, q;
    for (size_t i = 0; nth_param(x, r, NULL, i, &p); i++)
        for (size_t k = 0; nth_param(x, r, &p.name, k, &q); k++) {
            struct query_param other;
            if (!nth_param(y, r, &p.name, k, &other) || !str_eq(other.raw, q.raw))
                return false;
        }
    return true;
}

/* Byte for byte what is sent; a "?" with nothing behind it counts only where no list could have left
 * nothing. */
static bool query_raw_same(const struct key_request *x, const struct key_request *y, const struct rule *r,
                           struct arena *a)
{
    bool dropped;
    bool marks = rule_cuts_query(r) || x->has_query == y->has_query;
    return marks &&
           str_eq(query_keep_listed(x->query, r, a, &dropped), query_keep_listed(y->query, r, a, &dropped));
}

static bool query_same(const struct key_request *x, const struct key_request *y, const struct rule *r,
                       struct arena *a)
{
    if (x->order == QUERY_SORTED || (r && r->search.any_order))
        return query_within(x->query, y->query, r) && query_within(y->query, x->query, r);
    return query_raw_same(x, y, r, a);
}

static bool lines_same(const struct fields *x, const struct fields *y, struct str name)
{
    size_t i = 0, k = 0;
    for (;;) {
        i = fields_index_of(x, name, i);
        k = fields_index_of(y, name, k);
        if (i == x->n || k == y->n)
            return i == x->n && k == y->n;
        if (!str_eq(x->v[i++].value, y->v[k++].value))
            return false;
    }
}

static bool named_cookie(struct cookies *all, struct str name, struct cookie *out)
{
    while (cookie_next(all, out))
        if (str_eq(out->name, name))
            return true;
    return false;
}

static bool cookie_same(const struct fields *x, const struct fields *y, const struct vary_name *name)
{
    struct cookies in_x = cookie_list(x), in_y = cookie_list(y);
    struct cookie p, q;
    for (;;) {
        bool has_x = named_cookie(&in_x, name->name, &p), has_y = named_cookie(&in_y, name->name, &q);
        if (has_x != has_y)
            return false;
        if (!has_x || name->presence)
            return true;
        if (!str_eq(p.value, q.value))
            return false;
    }
}

static bool maybe_same(struct str x, struct str y)
{
    return (x.p == NULL) == (y.p == NULL) && str_eq(x, y);
}

static int country_group(const struct vary_groups *groups, struct str country)
{
    for (size_t i = 0; i < groups->n; i++)
        for (size_t k = 0; k < groups->v[i].n; k++)
            if (str_eq(groups->v[i].codes[k], country))
                return (int)i;
    return -1;
}

static bool rule_parts_same(const struct key_request *x, const struct key_request *y, const struct rule *r,
                            struct arena *a)
{
    const struct netlify_vary *v = &r->netlify;
    for (size_t i = 0; i < v->headers.n; i++)
        if (!lines_same(x->fields, y->fields, v->headers.v[i].name))
            return false;
    for (size_t i = 0; i < v->cookies.n; i++)
        if (!cookie_same(x->fields, y->fields, &v->cookies.v[i]))
            return false;
    if (accept_language_best_group(accept_language_read(x->fields, a), &v->languages) !=
            accept_language_best_group(accept_language_read(y->fields, a), &v->languages) ||
        country_group(&v->countries, x->country) != country_group(&v->countries, y->country))
        return false;
    if (rule_has_encoding(r) &&
        !str_eq(accept_encoding_normalize(x->fields), accept_encoding_normalize(y->fields)))
        return false;
    if (r->vary_language && !maybe_same(accept_language_key(accept_language_read(x->fields, a), a),
                                        accept_language_key(accept_language_read(y->fields, a), a)))
        return false;
    for (size_t i = 0; i < r->vary.n; i++) {
        struct str name = r->vary.v[i];
        if (rule_keys_lines(name) ? !lines_same(x->fields, y->fields, name)
                                  : !maybe_same(field_value_normalize(x->fields, name, a),
                                                field_value_normalize(y->fields, name, a)))
            return false;
    }
    return true;
}

static bool variants_same(const struct key_request *x, const struct key_request *y, const struct rule *r,
                          struct arena *a)
{
    return str_eq(key_variant(x, r, a), key_variant(y, r, a));
}

static void check_same(const struct key_request *x, const struct key_request *y, const struct rule *r,
                       struct arena *a)
{
    bool primary = str_eq(x->site, y->site) && x->https == y->https && str_eq(x->host, y->host) &&
                   x->port == y->port && str_eq(x->path, y->path);
    CHECK(str_eq(key_primary(x, a), key_primary(y, a)) == primary);
    bool variant = str_eq(x->spelling, y->spelling) && str_eq(x->data_request, y->data_request) &&
                   query_same(x, y, r, a) && (!r || rule_parts_same(x, y, r, a));
    CHECK(variants_same(x, y, r, a) == variant);
}

/* ---- what is sent ---- */

static void check_sent_query(const struct key_request *x, const struct rule *r, struct arena *a)
{
    bool dropped, again;
    struct str kept = query_keep_listed(x->query, r, a, &dropped);
    CHECK(str_eq(query_keep_listed(kept, r, a, &again), kept) && !again);
    CHECK(dropped ? kept.n < x->query.n : kept.p == x->query.p && kept.n == x->query.n);
    struct key_request sent = *x;
    sent.query = kept;
    sent.has_query = kept.n > 0 || (x->has_query && !dropped);
    CHECK(variants_same(x, &sent, r, a));

    struct str names[] = { STR("_rsc"), STR("a"), STR("b") };
    struct strs ignored = { names, 3 };
    bool has_query = x->has_query;
    struct str left = query_strip_ignored(x->query, &ignored, a, &has_query), rest = left;
    struct query_param q;
    CHECK(has_query ? x->has_query : left.n == 0);
    while (query_next(&rest, &q))
        CHECK(!same_name(q.name, STR("a")) && !same_name(q.name, STR("b")));
    /* What was left out, and nothing else. */
    struct str out = query_ignored(x->query, &ignored, STR_NONE, a);
    for (rest = out; query_next(&rest, &q);)
        CHECK(same_name(q.name, STR("a")) || same_name(q.name, STR("b")));
    CHECK(query_ignored(x->query, &ignored, out, a).n == 0);
    for (size_t i = 0; nth_param(x->query, NULL, &names[0], i, &q); i++)
        CHECK(nth_param(left, NULL, &names[0], i, &q));
}

/* A refresh asks for the variant that it refreshes, and for no more of the visitor. */
static void check_refresh(const struct key_request *x, const struct rule *r, struct arena *a)
{
    struct fields out, twice;
    struct key_request refresh = *x;
    key_fields_for_refresh(x->fields, r, a, &out);
    refresh.fields = &out;
    CHECK(variants_same(x, &refresh, r, a));
    key_fields_for_refresh(&out, r, a, &twice);
    CHECK(twice.n == out.n);
    CHECK(rule_has_field(r, STR("authorization")) || !fields_has(&out, FIELD_AUTHORIZATION));
    if (rule_has_field(r, STR("cookie")))
        return;
    struct cookies all = cookie_list(&out);
    struct cookie c;
    while (cookie_next(&all, &c)) {
        size_t i = 0;
        CHECK(r);
        while (i < r->netlify.cookies.n && !str_eq(r->netlify.cookies.v[i].name, c.name))
            i++;
        CHECK(i < r->netlify.cookies.n);
        CHECK(!r->netlify.cookies.v[i].presence || str_eq(c.value, STR("1")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, 16384);
    struct choice c = { data, size, &a };
    struct rule *known = rule(&c, NULL), *r = rule(&c, known);
    struct key_request x = request(&c), y = relative(&c, &x);
    check_same(&x, &y, NULL, &a);
    check_same(&x, &y, known, &a);
    check_same(&x, &y, r, &a);
    check_same(&x, &x, r, &a);
    CHECK(rule_equal(r, known) == str_eq(rule_text(r), rule_text(known)));
    if (!rule_equal(r, known))
        CHECK(!str_eq(key_variant(&x, r, &a), key_variant(&y, known, &a)));
    /* a rule that names no more tells no two requests apart that `known` takes for one */
    if (!rule_names_more(r, known) && variants_same(&x, &y, known, &a))
        CHECK(variants_same(&x, &y, r, &a));
    check_sent_query(&x, r, &a);
    check_refresh(&x, r, &a);
    CHECK(key_describe(&x, r, &a).n > 0);
    rule_unref(known);
    rule_unref(r);
    arena_fini(&a);
    return 0;
}
