/*
 * Looks whether the loops of a process move: says in the log which one stands and in which request, counts
 * it, and tells the supervisor (systemd) that all is well only while all of them move.
 */
#ifndef SERVER_WATCHDOG_H
#define SERVER_WATCHDOG_H

#include "io/supervisor.h"
#include "io/watch.h"
#include "server/process.h"

struct watchdog {
    struct process *process;
    struct watch *watch;
    struct supervisor supervisor;
    int64_t told_us;          /* of the clock, when WATCHDOG=1 was sent last */
    struct counters counters; /* only its own thread writes */
};

/* Starts it, when the workers have loops. Main's thread, here and below. */
void watchdog_start(struct watchdog *w, struct process *p);
/* Ends it. Before a worker is joined. */
void watchdog_stop(struct watchdog *w);

#endif
