#include <errno.h>
#include <stdio.h>

#include "io/system.h"
#include "store/facts_machine.h"
#include "store/facts_recover.h"

/* Beside 0 and a negative errno: nothing is wrong, but there is no log to go on with. */
#define NO_LOG 1

#define LOOK_US 1000000 /* between two looks at the log's name */

static bool is_ready(struct facts *f)
{
    lock_take(&f->lock);
    bool ready = f->other_ready && !f->wants_whole;
    lock_give(&f->lock);
    return ready;
}

/* The largest number and one, above random bits: it comes only once, also when the file that had the largest
 * is damaged. */
static void next_generation(struct facts *f)
{
    uint32_t dice;
    system_random(&dice, sizeof(dice));
    f->generation = (f->generation >> 24) + 1;
    f->generation = f->generation << 24 | (dice & 0xffffff);
}

/* ---- a new beginning ---- */

static bool drop_fact(void *ctx, struct str key, struct str value)
{
    (void)ctx;
    (void)key;
    (void)value;
    return true;
}

static bool drop_row(void *ctx, const struct facts_row *row)
{
    (void)ctx;
    (void)row;
    return true;
}

/* Another folder stands there now. What is in it is worth less than what is in memory; but the new generation
 * is to be above its. */
static int look_around(struct facts *f)
{
    struct facts_reader reader = { f, drop_fact, drop_row };
    struct facts_recovered r;
    int status = facts_recover(&f->disk, &reader, &r);
    f->generation = r.generation > f->generation ? r.generation : f->generation;
    f->has_whole = status == 0 && r.result == FACTS_OK;
    f->newest = r.whole;
    f->is_strange = status < 0;
    return status;
}

static int take_folder(struct facts *f)
{
    if (f->disk.lock >= 0 && facts_disk_is_ours(&f->disk) < 0)
        f->is_strange = true;
    if (f->is_strange)
        facts_disk_leave(&f->disk);
    int status = f->disk.folder[0] ? facts_disk_lock(&f->disk) : -ENOENT;
    if (status < 0)
        return status;
    /* What nobody could read is not overwritten. */
    for (int i = 0; i < FACTS_FILES && f->is_unread; i++)
        facts_disk_put_aside(&f->disk, (enum facts_file)i);
    f->is_unread = false;
    return f->is_strange ? look_around(f) : 0;
}

/* Writes all that is in memory. */
static int write_whole(struct facts *f)
{
    int status = facts_pour_begin(f, f->generation, 0, true);
    while (status == 0)
        status = facts_pour_step(f);
    return status < 0 ? status : 0;
}

/* A log that the disk failed is made anew, but not before a snapshot stands for it. */
static void remove_spoiled(struct facts *f)
{
    for (enum facts_file file = FACTS_LOG_0; file <= FACTS_LOG_1; file++)
        if (f->spoiled[file]) {
            facts_disk_remove(&f->disk, file);
            f->spoiled[file] = false;
        }
}

/* The longer one comes first. */
static int open_log(struct facts *f, enum facts_file *out)
{
    int status = facts_disk_open(&f->disk, FACTS_LOG_0, true);
    if (status == 0 && (status = facts_disk_open(&f->disk, FACTS_LOG_1, false)) == -ENOENT)
        status = 0;
    *out = f->disk.file[FACTS_LOG_1].bytes > f->disk.file[FACTS_LOG_0].bytes ? FACTS_LOG_1 : FACTS_LOG_0;
    while (status == 0)
        status = facts_disk_grow(&f->disk, *out, f->log_first, f->zeros);
    if (status < 0)
        f->spoiled[*out] = true;
    return status < 0 ? status : 0;
}

static void begin_log(struct facts *f, enum facts_file file)
{
    facts_log_begin(&f->log, file, f->generation, 0, 0);
    f->is_logging = true;
    lock_take(&f->lock);
    f->other = file == FACTS_LOG_0 ? FACTS_LOG_1 : FACTS_LOG_0;
    f->other_bytes = facts_keep_target(f, f->disk.file[file].bytes);
    f->other_ready = f->wants_whole = false;
    lock_give(&f->lock);
    /* Without it each log ends in a new beginning. */
    f->keeper = background_start("facts", facts_keep_step, f);
}

static int begin_anew(struct facts *f)
{
    enum facts_file file = FACTS_LOG_0;
    background_stop(&f->keeper);
    facts_pour_end(f);
    next_generation(f);
    int status = take_folder(f);
    if (status == 0)
        status = write_whole(f);
    if (status == 0) {
        remove_spoiled(f);
        status = open_log(f, &file);
    }
    if (status == 0)
        status = facts_disk_is_there(&f->disk, file);
    if (status == 0)
        begin_log(f, file);
    return status;
}

/* ---- a commit into the log ---- */

/* The log is full, and the other one can be written: it goes on there. */
static int switch_log(struct facts *f)
{
    if (!is_ready(f))
        return NO_LOG;
    /* Nothing is in the second that needs more than what is on disk of the first. */
    int status = f->log.serial > f->log.durable ? facts_log_sync(&f->log) : 0;
    if (status < 0)
        return status;
    uint64_t before = f->log.generation;
    enum facts_file full = f->log.file;
    next_generation(f);
    lock_take(&f->lock);
    facts_log_begin(&f->log, f->other, f->generation, before, f->log.serial);
    f->other = full;
    f->other_bytes = facts_keep_target(f, 4 * f->disk.file[full].bytes);
    f->other_ready = false;
    f->wants_whole = true;
    f->keep_generation = f->generation;
    f->keep_serial = f->log.serial;
    lock_give(&f->lock);
    background_wake(f->keeper);
    return 0;
}

static int open_batch(struct facts *f)
{
    int status = facts_log_left(&f->log) < FACTS_LOG_LEFT ? switch_log(f) : 0;
    if (status == 0)
        facts_log_open(&f->log);
    return status;
}

static int next_batch(struct facts *f)
{
    int status = facts_log_write(&f->log);
    return status < 0 ? status : open_batch(f);
}

enum taken { TAKEN, NO_ROOM, NO_FACT };

static enum taken take_fact(struct facts *f)
{
    enum taken taken = NO_FACT;
    lock_take(&f->lock);
    struct link *l = list_first(&f->unsaved);
    if (l) {
        struct fact *x = CONTAINER_OF(l, struct fact, unsaved);
        taken = facts_writer_fact(&f->log.batch, x->key, x->value) ? TAKEN : NO_ROOM;
        if (taken == TAKEN)
            link_remove(l);
        if (taken == TAKEN && x->value.n == 0)
            facts_drop(f, x);
    }
    lock_give(&f->lock);
    return taken;
}

static int append_facts(struct facts *f, size_t *n)
{
    int status = 0;
    for (enum taken taken; status == 0 && (taken = take_fact(f)) != NO_FACT;)
        if (taken == TAKEN)
            ++*n;
        else
            status = next_batch(f);
    return status;
}

static int append_rows(struct facts *f, size_t *n)
{
    struct facts_row rows[FACTS_BATCH_ROWS];
    size_t got;
    f->rows.begin(f->rows.owner);
    do {
        int status = f->log.batch.room - f->log.batch.n < FACTS_ROWS_ROOM ? next_batch(f) : 0;
        if (status != 0)
            return status;
        got = f->rows.take(f->rows.owner, rows, FACTS_BATCH_ROWS, clock_now(f->clock));
        for (size_t i = 0; i < got; i++)
            CHECK(facts_writer_row(&f->log.batch, &rows[i]));
        *n += got;
    } while (got > 0);
    return 0;
}

/* Is it time for the other log, so that a snapshot is there before this one is full? */
static bool is_nearly_full(const struct facts *f)
{
    return facts_log_left(&f->log) < f->disk.file[f->log.file].bytes / 4;
}

/* What was written to a folder that is gone is not there after a restart. The folder is known by its lock.
 * The log itself is looked at once in a while only: who asks for a file's times makes the next write note a
 * new one, and some file systems write that to the disk with each sync. */
static int is_still_there(struct facts *f)
{
    int64_t now_us = clock_mono_us(f->clock);
    if (now_us - f->looked_us < LOOK_US)
        return facts_disk_is_ours(&f->disk);
    f->looked_us = now_us;
    return facts_disk_is_there(&f->disk, f->log.file);
}

/* Writes all that is unsaved, and waits for the disk. When nothing is, it does neither. */
static int append(struct facts *f, size_t *n)
{
    int status = is_nearly_full(f) ? switch_log(f) : 0;
    if (status >= 0)
        status = open_batch(f);
    if (status == 0)
        status = append_facts(f, n);
    if (status == 0)
        status = append_rows(f, n);
    if (status == 0 && f->log.batch.count)
        status = facts_log_write(&f->log);
    if (status != 0 || f->log.serial == f->log.durable)
        return status;
    status = facts_log_sync(&f->log);
    return status < 0 ? status : is_still_there(f);
}

/* What was taken is in memory still, so that a new beginning has it. */
static void give_up_log(struct facts *f, int status)
{
    f->is_logging = false;
    if (status == NO_LOG)
        return;
    if (status == -ESTALE || status == -ENOENT)
        f->is_strange = true;
    else
        f->spoiled[f->log.file] = true;
}

static int commit(struct facts *f, size_t *n)
{
    if (f->is_logging) {
        int status = append(f, n);
        if (status == 0)
            return 0;
        give_up_log(f, status);
    }
    bool direct = f->disk.direct;
    int status = begin_anew(f);
    if (status == -EINVAL && direct && !f->disk.direct)
        status = begin_anew(f);
    if (status == -ESTALE || status == -ENOENT)
        f->is_strange = true;
    return status;
}

/* ---- rounds ---- */

static void settle(struct facts *f, uint64_t upto, int status, size_t n)
{
    struct facts_state *s = &f->state;
    lock_take(&f->lock);
    /* Before the tickets: who sees that one has failed asks next whether all do. */
    s->is_failing = status != 0;
    atomic_store(&f->is_failing, s->is_failing);
    if (status == 0) {
        s->commits++;
        s->saved += n;
        s->why[0] = '\0';
        atomic_store(&f->saved, upto);
    } else {
        s->failures++;
        atomic_store(&f->failed, upto);
        snprintf(s->why, sizeof(s->why), "%s",
                 status == -EWOULDBLOCK ? "another freshet uses it" : system_strerror(status));
    }
    CHECK(pthread_cond_broadcast(&f->settled) == 0);
    facts_tell(f);
    lock_give(&f->lock);
}

static void do_round(struct facts *f)
{
    size_t n = 0;
    atomic_store(&f->is_wanted, false);
    /* Whatever has a ticket up to this one has changed its list already. */
    uint64_t upto = atomic_load(&f->changes);
    atomic_store(&f->covered, upto);
    int status = commit(f, &n);
    settle(f, upto, status, n);
}

/* What is there to do? While the folder cannot be written, only what tries it again. */
enum work { NO_WORK, A_ROUND, THE_LAST_ROUND };

static enum work look_for_work(struct facts *f)
{
    lock_take(&f->lock);
    bool due = f->tries_again || (atomic_load(&f->is_wanted) && !f->state.is_failing);
    enum work work = f->stops ? THE_LAST_ROUND : due ? A_ROUND : NO_WORK;
    f->tries_again = false;
    lock_give(&f->lock);
    return work;
}

static enum work wait_for_work(struct facts *f)
{
    enum work work;
    do {
        while (sem_wait(&f->work) < 0)
            CHECK(errno == EINTR);
        work = look_for_work(f);
    } while (work == NO_WORK);
    return work;
}

static void end(struct facts *f)
{
    background_stop(&f->keeper);
    facts_pour_end(f);
    facts_disk_close_all(&f->disk);
    lock_take(&f->lock);
    f->has_ended = true;
    CHECK(pthread_cond_broadcast(&f->settled) == 0);
    lock_give(&f->lock);
}

void *facts_commit_run(void *arg)
{
    struct facts *f = arg;
    (void)pthread_setname_np(pthread_self(), "facts-log");
    while (wait_for_work(f) == A_ROUND)
        do_round(f);
    do_round(f);
    end(f);
    return NULL;
}
