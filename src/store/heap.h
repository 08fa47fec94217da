/*
 * The heap of what the cache holds. The system's malloc keeps memory that it cannot use when sizes change (docs/decisions/030), so the
 * cache has its own: small pieces in slabs of one size each, large ones in whole pages. No piece has a header, so whoever gives it back
 * says how large it is; each costs what heap_cost says, no more. Free pages go back to the system at once when the heap is over its size, else
 * bit by bit when there is time (heap_trim).
 * Any thread; one lock, taken last of all, not held while the system takes pages back.
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
#define HEAP_SMALL ((size_t)4096) /* up to it a piece stands in a slab */

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
    bool for_slabs;   /* else for runs of pages, and its books of slabs are never touched */
    bool huge;        /* in huge pages, until the first of its pages goes back to the system */
};

/* What some of the chunks offer, at most: of each half of them, of each half of those, and so on down to each chunk. So the first chunk
 * that has something is found in as many steps as there are halves. */
struct heap_offer {
    uint16_t run[2];  /* of free pages, for runs and for slabs: an empty chunk serves for either */
    bool dirty, idle; /* has dirty pages; is empty and has some */
};

struct heap {
    struct lock lock;
    struct heap_chunk *chunks;   /* clean pages are taken from the first that has room */
    size_t chunks_n, chunks_cap; /* the room: a power of two */
    struct heap_offer *
        offers; /* of all at 1, of the halves of what stands at i at 2i and 2i+1, of chunk i at chunks_cap + i */
    uint64_t steps;          /* for tests: offers that were looked at */
    size_t dirty, dirty_max; /* of all chunks */
    size_t used, most; /* pages that are not free, the chunks' books included; with the dirty ones at most */
    size_t recent;     /* the chunk to which pages were given back last, if it is still there */
    size_t release;    /* the chunk whose pages go back to the system */
    struct heap_class *classes;
    _Atomic int64_t holes; /* bytes in slabs that are not given out */
};

/* `dirty_max`: how many free pages may be kept for what comes next, and for good; `most`: up to so many pages, free ones and
 * others, more of them may wait for heap_trim. */
void heap_init(struct heap *h, size_t dirty_max, size_t most);
/* All pieces were given back. */
void heap_fini(struct heap *h);

/* `bytes` of unspecified content, aligned to 8; whole pages and pieces of a power of two to their size up to a page. NULL: the
 * system has no memory. */
void *heap_take(struct heap *h, size_t bytes);
/* `bytes`: as it was asked for. NULL is allowed. */
void heap_give(struct heap *h, void *p, size_t bytes);

/* Another piece of the same size, when it stands in a slab that is as full as that of `p` or fuller, and that of `p` is less than
 * `quarters` full: who moves there leaves a slab that may become free. Else NULL. */
void *heap_take_denser(struct heap *h, const void *p, size_t bytes, unsigned quarters);

/* A step of giving back what is free beyond `dirty_max`: some ten microseconds. true: there is more. */
bool heap_trim(struct heap *h);

/* What a piece of that size takes. */
size_t heap_cost(size_t bytes);

/* For tests: bytes that the system has given, those for keeping books included. */
size_t heap_resident(struct heap *h);

#endif
