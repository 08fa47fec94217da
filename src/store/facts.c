#include "store/facts.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/system.h"
#include "store/facts_files.h"

#define BATCH      64           /* rows that are taken at once */
#define TIDY_PAGES 1000         /* of the log: another thread copies them into the database */
#define TIDY_MOST  8000         /* of the log: the thread that commits does it, so that the log begins anew */
#define WHOLE      STR("whole") /* the fact that a file's first commit wrote all */

struct fact {
    struct link link;    /* in facts->all, or in facts->gone */
    struct link unsaved; /* in facts->unsaved, or in none */
    struct str key;      /* owned */
    struct str value;    /* owned; empty: it was removed */
};

struct facts {
    char folder[PATH_MAX]; /* empty: none */
    int folder_lock;       /* a descriptor; -1: none */
    const struct clock *clock;
    struct now opened;
    struct facts_rows rows;
    pthread_t thread, tidier;
    pthread_cond_t wake, settled, tidy;
    bool is_running;

    /* of the thread that commits; before facts_start, of main's */
    struct facts_db *db; /* NULL: no file is open */
    uint32_t number;     /* of the file that is open, or was last */
    bool is_whole;       /* the file has everything but what is unsaved */
    bool is_unread;      /* there may be files that could not be read at the start */
    bool clears;         /* what the file has does not count: the next commit writes everything */
    struct buf error;

    struct lock lock; /* guards what follows */
    struct list all, unsaved;
    size_t facts_n;
    bool is_wanted, stops, tries_again;
    uint64_t round;         /* that what is unsaved now belongs to */
    uint64_t saved, failed; /* the latest round that is on disk; that is not */
    struct facts_state state;
    atomic_bool is_failing; /* as in `state`; written under the lock */
    bool tidies, tidier_stops;
    uint32_t tidy_number, tidied; /* files: whose log is to be copied, was copied; 0: none */
    bool tidy_failed;             /* the disk failed under it */
    struct list listeners;
};

/* ---- facts in memory ---- */

static struct str copy(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    str_put(p, s);
    return (struct str){ p, s.n };
}

static void free_str(struct str *s)
{
    mem_free((char *)(uintptr_t)s->p);
    *s = STR_NONE;
}

/* Under the lock. */
static struct fact *find(const struct facts *f, struct str key)
{
    LIST_EACH(l, &f->all) {
        struct fact *x = CONTAINER_OF(l, struct fact, link);
        if (str_eq(x->key, key))
            return x;
    }
    return NULL;
}

/* Under the lock. Returns the fact, whose value is new. */
static struct fact *set(struct facts *f, struct str key, struct str value)
{
    struct fact *x = find(f, key);
    CHECK(key.n > 0 && value.n <= FACTS_VALUE_MAX);
    if (!x) {
        CHECK(f->facts_n < FACTS_MOST);
        x = mem_alloc(sizeof(*x));
        x->key = copy(key);
        link_init(&x->unsaved);
        list_push_back(&f->all, &x->link);
        f->facts_n++;
    }
    free_str(&x->value);
    x->value = copy(value);
    return x;
}

static void drop(struct facts *f, struct fact *x)
{
    link_remove(&x->link);
    link_remove(&x->unsaved);
    free_str(&x->key);
    free_str(&x->value);
    mem_free(x);
    f->facts_n--;
}

struct str facts_get(struct facts *f, struct str key)
{
    struct fact *x = find(f, key);
    return x ? x->value : STR_NONE;
}

void facts_put(struct facts *f, struct str key, struct str value)
{
    lock_take(&f->lock);
    struct fact *x = set(f, key, value);
    link_remove(&x->unsaved);
    list_push_back(&f->unsaved, &x->unsaved);
    lock_give(&f->lock);
}

/* ---- the folder ---- */

static void say(struct buf *said, const char *folder, const char *what, const char *why)
{
    buf_printf(said, "%s%s: %s: %s", said->n ? "; " : "", folder, what, why);
}

/* 0 or a negative errno; -EWOULDBLOCK: another process has it. */
static int lock_folder(struct facts *f)
{
    char path[PATH_MAX + 8];
    int status = system_make_dirs(f->folder, 0700);
    if (status < 0)
        return status;
    snprintf(path, sizeof(path), "%s/lock", f->folder);
    status = system_lock_file(path);
    if (status < 0)
        return status;
    f->folder_lock = status;
    return 0;
}

/* false: *found is set, or nothing can be kept here. */
static bool take_folder(struct facts *f, enum facts_found *found, struct buf *said)
{
    int status = lock_folder(f);
    if (status == 0)
        return true;
    if (status != -EWOULDBLOCK) {
        f->is_unread = true;
        say(said, f->folder, "cannot keep facts here", system_strerror(status));
        return false;
    }
    *found = FACTS_REFUSED;
    buf_printf(
        said,
        "another freshet uses the state folder \"%s\"; stop it, or name another folder with --state FOLDER",
        f->folder);
    return false;
}

bool facts_is_taken(const char *folder)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/lock", folder);
    int status = system_file_mode(path) < 0 ? -ENOENT : system_lock_file(path);
    if (status >= 0)
        system_unlock_file(status);
    return status == -EWOULDBLOCK;
}

static void read_fact(void *ctx, struct str key, struct str value)
{
    struct facts *f = ctx;
    if (f->facts_n < FACTS_MOST && value.n <= FACTS_VALUE_MAX)
        set(f, key, value);
}

static bool read_row(void *ctx, const struct facts_row *row)
{
    struct facts *f = ctx;
    return f->rows.load(f->rows.owner, row, f->opened);
}

/* Closes the file without writing to it, and forgets what it held. */
static void leave_file(struct facts *f)
{
    facts_db_close(f->db, true);
    f->db = NULL;
    for (struct link *l; (l = list_first(&f->all)) != NULL;)
        drop(f, CONTAINER_OF(l, struct fact, link));
    f->rows.forget(f->rows.owner);
}

static enum facts_status try_file(struct facts *f, uint32_t number)
{
    struct facts_reader reader = { f, read_fact, read_row };
    struct buf path = BUF_INIT;
    enum facts_status status;
    buf_clear(&f->error);
    facts_file_path(f->folder, number, &path);
    f->db = facts_db_open(path.p, &status, &f->error);
    buf_fini(&path);
    if (f->db)
        status = facts_db_read(f->db, &reader, &f->error);
    if (status != FACTS_GOOD)
        leave_file(f);
    buf_add_char(&f->error, '\0');
    return status;
}

/* Puts a damaged file aside: what was in it is lost, but nothing else is. */
static void put_aside(struct facts *f, uint32_t number, struct buf *said)
{
    facts_file_put_aside(f->folder, number);
    buf_printf(
        said,
        "%s%s/facts.%u.db cannot be read (%s) and was put aside: what was purged and deployed before is "
        "forgotten",
        said->n ? "; " : "", f->folder, number, f->error.p);
}

/* false: the folder is not to be used. */
static bool find_file(struct facts *f, enum facts_found *found, struct buf *said)
{
    uint32_t numbers[FACTS_FILES_MOST];
    int n = facts_files(f->folder, numbers);
    if (n < 0) {
        f->is_unread = true;
        say(said, f->folder, "cannot read the facts here", system_strerror(n));
        return false;
    }
    for (int i = 0; i < n && !f->is_whole; i++) {
        f->number = f->number ? f->number : numbers[0];
        switch (try_file(f, numbers[i])) {
        case FACTS_GOOD:
            f->is_whole = facts_get(f, WHOLE).n > 0;
            if (f->is_whole)
                f->number = numbers[i];
            else
                leave_file(f); /* its first commit was never made */
            break;
        case FACTS_NEWER:
            *found = FACTS_REFUSED;
            buf_printf(
                said,
                "a newer freshet has used the state folder \"%s\"; start that one, or name another folder "
                "with --state FOLDER",
                f->folder);
            return false;
        case FACTS_DAMAGED: put_aside(f, numbers[i], said); break;
        default:
            f->is_unread = true;
            say(said, f->folder, "cannot read the facts here", f->error.p);
            return false;
        }
    }
    return true;
}

struct facts *facts_open(struct str folder, const struct clock *clock, const struct facts_rows *rows,
                         enum facts_found *found, struct buf *said)
{
    struct facts *f = mem_alloc(sizeof(*f));
    f->folder_lock = -1;
    f->clock = clock;
    f->opened = clock_now(clock);
    f->rows = *rows;
    f->round = 1;
    lock_init(&f->lock);
    list_init(&f->all);
    list_init(&f->unsaved);
    list_init(&f->listeners);
    CHECK(pthread_cond_init(&f->wake, NULL) == 0 && pthread_cond_init(&f->settled, NULL) == 0 &&
          pthread_cond_init(&f->tidy, NULL) == 0);
    *found = FACTS_IN_MEMORY;
    if (folder.n == 0 || folder.n >= sizeof(f->folder) - 64)
        return f;
    str_put(f->folder, folder);
    if (take_folder(f, found, said) && find_file(f, found, said))
        *found = FACTS_USABLE;
    return f;
}

/* ---- a commit ---- */

/* Everything is unsaved, for a new file. */
static void begin_anew(struct facts *f)
{
    lock_take(&f->lock);
    LIST_EACH(l, &f->all) {
        struct fact *x = CONTAINER_OF(l, struct fact, link);
        link_remove(&x->unsaved);
        list_push_back(&f->unsaved, &x->unsaved);
    }
    lock_give(&f->lock);
    f->rows.again(f->rows.owner);
}

/* The folder may have become usable since. */
static enum facts_status open_new(struct facts *f)
{
    enum facts_status status = FACTS_LATER;
    struct buf path = BUF_INIT;
    uint32_t numbers[FACTS_FILES_MOST];
    int code = f->folder[0] ? 0 : -ENOENT;
    if (code == 0 && f->folder_lock < 0)
        code = lock_folder(f);
    if (code >= 0)
        code = facts_files(f->folder, numbers);
    if (code > 0 && numbers[0] > f->number)
        f->number = numbers[0];
    if (code >= 0 && (code = facts_file_make(f->folder, ++f->number)) < 0)
        facts_file_remove(f->folder, f->number);
    if (code < 0) {
        buf_add(&f->error, str_from(system_strerror(code)));
        return FACTS_LATER;
    }
    facts_file_path(f->folder, f->number, &path);
    f->db = facts_db_open(path.p, &status, &f->error);
    buf_fini(&path);
    if (!f->db) {
        facts_file_remove(f->folder, f->number); /* there may be many of them by and by */
        return status;
    }
    begin_anew(f);
    return FACTS_GOOD;
}

/* Takes an unsaved fact. The strings are copies, in *key and *value. */
static bool take_fact(struct facts *f, struct buf *key, struct buf *value)
{
    lock_take(&f->lock);
    struct link *l = list_pop(&f->unsaved);
    struct fact *x = l ? CONTAINER_OF(l, struct fact, unsaved) : NULL;
    if (x) {
        buf_add(key, x->key);
        buf_add(value, x->value);
        if (x->value.n == 0)
            drop(f, x);
    }
    lock_give(&f->lock);
    return x != NULL;
}

static enum facts_status write_facts(struct facts *f, size_t *n)
{
    struct buf key = BUF_INIT, value = BUF_INIT;
    enum facts_status status = FACTS_GOOD;
    while (status == FACTS_GOOD && take_fact(f, &key, &value)) {
        status = facts_db_put(f->db, buf_str(&key), buf_str(&value), &f->error);
        buf_clear(&key);
        buf_clear(&value);
        ++*n;
    }
    buf_fini(&key);
    buf_fini(&value);
    return status;
}

static enum facts_status write_rows(struct facts *f, size_t *n)
{
    struct facts_row rows[BATCH];
    enum facts_status status = FACTS_GOOD;
    size_t got;
    f->rows.begin(f->rows.owner);
    while ((got = f->rows.take(f->rows.owner, rows, BATCH, clock_now(f->clock))) > 0) {
        for (size_t i = 0; i < got && status == FACTS_GOOD; i++)
            status = facts_db_put_row(f->db, &rows[i], &f->error);
        if (status != FACTS_GOOD)
            return status;
        *n += got;
    }
    return status;
}

/* Writes all that is unsaved, and puts it on disk. */
static enum facts_status commit(struct facts *f, size_t *n)
{
    enum facts_status status = f->db ? FACTS_GOOD : open_new(f);
    if (status == FACTS_GOOD)
        status = facts_db_begin(f->db, &f->error);
    if (status == FACTS_GOOD && f->clears)
        status = facts_db_clear(f->db, &f->error);
    if (status == FACTS_GOOD)
        status = write_facts(f, n);
    if (status == FACTS_GOOD)
        status = write_rows(f, n);
    if (status == FACTS_GOOD && !f->is_whole)
        status = facts_db_put(f->db, WHOLE, STR("1"), &f->error);
    return status == FACTS_GOOD ? facts_db_commit(f->db, &f->error) : status;
}

/* Files that this one has replaced go now, and only now. What nobody could read is put aside. */
static void remove_others(struct facts *f)
{
    uint32_t numbers[FACTS_FILES_MOST];
    int n = facts_files(f->folder, numbers);
    for (int i = 0; i < n; i++)
        if (numbers[i] != f->number && f->is_unread)
            facts_file_put_aside(f->folder, numbers[i]);
        else if (numbers[i] != f->number)
            facts_file_remove(f->folder, numbers[i]);
    f->is_unread = false;
}

/* After a failed commit nothing tells what the file lacks of what was taken, so all of it is unsaved; and
 * when the disk has failed the file is not written any more (the kernel may drop what it could not write, and
 * the next fsync then says that all is well). */
static void after_failure(struct facts *f, enum facts_status status)
{
    if (!f->db)
        return;
    f->clears = f->is_whole && status == FACTS_LATER;
    if (f->clears) {
        begin_anew(f);
        return;
    }
    facts_db_close(f->db, true);
    f->db = NULL;
    if (!f->is_whole) /* it never counted */
        facts_file_remove(f->folder, f->number);
    f->is_whole = false;
}

/* Under the lock. */
static void tell_listeners(struct facts *f)
{
    LIST_EACH(l, &f->listeners) {
        struct facts_listener *x = CONTAINER_OF(l, struct facts_listener, link);
        x->told(x);
    }
}

static void settle(struct facts *f, uint64_t round, enum facts_status status, size_t n)
{
    struct facts_state *s = &f->state;
    lock_take(&f->lock);
    s->is_failing = status != FACTS_GOOD;
    atomic_store_explicit(&f->is_failing, s->is_failing, memory_order_relaxed);
    if (s->is_failing) {
        s->failures++;
        f->failed = round;
        snprintf(s->why, sizeof(s->why), "%.*s",
                 STR_ARG(str_utf8_first(buf_str(&f->error), sizeof(s->why) - 1)));
    } else {
        s->commits++;
        s->saved += n;
        f->saved = round;
    }
    CHECK(pthread_cond_broadcast(&f->settled) == 0);
    tell_listeners(f);
    lock_give(&f->lock);
}

/* So that the log does not grow, another thread copies it into the database. It begins anew when nothing is
 * left to be copied between two commits: so this thread copies what came meanwhile, which is little. */
static void keep_log_short(struct facts *f)
{
    int pages = f->db ? facts_db_log_pages(f->db) : 0;
    lock_take(&f->lock);
    bool copied = f->tidied == f->number;
    f->tidied = 0;
    if (pages >= TIDY_PAGES && !copied) {
        f->tidies = true;
        f->tidy_number = f->number;
        CHECK(pthread_cond_signal(&f->tidy) == 0);
    }
    lock_give(&f->lock);
    enum facts_status status = FACTS_GOOD;
    if ((copied || pages >= TIDY_MOST) && f->db)
        status = facts_db_tidy(f->db, &f->error);
    if (status == FACTS_LOST || status == FACTS_DAMAGED) /* a full disk takes the log later */
        after_failure(f, status);
}

/* The disk failed while the log was copied. Only of the file that is in use. */
static bool has_tidy_failed(struct facts *f)
{
    lock_take(&f->lock);
    bool failed = f->tidy_failed;
    f->tidy_failed = false;
    lock_give(&f->lock);
    return failed;
}

static void do_round(struct facts *f, uint64_t round)
{
    size_t n = 0;
    buf_clear(&f->error);
    if (has_tidy_failed(f) && f->db)
        after_failure(f, FACTS_LOST);
    enum facts_status status = commit(f, &n);
    if (status != FACTS_GOOD) {
        after_failure(f, status);
    } else if (!f->is_whole) {
        f->is_whole = true;
        remove_others(f);
    }
    f->clears = f->clears && status != FACTS_GOOD;
    settle(f, round, status, n);
    if (status == FACTS_GOOD)
        keep_log_short(f);
}

/* ---- the threads ---- */

/* Waits for work. Returns the round to do; 0: the end. */
static uint64_t next_round(struct facts *f)
{
    lock_take(&f->lock);
    while (!f->stops && !f->tries_again && (!f->is_wanted || f->state.is_failing))
        CHECK(pthread_cond_wait(&f->wake, &f->lock.m) == 0);
    uint64_t round = f->is_wanted || f->tries_again ? f->round++ : 0;
    f->is_wanted = f->tries_again = false;
    lock_give(&f->lock);
    return round;
}

static void *run(void *arg)
{
    struct facts *f = arg;
    for (uint64_t round; (round = next_round(f)) != 0;)
        do_round(f, round);
    return NULL;
}

/* Returns the number of the file to tidy; 0: the end. */
static uint32_t next_tidying(struct facts *f)
{
    lock_take(&f->lock);
    while (!f->tidier_stops && !f->tidies)
        CHECK(pthread_cond_wait(&f->tidy, &f->lock.m) == 0);
    uint32_t number = f->tidier_stops ? 0 : f->tidy_number;
    f->tidies = false;
    lock_give(&f->lock);
    return number;
}

static void tidy(struct facts *f, uint32_t number)
{
    struct buf path = BUF_INIT, error = BUF_INIT;
    enum facts_status status;
    facts_file_path(f->folder, number, &path);
    struct facts_db *db = facts_db_open(path.p, &status, &error);
    if (db)
        status = facts_db_tidy(db, &error);
    facts_db_close(db, true);
    lock_take(&f->lock);
    if (status == FACTS_LOST)
        f->tidy_failed = f->tidy_number == number;
    if (status == FACTS_GOOD)
        f->tidied = number;
    lock_give(&f->lock);
    buf_fini(&path);
    buf_fini(&error);
}

static void *run_tidier(void *arg)
{
    struct facts *f = arg;
    for (uint32_t number; (number = next_tidying(f)) != 0;)
        tidy(f, number);
    return NULL;
}

void facts_start(struct facts *f)
{
    CHECK(pthread_create(&f->thread, NULL, run, f) == 0);
    CHECK(pthread_create(&f->tidier, NULL, run_tidier, f) == 0);
    f->is_running = true;
    uint64_t ticket = facts_ask(f);
    lock_take(&f->lock);
    while (f->saved < ticket && f->failed < ticket)
        CHECK(pthread_cond_wait(&f->settled, &f->lock.m) == 0);
    lock_give(&f->lock);
}

void facts_stop(struct facts *f)
{
    if (!f->is_running)
        return;
    lock_take(&f->lock);
    f->stops = true;
    f->is_wanted = true;
    CHECK(pthread_cond_signal(&f->wake) == 0);
    lock_give(&f->lock);
    CHECK(pthread_join(f->thread, NULL) == 0);
    lock_take(&f->lock);
    f->tidier_stops = true;
    CHECK(pthread_cond_signal(&f->tidy) == 0);
    lock_give(&f->lock);
    CHECK(pthread_join(f->tidier, NULL) == 0);
    f->is_running = false;
    facts_db_close(f->db, f->state.is_failing);
    f->db = NULL;
}

void facts_free(struct facts *f)
{
    CHECK(!f->is_running && list_is_empty(&f->listeners));
    facts_db_close(f->db, true);
    for (struct link *l; (l = list_first(&f->all)) != NULL;)
        drop(f, CONTAINER_OF(l, struct fact, link));
    if (f->folder_lock >= 0)
        system_unlock_file(f->folder_lock);
    CHECK(pthread_cond_destroy(&f->wake) == 0 && pthread_cond_destroy(&f->tidy) == 0 &&
          pthread_cond_destroy(&f->settled) == 0);
    lock_fini(&f->lock);
    buf_fini(&f->error);
    mem_free(f);
}

/* ---- for everybody ---- */

uint64_t facts_ask(struct facts *f)
{
    lock_take(&f->lock);
    uint64_t ticket = f->round;
    if (!f->is_wanted) {
        f->is_wanted = true;
        CHECK(pthread_cond_signal(&f->wake) == 0);
    }
    lock_give(&f->lock);
    return ticket;
}

enum facts_settled facts_settled(struct facts *f, uint64_t ticket)
{
    lock_take(&f->lock);
    enum facts_settled settled = f->saved >= ticket                           ? FACTS_SAVED
                                 : f->failed >= ticket || f->state.is_failing ? FACTS_UNSAVED
                                                                              : FACTS_UNSETTLED;
    lock_give(&f->lock);
    return settled;
}

bool facts_is_failing(const struct facts *f)
{
    return atomic_load_explicit(&f->is_failing, memory_order_relaxed);
}

void facts_try_again(struct facts *f)
{
    lock_take(&f->lock);
    f->tries_again = f->state.is_failing;
    CHECK(pthread_cond_signal(&f->wake) == 0);
    lock_give(&f->lock);
}

void facts_listen(struct facts *f, struct facts_listener *l)
{
    lock_take(&f->lock);
    list_push_back(&f->listeners, &l->link);
    lock_give(&f->lock);
}

void facts_unlisten(struct facts *f, struct facts_listener *l)
{
    lock_take(&f->lock);
    link_remove(&l->link);
    lock_give(&f->lock);
}

void facts_state(struct facts *f, struct facts_state *out)
{
    lock_take(&f->lock);
    *out = f->state;
    lock_give(&f->lock);
}
