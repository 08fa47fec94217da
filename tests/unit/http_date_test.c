/* HTTP dates: what is written is read back for all years, the three forms are read, nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http/date.h"

#define FIRST_S INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_S  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DAY_S   86400
#define NOW_S   INT64_C(1792324800) /* in 2026 */

/* On the heap and exactly sized, so that the sanitizer sees a read behind the end. */
static bool parse_copy(const char *text, size_t n, int64_t now_s, int64_t *out)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    bool ok = http_date_parse((struct str){ copy, n }, now_s, out);
    free(copy);
    return ok;
}

static void expect(const char *text, int64_t seconds)
{
    int64_t got = INT64_MIN;
    if (!parse_copy(text, strlen(text), NOW_S, &got) || got != seconds)
        fail_msg("\"%s\" gave %lld, not %lld", text, (long long)got, (long long)seconds);
}

static void expect_none(const char *text)
{
    int64_t got = 0;
    if (parse_copy(text, strlen(text), NOW_S, &got))
        fail_msg("\"%s\" was taken for a date, %lld", text, (long long)got);
}

/* The C library's calendar, an independent opinion. */
static int64_t seconds_of(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
    return timegm(&tm) + hour * 3600 + minute * 60 + second;
}

static void check_one(int64_t seconds)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char got[HTTP_DATE_BYTES + 1] = { 0 }, want[64];
    struct tm tm;
    time_t t = (time_t)seconds;
    assert_non_null(gmtime_r(&t, &tm));
    snprintf(want, sizeof(want), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
             months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    http_date_write(got, seconds);
    assert_string_equal(got, want);
    expect(got, seconds);
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    check_one(FIRST_S);
    check_one(LAST_S);
    /* Every day of the centuries that matter, each at another time of day. */
    for (int64_t s = seconds_of(1890, 1, 1, 0, 0, 0); s < seconds_of(2110, 1, 1, 0, 0, 0); s += DAY_S + 13)
        check_one(s);
    /* Far away: 29 days and some, so that all days of months and years' ends are met. */
    for (int64_t s = FIRST_S; s <= LAST_S; s += 29 * DAY_S + 43207)
        check_one(s);
    /* The seams: each year's last and first second. */
    for (int year = 1; year < 9999; year++) {
        int64_t s = seconds_of(year + 1, 1, 1, 0, 0, 0);
        check_one(s - 1);
        check_one(s);
        check_one(s + 59 * DAY_S); /* 29 February or 1 March */
    }
}

static void expect_written(int64_t seconds, const char *text)
{
    char got[HTTP_DATE_BYTES + 1] = { 0 };
    http_date_write(got, seconds);
    assert_string_equal(got, text);
}

static void writes_years_of_four_digits_only(void **state)
{
    (void)state;
    expect_written(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_written(FIRST_S - 1, "Mon, 01 Jan 0001 00:00:00 GMT");
    expect_written(INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT");
    expect_written(LAST_S + 1, "Fri, 31 Dec 9999 23:59:59 GMT");
    expect_written(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void reads_the_three_forms(void **state)
{
    (void)state;
    expect("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    expect("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    expect("Sun Nov  6 08:49:37 1994", 784111777);
    expect("Wed Nov 16 08:49:37 1994", 784111777 + 10 * DAY_S);
    /* Valid Expires of the conformance suite. */
    expect("Tue, 19 Jan 2038 14:14:08 GMT", seconds_of(2038, 1, 19, 14, 14, 8));
    expect("Sun, 21 Nov 2286 04:46:39 GMT", seconds_of(2286, 11, 21, 4, 46, 39));
    expect("Thursday, 18-Aug-50 02:01:18 GMT", seconds_of(2050, 8, 18, 2, 1, 18));
    expect("Thu Aug  8 02:01:18 2050", seconds_of(2050, 8, 8, 2, 1, 18));
    expect("THU, 18 Aug 2050 02:01:18 GMT", seconds_of(2050, 8, 18, 2, 1, 18));
    expect("Thu, 18 AUG 2050 02:01:18 GMT", seconds_of(2050, 8, 18, 2, 1, 18));
    expect("Thu, 18 Aug 2050 02:01:18 gMT", seconds_of(2050, 8, 18, 2, 1, 18));
}

static void compares_no_day_of_the_week_with_its_date(void **state)
{
    (void)state;
    expect("Mon, 06 Nov 1994 08:49:37 GMT", 784111777);
    expect("saturday, 06-nov-94 08:49:37 gmt", 784111777);
    expect_none("Xyz, 06 Nov 1994 08:49:37 GMT");
}

static void takes_a_leap_second_for_the_one_before(void **state)
{
    (void)state;
    expect("Sat, 31 Dec 2016 23:59:60 GMT", seconds_of(2016, 12, 31, 23, 59, 59));
    expect_none("Sat, 31 Dec 2016 23:59:61 GMT");
}

static void refuses_what_no_calendar_has(void **state)
{
    (void)state;
    expect("Tue, 29 Feb 2000 00:00:00 GMT", seconds_of(2000, 2, 29, 0, 0, 0));
    expect_none("Wed, 29 Feb 1900 00:00:00 GMT");
    expect_none("Sun, 29 Feb 2026 00:00:00 GMT");
    expect_none("Sun, 30 Feb 2024 00:00:00 GMT");
    expect_none("Sun, 31 Apr 2024 00:00:00 GMT");
    expect_none("Sun, 32 Jan 2024 00:00:00 GMT");
    expect_none("Sun, 00 Jan 2024 00:00:00 GMT");
    expect_none("Sun Jan  0 00:00:00 2024");
    expect_none("Sun, 01 Jan 0000 00:00:00 GMT");
    expect_none("Sun, 01 Jan 2024 24:00:00 GMT");
    expect_none("Sun, 01 Jan 2024 23:60:00 GMT");
}

static void refuses_any_other_spelling(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "-1",
        "foo",
        "Sun",
        "Sun, ",
        /* Invalid Expires of the conformance suite. */
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 2050 02:01:18 AEST",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT, Thu, 18 Aug 2050 2:01:19 GMT",
        /* Others seen in the wild. */
        "Thu, 18 Aug 2050 02:01:18 +0000",
        "Thu, 18 Aug 2050 02:01:18",
        "Thu, 18 Aug 2050 02:01:18 GMT;length=1",
        " Thu, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT ",
        "Thu,18 Aug 2050 02:01:18 GMT",
        "Thu,  18 Aug 2050 02:01:18 GMT",
        "Thu, 8 Aug 2050 02:01:18 GMT",
        "Thu,  8 Aug 2050 02:01:18 GMT",
        "Thu, +8 Aug 2050 02:01:18 GMT",
        "Thu, 18 August 2050 02:01:18 GMT",
        "Thu, 18 Aug 12050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01 GMT",
        "Thu, 18 Aug 2050 002:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18.000 GMT",
        "Thursday, 18 Aug 2050 02:01:18 GMT",
        "Thursday, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18-Aug-50 02:01:18 GMT",
        "Thursday 18-Aug-50 02:01:18 GMT",
        "Thursday, 8-Aug-50 02:01:18 GMT",
        "Thu Aug 8 02:01:18 2050",
        "Thu Aug 08 02:01:18 50",
        "Thu Aug   8 02:01:18 2050",
        "Thu Aug  8 02:01:18 2050 GMT",
        "Thu Aug  18 02:01:18 2050",
        "Thu, Aug  8 02:01:18 2050",
        "Thursday Aug  8 02:01:18 2050",
        "2050-08-18T02:01:18Z",
        "1994-11-06 08:49:37",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_none(bad[i]);
}

/* Every beginning of a date, and a date with any byte changed into one that no date has there. */
static void refuses_damaged_dates(void **state)
{
    static const char *const good[] = { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994" };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t n = strlen(good[i]);
        char text[64];
        int64_t out;
        for (size_t at = 0; at < n; at++) {
            assert_false(parse_copy(good[i], at, NOW_S, &out));
            for (int byte = 0; byte < 256; byte++) {
                memcpy(text, good[i], n);
                text[at] = (char)byte;
                if (!is_alpha(text[at]) && !is_digit(text[at]) && byte != ' ' && text[at] != good[i][at])
                    assert_false(parse_copy(text, n, NOW_S, &out));
            }
            text[n] = good[i][at];
            assert_false(parse_copy(text, n + 1, NOW_S, &out));
        }
    }
}

static int64_t rfc850_at(int64_t now_s, const char *text)
{
    int64_t got = INT64_MIN;
    assert_true(parse_copy(text, strlen(text), now_s, &got));
    return got;
}

/* RFC 9110 §5.6.7: more than 50 years ahead means the past. */
static void places_two_digit_years_around_now(void **state)
{
    int64_t now = seconds_of(2026, 7, 1, 12, 0, 0);
    (void)state;
    assert_int_equal(rfc850_at(now, "Sunday, 06-Nov-94 08:49:37 GMT"), seconds_of(1994, 11, 6, 8, 49, 37));
    assert_int_equal(rfc850_at(now, "Sunday, 06-Nov-26 08:49:37 GMT"), seconds_of(2026, 11, 6, 8, 49, 37));
    assert_int_equal(rfc850_at(now, "Sunday, 06-Nov-25 08:49:37 GMT"), seconds_of(2025, 11, 6, 8, 49, 37));
    /* Exactly 50 years, and a second more. */
    assert_int_equal(rfc850_at(now, "Sunday, 01-Jul-76 12:00:00 GMT"), seconds_of(2076, 7, 1, 12, 0, 0));
    assert_int_equal(rfc850_at(now, "Sunday, 01-Jul-76 12:00:01 GMT"), seconds_of(1976, 7, 1, 12, 0, 1));
    /* The next century is near at its end, the last one at its beginning. */
    now = seconds_of(2099, 6, 1, 0, 0, 0);
    assert_int_equal(rfc850_at(now, "Sunday, 01-Jan-01 00:00:00 GMT"), seconds_of(2101, 1, 1, 0, 0, 0));
    now = seconds_of(2001, 6, 1, 0, 0, 0);
    assert_int_equal(rfc850_at(now, "Sunday, 01-Jan-99 00:00:00 GMT"), seconds_of(1999, 1, 1, 0, 0, 0));
    /* 29 February exists in the year that is meant. */
    assert_int_equal(rfc850_at(now, "Tuesday, 29-Feb-00 00:00:00 GMT"), seconds_of(2000, 2, 29, 0, 0, 0));
    now = seconds_of(2060, 6, 1, 0, 0, 0);
    int64_t out;
    assert_false(http_date_parse(STR("Tuesday, 29-Feb-00 00:00:00 GMT"), now, &out));
    /* A clock that is far off makes no trouble. */
    http_date_parse(STR("Sunday, 06-Nov-94 08:49:37 GMT"), INT64_MAX, &out);
    assert_false(http_date_parse(STR("Sunday, 06-Nov-94 08:49:37 GMT"), INT64_MIN, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(writes_years_of_four_digits_only),
        cmocka_unit_test(reads_the_three_forms),
        cmocka_unit_test(compares_no_day_of_the_week_with_its_date),
        cmocka_unit_test(takes_a_leap_second_for_the_one_before),
        cmocka_unit_test(refuses_what_no_calendar_has),
        cmocka_unit_test(refuses_any_other_spelling),
        cmocka_unit_test(refuses_damaged_dates),
        cmocka_unit_test(places_two_digit_years_around_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
