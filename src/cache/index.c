#include "cache/index.h"

#include <string.h>

#include "base/mem.h"

/*
 * A resource. Its objects hang in buckets by variant hash: one bucket while there are few, more when there are many,
 * so that a page with a thousand query strings is found as fast as one with none. In a bucket the youngest comes first.
 */
struct resource {
    struct resource *next;
    struct hash128 hash;
    struct shard *shard;
    struct rule *rule;
    struct object *one; /* the only bucket while buckets == &one */
    struct object **buckets;
    uint32_t mask, n; /* n: objects, busy ones too */
    uint32_t busy;    /* those that are not published */
    int64_t no_queue_until_ms, over_size_until_ms;
    int64_t used_ms; /* when an object was last added or it was last marked */
    uint32_t charged;
    uint32_t idle_bytes; /* counted in the cache's: it has no objects */
    uint32_t primary_n;
    uint8_t last_reason; /* enum reason */
    char primary[];
};

#define BUCKETS_FIRST      64
#define VARIANTS_A_BUCKET  4
#define RESOURCE_KEPT_MS   (3600 * (int64_t)1000) /* without a variant */
#define EXPIRED_KEPT_MS    (3600 * (int64_t)1000) /* beyond its windows: it may still be revalidated */
#define LEAST_USED_LOOK_AT 16
#define RESOURCES_IDLE_MAX 65536
#define IDLE_PART          16 /* of the memory, at most, for resources without objects */
#define IDLE_LONG          1024
#define IDLE_NEIGHBOURS    16
#define PRIVATE_MOST_MS    (3600 * (int64_t)1000) /* purges before that may be forgotten (cache/sweep) */

static const struct str names[OUTCOME_COUNT] = {
#define OUTCOME(id, name, step) STR_INIT(name),
#include "tbl/outcomes.h"
#undef OUTCOME
};

struct str outcome_name(enum outcome o)
{
    CHECK((unsigned)o < OUTCOME_COUNT);
    return names[o];
}

void place_hash(const struct cache *c, struct place *p)
{
    p->hash = hash128(c->secret, p->primary);
    p->variant_hash = p->variant.n ? hash64(c->secret, p->variant) : 0;
}

/* ---- shards and resources ---- */

static struct shard *shard_of(struct cache *c, const struct hash128 *hash)
{
    return &c->shards[hash->hi % CACHE_SHARDS];
}

static void charge_buckets(struct cache *c, int64_t buckets)
{
    memory_charge(&c->memory, buckets * (int64_t)sizeof(struct resource *));
}

void index_init(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        lock_init(&s->lock);
        s->mask = 15;
        s->buckets = mem_alloc((s->mask + 1) * sizeof(*s->buckets));
        charge_buckets(c, (int64_t)s->mask + 1);
    }
}

static struct resource *find_resource(const struct shard *s, const struct place *p)
{
    struct resource *r = s->buckets[p->hash.lo & s->mask];
    while (r && !(hash128_eq(r->hash, p->hash) && r->primary_n == p->primary.n &&
                  memcmp(r->primary, p->primary.p, p->primary.n) == 0))
        r = r->next;
    return r;
}

static void grow_shard(struct cache *c, struct shard *s)
{
    size_t mask = s->mask * 2 + 1;
    struct resource **buckets = mem_alloc((mask + 1) * sizeof(*buckets));
    for (size_t i = 0; i <= s->mask; i++)
        for (struct resource *r = s->buckets[i]; r;) {
            struct resource *next = r->next;
            r->next = buckets[r->hash.lo & mask];
            buckets[r->hash.lo & mask] = r;
            r = next;
        }
    mem_free(s->buckets);
    charge_buckets(c, (int64_t)(mask - s->mask));
    s->buckets = buckets;
    s->mask = mask;
}

static struct resource *add_resource(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    if (s->n > s->mask)
        grow_shard(c, s);
    struct resource *r = mem_alloc(sizeof(*r) + p->primary.n);
    r->hash = p->hash;
    r->shard = s;
    r->buckets = &r->one;
    r->used_ms = now_ms;
    r->primary_n = (uint32_t)p->primary.n;
    memcpy(r->primary, p->primary.p, p->primary.n);
    r->charged = (uint32_t)memory_cost(sizeof(*r) + p->primary.n);
    memory_charge(&c->memory, r->charged);
    struct resource **bucket = &s->buckets[p->hash.lo & s->mask];
    r->next = *bucket;
    *bucket = r;
    s->n++;
    atomic_fetch_add_explicit(&c->resources, 1, memory_order_relaxed);
    return r;
}

static void set_rule(struct cache *c, struct resource *r, struct rule *rule)
{
    if (r->rule == rule)
        return;
    memory_charge(&c->memory, (int64_t)rule_bytes(rule) - (int64_t)rule_bytes(r->rule));
    struct rule *old = r->rule;
    r->rule = rule_ref(rule);
    rule_unref(old);
}

static uint32_t idle_cost(const struct resource *r)
{
    return r->charged + (uint32_t)rule_bytes(r->rule);
}

static void count_idle(struct cache *c, struct resource *r, uint32_t bytes)
{
    if (r->idle_bytes != bytes)
        atomic_fetch_add_explicit(&c->idle_bytes, (int64_t)bytes - r->idle_bytes, memory_order_relaxed);
    r->idle_bytes = bytes;
}

static void free_resource(struct cache *c, struct resource *r)
{
    CHECK(r->n == 0 && r->busy == 0);
    count_idle(c, r, 0);
    set_rule(c, r, NULL);
    memory_charge(&c->memory, -(int64_t)r->charged);
    if (r->buckets != &r->one) {
        charge_buckets(c, -((int64_t)r->mask + 1));
        mem_free(r->buckets);
    }
    r->shard->n--;
    atomic_fetch_sub_explicit(&c->resources, 1, memory_order_relaxed);
    mem_free(r);
}

/* ---- a resource's objects ---- */

static struct object **bucket_of(struct resource *r, uint64_t variant_hash)
{
    return &r->buckets[variant_hash & r->mask];
}

static bool is_variant(const struct object *o, const struct place *p)
{
    return o->variant_hash == p->variant_hash && str_eq(o->variant, p->variant);
}

static void grow_resource(struct cache *c, struct resource *r)
{
    uint32_t size = r->mask ? (r->mask + 1) * 4 : BUCKETS_FIRST;
    struct object **buckets = mem_alloc(size * sizeof(struct object *));
    struct object **old = r->buckets;
    uint32_t old_size = r->mask + 1;
    for (uint32_t i = 0; i < old_size; i++) {
        /* The order in a bucket has a meaning: append. */
        for (struct object *o = old[i], *next; o; o = next) {
            next = o->next;
            o->next = NULL;
            struct object **end = &buckets[o->variant_hash & (size - 1)];
            while (*end)
                end = &(*end)->next;
            *end = o;
        }
    }
    if (old != &r->one)
        mem_free(old);
    charge_buckets(c, (int64_t)size - (old == &r->one ? 0 : (int64_t)old_size));
    r->buckets = buckets;
    r->mask = size - 1;
}

static void link_object(struct cache *c, struct resource *r, struct object *o)
{
    if (r->n >= (r->mask + 1) * VARIANTS_A_BUCKET)
        grow_resource(c, r);
    struct object **bucket = bucket_of(r, o->variant_hash);
    o->next = *bucket;
    *bucket = o;
    o->resource = r;
    atomic_store_explicit(&o->shard, r->shard, memory_order_release);
    r->n++;
    r->busy += !o->evict.weight;
    count_idle(c, r, 0);
}

static void unlink_object(struct object *o)
{
    struct resource *r = o->resource;
    struct object **at = bucket_of(r, o->variant_hash);
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    o->next = NULL;
    o->resource = NULL;
    r->n--;
    r->busy -= !o->evict.weight;
}

/* Takes the index's reference with it: the caller unrefs when the lock is given back. */
static void take_out(struct cache *c, struct object *o)
{
    unlink_object(o);
    /* A weight says that it was published. */
    if (o->evict.weight) {
        evict_remove(c->evict, &o->evict);
        o->evict.weight = 0;
        atomic_fetch_sub_explicit(&c->objects, 1, memory_order_relaxed);
    }
}

static bool may_be_idle(struct cache *c, const struct resource *r)
{
    int64_t others = atomic_load_explicit(&c->idle_bytes, memory_order_relaxed) - r->idle_bytes;
    /* Long ones share half of it, so that a few of them do not keep out many short ones. */
    int64_t most = c->memory.budget_bytes / IDLE_PART / (idle_cost(r) > IDLE_LONG ? 2 : 1);
    return others + idle_cost(r) <= most &&
           atomic_load_explicit(&c->resources, memory_order_relaxed) <
               atomic_load_explicit(&c->objects, memory_order_relaxed) + RESOURCES_IDLE_MAX;
}

/* Others without objects that stand near r, until there is room for it. */
static void drop_idle_neighbours(struct cache *c, struct resource *r)
{
    const struct shard *s = r->shard;
    for (size_t i = 0; i <= s->mask && i < IDLE_NEIGHBOURS && !may_be_idle(c, r); i++) {
        struct resource **at = &s->buckets[(r->hash.lo + i) & s->mask];
        while (*at) {
            struct resource *k = *at;
            if (k == r || k->n > 0) {
                at = &k->next;
                continue;
            }
            *at = k->next;
            free_resource(c, k);
        }
    }
}

/* A resource without objects is kept for a while for what is known of it, if that is anything. What a stranger makes us
 * remember by asking for URLs that store nothing is bounded: the newcomer takes the place of neighbours, or is not kept. */
static void drop_if_idle(struct cache *c, struct resource *r)
{
    if (r->n > 0)
        return;
    bool tells = r->rule || r->no_queue_until_ms || r->over_size_until_ms || r->last_reason;
    if (tells && !may_be_idle(c, r))
        drop_idle_neighbours(c, r);
    if (tells && may_be_idle(c, r)) {
        count_idle(c, r, idle_cost(r));
        return;
    }
    struct resource **at = &r->shard->buckets[r->hash.lo & r->shard->mask];
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    free_resource(c, r);
}

static void set_variant(struct object *o, const struct place *p)
{
    mem_free((char *)(uintptr_t)o->variant.p);
    o->variant = STR_NONE;
    if (p->variant.n) {
        char *copy = mem_alloc(p->variant.n);
        memcpy(copy, p->variant.p, p->variant.n);
        o->variant = (struct str){ copy, p->variant.n };
    }
    o->variant_hash = p->variant_hash;
}

/* ---- looking up ---- */

/* The youngest sealed object and the running fetch's of a variant. */
static void find_variant(struct resource *r, const struct place *p, struct object **sealed,
                         struct object **busy)
{
    *sealed = *busy = NULL;
    for (struct object *o = *bucket_of(r, p->variant_hash); o; o = o->next) {
        if (!is_variant(o, p))
            continue;
        enum object_state state = object_state(o);
        if (state == OBJECT_SEALED && !*sealed)
            *sealed = o;
        else if (state < OBJECT_SEALED && !*busy)
            *busy = o;
    }
}

static struct object *begin_busy(struct cache *c, struct resource *r, const struct look *l)
{
    /* The number at which what is stored was looked at: a purge between that look and now would be missed by a refresh
     * that is confirmed by a 304. */
    struct object *o = object_new(c, l->published);
    set_variant(o, &l->place);
    link_object(c, r, o); /* the index has this reference */
    r->used_ms = l->now.mono_ms;
    return object_ref(o);
}

bool index_is_outdated(struct object *o, const struct look *l)
{
    struct object_purged p = object_check_purged(o, l->published, l->now.mono_ms);
    if (p.gone || (p.soft_ms < 0 && !p.invalidated))
        return p.gone;
    struct age age = policy_age(&o->fresh, l->now.mono_ms - o->received_mono_ms, p.soft_ms);
    return policy_reuse(&o->fresh, age, p.invalidated, l->request) == REUSE_REVALIDATE;
}

/* May a request wait for it? Not when what it brings was purged before the request arrived. */
static bool is_joinable(struct object *o, const struct look *l)
{
    if (!l->may_join || object_is_closed(o))
        return false;
    if (object_state(o) == OBJECT_NEW)
        return !l->authorization;
    return o->stored && !index_is_outdated(o, l);
}

/*
 * Under the shard's lock: nothing stored may be used as it is. Joins what runs or begins a fetch.
 * `begun`: the outcome when this request begins it.
 */
static void join_or_begin(struct cache *c, struct resource *r, const struct look *l, enum outcome begun,
                          struct object *busy, struct found *out, struct object **withdrawn)
{
    if (busy && is_joinable(busy, l)) {
        out->outcome = OUTCOME_JOIN;
        out->busy = object_ref(busy);
        return;
    }
    if (busy && object_state(busy) != OBJECT_NEW && index_is_outdated(busy, l)) {
        /* It goes on for those who asked before the purge; nobody finds it any more. */
        take_out(c, busy);
        *withdrawn = busy;
        busy = NULL;
    }
    /* With Authorization nobody joins until the answer is known to be for all, so it is not announced either. */
    if (!l->may_fetch || busy || out->no_queue || (out->over_size && l->has_range) || l->authorization ||
        !l->may_join) {
        out->outcome = OUTCOME_PASS;
        return;
    }
    out->outcome = begun;
    out->busy = begin_busy(c, r, l);
}

/* Is a refresh of what is served stale wanted now? */
static void refresh_or_not(struct cache *c, struct resource *r, const struct look *l, struct object *busy,
                           struct found *out)
{
    int64_t next = atomic_load_explicit(&out->stored->next_refresh_ms, memory_order_relaxed);
    out->outcome = OUTCOME_STALE_JOIN;
    if (busy || !l->may_fetch)
        return;
    if (next > l->now.mono_ms) {
        out->backing_off = true;
        return;
    }
    out->outcome = OUTCOME_STALE;
    out->busy = begin_busy(c, r, l);
}

enum usable { USABLE_GONE, USABLE_YES, USABLE_STALE, USABLE_NO };

/* Without a lock: what may be done with the stored object. */
static enum usable judge_stored(struct object *o, const struct look *l, struct found *out)
{
    struct object_purged p = object_check_purged(o, l->published, l->now.mono_ms);
    if (p.gone)
        return USABLE_GONE;
    out->invalidated = p.invalidated;
    out->age = policy_age(&o->fresh, l->now.mono_ms - o->received_mono_ms, p.soft_ms);
    switch (policy_reuse(&o->fresh, out->age, p.invalidated, l->request)) {
    case REUSE_FRESH: return USABLE_YES;
    case REUSE_STALE: return USABLE_STALE;
    default: return USABLE_NO;
    }
}

/* One attempt; false: the stored object turned out to be gone, look again. */
static bool look_once(struct cache *c, const struct look *l, struct found *out)
{
    struct shard *s = shard_of(c, &l->place.hash);
    struct object *sealed = NULL, *busy = NULL, *withdrawn = NULL;
    *out = (struct found){ .outcome = OUTCOME_PASS };

    lock_take(&s->lock);
    struct resource *r = find_resource(s, &l->place);
    if (!r && l->may_fetch)
        r = add_resource(c, s, &l->place, l->now.mono_ms);
    if (r && r->rule != l->place.rule && !rule_equal(r->rule, l->place.rule)) {
        out->outcome = OUTCOME_RULE;
        out->rule = rule_ref(r->rule);
        lock_give(&s->lock);
        return true;
    }
    if (r) {
        out->no_queue = r->no_queue_until_ms > l->now.mono_ms;
        out->over_size = r->over_size_until_ms > l->now.mono_ms;
        find_variant(r, &l->place, &sealed, &busy);
        out->known = r->n > (busy ? 1u : 0u);
        if (sealed)
            out->stored = object_ref(sealed);
        else
            join_or_begin(c, r, l, OUTCOME_MISS, busy, out, &withdrawn);
        drop_if_idle(c, r);
    }
    lock_give(&s->lock);
    object_unref(withdrawn);
    if (!out->stored)
        return true;

    enum usable usable = judge_stored(out->stored, l, out);
    if (usable == USABLE_GONE) {
        index_withdraw(out->stored);
        object_unref(out->stored);
        return false;
    }
    if (usable == USABLE_YES) {
        evict_touch(&out->stored->evict);
        out->outcome = OUTCOME_HIT;
        return true;
    }
    withdrawn = NULL;
    lock_take(&s->lock);
    r = find_resource(s, &l->place);
    sealed = NULL;
    if (r)
        find_variant(r, &l->place, &sealed, &busy);
    if (sealed != out->stored) {
        /* Withdrawn while the lock was not held, or a younger one stands there, sealed and perhaps not yet published: it needs no second
         * refresh. */
        lock_give(&s->lock);
        object_unref(out->stored);
        return false;
    }
    if (usable == USABLE_STALE) {
        evict_touch(&out->stored->evict);
        refresh_or_not(c, r, l, busy, out);
    } else {
        join_or_begin(c, r, l, OUTCOME_EXPIRED, busy, out, &withdrawn);
    }
    lock_give(&s->lock);
    object_unref(withdrawn);
    return true;
}

void index_look(struct cache *c, const struct look *look, struct found *out)
{
    while (!look_once(c, look, out))
        ;
}

/* ---- the fetch's side ---- */

void index_begin(struct object *o, const struct place *place, int64_t now_mono_ms)
{
    o->begun_mono_ms = now_mono_ms;
    o->unsafe = atomic_load_explicit(&shard_of(o->cache, &place->hash)->unsafe, memory_order_acquire);
}

bool index_invalidates(struct cache *c, const struct place *place)
{
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    bool known = find_resource(s, place) != NULL;
    /* Under the lock: a publishing is before it, and then it is known, or after it, and then it sees the count. */
    if (!known)
        atomic_fetch_add_explicit(&s->unsafe, 1, memory_order_release);
    lock_give(&s->lock);
    return known;
}

static struct resource *find_or_add(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    struct resource *r = find_resource(s, p);
    return r ? r : add_resource(c, s, p, now_ms);
}

void index_settle(struct object *o, const struct place *place, struct rule *rule)
{
    struct cache *c = o->cache;
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    struct resource *r = o->resource;
    if (r) {
        unlink_object(o);
        set_variant(o, place);
        set_rule(c, r, rule);
        link_object(c, r, o);
    } else {
        /* Private until it is sealed, or withdrawn by a purge: it keeps its key, the resource learns the rule. */
        set_variant(o, place);
        r = find_or_add(c, s, place, o->received_mono_ms);
        set_rule(c, r, rule);
    }
    lock_give(&s->lock);
}

void index_learn(struct cache *c, const struct place *place, struct rule *rule, int64_t now_mono_ms)
{
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    /* A private fetch may have had no resource; a rule is worth one. */
    struct resource *r = find_or_add(c, s, place, now_mono_ms);
    set_rule(c, r, rule);
    drop_if_idle(c, r);
    lock_give(&s->lock);
}

/* Over the limit of variants: of some of the oldest the least used goes. NULL: none can. */
static struct object *least_used(struct resource *r, const struct object *but)
{
    struct object *least = NULL;
    unsigned looked_at = 0;
    /* Where to begin changes with each new variant, so that all buckets have their turn. */
    uint32_t first = (uint32_t)(but->variant_hash >> 32);
    for (uint32_t i = 0; i <= r->mask && looked_at < LEAST_USED_LOOK_AT; i++)
        for (struct object *o = r->buckets[(first + i) & r->mask]; o; o = o->next) {
            if (o == but || object_state(o) != OBJECT_SEALED)
                continue;
            looked_at++;
            if (!least ||
                atomic_load_explicit(&o->evict.uses, memory_order_relaxed) <
                    atomic_load_explicit(&least->evict.uses, memory_order_relaxed) ||
                (atomic_load_explicit(&o->evict.uses, memory_order_relaxed) ==
                     atomic_load_explicit(&least->evict.uses, memory_order_relaxed) &&
                 o->received_mono_ms < least->received_mono_ms))
                least = o;
        }
    return least;
}

#define GONE_MAX 4

bool index_publish(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms)
{
    struct cache *c = o->cache;
    struct shard *s = shard_of(c, &place->hash);
    struct object *gone[GONE_MAX];
    unsigned gone_n = 0;
    bool published = true;
    /* Out of the index, the sweep does not see its number. */
    lock_take(&s->lock);
    bool too_old = !o->resource && now_mono_ms - o->begun_mono_ms > PRIVATE_MOST_MS;
    lock_give(&s->lock);
    if (too_old || object_check_purged(o, epochs_published(c->epochs), now_mono_ms).gone) {
        index_withdraw(o);
        return false;
    }
    lock_take(&s->lock);
    if (!o->resource && atomic_load_explicit(&s->unsafe, memory_order_relaxed) != o->unsafe) {
        /* It may be of the URL that one of them was for. */
        lock_give(&s->lock);
        return false;
    }
    struct resource *r = find_or_add(c, s, place, o->received_mono_ms);
    struct object *old = NULL; /* the one whose place among those to be evicted it takes */
    for (struct object *k = *bucket_of(r, place->variant_hash), *next; k && gone_n < GONE_MAX - 1; k = next) {
        next = k->next;
        if (k == o || object_state(k) != OBJECT_SEALED || !is_variant(k, place))
            continue;
        if (k->begin > o->begin && k->evict.weight) {
            published = false;
            continue;
        }
        if (!old && k->evict.weight)
            old = k;
        else
            take_out(c, k);
        gone[gone_n++] = k;
    }
    if (!published) {
        if (old)
            take_out(c, old);
        if (o->resource) {
            take_out(c, o);
            gone[gone_n++] = o;
        }
    } else {
        if (!o->resource) {
            object_ref(o);
            link_object(c, r, o);
        }
        r->used_ms = o->received_mono_ms;
        r->last_reason = REASON_NONE;
        o->evict.fingerprint = r->hash.lo ^ (o->variant_hash * 0x9e3779b97f4a7c15u);
        o->evict.weight = o->charged + (o->body ? body_charged(o->body) : 0) + 1;
        r->busy--;
        atomic_fetch_add_explicit(&c->objects, 1, memory_order_relaxed);
        if (old) {
            evict_replace(c->evict, &old->evict, &o->evict);
            take_out(c, old);
        } else {
            evict_insert(c->evict, &o->evict);
        }
        struct object *least = r->n > variants_max && gone_n < GONE_MAX ? least_used(r, o) : NULL;
        if (least) {
            take_out(c, least);
            gone[gone_n++] = least;
        }
    }
    lock_give(&s->lock);
    for (unsigned i = 0; i < gone_n; i++)
        object_unref(gone[i]);
    return published;
}

/* An object's resource may only be read under its shard's lock; its shard never changes once it has one. */
void index_withdraw(struct object *o)
{
    struct cache *c = o->cache;
    struct shard *s = atomic_load_explicit(&o->shard, memory_order_acquire);
    if (!s)
        return;
    lock_take(&s->lock);
    struct resource *r = o->resource;
    bool was_in = r != NULL;
    if (was_in) {
        take_out(c, o);
        drop_if_idle(c, r);
    }
    lock_give(&s->lock);
    if (was_in)
        object_unref(o);
}

void index_mark(struct cache *c, const struct place *place, const struct index_note *note,
                int64_t now_mono_ms)
{
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    struct resource *r = find_or_add(c, s, place, now_mono_ms);
    if (note->no_queue_until_ms)
        r->no_queue_until_ms = note->no_queue_until_ms;
    if (note->over_size_until_ms)
        r->over_size_until_ms = note->over_size_until_ms;
    r->last_reason = (uint8_t)note->reason;
    r->used_ms = now_mono_ms;
    drop_if_idle(c, r);
    lock_give(&s->lock);
}

struct index_facts index_facts(struct cache *c, const struct place *place, int64_t now_mono_ms)
{
    struct index_facts f = { 0 };
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    struct resource *r = find_resource(s, place);
    if (r) {
        f.known = true;
        f.last_reason = (enum reason)r->last_reason;
        f.no_queue_left_ms = r->no_queue_until_ms > now_mono_ms ? r->no_queue_until_ms - now_mono_ms : 0;
        f.over_size_left_ms = r->over_size_until_ms > now_mono_ms ? r->over_size_until_ms - now_mono_ms : 0;
        for (uint32_t i = 0; i <= r->mask; i++)
            for (struct object *o = r->buckets[i]; o; o = o->next) {
                f.busy |= object_state(o) < OBJECT_SEALED;
                f.variants += object_state(o) == OBJECT_SEALED;
            }
    }
    lock_give(&s->lock);
    return f;
}

struct rule *index_rule(struct cache *c, const struct place *place, bool *known, bool *busy)
{
    struct shard *s = shard_of(c, &place->hash);
    struct rule *rule = NULL;
    *known = *busy = false;
    lock_take(&s->lock);
    struct resource *r = find_resource(s, place);
    if (r) {
        *known = true;
        *busy = r->busy > 0;
        rule = rule_ref(r->rule);
    }
    lock_give(&s->lock);
    return rule;
}

struct object *index_peek(struct cache *c, const struct place *place)
{
    struct shard *s = shard_of(c, &place->hash);
    struct object *sealed = NULL, *busy = NULL;
    lock_take(&s->lock);
    struct resource *r = find_resource(s, place);
    if (r)
        find_variant(r, place, &sealed, &busy);
    if (sealed)
        object_ref(sealed);
    lock_give(&s->lock);
    return sealed;
}

/* ---- the sweep ---- */

/* Purged, or expired so long ago that it is of no more use. */
static bool is_spent(struct object *o, uint64_t published, int64_t now_ms)
{
    struct object_purged p = object_check_purged(o, published, now_ms);
    if (p.gone)
        return true;
    struct age age = policy_age(&o->fresh, now_ms - o->received_mono_ms, p.soft_ms);
    int64_t window =
        o->fresh.stale_while_ms > o->fresh.stale_error_ms ? o->fresh.stale_while_ms : o->fresh.stale_error_ms;
    return age.stale_ms > window + EXPIRED_KEPT_MS;
}

#define SWEEP_OBJECTS 256 /* most given back in one hold of a lock */

static size_t sweep_resource(struct cache *c, struct resource *r, uint64_t published, struct now now,
                             struct object **gone, size_t gone_n)
{
    for (uint32_t i = 0; i <= r->mask && gone_n < SWEEP_OBJECTS; i++)
        for (struct object *o = r->buckets[i], *next; o && gone_n < SWEEP_OBJECTS; o = next) {
            next = o->next;
            /* A fetch in flight keeps its own number alive, and so does what it becomes. */
            if (o->begin < c->sweep_oldest)
                c->sweep_oldest = o->begin;
            if (object_state(o) != OBJECT_SEALED || !is_spent(o, published, now.mono_ms))
                continue;
            take_out(c, o);
            gone[gone_n++] = o;
        }
    return gone_n;
}

bool index_sweep(struct cache *c, size_t resources, struct now now)
{
    struct object *gone[SWEEP_OBJECTS];
    size_t gone_n = 0;
    uint64_t published = epochs_published(c->epochs);
    struct shard *s = &c->shards[c->sweep_shard];
    if (c->sweep_shard == 0 && c->sweep_bucket == 0)
        c->sweep_oldest = published;

    lock_take(&s->lock);
    while (c->sweep_bucket <= s->mask && resources > 0 && gone_n < SWEEP_OBJECTS) {
        struct resource **at = &s->buckets[c->sweep_bucket];
        while (*at && gone_n < SWEEP_OBJECTS) {
            struct resource *r = *at;
            gone_n = sweep_resource(c, r, published, now, gone, gone_n);
            resources -= resources > 0;
            if (r->n == 0)
                count_idle(c, r, idle_cost(r));
            bool idle = r->n == 0 && now.mono_ms - r->used_ms > RESOURCE_KEPT_MS;
            if (idle && now.mono_ms > r->no_queue_until_ms && now.mono_ms > r->over_size_until_ms) {
                *at = r->next;
                free_resource(c, r);
            } else {
                at = &r->next;
            }
        }
        if (gone_n < SWEEP_OBJECTS)
            c->sweep_bucket++;
    }
    bool shard_done = c->sweep_bucket > s->mask;
    lock_give(&s->lock);
    for (size_t i = 0; i < gone_n; i++)
        object_unref(gone[i]);
    atomic_fetch_add_explicit(&c->swept, gone_n, memory_order_relaxed);
    if (!shard_done)
        return false;
    c->sweep_bucket = 0;
    c->sweep_shard = (c->sweep_shard + 1) % CACHE_SHARDS;
    return c->sweep_shard == 0;
}

void index_fini(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        for (size_t b = 0; b <= s->mask; b++)
            while (s->buckets[b]) {
                struct resource *r = s->buckets[b];
                for (uint32_t k = 0; k <= r->mask; k++)
                    while (r->buckets[k]) {
                        struct object *o = r->buckets[k];
                        take_out(c, o);
                        object_unref(o);
                    }
                s->buckets[b] = r->next;
                free_resource(c, r);
            }
        charge_buckets(c, -((int64_t)s->mask + 1));
        mem_free(s->buckets);
        lock_fini(&s->lock);
    }
}
