/*
 * The heap of the cache. The system's malloc keeps memory that it cannot use when sizes change
 * (docs/decisions/030), so the cache has a heap of its own: small pieces in slabs of one size each, large
 * ones in whole pages. Pieces have no header: the caller gives the size again when it gives a piece back, and
 * a piece costs exactly heap_cost. Free pages go back to the system at once while the heap is over its size,
 * else step by step when there is time (heap_trim).
 *
 * Any thread may call these functions. One lock guards the heap. It is the last in the order of locks, and is
 * not held while the system takes pages back.
 */
#ifndef STORE_HEAP_H
#define STORE_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"

#define HEAP_PAGE  ((size_t)4096)
#define HEAP_SMALL ((size_t)4096) /* pieces up to this size stand in slabs */

#define HEAP_CLASSES  160
#define HEAP_FULLNESS 4

struct chunk;

struct heap_class {
    struct list slabs[HEAP_FULLNESS]; /* those with room, by how full they are */
    uint16_t pages, pieces;           /* of a slab */
};

struct heap_chunk {
    struct chunk *chunk;
    uint16_t free;    /* pages */
    uint16_t longest; /* run of free pages */
    uint16_t dirty;   /* free pages that the system still has memory for */
    bool for_slabs;   /* else for runs of pages; then its books of slabs are never touched */
    bool huge;        /* in huge pages, until the first of its pages goes back to the system */
};

/* The most that a chunk of some range of chunks offers: of each half of all chunks, of each half of those,
 * down to the single chunk. So the first chunk with an offer is found in as many steps as there are
 * levels. */
struct heap_offer {
    uint16_t run[2];  /* free pages, for runs and for slabs: an empty chunk serves for either */
    bool dirty, idle; /* has dirty pages; is empty and has some */
};

/* All members but `holes` are guarded by the lock and private to store/heap.c. */
struct heap {
    struct lock lock;
    struct heap_chunk *chunks;   /* clean pages come from the first chunk that has room */
    size_t chunks_n, chunks_cap; /* chunks_cap: a power of two */
    /* entry 1: of all chunks; 2i and 2i+1: of the halves of entry i; chunks_cap + i: of chunk i */
    struct heap_offer *offers;
    uint64_t steps;          /* for tests: offers that were looked at */
    size_t dirty, dirty_max; /* of all chunks */
    size_t used, most; /* `used`: pages that are not free, with the chunks' books; `most`: limit of used and
                        * dirty pages together */
    size_t recent;     /* the chunk that got pages back last, if it still exists */
    size_t release;    /* the chunk whose pages go back to the system */
    struct heap_class *classes;
    _Atomic int64_t holes; /* bytes in slabs that are not given out */
};

/* Makes an empty heap. Called before other threads use it. `dirty_max`: how many free pages the heap may keep
 * for good, for the next pieces. `most`: as long as free and other pages together are at most this many, more
 * free ones may wait for heap_trim. */
void heap_init(struct heap *h, size_t dirty_max, size_t most);
/* Gives all memory back to the system. All pieces must have been given back, and no other thread uses it. */
void heap_fini(struct heap *h);

/* Returns `bytes` of unspecified content, aligned to 8. Whole pages, and pieces of a power of two up to a
 * page, are aligned to their size. NULL: the system has no memory. */
void *heap_take(struct heap *h, size_t bytes);
/* Gives a piece back. `bytes`: the size that heap_take was asked for. NULL is allowed. */
void heap_give(struct heap *h, void *p, size_t bytes);

/* Returns another piece of the same size, when the slab of `p` is less than `quarters` full and the other
 * piece's slab is at least as full as that one. The caller moves there, so that the slab of `p` may become
 * free. Else NULL. */
void *heap_take_denser(struct heap *h, const void *p, size_t bytes, unsigned quarters);

/* Gives back some free pages beyond `dirty_max`, for some ten microseconds. true: there are more. */
bool heap_trim(struct heap *h);

/* Returns the bytes that a piece of that size takes. Pure. */
size_t heap_cost(size_t bytes);

/* For tests: returns the bytes that the system has given, with the heap's books. */
size_t heap_resident(struct heap *h);

#endif
