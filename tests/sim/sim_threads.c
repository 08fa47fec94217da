/*
 * The program's threads, locks, conditions and semaphores, as fibers. The linker puts these functions into
 * the places of the system's (--wrap). A lock's memory is its own: whether it is held, and how many wait for
 * it.
 */
#include "sim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"

/* What the system's structs hold here. All zeros: as PTHREAD_MUTEX_INITIALIZER has it. */
struct sim_lock {
    int held, waiting;
};

#define WRAP(type, name, ...)                                                                                \
    type __wrap_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__)

static struct sim_lock *lock_of(pthread_mutex_t *m)
{
    return (struct sim_lock *)(void *)m;
}

WRAP(int, pthread_mutex_init, pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    (void)attr;
    *lock_of(m) = (struct sim_lock){ 0 };
    return 0;
}

WRAP(int, pthread_mutex_destroy, pthread_mutex_t *m)
{
    return lock_of(m)->held || lock_of(m)->waiting ? EBUSY : 0;
}

static int take(struct sim_lock *l)
{
    while (l->held) {
        CHECK(fiber_self()); /* else the world itself waits for the program */
        l->waiting++;
        fiber_waits_on(l);
        fiber_park(INT64_MAX);
        l->waiting--;
    }
    l->held = 1;
    return 0;
}

WRAP(int, pthread_mutex_lock, pthread_mutex_t *m)
{
    fiber_maybe_yield();
    return take(lock_of(m));
}

static int give(struct sim_lock *l)
{
    CHECK(l->held);
    l->held = 0;
    if (l->waiting)
        fibers_wake(l, false);
    return 0;
}

WRAP(int, pthread_mutex_unlock, pthread_mutex_t *m)
{
    int result = give(lock_of(m));
    fiber_maybe_yield();
    return result;
}

WRAP(int, pthread_cond_init, pthread_cond_t *c, const pthread_condattr_t *attr)
{
    (void)c;
    (void)attr;
    return 0;
}

WRAP(int, pthread_cond_destroy, pthread_cond_t *c)
{
    (void)c;
    return 0;
}

static int wait_for(pthread_cond_t *c, pthread_mutex_t *m, int64_t until)
{
    bool in_time = true;
    fiber_waits_on(c);
    give(lock_of(m));
    /* As the system may, it wakes now and then for nothing. */
    in_time = fiber_park(until);
    fiber_waits_on(NULL);
    take(lock_of(m));
    return in_time ? 0 : ETIMEDOUT;
}

WRAP(int, pthread_cond_wait, pthread_cond_t *c, pthread_mutex_t *m)
{
    return wait_for(c, m, INT64_MAX);
}

WRAP(int, pthread_cond_timedwait, pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    return wait_for(c, m, (int64_t)until->tv_sec * 1000000 + until->tv_nsec / 1000);
}

WRAP(int, pthread_cond_signal, pthread_cond_t *c)
{
    fibers_wake(c, false);
    fiber_maybe_yield();
    return 0;
}

WRAP(int, pthread_cond_broadcast, pthread_cond_t *c)
{
    fibers_wake(c, true);
    return 0;
}

WRAP(int, sem_init, sem_t *s, int shared, unsigned value)
{
    (void)shared;
    *(unsigned *)(void *)s = value;
    return 0;
}

WRAP(int, sem_destroy, sem_t *s)
{
    (void)s;
    return 0;
}

WRAP(int, sem_post, sem_t *s)
{
    ++*(unsigned *)(void *)s;
    fibers_wake(s, false);
    fiber_maybe_yield();
    return 0;
}

WRAP(int, sem_wait, sem_t *s)
{
    unsigned *value = (unsigned *)(void *)s;
    while (*value == 0) {
        fiber_waits_on(s);
        fiber_park(INT64_MAX);
    }
    --*value;
    return 0;
}

/* ---- threads ---- */

struct thread {
    void *(*run)(void *);
    void *arg;
    bool ended, detached;
};

extern void *mem_alloc(size_t bytes);
extern void mem_free(void *p);

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    t->run(t->arg);
    t->ended = true;
    if (t->detached)
        mem_free(t);
    else
        fibers_wake(t, true);
    return NULL;
}

WRAP(int, pthread_create, pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)attr;
    /* In the process' memory, which a crash takes back. */
    struct thread *t = mem_alloc(sizeof(*t));
    *t = (struct thread){ .run = run, .arg = arg };
    *out = (pthread_t)(uintptr_t)t;
    fiber_start("thread", run_thread, t, true);
    return 0;
}

WRAP(int, pthread_join, pthread_t thread, void **result)
{
    struct thread *t = (struct thread *)(uintptr_t)thread;
    (void)result;
    while (!t->ended) {
        fiber_waits_on(t);
        fiber_park(INT64_MAX);
    }
    fiber_waits_on(NULL);
    mem_free(t);
    return 0;
}

WRAP(int, pthread_detach, pthread_t thread)
{
    struct thread *t = (struct thread *)(uintptr_t)thread;
    t->detached = true;
    if (t->ended)
        mem_free(t);
    return 0;
}

WRAP(int, pthread_setname_np, pthread_t thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}

WRAP(int, setpriority, __priority_which_t which, id_t who, int value)
{
    (void)which;
    (void)who;
    (void)value;
    return 0;
}

WRAP(long, syscall, long number, ...)
{
    (void)number; /* priorities of threads */
    return 0;
}

/* ---- time ---- */

WRAP(int, clock_gettime, clockid_t clock, struct timespec *out)
{
    (void)clock; /* of those who ask the system themselves, each wants a monotonic one */
    sim_pass(1);
    *out = (struct timespec){ sim_now() / 1000000, sim_now() % 1000000 * 1000 };
    return 0;
}

WRAP(int, nanosleep, const struct timespec *t, struct timespec *left)
{
    (void)left;
    fiber_nap((int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000);
    return 0;
}

_Noreturn void __wrap__exit(int code);
_Noreturn void __wrap__exit(int code)
{
    sim_fail("the program ended itself with %d: it says that the disk does not answer, or the like", code);
}
