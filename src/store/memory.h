/*
 * The memory of the cache: a budget, counted when memory is taken, and the heap that the memory comes from.
 * Any thread. This file only counts; cache/evict makes room.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/heap.h"

struct memory {
    uint8_t id; /* for memory_of, where a pointer would take too much space */
    int64_t budget_bytes;
    _Atomic int64_t used_bytes; /* counted against the budget */
    _Atomic int64_t book_bytes; /* the part of it that memory_charge_books charged */
    _Atomic uint64_t moved;     /* pieces moved by memory_take_denser */
    /* bodies of responses that are not stored: a gauge, bounded by their windows */
    _Atomic int64_t passing_bytes;
    struct heap heap;
};

#define MEMORIES_MAX 16

/* Makes a memory and gives it an id. Called before other threads start. At most MEMORIES_MAX exist at one
 * time. */
void memory_init(struct memory *m, int64_t budget_bytes);
/* Ends it and frees its id. Called after other threads have ended, and when all memory was given back. */
void memory_fini(struct memory *m);

extern struct memory *memory_by_id[MEMORIES_MAX];
/* Returns the memory with that id, which exists. */
static inline struct memory *memory_of(uint8_t id)
{
    return memory_by_id[id];
}

/* Counts bytes against the budget; negative: no longer. Any thread. */
static inline void memory_charge(struct memory *m, int64_t bytes)
{
    atomic_fetch_add_explicit(&m->used_bytes, bytes, memory_order_relaxed);
}
/* Returns the bytes counted against the budget. Any thread. */
static inline int64_t memory_used(const struct memory *m)
{
    return atomic_load_explicit(&m->used_bytes, memory_order_relaxed);
}
/* Charges books: memory for finding and remembering stored responses, not for the responses themselves. */
static inline void memory_charge_books(struct memory *m, int64_t bytes)
{
    atomic_fetch_add_explicit(&m->book_bytes, bytes, memory_order_relaxed);
    memory_charge(m, bytes);
}
/* Returns what is charged for stored responses: all but the books. */
static inline int64_t memory_pages(const struct memory *m)
{
    return memory_used(m) - atomic_load_explicit(&m->book_bytes, memory_order_relaxed);
}
/* Returns how many bytes would be over the budget with `bytes` more; 0: they fit. Counts idle memory between
 * pieces too, except for the part that any mixture of sizes needs. */
int64_t memory_excess(const struct memory *m, int64_t bytes);
/* Returns by how many bytes the idle memory between pieces exceeds that part; negative: it is below. */
int64_t memory_holes_over(const struct memory *m);
/* Returns that part: the bytes that may lie idle. */
int64_t memory_holes_most(const struct memory *m);
/* Is it time to move pages together? True before idle memory counts as used. */
static inline bool memory_is_holey(const struct memory *m)
{
    return memory_holes_over(m) > -memory_holes_most(m) / 4;
}

/* Returns `bytes` of unspecified content; the caller gives them back by memory_give. NULL: the system has no
 * memory. Does not charge them: the caller charges memory_cost. */
void *memory_take(struct memory *m, size_t bytes);
/* Returns `bytes` of zeros, never NULL: for small structures (base/mem). Does not charge them. */
void *memory_zero(struct memory *m, size_t bytes);
/* Gives memory back. `bytes`: the size that was asked for. NULL is allowed. */
void memory_give(struct memory *m, void *p, size_t bytes);
/* Returns the bytes that a piece of that size takes: what the caller charges for it. */
size_t memory_cost(size_t bytes);
/* Returns room for the piece at `p` in a fuller slab, so that the slab of `p` may become free
 * (heap_take_denser). NULL: it stays where it is. */
void *memory_take_denser(struct memory *m, const void *p, size_t bytes, unsigned quarters);
/* Moves the piece at `p` to such room, if there is. Only the caller's pointer refers to it. Returns where it
 * is now, perhaps still `p`. */
void *memory_move(struct memory *m, void *p, size_t bytes, unsigned quarters);

/* Gives free memory back to the system, for some ten microseconds. true: there is more. */
bool memory_trim(struct memory *m);

#endif
