/*
 * A worker: one thread, one loop, and everything that belongs to them. Ties the rooms together. The main
 * thread makes the workers, starts their threads, and then talks to them only by letters.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/logfile.h"
#include "origin/probe.h"
#include "server/acceptor.h"
#include "deploy/follow.h"
#include "server/process.h"
#include "store/facts_desk.h"

#define WORKER_LISTENERS_MAX 16 /* addresses */

struct worker {
    struct process *process;
    unsigned index;
    pthread_t thread;
    struct loop loop;
    struct counters counters;
    /* Of requests to the internal listener. No visitor sent them, so no figure counts them. */
    struct counters internal_counters;
    struct pool pool;
    struct fetcher fetcher;
    struct prober prober; /* of the first worker, for all */
    struct requests sites, internal;
    struct readings readings;
    struct windows *windows;
    struct follow follow;
    struct facts_desk facts_desk;
    struct acceptor acceptor, internal_acceptor;
    /* The internal listener is on worker 0. `process->internal` answers what comes by it. */
    bool has_internal; /* its internal listener was not told to close */
    struct logfile *access_log;
    uint64_t next_id;
    /* Letters from main. Where main waits, the worker answers with a letter to main's loop. */
    struct letter drain, last, recheck, rechecked, gone, pass_by, passed_by, leave, left;
    /* notices, since signals may come faster than they are handled */
    struct loop_notice reopen, reload;
    struct loop_notice relief;                /* from the watchdog */
    struct loop_notice reloaded;              /* to main's loop */
    _Atomic(struct settings *) next_settings; /* with `reload`, a reference */
    void (*on_gone)(struct worker *w);        /* on main's loop */
    void (*on_rechecked)(struct worker *w);
    void (*on_reloaded)(struct worker *w);
    void (*on_passed_by)(struct worker *w);
    void (*on_left)(struct worker *w);
    struct timer deadline;
    struct letter look_again; /* a connection was arriving when the worker wanted to end */
    struct timer readers;     /* while visitors of other workers read what this worker fetches */
    bool looks_again, draining, log_closed, follows_not; /* follows_not: `follow` is quiet */
    bool alone;                                          /* the other workers are gone */
    bool cut;                                            /* drain_timeout has passed */
    bool ending;
};

/* Makes a worker. On main's thread, before worker_start. n listening sockets, one for each address;
 * internal_fd: -1 for none. Returns 0: the worker owns the sockets; main sets on_gone, on_reloaded and
 * on_rechecked before worker_start. Returns a libuv error: the worker is half made, and the process has to
 * end. */
struct worker_socket {
    int fd;
    struct listening how;
};
int worker_init(struct worker *w, struct process *p, unsigned index, const struct worker_socket *sockets,
                size_t n, int internal_fd);
/* Opens the access log that the settings name. On main's thread, after worker_init. 0 or a libuv error. */
int worker_open_log(struct worker *w);
/* Starts its thread. Stops the process when the system gives none. */
void worker_start(struct worker *w);
/* Post a letter from main. Drain and recheck: not again before the answer. */
void worker_post_drain(struct worker *w); /* stop accepting, finish, end; `on_gone` follows */
void worker_post_last(struct worker *w);  /* for the worker with the internal listener: the others are gone */
/* For an upgrade: `on_passed_by` follows when the worker has come by, so whatever it did before is done. */
void worker_post_pass_by(struct worker *w);
/* For an upgrade, instead of a drain: stop accepting, give connections away (process->left), finish what has
 * begun, end. `on_left` follows, then `on_gone`. */
void worker_post_leave(struct worker *w);
void worker_post_reopen(struct worker *w);  /* opens the access log anew */
void worker_post_relief(struct worker *w);  /* memory or connections are short, or not any more; any thread */
void worker_post_recheck(struct worker *w); /* clocks were turned; `on_rechecked` follows */
/* Posts new settings and takes a reference. `on_reloaded` follows, once for several posts that came
 * together. */
void worker_post_reload(struct worker *w, struct settings *s);
/* Joins its thread. Call it after on_gone. */
void worker_join(struct worker *w);
/* Frees what the worker has. On main's thread, after all workers were joined. */
void worker_fini(struct worker *w);

#endif
