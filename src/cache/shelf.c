#include "cache/shelf.h"

#include "base/check.h"
#include "cache/shelf_table.h"

#define SHARD_BITS 8
#define SHARDS     ((size_t)1 << SHARD_BITS)

struct shard {
    struct lock lock;
    struct shelf_table table;
};

struct shelf {
    struct shelf_room room;
    size_t entries_max;
    _Atomic size_t entries;
    atomic_bool is_complete;
    struct shard shards[SHARDS];
};

/* ---- life ---- */

struct shelf *shelf_new(struct memory *m, size_t entries_max)
{
    struct shelf *s = memory_zero(m, sizeof(*s));
    size_t bytes = memory_cost(sizeof(*s));
    memory_charge_books(m, (int64_t)bytes);
    s->room.memory = m;
    atomic_init(&s->room.bytes, bytes);
    atomic_init(&s->entries, 0);
    atomic_init(&s->is_complete, false);
    s->entries_max = entries_max;
    for (size_t i = 0; i < SHARDS; i++)
        lock_init(&s->shards[i].lock);
    return s;
}

void shelf_free(struct shelf *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        shelf_table_fini(&s->shards[i].table, &s->room);
        lock_fini(&s->shards[i].lock);
    }
    struct memory *m = s->room.memory;
    CHECK(atomic_load_explicit(&s->room.bytes, memory_order_relaxed) == memory_cost(sizeof(*s)));
    memory_charge_books(m, -(int64_t)memory_cost(sizeof(*s)));
    memory_give(m, s, sizeof(*s));
}

/* ---- where a key is ---- */

struct spot {
    struct shard *shard;
    uint64_t tag;
};

/* Each bit of the key counts, also when two keys differ by little. */
static struct spot spot_of(struct shelf *s, const struct hash128 *key)
{
    uint64_t h = (key->lo ^ (key->hi << 32 | key->hi >> 32)) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xbf58476d1ce4e5b9u;
    h ^= h >> 32;
    return (struct spot){ &s->shards[h >> (64 - SHARD_BITS)], h & (((uint64_t)1 << SHELF_TAG_BITS) - 1) };
}

/* Returns the item of the key, with the lock of its shard taken. NULL: there is none; the same. */
static struct shelf_packed *look(struct shelf *s, const struct hash128 *key, struct spot *at)
{
    *at = spot_of(s, key);
    lock_take(&at->shard->lock);
    return shelf_table_find(&at->shard->table, at->tag);
}

static bool is_at(const struct shelf_packed *p, const struct segments_place *place)
{
    return p->segment == place->segment && p->unit == place->unit;
}

/* ---- coming and going ---- */

static bool add(struct shelf *s, struct spot at, const struct shelf_item *item)
{
    if (atomic_fetch_add_explicit(&s->entries, 1, memory_order_relaxed) < s->entries_max &&
        shelf_table_add(&at.shard->table, &s->room, at.tag, shelf_pack(item)))
        return true;
    atomic_fetch_sub_explicit(&s->entries, 1, memory_order_relaxed);
    return false;
}

static void drop(struct shelf *s, struct spot at)
{
    shelf_table_remove(&at.shard->table, &s->room, at.tag);
    atomic_fetch_sub_explicit(&s->entries, 1, memory_order_relaxed);
}

/* Does the item that is there stay, instead of this one? */
static bool stays(const struct shelf_packed *p, const struct shelf_item *item, bool is_found)
{
    if (p->begin != item->begin)
        return p->begin > item->begin;
    return is_found && (p->segment != item->place.segment || p->unit > item->place.unit);
}

bool shelf_put(struct shelf *s, const struct shelf_item *item, bool is_found)
{
    struct spot at;
    bool fits = shelf_pack_fits(item), is_put = false;
    struct shelf_packed *there = look(s, &item->key, &at);
    if (there && stays(there, item, is_found)) {
        is_put = false;
    } else if (there && fits) {
        uint64_t tag_high = there->tag_high;
        *there = shelf_pack(item);
        there->tag_high = tag_high & 0xff;
        is_put = true;
    } else if (there) {
        drop(s, at);
    } else if (fits) {
        is_put = add(s, at, item);
    }
    lock_give(&at.shard->lock);
    return is_put;
}

void shelf_complete(struct shelf *s)
{
    atomic_store_explicit(&s->is_complete, true, memory_order_relaxed);
}

bool shelf_find(struct shelf *s, const struct hash128 *key, int64_t now_wall_ms, struct shelf_item *out)
{
    struct spot at;
    const struct shelf_packed *there = look(s, key, &at);
    bool is_here = there && shelf_pack_expires_read(there->expires) > now_wall_ms;
    if (is_here) {
        out->key = *key;
        shelf_pack_read(there, out);
    } else if (there && atomic_load_explicit(&s->is_complete, memory_order_relaxed)) {
        drop(s, at);
    }
    lock_give(&at.shard->lock);
    return is_here;
}

bool shelf_remove(struct shelf *s, const struct hash128 *key, const struct segments_place *place)
{
    struct spot at;
    const struct shelf_packed *there = look(s, key, &at);
    bool is_it = there && (!place || is_at(there, place));
    if (is_it)
        drop(s, at);
    lock_give(&at.shard->lock);
    return is_it;
}

/* ---- what it is asked for, and where it goes ---- */

void shelf_use(struct shelf *s, const struct hash128 *key)
{
    struct spot at;
    struct shelf_packed *there = look(s, key, &at);
    if (there)
        there->is_used = 1;
    lock_give(&at.shard->lock);
}

bool shelf_has(struct shelf *s, const struct hash128 *key, const struct segments_place *place, bool *is_used)
{
    struct spot at;
    const struct shelf_packed *there = look(s, key, &at);
    bool is_it = there && is_at(there, place);
    *is_used = is_it && there->is_used;
    lock_give(&at.shard->lock);
    return is_it;
}

bool shelf_move(struct shelf *s, const struct hash128 *key, const struct segments_place *from,
                const struct segments_place *to)
{
    struct spot at;
    CHECK(to->segment < SEGMENTS_MOST && to->unit < SEGMENTS_MOST);
    struct shelf_packed *there = look(s, key, &at);
    bool is_it = there && is_at(there, from);
    if (is_it) {
        there->segment = to->segment & (SEGMENTS_MOST - 1);
        there->unit = to->unit & (SEGMENTS_MOST - 1);
        there->is_used = 0;
    }
    lock_give(&at.shard->lock);
    return is_it;
}

/* ---- gauges ---- */

size_t shelf_entries(const struct shelf *s)
{
    return atomic_load_explicit(&s->entries, memory_order_relaxed);
}

size_t shelf_bytes(const struct shelf *s)
{
    return atomic_load_explicit(&s->room.bytes, memory_order_relaxed);
}
