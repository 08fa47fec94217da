/* What a simulated loop (io/loop.h) hands on to: things that became ready, in any order. */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

#include "io/loop.h"

/* Embedded in what waits for something on a loop. */
struct sim_ready {
    struct link link;
    struct loop *loop;
    void (*run)(struct sim_ready *r);
};

void sim_ready_init(struct sim_ready *r, struct loop *l, void (*run)(struct sim_ready *r));
/* `run` comes from the loop, once. */
void sim_ready_now(struct sim_ready *r);
void sim_ready_not(struct sim_ready *r);
/* Something keeps the loop running, or does so no more. */
void sim_loop_hold(struct loop *l);
void sim_loop_release(struct loop *l);

/* Gives a signal to the process, as kill(2) does. */
void sim_signal(int signo);
/* Does it receive signals? Before, one would end it as a crash does. */
bool sim_receives_signals(void);
/* Forgets the process' loops and handlers: it is no more. */
void sim_loops_forget(void);
/* The world has a look-up answered: n addresses, after so long; a negative libuv error: it fails. */
struct address;
int sim_resolve(const char *name, struct address *out, size_t most, int64_t *after_us);

#endif
