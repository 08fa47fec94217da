/*
 * What the files of the disk share: disk.c (its life, and what is asked of it), disk_store.c (what is
 * written), disk_read.c (what is read).
 */
#ifndef CACHE_DISK_MACHINE_H
#define CACHE_DISK_MACHINE_H

#include "cache/disk.h"
#include "cache/shelf.h"
#include "io/background.h"

/* Which URLs may be there: bits by the hash of the primary key, set and never cleared. */
struct disk_known {
    _Atomic uint64_t *bits;
    size_t words; /* a power of two */
};

#define DISK_READERS     4
#define DISK_OWED_LATELY 4096              /* a power of two */
#define DISK_ROOM        ((size_t)2 << 20) /* for the longest record */
struct disk {
    struct disk_options o;
    struct segments *log;
    struct shelf *shelf;
    struct disk_known known;
    struct background *finder; /* finds what was there at start, then looks for what is not on disk */
    size_t entries_max;        /* of the shelf */
    struct index_walk walk;
    unsigned waited;         /* how often it was put off */
    uint64_t walked_dropped; /* how many were dropped when the walk began */
    struct pool_threads *readers;
    char *rooms[DISK_READERS];
    _Atomic unsigned rooms_taken; /* bits */
    struct lock lock;             /* of what follows; taken alone */
    struct list owed;             /* what the walk is to write (disk_store.c) */
    size_t owed_n;
    uint64_t walks; /* that have ended */
    atomic_bool is_whole;
    bool is_started;
    uint64_t owed_lately[DISK_OWED_LATELY]; /* keys that were owed while not all was found; by their hash */
    _Atomic uint64_t pages_read, rules_read, not_there, superseded;
    _Atomic uint64_t object; /* the number of the latest response, for struct segment_record */
};

/* The key of a page of that release (0: common), and of a family's rule. */
struct hash128 disk_page_key(const struct cache *c, const struct place *place, uint32_t hash);
struct hash128 disk_rule_key(const struct cache *c, const struct place *place);
/* The same for the shelf, which takes any of its bits. */
struct hash128 disk_shelf_key(const struct hash128 *key);

/* The part of a record that is a rule. */
#define DISK_RULE_PART 0x72756c65u

/* Writes a few of the stored objects that are not on disk: since it was behind, or their place was used
 * again. false: the walk is over. */
bool disk_walk(struct disk *d, struct index_walk *w);

/* All that was there at start is found: takes off the shelf what something newer took the place of
 * meanwhile. */
void disk_judge_owed(struct disk *d);
/* Of what was to be written by a walk, sees to what was not. `all`: no walk follows. */
void disk_settle_owed(struct disk *d, bool all);

#endif
