/*
 * The index: families and their variants. A family is what the index knows of one primary key (a URL without
 * its query): its vary rule and its objects. A variant is one object under that rule. For keys whose answers
 * are not stored the index keeps marks (cache/mark.h). Sharded by primary key: a family and its variants are
 * in one shard, under one short lock. Compares the whole key. Any thread may call these functions, without a
 * lock held.
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/object.h"

enum outcome {
#define OUTCOME(id, name, step) OUTCOME_##id,
#include "tbl/outcomes.h"
#undef OUTCOME
    OUTCOME_COUNT
};

/* Returns the name in tbl/outcomes.h. A literal. */
struct str outcome_name(enum outcome o);

/* Where a response belongs. The caller owns the strings; the index copies what it keeps. */
struct place {
    struct str primary;
    struct hash128 hash; /* of primary */
    struct str variant;
    /*
     * A page belongs to the release of its site (conf/release.h) that it was made for. What all releases have
     * in common, as an asset, is found under each of them. `variant_hash` is that of the variant and the
     * release: of one variant, no two releases have the same. So an object need not keep its release.
     */
    uint32_t release;        /* its number; 0: there is none, and all is common */
    bool is_common;          /* to be stored, and found under each release */
    uint32_t common_hash;    /* of the variant alone */
    uint32_t variant_hash;   /* of the variant and the release */
    const struct rule *rule; /* the variant was computed under it; NULL: the default */
};

/* Sets the hashes of `p` from its strings and its release, by the cache's secret. Whatever takes a place
 * below needs them. */
void place_hash(const struct cache *c, struct place *p);
/* Returns the number of the release that an object with that hash and variant belongs to; 0: it is common. */
uint32_t place_release(const struct cache *c, uint32_t hash, struct str variant);

struct look {
    struct place place;
    const struct directives *request; /* only those that the site honours, see policy_request_directives */
    struct now now;
    const struct release *release; /* the request's; NULL: there are none */
    uint64_t latest;               /* the purge number when the request arrived */
    bool may_fetch; /* false: create nothing (HEAD of a page that is not known, only-if-cached) */
    /* false: do not wait for a running fetch (Authorization; a request that has waited in vain) */
    bool may_join;
    bool may_read; /* false: what is on disk counts as nothing (OUTCOME_DISK does not come) */
    bool authorization;
    bool sick;    /* the origin is sick: serve at once what may be served stale on an error */
    bool may_try; /* a sick origin: one of its pages may be refreshed, to see whether it is well again */
};

struct found {
    enum outcome outcome;
    /* A reference, or NULL. HIT, STALE, STALE_JOIN: the object to serve. EXPIRED, JOIN, PASS: the object
     * to revalidate, and to serve on an error. */
    struct object *stored;
    /* A reference, or NULL. STALE, EXPIRED, MISS: the caller starts a fetch that fills it. JOIN: the
     * caller waits for it. NULL: the caller makes a private one. */
    struct object *busy;
    struct rule *rule; /* a reference: RULE */
    struct age age;    /* of `stored` */
    bool invalidated;  /* an unsafe request has invalidated `stored` */
    bool backing_off;  /* STALE_JOIN without a running refresh */
    bool untried;      /* STALE_JOIN: the only reason is that a sick origin may not be tried */
    bool for_sickness; /* STALE, STALE_JOIN: the only reason is that the origin is sick */
    bool kept;       /* STALE, STALE_JOIN: an asset from before the release; the origin may lack it by now */
    bool known;      /* the family has a stored response, of any variant, that was not purged */
    bool no_queue;   /* PASS: the key's mark says that its requests do not wait for each other */
    bool reads_rule; /* DISK: the family's rule is to be read first */
    bool settled; /* an answer for all brought the family's rule: cookies that it leaves out are not sent */
};

/* Answers a request's look-up (docs/ARCHITECTURE.md): sets *out, with references that the caller owns. With
 * STALE, EXPIRED or MISS and out->busy it has announced an object to others: the caller starts a fetch for
 * it, or takes it out by index_withdraw and makes it fail. */
void index_look(struct cache *c, const struct look *look, struct found *out);

/* Must the request not wait for this object, which has a head, since it was purged before the request
 * arrived? false also after a soft purge or an invalidation, if the object could be served stale. */
bool index_is_outdated(struct object *o, const struct look *look);

/* ---- the fetch's side: on its thread. `o` is the fetch's object, in the index or private ---- */

/* Marks the start of the fetch: unsafe requests that are answered from now on apply to its result, as do
 * purges after o->begin. Call it again after object_begin_again. */
void index_begin(struct object *o, const struct place *place, int64_t now_mono_ms);

/* For an object that was read from disk: index_unsafe returns the count that index_begin_at then gives it,
 * together with the time. Ask before the reading. */
uint32_t index_unsafe(struct cache *c, const struct place *place);
void index_begin_at(struct object *o, uint32_t unsafe, int64_t now_mono_ms);

/* Call it at the head of a response that is to be stored, with status 2xx. Gives the family `rule` (the
 * caller keeps its reference), and the object its final key `place`, computed under `rule`. From now on
 * nothing joins the object under the old key. */
void index_settle(struct object *o, const struct place *place, struct rule *rule);
/* Like index_settle, for a status other than 2xx. false: a 2xx has brought another rule; nothing is done. */
bool index_settle_other(struct object *o, const struct place *place, struct rule *rule);
/* Publishes a sealed object under its key `place`: takes out the older object of that key, and puts `o` into
 * the eviction queues. Puts a private object into the index; look-ups find an announced one since its seal.
 * Takes out the least used variant of the family when there are more than `variants_max`. false: `o` is not
 * stored, and not in the index: it was purged meanwhile, a younger one is there, an unsafe request was
 * answered meanwhile, or a private fetch took more than an hour. */
bool index_publish(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms);
/* The same for an object that was read from disk: it does not take the place of one that is there. */
bool index_publish_read(struct object *o, const struct place *place, size_t variants_max,
                        int64_t now_mono_ms);
/* Takes the object out of the index, with the index' reference; the caller has one of its own. Does nothing
 * when it is not in the index. Any thread. */
void index_withdraw(struct object *o);
/* Takes the codings of an object away (cache/coded.h), which evict_take has just returned and of which the
 * caller and the index alone have references, and puts it back into its queue. false: it has none, or others
 * use it; nothing has happened. Any thread. */
bool index_strip(struct object *o);

/* What an answer that is not stored says about its key (cache/mark.h). */
struct index_note {
    enum mark_effect effect;
    enum reason reason;       /* why, for explain */
    uint32_t broken;          /* the mistake in a targeted field, packed as policy.h has it */
    bool is_short;            /* the page is known to be no longer than a stored body may be */
    int64_t until_ms;         /* monotonic: until when the mark is in force */
    const struct rule *learn; /* `has_rule`: the rule that the family gets; NULL: the default */
    bool has_rule;
    bool of_2xx;      /* a 2xx brought it; else a rule of a 2xx stays */
    bool settles;     /* the answer is for all, but for what its request had beside the key */
    bool cookies_cut; /* the request went without some of its visitor's cookies */
};
/* Call it at the head of a response that is not to be stored. Takes the object out of the index, and gives it
 * the key `place`, computed under the rule of the answer, so that each waiter can see whether the answer is
 * for its own key. Learns `note`; NULL: nothing. */
void index_refuse(struct object *o, const struct place *place, const struct index_note *note,
                  int64_t now_mono_ms);
/* Makes, renews or clears the mark of the key `place`, and does nothing else. For a response whose head was
 * settled, and for a body that turned out to be short enough. */
void index_mark(struct cache *c, const struct place *place, const struct index_note *note,
                int64_t now_mono_ms);
/* Extends the mark of the key `place` to `until_ms` (monotonic) at least, if it is in force. For a request of
 * that key that goes to the origin alone. Any thread. */
void index_renew(struct cache *c, const struct place *place, int64_t until_ms, int64_t now_mono_ms);

/* Notes that an unsafe request for the URL of `place` was answered. true: the caller must invalidate the URL
 * by a purge. false: nothing is known of the URL, so it need not; a fetch of the URL that is not in the index
 * will not be published. So a flood of such requests costs no purges. */
bool index_invalidates(struct cache *c, const struct place *place);

/* ---- the disk's side: any thread ---- */

/* What is known of the family's rule. */
struct known_rule {
    struct rule *rule; /* a reference of the caller's; NULL: the default */
    bool known;        /* the family exists */
    bool busy;         /* a fetch runs for it */
    bool of_2xx;       /* a 2xx brought the rule: errors and redirects do not replace it */
};
/* Returns the family's rule, when it is known and not on disk as it is; then it counts as being there. The
 * caller drops the reference. `known` false: nothing is to be written. */
struct known_rule index_rule_to_save(struct cache *c, const struct place *place);
/* Is the object in the index? */
bool index_has(struct object *o);
/* Returns a reference to the sealed object with that primary key, variant and hash, which the caller drops;
 * NULL: there is none. */
struct object *index_current(struct cache *c, const struct place *place, uint32_t hash);
/* It could not be written. */
void index_rule_not_saved(struct cache *c, const struct place *place);
/* Gives the family the rule that the disk has, unless it has one that is as good. The caller keeps its
 * reference. */
void index_restore_rule(struct cache *c, const struct place *place, struct rule *rule, bool of_2xx,
                        int64_t now_mono_ms);

/* A page of the family was read from disk: an answer for all has brought the family's rule; a 2xx, if the
 * page is one. */
void index_settled_again(struct cache *c, const struct place *place, bool is_2xx);

/* ---- questions for explain, purges and others: any thread ---- */

/* What is known of a family and of one key in it, for explain. */
struct index_facts {
    bool known;               /* the family exists, or a mark of the key */
    bool busy;                /* a fetch runs for it */
    unsigned variants;        /* stored ones, with purged ones */
    bool was_purged;          /* the sweep has lately taken away a purged one */
    bool has_good;            /* one of them was not purged */
    int64_t no_queue_left_ms; /* of the key's mark; 0: not in force */
    /* Why the key's latest answer was not stored. REASON_NONE: it was, or the origin was not asked. */
    enum reason last_reason;
    uint32_t last_broken; /* the mark's `broken` */
};
/* Returns what is known now. */
struct index_facts index_facts(struct cache *c, const struct place *place, int64_t now_mono_ms);

/* Is it an asset that no fetch has brought or confirmed since the release went live? A sealed object. */
static inline bool index_is_from_before(const struct object *o, const struct release *release)
{
    return object_received_ms(o) <= release->live_since_ms && o->response->is_asset;
}

/* Until when (monotonic milliseconds) is it served as a kept asset (found.kept), whatever the origin has by
 * now? That time may be over: then the origin is asked first. 0: it is not from before, or was purged in any
 * way (`purged`: of object_check_purged). */
static inline int64_t index_kept_until(const struct object *o, const struct object_purged *purged,
                                       const struct release *release)
{
    return index_is_from_before(o, release) && !purged->gone && !purged->invalidated && purged->soft_ms < 0
               ? release_keeps_until(release, object_received_ms(o))
               : 0;
}

/* Must a refresh of a stale one still wait: since one failed a moment ago, or since the release lacks what is
 * kept for it? `keeps`: that release; NULL: it is no kept asset. */
static inline bool index_refresh_waits(const struct object *o, const struct release *keeps, int64_t now_ms)
{
    return (keeps && object_is_missing(o, keeps->number)) || object_next_refresh_ms(o) > now_ms;
}

/* Returns what is known; the caller drops the reference. */
struct known_rule index_known_rule(struct cache *c, const struct place *place);
/* Returns a reference to the family's rule, which the caller drops, or NULL. Sets *known: the family exists,
 * and *busy: a fetch runs for it. */
struct rule *index_rule(struct cache *c, const struct place *place, bool *known, bool *busy);
/* Returns a reference to the stored object of that key, which the caller drops, or NULL. The object may have
 * been purged, or be expired, and this counts as no use of it. For explain, and for answers to HEAD. */
struct object *index_peek(struct cache *c, const struct place *place);

/* Returns a reference to the youngest stored object of that variant of a release that was live before `live`
 * and whose pages stay stored, which the caller drops, or NULL. It may have been purged, or be expired. Of
 * very many variants it looks at some. */
struct object *index_peek_before(struct cache *c, const struct place *place, const struct release *live);

/* A walk over what is stored, for lists of it. Zero it first. A family that comes or goes meanwhile may be
 * missed, or met twice. */
struct index_walk {
    uint32_t shard, bucket;
    uint32_t node, list; /* index_walk_stored: amid a bucket, and a family */
};
struct walk_question {
    uint64_t latest; /* of epochs_latest */
    int64_t now_mono_ms;
};
/* The same for stored objects, for the disk. */
struct index_stored {
    struct object *o;    /* a reference of the caller's */
    struct rule *rule;   /* another: of its family */
    struct hash128 hash; /* of the primary key */
    struct str primary;  /* in the arena */
};
/* Does a step of a walk, under one shard's lock: finds at most `most` stored objects. What was found is in
 * the first *n of `out`. false: the walk is over, and *w is at the beginning again. */
bool index_walk_stored(struct cache *c, struct index_walk *w, struct arena *a, struct index_stored *out,
                       size_t most, size_t *n);

/* Does a step of a walk, under one shard's lock, for some ten microseconds. Calls `each` for families with a
 * stored page: a 200 that is no asset and was not purged. `hits`: of its stored responses since each was
 * stored. `each` is called under the lock: it calls nothing of the index. false: the walk is over. */
bool index_walk(struct cache *c, struct index_walk *w, const struct walk_question *q,
                void (*each)(void *ctx, struct str primary, uint64_t hits), void *ctx);

/* ---- upkeep ---- */

/* Does a step of the sweep: frees purged and long expired objects, under one shard's lock, for some ten
 * microseconds. true: a round through all shards has ended. Only one thread may call it. */
bool index_sweep(struct cache *c, struct now now);

/* Does a step of moving together what stands in hardly used slabs, so that whole pages of memory become free
 * (docs/decisions/039). Takes as long as a step of the sweep. Moves nothing that a reader has. For
 * cache/room, which holds compaction.busy meanwhile. */
void index_compact(struct cache *c);

/* Initialise the index of a cache, and free it with all its objects. Called by cache_new and cache_free. */
void index_init(struct cache *c);
void index_fini(struct cache *c);

#endif
