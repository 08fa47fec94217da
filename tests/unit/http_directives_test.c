/* Cache directives: every spelling gives what it allows or less, in Cache-Control and in targeted fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/directives.h"

static void add_flag(struct buf *b, bool on, const char *name)
{
    if (on)
        buf_printf(b, "%s%s", b->n ? " " : "", name);
}

static void add_seconds(struct buf *b, int64_t seconds, const char *name)
{
    if (seconds == DELTA_ANY)
        buf_printf(b, "%s%s=any", b->n ? " " : "", name);
    else if (seconds != DELTA_NONE)
        buf_printf(b, "%s%s=%lld", b->n ? " " : "", name, (long long)seconds);
}

/* "max-age=5 public" and so on; "-" when nothing is there at all, "any" when only `any` is. */
static void describe(const struct directives *d, struct buf *b)
{
    add_seconds(b, d->max_age, "max-age");
    add_seconds(b, d->s_maxage, "s-maxage");
    add_seconds(b, d->stale_while_revalidate, "swr");
    add_seconds(b, d->stale_if_error, "sie");
    add_seconds(b, d->max_stale, "max-stale");
    add_seconds(b, d->min_fresh, "min-fresh");
    add_flag(b, d->no_store, "no-store");
    add_flag(b, d->no_cache, "no-cache");
    add_flag(b, d->private_, "private");
    add_flag(b, d->public_, "public");
    add_flag(b, d->must_revalidate, "must-revalidate");
    add_flag(b, d->proxy_revalidate, "proxy-revalidate");
    add_flag(b, d->must_understand, "must-understand");
    add_flag(b, d->immutable, "immutable");
    add_flag(b, d->no_transform, "no-transform");
    add_flag(b, d->only_if_cached, "only-if-cached");
    if (b->n && !d->any)
        buf_printf(b, " without-any");
    if (!b->n)
        buf_printf(b, d->any ? "any" : "-");
    buf_add_char(b, '\0');
}

/* The lines of a field, on the heap and exactly sized; `lines` are separated by newlines. */
static void add_lines(struct fields *f, struct arena *a, struct str name, const char *lines)
{
    struct str rest = str_from(lines);
    while (rest.p) {
        struct str line = str_cut(&rest, '\n');
        char *copy = malloc(line.n ? line.n : 1);
        assert_non_null(copy);
        memcpy(copy, line.p, line.n);
        fields_add(f, a, name, (struct str){ copy, line.n });
    }
}

static void free_lines(struct fields *f, size_t from)
{
    for (size_t i = from; i < f->n; i++)
        free((void *)(uintptr_t)f->v[i].value.p);
}

static void expect(const char *lines, const char *want)
{
    struct arena a;
    struct fields f = { 0 };
    struct directives d;
    struct buf b = BUF_INIT;
    arena_init(&a, 4096);
    add_lines(&f, &a, STR("Cache-Control"), lines);
    directives_parse(&f, &d);
    describe(&d, &b);
    if (strcmp(b.p, want) != 0)
        fail_msg("Cache-Control: %s\ngave %s\nnot  %s", lines, b.p, want);
    buf_fini(&b);
    free_lines(&f, 0);
    arena_fini(&a);
}

static void reads_each_directive(void **state)
{
    (void)state;
    expect("max-age=3600", "max-age=3600");
    expect("s-maxage=60", "s-maxage=60");
    expect("stale-while-revalidate=7", "swr=7");
    expect("stale-if-error=8", "sie=8");
    expect("max-stale=9", "max-stale=9");
    expect("max-stale", "max-stale=any");
    expect("min-fresh=10", "min-fresh=10");
    expect("no-store", "no-store");
    expect("no-cache", "no-cache");
    expect("private", "private");
    expect("public", "public");
    expect("must-revalidate", "must-revalidate");
    expect("proxy-revalidate", "proxy-revalidate");
    expect("must-understand", "must-understand");
    expect("immutable", "immutable");
    expect("no-transform", "no-transform");
    expect("only-if-cached", "only-if-cached");
    expect("public, max-age=60, s-maxage=300, stale-while-revalidate=600",
           "max-age=60 s-maxage=300 swr=600 public");
}

static void reads_one_list_from_all_lines(void **state)
{
    (void)state;
    expect("s-maxage=3600\nmax-age=1", "max-age=1 s-maxage=3600");
    expect("max-age=60\nno-store", "max-age=60 no-store");
    expect("max-age=60\nno-cache", "max-age=60 no-cache");
    expect("max-age=60\nprivate", "max-age=60 private");
    expect("public, private", "private public");
    expect("\n,\nmax-age=60,,", "max-age=60");
    expect("foobar, max-age=3600", "max-age=3600");
    expect("max-age=3600, foo=\"bar, baz\", public", "max-age=3600 public");
}

static void knows_names_without_case(void **state)
{
    (void)state;
    expect("MaX-aGe=3600", "max-age=3600");
    expect("No-StOrE", "no-store");
    expect("max-age=10000, No-CaChE", "max-age=10000 no-cache");
}

static void skips_what_it_does_not_know(void **state)
{
    (void)state;
    expect("", "-");
    expect(",", "-");
    expect("foo", "-");
    expect("foo=1, bar=\"x\"", "-");
    expect("max-age2=60, xmax-age=60, max_age=60", "-");
    expect("extension=\"no-store\"", "-");
    expect("extension=no-store", "-");
    struct fields none = { 0 };
    struct directives d;
    directives_parse(&none, &d);
    assert_false(d.any);
    assert_int_equal(d.max_age, DELTA_NONE);
}

/* The conformance suite's cc-parse. */
static void reads_no_directive_inside_a_string(void **state)
{
    (void)state;
    expect("max-age=\"3600\"", "max-age=3600");
    expect("extension=\"max-age=3600\", max-age=1", "max-age=1");
    expect("max-age=1, extension=\"max-age=3600\"", "max-age=1");
    expect("extension=\"max-age=3600\", max-age=\"1\"", "max-age=1");
    expect("extension=\"a\\\", max-age=3600, b=\\\"\", max-age=1", "max-age=1");
    expect("extension=\"say \\\"no-store\\\"\", max-age=1", "max-age=1");
    expect("extension=\"\\\\\", private", "private");
}

static void takes_a_lifetime_that_is_no_number_for_stale(void **state)
{
    (void)state;
    expect("max-age='3600'", "max-age=0");
    expect("max-age=-3600", "max-age=0");
    expect("max-age=3600.0", "max-age=0");
    expect("max-age=3600.5", "max-age=0");
    expect("max-age=a3600", "max-age=0");
    expect("max-age=3600a", "max-age=0");
    expect("max-age =3600", "max-age=0");
    expect("max-age= 3600", "max-age=0");
    expect("max-age=36 00", "max-age=0");
    expect("max-age=\" 3600\"", "max-age=0");
    expect("max-age=\"3600", "max-age=0");
    expect("max-age=3600\"", "max-age=0");
    expect("max-age=\"36\\00\"", "max-age=0");
    expect("max-age=\"\"", "max-age=0");
    expect("max-age=", "max-age=0");
    expect("max-age", "max-age=0");
    expect("max-age=+5", "max-age=0");
    expect("max-age=0x10", "max-age=0");
    expect("max-age=1e3", "max-age=0");
    expect("max-age=3600;foo", "max-age=0");
    expect("max-age==3600", "max-age=0");
    expect("s-maxage=x, max-age=60", "max-age=60 s-maxage=0");
}

static void caps_seconds(void **state)
{
    (void)state;
    expect("max-age=0", "max-age=0");
    expect("max-age=003600", "max-age=3600");
    expect("max-age=00000000000000000000000000000000005", "max-age=5");
    expect("max-age=2147483647", "max-age=2147483647");
    expect("max-age=2147483648", "max-age=2147483648");
    expect("max-age=2147483649", "max-age=2147483648");
    expect("max-age=99999999999", "max-age=2147483648");
    expect("max-age=99999999999999999999999999999999999999999999", "max-age=2147483648");
    expect("stale-while-revalidate=99999999999999999999", "swr=2147483648");
}

static void keeps_the_first_of_duplicates(void **state)
{
    (void)state;
    expect("max-age=1800, max-age=1", "max-age=1800");
    expect("max-age=1, max-age=1800", "max-age=1");
    expect("max-age=1\nmax-age=1800", "max-age=1");
    expect("max-age=x, max-age=1800", "max-age=0");
    expect("stale-if-error=x, stale-if-error=60", "any");
    expect("stale-while-revalidate=5, stale-while-revalidate", "swr=5");
}

static void gives_no_window_for_what_is_no_number(void **state)
{
    (void)state;
    expect("stale-while-revalidate", "swr=31536000");
    expect("max-age=0, stale-while-revalidate", "max-age=0 swr=31536000");
    expect("stale-while-revalidate=x", "any");
    expect("stale-while-revalidate=", "any");
    expect("stale-while-revalidate=-1", "any");
    expect("stale-while-revalidate =60", "any");
    expect("stale-if-error", "any");
    expect("stale-if-error=x", "any");
    expect("max-stale=x", "any");
    expect("min-fresh", "any");
}

static void counts_qualified_directives_as_whole(void **state)
{
    (void)state;
    expect("no-cache=\"a, b\", max-age=3600", "max-age=3600 no-cache");
    expect("no-cache=\"a\"\nmax-age=3600", "max-age=3600 no-cache");
    expect("private=\"Set-Cookie\"", "private");
    expect("private=set-cookie", "private");
    expect("no-store=1", "no-store");
    expect("no-cache=", "no-cache");
    /* What gives leave does so only as the standard writes it. */
    expect("public=\"x\"", "any");
    expect("must-understand=1, no-store", "no-store");
    expect("immutable=x", "any");
}

/* Malformed members forbid what they seem to forbid and allow nothing. */
static void reads_restrictions_out_of_malformed_members(void **state)
{
    (void)state;
    expect("no-cache; no-store; private", "no-store no-cache private");
    expect("max-age=0; no-cache; no-store", "max-age=0 no-store no-cache");
    expect("max-age=3600; private", "max-age=0 private");
    expect("public; max-age=3600", "-");
    expect("no-cache no-store", "no-store no-cache");
    expect("foo=\"bar, no-store", "no-store");
    expect("max-age=60, foo=\"bar, NO-STORE", "max-age=60 no-store");
    expect("foo=\"bar\nno-store", "no-store");
    expect("\"private\"", "private");
    expect("(no-store)", "no-store");
    expect("no-store =x", "no-store");
    expect("foo bar=no-stored, no-private", "-");
    expect("foo/no-store-at-all", "-");
    expect("foo bar no-store_x x_private", "-");
    expect("foo=\"no-store\\\"", "no-store");
}

/* CACHING.md 4.9: what comes behind 64 members may only forbid. */
static void hears_only_restrictions_behind_64_members(void **state)
{
    struct buf b = BUF_INIT;
    (void)state;
    for (size_t i = 0; i < 63; i++)
        buf_printf(&b, i % 8 ? "x," : "x\n");
    size_t n = b.n;
    buf_printf(&b, "max-age=9%c", '\0');
    expect(b.p, "max-age=9");
    b.n = n;
    buf_printf(&b, "public, max-age=9, no-cache=\"x\"\ny=\"private\", immutable%c", '\0');
    expect(b.p, "no-cache private public");
    b.n = n;
    buf_printf(&b, "public, max-age=0%c", '\0');
    expect(b.p, "no-cache public");
    buf_fini(&b);
}

static void expect_delta(const char *text, bool ok, int64_t seconds)
{
    int64_t got = -7;
    assert_int_equal(delta_parse(str_from(text), &got), ok);
    if (ok)
        assert_int_equal(got, seconds);
}

static void parses_delta_seconds(void **state)
{
    (void)state;
    expect_delta("0", true, 0);
    expect_delta("7200", true, 7200);
    expect_delta("007", true, 7);
    expect_delta("2147483648", true, DELTA_MAX);
    expect_delta("2147483649", true, DELTA_MAX);
    expect_delta("18446744073709551616", true, DELTA_MAX);
    expect_delta("", false, 0);
    expect_delta("-7200", false, 0);
    expect_delta("+1", false, 0);
    expect_delta("7200.0", false, 0);
    expect_delta("abc", false, 0);
    expect_delta("99999999999999999999a", false, 0);
    expect_delta(" 1", false, 0);
    expect_delta("1 ", false, 0);
    expect_delta("7200;foo=bar", false, 0);
}

/* "LINE of LINES, BYTE", or "-". */
static void expect_bad(const char *lines, const char *want)
{
    struct arena a;
    struct fields f = { 0 };
    struct directives d;
    struct field_spot bad;
    char got[64] = "-";
    arena_init(&a, 4096);
    add_lines(&f, &a, STR("CDN-Cache-Control"), lines);
    directives_parse_targeted(&f, STR("cdn-cache-control"), &a, &d, &bad);
    if (bad.byte)
        snprintf(got, sizeof(got), "%u of %u, %u", bad.line, bad.lines, bad.byte);
    if (strcmp(got, want) != 0)
        fail_msg("CDN-Cache-Control: %s: \"%s\" instead of \"%s\"", lines, got, want);
    free_lines(&f, 0);
    arena_fini(&a);
}

/* As people count, from 1, in the line as it was sent. */
static void says_where_a_targeted_field_is_wrong(void **state)
{
    (void)state;
    expect_bad("max-age=60", "-");
    expect_bad("", "-");
    expect_bad("Max-Age=60", "1 of 1, 1");
    expect_bad("max-age = 60", "1 of 1, 9");
    expect_bad("max-age=60,", "1 of 1, 11");
    expect_bad("max-age=", "1 of 1, 9");
    expect_bad("public, Max-Age=60", "1 of 1, 9");
    /* Several lines are one dictionary; what is wrong between two is told of the first. */
    expect_bad("max-age=60\npublic;", "2 of 2, 8");
    expect_bad("max-age=60,\npublic", "1 of 2, 12");
    expect_bad("public\nmax-age=60\nNo-Store", "3 of 3, 1");
    expect_bad("public\n", "1 of 2, 7");
    /* It parses, but no seconds stand where they belong. */
    expect_bad("max-age=\"60\"", "1 of 1, 9");
    expect_bad("max-age=60.5", "1 of 1, 9");
    expect_bad("max-age", "1 of 1, 8");
    expect_bad("public\ns-maxage=1h", "2 of 2, 11"); /* a number, and then what nobody expects */
    expect_bad("public\ns-maxage=one", "2 of 2, 10");
    expect_bad("max-age=60, stale-while-revalidate=x", "1 of 1, 36");
    expect_bad("max-age=60, stale-while-revalidate", "-");
    expect_bad("max-age=?0, s-maxage=-1, no-store=5, fresh=maybe", "-");
}

static void expect_targeted(const char *lines, enum targeted_result result, const char *want)
{
    struct arena a;
    struct fields f = { 0 };
    struct directives d;
    struct buf b = BUF_INIT;
    arena_init(&a, 4096);
    /* Nothing is merged. */
    fields_add(&f, &a, STR("Cache-Control"), STR("max-age=1, private, only-if-cached"));
    add_lines(&f, &a, STR("CDN-Cache-Control"), lines);
    struct field_spot bad;
    enum targeted_result got = directives_parse_targeted(&f, STR("cdn-cache-control"), &a, &d, &bad);
    assert_true(got == TARGETED_OK || (bad.byte > 0) == (got == TARGETED_INVALID));
    describe(&d, &b);
    if (got != result || strcmp(b.p, want) != 0)
        fail_msg("CDN-Cache-Control: %s\ngave %d %s\nnot  %d %s", lines, got, b.p, result, want);
    buf_fini(&b);
    free_lines(&f, 1);
    arena_fini(&a);
}

static void expect_ok(const char *lines, const char *want)
{
    expect_targeted(lines, TARGETED_OK, want);
}

static void reads_targeted_fields(void **state)
{
    (void)state;
    expect_ok("max-age=3600", "max-age=3600");
    expect_ok("s-maxage=60,stale-while-revalidate=60,durable", "s-maxage=60 swr=60");
    expect_ok("public, max-age=31536000, must-revalidate", "max-age=31536000 public must-revalidate");
    expect_ok("max-age=2147483648", "max-age=2147483648");
    expect_ok("max-age=99999999999", "max-age=2147483648");
    expect_ok("foobar, max-age=3600", "max-age=3600");
    expect_ok("no-store", "no-store");
    expect_ok("private", "private");
    expect_ok("no-cache", "no-cache");
    expect_ok("foo", "-");
    expect_ok("max-age=60\nno-store", "max-age=60 no-store");
    expect_ok("max-age=60;for=you;no-store, public", "max-age=60 public");
    expect_ok("stale-while-revalidate, stale-if-error=5", "swr=31536000 sie=5");
}

static void knows_an_absent_targeted_field(void **state)
{
    struct arena a;
    struct fields f = { 0 };
    struct directives d;
    struct field_spot bad;
    (void)state;
    arena_init(&a, 4096);
    assert_int_equal(directives_parse_targeted(&f, STR("CDN-Cache-Control"), &a, &d, &bad), TARGETED_ABSENT);
    assert_int_equal(d.max_age, DELTA_NONE);
    fields_add(&f, &a, STR("Cache-Control"), STR("max-age=60"));
    assert_int_equal(directives_parse_targeted(&f, STR("CDN-Cache-Control"), &a, &d, &bad), TARGETED_ABSENT);
    assert_false(d.any);
    /* A name that no table knows. */
    fields_add(&f, &a, STR("Surrogate-Control"), STR("max-age=60"));
    assert_int_equal(directives_parse_targeted(&f, STR("surrogate-control"), &a, &d, &bad), TARGETED_OK);
    assert_int_equal(d.max_age, 60);
    arena_fini(&a);
    expect_targeted("", TARGETED_ABSENT, "-");
    expect_targeted("  \t", TARGETED_ABSENT, "-");
}

/* RFC 9213 §2.1, RFC 9651; CACHING.md 1.2. */
static void heeds_the_types_of_targeted_directives(void **state)
{
    (void)state;
    /* A bad lifetime is stale. */
    expect_ok("max-age=-1", "max-age=0");
    expect_ok("max-age=1.5", "max-age=0");
    expect_ok("max-age=\"10000\"", "max-age=0");
    expect_ok("max-age=x", "max-age=0");
    expect_ok("max-age", "max-age=0");
    expect_ok("max-age=(60)", "max-age=0");
    expect_ok("max-age=60, s-maxage=-5", "max-age=60 s-maxage=0");
    /* ?0 is absent, ?1 is the bare directive. */
    expect_ok("max-age=?0", "-");
    expect_ok("no-store=?0, private=?0, public=?0", "-");
    expect_ok("no-store=?1, public=?1", "no-store public");
    /* The last of duplicates. */
    expect_ok("max-age=60, max-age=5", "max-age=5");
    expect_ok("no-store, no-store=?0", "-");
    expect_ok("max-age=60\nmax-age=7", "max-age=7");
    /* Other types are ignored. */
    expect_ok("no-store=1, public=2, immutable=yes, must-understand=1.0", "any");
    expect_ok("stale-while-revalidate=-1, stale-if-error=1.5", "any");
    expect_ok("stale-while-revalidate=\"60\", stale-if-error", "any");
    expect_ok("private=\"Set-Cookie\", no-cache=\"a, b\"", "no-cache private");
    expect_ok("private=(\"a\" \"b\"), no-cache=a", "no-cache private");
}

static void ignores_a_targeted_field_that_does_not_parse(void **state)
{
    (void)state;
    expect_targeted("max-age=10000, &&&&&", TARGETED_INVALID, "-");
    expect_targeted("max-age =100", TARGETED_INVALID, "-");
    expect_targeted("max-age= 100", TARGETED_INVALID, "-");
    expect_targeted("MaX-aGe=3600", TARGETED_INVALID, "-");
    expect_targeted("max-age=9999999999999999", TARGETED_INVALID, "-");
    expect_targeted("max-age=60,", TARGETED_INVALID, "-");
    expect_targeted("public; max-age=60", TARGETED_OK, "public");
    /* What it seems to forbid stays forbidden. */
    expect_targeted("No-Store", TARGETED_INVALID, "no-store without-any");
    expect_targeted("max-age=60, Private", TARGETED_INVALID, "no-store without-any");
    expect_targeted("no-cache,", TARGETED_INVALID, "no-store without-any");
    expect_targeted("foo=\"no-store", TARGETED_INVALID, "no-store without-any");
    expect_targeted("no-stored, privately,", TARGETED_INVALID, "-");
}

/* CACHING.md 4.9: of a targeted field 512 bytes are read, a longer one does not parse. */
static void reads_512_bytes_of_a_targeted_field(void **state)
{
    struct buf b = BUF_INIT;
    (void)state;
    buf_printf(&b, "max-age=60, private, x=\"");
    while (b.n < 511)
        buf_add_char(&b, 'x');
    buf_printf(&b, "\"%c", '\0');
    expect_targeted(b.p, TARGETED_OK, "max-age=60 private");
    b.n -= 2;
    buf_printf(&b, "x\"%c", '\0');
    expect_targeted(b.p, TARGETED_INVALID, "no-store without-any");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_directive),
        cmocka_unit_test(reads_one_list_from_all_lines),
        cmocka_unit_test(knows_names_without_case),
        cmocka_unit_test(skips_what_it_does_not_know),
        cmocka_unit_test(reads_no_directive_inside_a_string),
        cmocka_unit_test(takes_a_lifetime_that_is_no_number_for_stale),
        cmocka_unit_test(caps_seconds),
        cmocka_unit_test(keeps_the_first_of_duplicates),
        cmocka_unit_test(gives_no_window_for_what_is_no_number),
        cmocka_unit_test(counts_qualified_directives_as_whole),
        cmocka_unit_test(reads_restrictions_out_of_malformed_members),
        cmocka_unit_test(hears_only_restrictions_behind_64_members),
        cmocka_unit_test(parses_delta_seconds),
        cmocka_unit_test(reads_targeted_fields),
        cmocka_unit_test(says_where_a_targeted_field_is_wrong),
        cmocka_unit_test(knows_an_absent_targeted_field),
        cmocka_unit_test(heeds_the_types_of_targeted_directives),
        cmocka_unit_test(ignores_a_targeted_field_that_does_not_parse),
        cmocka_unit_test(reads_512_bytes_of_a_targeted_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
