#include "cache/disk_machine.h"
#include "cache/room.h"

/* ---- one record ---- */

static enum segments_read read_from(struct disk_reading *it, const struct segment_record *want, size_t *bytes)
{
    if (!it->at_hand)
        return segments_read(it->disk->log, it->place, want, it->room, bytes, &it->record);
    if (segments_room(*bytes) > it->room_bytes)
        return SEGMENTS_FAR;
    return segments_read_at_hand(it->disk->log, it->place, want, it->room, bytes, &it->record);
}

/* It is of no use. While not all is found it stays on the shelf: else an older one would take its place. */
static void take_off(struct disk_reading *it, const struct hash128 *at)
{
    if (disk_is_whole(it->disk))
        shelf_remove(it->disk->shelf, at, &it->place);
}

enum disk_found disk_read_record(struct disk_reading *it, const struct segment_record *want)
{
    struct disk *d = it->disk;
    struct hash128 at = disk_shelf_key(&want->key);
    struct shelf_item item;
    if (!shelf_find(d->shelf, &at, clock_now(d->o.clock).wall_ms, &item))
        return DISK_NONE;
    size_t bytes = item.bytes < SEGMENT_RECORD_MAX ? item.bytes : SEGMENT_RECORD_MAX;
    it->place = item.place;
    enum segments_read result = read_from(it, want, &bytes);
    if (result == SEGMENTS_LONG) /* two keys were taken for one: it may still be ours */
        result = read_from(it, want, &bytes);
    if (result == SEGMENTS_READ)
        return DISK_FOUND;
    if (result == SEGMENTS_FAR)
        return DISK_FAR;
    take_off(it, &at);
    return DISK_NONE;
}

/* ---- a family's rule ---- */

static enum disk_found read_rule(struct disk_reading *it, const struct place *place)
{
    struct disk *d = it->disk;
    struct segment_record want = { .key = disk_rule_key(d->o.cache, place),
                                   .part = DISK_RULE_PART,
                                   .url = place->primary };
    struct arena arena;
    struct rule *rule;
    bool of_2xx;
    enum disk_found found = disk_read_record(it, &want);
    if (found != DISK_FOUND)
        return found;
    arena_init(&arena, 1024);
    bool is_rule = record_to_rule(&it->record, &arena, &rule, &of_2xx);
    arena_fini(&arena);
    if (is_rule) {
        index_restore_rule(d->o.cache, place, rule, of_2xx, clock_now(d->o.clock).mono_ms);
        rule_unref(rule);
    } else {
        struct hash128 at = disk_shelf_key(&want.key);
        take_off(it, &at);
    }
    return is_rule ? DISK_FOUND : DISK_NONE;
}

/* ---- a page ---- */

/* A long body has parts, which must be there, too. */
static bool has_all(struct disk_reading *it, const struct object *o, int64_t now_wall_ms)
{
    const struct body_distance *where = o->body ? body_distance(o->body) : NULL;
    return !where || disk_long_is_whole(it->disk, where, body_length(o->body), now_wall_ms);
}

/* Puts it into the index. *is_of_use: its record may be of use another time. */
static bool publish(struct disk_reading *it, const struct disk_read *r, uint32_t unsafe, int64_t began_ms,
                    bool *is_of_use)
{
    struct cache *c = it->disk->o.cache;
    struct now now = clock_now(it->disk->o.clock);
    struct place place = r->place;
    *is_of_use = true;
    if (!room_make(c, record_room(&it->record)))
        return false;
    struct object *o = record_to_object(c, &it->record, now, &it->disk->o.boot, &place);
    *is_of_use = o && has_all(it, o, now.wall_ms);
    if (!*is_of_use) {
        object_unref(o);
        return false;
    }
    index_begin_at(o, unsafe, began_ms);
    bool is_published = index_publish_read(o, &place, r->variants_max, now.mono_ms);
    if (!is_published) { /* somebody else brought it, or it was purged */
        struct object *there = index_peek(c, &place);
        is_published = there != NULL;
        object_unref(there);
    }
    uint64_t latest = epochs_latest(c->epochs);
    *is_of_use = is_published || !object_check_purged(o, place.primary, latest, now.mono_ms).gone;
    if (is_published)
        index_settled_again(c, &place, o->response->status / 100 == 2);
    object_unref(o);
    return is_published;
}

static enum disk_found read_page(struct disk_reading *it, const struct disk_read *r, uint32_t hash)
{
    struct disk *d = it->disk;
    struct segment_record want = { .key = disk_page_key(d->o.cache, &r->place, hash),
                                   .url = r->place.primary,
                                   .variant = r->place.variant };
    struct hash128 at = disk_shelf_key(&want.key);
    int64_t began_ms = clock_now(d->o.clock).mono_ms;
    uint32_t unsafe = index_unsafe(d->o.cache, &r->place);
    bool is_of_use;
    enum disk_found found = disk_read_record(it, &want);
    if (found != DISK_FOUND)
        return found;
    if (publish(it, r, unsafe, began_ms, &is_of_use)) {
        shelf_use(d->shelf, &at);
        return DISK_FOUND;
    }
    if (!is_of_use)
        take_off(it, &at);
    return DISK_NONE;
}

static bool read_it(struct disk_reading *it, struct disk_job *j)
{
    struct disk_read *r = CONTAINER_OF(j, struct disk_read, job);
    const struct place *p = &r->place;
    struct disk *d = it->disk;
    enum disk_found found = r->is_rule ? read_rule(it, p) : read_page(it, r, p->variant_hash);
    if (found == DISK_NONE && !r->is_rule && p->common_hash != p->variant_hash)
        found = read_page(it, r, p->common_hash);
    r->has_read = found == DISK_FOUND;
    if (found == DISK_FAR)
        return false;
    _Atomic uint64_t *figure = !r->has_read ? &d->not_there : r->is_rule ? &d->rules_read : &d->pages_read;
    atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
    return true;
}

void disk_read_start(struct disk *d, struct disk_read *r)
{
    r->has_read = false;
    disk_job_start(d, &r->job, read_it);
}

bool disk_read_at_hand(struct disk *d, struct disk_read *r, char room[DISK_ROOM_AT_HAND])
{
    return disk_job_at_hand(d, &r->job, room, read_it);
}

/* ---- jobs ---- */

/* As many jobs run at once as there are rooms. */
static unsigned take_room(struct disk *d)
{
    unsigned taken = atomic_load_explicit(&d->rooms_taken, memory_order_relaxed), i;
    do
        i = (unsigned)__builtin_ctz(~taken);
    while (!atomic_compare_exchange_weak_explicit(&d->rooms_taken, &taken, taken | 1u << i,
                                                  memory_order_acquire, memory_order_relaxed));
    CHECK(i < DISK_READERS);
    return i;
}

static void give_room(struct disk *d, unsigned i)
{
    atomic_fetch_and_explicit(&d->rooms_taken, ~(1u << i), memory_order_release);
}

static void run(struct pool_job *queued)
{
    struct disk_job *j = CONTAINER_OF(queued, struct disk_job, queued);
    struct disk *d = j->disk;
    unsigned room = take_room(d);
    j->read(&(struct disk_reading){ .disk = d, .room = d->rooms[room], .room_bytes = DISK_ROOM }, j);
    give_room(d, room);
    notice_send(j->done, NULL); /* the last use of `j` */
}

void disk_job_start(struct disk *d, struct disk_job *j,
                    bool (*read)(struct disk_reading *, struct disk_job *))
{
    j->disk = d;
    j->read = read;
    j->queued.run = run;
    pool_threads_add(d->readers, &j->queued);
}

bool disk_job_at_hand(struct disk *d, struct disk_job *j, char room[DISK_ROOM_AT_HAND],
                      bool (*read)(struct disk_reading *, struct disk_job *))
{
    struct disk_reading it = { .disk = d, .room = room, .room_bytes = DISK_ROOM_AT_HAND, .at_hand = true };
    return read(&it, j);
}

void disk_job_drop(struct pool_job *queued)
{
    notice_send(CONTAINER_OF(queued, struct disk_job, queued)->done, NULL);
}
