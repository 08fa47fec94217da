/*
 * The memory budget: what the cache holds, counted as it is allocated. One for the process; any thread. Making room is
 * the cache's business (cache/evict); this only counts.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory {
    int64_t budget_bytes;
    _Atomic int64_t used_bytes;    /* counted against the budget */
    _Atomic int64_t passing_bytes; /* bodies that are not kept: a gauge, bounded by their windows */
};

void memory_init(struct memory *m, int64_t budget_bytes);
static inline void memory_charge(struct memory *m, int64_t bytes)
{
    atomic_fetch_add_explicit(&m->used_bytes, bytes, memory_order_relaxed);
}
static inline int64_t memory_used(const struct memory *m)
{
    return atomic_load_explicit(&m->used_bytes, memory_order_relaxed);
}
/* How many bytes are over the budget when `bytes` more are charged; 0: they fit. */
int64_t memory_excess(const struct memory *m, int64_t bytes);

/* What an allocation of that size really takes from the heap, its header included. */
size_t memory_cost(size_t bytes);

#endif
