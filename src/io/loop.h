/*
 * A worker's event loop: the only way that anything happens. Wraps libuv; nobody outside io/ calls uv_*.
 * All functions run on the loop's own thread, but loop_post.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

/*
 * A letter: a notice to a loop, embedded in the struct that it is about. One letter is in at most one mailbox at a
 * time; whoever posts it keeps track of that (a "pending" mark). It is opened on the receiving loop's thread, once,
 * from the loop, and may be posted again from then on.
 */
struct letter {
    struct letter *next;
    void (*open)(struct letter *l);
};

/* A deadline, embedded in its owner. Zero it before its first use; stop it before its owner ends. */
struct timer {
    struct link link;
    int64_t due_ms;                 /* monotonic; 0: not running */
    int64_t slot_ms;                /* private: where it is filed */
    void (*fire)(struct timer *t);  /* called once, from the loop; the timer is stopped by then */
};

#define WHEEL_SLOTS 512

struct loop {
    uv_loop_t uv;
    const struct clock *clock;
    struct log *log;
    struct now now; /* read once an iteration, before the first callback; what all callbacks use */
    /* the timer wheel: private to io/timer.c */
    struct {
        uv_timer_t tick;
        struct list slots[WHEEL_SLOTS];
        struct list far; /* due beyond the wheel's span */
        int64_t at_ms;
        unsigned running;
    } wheel;
    /* the mailbox: private to io/loop.c */
    struct {
        uv_async_t bell;
        _Atomic(struct letter *) posted; /* from any thread, newest first */
        struct letter *deferred, **deferred_end; /* from this thread, oldest first */
        uv_prepare_t before_poll;
        uv_check_t after_poll;
    } mail;
};

/* 0 or a libuv error code. The clock and the log outlive the loop. */
int loop_init(struct loop *l, const struct clock *clock, struct log *log);
/* All handles must have been closed by their owners (loop_run returned). */
void loop_fini(struct loop *l);
/* Runs until nothing is left to wait for or loop_stop was called. */
void loop_run(struct loop *l);
/* Runs one iteration: for tests and for the drain. Waits at most for the next event or timer when `wait`. */
void loop_run_once(struct loop *l, bool wait);
void loop_stop(struct loop *l);
/* Closes the loop's own handles, so that loop_run can return when all others are closed. */
void loop_close(struct loop *l);

/* Any thread. Wakes the loop; letters of one sender are opened in the order posted. */
void loop_post(struct loop *l, struct letter *letter);
/* The loop's own thread: opened before the loop next waits, after the callback that runs now has returned. Cheaper than
 * loop_post: no system call. */
void loop_defer(struct loop *l, struct letter *letter);

/* Starts or re-arms: `ms` from now, never early, at most ~60 ms late for delays under 20 s, 1 % beyond. Re-arming to a later
 * time costs one store: the wheel looks at due_ms when the old slot comes up. */
void timer_start(struct loop *l, struct timer *t, int64_t ms, void (*fire)(struct timer *));
void timer_stop(struct loop *l, struct timer *t);
static inline bool timer_is_running(const struct timer *t)
{
    return t->due_ms != 0;
}
/* The clocks were turned (test builds): look at all timers again. Any thread may post a letter that calls it. */
void timers_recheck(struct loop *l);

#endif
