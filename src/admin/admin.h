/*
 * The admin site: a source of answers behind the same front as all other requests. Purge API, explain,
 * status, health, readiness, metrics (docs/ADMIN.md). One for the process; any worker's thread calls it.
 * r->settings is the snapshot in force. What it changes (epochs, the list of latest purges) has locks of its
 * own. admin_init and admin_fini run on main's thread, before the workers start and after they ended. All
 * other functions run on any thread, without a lock held.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/tokens.h"
#include "admin/webhook.h"
#include "admin/wrong_tokens.h"
#include "cache/purge.h"
#include "deploy/deploy.h"
#include "request/request.h"

#define ADMIN_PURGES_KEPT 20

/* A purge that was made, for status. */
struct admin_purge {
    uint64_t sequence;
    int64_t wall_ms;
    char site[TOKEN_SITE_MAX + 1]; /* empty: several */
    char what[PURGE_SAID_MAX + 1]; /* "site default: tags book-1, books (soft)", cut; NUL-terminated */
};

struct certificate_desk;

struct admin {
    struct source source;    /* of the admin listener */
    struct source by_method; /* of purges that come by a site's own listener */
    struct source by_webhook;
    /* set by main */
    struct cache *cache;
    struct origins *origins;
    struct deploys *deploys;
    struct facts *facts;
    struct tokens *tokens;                 /* those that were made later */
    struct certificate_desk *certificates; /* NULL: no address has TLS */
    struct counters **counters;            /* one for each worker */
    struct overload *overload;
    size_t workers;
    const struct counters *others; /* of what is no worker; NULL: nothing */
    const struct clock *clock;
    struct str token; /* that of the start, which may do everything; never empty */
    int64_t started_wall_ms, started_mono_ms;
    _Atomic bool
        frozen;         /* another freshet takes the store over: deploys and tokens may not be changed here */
    _Atomic bool ready; /* false before all listeners are up, and from the drain on */
    /* its own */
    struct lock drain_lock; /* held while an origin is drained and that becomes a fact */
    struct lock lock;       /* guards those of the members below that are not atomic */
    struct admin_purge purges[ADMIN_PURGES_KEPT];
    size_t purges_n;          /* ever */
    struct webhooks webhooks; /* has a lock of its own */
    int64_t reloaded_wall_ms; /* of the latest try; 0: none yet */
    char reload_error[256];   /* what was wrong with the configuration; empty: nothing */
    _Atomic uint64_t reloads_failed;
    _Atomic bool reload_failed;
    /* Upgrades (admin/upgrade_api.h). */
    struct notice *upgrade_main; /* set by main: told that one is wanted */
    int64_t pid;                 /* set by main: this process's */
    uint64_t upgrades;           /* that were begun, ever */
    bool upgrade_runs;
    struct buf upgrade_error; /* of the latest that has ended; empty: there was none */
    struct list deploying;    /* requests that wait for their deploy; all on the admin listener's worker */
    struct log_valve refused_said; /* that purges by method were refused */
    struct wrong_tokens wrong_tokens;
    struct log_valve wrong_said; /* that wrong tokens were refused */
    struct list held;            /* requests whose answer to a wrong token waits; on that worker, too */
    size_t held_n;
    int64_t rate_second; /* purge_rate */
    int64_t rate_used;
};

/* Prepares a zeroed struct whose members "set by main" are set; `ready` may be set later. The text of `token`
 * must stay. */
void admin_init(struct admin *a);
/* Frees nothing that main set. */
void admin_fini(struct admin *a);

/* Notes that the configuration was read again. `error`: the first thing that is wrong with it, so that the
 * old one stays in force; empty: nothing. */
void admin_reloaded(struct admin *a, struct str error, int64_t now_wall_ms);

/* Notes that an upgrade has begun, and that it did not come about, or was refused. On main's thread. */
void admin_upgrade_begun(struct admin *a);
void admin_upgrade_ended(struct admin *a, struct str error);

/* ---- for the other files of this room, and its tests ---- */

/* Makes r->answer for a request whose body is `body`. false: it comes later, and fills the object `o`. */
bool admin_answer(struct admin *a, struct request *r, struct object *o, struct str body);

/* Is it the token of the start? How long it takes says nothing of that. */
bool admin_is_first_token(const struct admin *a, struct str text);
/* May one more purge be made in this second of the monotonic clock? `most`: the setting purge_rate; 0: no
 * limit. true: the purge is counted. */
bool admin_may_purge(struct admin *a, int64_t most, int64_t now_mono_ms);
/* Adds a purge to the list of the latest ADMIN_PURGES_KEPT, for status. Copies `what`, at most PURGE_SAID_MAX
 * bytes of it. `site`: whose it is; empty: of several. */
void admin_purged(struct admin *a, uint64_t sequence, struct str site, struct str what, int64_t now_wall_ms);

#endif
