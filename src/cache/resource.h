/*
 * A resource: what the index knows of one primary key, and its objects. Only for cache/index*.c, under its shard's lock.
 */
#ifndef CACHE_RESOURCE_H
#define CACHE_RESOURCE_H

#include <string.h>

#include "cache/index.h"
#include "cache/table.h"

#define RESOURCE_BUSY_BITS 23

/*
 * Its objects are a short list, or a table when they are many, so that a page with a thousand query strings is found as
 * fast as one with none. Of one variant the youngest comes first. Times are in seconds of the monotonic clock: there may be
 * millions of resources.
 */
struct resource {
    struct table_node node; /* in its shard's table; own: bytes of its primary key */
    struct rule *rule;
    union {
        struct table_node *few;
        struct table *many;
    } objects;
    uint32_t n;                         /* objects, busy ones too */
    uint32_t busy : RESOURCE_BUSY_BITS; /* those that are not published */
    uint32_t has_many : 1;
    uint32_t of_2xx : 1; /* a 2xx brought the rule */
    uint32_t idle : 1;   /* counted in the cache's idle_bytes: it has no objects */
    uint32_t swept : 1;  /* the sweep is somewhere in its table: it does not get smaller */
    uint32_t used_s;     /* when an object was last added or its rule was learnt */
    char primary[];
};

static inline uint32_t resource_seconds(int64_t ms)
{
    return (uint32_t)(ms / 1000);
}

/* ---- where it is ---- */

/* Of a resource's hash the upper bits say the shard, the lower ones the place in it. */
static inline unsigned resource_shard_at(uint32_t hash)
{
    return hash >> 24;
}

static inline struct shard *resource_shard(struct cache *c, const struct hash128 *hash)
{
    return &c->shards[resource_shard_at((uint32_t)hash->lo)];
}

static inline uint32_t resource_hash(const struct place *p)
{
    return (uint32_t)p->hash.lo;
}

static inline struct resource *resource_of_node(struct table_node *node)
{
    return CONTAINER_OF(node, struct resource, node);
}

/* NULL: nothing is known of it. */
static inline struct resource *resource_find(const struct shard *s, const struct place *p)
{
    struct table_node *node = *table_chain(&s->resources, resource_hash(p));
    while (node && !(node->hash == resource_hash(p) && node->own == p->primary.n &&
                     memcmp(resource_of_node(node)->primary, p->primary.p, p->primary.n) == 0))
        node = node->next;
    return node ? resource_of_node(node) : NULL;
}

struct resource *resource_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms);
struct resource *resource_find_or_add(struct cache *c, struct shard *s, const struct place *p,
                                      int64_t now_ms);

/* A reference to the rule is taken; NULL: none. */
void resource_set_rule(struct cache *c, struct resource *r, const struct rule *rule);

/* For cache/index_compact: moves the one that `*at` points to (memory_move) and mends all that points to it. One with many objects stays
 * where it is. */
struct resource *resource_move(struct cache *c, struct table_node **at, unsigned quarters);

/* It must be without objects. */
void resource_free(struct cache *c, struct resource *r);
/* What is to become of one without objects: it stays for what is known of it, or is freed. */
void resource_keep_or_free(struct cache *c, struct resource *r);
/* The same of one that may have objects. What a stranger makes us remember by asking for URLs that store nothing is bounded: the
 * newcomer takes the place of neighbours, or is not kept. */
void resource_drop_if_idle(struct cache *c, struct resource *r);

/* ---- its objects ---- */

static inline struct object *resource_object_of(struct table_node *node)
{
    return node ? CONTAINER_OF(node, struct object, node) : NULL;
}

/* All that may be of that variant. */
static inline struct object *resource_first_of_variant(const struct resource *r, const struct place *p)
{
    return resource_object_of(r->has_many ? *table_chain(r->objects.many, p->variant_hash) : r->objects.few);
}

/* A walk over all objects: lists from 0 to resource_lists - 1. */
static inline uint32_t resource_lists(const struct resource *r)
{
    return r->has_many ? r->objects.many->buckets : 1;
}

static inline struct object *resource_first_of_list(const struct resource *r, uint32_t list)
{
    return resource_object_of(r->has_many ? *table_bucket(r->objects.many, list) : r->objects.few);
}

static inline struct object *resource_next(struct object *o)
{
    return resource_object_of(o->node.next);
}

static inline bool resource_is_variant(const struct object *o, const struct place *p)
{
    return o->node.hash == p->variant_hash && str_eq(object_variant(o), p->variant);
}

/* The key that it is found under. */
void resource_set_variant(struct object *o, const struct place *p);
/* The reference that the index has is the caller's to take and to give. */
void resource_link(struct cache *c, struct resource *r, struct object *o);
void resource_unlink(struct object *o);
/* Of the index and of those to be evicted. Takes the index's reference with it: the caller unrefs when the lock is given back. */
void resource_take_out(struct cache *c, struct object *o);
/* The half of it that is left for what was unlinked, RESOURCE_LEAVE_MAX at most at a time. */
#define RESOURCE_LEAVE_MAX 32
void resource_leave_queues(struct cache *c, struct object *const *objects, unsigned n);
/* So many more are not published; -1: one is. */
void resource_add_busy(struct resource *r, int n);

#endif
