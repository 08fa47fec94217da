/*
 * The cache: what the workers share. Index shards, eviction queues, epochs and the memory budget, each with
 * its own lock. An object's lock is taken alone. Under a shard's lock the eviction's or the epochs' lock may
 * be taken, never the other way round. Members are for the files of this room; other rooms use the secret,
 * the memory, the epochs and the gauges, on any thread.
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

struct family;
struct disk;
struct coder;
struct hints;

struct shard {
    _Alignas(64) struct lock lock;
    struct table families;
    struct marks marks;
    /* by hash: counts answered unsafe requests for URLs of which nothing was known */
    _Atomic uint32_t unsafe[64];
};

/* The struct fills (cache/object.h) of objects whose addresses end alike: a handful of thousands of
 * objects. */
struct fills {
    _Alignas(64) struct lock lock;
    struct list list;
};

/* The state of the walk that moves pages of memory together. `busy` guards the rest: the thread that set it
 * owns them. */
struct cache_compaction {
    _Atomic bool busy;
    _Atomic bool futile; /* a whole round found nothing to move */
    uint32_t shard, bucket, list;
    const struct family *in; /* amid its objects; only compared, since it may be gone */
    unsigned quarters;
    uint64_t moved; /* memory.moved when the round began */
};

struct settings;

struct cache {
    const struct hash_secret *secret;
    struct memory memory;
    struct epochs *epochs;
    struct disk *disk;   /* NULL: pages are in memory only. Main sets it before the workers start */
    struct coder *coder; /* coding/coder.h. NULL: no codings are made. The same */
    struct evict *evict;
    struct hints *hints;
    struct shard shards[CACHE_SHARDS];
    struct fills fills[CACHE_FILLS];
    _Atomic int64_t objects, families; /* gauges; objects: in the index and sealed */
    _Atomic int64_t idle_bytes;        /* of families without objects */
    _Atomic uint64_t evicted, swept;
    _Atomic int64_t coded, coded_bytes; /* gauges: codings of stored responses (cache/coded.h) */
    _Atomic uint64_t coded_dropped;     /* objects whose codings made room for others */
    _Atomic int64_t kept_bytes, kept;   /* assets of earlier releases, in the sweep's latest round */
    struct cache_compaction compaction;
    /* the sweep's position; one thread */
    uint32_t sweep_shard, sweep_bucket, sweep_list;
    struct family *sweep_in; /* amid its objects; only compared, since it may be gone */
    int64_t sweep_round_us;  /* time worked in this round; then what the round gave back */
    uint64_t sweep_round_swept;
    uint64_t sweep_oldest, sweep_began, sweep_purged_upto;
    uint64_t sweep_marked, sweep_hour_ago; /* purge numbers: now, and an hour ago */
    uint64_t sweep_disk;                   /* the smallest begin on disk at the latest mark */
    uint64_t sweep_disk_hour_ago;          /* and an hour before */
    int64_t sweep_marked_ms;
    const struct settings *sweep_settings; /* main's, in force; set by main; NULL: none */
    int64_t sweep_kept_bytes, sweep_kept;  /* assets of earlier releases, so far in this round */
    uint32_t purged_at;
    _Atomic uint32_t purged
        [CACHE_PURGED_KEPT]; /* Hashes of the families from which the sweep took a purged object last; for
                              * explain. */
};

/* Makes a cache with a budget of `memory_bytes`, which the caller ends by cache_free. The secret outlives it.
 * Never NULL. On main's thread, before the workers start. */
struct cache *cache_new(const struct hash_secret *secret, int64_t memory_bytes);
/* Frees the cache with its objects. Only the index holds references to them, and no other thread uses the
 * cache: on main's thread, after the workers have ended. */
void cache_free(struct cache *c);

#endif
