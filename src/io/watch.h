/*
 * A thread that looks whether loops move. A loop stands when it has been in its callbacks for a second
 * without coming back to wait: then nobody on it is served. Nothing is asked of a loop while it moves: it
 * counts its beats (io/loop.h, struct pulse). What a standing loop is in only its own thread may read, so
 * that thread is interrupted by a signal (SIGURG, which nobody else uses), once for each standing, and writes
 * it down.
 *
 * Time for which the process itself was stopped (SIGSTOP, a suspended machine) does not count.
 */
#ifndef IO_WATCH_H
#define IO_WATCH_H

#include "io/loop.h"

#define WATCH_LOOK_MS 100
/* From then on a loop stands; it is seen within WATCH_LOOK_MS more, or rest_ms. */
#define WATCH_STANDS_MS 1000

struct watch;

struct watch_ops {
    /* Writes what the loop is in (pulse.busy_with, which may be NULL) and a NUL. Called on the loop's thread
     * inside a signal handler, anywhere in what it does: it reads only what is safe then, and calls nothing
     * that takes a lock or memory. */
    void (*describe)(const void *busy_with, char out[PULSE_TEXT_MAX]);
    /* The loop with that index stands; and moves again, after so long. `what`: of describe; empty: it could
     * not be asked. `name`: of loop_pulse_name; empty: it has none. On the watching thread. */
    void (*began)(void *ctx, size_t loop, const char *what);
    void (*ended)(void *ctx, size_t loop, const char *what, const char *name, int64_t ms);
    /* After each look at which no loop stands. On the watching thread. */
    void (*moving)(void *ctx);
    /* After each look: for what else is to be looked at so often. false: the next look is not to be late.
     * NULL: nothing. On the watching thread. */
    bool (*looked)(void *ctx);
};

/* Starts it. `rest_ms`, at least WATCH_LOOK_MS: how long it waits after a look at which nothing had happened
 * since the last one: all loops wait, and `looked` returns true. The loops and `ops` outlive it; `loops`
 * itself is copied. NULL: the system has no thread. Main's thread. */
struct watch *watch_start(struct loop *const *loops, size_t n, int64_t rest_ms, const struct watch_ops *ops,
                          void *ctx);
/* Ends it, before any of the loops' threads is joined. NULL in it is allowed. Main's thread. */
void watch_stop(struct watch **w);

#endif
