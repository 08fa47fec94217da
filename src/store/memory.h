/*
 * The memory of the cache: a budget, counted as it is taken, and the heap that it is taken from. Any thread. Making room is the
 * cache's business (cache/evict); this only counts.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/heap.h"

struct memory {
    uint8_t id; /* what stands for it where a pointer would be too much: memory_of */
    int64_t budget_bytes;
    _Atomic int64_t used_bytes;    /* counted against the budget */
    _Atomic int64_t book_bytes;    /* of these: memory_charge_books */
    _Atomic uint64_t moved;        /* pieces, by memory_take_denser */
    _Atomic int64_t passing_bytes; /* bodies that are not kept: a gauge, bounded by their windows */
    struct heap heap;
};

#define MEMORIES_MAX 16

/* Before there are other threads, as memory_fini is after them; MEMORIES_MAX of them at most at one time. */
void memory_init(struct memory *m, int64_t budget_bytes);
/* All was given back. */
void memory_fini(struct memory *m);

extern struct memory *memory_by_id[MEMORIES_MAX];
static inline struct memory *memory_of(uint8_t id)
{
    return memory_by_id[id];
}

static inline void memory_charge(struct memory *m, int64_t bytes)
{
    atomic_fetch_add_explicit(&m->used_bytes, bytes, memory_order_relaxed);
}
static inline int64_t memory_used(const struct memory *m)
{
    return atomic_load_explicit(&m->used_bytes, memory_order_relaxed);
}
/* Books: what is charged for finding and remembering pages, not for the pages themselves. */
static inline void memory_charge_books(struct memory *m, int64_t bytes)
{
    atomic_fetch_add_explicit(&m->book_bytes, bytes, memory_order_relaxed);
    memory_charge(m, bytes);
}
/* Charged for pages. */
static inline int64_t memory_pages(const struct memory *m)
{
    return memory_used(m) - atomic_load_explicit(&m->book_bytes, memory_order_relaxed);
}
/* How many bytes are over the budget when `bytes` more are charged; 0: they fit. What lies idle between pieces in use counts too, but
 * for a part that any mixture of sizes needs. */
int64_t memory_excess(const struct memory *m, int64_t bytes);
/* How many bytes more than that part lie idle between pieces; less than 0: so many fewer. */
int64_t memory_holes_over(const struct memory *m);
/* So many may lie idle. */
int64_t memory_holes_most(const struct memory *m);
/* It is time to move pages together: before what lies idle counts. */
static inline bool memory_is_holey(const struct memory *m)
{
    return memory_holes_over(m) > -memory_holes_most(m) / 4;
}

/* `bytes` of unspecified content, or NULL. Not charged: memory_cost says what it costs. */
void *memory_take(struct memory *m, size_t bytes);
/* The same zeroed and never NULL: for small things (base/mem). */
void *memory_zero(struct memory *m, size_t bytes);
/* `bytes`: as it was asked for. NULL is allowed. */
void memory_give(struct memory *m, void *p, size_t bytes);
size_t memory_cost(size_t bytes);
/* Room for what stands at `p`, in a slab that is fuller, so that the one of `p` may become free (heap_take_denser); NULL: it stands well
 * where it is. */
void *memory_take_denser(struct memory *m, const void *p, size_t bytes, unsigned quarters);
/* Moves it there, when nothing but the caller's pointer tells where it is. Returns where it stands now. */
void *memory_move(struct memory *m, void *p, size_t bytes, unsigned quarters);

/* A step of giving back to the system what is free: some ten microseconds. true: there is more. */
bool memory_trim(struct memory *m);

#endif
