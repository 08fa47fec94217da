#include "cache/evict.h"

#include "base/mem.h"
#include "cache/ghost.h"

#define HEAVY 4

struct evict {
    struct lock lock;
    struct list small, main;
    uint64_t small_weight, main_weight, capacity;
    size_t count;
    double share;                       /* of the small queue, at least a tenth */
    struct ghost left_small, left_main; /* what left the one and the other */
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

static void enqueue(struct evict *e, struct evict_item *i, enum evict_queue queue)
{
    i->queue = (uint8_t)queue;
    list_push_back(queue == EVICT_SMALL ? &e->small : &e->main, &i->link);
    *(queue == EVICT_SMALL ? &e->small_weight : &e->main_weight) += i->weight;
    e->count++;
}

static void dequeue(struct evict *e, struct evict_item *i)
{
    *(i->queue == EVICT_SMALL ? &e->small_weight : &e->main_weight) -= i->weight;
    link_remove(&i->link);
    i->queue = EVICT_NONE;
    e->count--;
}

/* What returns went too soon: the queue that it left gets more room, by its weight, and the more the fewer return of what left
 * that queue than of what left the other. */
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
    /* 0 is none for a ghost. */
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
    lock_give(&e->lock);
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
        i->queue = old->queue;
        link_put_before(&old->link, &i->link);
        *(i->queue == EVICT_SMALL ? &e->small_weight : &e->main_weight) += i->weight;
        e->count++;
        dequeue(e, old);
    }
    lock_give(&e->lock);
}

void evict_remove(struct evict *e, struct evict_item *i)
{
    evict_remove_all(e, &i, 1);
}

void evict_remove_all(struct evict *e, struct evict_item *const *items, size_t n)
{
    lock_take(&e->lock);
    /* Their neighbours stand anywhere in memory. */
    for (size_t k = 0; k < n; k++)
        if (items[k]->queue != EVICT_NONE) {
            __builtin_prefetch(items[k]->link.prev, 1);
            __builtin_prefetch(items[k]->link.next, 1);
        }
    for (size_t k = 0; k < n; k++)
        if (items[k]->queue != EVICT_NONE)
            dequeue(e, items[k]);
    lock_give(&e->lock);
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

/* What was used since it came moves to main; the first that was not goes. */
static struct evict_item *take_from_small(struct evict *e)
{
    struct evict_item *i;
    while ((i = first_of(&e->small)) != NULL) {
        dequeue(e, i);
        if (uses_of(i) == 0) {
            remember(e, &e->left_small, i);
            return i;
        }
        atomic_store_explicit(&i->uses, 0, memory_order_relaxed);
        enqueue(e, i, EVICT_MAIN);
    }
    return NULL;
}

/* Of more than HEAVY times the mean: in its room there are that many others. It is in no queue. */
static bool is_heavy(const struct evict *e, const struct evict_item *i)
{
    uint64_t all = e->small_weight + e->main_weight + i->weight;
    return (uint64_t)i->weight * (e->count + 1) > HEAVY * all;
}

/* What was used goes round again with one use less; the first that was not goes. While newcomers need more room, popularity moves
 * on: one round is then all that past uses are good for, and of a heavy one a single use is not enough. Ends: uses only fall
 * here, and hits can add at most three to each. */
static struct evict_item *take_from_main(struct evict *e)
{
    const bool moves_on = e->share > least_share(e) * 1.1;
    struct evict_item *i;
    while ((i = first_of(&e->main)) != NULL) {
        dequeue(e, i);
        uint8_t uses = uses_of(i);
        if (uses == 0 || (uses == 1 && moves_on && is_heavy(e, i))) {
            remember(e, &e->left_main, i);
            return i;
        }
        atomic_store_explicit(&i->uses, moves_on ? 0 : (uint8_t)(uses - 1), memory_order_relaxed);
        enqueue(e, i, EVICT_MAIN);
    }
    return NULL;
}

struct evict_item *evict_take(struct evict *e, void (*hold)(struct evict_item *))
{
    lock_take(&e->lock);
    struct evict_item *i = NULL;
    if ((double)e->small_weight > e->share || list_is_empty(&e->main))
        i = take_from_small(e);
    if (!i)
        i = take_from_main(e);
    if (!i)
        i = take_from_small(e);
    if (i && hold)
        hold(i);
    lock_give(&e->lock);
    return i;
}

uint64_t evict_weight(struct evict *e)
{
    lock_take(&e->lock);
    uint64_t weight = e->small_weight + e->main_weight;
    lock_give(&e->lock);
    return weight;
}

size_t evict_count(struct evict *e)
{
    lock_take(&e->lock);
    size_t n = e->count;
    lock_give(&e->lock);
    return n;
}
