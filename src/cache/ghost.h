/*
 * A ghost: fingerprints of what left a queue, in order, with their weights, up to a weight. For eviction, which learns from what
 * returns. It grows by one segment and one bucket at a time, so that no call takes long, however much it remembers. Not locked: its
 * evict's lock is.
 */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include "store/memory.h"

struct ghost_entry;

/* Entries have numbers, in the order in which they came. They stand in segments by their number, and in chains by their fingerprint
 * (linear hashing, as in cache/table). An entry that returned leaves its chain at once and its place when it is the oldest. */
struct ghost {
    struct ghost_entry *
        *segments;     /* of entries; `places` pointers, a segment stands at its number modulo that */
    uint32_t **chains; /* segments of buckets: the number of the newest entry of each */
    uint32_t places, chain_places;
    uint32_t oldest, n; /* n: those that returned too */
    uint32_t live;
    uint32_t buckets, mask;
    uint64_t weight;
    struct memory *memory;
};

/* `memory`: what it takes is charged there; NULL: not charged. */
void ghost_init(struct ghost *g, struct memory *memory);
void ghost_fini(struct ghost *g);
/* As the youngest; the oldest go while there is more than `most` weight, or more than 2^22 entries. Some hundred entries at most in
 * one call: the rest goes with the next ones. `fingerprint`: not 0. */
void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most);
/* Was it there? It is not any more. */
bool ghost_take(struct ghost *g, uint32_t fingerprint);

#endif
