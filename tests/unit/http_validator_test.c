/* Conditions: a 304 only when the client's copy is known to be the stored one, in every spelling a client may
 * use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/date.h"
#include "http/validator.h"

#define NOW_S INT64_C(1792324800)

/* A request of up to three lines of one field or two; NULL ends them. Values are on the heap, exactly
 * sized. */
struct request {
    struct arena arena;
    struct fields fields;
    char *copies[4];
    size_t n;
};

static void request_init(struct request *r)
{
    *r = (struct request){ 0 };
    arena_init(&r->arena, 1024);
}

static void request_add(struct request *r, enum field_id id, const char *value)
{
    size_t n = strlen(value);
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    assert_true(r->n < 4);
    memcpy(copy, value, n);
    r->copies[r->n++] = copy;
    fields_add_id(&r->fields, &r->arena, id, (struct str){ copy, n });
}

static void request_fini(struct request *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->copies[i]);
    arena_fini(&r->arena);
}

static void expect_etag(const char *text, const char *opaque, bool weak)
{
    struct etag e = etag_parse(str_from(text));
    assert_int_equal(e.opaque.n, strlen(opaque));
    assert_memory_equal(e.opaque.p ? e.opaque.p : "", opaque, strlen(opaque));
    assert_int_equal(e.weak, weak);
}

static void parses_entity_tags(void **state)
{
    (void)state;
    expect_etag("\"abc\"", "\"abc\"", false);
    expect_etag("W/\"abc\"", "\"abc\"", true);
    expect_etag("\"\"", "\"\"", false);
    expect_etag("\"a,b\\\"", "\"a,b\\\"", false);
    expect_etag("\"abcdef\xc3\xbc\"", "\"abcdef\xc3\xbc\"", false);
    expect_etag("\"!#~\x80\xff\"", "\"!#~\x80\xff\"", false);
    static const char *const bad[] = { "",          "abc",      "\"abc",    "abc\"",     "'abc'",
                                       "w/\"abc\"", "W\"abc\"", "W/abc",    "W/",        "W/\"",
                                       "\"",        "\"a b\"",  "\"a\tb\"", "\"a\x7f\"", "\"a\"b\"",
                                       "\"a\" ",    " \"a\"",   "*",        "W/ \"a\"",  "\"a\",\"b\"",
                                       "W\\\"abc\"" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_etag(bad[i], "", false);
}

static void compares_entity_tags(void **state)
{
    struct etag a = etag_parse(STR("\"1\"")), b = etag_parse(STR("\"2\""));
    struct etag weak = etag_parse(STR("W/\"1\"")), none = etag_parse(STR("1"));
    (void)state;
    /* RFC 9110 §8.8.3.2, its table. */
    assert_false(etag_match_strong(weak, weak));
    assert_true(etag_match_weak(weak, weak));
    assert_false(etag_match_strong(weak, a));
    assert_true(etag_match_weak(weak, a));
    assert_true(etag_match_weak(a, weak));
    assert_true(etag_match_strong(a, a));
    assert_true(etag_match_weak(a, a));
    assert_false(etag_match_strong(a, b));
    assert_false(etag_match_weak(a, b));
    /* No tag is like no other, not even like itself. */
    assert_false(etag_match_weak(none, none));
    assert_false(etag_match_strong(none, none));
    /* Tags have case. */
    assert_false(etag_match_weak(etag_parse(STR("\"a\"")), etag_parse(STR("\"A\""))));
}

static struct validators stored(const char *etag, int64_t last_modified_s, int64_t date_s)
{
    return (struct validators){ etag_parse(str_from(etag)), last_modified_s, date_s };
}

static void expect_none_match(enum condition want, const char *etag, const char *line, const char *more)
{
    struct request r;
    struct validators v = stored(etag, INT64_MIN, INT64_MIN);
    request_init(&r);
    request_add(&r, FIELD_IF_NONE_MATCH, line);
    if (more)
        request_add(&r, FIELD_IF_NONE_MATCH, more);
    enum condition got = condition_of_request(&r.fields, &v, NOW_S);
    if (got != want)
        fail_msg("ETag: %s, If-None-Match: %s: %d, not %d", etag, line, got, want);
    request_fini(&r);
}

static void answers_if_none_match(void **state)
{
    (void)state;
    const enum condition same = CONDITION_NOT_MODIFIED, other = CONDITION_TRUE;
    expect_none_match(same, "\"abcdef\"", "\"abcdef\"", NULL);
    expect_none_match(same, "\"abcdef\"", "W/\"abcdef\"", NULL);
    expect_none_match(same, "W/\"abcdef\"", "\"abcdef\"", NULL);
    expect_none_match(same, "W/\"abcdef\"", "W/\"abcdef\"", NULL);
    expect_none_match(other, "\"abcdef\"", "\"abcdeg\"", NULL);
    expect_none_match(other, "\"abcdef\"", "\"abcde\"", NULL);
    /* Lists, on one line and on two. */
    expect_none_match(same, "\"abcdef\"", "\"abcdef\", \"1234\", \"5678\"", NULL);
    expect_none_match(same, "\"abcdef\"", "\"1234\", \"abcdef\", \"5678\"", NULL);
    expect_none_match(same, "\"abcdef\"", "\"1234\",\"5678\",\"abcdef\"", NULL);
    expect_none_match(same, "\"abcdef\"", ", ,\t\"1234\" ,W/\"abcdef\" ,", NULL);
    expect_none_match(same, "\"abcdef\"", "\"1234\"", "\"abcdef\"");
    expect_none_match(other, "\"abcdef\"", "\"1234\"", "\"5678\"");
    /* The star is alone. */
    expect_none_match(same, "\"abcdef\"", "*", NULL);
    expect_none_match(same, "", "*", NULL);
    expect_none_match(other, "\"abcdef\"", "*, \"x\"", NULL);
    expect_none_match(other, "\"abcdef\"", "*", "\"x\"");
    expect_none_match(other, "\"*\"", "\"x\", *", NULL);
    /* Commas and backslashes are characters of a tag like others. */
    expect_none_match(same, "\"a,b\"", "\"a,b\"", NULL);
    expect_none_match(other, "\"b\"", "\"a,b\"", NULL);
    expect_none_match(same, "\"a,b\"", "\"x\", W/\"a,b\" , \"y\"", NULL);
    expect_none_match(same, "\"a,b\"", "\"x\" y, \"a,b\"", NULL);
    expect_none_match(other, "\"a,b\"", "\"a,b\"x, \"a\",\"b\"", NULL);
    expect_none_match(other, "\",\"", "\"a\",\"b\"", NULL); /* the comma between two others */
    expect_none_match(same, "\"x\"", "\"a\\\", \"x\"", NULL);
    expect_none_match(same, "\"\"", "\"\"", NULL);
    expect_none_match(same, "\"abcdef\xc3\xbc\"", "\"abcdef\xc3\xbc\"", NULL);
}

static void matches_no_malformed_tag(void **state)
{
    (void)state;
    const enum condition other = CONDITION_TRUE;
    expect_none_match(other, "\"abcdef\"", "abcdef", NULL);
    expect_none_match(other, "abcdef", "abcdef", NULL);
    expect_none_match(other, "abcdef", "\"abcdef\"", NULL);
    expect_none_match(other, "w/\"abcdef\"", "w/\"abcdef\"", NULL);
    expect_none_match(other, "W\"abcdef\"", "W\"abcdef\"", NULL);
    expect_none_match(other, "\"abcdef\"", "\"abcdef", NULL);
    expect_none_match(other, "\"abcdef\"", "\"abcdef\"x", NULL);
    expect_none_match(other, "\"abcdef\"", "x\"abcdef\"", NULL);
    expect_none_match(other, "\"abcdef\"", "\"abcdef\" \"x\"", NULL);
    expect_none_match(other, "", "", NULL);
    expect_none_match(other, "\"abcdef\"", "", NULL);
    /* What follows is still looked at. */
    expect_none_match(CONDITION_NOT_MODIFIED, "\"abcdef\"", "abc, \"abcdef\"", NULL);
}

/* Offsets to NOW_S; INT64_MIN for none. */
static void expect_modified_since(enum condition want, int64_t modified, int64_t date, int64_t since)
{
    struct request r;
    char text[HTTP_DATE_BYTES + 1] = { 0 };
    struct validators v = stored("\"x\"", modified == INT64_MIN ? modified : NOW_S + modified,
                                 date == INT64_MIN ? date : NOW_S + date);
    request_init(&r);
    http_date_write(text, NOW_S + since);
    request_add(&r, FIELD_IF_MODIFIED_SINCE, text);
    assert_int_equal(condition_of_request(&r.fields, &v, NOW_S), want);
    request_fini(&r);
}

static void answers_if_modified_since(void **state)
{
    (void)state;
    expect_modified_since(CONDITION_NOT_MODIFIED, -3000, 0, -3000);
    expect_modified_since(CONDITION_NOT_MODIFIED, -3000, 0, -2000);
    expect_modified_since(CONDITION_NOT_MODIFIED, -3000, 0, 0);
    expect_modified_since(CONDITION_TRUE, -3000, 0, -3001);
    /* A date ahead of now says nothing. */
    expect_modified_since(CONDITION_NONE, -3000, 0, 1);
    /* Without Last-Modified, Date (RFC 9111 §4.3.2); without both, no answer. */
    expect_modified_since(CONDITION_NOT_MODIFIED, INT64_MIN, -100, -100);
    expect_modified_since(CONDITION_TRUE, INT64_MIN, -100, -3000);
    expect_modified_since(CONDITION_NONE, INT64_MIN, INT64_MIN, -3000);
}

static enum condition modified_since_lines(const char *line, const char *more)
{
    struct request r;
    struct validators v = stored("\"x\"", 784111777, NOW_S);
    request_init(&r);
    request_add(&r, FIELD_IF_MODIFIED_SINCE, line);
    if (more)
        request_add(&r, FIELD_IF_MODIFIED_SINCE, more);
    enum condition got = condition_of_request(&r.fields, &v, NOW_S);
    request_fini(&r);
    return got;
}

static void reads_one_valid_date_only(void **state)
{
    (void)state;
    assert_int_equal(modified_since_lines("Sun, 06 Nov 1994 08:49:37 GMT", NULL), CONDITION_NOT_MODIFIED);
    assert_int_equal(modified_since_lines("Sunday, 06-Nov-94 08:49:37 GMT", NULL), CONDITION_NOT_MODIFIED);
    assert_int_equal(modified_since_lines("Sun Nov  6 08:49:37 1994", NULL), CONDITION_NOT_MODIFIED);
    assert_int_equal(modified_since_lines("Sun, 06 Nov 1994 08:49:36 GMT", NULL), CONDITION_TRUE);
    assert_int_equal(modified_since_lines("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"),
                     CONDITION_NONE);
    assert_int_equal(modified_since_lines("Sun, 06 Nov 1994 08:49:37", NULL), CONDITION_NONE);
    assert_int_equal(modified_since_lines("now", NULL), CONDITION_NONE);
    assert_int_equal(modified_since_lines("", NULL), CONDITION_NONE);
}

static void prefers_if_none_match(void **state)
{
    struct request r;
    struct validators v = stored("\"abcdef\"", NOW_S - 5000, NOW_S);
    char text[HTTP_DATE_BYTES + 1] = { 0 };
    (void)state;
    http_date_write(text, NOW_S - 1);
    request_init(&r);
    request_add(&r, FIELD_IF_MODIFIED_SINCE, text);
    assert_int_equal(condition_of_request(&r.fields, &v, NOW_S), CONDITION_NOT_MODIFIED);
    request_add(&r, FIELD_IF_NONE_MATCH, "\"other\"");
    assert_int_equal(condition_of_request(&r.fields, &v, NOW_S), CONDITION_TRUE);
    request_fini(&r);
}

static void leaves_other_conditions_to_the_origin(void **state)
{
    struct request r;
    struct validators v = stored("\"abcdef\"", NOW_S - 5000, NOW_S);
    (void)state;
    request_init(&r);
    assert_int_equal(condition_of_request(&r.fields, &v, NOW_S), CONDITION_NONE);
    request_add(&r, FIELD_IF_MATCH, "\"other\"");
    request_add(&r, FIELD_IF_UNMODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(condition_of_request(&r.fields, &v, NOW_S), CONDITION_NONE);
    request_fini(&r);
}

static bool holds(const struct validators *v, const char *line, const char *more)
{
    struct request r;
    request_init(&r);
    if (line)
        request_add(&r, FIELD_IF_RANGE, line);
    if (more)
        request_add(&r, FIELD_IF_RANGE, more);
    bool got = if_range_holds(&r.fields, v, NOW_S);
    request_fini(&r);
    return got;
}

static void holds_if_range_for_strong_validators_only(void **state)
{
    struct validators v = stored("\"a\"", 784111777, NOW_S), weak = stored("W/\"a\"", INT64_MIN, NOW_S);
    (void)state;
    assert_true(holds(&v, NULL, NULL));
    assert_true(holds(&v, "\"a\"", NULL));
    assert_false(holds(&v, "\"b\"", NULL));
    assert_false(holds(&v, "W/\"a\"", NULL));
    assert_false(holds(&v, "a", NULL));
    assert_false(holds(&v, "*", NULL));
    assert_false(holds(&v, "", NULL));
    assert_false(holds(&v, "\"a\", \"a\"", NULL));
    assert_false(holds(&v, "\"a\"", "\"a\""));
    assert_false(holds(&weak, "\"a\"", NULL));
    assert_false(holds(&weak, "W/\"a\"", NULL));
    /* Dates: equal, not merely older or newer. */
    assert_true(holds(&v, "Sun, 06 Nov 1994 08:49:37 GMT", NULL));
    assert_true(holds(&v, "Sunday, 06-Nov-94 08:49:37 GMT", NULL));
    assert_false(holds(&v, "Sun, 06 Nov 1994 08:49:36 GMT", NULL));
    assert_false(holds(&v, "Sun, 06 Nov 1994 08:49:38 GMT", NULL));
    assert_false(holds(&weak, "Sun, 06 Nov 1994 08:49:37 GMT", NULL));
    /* Last-Modified is strong only when at least a second older than Date (RFC 9110 §8.8.2.2). */
    v.date_s = 784111777;
    assert_false(holds(&v, "Sun, 06 Nov 1994 08:49:37 GMT", NULL));
    v.date_s = 784111778;
    assert_true(holds(&v, "Sun, 06 Nov 1994 08:49:37 GMT", NULL));
    v.date_s = INT64_MIN;
    assert_false(holds(&v, "Sun, 06 Nov 1994 08:49:37 GMT", NULL));
}

/* CACHING.md 6.10: a tag of its own for each coding and level, as strong as the plain one. */
static void makes_tags_of_codings(void **state)
{
    static const struct {
        const char *plain;
        enum coding coding;
        int level;
        const char *out;
    } cases[] = { { "\"abc\"", CODING_BR, 5, "\"abc~br5\"" },
                  { "W/\"abc\"", CODING_GZIP, 9, "W/\"abc~gzip9\"" },
                  { "\"\"", CODING_ZSTD, 19, "\"~zstd19\"" },
                  { "\"a~br5\"", CODING_BR, 0, "\"a~br5~br0\"" } };
    struct arena a;
    (void)state;
    arena_init(&a, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct etag plain = etag_parse(str_from(cases[i].plain));
        struct str tag = etag_of_coding(plain, cases[i].coding, cases[i].level, &a);
        assert_true(str_eq(tag, str_from(cases[i].out)));
        assert_true(etag_is_of_coding(etag_parse(tag), plain));
        assert_true(str_eq(etag_list_plain(tag, &a), str_from(cases[i].plain)));
    }
    arena_fini(&a);
}

static void takes_tags_of_codings_back(void **state)
{
    static const char *const others[] = { "\"abc\"",     "\"abc~br\"",    "\"abc~xz5\"",  "\"abcbr5\"",
                                          "\"abd~br5\"", "\"abc~br100\"", "\"abc~br5 \"", "\"ab~br5\"",
                                          "\"abc~BR5\"", "abc~br5",       "\"abc~br5" };
    static const struct {
        const char *in, *out;
    } lists[] = { { "\"a~br5\", W/\"b~gzip6\" , \"c\"", "\"a\", W/\"b\" , \"c\"" },
                  { "*", "*" },
                  { "~br5", "~br5" },
                  { "\"a~br5", "\"a~br5" },
                  { "x, \"a~zstd3\"y", "x, \"a\"y" },
                  { "\"a, b~br5\"", "\"a, b~br5\"" },
                  { "\"a,b~br5\"", "\"a,b\"" },
                  { "", "" } };
    struct arena a;
    struct request r;
    struct str found;
    struct etag plain = etag_parse(STR("\"abc\""));
    (void)state;
    arena_init(&a, 256);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(etag_is_of_coding(etag_parse(str_from(others[i])), plain));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (!str_eq(etag_list_plain(str_from(lists[i].in), &a), str_from(lists[i].out)))
            fail_msg("%s", lists[i].in);
    request_init(&r);
    request_add(&r, FIELD_IF_NONE_MATCH, "\"x~br5\", \"abc\"");
    assert_false(etag_find_of_coding(&r.fields, plain, ~0u, &found));
    request_add(&r, FIELD_IF_NONE_MATCH, "\"y\" , W/\"abc~gzip1\"");
    assert_true(etag_find_of_coding(&r.fields, plain, ~0u, &found));
    assert_true(str_eq(found, STR("W/\"abc~gzip1\"")));
    assert_false(etag_find_of_coding(&r.fields, plain, 1u << CODING_BR, &found));
    request_add(&r, FIELD_IF_NONE_MATCH, "\"abc~br5\"");
    assert_true(etag_find_of_coding(&r.fields, plain, 1u << CODING_BR, &found));
    assert_true(str_eq(found, STR("\"abc~br5\"")));
    assert_true(etag_is_named(&r.fields, plain));
    assert_true(etag_is_named(&r.fields, etag_parse(STR("W/\"abc~gzip1\""))));
    assert_false(etag_is_named(&r.fields, etag_parse(STR("\"abc~gzip1\""))));
    assert_false(etag_is_named(&r.fields, etag_parse(STR("W/\"abc\""))));
    assert_false(etag_is_named(&r.fields, (struct etag){ 0 }));
    assert_false(etag_find_of_coding(&r.fields, (struct etag){ 0 }, ~0u, &found));
    request_fini(&r);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_entity_tags),
        cmocka_unit_test(compares_entity_tags),
        cmocka_unit_test(makes_tags_of_codings),
        cmocka_unit_test(takes_tags_of_codings_back),
        cmocka_unit_test(answers_if_none_match),
        cmocka_unit_test(matches_no_malformed_tag),
        cmocka_unit_test(answers_if_modified_since),
        cmocka_unit_test(reads_one_valid_date_only),
        cmocka_unit_test(prefers_if_none_match),
        cmocka_unit_test(leaves_other_conditions_to_the_origin),
        cmocka_unit_test(holds_if_range_for_strong_validators_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
