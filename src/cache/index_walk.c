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
