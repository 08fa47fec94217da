#include "cache/room.h"

#include "cache/index.h"
#include "cache/object.h"

/* How much of the budget others may pin so that a large response is still stored; with the response itself;
 * and for a small response. */
#define PINNED_LARGE(budget) ((budget) / 4)
#define PINNED_WITH(budget)  ((budget) / 2)
#define PINNED_SMALL(budget) ((budget) / 4 * 3)
#define LARGE_LEAST          ((int64_t)65536)
#define LARGE_PART           256

/* Most objects evicted for one response; and the bytes for which one object each may be evicted. */
#define ROOM_TRIES 256
#define ROOM_EACH  128
#define ROOM_STEPS 8 /* steps of moving pages together, for one response */

static void hold(struct evict_item *i)
{
    object_ref(CONTAINER_OF(i, struct object, evict));
}

/* false: nothing can be evicted. */
static bool evict_one(struct cache *c)
{
    struct evict_item *i = evict_take(c->evict, hold);
    if (!i)
        return false;
    struct object *o = CONTAINER_OF(i, struct object, evict);
    /* Codings can be made anew without the origin. */
    if (!index_strip(o)) {
        index_withdraw(o);
        atomic_fetch_add_explicit(&c->evicted, 1, memory_order_relaxed);
    }
    object_unref(o);
    return true;
}

void room_compact(struct cache *c, unsigned steps)
{
    if (atomic_exchange_explicit(&c->compaction.busy, true, memory_order_acquire))
        return;
    while (steps-- > 0)
        index_compact(c);
    atomic_store_explicit(&c->compaction.busy, false, memory_order_release);
}

/* Is the budget full only because of holes between pages, and has as much been evicted as comes? Then moving
 * pages together frees the rest, not evicting the pages between the holes. */
static bool is_replaced(const struct memory *m, size_t bytes, int64_t gone)
{
    return memory_holes_over(m) > 0 && gone >= (int64_t)bytes &&
           memory_used(m) + (int64_t)bytes <= m->budget_bytes;
}

bool room_make(struct cache *c, size_t bytes)
{
    struct memory *m = &c->memory;
    size_t tries = ROOM_TRIES + bytes / ROOM_EACH;
    int64_t gone = 0;
    if (memory_excess(m, (int64_t)bytes) > 0 && memory_holes_over(m) > 0 && !room_moves_nothing(c))
        room_compact(c, ROOM_STEPS);
    while (memory_excess(m, (int64_t)bytes) > 0) {
        if (is_replaced(m, bytes, gone))
            return memory_holes_over(m) <= memory_holes_most(m);
        int64_t before = memory_used(m);
        if (tries-- == 0 || !evict_one(c))
            return false;
        gone += before - memory_used(m); /* what others free or take beside it evens out */
    }
    return true;
}

int64_t room_pinned(const struct cache *c)
{
    int64_t pinned = memory_pages(&c->memory) - (int64_t)evict_loose_weight(c->evict);
    return pinned > 0 ? pinned : 0;
}

bool room_is_short(const struct cache *c)
{
    return room_pinned(c) > PINNED_LARGE(c->memory.budget_bytes);
}

/* The memory that others pin must leave room for this response, and the response alone must not take all of
 * it. */
static bool is_room_left(const struct cache *c, int64_t has, int64_t more)
{
    int64_t budget = c->memory.budget_bytes, others = room_pinned(c) - has, all = has + more;
    int64_t large = budget / LARGE_PART > LARGE_LEAST ? budget / LARGE_PART : LARGE_LEAST;
    if (all <= large)
        return others <= PINNED_SMALL(budget);
    return others <= PINNED_LARGE(budget) && others + all <= PINNED_WITH(budget);
}

bool room_keeps(struct cache *c, size_t has, size_t more)
{
    return is_room_left(c, (int64_t)has, (int64_t)more) && room_make(c, more);
}

size_t room_append(struct cache *c, struct body *b, struct str data)
{
    size_t taken = 0;
    while (taken < data.n) {
        size_t room, cost = body_next_cost(b);
        if ((cost && !room_keeps(c, body_charged(b), cost)) || !body_room(b, &room))
            break;
        taken += body_append(b, str_first(str_from_index(data, taken), room));
    }
    return taken;
}
