#include "conf/release.h"

static const uint32_t only_first[] = { 1 };

const struct release release_first = { .number = 1,
                                       .live_since_ms = INT64_MIN,
                                       .prepared_since_ms = INT64_MIN,
                                       .stored = only_first,
                                       .stored_n = 1 };

/* The end of the release that was live then is the first switch after it. What came in the very millisecond
 * of the last one counts as from before it. */
int64_t release_keeps_until(const struct release *r, int64_t received_ms)
{
    for (size_t i = 0; i < r->switches_n; i++)
        if (r->switches[i].at_ms > received_ms - (i + 1 == r->switches_n))
            return r->switches[i].at_ms + r->switches[i].keep_ms;
    return INT64_MAX; /* it is of a release that is still live */
}

bool release_stores(const struct release *r, uint32_t number)
{
    for (size_t i = 0; i < r->stored_n; i++)
        if (r->stored[i] == number)
            return true;
    return false;
}
