/*
 * The sweep: frees objects that were purged or are long expired, and forgets purges that all objects are
 * younger than. One thread, in slices of bounded time. A purge starts no sweep: it is in force without one.
 */
#ifndef CACHE_SWEEP_H
#define CACHE_SWEEP_H

#include "cache/index.h"

/* Works for about `budget_us`. Returns the microseconds to wait until the next slice: few while purged
 * objects may be left, many after a round that found nothing. */
int64_t cache_sweep(struct cache *c, const struct clock *clock, int64_t budget_us);

#endif
