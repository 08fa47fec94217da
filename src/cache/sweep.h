/*
 * The sweep: gives back what was purged or is long expired, and forgets purges that nothing is older than. In slices of bounded
 * time, one thread. Never one sweep per purge: a purge is in force without it.
 */
#ifndef CACHE_SWEEP_H
#define CACHE_SWEEP_H

#include "cache/index.h"

/* Works for about `budget_us`; returns how long to wait until the next slice, in microseconds: little while purged objects may still
 * be there, long when a round found nothing to do. */
int64_t cache_sweep(struct cache *c, const struct clock *clock, int64_t budget_us);

#endif
