#include "cache/coded.h"
#include "cache/disk.h"
#include "cache/family.h"

#define LEAST_USED_LOOK_AT 16
#define PRIVATE_MOST_MS    (3600 * (int64_t)1000) /* older purges may be forgotten (cache/sweep) */

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

/* An odd factor: multiplying by it is a one-to-one map of 32 bits, which the other one undoes. */
#define RELEASE_FACTOR  0x9e3779b1u
#define RELEASE_INVERSE 0x0e8b2f51u
_Static_assert((uint32_t)(RELEASE_FACTOR *RELEASE_INVERSE) == 1, "they undo each other");

static uint32_t hash_of_variant(const struct cache *c, struct str variant)
{
    return variant.n ? (uint32_t)hash64(c->secret, variant) : 0;
}

void place_hash(const struct cache *c, struct place *p)
{
    p->hash = hash128(c->secret, p->primary);
    p->common_hash = hash_of_variant(c, p->variant);
    p->variant_hash = p->common_hash ^ p->release * RELEASE_FACTOR;
}

uint32_t place_release(const struct cache *c, uint32_t hash, struct str variant)
{
    return (hash ^ hash_of_variant(c, variant)) * RELEASE_INVERSE;
}

/* ---- looking up ---- */

static inline void find_in_list(struct object *first, const struct place *p, struct object **sealed,
                                struct object **busy)
{
    for (struct object *o = first; o; o = family_next(o)) {
        if (!family_is_variant(o, p))
            continue;
        enum object_state state = object_state(o);
        if (state == OBJECT_SEALED && !*sealed)
            *sealed = o;
        else if (state < OBJECT_SEALED && !*busy)
            *busy = o;
    }
}

/* Finds the youngest sealed object of a variant, and its running fetch's object. */
static void find_variant(struct family *f, const struct place *p, struct object **sealed,
                         struct object **busy)
{
    *sealed = *busy = NULL;
    find_in_list(family_first_of_variant(f, p), p, sealed, busy);
    if (f->has_many)
        find_in_list(family_first_common(f, p), p, sealed, busy);
}

static struct object *begin_busy(struct cache *c, struct family *f, const struct look *l)
{
    /* Its number is that of the look-up: a refresh that a 304 confirms would otherwise miss a purge between
     * the look-up and now. */
    struct object *o = object_new(c, l->latest);
    family_set_variant(o, &l->place);
    family_link(c, f, o); /* the index has this reference */
    f->used_s = family_seconds(l->now.mono_ms);
    return object_ref(o);
}

bool index_is_outdated(struct object *o, const struct look *l)
{
    struct object_purged p = object_check_purged(o, l->place.primary, l->latest, l->now.mono_ms);
    if (p.gone || (p.soft_ms < 0 && !p.invalidated))
        return p.gone;
    struct object_life life = object_life(o, l->now.mono_ms, p.soft_ms);
    return policy_reuse(&life.fresh, life.age, p.invalidated, l->request) == REUSE_REVALIDATE;
}

/* Returns for how many milliseconds the mark is in force; 0: it is not, or there is none. */
static int64_t mark_left_ms(const struct mark *m, int64_t now_ms)
{
    int64_t left = m ? (int64_t)m->until_s * 1000 - now_ms : 0;
    return left > 0 ? left : 0;
}

/* Is it not for requests that come now, though its body is still on its way? It was purged; or the body takes
 * longer than the answer may be kept; or each use is to be asked for. */
static bool is_over(struct object *o, const struct look *l)
{
    if (index_is_outdated(o, l))
        return true;
    struct object_life life = object_life(o, l->now.mono_ms, -1);
    return o->stored && policy_is_over(&life.fresh, life.age);
}

/* The same for this request: what has a head is a stored response for who comes later. */
static bool is_over_for(struct object *o, const struct look *l)
{
    if (is_over(o, l))
        return true;
    struct object_life life = object_life(o, l->now.mono_ms, -1);
    return policy_reuse(&life.fresh, life.age, false, l->request) == REUSE_REVALIDATE;
}

/* May a request wait for this object? Not when the object was over before the request arrived. */
static bool is_joinable(struct object *o, const struct look *l)
{
    if (!l->may_join || object_is_closed(o))
        return false;
    if (object_state(o) == OBJECT_NEW)
        return !l->authorization;
    return o->stored && !is_over_for(o, l);
}

/*
 * Under the shard's lock; no stored object may be used as it is. Joins the running fetch or begins one.
 * `begun`: the outcome when this request begins it.
 */
static void join_or_begin(struct cache *c, struct family *f, const struct look *l, enum outcome begun,
                          struct object *busy, struct found *out, struct object **withdrawn)
{
    out->no_queue =
        mark_left_ms(marks_find(&family_shard(c, &l->place.hash)->marks, &l->place), l->now.mono_ms) > 0;
    if (busy && is_joinable(busy, l) && !(out->no_queue && object_state(busy) == OBJECT_NEW)) {
        out->outcome = OUTCOME_JOIN;
        out->busy = object_ref(busy);
        return;
    }
    if (busy && object_state(busy) != OBJECT_NEW && is_over(busy, l)) {
        /* The fetch goes on for requests that came before. No other request finds it. */
        family_take_out(c, busy);
        *withdrawn = busy;
        busy = NULL;
    }
    /* With Authorization nobody joins until the answer is known to be for all, so the fetch is not announced
     * either. */
    if (!l->may_fetch || busy || out->no_queue || l->authorization || !l->may_join) {
        out->outcome = OUTCOME_PASS;
        return;
    }
    out->outcome = begun;
    out->busy = begin_busy(c, f, l);
}

/* Should a stale hit start a refresh now? */
static void refresh_or_not(struct cache *c, struct family *f, const struct look *l, struct object *busy,
                           struct found *out)
{
    bool waits = index_refresh_waits(out->stored, out->kept ? l->release : NULL, l->now.mono_ms);
    out->outcome = OUTCOME_STALE_JOIN;
    if (busy || !l->may_fetch)
        return;
    out->untried = !waits && l->sick && !l->may_try;
    if (waits || out->untried) {
        out->backing_off = true;
        return;
    }
    out->outcome = OUTCOME_STALE;
    out->busy = begin_busy(c, f, l);
}

enum usable { USABLE_GONE, USABLE_YES, USABLE_STALE, USABLE_NO };

/* Without a lock: what may be done with the stored object. */
static enum usable judge_stored(struct object *o, const struct look *l, struct found *out)
{
    struct object_purged p = object_check_purged(o, l->place.primary, l->latest, l->now.mono_ms);
    if (p.gone)
        return USABLE_GONE;
    out->invalidated = p.invalidated;
    struct object_life life = object_life(o, l->now.mono_ms, p.soft_ms);
    out->age = life.age;
    int64_t kept_until_ms = l->release ? index_kept_until(o, &p, l->release) : 0;
    if (kept_until_ms) {
        out->kept = kept_until_ms > l->now.mono_ms;
        return out->kept ? USABLE_STALE : USABLE_NO;
    }
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

/* Is there a stored variant that was not purged? Looks at some of them only when there are very many. */
static bool has_good_variant(const struct family *f, uint64_t latest, int64_t now_mono_ms)
{
    unsigned looked_at = 0;
    for (uint32_t i = 0; i < family_lists(f); i++)
        for (struct object *o = family_first_of_list(f, i); o; o = family_next(o)) {
            if (object_state(o) != OBJECT_SEALED)
                continue;
            if (!object_check_purged(o, family_primary(f), latest, now_mono_ms).gone)
                return true;
            if (++looked_at == VARIANTS_LOOKED_AT)
                return false;
        }
    return false;
}

/*
 * Under the shard's lock, when memory has no object for the key. Is there something on disk that would change
 * the answer? First the family's rule: an answer of another time may have brought one that memory has
 * forgotten, and a key under the default rule would be wrong. Only when all of the disk is known, what it has
 * not is known for good.
 */
static bool is_on_disk(struct cache *c, struct family *f, const struct look *l, struct found *out)
{
    struct disk *d = c->disk;
    if (!d || !l->may_read)
        return false;
    if (!f || (!f->asked_disk && !f->of_2xx)) {
        out->reads_rule = disk_has_rule(d, &l->place, l->now.wall_ms);
        if (out->reads_rule)
            return true;
        if (f)
            f->asked_disk = disk_is_whole(d);
    }
    return disk_has_page(d, &l->place, l->now.wall_ms);
}

/* One attempt. false: the stored object has gone, look again. */
static bool look_once(struct cache *c, const struct look *l, struct found *out)
{
    struct shard *s = family_shard(c, &l->place.hash);
    struct object *sealed = NULL, *busy = NULL, *withdrawn = NULL;
    *out = (struct found){ .outcome = OUTCOME_PASS };

    lock_take(&s->lock);
    struct family *f = family_find(s, &l->place);
    if (!f && l->may_fetch)
        f = family_add(c, s, &l->place, l->now.mono_ms);
    if (f && f->rule != l->place.rule && !rule_equal(f->rule, l->place.rule)) {
        out->outcome = OUTCOME_RULE;
        out->rule = rule_ref(f->rule);
        lock_give(&s->lock);
        return true;
    }
    if (f) {
        find_variant(f, &l->place, &sealed, &busy);
        out->settled = f->settled;
        out->known = f->n > (busy ? 1u : 0u) && (sealed || has_good_variant(f, l->latest, l->now.mono_ms));
        if (sealed)
            out->stored = object_ref(sealed);
        else if (!busy && is_on_disk(c, f, l, out))
            out->outcome = OUTCOME_DISK;
        else
            join_or_begin(c, f, l, OUTCOME_MISS, busy, out, &withdrawn);
        family_drop_if_idle(c, f);
    } else if (is_on_disk(c, NULL, l, out)) {
        out->outcome = OUTCOME_DISK;
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
    f = family_find(s, &l->place);
    sealed = NULL;
    if (f)
        find_variant(f, &l->place, &sealed, &busy);
    if (sealed != out->stored) {
        /* It was withdrawn while the lock was not held; or a younger one is there, sealed and perhaps not yet
         * published, and needs no second refresh. */
        lock_give(&s->lock);
        object_unref(out->stored);
        return false;
    }
    if (usable == USABLE_STALE) {
        evict_touch(&out->stored->evict);
        refresh_or_not(c, f, l, busy, out);
    } else {
        join_or_begin(c, f, l, OUTCOME_EXPIRED, busy, out, &withdrawn);
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

uint32_t index_unsafe(struct cache *c, const struct place *place)
{
    return atomic_load_explicit(&family_shard(c, &place->hash)->unsafe[place->hash.lo % 64],
                                memory_order_acquire);
}

void index_begin_at(struct object *o, uint32_t unsafe, int64_t now_mono_ms)
{
    o->begun_mono_ms = now_mono_ms;
    o->unsafe = unsafe;
}

void index_begin(struct object *o, const struct place *place, int64_t now_mono_ms)
{
    index_begin_at(o, index_unsafe(object_cache(o), place), now_mono_ms);
}

bool index_invalidates(struct cache *c, const struct place *place)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    bool known = family_find(s, place) != NULL || (c->disk && disk_may_know(c->disk, &place->hash));
    /* Under the lock: a publishing that came first is known here; one that comes later sees the count. */
    if (!known)
        atomic_fetch_add_explicit(&s->unsafe[place->hash.lo % 64], 1, memory_order_release);
    lock_give(&s->lock);
    return known;
}

/* Under the shard's lock. false: the family keeps the rule that a 2xx brought. */
static bool take_rule(struct cache *c, struct family *f, const struct rule *rule, bool of_2xx)
{
    bool harmless = !f->rule && rule_is_encoding_only(rule);
    if (!of_2xx && f->of_2xx && !harmless && !rule_equal(f->rule, rule))
        return false;
    family_set_rule(c, f, rule);
    f->of_2xx |= of_2xx;
    return true;
}

static bool settle(struct object *o, const struct place *place, struct rule *rule, bool of_2xx)
{
    struct cache *c = object_cache(o);
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    /* A private object, or one withdrawn by a purge, is not in the index until it is sealed: it keeps its
     * key, and the family gets the rule. */
    struct family *in = o->family, *f = in ? in : family_find_or_add(c, s, place, object_received_ms(o));
    bool taken = take_rule(c, f, rule, of_2xx);
    f->settled |= taken;
    if (taken && in)
        family_unlink(o);
    if (taken)
        family_set_variant(o, place);
    if (taken && in)
        family_link(c, f, o);
    if (!taken)
        family_drop_if_idle(c, f);
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
    uint32_t until_s = family_seconds(until_ms);
    m->used_s = family_seconds(now_ms);
    if (m->until_s < until_s && !m->cookies_cut)
        m->until_s = until_s;
}

/* Under the shard's lock. */
static void mark_key(struct cache *c, struct shard *s, const struct place *place,
                     const struct index_note *note, int64_t now_ms)
{
    struct mark *m =
        marks_make(&s->marks, &c->memory, place, family_seconds(now_ms), note->effect == MARK_SETS);
    if (!m)
        return;
    /* An answer that permits storing does not clear the mark of a page that was too large, while its length
     * is not known. */
    bool keeps = note->effect == MARK_KEEPS ||
                 (note->effect == MARK_CLEARS && m->reason == REASON_TOO_LARGE && !note->is_short);
    /* Nor does one to a request with cookies clear the mark of a page that is for nobody without them. Such a
     * mark ends by itself, and then it is tried again. */
    keeps |= m->cookies_cut && note->reason == REASON_UNKEYED_COOKIE;
    if (keeps && mark_left_ms(m, now_ms) > 0) {
        renew(m, note->until_ms, now_ms);
        return;
    }
    m->cookies_cut = false;
    if (note->effect == MARK_CLEARS)
        m->until_s = 0;
    m->reason = (unsigned)note->reason & ((1u << MARK_REASON_BITS) - 1);
    m->broken = note->broken;
    renew(m, note->effect == MARK_SETS ? note->until_ms : 0, now_ms);
    m->cookies_cut = note->cookies_cut && note->effect == MARK_SETS;
}

void index_refuse(struct object *o, const struct place *place, const struct index_note *note,
                  int64_t now_mono_ms)
{
    struct cache *c = object_cache(o);
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    struct family *f = o->family;
    bool was_in = f != NULL;
    if (was_in)
        family_take_out(c, o);
    family_set_variant(o, place);
    if (note && (note->has_rule || note->settles) && !f)
        /* A private fetch may have no family yet. A rule is worth making one. */
        f = note->learn || note->settles ? family_find_or_add(c, s, place, now_mono_ms)
                                         : family_find(s, place);
    if (note && note->has_rule && f && take_rule(c, f, note->learn, note->of_2xx)) {
        f->used_s = family_seconds(now_mono_ms);
    }
    if (note && note->settles && f)
        f->settled = f->cookies_met = true;
    if (note)
        mark_key(c, s, place, note, now_mono_ms);
    if (f)
        family_drop_if_idle(c, f);
    lock_give(&s->lock);
    if (was_in)
        object_unref(o);
}

void index_mark(struct cache *c, const struct place *place, const struct index_note *note,
                int64_t now_mono_ms)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    mark_key(c, s, place, note, now_mono_ms);
    lock_give(&s->lock);
}

void index_renew(struct cache *c, const struct place *place, int64_t until_ms, int64_t now_mono_ms)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    struct mark *m = marks_find(&s->marks, place);
    if (mark_left_ms(m, now_mono_ms) > 0)
        renew(m, until_ms, now_mono_ms);
    lock_give(&s->lock);
}

/* The limit of variants is reached: returns the least used of some of the oldest. NULL: none can go. */
static struct object *least_used(struct family *f, const struct object *but)
{
    struct object *least = NULL;
    unsigned looked_at = 0;
    /* Starts at another list for each new variant, so that all have their turn. */
    uint32_t lists = family_lists(f);
    for (uint32_t i = 0; i < lists && looked_at < LEAST_USED_LOOK_AT; i++)
        for (struct object *o = family_first_of_list(f, (but->node.hash + i) % lists); o;
             o = family_next(o)) {
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

#define GONE_MAX 4

/* What a published object takes the place of. */
struct replaced {
    struct object *gone[GONE_MAX]; /* the index's references */
    unsigned n;
    struct object
        *in_queues;   /* one of them, whose place in the eviction queues it takes; still in the family */
    bool has_younger; /* a younger object is there: it takes the place of `o` instead */
};

/* Of two that began at the same number the head that came later is the younger one's. `yields`: `o` is the
 * older one in any case. */
static bool is_younger(const struct object *k, const struct object *o, bool yields)
{
    if (k->begin != o->begin)
        return k->begin > o->begin;
    return yields || object_received_ms(k) > object_received_ms(o);
}

static void replace_in_list(struct cache *c, struct object *first, const struct object *o, bool yields,
                            const struct place *place, struct replaced *r)
{
    for (struct object *k = first, *next; k && r->n < GONE_MAX - 1; k = next) {
        next = family_next(k);
        if (k == o || object_state(k) != OBJECT_SEALED || !family_is_variant(k, place))
            continue;
        if (is_younger(k, o, yields) && k->evict.weight) {
            r->has_younger = true;
            continue;
        }
        if (!r->in_queues && k->evict.weight)
            r->in_queues = k;
        else
            family_take_out(c, k);
        r->gone[r->n++] = k;
    }
}

static bool publish(struct object *o, bool yields, const struct place *place, size_t variants_max,
                    int64_t now_mono_ms)
{
    struct cache *c = object_cache(o);
    struct shard *s = family_shard(c, &place->hash);
    struct replaced r = { .n = 0 };
    if (c->disk) /* before others can find it: it may be evicted, and written, at once */
        disk_note(c->disk, &place->hash);
    /* The sweep does not see the number of an object outside the index. */
    lock_take(&s->lock);
    bool too_old = !o->family && now_mono_ms - o->begun_mono_ms > PRIVATE_MOST_MS;
    lock_give(&s->lock);
    if (too_old || object_check_purged(o, place->primary, epochs_latest(c->epochs), now_mono_ms).gone) {
        index_withdraw(o);
        return false;
    }
    lock_take(&s->lock);
    if (!o->family &&
        atomic_load_explicit(&s->unsafe[place->hash.lo % 64], memory_order_relaxed) != o->unsafe) {
        /* An unsafe request was answered meanwhile, perhaps for this URL. */
        lock_give(&s->lock);
        return false;
    }
    struct family *f = family_find_or_add(c, s, place, object_received_ms(o));
    replace_in_list(c, family_first_of_variant(f, place), o, yields, place, &r);
    replace_in_list(c, family_first_common(f, place), o, yields, place, &r);
    if (r.has_younger) {
        if (r.in_queues)
            family_take_out(c, r.in_queues);
        if (o->family) {
            family_take_out(c, o);
            r.gone[r.n++] = o;
        }
    } else {
        if (!o->family) {
            object_ref(o);
            family_link(c, f, o);
        }
        f->used_s = family_seconds(object_received_ms(o));
        marks_forget(&s->marks, place);
        o->evict.fingerprint = (uint32_t)place->hash.lo ^ o->node.hash * 0x9e3779b1u;
        o->evict.weight = object_weight(o);
        link_init(&o->evict.link); /* from here on `begun_mono_ms` is not known: they share the memory */
        family_add_busy(f, -1);
        atomic_fetch_add_explicit(&c->objects, 1, memory_order_relaxed);
        if (r.in_queues) {
            evict_replace(c->evict, &r.in_queues->evict, &o->evict);
            family_take_out(c, r.in_queues);
        } else {
            evict_insert(c->evict, &o->evict);
        }
        object_weigh(o); /* a coding may have come meanwhile */
        struct object *least = f->n > variants_max && r.n < GONE_MAX ? least_used(f, o) : NULL;
        if (least) {
            family_take_out(c, least);
            r.gone[r.n++] = least;
        }
    }
    lock_give(&s->lock);
    for (unsigned i = 0; i < r.n; i++)
        object_unref(r.gone[i]);
    return !r.has_younger;
}

bool index_publish(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms)
{
    return publish(o, false, place, variants_max, now_mono_ms);
}

bool index_publish_read(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms)
{
    return publish(o, true, place, variants_max, now_mono_ms);
}

/* An object's family may only be read under its shard's lock; its shard never changes once it has one. */
void index_withdraw(struct object *o)
{
    struct cache *c = object_cache(o);
    unsigned shard = atomic_load_explicit(&o->shard, memory_order_acquire);
    if (!shard)
        return;
    struct shard *s = &c->shards[shard - 1];
    lock_take(&s->lock);
    struct family *f = o->family;
    bool was_in = f != NULL;
    if (was_in) {
        family_take_out(c, o);
        family_drop_if_idle(c, f);
    }
    lock_give(&s->lock);
    if (was_in)
        object_unref(o);
}

bool index_strip(struct object *o)
{
    struct cache *c = object_cache(o);
    unsigned shard = atomic_load_explicit(&o->shard, memory_order_acquire);
    struct codings *codings = NULL;
    if (!shard)
        return false;
    struct shard *s = &c->shards[shard - 1];
    lock_take(&s->lock);
    /* Nothing of it may be looked at without the lock: what only the index and eviction have, object_move
     * moves. With its acquire: who dropped a reference has finished reading. */
    if (o->family && o->evict.weight && coded_charged(o) &&
        atomic_load_explicit(&o->refs, memory_order_acquire) == 2)
        codings = coded_take(o);
    if (codings) {
        o->evict.weight = object_weight(o);
        evict_put_back(c->evict, &o->evict);
    }
    lock_give(&s->lock);
    if (!codings)
        return false;
    coded_free(c, codings);
    atomic_fetch_add_explicit(&c->coded_dropped, 1, memory_order_relaxed);
    return true;
}

struct index_facts index_facts(struct cache *c, const struct place *place, int64_t now_mono_ms)
{
    struct index_facts facts = { 0 };
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    const struct mark *m = marks_find(&s->marks, place);
    if (m) {
        facts.known = true;
        facts.last_reason = (enum reason)m->reason;
        facts.last_broken = m->broken;
        facts.no_queue_left_ms = mark_left_ms(m, now_mono_ms);
    }
    struct family *f = family_find(s, place);
    if (f) {
        facts.known = true;
        for (uint32_t i = 0; i < family_lists(f); i++)
            for (struct object *o = family_first_of_list(f, i); o; o = family_next(o)) {
                facts.busy |= object_state(o) < OBJECT_SEALED;
                facts.variants += object_state(o) == OBJECT_SEALED;
            }
        facts.has_good = has_good_variant(f, epochs_latest(c->epochs), now_mono_ms);
    }
    lock_give(&s->lock);
    for (size_t i = 0; i < CACHE_PURGED_KEPT && !facts.was_purged; i++)
        facts.was_purged = atomic_load_explicit(&c->purged[i], memory_order_relaxed) == family_hash(place);
    return facts;
}

struct known_rule index_known_rule(struct cache *c, const struct place *place)
{
    struct shard *s = family_shard(c, &place->hash);
    struct known_rule known = { 0 };
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    if (f)
        known = (struct known_rule){ rule_ref(f->rule), true, f->busy > 0, f->of_2xx };
    lock_give(&s->lock);
    return known;
}

struct known_rule index_rule_to_save(struct cache *c, const struct place *place)
{
    struct shard *s = family_shard(c, &place->hash);
    struct known_rule known = { 0 };
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    if (f && !f->rule_saved) {
        known = (struct known_rule){ rule_ref(f->rule), true, f->busy > 0, f->of_2xx };
        f->rule_saved = true;
    }
    lock_give(&s->lock);
    return known;
}

bool index_has(struct object *o)
{
    unsigned shard = atomic_load_explicit(&o->shard, memory_order_acquire);
    if (!shard)
        return false;
    struct shard *s = &object_cache(o)->shards[shard - 1];
    lock_take(&s->lock);
    bool has = o->family != NULL;
    lock_give(&s->lock);
    return has;
}

struct object *index_current(struct cache *c, const struct place *place, uint32_t hash)
{
    struct place exact = *place;
    exact.variant_hash = exact.common_hash = hash;
    return index_peek(c, &exact);
}

void index_rule_not_saved(struct cache *c, const struct place *place)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    if (f)
        f->rule_saved = false;
    lock_give(&s->lock);
}

void index_restore_rule(struct cache *c, const struct place *place, struct rule *rule, bool of_2xx,
                        int64_t now_mono_ms)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    struct family *f = family_find_or_add(c, s, place, now_mono_ms);
    if (!f->of_2xx && (of_2xx || !f->rule)) {
        family_set_rule(c, f, rule);
        f->of_2xx = of_2xx;
        f->rule_saved = true;
    }
    f->settled = f->asked_disk = true;
    lock_give(&s->lock);
}

void index_settled_again(struct cache *c, const struct place *place, bool is_2xx)
{
    struct shard *s = family_shard(c, &place->hash);
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    if (f) {
        f->settled = true;
        f->of_2xx |= is_2xx;
    }
    lock_give(&s->lock);
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
    struct shard *s = family_shard(c, &place->hash);
    struct object *sealed = NULL, *busy = NULL;
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    if (f)
        find_variant(f, place, &sealed, &busy);
    if (sealed)
        object_ref(sealed);
    lock_give(&s->lock);
    return sealed;
}

#define OTHERS_LOOKED_AT 64

struct object *index_peek_before(struct cache *c, const struct place *place, const struct release *live)
{
    struct shard *s = family_shard(c, &place->hash);
    struct object *youngest = NULL;
    unsigned looked_at = 0;
    lock_take(&s->lock);
    struct family *f = family_find(s, place);
    for (uint32_t i = 0; f && i < family_lists(f) && looked_at < OTHERS_LOOKED_AT; i++)
        for (struct object *o = family_first_of_list(f, i); o && looked_at < OTHERS_LOOKED_AT;
             o = family_next(o)) {
            looked_at++;
            if (object_state(o) != OBJECT_SEALED || family_is_variant(o, place) ||
                !str_eq(object_variant(o), place->variant) ||
                !release_stores(live, place_release(c, o->node.hash, place->variant)))
                continue;
            if (!youngest || object_received_ms(o) > object_received_ms(youngest))
                youngest = o;
        }
    if (youngest)
        object_ref(youngest);
    lock_give(&s->lock);
    return youngest;
}

/* ---- life ---- */

void index_init(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        lock_init(&s->lock);
        table_init(&s->families, &c->memory);
    }
}

static void drop_all(struct cache *c, struct family *f)
{
    f->swept = true;
    for (uint32_t i = 0; i < family_lists(f); i++)
        for (struct object *o; (o = family_first_of_list(f, i)) != NULL;) {
            family_take_out(c, o);
            object_unref(o);
        }
    family_free(c, f);
}

void index_fini(struct cache *c)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];
        for (uint32_t b = 0; b < s->families.buckets; b++)
            while (*table_bucket(&s->families, b))
                drop_all(c, family_of_node(*table_bucket(&s->families, b)));
        table_fini(&s->families, &c->memory);
        marks_fini(&s->marks, &c->memory);
        lock_fini(&s->lock);
    }
}
