#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/little.h"
#include "base/mem.h"
#include "cache/epoch_machine.h"
#include "store/facts.h"

/*
 * A name's row: its number is the name's 56 bits and one, its bytes are numbers of 8 bytes, little endian:
 * the latest hard purge, the latest invalidation, then for each soft purge that is remembered its number and
 * its wall time. Row 0 is the head: the ceiling, the floors of hard, soft and invalidating purges, the latest
 * wall time that was written, and about how many names there are.
 */
#define HEAD_KEY   0
#define HEAD_WORDS 6
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

void epoch_unsave_new(struct epochs *e, struct epoch *s)
{
    link_init(&s->disk);
    list_push_back(&e->saved, &s->disk);
}

void epoch_unsave(struct epochs *e, struct epoch *s)
{
    if (e->facts)
        facts_changed(e->facts);
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

void epoch_unsave_dropped(struct epochs *e, struct epoch *s)
{
    take_out(e, s);
}

void epoch_step_over(struct epochs *e, struct epoch *s)
{
    if (e->walk == &s->link)
        e->walk = s->link.next == &e->by_age.head ? NULL : s->link.next;
}

void epoch_unsave_head(struct epochs *e)
{
    e->head_unsaved = true;
}

/* ---- a commit ---- */

static void put(struct facts_row *row, uint64_t value)
{
    little_put_u64(row->bytes + row->n, value);
    row->n += 8;
}

/* The name that a row is of. */
static uint64_t name_of(const struct facts_row *row)
{
    return (row->key - 1) << 8;
}

static uint64_t word(const struct facts_row *row, size_t i)
{
    const unsigned char *p = row->bytes + 8 * i;
    return little_get_u64(&p);
}

static void write_head(struct epochs *e, struct facts_row *row, struct now now)
{
    row->key = HEAD_KEY;
    row->n = 0;
    if (now.wall_ms > e->head_wall_ms)
        e->head_wall_ms = now.wall_ms;
    put(row, e->ceiling);
    put(row, e->floors[PURGE_HARD]);
    put(row, e->floors[PURGE_SOFT]);
    put(row, e->floors[PURGE_INVALIDATE]);
    put(row, (uint64_t)e->head_wall_ms);
    put(row, e->table.n);
    e->head_unsaved = false;
}

static void write_name(const struct epoch *s, struct facts_row *row, struct now now)
{
    row->key = (epoch_name(s) >> 8) + 1;
    row->n = 0;
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
        list_push_back(&e->saved, &s->disk);
    }
    lock_give(&e->lock);
    return n;
}

/* ---- all of them ---- */

static void walk_begin(void *owner, bool saves)
{
    struct epochs *e = owner;
    lock_take(&e->lock);
    raise_ceiling(e);
    e->walk = list_first(&e->by_age);
    e->walk_upto = atomic_load_explicit(&e->latest, memory_order_relaxed);
    e->walk_saves = saves;
    e->walk_heads = 2;
    lock_give(&e->lock);
}

/* A commit may be under way: what it still has to write stays unsaved. */
static void give_head(struct epochs *e, struct facts_row *row, struct now now)
{
    raise_ceiling(e); /* floors may have passed it */
    bool unsaved = e->head_unsaved;
    write_head(e, row, now);
    e->head_unsaved = unsaved && !e->walk_saves;
}

static void give_name(struct epochs *e, struct epoch *s, struct facts_row *row, struct now now)
{
    write_name(s, row, now);
    if (e->walk_saves && s->is_unsaved) {
        take_out(e, s);
        list_push_back(&e->saved, &s->disk);
    }
}

/* Names that are purged meanwhile go to the end, behind walk_upto. The head comes first, since no name is
 * read without one, and again at the end: it stands for the names that were forgotten meanwhile. */
static size_t walk(void *owner, struct facts_row *out, size_t most, struct now now)
{
    struct epochs *e = owner;
    size_t n = 0;
    lock_take(&e->lock);
    if (e->walk_heads == 2) {
        give_head(e, &out[n++], now);
        e->walk_heads--;
    }
    while (n < most && e->walk) {
        struct epoch *s = CONTAINER_OF(e->walk, struct epoch, link);
        bool is_last = epoch_latest(s) > e->walk_upto;
        epoch_step_over(e, s);
        if (is_last)
            e->walk = NULL;
        else
            give_name(e, s, &out[n++], now);
    }
    if (n < most && e->walk_heads) {
        give_head(e, &out[n++], now);
        e->walk_heads--;
    }
    lock_give(&e->lock);
    return n;
}

/* ---- at the start ---- */

static bool is_number(uint64_t n)
{
    return n < INT64_MAX / 2;
}

static void raise_to(uint64_t *floor, uint64_t n)
{
    *floor = n > *floor ? n : *floor;
}

static bool load_head(struct epochs *e, const struct facts_row *row)
{
    if (row->n != HEAD_WORDS * 8 || !is_number(word(row, 0)))
        return false;
    raise_to(&e->ceiling, word(row, 0)); /* names have come that were below an earlier one */
    raise_to(&e->floors[PURGE_HARD], word(row, 1));
    raise_to(&e->floors[PURGE_SOFT], word(row, 2));
    raise_to(&e->floors[PURGE_INVALIDATE], word(row, 3));
    e->head_wall_ms = (int64_t)word(row, 4);
    bool good = e->head_wall_ms >= 0;
    uint64_t names = word(row, 5);
    table_reserve(&e->table, &e->memory, (uint32_t)(names < e->names_max ? names : e->names_max));
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

/* ---- names that were read, and are still to be added ---- */

/* A million of them come one after the other. For each the table's chain has to be there, and that is in no
 * cache of the processor: it is asked for when the name comes, and the name is added a little later. */
#define AHEAD 32

/* A bit for each name that came, where its hash says: most that come are new, and their bit is not set, so
 * that nobody looks at other names in their chains, which are in no cache either. */
#define SEEN_BITS 16 /* for each name that can be there: then one in thirty new ones finds its bit set */

struct epoch_loading {
    unsigned first, n;
    bool is_disordered; /* a name came behind one whose latest purge was later */
    uint64_t latest;    /* of the name that was added last */
    struct now now;
    struct facts_row rows[AHEAD];
    uint64_t seen_mask; /* of the bits */
    uint64_t seen[];
};

static struct epoch_loading *begin_loading(const struct epochs *e)
{
    uint64_t bits = 64;
    while (bits < e->names_max * SEEN_BITS)
        bits *= 2;
    struct epoch_loading *l = mem_alloc(sizeof(*l) + bits / 8);
    l->seen_mask = bits - 1;
    return l;
}

static uint64_t *seen_word(struct epoch_loading *l, uint64_t name)
{
    return &l->seen[(name >> 32 & l->seen_mask) / 64];
}

/* Has the name come before? true: perhaps. From now on it has. */
static bool may_be_there(struct epoch_loading *l, uint64_t name)
{
    uint64_t *word = seen_word(l, name), bit = (uint64_t)1 << (name >> 32 & 63);
    bool was_set = *word & bit;
    *word |= bit;
    return was_set;
}

/* Returns the name, at the end of by_age and without a purge. */
static struct epoch *place_for(struct epochs *e, uint64_t name)
{
    struct epoch *s = may_be_there(e->loading, name) ? epoch_find(e, name) : NULL;
    if (!s) {
        /* What was forgotten since a snapshot comes again with its log. */
        if (e->table.n >= e->names_max)
            epoch_raise_floor(e);
        return epoch_add(e, name);
    }
    epoch_drop_softs(e, s);
    link_remove(&s->link);
    list_push_back(&e->by_age, &s->link);
    return s;
}

static void add_name(struct epochs *e, const struct facts_row *row, struct now now)
{
    size_t softs = (row->n / 8 - NAME_WORDS) / SOFT_WORDS;
    struct epoch *s = place_for(e, name_of(row));
    s->last[PURGE_HARD] = word(row, 0);
    s->last[PURGE_INVALIDATE] = word(row, 1);
    for (size_t i = 0; i < softs; i++) {
        s->last[PURGE_SOFT] = word(row, NAME_WORDS + i * SOFT_WORDS);
        epoch_add_soft(e, s, s->last[PURGE_SOFT],
                       mono_of(e, (int64_t)word(row, NAME_WORDS + i * SOFT_WORDS + 1), now));
    }
    uint64_t latest = epoch_latest(s);
    e->loading->is_disordered |= latest < e->loading->latest;
    e->loading->latest = latest;
}

/* The head is the first row, so the ceiling is known. */
static bool is_name(const struct epochs *e, const struct facts_row *row)
{
    size_t words = row->n / 8, softs = words < NAME_WORDS ? 0 : (words - NAME_WORDS) / SOFT_WORDS;
    uint64_t before = 0;
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
    return hard + invalidated + before > 0 && hard <= e->ceiling && invalidated <= e->ceiling &&
           before <= e->ceiling;
}

static void add_first(struct epochs *e)
{
    struct epoch_loading *l = e->loading;
    add_name(e, &l->rows[l->first], l->now);
    l->first = (l->first + 1) % AHEAD;
    l->n--;
}

static void load_name(struct epochs *e, const struct facts_row *row, struct now now)
{
    struct epoch_loading *l = e->loading;
    if (!l)
        l = e->loading = begin_loading(e);
    if (l->n == AHEAD)
        add_first(e);
    l->now = now;
    unsigned at = (l->first + l->n++) % AHEAD;
    l->rows[at].key = row->key;
    l->rows[at].n = row->n;
    memcpy(l->rows[at].bytes, row->bytes, row->n);
    __builtin_prefetch(table_chain(&e->table, (uint32_t)(name_of(row) >> 32)), 1);
    __builtin_prefetch(seen_word(l, name_of(row)), 1);
}

/* Adds those that are left. Returns whether all came in the order of their latest purges. */
static bool end_loading(struct epochs *e)
{
    while (e->loading && e->loading->n)
        add_first(e);
    bool in_order = !e->loading || !e->loading->is_disordered;
    mem_free(e->loading);
    e->loading = NULL;
    return in_order;
}

static bool load(void *owner, const struct facts_row *row, struct now now)
{
    struct epochs *e = owner;
    if (row->key == HEAD_KEY)
        return load_head(e, row);
    if (!e->ceiling || !is_name(e, row))
        return false;
    load_name(e, row, now);
    return true;
}

static void forget(void *owner)
{
    struct epochs *e = owner;
    mem_free(e->loading);
    e->loading = NULL;
    for (struct link *l; (l = list_first(&e->by_age)) != NULL;)
        epoch_drop(e, CONTAINER_OF(l, struct epoch, link));
    memset(e->floors, 0, sizeof(e->floors));
    atomic_store_explicit(&e->floor, 0, memory_order_relaxed);
    e->ceiling = 0;
    e->head_wall_ms = 0;
}

struct facts_rows epochs_rows(struct epochs *e)
{
    return (struct facts_rows){ e, load, forget, begin, take, walk_begin, walk };
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

/* Returns how many of them are in order already, and before all others. */
static size_t in_order(const struct aged *all, size_t n)
{
    uint64_t least = UINT64_MAX;
    size_t good = n;
    for (size_t i = n; i-- > 0;) {
        if (all[i].latest > least)
            good = i;
        else
            least = all[i].latest;
    }
    return good;
}

/* A snapshot is in order; what a log has changed since may not be. */
static void put_in_order(struct epochs *e)
{
    size_t n = 0;
    struct aged *all = mem_alloc((e->table.n + 1) * sizeof(*all));
    LIST_EACH(l, &e->by_age) {
        struct epoch *s = CONTAINER_OF(l, struct epoch, link);
        all[n++] = (struct aged){ epoch_latest(s), s };
    }
    CHECK(n == e->table.n);
    size_t good = in_order(all, n);
    qsort(all + good, n - good, sizeof(*all), by_latest);
    for (size_t i = good; i < n; i++) {
        link_remove(&all[i].s->link);
        list_push_back(&e->by_age, &all[i].s->link);
    }
    mem_free(all);
}

void epochs_save_to(struct epochs *e, struct facts *f)
{
    uint64_t floor = 0;
    lock_take(&e->lock);
    CHECK(!e->facts && atomic_load_explicit(&e->latest, memory_order_relaxed) == 1);
    if (!end_loading(e))
        put_in_order(e);
    for (int k = 0; k < PURGE_KINDS; k++)
        floor = e->floors[k] > floor ? e->floors[k] : floor;
    /* Above every number that was ever given. */
    uint64_t latest = e->ceiling > 1 ? e->ceiling : 1;
    struct link *last = list_back(&e->by_age);
    if (last && epoch_latest(CONTAINER_OF(last, struct epoch, link)) > latest)
        latest = epoch_latest(CONTAINER_OF(last, struct epoch, link));
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

void epochs_go_on(struct epochs *e)
{
    lock_take(&e->lock);
    e->is_over = false;
    lock_give(&e->lock);
}
