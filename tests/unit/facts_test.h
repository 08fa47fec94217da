/* What the tests of facts share: an owner of rows, each a number with a version, and a disk in memory
 * (disk_test.h) that several threads use, and that can stand still. */
#ifndef FACTS_TEST_H
#define FACTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk_test.h"
#include "store/facts.h"

#define NUMBERS 300

static struct {
    unsigned char version[NUMBERS]; /* 0: it has no row */
    bool unsaved[NUMBERS], due[NUMBERS];
    unsigned loaded, walk, walk_most;
    bool saves;
    bool moved[NUMBERS]; /* changed since the walk began: it does not give them */
} rows;
static atomic_bool rows_gate; /* a walk waits until it is false */
static atomic_uint rows_waiting;
static uint64_t rows_shift; /* added to what is written, so that it will be refused */
static struct lock rows_lock = { PTHREAD_MUTEX_INITIALIZER };
static struct facts *facts;
static struct buf said;
static const struct clock real_clock;

static bool rows_load(void *owner, const struct facts_row *row, struct now now)
{
    (void)owner;
    (void)now;
    if (row->key >= NUMBERS || row->n != 1)
        return false;
    rows.loaded += !rows.version[row->key];
    rows.version[row->key] = row->bytes[0];
    return true;
}

static void rows_forget(void *owner)
{
    (void)owner;
    memset(rows.version, 0, sizeof(rows.version));
    rows.loaded = 0;
}

static void rows_begin(void *owner)
{
    (void)owner;
    lock_take(&rows_lock);
    memcpy(rows.due, rows.unsaved, sizeof(rows.due));
    lock_give(&rows_lock);
}

static struct facts_row rows_row(size_t i)
{
    return (struct facts_row){ .key = i + rows_shift, .n = 1, .bytes = { rows.version[i] } };
}

static size_t rows_take(void *owner, struct facts_row *out, size_t most, struct now now)
{
    size_t n = 0;
    (void)owner;
    (void)now;
    lock_take(&rows_lock);
    for (size_t i = 0; i < NUMBERS && n < most; i++) {
        if (!rows.due[i])
            continue;
        rows.due[i] = rows.unsaved[i] = false;
        out[n++] = rows_row(i);
    }
    lock_give(&rows_lock);
    return n;
}

static void rows_walk_begin(void *owner, bool saves)
{
    (void)owner;
    lock_take(&rows_lock);
    rows.walk = 0;
    memset(rows.moved, 0, sizeof(rows.moved));
    rows.saves = saves;
    lock_give(&rows_lock);
}

static size_t rows_walk(void *owner, struct facts_row *out, size_t most, struct now now)
{
    size_t n = 0;
    (void)owner;
    (void)now;
    rows_waiting++;
    while (rows_gate)
        usleep(100);
    rows_waiting--;
    lock_take(&rows_lock);
    for (; rows.walk < NUMBERS && n < most; rows.walk++) {
        if (!rows.version[rows.walk] || rows.moved[rows.walk])
            continue;
        out[n++] = rows_row(rows.walk);
        if (rows.saves)
            rows.unsaved[rows.walk] = false;
    }
    lock_give(&rows_lock);
    return n;
}

static const struct facts_rows rows_owner = { NULL,      rows_load,       rows_forget, rows_begin,
                                              rows_take, rows_walk_begin, rows_walk };

static inline void set_row(size_t i, unsigned char version)
{
    lock_take(&rows_lock);
    rows.version[i] = version;
    rows.unsaved[i] = rows.moved[i] = true;
    facts_changed(facts);
    lock_give(&rows_lock);
}

/* ---- what is asked of the facts ---- */

static inline enum facts_found open_with(const char *path, const struct facts_options *o)
{
    enum facts_found found;
    memset(&rows, 0, sizeof(rows));
    buf_clear(&said);
    facts = facts_open_with(str_from(path), &real_clock, &rows_owner, o, &found, &said);
    buf_add_char(&said, '\0');
    return found;
}

static inline bool is_saved(uint64_t ticket)
{
    enum facts_settled settled;
    while ((settled = facts_settled(facts, ticket)) == FACTS_UNSETTLED)
        usleep(50);
    return settled == FACTS_SAVED;
}

/* Puts a fact, and waits for its commit. */
static inline bool put(const char *key, const char *value)
{
    facts_put(facts, str_from(key), str_from(value));
    return is_saved(facts_ask(facts));
}

static inline void has(const char *key, const char *value)
{
    struct str got = facts_get(facts, str_from(key));
    assert_true(str_eq(got, str_from(value)));
}

/* Until the facts are on disk again. */
static inline void recover(void)
{
    for (unsigned i = 0; i < 100000 && facts_is_failing(facts); i++) {
        facts_try_again(facts);
        usleep(100);
    }
    assert_false(facts_is_failing(facts));
}

static inline void stop(void)
{
    assert_true(facts_stop(facts));
    facts_free(facts);
    facts = NULL;
}

/* ---- a disk that several threads use ---- */

struct shared {
    struct files files;
    struct lock lock;
    pthread_cond_t moved;
    struct disk disk;
    bool holds_syncs; /* they wait until it is false */
    int held_file;    /* those of this file; -1: of all */
    unsigned held;    /* so many do */
};

static inline struct shared *shared_of(struct files *f)
{
    return (struct shared *)(void *)f;
}

#define SHARED(type, name, parameters, call)                                                                 \
    static inline type shared_##name parameters                                                              \
    {                                                                                                        \
        struct shared *s = shared_of(f);                                                                     \
        lock_take(&s->lock);                                                                                 \
        type result = s->disk.files.call;                                                                    \
        lock_give(&s->lock);                                                                                 \
        return result;                                                                                       \
    }

SHARED(int, open, (struct files * f, const char *path, unsigned flags), open(&s->disk.files, path, flags))
SHARED(int, lock, (struct files * f, int file), lock(&s->disk.files, file))
SHARED(int64_t, size, (struct files * f, int file), size(&s->disk.files, file))
SHARED(int64_t, read, (struct files * f, int file, void *to, size_t n, uint64_t at),
       read(&s->disk.files, file, to, n, at))
SHARED(int64_t, write, (struct files * f, int file, const void *from, size_t n, uint64_t at),
       write(&s->disk.files, file, from, n, at))
SHARED(int, allocate, (struct files * f, int file, uint64_t n), allocate(&s->disk.files, file, n))
SHARED(int, sync_folder, (struct files * f, const char *folder), sync_folder(&s->disk.files, folder))
SHARED(int, rename, (struct files * f, const char *from, const char *to), rename(&s->disk.files, from, to))
SHARED(int, remove, (struct files * f, const char *path), remove(&s->disk.files, path))
SHARED(int, is_named, (struct files * f, const char *path, int file), is_named(&s->disk.files, path, file))
SHARED(int, make_folder, (struct files * f, const char *folder), make_folder(&s->disk.files, folder))

static inline void shared_close(struct files *f, int file)
{
    struct shared *s = shared_of(f);
    lock_take(&s->lock);
    s->disk.files.close(&s->disk.files, file);
    lock_give(&s->lock);
}

static inline int shared_sync(struct files *f, int file)
{
    struct shared *s = shared_of(f);
    lock_take(&s->lock);
    s->held++;
    CHECK(pthread_cond_broadcast(&s->moved) == 0);
    while (s->holds_syncs && (s->held_file < 0 || s->held_file == file))
        CHECK(pthread_cond_wait(&s->moved, &s->lock.m) == 0);
    s->held--;
    int status = s->disk.files.sync(&s->disk.files, file);
    lock_give(&s->lock);
    return status;
}

static inline void shared_init(struct shared *s)
{
    memset(s, 0, sizeof(*s));
    lock_init(&s->lock);
    CHECK(pthread_cond_init(&s->moved, NULL) == 0);
    disk_init(&s->disk);
    s->disk.grows = s->disk.forgets = true;
    s->held_file = -1;
    s->files =
        (struct files){ shared_open,   shared_close,    shared_lock,        shared_size,        shared_read,
                        shared_write,  shared_allocate, shared_sync,        shared_sync_folder, shared_rename,
                        shared_remove, shared_is_named, shared_make_folder, s->disk.files.list };
}

static inline void shared_fini(struct shared *s)
{
    disk_fini(&s->disk);
    CHECK(pthread_cond_destroy(&s->moved) == 0);
    lock_fini(&s->lock);
}

static inline void shared_hold(struct shared *s, bool holds)
{
    lock_take(&s->lock);
    s->holds_syncs = holds;
    CHECK(pthread_cond_broadcast(&s->moved) == 0);
    lock_give(&s->lock);
}

/* Until a sync stands still. */
static inline void shared_await(struct shared *s)
{
    lock_take(&s->lock);
    while (s->held == 0)
        CHECK(pthread_cond_wait(&s->moved, &s->lock.m) == 0);
    lock_give(&s->lock);
}

static inline uint64_t shared_calls(struct shared *s, enum disk_kind kind)
{
    lock_take(&s->lock);
    uint64_t n = s->disk.calls[kind];
    lock_give(&s->lock);
    return n;
}

static inline void shared_fail(struct shared *s, enum disk_kind kind, uint64_t after, uint64_t times,
                               int status)
{
    lock_take(&s->lock);
    disk_fail(&s->disk, kind, after, times, status);
    lock_give(&s->lock);
}

#endif
