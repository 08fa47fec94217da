/*
 * What of a process outlives it: opens the facts of the state folder, gives them to those that they belong
 * to, and says when they cannot be kept. On main's thread.
 */
#ifndef SERVER_FACTS_H
#define SERVER_FACTS_H

#include "server/process.h"
#include "store/facts.h"

/* Tells main's log how the facts do. */
struct facts_watch {
    struct process *process;
    struct facts_listener listener;
    struct loop_notice notice;
    struct timer again; /* while they cannot be kept */
    bool is_failing;    /* and that was said */
    bool is_over;
    const char *folder;
};

/* Opens the facts of `folder` (empty: there is none): the secret of all names, the purges, the deploys of
 * p->settings. p->cache and p->deploys are new; p->secret is set. 0; or 1 when freshet must not start, and
 * standard error says why. p->facts is owned by p. */
int process_facts_open(struct process *p, const char *folder);
/* Starts to commit, and waits for the first commit. p->loop is there. */
void process_facts_start(struct process *p, struct facts_watch *w, const char *folder);
/* For an upgrade: commits, and gives the folder back; and takes it again. false: the disk does not answer,
 * and what is new is in memory alone until freshet is started again. */
bool process_facts_pause(struct process *p, struct facts_watch *w);
void process_facts_resume(struct process *p, struct facts_watch *w);
/* Commits for the last time. After the workers have ended; the cache is still there. */
void process_facts_stop(struct process *p, struct facts_watch *w);

#endif
