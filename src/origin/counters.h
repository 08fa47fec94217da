/*
 * Counters and gauges of one worker (tbl/counters.h says what each counts). The worker's thread writes them;
 * any thread reads them.
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

/* Zero it before its first use. */
struct counters {
    _Alignas(64) _Atomic int64_t v[COUNTER_COUNT];
};

/* Adds `n` to a counter, or to a gauge, whose `n` may be negative. Only on the worker's thread, so a plain
 * load and store are enough. */
static inline void count_add(struct counters *c, enum counter which, int64_t n)
{
    int64_t now = atomic_load_explicit(&c->v[which], memory_order_relaxed);
    atomic_store_explicit(&c->v[which], now + n, memory_order_relaxed);
}
/* Adds one. Only on the worker's thread. */
static inline void count(struct counters *c, enum counter which)
{
    count_add(c, which, 1);
}
/* Returns the value. Any thread: it may be a moment old. */
static inline int64_t counter_read(const struct counters *c, enum counter which)
{
    return atomic_load_explicit(&c->v[which], memory_order_relaxed);
}

#endif
