/* Accept-Encoding, Accept-Language, cookies and other fields come out in one spelling, as key material
 * (CACHING.md 4.9). */
#include "arena_test.h"

#include <string.h>

#include "http/accept.h"
#include "http/netlify_vary.h"

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

/* A table with the lines of one name; "\n" separates lines. */
static struct fields lines(struct arena *a, const char *name, const char *text)
{
    struct fields f = { 0 };
    struct str rest = str_from(text);
    fields_add(&f, a, STR("X-Before"), STR("br"));
    while (rest.p)
        fields_add(&f, a, str_from(name), str_cut(&rest, '\n'));
    fields_add(&f, a, STR("X-Behind"), STR("zstd"));
    return f;
}

/* CACHING.md 4.9: the sorted list of br, zstd, gzip with q > 0. */
static void normalizes_encodings(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "gzip, deflate, br, zstd", "br, gzip, zstd" },
        { "gzip, deflate, br", "br, gzip" },
        { "gzip, deflate", "gzip" },
        { "gzip,deflate,br,zstd", "br, gzip, zstd" },
        { "gzip,deflate", "gzip" },
        { "gzip, deflate\nzstd", "gzip, zstd" },
        { "br,gzip", "br, gzip" },
        { "GZIP", "gzip" },
        { "x-gzip", "gzip" },
        { "gzip;q=0", "" },
        { "gzip;q=0.000", "" },
        { "gzip ; Q=0.001", "gzip" },
        { "*", "br, gzip, zstd" },
        { "*;q=0", "" },
        { "*, br;q=0", "gzip, zstd" },
        { "identity", "" },
        { "identity;q=0, br", "br" },
        { "gzip, gzip;q=0", "" },
        { "gzip;q=2, br", "br" },
        { "gzip;q=, br;q=0.1234, zstd;q=1.001", "" },
        { "gzip;q=1.000", "gzip" },
        { "zstd\nbr;q=0.5", "br, zstd" },
        { "", "" },
        { "gzip;foo=0", "gzip" },
        { "gzipp, brr", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fields f = lines(*state, "accept-encoding", cases[i].in);
        assert_str(accept_encoding_normalize(&f), cases[i].out);
    }
    struct fields none = { 0 };
    assert_int_equal(accept_encoding_normalize(&none).n, 0);
}

#define ALL    0xfu
#define BIT(c) (1u << CODING_##c)

/* CACHING.md 6.10, RFC 9110 §12.5.3: the coding of those that are there. */
static void chooses_a_coding(void **state)
{
    static const struct {
        const char *in;
        unsigned there;
        enum coding out;
    } cases[] = {
        { "gzip, deflate, br, zstd", ALL, CODING_BR },
        { "gzip, deflate, br, zstd", ALL & ~BIT(BR), CODING_ZSTD },
        { "gzip, deflate, br, zstd", BIT(IDENTITY), CODING_IDENTITY },
        { "gzip, deflate, br", ALL, CODING_BR },
        { "gzip, deflate, br", BIT(IDENTITY) | BIT(ZSTD), CODING_IDENTITY },
        { "gzip, deflate", ALL, CODING_GZIP },
        { "gzip, deflate\nzstd", ALL, CODING_ZSTD },
        { "gzip;q=0.2, zstd;q=0.1", ALL, CODING_GZIP },
        { "gzip;q=0.2, *;q=0.8", ALL, CODING_BR },
        { "gzip;q=0.2, *;q=0.8", BIT(IDENTITY) | BIT(GZIP), CODING_IDENTITY },
        { "gzip;q=0.2, *;q=0", BIT(IDENTITY), CODINGS },
        { "gzip, identity", ALL, CODING_GZIP },
        { "gzip;q=0.9, identity", ALL, CODING_IDENTITY },
        { "gzip;q=0.001", ALL, CODING_GZIP },
        { "identity;q=0, gzip", BIT(IDENTITY) | BIT(BR), CODINGS },
        { "identity;q=0, *", BIT(IDENTITY) | BIT(GZIP), CODING_GZIP },
        { "*;q=0, identity", ALL, CODING_IDENTITY },
        { "*;q=0", ALL, CODINGS },
        { "*", ALL, CODING_BR },
        { "*;q=0.5, br;q=0", ALL, CODING_ZSTD },
        { "br, br;q=0", ALL, CODING_IDENTITY },
        { "br;q=1.5", ALL, CODING_IDENTITY },
        { "x-gzip", ALL, CODING_GZIP },
        { "deflate", ALL, CODING_IDENTITY },
        { "", ALL, CODING_IDENTITY },
    };
    struct coding_weights w;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fields f = lines(*state, "accept-encoding", cases[i].in);
        accept_encoding_weights(&f, &w);
        if (accept_encoding_choose(&w, cases[i].there) != cases[i].out)
            fail_msg("\"%s\" of %x gives %d", cases[i].in, cases[i].there,
                     (int)accept_encoding_choose(&w, cases[i].there));
    }
    struct fields two = lines(*state, "accept-encoding", "gzip, deflate\ngzip, deflate"),
                  usual = lines(*state, "accept-encoding", "gzip, deflate, br");
    assert_int_equal(accept_encoding_usual(&two), 0);
    assert_int_equal(accept_encoding_usual(&usual), BIT(BR) | BIT(GZIP));
    struct fields none = { 0 };
    accept_encoding_weights(&none, &w);
    assert_int_equal(accept_encoding_choose(&w, ALL), CODING_IDENTITY);
    assert_int_equal(accept_encoding_choose(&w, BIT(BR)), CODINGS);
    char long_one[400];
    memset(long_one, ' ', sizeof(long_one));
    memcpy(long_one + sizeof(long_one) - 6, "br, x", 6);
    struct fields f = lines(*state, "accept-encoding", long_one);
    accept_encoding_weights(&f, &w);
    assert_int_equal(accept_encoding_choose(&w, ALL), CODING_IDENTITY);
}

static void reads_content_encoding(void **state)
{
    static const struct {
        const char *in;
        int out; /* -1: none of them */
    } cases[] = { { "", CODING_IDENTITY },   { "identity", CODING_IDENTITY },
                  { " GZIP ", CODING_GZIP }, { "x-gzip", CODING_GZIP },
                  { "br", CODING_BR },       { "zstd", CODING_ZSTD },
                  { "deflate", -1 },         { "gzip, br", -1 },
                  { "gzip,", -1 },           { "x-br", -1 } };
    enum coding c;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool good = accept_coding_from(str_from(cases[i].in), &c);
        assert_int_equal(good ? (int)c : -1, cases[i].out);
    }
}

static struct str key_of(const struct fields *f, struct arena *a)
{
    return accept_language_key(accept_language_read(f, a), a);
}

/* CACHING.md 4.9: lower-cased, white space removed, ordered by quality. */
static void normalizes_languages(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "de-CH, de;q=0.9, en;q=0.8", "de-ch,de,en" },
        { "en;q=0.8,de-ch , de ; q=0.9", "de-ch,de,en" },
        { "en\nde;q=0.5", "en,de" },
        { "a;q=0.5, b;q=0.5, c", "c,a,b" },
        { "de, fr;q=0, *;q=0.1", "de,*,fr;q=0" },
        { "de;x=y", "de;x=y" },
        { "de;q=0.5;q=0.6", "de;q=0.5;q=0.6" },
        { "en, de;", "en, de;" },
        { "en\nDe;x=\"", "en, de;x=\"" },
        { "DE;q=x", "de;q=x" },
        { "de_DE , EN", "de_de , en" },
        { "abcdefghi", "abcdefghi" },
        { "", "" },
        { "zh-Hant-TW", "zh-hant-tw" },
        { "es-419", "es-419" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fields f = lines(*state, "Accept-Language", cases[i].in);
        struct str out = key_of(&f, *state);
        assert_non_null(out.p);
        assert_str(out, cases[i].out);
        /* What the origin is sent has the same key. */
        struct fields sent = { 0 };
        fields_add(&sent, *state, STR("Accept-Language"),
                   accept_language_ordered(accept_language_read(&f, *state), *state));
        assert_str(key_of(&sent, *state), cases[i].out);
    }
    struct fields none = { 0 };
    assert_null(key_of(&none, *state).p);
}

static int best(struct arena *a, const char *accept, const char *rule)
{
    struct netlify_vary v;
    struct fields f = { 0 };
    assert_true(netlify_vary_parse(str_from(rule), 64, a, &v));
    if (accept)
        f = lines(a, "Accept-Language", accept);
    return accept_language_best_group(accept_language_read(&f, a), &v.languages);
}

/* CACHING.md 4, language=: the first group that holds the visitor's best language. */
static void finds_the_best_group(void **state)
{
    static const struct {
        const char *accept, *rule;
        int group;
    } cases[] = {
        { "de", "language=de+nl|en", 0 },
        { "NL", "language=de+nl|en", 0 },
        { "en", "language=de+nl|en", 1 },
        { "fr", "language=de+nl|en", -1 },
        { "fr, en;q=0.5", "language=de+nl|en", 1 },
        { "en;q=0.5, de;q=0.6", "language=de|en", 0 },
        { "en, de", "language=de|en", 0 }, /* equal ones by name */
        { "en, de;q=0.9", "language=de|en", 1 },
        { "pt-BR", "language=pt|en", 0 },
        { "pt-BR", "language=pt|pt-br", 1 },
        { "pt", "language=pt-br|en", -1 },
        { "zh-Hant-TW", "language=zh|zh-hant", 1 },
        { "de;x=y, en;q=0.1", "language=de|en", 1 },
        { "de-x-foo", "language=de", 0 },
        { "*", "language=de", -1 },
        { "*, en;q=0.1", "language=de|en", 1 },
        { "de;q=0", "language=de", -1 },
        { "de-CH, de;q=0", "language=de", -1 },
        { "de;q=bad, en;q=0.1", "language=de|en", 1 },
        { "fr\nen", "language=de|en", 1 },
        { "", "language=de", -1 },
        { NULL, "language=de", -1 },
        { "de", "query=a", -1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (best(*state, cases[i].accept, cases[i].rule) != cases[i].group)
            fail_msg("%s for %s", cases[i].accept, cases[i].rule);
}

/* "en,en,...,de": so many members. */
static char *members_of(struct arena *a, size_t n)
{
    char *text = arena_alloc(a, n * 3);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 3 * i, i + 1 < n ? "en," : "de", 3);
    return text;
}

/* `text`, then blanks up to n bytes when joined. */
static char *blanks_behind(struct arena *a, const char *text, size_t n)
{
    n -= strchr(text, '\n') != NULL; /* which becomes ", " */
    char *p = arena_alloc(a, n + 1);
    memset(p, ' ', n);
    memcpy(p, text, strlen(text));
    p[n] = '\0';
    return p;
}

/* CACHING.md 4.9: above 32 members or 1024 bytes it counts as it stands, and is in no group. */
static void takes_no_more_languages_than_it_sorts(void **state)
{
    char *text = members_of(*state, 32);
    struct fields f = lines(*state, "Accept-Language", text);
    assert_true(str_starts(key_of(&f, *state), STR("de,en,")));
    assert_int_equal(best(*state, text, "language=de"), 0);
    text = members_of(*state, 33);
    f = lines(*state, "Accept-Language", text);
    assert_str(key_of(&f, *state), text);
    assert_str(accept_language_ordered(accept_language_read(&f, *state), *state), text);
    assert_int_equal(best(*state, text, "language=de|en"), -1);

    text[0] = '1'; /* a malformed one is a member too */
    assert_int_equal(best(*state, text, "language=de|en"), -1);

    text = blanks_behind(*state, "en, de\nfr", 1024);
    f = lines(*state, "Accept-Language", text);
    assert_str(key_of(&f, *state), "de,en,fr");
    assert_int_equal(best(*state, text, "language=en"), 0);
    text = blanks_behind(*state, "en, de\nfr", 1025);
    f = lines(*state, "Accept-Language", text);
    assert_true(str_starts(key_of(&f, *state), STR("en, de, fr ")));
    assert_int_equal(best(*state, text, "language=en"), -1);
}

/* CACHING.md 4.9: a longer list of codings accepts none. */
static void reads_no_more_encodings_than_256_bytes(void **state)
{
    struct fields f = lines(*state, "Accept-Encoding", blanks_behind(*state, "br\ngzip, deflate", 256));
    assert_str(accept_encoding_normalize(&f), "br, gzip");
    f = lines(*state, "Accept-Encoding", blanks_behind(*state, "br\ngzip, deflate", 257));
    assert_str(accept_encoding_normalize(&f), "");
}

struct seen {
    char text[200];
    size_t n;
};

static void note(struct str value, void *ctx)
{
    struct seen *s = ctx;
    assert_true(s->n + value.n + 2 < sizeof(s->text));
    if (value.n)
        memcpy(s->text + s->n, value.p, value.n);
    s->n += value.n;
    s->text[s->n++] = '/';
    s->text[s->n] = '\0';
}

/* CACHING.md 4.9: a cookie that occurs twice gives all its values in order. */
static void finds_cookies(void **state)
{
    static const struct {
        const char *in, *values;
        size_t n;
    } cases[] = {
        { "a=1; b=2", "1/", 1 },
        { "b=2;a=1", "1/", 1 },
        { "a=1; b=2; a=3\na=4", "1/3/4/", 3 },
        { "A=1", "", 0 },
        { "a", "", 0 },
        { "a=", "/", 1 },
        { "a=\"x;y\"", "\"x/", 1 },
        { "a=\"x\"", "\"x\"/", 1 },
        { "aa=1; b=a=2", "", 0 },
        { " a = 1 = 2 ;;", "1 = 2/", 1 },
        { "", "", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fields f = lines(*state, "Cookie", cases[i].in);
        struct seen s = { .text = "" };
        assert_int_equal(cookie_values(&f, STR("a"), note, &s), cases[i].n);
        assert_string_equal(s.text, cases[i].values);
        assert_int_equal(cookie_values(&f, STR("a"), NULL, NULL), cases[i].n);
    }
    struct fields f = lines(*state, "Cookie", "lonely; =x");
    struct seen s = { .text = "" };
    assert_int_equal(cookie_values(&f, STR(""), note, &s), 2);
    assert_string_equal(s.text, "lonely/x/");
    struct fields none = { 0 };
    assert_int_equal(cookie_values(&none, STR("a"), note, &s), 0);
}

/* CACHING.md 4.9: lines joined by ",", white space around commas outside quotes removed; missing and empty
 * differ. */
static void normalizes_other_fields(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "a", "a" },
        { "a , b,\tc", "a,b,c" },
        { "a\nb", "a,b" },
        { "a b", "a b" },
        { "a  b , c", "a  b,c" },
        { "\"a , b\" , c", "\"a , b\",c" },
        { "\"a \\\" , b\" , c", "\"a \\\" , b\",c" },
        { "\"open , x\n\"y\" , z", "\"open , x,\"y\",z" },
        { ", ,a", ",,a" },
        { "", "" },
        { "\n", "," },
        { "\\ , b", "\\,b" },
        { "\"\\", "\"\\" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fields f = lines(*state, "X-Test", cases[i].in);
        struct str out = field_value_normalize(&f, STR("x-test"), *state);
        assert_non_null(out.p);
        assert_str(out, cases[i].out);
        f = lines(*state, "Referer", cases[i].in);
        assert_str(field_value_normalize(&f, STR("referer"), *state), cases[i].out);
    }
    struct fields f = lines(*state, "X-Test", "x");
    assert_null(field_value_normalize(&f, STR("x-tes"), *state).p);
    assert_null(field_value_normalize(&f, STR("referer"), *state).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(normalizes_encodings, setup, teardown),
        cmocka_unit_test_setup_teardown(chooses_a_coding, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_content_encoding, setup, teardown),
        cmocka_unit_test_setup_teardown(normalizes_languages, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_no_more_encodings_than_256_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_the_best_group, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_no_more_languages_than_it_sorts, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_cookies, setup, teardown),
        cmocka_unit_test_setup_teardown(normalizes_other_fields, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
