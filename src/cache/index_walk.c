#include "cache/family.h"

#define WALK_BUCKETS 64 /* in one hold of a shard's lock */
#define WALK_OBJECTS 16 /* of one family */

/* Hits of those of its objects that are looked at; UINT64_MAX: it has none that is whole and was not
 * purged. */
static uint64_t hits_of(const struct family *f, const struct walk_question *q)
{
    uint64_t hits = 0;
    unsigned looked_at = 0;
    bool any = false;
    for (uint32_t i = 0; i < family_lists(f) && looked_at < WALK_OBJECTS; i++)
        for (struct object *o = family_first_of_list(f, i); o && looked_at < WALK_OBJECTS;
             o = family_next(o)) {
            looked_at++;
            if (object_state(o) != OBJECT_SEALED || o->response->is_asset || o->response->status != 200 ||
                object_check_purged(o, family_primary(f), q->latest, q->now_mono_ms).gone)
                continue;
            any = true;
            hits += atomic_load_explicit(&o->hits, memory_order_relaxed);
        }
    return any ? hits : UINT64_MAX;
}

bool index_walk(struct cache *c, struct index_walk *w, const struct walk_question *q,
                void (*each)(void *ctx, struct str primary, uint64_t hits), void *ctx)
{
    struct shard *s = &c->shards[w->shard];
    lock_take(&s->lock);
    uint32_t end = w->bucket + WALK_BUCKETS;
    for (; w->bucket < end && w->bucket < s->families.buckets; w->bucket++)
        for (struct table_node *node = *table_bucket(&s->families, w->bucket); node; node = node->next) {
            const struct family *f = family_of_node(node);
            uint64_t hits = hits_of(f, q);
            if (hits != UINT64_MAX)
                each(ctx, family_primary(f), hits);
        }
    bool shard_done = w->bucket >= s->families.buckets;
    lock_give(&s->lock);
    if (shard_done) {
        w->shard++;
        w->bucket = 0;
    }
    return w->shard < CACHE_SHARDS;
}

/* ---- for the disk ---- */

#define WALK_LISTS 64 /* in one hold of the lock */

static void take_stored(struct object *o, const struct family *f, struct arena *a, struct index_stored *out)
{
    struct cache *c = object_cache(o);
    struct str primary = family_primary(f);
    *out = (struct index_stored){ .o = object_ref(o),
                                  .rule = rule_ref(f->rule),
                                  .primary = arena_dup(a, primary) };
    out->hash = hash128(c->secret, out->primary);
}

static bool is_stored(const struct object *o)
{
    return object_state(o) == OBJECT_SEALED && o->evict.weight && !object_is_partial(o);
}

/* Goes through lists of the family. Returns how many objects it found. */
static size_t walk_family(const struct family *f, struct index_walk *w, struct arena *a, unsigned *lists,
                          struct index_stored *out, size_t most)
{
    size_t n = 0;
    for (; w->list < family_lists(f) && *lists < WALK_LISTS && n < most; w->list++, ++*lists)
        for (struct object *o = family_first_of_list(f, w->list); o && n < most; o = family_next(o))
            if (is_stored(o))
                take_stored(o, f, a, &out[n++]);
    return n;
}

bool index_walk_stored(struct cache *c, struct index_walk *w, struct arena *a, struct index_stored *out,
                       size_t most, size_t *n)
{
    struct shard *s = &c->shards[w->shard];
    unsigned lists = 0;
    *n = 0;
    lock_take(&s->lock);
    while (w->bucket < s->families.buckets && lists < WALK_LISTS && *n < most) {
        struct table_node *node = *table_bucket(&s->families, w->bucket);
        for (uint32_t i = 0; node && i < w->node; i++)
            node = node->next;
        if (!node) {
            w->bucket++;
            w->node = w->list = 0;
            lists++;
            continue;
        }
        const struct family *f = family_of_node(node);
        *n += walk_family(f, w, a, &lists, out + *n, most - *n);
        if (w->list >= family_lists(f)) {
            w->node++;
            w->list = 0;
        }
    }
    bool shard_done = w->bucket >= s->families.buckets;
    lock_give(&s->lock);
    if (!shard_done)
        return true;
    *w = (struct index_walk){ .shard = (w->shard + 1) % CACHE_SHARDS };
    return w->shard != 0;
}
