#include "cache/epoch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* When a name was softly purged, in order: an object's windows count from the first one after it began. */
struct softs {
    uint32_t n, room;
    struct {
        uint64_t number;
        int64_t at_ms;
    } v[];
};
#define SOFTS_MOST 8

/* A purged name. Open addressing, linear probing; hash 0 is an empty slot. */
struct epoch {
    uint64_t name;
    uint64_t last[PURGE_KINDS]; /* latest number of each kind, 0: none */
    struct softs *softs;        /* owned; NULL: never softly purged */
};

/*
 * The journal: which name each of the latest numbers purged. A hit whose object was last looked at a few purges ago
 * compares these few with its own names instead of looking up all of its names; so a site that purges all the time
 * keeps its hits cheap: eight of them are one cache line. `written` says up to which number slots are being written, and is raised
 * before they are: a reader that was overtaken by a whole round sees it afterwards and falls back to the table.
 */
#define JOURNAL 1024

struct epochs {
    const struct hash_secret *secret;
    _Atomic uint64_t published;
    _Atomic uint64_t floor; /* all that began before this number counts as purged, in one way or another */
    _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t journal[JOURNAL]; /* names */

    struct lock lock; /* the table */
    struct epoch *slots;
    size_t mask, used, names_max;
    size_t softs_bytes;           /* of all names */
    uint64_t floors[PURGE_KINDS]; /* the latest number of each kind that was forgotten over the cap */
};

#define SLOTS_FIRST 256

struct epochs *epochs_new(const struct hash_secret *secret, size_t names_max)
{
    struct epochs *e = mem_alloc(sizeof(*e));
    e->secret = secret;
    e->names_max = names_max < 16 ? 16 : names_max;
    e->slots = mem_alloc(SLOTS_FIRST * sizeof(*e->slots));
    e->mask = SLOTS_FIRST - 1;
    /* Numbers start at 1, so that 0 can say "never". */
    atomic_init(&e->published, 1);
    atomic_init(&e->written, 1);
    lock_init(&e->lock);
    return e;
}

void epochs_free(struct epochs *e)
{
    lock_fini(&e->lock);
    for (size_t i = 0; i <= e->mask; i++)
        mem_free(e->slots[i].softs);
    mem_free(e->slots);
    mem_free(e);
}

uint64_t epoch_hash(const struct epochs *e, enum epoch_kind kind, struct str scope, struct str name)
{
    char small[512];
    uint32_t scope_bytes = (uint32_t)scope.n;
    size_t bytes = 1 + sizeof(scope_bytes) + scope.n + name.n;
    struct buf big = BUF_INIT;
    char *p = bytes <= sizeof(small) ? small : buf_room(&big, bytes);
    p[0] = (char)kind;
    memcpy(p + 1, &scope_bytes, sizeof(scope_bytes));
    if (scope.n)
        memcpy(p + 1 + sizeof(scope_bytes), scope.p, scope.n);
    if (name.n)
        memcpy(p + 1 + sizeof(scope_bytes) + scope.n, name.p, name.n);
    uint64_t h = hash64(e->secret, (struct str){ p, bytes });
    buf_fini(&big);
    return h ? h : 1;
}

/* ---- the names of an object ---- */

/*
 * Many names have a filter behind them: a row of bits, eight for each name, and a bit is set when a name falls to it. Names are
 * hashes, so they are spread evenly, and seven of eight purges of other names end at a bit that is not set: no search, no branch that
 * is predicted wrong.
 */
#define FILTERED 16 /* names; fewer are as fast without */

size_t epoch_names_room(size_t n)
{
    return n > FILTERED ? n + (n + 7) / 8 : n;
}

/* Where the name falls, of `n` places in rising order. */
static size_t place_of(uint64_t name, size_t n)
{
    return (size_t)((name >> 32) * n >> 32);
}

static size_t filter_bits(size_t n)
{
    return (n + 7) / 8 * 64;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void epoch_names_sort(uint64_t *names, size_t n)
{
    if (n == 0)
        return;
    qsort(names, n, sizeof(*names), by_value);
    if (n <= FILTERED)
        return;
    uint64_t *filter = names + n;
    memset(filter, 0, filter_bits(n) / 8);
    for (size_t i = 0; i < n; i++) {
        size_t bit = place_of(names[i], filter_bits(n));
        filter[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

static bool has_name(const uint64_t *names, size_t n, uint64_t name)
{
    if (n == 0)
        return false;
    if (n > FILTERED) {
        size_t bit = place_of(name, filter_bits(n));
        if (!(names[n + bit / 64] >> bit % 64 & 1))
            return false;
    }
    /* Only a few steps from where it should stand; halving would be predicted wrong at each of its steps. */
    size_t i = place_of(name, n);
    while (i > 0 && names[i] > name)
        i--;
    while (i < n - 1 && names[i] < name)
        i++;
    return names[i] == name;
}

/* ---- purges ---- */

uint64_t epochs_published(const struct epochs *e)
{
    return atomic_load_explicit(&e->published, memory_order_acquire);
}

/* The slot of the name, or the empty one where it would stand. */
static struct epoch *slot_of(struct epoch *slots, size_t mask, uint64_t name)
{
    size_t i = name & mask;
    while (slots[i].name && slots[i].name != name)
        i = (i + 1) & mask;
    return &slots[i];
}

static uint64_t latest(const struct epoch *s)
{
    uint64_t n = 0;
    for (int k = 0; k < PURGE_KINDS; k++)
        n = s->last[k] > n ? s->last[k] : n;
    return n;
}

/* ---- soft purges of one name ---- */

static size_t softs_bytes(uint32_t room)
{
    return sizeof(struct softs) + room * sizeof(((struct softs *)NULL)->v[0]);
}

/* The two that are closest in time become one, with the number of the later and the time of the earlier: what began between them has its
 * windows end a little early, nothing has them end late. */
static void softs_merge(struct softs *s)
{
    uint32_t at = 1;
    for (uint32_t i = 2; i < s->n; i++)
        if (s->v[i].at_ms - s->v[i - 1].at_ms < s->v[at].at_ms - s->v[at - 1].at_ms)
            at = i;
    s->v[at].at_ms = s->v[at - 1].at_ms;
    memmove(&s->v[at - 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
    s->n--;
}

static void softs_add(struct epochs *e, struct epoch *to, uint64_t number, int64_t at_ms)
{
    struct softs *s = to->softs;
    uint32_t room = s ? s->room : 0;
    if (!s || (s->n == room && room < SOFTS_MOST)) {
        e->softs_bytes += softs_bytes(room ? 2 * room : 1) - (s ? softs_bytes(room) : 0);
        room = room ? 2 * room : 1;
        s = mem_resize(s, softs_bytes(room));
        if (!to->softs)
            s->n = 0;
        s->room = room;
        to->softs = s;
    }
    if (s->n == s->room)
        softs_merge(s);
    s->v[s->n].number = number;
    /* Another worker may have read its clock a little earlier. */
    s->v[s->n].at_ms = s->n && at_ms < s->v[s->n - 1].at_ms ? s->v[s->n - 1].at_ms : at_ms;
    s->n++;
}

static void softs_forget(struct epochs *e, struct epoch *of)
{
    if (of->softs)
        e->softs_bytes -= softs_bytes(of->softs->room);
    mem_free(of->softs);
    of->softs = NULL;
}

/* Time of the first one after `begin`, which there is. */
static int64_t softs_first(const struct softs *s, uint64_t begin)
{
    uint32_t i = 0;
    while (i + 1 < s->n && s->v[i].number <= begin)
        i++;
    return s->v[i].at_ms;
}

/* ---- the table ---- */

/* Moves all names whose latest purge is above `oldest` into a table with room to spare. */
static void rebuild(struct epochs *e, uint64_t oldest)
{
    size_t kept = 0;
    for (size_t i = 0; i <= e->mask; i++)
        kept += e->slots[i].name && latest(&e->slots[i]) > oldest;
    size_t size = SLOTS_FIRST;
    while (size < kept * 3)
        size *= 2;
    struct epoch *slots = mem_alloc(size * sizeof(*slots));
    for (size_t i = 0; i <= e->mask; i++)
        if (e->slots[i].name && latest(&e->slots[i]) > oldest)
            *slot_of(slots, size - 1, e->slots[i].name) = e->slots[i];
        else
            softs_forget(e, &e->slots[i]);
    mem_free(e->slots);
    e->slots = slots;
    e->mask = size - 1;
    e->used = kept;
}

/* Too many names: forgets the half that was purged longest ago and raises the floor above it. Each kind has its own: a
 * flood of unsafe requests, which anybody may send, makes older pages be revalidated, but takes none away. */
static void raise_floor(struct epochs *e)
{
    uint64_t *numbers = mem_alloc(e->used * sizeof(*numbers));
    size_t n = 0;
    for (size_t i = 0; i <= e->mask; i++)
        if (e->slots[i].name)
            numbers[n++] = latest(&e->slots[i]);
    qsort(numbers, n, sizeof(*numbers), by_value);
    uint64_t floor = numbers[n / 2];
    mem_free(numbers);
    for (size_t i = 0; i <= e->mask; i++)
        for (int k = 0; k < PURGE_KINDS && e->slots[i].name && latest(&e->slots[i]) <= floor; k++)
            if (e->slots[i].last[k] > e->floors[k])
                e->floors[k] = e->slots[i].last[k];
    atomic_store_explicit(&e->floor, floor, memory_order_release);
    rebuild(e, floor);
}

uint64_t epochs_purge(struct epochs *e, enum purge_kind kind, const uint64_t *names, size_t n,
                      int64_t now_mono_ms)
{
    lock_take(&e->lock);
    uint64_t number = atomic_load_explicit(&e->published, memory_order_relaxed);
    atomic_store_explicit(&e->written, number + n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        number++;
        struct epoch *s = slot_of(e->slots, e->mask, names[i]);
        if (!s->name) {
            if (e->used >= e->names_max)
                raise_floor(e);
            else if (e->used * 2 > e->mask)
                rebuild(e, 0);
            s = slot_of(e->slots, e->mask, names[i]);
            *s = (struct epoch){ .name = names[i] };
            e->used++;
        }
        s->last[kind] = number;
        if (kind == PURGE_SOFT)
            softs_add(e, s, number, now_mono_ms);
        atomic_store_explicit(&e->journal[number % JOURNAL], names[i], memory_order_release);
    }
    atomic_store_explicit(&e->published, number, memory_order_release);
    lock_give(&e->lock);
    return number;
}

/* Does the journal prove that none of the names was purged in (since, upto]? */
static bool journal_clears(struct epochs *e, const uint64_t *names, size_t n, uint64_t since, uint64_t upto)
{
    if (upto - since > JOURNAL / 2)
        return false;
    for (uint64_t number = since + 1; number <= upto; number++)
        if (has_name(names, n, atomic_load_explicit(&e->journal[number % JOURNAL], memory_order_acquire)))
            return false;
    /* Who saw a later name than was meant sees here how far the writer was. */
    return atomic_load_explicit(&e->written, memory_order_relaxed) - since <= JOURNAL;
}

bool epochs_touched(struct epochs *e, const uint64_t *names, size_t n, uint64_t begin, uint64_t since,
                    uint64_t upto, struct purged *out)
{
    if (since >= upto)
        return false;
    uint64_t floor = atomic_load_explicit(&e->floor, memory_order_acquire);
    if (begin >= floor && journal_clears(e, names, n, since, upto))
        return false;

    *out = (struct purged){ 0 };
    lock_take(&e->lock);
    if (begin < e->floors[PURGE_HARD])
        out->hard = e->floors[PURGE_HARD];
    /* When it was softly purged is not known any more: it is asked for. */
    uint64_t asked = e->floors[PURGE_SOFT] > e->floors[PURGE_INVALIDATE] ? e->floors[PURGE_SOFT]
                                                                         : e->floors[PURGE_INVALIDATE];
    if (begin < asked)
        out->invalidated = asked;
    for (size_t i = 0; i < n; i++) {
        const struct epoch *s = slot_of(e->slots, e->mask, names[i]);
        if (!s->name)
            continue;
        if (s->last[PURGE_HARD] > begin)
            out->hard = s->last[PURGE_HARD];
        if (s->last[PURGE_INVALIDATE] > begin)
            out->invalidated = s->last[PURGE_INVALIDATE];
        if (s->last[PURGE_SOFT] <= begin)
            continue;
        int64_t at_ms = softs_first(s->softs, begin);
        if (!out->soft || at_ms < out->soft_at_ms)
            out->soft_at_ms = at_ms;
        out->soft = s->last[PURGE_SOFT];
    }
    lock_give(&e->lock);
    return out->hard || out->invalidated || out->soft;
}

void epochs_forget(struct epochs *e, uint64_t oldest)
{
    lock_take(&e->lock);
    size_t gone = 0;
    for (size_t i = 0; i <= e->mask; i++)
        gone += e->slots[i].name && latest(&e->slots[i]) <= oldest;
    if (gone > e->used / 4 || e->mask > 8 * (e->used - gone + SLOTS_FIRST))
        rebuild(e, oldest);
    lock_give(&e->lock);
}

size_t epochs_count(struct epochs *e)
{
    lock_take(&e->lock);
    size_t n = e->used;
    lock_give(&e->lock);
    return n;
}

size_t epochs_bytes(struct epochs *e)
{
    lock_take(&e->lock);
    size_t bytes = sizeof(*e) + (e->mask + 1) * sizeof(*e->slots) + e->softs_bytes;
    lock_give(&e->lock);
    return bytes;
}

uint64_t epochs_floor(struct epochs *e)
{
    return atomic_load_explicit(&e->floor, memory_order_acquire);
}
