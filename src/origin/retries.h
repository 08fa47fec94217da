/*
 * How many requests may be tried once more elsewhere: at most a fifth of the requests of the last ten
 * seconds, and RETRIES_FLOOR of them in any case. So an outage is not made worse by requests that all come
 * twice. Not locked: its owner does that. Pure: the time is an argument.
 */
#ifndef ORIGIN_RETRIES_H
#define ORIGIN_RETRIES_H

#include <stdbool.h>
#include <stdint.h>

#define RETRIES_SECONDS 10
#define RETRIES_FLOOR   20 /* tries, in that time */
#define RETRIES_PART    5  /* one of so many requests */

/* Zero it before its first use. */
struct retries {
    int64_t second; /* the latest that was counted */
    uint32_t requests[RETRIES_SECONDS], tries[RETRIES_SECONDS];
    uint64_t requests_n, tries_n; /* the sums */
};

/* Counts a request. */
void retries_request(struct retries *b, int64_t now_mono_ms);
/* May a request be tried once more? */
bool retries_may(struct retries *b, int64_t now_mono_ms);
/* The same, and counts it when it may. */
bool retries_take(struct retries *b, int64_t now_mono_ms);

#endif
