/* Sets of cookie names: one `*` anywhere, names that begin with each other, and the same answer as a plain
 * comparison. */
#include "arena_test.h"

#include <stdlib.h>

#include "base/check.h"
#include "http/cookie_names.h"

static struct cookie_names set_of(struct arena *a, const char *names)
{
    struct cookie_named *v = arena_alloc(a, 64 * sizeof(*v));
    struct str rest = str_from(names);
    struct cookie_names set;
    size_t n = 0;
    while (rest.n)
        v[n++] = (struct cookie_named){ str_cut(&rest, ' '), 1 };
    cookie_names_make(v, n, a, &set);
    return set;
}

static void found_is(struct arena *a, const char *names, const char *cookie, const char *expected)
{
    struct cookie_names set = set_of(a, names);
    struct str found = cookie_names_find(&set, str_from(cookie), 1);
    if (!str_eq(found, str_from(expected)))
        fail_msg("%s in %s: \"%.*s\", not \"%s\"", cookie, names, STR_ARG(found), expected);
}

static void finds_names(void **state)
{
    found_is(*state, "", "a", "");
    found_is(*state, "a", "", "");
    found_is(*state, "a b c", "b", "b");
    found_is(*state, "a b c", "bb", "");
    found_is(*state, "a b c", "B", "");
    found_is(*state, "a* b", "abc", "a*");
    found_is(*state, "a* b", "a", "a*");
    found_is(*state, "*z", "xyz", "*z");
    found_is(*state, "*z", "z", "*z");
    found_is(*state, "*z", "zx", "");
    found_is(*state, "*", "x", "*");
    found_is(*state, "sb-*-token", "sb-1-token", "sb-*-token");
    found_is(*state, "sb-*-token", "sb--token", "sb-*-token");
    found_is(*state, "sb-*-token", "sb-token", "");
    found_is(*state, "ab*ba", "aba", "");
    found_is(*state, "_ga _ga_* _gat", "_ga_1", "_ga_*");
    found_is(*state, "_ga _ga_* _gat", "_ga", "_ga");
    found_is(*state, "_ga _ga_* _gat", "_gab", "");
}

/* Names that begin with each other, shorter and longer than three bytes. */
static void finds_what_begins_with_others(void **state)
{
    found_is(*state, "ab abc abcd*x abce", "abcdx", "abcd*x");
    found_is(*state, "ab abc abcd*x abce", "abce", "abce");
    found_is(*state, "ab abc abcd*x abce", "abc", "abc");
    found_is(*state, "ab abc abcd*x abce", "ab", "ab");
    found_is(*state, "ab abc abcd*x abce", "abcd", "");
    found_is(*state, "a* ab abc abcd*x abce", "abcdz", "a*");
    found_is(*state, "a*q a*r a ab", "abr", "a*r");
    found_is(*state, "ab aa*", "ab1", "");
    found_is(*state, "a*z ab ac ad", "ad1z", "a*z");
    found_is(*state, "a*z ab ac ad", "ad1", "");
    found_is(*state, "*xyz *yz *z", "axyz", "*yz");
}

static void refuses_what_is_no_name(void **state)
{
    (void)state;
    assert_null(cookie_names_problem(STR("a*")));
    assert_null(cookie_names_problem(STR("*")));
    assert_null(cookie_names_problem(STR(".AspNetCore.Cookies*")));
    assert_non_null(cookie_names_problem(STR("a*b*")));
    assert_non_null(cookie_names_problem(STR("a b")));
    assert_non_null(cookie_names_problem(STR("a=1")));
    assert_non_null(cookie_names_problem(STR("a;")));
}

/* Names of few letters, so that many meet. */
static struct str random_name(struct arena *a, unsigned *seed, bool star)
{
    size_t n = 1 + rand_r(seed) % 5;
    char *p = arena_alloc(a, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + rand_r(seed) % 3);
    if (star)
        p[(size_t)rand_r(seed) % n] = '*';
    return (struct str){ p, n };
}

static bool matches_plainly(struct str name, struct str cookie)
{
    size_t star = str_index(name, '*');
    if (star == name.n)
        return str_eq(name, cookie);
    struct str after = str_from_index(name, star + 1);
    return cookie.n >= name.n - 1 && str_starts(cookie, str_first(name, star)) && str_ends(cookie, after);
}

static void agrees_with_a_plain_comparison(void **state)
{
    unsigned seed = 7;
    size_t found_n = 0;
    for (int round = 0; round < 500; round++) {
        struct cookie_named names[20];
        struct cookie_names set;
        size_t n = 1 + (size_t)rand_r(&seed) % COUNT_OF(names);
        for (size_t i = 0; i < n; i++)
            names[i] = (struct cookie_named){ random_name(*state, &seed, rand_r(&seed) % 2), 1u << i % 4 };
        cookie_names_make(names, n, *state, &set);
        for (int k = 0; k < 40; k++) {
            struct str cookie = random_name(*state, &seed, false);
            unsigned expected = 0;
            for (size_t i = 0; i < n; i++)
                expected |= matches_plainly(names[i].name, cookie) ? names[i].kinds : 0;
            for (unsigned kind = 1; kind < 16; kind <<= 1) {
                struct str found = cookie_names_find(&set, cookie, kind);
                assert_int_equal(found.n > 0, (expected & kind) != 0);
                assert_true(!found.n || matches_plainly(found, cookie));
            }
            size_t left = 3;
            struct str line = ARENA_JOIN(*state, STR(" ;"), cookie, STR(" = 1; x"));
            assert_int_equal(cookie_names_scan(&set, line, &left), expected);
            assert_int_equal(left, 0);
            found_n += expected != 0;
        }
    }
    assert_true(found_n > 2000 && found_n < 18000);
}

static unsigned scanned(struct arena *a, const char *names, const char *line, size_t left)
{
    struct cookie_names set = set_of(a, names);
    return cookie_names_scan(&set, str_from(line), &left);
}

static void scans_a_line(void **state)
{
    assert_int_equal(scanned(*state, "b *z", "a=1; b=2; c=3", 9), 1);
    assert_int_equal(scanned(*state, "b *z", "a=b; c=z; b", 9), 0);
    assert_int_equal(scanned(*state, "b *z", ";;;  ;\t;", 9), 0);
    assert_int_equal(scanned(*state, "b *z", "", 9), 0);
    assert_int_equal(scanned(*state, "b *z", "=b; =", 9), 0);
    assert_int_equal(scanned(*state, "b *z", "a=1;xz=", 9), 1);
    assert_int_equal(scanned(*state, "b *z", "a=1;b=1", 1), 0); /* the second is not looked at */
    assert_int_equal(scanned(*state, "b *z", "a=1;b=1", 2), 1);
    assert_int_equal(scanned(*state, "*", "q=1", 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_names, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_what_begins_with_others, setup, teardown),
        cmocka_unit_test(refuses_what_is_no_name),
        cmocka_unit_test_setup_teardown(scans_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_with_a_plain_comparison, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
