/*
 * The index: resources and their variants. A resource is what is known of a URL without its query: its vary rule; a variant is one
 * object under that rule. Of keys whose answers are not stored it keeps marks (cache/mark.h). Sharded by primary key, so that a resource
 * and its variants share a shard and one short lock. Full key material is compared. Any thread.
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

struct str outcome_name(enum outcome o);

/* Where a response belongs. The strings are the caller's; the index copies what it keeps. */
struct place {
    struct str primary;
    struct hash128 hash; /* of primary */
    struct str variant;
    uint32_t variant_hash;
    const struct rule *rule; /* under which the variant was computed; NULL: the default */
};

void place_hash(const struct cache *c, struct place *p);

struct look {
    struct place place;
    const struct directives *request; /* honoured ones, see policy_request_directives */
    struct now now;
    uint64_t published; /* the purge number when the request arrived */
    bool may_fetch;     /* false: create nothing (HEAD of what is not known, only-if-cached) */
    bool
        may_join; /* false: what is running is not waited for (Authorization, after a wait that was in vain) */
    bool authorization;
    bool sick;    /* the origin is: what may be served stale on an error is served at once */
    bool may_try; /* ... and one of its pages may be refreshed, to see whether it is well again */
};

struct found {
    enum outcome outcome;
    struct object *
        stored; /* a reference: what is served (HIT, STALE, STALE_JOIN) or revalidated and served on error (EXPIRED, JOIN,
                              PASS); or NULL */
    struct object *
        busy; /* a reference: to be filled by a fetch that the caller starts (STALE, EXPIRED, MISS), or to wait for
                              (JOIN); NULL: a private one is to be made */
    struct rule *rule; /* a reference: RULE */
    struct age age;    /* of `stored` */
    bool invalidated;  /* `stored` was, by an unsafe method */
    bool backing_off;  /* STALE_JOIN without a running refresh */
    bool untried;      /* STALE_JOIN: only because it may not try a sick origin */
    bool for_sickness; /* STALE, STALE_JOIN: only because the origin is sick */
    bool known;        /* the resource has a stored response, of whatever variant, that was not purged */
    bool no_queue;     /* PASS: the key's mark says that its requests do not wait for each other */
};

/* The one answer (ARCHITECTURE.md). */
void index_look(struct cache *c, const struct look *look, struct found *out);

/* Of an object that has a head: was it purged before the request arrived, so that it may not be what this one waits for? A softly
 * purged or invalidated one may, if it could be served stale. */
bool index_is_outdated(struct object *o, const struct look *look);

/* The fetch's side; `o` is its object, in the index or private. */

/* The fetch begins: what happens from now on counts for what it brings. */
void index_begin(struct object *o, const struct place *place, int64_t now_mono_ms);

/* At the head, when it is to be stored: the resource has `rule` from now on and the object stands under its final key (`place`,
 * computed under `rule`). Nothing joins it under the old one any more. */
void index_settle(struct object *o, const struct place *place, struct rule *rule);
/* The same for another status than 2xx. false, and nothing is done: a 2xx has brought another rule. */
bool index_settle_other(struct object *o, const struct place *place, struct rule *rule);
/* After the seal: what a look-up finds from now on; the older one goes. false: purged meanwhile, or a younger one is there. */
bool index_publish(struct object *o, const struct place *place, size_t variants_max, int64_t now_mono_ms);
/* Out of the index; harmless when it is not in it. */
void index_withdraw(struct object *o);

/* What an answer that is not stored says of its key (cache/mark.h). */
struct index_note {
    enum mark_effect effect;
    enum reason reason;       /* why, for explain */
    uint32_t broken;          /* the mistake in a targeted field, packed as policy.h has it */
    bool is_short;            /* the page is known to be no longer than what may be stored */
    int64_t until_ms;         /* monotonic: how long the mark is in force, made or renewed */
    const struct rule *learn; /* `has_rule`: the resource has this rule from now on; NULL: the default */
    bool has_rule;
    bool of_2xx; /* a 2xx brought it; else one that a 2xx brought stays */
};
/* At the head, when it is not to be stored: the object is out of the index, and its key is `place` from now on, computed under the rule
 * that the answer brought: so who waited for it knows whether it was his answer. `note`: NULL: nothing is learnt. */
void index_refuse(struct object *o, const struct place *place, const struct index_note *note,
                  int64_t now_mono_ms);
/* The same of a page whose head was settled, and of a body that turned out to be short enough: its mark alone. */
void index_mark(struct cache *c, const struct place *place, const struct index_note *note,
                int64_t now_mono_ms);
/* A request of that key goes to the origin alone: its mark, if it is in force, stays so until then at least. */
void index_renew(struct cache *c, const struct place *place, int64_t until_ms, int64_t now_mono_ms);

/* An unsafe request for that URL was answered. false: nothing is known of it, so there is nothing to invalidate; what a fetch that
 * is not in the index brings of it will not be published. So a flood of such requests costs no purges. */
bool index_invalidates(struct cache *c, const struct place *place);

/* What is known of a resource and of one key of it, for explain. */
struct index_facts {
    bool known;               /* there is one, or a mark of the key */
    bool busy;                /* a fetch runs for it */
    unsigned variants;        /* stored ones, purged ones too */
    bool was_purged;          /* one that the sweep has taken away lately was */
    bool has_good;            /* one of them was not purged */
    int64_t no_queue_left_ms; /* of the key's mark; 0: it is not in force */
    enum reason
        last_reason; /* why the key's latest answer was not stored; REASON_NONE: it was, or nothing was asked */
    uint32_t last_broken; /* with it: the note's `broken` */
};
struct index_facts index_facts(struct cache *c, const struct place *place, int64_t now_mono_ms);

/* What is known of the resource's rule. */
struct known_rule {
    struct rule *rule; /* a reference of the caller's, or NULL: the default */
    bool known;        /* there is a resource */
    bool busy;         /* a fetch runs for it */
    bool of_2xx;       /* a 2xx brought the rule: those of errors and redirects do not take its place */
};
struct known_rule index_known_rule(struct cache *c, const struct place *place);
/* The resource's rule: a reference, or NULL; *known: is there a resource; *busy: does a fetch run for it. For purges by URL and explain. */
struct rule *index_rule(struct cache *c, const struct place *place, bool *known, bool *busy);
/* The stored object of that key, without any check or effect: a reference or NULL. For explain, and for answers to HEAD. */
struct object *index_peek(struct cache *c, const struct place *place);

/* A step of the sweep, under one shard's lock for some ten microseconds: gives back what is purged or long expired. Returns true
 * when a round ended. One thread. */
bool index_sweep(struct cache *c, struct now now);

/* A step of moving together what stands in slabs that are hardly used, so that whole pages become free (decision 039); as long as a step of
 * the sweep. Nothing that a reader has moves. Any thread, but one at a time. */
void index_compact(struct cache *c);

void index_init(struct cache *c);
void index_fini(struct cache *c);

#endif
