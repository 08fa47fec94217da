/*
 * Eviction: S3-FIFO (Yang et al., SOSP 2023), with the changes of docs/decisions/018. New items enter a small
 * queue; items that were used again enter the main one. A ghost for each queue remembers what left it. An
 * item that returns goes straight to main, and tells which of the queues is too short. A hit only bumps a
 * counter; insert and eviction touch the queues, under one lock. Weights are bytes. Any thread.
 */
#ifndef CACHE_EVICT_H
#define CACHE_EVICT_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/lock.h"
#include "store/memory.h"

enum evict_queue { EVICT_NONE, EVICT_SMALL, EVICT_MAIN };

/* Embedded in what is evicted. Zero it before its first insert. */
struct evict_item {
    struct link link;
    uint32_t fingerprint; /* of its key: the same when it returns */
    /* Not 0. While it is queued it changes under the lock alone (evict_weigh), and others may see whether it
     * is 0. */
    _Atomic uint32_t weight;
    uint32_t own;         /* for the owner's use: it would be padding */
    _Atomic uint8_t uses; /* saturates at 3 */
    uint8_t queue;        /* enum evict_queue, under the lock */
    uint16_t holders;     /* see evict_hold; under the lock */
};

struct evict;

/* Makes empty queues; never NULL. `capacity`: the weight that the caller means to queue at most, by which the
 * queues and ghosts are measured; the small queue gets a tenth of it or more. `memory`: gets
 * the charges of the ghosts; NULL: nobody. */
struct evict *evict_new(uint64_t capacity, struct memory *memory);
/* Frees the queues, not the items. No other thread may use them. */
void evict_free(struct evict *e);

/* Counts a hit. Takes no lock. */
static inline void evict_touch(struct evict_item *i)
{
    uint8_t uses = atomic_load_explicit(&i->uses, memory_order_relaxed);
    if (uses < 3)
        atomic_store_explicit(&i->uses, (uint8_t)(uses + 1), memory_order_relaxed);
}

/* Queues an item that is not queued. */
void evict_insert(struct evict *e, struct evict_item *i);
/* Gives `i`, which is not queued, the place of `old`, its predecessor, and at least its uses; `old` leaves
 * its queue. Inserts `i` when `old` is not queued. */
void evict_replace(struct evict *e, struct evict_item *old, struct evict_item *i);
/* Moves an item to another place in memory. Under the lock `copy` writes the whole owner to the place that
 * `to` is in, and the queue then has `to` instead. false: the item is not queued, is held, or `copy` refused
 * because someone has a reference; nothing has moved. */
bool evict_move(struct evict *e, struct evict_item *i, struct evict_item *to,
                bool (*copy)(struct evict_item *i, struct evict_item *to));
/* Makes a queued item as heavy as `weigh` says, which is called under the lock: of several callers, each
 * after a change, the last one has seen all. Does nothing when it is not queued. */
void evict_weigh(struct evict *e, struct evict_item *i, uint32_t (*weigh)(const struct evict_item *i));
/* Puts an item that evict_take returned back behind the others of the queue that it left, with its weight as
 * it is now: it goes round once more. */
void evict_put_back(struct evict *e, struct evict_item *i);
/* Removes an item. Does nothing when it is not queued. */
void evict_remove(struct evict *e, struct evict_item *i);
/* Removes many items in one hold of the lock. None may be given twice. */
void evict_remove_all(struct evict *e, struct evict_item *const *items, size_t n);
/* Keeps an item in memory for a slow reader, until evict_release: evicting it would free nothing, so others
 * go. Allowed before it is queued, and after. false: too many hold it; it is not held. */
bool evict_hold(struct evict *e, struct evict_item *i);
/* Ends an evict_hold that returned true. */
void evict_release(struct evict *e, struct evict_item *i);

/* Takes the next item to evict out of its queue. After a bounded number of steps it takes the next one,
 * however much that was used. NULL: nothing is queued, or all items looked at are held. Calls `hold` under
 * the lock, so that the caller gets a reference before another thread removes the item. */
struct evict_item *evict_take(struct evict *e, void (*hold)(struct evict_item *));

/* Returns the weight of the queued items that nobody holds. Reads it without the lock. */
uint64_t evict_loose_weight(const struct evict *e);

/* Returns how many items evict_take has looked at in all its calls: the steps that it held the lock for.
 * For tests. */
uint64_t evict_looked_at(struct evict *e);

/* Figures for tests: the weight and the number of the queued items. */
uint64_t evict_weight(struct evict *e);
size_t evict_count(struct evict *e);

#endif
