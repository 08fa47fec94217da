/*
 * A ghost: the fingerprints of items that left a queue, in order, with their weights, up to a total weight.
 * Eviction (cache/evict.c) learns from those that return. A ghost grows by one segment and one bucket at a
 * time, so that no call takes long, however much it remembers. Any thread may call these functions under the
 * lock of the eviction that owns the ghost.
 */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include "store/memory.h"

struct ghost_entry;

/* Entries are numbered in the order in which they came. They stand in segments by number, and in chains by
 * fingerprint (linear hashing, as in cache/table). An entry that returned leaves its chain at once, and its
 * place when it is the oldest. */
struct ghost {
    /* The members are private to cache/ghost.c, but its tests read some. */
    /* Segments of entries. `places` pointers; a segment stands at its number modulo `places`. */
    struct ghost_entry **segments;
    uint32_t **chains; /* segments of buckets: the number of the newest entry of each */
    uint32_t places, chain_places;
    uint32_t oldest, n;     /* the number of the oldest entry; how many there are, with those that returned */
    uint32_t live;          /* how many did not return */
    uint32_t buckets, mask; /* mask: one less than the power of two at or above `buckets` */
    uint64_t weight;        /* the sum of the weights of live entries */
    uint64_t steps;         /* entries and pointers that all calls have looked at. For tests */
    struct memory *memory;
};

/* Makes an empty ghost. `memory` is charged for what the ghost allocates, and outlives it; NULL: nobody
 * is. */
void ghost_init(struct ghost *g, struct memory *memory);
/* Frees what the ghost has allocated. */
void ghost_fini(struct ghost *g);
/* Adds an entry as the youngest, instead of one of the same fingerprint. Before, drops the oldest ones while
 * the weight of all would be above `most`, or their number above 2^22: 256 of them at most in one call.
 * `fingerprint` is not 0. */
void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most);
/* Removes the entry of that fingerprint, which has returned. true: there was one. false: there was none. */
bool ghost_take(struct ghost *g, uint32_t fingerprint);

#endif
