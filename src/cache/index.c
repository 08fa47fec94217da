#include "cache/index.h"

#include <string.h>

#include "cache/table.h"

#define BUSY_BITS 23
#define BUSY_MOST ((1u << BUSY_BITS) - 1)

/*
 * A resource. Its objects are a short list, or a table when they are many, so that a page with a thousand query strings is found as
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
    uint32_t n;                /* objects, busy ones too */
    uint32_t busy : BUSY_BITS; /* those that are not published */
    uint32_t last_reason : 6;  /* enum reason */
    uint32_t has_many : 1;
    uint32_t idle : 1;  /* counted in the cache's idle_bytes: it has no objects */
    uint32_t swept : 1; /* the sweep is somewhere in its table: it does not get smaller */
    uint32_t no_queue_until_s, over_size_until_s;
    uint32_t used_s; /* when an object was last added or it was last marked */
    char primary[];
};

#define FEW                8
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
    p->variant_hash = p->variant.n ? (uint32_t)hash64(c->secret, p->variant) : 0;
}

/* ---- shards and resources ---- */

static uint32_t seconds(int64_t ms)
{
    return (uint32_t)(ms / 1000);
}

/* Milliseconds until then; 0: it is over. */
static int64_t left_ms(uint32_t until_s, int64_t now_ms)
{
    int64_t left = (int64_t)until_s * 1000 - now_ms;
    return left > 0 ? left : 0;
}

_Static_assert(CACHE_SHARDS == 1 << 8 && REASON_COUNT <= 1 << 6,
               "of a hash eight bits say the shard; a reason has six");

/* Of a resource's hash the upper bits say the shard, the lower ones the place in it. */
static unsigned shard_at(uint32_t hash)
{
    return hash >> 24;
}

static struct shard *shard_of(struct cache *c, const struct hash128 *hash)
{
    return &c->shards[shard_at((uint32_t)hash->lo)];
}

static uint32_t hash_of(const struct place *p)
{
    return (uint32_t)p->hash.lo;
}

static struct shard *shard_of_resource(struct cache *c, const struct resource *r)
{
    return &c->shards[shard_at(r->node.hash)];
}

void index_init(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        lock_init(&s->lock);
        table_init(&s->resources, &c->memory);
    }
}

static struct resource *resource_of(struct table_node *node)
{
    return CONTAINER_OF(node, struct resource, node);
}

static struct resource *find_resource(const struct shard *s, const struct place *p)
{
    struct table_node *node = *table_chain(&s->resources, hash_of(p));
    while (node && !(node->hash == hash_of(p) && node->own == p->primary.n &&
                     memcmp(resource_of(node)->primary, p->primary.p, p->primary.n) == 0))
        node = node->next;
    return node ? resource_of(node) : NULL;
}

static size_t resource_bytes(const struct resource *r)
{
    return offsetof(struct resource, primary) + r->node.own;
}

static struct resource *add_resource(struct cache *c, struct shard *s, const struct place *p, int64_t now_ms)
{
    CHECK(p->primary.n <= UINT32_MAX);
    struct resource *r = memory_zero(&c->memory, offsetof(struct resource, primary) + p->primary.n);
    r->node.hash = hash_of(p);
    r->node.own = (uint32_t)p->primary.n;
    r->used_s = seconds(now_ms);
    memcpy(r->primary, p->primary.p, p->primary.n);
    memory_charge(&c->memory, (int64_t)memory_cost(resource_bytes(r)));
    table_add(&s->resources, &c->memory, &r->node);
    atomic_fetch_add_explicit(&c->resources, 1, memory_order_relaxed);
    return r;
}

static void count_idle(struct cache *c, int64_t bytes)
{
    atomic_fetch_add_explicit(&c->idle_bytes, bytes, memory_order_relaxed);
}

static void set_rule(struct cache *c, struct resource *r, struct rule *rule)
{
    if (r->rule == rule)
        return;
    int64_t more = (int64_t)rule_bytes(rule) - (int64_t)rule_bytes(r->rule);
    memory_charge(&c->memory, more);
    if (r->idle)
        count_idle(c, more);
    struct rule *old = r->rule;
    r->rule = rule_ref(rule);
    rule_unref(old);
}

static int64_t idle_cost(const struct resource *r)
{
    return (int64_t)(memory_cost(resource_bytes(r)) + rule_bytes(r->rule));
}

static void set_idle(struct cache *c, struct resource *r, bool idle)
{
    if (r->idle != idle)
        count_idle(c, idle ? idle_cost(r) : -idle_cost(r));
    r->idle = idle;
}

static void free_resource(struct cache *c, struct resource *r)
{
    CHECK(r->n == 0 && r->busy == 0);
    set_idle(c, r, false);
    set_rule(c, r, NULL);
    if (r->has_many) {
        table_fini(r->objects.many, &c->memory);
        memory_charge(&c->memory, -(int64_t)memory_cost(sizeof(struct table)));
        memory_give(&c->memory, r->objects.many, sizeof(struct table));
    }
    table_remove(&shard_of_resource(c, r)->resources, &r->node);
    memory_charge(&c->memory, -(int64_t)memory_cost(resource_bytes(r)));
    atomic_fetch_sub_explicit(&c->resources, 1, memory_order_relaxed);
    memory_give(&c->memory, r, resource_bytes(r));
}

/* ---- a resource's objects ---- */

static struct object *object_of(struct table_node *node)
{
    return node ? CONTAINER_OF(node, struct object, node) : NULL;
}

/* All that may be of that variant. */
static struct object *first_of_variant(const struct resource *r, const struct place *p)
{
    return object_of(r->has_many ? *table_chain(r->objects.many, p->variant_hash) : r->objects.few);
}

/* A walk over all objects: lists from 0 to lists_of - 1. */
static uint32_t lists_of(const struct resource *r)
{
    return r->has_many ? r->objects.many->buckets : 1;
}

static struct object *first_of_list(const struct resource *r, uint32_t list)
{
    return object_of(r->has_many ? *table_bucket(r->objects.many, list) : r->objects.few);
}

static struct object *next_of(struct object *o)
{
    return object_of(o->node.next);
}

static bool is_variant(const struct object *o, const struct place *p)
{
    return o->node.hash == p->variant_hash && str_eq(object_variant(o), p->variant);
}

/* From a list to a table: the oldest first, so that the youngest comes to stand in front. */
static void make_table(struct cache *c, struct resource *r)
{
    struct table_node *oldest = NULL;
    for (struct table_node *node = r->objects.few, *next; node; node = next) {
        next = node->next;
        node->next = oldest;
        oldest = node;
    }
    struct table *t = memory_zero(&c->memory, sizeof(*t));
    memory_charge(&c->memory, (int64_t)memory_cost(sizeof(*t)));
    table_init(t, &c->memory);
    for (struct table_node *node = oldest, *next; node; node = next) {
        next = node->next;
        table_add(t, &c->memory, node);
    }
    r->objects.many = t;
    r->has_many = true;
}

static void add_busy(struct resource *r, int n)
{
    uint32_t busy = r->busy + (uint32_t)n;
    CHECK(busy <= BUSY_MOST);
    r->busy = busy & BUSY_MOST;
}

static void link_object(struct cache *c, struct resource *r, struct object *o)
{
    if (r->n == FEW && !r->has_many)
        make_table(c, r);
    if (r->has_many) {
        table_add(r->objects.many, &c->memory, &o->node);
    } else {
        o->node.next = r->objects.few;
        r->objects.few = &o->node;
    }
    o->resource = r;
    atomic_store_explicit(&o->shard, (uint16_t)(shard_at(r->node.hash) + 1), memory_order_release);
    r->n++;
    if (!o->evict.weight)
        add_busy(r, 1);
    set_idle(c, r, false);
}

static void unlink_object(struct object *o)
{
    struct resource *r = o->resource;
    if (r->has_many) {
        table_remove(r->objects.many, &o->node);
        if (!r->swept)
            table_shrink(r->objects.many, memory_of(o->memory), 2);
    } else {
        struct table_node **at = &r->objects.few;
        while (*at != &o->node)
            at = &(*at)->next;
        *at = o->node.next;
        o->node.next = NULL;
    }
    o->resource = NULL;
    r->n--;
    if (!o->evict.weight)
        add_busy(r, -1);
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
    int64_t cost = idle_cost(r);
    int64_t others = atomic_load_explicit(&c->idle_bytes, memory_order_relaxed) - (r->idle ? cost : 0);
    /* Long ones share half of it, so that a few of them do not keep out many short ones. */
    int64_t most = c->memory.budget_bytes / IDLE_PART / (cost > IDLE_LONG ? 2 : 1);
    return others + cost <= most &&
           atomic_load_explicit(&c->resources, memory_order_relaxed) <
               atomic_load_explicit(&c->objects, memory_order_relaxed) + RESOURCES_IDLE_MAX;
}

/* What is known of it beside its objects, if that is anything. */
static bool tells(const struct resource *r)
{
    return r->rule || r->no_queue_until_s || r->over_size_until_s || r->last_reason;
}

static void keep_or_free(struct cache *c, struct resource *r)
{
    if (tells(r) && may_be_idle(c, r))
        set_idle(c, r, true);
    else
        free_resource(c, r);
}

/* Others without objects that stand near r, until there is room for it. */
static void drop_idle_neighbours(struct cache *c, struct resource *r)
{
    const struct table *t = &shard_of_resource(c, r)->resources;
    for (uint32_t i = 0; i < t->buckets && i < IDLE_NEIGHBOURS && !may_be_idle(c, r); i++)
        for (struct table_node *node = *table_chain(t, r->node.hash + i), *next; node; node = next) {
            next = node->next;
            if (node != &r->node && resource_of(node)->n == 0)
                free_resource(c, resource_of(node));
        }
}

/* A resource without objects is kept for a while for what is known of it, if that is anything. What a stranger makes us
 * remember by asking for URLs that store nothing is bounded: the newcomer takes the place of neighbours, or is not kept. */
static void drop_if_idle(struct cache *c, struct resource *r)
{
    if (r->n > 0)
        return;
    if (tells(r) && !may_be_idle(c, r))
        drop_idle_neighbours(c, r);
    keep_or_free(c, r);
}

static void set_variant(struct object *o, const struct place *p)
{
    object_set_variant(o, p->variant);
    o->node.hash = p->variant_hash;
}

/* ---- looking up ---- */

/* The youngest sealed object and the running fetch's of a variant. */
static void find_variant(struct resource *r, const struct place *p, struct object **sealed,
                         struct object **busy)
{
    *sealed = *busy = NULL;
    for (struct object *o = first_of_variant(r, p); o; o = next_of(o)) {
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
    r->used_s = seconds(l->now.mono_ms);
    return object_ref(o);
}

bool index_is_outdated(struct object *o, const struct look *l)
{
    struct object_purged p = object_check_purged(o, l->published, l->now.mono_ms);
    if (p.gone || (p.soft_ms < 0 && !p.invalidated))
        return p.gone;
    struct object_life life = object_life(o, l->now.mono_ms, p.soft_ms);
    return policy_reuse(&life.fresh, life.age, p.invalidated, l->request) == REUSE_REVALIDATE;
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
    int64_t next = object_next_refresh_ms(out->stored);
    out->outcome = OUTCOME_STALE_JOIN;
    if (busy || !l->may_fetch)
        return;
    out->untried = next <= l->now.mono_ms && l->sick && !l->may_try;
    if (next > l->now.mono_ms || out->untried) {
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
    struct object_life life = object_life(o, l->now.mono_ms, p.soft_ms);
    out->age = life.age;
    switch (policy_reuse(&life.fresh, life.age, p.invalidated, l->request)) {
    case REUSE_FRESH: return USABLE_YES;
    case REUSE_STALE: return USABLE_STALE;
    default:
        out->for_sickness =
            l->sick && policy_stale_on_error(&life.fresh, life.age, p.invalidated, l->request);
        return out->for_sickness ? USABLE_STALE : USABLE_NO;
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
        out->no_queue = left_ms(r->no_queue_until_s, l->now.mono_ms) > 0;
        out->over_size = left_ms(r->over_size_until_s, l->now.mono_ms) > 0;
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
    o->unsafe = atomic_load_explicit(&shard_of(object_cache(o), &place->hash)->unsafe[place->hash.lo % 64],
                                     memory_order_acquire);
}

bool index_invalidates(struct cache *c, const struct place *place)
{
    struct shard *s = shard_of(c, &place->hash);
    lock_take(&s->lock);
    bool known = find_resource(s, place) != NULL;
    /* Under the lock: a publishing is before it, and then it is known, or after it, and then it sees the count. */
    if (!known)
        atomic_fetch_add_explicit(&s->unsafe[place->hash.lo % 64], 1, memory_order_release);
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
    struct cache *c = object_cache(o);
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
        r = find_or_add(c, s, place, object_received_ms(o));
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
    /* Where to begin changes with each new variant, so that all have their turn. */
    uint32_t lists = lists_of(r);
    for (uint32_t i = 0; i < lists && looked_at < LEAST_USED_LOOK_AT; i++)
        for (struct object *o = first_of_list(r, (but->node.hash + i) % lists); o; o = next_of(o)) {
            if (o == but || object_state(o) != OBJECT_SEALED)
                continue;
            looked_at++;
            if (!least ||
                atomic_load_explicit(&o->evict.uses, memory_order_relaxed) <
                    atomic_load_explicit(&least->evict.uses, memory_order_relaxed) ||
                (atomic_load_explicit(&o->evict.uses, memory_order_relaxed) ==
                     atomic_load_explicit(&least->evict.uses, memory_order_relaxed) &&
                 object_received_ms(o) < object_received_ms(least)))
                least = o;
        }
    return least;
}

/* Beyond 4 GB it weighs no more: the queues share by weight, the budget goes by what is charged. */
static uint32_t weight_of(const struct object *o)
{
    size_t bytes = object_charged(o) + (o->body ? body_charged(o->body) : 0) + 1;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

#define GONE_MAX 4

bool index_publish(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms)
{
    struct cache *c = object_cache(o);
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
    if (!o->resource &&
        atomic_load_explicit(&s->unsafe[place->hash.lo % 64], memory_order_relaxed) != o->unsafe) {
        /* It may be of the URL that one of them was for. */
        lock_give(&s->lock);
        return false;
    }
    struct resource *r = find_or_add(c, s, place, object_received_ms(o));
    struct object *old = NULL; /* the one whose place among those to be evicted it takes */
    for (struct object *k = first_of_variant(r, place), *next; k && gone_n < GONE_MAX - 1; k = next) {
        next = next_of(k);
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
        r->used_s = seconds(object_received_ms(o));
        r->last_reason = REASON_NONE;
        o->evict.fingerprint = (uint32_t)place->hash.lo ^ o->node.hash * 0x9e3779b1u;
        o->evict.weight = weight_of(o);
        link_init(&o->evict.link); /* when it began is known no more */
        add_busy(r, -1);
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
    struct cache *c = object_cache(o);
    unsigned shard = atomic_load_explicit(&o->shard, memory_order_acquire);
    if (!shard)
        return;
    struct shard *s = &c->shards[shard - 1];
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
        r->no_queue_until_s = seconds(note->no_queue_until_ms);
    if (note->over_size_until_ms)
        r->over_size_until_s = seconds(note->over_size_until_ms);
    r->last_reason = (unsigned)note->reason & 63;
    r->used_s = seconds(now_mono_ms);
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
        f.no_queue_left_ms = left_ms(r->no_queue_until_s, now_mono_ms);
        f.over_size_left_ms = left_ms(r->over_size_until_s, now_mono_ms);
        for (uint32_t i = 0; i < lists_of(r); i++)
            for (struct object *o = first_of_list(r, i); o; o = next_of(o)) {
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
    struct object_life life = object_life(o, now_ms, p.soft_ms);
    const struct freshness *f = &life.fresh;
    int64_t window = f->stale_while_ms > f->stale_error_ms ? f->stale_while_ms : f->stale_error_ms;
    return life.age.stale_ms > window + EXPIRED_KEPT_MS;
}

/*
 * In one hold of a shard's lock: so few that a hit does not wait long for it, though each is somewhere else in memory.
 * A resource with many variants takes several holds: `sweep_list` says where to go on in it.
 */
#define SWEEP_HOLD 32

struct sweep {
    uint64_t published;
    struct now now;
    unsigned looked_at; /* resources and objects */
    struct object *gone[SWEEP_HOLD];
    unsigned gone_n;
};

static bool is_full(const struct sweep *w)
{
    return w->looked_at >= SWEEP_HOLD || w->gone_n == SWEEP_HOLD;
}

/* true: it was looked at to its end. */
static bool sweep_objects(struct cache *c, struct resource *r, struct sweep *w)
{
    uint32_t list = c->sweep_list;
    for (; list < lists_of(r) && !is_full(w); list++)
        for (struct object *o = first_of_list(r, list), *next; o && w->gone_n < SWEEP_HOLD; o = next) {
            next = next_of(o);
            w->looked_at++;
            /* A fetch in flight keeps its own number alive, and so does what it becomes. */
            if (o->begin < c->sweep_oldest)
                c->sweep_oldest = o->begin;
            if (object_state(o) == OBJECT_SEALED && is_spent(o, w->published, w->now.mono_ms)) {
                r->swept = true;
                take_out(c, o);
                w->gone[w->gone_n++] = o;
            }
        }
    /* The latest list may not have been seen to its end. */
    c->sweep_list = w->gone_n == SWEEP_HOLD ? list - 1 : list;
    r->swept = c->sweep_list < lists_of(r);
    return !r->swept && (!r->has_many || table_shrink(r->objects.many, &c->memory, SWEEP_HOLD));
}

/* true: it was looked at to its end; it may be freed. */
static bool sweep_resource(struct cache *c, struct resource *r, struct sweep *w)
{
    w->looked_at++;
    if (!sweep_objects(c, r, w))
        return false;
    if (r->n > 0)
        return true;
    bool over = w->now.mono_ms - (int64_t)r->used_s * 1000 > RESOURCE_KEPT_MS;
    if (over && !left_ms(r->no_queue_until_s, w->now.mono_ms) &&
        !left_ms(r->over_size_until_s, w->now.mono_ms))
        free_resource(c, r);
    else
        keep_or_free(c, r); /* not neighbours, of whom one may be the next */
    return true;
}

/*
 * Each object stands somewhere else in memory, and so does all that it holds: what will be looked at some buckets on is asked for now,
 * one pointer further at each of three distances.
 */
#define AHEAD_RESOURCE 12
#define AHEAD_OBJECT   8
#define AHEAD_OWNED    4

static struct table_node *first_ahead(const struct table *t, uint32_t bucket)
{
    return bucket < t->buckets ? *table_bucket(t, bucket) : NULL;
}

static void fetch_ahead(const struct table *t, uint32_t bucket)
{
    struct table_node *node = first_ahead(t, bucket + AHEAD_RESOURCE);
    __builtin_prefetch(node);
    node = first_ahead(t, bucket + AHEAD_OBJECT);
    if (node && !resource_of(node)->has_many) {
        const char *o = (const char *)object_of(resource_of(node)->objects.few);
        for (size_t line = 0; o && line < sizeof(struct object); line += 64)
            __builtin_prefetch(o + line);
    }
    node = first_ahead(t, bucket + AHEAD_OWNED);
    struct object *o =
        node && !resource_of(node)->has_many ? object_of(resource_of(node)->objects.few) : NULL;
    if (o && object_state(o) == OBJECT_SEALED) { /* others are still being filled */
        __builtin_prefetch(o->response);
        __builtin_prefetch(o->body);
    }
}

static void sweep_bucket(struct cache *c, struct shard *s, struct sweep *w)
{
    struct table_node *first = *table_bucket(&s->resources, c->sweep_bucket), *node = first;
    while (c->sweep_in && node && node != &c->sweep_in->node)
        node = node->next;
    if (!node) { /* it has gone since, or moved to a bucket that is yet to come */
        c->sweep_in = NULL;
        node = first;
    }
    for (struct table_node *next; node; node = next) {
        next = node->next;
        if (!c->sweep_in) {
            c->sweep_in = resource_of(node);
            c->sweep_list = 0;
        }
        if (is_full(w) || !sweep_resource(c, c->sweep_in, w)) {
            w->looked_at = SWEEP_HOLD;
            return;
        }
        c->sweep_in = NULL;
    }
    c->sweep_bucket++;
}

bool index_sweep(struct cache *c, struct now now)
{
    struct sweep w = { .published = epochs_published(c->epochs), .now = now };
    struct shard *s = &c->shards[c->sweep_shard];
    if (c->sweep_shard == 0 && c->sweep_bucket == 0 && !c->sweep_in)
        c->sweep_oldest = w.published;

    lock_take(&s->lock);
    while (c->sweep_bucket < s->resources.buckets && !is_full(&w)) {
        fetch_ahead(&s->resources, c->sweep_bucket);
        sweep_bucket(c, s, &w);
    }
    bool shard_done =
        c->sweep_bucket >= s->resources.buckets && table_shrink(&s->resources, &c->memory, SWEEP_HOLD);
    lock_give(&s->lock);
    for (unsigned i = 0; i < w.gone_n; i++)
        object_unref(w.gone[i]);
    atomic_fetch_add_explicit(&c->swept, w.gone_n, memory_order_relaxed);
    if (!shard_done)
        return false;
    c->sweep_bucket = 0;
    c->sweep_shard = (c->sweep_shard + 1) % CACHE_SHARDS;
    return c->sweep_shard == 0;
}

static void drop_all(struct cache *c, struct resource *r)
{
    r->swept = true;
    for (uint32_t i = 0; i < lists_of(r); i++)
        for (struct object *o; (o = first_of_list(r, i)) != NULL;) {
            take_out(c, o);
            object_unref(o);
        }
    free_resource(c, r);
}

void index_fini(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        for (uint32_t b = 0; b < s->resources.buckets; b++)
            while (*table_bucket(&s->resources, b))
                drop_all(c, resource_of(*table_bucket(&s->resources, b)));
        table_fini(&s->resources, &c->memory);
        lock_fini(&s->lock);
    }
}
