/*
 * What the files of facts.h say to each other. Private to store/.
 *
 *   facts.c          facts in memory, opening, the interface
 *   facts_commit.c   the committing thread: batches, a new beginning after a failure
 *   facts_keep.c     snapshots, and the thread that makes them while commits go on
 *
 * One log is written. When it is nearly full the other one is, and the keeping thread makes a snapshot that
 * stands for the first. A new beginning, at the start and after each failure, is a snapshot too, of a new
 * generation; the committing thread makes it itself, while the keeping thread stands still.
 */
#ifndef STORE_FACTS_MACHINE_H
#define STORE_FACTS_MACHINE_H

#include <pthread.h>
#include <semaphore.h>

#include "base/buf.h"
#include "io/background.h"
#include "store/facts.h"
#include "store/facts_log.h"
#include "store/facts_whole.h"

#define FACTS_BATCH_ROWS 64 /* rows that are taken at once */
/* They fit into so many bytes of a batch. */
#define FACTS_ROWS_ROOM (FACTS_BATCH_ROWS * (FACTS_ROW_MAX + 16))

#define FACTS_LOG_FIRST ((uint64_t)1 << 20)  /* bytes of a log at first */
#define FACTS_LOG_MOST  ((uint64_t)32 << 20) /* it does not grow beyond */

struct fact {
    struct link link;    /* in facts->all */
    struct link unsaved; /* in facts->unsaved, or in none */
    struct str key;      /* owned */
    struct str value;    /* owned; empty: it was removed */
};

/* A snapshot under way. */
struct facts_pour {
    struct facts_whole whole;
    bool is_open, saves, has_facts;
    bool has_walked;       /* all that did not change meanwhile is in it */
    uint64_t ticket;       /* of what changed until then */
    struct buf key, value; /* of a fact that did not fit into its piece */
};

struct facts {
    struct facts_disk disk;
    const struct clock *clock;
    struct now opened;
    struct facts_rows rows;
    uint64_t log_first; /* FACTS_LOG_FIRST, but in tests */
    int64_t start_ms, stop_ms;
    pthread_t thread;
    sem_t work;             /* for the committing thread: no lock is in the way of those who ask */
    pthread_cond_t settled; /* by CLOCK_MONOTONIC */
    bool is_running;

    /* of the committing thread; before facts_start, of main's */
    struct background *keeper;
    struct facts_log log;
    bool is_logging;     /* commits go to the log; else a new beginning comes first */
    bool is_unread;      /* there may be files that could not be read at the start */
    bool is_strange;     /* the folder is not the one that was read */
    bool spoiled[2];     /* logs that the disk failed */
    int64_t looked_us;   /* when the log's name was looked at */
    uint64_t generation; /* the largest that was used */
    struct buf error;    /* why a commit fails */
    void *zeros, *whole_room;

    /* of the thread that makes a snapshot */
    struct facts_pour pour;
    bool has_whole;         /* there is a snapshot that counts */
    enum facts_file newest; /* and it is this one */
    uint64_t whole_bytes;   /* of the latest snapshot */

    _Atomic uint64_t changes;       /* tickets: what has changed, ever */
    _Atomic uint64_t covered;       /* that the latest round has taken, or takes */
    _Atomic uint64_t saved, failed; /* that are on disk; that are not */
    atomic_bool is_wanted;          /* a round */
    atomic_bool is_failing;         /* as in `state`; written under the lock */
    atomic_bool is_paused;          /* nobody knows yet whether what is asked for will be saved */

    struct lock lock; /* guards what follows */
    struct list all, unsaved;
    struct link *walk; /* the next fact of a snapshot under way, or &all.head */
    size_t facts_n;
    bool stops, tries_again, has_ended;
    struct facts_state state;
    struct list listeners;
    /* of the log that is not written */
    enum facts_file other;
    uint64_t other_bytes;                  /* that it is to have */
    bool other_ready;                      /* it can be written next */
    bool wants_whole;                      /* it is needed until there is a snapshot: */
    uint64_t keep_generation, keep_serial; /* of this log, that stands for all up to this batch */
};

/* ---- facts.c ---- */

/* Forgets a fact. Under the lock. */
void facts_drop(struct facts *f, struct fact *x);
/* Tells all listeners. Under the lock. */
void facts_tell(struct facts *f);

/* ---- facts_commit.c ---- */

/* Runs until facts_stop. */
void *facts_commit_run(void *arg);

/* ---- facts_keep.c ---- */

/* Begins a snapshot in the file that is not the newest; writes a piece of it; ends it. 1: it is on disk and
 * counts; 0: there is more to do; a negative errno: it is gone. */
int facts_pour_begin(struct facts *f, uint64_t generation, uint64_t serial, bool saves);
int facts_pour_step(struct facts *f);
void facts_pour_end(struct facts *f);
/* A step of the keeping thread. */
int64_t facts_keep_step(void *ctx);
/* How long is a log to be, when the present one has so many bytes? */
uint64_t facts_keep_target(const struct facts *f, uint64_t bytes);

#endif
