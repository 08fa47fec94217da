/* Two requests have equal keys exactly when the family's rule says that they mean the same page (CACHING.md
 * 4). */
#include "arena_test.h"

#include <stdio.h>
#include <string.h>

#include "cache/key.h"

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

/* Fields from "Name: value" lines, "\n" between them. */
static struct fields *fields_of(const char *text)
{
    struct fields *f = arena_zero(&arena, sizeof(*f));
    struct str rest = text ? str_from(text) : STR_NONE;
    while (rest.p) {
        struct str line = str_cut(&rest, '\n');
        size_t colon = str_index(line, ':');
        assert_true(colon < line.n);
        fields_add(f, &arena, str_first(line, colon),
                   str_trim((struct str){ line.p + colon + 1, line.n - colon - 1 }));
    }
    return f;
}

/* A rule in force after a response with these lines. Freed by the caller. */
static struct rule *rule_of(const char *response)
{
    struct rule *r;
    if (rule_of_response(fields_of(response), NULL, true, &arena, &r) != RULE_OK)
        fail_msg("no rule: %s", response);
    return r;
}

/* A request for /p with the given query (NULL: none) and lines. */
static struct key_request request(const char *query, const char *lines)
{
    return (struct key_request){
        .site = STR("s"),
        .host = STR("example.org"),
        .path = STR("/p"),
        .query = query ? str_from(query) : STR_NONE,
        .has_query = query != NULL,
        .fields = fields_of(lines),
        .order = QUERY_SORTED,
    };
}

static bool same(const struct rule *rule, struct key_request a, struct key_request b)
{
    struct str x = key_variant(&a, rule, &arena), y = key_variant(&b, rule, &arena);
    return str_eq(x, y);
}

static void expect_queries(const struct rule *rule, const char *a, const char *b, bool equal)
{
    if (same(rule, request(a, NULL), request(b, NULL)) != equal)
        fail_msg("?%s and ?%s under \"%.*s\" should %s", a, b, STR_ARG(rule_text(rule)),
                 equal ? "match" : "differ");
}

static void expect_fields(const struct rule *rule, const char *a, const char *b, bool equal)
{
    if (same(rule, request(NULL, a), request(NULL, b)) != equal)
        fail_msg("%s | %s under \"%.*s\" should %s", a, b, STR_ARG(rule_text(rule)),
                 equal ? "match" : "differ");
}

/* CACHING.md 4.1: site, scheme, host, port and path are the family; no byte can move from one part to the
 * next. */
static void tells_families_apart(void **state)
{
    (void)state;
    struct key_request base = request("a=1", "Cookie: x=1"), other = base;
    struct str key = key_primary(&base, &arena);
    other.query = STR("b");
    other.fields = fields_of("X: y");
    assert_true(str_eq(key, key_primary(&other, &arena)));
    struct key_request changed[7];
    for (size_t i = 0; i < 7; i++)
        changed[i] = base;
    changed[0].site = STR("t");
    changed[1].https = true;
    changed[2].host = STR("example.com");
    changed[3].port = 8080;
    changed[4].path = STR("/P");
    changed[5].site = STR("se");
    changed[5].host = STR("xample.org");
    changed[6].host = STR("example.org/");
    changed[6].path = STR("p");
    for (size_t i = 0; i < 7; i++)
        assert_false(str_eq(key, key_primary(&changed[i], &arena)));
    changed[3].port = 0x1f90 + 256; /* both bytes count */
    other = base;
    other.port = 0x1f90;
    assert_false(str_eq(key_primary(&changed[3], &arena), key_primary(&other, &arena)));
}

/* CACHING.md 4.3: parameters compared by name, order ignored, the order among equal names kept; ?a, ?a= and
 * no a are three things; an empty query is none; ";" separates nothing; bytes are compared undecoded. */
static void compares_whole_queries(void **state)
{
    (void)state;
    expect_queries(NULL, "a=1&b=2", "b=2&a=1", true);
    expect_queries(NULL, "b&a&c", "c&b&a", true);
    expect_queries(NULL, "a=1&a=2", "a=2&a=1", false);
    expect_queries(NULL, "a=1&b=0&a=2", "b=0&a=1&a=2", true);
    expect_queries(NULL, "a", "a=", false);
    expect_queries(NULL, "a", NULL, false);
    expect_queries(NULL, "a=", NULL, false);
    expect_queries(NULL, "", NULL, true);
    expect_queries(NULL, "&", NULL, true);
    expect_queries(NULL, "a=1&&b=2&", "b=2&a=1", true);
    expect_queries(NULL, "a=1;b=2", "b=2;a=1", false);
    expect_queries(NULL, "%61=1", "a=1", false);
    expect_queries(NULL, "a=%2f", "a=%2F", false);
    expect_queries(NULL, "a=b=c", "a=c=b", false);
    expect_queries(NULL, "=a", "a", false);
    expect_queries(NULL, "A=1", "a=1", false);
    expect_queries(NULL, "a-b=1&a=2", "a=2&a-b=1", true);
    /* For the origin these are two values of one name: their order counts. */
    expect_queries(NULL, "a=1&%61=2", "%61=2&a=1", false);
    expect_queries(NULL, "a+b=1&c&a%20b=2", "c&a%20b=2&a+b=1", false);
    expect_queries(NULL, "a+b=1&c&a%20b=2", "c&a+b=1&a%20b=2", true);
    expect_queries(NULL, "q=100%&a", "a&q=100%", true);
    /* of many, too */
    expect_queries(NULL, "a&b&c&d&e&f&g&h&i&j=1&j=2", "j=1&i&h&g&f&e&d&j=2&c&b&a", true);
    expect_queries(NULL, "a&b&c&d&e&f&g&h&i&j=1&j=2", "j=2&i&h&g&f&e&d&j=1&c&b&a", false);
    expect_queries(NULL, "a&b&c&d&e&f&g&h&i&%6a=1&j=2", "j=2&i&h&g&f&e&d&%6a=1&c&b&a", false);
}

/* CACHING.md 4.3, rfc9111: byte for byte. */
static void compares_raw_queries(void **state)
{
    (void)state;
    struct key_request a = request("a=1&b=2", NULL), b = request("b=2&a=1", NULL);
    a.order = b.order = QUERY_RAW;
    assert_false(same(NULL, a, b));
    b.query = STR("a=1&b=2");
    assert_true(same(NULL, a, b));
    b.query = STR("a=1&&b=2");
    assert_false(same(NULL, a, b));
    b.query = STR("");
    struct key_request none = request(NULL, NULL);
    none.order = QUERY_RAW;
    assert_false(same(NULL, b, none));
}

/* ARCHITECTURE.md: the hit path allocates nothing for a plain request. */
static void makes_the_plain_key_for_nothing(void **state)
{
    (void)state;
    struct key_request r = request(NULL, "Cookie: a=b\nAccept-Encoding: gzip");
    char *at = arena.at;
    assert_int_equal(key_variant(&r, NULL, &arena).n, 0);
    assert_ptr_equal(arena.at, at);
    struct key_request q = request("a", NULL);
    assert_true(key_variant(&q, NULL, &arena).n > 0);
    struct rule *rule = rule_of("Vary: X");
    assert_true(key_variant(&r, rule, &arena).n > 0);
    rule_unref(rule);
}

/* CACHING.md 4.1, 4.8: another spelling of the path, and a request for data, are pages of their own under
 * every rule. */
static void keys_spelling_and_data(void **state)
{
    (void)state;
    static const char *const rules[] = { "X: y", "Netlify-Vary: query=a", "Vary: Accept-Encoding",
                                         "Netlify-Vary: cookie=c" };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct rule *rule = rule_of(rules[i]);
        for (int with_query = 0; with_query < 2; with_query++) {
            struct key_request r[5];
            for (size_t k = 0; k < COUNT_OF(r); k++)
                r[k] = request(with_query ? "a=1" : NULL, NULL);
            r[1].spelling = STR("/%70");
            r[2].spelling = STR("/%50");
            r[3].data_request = STR("1");
            r[4].spelling = STR("/%70");
            r[4].data_request = STR("/%70");
            for (size_t k = 0; k < COUNT_OF(r); k++)
                for (size_t m = 0; m < COUNT_OF(r); m++)
                    assert_int_equal(same(rule, r[k], r[m]), k == m);
            assert_true(str_eq(key_primary(&r[0], &arena), key_primary(&r[1], &arena)));
        }
        rule_unref(rule);
    }
}

/* CACHING.md 4.7: what an ignored parameter says is for a Location of the same site, unless that has it by
 * itself. */
static void tells_ignored_parameters(void **state)
{
    (void)state;
    struct str names[] = { STR("_ga"), STR("fbclid"), STR("utm_source") };
    struct strs ignored = { names, 3 }, none = { NULL, 0 };
    static const struct {
        const char *query, *known, *out;
    } cases[] = {
        { "", "", "" },
        { "a=1&b", "", "" },
        { "a=1&utm_source=x&_ga", "", "utm_source=x&_ga" },
        { "%5fga=1&a&fbclid=%zz", "a=2", "%5fga=1&fbclid=%zz" },
        { "_ga=1&fbclid=2&_ga=3", "%66bclid=9&_g", "_ga=1&_ga=3" },
        { "_rsc=1&_ga=1", "_ga", "" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_str(query_ignored(str_from(cases[i].query), &ignored, str_from(cases[i].known), &arena),
                   cases[i].out);
        assert_int_equal(query_ignored(str_from(cases[i].query), &none, STR_NONE, &arena).n, 0);
    }
}

/* CACHING.md 4.4: only a `query` instruction replaces the whole query. */
static void keys_listed_parameters(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: query=sort|page");
    expect_queries(rule, "sort=a&x=1", "x=2&sort=a", true);
    expect_queries(rule, "sort=a", "sort=b", false);
    expect_queries(rule, "sort", "sort=", false);
    expect_queries(rule, "sort=", NULL, false);
    expect_queries(rule, "x=1", NULL, true); /* none of the values: one variant */
    expect_queries(rule, "", NULL, true);
    expect_queries(rule, "page=1&sort=a", "sort=a&page=1", true);
    expect_queries(rule, "sort=a&sort=b", "sort=b&sort=a", false);
    expect_queries(rule, "Sort=a", NULL, true);
    /* Its name is the one that the origin decodes (URL Standard), its spelling is the key's. */
    expect_queries(rule, "s%6frt=a", NULL, false);
    expect_queries(rule, "s%6frt=a", "s%6Frt=a", false);
    expect_queries(rule, "s%6=a", NULL, true);
    expect_queries(rule, "so+rt=a", NULL, true);
    rule_unref(rule);

    static const char *const spelled[] = { "filter[color]", "filter%5Bcolor%5D", "%66ilter%5bcolor]" };
    for (size_t i = 0; i < COUNT_OF(spelled); i++) {
        char line[64];
        snprintf(line, sizeof(line), "Netlify-Vary: query=%s|a+b", spelled[i]);
        rule = rule_of(line);
        assert_str(rule_text(rule), "query=a%20b|filter[color]");
        for (size_t k = 0; k < COUNT_OF(spelled); k++) {
            char query[64];
            snprintf(query, sizeof(query), "%s=red", spelled[k]);
            expect_queries(rule, query, NULL, false);
        }
        expect_queries(rule, "a+b=1", "a%20b=1", false);
        expect_queries(rule, "a%20b=1&x=1", "a%20b=1", true);
        expect_queries(rule, "a%2Bb=1", NULL, true); /* "a+b", another name */
        rule_unref(rule);
    }

    rule = rule_of("Netlify-Vary: cookie=c");
    expect_queries(rule, "x=1", "x=2", false);
    rule_unref(rule);
    rule = rule_of("Netlify-Vary: query=a, query");
    expect_queries(rule, "x=1", "x=2", false);
    rule_unref(rule);
}

/* CACHING.md 4.7: _rsc and its like make another body, whatever the rule says. */
static void always_keys_framework_parameters(void **state)
{
    (void)state;
    static const char *const names[] = { "_rsc", "x-sveltekit-invalidated", "_routes", "__nextDataReq" };
    struct rule *rule = rule_of("Netlify-Vary: query=a");
    for (size_t i = 0; i < 4; i++) {
        char query[64];
        snprintf(query, sizeof(query), "%s=1", names[i]);
        expect_queries(rule, query, NULL, false);
        char encoded[80];
        snprintf(encoded, sizeof(encoded), "%%%02x%s=1", names[i][0], names[i] + 1);
        expect_queries(rule, encoded, NULL, false);
        struct strs ignored = { (struct str[]){ str_from(names[i]) }, 1 };
        bool has_query = true, dropped;
        assert_str(query_strip_ignored(str_from(query), &ignored, &arena, &has_query), query);
        assert_true(has_query);
        assert_str(query_keep_listed(str_from(query), rule, &arena, &dropped), query);
        assert_false(dropped);
    }
    expect_queries(rule, "_rsc2=1", NULL, true);
    rule_unref(rule);
}

/* CACHING.md 4.7: ignored parameters go, whatever the spelling of their names; nothing else is touched. */
static void strips_ignored_parameters(void **state)
{
    (void)state;
    struct str names[] = { STR("_ga"), STR("fbclid"), STR("utm_source") };
    struct strs ignored = { names, 3 };
    static const struct {
        const char *in, *out;
        bool has_query;
    } cases[] = {
        { "", "", true },
        { "a=1", "a=1", true },
        { "a=1&&b", "a=1&&b", true },
        { "utm_source=x", "", false },
        { "&utm_source&", "", false },
        { "fbclid&_ga=1&utm_source=", "", false },
        { "a=1&utm_source=x&b=2", "a=1&b=2", true },
        { "utm_source=x&b=2&a", "b=2&a", true },
        { "utm_source=x;b=2&c", "c", true },
        { "%75tm_source=x&UTM_SOURCE=y&utm_sourc=z&utm_sources=z", "UTM_SOURCE=y&utm_sourc=z&utm_sources=z",
          true },
        { "utm%5Fsource=50%_off&%75tm%5fsource&a=%", "a=%", true },
        { "utm%5source=x&utm+source=x", "utm%5source=x&utm+source=x", true },
        { "%5frsc=1&_g%61=2", "%5frsc=1", true },
        { "_rsc=1&_ga=2", "_rsc=1", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool has_query = true;
        struct str out = query_strip_ignored(str_from(cases[i].in), &ignored, &arena, &has_query);
        assert_str(out, cases[i].out);
        assert_int_equal(has_query, cases[i].has_query);
        if (strcmp(cases[i].in, cases[i].out) == 0)
            assert_ptr_equal(out.p, cases[i].in);
    }
    bool has_query = false;
    char *at = arena.at;
    assert_int_equal(query_strip_ignored(STR_NONE, &ignored, &arena, &has_query).n, 0);
    assert_false(has_query);
    assert_ptr_equal(arena.at, at);
    has_query = true;
    assert_str(query_strip_ignored(STR("_ga"), &(struct strs){ NULL, 0 }, &arena, &has_query), "_ga");
}

/* CACHING.md 4.5: only what is in the key is sent to the origin, in the visitor's order. */
static void keeps_listed_parameters(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: query=b|a");
    static const struct {
        const char *in, *out;
        bool dropped;
    } cases[] = {
        { "b=1&a=2&b=3", "b=1&a=2&b=3", false },
        { "x=1&b=1&y&a", "b=1&a", true },
        { "x", "", true },
        { "a&&b", "a&&b", false },
        { "", "", false },
        { "x&_rsc=1", "_rsc=1", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool dropped;
        assert_str(query_keep_listed(str_from(cases[i].in), rule, &arena, &dropped), cases[i].out);
        assert_int_equal(dropped, cases[i].dropped);
        assert_str(query_keep_listed(str_from(cases[i].in), NULL, &arena, &dropped), cases[i].in);
        assert_false(dropped);
    }
    rule_unref(rule);
}

/* CACHING.md 4.10: No-Vary-Search, alone and beside query=: a parameter counts when neither leaves it out. */
static void keeps_what_no_vary_search_leaves(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *in, *out;
    } cases[] = {
        { "No-Vary-Search: params=(\"x\")", "b=1&x=1&a=2&x", "b=1&a=2" },
        { "No-Vary-Search: params=(\"x\" \"a b\")", "%78=1&a+b=1&a%20b&c", "c" },
        { "No-Vary-Search: params=(\"x\")", "x=1", "" },
        { "No-Vary-Search: params", "b=1&x=1&_rsc=1", "_rsc=1" },
        { "No-Vary-Search: params=(\"_rsc\" \"x\")", "_rsc=1&x", "_rsc=1" }, /* never left out */
        { "No-Vary-Search: except=(\"a\")", "b=1&a=2&x", "a=2" },
        { "No-Vary-Search: params, except=(\"a\" \"b\")", "b=1&a=2&x", "b=1&a=2" },
        { "No-Vary-Search: key-order", "b=1&a=2", "b=1&a=2" },
        { "No-Vary-Search: params=(x)", "x=1", "x=1" },
        { "Netlify-Vary: query=a|b\nNo-Vary-Search: params=(\"b\" \"x\")", "b=1&a=2&x&y", "a=2" },
        { "Netlify-Vary: query=a|b\nNo-Vary-Search: except=(\"b\" \"x\")", "b=1&a=2&x&y", "b=1" },
        { "Netlify-Vary: query=a\nNo-Vary-Search: except=(\"b\")", "b=1&a=2", "" },
        { "Netlify-Vary: query\nNo-Vary-Search: params=(\"b\")", "b=1&a=2", "a=2" },
        { "Netlify-Vary: query=a|b\nNo-Vary-Search: key-order", "b=1&a=2&x", "b=1&a=2" },
        { "Vary: X\nNo-Vary-Search: params=(\"b\")", "b=1&a=2", "a=2" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool dropped;
        struct rule *rule = rule_of(cases[i].lines);
        assert_str(query_keep_listed(str_from(cases[i].in), rule, &arena, &dropped), cases[i].out);
        assert_int_equal(dropped, strcmp(cases[i].in, cases[i].out) != 0);
        expect_queries(rule, cases[i].in, cases[i].out[0] ? cases[i].out : NULL, true);
        rule_unref(rule);
    }
    /* The order does not count, where it would (rfc9111); that of one name's values does. */
    struct rule *rule = rule_of("No-Vary-Search: key-order");
    struct key_request a = request("b=1&a=1&a=2", NULL), b = request("a=1&a=2&b=1", NULL),
                       c = request("a=2&a=1&b=1", NULL);
    a.order = b.order = c.order = QUERY_RAW;
    assert_true(same(rule, a, b));
    assert_false(same(NULL, a, b));
    assert_false(same(rule, b, c));
    rule_unref(rule);
}

/* It is the word of a 2xx about itself: one without it, or with an invalid one, takes it away; other statuses
 * keep it and bring none. */
static void no_vary_search_is_of_the_last_2xx(void **state)
{
    (void)state;
    struct rule *a = rule_of("Vary: X\nNo-Vary-Search: except=(\"b\" \"a\"), key-order"), *b;
    assert_str(rule_text(a), "vary: x; no-vary-search: key-order, except=(\"a\" \"b\")");
    assert_int_equal(rule_of_response(fields_of("Date: x"), a, true, &arena, &b), RULE_OK);
    assert_str(rule_text(b), "vary: x");
    rule_unref(b);
    assert_int_equal(rule_of_response(fields_of("No-Vary-Search: params=1"), a, true, &arena, &b), RULE_OK);
    assert_str(rule_text(b), "vary: x");
    rule_unref(b);
    assert_int_equal(rule_of_response(fields_of("No-Vary-Search: params"), a, false, &arena, &b), RULE_OK);
    assert_ptr_equal(b, a);
    rule_unref(b);
    assert_int_equal(rule_of_response(fields_of("No-Vary-Search: params"), NULL, false, &arena, &b), RULE_OK);
    assert_null(b);
    rule_unref(a);
    assert_true(rule_search_is_invalid(fields_of("No-Vary-Search: params=1"), &arena));
    assert_false(rule_search_is_invalid(fields_of("No-Vary-Search: params=()"), &arena));
    assert_false(rule_search_is_invalid(fields_of("Date: x"), &arena));
}

/* Beyond its limits it costs hits, and the rest of the rule holds. */
static void bounds_no_vary_search(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (int too_many = 0; too_many < 2; too_many++) {
        buf_add(&b, STR("Vary: X\nNo-Vary-Search: params=("));
        for (int i = 0; i < RULE_NAMES_MAX + too_many; i++)
            buf_printf(&b, "%s\"n%d\"", i ? " " : "", i);
        buf_add(&b, STR(")"));
        buf_add_char(&b, '\0');
        struct rule *r = rule_of(b.p);
        assert_int_equal(rule_cuts_query(r), !too_many);
        assert_true(rule_has_field(r, STR("x")));
        rule_unref(r);
        buf_clear(&b);
    }
    for (int too_long = 0; too_long < 2; too_long++) {
        buf_printf(&b, "No-Vary-Search: params=(\"%0*d\")", RULE_SEARCH_TEXT_MAX - 11 + too_long, 0);
        buf_add_char(&b, '\0');
        struct rule *r = rule_of(b.p);
        assert_int_equal(rule_cuts_query(r), !too_long);
        assert_int_equal(rule_search_is_invalid(fields_of(b.p), &arena), too_long);
        rule_unref(r);
        buf_clear(&b);
    }
    buf_fini(&b);
}

/* CACHING.md 4, header=: names without case, values trimmed; missing, empty and repeated differ. */
static void keys_headers(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: header=X-A");
    expect_fields(rule, "X-A: 1", "x-a:  1 ", true);
    expect_fields(rule, "X-A: 1", "X-A: 2", false);
    expect_fields(rule, "X-A: v", "X-A: V", false);
    expect_fields(rule, "X-A:", "X-B: 1", false);
    expect_fields(rule, "X-A: 1\nX-B: 2", "X-B: 3\nX-A: 1", true);
    expect_fields(rule, "X-A: 1\nX-A: 2", "X-A: 2\nX-A: 1", false);
    expect_fields(rule, "X-A: 1\nX-A: 2", "X-A: 1", false);
    rule_unref(rule);
    rule = rule_of("Netlify-Vary: header=User-Agent");
    assert_null(rule);
    rule = rule_of("Netlify-Vary: header=A|B");
    expect_fields(rule, "A: 1", "B: 1", false);
    expect_fields(rule, "A:", "B:", false);
    expect_fields(rule, "A: 12\nB: 3", "A: 1\nB: 23", false);
    rule_unref(rule);
}

/* CACHING.md 4, cookie=: names and values case-sensitive, order ignored, other cookies do not count. */
static void keys_cookies(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: cookie=theme|lang");
    expect_fields(rule, "Cookie: theme=dark; id=1", "Cookie: id=2; theme=dark", true);
    expect_fields(rule, "Cookie: theme=dark; lang=de", "Cookie: lang=de\nCookie: theme=dark", true);
    expect_fields(rule, "Cookie: theme=dark", "Cookie: theme=Dark", false);
    expect_fields(rule, "Cookie: theme=dark", "Cookie: Theme=dark", false);
    expect_fields(rule, "Cookie: theme=", NULL, false);
    expect_fields(rule, "Cookie: theme", NULL, true); /* a cookie without a name */
    expect_fields(rule, "Cookie: id=1", NULL, true);
    expect_fields(rule, "Cookie: theme=a; theme=b", "Cookie: theme=b; theme=a", false);
    expect_fields(rule, "Cookie: theme=a; theme=b", "Cookie: theme=a", false);
    expect_fields(rule, "Cookie: theme=a; theme=b", "Cookie: theme=a\nCookie: theme=b", true);
    expect_fields(rule, "Cookie: theme=a", "Cookie: lang=a", false);
    expect_fields(rule, "Cookie: theme=", "Cookie: lang=", false);
    rule_unref(rule);

    rule = rule_of("Netlify-Vary: cookie=s:presence");
    expect_fields(rule, "Cookie: s=1", "Cookie: s=2; s=3", true);
    expect_fields(rule, "Cookie: s=", NULL, false);
    expect_fields(rule, "Cookie: t=1", NULL, true);
    rule_unref(rule);
}

/* CACHING.md 4, language=: the group counts, not the spelling. */
static void keys_language_groups(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: language=de+nl|en");
    expect_fields(rule, "Accept-Language: de-CH,en;q=0.5", "Accept-Language: nl", true);
    expect_fields(rule, "Accept-Language: de", "Accept-Language: en", false);
    expect_fields(rule, "Accept-Language: fr", NULL, true);
    expect_fields(rule, "Accept-Language: fr", "Accept-Language: en", false);
    rule_unref(rule);
}

/* CACHING.md 4, country=: without a known country no match. */
static void keys_country_groups(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Netlify-Vary: country=us+ca|de");
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = { { "US", "CA", true }, { "US", "DE", false }, { "FR", "", true }, { "FR", "DE", false } };
    for (size_t i = 0; i < 4; i++) {
        struct key_request a = request(NULL, NULL), b = a;
        a.country = str_from(cases[i].a);
        b.country = str_from(cases[i].b);
        assert_int_equal(same(rule, a, b), cases[i].equal);
    }
    rule_unref(rule);
}

/* CACHING.md 4.9: Vary's fields in their normal form; missing and empty differ. */
static void keys_vary(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Vary: Accept-Encoding");
    expect_fields(rule, "Accept-Encoding: gzip, br", "Accept-Encoding: br;q=0.5, deflate, gzip", true);
    expect_fields(rule, "Accept-Encoding: gzip", "Accept-Encoding: br", false);
    expect_fields(rule, "Accept-Encoding: identity", NULL, true);
    rule_unref(rule);
    rule = rule_of("Vary: accept-language");
    expect_fields(rule, "Accept-Language: de, en;q=0.5", "Accept-Language: EN;q=0.1,DE", true);
    expect_fields(rule, "Accept-Language: de", "Accept-Language: en", false);
    expect_fields(rule, "Accept-Language:", NULL, false);
    rule_unref(rule);
    rule = rule_of("Vary: X-A, Origin");
    expect_fields(rule, "X-A: a , b", "X-A: a\nX-A: b", true);
    expect_fields(rule, "X-A: \"a , b\"", "X-A: \"a,b\"", false);
    expect_fields(rule, "X-A:", NULL, false);
    expect_fields(rule, "Origin: a", "X-A: a", false);
    rule_unref(rule);
    /* credentials are compared as they are: joined lines could be read in two ways */
    rule = rule_of("Vary: Cookie");
    expect_fields(rule, "Cookie: a=1\nCookie: b=2", "Cookie: a=1,b=2", false);
    expect_fields(rule, "Cookie: a=1, b=2", "Cookie: a=1,b=2", false);
    expect_fields(rule, "Cookie: a=1", "Cookie: a=1", true);
    rule_unref(rule);
    rule = rule_of("Vary: Authorization");
    expect_fields(rule, "Authorization: A b", NULL, false);
    expect_fields(rule, "Authorization: A b", "Authorization: A b", true);
    rule_unref(rule);
}

/* However many fields a rule names: each counts, in any spelling, with all of its lines and in their order,
 * and no other does. */
static void keys_each_of_many_fields(void **state)
{
    static const char *const starts[] = { "Vary: ", "Netlify-Vary: header=" };
    static const size_t counts[] = { 4, 5, 20, RULE_NAMES_MAX };
    (void)state;
    for (size_t s = 0; s < COUNT_OF(starts); s++)
        for (size_t c = 0; c < COUNT_OF(counts); c++) {
            struct buf names = BUF_INIT, all = BUF_INIT, spelled = BUF_INIT;
            size_t n = counts[c];
            buf_add(&names, str_from(starts[s]));
            for (size_t i = 0; i < n; i++) {
                buf_printf(&names, "%sx-n%zu", i == 0 ? "" : s == 0 ? "," : "|", i);
                buf_printf(&all, "x-n%zu: %zu\n", i, i);
                buf_printf(&spelled, "X-N%zu: %zu\nOther%zu: x\n", n - 1 - i, n - 1 - i, i);
            }
            buf_printf(&all, "x-n0: again%c", '\0');
            buf_printf(&spelled, "x-n0: again%c", '\0');
            buf_add_char(&names, '\0');
            struct rule *rule = rule_of(names.p);
            expect_fields(rule, all.p, spelled.p, true);
            for (size_t i = 0; i < n; i++) {
                char other[sizeof("x-n000: other\n")], *at;
                struct buf changed = BUF_INIT;
                buf_add(&changed, (struct str){ all.p, all.n });
                int length = snprintf(other, sizeof(other), "x-n%zu: ", i);
                at = strstr(changed.p, other) + length;
                *at = '?';
                expect_fields(rule, all.p, changed.p, false);
                buf_fini(&changed);
            }
            /* The lines of one in another order. */
            struct buf swapped = BUF_INIT;
            buf_printf(&swapped, "x-n0: again\n%s", all.p);
            *strstr(swapped.p + 1, "\nx-n0: again") = '\0';
            expect_fields(rule, all.p, swapped.p, false);
            rule_unref(rule);
            buf_fini(&names);
            buf_fini(&all);
            buf_fini(&spelled);
            buf_fini(&swapped);
        }
}

/* CACHING.md 4.9: a stored Content-Encoding varies on Accept-Encoding even without Vary, and stays so. */
static void varies_on_a_stored_encoding(void **state)
{
    (void)state;
    struct rule *rule = rule_of("Content-Encoding: gzip"), *next;
    assert_true(rule_has_encoding(rule));
    expect_fields(rule, "Accept-Encoding: gzip", NULL, false);
    assert_int_equal(rule_of_response(fields_of("Vary: X"), rule, true, &arena, &next), RULE_OK);
    assert_true(rule_has_encoding(next));
    assert_str(rule_text(next), "vary: accept-encoding, x");
    rule_unref(next);
    rule_unref(rule);
    assert_null(rule_of("Content-Encoding: identity"));
    assert_null(rule_of("Content-Encoding:"));
    /* the same thing, said in two ways */
    rule = rule_of("Content-Encoding: br");
    assert_int_equal(rule_of_response(fields_of("Vary: Accept-Encoding"), rule, true, &arena, &next),
                     RULE_OK);
    assert_ptr_equal(next, rule);
    rule_unref(next);
    rule_unref(rule);
}

/* For people: which fields a rule was read from. One that named nothing that counts is none of them. */
static void names_its_fields(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *fields;
    } cases[] = {
        { "Date: x", NULL, "" },
        { "Netlify-Vary: query\nVary: Host\nContent-Encoding: identity", NULL, "" },
        { "Netlify-Vary: query=a", NULL, "Netlify-Vary " },
        { "Netlify-Vary: header=X", NULL, "Netlify-Vary " },
        { "Netlify-Vary: cookie=a\nVary: Host", NULL, "Netlify-Vary " },
        { "Netlify-Vary: language=de", NULL, "Netlify-Vary " },
        { "Netlify-Vary: country=de", NULL, "Netlify-Vary " },
        { "Vary: X", NULL, "Vary " },
        { "Vary: Accept-Language", NULL, "Vary " },
        { "Vary: Accept-Encoding\nNetlify-Vary: query", NULL, "Vary " },
        { "Content-Encoding: br", NULL, "Content-Encoding " },
        { "Content-Encoding: br\nVary: Accept-Encoding", NULL, "Vary Content-Encoding " },
        { "Content-Encoding: br\nNetlify-Vary: query=a", NULL, "Netlify-Vary Content-Encoding " },
        { "Content-Encoding: br\nVary: X\nNetlify-Vary: query=a", NULL,
          "Netlify-Vary Vary Content-Encoding " },
        /* inherited, taken back, said first by the other */
        { "Netlify-Vary: query=a", "Vary: X", "Netlify-Vary Vary " },
        { "Netlify-Vary: query=a\nVary: X", "Netlify-Vary: query", "Vary " },
        { "Content-Encoding: br", "Vary: Accept-Encoding", "Content-Encoding " },
        { "Content-Encoding: br", "Vary: Accept-Encoding, X", "Vary Content-Encoding " },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule *rule = rule_of(cases[i].first), *next;
        if (cases[i].second) {
            assert_int_equal(rule_of_response(fields_of(cases[i].second), rule, true, &arena, &next),
                             RULE_OK);
            rule_unref(rule);
            rule = next;
        }
        struct str fields[RULE_FIELDS_MAX];
        size_t n = rule_fields(rule, fields);
        struct buf all = BUF_INIT;
        for (size_t k = 0; k < n; k++)
            buf_printf(&all, "%.*s ", STR_ARG(fields[k]));
        assert_str(buf_str(&all), cases[i].fields);
        buf_fini(&all);
        rule_unref(rule);
    }
}

/* CACHING.md 4.4: the rule's own text is key material, so that two rules never share a variant. */
static void keys_the_rule_itself(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "X: none",
        "Vary: A",
        "Vary: B",
        "Vary: A, B",
        "Netlify-Vary: header=A",
        "Netlify-Vary: header=A|B",
        "Netlify-Vary: cookie=A",
        "Netlify-Vary: cookie=A:presence",
        "Netlify-Vary: query=A",
        "Netlify-Vary: language=de",
        "Netlify-Vary: country=de",
        "Netlify-Vary: query=A\nVary: A",
    };
    enum { N = sizeof(rules) / sizeof(rules[0]) };
    struct key_request r = request(NULL, NULL);
    struct str keys[N];
    for (size_t i = 0; i < N; i++) {
        struct rule *rule = rule_of(rules[i]);
        keys[i] = key_variant(&r, rule, &arena);
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(keys[i], keys[k]));
        rule_unref(rule);
    }
}

/* CACHING.md 4.6: each field of a response sets its part, an absent one inherits it. */
static void inherits_parts(void **state)
{
    (void)state;
    struct rule *a = rule_of("Netlify-Vary: cookie=c|b\nVary: X-B, X-A, x-b"), *b, *c, *d;
    assert_str(rule_text(a), "cookie=b|c; vary: x-a, x-b");
    assert_int_equal(rule_of_response(fields_of("Vary: Z"), a, true, &arena, &b), RULE_OK);
    assert_str(rule_text(b), "cookie=b|c; vary: z");
    assert_int_equal(rule_of_response(fields_of("Netlify-Vary: query"), b, true, &arena, &c), RULE_OK);
    assert_str(rule_text(c), "vary: z");
    assert_int_equal(rule_of_response(fields_of("Date: x"), c, true, &arena, &d), RULE_OK);
    assert_ptr_equal(d, c);
    rule_unref(d);
    /* an empty Vary names nothing: the part is set, to nothing */
    assert_int_equal(rule_of_response(fields_of("Vary:"), c, true, &arena, &d), RULE_OK);
    assert_null(d);
    assert_int_equal(rule_bytes(d), 0);
    assert_true(rule_bytes(a) > sizeof(*a));
    rule_unref(c);
    rule_unref(b);
    rule_unref(a);

    a = rule_of("Vary: Accept-Encoding, Accept-Language");
    assert_int_equal(rule_of_response(fields_of("Vary: X"), a, true, &arena, &d), RULE_OK);
    assert_str(rule_text(d), "vary: x");
    rule_unref(d);
    rule_unref(a);
}

/* Equal rules are equal however they were written; what is known is kept, not made anew. */
static void knows_equal_rules(void **state)
{
    (void)state;
    struct rule *a =
        rule_of("Netlify-Vary: query=a|b\nNetlify-Vary: cookie=c\nVary: X\nVary: y, Accept-Encoding");
    struct rule *b = rule_of(
        "Vary: accept-encoding,Y,x,Range,If-None-Match,Host\nNetlify-Vary: cookie=c , query=b,query=a");
    struct rule *c;
    assert_true(rule_equal(a, b));
    assert_true(a != b);
    assert_false(rule_equal(a, NULL));
    assert_true(rule_equal(NULL, NULL));
    assert_int_equal(rule_of_response(fields_of("Vary: y, x, accept-encoding"), a, true, &arena, &c),
                     RULE_OK);
    assert_ptr_equal(a, c);
    rule_unref(a);
    assert_str(rule_text(c), "query=a|b,cookie=c; vary: accept-encoding, x, y"); /* c's reference holds it */
    rule_unref(c);
    rule_unref(b);
    assert_null(rule_ref(NULL));
    rule_unref(NULL);
}

/* CACHING.md 4, 2.3: what makes no rule. */
static void refuses_rules(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum rule_result result;
    } cases[] = {
        { "Vary: *", RULE_STAR },
        { "Vary: X, *", RULE_STAR },
        { "Vary: X\nVary: ,*", RULE_STAR },
        { "Vary: a b, *", RULE_STAR },
        { "Netlify-Vary: nonsense\nVary: *", RULE_STAR },
        { "Vary: a b", RULE_INVALID },
        { "Vary: \"x\"", RULE_INVALID },
        { "Netlify-Vary:", RULE_INVALID },
        { "Netlify-Vary: cooky=x", RULE_INVALID },
        { "Netlify-Vary: header=Cookie", RULE_INVALID },
        { "Netlify-Vary: query\nNetlify-Vary: cookie=", RULE_INVALID },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule *r = (struct rule *)1;
        assert_int_equal(rule_of_response(fields_of(cases[i].lines), NULL, true, &arena, &r),
                         cases[i].result);
        assert_null(r);
    }
}

/* A response line with n names: `start`, then "PREFIX0", "PREFIX1" and so on, `separator` between them. */
static void add_many(struct buf *b, const char *start, char separator, const char *prefix, size_t n)
{
    buf_add(b, str_from(start));
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(b, separator);
        buf_printf(b, "%s%zu", prefix, i);
    }
}

static enum rule_result result_of(struct buf *b)
{
    struct rule *r;
    buf_add_char(b, '\0');
    enum rule_result result = rule_of_response(fields_of(b->p), NULL, true, &arena, &r);
    rule_unref(r);
    buf_clear(b);
    return result;
}

/* Names are counted over both fields, and the text has a limit. */
static void bounds_rules(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    char longest[RULE_TEXT_MAX];
    add_many(&b, "Vary: ", ',', "n", RULE_NAMES_MAX);
    assert_int_equal(result_of(&b), RULE_OK);
    add_many(&b, "Vary: ", ',', "n", RULE_NAMES_MAX + 1);
    assert_int_equal(result_of(&b), RULE_INVALID);
    add_many(&b, "Netlify-Vary: cookie=", '|', "n", RULE_NAMES_MAX);
    assert_int_equal(result_of(&b), RULE_OK);
    add_many(&b, "Netlify-Vary: cookie=", '|', "n", RULE_NAMES_MAX);
    add_many(&b, "\nVary: ", ',', "n", 1);
    assert_int_equal(result_of(&b), RULE_INVALID);
    memset(longest, 'x', sizeof(longest));
    longest[RULE_TEXT_MAX - strlen("vary: ")] = '\0';
    buf_printf(&b, "Vary: %s", longest);
    assert_int_equal(result_of(&b), RULE_OK);
    buf_printf(&b, "Vary: x%s", longest);
    assert_int_equal(result_of(&b), RULE_INVALID);
    buf_fini(&b);
}

static void counts_ignored_headers(void **state)
{
    (void)state;
    assert_int_equal(rule_headers_ignored(fields_of("Netlify-Vary: header=Range|X|Accept"), &arena), 2);
    assert_int_equal(rule_headers_ignored(fields_of("Netlify-Vary: header="), &arena), 0);
    assert_int_equal(rule_headers_ignored(fields_of("Vary: Range"), &arena), 0);
}

/* CACHING.md 4.6: an answer that names more than the known rule may not be stored under it. */
static void sees_when_a_rule_names_more(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *known;
        bool more;
    } cases[] = {
        { "X: y", "X: y", false },
        { "X: y", "Vary: A", false },
        { "Vary: A", "X: y", true },
        { "Vary: A", "Vary: A, B", false },
        { "Vary: A, B", "Vary: A", true },
        { "Vary: A", "Netlify-Vary: header=a", false },
        { "Netlify-Vary: header=a", "Vary: A", true }, /* lines, not their normal form */
        { "Netlify-Vary: header=authorization", "Vary: Authorization", false },
        { "Netlify-Vary: header=a", "Vary: B", true },
        { "Netlify-Vary: cookie=a", "Netlify-Vary: cookie=a|b", false },
        { "Netlify-Vary: cookie=a", "Netlify-Vary: cookie=a:presence", true },
        { "Netlify-Vary: cookie=a:presence", "Netlify-Vary: cookie=a", false },
        { "Netlify-Vary: cookie=c", "Netlify-Vary: cookie=a|b", true },
        { "Netlify-Vary: cookie=c", "Vary: Cookie", false },
        { "Vary: Cookie", "Netlify-Vary: cookie=c", true },
        { "Netlify-Vary: query=a", "X: y", false },
        { "Netlify-Vary: query=a", "Netlify-Vary: query=b", true },
        { "Netlify-Vary: query=a", "Netlify-Vary: query=a|b", false },
        { "Netlify-Vary: query", "Netlify-Vary: query=a|b", true },
        { "X: y", "No-Vary-Search: params=(\"a\")", true },
        { "No-Vary-Search: params=(\"a\")", "X: y", false },
        { "No-Vary-Search: params=(\"a\")", "No-Vary-Search: params=(\"a\" \"b\")", true },
        { "No-Vary-Search: params=(\"a\" \"b\")", "No-Vary-Search: params=(\"a\")", false },
        { "No-Vary-Search: params=(\"a\")", "No-Vary-Search: except=(\"b\")", true },
        { "No-Vary-Search: except=(\"b\")", "No-Vary-Search: params=(\"a\")", false },
        { "No-Vary-Search: except=(\"a\")", "No-Vary-Search: params=(\"a\")", true },
        { "No-Vary-Search: except=(\"a\")", "Netlify-Vary: query=a|b", false },
        { "Netlify-Vary: query=a", "Netlify-Vary: query=a\nNo-Vary-Search: params=(\"a\")", true },
        { "Netlify-Vary: query=a", "Netlify-Vary: query=a\nNo-Vary-Search: params=(\"b\")", false },
        { "X: y", "No-Vary-Search: key-order", true },
        { "No-Vary-Search: key-order", "X: y", false },
        { "Vary: Accept-Encoding", "Content-Encoding: br", false },
        { "Content-Encoding: br", "Vary: A", true },
        { "Vary: Accept-Language", "Netlify-Vary: language=de", true },
        { "Netlify-Vary: language=de", "Netlify-Vary: language=de", false },
        { "Netlify-Vary: language=de|en", "Netlify-Vary: language=de", true },
        { "Netlify-Vary: language=de+en", "Netlify-Vary: language=de|en", true },
        { "Netlify-Vary: language=de+en", "Netlify-Vary: language=de+nl", true },
        { "Netlify-Vary: country=de", "X: y", true },
        { "X: y", "Netlify-Vary: country=de", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule *r = rule_of(cases[i].rule), *known = rule_of(cases[i].known);
        if (rule_names_more(r, known) != cases[i].more)
            fail_msg("%s over %s", cases[i].rule, cases[i].known);
        rule_unref(r);
        rule_unref(known);
    }
}

/* "Name: value" lines, "\n" between them. */
static struct str lines_of(const struct fields *f)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < f->n; i++)
        buf_printf(&b, "%s%.*s: %.*s", i ? "\n" : "", STR_ARG(f->v[i].name), STR_ARG(f->v[i].value));
    struct str text = arena_dup(&arena, buf_str(&b));
    buf_fini(&b);
    return text;
}

/* CACHING.md 3.7: a background refresh carries no cookie, Authorization, Range or condition of a visitor that
 * is not in the variant's key. */
static void reduces_fields_for_a_refresh(void **state)
{
    (void)state;
    static const char visitor[] =
        "User-Agent: x\nCookie: id=7; theme=dark\nAuthorization: Basic YTpi\nRange: bytes=0-1\n"
        "If-None-Match: \"a\"\nIf-Modified-Since: x\nIf-Range: x\nIf-Match: x\n"
        "If-Unmodified-Since: x\nExpect: 100-continue\nHost: a\nContent-Length: 0\n"
        "Connection: close\nTE: trailers\nAccept-Encoding: gzip, deflate\nX-Mine: 1\n"
        "cookie: seen=yes; theme=light";
    static const struct {
        const char *rule, *lines;
    } cases[] = {
        { "X: y", "User-Agent: x\nX-Mine: 1\nAccept-Encoding: gzip" },
        { "Netlify-Vary: cookie=theme",
          "User-Agent: x\nX-Mine: 1\nAccept-Encoding: gzip\nCookie: theme=dark; theme=light" },
        { "Netlify-Vary: cookie=seen:presence|none",
          "User-Agent: x\nX-Mine: 1\nAccept-Encoding: gzip\nCookie: seen=1" },
        { "Vary: Cookie, Authorization", "User-Agent: x\nCookie: id=7; theme=dark\nAuthorization: Basic "
                                         "YTpi\nX-Mine: 1\ncookie: seen=yes; theme=light\n"
                                         "Accept-Encoding: gzip" },
        { "Netlify-Vary: header=Authorization",
          "User-Agent: x\nAuthorization: Basic YTpi\nX-Mine: 1\nAccept-Encoding: gzip" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule *rule = rule_of(cases[i].rule);
        struct key_request before = request("q=1", visitor), after = before;
        struct fields out;
        key_fields_for_refresh(before.fields, rule, &arena, &out);
        assert_str(lines_of(&out), cases[i].lines);
        after.fields = &out;
        assert_true(same(rule, before, after));
        rule_unref(rule);
    }
    struct fields out;
    key_fields_for_refresh(fields_of("Cookie: a=1\nAccept-Encoding: deflate"), NULL, &arena, &out);
    assert_int_equal(out.n, 0);
}

static void describes_keys(void **state)
{
    (void)state;
    struct rule *rule =
        rule_of("Netlify-Vary: query=sort|page,cookie=theme|s:presence|u:presence,header=x-a|x-b,"
                "language=de+nl|en,country=us\nVary: accept-encoding, x-c, accept-language");
    struct key_request r =
        request("x=1&sort=asc", "Cookie: theme=dark; theme=; s=7\nAccept-Language: nl\nX-A: 1\nX-C:");
    r.https = true;
    r.port = 8443;
    assert_str(
        key_describe(&r, rule, &arena),
        "site: s; url: https://example.org:8443/p; query: sort=asc; header x-a: 1; header x-b: (none); "
        "cookie s: present; cookie theme: dark, (empty); cookie u: absent; language: group 1 (de+nl); "
        "country: no group; accept-encoding: (empty); accept-language: nl; x-c: (empty)");
    rule_unref(rule);
    r = request(NULL, NULL);
    assert_str(key_describe(&r, NULL, &arena), "site: s; url: http://example.org/p; query: (none)");
}

/* Each primary key is one, and nothing that is cut before its path. */
static void tells_a_primary_key(void **state)
{
    (void)state;
    char *name = arena_alloc(&arena, 301);
    memset(name, 'a', 300);
    name[300] = '\0';
    static const size_t lengths[] = { 0, 1, 254, 255, 256, 300 };
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        for (size_t k = 0; k < COUNT_OF(lengths); k++) {
            struct key_request r = { .site = str_first(str_from(name), lengths[i]),
                                     .host = str_first(str_from(name), lengths[k]),
                                     .port = 8080,
                                     .path = STR("/p") };
            struct str key = key_primary(&r, &arena);
            assert_true(key_is_primary(key));
            assert_true(key_is_primary(str_first(key, key.n - 1)));
            for (size_t n = 0; n < key.n - 1; n++)
                assert_false(key_is_primary(str_first(key, n)));
        }
    assert_false(key_is_primary(STR("\xff\xff\xff\xff\xff")));
    assert_false(key_is_primary(STR("\1s\0\1h\0\0p/")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tells_families_apart),
        TEST(compares_whole_queries),
        TEST(compares_raw_queries),
        TEST(makes_the_plain_key_for_nothing),
        TEST(keys_listed_parameters),
        TEST(keys_spelling_and_data),
        TEST(tells_ignored_parameters),
        TEST(always_keys_framework_parameters),
        TEST(strips_ignored_parameters),
        TEST(keeps_listed_parameters),
        TEST(keeps_what_no_vary_search_leaves),
        TEST(no_vary_search_is_of_the_last_2xx),
        TEST(bounds_no_vary_search),
        TEST(keys_headers),
        TEST(keys_cookies),
        TEST(keys_language_groups),
        TEST(keys_country_groups),
        TEST(keys_vary),
        TEST(keys_each_of_many_fields),
        TEST(varies_on_a_stored_encoding),
        TEST(names_its_fields),
        TEST(keys_the_rule_itself),
        TEST(inherits_parts),
        TEST(knows_equal_rules),
        TEST(refuses_rules),
        TEST(bounds_rules),
        TEST(counts_ignored_headers),
        TEST(sees_when_a_rule_names_more),
        TEST(reduces_fields_for_a_refresh),
        TEST(describes_keys),
        TEST(tells_a_primary_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
