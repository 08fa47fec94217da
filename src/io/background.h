/*
 * A thread for work that may wait: its priority is below the workers', for the processor and for the disk. It
 * calls one function again and again, which does a step and says when the next one is due.
 */
#ifndef IO_BACKGROUND_H
#define IO_BACKGROUND_H

#include <stdint.h>

struct background;

#define BACKGROUND_IDLE INT64_MAX

/* Starts the thread. It calls step(ctx), which returns after how many microseconds it wants to be called
 * again: 0: at once; BACKGROUND_IDLE: when background_wake says so. `name`: at most 15 bytes, for people.
 * NULL: the system has no thread. */
struct background *background_start(const char *name, int64_t (*step)(void *ctx), void *ctx);
/* The same with the priority of the thread that calls it: for what visitors wait for. */
struct background *background_start_equal(const char *name, int64_t (*step)(void *ctx), void *ctx);
/* The next call is due now, also when a step runs meanwhile. Any thread; never waits for a step. */
void background_wake(struct background *b);
/* Waits until the step that runs is over, ends the thread, frees it and clears the pointer. NULL in it is
 * allowed. Not from a step. */
void background_stop(struct background **b);

/* Puts the calling thread, which serves nobody, to sleep for so many microseconds: for work in slices, where
 * a timer would be too coarse. Any thread. A signal may end it early. */
void background_nap(int64_t us);

#endif
