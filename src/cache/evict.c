#include "cache/evict.h"

#include "base/mem.h"
#include "cache/ghost.h"

#define HEAVY 4
#define STEPS 128 /* items of a queue in one call; behind these the first that nobody holds is taken */

struct evict {
    struct lock lock;
    struct list small, main;
    uint64_t small_weight, main_weight, held_weight, capacity;
    size_t count;
    uint64_t looked_at;                 /* items that evict_take came by */
    double share;                       /* of the small queue, at least a tenth */
    struct ghost left_small, left_main; /* what left each queue */
    _Atomic uint64_t loose_weight;      /* of the queued items that nobody holds */
};

static double least_share(const struct evict *e)
{
    return (double)e->capacity / 10;
}

struct evict *evict_new(uint64_t capacity, struct memory *memory)
{
    struct evict *e = mem_alloc(sizeof(*e));
    lock_init(&e->lock);
    list_init(&e->small);
    list_init(&e->main);
    e->capacity = capacity;
    e->share = least_share(e);
    ghost_init(&e->left_small, memory);
    ghost_init(&e->left_main, memory);
    return e;
}

void evict_free(struct evict *e)
{
    ghost_fini(&e->left_small);
    ghost_fini(&e->left_main);
    lock_fini(&e->lock);
    mem_free(e);
}

static struct list *list_of(struct evict *e, enum evict_queue queue)
{
    return queue == EVICT_SMALL ? &e->small : &e->main;
}

static uint64_t *weight_of(struct evict *e, enum evict_queue queue)
{
    return queue == EVICT_SMALL ? &e->small_weight : &e->main_weight;
}

/* Inserts in front of `at`. */
static void enqueue_before(struct evict *e, struct link *at, struct evict_item *i, enum evict_queue queue)
{
    i->queue = (uint8_t)queue;
    link_put_before(at, &i->link);
    *weight_of(e, queue) += i->weight;
    e->held_weight += i->holders ? i->weight : 0;
    e->count++;
}

static void enqueue(struct evict *e, struct evict_item *i, enum evict_queue queue)
{
    enqueue_before(e, &list_of(e, queue)->head, i, queue);
}

static void dequeue(struct evict *e, struct evict_item *i)
{
    *weight_of(e, (enum evict_queue)i->queue) -= i->weight;
    e->held_weight -= i->holders ? i->weight : 0;
    link_remove(&i->link);
    i->queue = EVICT_NONE;
    e->count--;
}

/* Publishes the loose weight for readers without the lock, and gives the lock. */
static void unlock(struct evict *e)
{
    atomic_store_explicit(&e->loose_weight, e->small_weight + e->main_weight - e->held_weight,
                          memory_order_relaxed);
    lock_give(&e->lock);
}

/* An item that returns went too soon: the queue that it left gets more room, by the item's weight; the more,
 * the fewer items return that left this queue, compared with the other. */
static void learn(struct evict *e, const struct evict_item *i, bool from_small)
{
    const double small = (double)e->left_small.weight + 1, main = (double)e->left_main.weight + 1;
    const double ratio = from_small ? main / small : small / main;
    const double least = least_share(e), most = (double)e->capacity * 0.8;
    const double step = (double)i->weight * (ratio > 1 ? ratio : 1);
    e->share += from_small ? step : -step;
    e->share = e->share < least ? least : e->share > most ? most : e->share;
}

static void insert(struct evict *e, struct evict_item *i)
{
    CHECK(i->queue == EVICT_NONE && i->weight > 0);
    /* 0 means none in a ghost. */
    if (!i->fingerprint)
        i->fingerprint = 1;
    bool from_small = ghost_take(&e->left_small, i->fingerprint);
    bool from_main = ghost_take(&e->left_main, i->fingerprint);
    if (from_small || from_main)
        learn(e, i, from_small);
    enqueue(e, i, from_small || from_main ? EVICT_MAIN : EVICT_SMALL);
}

void evict_insert(struct evict *e, struct evict_item *i)
{
    lock_take(&e->lock);
    insert(e, i);
    unlock(e);
}

static uint8_t uses_of(const struct evict_item *i)
{
    return atomic_load_explicit(&i->uses, memory_order_relaxed);
}

void evict_replace(struct evict *e, struct evict_item *old, struct evict_item *i)
{
    lock_take(&e->lock);
    if (old->queue == EVICT_NONE) {
        insert(e, i);
    } else {
        CHECK(i->queue == EVICT_NONE && i->weight > 0);
        if (!i->fingerprint)
            i->fingerprint = 1;
        if (uses_of(old) > uses_of(i))
            atomic_store_explicit(&i->uses, uses_of(old), memory_order_relaxed);
        enqueue_before(e, &old->link, i, (enum evict_queue)old->queue);
        dequeue(e, old);
    }
    unlock(e);
}

bool evict_move(struct evict *e, struct evict_item *i, struct evict_item *to,
                bool (*copy)(struct evict_item *i, struct evict_item *to))
{
    lock_take(&e->lock);
    bool may = i->queue != EVICT_NONE && i->holders == 0 && copy(i, to);
    if (may) {
        link_put_before(&i->link, &to->link);
        link_remove(&i->link);
        i->queue = EVICT_NONE;
    }
    lock_give(&e->lock);
    return may;
}

void evict_weigh(struct evict *e, struct evict_item *i, uint32_t (*weigh)(const struct evict_item *i))
{
    lock_take(&e->lock);
    if (i->queue != EVICT_NONE) {
        uint32_t before = i->weight, now = weigh(i);
        uint64_t *queued = weight_of(e, (enum evict_queue)i->queue);
        *queued = *queued - before + now;
        if (i->holders)
            e->held_weight = e->held_weight - before + now;
        i->weight = now;
    }
    unlock(e);
}

void evict_put_back(struct evict *e, struct evict_item *i)
{
    lock_take(&e->lock);
    CHECK(i->queue == EVICT_NONE && i->weight > 0);
    /* evict_take has remembered it; it has not left, so nothing is learnt. */
    bool from_small = ghost_take(&e->left_small, i->fingerprint);
    if (!from_small)
        ghost_take(&e->left_main, i->fingerprint);
    enqueue(e, i, from_small ? EVICT_SMALL : EVICT_MAIN);
    unlock(e);
}

void evict_remove(struct evict *e, struct evict_item *i)
{
    evict_remove_all(e, &i, 1);
}

void evict_remove_all(struct evict *e, struct evict_item *const *items, size_t n)
{
    lock_take(&e->lock);
    /* Their neighbours in the queue are scattered in memory. */
    for (size_t k = 0; k < n; k++)
        if (items[k]->queue != EVICT_NONE) {
            __builtin_prefetch(items[k]->link.prev, 1);
            __builtin_prefetch(items[k]->link.next, 1);
        }
    for (size_t k = 0; k < n; k++)
        if (items[k]->queue != EVICT_NONE)
            dequeue(e, items[k]);
    unlock(e);
}

bool evict_hold(struct evict *e, struct evict_item *i)
{
    lock_take(&e->lock);
    bool can = i->holders < UINT16_MAX;
    if (can && i->holders++ == 0 && i->queue != EVICT_NONE)
        e->held_weight += i->weight;
    unlock(e);
    return can;
}

void evict_release(struct evict *e, struct evict_item *i)
{
    lock_take(&e->lock);
    CHECK(i->holders > 0);
    if (--i->holders == 0 && i->queue != EVICT_NONE)
        e->held_weight -= i->weight;
    unlock(e);
}

uint64_t evict_loose_weight(const struct evict *e)
{
    return atomic_load_explicit(&e->loose_weight, memory_order_relaxed);
}

static struct evict_item *first_of(struct list *queue)
{
    struct link *l = list_first(queue);
    return l ? CONTAINER_OF(l, struct evict_item, link) : NULL;
}

static void remember(struct evict *e, struct ghost *g, const struct evict_item *i)
{
    ghost_add(g, i->fingerprint, i->weight, e->capacity - e->capacity / 10);
}

/* Is the item heavier than HEAVY times the mean? Its room holds that many others. It is in no queue. */
static bool is_heavy(const struct evict *e, const struct evict_item *i)
{
    uint64_t all = e->small_weight + e->main_weight + i->weight;
    return (uint64_t)i->weight * (e->count + 1) > HEAVY * all;
}

/* For main: does an item that was used go round again, with one use less? While newcomers need more room,
 * popularity moves on: then past uses are good for one round only, and a heavy item needs more than one
 * use. */
static bool stays_in_main(const struct evict *e, struct evict_item *i)
{
    const bool moves_on = e->share > least_share(e) * 1.1;
    uint8_t uses = uses_of(i);
    if (uses == 0 || (uses == 1 && moves_on && is_heavy(e, i)))
        return false;
    atomic_store_explicit(&i->uses, moves_on ? 0 : (uint8_t)(uses - 1), memory_order_relaxed);
    return true;
}

/* For the small queue: does an item that was used since its insert move to main? */
static bool moves_to_main(struct evict_item *i)
{
    if (uses_of(i) == 0)
        return false;
    atomic_store_explicit(&i->uses, 0, memory_order_relaxed);
    return true;
}

/* Takes the first item of a queue that was not used; with `at_last`, behind STEPS items the next one, used or
 * not. Held items go round: evicting them would free nothing. */
static struct evict_item *take_from(struct evict *e, enum evict_queue queue, bool at_last)
{
    struct evict_item *i;
    for (unsigned step = 0; step < 2 * STEPS && (i = first_of(list_of(e, queue))) != NULL; step++) {
        e->looked_at++;
        dequeue(e, i);
        bool tired = at_last && step >= STEPS;
        if (i->holders) {
            enqueue(e, i, queue);
        } else if (!tired && (queue == EVICT_SMALL ? moves_to_main(i) : stays_in_main(e, i))) {
            enqueue(e, i, EVICT_MAIN);
        } else {
            remember(e, queue == EVICT_SMALL ? &e->left_small : &e->left_main, i);
            return i;
        }
    }
    return NULL;
}

struct evict_item *evict_take(struct evict *e, void (*hold)(struct evict_item *))
{
    lock_take(&e->lock);
    struct evict_item *i = NULL;
    if ((double)e->small_weight > e->share || list_is_empty(&e->main))
        i = take_from(e, EVICT_SMALL, false);
    if (!i)
        i = take_from(e, EVICT_MAIN, true);
    if (!i)
        i = take_from(e, EVICT_SMALL, true);
    if (i && hold)
        hold(i);
    unlock(e);
    return i;
}

uint64_t evict_weight(struct evict *e)
{
    lock_take(&e->lock);
    uint64_t weight = e->small_weight + e->main_weight;
    lock_give(&e->lock);
    return weight;
}

uint64_t evict_looked_at(struct evict *e)
{
    lock_take(&e->lock);
    uint64_t n = e->looked_at;
    lock_give(&e->lock);
    return n;
}

size_t evict_count(struct evict *e)
{
    lock_take(&e->lock);
    size_t n = e->count;
    lock_give(&e->lock);
    return n;
}
