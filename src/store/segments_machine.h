/*
 * What the files of segments.h say to each other. Private to store/.
 *
 *   segments.c          opening, closing, figures
 *   segments_append.c   the buffer's side of those who append
 *   segments_write.c    the writing thread: pieces, syncs, sealing, faults
 *   segments_prepare.c  the next segment: files, reclaim, heads
 *   segments_recover.c  finding the records of a segment
 *   segments_read.c     reading one
 *
 * The buffer is a ring that all segments share. Positions in it only grow: `base` is where byte 0 of a
 * segment would be. What the lock guards is noted; all else belongs to the writing thread.
 */
#ifndef STORE_SEGMENTS_MACHINE_H
#define STORE_SEGMENTS_MACHINE_H

#include "base/buf.h"
#include "base/lock.h"
#include "io/background.h"
#include "store/segments.h"

#define SEGMENTS_PIECE    ((size_t)1 << 20) /* written at once */
#define SEGMENTS_HOLDS    64                /* bits of `held` */
#define SEGMENTS_STAGES   2
#define SEGMENTS_FLUSH_US 500000 /* a piece that does not fill up is written after that time */
#define SEGMENTS_SYNC_US  1000000
#define SEGMENTS_RETRY_US INT64_C(1000000) /* after a fault; doubles up to */
#define SEGMENTS_PATIENCE INT64_C(60000000)
#define SEGMENTS_POLL_US  1000 /* for readers of a segment that is to be used again */
#define SEGMENTS_PATH     4096

enum slot_state {
    SLOT_NONE,    /* no file */
    SLOT_MAKING,  /* a file that is being filled with zeros, under another name */
    SLOT_FREE,    /* a file of the right size whose content is not needed */
    SLOT_READY,   /* has a head of its own and no records: the next one */
    SLOT_FILLING, /* in `stages` */
    SLOT_FOUND,   /* was there at start, not yet recovered */
    SLOT_LOADING, /* being recovered */
    SLOT_SEALED,  /* nothing more is written to it */
    SLOT_LEAVING, /* being reclaimed; its records can be read */
};

/* Under the lock. */
struct slot {
    enum slot_state state;
    int file; /* -1: none */
    uint64_t generation;
    int64_t made_wall_ms;
    uint64_t begin_min;  /* UINT64_MAX: no records */
    uint64_t used_bytes; /* of its records */
    unsigned readers;    /* the file stays while there are any */
    bool cached;         /* nothing is written to it: it is read through the page cache */
    bool bad;            /* a write or a sync failed: the file is removed before its next use */
};

/* A segment that is being filled or written. `slot`, `generation`, `base` and `entries` do not change; the
 * rest is under the lock. */
struct stage {
    uint32_t slot;
    uint64_t generation;
    uint64_t base;
    unsigned char *entries; /* of entries_map bytes */
    uint64_t end;           /* the position behind its last record */
    uint32_t count;
    uint64_t begin_min, begin_max;
    bool full; /* nothing more is appended */
};

/* Somebody copies into the ring, or out of it. */
struct hold {
    uint64_t from, to;
    bool writes;
};

/* How much is written: since `from_us`, and in the time before. Zeroed: nothing was. */
struct segments_rate {
    int64_t from_us;
    uint64_t bytes, before; /* before: a second */
    bool is_begun, has_before;
};

struct segments {
    struct segments_options o;
    char folder[SEGMENTS_PATH];
    struct background *thread;
    int lock_file; /* -1: not locked yet */
    uint32_t slots_n, entries_most;
    size_t entries_map;
    uint64_t top; /* the upper part of the largest generation */

    struct lock lock; /* a leaf: nothing is locked or waited for below it */
    struct slot *slots;
    struct stage stages[SEGMENTS_STAGES]; /* under the lock; the first is written, the last is appended to */
    unsigned stages_n;
    struct hold holds[SEGMENTS_HOLDS];
    uint64_t held;    /* those in use */
    uint64_t written; /* a multiple of FILE_BLOCK: all below is on disk */
    uint64_t flushed; /* the same to the byte; the rest of its block is written once more */
    uint64_t wake_at; /* appending beyond this position wakes the thread; UINT64_MAX: no need */
    unsigned char *spare[SEGMENTS_STAGES]; /* entries of stages that are over, for the next ones */
    int next;                              /* the slot in SLOT_READY, or -1 */
    bool hurry;                            /* somebody was refused for want of a next segment */
    bool retires;                          /* segments_retire was called */
    bool none_full;                        /* it found no segment that could leave, and none came since */
    bool off;                              /* the disk fails */
    bool paused;                           /* another process has the folder */
    struct segments_figures figures;
    struct segments_rate rate;

    char *ring;
    char *scratch;     /* FILE_BLOCK */
    const char *zeros; /* SEGMENTS_PIECE; never written to, so no memory stands behind them */
    char *carried;     /* room for one record, made when it is needed */
    int64_t retry_us, patience_us, pace_us, synced_us;
    int64_t pending_us; /* since when something waits for its piece to fill up; 0: nothing */
    int64_t no_room_us; /* until then no file is made, since the disk was full */
    bool dirty;         /* written and not yet synced */
    bool direct;
    struct making {
        int slot;     /* -1: none */
        bool retires; /* it is not the next one, but leaves (segments_retire) */
        uint64_t made_bytes;
        struct loaded *leaving; /* what is reclaimed */
        uint32_t at;
        uint64_t carried_bytes;
    } making;
};

/* All records of a segment. */
struct loaded {
    unsigned char *entries;
    size_t map_bytes;
    uint32_t count;
    uint64_t begin_min, begin_max, used_bytes;
    bool is_scanned; /* the segment has no index of its own: it was not finished */
};

enum segments_step {
    SEGMENTS_NOTHING, /* nothing to do now */
    SEGMENTS_DONE,
    SEGMENTS_FAULT, /* a fault was noted */
};

/* ---- segments.c ---- */
void segments_path(const struct segments *s, uint32_t slot, const char *kind, char out[SEGMENTS_PATH]);
/* Takes the folder's lock, unless it is taken. Then what is in the folder was not looked at, and is removed.
 * 0, or a negative errno. */
int segments_lock(struct segments *s);
void segments_count(struct segments *s, uint64_t *figure, uint64_t n);
struct segments_found segments_found_of(const struct segment_entry *e, uint32_t slot, uint64_t generation);
uint64_t segments_new_generation(struct segments *s);
uint64_t segments_round(uint64_t n, uint64_t to);
/* Map and unmap at least so many bytes, zeros, in huge pages when it is many. NULL: no memory; allowed for
 * the second. */
void *segments_map(size_t n);
void segments_unmap(void *p, size_t n);
size_t segments_map_bytes(size_t n); /* the next power of two, at least a page */

/* Nothing more is written to the slot's file, or it is about to be written again: makes it one that is read
 * through the page cache, or past it. */
void segments_cache(struct segments *s, struct slot *slot, bool cached);

/* ---- segments_append.c ---- */
/* Like segments_append, for what is carried over. SEGMENTS_BUSY: the buffer is full. SEGMENTS_REFUSED: there
 * is no room left for such records. */
enum segments_append segments_carry(struct segments *s, const struct segment_record *r,
                                    struct segments_found *out);
/* Returns the bytes of each segment that are kept for what is carried over, until the next one is ready. */
uint64_t segments_reserve(const struct segments *s);
/* The others under the lock. */
/* Returns one of the holds in the set, which is not empty and is made smaller by it. */
static inline const struct hold *segments_next_hold(const struct segments *s, uint64_t *set)
{
    const struct hold *h = &s->holds[__builtin_ctzll(*set)];
    *set &= *set - 1;
    return h;
}
/* Takes a hold; NULL: there is none left. */
struct hold *segments_hold(struct segments *s, uint64_t from, uint64_t to, bool writes);
/* Gives a hold back. */
void segments_release(struct segments *s, const struct hold *h);
/* Returns the position below which all records are whole in the ring. */
uint64_t segments_committed(const struct segments *s, uint64_t end);
/* Copies out of the ring. */
void segments_copy_out(const struct segments *s, uint64_t from, char *to, size_t n);

/* ---- segments_write.c ---- */
/* Writes to a file, all or nothing. 0, or a negative errno. */
int segments_write_at(struct segments *s, int file, const void *from, size_t n, uint64_t at);
/* Notes a fault of `what`, and when to try again. */
void segments_fault(struct segments *s, const char *what, int status);
/* Adds what was written now, and returns bytes a second: over the last ten seconds; from the first byte on,
 * over the time since, but at least a second; when nothing was written for ten seconds, over all of the time
 * since something was. Pure. */
void segments_rate_add(struct segments_rate *r, size_t n, int64_t now_us);
uint64_t segments_rate(const struct segments_rate *r, int64_t now_us);
/* Writes all that is buffered, and seals. For segments_close. */
void segments_drain(struct segments *s);

/* ---- segments_prepare.c ---- */
enum segments_step segments_prepare(struct segments *s, int64_t now_us);
void segments_prepare_end(struct segments *s);

/* ---- segments_recover.c ---- */
/* Finds the records of a slot, whose file stays meanwhile. NULL: it cannot be read. */
struct loaded *segments_load(struct segments *s, int file, uint64_t generation);
void segments_unload(struct loaded **l);

/* ---- segments_read.c ---- */
/* Reads at a multiple of FILE_BLOCK. Returns the bytes that are there, or a negative errno. */
int64_t segments_read_at(struct segments *s, int file, void *to, size_t n, uint64_t at);

#endif
