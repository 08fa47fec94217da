#include "acme/backoff.h"

#include "base/check.h"
#include "http/date.h"

#define MINUTE_MS INT64_C(60000)

static const int64_t steps[] = { 1 * MINUTE_MS,   5 * MINUTE_MS,   20 * MINUTE_MS, 60 * MINUTE_MS,
                                 180 * MINUTE_MS, 360 * MINUTE_MS, 720 * MINUTE_MS };

int64_t backoff_ms(unsigned failures, int64_t retry_after_ms, uint32_t chance)
{
    size_t at = failures > 0 ? failures - 1 : 0;
    int64_t ms = steps[at < COUNT_OF(steps) ? at : COUNT_OF(steps) - 1];
    if (retry_after_ms > ms)
        ms = retry_after_ms;
    if (ms > BACKOFF_MOST_MS)
        ms = BACKOFF_MOST_MS;
    return ms + (int64_t)((uint64_t)(ms / 4) * chance >> 32);
}

int64_t backoff_retry_after(struct str value, int64_t now_ms)
{
    uint64_t seconds;
    int64_t date, ms = -1;
    value = str_trim(value);
    if (str_to_u64(value, INT32_MAX, &seconds))
        ms = (int64_t)seconds * 1000;
    else if (http_date_parse(value, now_ms / 1000, &date))
        ms = date * 1000 > now_ms ? date * 1000 - now_ms : 0;
    return ms > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : ms;
}
