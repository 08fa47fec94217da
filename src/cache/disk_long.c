#include "base/mem.h"
#include "cache/disk_machine.h"

/* More wait in memory, where the walk finds them. */
#define LONGS_MOST      64
#define LONGS_PART      8 /* of the memory's budget, the bytes of all that wait */
#define DISK_PART       4 /* of the disk's limit, one body */
#define PARTS_AT_ONCE   4
#define WAITING_MOST    ((uint64_t)2 << 20) /* of the log's buffer: the rest is for pages */
#define LONG_BEHIND_US  ((int64_t)10 * 1000)
#define LONG_RECOVER_US ((int64_t)0)

/* A long body that is to be written. */
struct disk_long {
    struct link link;   /* in disk->longs */
    struct object *o;   /* a reference. It may be evicted: to hold it would keep others out of memory. */
    struct place place; /* its primary key stands in `primary`, its rule is a reference */
    uint32_t hash;
    struct body_distance where;
    struct body_cursor cursor;
    uint32_t part; /* the next one */
    char primary[];
};

struct hash128 disk_part_key(const struct cache *c, const struct hash128 *key, uint32_t part)
{
    struct {
        struct hash128 key;
        uint64_t part;
    } of = { *key, part };
    return (struct hash128){ hash64(c->secret, (struct str){ (const char *)&of, sizeof(of) }), key->hi };
}

/* ---- the list ---- */

static void free_long(struct disk_long *l)
{
    object_unref(l->o);
    rule_unref((struct rule *)(uintptr_t)l->place.rule);
    mem_free(l);
}

static bool is_there(struct disk *d, const struct object *o)
{
    LIST_EACH(l, &d->longs) {
        if (CONTAINER_OF(l, struct disk_long, link)->o == o)
            return true;
    }
    return false;
}

bool disk_long_waits(const struct disk *d, const struct hash128 *key)
{
    LIST_EACH(l, &d->longs) {
        if (hash128_eq(CONTAINER_OF(l, struct disk_long, link)->where.key, *key))
            return true;
    }
    return false;
}

static bool has_room(const struct disk *d, uint64_t bytes)
{
    uint64_t most = (uint64_t)d->o.cache->memory.budget_bytes / LONGS_PART;
    return d->longs_n < LONGS_MOST && (d->longs_n == 0 || d->longs_bytes + bytes <= most);
}

enum disk_wrote disk_long_add(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                              int64_t now_mono_ms)
{
    uint64_t bytes = body_length(o->body);
    if (bytes > d->o.limit_bytes / DISK_PART || !record_is_wanted(o, now_mono_ms))
        return DISK_WROTE_NOT;
    struct disk_long *l = mem_alloc(sizeof(*l) + place->primary.n);
    str_put(l->primary, place->primary);
    l->o = object_ref(o);
    l->place = (struct place){ .primary = { l->primary, place->primary.n },
                               .hash = place->hash,
                               .variant = object_variant(o),
                               .rule = rule_ref((struct rule *)(uintptr_t)place->rule) };
    l->hash = hash;
    l->where = (struct body_distance){ disk_page_key(d->o.cache, place, hash),
                                       atomic_fetch_add_explicit(&d->object, 1, memory_order_relaxed) };
    l->part = 1;
    link_init(&l->link);
    lock_take(&d->lock);
    if (!is_there(d, o) && has_room(d, bytes)) {
        list_push_back(&d->longs, &l->link);
        d->longs_n++;
        d->longs_bytes += bytes;
        l = NULL;
    } else {
        d->longs_left |= !is_there(d, o);
    }
    lock_give(&d->lock);
    if (l)
        free_long(l);
    return DISK_WROTE_LATER;
}

static struct disk_long *first(struct disk *d)
{
    lock_take(&d->lock);
    struct link *l = list_first(&d->longs);
    lock_give(&d->lock);
    return l ? CONTAINER_OF(l, struct disk_long, link) : NULL;
}

static void take_out(struct disk *d, struct disk_long *l)
{
    lock_take(&d->lock);
    link_remove(&l->link);
    d->longs_n--;
    d->longs_bytes -= body_length(l->o->body);
    lock_give(&d->lock);
}

/* ---- writing ---- */

static enum disk_wrote write_part(struct disk *d, struct disk_long *l)
{
    struct segment_record whole, part;
    struct arena arena;
    enum disk_wrote wrote = DISK_WROTE_NOT;
    struct body_cursor cursor = l->cursor;
    arena_init(&arena, 4096);
    if (record_of_object(l->o, &l->place, clock_now(d->o.clock), &d->o.boot, &arena, &whole)) {
        whole.object = l->where.object;
        if (record_of_part(&whole, l->o->body, &cursor, l->part, &arena, &part)) {
            part.key = disk_part_key(d->o.cache, &l->where.key, l->part);
            wrote = disk_append(d, &part);
        }
    }
    arena_fini(&arena);
    if (wrote == DISK_WROTE) {
        l->cursor = cursor;
        l->part++;
    }
    return wrote;
}

static void end_long(struct disk *d, struct disk_long *l, bool is_written)
{
    take_out(d, l);
    if (is_written)
        disk_store_whole(d, l->o, &l->place, l->hash, &l->where);
    else
        disk_store_failed(d, l->o, &l->place, l->hash);
    free_long(l);
}

int64_t disk_long_write(struct disk *d)
{
    struct disk_long *l = first(d);
    if (!l)
        return -1;
    uint32_t parts = record_parts(body_length(l->o->body));
    for (unsigned i = 0; i < PARTS_AT_ONCE && l->part <= parts; i++) {
        if (segments_waiting(d->log) > WAITING_MOST)
            return LONG_BEHIND_US;
        /* What has left the index is written for nobody. */
        enum disk_wrote wrote = index_has(l->o) ? write_part(d, l) : DISK_WROTE_NOT;
        if (wrote == DISK_WROTE_LATER)
            return LONG_BEHIND_US;
        if (wrote == DISK_WROTE_NOT) {
            end_long(d, l, false);
            return LONG_RECOVER_US;
        }
    }
    if (l->part > parts)
        end_long(d, l, true);
    return LONG_RECOVER_US;
}

void disk_long_drop(struct disk *d)
{
    struct disk_long *l;
    while ((l = first(d)) != NULL)
        end_long(d, l, false);
}

/* ---- reading ---- */

bool disk_long_is_whole(struct disk *d, const struct body_distance *where, uint64_t whole_bytes,
                        int64_t now_wall_ms)
{
    uint32_t parts = record_parts(whole_bytes);
    for (uint32_t part = 1; part <= parts; part++) {
        struct hash128 key = disk_part_key(d->o.cache, &where->key, part), at = disk_shelf_key(&key);
        struct shelf_item item;
        if (!shelf_find(d->shelf, &at, now_wall_ms, &item))
            return false;
        shelf_use(d->shelf, &at);
    }
    return true;
}

static bool read_part(struct disk_reading *it, struct disk_job *j)
{
    struct disk_part *p = CONTAINER_OF(j, struct disk_part, job);
    struct disk *d = it->disk;
    struct segment_record want = { .key = disk_part_key(d->o.cache, &p->where.key, p->part),
                                   .part = p->part };
    struct hash128 at = disk_shelf_key(&want.key);
    enum disk_found found = disk_read_record(it, &want);
    if (found == DISK_FOUND && record_is_part(&it->record, p->where.object, p->part, p->whole_bytes)) {
        str_put(p->to, it->record.body);
        p->bytes = it->record.body.n;
        shelf_use(d->shelf, &at);
        atomic_fetch_add_explicit(&d->parts_read, 1, memory_order_relaxed);
    }
    return found != DISK_FAR;
}

void disk_part_start(struct disk *d, struct disk_part *p)
{
    p->bytes = 0;
    disk_job_start(d, &p->job, read_part);
}

bool disk_part_at_hand(struct disk *d, struct disk_part *p, char room[DISK_ROOM_AT_HAND])
{
    p->bytes = 0;
    return disk_job_at_hand(d, &p->job, room, read_part);
}
