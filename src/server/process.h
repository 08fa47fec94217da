/*
 * What a process has once and its workers share. The main thread makes it before the workers start, and frees
 * it after they have ended. Meanwhile members do not change, unless said otherwise; each struct's header says
 * which thread may use it.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "admin/admin.h"
#include "base/overload.h"
#include "deploy/deploys.h"
#include "origin/origin.h"
#include "request/country.h"

struct acceptor;
struct clients;
struct process_acme;
struct process_tls;
struct source;
struct worker;

struct process {
    struct clock clock;
    struct log log;
    struct hash_secret secret;
    struct cache *cache;
    struct coder *coder; /* makes the codings of what is stored; NULL: the system had no thread for it */
    struct facts *facts; /* what outlives the process (server/facts.h) */
    atomic_bool facts_failing;
    struct origins origins;
    struct country *country; /* NULL: none */
    struct tokens tokens;
    struct admin admin;
    struct deploys deploys;
    struct source *internal;     /* answers what comes by the internal listener */
    struct str self;             /* freshet's name in Via and CDN-Loop */
    struct loop loop;            /* main's own: signals, sweep, control */
    struct settings *settings;   /* main's; a reload changes it, so workers read it at their start only */
    struct worker *workers;      /* workers_n */
    struct acceptor **acceptors; /* one of each worker, for the sites */
    struct clients *clients;     /* of the acceptors for the sites */
    struct process_tls *tls;     /* NULL: no address has TLS */
    struct process_acme *acme;   /* the same */
    struct log_valve clients_said, stranger_said, proxied_said;
    size_t workers_n;
    struct overload overload; /* how full memory is; relief_look sets it, all read it */
    struct log_valve overload_said[OVERLOAD_STEPS];
    struct {
        unsigned looks;
        bool was_short;
    } relief;                                    /* relief_look's own */
    const struct counters *others;               /* what is counted by none of them */
    _Atomic int64_t tunnels, streams;            /* open ones of all workers, which count them */
    struct log_valve tunnels_said, streams_said; /* that there are too many */
    /* For an upgrade (server/upgrade.h), set before the workers leave: takes an idle connection, of the admin
     * listener or of a site's; and: has the other process this listening socket? On the worker's thread. */
    void (*left)(struct process *p, bool is_internal, int fd, struct str early);
    bool (*is_left)(struct process *p, int fd);
    struct upgrade *upgrade;   /* for those */
    atomic_bool reopen_failed; /* since the last SIGUSR1, and a worker has logged it for all */
};

#endif
