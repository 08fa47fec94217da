#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cache/epoch_machine.h"
#include "store/facts.h"

/*
 * A name's row: its number is the name's 56 bits and one, its bytes are numbers of 8 bytes, little endian:
 * the latest hard purge, the latest invalidation, then for each soft purge that is remembered its number and
 * its wall time. Row 0 is the head: the ceiling, the floors of hard, soft and invalidating purges, and the
 * latest wall time that was written.
 */
#define HEAD_KEY   0
#define HEAD_WORDS 5
#define NAME_WORDS 2
#define SOFT_WORDS 2

_Static_assert((NAME_WORDS + SOFTS_MOST * SOFT_WORDS) * 8 <= FACTS_ROW_MAX, "a row has room for all");

/* Numbers are given up to the ceiling only, which is on disk; so no number is given twice, whatever the end
 * of the process was. */
#define STEP         ((uint64_t)1 << 20)
#define HEAD_WALL_MS 60000 /* the latest wall time is written again after so long */

/* A soft purge of an unknown time: as long ago as can be. */
#define LONG_AGO_MS ((int64_t)10 * 365 * 24 * 3600 * 1000)

static struct epoch *epoch_of(struct link *l)
{
    return CONTAINER_OF(l, struct epoch, disk);
}

/* ---- what has changed ---- */

static bool is_saved_somewhere(const struct epochs *e)
{
    return e->facts != NULL;
}

void epoch_unsave_new(struct epochs *e, struct epoch *s)
{
    link_init(&s->disk);
    list_push_back(&e->saved, &s->disk);
}

void epoch_unsave(struct epochs *e, struct epoch *s)
{
    if (s->is_unsaved)
        return; /* it keeps its place: its row is made when it is taken */
    s->is_unsaved = true;
    link_remove(&s->disk);
    list_push_back(&e->unsaved, &s->disk);
    e->unsaved_n++;
}

static void take_out(struct epochs *e, struct epoch *s)
{
    e->unsaved_n -= s->is_unsaved;
    s->is_unsaved = false;
    link_remove(&s->disk);
}

bool epoch_unsave_gone(struct epochs *e, struct epoch *s)
{
    /* When the disk fails, the next commit writes all rows anew. */
    if (!is_saved_somewhere(e) || facts_is_failing(e->facts)) {
        take_out(e, s);
        return false;
    }
    s->is_gone = true;
    epoch_unsave(e, s);
    return true;
}

void epoch_unsave_head(struct epochs *e)
{
    e->head_unsaved = true;
}

/* ---- a commit ---- */

static void put(struct facts_row *row, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        row->bytes[row->n++] = (unsigned char)(value >> 8 * i);
}

static uint64_t word(const struct facts_row *row, size_t i)
{
    uint64_t value = 0;
    for (int k = 7; k >= 0; k--)
        value = value << 8 | row->bytes[i * 8 + (size_t)k];
    return value;
}

static void write_head(struct epochs *e, struct facts_row *row, struct now now)
{
    *row = (struct facts_row){ .key = HEAD_KEY };
    if (now.wall_ms > e->head_wall_ms)
        e->head_wall_ms = now.wall_ms;
    put(row, e->ceiling);
    put(row, e->floors[PURGE_HARD]);
    put(row, e->floors[PURGE_SOFT]);
    put(row, e->floors[PURGE_INVALIDATE]);
    put(row, (uint64_t)e->head_wall_ms);
    e->head_unsaved = false;
}

static void write_name(const struct epoch *s, struct facts_row *row, struct now now)
{
    *row = (struct facts_row){ .key = (epoch_name(s) >> 8) + 1 };
    if (s->is_gone)
        return;
    put(row, s->last[PURGE_HARD]);
    put(row, s->last[PURGE_INVALIDATE]);
    for (uint32_t i = 0; s->softs && i < s->softs->n; i++) {
        put(row, s->softs->v[i].number);
        put(row, (uint64_t)(now.wall_ms - (now.mono_ms - s->softs->v[i].at_ms)));
    }
}

static void begin(void *owner)
{
    struct epochs *e = owner;
    lock_take(&e->lock);
    e->due = e->unsaved_n;
    e->head_is_due = true;
    lock_give(&e->lock);
}

/* In the same commit as the numbers below it. */
static void raise_ceiling(struct epochs *e)
{
    uint64_t latest = atomic_load_explicit(&e->latest, memory_order_relaxed);
    if (e->is_over ? latest != e->ceiling : latest + STEP / 2 > e->ceiling) {
        e->ceiling = e->is_over ? latest : latest + STEP;
        e->head_unsaved = true;
    }
}

static size_t take(void *owner, struct facts_row *out, size_t most, struct now now)
{
    struct epochs *e = owner;
    size_t n = 0;
    lock_take(&e->lock);
    raise_ceiling(e);
    if ((e->due || e->head_is_due) && (e->head_unsaved || now.wall_ms - e->head_wall_ms > HEAD_WALL_MS))
        write_head(e, &out[n++], now);
    e->head_is_due = false;
    for (struct link *l; n < most && e->due && (l = list_first(&e->unsaved)) != NULL; n++, e->due--) {
        struct epoch *s = epoch_of(l);
        write_name(s, &out[n], now);
        take_out(e, s);
        if (s->is_gone)
            epoch_free(e, s);
        else
            list_push_back(&e->saved, &s->disk);
    }
    lock_give(&e->lock);
    return n;
}

#define AGAIN_HOLD 256

/* Runs in one hold of the lock. true: there may be more. */
static bool again_some(struct epochs *e)
{
    lock_take(&e->lock);
    unsigned n = 0;
    for (struct link *l; n < AGAIN_HOLD && (l = list_first(&e->saved)) != NULL; n++)
        epoch_unsave(e, epoch_of(l));
    e->head_unsaved = true;
    lock_give(&e->lock);
    return n == AGAIN_HOLD;
}

static void again(void *owner)
{
    while (again_some(owner))
        ;
}

/* ---- at the start ---- */

static bool is_number(uint64_t n)
{
    return n < INT64_MAX / 2;
}

static bool load_head(struct epochs *e, const struct facts_row *row)
{
    if (row->n != HEAD_WORDS * 8)
        return false;
    e->ceiling = word(row, 0);
    e->floors[PURGE_HARD] = word(row, 1);
    e->floors[PURGE_SOFT] = word(row, 2);
    e->floors[PURGE_INVALIDATE] = word(row, 3);
    e->head_wall_ms = (int64_t)word(row, 4);
    bool good = is_number(e->ceiling) && e->head_wall_ms >= 0;
    for (int k = 0; k < PURGE_KINDS; k++)
        good = good && e->floors[k] <= e->ceiling;
    return good;
}

/* A soft purge's time, of this boot's monotonic clock. */
static int64_t mono_of(const struct epochs *e, int64_t wall_ms, struct now now)
{
    /* A wall clock that went back makes nothing younger. */
    bool known = wall_ms >= 0 && wall_ms <= now.wall_ms && now.wall_ms >= e->head_wall_ms &&
                 now.wall_ms - wall_ms < LONG_AGO_MS;
    return now.mono_ms - (known ? now.wall_ms - wall_ms : LONG_AGO_MS);
}

/* The head is the first row, so the ceiling is known. */
static bool load_name(struct epochs *e, const struct facts_row *row, struct now now)
{
    size_t words = row->n / 8, softs = words < NAME_WORDS ? 0 : (words - NAME_WORDS) / SOFT_WORDS;
    uint64_t name = (row->key - 1) << 8, before = 0;
    if (row->n % 8 || words < NAME_WORDS || softs > SOFTS_MOST || words != NAME_WORDS + softs * SOFT_WORDS ||
        row->key > (UINT64_MAX >> 8) + 1)
        return false;
    for (size_t i = 0; i < softs; i++) {
        uint64_t number = word(row, NAME_WORDS + i * SOFT_WORDS);
        if (number <= before)
            return false;
        before = number;
    }
    uint64_t hard = word(row, 0), invalidated = word(row, 1);
    if (hard + invalidated + before == 0 || hard > e->ceiling || invalidated > e->ceiling ||
        before > e->ceiling)
        return false;
    struct epoch *s = epoch_add(e, name);
    s->last[PURGE_HARD] = hard;
    s->last[PURGE_INVALIDATE] = invalidated;
    s->last[PURGE_SOFT] = before;
    for (size_t i = 0; i < softs; i++)
        epoch_add_soft(e, s, word(row, NAME_WORDS + i * SOFT_WORDS),
                       mono_of(e, (int64_t)word(row, NAME_WORDS + i * SOFT_WORDS + 1), now));
    return true;
}

static bool load(void *owner, const struct facts_row *row, struct now now)
{
    struct epochs *e = owner;
    return row->key == HEAD_KEY ? load_head(e, row) : e->ceiling && load_name(e, row, now);
}

static void forget(void *owner)
{
    struct epochs *e = owner;
    for (struct link *l; (l = list_first(&e->by_age)) != NULL;)
        epoch_drop(e, CONTAINER_OF(l, struct epoch, link));
    memset(e->floors, 0, sizeof(e->floors));
    e->ceiling = 0;
    e->head_wall_ms = 0;
}

struct facts_rows epochs_rows(struct epochs *e)
{
    return (struct facts_rows){ e, load, forget, begin, take, again };
}

struct aged {
    uint64_t latest;
    struct epoch *s;
};

static int by_latest(const void *a, const void *b)
{
    uint64_t x = ((const struct aged *)a)->latest, y = ((const struct aged *)b)->latest;
    return x < y ? -1 : x > y;
}

/* The rows came in the order of their names. */
static void put_in_order(struct epochs *e)
{
    size_t n = 0;
    struct aged *all = mem_alloc((e->table.n + 1) * sizeof(*all));
    for (struct link *l; (l = list_pop(&e->by_age)) != NULL;) {
        struct epoch *s = CONTAINER_OF(l, struct epoch, link);
        all[n++] = (struct aged){ epoch_latest(s), s };
    }
    CHECK(n == e->table.n);
    qsort(all, n, sizeof(*all), by_latest);
    for (size_t i = 0; i < n; i++)
        list_push_back(&e->by_age, &all[i].s->link);
    mem_free(all);
}

void epochs_save_to(struct epochs *e, struct facts *f)
{
    uint64_t floor = 0;
    lock_take(&e->lock);
    CHECK(!e->facts && atomic_load_explicit(&e->latest, memory_order_relaxed) == 1);
    put_in_order(e);
    for (int k = 0; k < PURGE_KINDS; k++)
        floor = e->floors[k] > floor ? e->floors[k] : floor;
    /* Above every number that was ever given. */
    uint64_t latest = e->ceiling > 1 ? e->ceiling : 1;
    atomic_store_explicit(&e->latest, latest, memory_order_release);
    atomic_store_explicit(&e->written, latest, memory_order_relaxed);
    atomic_store_explicit(&e->made, latest,
                          memory_order_relaxed); /* of a loaded name nothing says that it is not */
    atomic_store_explicit(&e->floor, floor, memory_order_release);
    e->journal_from = latest;
    e->facts = f;
    while (e->table.n > e->names_max)
        epoch_raise_floor(e);
    lock_give(&e->lock);
}

void epochs_end(struct epochs *e)
{
    lock_take(&e->lock);
    e->is_over = true;
    lock_give(&e->lock);
}
