/*
 * A few threads for short work that may wait, as reading from a disk does. Jobs are done in the order in
 * which they came, by whichever thread is free. No loop waits for a job: its end is told by a notice of the
 * job's own.
 */
#ifndef IO_POOL_H
#define IO_POOL_H

#include <stddef.h>

#include "base/list.h"

struct pool_threads;

/* Embedded in its owner, which stays until `run` has returned or pool_threads_stop dropped the job. */
struct pool_job {
    struct link link;
    void (*run)(struct pool_job *j); /* on a thread of the pool; it may free the owner */
};

/* Starts `n` threads. `name`: at most 15 bytes, for people. NULL: the system has no thread. With fewer than
 * `n` it goes on. */
struct pool_threads *pool_threads_start(const char *name, unsigned n);
/* Adds a job. Any thread; never waits for a job. */
void pool_threads_add(struct pool_threads *p, struct pool_job *j);
/* Waits until the jobs that run are over, ends the threads, frees the pool and clears the pointer. Calls
 * dropped(job) for each that was not begun. NULL in it is allowed. No job is added any more. */
void pool_threads_stop(struct pool_threads **p, void (*dropped)(struct pool_job *j));

#endif
