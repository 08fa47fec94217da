#include "io/background.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/mem.h"

#define NICE 10
/* linux/ioprio.h: best effort, the lowest of its eight levels */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_LOWEST      (2 << 13 | 7)

struct background {
    pthread_t thread;
    struct lock lock;
    pthread_cond_t due; /* by CLOCK_MONOTONIC */
    bool woken, stopping, is_equal;
    int64_t (*step)(void *ctx);
    void *ctx;
    char name[16];
};

static void lower_priority(void)
{
    /* Linux's priorities are a thread's own. What fails here makes nothing wrong, only less polite. */
    pid_t me = (pid_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, (id_t)me, NICE);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, me, IOPRIO_LOWEST);
}

static struct timespec after_us(int64_t us)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(us / 1000000);
    t.tv_nsec += (long)(us % 1000000) * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Returns when the next step is due; false: the thread ends. */
static bool wait_for(struct background *b, int64_t us)
{
    struct timespec until = us == BACKGROUND_IDLE ? (struct timespec){ 0 } : after_us(us);
    lock_take(&b->lock);
    int status = 0;
    while (!b->woken && !b->stopping && us > 0 && status == 0)
        status = us == BACKGROUND_IDLE ? pthread_cond_wait(&b->due, &b->lock.m)
                                       : pthread_cond_timedwait(&b->due, &b->lock.m, &until);
    b->woken = false;
    bool goes_on = !b->stopping;
    lock_give(&b->lock);
    return goes_on;
}

static void *run(void *ctx)
{
    struct background *b = ctx;
    (void)pthread_setname_np(pthread_self(), b->name);
    if (!b->is_equal)
        lower_priority();
    while (wait_for(b, b->step(b->ctx)))
        continue;
    return NULL;
}

static void free_it(struct background *b)
{
    lock_fini(&b->lock);
    CHECK(pthread_cond_destroy(&b->due) == 0);
    mem_free(b);
}

static struct background *start(const char *name, int64_t (*step)(void *ctx), void *ctx, bool is_equal)
{
    struct background *b = mem_alloc(sizeof(*b));
    pthread_condattr_t attr;
    CHECK(strlen(name) < sizeof(b->name));
    strcpy(b->name, name);
    b->step = step;
    b->ctx = ctx;
    b->is_equal = is_equal;
    lock_init(&b->lock);
    CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&b->due, &attr) == 0);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&b->thread, NULL, run, b) == 0)
        return b;
    free_it(b);
    return NULL;
}

struct background *background_start(const char *name, int64_t (*step)(void *ctx), void *ctx)
{
    return start(name, step, ctx, false);
}

struct background *background_start_equal(const char *name, int64_t (*step)(void *ctx), void *ctx)
{
    return start(name, step, ctx, true);
}

static void tell(struct background *b, bool *what)
{
    lock_take(&b->lock);
    *what = true;
    CHECK(pthread_cond_signal(&b->due) == 0);
    lock_give(&b->lock);
}

void background_wake(struct background *b)
{
    tell(b, &b->woken);
}

void background_stop(struct background **b)
{
    if (!*b)
        return;
    tell(*b, &(*b)->stopping);
    CHECK(pthread_join((*b)->thread, NULL) == 0);
    free_it(*b);
    *b = NULL;
}

void background_nap(int64_t us)
{
    struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
    nanosleep(&t, NULL);
}
