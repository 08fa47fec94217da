/*
 * A deploy: how a site changes to another release of its app (docs/DEPLOYS.md). In order: the origin of the
 * new release answers a check; pages and assets are fetched from it under the new release's keys, while
 * nobody sees them; then the live release is switched, number and origin together. What fails before the
 * switch changes nothing.
 *
 * It runs on the worker that asked for it, whose thread calls these functions.
 */
#ifndef DEPLOY_DEPLOY_H
#define DEPLOY_DEPLOY_H

#include "deploy/deploys.h"
#include "request/request.h"

#define DEPLOY_TEXT_MAX  512
#define DEPLOY_WAIT_MOST ((int64_t)600000)     /* milliseconds that a check may be tried again */
#define DEPLOY_WARM_MOST ((int64_t)3600000)    /* milliseconds that warming may take */
#define DEPLOY_KEEP_MOST ((int64_t)2592000000) /* milliseconds that assets may be kept */
#define DEPLOY_ERRANDS   4                     /* fetches of one deploy at once */

/* What somebody wants. Strings live until deploy_start returns. A page is a target in origin-form, or a URL
 * of the site as named_url gives it. */
struct deploy_plan {
    const struct site_settings *site; /* of the settings in force */
    struct str id;                    /* at most LEDGER_ID_MAX bytes; empty: its number */
    struct str origin;                /* in the form of the setting, LEDGER_ORIGIN_MAX; empty: as it is */
    struct str check;                 /* a page; empty: "/", where any status below 500 is good */
    int64_t wait_ms;                  /* how long a check that fails is tried again */
    int64_t warm_ms;           /* how long the lists are worked on; then the switch comes all the same */
    int64_t keep_ms;           /* how long assets from before are kept */
    bool rollback;             /* to the release before this one; id and origin are empty */
    bool https;                /* scheme and host of the visitors' URLs, for what is named without them */
    struct str host;           /* empty: those of the most used stored page */
    struct strs pages, assets; /* pages */
    size_t top;                /* so many of the most used stored pages too */
    struct str sitemap;        /* a page: also the pages that this sitemap names; empty: none */
};

/* How much of a list was done. */
struct deploy_count {
    size_t wanted, done, failed;
};

struct deploy_result {
    bool is_live;  /* false: nothing has changed, and `text` says why, unless was_live */
    int status;    /* for the answer when neither: 409, 502, 503 */
    bool was_live; /* the site has that deploy already: nothing has changed */
    char text[DEPLOY_TEXT_MAX];
    struct ledger_release release, before;
    struct deploy_count pages, assets;
    bool warm_time_over; /* the lists were not done in time */
    bool is_cut;         /* the lists were longer than WORKLIST_MAX */
    bool sitemap_failed; /* nothing could be read there */
};

struct deploy;

/* Begins a deploy. `like`: requests of this worker, which outlive it. `done` is called once, from the loop,
 * at the deploy's end; the result lives during the call. NULL: another deploy of the site is under way. */
struct deploy *deploy_start(struct deploys *all, const struct requests *like, struct settings *in_force,
                            const struct deploy_plan *plan,
                            void (*done)(void *ctx, const struct deploy_result *result), void *ctx);
/* Gives a deploy up: nobody wants to know. `done` does not follow. Its switch is made all the same when main
 * has been asked for it. */
void deploy_give_up(struct deploy *d);

#endif
