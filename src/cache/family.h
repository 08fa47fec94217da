/*
 * A family: what the index knows of one primary key (site, scheme, host, port, path), and its objects. Only
 * for cache/index*.c, under the shard's lock. Pointers to families and objects are good while it is held.
 */
#ifndef CACHE_FAMILY_H
#define CACHE_FAMILY_H

#include <string.h>

#include "cache/index.h"
#include "cache/table.h"

#define FAMILY_BUSY_BITS 19

/*
 * Its objects stand in a short list, or in a table when they are many, so that a page with a thousand query
 * strings is found as fast as a page with none. Of one variant the youngest comes first. Times are in seconds
 * of the monotonic clock, since there may be millions of families.
 */
struct family {
    struct table_node node; /* in its shard's table; own: bytes of its primary key */
    struct rule *rule;
    union {
        struct table_node *few;
        struct table *many;
    } objects;
    uint32_t n;                       /* objects, with busy ones */
    uint32_t busy : FAMILY_BUSY_BITS; /* objects that are not published */
    uint32_t has_many : 1;
    uint32_t of_2xx : 1; /* a 2xx brought the rule */
    /* An answer for all brought the rule, even the default: cookies that it leaves out are not sent. */
    uint32_t settled : 1;
    uint32_t cookies_met : 1; /* somebody's cookies kept an answer from being stored until it was settled */
    uint32_t idle : 1;        /* counted in the cache's idle_bytes: it has no objects */
    uint32_t swept : 1;       /* the sweep is in its table, which must not shrink */
    uint32_t asked_disk : 1;  /* what the disk knows of the rule is known */
    uint32_t rule_saved : 1;  /* the disk has the rule as it is */
    uint32_t used_s;          /* when an object was last added or a rule learnt */
    char primary[];
};

/* Returns milliseconds of the monotonic clock as whole seconds. */
static inline uint32_t family_seconds(int64_t ms)
{
    return (uint32_t)(ms / 1000);
}

/* ---- finding a family ---- */

/* The upper bits of the hash select the shard, the lower ones the place in it. */
static inline unsigned family_shard_at(uint32_t hash)
{
    return hash >> 24;
}

/* Returns the shard of a primary key's hash. Needs no lock. */
static inline struct shard *family_shard(struct cache *c, const struct hash128 *hash)
{
    return &c->shards[family_shard_at((uint32_t)hash->lo)];
}

/* Returns the hash that the family's node has in its table. */
static inline uint32_t family_hash(const struct place *p)
{
    return (uint32_t)p->hash.lo;
}

/* Returns the family that has this node, which is not NULL. */
static inline struct family *family_of_node(struct table_node *node)
{
    return CONTAINER_OF(node, struct family, node);
}

/* Returns its primary key. */
static inline struct str family_primary(const struct family *f)
{
    return (struct str){ f->primary, f->node.own };
}

/* Returns the family, or NULL. */
static inline struct family *family_find(const struct shard *s, const struct place *p)
{
    struct table_node *node = *table_chain(&s->families, family_hash(p));
    while (node && !(node->hash == family_hash(p) && node->own == p->primary.n &&
                     memcmp(family_of_node(node)->primary, p->primary.p, p->primary.n) == 0))
        node = node->next;
    return node ? family_of_node(node) : NULL;
}

/* family_add makes the family of `p`, which does not exist yet; family_find_or_add finds it or makes it.
 * `now_ms` is when a new one was last used. Never NULL. */
struct family *family_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms);
struct family *family_find_or_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms);

/* Sets the rule and takes a reference to it; NULL: the default. */
void family_set_rule(struct cache *c, struct family *f, const struct rule *rule);

/* For cache/index_compact: moves the family that `*at` points to (memory_move), and mends all pointers to it.
 * A family with many objects stays where it is. */
struct family *family_move(struct cache *c, struct table_node **at, unsigned quarters);

/* Frees a family without objects. */
void family_free(struct cache *c, struct family *f);
/* Keeps a family without objects for what is known of it, or frees it. */
void family_keep_or_free(struct cache *c, struct family *f);
/* Keeps or frees the family when it has no objects; else does nothing. Bounds what a stranger can make
 * freshet remember by asking for URLs that store nothing: the newcomer replaces neighbours, or is not
 * kept. */
void family_drop_if_idle(struct cache *c, struct family *f);

/* ---- its objects ---- */

/* Returns the object that has this node; NULL for NULL. */
static inline struct object *family_object_of(struct table_node *node)
{
    return node ? CONTAINER_OF(node, struct object, node) : NULL;
}

/* The objects that may be of a variant stand in one list, or in two of the table. Returns the first of the
 * first list: it has those of the place's release, and perhaps others. */
static inline struct object *family_first_of_variant(const struct family *f, const struct place *p)
{
    return family_object_of(f->has_many ? *table_chain(f->objects.many, p->variant_hash) : f->objects.few);
}

/* Returns the first of the second list, with the common ones; NULL: there is no second list, or no object in
 * it. */
static inline struct object *family_first_common(const struct family *f, const struct place *p)
{
    if (!f->has_many)
        return NULL;
    struct table_node **chain = table_chain(f->objects.many, p->common_hash);
    return chain == table_chain(f->objects.many, p->variant_hash) ? NULL : family_object_of(*chain);
}

/* A walk over all objects goes through lists 0 to the number of lists less 1. */
static inline uint32_t family_lists(const struct family *f)
{
    return f->has_many ? f->objects.many->buckets : 1;
}

/* Returns the first object of a list, or NULL. */
static inline struct object *family_first_of_list(const struct family *f, uint32_t list)
{
    return family_object_of(f->has_many ? *table_bucket(f->objects.many, list) : f->objects.few);
}

/* Returns the object behind `o` in its list, or NULL. */
static inline struct object *family_next(struct object *o)
{
    return family_object_of(o->node.next);
}

/* Is `o` an object of that variant, of the place's release or common? */
static inline bool family_is_variant(const struct object *o, const struct place *p)
{
    return (o->node.hash == p->variant_hash || o->node.hash == p->common_hash) &&
           str_eq(object_variant(o), p->variant);
}

/* Sets the key that the object is found under. */
void family_set_variant(struct object *o, const struct place *p);
/* Put an object into the family and take it out. They count no reference: the caller gives the index's one,
 * and gets it back. */
void family_link(struct cache *c, struct family *f, struct object *o);
void family_unlink(struct object *o);
/* Takes an object out of the index and the eviction queues. The caller gets the index's reference, and drops
 * it after the lock. */
void family_take_out(struct cache *c, struct object *o);
/* For objects that were unlinked: takes them out of the eviction queues. At most FAMILY_LEAVE_MAX at a
 * time. */
#define FAMILY_LEAVE_MAX 32
void family_leave_queues(struct cache *c, struct object *const *objects, unsigned n);
/* Adds n, 1 or -1, to the number of objects of the family that are not published. */
void family_add_busy(struct family *f, int n);

#endif
