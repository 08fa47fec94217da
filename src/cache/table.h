/*
 * A hash table of nodes that are embedded in what it finds. It grows and shrinks by one bucket at a time (linear hashing), so that no
 * step takes long, however much there is in it; buckets stand in small segments, so that it takes no more than it needs. It owns no
 * node. Whoever uses it holds the lock.
 */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include "store/memory.h"

struct table_node {
    struct table_node *next;
    uint32_t hash;
    uint32_t own; /* the owner's: it would be padding */
};

struct table {
    struct table_node ***segments;
    uint32_t buckets;
    uint32_t mask; /* buckets, rounded up to a power of two, less one */
    uint32_t n;
};

/* What it takes is charged to `m`. */
void table_init(struct table *t, struct memory *m);
/* It is empty. */
void table_fini(struct table *t, struct memory *m);

#define TABLE_SEGMENT 32

/* Of t->buckets. */
static inline struct table_node **table_bucket(const struct table *t, uint32_t i)
{
    return &t->segments[i / TABLE_SEGMENT][i % TABLE_SEGMENT];
}
/* The bucket of a hash: the newest node comes first. */
static inline struct table_node **table_chain(const struct table *t, uint32_t hash)
{
    uint32_t i = hash & t->mask;
    return table_bucket(t, i < t->buckets ? i : i & t->mask >> 1);
}

/* Its hash is set. */
void table_add(struct table *t, struct memory *m, struct table_node *node);
/* It is in it. The buckets stay: whoever walks over them skips nothing. */
void table_remove(struct table *t, struct table_node *node);
/* Up to `steps` buckets less, while there are many more than nodes. true: there is nothing more to do. */
bool table_shrink(struct table *t, struct memory *m, uint32_t steps);

/* Moves the segment that this bucket is in, and with the first one the pointers to them all (memory_move). */
void table_move(struct table *t, struct memory *m, uint32_t bucket, unsigned quarters);

#endif
