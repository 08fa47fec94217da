/*
 * A ghost: the fingerprints of items that left a queue, in order, with their weights, up to a total weight.
 * Eviction learns from those that return. It grows by one segment and one bucket at a time, so that no call
 * takes long, however much it remembers. The lock of its evict guards it.
 */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include "store/memory.h"

struct ghost_entry;

/* Entries are numbered in the order in which they came. They stand in segments by number, and in chains by
 * fingerprint (linear hashing, as in cache/table). An entry that returned leaves its chain at once, and its
 * place when it is the oldest. */
struct ghost {
    /* Segments of entries. `places` pointers; a segment stands at its number modulo `places`. */
    struct ghost_entry **segments;
    uint32_t **chains; /* segments of buckets: the number of the newest entry of each */
    uint32_t places, chain_places;
    uint32_t oldest, n; /* n: with those that returned */
    uint32_t live;
    uint32_t buckets, mask;
    uint64_t weight;
    uint64_t steps; /* entries and pointers that all calls came by: what its lock was held for. For tests */
    struct memory *memory;
};

/* Makes an empty ghost. `memory`: gets the charges; NULL: nobody. */
void ghost_init(struct ghost *g, struct memory *memory);
/* Frees all that it holds. */
void ghost_fini(struct ghost *g);
/* Adds the youngest entry. Drops the oldest while there is more than `most` weight, or more than 2^22
 * entries; at most some hundred in one call. `fingerprint` is not 0. */
void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most);
/* Removes the entry of that fingerprint. true: there was one. false: there was none. */
bool ghost_take(struct ghost *g, uint32_t fingerprint);

#endif
