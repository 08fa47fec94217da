/*
 * A ghost: fingerprints of what left a queue, in order, with their weights, up to a weight. For eviction, which learns from what
 * returns. Not locked: its evict's lock is.
 */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include "store/memory.h"

struct ghost_entry;

/* A ring for the order and an open-addressed set for the question "is it there". An entry that returns is cleared in the
 * ring and skipped when it comes up. */
struct ghost {
    struct ghost_entry *ring;
    size_t ring_size, head, n; /* n: cleared ones too */
    size_t live;
    uint64_t weight;
    uint32_t *set; /* ring index + 1; 0: empty. Twice the ring's size */
    struct memory *memory;
};

/* `memory`: what it takes is charged there; NULL: not charged. */
void ghost_init(struct ghost *g, struct memory *memory);
void ghost_fini(struct ghost *g);
/* As the youngest; the oldest go while there is more than `most` weight, or more than 2^22 entries. `fingerprint`: not 0. */
void ghost_add(struct ghost *g, uint32_t fingerprint, uint32_t weight, uint64_t most);
/* Was it there? It is not any more. */
bool ghost_take(struct ghost *g, uint32_t fingerprint);

#endif
