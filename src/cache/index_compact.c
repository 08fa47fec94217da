#include "cache/family.h"

/*
 * Moves pages of memory together. Objects of one size that went leave holes, which objects of other sizes
 * cannot use while something stands between them (docs/decisions/039). A walk round the index looks at
 * everything in slabs, and moves what only the index refers to into fuller slabs. So other slabs become
 * empty, and their memory is free for any size. A piece does not know its owner, so the walk goes from the
 * owners to their pieces.
 */

/* Families and objects in one hold of a shard's lock. */
#define COMPACT_HOLD 16
/* First empties slabs that are less than half full; while that is not enough, fuller ones. */
#define QUARTERS_FIRST 2
#define QUARTERS_MOST  HEAP_FULLNESS

static unsigned move_list(struct table_node **at, unsigned quarters)
{
    unsigned n = 0;
    for (; *at; at = &(*at)->next, n++)
        *at = &object_move(family_object_of(*at), quarters)->node;
    return n;
}

/* Goes on from the list where it stopped. true: it reached the end. */
static bool move_objects(struct cache *c, struct family *f, unsigned *looked_at)
{
    struct cache_compaction *k = &c->compaction;
    if (!f->has_many) {
        *looked_at += move_list(&f->objects.few, k->quarters);
        return true;
    }
    struct table *t = f->objects.many;
    for (; k->list < t->buckets && *looked_at < COMPACT_HOLD; k->list++) {
        if (k->list % TABLE_SEGMENT == 0)
            table_move(t, &c->memory, k->list, k->quarters);
        *looked_at += 1 + move_list(table_bucket(t, k->list), k->quarters);
    }
    return k->list >= t->buckets;
}

/* Returns the family where it stopped in this bucket, else the bucket's first. */
static struct table_node **begin_in(struct cache *c, struct table *t)
{
    struct cache_compaction *k = &c->compaction;
    struct table_node **first = table_bucket(t, k->bucket), **at = first;
    while (k->in && *at && family_of_node(*at) != k->in)
        at = &(*at)->next;
    if (!*at)
        at = first;
    if (!*at || family_of_node(*at) != k->in)
        k->list = 0;
    return at;
}

static void compact_bucket(struct cache *c, struct table *t, unsigned *looked_at)
{
    struct cache_compaction *k = &c->compaction;
    if (k->bucket % TABLE_SEGMENT == 0 && !k->in)
        table_move(t, &c->memory, k->bucket, k->quarters);
    struct table_node **at = begin_in(c, t);
    k->in = NULL;
    for (; *at; at = &(*at)->next) {
        if (*looked_at >= COMPACT_HOLD) {
            k->in = family_of_node(*at);
            return;
        }
        struct family *f = family_move(c, at, k->quarters);
        ++*looked_at;
        if (!move_objects(c, f, looked_at)) {
            k->in = f;
            return;
        }
        k->list = 0;
    }
    k->bucket++;
    ++*looked_at;
}

static void end_round(struct cache *c)
{
    struct cache_compaction *k = &c->compaction;
    uint64_t moved = atomic_load_explicit(&c->memory.moved, memory_order_relaxed);
    bool futile = moved == k->moved && k->quarters == QUARTERS_MOST;
    atomic_store_explicit(&k->futile, futile, memory_order_relaxed);
    k->moved = moved;
    k->shard = 0;
    if (!memory_is_holey(&c->memory))
        k->quarters = QUARTERS_FIRST;
    else if (k->quarters < QUARTERS_MOST)
        k->quarters++;
}

void index_compact(struct cache *c)
{
    struct cache_compaction *k = &c->compaction;
    struct shard *s = &c->shards[k->shard];
    unsigned looked_at = 0;
    if (!k->quarters)
        k->quarters = QUARTERS_FIRST;
    lock_take(&s->lock);
    while (k->bucket < s->families.buckets && looked_at < COMPACT_HOLD)
        compact_bucket(c, &s->families, &looked_at);
    bool shard_done = k->bucket >= s->families.buckets;
    lock_give(&s->lock);
    if (!shard_done)
        return;
    k->bucket = 0;
    k->in = NULL;
    if (++k->shard == CACHE_SHARDS)
        end_round(c);
}
