/*
 * A worker's event loop: everything in freshet happens in its callbacks. Wraps libuv, and io_uring for
 * streams where the kernel has it; only io/ calls either. All functions run on the loop's own thread, except
 * loop_post. A loop may be made and ended by another thread than the one that runs it, one after
 * the other.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <pthread.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

struct chores;
struct ring;
struct ring_watch;
struct tls_buffers;

/*
 * A letter: a notice to a loop, embedded in the struct that it is about. A letter is in at most one mailbox
 * at a time; its sender makes sure of that (a "pending" mark). The receiving loop opens it once, on its own
 * thread and from the loop. From then on it may be posted again.
 */
struct letter {
    struct letter *next; /* private to io/loop.c */
    void (*open)(struct letter *l);
};

/* An operation of the loop's ring (io/ring.h), embedded in its owner. The owner must stay until the last call
 * of `done`: one call for each operation submitted; an operation with many results (IORING_CQE_F_MORE in
 * `flags`) makes one call for each. From the loop. Private to io/. */
struct ring_op {
    void (*done)(struct ring_op *op, int result, unsigned flags);
};

/* A deadline, embedded in its owner. Zero it before its first use; stop it before its owner ends. Its members
 * are private to io/timer.c. */
struct timer {
    struct link link;
    int64_t due_ms;                /* monotonic; 0: not running */
    int64_t slot_ms;               /* when the wheel looks at it; 0: not in the wheel */
    void (*fire)(struct timer *t); /* called once, from the loop; the timer is stopped by then */
};

#define PULSE_TEXT_MAX 256
#define PULSE_NAME_MAX 136

/*
 * By which io/watch sees whether a loop moves. The loop's thread writes `beat` and `busy_with`, and no more
 * while it moves. All other members are private to io/watch.c and loop_pulse_name.
 */
struct pulse {
    _Atomic uint64_t beat;          /* odd: callbacks run; even: it waits */
    const void *volatile busy_with; /* set around what may take long, by who does it; NULL: nothing known */
    pthread_t thread;
    _Atomic int ask; /* PULSE_QUIET ... */
    uint64_t asked_beat;
    const void *told_of; /* busy_with when it was asked */
    char what[PULSE_TEXT_MAX], name[PULSE_NAME_MAX];
};
enum { PULSE_QUIET, PULSE_ASKED, PULSE_TOLD };

#define WHEEL_SLOTS 512 /* a power of two */

struct loop {
    uv_loop_t uv;
    const struct clock *clock;
    struct log *log;
    struct pulse pulse;
    struct now now;  /* read once an iteration, before the first callback; all callbacks use it */
    bool now_is_old; /* it was read before the loop waited: the next callback reads it again */
    bool stopped;
    struct chores *chores;    /* a reference */
    struct ring *ring;        /* NULL: streams wait for readiness. Private to io/ */
    struct tls_buffers *tls;  /* made by the first stream with TLS. Private to io/stream_tls.c */
    struct ring_watch *watch; /* with a ring: tells that libuv has events. Private to io/loop.c */
    /* the timer wheel: private to io/timer.c */
    struct {
        uv_timer_t tick;
        struct list slots[WHEEL_SLOTS];
        uint64_t filled[WHEEL_SLOTS / 64]; /* a bit for each slot that may hold a timer */
        int64_t at;                        /* the last tick that was handled */
        int64_t armed;                     /* the tick that `tick` waits for; 0: it does not run */
        size_t running;
        bool waits_for_sockets; /* the wheel is late: bytes that came meanwhile are read first */
    } wheel;
    /* the mailbox: private to io/loop.c */
    struct {
        uv_async_t bell;
        size_t holds;
        bool closed;                             /* loop_close */
        _Atomic(struct letter *) posted;         /* from any thread, newest first */
        struct letter *deferred, **deferred_end; /* from this thread, oldest first */
        uv_prepare_t before_poll;
        uv_check_t after_poll;
        uv_idle_t again; /* runs while deferred letters are left, so that polling does not wait */
    } mail;
};

/* Makes a loop. 0, or a libuv error: nothing is left of it. The clock and the log outlive the loop. From now
 * on SIGPIPE and SIGXFSZ are ignored: a lost peer, or a file at its limit, is an error of one write and does
 * not end the process. */
int loop_init(struct loop *l, const struct clock *clock, struct log *log);
/* Makes streams use io_uring from now on. Call it before the first stream opens. 0, or a negative errno and
 * no change: the kernel has no io_uring that would do, or does not allow it. */
int loop_use_ring(struct loop *l);
/* Lets the loop have its chores done by those threads (io/chores.h) that do them for `other`. Call it before
 * the loop has any, while no other thread uses `other`. */
void loop_share_chores(struct loop *l, struct loop *other);
/* Frees the loop. Call it after loop_run has returned, when all handles are closed, all timers stopped, and
 * no thread posts any more. Letters that were not opened by then are never opened. */
void loop_fini(struct loop *l);
/* Runs until loop_stop. After loop_close it also ends when nothing is left: no open handle, operation,
 * running timer or letter. */
void loop_run(struct loop *l);
/* Runs one iteration: for tests and for the drain. `wait`: waits for the next event or timer. */
void loop_run_once(struct loop *l, bool wait);
/* Ends loop_run after this iteration. Called before loop_run, it makes that return at once. */
void loop_stop(struct loop *l);
/* Lets loop_run end when nothing is left but the mailbox; before, a loop without connections waits for
 * letters. Letters are still opened while it runs. A second call does no harm. */
void loop_close(struct loop *l);

/* Posts a letter and wakes the loop. Any thread, until loop_fini. The letter is opened from the loop, on its
 * thread. Letters of one sender are opened in the order posted. */
void loop_post(struct loop *l, struct letter *letter);
/* Posts a letter to the caller's own loop. It is opened after the callback that runs now, before the loop
 * next waits. Cheaper than loop_post: no system call. */
void loop_defer(struct loop *l, struct letter *letter);

/* Starts or re-arms a timer, `ms` >= 0 from loop->now (ten years at most). `fire` comes from the loop. It
 * never fires early. It is late by at most ~60 ms for delays under 20 s, beyond by 1 % (at most 2 s).
 * Re-arming to a later time costs one store: the wheel looks at due_ms when the old slot comes up. */
void timer_start(struct loop *l, struct timer *t, int64_t ms, void (*fire)(struct timer *));
/* Stops the timer: `fire` does not come. Does nothing when it does not run. */
void timer_stop(struct loop *l, struct timer *t);
/* Was it started, and neither stopped nor fired since? */
static inline bool timer_is_running(const struct timer *t)
{
    return t->due_ms != 0;
}
/* For test builds, after the clocks were turned: reads them and looks at all timers again. Due timers fire
 * from the loop, in its next iteration. On the loop's thread: another thread posts a letter that calls it. */
void timers_recheck(struct loop *l);

/* Fills `out` with unpredictable bytes, for names that others must not be able to guess. One system call each
 * time. Rooms that may not call io/system get randomness here, as they get the time. */
void loop_random(struct loop *l, void *out, size_t bytes);

/* Is it noted that the loop has stood in `what`, which has ended now? Then loop_pulse_name says what that is
 * called, for the log. On the loop's thread. */
static inline bool loop_pulse_is_noted(const struct loop *l, const void *what)
{
    return atomic_load_explicit(&l->pulse.ask, memory_order_relaxed) == PULSE_TOLD &&
           l->pulse.told_of == what;
}
void loop_pulse_name(struct loop *l, struct str name);
/* Returns the pulse of the loop that runs on the calling thread. NULL: none does. For a signal handler. */
struct pulse *loop_pulse_here(void);

#ifdef FRESHET_CONTROL
/* For test builds: lets the next caller of loop_stand, on whatever loop, stand for so long. 0: none, and who
 * stands goes on. */
void loop_stand_next(int64_t ms);
void loop_stand(void);
#endif

/* Private to io/: */
/* The loop's callbacks begin, and end. */
static inline void loop_pulse_begin(struct loop *l)
{
    uint64_t beat = atomic_load_explicit(&l->pulse.beat, memory_order_relaxed);
    atomic_store_explicit(&l->pulse.beat, beat | 1, memory_order_release);
}
static inline void loop_pulse_end(struct loop *l)
{
    uint64_t beat = atomic_load_explicit(&l->pulse.beat, memory_order_relaxed);
    atomic_store_explicit(&l->pulse.beat, (beat | 1) + 1, memory_order_release);
}
/* While it is held loop_run does not end, also after loop_close: another thread will post a letter. Each hold
 * has its release, on the loop's thread. */
void loop_hold(struct loop *l);
void loop_release(struct loop *l);
/* Reads both clocks into l->now. */
void loop_read_clock(struct loop *l);
/* First call of every libuv callback: libuv has no hook between waiting and the first callback. */
static inline void loop_awake(struct loop *l)
{
    if (l->now_is_old)
        loop_read_clock(l);
}
/* Makes an empty wheel; loop_init calls it. */
void timers_init(struct loop *l);

#endif
