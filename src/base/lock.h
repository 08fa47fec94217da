/*
 * Locks. They guard pointer moves, never I/O. docs/ARCHITECTURE.md says in which order they are taken.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

#include "base/check.h"

struct lock {
    pthread_mutex_t m;
};

/* Make and end a lock; nobody holds it. A failure of the system stops the process, here and below. */
static inline void lock_init(struct lock *l)
{
    CHECK(pthread_mutex_init(&l->m, NULL) == 0);
}
static inline void lock_fini(struct lock *l)
{
    CHECK(pthread_mutex_destroy(&l->m) == 0);
}
/* Take the lock, waiting for it, and give it back. Only the thread that took it gives it back; it may not
 * take it twice. */
static inline void lock_take(struct lock *l)
{
    CHECK(pthread_mutex_lock(&l->m) == 0);
}
static inline void lock_give(struct lock *l)
{
    CHECK(pthread_mutex_unlock(&l->m) == 0);
}

#endif
