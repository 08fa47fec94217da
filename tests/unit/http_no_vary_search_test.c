/* No-Vary-Search is read as its draft says, and in the form that browsers have (CACHING.md 4.10). What is
 * invalid counts for nothing. */
#include "arena_test.h"

#include "http/no_vary_search.h"

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

/* A row: the value, its canonical text. */
static void reads_what_the_draft_has(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "params=(\"a\")", "params=(\"a\")" },
        { "params=(\"b\" \"a\" \"b\")", "params=(\"a\" \"b\")" },
        { "except=(\"x\")", "except=(\"x\")" },
        { "except=()", "except=()" },
        { "params=()", "" },
        { "key-order", "key-order" },
        { "key-order=?1", "key-order" },
        { "key-order=?0", "" },
        { "except=(\"x\"), key-order", "key-order, except=(\"x\")" },
        { "key-order, params=(\"a\")", "key-order, params=(\"a\")" },
        { "params=(\"a\"),other=(b c);d=1", "params=(\"a\")" },
        { "params=(\"a\";x \"b\");y", "params=(\"a\" \"b\")" },
        { "params=(\"a\"), params=(\"b\")", "params=(\"b\")" }, /* the last counts */
        { "", "" },
        /* decoded as a form's parser does */
        { "params=(\"%C3%A9+%E6%B0%97\")", "params=(\"%C3%A9%20%E6%B0%97\")" },
        { "params=(\"%61\" \"a\")", "params=(\"a\")" },
        { "params=(\"filter[x]\" \"100%\")", "params=(\"100%25\" \"filter[x]\")" },
        { "params=(\"a;b\" \"a,b\" \"a\\\"b\" \"\")", "params=(\"\" \"a%22b\" \"a%2Cb\" \"a%3Bb\")" },
        /* earlier drafts, and browsers */
        { "params", "except=()" },
        { "params=?1", "except=()" },
        { "params=?0", "" },
        { "params, except=(\"x\")", "except=(\"x\")" },
        { "params=?1, except=(\"x\"), key-order", "key-order, except=(\"x\")" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct no_vary_search v, again;
        if (!no_vary_search_parse(str_from(cases[i].in), 64, *state, &v))
            fail_msg("%s", cases[i].in);
        struct str text = no_vary_search_canonical(&v, *state);
        assert_str(text, cases[i].out);
        assert_true(no_vary_search_parse(text, 64, *state, &again));
        assert_str(no_vary_search_canonical(&again, *state), cases[i].out);
    }
}

static void refuses_what_is_invalid(void **state)
{
    static const char *const cases[] = {
        "key-order=\"not a boolean\"",
        "key-order=1",
        "key-order=()",
        "params=\"not an inner list\"",
        "params=a",
        "params=1",
        "params=(not-a-string)",
        "params=(\"a\" 1)",
        "params=(\"a\"), except=(\"x\")",
        "params=(), except=()",
        "params=?0, except=(\"x\")",
        "except=\"not an inner list\"",
        "except=(x)",
        "except=?1",
        "except",
        "params=(\"a\"",
        "params=(\"a\") x",
        "params=(\"\xc3\xa9\")",
        "Params=(\"a\")",
        /* names that a decoder would change */
        "params=(\"%f6\")",
        "except=(\"%EF%BF%BD\")",
        "params=(\"a\" \"b\" \"c\" \"d\")",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct no_vary_search v;
        if (no_vary_search_parse(str_from(cases[i]), 3, *state, &v))
            fail_msg("%s", cases[i]);
        assert_false(v.any_order || v.keeps_listed || v.names.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_the_draft_has, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_invalid, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
