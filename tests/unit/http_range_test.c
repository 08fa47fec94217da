/* Ranges: what lies inside the representation is given, too much or malformed is ignored, nothing inside is a
 * 416. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/range.h"

#define MAX 4

static struct str copy_of(const char *text)
{
    size_t n = strlen(text);
    char *p = malloc(n ? n : 1);
    assert_non_null(p);
    memcpy(p, text, n);
    return (struct str){ p, n };
}

/* `want`: "0-9 20-29", "ignore" or "416". */
static void expect_max(const char *text, uint64_t length, size_t max, const char *want)
{
    struct str value = copy_of(text);
    struct range *out = malloc(max ? max * sizeof(*out) : 1);
    char got[256] = "";
    size_t n = 99, at = 0;
    assert_non_null(out);
    switch (range_parse(value, length, out, max, &n)) {
    case RANGE_OK:
        assert_in_range(n, 1, max);
        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%llu-%llu", i ? " " : "",
                                   (unsigned long long)out[i].first, (unsigned long long)out[i].last);
        break;
    case RANGE_IGNORE: strcpy(got, "ignore"); break;
    case RANGE_UNSATISFIABLE: strcpy(got, "416"); break;
    }
    if (strcmp(got, want) != 0)
        fail_msg("\"%s\" of %llu gave %s, not %s", text, (unsigned long long)length, got, want);
    free(out);
    free((void *)(uintptr_t)value.p);
}

static void expect(const char *text, uint64_t length, const char *want)
{
    expect_max(text, length, MAX, want);
}

static void gives_single_ranges(void **state)
{
    (void)state;
    expect("bytes=0-9", 1000, "0-9");
    expect("bytes=0-0", 1000, "0-0");
    expect("bytes=999-999", 1000, "999-999");
    expect("bytes=-10", 1000, "990-999");
    expect("bytes=990-", 1000, "990-999");
    expect("bytes=0-", 1000, "0-999");
    expect("bytes=990-2000", 1000, "990-999");
    expect("bytes=-2000", 1000, "0-999");
    expect("bytes=-1", 1, "0-0");
    expect("bytes=00-009", 1000, "0-9");
}

static void knows_the_unit_without_case_and_no_other(void **state)
{
    (void)state;
    expect("Bytes=0-9", 1000, "0-9");
    expect("BYTES=0-9", 1000, "0-9");
    expect("items=0-9", 1000, "ignore");
    expect("byte=0-9", 1000, "ignore");
    expect("bytes 0-9", 1000, "ignore");
    expect("bytes =0-9", 1000, "ignore");
    expect("bytes", 1000, "ignore");
    expect("", 1000, "ignore");
}

static void ignores_what_is_malformed(void **state)
{
    (void)state;
    expect("bytes=", 1000, "ignore");
    expect("bytes=,", 1000, "ignore");
    expect("bytes=-", 1000, "ignore");
    expect("bytes=5", 1000, "ignore");
    expect("bytes=5-4", 1000, "ignore");
    expect("bytes=a-9", 1000, "ignore");
    expect("bytes=0-a", 1000, "ignore");
    expect("bytes=0--9", 1000, "ignore");
    expect("bytes=--9", 1000, "ignore");
    expect("bytes=0-9-", 1000, "ignore");
    expect("bytes=+0-9", 1000, "ignore");
    expect("bytes=0 -9", 1000, "ignore");
    expect("bytes=0- 9", 1000, "ignore");
    expect("bytes=0x0-9", 1000, "ignore");
    expect("bytes=0-9;10-19", 1000, "ignore");
    /* One bad member spoils the set, whatever else is in it. */
    expect("bytes=0-9,x", 1000, "ignore");
    expect("bytes=x,0-9", 1000, "ignore");
    expect("bytes=2000-,9-8", 1000, "ignore");
}

static void calls_what_lies_outside_unsatisfiable(void **state)
{
    (void)state;
    expect("bytes=1000-", 1000, "416");
    expect("bytes=1000-1001", 1000, "416");
    expect("bytes=-0", 1000, "416");
    expect("bytes=1000-,2000-3000,-0", 1000, "416");
    expect("bytes=0-", 0, "416");
    expect("bytes=0-0", 0, "416");
    expect("bytes=-5", 0, "416");
    expect("bytes=5-4", 0, "ignore");
}

static void takes_numbers_of_any_length(void **state)
{
    (void)state;
    expect("bytes=0-9223372036854775807", 1000, "0-999");
    expect("bytes=0-9223372036854775808", 1000, "0-999");
    expect("bytes=0-18446744073709551616", 1000, "0-999");
    expect("bytes=5-99999999999999999999999999999999999999999", 1000, "5-999");
    expect("bytes=-99999999999999999999999999999999999999999", 1000, "0-999");
    expect("bytes=18446744073709551615-", 1000, "416");
    expect("bytes=99999999999999999999999999999999999999999-", 1000, "416");
    expect("bytes=18446744073709551616-18446744073709551617", 1000, "416");
    expect("bytes=18446744073709551616-5", 1000, "ignore");
    expect("bytes=0-9999999999999999999999a", 1000, "ignore");
    expect("bytes=0-,0-", (uint64_t)INT64_MAX, "ignore");
    expect("bytes=-1", (uint64_t)INT64_MAX, "9223372036854775806-9223372036854775806");
}

static void gives_several_in_the_order_asked(void **state)
{
    (void)state;
    expect("bytes=0-9,20-29", 1000, "0-9 20-29");
    expect("bytes=20-29, 0-9", 1000, "20-29 0-9");
    expect("bytes= 0-9 ,\t,, -1 ,", 1000, "0-9 999-999");
    expect("bytes=0-0,2000-,-1", 1000, "0-0 999-999");
    expect("bytes=2000-,-1", 1000, "999-999");
}

static void refuses_to_amplify(void **state)
{
    (void)state;
    /* Too many, even of those that are not there. */
    expect("bytes=0-0,1-1,2-2,3-3", 1000, "0-0 1-1 2-2 3-3");
    expect("bytes=0-0,1-1,2-2,3-3,4-4", 1000, "ignore");
    expect("bytes=2000-,2001-,2002-,2003-,2004-", 1000, "ignore");
    expect_max("bytes=0-0", 1000, 0, "ignore");
    expect_max("bytes=0-0", 1000, 1, "0-0");
    expect_max("bytes=0-0,1-1", 1000, 1, "ignore");
    /* Two may overlap (a player asks so), three may not. */
    expect("bytes=0-9,5-14", 1000, "0-9 5-14");
    expect("bytes=0-9,5-14,100-109", 1000, "0-9 5-14 100-109");
    expect("bytes=0-9,5-14,9-20", 1000, "ignore");
    expect("bytes=0-0,0-0,0-0", 1000, "ignore");
    expect("bytes=0-9,5-14,100-109,105-110", 1000, "ignore");
    /* No more in all than the whole. */
    expect("bytes=0-499,500-999", 1000, "0-499 500-999");
    expect("bytes=0-499,499-999", 1000, "ignore");
    expect("bytes=0-,0-", 1000, "ignore");
    expect("bytes=0-,0-", 1, "ignore");
}

static void expect_single(const char *text, bool ok, uint64_t first, uint64_t last, bool open)
{
    struct str value = copy_of(text);
    uint64_t f = 77, l = 77;
    bool o = !open;
    bool got = range_parse_single(value, &f, &l, &o);
    if (got != ok || (ok && (f != first || l != last || o != open)))
        fail_msg("\"%s\" gave %d %llu-%llu %d", text, got, (unsigned long long)f, (unsigned long long)l, o);
    free((void *)(uintptr_t)value.p);
}

static void reads_a_single_range_without_a_length(void **state)
{
    (void)state;
    expect_single("bytes=5-9", true, 5, 9, false);
    expect_single("bytes=5-", true, 5, INT64_MAX, true);
    expect_single("BYTES=0-0", true, 0, 0, false);
    expect_single("bytes=0-99999999999999999999", true, 0, INT64_MAX, false);
    expect_single("bytes=-5", false, 0, 0, false);
    expect_single("bytes=9-5", false, 0, 0, false);
    expect_single("bytes=0-1,2-3", false, 0, 0, false);
    expect_single("bytes=0-1,x", false, 0, 0, false);
    expect_single("bytes=99999999999999999999-", false, 0, 0, false);
    expect_single("bytes=", false, 0, 0, false);
    expect_single("items=0-1", false, 0, 0, false);
}

static void expect_content(const char *text, bool ok, uint64_t first, uint64_t last, uint64_t length)
{
    struct str value = copy_of(text);
    struct range r = { 77, 77 };
    uint64_t l = 77;
    bool got = content_range_parse(value, &r, &l);
    if (got != ok || (ok && (r.first != first || r.last != last || l != length)))
        fail_msg("\"%s\" gave %d %llu-%llu/%llu", text, got, (unsigned long long)r.first,
                 (unsigned long long)r.last, (unsigned long long)l);
    free((void *)(uintptr_t)value.p);
}

static void reads_content_range(void **state)
{
    (void)state;
    expect_content("bytes 0-9/100", true, 0, 9, 100);
    expect_content("bytes 4-9/10", true, 4, 9, 10);
    expect_content("Bytes 0-9/10", true, 0, 9, 10);
    expect_content("bytes 5-5/*", true, 5, 5, UINT64_MAX);
    expect_content("bytes 0-9/9", false, 0, 0, 0);
    expect_content("bytes 9-0/100", false, 0, 0, 0);
    expect_content("bytes */100", false, 0, 0, 0);
    expect_content("bytes 0-9", false, 0, 0, 0);
    expect_content("bytes 0-9/", false, 0, 0, 0);
    expect_content("bytes 0-/10", false, 0, 0, 0);
    expect_content("bytes -9/10", false, 0, 0, 0);
    expect_content("bytes 0/10", false, 0, 0, 0);
    expect_content("bytes 0-9/100/200", false, 0, 0, 0);
    expect_content("bytes 0-9-10/100", false, 0, 0, 0);
    expect_content("bytes=0-9/100", false, 0, 0, 0);
    expect_content("bytes  0-9/100", false, 0, 0, 0);
    expect_content("bytes 0-9 /100", false, 0, 0, 0);
    expect_content("items 0-9/100", false, 0, 0, 0);
    expect_content("bytes", false, 0, 0, 0);
    expect_content("", false, 0, 0, 0);
    expect_content("bytes 0-9223372036854775806/9223372036854775807", true, 0, INT64_MAX - 1, INT64_MAX);
    expect_content("bytes 0-9/9223372036854775808", false, 0, 0, 0);
    expect_content("bytes 0-18446744073709551615/*", false, 0, 0, 0);
}

static void expect_content_written(struct range r, uint64_t length, const char *text)
{
    struct buf b = BUF_INIT;
    content_range_write(&b, r, length);
    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
    buf_fini(&b);
    expect_content(text, true, r.first, r.last, length);
}

static void writes_content_range(void **state)
{
    (void)state;
    expect_content_written((struct range){ 0, 9 }, 100, "bytes 0-9/100");
    expect_content_written((struct range){ 7, 7 }, UINT64_MAX, "bytes 7-7/*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_single_ranges),
        cmocka_unit_test(knows_the_unit_without_case_and_no_other),
        cmocka_unit_test(ignores_what_is_malformed),
        cmocka_unit_test(calls_what_lies_outside_unsatisfiable),
        cmocka_unit_test(takes_numbers_of_any_length),
        cmocka_unit_test(gives_several_in_the_order_asked),
        cmocka_unit_test(refuses_to_amplify),
        cmocka_unit_test(reads_a_single_range_without_a_length),
        cmocka_unit_test(reads_content_range),
        cmocka_unit_test(writes_content_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
