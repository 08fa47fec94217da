/*
 * Making room: what must leave memory so that a response can be stored, and whether it may be stored at all.
 * It stands above the index: eviction (cache/evict.h) says which object goes, the index lets go of it, and
 * the pages of memory with holes in them are moved together. Any thread; the caller holds no lock.
 */
#ifndef CACHE_ROOM_H
#define CACHE_ROOM_H

#include "cache/cache.h"
#include "store/body.h"

/* Evicts until `bytes` more fit into the budget. false: they do not fit, and nothing more can be evicted, or
 * a call's limit was reached. While idle memory between pages is being moved together, it evicts no more than
 * `bytes`. Any thread; the caller holds no lock. */
bool room_make(struct cache *c, size_t bytes);

/* Returns the charged bytes that no eviction would free: of objects that are being filled, that slow readers
 * hold (object_hold), or that have left the index while somebody reads them. Any thread. */
int64_t room_pinned(const struct cache *c);
/* Is so much pinned that memory is short? Then readers that are too slow are cut off. Any thread. */
bool room_is_short(const struct cache *c);
/* May a response of `has` bytes get `more` bytes and still be stored? Makes room for them. false: it passes.
 * It is false when others pin too much, for a large response sooner than for a small one
 * (docs/decisions/038). Any thread; the caller holds no lock. */
bool room_keeps(struct cache *c, size_t has, size_t more);
/* Appends to a body that is to be stored, while room_keeps lets each of its blocks be. Returns how many
 * bytes; fewer: there is no room, or no memory. */
size_t room_append(struct cache *c, struct body *b, struct str data);

/* Moves pages of memory together, in so many steps of some ten microseconds. Does nothing while another
 * thread does it. Any thread; the caller holds no lock. */
void room_compact(struct cache *c, unsigned steps);
/* Did the last whole walk find nothing that could move? Any thread. */
static inline bool room_moves_nothing(const struct cache *c)
{
    return atomic_load_explicit(&c->compaction.futile, memory_order_relaxed);
}

#endif
