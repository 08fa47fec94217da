/*
 * A shard of the shelf (cache/shelf.h): packed items by their tags. They stand in leaves, pieces of memory of
 * some hundred bytes, each just long enough for what it has. So an entry costs little more than
 * itself at any size of the table. It grows and shrinks by one leaf at a time (linear hashing, as in
 * cache/table), which moves that leaf's items alone. The caller holds the lock that guards it. The heap's
 * lock is taken under that one.
 */
#ifndef CACHE_SHELF_TABLE_H
#define CACHE_SHELF_TABLE_H

#include <stdatomic.h>

#include "cache/shelf_pack.h"

struct shelf_leaf;

/* Where tables take their memory from, charged as books, and how much they have of it. All shards share
 * it. */
struct shelf_room {
    struct memory *memory;
    _Atomic size_t bytes;
};

/* Zeroed, it is an empty table without memory. */
struct shelf_table {
    struct shelf_leaf ***segments; /* a leaf without items is NULL */
    uint32_t places;               /* for pointers to segments */
    uint32_t leaves;
    uint32_t mask; /* leaves, rounded up to a power of two, less one */
    uint32_t n;    /* items */
};

/* Frees the table's memory, whatever is in there. */
void shelf_table_fini(struct shelf_table *t, struct shelf_room *room);

/* Returns the item of that tag, which may be changed until the next call. NULL: there is none. */
struct shelf_packed *shelf_table_find(const struct shelf_table *t, uint64_t tag);
/* Adds an item under a tag that is not there. May split a leaf. false: there is no memory. */
bool shelf_table_add(struct shelf_table *t, struct shelf_room *room, uint64_t tag, struct shelf_packed item);
/* Removes the item of that tag, which is there. May merge two leaves. */
void shelf_table_remove(struct shelf_table *t, struct shelf_room *room, uint64_t tag);

#endif
