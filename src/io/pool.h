/*
 * A few threads for short work that may wait, as reading from a disk does. Jobs are done in the order in
 * which they came, by whichever thread is free. No loop waits for a job: its end is told by a notice of the
 * job's own.
 */
#ifndef IO_POOL_H
#define IO_POOL_H

#include <stdbool.h>
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
/* Takes a job back that was added and has not been freed. true: it was not begun, and its owner has it again.
 * false: it runs or has run. Any thread. */
bool pool_threads_take_back(struct pool_threads *p, struct pool_job *j);
/* Returns how many jobs were not begun. Any thread. */
size_t pool_threads_waiting(struct pool_threads *p);
/* Waits until the jobs that run are over, ends the threads, frees the pool and clears the pointer. Calls
 * dropped(job) for each that was not begun. NULL in it is allowed. No job is added any more. */
void pool_threads_stop(struct pool_threads **p, void (*dropped)(struct pool_job *j));
/* The same without waiting, for jobs that nobody can end: a thread that is in one ends after it, and the last
 * thread frees the pool. No job waits. Clears the pointer; NULL in it is allowed. */
void pool_threads_leave(struct pool_threads **p);

#endif
