#include "cache/evict.h"

#include <string.h>

#include "base/mem.h"

/*
 * The ghost: fingerprints of what left the small queue, in order, with their weights; as much weight as the main queue may
 * hold, as in the paper. A ring for the order and an open-addressed set for the question "is it there". An entry that
 * returns is cleared in the ring and skipped when it comes up.
 */
struct ghost_entry {
    uint32_t fingerprint; /* 0: cleared */
    uint32_t weight;
};

struct ghost {
    struct ghost_entry *ring;
    size_t ring_size, head, n; /* n: cleared ones too */
    size_t live;
    uint64_t weight;
    uint32_t *set; /* ring index + 1; 0: empty. Twice the ring's size */
};

#define GHOST_FIRST ((size_t)64)
#define GHOST_MOST  ((size_t)1 << 22)

struct evict {
    struct lock lock;
    struct list small, main;
    uint64_t small_weight, main_weight, capacity;
    size_t count;
    struct ghost ghost;
    struct memory *memory;
};

/* ---- the ghost ---- */

static size_t ghost_bytes(size_t ring_size)
{
    return ring_size * (sizeof(struct ghost_entry) + 2 * sizeof(uint32_t));
}

static size_t set_slot(const struct ghost *g, uint32_t fingerprint)
{
    size_t mask = 2 * g->ring_size - 1;
    size_t i = (fingerprint * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (g->set[i] && g->ring[g->set[i] - 1].fingerprint != fingerprint)
        i = (i + 1) & mask;
    return i;
}

/* Empties a slot of the set and moves later ones of the same run up, so that runs stay whole. */
static void set_clear(struct ghost *g, size_t i)
{
    size_t mask = 2 * g->ring_size - 1;
    g->set[i] = 0;
    for (size_t j = (i + 1) & mask; g->set[j]; j = (j + 1) & mask) {
        uint32_t index = g->set[j];
        g->set[j] = 0;
        g->set[set_slot(g, g->ring[index - 1].fingerprint)] = index;
    }
}

static void ghost_resize(struct evict *e, size_t size)
{
    struct ghost *g = &e->ghost, old = *g;
    *g = (struct ghost){ .ring_size = size };
    g->ring = mem_alloc(size * sizeof(*g->ring));
    g->set = mem_alloc(2 * size * sizeof(*g->set));
    for (size_t k = 0; k < old.n; k++) {
        struct ghost_entry entry = old.ring[(old.head + k) % old.ring_size];
        if (!entry.fingerprint)
            continue;
        g->ring[g->n] = entry;
        g->weight += entry.weight;
        size_t slot = set_slot(g, entry.fingerprint);
        g->set[slot] = (uint32_t)g->n + 1;
        g->n++;
        g->live++;
    }
    if (e->memory)
        memory_charge(e->memory, (int64_t)ghost_bytes(size) - (int64_t)ghost_bytes(old.ring_size));
    mem_free(old.ring);
    mem_free(old.set);
}

static void ghost_forget_oldest(struct ghost *g)
{
    struct ghost_entry *entry = &g->ring[g->head];
    if (entry->fingerprint) {
        set_clear(g, set_slot(g, entry->fingerprint));
        g->weight -= entry->weight;
        g->live--;
        entry->fingerprint = 0;
    }
    g->head = (g->head + 1) % g->ring_size;
    g->n--;
}

/* Was it there? It is not any more. */
static bool ghost_take(struct ghost *g, uint32_t fingerprint)
{
    size_t slot = set_slot(g, fingerprint);
    if (!g->set[slot])
        return false;
    struct ghost_entry *entry = &g->ring[g->set[slot] - 1];
    set_clear(g, slot);
    g->weight -= entry->weight;
    g->live--;
    entry->fingerprint = 0;
    return true;
}

static void ghost_add(struct evict *e, uint32_t fingerprint, uint32_t weight)
{
    struct ghost *g = &e->ghost;
    ghost_take(g, fingerprint);
    /* Full of entries: a larger ring; full of cleared ones: the same without them. */
    if (g->n == g->ring_size && g->live <= g->ring_size / 2)
        ghost_resize(e, g->ring_size);
    else if (g->n == g->ring_size && g->ring_size < GHOST_MOST)
        ghost_resize(e, g->ring_size * 2);
    uint64_t most = e->capacity - e->capacity / 10;
    while (g->n && (g->n == g->ring_size || g->weight + weight > most))
        ghost_forget_oldest(g);
    size_t at = (g->head + g->n) % g->ring_size;
    g->ring[at] = (struct ghost_entry){ 0, weight };
    size_t slot = set_slot(g, fingerprint);
    g->ring[at].fingerprint = fingerprint;
    g->set[slot] = (uint32_t)at + 1;
    g->n++;
    g->live++;
    g->weight += weight;
}

/* ---- the queues ---- */

struct evict *evict_new(uint64_t capacity, struct memory *memory)
{
    struct evict *e = mem_alloc(sizeof(*e));
    lock_init(&e->lock);
    list_init(&e->small);
    list_init(&e->main);
    e->capacity = capacity;
    e->memory = memory;
    ghost_resize(e, GHOST_FIRST);
    return e;
}

void evict_free(struct evict *e)
{
    if (e->memory)
        memory_charge(e->memory, -(int64_t)ghost_bytes(e->ghost.ring_size));
    mem_free(e->ghost.ring);
    mem_free(e->ghost.set);
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

static void insert(struct evict *e, struct evict_item *i)
{
    CHECK(i->queue == EVICT_NONE && i->weight > 0);
    /* 0 marks a cleared entry of the ghost. */
    if (!i->fingerprint)
        i->fingerprint = 1;
    enqueue(e, i, ghost_take(&e->ghost, i->fingerprint) ? EVICT_MAIN : EVICT_SMALL);
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
    lock_take(&e->lock);
    if (i->queue != EVICT_NONE)
        dequeue(e, i);
    lock_give(&e->lock);
}

static struct evict_item *first_of(struct list *queue)
{
    struct link *l = list_first(queue);
    return l ? CONTAINER_OF(l, struct evict_item, link) : NULL;
}

/* What was used more than once since it came moves to main; the first that was not goes. */
static struct evict_item *take_from_small(struct evict *e)
{
    struct evict_item *i;
    while ((i = first_of(&e->small)) != NULL) {
        dequeue(e, i);
        if (uses_of(i) <= 1) {
            ghost_add(e, i->fingerprint, i->weight);
            return i;
        }
        atomic_store_explicit(&i->uses, 0, memory_order_relaxed);
        enqueue(e, i, EVICT_MAIN);
    }
    return NULL;
}

/* What was used goes round again with one use less; the first that was not goes. Ends: uses only fall here, and hits
 * can add at most three to each. */
static struct evict_item *take_from_main(struct evict *e)
{
    struct evict_item *i;
    while ((i = first_of(&e->main)) != NULL) {
        dequeue(e, i);
        uint8_t uses = uses_of(i);
        if (uses == 0)
            return i;
        atomic_store_explicit(&i->uses, (uint8_t)(uses - 1), memory_order_relaxed);
        enqueue(e, i, EVICT_MAIN);
    }
    return NULL;
}

struct evict_item *evict_take(struct evict *e, void (*hold)(struct evict_item *))
{
    lock_take(&e->lock);
    struct evict_item *i = NULL;
    if (e->small_weight > e->capacity / 10 || list_is_empty(&e->main))
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
