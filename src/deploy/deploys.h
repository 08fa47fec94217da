/*
 * What the deploys of a process share: the ledger, and the switches that workers ask the main thread for
 * (docs/DEPLOYS.md). deploys_init and deploys_fini run on main's thread, before the workers start and after
 * they ended.
 */
#ifndef DEPLOY_DEPLOYS_H
#define DEPLOY_DEPLOYS_H

#include "deploy/ledger.h"
#include "io/notice.h"

struct deploys {
    struct ledger ledger;
    struct lock lock;    /* guards `wanted`, and what says so below */
    struct list wanted;  /* switches that main has not taken */
    struct list pending; /* switches that are not made, with those that main has taken */
    struct notice *main; /* set by main: told that a switch is wanted */
    struct list open; /* deploys under way (deploy/deploy.h); of one worker, which has the admin listener */
};

void deploys_init(struct deploys *d);
void deploys_fini(struct deploys *d);

/* A change of a site's live release. A worker makes it, main carries it out and tells the worker. */
struct deploy_switch {
    struct link link;    /* in `wanted` */
    struct link pending; /* in `pending` */
    struct str site;     /* owned */
    struct ledger_release to;
    int64_t keep_ms, prepared_since_ms;
    bool is_refused;   /* set by main: freshet is stopping, or the site is gone */
    bool is_abandoned; /* under the lock: the worker does not wait for it any more */
    struct loop_notice made;
    void *ctx; /* the worker's, for `made` */
};

/* ---- for a worker ---- */

/* Asks main for a switch. `made` runs on `loop` when it is in force on each worker, or was refused; it calls
 * deploys_forget. */
struct deploy_switch *deploys_ask(struct deploys *d, struct loop *loop, struct str site,
                                  const struct ledger_release *to, int64_t keep_ms, int64_t prepared_since_ms,
                                  void (*made)(struct loop_notice *n), void *ctx);
/* Has a switch of the site been asked for that is not made yet? Also one that nobody waits for. */
bool deploys_is_pending(struct deploys *d, struct str site);
/* The worker does not wait any more. Main makes the switch all the same. true: `made` does not run. false: it
 * is on its way. */
bool deploys_abandon(struct deploys *d, struct deploy_switch *s);
/* Frees a switch, in `made`. */
void deploys_forget(struct deploy_switch *s);

/* ---- for main ---- */

/* Takes the next switch that a worker wants, or NULL. Call it when `main` was told. */
struct deploy_switch *deploys_next(struct deploys *d);
/* Main has made the switch, and every worker has its settings; or main has refused it. The switch is not
 * main's any more. */
void deploys_made(struct deploys *d, struct deploy_switch *s);

#endif
