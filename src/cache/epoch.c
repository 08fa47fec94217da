#include "cache/epoch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cache/epoch_machine.h"

/* Do the numbers and the list agree? Call it under the lock. */
static void check_whole(const struct epochs *e)
{
    uint64_t latest = atomic_load_explicit(&e->latest, memory_order_relaxed);
    CHECK(e->tag == EPOCHS_TAG);
    CHECK(atomic_load_explicit(&e->floor, memory_order_relaxed) <= latest);
    CHECK(atomic_load_explicit(&e->written, memory_order_relaxed) <= latest);
    CHECK(e->table.n <= e->names_max);
}

struct epochs *epochs_new(const struct hash_secret *secret, size_t names_max)
{
    struct epochs *e = mem_alloc(sizeof(*e));
    e->secret = secret;
    e->names_max = names_max < 16 ? 16 : names_max;
    memory_init(&e->memory, INT64_MAX);
    memory_charge(&e->memory, (int64_t)mem_cost(sizeof(*e)));
    table_init(&e->table, &e->memory);
    list_init(&e->by_age);
    list_init(&e->saved);
    list_init(&e->unsaved);
    /* Numbers start at 1, so that 0 can say "never". */
    atomic_init(&e->latest, 1);
    atomic_init(&e->written, 1);
    lock_init(&e->lock);
    e->tag = EPOCHS_TAG;
    return e;
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
    return h & EPOCH_NAME_BITS & ~EPOCH_PAIR;
}

/* ---- the names of an object ---- */

/*
 * In this order: the upper halves, rising; for many names a filter; the kept part of the lower halves, 3
 * bytes for each name, or 12 bits when the names are few.
 *
 * A filter is a row of bits, eight for each name. A bit is set when a name falls on it. Names are hashes, so
 * they are spread evenly, and seven of eight purges of other names meet a bit that is not set: no search, and
 * no mispredicted branch.
 */
#define FILTERED 16 /* names; fewer are as fast without */

#define SHORT_BITS ((uint64_t)0xfffffffffff00000) /* what is kept of a name when they are few: 44 bits */

_Static_assert((EPOCH_PAIR & SHORT_BITS) && !(EPOCH_PAIR & SHORT_BITS >> 32 << 32),
               "it is kept, below the upper half");

static size_t filter_words(size_t n)
{
    return n > FILTERED ? (n + 3) / 4 : 0;
}

static size_t filter_bits(size_t n)
{
    return filter_words(n) * 32;
}

static size_t words_of(size_t n)
{
    return n + filter_words(n);
}

size_t epoch_names_bytes(size_t n, bool is_short)
{
    return words_of(n) * sizeof(uint32_t) + (is_short ? n + (n + 1) / 2 : 3 * n);
}

/* Returns where a name falls among `n` places in rising order. */
static size_t place_of(uint32_t upper, size_t n)
{
    return (size_t)((uint64_t)upper * n >> 32);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static const unsigned char *lower_halves(const void *at, size_t n)
{
    return (const unsigned char *)at + words_of(n) * sizeof(uint32_t);
}

/* 12 bits: a byte for each name; behind these, half a byte for each. */
static void put_lower(unsigned char *to, size_t n, bool is_short, size_t i, uint32_t lower)
{
    if (!is_short) {
        to[3 * i] = (unsigned char)(lower >> 24);
        to[3 * i + 1] = (unsigned char)(lower >> 16);
        to[3 * i + 2] = (unsigned char)(lower >> 8);
        return;
    }
    unsigned char half = lower >> 20 & 15;
    to[i] = (unsigned char)(lower >> 24);
    to[n + i / 2] |= (unsigned char)(i % 2 ? half << 4 : half);
}

static uint32_t lower_at(const struct epoch_names *of, size_t i)
{
    const unsigned char *from = lower_halves(of->at, of->n);
    if (!of->is_short)
        return (uint32_t)from[3 * i] << 24 | (uint32_t)from[3 * i + 1] << 16 | (uint32_t)from[3 * i + 2] << 8;
    uint32_t half = i % 2 ? from[of->n + i / 2] >> 4 : from[of->n + i / 2] & 15;
    return (uint32_t)from[i] << 24 | half << 20;
}

uint64_t epoch_names_bits(bool is_short)
{
    return is_short ? SHORT_BITS : EPOCH_NAME_BITS;
}

uint64_t epoch_names_at(const struct epoch_names *of, size_t i)
{
    const uint32_t *upper = of->at;
    return (uint64_t)upper[i] << 32 | lower_at(of, i);
}

#define SORTED_HERE 64

void epoch_names_write(void *at, const uint64_t *names, size_t n, bool is_short)
{
    uint64_t here[SORTED_HERE], *sorted = n <= SORTED_HERE ? here : mem_alloc(n * sizeof(*sorted));
    uint32_t *upper = at, *filter = upper + n;
    unsigned char *lower = (unsigned char *)at + words_of(n) * sizeof(uint32_t);
    memset(at, 0, epoch_names_bytes(n, is_short));
    if (n) {
        memcpy(sorted, names, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), by_value);
    }
    for (size_t i = 0; i < n; i++) {
        upper[i] = (uint32_t)(sorted[i] >> 32);
        put_lower(lower, n, is_short, i, (uint32_t)sorted[i]);
        if (n > FILTERED) {
            size_t bit = place_of(upper[i], filter_bits(n));
            filter[bit / 32] |= (uint32_t)1 << bit % 32;
        }
    }
    if (sorted != here)
        mem_free(sorted);
}

static bool has_upper(const struct epoch_names *of, uint32_t wanted)
{
    const uint32_t *upper = of->at;
    size_t n = of->n;
    if (n == 0)
        return false;
    if (n > FILTERED) {
        size_t bit = place_of(wanted, filter_bits(n));
        if (!(upper[n + bit / 32] >> bit % 32 & 1))
            return false;
    }
    /* The name is only a few steps from its expected place. Halving would be mispredicted at each step. */
    size_t i = place_of(wanted, n);
    while (i > 0 && upper[i] > wanted)
        i--;
    while (i < n - 1 && upper[i] < wanted)
        i++;
    return upper[i] == wanted;
}

/* ---- purges ---- */

uint64_t epochs_latest(const struct epochs *e)
{
    return atomic_load_explicit(&e->latest, memory_order_acquire);
}

uint64_t epochs_latest_made(const struct epochs *e)
{
    /* Written before `latest`, which the caller has loaded with acquire. */
    return atomic_load_explicit(&e->made, memory_order_relaxed);
}

static struct epoch *epoch_of(struct link *l)
{
    return CONTAINER_OF(l, struct epoch, link);
}

static uint64_t name_of_node(const struct table_node *node)
{
    return (uint64_t)node->hash << 32 | node->own;
}

struct epoch *epoch_find(const struct epochs *e, uint64_t name)
{
    struct table_node *node = *table_chain(&e->table, (uint32_t)(name >> 32));
    while (node && name_of_node(node) != name)
        node = node->next;
    return node ? CONTAINER_OF(node, struct epoch, node) : NULL;
}

uint64_t epoch_latest(const struct epoch *s)
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

static int64_t softs_cost(const struct softs *s)
{
    return s ? (int64_t)mem_cost(softs_bytes(s->room)) : 0;
}

/* Merges the two purges that are closest in time: the later number with the earlier time. So windows of
 * objects that began between them end a little early; none end late. */
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

void epoch_add_soft(struct epochs *e, struct epoch *to, uint64_t number, int64_t at_ms)
{
    struct softs *s = to->softs;
    uint32_t room = s ? s->room : 0;
    if (!s || (s->n == room && room < SOFTS_MOST)) {
        int64_t before = softs_cost(s);
        room = room ? 2 * room : 1;
        s = mem_resize(s, softs_bytes(room));
        if (!to->softs)
            s->n = 0;
        s->room = room;
        to->softs = s;
        memory_charge(&e->memory, softs_cost(s) - before);
    }
    if (s->n == s->room)
        softs_merge(s);
    s->v[s->n].number = number;
    /* Another worker may have read its clock a little earlier. */
    s->v[s->n].at_ms = s->n && at_ms < s->v[s->n - 1].at_ms ? s->v[s->n - 1].at_ms : at_ms;
    s->n++;
}

/* Returns the time of the first purge after `begin`. There is one. */
static int64_t softs_first(const struct softs *s, uint64_t begin)
{
    uint32_t i = 0;
    while (i + 1 < s->n && s->v[i].number <= begin)
        i++;
    return s->v[i].at_ms;
}

/* ---- names come and go ---- */

uint64_t epoch_name(const struct epoch *s)
{
    return name_of_node(&s->node);
}

struct epoch *epoch_add(struct epochs *e, uint64_t name)
{
    struct epoch *s = memory_zero(&e->memory, sizeof(*s));
    s->node.hash = (uint32_t)(name >> 32);
    s->node.own = (uint32_t)name;
    memory_charge(&e->memory, (int64_t)memory_cost(sizeof(*s)));
    table_add(&e->table, &e->memory, &s->node);
    list_push_back(&e->by_age, &s->link);
    epoch_unsave_new(e, s);
    return s;
}

void epoch_drop_softs(struct epochs *e, struct epoch *s)
{
    memory_charge(&e->memory, -softs_cost(s->softs));
    mem_free(s->softs);
    s->softs = NULL;
}

void epoch_drop(struct epochs *e, struct epoch *s)
{
    table_remove(&e->table, &s->node);
    table_shrink(&e->table, &e->memory, 2);
    epoch_step_over(e, s);
    link_remove(&s->link);
    epoch_unsave_dropped(e, s);
    epoch_drop_softs(e, s);
    memory_charge(&e->memory, -(int64_t)memory_cost(sizeof(*s)));
    memory_give(&e->memory, s, sizeof(*s));
}

/* Too many names: forgets the one whose latest purge is oldest, and raises the floor above that purge. Each
 * kind has its own floor: a flood of unsafe requests, which anybody may send, makes older pages revalidate
 * but removes none. */
void epoch_raise_floor(struct epochs *e)
{
    struct epoch *oldest = epoch_of(list_first(&e->by_age));
    for (int k = 0; k < PURGE_KINDS; k++)
        if (oldest->last[k] > e->floors[k])
            e->floors[k] = oldest->last[k];
    atomic_store_explicit(&e->floor, epoch_latest(oldest), memory_order_release);
    epoch_unsave_head(e);
    epoch_drop(e, oldest);
}

void epochs_free(struct epochs *e)
{
    check_whole(e);
    e->tag = 0;
    e->facts = NULL;
    lock_fini(&e->lock);
    for (struct link *l; (l = list_first(&e->by_age)) != NULL;)
        epoch_drop(e, epoch_of(l));
    mem_free(e->loading);
    table_fini(&e->table, &e->memory);
    memory_fini(&e->memory);
    mem_free(e);
}

uint64_t epochs_purge(struct epochs *e, enum purge_kind kind, const uint64_t *names, size_t n,
                      int64_t now_mono_ms)
{
    CHECK((unsigned)kind < PURGE_KINDS);
    lock_take(&e->lock);
    check_whole(e);
    uint64_t number = atomic_load_explicit(&e->latest, memory_order_relaxed);
    atomic_store_explicit(&e->written, number + n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        number++;
        uint64_t name = names[i] & ~EPOCH_IS_MADE;
        CHECK((name & ~EPOCH_NAME_BITS) == 0);
        if (name != names[i])
            atomic_store_explicit(&e->made, number, memory_order_relaxed);
        struct epoch *s = epoch_find(e, name);
        if (s) {
            epoch_step_over(e, s);
            link_remove(&s->link);
            list_push_back(&e->by_age, &s->link);
        } else {
            if (e->table.n >= e->names_max)
                epoch_raise_floor(e);
            s = epoch_add(e, name);
        }
        s->last[kind] = number;
        if (kind == PURGE_SOFT)
            epoch_add_soft(e, s, number, now_mono_ms);
        epoch_unsave(e, s);
        atomic_store_explicit(&e->journal[number % JOURNAL], (uint32_t)(name >> 32), memory_order_release);
    }
    atomic_store_explicit(&e->latest, number, memory_order_release);
    check_whole(e);
    lock_give(&e->lock);
    if (e->facts && n)
        facts_ask(e->facts);
    struct epochs_listener *l = atomic_load_explicit(&e->listener, memory_order_acquire);
    if (l)
        l->purged(l, kind, names, n);
    return number;
}

void epochs_listen(struct epochs *e, struct epochs_listener *l)
{
    atomic_store_explicit(&e->listener, l, memory_order_release);
}

static bool is_made(const struct epoch_names *of, uint32_t upper)
{
    for (size_t i = 0; i < of->made_n; i++)
        if ((uint32_t)(of->made[i] >> 32) == upper)
            return true;
    return false;
}

/* Does the journal prove that none of the names was purged in (since, upto]? */
static bool journal_clears(struct epochs *e, const struct epoch_names *of, uint64_t since, uint64_t upto)
{
    if (upto - since > JOURNAL / 2 || since < e->journal_from)
        return false;
    for (uint64_t number = since + 1; number <= upto; number++) {
        uint32_t upper = atomic_load_explicit(&e->journal[number % JOURNAL], memory_order_acquire);
        if (has_upper(of, upper) || is_made(of, upper))
            return false;
    }
    /* A reader that saw a later name than it meant to sees here how far the writer was. */
    return atomic_load_explicit(&e->written, memory_order_relaxed) - since <= JOURNAL;
}

static void touch(const struct epoch *s, uint64_t begin, struct purged *out)
{
    if (s->last[PURGE_HARD] > begin)
        out->hard = s->last[PURGE_HARD];
    if (s->last[PURGE_INVALIDATE] > begin)
        out->invalidated = s->last[PURGE_INVALIDATE];
    if (s->last[PURGE_SOFT] <= begin)
        return;
    int64_t at_ms = softs_first(s->softs, begin);
    if (!out->soft || at_ms < out->soft_at_ms)
        out->soft_at_ms = at_ms;
    out->soft = s->last[PURGE_SOFT];
}

/* Notes all purged names that may be the object's i-th name: the bits that are not kept are unknown. */
static void touch_all(struct epochs *e, const struct epoch_names *of, size_t i, uint64_t begin,
                      struct purged *out)
{
    uint32_t upper = ((const uint32_t *)of->at)[i];
    for (struct table_node *node = *table_chain(&e->table, upper); node; node = node->next) {
        if (node->hash != upper)
            continue;
        uint64_t name = epoch_names_at(of, i), counts = epoch_names_bits(of->is_short);
        if (name & EPOCH_PAIR)
            counts &= ~EPOCH_PAIR;
        if (((name ^ name_of_node(node)) & counts) == 0)
            touch(CONTAINER_OF(node, struct epoch, node), begin, out);
    }
}

bool epochs_touched(struct epochs *e, struct epoch_names names, uint64_t begin, uint64_t since, uint64_t upto,
                    struct purged *out)
{
    if (since >= upto)
        return false;
    uint64_t floor = atomic_load_explicit(&e->floor, memory_order_acquire);
    if (begin >= floor && journal_clears(e, &names, since, upto))
        return false;

    *out = (struct purged){ 0 };
    lock_take(&e->lock);
    if (begin < e->floors[PURGE_HARD])
        out->hard = e->floors[PURGE_HARD];
    /* The time of the soft purge is no longer known: revalidate instead. */
    uint64_t asked = e->floors[PURGE_SOFT] > e->floors[PURGE_INVALIDATE] ? e->floors[PURGE_SOFT]
                                                                         : e->floors[PURGE_INVALIDATE];
    if (begin < asked)
        out->invalidated = asked;
    for (size_t i = 0; i < names.n; i++)
        touch_all(e, &names, i, begin, out);
    for (size_t i = 0; i < names.made_n; i++) {
        const struct epoch *s = epoch_find(e, names.made[i]);
        if (s)
            touch(s, begin, out);
    }
    lock_give(&e->lock);
    return out->hard || out->invalidated || out->soft;
}

#define FORGET_HOLD 64

/* Runs in one hold of the lock. true: there may be more. */
static bool forget_some(struct epochs *e, uint64_t oldest)
{
    lock_take(&e->lock);
    check_whole(e);
    unsigned gone = 0;
    for (struct link *l; gone < FORGET_HOLD && (l = list_first(&e->by_age)) != NULL; gone++) {
        if (epoch_latest(epoch_of(l)) > oldest)
            break;
        epoch_drop(e, epoch_of(l));
    }
    lock_give(&e->lock);
    return gone == FORGET_HOLD;
}

void epochs_forget(struct epochs *e, uint64_t oldest)
{
    while (forget_some(e, oldest))
        ;
}

size_t epochs_count(struct epochs *e)
{
    lock_take(&e->lock);
    size_t n = e->table.n;
    lock_give(&e->lock);
    return n;
}

size_t epochs_bytes(struct epochs *e)
{
    return (size_t)memory_used(&e->memory);
}

uint64_t epochs_floor(struct epochs *e)
{
    return atomic_load_explicit(&e->floor, memory_order_acquire);
}
