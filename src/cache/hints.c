#include "cache/hints.h"

#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"
#include "http/link.h"

#define SETS   256
#define IN_SET 4
#define LOCKS  16
#define PART   64 /* of the memory, at most */

struct hint {
    struct hash128 hash; /* of the primary key */
    uint64_t variant;    /* of the variant and the release */
    uint64_t begin;
    uint32_t used; /* the set's count when it was last used */
    uint16_t n;    /* of the text; 0: the entry is free */
    char text[HINTS_BYTES];
};

struct hint_set {
    struct hint v[IN_SET];
    uint32_t count;
};

struct hints {
    struct memory *memory;
    struct lock locks[LOCKS];
    struct lock making;
    _Atomic(struct hint_set *) sets; /* NULL: none was learnt yet */
    _Atomic uint64_t floor;          /* what began before is forgotten */
};

struct hints *hints_new(struct memory *memory)
{
    struct hints *h = mem_alloc(sizeof(*h));
    h->memory = memory;
    for (size_t i = 0; i < LOCKS; i++)
        lock_init(&h->locks[i]);
    lock_init(&h->making);
    return h;
}

void hints_free(struct hints *h)
{
    struct hint_set *sets = atomic_load(&h->sets);
    if (sets) {
        memory_charge_books(h->memory, -(int64_t)memory_cost(SETS * sizeof(*sets)));
        memory_give(h->memory, sets, SETS * sizeof(*sets));
    }
    for (size_t i = 0; i < LOCKS; i++)
        lock_fini(&h->locks[i]);
    lock_fini(&h->making);
    mem_free(h);
}

/* ---- the table ---- */

static struct hint_set *make_sets(struct hints *h)
{
    const size_t bytes = SETS * sizeof(struct hint_set);
    lock_take(&h->making);
    struct hint_set *sets = atomic_load_explicit(&h->sets, memory_order_acquire);
    if (!sets && (int64_t)bytes <= h->memory->budget_bytes / PART) {
        sets = memory_take(h->memory, bytes);
        if (sets) {
            memset(sets, 0, bytes);
            memory_charge_books(h->memory, (int64_t)memory_cost(bytes));
            atomic_store_explicit(&h->sets, sets, memory_order_release);
        }
    }
    lock_give(&h->making);
    return sets;
}

/* Wider than the index needs it, which compares the variants themselves. */
static uint64_t variant_of(const struct cache *c, const struct place *p)
{
    return hash64(c->secret, p->variant) + p->release * 0x9e3779b97f4a7c15u;
}

static size_t set_of(const struct place *p)
{
    return (size_t)((p->hash.lo >> 32 ^ p->variant_hash) % SETS);
}

static struct hint *find(struct hint_set *s, const struct place *p, uint64_t variant)
{
    for (size_t i = 0; i < IN_SET; i++) {
        struct hint *e = &s->v[i];
        if (e->n && hash128_eq(e->hash, p->hash) && e->variant == variant)
            return e;
    }
    return NULL;
}

/* The one of the key, else a free one, else the one that was not used for longest. */
static struct hint *place_for(struct hint_set *s, const struct place *p, uint64_t variant)
{
    struct hint *of_key = find(s, p, variant), *best = &s->v[0];
    if (of_key)
        return of_key;
    for (size_t i = 1; i < IN_SET && best->n; i++)
        if (!s->v[i].n || s->v[i].used < best->used)
            best = &s->v[i];
    return best;
}

/* ---- what is learnt ---- */

static bool is_for_early(struct str link)
{
    return link_has_rel(link, STR("preload")) || link_has_rel(link, STR("modulepreload")) ||
           link_has_rel(link, STR("preconnect"));
}

static size_t write_links(char text[HINTS_BYTES], const struct fields *fields)
{
    size_t n = 0;
    struct str link;
    for (size_t i = 0; i < fields->n; i++) {
        struct str rest = fields->v[i].value;
        while (fields->v[i].id == FIELD_LINK && link_next(&rest, &link)) {
            size_t comma = n ? 2 : 0;
            if (!is_for_early(link) || n + comma + link.n > HINTS_BYTES)
                continue;
            memcpy(text + n, ", ", comma);
            memcpy(text + n + comma, link.p, link.n);
            n += comma + link.n;
        }
    }
    return n;
}

void hints_learn(struct cache *c, const struct place *place, const struct fields *fields, uint64_t begin)
{
    struct hints *h = c->hints;
    const uint64_t variant = variant_of(c, place);
    char text[HINTS_BYTES];
    size_t n = write_links(text, fields), at = set_of(place);
    struct hint_set *sets = atomic_load_explicit(&h->sets, memory_order_acquire);
    if (!sets && (n == 0 || !(sets = make_sets(h))))
        return;
    struct lock *l = &h->locks[at % LOCKS];
    lock_take(l);
    struct hint *e = n ? place_for(&sets[at], place, variant) : find(&sets[at], place, variant);
    if (e) {
        e->hash = place->hash;
        e->variant = variant;
        e->begin = begin;
        e->used = ++sets[at].count;
        e->n = (uint16_t)n;
        memcpy(e->text, text, n);
    }
    lock_give(l);
}

bool hints_find(struct cache *c, const struct place *place, struct buf *out)
{
    struct hints *h = c->hints;
    const uint64_t variant = variant_of(c, place);
    size_t at = set_of(place);
    struct hint_set *sets = atomic_load_explicit(&h->sets, memory_order_acquire);
    if (!sets)
        return false;
    struct lock *l = &h->locks[at % LOCKS];
    lock_take(l);
    struct hint *e = find(&sets[at], place, variant);
    bool known = e && e->begin >= atomic_load_explicit(&h->floor, memory_order_relaxed);
    if (known) {
        e->used = ++sets[at].count;
        buf_add(out, (struct str){ e->text, e->n });
    }
    lock_give(l);
    return known;
}

void hints_forget(struct cache *c, uint64_t number)
{
    struct hints *h = c->hints;
    uint64_t floor = atomic_load_explicit(&h->floor, memory_order_relaxed);
    while (floor < number && !atomic_compare_exchange_weak_explicit(
                                 &h->floor, &floor, number, memory_order_relaxed, memory_order_relaxed))
        ;
}
