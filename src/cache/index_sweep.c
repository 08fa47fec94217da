#include "cache/family.h"
#include "cache/key.h"

#define FAMILY_KEPT_MS (3600 * (int64_t)1000) /* without a variant */
/* beyond its windows, or beyond the time for which an asset is kept: until then it may be revalidated */
#define EXPIRED_KEPT_MS (3600 * (int64_t)1000)

/*
 * Objects in one hold of a shard's lock: so few that a hit does not wait long, though each is elsewhere in
 * memory. A family with many variants takes several holds: `sweep_list` says where to go on.
 */
#define SWEEP_HOLD FAMILY_LEAVE_MAX

struct sweep {
    uint64_t latest;
    struct now now;
    const struct site_settings *site; /* of the family; NULL: it had no deploys */
    unsigned looked_at;               /* families and objects */
    struct object *gone[SWEEP_HOLD];
    unsigned gone_n;
    struct {
        int64_t bytes, n;
    } kept; /* counted in the list that is looked at */
};

/* ---- releases ---- */

static const struct site_settings *site_of(const struct cache *c, const struct family *f)
{
    struct key_request key;
    if (!c->sweep_settings || !c->sweep_settings->read)
        return NULL; /* nothing was deployed */
    key_read_primary(family_primary(f), &key);
    return settings_site_by_name(c->sweep_settings, key.site);
}

/* Until when (monotonic milliseconds) is it kept, as an asset from before the switch? 0: it is none. */
static int64_t kept_until(const struct object *o, const struct sweep *w)
{
    const struct release *live = w->site ? w->site->release : NULL;
    return live && index_is_from_before(o, live) ? release_keeps_until(live, object_received_ms(o)) : 0;
}

/* Is it of an earlier release? What came while the live one was prepared may have been warmed for it. */
static bool is_old(const struct object *o, const struct sweep *w)
{
    return object_received_ms(o) < w->site->release->prepared_since_ms;
}

/* Counts a kept asset. All of them have a share of the memory, and none has a use that would let it stay when
 * room is needed. true: the share is full. */
static bool keep(struct cache *c, struct object *o, struct sweep *w)
{
    int64_t share = c->sweep_settings->process.kept_assets_share;
    int64_t bytes = (int64_t)(object_charged(o) + (o->body ? body_charged(o->body) : 0));
    atomic_store_explicit(&o->evict.uses, 0, memory_order_relaxed);
    if (c->sweep_kept_bytes + bytes > c->memory.budget_bytes / 100 * share)
        return true;
    c->sweep_kept_bytes += bytes;
    c->sweep_kept++;
    w->kept.bytes += bytes;
    w->kept.n++;
    return false;
}

/* The list will be looked at once more, from its beginning. */
static void count_again(struct cache *c, struct sweep *w)
{
    c->sweep_kept_bytes -= w->kept.bytes;
    c->sweep_kept -= w->kept.n;
}

/* Is it a page of a release that no rollback brings back? One with a higher number than the live one may be
 * on its way. */
static bool is_left_behind(const struct cache *c, const struct object *o, const struct sweep *w)
{
    if (!w->site)
        return false;
    uint32_t number = place_release(c, o->node.hash, object_variant(o));
    return number != 0 && number < w->site->release->number && !release_stores(w->site->release, number);
}

/* ---- the sweep ---- */

/* Is it purged, or expired so long ago that it is of no use? */
static bool is_spent(struct cache *c, struct object *o, struct str primary, struct sweep *w, bool *purged)
{
    int64_t now_ms = w->now.mono_ms;
    struct object_purged p = object_check_purged(o, primary, w->latest, now_ms);
    *purged = p.gone;
    if (p.gone)
        return true;
    int64_t until_ms = kept_until(o, w);
    if (until_ms > now_ms && is_old(o, w))
        return keep(c, o, w);
    if (until_ms && now_ms - until_ms > EXPIRED_KEPT_MS)
        return true; /* its own lifetime is of no use: nobody gets it unless its origin confirms it */
    if (is_left_behind(c, o, w))
        return true;
    struct object_life life = object_life(o, now_ms, p.soft_ms);
    const struct freshness *f = &life.fresh;
    int64_t window = f->stale_while_ms > f->stale_error_ms ? f->stale_while_ms : f->stale_error_ms;
    return life.age.stale_ms > window + EXPIRED_KEPT_MS;
}

static bool is_full(const struct sweep *w)
{
    return w->looked_at >= SWEEP_HOLD || w->gone_n == SWEEP_HOLD;
}

static void remember_purged(struct cache *c, uint32_t hash)
{
    atomic_store_explicit(&c->purged[c->purged_at++ % CACHE_PURGED_KEPT], hash, memory_order_relaxed);
}

/* true: all objects were looked at. */
static bool sweep_objects(struct cache *c, struct family *f, struct sweep *w)
{
    uint32_t list = c->sweep_list;
    for (; list < family_lists(f) && !is_full(w); list++) {
        memset(&w->kept, 0, sizeof(w->kept));
        for (struct object *o = family_first_of_list(f, list), *next; o && w->gone_n < SWEEP_HOLD; o = next) {
            next = family_next(o);
            w->looked_at++;
            /* A fetch in flight keeps its number from being forgotten, and so does its object. */
            if (o->begin < c->sweep_oldest)
                c->sweep_oldest = o->begin;
            bool purged = false;
            if (object_state(o) == OBJECT_SEALED && is_spent(c, o, family_primary(f), w, &purged)) {
                if (purged)
                    remember_purged(c, f->node.hash);
                f->swept = true;
                family_unlink(o);
                w->gone[w->gone_n++] = o;
            }
        }
    }
    /* The latest list may not have been finished. */
    bool again = w->gone_n == SWEEP_HOLD;
    if (again)
        count_again(c, w);
    c->sweep_list = again ? list - 1 : list;
    f->swept = c->sweep_list < family_lists(f);
    return !f->swept && (!f->has_many || table_shrink(f->objects.many, &c->memory, SWEEP_HOLD));
}

/* true: all was looked at, and the family may be freed. */
static bool sweep_family(struct cache *c, struct family *f, struct sweep *w)
{
    w->looked_at++;
    w->site = site_of(c, f);
    if (!sweep_objects(c, f, w))
        return false;
    if (f->n > 0)
        return true;
    if (w->now.mono_ms - (int64_t)f->used_s * 1000 > FAMILY_KEPT_MS)
        family_free(c, f);
    else
        family_keep_or_free(c, f); /* not its neighbours, since one may be the next */
    return true;
}

/*
 * Objects and what they own are scattered in memory. Fetches ahead what the sweep will need some buckets on:
 * one pointer further at each of these distances.
 */
#define AHEAD_BUCKET 32
#define AHEAD_FIRST  20
#define AHEAD_NEXT   15
#define AHEAD_OBJECT 10
#define AHEAD_OWNED  5

static struct table_node *first_ahead(const struct table *t, uint32_t bucket)
{
    return bucket < t->buckets ? *table_bucket(t, bucket) : NULL;
}

/* Returns the only object that many families have. */
static struct object *first_object(struct table_node *node)
{
    const struct family *f = family_of_node(node);
    return f->has_many ? NULL : family_object_of(f->objects.few);
}

static void fetch_ahead(const struct table *t, uint32_t bucket)
{
    if (bucket + AHEAD_BUCKET < t->buckets)
        __builtin_prefetch(table_bucket(t, bucket + AHEAD_BUCKET));
    __builtin_prefetch(first_ahead(t, bucket + AHEAD_FIRST));
    struct table_node *node = first_ahead(t, bucket + AHEAD_NEXT);
    if (node)
        __builtin_prefetch(node->next);
    for (node = first_ahead(t, bucket + AHEAD_OBJECT); node; node = node->next) {
        const char *o = (const char *)first_object(node);
        for (size_t line = 0; o && line < sizeof(struct object); line += 64)
            __builtin_prefetch(o + line);
    }
    for (node = first_ahead(t, bucket + AHEAD_OWNED); node; node = node->next) {
        struct object *o = first_object(node);
        if (o && object_state(o) == OBJECT_SEALED) { /* others are being filled */
            __builtin_prefetch(o->response);
            __builtin_prefetch(o->body);
        }
    }
}

static void sweep_bucket(struct cache *c, struct shard *s, struct sweep *w)
{
    struct table_node *first = *table_bucket(&s->families, c->sweep_bucket), *node = first;
    while (c->sweep_in && node && node != &c->sweep_in->node)
        node = node->next;
    if (!node) { /* it has gone, or moved to a bucket that is still to come */
        c->sweep_in = NULL;
        node = first;
    }
    for (struct table_node *next; node; node = next) {
        next = node->next;
        if (!c->sweep_in) {
            c->sweep_in = family_of_node(node);
            c->sweep_list = 0;
        }
        if (is_full(w) || !sweep_family(c, c->sweep_in, w)) {
            w->looked_at = SWEEP_HOLD;
            return;
        }
        c->sweep_in = NULL;
    }
    c->sweep_bucket++;
}

bool index_sweep(struct cache *c, struct now now)
{
    struct sweep w = { .latest = epochs_latest(c->epochs), .now = now };
    struct shard *s = &c->shards[c->sweep_shard];
    if (c->sweep_shard == 0 && c->sweep_bucket == 0 && !c->sweep_in)
        c->sweep_oldest = w.latest;

    lock_take(&s->lock);
    while (c->sweep_bucket < s->families.buckets && !is_full(&w)) {
        fetch_ahead(&s->families, c->sweep_bucket);
        sweep_bucket(c, s, &w);
    }
    family_leave_queues(c, w.gone, w.gone_n);
    bool shard_done =
        c->sweep_bucket >= s->families.buckets && table_shrink(&s->families, &c->memory, SWEEP_HOLD);
    lock_give(&s->lock);
    for (unsigned i = 0; i < w.gone_n; i++)
        object_unref(w.gone[i]);
    atomic_fetch_add_explicit(&c->swept, w.gone_n, memory_order_relaxed);
    if (!shard_done)
        return false;
    c->sweep_bucket = 0;
    c->sweep_shard = (c->sweep_shard + 1) % CACHE_SHARDS;
    if (c->sweep_shard != 0)
        return false;
    atomic_store_explicit(&c->kept_bytes, c->sweep_kept_bytes, memory_order_relaxed);
    atomic_store_explicit(&c->kept, c->sweep_kept, memory_order_relaxed);
    c->sweep_kept_bytes = c->sweep_kept = 0;
    return true;
}
