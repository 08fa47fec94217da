/* Strings with a length compare, cut and become numbers by their bytes, also when they are empty or have no
 * pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void is(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

static void compares(void **state)
{
    (void)state;
    struct str none = STR_NONE, empty = STR(""), abc = STR("abc");
    assert_true(str_eq(none, empty));
    assert_true(str_eq(abc, STR("abc")));
    assert_false(str_eq(abc, STR("abd")));
    assert_false(str_eq(abc, STR("ab")));
    assert_false(str_eq(abc, STR("ABC")));
    assert_true(str_eq(str_from(NULL), none));
    /* NUL is a byte like any other. */
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_cmp(none, empty) == 0);
    assert_true(str_cmp(none, abc) < 0);
    assert_true(str_cmp(abc, STR("abcd")) < 0);
    assert_true(str_cmp(STR("abcd"), abc) > 0);
    assert_true(str_cmp(STR("b"), STR("abc")) > 0);
    assert_true(str_cmp(abc, abc) == 0);
    /* By bytes without a sign: what is not ASCII comes last. */
    assert_true(str_cmp(STR("\xc3"), STR("z")) > 0);
}

static void sorts_and_drops_doubles(void **state)
{
    (void)state;
    struct str v[] = { STR("b"), STR("a"), STR("b"), STR(""), STR("ab"), STR("a"), STR("B") };
    static const char *const should[] = { "", "B", "a", "ab", "b" };
    assert_int_equal(str_sort_unique(v, sizeof(v) / sizeof(*v)), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(str_eq(v[i], str_from(should[i])));
    assert_int_equal(str_sort_unique(v, 1), 1);
    assert_int_equal(str_sort_unique(NULL, 0), 0);
}

static void becomes_latin1(void **state)
{
    (void)state;
    static const struct {
        const char *utf8, *latin1; /* "": has none */
    } rows[] = {
        { "", "" },
        { "a-b", "a-b" },
        { "m\xc3\xb6"
          "bel",
          "m\xf6"
          "bel" },
        { "\xc2\x80\xc3\xbf", "\x80\xff" },
        { "\xc4\x80", "" },
        { "a\xe2\x82\xac", "" },
        { "\xf0\x9f\x98\x80", "" },
        { "m\xf6"
          "bel",
          "" },
        { "a\xc3", "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char to[32];
        struct str s = str_from(rows[i].utf8);
        is((struct str){ to, str_to_latin1(s, to) }, rows[i].latin1);
        assert_true(str_is_utf8(s) || rows[i].latin1[0] == '\0');
    }
}

static void is_cut_between_characters(void **state)
{
    (void)state;
    struct str s = STR("a\xc3\xb6\xe2\x82\xac");
    static const size_t whole[] = { 0, 1, 1, 3, 3, 3, 6, 6 };
    for (size_t n = 0; n < sizeof(whole) / sizeof(whole[0]); n++)
        assert_int_equal(str_utf8_first(s, n).n, whole[n]);
    assert_int_equal(str_utf8_first(STR_NONE, 3).n, 0);
}

static void ignores_ascii_case_only(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_eq_nocase(STR("content-type"), STR("content-typ")));
    assert_true(str_eq_nocase(STR_NONE, STR("")));
    /* '@' and '`', '[' and '{' differ in the same bit as letters do. */
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_false(str_eq_nocase(STR("["), STR("{")));
    assert_false(str_eq_nocase(STR("\xc4"), STR("\xe4")));
    assert_int_equal(ascii_lower('A'), 'a');
    assert_int_equal(ascii_lower('Z'), 'z');
    assert_int_equal(ascii_lower('['), '[');
    assert_int_equal(ascii_lower('@'), '@');
}

static void tells_letters_and_digits(void **state)
{
    (void)state;
    unsigned letters = 0, digits = 0;
    for (int c = -128; c < 128; c++) {
        letters += is_alpha((char)c);
        digits += is_digit((char)c);
    }
    assert_int_equal(letters, 52);
    assert_int_equal(digits, 10);
    assert_true(is_alpha('a') && is_alpha('Z') && is_digit('0') && is_digit('9'));
    assert_false(is_alpha('@') || is_alpha('`') || is_alpha('{') || is_alpha('['));
}

static void looks_at_the_ends(void **state)
{
    (void)state;
    struct str s = STR("Netlify-Vary");
    assert_true(str_starts(s, STR("Netlify-")));
    assert_true(str_starts(s, STR("")) && str_starts(s, STR_NONE) && str_starts(s, s));
    assert_false(str_starts(s, STR("netlify-")));
    assert_false(str_starts(STR("Net"), s));
    assert_true(str_starts_nocase(s, STR("nETLIFY-")));
    assert_false(str_starts_nocase(STR("net"), s));
    assert_true(str_ends(s, STR("Vary")) && str_ends(s, STR_NONE) && str_ends(s, s));
    assert_false(str_ends(s, STR("vary")));
    assert_false(str_ends(STR("ary"), STR("Vary")));
}

static void finds_and_slices(void **state)
{
    (void)state;
    struct str s = STR("a=b=c");
    assert_int_equal(str_index(s, '='), 1);
    assert_int_equal(str_index(s, 'x'), 5);
    assert_int_equal(str_index(STR_NONE, 'x'), 0);
    is(str_from_index(s, 2), "b=c");
    is(str_from_index(s, 4), "c");
    is(str_from_index(s, 5), "");
    is(str_from_index(s, SIZE_MAX), "");
    is(str_first(s, 0), "");
    is(str_first(s, 3), "a=b");
    is(str_first(s, SIZE_MAX), "a=b=c");
}

static void trims_spaces_and_tabs_only(void **state)
{
    (void)state;
    is(str_trim(STR(" \t a b \t ")), "a b");
    is(str_trim(STR("a")), "a");
    is(str_trim(STR(" \t ")), "");
    is(str_trim(STR_NONE), "");
    is(str_trim(STR("\r\na\n")), "\r\na\n");
    is(str_trim(STR("\va\f")), "\va\f");
}

/* The loop of the header: every item once, empty ones too, and an end. */
static void cuts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *items[4];
        size_t n;
    } rows[] = {
        { "a,b,c", { "a", "b", "c" }, 3 }, { "a", { "a" }, 1 },         { "a,", { "a", "" }, 2 },
        { ",a", { "", "a" }, 2 },          { ",,", { "", "", "" }, 3 }, { "", { "" }, 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = 0;
        for (struct str rest = str_from(rows[i].text); rest.p; n++) {
            struct str item = str_cut(&rest, ',');
            assert_true(n < rows[i].n);
            is(item, rows[i].items[n]);
        }
        assert_int_equal(n, rows[i].n);
    }
    struct str none = STR_NONE;
    is(str_cut(&none, ','), "");
    assert_null(none.p);
}

static void number(const char *text, uint64_t max, bool good, uint64_t value)
{
    uint64_t n = 77;
    if (str_to_u64(str_from(text), max, &n) != good || n != (good ? value : 77))
        fail_msg("\"%s\" up to %llu gives %llu", text, (unsigned long long)max, (unsigned long long)n);
}

static void reads_numbers(void **state)
{
    (void)state;
    number("0", 0, true, 0);
    number("00", 0, true, 0);
    number("1", 0, false, 0);
    number("65535", 65535, true, 65535);
    number("65536", 65535, false, 0);
    number("18446744073709551615", UINT64_MAX, true, UINT64_MAX);
    number("18446744073709551616", UINT64_MAX, false, 0);
    number("18446744073709551620", UINT64_MAX, false, 0);
    number("99999999999999999999", UINT64_MAX, false, 0);
    number("000000000000000000000000000007", UINT64_MAX, true, 7);
    number("9223372036854775808", INT64_MAX, false, 0);
    number("", 9, false, 0);
    number("-1", 9, false, 0);
    number("+1", 9, false, 0);
    number(" 1", 9, false, 0);
    number("1 ", 9, false, 0);
    number("0x1", 9, false, 0);
    number("1a", 9, false, 0);
    number("\xd9\xa1", 9, false, 0);
}

static void compares_secrets(void **state)
{
    struct str secret = STR("a secret");
    (void)state;
    assert_true(str_eq_secret(STR("a secret"), secret));
    assert_true(str_eq_secret(STR_NONE, STR("")));
    assert_false(str_eq_secret(STR_NONE, secret));
    assert_false(str_eq_secret(secret, STR_NONE));
    /* The first and the last byte, and each length beside it. */
    assert_false(str_eq_secret(STR("b secret"), secret));
    assert_false(str_eq_secret(STR("a secreT"), secret));
    assert_false(str_eq_secret(STR("a secre"), secret));
    assert_false(str_eq_secret(STR("a secreta"), secret));
    assert_false(str_eq_secret(STR("a secreta secret"), secret));
    /* Two differences do not make up for each other. */
    assert_false(str_eq_secret(STR("b\x21secret"), secret));
    assert_false(str_eq_secret(STR("\0"), STR("")));
}

static void becomes_c_text(void **state)
{
    char out[5] = "####";
    (void)state;
    assert_true(str_to_c(STR("abcd"), out, sizeof(out)));
    assert_string_equal(out, "abcd");
    assert_true(str_to_c(STR("a"), out, sizeof(out)));
    assert_string_equal(out, "a");
    strcpy(out, "####");
    assert_false(str_to_c(STR("abcde"), out, sizeof(out)));
    assert_false(str_to_c(STR_NONE, out, sizeof(out)));
    assert_false(str_to_c((struct str){ "a\0b", 3 }, out, sizeof(out)));
    assert_string_equal(out, "####");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(sorts_and_drops_doubles),
        cmocka_unit_test(becomes_latin1),
        cmocka_unit_test(is_cut_between_characters),
        cmocka_unit_test(ignores_ascii_case_only),
        cmocka_unit_test(tells_letters_and_digits),
        cmocka_unit_test(looks_at_the_ends),
        cmocka_unit_test(finds_and_slices),
        cmocka_unit_test(trims_spaces_and_tabs_only),
        cmocka_unit_test(compares_secrets),
        cmocka_unit_test(becomes_c_text),
        cmocka_unit_test(cuts),
        cmocka_unit_test(reads_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
