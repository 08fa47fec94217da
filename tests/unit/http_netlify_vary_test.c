/* Netlify-Vary is read by its grammar (CACHING.md 4); whatever is doubtful is refused, and rules that mean
 * the same have the same canonical text. */
#include "arena_test.h"

#include <string.h>

#include "http/netlify_vary.h"

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

static void reads_each_instruction(void **state)
{
    struct netlify_vary v;
    assert_true(netlify_vary_parse(
        STR("query=b|a , header=X-B|x-a,cookie=Z|y:presence,language=de+NL|en,country=us+ca|de"), 64, *state,
        &v));
    assert_true(v.query_some);
    assert_false(v.query_all);
    assert_int_equal(v.query.n, 2);
    assert_str(v.query.v[0], "a");
    assert_str(v.query.v[1], "b");
    assert_int_equal(v.headers.n, 2);
    assert_str(v.headers.v[0].name, "x-a");
    assert_str(v.headers.v[1].name, "x-b");
    assert_int_equal(v.cookies.n, 2);
    assert_str(v.cookies.v[0].name, "Z");
    assert_false(v.cookies.v[0].presence);
    assert_str(v.cookies.v[1].name, "y");
    assert_true(v.cookies.v[1].presence);
    assert_int_equal(v.languages.n, 2);
    assert_int_equal(v.languages.v[0].n, 2);
    assert_str(v.languages.v[0].codes[1], "nl");
    assert_int_equal(v.countries.n, 2);
    assert_str(v.countries.v[0].codes[0], "CA");
    assert_str(v.countries.v[1].codes[0], "DE");
    assert_int_equal(v.headers_ignored, 0);
}

/* A row: the value, its canonical text. */
static void writes_one_text_for_one_meaning(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "query", "" },
        { "query,query=a", "" }, /* the whole query holds the listed ones */
        { "query=b|a|b", "query=a|b" },
        { "query=a,query=b", "query=a|b" },
        { " QUERY = b | a ", "query=a|b" },
        { ",query=a,,", "query=a" },
        { "header=B|a", "header=a|b" },
        { "cookie=x:presence|x", "cookie=x" },
        { "cookie=x|x:presence", "cookie=x" },
        { "cookie=x:presence|x:presence", "cookie=x:presence" },
        { "cookie=b|a:presence,header=h,query=q", "query=q,header=h,cookie=a:presence|b" },
        { "language=nl+de|en", "language=de+nl|en" },
        { "language=en,language=de", "language=en|de" },
        { "language=en|de,language=en|de", "language=en|de" },
        { "language=pt-BR|pt", "language=pt-br|pt" },
        { "country=us|ca+us", "country=US|CA" },
        { "header=User-Agent", "" },
        { "header=if-anything|x", "header=x" },
        { "cookie=cart[id]", "cookie=cart[id]" },
        /* Names of parameters are what they decode to; what cannot stand here is encoded in one way. */
        { "query=%20|a%2Cb|filter:x", "query=%20|a%2Cb|filter:x" },
        { "query=filter%5bcolor%5D|filter[color]", "query=filter[color]" },
        { "query=%61|a|+|%20|%2b|%", "query=%20|%25|%2B|a" },
        { "query=%zz|%7C|%3b|%00|%c3%BC", "query=%00|%25zz|%3B|%7C|%C3%BC" },
    };
    struct netlify_vary v;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!netlify_vary_parse(str_from(cases[i].in), 64, *state, &v))
            fail_msg("refused: %s", cases[i].in);
        assert_str(netlify_vary_canonical(&v, *state), cases[i].out);
    }
}

/* Order has a meaning between groups: another text. */
static void keeps_the_order_of_groups(void **state)
{
    struct netlify_vary a, b;
    assert_true(netlify_vary_parse(STR("language=de|en"), 64, *state, &a));
    assert_true(netlify_vary_parse(STR("language=en|de"), 64, *state, &b));
    assert_false(str_eq(netlify_vary_canonical(&a, *state), netlify_vary_canonical(&b, *state)));
}

/* CACHING.md 4, header=: this list is ignored, each with a count for the warning. */
static void ignores_headers_that_vary_with_everyone(void **state)
{
    struct netlify_vary v;
    assert_true(
        netlify_vary_parse(STR("header=Accept|Accept-Charset|Accept-Datetime|Accept-Encoding|Accept-Language|"
                               "Cache-Control|Connection|Content-Length|Host|If-Match|If-None-Match|Range|"
                               "Referer|Upgrade|User-Agent|X-Mine"),
                           64, *state, &v));
    assert_int_equal(v.headers_ignored, 15);
    assert_int_equal(v.headers.n, 1);
    assert_str(v.headers.v[0].name, "x-mine");
    assert_true(netlify_vary_parse(STR("header=Authorization|Accepted"), 64, *state, &v));
    assert_int_equal(v.headers_ignored, 0);
    assert_int_equal(v.headers.n, 2);
}

static void refuses_what_is_doubtful(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        ",",
        "quer",
        "query=",
        "query=a|",
        "query=|a",
        "query=a||b",
        "query=a b",
        "query=a&b",
        "query=a=b",
        "query=a;b",
        "query=a#",
        "query=\"a\"",
        "header",
        "header=",
        "header=a b",
        "header=a:b",
        "header=Cookie",
        "header=x|COOKIE",
        "cookie",
        "cookie=",
        "cookie=a=b",
        "cookie=:presence",
        "cookie=a:presense",
        "cookie=a:",
        "cookie=a:Presence",
        "cookie=a;b",
        "language",
        "language=",
        "language=de+",
        "language=+de",
        "language=de||en",
        "language=*",
        "language=d1",
        "language=de-",
        "language=-de",
        "language=abcdefghi",
        "language=de_de",
        "country=",
        "country=usa",
        "country=u",
        "country=u1",
        "country=us+",
        "vary=a",
        "query=a;cookie=b",
        "x,query",
        "query=a, cookie",
        "=a",
        "query=\x80",
        "cookie=\x7f",
    };
    struct netlify_vary v;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (netlify_vary_parse(str_from(bad[i]), 64, *state, &v))
            fail_msg("accepted: %s", bad[i]);
}

/* All names and codes together are counted, ignored and repeated ones too. */
static void counts_names(void **state)
{
    struct netlify_vary v;
    struct str four = STR("query=a,header=range,cookie=a|a"), groups = STR("language=de+nl,country=us|de");
    assert_true(netlify_vary_parse(four, 4, *state, &v));
    assert_false(netlify_vary_parse(four, 3, *state, &v));
    assert_true(netlify_vary_parse(groups, 4, *state, &v));
    assert_false(netlify_vary_parse(groups, 3, *state, &v));
    assert_false(netlify_vary_parse(groups, 2, *state, &v));
    assert_false(netlify_vary_parse(groups, 1, *state, &v));
    assert_false(netlify_vary_parse(STR("language=de|nl"), 1, *state, &v));
    assert_false(netlify_vary_parse(STR("query=a"), 0, *state, &v));
    assert_true(netlify_vary_parse(STR("query"), 0, *state, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_each_instruction, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_one_text_for_one_meaning, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_order_of_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(ignores_headers_that_vary_with_everyone, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_doubtful, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
