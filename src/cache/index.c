#include "cache/resource.h"

#define LEAST_USED_LOOK_AT 16
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

/* ---- looking up ---- */

/* The youngest sealed object and the running fetch's of a variant. */
static void find_variant(struct resource *r, const struct place *p, struct object **sealed,
                         struct object **busy)
{
    *sealed = *busy = NULL;
    for (struct object *o = resource_first_of_variant(r, p); o; o = resource_next(o)) {
        if (!resource_is_variant(o, p))
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
    /* The number at which what is stored was looked at: a purge between that look and now would be missed by
     * a refresh that is confirmed by a 304. */
    struct object *o = object_new(c, l->published);
    resource_set_variant(o, &l->place);
    resource_link(c, r, o); /* the index has this reference */
    r->used_s = resource_seconds(l->now.mono_ms);
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

/* Milliseconds that the mark is in force; 0: it is not, or there is none. */
static int64_t mark_left_ms(const struct mark *m, int64_t now_ms)
{
    int64_t left = m ? (int64_t)m->until_s * 1000 - now_ms : 0;
    return left > 0 ? left : 0;
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
    out->no_queue =
        mark_left_ms(marks_find(&resource_shard(c, &l->place.hash)->marks, &l->place), l->now.mono_ms) > 0;
    if (busy && is_joinable(busy, l) && !(out->no_queue && object_state(busy) == OBJECT_NEW)) {
        out->outcome = OUTCOME_JOIN;
        out->busy = object_ref(busy);
        return;
    }
    if (busy && object_state(busy) != OBJECT_NEW && index_is_outdated(busy, l)) {
        /* It goes on for those who asked before the purge; nobody finds it any more. */
        resource_take_out(c, busy);
        *withdrawn = busy;
        busy = NULL;
    }
    /* With Authorization nobody joins until the answer is known to be for all, so it is not announced
     * either. */
    if (!l->may_fetch || busy || out->no_queue || l->authorization || !l->may_join) {
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

#define VARIANTS_LOOKED_AT 16

/* Is there a stored one that was not purged? Of very many variants some are looked at. */
static bool has_good_variant(const struct resource *r, uint64_t published, int64_t now_mono_ms)
{
    unsigned looked_at = 0;
    for (uint32_t i = 0; i < resource_lists(r); i++)
        for (struct object *o = resource_first_of_list(r, i); o; o = resource_next(o)) {
            if (object_state(o) != OBJECT_SEALED)
                continue;
            if (!object_check_purged(o, published, now_mono_ms).gone)
                return true;
            if (++looked_at == VARIANTS_LOOKED_AT)
                return false;
        }
    return false;
}

/* One attempt; false: the stored object turned out to be gone, look again. */
static bool look_once(struct cache *c, const struct look *l, struct found *out)
{
    struct shard *s = resource_shard(c, &l->place.hash);
    struct object *sealed = NULL, *busy = NULL, *withdrawn = NULL;
    *out = (struct found){ .outcome = OUTCOME_PASS };

    lock_take(&s->lock);
    struct resource *r = resource_find(s, &l->place);
    if (!r && l->may_fetch)
        r = resource_add(c, s, &l->place, l->now.mono_ms);
    if (r && r->rule != l->place.rule && !rule_equal(r->rule, l->place.rule)) {
        out->outcome = OUTCOME_RULE;
        out->rule = rule_ref(r->rule);
        lock_give(&s->lock);
        return true;
    }
    if (r) {
        find_variant(r, &l->place, &sealed, &busy);
        out->known = r->n > (busy ? 1u : 0u) && (sealed || has_good_variant(r, l->published, l->now.mono_ms));
        if (sealed)
            out->stored = object_ref(sealed);
        else
            join_or_begin(c, r, l, OUTCOME_MISS, busy, out, &withdrawn);
        resource_drop_if_idle(c, r);
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
    r = resource_find(s, &l->place);
    sealed = NULL;
    if (r)
        find_variant(r, &l->place, &sealed, &busy);
    if (sealed != out->stored) {
        /* Withdrawn while the lock was not held, or a younger one stands there, sealed and perhaps not yet
         * published: it needs no second refresh. */
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
    o->unsafe = atomic_load_explicit(
        &resource_shard(object_cache(o), &place->hash)->unsafe[place->hash.lo % 64], memory_order_acquire);
}

bool index_invalidates(struct cache *c, const struct place *place)
{
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    bool known = resource_find(s, place) != NULL;
    /* Under the lock: a publishing is before it, and then it is known, or after it, and then it sees the
     * count. */
    if (!known)
        atomic_fetch_add_explicit(&s->unsafe[place->hash.lo % 64], 1, memory_order_release);
    lock_give(&s->lock);
    return known;
}

/* Under the shard's lock. false: it keeps the rule that a 2xx brought. */
static bool take_rule(struct cache *c, struct resource *r, const struct rule *rule, bool of_2xx)
{
    bool harmless = !r->rule && rule_is_encoding_only(rule);
    if (!of_2xx && r->of_2xx && !harmless && !rule_equal(r->rule, rule))
        return false;
    resource_set_rule(c, r, rule);
    r->of_2xx |= of_2xx;
    return true;
}

static bool settle(struct object *o, const struct place *place, struct rule *rule, bool of_2xx)
{
    struct cache *c = object_cache(o);
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    /* A private one, or one withdrawn by a purge, is not in it until it is sealed: it keeps its key, the
     * resource learns the rule. */
    struct resource *in = o->resource,
                    *r = in ? in : resource_find_or_add(c, s, place, object_received_ms(o));
    bool taken = take_rule(c, r, rule, of_2xx);
    if (taken && in)
        resource_unlink(o);
    if (taken)
        resource_set_variant(o, place);
    if (taken && in)
        resource_link(c, r, o);
    if (!taken)
        resource_drop_if_idle(c, r);
    lock_give(&s->lock);
    return taken;
}

void index_settle(struct object *o, const struct place *place, struct rule *rule)
{
    settle(o, place, rule, true);
}

bool index_settle_other(struct object *o, const struct place *place, struct rule *rule)
{
    return settle(o, place, rule, false);
}

static void renew(struct mark *m, int64_t until_ms, int64_t now_ms)
{
    uint32_t until_s = resource_seconds(until_ms);
    m->used_s = resource_seconds(now_ms);
    if (m->until_s < until_s)
        m->until_s = until_s;
}

/* Under the shard's lock. */
static void mark_key(struct cache *c, struct shard *s, const struct place *place,
                     const struct index_note *note, int64_t now_ms)
{
    struct mark *m =
        marks_make(&s->marks, &c->memory, place, resource_seconds(now_ms), note->effect == MARK_SETS);
    if (!m)
        return;
    /* What permits storing says nothing of a page that was too large, as long as its length is not known. */
    bool keeps = note->effect == MARK_KEEPS ||
                 (note->effect == MARK_CLEARS && m->reason == REASON_TOO_LARGE && !note->is_short);
    if (keeps && mark_left_ms(m, now_ms) > 0) {
        renew(m, note->until_ms, now_ms);
        return;
    }
    if (note->effect == MARK_CLEARS)
        m->until_s = 0;
    m->reason = (unsigned)note->reason & ((1u << MARK_REASON_BITS) - 1);
    m->broken = note->broken;
    renew(m, note->effect == MARK_SETS ? note->until_ms : 0, now_ms);
}

void index_refuse(struct object *o, const struct place *place, const struct index_note *note,
                  int64_t now_mono_ms)
{
    struct cache *c = object_cache(o);
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    struct resource *r = o->resource;
    bool was_in = r != NULL;
    if (was_in)
        resource_take_out(c, o);
    resource_set_variant(o, place);
    if (note && note->has_rule && !r)
        /* A private fetch may have had no resource; a rule is worth one. */
        r = note->learn ? resource_find_or_add(c, s, place, now_mono_ms) : resource_find(s, place);
    if (note && note->has_rule && r && take_rule(c, r, note->learn, note->of_2xx)) {
        r->used_s = resource_seconds(now_mono_ms);
    }
    if (note)
        mark_key(c, s, place, note, now_mono_ms);
    if (r)
        resource_drop_if_idle(c, r);
    lock_give(&s->lock);
    if (was_in)
        object_unref(o);
}

void index_mark(struct cache *c, const struct place *place, const struct index_note *note,
                int64_t now_mono_ms)
{
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    mark_key(c, s, place, note, now_mono_ms);
    lock_give(&s->lock);
}

void index_renew(struct cache *c, const struct place *place, int64_t until_ms, int64_t now_mono_ms)
{
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    struct mark *m = marks_find(&s->marks, place);
    if (mark_left_ms(m, now_mono_ms) > 0)
        renew(m, until_ms, now_mono_ms);
    lock_give(&s->lock);
}

/* Over the limit of variants: of some of the oldest the least used goes. NULL: none can. */
static struct object *least_used(struct resource *r, const struct object *but)
{
    struct object *least = NULL;
    unsigned looked_at = 0;
    /* Where to begin changes with each new variant, so that all have their turn. */
    uint32_t lists = resource_lists(r);
    for (uint32_t i = 0; i < lists && looked_at < LEAST_USED_LOOK_AT; i++)
        for (struct object *o = resource_first_of_list(r, (but->node.hash + i) % lists); o;
             o = resource_next(o)) {
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
    struct shard *s = resource_shard(c, &place->hash);
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
    struct resource *r = resource_find_or_add(c, s, place, object_received_ms(o));
    struct object *old = NULL; /* the one whose place among those to be evicted it takes */
    for (struct object *k = resource_first_of_variant(r, place), *next; k && gone_n < GONE_MAX - 1;
         k = next) {
        next = resource_next(k);
        if (k == o || object_state(k) != OBJECT_SEALED || !resource_is_variant(k, place))
            continue;
        if (k->begin > o->begin && k->evict.weight) {
            published = false;
            continue;
        }
        if (!old && k->evict.weight)
            old = k;
        else
            resource_take_out(c, k);
        gone[gone_n++] = k;
    }
    if (!published) {
        if (old)
            resource_take_out(c, old);
        if (o->resource) {
            resource_take_out(c, o);
            gone[gone_n++] = o;
        }
    } else {
        if (!o->resource) {
            object_ref(o);
            resource_link(c, r, o);
        }
        r->used_s = resource_seconds(object_received_ms(o));
        marks_forget(&s->marks, place);
        o->evict.fingerprint = (uint32_t)place->hash.lo ^ o->node.hash * 0x9e3779b1u;
        o->evict.weight = weight_of(o);
        link_init(&o->evict.link); /* when it began is known no more */
        resource_add_busy(r, -1);
        atomic_fetch_add_explicit(&c->objects, 1, memory_order_relaxed);
        if (old) {
            evict_replace(c->evict, &old->evict, &o->evict);
            resource_take_out(c, old);
        } else {
            evict_insert(c->evict, &o->evict);
        }
        struct object *least = r->n > variants_max && gone_n < GONE_MAX ? least_used(r, o) : NULL;
        if (least) {
            resource_take_out(c, least);
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
        resource_take_out(c, o);
        resource_drop_if_idle(c, r);
    }
    lock_give(&s->lock);
    if (was_in)
        object_unref(o);
}

struct index_facts index_facts(struct cache *c, const struct place *place, int64_t now_mono_ms)
{
    struct index_facts f = { 0 };
    struct shard *s = resource_shard(c, &place->hash);
    lock_take(&s->lock);
    const struct mark *m = marks_find(&s->marks, place);
    if (m) {
        f.known = true;
        f.last_reason = (enum reason)m->reason;
        f.last_broken = m->broken;
        f.no_queue_left_ms = mark_left_ms(m, now_mono_ms);
    }
    struct resource *r = resource_find(s, place);
    if (r) {
        f.known = true;
        for (uint32_t i = 0; i < resource_lists(r); i++)
            for (struct object *o = resource_first_of_list(r, i); o; o = resource_next(o)) {
                f.busy |= object_state(o) < OBJECT_SEALED;
                f.variants += object_state(o) == OBJECT_SEALED;
            }
        f.has_good = has_good_variant(r, epochs_published(c->epochs), now_mono_ms);
    }
    lock_give(&s->lock);
    for (size_t i = 0; i < CACHE_PURGED_KEPT && !f.was_purged; i++)
        f.was_purged = atomic_load_explicit(&c->purged[i], memory_order_relaxed) == resource_hash(place);
    return f;
}

struct known_rule index_known_rule(struct cache *c, const struct place *place)
{
    struct shard *s = resource_shard(c, &place->hash);
    struct known_rule known = { 0 };
    lock_take(&s->lock);
    struct resource *r = resource_find(s, place);
    if (r)
        known = (struct known_rule){ rule_ref(r->rule), true, r->busy > 0, r->of_2xx };
    lock_give(&s->lock);
    return known;
}

struct rule *index_rule(struct cache *c, const struct place *place, bool *known, bool *busy)
{
    struct known_rule k = index_known_rule(c, place);
    *known = k.known;
    *busy = k.busy;
    return k.rule;
}

struct object *index_peek(struct cache *c, const struct place *place)
{
    struct shard *s = resource_shard(c, &place->hash);
    struct object *sealed = NULL, *busy = NULL;
    lock_take(&s->lock);
    struct resource *r = resource_find(s, place);
    if (r)
        find_variant(r, place, &sealed, &busy);
    if (sealed)
        object_ref(sealed);
    lock_give(&s->lock);
    return sealed;
}

/* ---- life ---- */

void index_init(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        lock_init(&s->lock);
        table_init(&s->resources, &c->memory);
    }
}

static void drop_all(struct cache *c, struct resource *r)
{
    r->swept = true;
    for (uint32_t i = 0; i < resource_lists(r); i++)
        for (struct object *o; (o = resource_first_of_list(r, i)) != NULL;) {
            resource_take_out(c, o);
            object_unref(o);
        }
    resource_free(c, r);
}

void index_fini(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        for (uint32_t b = 0; b < s->resources.buckets; b++)
            while (*table_bucket(&s->resources, b))
                drop_all(c, resource_of_node(*table_bucket(&s->resources, b)));
        table_fini(&s->resources, &c->memory);
        marks_fini(&s->marks, &c->memory);
        lock_fini(&s->lock);
    }
}
