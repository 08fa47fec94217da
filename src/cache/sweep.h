/*
 * The sweep: frees objects that were purged or are long expired, and forgets purges that are older than all
 * objects. Then moves pages of memory together and gives free memory back to the system. A purge starts no
 * sweep: it is in force without one.
 */
#ifndef CACHE_SWEEP_H
#define CACHE_SWEEP_H

#include "cache/index.h"

/* Does a slice of the work: frees objects for about `budget_us` microseconds; when that is not urgent or a
 * round has ended, it also moves pages and gives back memory, for about as long each. Returns the
 * microseconds to wait until the next slice: few while purged objects may be left, many after a round that
 * found nothing. Only one thread may call it, without a lock held. */
int64_t cache_sweep(struct cache *c, const struct clock *clock, int64_t budget_us);

#endif
