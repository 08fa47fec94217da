/*
 * What the files of the disk share: disk.c (its life, and what is asked of it), disk_store.c (what is
 * written), disk_long.c (long bodies, part by part), disk_read.c (what is read).
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
#define DISK_OWED_ROWS   256               /* the same */
#define DISK_ROOM        ((size_t)2 << 20) /* for the longest record */
struct disk {
    struct disk_options o;
    struct segments *log;
    struct shelf *shelf;
    struct disk_known known;
    struct background *finder; /* finds what was there at start, then looks for what is not on disk */
    size_t entries_max;        /* of the shelf */
    struct index_walk walk;
    int64_t walk_due_us;     /* monotonic: when it goes on, or the next begins */
    unsigned waited;         /* how often it was put off */
    uint64_t walked_dropped; /* how many were dropped when the walk began */
    bool walks_again;        /* the log had no room for what this walk found */
    struct pool_threads *readers;
    char *rooms[DISK_READERS];
    _Atomic unsigned rooms_taken;          /* bits */
    struct lock lock;                      /* of what follows; taken alone */
    struct list owed;                      /* what the walk is to write (disk_store.c) */
    struct list owed_rows[DISK_OWED_ROWS]; /* the same, by key */
    size_t owed_n;
    uint64_t walks;    /* that have ended */
    struct list longs; /* long bodies to be written; the first one is under way (disk_long.c) */
    size_t longs_n, longs_bytes;
    bool longs_left; /* one had no room there: a walk will find it */
    atomic_bool is_whole;
    bool is_started;
    atomic_bool is_paused;                  /* nothing is written any more */
    uint64_t owed_lately[DISK_OWED_LATELY]; /* keys that were owed while not all was found; by their hash */
    _Atomic uint64_t pages_read, rules_read, parts_read, not_there, superseded;
    _Atomic uint64_t unlisted; /* tries to write a record while the shelf was full */
    _Atomic uint64_t object;   /* the number of the latest response, for struct segment_record */
};

/* The key of a page of that release (0: common), and of a family's rule. */
struct hash128 disk_page_key(const struct cache *c, const struct place *place, uint32_t hash);
struct hash128 disk_rule_key(const struct cache *c, const struct place *place);
/* The same for the shelf, which takes any of its bits. */
struct hash128 disk_shelf_key(const struct hash128 *key);

/* The key of a part of a long body, whose response has the first key. */
struct hash128 disk_part_key(const struct cache *c, const struct hash128 *key, uint32_t part);

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

/* ---- disk_store.c, for disk_long.c ---- */

enum disk_wrote { DISK_WROTE, DISK_WROTE_LATER, DISK_WROTE_NOT };
/* Appends a record, and puts it on the shelf. */
enum disk_wrote disk_append(struct disk *d, const struct segment_record *r);
/* The parts of the body of `o` are written: writes its record, unless it is not in the index any more. */
void disk_store_whole(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                      const struct body_distance *where);
/* Its parts were not written: it has left the index, or they could not be. */
void disk_store_failed(struct disk *d, const struct object *o, const struct place *place, uint32_t hash);

/* ---- disk_long.c ---- */

/* Remembers that the long body of `o` is to be written, unless it leaves the index before. DISK_WROTE_NOT: it
 * is not to be: it is too long, or has lasted too long (record_is_wanted). */
enum disk_wrote disk_long_add(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                              int64_t now_mono_ms);
/* Writes some of what was added. Returns after how many microseconds it wants to be called again; -1: there
 * is nothing to write. On the finder's thread, or when that has ended. */
int64_t disk_long_write(struct disk *d);
/* Is a body of that key to be written? Under disk->lock. */
bool disk_long_waits(const struct disk *d, const struct hash128 *key);
/* Gives up what is not written. */
void disk_long_drop(struct disk *d);
/* Are all parts of that body on the shelf? Then they count as asked for. */
bool disk_long_is_whole(struct disk *d, const struct body_distance *where, uint64_t whole_bytes,
                        int64_t now_wall_ms);

/* ---- disk_read.c, for disk_long.c ---- */

/* Reads the record of the key from where the shelf says, into `room`, and sets `record` and `place`.
 * DISK_NONE: there is none that fits, and none on the shelf any more. */
enum disk_found { DISK_FOUND, DISK_NONE, DISK_FAR };
struct disk_reading {
    struct disk *disk;
    char *room;
    size_t room_bytes; /* of what is read with one call */
    bool at_hand;      /* only what is in memory; DISK_FAR: it is not, or it is too long */
    struct segment_record record;
    struct segments_place place;
};
enum disk_found disk_read_record(struct disk_reading *it, const struct segment_record *want);
/* Starts a job: read(it, j) comes on another thread, then the notice. */
void disk_job_start(struct disk *d, struct disk_job *j,
                    bool (*read)(struct disk_reading *, struct disk_job *));
/* Calls read(it, j) now, for what is at hand, and returns what it returns: false: it is not. */
bool disk_job_at_hand(struct disk *d, struct disk_job *j, char room[DISK_ROOM_AT_HAND],
                      bool (*read)(struct disk_reading *, struct disk_job *));
/* A job that was not begun, and never will be: the notice alone. */
void disk_job_drop(struct pool_job *queued);

#endif
