/*
 * The cache: what the process shares between its workers. Index shards, eviction queues, epochs and the memory
 * budget, each with its own lock: an object's is taken alone; under a shard's the eviction's or the epochs' may be taken, never
 * the other way round.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "cache/epoch.h"
#include "cache/evict.h"
#include "cache/mark.h"
#include "cache/table.h"
#include "store/memory.h"

#define CACHE_SHARDS      256
#define CACHE_FILLS       512
#define CACHE_PURGED_KEPT 16384

struct resource;

struct shard {
    _Alignas(64) struct lock lock;
    struct table resources;
    struct marks marks;
    _Atomic uint32_t unsafe[64]; /* by hash: answered unsafe requests for URLs of which nothing was known */
};

/* What is known of the objects that are being filled, those whose address ends alike: few, a handful among thousands. */
struct fills {
    _Alignas(64) struct lock lock;
    struct list list;
};

/* Where the walk is that moves pages together, and of how full slabs. Whoever is `busy` with it has the rest. */
struct cache_compaction {
    _Atomic bool busy;
    _Atomic bool futile; /* a whole round found nothing to move */
    uint32_t shard, bucket, list;
    const struct resource *in; /* amid its objects; only compared, it may have gone */
    unsigned quarters;
    uint64_t moved; /* when the round began */
};

struct cache {
    const struct hash_secret *secret;
    struct memory memory;
    struct epochs *epochs;
    struct evict *evict;
    struct shard shards[CACHE_SHARDS];
    struct fills fills[CACHE_FILLS];
    _Atomic int64_t objects, resources; /* gauges; objects: in the index and sealed */
    _Atomic int64_t idle_bytes;         /* of resources without objects */
    _Atomic uint64_t evicted, swept;
    struct cache_compaction compaction;
    /* the sweep's, one thread: where it is */
    uint32_t sweep_shard, sweep_bucket, sweep_list;
    struct resource *sweep_in; /* amid its objects; only compared, it may have gone */
    int64_t sweep_round_us;    /* worked in this round, and what it gave back */
    uint64_t sweep_round_swept;
    uint64_t sweep_oldest, sweep_began, sweep_purged_upto;
    uint64_t sweep_marked, sweep_hour_ago; /* purge numbers, now and an hour ago */
    int64_t sweep_marked_ms;
    uint32_t purged_at;
    _Atomic uint32_t purged
        [CACHE_PURGED_KEPT]; /* hashes of the latest resources that it took a purged object from; for explain */
};

/* The secret outlives the cache. Never NULL. */
struct cache *cache_new(const struct hash_secret *secret, int64_t memory_bytes);
/* All objects must be unreferenced but for the index. */
void cache_free(struct cache *c);

/* Evicts until `bytes` more fit into the budget. false: they do not, and nothing more can be evicted, or as much as may be at a time was.
 * What lies idle between pages is moved together meanwhile, and then no more goes than comes. Any thread, no lock held. */
bool cache_make_room(struct cache *c, size_t bytes);

/* Charged for pages that no eviction would free: those that are being filled, those that slow readers hold (object_hold), and those that are
 * not in the index any more and somebody still reads. Any thread. */
int64_t cache_pinned(const struct cache *c);
/* So much of it is pinned that it is short: who reads too slowly is let go. */
bool cache_is_short(const struct cache *c);
/* May a response that has so many bytes get so many more and be kept? Makes room for them. Not when too much is pinned by others,
 * for a large one less than for a small one: it passes then (decision 038). Any thread, no lock held. */
bool cache_keeps(struct cache *c, size_t has, size_t more);

/* Moves pages together, so many steps of some ten microseconds, unless another thread is at it. */
void cache_compact(struct cache *c, unsigned steps);
/* A whole walk found nothing that could move. */
static inline bool cache_moves_nothing(const struct cache *c)
{
    return atomic_load_explicit(&c->compaction.futile, memory_order_relaxed);
}

#endif
