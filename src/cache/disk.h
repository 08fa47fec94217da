/*
 * The cache's pages on disk (docs/decisions/063). What is stored in memory is written to a log of segments
 * soon after (store/segments.h), and stays there when memory needs the room, and over a restart. The shelf
 * (cache/shelf.h) knows where. A look-up that finds nothing in memory and something on the shelf says so;
 * the request then waits for a read, which puts the object into the index as if a fetch had brought it, and
 * looks again. So policy, purges and vary rules are asked in one place, the index.
 *
 * A long body is cut into parts, which are records of their own. An object that is read from disk has a
 * distant body then (store/body.h), and who delivers it reads one part after the other: it never displaces
 * other pages in memory. A response counts as being on disk when its parts were written before it.
 *
 * A key on disk is a hash of the primary key, the variant and the release, or of the primary key alone for
 * the family's rule, which is a record of its own.
 *
 * The disk may lose what it holds at any time: then it is a miss. What it holds is never older than what
 * memory has had: when a newer response cannot be written, the older one is taken off the shelf, and its
 * path is invalidated as by an unsafe request, so that it is not reused unasked after a restart either.
 */
#ifndef CACHE_DISK_H
#define CACHE_DISK_H

#include "base/log.h"
#include "base/notice.h"
#include "cache/index.h"
#include "cache/record.h"
#include "io/file.h"
#include "io/pool.h"
#include "store/segments.h"

struct disk;

struct disk_options {
    struct cache *cache;       /* must stay; its `disk` is set and cleared */
    const struct clock *clock; /* must stay */
    struct log *log;           /* must stay */
    struct files *files;       /* must stay */
    const char *folder;        /* made when it is missing */
    uint64_t limit_bytes;      /* at least DISK_LEAST */
    uint64_t bytes_per_s;      /* written at most; 0: as fast as it goes */
    struct record_boot boot;
    uint64_t object; /* a random number: where those that struct segment_record wants begin */
};

#define DISK_LEAST (2 * SEGMENTS_BYTES_MIN)

/* Opens the folder and sets cache->disk. On main's thread, before the workers start and after the purges were
 * loaded. 0; -EWOULDBLOCK: another process uses it. Waits for the disk, but reads only the heads of
 * segments. */
int disk_open(const struct disk_options *o, struct disk **out);
/* Starts to read, and to find what is there: it writes nothing yet. Waits until all is found, `most_ms` at
 * most. Once, before disk_start, or with DISK_FIND_MS by it. */
#define DISK_FIND_MS 300
void disk_find(struct disk *d, int64_t most_ms);
/* Starts to write, too. */
void disk_start(struct disk *d);
/* Writes what is stored and not on disk, as far as the log keeps up: two seconds at most. From now on
 * disk_store writes nothing; what it would have written invalidates an older one. On main's thread. Then
 * every worker has to pass by, and disk_pause or disk_resume follows. */
void disk_write_behind(struct disk *d);
/* Is that so: does another process go on with what is on disk now? Any thread. */
bool disk_is_paused(const struct disk *d);
/* Writes what is left of that, and gives the folder back, for another process that takes it over. What is
 * there can be read on; nothing more is written, or taken off the shelf for want of that. On main's thread;
 * the workers may go on. */
void disk_pause(struct disk *d);
/* Goes on, since the other process did not start. 0; -EWOULDBLOCK: another one has the folder, and all stays
 * as it is. */
int disk_resume(struct disk *d);
/* Ends that: what was stored is written. Jobs that were not begun tell that nothing was read. The workers
 * have ended. */
void disk_stop(struct disk *d);
/* Clears cache->disk, frees it and clears the pointer. NULL in it is allowed. */
void disk_free(struct disk **d);

/* ---- for the index: any thread, also under a shard's lock ---- */

/* Is there a rule on disk for the family of `place`, or may there be a page of that key? Both may turn out
 * wrong when they are read. */
bool disk_has_rule(struct disk *d, const struct place *place, int64_t now_wall_ms);
bool disk_has_page(struct disk *d, const struct place *place, int64_t now_wall_ms);
/* The same, for explain: returns the number at which the page's fetch began; UINT64_MAX: there is none. */
uint64_t disk_page_begin(struct disk *d, const struct place *place, int64_t now_wall_ms);
/* There may be something of the URL without its query from now on. */
void disk_note(struct disk *d, const struct hash128 *primary);
/* May there be anything of it? */
bool disk_may_know(struct disk *d, const struct hash128 *primary);
/* Is all found that was there at start? */
bool disk_is_whole(const struct disk *d);
/* Returns the smallest begin of what may be read from now on: purges with smaller numbers may be forgotten.
 * 0: not known. `d` NULL: UINT64_MAX. */
uint64_t disk_oldest_begin(struct disk *d);

/* ---- for fetches ---- */

/* Writes an object that index_publish has stored under `place`, soon, without waiting. Any thread. */
void disk_store(struct cache *c, struct object *o, const struct place *place, struct now now);

/* What the origin said of the key `place` is newer than what is stored of it, and is not stored: what is on
 * disk must not be used any more, now or after a restart. Any thread. */
void disk_forget(struct cache *c, const struct place *place, struct now now);

/* ---- for requests ---- */

/* Room for what a worker reads itself, a power of two: longer records are read by others. */
#define DISK_ROOM_AT_HAND (2 * RECORD_PART_BYTES)

struct disk_reading;

/* What is read by another thread. Embedded in its owner, which stays until the notice came. */
struct disk_job {
    struct notice *done; /* sent once */
    /* private to cache/disk*.c */
    struct pool_job queued;
    struct disk *disk;
    bool (*read)(struct disk_reading *it, struct disk_job *j);
};

/* What a request wants to be read. */
struct disk_read {
    struct disk_job job;
    struct place place;  /* its strings stay; `rule` is not used */
    bool is_rule;        /* the family's rule, not a page */
    size_t variants_max; /* as for index_publish */
    bool has_read;       /* afterwards: something was found, and the index knows it by now */
};

/* Starts the read. Any thread. */
void disk_read_start(struct disk *d, struct disk_read *r);
/* Reads it now, when it is in memory: in the log's buffer or the page cache. `room`: aligned to FILE_BLOCK.
 * true: `has_read` is set, and no notice comes. false: the disk must be waited for. Any thread. */
bool disk_read_at_hand(struct disk *d, struct disk_read *r, char room[DISK_ROOM_AT_HAND]);

/* A part of a distant body, as it is read. */
struct disk_part {
    struct disk_job job;
    struct body_distance where; /* of the body */
    uint64_t whole_bytes;       /* its length */
    uint32_t part;              /* from 1 to record_parts(whole_bytes) */
    char *to;                   /* has room for RECORD_PART_BYTES */
    size_t bytes;               /* afterwards: so many stand in `to`; 0: the part is not there any more */
};

/* Starts the read. Any thread. */
void disk_part_start(struct disk *d, struct disk_part *p);
/* As disk_read_at_hand; true: `bytes` is set. */
bool disk_part_at_hand(struct disk *d, struct disk_part *p, char room[DISK_ROOM_AT_HAND]);

/* Figures for status, metrics and tests. Any thread. */
struct disk_figures {
    struct segments_figures log;
    size_t entries;
    size_t shelf_bytes;
    uint64_t limit_bytes;
    uint64_t pages_read, rules_read, not_there; /* by disk_read_start; not there: nothing fit any more */
    uint64_t superseded;                        /* paths invalidated since a newer response was not written */
    uint64_t parts_read;                        /* by disk_part_start, and were there */
    uint64_t unlisted;                          /* tries to write a record that the shelf had no room for */
    size_t long_waiting, long_bytes;            /* bodies that are being written in parts, or wait for it */
    size_t owed; /* newer responses that are to be written before an older one of theirs may be used */
    bool is_whole;
};
void disk_figures(struct disk *d, struct disk_figures *out);

#endif
