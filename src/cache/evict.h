/*
 * Eviction: S3-FIFO (Yang et al., SOSP 2023), with what decision 018 changes. A small queue takes what is new, the main one
 * what was asked for again. Two ghosts remember what left the one and the other: it goes straight to main when it returns, and
 * tells which of the two queues is too short. A hit only bumps a counter; the queues are touched on insert and eviction, under
 * one lock. Weights are bytes. Any thread.
 */
#ifndef CACHE_EVICT_H
#define CACHE_EVICT_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/lock.h"
#include "store/memory.h"

enum evict_queue { EVICT_NONE, EVICT_SMALL, EVICT_MAIN };

/* Embedded in what is evicted. Zeroed before its first insert. */
struct evict_item {
    struct link link;
    uint32_t fingerprint; /* of its key: the same when it returns */
    uint32_t weight;      /* not 0; fixed while it is queued */
    uint32_t own;         /* the owner's: it would be padding */
    _Atomic uint8_t uses; /* saturates at 3 */
    uint8_t queue;        /* enum evict_queue, under the lock */
    uint16_t holders;     /* evict_hold, under the lock */
};

struct evict;

/* `capacity`: the weight of all that may be queued; the small queue's share is a tenth of it or more. `memory`: what the ghosts
 * take is charged there; NULL: not charged. */
struct evict *evict_new(uint64_t capacity, struct memory *memory);
void evict_free(struct evict *e);

/* A hit. */
static inline void evict_touch(struct evict_item *i)
{
    uint8_t uses = atomic_load_explicit(&i->uses, memory_order_relaxed);
    if (uses < 3)
        atomic_store_explicit(&i->uses, (uint8_t)(uses + 1), memory_order_relaxed);
}

void evict_insert(struct evict *e, struct evict_item *i);
/* The successor of `old` takes its place and its uses; an insert when that is not queued. */
void evict_replace(struct evict *e, struct evict_item *old, struct evict_item *i);
/* Its owner moves in memory: under the lock `copy` writes all of it to where `to` will be, if it may (nobody took it before); then the
 * queue knows the new place. false: it may not. */
bool evict_move(struct evict *e, struct evict_item *i, struct evict_item *to,
                bool (*copy)(struct evict_item *i, struct evict_item *to));
/* Harmless when it is not queued. */
void evict_remove(struct evict *e, struct evict_item *i);
/* The same for many, in one hold of the lock; none may be given twice. */
void evict_remove_all(struct evict *e, struct evict_item *const *items, size_t n);
/* Somebody reads it slowly: its memory would not be free if it went, so others go until evict_release. Also before it is queued, and
 * when it is not queued any more. false: too many do; it is not held. */
bool evict_hold(struct evict *e, struct evict_item *i);
void evict_release(struct evict *e, struct evict_item *i);

/* Takes the next one to go out of its queue, after a bounded number of steps: then the next one goes, however much it was used. NULL:
 * nothing is queued, or all that it came by is held. `hold` is called under the lock, so that the caller can secure a reference before
 * anybody else removes it. */
struct evict_item *evict_take(struct evict *e, void (*hold)(struct evict_item *));

/* The weight of what is queued and held by nobody: what could go. Without the lock. */
uint64_t evict_loose_weight(const struct evict *e);

/* For status. */
uint64_t evict_weight(struct evict *e);
size_t evict_count(struct evict *e);

#endif
