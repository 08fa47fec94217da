#include "base/mem.h"
#include "cache/disk_machine.h"
#include "cache/names.h"

/* A rule is needed as long as any page of its family may be; they live a year at most in practice. */
#define RULE_KEPT_MS ((int64_t)400 * 24 * 3600 * 1000)

/* ---- when a newer response is not written ---- */

#define OWED_MOST     4096
#define OWED_PATIENCE 20 /* walks that find it still waiting */

/* A newer response could not be written yet: the walk will do that, or find that it has gone. */
struct disk_owed {
    struct link link; /* in disk->owed */
    struct link row;  /* in disk->owed_rows */
    struct hash128 key;
    uint64_t walk; /* that will know */
    unsigned again;
    uint32_t n;
    char primary[];
};

/* What is on disk of the path is asked for before it is used again, also after a restart; so is what memory
 * has, which costs its origin a question. */
static void invalidate(struct disk *d, struct str primary, int64_t now_ms)
{
    struct key_request url;
    struct arena arena;
    arena_init(&arena, 512);
    key_read_primary(primary, &url);
    uint64_t name = name_of_path(d->o.cache, &url, &arena);
    arena_fini(&arena);
    epochs_purge(d->o.cache->epochs, PURGE_INVALIDATE, &name, 1, now_ms);
    atomic_fetch_add_explicit(&d->superseded, 1, memory_order_relaxed);
}

static bool was_owed_lately(struct disk *d, const struct hash128 *key)
{
    uint64_t *at = &d->owed_lately[key->lo % DISK_OWED_LATELY];
    bool was = *at == key->lo;
    *at = key->lo;
    return was;
}

static struct list *owed_row(struct disk *d, const struct hash128 *key)
{
    return &d->owed_rows[key->lo % DISK_OWED_ROWS];
}

/* Under the lock. */
static void unlink_owed(struct disk *d, struct disk_owed *it)
{
    link_remove(&it->link);
    link_remove(&it->row);
    d->owed_n--;
}

static bool is_owed(struct disk *d, const struct hash128 *key)
{
    LIST_EACH(l, owed_row(d, key)) {
        if (hash128_eq(CONTAINER_OF(l, struct disk_owed, row)->key, *key))
            return true;
    }
    return false;
}

/* Adds it to the list. false: there is no room. */
static bool add_owed(struct disk *d, const struct hash128 *key, const struct place *place)
{
    struct disk_owed *it = mem_alloc(sizeof(*it) + place->primary.n);
    it->key = *key;
    it->n = (uint32_t)place->primary.n;
    str_put(it->primary, place->primary);
    link_init(&it->link);
    link_init(&it->row);
    lock_take(&d->lock);
    bool is_full = d->owed_n == OWED_MOST;
    bool was = is_owed(d, key) || (!disk_is_whole(d) && was_owed_lately(d, key));
    if (!was && !is_full) {
        it->walk = d->walks + 2; /* the one that runs may have passed it */
        list_push_back(&d->owed, &it->link);
        list_push_back(owed_row(d, key), &it->row);
        d->owed_n++;
        it = NULL;
    }
    lock_give(&d->lock);
    mem_free(it);
    return was || !is_full;
}

/* An older one must not come back, now or after a restart: when there is one, its path is invalidated. While
 * not all is found nobody knows: then it is judged later. */
static void supersede(struct disk *d, const struct hash128 *key, const struct place *place, int64_t now_ms)
{
    struct hash128 at = disk_shelf_key(key);
    if (shelf_remove(d->shelf, &at, NULL))
        invalidate(d, place->primary, now_ms);
    else if (!disk_is_whole(d) && !add_owed(d, key, place))
        invalidate(d, place->primary, now_ms);
}

/* The same, when the newer one may still be written. */
static void owe(struct disk *d, const struct hash128 *key, const struct place *place, int64_t now_ms)
{
    struct hash128 at = disk_shelf_key(key);
    bool had = shelf_remove(d->shelf, &at, NULL);
    if ((had || !disk_is_whole(d)) && !add_owed(d, key, place))
        invalidate(d, place->primary, now_ms);
}

void disk_judge_owed(struct disk *d)
{
    struct list none;
    list_init(&none);
    lock_take(&d->lock);
    LIST_EACH_SAFE(l, &d->owed) {
        struct disk_owed *it = CONTAINER_OF(l, struct disk_owed, link);
        struct hash128 at = disk_shelf_key(&it->key);
        if (shelf_remove(d->shelf, &at, NULL))
            continue; /* the walk writes the newer one, or finds that there is none */
        unlink_owed(d, it);
        list_push_back(&none, l);
    }
    lock_give(&d->lock);
    for (struct link *l; (l = list_pop(&none)) != NULL;)
        mem_free(CONTAINER_OF(l, struct disk_owed, link));
}

/* What waits to be written part by part, or for its place among those, is owed until a later walk. */
static bool put_off(struct disk *d, struct disk_owed *it)
{
    if ((!d->longs_left && !disk_long_waits(d, &it->key)) || ++it->again > OWED_PATIENCE)
        return false;
    it->walk = d->walks + 1;
    link_remove(&it->link);
    list_push_back(&d->owed, &it->link);
    return true;
}

static struct disk_owed *next_owed(struct disk *d, bool all)
{
    lock_take(&d->lock);
    struct disk_owed *it = NULL;
    struct link *l;
    while (!it && (l = list_first(&d->owed)) != NULL) {
        it = CONTAINER_OF(l, struct disk_owed, link);
        if (all)
            break;
        if (it->walk > d->walks) {
            lock_give(&d->lock);
            return NULL;
        }
        if (put_off(d, it))
            it = NULL;
    }
    if (it)
        unlink_owed(d, it);
    lock_give(&d->lock);
    return it;
}

void disk_settle_owed(struct disk *d, bool all)
{
    struct now now = clock_now(d->o.clock);
    struct disk_owed *it;
    while ((it = next_owed(d, all)) != NULL) {
        struct hash128 at = disk_shelf_key(&it->key);
        struct shelf_item item;
        if (!shelf_find(d->shelf, &at, now.wall_ms, &item))
            invalidate(d, (struct str){ it->primary, it->n }, now.mono_ms);
        mem_free(it);
    }
}

/* ---- writing ---- */

static void count_unlisted(struct disk *d)
{
    if (atomic_fetch_add_explicit(&d->unlisted, 1, memory_order_relaxed) == 0)
        log_warning(
            d->o.log, "disk",
            "the index of the pages on disk is full with %zu entries: the oldest pages leave the disk "
            "for new ones. It has an eighth of --memory, so more of that keeps more pages on disk",
            d->entries_max);
}

enum disk_wrote disk_append(struct disk *d, const struct segment_record *r)
{
    struct segments_found at;
    struct shelf_item old;
    struct hash128 key = disk_shelf_key(&r->key);
    /* A record that the shelf does not know could not be taken off it when it is outdated. */
    if (shelf_entries(d->shelf) >= d->entries_max && !shelf_find(d->shelf, &key, r->received.wall_ms, &old)) {
        count_unlisted(d);
        return segments_retire(d->log) ? DISK_WROTE_LATER : DISK_WROTE_NOT;
    }
    enum segments_append result = segments_append(d->log, r, &at);
    if (result == SEGMENTS_BUSY)
        return DISK_WROTE_LATER;
    if (result != SEGMENTS_APPENDED)
        return DISK_WROTE_NOT;
    shelf_put(d->shelf,
              &(struct shelf_item){ .key = key,
                                    .begin = at.begin,
                                    .place = at.place,
                                    .bytes = at.bytes,
                                    .expires_wall_ms = at.expires_wall_ms },
              false);
    return DISK_WROTE;
}

/* The family's rule, when it is not on disk as it is now. */
static enum disk_wrote store_rule(struct disk *d, const struct place *place, uint64_t begin, struct now now,
                                  struct arena *a)
{
    struct cache *c = d->o.cache;
    struct known_rule known = index_rule_to_save(c, place);
    if (!known.known)
        return DISK_WROTE;
    struct hash128 key = disk_rule_key(c, place), at = disk_shelf_key(&key);
    struct shelf_item old;
    enum disk_wrote wrote = DISK_WROTE;
    /* The default rule needs no record, unless another one stands there. */
    if (known.rule || !disk_is_whole(d) || shelf_find(d->shelf, &at, now.wall_ms, &old)) {
        struct segment_record r;
        record_of_rule(known.rule, known.of_2xx, place->primary, begin, now, now.wall_ms + RULE_KEPT_MS,
                       &d->o.boot, a, &r);
        r.key = key;
        r.part = DISK_RULE_PART;
        r.object = atomic_fetch_add_explicit(&d->object, 1, memory_order_relaxed);
        wrote = disk_append(d, &r);
    }
    if (wrote != DISK_WROTE)
        index_rule_not_saved(c, place);
    rule_unref(known.rule);
    return wrote;
}

/* Is the body long, and in memory? */
static bool is_long(const struct object *o)
{
    return o->body && !body_distance(o->body) && body_length(o->body) > RECORD_BODY_MAX;
}

/* Its record. `where`: its body's parts are on disk; NULL: it is no long one. */
static enum disk_wrote write_record(struct disk *d, struct object *o, const struct place *place,
                                    const struct hash128 *key, const struct body_distance *where,
                                    struct now now)
{
    struct segment_record r;
    struct arena arena;
    enum disk_wrote wrote = DISK_WROTE_NOT;
    arena_init(&arena, 4096);
    if (record_of_object(o, place, now, &d->o.boot, &arena, &r))
        wrote = store_rule(d, place, o->begin, now, &arena);
    if (wrote == DISK_WROTE) {
        r.key = *key;
        r.object = where ? where->object : atomic_fetch_add_explicit(&d->object, 1, memory_order_relaxed);
        wrote = disk_append(d, &r);
    }
    arena_fini(&arena);
    return wrote;
}

/* `where`: as for write_record. */
static enum disk_wrote write_page(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                                  const struct body_distance *where, struct now now)
{
    struct hash128 key = disk_page_key(d->o.cache, place, hash);
    if (!where && is_long(o))
        return disk_long_add(d, o, place, hash, now.mono_ms);
    if (!where && o->body)
        where = body_distance(o->body);
    /* Confirmed for another release: its parts would not be found from there. */
    if (where && !hash128_eq(where->key, key))
        return DISK_WROTE_NOT;
    return write_record(d, o, place, &key, where, now);
}

#define ORDER_TRIES 4

/*
 * Two responses of one key may be written in the other order than they were published. What is written last
 * counts, so who finds that a younger one has taken its place meanwhile writes that one once more. `where`:
 * the parts of its long body are written. `is_walk`: it may have been dropped meanwhile, and then must not
 * come back.
 */
static void store(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                  const struct body_distance *where, struct now now, bool is_walk)
{
    struct cache *c = d->o.cache;
    struct hash128 key = disk_page_key(c, place, hash);
    enum disk_wrote wrote = DISK_WROTE_NOT;
    object_ref(o);
    for (int i = 0; o; i++) {
        wrote = i < ORDER_TRIES ? write_page(d, o, place, hash, where, now) : DISK_WROTE_NOT;
        if (i == ORDER_TRIES || index_has(o))
            break;
        struct object *younger = index_current(c, place, hash);
        if (!younger && !is_walk)
            break; /* evicted already */
        object_unref(o);
        o = younger;
        where = NULL;
    }
    if (!o || wrote == DISK_WROTE_NOT)
        supersede(d, &key, place, now.mono_ms);
    else if (wrote == DISK_WROTE_LATER)
        owe(d, &key, place, now.mono_ms);
    object_unref(o);
}

void disk_store_whole(struct disk *d, struct object *o, const struct place *place, uint32_t hash,
                      const struct body_distance *where)
{
    store(d, o, place, hash, where, clock_now(d->o.clock), true);
}

/* Most often a younger one has taken its place, which is to be written then. */
void disk_store_failed(struct disk *d, const struct object *o, const struct place *place, uint32_t hash)
{
    struct hash128 key = disk_page_key(d->o.cache, place, hash);
    struct now now = clock_now(d->o.clock);
    struct object *younger = index_current(d->o.cache, place, hash);
    if (younger && younger != o)
        store(d, younger, place, hash, NULL, now, true);
    else
        supersede(d, &key, place, now.mono_ms);
    object_unref(younger);
}

/* Another process has the folder: an older one there is not to be used unasked. That process hears of it. */
static void store_paused(struct disk *d, const struct place *place, uint32_t hash, int64_t now_ms)
{
    struct hash128 key = disk_page_key(d->o.cache, place, hash), at = disk_shelf_key(&key);
    if (shelf_remove(d->shelf, &at, NULL) || !disk_is_whole(d))
        invalidate(d, place->primary, now_ms);
}

void disk_store(struct cache *c, struct object *o, const struct place *place, struct now now)
{
    struct disk *d = c->disk;
    if (!d)
        return;
    uint32_t hash = place->is_common ? place->common_hash : place->variant_hash;
    if (disk_is_paused(d))
        store_paused(d, place, hash, now.mono_ms);
    else
        store(d, o, place, hash, NULL, now, false);
}

/* ---- what memory has and the disk has not ---- */

#define WALK_AT_ONCE 16

/* Writes it when it is not on the shelf. */
static void store_again(struct disk *d, const struct index_stored *it, struct now now)
{
    struct place place = {
        .primary = it->primary, .hash = it->hash, .variant = object_variant(it->o), .rule = it->rule
    };
    uint32_t hash = it->o->node.hash;
    struct hash128 key = disk_page_key(d->o.cache, &place, hash), at = disk_shelf_key(&key);
    struct shelf_item item;
    if (!shelf_find(d->shelf, &at, now.wall_ms, &item))
        store(d, it->o, &place, hash, NULL, now, true);
}

bool disk_walk(struct disk *d, struct index_walk *w)
{
    struct index_stored found[WALK_AT_ONCE];
    struct arena arena;
    size_t n;
    arena_init(&arena, 4096);
    bool more = index_walk_stored(d->o.cache, w, &arena, found, WALK_AT_ONCE, &n);
    struct now now = clock_now(d->o.clock);
    for (size_t i = 0; i < n; i++) {
        store_again(d, &found[i], now);
        object_unref(found[i].o);
        rule_unref(found[i].rule);
    }
    arena_fini(&arena);
    return more;
}

void disk_forget(struct cache *c, const struct place *place, struct now now)
{
    struct disk *d = c->disk;
    if (!d || !disk_may_know(d, &place->hash))
        return;
    struct hash128 key = disk_page_key(c, place, place->variant_hash);
    supersede(d, &key, place, now.mono_ms);
    if (place->common_hash == place->variant_hash)
        return;
    key = disk_page_key(c, place, place->common_hash);
    supersede(d, &key, place, now.mono_ms);
}
