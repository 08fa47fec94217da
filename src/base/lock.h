/*
 * Locks between threads. They guard pointer moves, never I/O. docs/ARCHITECTURE.md says in which order they
 * are taken. A failure of the system stops the process in each of these functions.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

#include "base/check.h"

struct lock {
    pthread_mutex_t m;
};

/* Make a lock that nobody holds, and end one that nobody holds or waits for. */
static inline void lock_init(struct lock *l)
{
    CHECK(pthread_mutex_init(&l->m, NULL) == 0);
}
static inline void lock_fini(struct lock *l)
{
    CHECK(pthread_mutex_destroy(&l->m) == 0);
}
/* Wait for the lock and take it, and give it back. Any thread. Only the thread that took the lock gives it
 * back; it may not take it twice. */
static inline void lock_take(struct lock *l)
{
    CHECK(pthread_mutex_lock(&l->m) == 0);
}
static inline void lock_give(struct lock *l)
{
    CHECK(pthread_mutex_unlock(&l->m) == 0);
}

#endif
