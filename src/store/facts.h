/*
 * Facts: what must not be lost (docs/decisions/058, 060). They are kept on disk, in the state folder, and in
 * memory; memory is the truth, and the disk follows. A commit takes everything that is not on disk yet, so
 * those who wait share it.
 *
 * There are two kinds. A fact is a value under a name: the secret, a site's deploys; the struct facts holds
 * it. Rows are numbers with a few bytes, up to millions: the purged names (cache/epoch.h); their owner holds
 * them, knows which are unsaved, and gives them to a commit when it is asked.
 *
 * When the folder cannot be written, all goes on in memory, and nobody waits. When the disk has failed, the
 * log is not written any more, since what it holds is not known: everything goes into a new snapshot, which
 * another log follows.
 *
 * facts_open, facts_start, facts_stop and facts_free run on main's thread. The others run on any thread,
 * without a lock held, except for facts_changed.
 */
#ifndef STORE_FACTS_H
#define STORE_FACTS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "io/file.h"
#include "store/facts_format.h"

#define FACTS_MOST 4096 /* facts */

/* So long does a start wait for a disk that does not answer; so long an end. */
#define FACTS_START_MS 5000
#define FACTS_STOP_MS  10000

struct facts;

/* The owner of the rows. The first two are called by facts_open, the others on the threads that write, one at
 * a time. */
struct facts_rows {
    void *owner;
    /* Takes a row that is on disk, and is saved. One that comes again is newer. false: the row is wrong, so
     * its file is damaged. */
    bool (*load)(void *owner, const struct facts_row *row, struct now now);
    /* The rows that were loaded do not count: their file turned out to be damaged. */
    void (*forget)(void *owner);
    /* Begins a commit: the rows that are unsaved now belong to it. */
    void (*begin)(void *owner);
    /* Writes at most `most` of the commit's rows to `out`, those first that have been unsaved for longest;
     * from now on they are saved. Rows that became unsaved later may come with them, but do not take their
     * place. Returns how many; 0: there are no more. */
    size_t (*take)(void *owner, struct facts_row *out, size_t most, struct now now);
    /* Begins a walk over all rows that are there now. Commits go on meanwhile, unless `saves` is set: then
     * each row that the walk gives is saved. A walk may begin before another one has ended, which is over
     * then. */
    void (*walk_begin)(void *owner, bool saves);
    /* Writes the walk's next rows, at most `most`. What changes meanwhile need not be among them. Returns how
     * many; 0: there are no more. */
    size_t (*walk)(void *owner, struct facts_row *out, size_t most, struct now now);
};

/* How the folder was found. */
enum facts_found {
    FACTS_USABLE,
    FACTS_IN_MEMORY, /* there is none, or it cannot be used now: nothing is saved */
    FACTS_REFUSED,   /* another process uses it, or a newer freshet did: do not start */
};

/* Opens the folder's facts, locks them to this process, and loads them. `folder` is copied; empty: there is
 * none. `rows` is copied; its owner outlives facts_stop. Never NULL. `said` gets a sentence for people when
 * *found is not FACTS_USABLE, or a damaged file was put aside. */
struct facts *facts_open(struct str folder, const struct clock *clock, const struct facts_rows *rows,
                         enum facts_found *found, struct buf *said);
/* The same on another disk, for tests. 0: as usual. */
struct facts_options {
    struct files *files;
    uint64_t log_bytes;  /* of a log at first */
    int64_t patience_ms; /* instead of FACTS_START_MS and FACTS_STOP_MS */
};
struct facts *facts_open_with(struct str folder, const struct clock *clock, const struct facts_rows *rows,
                              const struct facts_options *o, enum facts_found *found, struct buf *said);
/* Does another process use the folder now? Locks nothing for longer than the call. */
bool facts_is_taken(const char *folder);
/* Returns the value of a fact, or an empty string. It holds until the fact is put again. On main's thread,
 * before facts_start. */
struct str facts_get(struct facts *f, struct str key);
/* Starts the threads that commit, and waits for the first commit: FACTS_START_MS at most. After that what is
 * new is in memory alone, until the disk answers. */
void facts_start(struct facts *f);
/* Commits what is unsaved, ends the threads and closes the files. Nobody waits any more. false: the disk did
 * not answer for FACTS_STOP_MS. Then a thread still uses the facts and the owner of the rows: neither may be
 * freed, and nothing is left but to end the process. */
bool facts_stop(struct facts *f);
/* Like facts_stop, but for another process that takes the folder over: gives the folder back. What is put
 * from now on is in memory alone, and unsettled, until facts_resume or facts_give follows. false: as of
 * facts_stop, and facts_resume must not be called. On main's thread; others may use the facts meanwhile. */
bool facts_pause(struct facts *f);
/* The other process has it for good. `saved`: it has put all on disk that has a ticket up to `upto`. Whoever
 * waits is told. What comes later is in memory alone. On main's thread. */
void facts_give(struct facts *f, uint64_t upto, bool saved);
/* Takes the folder again, since the other process did not start, and goes on. Another may have it by now:
 * then what is new is in memory alone. Waits as facts_start does. */
void facts_resume(struct facts *f);
/* Frees it, and gives the folder back. */
void facts_free(struct facts *f);

/* Sets a fact; an empty value removes it. Both are copied. It is unsaved until facts_ask's commit. */
void facts_put(struct facts *f, struct str key, struct str value);
/* Says that a row has become unsaved. Its owner calls it under the lock of the rows, and facts_ask later.
 * Takes no lock. */
void facts_changed(struct facts *f);
/* Asks for a commit of all that is unsaved now. Returns its ticket, for facts_settled. Tickets rise. A commit
 * that has begun, and has it, is not asked for again. */
uint64_t facts_ask(struct facts *f);

enum facts_settled {
    FACTS_UNSETTLED,
    FACTS_SAVED,   /* on disk */
    FACTS_UNSAVED, /* in memory alone: the folder cannot be written */
};
enum facts_settled facts_settled(struct facts *f, uint64_t ticket);

/* Who wants to know of each commit; embedded in its owner. `told` is called on the thread that commits, with
 * the list of listeners locked. */
struct facts_listener {
    struct link link;
    void (*told)(struct facts_listener *l);
};
void facts_listen(struct facts *f, struct facts_listener *l);
void facts_unlisten(struct facts *f, struct facts_listener *l);

/* How the facts do, for the log, status and metrics. */
struct facts_state {
    bool is_failing; /* what is new is in memory alone */
    char why[256];   /* with is_failing: a sentence without its end; NUL-terminated */
    uint64_t commits, failures;
    uint64_t saved; /* rows and facts written, ever */
};
void facts_state(struct facts *f, struct facts_state *out);
/* Is what is new in memory alone? Costs one load. */
bool facts_is_failing(const struct facts *f);
/* Tries again, when the folder could not be written. Call it now and then while is_failing. */
void facts_try_again(struct facts *f);

#endif
