/*
 * A hash table of nodes that are embedded in its entries. It grows and shrinks by one bucket at a time
 * (linear hashing), so that no step takes long, however large it is. Buckets stand in small segments, so that
 * it takes no more memory than it needs. It owns no node. The caller holds the lock that guards it.
 */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include "store/memory.h"

struct table_node {
    struct table_node *next;
    uint32_t hash;
    uint32_t own; /* for the owner's use: it would be padding */
};

struct table {
    struct table_node ***segments;
    uint32_t buckets;
    uint32_t mask; /* buckets, rounded up to a power of two, less one */
    uint32_t n;
};

/* Makes an empty table; its memory is charged to `m`. */
void table_init(struct table *t, struct memory *m);
/* Frees an empty table. `m`, here and below: the memory that table_init got. */
void table_fini(struct table *t, struct memory *m);

#define TABLE_SEGMENT 32

/* Returns bucket i of t->buckets. */
static inline struct table_node **table_bucket(const struct table *t, uint32_t i)
{
    return &t->segments[i / TABLE_SEGMENT][i % TABLE_SEGMENT];
}
/* Returns the bucket of a hash. The newest node comes first. */
static inline struct table_node **table_chain(const struct table *t, uint32_t hash)
{
    uint32_t i = hash & t->mask;
    return table_bucket(t, i < t->buckets ? i : i & t->mask >> 1);
}

/* Makes room for so many nodes at once, so that adding them adds no bucket. */
void table_reserve(struct table *t, struct memory *m, uint32_t n);
/* Adds a node whose hash is set, in front of its bucket. May add a bucket. */
void table_add(struct table *t, struct memory *m, struct table_node *node);
/* Removes a node that is in the table. The buckets stay, so that a walk over them skips nothing. */
void table_remove(struct table *t, struct table_node *node);
/* Removes up to `steps` buckets, while there are many more buckets than nodes. true: nothing is left to
 * do. */
bool table_shrink(struct table *t, struct memory *m, uint32_t steps);

/* Moves the segment of this bucket (memory_move), and with one of the first TABLE_SEGMENT buckets also the
 * array of segments. The nodes stay where they are. */
void table_move(struct table *t, struct memory *m, uint32_t bucket, unsigned quarters);

#endif
