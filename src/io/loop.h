/*
 * A worker's event loop: the only way that anything happens. Wraps libuv, and io_uring for streams where the kernel has
 * it; nobody outside io/ calls either. All functions run on the loop's own thread, but loop_post.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

struct ring;
struct ring_watch;

/*
 * A letter: a notice to a loop, embedded in the struct that it is about. One letter is in at most one mailbox at a
 * time; whoever posts it keeps track of that (a "pending" mark). It is opened on the receiving loop's thread, once,
 * from the loop, and may be posted again from then on.
 */
struct letter {
    struct letter *next;
    void (*open)(struct letter *l);
};

/* An operation of the loop's ring (io/ring.h), embedded in its owner, which must stay until `done` was called for the last
 * time: each one submitted calls it once, one with many results (IORING_CQE_F_MORE in `flags`) once for each. From the
 * loop. Private to io/. */
struct ring_op {
    void (*done)(struct ring_op *op, int result, unsigned flags);
};

/* A deadline, embedded in its owner. Zero it before its first use; stop it before its owner ends. */
struct timer {
    struct link link;
    int64_t due_ms;                /* monotonic; 0: not running */
    int64_t slot_ms;               /* private: when the wheel looks at it; 0: it is not filed */
    void (*fire)(struct timer *t); /* called once, from the loop; the timer is stopped by then */
};

#define WHEEL_SLOTS 512 /* a power of two */

struct loop {
    uv_loop_t uv;
    const struct clock *clock;
    struct log *log;
    struct now now;  /* read once an iteration, before the first callback; what all callbacks use */
    bool now_is_old; /* it was read before the loop waited: the next callback reads it anew */
    bool stopped;
    struct ring *ring;        /* NULL: streams go by readiness. Private to io/ */
    struct ring_watch *watch; /* with a ring: what tells that libuv has something. Private to io/loop.c */
    /* the timer wheel: private to io/timer.c */
    struct {
        uv_timer_t tick;
        struct list slots[WHEEL_SLOTS];
        uint64_t filled[WHEEL_SLOTS / 64]; /* a bit for each slot that may hold a timer */
        int64_t at;                        /* the last tick that was looked at */
        int64_t armed;                     /* the tick that `tick` waits for; 0: it does not run */
        size_t running;
        bool waits_for_sockets; /* late: what came meanwhile is read first */
    } wheel;
    /* the mailbox: private to io/loop.c */
    struct {
        uv_async_t bell;
        _Atomic(struct letter *) posted;         /* from any thread, newest first */
        struct letter *deferred, **deferred_end; /* from this thread, oldest first */
        uv_prepare_t before_poll;
        uv_check_t after_poll;
        uv_idle_t again; /* runs while deferred letters were left over, so that polling does not wait */
    } mail;
};

/* 0 or a libuv error code. The clock and the log outlive the loop. SIGPIPE and SIGXFSZ are ignored from here on: a
 * peer that has gone, or a file at its limit, is an error of the write, not the end of the process. */
int loop_init(struct loop *l, const struct clock *clock, struct log *log);
/* From now on streams use io_uring. Before the first of them is opened. 0, or a negative errno: the kernel has none that
 * would do, or does not allow it, and all stays as it is. */
int loop_use_ring(struct loop *l);
/* loop_run has returned, all handles were closed and all timers stopped by their owners, no thread posts any more.
 * Letters that were not opened by then never are. */
void loop_fini(struct loop *l);
/* Runs until loop_stop, or, after loop_close, until nothing is left: no open handle, no operation, no running timer, no
 * letter. */
void loop_run(struct loop *l);
/* Runs one iteration: for tests and for the drain. Waits at most for the next event or timer when `wait`. */
void loop_run_once(struct loop *l, bool wait);
/* loop_run returns after this iteration; called before it, it returns at once. */
void loop_stop(struct loop *l);
/* The mailbox no longer keeps loop_run running (until then a loop without connections waits for letters). Letters are
 * still opened while it runs. Twice is harmless. */
void loop_close(struct loop *l);

/* Any thread. Wakes the loop; letters of one sender are opened in the order posted. */
void loop_post(struct loop *l, struct letter *letter);
/* The loop's own thread: opened before the loop next waits, after the callback that runs now has returned. Cheaper than
 * loop_post: no system call. */
void loop_defer(struct loop *l, struct letter *letter);

/* Starts or re-arms: `ms` from loop->now, never early, at most ~60 ms late for delays under 20 s, 1 % beyond (2 s at
 * most). Re-arming to a later time costs one store: the wheel looks at due_ms when the old slot comes up. */
void timer_start(struct loop *l, struct timer *t, int64_t ms, void (*fire)(struct timer *));
void timer_stop(struct loop *l, struct timer *t);
static inline bool timer_is_running(const struct timer *t)
{
    return t->due_ms != 0;
}
/* The clocks were turned (test builds): reads them anew and looks at all timers again; what is due fires from the loop,
 * at its next turn. Any thread may post a letter that calls it. */
void timers_recheck(struct loop *l);

/* Fills `out` with randomness that nobody can foresee, a system call each time: for what others must not be able to write first.
 * Rooms above that may not ask io/system get it here, as they get the time. */
void loop_random(struct loop *l, void *out, size_t bytes);

/* The calling thread sleeps for less than a timer can: for work in slices on a loop that nobody waits for. */
void loop_nap(int64_t us);

/* Private to io/: */
void loop_read_clock(struct loop *l);
/* First in each callback from libuv, which has no hook between waiting and the first callback. */
static inline void loop_awake(struct loop *l)
{
    if (l->now_is_old)
        loop_read_clock(l);
}
void timers_init(struct loop *l);

#endif
