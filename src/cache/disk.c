#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/pages.h"
#include "cache/disk_machine.h"

_Static_assert(SEGMENT_RECORD_MAX + 2 * FILE_BLOCK <= DISK_ROOM, "a room has room");

#define SEGMENTS_FEW 16 /* a small disk is cut into so many */

/* ---- keys ---- */

/* The upper half is of the primary key alone. */
static struct hash128 key_of(const struct cache *c, const struct place *place, const void *rest, size_t n)
{
    unsigned char bytes[2 * sizeof(uint64_t) + 8];
    CHECK(n <= 8);
    memcpy(bytes, &place->hash.lo, sizeof(uint64_t));
    memcpy(bytes + sizeof(uint64_t), &place->hash.hi, sizeof(uint64_t));
    memcpy(bytes + 2 * sizeof(uint64_t), rest, n);
    return (struct hash128){ hash64(c->secret, (struct str){ (const char *)bytes, 2 * sizeof(uint64_t) + n }),
                             place->hash.lo };
}

struct hash128 disk_page_key(const struct cache *c, const struct place *place, uint32_t hash)
{
    return key_of(c, place, &hash, sizeof(hash));
}

struct hash128 disk_rule_key(const struct cache *c, const struct place *place)
{
    return key_of(c, place, "rule", 5);
}

struct hash128 disk_shelf_key(const struct hash128 *key)
{
    return (struct hash128){ key->lo ^ key->hi, key->lo * 0x9e3779b97f4a7c15u + key->hi };
}

/* ---- what may be there ---- */

static _Atomic uint64_t *word_of(struct disk *d, uint64_t primary_lo, uint64_t *bit)
{
    *bit = (uint64_t)1 << (primary_lo >> 32 & 63);
    return &d->known.bits[(primary_lo >> 38 ^ primary_lo) & (d->known.words - 1)];
}

void disk_note(struct disk *d, const struct hash128 *primary)
{
    uint64_t bit;
    _Atomic uint64_t *word = word_of(d, primary->lo, &bit);
    if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
        atomic_fetch_or_explicit(word, bit, memory_order_release);
}

bool disk_is_whole(const struct disk *d)
{
    return atomic_load_explicit(&d->is_whole, memory_order_acquire);
}

bool disk_may_know(struct disk *d, const struct hash128 *primary)
{
    uint64_t bit;
    _Atomic uint64_t *word = word_of(d, primary->lo, &bit);
    return !disk_is_whole(d) || (atomic_load_explicit(word, memory_order_acquire) & bit);
}

static bool finds(struct disk *d, const struct hash128 *key, int64_t now_wall_ms, struct shelf_item *item)
{
    struct hash128 at = disk_shelf_key(key);
    return shelf_find(d->shelf, &at, now_wall_ms, item);
}

bool disk_has_rule(struct disk *d, const struct place *place, int64_t now_wall_ms)
{
    struct shelf_item item;
    if (shelf_entries(d->shelf) == 0)
        return false;
    struct hash128 key = disk_rule_key(d->o.cache, place);
    return finds(d, &key, now_wall_ms, &item);
}

static bool finds_page(struct disk *d, const struct place *place, int64_t now_wall_ms,
                       struct shelf_item *item)
{
    if (shelf_entries(d->shelf) == 0)
        return false;
    struct hash128 key = disk_page_key(d->o.cache, place, place->variant_hash);
    if (finds(d, &key, now_wall_ms, item))
        return true;
    key = disk_page_key(d->o.cache, place, place->common_hash);
    return place->common_hash != place->variant_hash && finds(d, &key, now_wall_ms, item);
}

bool disk_has_page(struct disk *d, const struct place *place, int64_t now_wall_ms)
{
    struct shelf_item item;
    return finds_page(d, place, now_wall_ms, &item);
}

uint64_t disk_page_begin(struct disk *d, const struct place *place, int64_t now_wall_ms)
{
    struct shelf_item item;
    return finds_page(d, place, now_wall_ms, &item) ? item.begin : UINT64_MAX;
}

uint64_t disk_oldest_begin(struct disk *d)
{
    return d ? segments_oldest_begin(d->log) : UINT64_MAX;
}

/* ---- the log's questions: on its thread ---- */

static bool keeps(void *ctx, const struct segments_found *record, bool is_cheap)
{
    struct disk *d = ctx;
    struct hash128 key = disk_shelf_key(&record->key);
    bool is_used;
    if (record->expires_wall_ms <= clock_now(d->o.clock).wall_ms)
        return false;
    if (!shelf_has(d->shelf, &key, &record->place, &is_used))
        return false;
    /* Without the rule a page may be found under a key that is no longer right. */
    return is_used || is_cheap || record->part == DISK_RULE_PART;
}

static void gone(void *ctx, const struct segments_found *old, const struct segments_found *now)
{
    struct disk *d = ctx;
    struct hash128 key = disk_shelf_key(&old->key);
    if (now)
        shelf_move(d->shelf, &key, &old->place, &now->place);
    else
        shelf_remove(d->shelf, &key, &old->place);
}

/* ---- finding what is there ---- */

static void found(void *ctx, const struct segments_found *record)
{
    struct disk *d = ctx;
    disk_note(d, &(struct hash128){ record->key.hi, 0 });
    /* Even when it has expired: it keeps away older ones that may be sent stale for longer. */
    shelf_put(d->shelf,
              &(struct shelf_item){ .key = disk_shelf_key(&record->key),
                                    .begin = record->begin,
                                    .place = record->place,
                                    .bytes = record->bytes,
                                    .expires_wall_ms = record->expires_wall_ms },
              true);
}

/* Between two walks: soon when something was dropped meanwhile. */
#define WALK_SOON_US   ((int64_t)500 * 1000)
#define WALK_LATE      120 /* times as long */
#define WALK_STEP_US   ((int64_t)200)
#define WALK_BEHIND_US ((int64_t)50 * 1000)

/* `busy`: those of them for which there will be room soon. */
static uint64_t dropped(struct disk *d, uint64_t *busy)
{
    struct segments_figures f;
    segments_figures(d->log, &f);
    *busy = f.busy + atomic_load_explicit(&d->unlisted, memory_order_relaxed);
    return *busy + f.off;
}

static bool owes(struct disk *d)
{
    lock_take(&d->lock);
    bool owes = d->owed_n > 0;
    lock_give(&d->lock);
    return owes;
}

static bool takes_longs_left(struct disk *d)
{
    lock_take(&d->lock);
    bool left = d->longs_left;
    d->longs_left = false;
    lock_give(&d->lock);
    return left;
}

/* What does not fit on disk, or on the shelf, would be written again and again. */
static bool may_walk(struct disk *d)
{
    return shelf_entries(d->shelf) < d->entries_max &&
           (owes(d) || memory_pages(&d->o.cache->memory) < (int64_t)(d->o.limit_bytes / 2));
}

/* Walks are far apart, and a walk waits when the log is full: it must not keep newer pages out. */
static int64_t walk_some(struct disk *d)
{
    bool is_amid = d->walk.shard || d->walk.bucket || d->walk.node || d->walk.list;
    uint64_t busy, busy_before;
    if (!is_amid) {
        uint64_t now = dropped(d, &busy);
        if (now == d->walked_dropped && !d->walks_again && !owes(d) && !takes_longs_left(d) &&
            ++d->waited < WALK_LATE)
            return WALK_SOON_US;
        d->waited = 0;
        d->walked_dropped = now;
        d->walks_again = false;
    }
    if (may_walk(d)) {
        uint64_t before = dropped(d, &busy_before);
        bool more = disk_walk(d, &d->walk);
        uint64_t after = dropped(d, &busy);
        bool is_behind = after != before; /* the log: newer pages go first */
        if (is_behind)
            d->walked_dropped = after;
        d->walks_again |= busy != busy_before;
        if (more)
            return is_behind ? WALK_BEHIND_US : WALK_STEP_US;
    }
    d->walk = (struct index_walk){ 0 };
    lock_take(&d->lock);
    d->walks++;
    lock_give(&d->lock);
    disk_settle_owed(d, false);
    return WALK_SOON_US;
}

/* Long bodies that keep coming must not keep the walk out. */
static int64_t write_some(struct disk *d)
{
    int64_t long_us = disk_long_write(d), now_us = clock_mono_us(d->o.clock);
    if (now_us >= d->walk_due_us)
        d->walk_due_us = now_us + walk_some(d);
    int64_t walk_us = d->walk_due_us - now_us;
    return long_us < 0 || walk_us < long_us ? walk_us : long_us;
}

static int64_t find_some(void *ctx)
{
    struct disk *d = ctx;
    if (disk_is_whole(d))
        return write_some(d);
    (void)disk_long_write(d);
    if (segments_recover(d->log, found, d))
        return 0;
    disk_judge_owed(d);
    shelf_complete(d->shelf);
    atomic_store_explicit(&d->is_whole, true, memory_order_release);
    return WALK_SOON_US;
}

/* ---- life ---- */

/* Of about so many bytes is an average response with its entry: half as many as fit is a good number of
 * bits. */
#define BYTES_A_WORD ((uint64_t)16384)

static void make_known(struct disk *d)
{
    d->known.words = 1024;
    while (d->known.words * BYTES_A_WORD < d->o.limit_bytes && d->known.words < (size_t)1 << 22)
        d->known.words *= 2;
    d->known.bits = mem_alloc(d->known.words * sizeof(*d->known.bits));
}

static uint64_t segment_bytes(uint64_t limit)
{
    uint64_t bytes = limit / SEGMENTS_FEW / SEGMENT_BLOCK * SEGMENT_BLOCK;
    return bytes < SEGMENTS_BYTES_MIN ? SEGMENTS_BYTES_MIN : bytes > SEGMENTS_BYTES ? SEGMENTS_BYTES : bytes;
}

/* Entries may take an eighth of the memory. */
#define SHELF_PART  8
#define ENTRY_BYTES 32

int disk_open(const struct disk_options *o, struct disk **out)
{
    CHECK(o->limit_bytes >= DISK_LEAST && !o->cache->disk);
    struct disk *d = mem_alloc(sizeof(*d));
    d->o = *o;
    struct segments_options s = { .files = o->files,
                                  .clock = o->clock,
                                  .log = o->log,
                                  .folder = o->folder,
                                  .limit_bytes = o->limit_bytes,
                                  .segment_bytes = segment_bytes(o->limit_bytes),
                                  .buffer_bytes = SEGMENTS_BUFFER,
                                  .bytes_per_s = o->bytes_per_s,
                                  .owner = { d, keeps, gone } };
    struct hash128 id = hash128(o->cache->secret, STR("the id of this secret"));
    memcpy(s.secret, &id, sizeof(s.secret));
    int status = segments_open(&s, &d->log);
    if (status < 0) {
        mem_free(d);
        return status;
    }
    struct memory *m = &o->cache->memory;
    d->entries_max = (size_t)m->budget_bytes / SHELF_PART / ENTRY_BYTES;
    d->shelf = shelf_new(m, d->entries_max);
    lock_init(&d->lock);
    list_init(&d->owed);
    for (size_t i = 0; i < DISK_OWED_ROWS; i++)
        list_init(&d->owed_rows[i]);
    list_init(&d->longs);
    atomic_init(&d->object, o->object);
    make_known(d);
    *out = o->cache->disk = d;
    return 0;
}

#define FIND_NAP_US 500

/* What can be found at once is found before the first answer. */
static void find_first(struct disk *d, int64_t most_ms)
{
    int64_t until_us = clock_mono_us(d->o.clock) + most_ms * 1000;
    while (!disk_is_whole(d) && clock_mono_us(d->o.clock) < until_us)
        background_nap(FIND_NAP_US);
}

static void start_finder(struct disk *d)
{
    d->finder = background_start("disk-find", find_some, d);
    if (!d->finder)
        mem_no_thread();
}

void disk_find(struct disk *d, int64_t most_ms)
{
    d->is_started = true;
    for (unsigned i = 0; i < DISK_READERS; i++) {
        d->rooms[i] = pages_map(DISK_ROOM, false);
        if (!d->rooms[i])
            mem_out(DISK_ROOM);
    }
    d->readers = pool_threads_start("disk-read", DISK_READERS);
    if (!d->readers)
        mem_no_thread();
    start_finder(d);
    find_first(d, most_ms);
}

/* The finder appends only what the workers have stored, which begin after this. */
void disk_start(struct disk *d)
{
    background_stop(&d->finder);
    segments_start(d->log);
    if (d->is_started)
        start_finder(d);
    else
        disk_find(d, DISK_FIND_MS);
}

/* At the end: how long a log that is behind is waited for, so that a short run leaves its pages
 * behind, too. */
#define STOP_MOST_MS 2000
#define STOP_NAP_US  10000

static void walk_all(struct disk *d, int64_t until_us)
{
    struct index_walk walk = { 0 };
    while (may_walk(d) && disk_walk(d, &walk) && clock_mono_us(d->o.clock) < until_us)
        ;
}

static void write_the_rest(struct disk *d)
{
    int64_t until_us = clock_mono_us(d->o.clock) + (int64_t)STOP_MOST_MS * 1000;
    bool is_behind = true;
    for (;;) {
        uint64_t busy, before = dropped(d, &busy);
        if (is_behind)
            walk_all(d, until_us);
        int64_t long_us = disk_long_write(d);
        /* Else a walk would only find again what could not be written. */
        is_behind = takes_longs_left(d) || dropped(d, &busy) != before;
        if ((!is_behind && long_us < 0) || clock_mono_us(d->o.clock) > until_us)
            return;
        if (long_us != 0)
            background_nap(STOP_NAP_US);
    }
}

/* What the finder does, so it stands from now on. */
void disk_write_behind(struct disk *d)
{
    background_stop(&d->finder);
    write_the_rest(d);
    atomic_store(&d->is_paused, true);
}

bool disk_is_paused(const struct disk *d)
{
    return atomic_load_explicit(&d->is_paused, memory_order_relaxed);
}

void disk_pause(struct disk *d)
{
    write_the_rest(d);
    disk_long_drop(d);
    disk_settle_owed(d, true);
    segments_pause(d->log);
}

int disk_resume(struct disk *d)
{
    int status = segments_resume(d->log);
    if (status < 0)
        return status;
    atomic_store(&d->is_paused, false);
    start_finder(d);
    return 0;
}

void disk_stop(struct disk *d)
{
    background_stop(&d->finder);
    pool_threads_stop(&d->readers, disk_job_drop);
    if (d->is_started) {
        for (unsigned i = 0; i < DISK_READERS; i++)
            pages_unmap(d->rooms[i], DISK_ROOM);
        if (!d->is_paused)
            write_the_rest(d);
    }
    disk_long_drop(d);
    if (!d->is_paused)
        disk_settle_owed(d, true);
    segments_close(&d->log);
}

void disk_free(struct disk **at)
{
    struct disk *d = *at;
    if (!d)
        return;
    CHECK(!d->log && d->o.cache->disk == d);
    d->o.cache->disk = NULL;
    shelf_free(d->shelf);
    lock_fini(&d->lock);
    mem_free(d->known.bits);
    mem_free(d);
    *at = NULL;
}

void disk_figures(struct disk *d, struct disk_figures *out)
{
    *out = (struct disk_figures){ .entries = shelf_entries(d->shelf),
                                  .shelf_bytes = shelf_bytes(d->shelf),
                                  .limit_bytes = d->o.limit_bytes,
                                  .pages_read = atomic_load_explicit(&d->pages_read, memory_order_relaxed),
                                  .rules_read = atomic_load_explicit(&d->rules_read, memory_order_relaxed),
                                  .parts_read = atomic_load_explicit(&d->parts_read, memory_order_relaxed),
                                  .not_there = atomic_load_explicit(&d->not_there, memory_order_relaxed),
                                  .unlisted = atomic_load_explicit(&d->unlisted, memory_order_relaxed),
                                  .superseded = atomic_load_explicit(&d->superseded, memory_order_relaxed),
                                  .is_whole = disk_is_whole(d) };
    segments_figures(d->log, &out->log);
    lock_take(&d->lock);
    out->long_waiting = d->longs_n;
    out->owed = d->owed_n;
    out->long_bytes = d->longs_bytes;
    lock_give(&d->lock);
}
