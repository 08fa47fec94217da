#include "origin/retries.h"

#include <string.h>

/* Forgets what is older than the window. */
static void move_to(struct retries *b, int64_t now_mono_ms)
{
    int64_t second = now_mono_ms / 1000;
    if (second - b->second >= RETRIES_SECONDS)
        *b = (struct retries){ .second = second };
    while (b->second < second) {
        size_t slot = (size_t)(++b->second % RETRIES_SECONDS);
        b->requests_n -= b->requests[slot];
        b->tries_n -= b->tries[slot];
        b->requests[slot] = b->tries[slot] = 0;
    }
}

void retries_request(struct retries *b, int64_t now_mono_ms)
{
    move_to(b, now_mono_ms);
    b->requests[b->second % RETRIES_SECONDS]++;
    b->requests_n++;
}

bool retries_may(struct retries *b, int64_t now_mono_ms)
{
    move_to(b, now_mono_ms);
    return b->tries_n < RETRIES_FLOOR || (b->tries_n + 1) * RETRIES_PART <= b->requests_n;
}

bool retries_take(struct retries *b, int64_t now_mono_ms)
{
    if (!retries_may(b, now_mono_ms))
        return false;
    b->tries[b->second % RETRIES_SECONDS]++;
    b->tries_n++;
    return true;
}
