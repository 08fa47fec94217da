/*
 * An object: one response. One fetch fills it; any number of requests deliver it, on any thread, also while it grows.
 * A request and a fetch meet only here.
 *
 * Counted: the index holds one reference, each reader one, its fetch one; the last unref may happen on any thread.
 * Written only by its fetch; what a state promises is visible to whoever reads that state (acquire):
 *
 *   NEW      nothing yet; wait
 *   HEAD     response, body, freshness, names and verdict are set; the body grows
 *   SEALED   the body is whole; all is immutable from here on
 *   FAILED   reason and status say why; a body that had begun is cut
 *
 * What is only needed while it is filled (watches, the fetch's notice, the mode) stands in a struct fill beside it, which is there as
 * long as there is a fetch or a watch.
 */
#ifndef CACHE_OBJECT_H
#define CACHE_OBJECT_H

#include "base/hash.h"
#include "base/notice.h"
#include "cache/cache.h"
#include "cache/evict.h"
#include "cache/policy.h"
#include "cache/response.h"
#include "cache/table.h"
#include "store/body.h"

enum object_state { OBJECT_NEW, OBJECT_HEAD, OBJECT_SEALED, OBJECT_FAILED };

/* A variant's key. */
struct variant {
    uint32_t n;
    char bytes[];
};

#define AGE_LOW_BITS 22

/*
 * There may be millions of these, so it is packed: times that are exact for 69 years of a machine's and 139 years of a page's life and
 * end there; what is needed at one time of its life only stands where something else does at another; what few have stands in
 * the response. What is said of one in two places (node.own, evict.own) would be padding there. docs/decisions/032.
 */
struct object {
    atomic_uint refs;
    _Atomic uint8_t state;     /* enum object_state */
    _Atomic bool closed;       /* no more joiners; its body is, or becomes, a passing one */
    _Atomic uint16_t shard;    /* the one where it was first put, plus one; 0: never in the index */
    struct table_node node;    /* the index's; the hash is its variant's; own: stale_error_s */
    struct resource *resource; /* the index's, under its shard's lock; NULL: not in it */
    union {
        struct evict_item evict; /* since it was published, which a weight says; own: stale_while_s */
        struct
        { /* before: when its fetch began, and its shard's count of unsafe requests then (index_begin); what was wrong with the
             origin's message, enum http_error (object_fail) */
            int64_t begun_mono_ms;
            uint32_t unsafe;
            uint8_t fail_fault;
        };
    };
    struct variant *variant;     /* key material, owned; NULL: empty */
    uint64_t begin;              /* the purge number at which its fetch began */
    _Atomic uint32_t good_after; /* it was last found untouched at a purge number that many later */
    _Atomic uint32_t hits;       /* for explain: object_count_hit */
    struct response *response;
    struct body *body; /* NULL: none; until it is sealed under the object's lock */
    /* from HEAD on: object_freshness, object_received_ms */
    uint64_t received_ms : 41, foreground : 1, age_low_ms : AGE_LOW_BITS;
    uint64_t lifetime_ms : 42, age_high_ms : 20, always_revalidate : 1, never_stale : 1;
    _Atomic uint32_t next_refresh_s; /* after a failed refresh, on the monotonic clock: not before */
    uint8_t memory;                  /* its cache's id: object_cache */
    uint8_t verdict_reason : 6;      /* enum reason; from HEAD on: why not stored */
    bool stored : 1;      /* from HEAD on: the verdict was to store it. Else private: for one request */
    bool confirmed : 1;   /* from HEAD on: the origin answered 304 */
    uint8_t fail_reason;  /* enum reason; from FAILED on */
    uint8_t fail_5xx : 7; /* a status, less 500; from FAILED on */
    bool has_generated_etag : 1; /* from SEALED on: made of response_tag */
};

/* A private object: not in the index (index_look makes the others). One reference, the caller's. `begin`: read by
 * epochs_published before anything was decided. */
struct object *object_new(struct cache *c, uint64_t begin);
static inline struct cache *object_cache(const struct object *o)
{
    return CONTAINER_OF(memory_of(o->memory), struct cache, memory);
}
struct object *object_ref(struct object *o);
void object_unref(struct object *o);
/* Without a read-modify-write, which would be another one for each hit: of hits that several threads count at the very same moment
 * some are lost. */
static inline void object_count_hit(struct object *o)
{
    uint32_t hits = atomic_load_explicit(&o->hits, memory_order_relaxed);
    atomic_store_explicit(&o->hits, hits + 1, memory_order_relaxed);
}
static inline enum object_state object_state(const struct object *o)
{
    return (enum object_state)atomic_load_explicit(&o->state, memory_order_acquire);
}
static inline bool object_is_done(const struct object *o)
{
    return object_state(o) >= OBJECT_SEALED;
}

/* ---- its fetch, one thread ---- */

/* `room`: told when a reader of a passing body moved on, or when the last reader left. `sender` as in base/notice; both NULL: the fetch
 * is over. */
void object_set_fetch(struct object *o, struct notice *room, const void *sender);

struct object_head {
    struct response **response; /* taken over and cleared */
    struct body **body;         /* taken over and cleared; NULL inside: no body */
    const struct verdict *verdict;
    int64_t received_mono_ms;
    int fetched_status;
    const struct object *successor_of; /* confirmed by a 304: its generated ETag stays; NULL */
};
/* NEW -> HEAD. Readers are told by object_publish. */
void object_set_head(struct object *o, const struct object_head *head);
/* HEAD, private, before it is published: what its own answer invalidated up to that purge number is not meant for it; it
 * counts as begun then, unless somebody else purged it meanwhile. */
void object_begin_again(struct object *o, uint64_t begin);
/* HEAD, its response has room for a part: that is what the body is. */
void object_set_part(struct object *o, struct part part);
/* Tells all watches to look again. */
void object_publish(struct object *o);
/* -> SEALED, and publishes. Compacts the body and makes an ETag when `make_etag` and the response has no validator. */
void object_seal(struct object *o, bool make_etag);
/* -> FAILED, and publishes. */
void object_fail(struct object *o, enum reason reason, int status);
/* Before it: what is wrong with the origin's message. */
void object_set_fault(struct object *o, enum http_error fault);

/* The body turns into a passing one: no more joiners. Also the way to begin one. */
void object_close(struct object *o);
bool object_is_closed(const struct object *o);
/* Position of the slowest reader; UINT64_MAX without readers. */
uint64_t object_slowest(struct object *o);
unsigned object_readers(struct object *o);
/* Of a passing body with so many bytes: is the fetch held up by one reader while another has them all? */
bool object_waits_at(struct object *o, uint64_t length);
/* The fetch waits for readers to move on (true) or not: only then are they asked to tell. */
void object_set_paused(struct object *o, bool paused);

/* ---- its readers: one watch for each object and loop ---- */

/* Embedded in the watcher, which belongs to one loop. It must stay until object_unwatch said that it is out and no notice is
 * pending. Zeroed, `link` initialised, owner and notice set before its first use. */
struct watch {
    struct link link;  /* in the object's list, under its lock */
    const void *owner; /* whose thread it belongs to */
    struct notice *notice;
    _Atomic uint64_t slowest, furthest; /* smallest and largest position of its readers */
    unsigned readers;                   /* under the object's lock */
};

enum object_watch {
    OBJECT_WATCHED, /* a notice comes whenever something changed; look at the object now nevertheless */
    OBJECT_DONE,    /* sealed or failed: there is nothing to wait for. Not counted as a reader */
    OBJECT_CLOSED,  /* no more joiners: look up again. Not counted as a reader */
};
/* One more reader of w, at position 0. `own_fetch`: the request that started the fetch gets in although it is closed. */
enum object_watch object_watch(struct object *o, struct watch *w, bool own_fetch);
/* One reader of w less. true: it was the last, and w is out of the object's list. */
bool object_unwatch(struct object *o, struct watch *w);
/* The owner's watch that is in the object's list, or NULL. */
struct watch *object_watch_of(struct object *o, const void *owner);
/* A reader moved on, w->slowest was updated: tells the fetch if it waits for that. */
void object_reader_moved(struct object *o, const void *owner);

/* A slow reader has it, who also has a reference: it is not evicted meanwhile, since nothing would be free, and counts as pinned. false: it
 * does not count (not to be stored, or 65,535 hold it); else until object_release. Any thread. */
bool object_hold(struct object *o);
void object_release(struct object *o);

/* The body as a reader holds it: a new reference, or NULL. */
struct body *object_body(struct object *o);

/* ---- what a look-up asks ---- */

/* When was it softly purged: -1 never, else milliseconds since. `gone`: hard purged or below the floor. */
struct object_purged {
    bool gone, invalidated;
    int64_t soft_ms;
};
/* Compares with the purges up to `published`; remembers when nothing touched it. */
struct object_purged object_check_purged(struct object *o, uint64_t published, int64_t now_mono_ms);

/* What it can be purged by. From HEAD on. */
static inline struct epoch_names object_names(const struct object *o)
{
    return response_names(o->response);
}

/* How it ages; from HEAD on. */
static inline struct freshness object_freshness(const struct object *o)
{
    return (struct freshness){
        .lifetime_ms = (int64_t)o->lifetime_ms,
        .age_ms = (int64_t)((uint64_t)o->age_high_ms << AGE_LOW_BITS | o->age_low_ms),
        .stale_while_ms = o->evict.own * (int64_t)1000,
        .stale_error_ms = o->node.own * (int64_t)1000,
        .always_revalidate = o->always_revalidate,
        .never_stale = o->never_stale,
        .foreground = o->foreground,
    };
}
static inline int64_t object_received_ms(const struct object *o)
{
    return (int64_t)o->received_ms;
}
/* What the questions of policy.h ask. `soft_ms` as in policy_age. */
struct object_life {
    struct freshness fresh;
    struct age age;
};
static inline struct object_life object_life(const struct object *o, int64_t now_mono_ms, int64_t soft_ms)
{
    struct object_life life = { .fresh = object_freshness(o) };
    life.age = policy_age(&life.fresh, now_mono_ms - object_received_ms(o), soft_ms);
    return life;
}
static inline struct age object_age(const struct object *o, int64_t now_mono_ms, int64_t soft_ms)
{
    return object_life(o, now_mono_ms, soft_ms).age;
}
/* May it be served although the origin failed? Not when it was purged. */
bool object_serves_on_error(struct object *o, uint64_t published, int64_t now_mono_ms,
                            const struct directives *request);

/* A refresh failed: the next one not before. In whole seconds, rounded up. */
static inline void object_set_next_refresh(struct object *o, int64_t mono_ms)
{
    atomic_store_explicit(&o->next_refresh_s, (uint32_t)((mono_ms + 999) / 1000), memory_order_relaxed);
}
static inline int64_t object_next_refresh_ms(const struct object *o)
{
    return atomic_load_explicit(&o->next_refresh_s, memory_order_relaxed) * (int64_t)1000;
}

static inline struct str object_variant(const struct object *o)
{
    return o->variant ? (struct str){ o->variant->bytes, o->variant->n } : STR_NONE;
}
/* The index', under its lock, before HEAD. */
void object_set_variant(struct object *o, struct str variant);

/* From HEAD on: is its body a part of a whole, which response_part tells? */
static inline bool object_is_partial(const struct object *o)
{
    return o->response->has_part && response_part(o->response)->whole != 0;
}

/* What is charged for it and what it owns, but the body. 0: it is not stored. */
size_t object_charged(const struct object *o);

/* For cache/compact, under its shard's lock: moves what stands in slabs that are hardly used (memory_take_denser), when only the index
 * has a reference. Returns where the object is now; the index' pointers are the caller's to mend. */
struct object *object_move(struct object *o, unsigned quarters);

/* The purge number at which it was last found untouched. */
static inline uint64_t object_good_at(const struct object *o)
{
    return o->begin + atomic_load_explicit(&o->good_after, memory_order_acquire);
}

/* Bytes of the whole representation; UINT64_MAX while it is not known. */
uint64_t object_length(struct object *o);

#endif
