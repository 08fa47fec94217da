/*
 * A worker: one thread, one loop, and everything that belongs to it. Ties the rooms together. Main makes them, starts their
 * threads, and talks to them by letters only.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/logfile.h"
#include "server/acceptor.h"
#include "server/process.h"

#define WORKER_LISTENERS_MAX ACCEPTOR_LISTENERS_MAX

struct worker {
    struct process *process;
    unsigned index;
    pthread_t thread;
    struct loop loop;
    struct counters counters;
    struct counters
        admin_counters; /* of requests to the admin listener: no visitor's, so no figure shows them */
    struct pool pool;
    struct fetcher fetcher;
    struct requests sites, internal; /* internal: the admin listener's, on worker 0 */
    struct acceptor acceptor, admin_acceptor;
    bool has_admin; /* its listener is not told to close */
    struct logfile *access_log;
    uint64_t next_id;
    /* letters from main; the worker answers each with one to main's loop where main waits */
    struct letter drain, last, recheck, rechecked, gone;
    struct loop_notice reopen, reload;        /* signals may come faster than they are handled */
    struct loop_notice reloaded;              /* to main's loop */
    _Atomic(struct settings *) next_settings; /* with `reload`, a reference */
    void (*on_gone)(struct worker *w);        /* on main's loop */
    void (*on_rechecked)(struct worker *w);
    void (*on_reloaded)(struct worker *w);
    struct timer deadline;
    struct letter look_again; /* something was arriving when it wanted to end */
    struct timer readers;     /* visitors of other workers read what this one fetches */
    bool looks_again, draining, log_closed;
    bool alone; /* the other workers are gone */
    bool cut;   /* drain_timeout is over */
    bool ending;
};

/* On main's thread, before it starts. fds: one listening socket for each address; admin_fd: -1 for none. 0 or a libuv error. */
int worker_init(struct worker *w, struct process *p, unsigned index, const int *fds, size_t n, int admin_fd);
/* The access log of the settings, which have one. On main's thread, after init. 0 or a libuv error. */
int worker_open_log(struct worker *w);
/* Starts its thread; CHECKs that there is one. */
void worker_start(struct worker *w);
/* Posted by main. Drain and recheck at most once until they are answered. */
void worker_post_drain(struct worker *w);   /* stop accepting, finish, end; `on_gone` follows */
void worker_post_last(struct worker *w);    /* to the one with the admin listener: the others are gone */
void worker_post_reopen(struct worker *w);  /* the access log */
void worker_post_recheck(struct worker *w); /* clocks were turned; `on_rechecked` follows */
/* Takes a reference of its own; `on_reloaded` follows, once for several that came together. */
void worker_post_reload(struct worker *w, struct settings *s);
/* After on_gone. */
void worker_join(struct worker *w);
void worker_fini(struct worker *w);

#endif
