#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/system.h"
#include "store/facts_machine.h"
#include "store/facts_recover.h"

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
    if (!x) {
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

void facts_drop(struct facts *f, struct fact *x)
{
    if (f->walk == &x->link)
        f->walk = x->link.next;
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
    CHECK(key.n > 0 && key.n <= FACTS_KEY_MAX && value.n <= FACTS_VALUE_MAX);
    lock_take(&f->lock);
    struct fact *x = set(f, key, value);
    CHECK(f->facts_n <= FACTS_MOST);
    link_remove(&x->unsaved);
    list_push_back(&f->unsaved, &x->unsaved);
    facts_changed(f);
    lock_give(&f->lock);
}

/* ---- the folder ---- */

static void say(struct buf *said, const char *folder, const char *what, const char *why)
{
    buf_printf(said, "%s%s: %s: %s", said->n ? "; " : "", folder, what, why);
}

/* false: *found is set, or nothing can be kept here. */
static bool take_folder(struct facts *f, enum facts_found *found, struct buf *said)
{
    int status = facts_disk_lock(&f->disk);
    if (status == 0)
        return true;
    if (status != -EWOULDBLOCK) {
        f->is_unread = true;
        say(said, f->disk.folder, "cannot keep facts here", system_strerror(status));
        return false;
    }
    *found = FACTS_REFUSED;
    buf_printf(
        said,
        "another freshet uses the state folder \"%s\"; stop it, or name another folder with --state FOLDER",
        f->disk.folder);
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

static bool read_fact(void *ctx, struct str key, struct str value)
{
    struct facts *f = ctx;
    struct fact *x = find(f, key);
    if (value.n == 0 && x)
        facts_drop(f, x);
    else if (value.n)
        set(f, key, value);
    return f->facts_n <= FACTS_MOST;
}

static bool read_row(void *ctx, const struct facts_row *row)
{
    struct facts *f = ctx;
    return f->rows.load(f->rows.owner, row, f->opened);
}

static void forget(struct facts *f)
{
    for (struct link *l; (l = list_first(&f->all)) != NULL;)
        facts_drop(f, CONTAINER_OF(l, struct fact, link));
    f->rows.forget(f->rows.owner);
}

/* What was in the files is lost, but nothing else is. */
static void put_aside(struct facts *f, const struct facts_recovered *r, struct buf *said)
{
    /* The snapshots first: what is left after a crash in between is logs alone, which is damage too. */
    for (int i = FACTS_FILES; i-- > 0;)
        facts_disk_put_aside(&f->disk, (enum facts_file)i);
    buf_printf(said,
               "%s%s/%s is damaged, so the facts were put aside, as facts.*.damaged: what was purged and "
               "deployed before is forgotten",
               said->n ? "; " : "", f->disk.folder, facts_disk_name(r->damaged));
}

/* false: the folder is not to be used. */
static bool read_files(struct facts *f, enum facts_found *found, struct buf *said)
{
    struct facts_reader reader = { f, read_fact, read_row };
    struct facts_recovered r;
    int status = facts_recover(&f->disk, &reader, &r);
    f->generation = r.generation;
    f->has_whole = status == 0 && r.result == FACTS_OK;
    f->newest = r.whole;
    if (f->has_whole)
        return true;
    forget(f);
    if (status < 0) {
        f->is_unread = true;
        say(said, f->disk.folder, "cannot read the facts here", system_strerror(status));
        return false;
    }
    if (r.result == FACTS_NEWER) {
        *found = FACTS_REFUSED;
        buf_printf(said,
                   "a newer freshet has used the state folder \"%s\"; start that one, or name another folder "
                   "with --state FOLDER",
                   f->disk.folder);
        return false;
    }
    if (r.result == FACTS_DAMAGED)
        put_aside(f, &r, said);
    return true;
}

static void make_conditions(struct facts *f)
{
    pthread_condattr_t attr;
    CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(sem_init(&f->work, 0, 0) == 0 && pthread_cond_init(&f->settled, &attr) == 0);
    CHECK(pthread_condattr_destroy(&attr) == 0);
}

struct facts *facts_open_with(struct str folder, const struct clock *clock, const struct facts_rows *rows,
                              const struct facts_options *o, enum facts_found *found, struct buf *said)
{
    struct facts *f = mem_alloc(sizeof(*f));
    f->clock = clock;
    f->opened = clock_now(clock);
    f->rows = *rows;
    f->log_first = o->log_bytes ? o->log_bytes : FACTS_LOG_FIRST;
    f->start_ms = o->patience_ms ? o->patience_ms : FACTS_START_MS;
    f->stop_ms = o->patience_ms ? o->patience_ms : FACTS_STOP_MS;
    f->zeros = facts_disk_room(FACTS_BATCH_MOST);
    f->whole_room = facts_disk_room(FACTS_BATCH_MOST);
    f->log.disk = &f->disk;
    f->log.room = facts_disk_room(FACTS_BATCH_MOST + FACTS_BLOCK);
    lock_init(&f->lock);
    list_init(&f->all);
    list_init(&f->unsaved);
    list_init(&f->listeners);
    make_conditions(f);
    *found = FACTS_IN_MEMORY;
    if (facts_disk_init(&f->disk, o->files, folder) && folder.n && take_folder(f, found, said) &&
        read_files(f, found, said))
        *found = FACTS_USABLE;
    return f;
}

struct facts *facts_open(struct str folder, const struct clock *clock, const struct facts_rows *rows,
                         enum facts_found *found, struct buf *said)
{
    struct facts_options o = { .files = &file_system };
    return facts_open_with(folder, clock, rows, &o, found, said);
}

/* ---- start and end ---- */

/* The disk does not answer. Until it does nobody waits for it. */
static void note_hung(struct facts *f)
{
    f->state.is_failing = true;
    atomic_store(&f->is_failing, true);
    snprintf(f->state.why, sizeof(f->state.why), "the disk has not answered for %lld seconds",
             (long long)f->start_ms / 1000);
}

void facts_start(struct facts *f)
{
    struct timespec until = system_after_ms(f->start_ms);
    int status = 0;
    facts_changed(f); /* so that there is something to wait for */
    f->is_running = true;
    if (pthread_create(&f->thread, NULL, facts_commit_run, f) != 0)
        mem_no_thread();
    uint64_t ticket = facts_ask(f);
    lock_take(&f->lock);
    while (f->saved < ticket && f->failed < ticket && status == 0)
        status = pthread_cond_timedwait(&f->settled, &f->lock.m, &until);
    if (status == ETIMEDOUT)
        note_hung(f);
    lock_give(&f->lock);
}

bool facts_stop(struct facts *f)
{
    struct timespec until = system_after_ms(f->stop_ms);
    int status = 0;
    if (!f->is_running)
        return true;
    lock_take(&f->lock);
    f->stops = true;
    CHECK(sem_post(&f->work) == 0);
    while (!f->has_ended && status == 0)
        status = pthread_cond_timedwait(&f->settled, &f->lock.m, &until);
    bool ended = f->has_ended;
    lock_give(&f->lock);
    if (!ended)
        return false;
    CHECK(pthread_join(f->thread, NULL) == 0);
    f->is_running = false;
    return true;
}

bool facts_pause(struct facts *f)
{
    bool ended = facts_stop(f);
    if (ended)
        facts_disk_leave(&f->disk);
    atomic_store(&f->is_paused, ended);
    lock_take(&f->lock);
    f->state.is_failing = true;
    atomic_store(&f->is_failing, true);
    snprintf(f->state.why, sizeof(f->state.why), "%s",
             ended ? "another freshet has taken it over" : "the disk does not answer");
    lock_give(&f->lock);
    return ended;
}

/* The new beginning has a generation above what is there now, whoever wrote it. */
void facts_resume(struct facts *f)
{
    CHECK(!f->is_running);
    f->stops = f->has_ended = f->is_logging = false;
    f->is_strange = true;
    lock_take(&f->lock);
    f->state.is_failing = false;
    atomic_store(&f->is_failing, false);
    lock_give(&f->lock);
    atomic_store(&f->is_paused, false);
    facts_start(f);
}

void facts_give(struct facts *f, uint64_t upto, bool saved)
{
    CHECK(!f->is_running);
    lock_take(&f->lock);
    if (saved && upto > atomic_load(&f->saved))
        atomic_store(&f->saved, upto);
    atomic_store(&f->is_paused, false);
    facts_tell(f);
    lock_give(&f->lock);
}

void facts_free(struct facts *f)
{
    CHECK(!f->is_running && list_is_empty(&f->listeners));
    facts_disk_leave(&f->disk);
    for (struct link *l; (l = list_first(&f->all)) != NULL;)
        facts_drop(f, CONTAINER_OF(l, struct fact, link));
    CHECK(sem_destroy(&f->work) == 0 && pthread_cond_destroy(&f->settled) == 0);
    lock_fini(&f->lock);
    facts_disk_free(f->zeros, FACTS_BATCH_MOST);
    facts_disk_free(f->whole_room, FACTS_BATCH_MOST);
    facts_disk_free(f->log.room, FACTS_BATCH_MOST + FACTS_BLOCK);
    buf_fini(&f->error);
    buf_fini(&f->pour.key);
    buf_fini(&f->pour.value);
    mem_free(f);
}

/* ---- for everybody ---- */

void facts_changed(struct facts *f)
{
    atomic_fetch_add(&f->changes, 1);
}

uint64_t facts_ask(struct facts *f)
{
    uint64_t ticket = atomic_load(&f->changes);
    if (ticket > atomic_load(&f->covered) && !atomic_exchange(&f->is_wanted, true))
        CHECK(sem_post(&f->work) == 0);
    return ticket;
}

enum facts_settled facts_settled(struct facts *f, uint64_t ticket)
{
    /* Looked at first: what facts_give or a commit has said before it was cleared is seen. */
    bool is_paused = atomic_load(&f->is_paused);
    if (atomic_load(&f->saved) >= ticket)
        return FACTS_SAVED;
    if (is_paused && atomic_load(&f->failed) < ticket)
        return FACTS_UNSETTLED;
    return atomic_load(&f->is_failing) || atomic_load(&f->failed) >= ticket ? FACTS_UNSAVED : FACTS_UNSETTLED;
}

bool facts_is_failing(const struct facts *f)
{
    return atomic_load_explicit(&f->is_failing, memory_order_relaxed);
}

void facts_try_again(struct facts *f)
{
    lock_take(&f->lock);
    bool wakes = f->state.is_failing && !f->tries_again;
    f->tries_again = f->state.is_failing;
    lock_give(&f->lock);
    if (wakes)
        CHECK(sem_post(&f->work) == 0);
}

void facts_listen(struct facts *f, struct facts_listener *l)
{
    lock_take(&f->lock);
    list_push_back(&f->listeners, &l->link);
    lock_give(&f->lock);
}

void facts_tell(struct facts *f)
{
    LIST_EACH(l, &f->listeners) {
        struct facts_listener *x = CONTAINER_OF(l, struct facts_listener, link);
        x->told(x);
    }
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
