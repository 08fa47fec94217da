/*
 * Upstreams: the origins of a site, and which of them a fetch gets (docs/ORIGINS.md, decision 075). One
 * struct for each list of origins that a site's settings ever had, shared by all workers. It stays until
 * origins_fini. Any thread may call these functions, without a lock held.
 */
#ifndef ORIGIN_UPSTREAM_H
#define ORIGIN_UPSTREAM_H

#include "origin/retries.h"
#include "origin/origin.h"

/* ---- the choice, pure ---- */

/* How willingly an origin is chosen. */
enum upstream_rank {
    UPSTREAM_WELL,
    UPSTREAM_BACKUP,      /* well, and kept aside */
    UPSTREAM_SICK,        /* sick, down, or not reached a moment ago */
    UPSTREAM_SICK_BACKUP, /* the same of one that is kept aside */
    UPSTREAM_NEVER,       /* drained, or tried already */
};

struct upstream_candidate {
    enum upstream_rank rank;
    int64_t outstanding; /* what it has to do */
    uint32_t weight;     /* upstream_weight; not 0 */
    uint64_t pass;       /* its turn: the less, the sooner */
};

/* What a turn of weight 1 adds to `pass`. */
#define UPSTREAM_PASS ((uint64_t)1 << 40)

/* Returns a weight in thousandths, less while an origin starts slowly: it has been well since then.
 * INT64_MIN: since ever. */
uint32_t upstream_weight(uint32_t weight, int64_t well_since_ms, int64_t slow_start_ms, int64_t now_mono_ms);
/* Returns which one is chosen, of the best rank: the one with the least to do for its weight, and of such
 * ones the one whose turn it is. SIZE_MAX: all are UPSTREAM_NEVER. Sets the passes to what they are
 * afterwards. */
size_t upstream_pick(struct upstream_candidate *v, size_t n);

/* ---- a site's origins ---- */

/* What the checks of a site say of an origin (origin/probe.h). Relaxed. */
struct upstream_checks {
    _Atomic int64_t last_wall_ms; /* 0: none yet */
    _Atomic int status;           /* of the last one; 0: no answer */
    _Atomic int why;              /* enum reason, when there was no answer that can be read */
    _Atomic int64_t good, bad;    /* ever */
};

struct upstream_member {
    struct origin *origin;
    uint32_t weight;
    bool is_backup;
    atomic_bool is_down; /* the checks say so */
    struct upstream_checks checks;
    uint64_t pass; /* under the upstream's lock */
};

struct upstream {
    struct link link;
    struct origins *all;
    struct buf identity; /* the site, its origins, their weights */
    struct lock lock;    /* guards the passes and the retries. Taken alone */
    struct retries retries;
    size_t n; /* at least 1 */
    struct upstream_member v[];
};

/* Returns the upstream of a site; makes it when its list is new. Never NULL. */
struct upstream *upstream_of(struct origins *all, const struct site_settings *site, int64_t now_mono_ms);
/* Frees all of them. For origins_fini. */
void upstreams_fini(struct origins *all);

/* What a fetch wants. */
struct upstream_wish {
    const struct site_settings *site; /* for slow_start and refresh_backoff */
    const struct origin *own;         /* the client has a connection of its own there; NULL: none */
    uint32_t tried;                   /* a bit for each origin that it was sent to */
    bool again;                       /* it was tried before: the budget counts, and may forbid it */
    bool may_probe; /* it can be sent again elsewhere, so it may be the one that tries a sick origin */
};

struct upstream_chosen {
    struct origin *origin; /* NULL: none */
    size_t place;
    bool is_probe;   /* it tries whether a sick one is well again */
    bool is_refused; /* none, since the budget is used up */
};

/* Chooses for a fetch, and counts it as outstanding there until upstream_done. */
void upstream_choose(struct upstream *u, const struct upstream_wish *wish, int64_t now_mono_ms,
                     struct upstream_chosen *out);
/* A fetch, or what came of it, is done with that origin. */
void upstream_done(struct origin *o);
/* Is there one beside those that were tried? */
bool upstream_has_other(const struct upstream *u, uint32_t tried);
/* Is none of them usable: each is sick, down or drained? */
bool upstream_is_sick(const struct upstream *u);
/* While upstream_is_sick: may the caller try whether one of them is well again? As origin_may_try. */
bool upstream_may_try(struct upstream *u, int64_t now_mono_ms, int64_t backoff_ms);
/* Is one of them HTTP/1.0 (origin_is_old)? */
bool upstream_is_old(const struct upstream *u);
/* Returns the one that would be chosen now; for people. */
size_t upstream_next(struct upstream *u, const struct site_settings *site, int64_t now_mono_ms);
/* Would nothing be left for the site without this one? */
bool upstream_is_last(const struct upstream *u, const struct origin *o);
/* The checks say that a member is down, or up. */
void upstream_set_down(struct upstream *u, size_t place, bool is_down, int64_t now_mono_ms);

#endif
