/*
 * Active checks: a site's origins are asked for a path now and then (setting `health`), and one that does not
 * answer as it should is down for that site until it does. One worker of the process checks for all. The
 * checks go through its pool, on connections of their own. All on that worker's thread.
 */
#ifndef ORIGIN_PROBE_H
#define ORIGIN_PROBE_H

#include "origin/pool.h"
#include "origin/upstream.h"

#define PROBES_AT_ONCE 32 /* the others wait a little */

struct probe;

struct prober {
    struct loop *loop;
    struct log *log;
    struct pool *pool;
    struct counters *counters;
    struct origins *origins;
    struct settings *settings; /* a reference; NULL: nothing is checked */
    struct probe *probes;      /* `n`, one for each origin of each site with checks */
    size_t n, running;
};

/* Makes one that checks nothing. On main's thread, before the worker starts. The arguments outlive it. */
void prober_init(struct prober *p, struct loop *loop, struct log *log, struct pool *pool,
                 struct counters *counters, struct origins *origins);
/* Checks what these settings say from now on, and nothing else: an origin that is checked no more is up.
 * Takes a reference. */
void prober_start(struct prober *p, struct settings *s);
/* Checks nothing any more. What is down stays down. */
void prober_stop(struct prober *p);

#endif
