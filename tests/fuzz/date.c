/* A date that was read is one of the years 1 to 9999 and is written and read again as itself. */
#include <string.h>

#include "base/check.h"
#include "http/date.h"

#define FIRST_S INT64_C(-62135596800)
#define LAST_S  INT64_C(253402300799)
#define NOW_S   INT64_C(1792324800)

static int64_t clamp(int64_t s)
{
    return s < FIRST_S ? FIRST_S : s > LAST_S ? LAST_S : s;
}

static void check_round_trip(int64_t seconds)
{
    char text[HTTP_DATE_BYTES];
    int64_t again;
    http_date_write(text, seconds);
    CHECK(http_date_parse((struct str){ text, sizeof(text) }, NOW_S, &again));
    CHECK(again == clamp(seconds));
}

static void check_parse(struct str s, int64_t now_s)
{
    int64_t got, other;
    if (!http_date_parse(s, now_s, &got))
        return;
    CHECK(got >= FIRST_S && got <= LAST_S);
    check_round_trip(got);
    /* Only a year of two digits depends on the clock: RFC 850's form, which alone has a '-'. */
    if (str_index(s, '-') == s.n)
        CHECK(http_date_parse(s, NOW_S, &other) && other == got);
    else
        CHECK(got <= clamp(clamp(now_s) + 51 * INT64_C(366) * 86400));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = { (const char *)data, size };
    int64_t number = 0;
    memcpy(&number, data, size < sizeof(number) ? size : sizeof(number));
    check_parse(s, NOW_S);
    check_parse(s, number);
    check_parse(s, number % LAST_S);
    check_round_trip(number);
    check_round_trip(number % LAST_S);
    return 0;
}
