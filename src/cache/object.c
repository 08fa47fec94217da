#include "cache/object.h"

#include <string.h>

#include "base/mem.h"
#include "cache/coded.h"
#include "cache/names.h"

/* What is only needed while the object is filled. It exists as long as there is a fetch or a watch. The
 * object's lock guards it. */
struct fill {
    struct link link; /* in fills_of(object) */
    const struct object *object;
    struct list watches;
    struct notice *room; /* the fetch's; NULL: it need not be told */
    const void *sender;  /* the thread that the fetch runs on; NULL: no fetch runs */
    unsigned readers;
    unsigned wishes; /* bits by enum coding */
    bool paused, is_low;
    struct object *pours[CODINGS]; /* NULL: none; each with a reference */
};

static struct fills *fills_of(const struct object *o)
{
    return &object_cache(o)->fills[(uintptr_t)o / sizeof(*o) % CACHE_FILLS];
}

static struct lock *lock_of(const struct object *o)
{
    return &fills_of(o)->lock;
}

/* Under the object's lock, like every use of a fill. NULL: there is none. */
static struct fill *fill_of(const struct object *o)
{
    LIST_EACH(l, &fills_of(o)->list) {
        struct fill *f = CONTAINER_OF(l, struct fill, link);
        if (f->object == o)
            return f;
    }
    return NULL;
}

static struct fill *fill_made(const struct object *o)
{
    struct fill *f = fill_of(o);
    if (f)
        return f;
    f = mem_alloc(sizeof(*f));
    f->object = o;
    list_init(&f->watches);
    list_push_back(&fills_of(o)->list, &f->link);
    return f;
}

static unsigned pours_of(const struct fill *f)
{
    unsigned set = 0;
    for (enum coding c = CODING_GZIP; f && c < CODINGS; c++)
        set |= f->pours[c] ? 1u << c : 0;
    return set;
}

static void drop_fill_if_idle(struct fill *f)
{
    if (!f || f->sender || !list_is_empty(&f->watches) || pours_of(f))
        return;
    link_remove(&f->link);
    mem_free(f);
}

_Static_assert(REASON_NO_MEMORY < OBJECT_VERDICTS && REASON_HANDED_OVER < OBJECT_VERDICTS,
               "a verdict has six bits");
_Static_assert(offsetof(struct object, unsafe) + sizeof(uint32_t) <=
                   offsetof(struct object, evict.fingerprint),
               "what the union shares is the link alone: the rest is looked at before index_publish");

struct object *object_new(struct cache *c, uint64_t begin)
{
    struct object *o = memory_zero(&c->memory, sizeof(*o));
    atomic_init(&o->refs, 1);
    o->memory = c->memory.id;
    o->begin = begin;
    return o;
}

struct object *object_ref(struct object *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

static size_t variant_bytes(size_t n)
{
    return sizeof(struct variant) + n;
}

static void give_variant(struct object *o)
{
    if (o->variant)
        memory_give(&object_cache(o)->memory, o->variant, variant_bytes(o->variant->n));
    o->variant = NULL;
}

void object_set_variant(struct object *o, struct str variant)
{
    if (o->response) { /* another key would change the charge */
        CHECK(str_eq(variant, object_variant(o)));
        return;
    }
    CHECK(variant.n < UINT32_MAX);
    give_variant(o);
    if (!variant.n)
        return;
    o->variant = memory_zero(&object_cache(o)->memory, variant_bytes(variant.n));
    o->variant->n = (uint32_t)variant.n;
    memcpy(o->variant->bytes, variant.p, variant.n);
}

size_t object_charged(const struct object *o)
{
    if (!o->response || !o->stored)
        return 0;
    return memory_cost(sizeof(*o)) + memory_cost(response_bytes(o->response)) +
           (o->variant ? memory_cost(variant_bytes(o->variant->n)) : 0);
}

uint32_t object_weight(const struct object *o)
{
    size_t bytes = object_charged(o) + (o->body ? body_charged(o->body) : 0) + coded_charged(o) + 1;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static uint32_t weigh(const struct evict_item *i)
{
    return object_weight(CONTAINER_OF((uintptr_t)i, const struct object, evict));
}

void object_weigh(struct object *o)
{
    evict_weigh(object_cache(o)->evict, &o->evict, weigh);
}

/* Apart, so that a hit's unref is a few instructions. */
static __attribute__((noinline)) void free_object(struct object *o)
{
    CHECK(!o->family && o->evict.queue == EVICT_NONE && o->evict.holders == 0);
    if (!object_is_done(o)) {
        lock_take(lock_of(o));
        CHECK(!fill_of(o));
        lock_give(lock_of(o));
    }
    struct memory *m = &object_cache(o)->memory;
    memory_charge(m, -(int64_t)object_charged(o));
    coded_free(object_cache(o), coded_take(o));
    response_free(m, o->response);
    body_unref(o->body);
    give_variant(o);
    memory_give(m, o, sizeof(*o));
}

void object_unref(struct object *o)
{
    if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
        free_object(o);
}

/* ---- its fetch ---- */

void object_set_fetch(struct object *o, struct notice *room, const void *sender)
{
    lock_take(lock_of(o));
    struct fill *f = sender ? fill_made(o) : fill_of(o);
    if (f) {
        f->room = room;
        f->sender = sender;
        drop_fill_if_idle(f);
    }
    lock_give(lock_of(o));
}

bool object_set_low(struct object *o)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    CHECK(f && f->sender);
    f->is_low = f->readers == 0;
    bool is_low = f->is_low;
    lock_give(lock_of(o));
    return is_low;
}

bool object_is_low(struct object *o)
{
    lock_take(lock_of(o));
    const struct fill *f = fill_of(o);
    bool is_low = f && f->is_low;
    lock_give(lock_of(o));
    return is_low;
}

void object_hurry(struct object *o, const void *owner)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f && f->is_low) {
        f->is_low = false;
        if (f->room)
            notice_send(f->room, owner);
    }
    lock_give(lock_of(o));
}

/* Saturates: an object older than the bits can say is stale either way. */
static uint64_t at_most(int64_t n, unsigned bits)
{
    uint64_t most = ((uint64_t)1 << bits) - 1, value = n > 0 ? (uint64_t)n : 0;
    return value < most ? value : most;
}

static uint32_t seconds_of(int64_t ms)
{
    return (uint32_t)at_most(ms / 1000 + (ms % 1000 > 0), 32);
}

static void set_freshness(struct object *o, const struct freshness *f)
{
    uint64_t age_ms = at_most(f->age_ms, 42);
    o->lifetime_ms = at_most(f->lifetime_ms, 42);
    o->age_low_ms = age_ms & (((uint64_t)1 << AGE_LOW_BITS) - 1);
    o->age_high_ms = age_ms >> AGE_LOW_BITS;
    o->evict.own = seconds_of(f->stale_while_ms);
    o->node.own = seconds_of(f->stale_error_ms);
    o->always_revalidate = f->always_revalidate;
    o->never_stale = f->never_stale;
    o->foreground = f->foreground;
}

void object_set_head(struct object *o, const struct object_head *head)
{
    CHECK(object_state(o) == OBJECT_NEW);
    o->response = *head->response;
    *head->response = NULL;
    set_freshness(o, &head->verdict->fresh);
    o->stored = head->verdict->store;
    CHECK(head->verdict->reason < OBJECT_VERDICTS);
    o->verdict_reason = (uint8_t)head->verdict->reason;
    o->received_ms = (uint64_t)head->received_mono_ms;
    o->confirmed = head->fetched_status == 304;
    if (head->successor_of && head->successor_of->has_generated_etag && o->response->has_tag) {
        *response_tag(o->response) = *response_tag(head->successor_of->response);
        o->has_generated_etag = true;
    }
    memory_charge(&object_cache(o)->memory, (int64_t)object_charged(o));
    lock_take(lock_of(o));
    o->body = *head->body;
    *head->body = NULL;
    atomic_store_explicit(&o->state, OBJECT_HEAD, memory_order_release);
    lock_give(lock_of(o));
}

struct object *object_restore(struct cache *c, uint64_t begin, const struct object_past *past)
{
    struct object *o = object_new(c, begin);
    object_set_variant(o, past->variant);
    o->node.hash = past->hash;
    o->response = *past->response;
    o->body = *past->body;
    *past->response = NULL;
    *past->body = NULL;
    CHECK(!past->has_generated_etag || (o->response->has_tag && o->body));
    set_freshness(o, &past->fresh);
    o->received_ms = at_most(past->received_mono_ms, 41);
    o->stored = true;
    o->has_generated_etag = past->has_generated_etag;
    memory_charge(&c->memory, (int64_t)object_charged(o));
    atomic_store_explicit(&o->state, OBJECT_SEALED, memory_order_release);
    return o;
}

/* Was it touched by a purge in (since, upto]? Its names come first, then those that its key stands for, which
 * are made only when they may be needed. */
static bool is_touched(struct object *o, struct str primary, uint64_t since, uint64_t upto, struct purged *p)
{
    struct cache *c = object_cache(o);
    struct epoch_names names = object_names(o);
    uint64_t made[NAMES_OF_PREFIXES];
    if (epochs_latest_made(c->epochs) > since) {
        names.made_n = names_of_prefixes(c, primary, made);
        names.made = made;
    }
    return epochs_touched(c->epochs, names, o->begin, since, upto, p);
}

void object_begin_again(struct object *o, struct str primary, uint64_t begin)
{
    struct purged p;
    CHECK(object_state(o) == OBJECT_HEAD && !o->family);
    if (is_touched(o, primary, o->begin, begin, &p) && (p.hard || p.soft))
        return;
    o->begin = begin;
    atomic_store_explicit(&o->good_after, 0, memory_order_release);
}

void object_set_part(struct object *o, struct part part)
{
    CHECK(object_state(o) == OBJECT_HEAD);
    CHECK(part.whole != 0);
    *response_part(o->response) = part;
}

static void tell_watches(struct fill *f)
{
    if (f)
        LIST_EACH(l, &f->watches)
            notice_send(CONTAINER_OF(l, struct watch, link)->notice, f->sender);
}

void object_tell(struct object *o)
{
    lock_take(lock_of(o));
    tell_watches(fill_of(o));
    lock_give(lock_of(o));
}

/* The last change of state: the fetch is forgotten. */
static void finish(struct object *o, enum object_state state)
{
    lock_take(lock_of(o));
    atomic_store_explicit(&o->state, (uint8_t)state, memory_order_release);
    struct fill *f = fill_of(o);
    tell_watches(f);
    if (f) {
        f->room = NULL;
        f->sender = NULL;
    }
    drop_fill_if_idle(f);
    lock_give(lock_of(o));
}

static struct hash128 digest(const struct body *b)
{
    struct body_cursor cursor = { NULL };
    struct hasher *h = hasher_new();
    uint64_t length = body_length(b), at = 0;
    while (at < length) {
        struct iovec iov[16];
        uint64_t bytes;
        unsigned n = body_lease(b, &cursor, at, length, iov, 16, &bytes);
        for (unsigned i = 0; i < n; i++)
            hasher_add(h, (struct str){ iov[i].iov_base, iov[i].iov_len });
        at += bytes;
    }
    return hasher_finish(&h);
}

void object_seal(struct object *o, bool make_etag)
{
    CHECK(object_state(o) == OBJECT_HEAD);
    if (o->body && o->stored) {
        struct body *compact = body_compact(o->body);
        lock_take(lock_of(o));
        struct body *old = o->body;
        o->body = compact;
        lock_give(lock_of(o));
        body_unref(old);
    }
    if (make_etag && !o->has_generated_etag && o->stored && o->body && !body_distance(o->body) &&
        o->response->has_tag) {
        *response_tag(o->response) = digest(o->body);
        o->has_generated_etag = true;
    }
    finish(o, OBJECT_SEALED);
}

struct str object_generated_etag(const struct object *o, char room[OBJECT_TAG_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    CHECK(o->has_generated_etag);
    const struct hash128 *tag = response_tag(o->response);
    room[0] = room[OBJECT_TAG_BYTES - 1] = '"';
    for (int i = 0; i < 16; i++) {
        room[1 + i] = hex[tag->hi >> (60 - 4 * i) & 15];
        room[17 + i] = hex[tag->lo >> (60 - 4 * i) & 15];
    }
    return (struct str){ room, OBJECT_TAG_BYTES };
}

void object_set_fault(struct object *o, enum http_error fault)
{
    CHECK(!object_is_done(o));
    o->fail_fault = (uint8_t)fault;
}

void object_fail(struct object *o, enum reason reason, int status)
{
    CHECK(!object_is_done(o));
    o->fail_reason = (uint8_t)reason;
    CHECK(status >= 500 && status <= 599);
    o->fail_5xx = (uint8_t)(status - 500);
    finish(o, OBJECT_FAILED);
}

void object_close(struct object *o)
{
    /* Under the lock: a reader that joins afterwards has seen it. */
    lock_take(lock_of(o));
    atomic_store_explicit(&o->closed, true, memory_order_release);
    lock_give(lock_of(o));
}

bool object_is_closed(const struct object *o)
{
    return atomic_load_explicit(&o->closed, memory_order_acquire);
}

uint64_t object_slowest(struct object *o)
{
    uint64_t slowest = UINT64_MAX;
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f)
        LIST_EACH(l, &f->watches) {
            struct watch *w = CONTAINER_OF(l, struct watch, link);
            uint64_t position = atomic_load_explicit(&w->slowest, memory_order_acquire);
            if (position < slowest)
                slowest = position;
        }
    lock_give(lock_of(o));
    return slowest;
}

bool object_waits_at(struct object *o, uint64_t length)
{
    bool waits = false;
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f && f->paused)
        LIST_EACH(l, &f->watches) {
            struct watch *w = CONTAINER_OF(l, struct watch, link);
            waits |= atomic_load_explicit(&w->furthest, memory_order_acquire) >= length;
        }
    lock_give(lock_of(o));
    return waits;
}

unsigned object_readers(struct object *o)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    unsigned n = f ? f->readers : 0;
    lock_give(lock_of(o));
    return n;
}

unsigned object_visitors(struct object *o)
{
    struct object *pours[CODINGS] = { NULL };
    lock_take(lock_of(o));
    const struct fill *f = fill_of(o);
    unsigned n = f ? f->readers : 0;
    for (enum coding c = CODING_GZIP; f && c < CODINGS; c++)
        pours[c] = f->pours[c] ? object_ref(f->pours[c]) : NULL;
    lock_give(lock_of(o));
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        n += pours[c] ? object_readers(pours[c]) : 0;
        object_unref(pours[c]);
    }
    return n;
}

bool object_has_visitors(struct object *o)
{
    return object_visitors(o) > 0;
}

void object_set_paused(struct object *o, bool paused)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f)
        f->paused = paused;
    lock_give(lock_of(o));
}

bool object_is_paused(struct object *o)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    bool is = f && f->paused;
    lock_give(lock_of(o));
    return is;
}

/* ---- its readers ---- */

enum object_watch object_watch(struct object *o, struct watch *w, bool own_fetch)
{
    enum object_watch answer = OBJECT_WATCHED;
    lock_take(lock_of(o));
    if (object_is_done(o))
        answer = OBJECT_DONE;
    else if (object_is_closed(o) && !own_fetch)
        answer = OBJECT_CLOSED;
    else {
        struct fill *f = fill_made(o);
        if (!link_is_in(&w->link))
            list_push_back(&f->watches, &w->link);
        atomic_store_explicit(&w->slowest, 0, memory_order_release);
        atomic_store_explicit(&w->furthest, 0, memory_order_release);
        w->readers++;
        f->readers += !w->is_pour;
    }
    lock_give(lock_of(o));
    return answer;
}

bool object_unwatch(struct object *o, struct watch *w)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    CHECK(w->readers > 0 && f);
    bool out = --w->readers == 0;
    if (out)
        link_remove(&w->link);
    f->readers -= !w->is_pour;
    if (f->room && (f->readers == 0 || f->paused))
        notice_send(f->room, w->owner);
    drop_fill_if_idle(f);
    lock_give(lock_of(o));
    return out;
}

struct watch *object_watch_of(struct object *o, const void *owner)
{
    struct watch *found = NULL;
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f)
        LIST_EACH(l, &f->watches) {
            struct watch *w = CONTAINER_OF(l, struct watch, link);
            if (w->owner == owner)
                found = w;
        }
    lock_give(lock_of(o));
    return found;
}

void object_reader_moved(struct object *o, const void *owner)
{
    if (object_is_done(o))
        return;
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f && f->room && f->paused)
        notice_send(f->room, owner);
    lock_give(lock_of(o));
}

/* ---- its codings that are being made ---- */

void object_wish(struct object *o, enum coding coding)
{
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    if (f)
        f->wishes |= 1u << coding;
    lock_give(lock_of(o));
}

unsigned object_wishes(struct object *o)
{
    lock_take(lock_of(o));
    const struct fill *f = fill_of(o);
    unsigned wishes = f ? f->wishes : 0;
    lock_give(lock_of(o));
    return wishes;
}

void object_set_pour(struct object *o, enum coding coding, struct object *to)
{
    CHECK(coding > CODING_IDENTITY && coding < CODINGS);
    if (to)
        object_ref(to);
    lock_take(lock_of(o));
    struct fill *f = fill_of(o);
    CHECK(f && !f->pours[coding] == (to != NULL));
    struct object *before = f->pours[coding];
    f->pours[coding] = to;
    drop_fill_if_idle(f);
    lock_give(lock_of(o));
    object_unref(before);
}

struct object *object_pour(struct object *o, enum coding coding)
{
    lock_take(lock_of(o));
    const struct fill *f = fill_of(o);
    struct object *to = f && f->pours[coding] ? object_ref(f->pours[coding]) : NULL;
    lock_give(lock_of(o));
    return to;
}

unsigned object_pours(struct object *o)
{
    lock_take(lock_of(o));
    unsigned set = pours_of(fill_of(o));
    lock_give(lock_of(o));
    return set;
}

bool object_hold(struct object *o)
{
    return o->stored && evict_hold(object_cache(o)->evict, &o->evict);
}

void object_release(struct object *o)
{
    evict_release(object_cache(o)->evict, &o->evict);
}

struct body *object_body(struct object *o)
{
    if (object_state(o) == OBJECT_SEALED)
        return o->body ? body_ref(o->body) : NULL;
    lock_take(lock_of(o));
    struct body *b = o->body ? body_ref(o->body) : NULL;
    lock_give(lock_of(o));
    return b;
}

/* ---- moving ---- */

/* Has only the index a reference? With acquire: readers that dropped theirs have finished reading. Under the
 * locks of the shard and the queues nobody can take a new one. */
static bool is_only_indexed(const struct object *o)
{
    return atomic_load_explicit(&o->refs, memory_order_acquire) == 1;
}

static bool copy_object(struct evict_item *i, struct evict_item *to)
{
    struct object *o = CONTAINER_OF(i, struct object, evict);
    if (!is_only_indexed(o))
        return false;
    memcpy(CONTAINER_OF(to, struct object, evict), o, sizeof(*o));
    return true;
}

static struct object *move_itself(struct object *o, unsigned quarters)
{
    struct cache *c = object_cache(o);
    struct object *to = memory_take_denser(&c->memory, o, sizeof(*o), quarters);
    if (!to)
        return o;
    bool moved = evict_move(c->evict, &o->evict, &to->evict, copy_object);
    memory_give(&c->memory, moved ? o : to, sizeof(*o));
    return moved ? to : o;
}

struct object *object_move(struct object *o, unsigned quarters)
{
    /* Objects with readers stay where they are. An object that is not published belongs to its fetch. */
    if (object_state(o) != OBJECT_SEALED || !is_only_indexed(o) || !o->evict.weight)
        return o;
    struct memory *m = &object_cache(o)->memory;
    o = move_itself(o, quarters);
    if (!is_only_indexed(o)) /* eviction has taken it */
        return o;
    if (o->variant)
        o->variant = memory_move(m, o->variant, variant_bytes(o->variant->n), quarters);
    o->response = memory_move(m, o->response, response_bytes(o->response), quarters);
    if (o->body)
        o->body = body_move(o->body, quarters);
    return o;
}

/* ---- look-ups ---- */

struct object_purged object_check_purged(struct object *o, struct str primary, uint64_t latest,
                                         int64_t now_mono_ms)
{
    struct object_purged answer = { .soft_ms = -1 };
    struct purged p;
    CHECK(object_state(o) != OBJECT_NEW); /* its names are not known yet */
    uint64_t since = object_good_at(o);
    if (since >= latest)
        return answer;
    if (!is_touched(o, primary, since, latest, &p)) {
        /* Two readers may store different numbers; both are true. */
        uint64_t after = latest - o->begin;
        atomic_store_explicit(&o->good_after, after < UINT32_MAX ? (uint32_t)after : UINT32_MAX,
                              memory_order_release);
        return answer;
    }
    answer.gone = p.hard != 0;
    answer.invalidated = p.invalidated != 0;
    if (p.soft)
        answer.soft_ms = now_mono_ms > p.soft_at_ms ? now_mono_ms - p.soft_at_ms : 0;
    return answer;
}

bool object_serves_on_error(struct object *o, struct str primary, uint64_t latest, int64_t now_mono_ms,
                            const struct directives *request)
{
    struct object_purged p = object_check_purged(o, primary, latest, now_mono_ms);
    struct object_life life = object_life(o, now_mono_ms, p.soft_ms);
    return !p.gone && policy_stale_on_error(&life.fresh, life.age, p.invalidated, request);
}

uint64_t object_length(struct object *o)
{
    if (object_is_partial(o))
        return response_part(o->response)->whole;
    if (object_state(o) == OBJECT_SEALED)
        return o->body ? body_length(o->body) : 0;
    lock_take(lock_of(o));
    uint64_t expected = o->body ? body_expected(o->body) : 0;
    lock_give(lock_of(o));
    return expected;
}
