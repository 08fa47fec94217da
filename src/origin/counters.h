/*
 * Counters and gauges of one worker. Its thread writes them; any thread reads them. See tbl/counters.h.
 */
#ifndef ORIGIN_COUNTERS_H
#define ORIGIN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
#define COUNTER(id, name, kind, help) COUNTER_##id,
#include "tbl/counters.h"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    _Alignas(64) _Atomic int64_t v[COUNTER_COUNT];
};

/* Counts. Only on the owning thread, so a plain load and store are enough. */
static inline void count_add(struct counters *c, enum counter which, int64_t n)
{
    int64_t now = atomic_load_explicit(&c->v[which], memory_order_relaxed);
    atomic_store_explicit(&c->v[which], now + n, memory_order_relaxed);
}
static inline void count(struct counters *c, enum counter which)
{
    count_add(c, which, 1);
}
/* Returns the count. Any thread. */
static inline int64_t counter_read(const struct counters *c, enum counter which)
{
    return atomic_load_explicit(&c->v[which], memory_order_relaxed);
}

#endif
