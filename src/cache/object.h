/*
 * An object: one response. One fetch fills it; any number of requests deliver it, on any thread, also while
 * it grows. A request and a fetch meet only here.
 *
 * Counted: the index holds one reference, each reader one, its fetch one. Any thread may drop the last one.
 * Only its fetch writes it. Whoever reads a state (acquire) also sees what that state promises:
 *
 *   NEW      nothing yet; wait
 *   HEAD     response, body, freshness, names and verdict are set; the body grows
 *   SEALED   the body is whole; nothing changes from here on
 *   FAILED   reason and status say why; a body that had begun is cut
 *
 * A struct fill beside the object has what is only needed meanwhile (watches, the fetch's notice, the mode).
 * It exists as long as there is a fetch or a watch.
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
#include "http/accept.h"
#include "store/body.h"

enum object_state { OBJECT_NEW, OBJECT_HEAD, OBJECT_SEALED, OBJECT_FAILED };

/* A variant's key. */
struct variant {
    uint32_t n;
    char bytes[];
};

#define AGE_LOW_BITS 22

#define OBJECT_VERDICTS                                                                                      \
    64 /* the reasons of verdicts are below it: those behind it in tbl/reasons.h are none */

/*
 * There may be millions of these, so it is packed. Times are exact up to 69 years of uptime and 139 years of
 * a page's age, then saturate. Members that are never needed at the same time share a place; what few objects
 * have is in the response. node.own and evict.own would be padding. docs/decisions/032.
 */
struct object {
    atomic_uint refs;
    _Atomic uint8_t state;  /* enum object_state */
    _Atomic bool closed;    /* no more joiners; its body is a passing one, or becomes one */
    _Atomic uint16_t shard; /* the shard where it was first put, plus one; 0: never in the index */
    struct table_node node; /* the index's; the hash is its variant's; own: stale_error_s */
    struct family *family;  /* the index's, under its shard's lock; NULL: not in the index */
    union {
        struct evict_item evict; /* from index_publish on, when its weight is not 0; own: stale_while_s */
        /* Before that: when its fetch began, and the shard's count of unsafe requests then (index_begin);
         * what was wrong with the origin's message, enum http_error (object_fail). */
        struct {
            int64_t begun_mono_ms;
            uint32_t unsafe;
            uint8_t fail_fault;
        };
    };
    struct variant *variant;     /* key material, owned by the object; NULL: empty */
    uint64_t begin;              /* the purge number at which its fetch began */
    _Atomic uint32_t good_after; /* it was last found untouched by purges at `begin` plus this */
    _Atomic uint32_t hits;       /* for explain: object_count_hit */
    struct response *response;
    struct body *body; /* NULL: none; under the object's lock until SEALED */
    /* from HEAD on: object_freshness, object_received_ms */
    uint64_t received_ms : 41, foreground : 1, age_low_ms : AGE_LOW_BITS;
    uint64_t lifetime_ms : 42, age_high_ms : 20, always_revalidate : 1, never_stale : 1;
    _Atomic uint32_t next_refresh; /* object_set_next_refresh, object_note_missing */
    uint8_t memory;                /* the id of its cache's memory: object_cache */
    uint8_t verdict_reason : 6;    /* enum reason; from HEAD on: why it is not stored */
    bool stored : 1;      /* from HEAD on: the verdict was to store it; else it is private: for one request */
    bool confirmed : 1;   /* from HEAD on: the origin answered 304 */
    uint8_t fail_reason;  /* enum reason; from FAILED on */
    uint8_t fail_5xx : 7; /* the status, less 500; from FAILED on */
    bool has_generated_etag : 1; /* from SEALED on: the ETag is made of response_tag */
};

/* Makes a private object, which is not in the index (index_look makes the others). The caller owns the one
 * reference. `begin`: what epochs_latest returned before anything was decided. */
struct object *object_new(struct cache *c, uint64_t begin);
/* Returns the cache that the object's memory belongs to. */
static inline struct cache *object_cache(const struct object *o)
{
    return CONTAINER_OF(memory_of(o->memory), struct cache, memory);
}
/* Take a reference, which the caller then owns, and drop one. Any thread. The last drop frees the object. */
struct object *object_ref(struct object *o);
void object_unref(struct object *o);
/* Counts a hit. Plain load and store, since an atomic addition would cost every hit: some of the hits that
 * threads count at the same moment are lost. */
static inline void object_count_hit(struct object *o)
{
    uint32_t hits = atomic_load_explicit(&o->hits, memory_order_relaxed);
    atomic_store_explicit(&o->hits, hits + 1, memory_order_relaxed);
}
/* Returns the state, with all that it promises (acquire). Any thread. */
static inline enum object_state object_state(const struct object *o)
{
    return (enum object_state)atomic_load_explicit(&o->state, memory_order_acquire);
}
/* Is it sealed or failed? Any thread. */
static inline bool object_is_done(const struct object *o)
{
    return object_state(o) >= OBJECT_SEALED;
}

/* ---- the fetch's side: on its thread, without a lock held. Any thread may ask the questions ---- */

/* Sets where notices for the fetch go: `room` is sent when a reader of a passing body moved on, when the last
 * reader left, and when object_hurry ended its low priority. `sender` as in base/notice. Both NULL: the fetch
 * is over. */
void object_set_fetch(struct object *o, struct notice *room, const void *sender);

/* After object_set_fetch: the fetch is of low priority, until a reader calls object_hurry. false: it is not,
 * since somebody reads the object already. */
bool object_set_low(struct object *o);
/* Is its fetch of low priority? */
bool object_is_low(struct object *o);

/* What is known of an object that was stored and sealed before (cache/record.h). */
struct object_past {
    struct response **response; /* taken over; the pointer is cleared */
    struct body **body;         /* whole; taken over; the pointer is cleared; may point to NULL: no body */
    struct str variant;         /* its key, and `hash` the hash of its place: cache/index.h */
    uint32_t hash;
    struct freshness fresh;
    int64_t received_mono_ms;
    bool has_generated_etag; /* the response has room for its tag, and the tag */
};
/* Makes a private object as object_set_head and object_seal left it then, and charges it. The caller owns the
 * one reference. `begin`: the purge number at which its fetch began. */
struct object *object_restore(struct cache *c, uint64_t begin, const struct object_past *past);

struct object_head {
    struct response **response; /* taken over; the pointer is cleared */
    struct body **body;         /* taken over; the pointer is cleared; may point to NULL: no body */
    const struct verdict *verdict;
    int64_t received_mono_ms;
    int fetched_status;
    /* the object that a 304 confirmed: its generated ETag stays; or NULL */
    const struct object *successor_of;
};
/* NEW -> HEAD. Charges what is to be stored. Tells nobody: the caller then calls object_tell, or seals or
 * fails the object, which tells the readers. */
void object_set_head(struct object *o, const struct object_head *head);
/* In HEAD, private, before object_tell. Its own answer caused purges up to `begin`; they must not hit it.
 * Rebases it, unless others purged it meanwhile. */
void object_begin_again(struct object *o, struct str primary, uint64_t begin);
/* In HEAD, with room for a part in its response: says which part of the whole the body is. */
void object_set_part(struct object *o, struct part part);
/* Sends each watch its notice: look at the object again. */
void object_tell(struct object *o);
/* HEAD -> SEALED, and tells the readers. Compacts the body of a response that is stored. Makes an ETag when
 * `make_etag` and the response has no validator. */
void object_seal(struct object *o, bool make_etag);
/* NEW or HEAD -> FAILED, and tells the readers. `status`: of their error page, 500 to 599. */
void object_fail(struct object *o, enum reason reason, int status);
/* Notes what is wrong with the origin's message. Call it before object_fail. */
void object_set_fault(struct object *o, enum http_error fault);

/* Turns the body into a passing one, also before it begins. No more joiners. */
void object_close(struct object *o);
/* Was object_close called? Any thread. */
bool object_is_closed(const struct object *o);
/* Returns the position of the slowest reader; UINT64_MAX without readers. */
uint64_t object_slowest(struct object *o);
/* Returns the number of readers that are counted, without pours. Any thread. */
unsigned object_readers(struct object *o);
/* Returns the same with those of its pours. Any thread. */
unsigned object_visitors(struct object *o);
/* Has it a reader, or one of its pours? Any thread. */
bool object_has_visitors(struct object *o);
/* For a passing body of `length` bytes: does one reader hold up the fetch while another has all bytes? */
bool object_waits_at(struct object *o, uint64_t length);
/* true: the fetch waits for readers to move on. Readers tell it only then. */
void object_set_paused(struct object *o, bool paused);
/* Does it? Any thread. */
bool object_is_paused(struct object *o);

/* ---- the readers' side: one watch for each object and loop; on that thread, without a lock held ---- */

/* Embedded in the watcher, which belongs to one loop. It must stay until object_unwatch returned true and no
 * notice is pending. Before its first use zero it, initialise `link`, and set owner and notice. */
struct watch {
    struct link link;  /* in the object's list, under its lock */
    const void *owner; /* the owner's thread */
    struct notice *notice;
    _Atomic uint64_t slowest, furthest; /* the smallest and the largest position of its readers */
    unsigned readers;                   /* under the object's lock */
    bool is_pour; /* it makes a coding of the body (coding/pour.h): its reader is no visitor */
};

enum object_watch {
    OBJECT_WATCHED, /* a notice comes at every change; look at the object now all the same */
    OBJECT_DONE,    /* sealed or failed: no need to wait. Not counted as a reader */
    OBJECT_CLOSED,  /* no more joiners: look up again. Not counted as a reader */
};
/* Adds a reader to w, at position 0. `own_fetch`: this request started the fetch, so it may join a closed
 * object. */
enum object_watch object_watch(struct object *o, struct watch *w, bool own_fetch);
/* Call it after object_watch, for a reader that does not wait at low priority: the fetch is an ordinary one
 * from now on. `owner`: the caller's thread. */
void object_hurry(struct object *o, const void *owner);
/* Removes a reader from w. true: it was the last one, and w has left the object's list. */
bool object_unwatch(struct object *o, struct watch *w);
/* Returns the owner's watch in the object's list, or NULL. Only the owner's thread may use the watch. */
struct watch *object_watch_of(struct object *o, const void *owner);
/* A reader moved on and w->slowest is updated: tells the fetch if it waits for that. */
void object_reader_moved(struct object *o, const void *owner);

/* ---- codings that are made while it is filled (coding/pour.h) ---- */

/* A reader of the object, which has no head yet, would have that coding of it. Its thread, after
 * object_watch. */
void object_wish(struct object *o, enum coding coding);
/* Returns the codings that readers wished for: bits by enum coding. Any thread. */
unsigned object_wishes(struct object *o);
/* Hangs there an object whose body is that coding of this one, and takes a reference to it. NULL: takes it
 * away. The pour's thread; the object has a fetch or a watch. */
void object_set_pour(struct object *o, enum coding coding, struct object *to);
/* Returns a new reference to what hangs there; NULL: nothing. Any thread. */
struct object *object_pour(struct object *o, enum coding coding);
/* Returns for which codings something hangs there: bits by enum coding. Any thread. */
unsigned object_pours(struct object *o);

/* A slow reader, which has a reference, has the object: it is not evicted until object_release, since that
 * would free nothing, and counts as pinned. false: it does not count (it is not to be stored, or 65,535
 * readers hold it), and object_release must not be called. Any thread. */
bool object_hold(struct object *o);
/* Ends an object_hold that returned true. Any thread. */
void object_release(struct object *o);

/* Returns a new reference to the body, which the caller drops by body_unref. NULL: none. Any thread. */
struct body *object_body(struct object *o);

/* ---- for look-ups: any thread ---- */

/* soft_ms: milliseconds since it was softly purged; -1: never. `gone`: hard purged, or below the floor
 * (epochs_new). */
struct object_purged {
    bool gone, invalidated;
    int64_t soft_ms;
};
/* Compares the object with the purges up to `latest`. Remembers that number when no purge touched it.
 * `primary`: the primary key that it is stored under, here and below. */
struct object_purged object_check_purged(struct object *o, struct str primary, uint64_t latest,
                                         int64_t now_mono_ms);

/* Returns the names that it can be purged by. From HEAD on. */
static inline struct epoch_names object_names(const struct object *o)
{
    return response_names(o->response);
}

/* Returns how it ages. From HEAD on. */
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
/* Returns the monotonic time at which its head was received. From HEAD on. */
static inline int64_t object_received_ms(const struct object *o)
{
    return (int64_t)o->received_ms;
}
/* The arguments of policy.h's questions. `soft_ms` as in policy_age. */
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
/* May it be served although the origin failed? Not after a purge. */
bool object_serves_on_error(struct object *o, struct str primary, uint64_t latest, int64_t now_mono_ms,
                            const struct directives *request);

#define OBJECT_TAG_BYTES 34
/* Returns the generated ETag (has_generated_etag), with its quotes, in `room`. */
struct str object_generated_etag(const struct object *o, char room[OBJECT_TAG_BYTES]);

#define OBJECT_MISSING ((uint32_t)1 << 31) /* of next_refresh; no system runs for 68 years */

/* After a failed refresh: no other one before `mono_ms`. Kept in whole seconds, rounded up. */
static inline void object_set_next_refresh(struct object *o, int64_t mono_ms)
{
    uint32_t s = (uint32_t)((mono_ms + 999) / 1000) & ~OBJECT_MISSING;
    atomic_store_explicit(&o->next_refresh, s, memory_order_relaxed);
}
/* Returns the monotonic time before which no refresh may start; 0: any. Any thread. */
static inline int64_t object_next_refresh_ms(const struct object *o)
{
    uint32_t s = atomic_load_explicit(&o->next_refresh, memory_order_relaxed);
    return s & OBJECT_MISSING ? 0 : s * (int64_t)1000;
}
/* Notes that the release with this number lacks it: an asset from before. Replaces what the functions above
 * set. */
static inline void object_note_missing(struct object *o, uint32_t release)
{
    atomic_store_explicit(&o->next_refresh, release | OBJECT_MISSING, memory_order_relaxed);
}
/* Is that noted of this release? Any thread. */
static inline bool object_is_missing(const struct object *o, uint32_t release)
{
    return atomic_load_explicit(&o->next_refresh, memory_order_relaxed) == (release | OBJECT_MISSING);
}

/* Returns its variant key, which lives as long as the object. */
static inline struct str object_variant(const struct object *o)
{
    return o->variant ? (struct str){ o->variant->bytes, o->variant->n } : STR_NONE;
}
/* Sets the variant key. Only the index calls it, under its lock, before HEAD; later with the same key. */
void object_set_variant(struct object *o, struct str variant);

/* From HEAD on: is the body a part of a whole? response_part says which. */
static inline bool object_is_partial(const struct object *o)
{
    return o->response->has_part && response_part(o->response)->whole != 0;
}

/* Returns the bytes that are charged for the object and what it owns, without the body. 0: it is not to be
 * stored, or has no head yet. */
size_t object_charged(const struct object *o);

/* Returns what it weighs in the eviction queues: all that is charged for it. More than 4 GB count as 4 GB:
 * the queues share by weight, the budget goes by the charge. From SEALED on. */
uint32_t object_weight(const struct object *o);
/* Tells the queues, after what it has has changed, or once it is in them. Any thread. */
void object_weigh(struct object *o);

/* For cache/index_compact, under the shard's lock: moves what stands in hardly used slabs
 * (memory_take_denser), when only the index has a reference. Returns where the object is now. The caller
 * mends the index's pointers. */
struct object *object_move(struct object *o, unsigned quarters);

/* Returns the purge number at which it was last found untouched. Any thread. */
static inline uint64_t object_good_at(const struct object *o)
{
    return o->begin + atomic_load_explicit(&o->good_after, memory_order_acquire);
}

/* Returns the bytes of the whole representation; UINT64_MAX: not known yet. From HEAD on; any thread. */
uint64_t object_length(struct object *o);

#endif
