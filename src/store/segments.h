/*
 * The log of segments: stored responses on disk (src/store/FORMAT.md). Records are appended to a buffer,
 * written behind by a thread of low priority, read one by one, and found again at start. It may lose what it
 * holds, and never gives anything else than what was appended: whatever does not hold is a miss.
 *
 * It knows where a record is only as long as its owner does: the owner keeps the key and the place of each.
 * The disk is cut into segments of one size. The oldest is used again when there is no other; its owner may
 * have what is hot in it carried over. At no moment the files take more than the limit.
 *
 * When the disk fails (full, read-only, I/O error), the segment in use is given up: nothing more is written
 * to it, what it has can be read, what was not written is lost. Until a later try works, records are refused.
 * The first fault and the recovery are logged, all are counted.
 */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include "base/clock.h"
#include "base/log.h"
#include "io/file.h"
#include "store/segment_format.h"

struct segments;

#define SEGMENTS_BYTES      ((uint64_t)64 << 20)
#define SEGMENTS_BYTES_MIN  ((uint64_t)2 << 20)
#define SEGMENTS_BUFFER     ((size_t)8 << 20)
#define SEGMENTS_BUFFER_MIN ((size_t)4 << 20)
#define SEGMENTS_RATE       ((uint64_t)100 << 20)
#define SEGMENTS_MOST       ((uint32_t)1 << 20) /* segments of a folder, and units of a segment */

/* Where a record is. Both numbers are below SEGMENTS_MOST. */
struct segments_place {
    uint32_t segment, unit;
};

/* What is known of a record without reading it. */
struct segments_found {
    struct hash128 key;
    uint32_t part; /* as in struct segment_record; records of one key and different parts are different */
    uint64_t begin;
    uint64_t generation; /* of its segment */
    struct segments_place place;
    uint32_t bytes;
    int64_t expires_wall_ms; /* as in struct segment_entry */
    uint16_t status, flags;
};

/* Of two records of one key and part: does `a` count, not `b`? The higher begin wins, then the generation,
 * then the place. Pure. */
bool segments_wins(const struct segments_found *a, const struct segments_found *b);

/* What the owner is asked when a segment is to be used again. On the writing thread, without a lock held. May
 * call segments_append and segments_read. */
struct segments_owner {
    void *ctx;
    /* Is this record to be carried over? Only when the owner still has it at that place. `is_cheap`: the
     * segment is mostly empty, so all that is alive may be carried; else only what is asked for often. */
    bool (*keeps)(void *ctx, const struct segments_found *record, bool is_cheap);
    /* The record `old` is no longer there: it is now `now`, or nowhere when that is NULL. Called once for
     * each record of the segment, also for those that the owner does not know. */
    void (*gone)(void *ctx, const struct segments_found *old, const struct segments_found *now);
};

struct segments_options {
    struct files *files;       /* must stay */
    const struct clock *clock; /* must stay */
    struct log *log;           /* must stay; may be NULL */
    const char *folder;        /* made when it is missing */
    uint64_t limit_bytes;      /* at least two segments; the rest that fills none is not used */
    uint64_t segment_bytes;    /* a multiple of SEGMENT_BLOCK, SEGMENTS_BYTES_MIN to SEGMENTS_BYTES */
    size_t buffer_bytes;       /* a power of two, at least SEGMENTS_BUFFER_MIN */
    uint64_t bytes_per_s;      /* written at most; 0: as fast as it goes */
    unsigned char secret[SEGMENT_SECRET]; /* the id of the secret that keys are hashed with */
    struct segments_owner owner;
};

/* Opens the folder: reads the heads of its segments, and drops those of another secret or size. Reads nothing
 * else: call segments_recover. 0: *out is set, also when the folder cannot be written now: then its segments
 * are not used, and it begins empty once it can. -EINVAL: a number is out of its range. -EWOULDBLOCK: another
 * process uses the folder. Waits for the disk. */
int segments_open(const struct segments_options *o, struct segments **out);
/* Starts the thread that writes. Else somebody calls segments_work. */
void segments_start(struct segments *s);
/* Ends the thread, writes what is buffered, seals the segment, frees everything and clears the pointer. NULL
 * in it is allowed. Waits for the disk. No other call may run. */
void segments_close(struct segments **s);

/* Ends the thread, writes what is buffered, seals the segment and gives the folder back, so that another
 * process can take it over. What is there can be read on, as long as that process leaves it; nothing more is
 * appended (SEGMENTS_OFF). Waits for the disk. Other threads may read meanwhile, but not append. */
void segments_pause(struct segments *s);
/* Takes the folder again, which nobody has changed meanwhile, and starts the thread. 0; -EWOULDBLOCK: another
 * process has it, and it stays as it is. */
int segments_resume(struct segments *s);

enum segments_append {
    SEGMENTS_APPENDED, /* *out is set */
    SEGMENTS_BUSY,     /* the buffer is full, or no segment is ready: the record is dropped */
    SEGMENTS_OFF,      /* the disk fails: the same */
    SEGMENTS_REFUSED,  /* segment_record_bytes refuses it */
};
/* Copies the record into the buffer. It can be read at its place at once, and is written soon: it survives a
 * crash after two seconds, when the disk keeps up. Keeps no pointer. Never waits for the disk. Any thread. */
enum segments_append segments_append(struct segments *s, const struct segment_record *r,
                                     struct segments_found *out);

/* Returns how many bytes were appended and are not written yet. Any thread. */
uint64_t segments_waiting(struct segments *s);

enum segments_read {
    SEGMENTS_READ, /* *out is set; its strings point into `room` */
    SEGMENTS_MISS, /* there is no such record any more, or it is damaged, or the disk fails */
    SEGMENTS_LONG, /* it is longer: *bytes says how long */
    SEGMENTS_FAR,  /* of segments_read_at_hand: the disk would have to be waited for */
};
/* Returns how much room a record of so many bytes needs. */
static inline size_t segments_room(size_t bytes)
{
    return (bytes + 2 * FILE_BLOCK - 1) / FILE_BLOCK * FILE_BLOCK;
}
/* Reads the record at `place` into `room`, which is aligned to FILE_BLOCK and has segments_room(*bytes).
 * `*bytes`: its length, or more. Checks generation and all sums, that it has this key and part, and these
 * URL and variant. Sets *bytes to its length when it is read or longer. Waits for the disk: any thread
 * that may. */
enum segments_read segments_read(struct segments *s, struct segments_place place,
                                 const struct segment_record *want, char *room, size_t *bytes,
                                 struct segment_record *out);

/* The same, of what is in memory: in the log's buffer, or in the page cache. Never waits for the disk: any
 * thread. */
enum segments_read segments_read_at_hand(struct segments *s, struct segments_place place,
                                         const struct segment_record *want, char *room, size_t *bytes,
                                         struct segment_record *out);

/* Finds the records of one segment that was there at start, the newest segment first, and calls
 * each(ctx, ...) for all of them, the last written first: so of one key the one that is to be used comes
 * first. Of one key the owner keeps that which wins (segments_wins).
 * false: there was none left; nothing was called. One thread at a time; others may use the log meanwhile.
 * Waits for the disk. */
bool segments_recover(struct segments *s, void (*each)(void *ctx, const struct segments_found *record),
                      void *ctx);

/* The owner has no room to know more records: the oldest segment leaves, as if its place were needed now, and
 * nothing of it is found at a later start. Any thread. Does nothing more when it was called before and that
 * goes on. false: none will leave soon, since none is full, or the disk fails. */
bool segments_retire(struct segments *s);

/* For tests, simulations and owners without the thread: does a step of what the thread does. Returns after
 * how many microseconds it wants to be called again (io/background.h). */
int64_t segments_work(struct segments *s);

/* Returns the smallest begin of all records: purges with a smaller number may be forgotten. 0: not known yet,
 * since segments_recover has not seen all. UINT64_MAX: there are no records. Any thread. */
uint64_t segments_oldest_begin(struct segments *s);

struct segments_figures {
    uint64_t appended, appended_bytes; /* records, and their bytes */
    uint64_t busy, off, refused;       /* by enum segments_append */
    uint64_t written_bytes;            /* of records, indexes, heads and ends */
    uint64_t zeroed_bytes;             /* to make files */
    uint64_t carried, carried_bytes;
    uint64_t recovered;                /* records found by segments_recover */
    uint64_t scanned;                  /* segments without an index that were read through */
    uint64_t read, read_bytes, missed; /* by segments_read */
    uint64_t damaged, newer, foreign;  /* records and heads that were met */
    uint64_t faults;                   /* segments given up, and files that could not be made */
    uint64_t file_bytes;               /* that the files take now */
    uint64_t bytes_per_s;              /* written lately: over the last ten seconds */
    int64_t oldest_wall_ms;            /* when the oldest segment that has records was begun; 0: none */
    bool is_off;                       /* the disk fails now */
};
/* Sets *out. Any thread. */
void segments_figures(struct segments *s, struct segments_figures *out);

#endif
