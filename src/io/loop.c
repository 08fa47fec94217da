#include "io/background.h"
#include "io/loop.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/chores.h"
#include "io/ring.h"
#include "io/system.h"

/* Deferred letters opened before each poll. More than any burst of one iteration, few enough that sockets and
 * timers are not kept waiting by letters that defer each other for ever. */
#define DEFERRED_MOST 1024

/* ---- its pulse ---- */

static __thread struct pulse *pulse_here;

struct pulse *loop_pulse_here(void)
{
    return pulse_here;
}

void loop_pulse_name(struct loop *l, struct str name)
{
    *str_put(l->pulse.name, str_first(name, sizeof(l->pulse.name) - 1)) = '\0';
    l->pulse.told_of = NULL; /* another may come to the same place in memory */
}

#ifdef FRESHET_CONTROL
static _Atomic int64_t stands_ms;
static atomic_bool stands_no_more;

void loop_stand_next(int64_t ms)
{
    atomic_store(&stands_no_more, ms == 0);
    atomic_store(&stands_ms, ms);
}

void loop_stand(void)
{
    if (atomic_load_explicit(&stands_ms, memory_order_relaxed) == 0)
        return;
    const struct clock plain = { 0 };
    int64_t until_us = clock_mono_us(&plain) + atomic_exchange(&stands_ms, 0) * 1000;
    while (clock_mono_us(&plain) < until_us && !atomic_load(&stands_no_more)) /* a signal ends a nap early */
        background_nap(10000);
}
#endif

/* ---- the loop ---- */

void loop_read_clock(struct loop *l)
{
    loop_pulse_begin(l);
    l->now = clock_now(l->clock);
    l->now_is_old = false;
}

static void open_deferred(struct loop *l)
{
    for (int i = 0; i < DEFERRED_MOST && l->mail.deferred; i++) {
        struct letter *letter = l->mail.deferred;
        l->mail.deferred = letter->next;
        if (!l->mail.deferred)
            l->mail.deferred_end = &l->mail.deferred;
        letter->next = NULL;
        letter->open(letter);
    }
}

/* The chain is newest first; letters of one sender must be opened in the order posted. */
static struct letter *reverse(struct letter *newest)
{
    struct letter *oldest = NULL;
    while (newest) {
        struct letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void open_posted(struct loop *l)
{
    struct letter *letter = reverse(atomic_exchange_explicit(&l->mail.posted, NULL, memory_order_acquire));
    while (letter) {
        /* Opening may post it again or free it. */
        struct letter *next = letter->next;
        letter->next = NULL;
        letter->open(letter);
        letter = next;
    }
}

static void on_bell(uv_async_t *bell)
{
    struct loop *l = bell->data;
    loop_awake(l);
    open_posted(l);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void before_poll(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    open_deferred(l);
    if (l->mail.deferred)
        uv_idle_start(&l->mail.again, on_idle);
    else
        uv_idle_stop(&l->mail.again);
    l->now_is_old = true;
    loop_pulse_end(l);
}

static void after_poll(uv_check_t *check)
{
    loop_awake(check->data);
}

/* A socket whose other side is gone, a file that has reached its limit (`ulimit -f`): errors of one write, no
 * end of the process. */
static void ignore_signals_of_writing(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
    CHECK(sigaction(SIGXFSZ, &ignore, NULL) == 0);
}

int loop_init(struct loop *l, const struct clock *clock, struct log *log)
{
    memset(l, 0, sizeof(*l));
    l->clock = clock;
    l->log = log;
    int status = uv_loop_init(&l->uv);
    if (status)
        return status;
    status = uv_async_init(&l->uv, &l->mail.bell, on_bell);
    if (status) {
        uv_loop_close(&l->uv);
        return status;
    }
    ignore_signals_of_writing();
    loop_read_clock(l);
    l->chores = chores_new();
    l->mail.bell.data = l;
    l->mail.deferred_end = &l->mail.deferred;
    uv_prepare_init(&l->uv, &l->mail.before_poll);
    uv_check_init(&l->uv, &l->mail.after_poll);
    uv_idle_init(&l->uv, &l->mail.again);
    l->mail.before_poll.data = l->mail.after_poll.data = l->mail.again.data = l;
    uv_prepare_start(&l->mail.before_poll, before_poll);
    uv_check_start(&l->mail.after_poll, after_poll);
    uv_unref((uv_handle_t *)&l->mail.before_poll);
    uv_unref((uv_handle_t *)&l->mail.after_poll);
    timers_init(l);
    return 0;
}

/*
 * With a ring the loop waits there, and libuv's own descriptor is one of the things it waits for: timers,
 * signals, name look-ups, accepting and letters from other threads stay libuv's business.
 */
struct ring_watch {
    struct ring_op op;
    bool armed, ready;
};

static void on_watch(struct ring_op *op, int result, unsigned flags)
{
    struct ring_watch *w = CONTAINER_OF(op, struct ring_watch, op);
    (void)result;
    (void)flags;
    w->armed = false;
    w->ready = true;
}

/* Once a time, not for ever: arming looks again, so that what libuv left over is not forgotten. */
static void arm_watch(struct loop *l)
{
    if (l->watch->armed)
        return;
    struct io_uring_sqe *sqe = ring_place(l->ring);
    io_uring_prep_poll_add(sqe, uv_backend_fd(&l->uv), POLLIN);
    ring_submit(sqe, &l->watch->op);
    l->watch->armed = true;
}

int loop_use_ring(struct loop *l)
{
    int error;
    CHECK(!l->ring);
    l->ring = ring_new(&error);
    if (!l->ring)
        return error;
    l->watch = mem_alloc(sizeof(*l->watch));
    l->watch->op.done = on_watch;
    return 0;
}

void loop_share_chores(struct loop *l, struct loop *other)
{
    chores_unref(&l->chores);
    l->chores = chores_ref(other->chores);
}

static void free_ring(struct loop *l)
{
    ring_free(l->ring);
    mem_free(l->watch);
    l->ring = NULL;
    l->watch = NULL;
}

void loop_fini(struct loop *l)
{
    CHECK(l->wheel.running == 0 && l->mail.holds == 0);
    chores_unref(&l->chores);
    free_ring(l);
    mem_free(l->tls);
    uv_close((uv_handle_t *)&l->mail.bell, NULL);
    uv_close((uv_handle_t *)&l->mail.before_poll, NULL);
    uv_close((uv_handle_t *)&l->mail.after_poll, NULL);
    uv_close((uv_handle_t *)&l->mail.again, NULL);
    uv_close((uv_handle_t *)&l->wheel.tick, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int status = uv_loop_close(&l->uv);
    CHECK(status == 0); /* UV_EBUSY: an owner left a handle open */
}

static bool has_letters(struct loop *l)
{
    return l->mail.deferred || atomic_load_explicit(&l->mail.posted, memory_order_relaxed);
}

/* How long libuv may be left alone: until its next timer; 0: it has something to do; negative: for ever. */
static int wait_of_libuv(struct loop *l)
{
    if (!uv_loop_alive(&l->uv))
        return -1;
    uv_update_time(&l->uv);
    return uv_backend_timeout(&l->uv);
}

static bool is_alive(const struct loop *l)
{
    return uv_loop_alive(&l->uv) || l->ring->streams > 0 || l->mail.deferred;
}

/* One iteration. false: nothing is left to wait for. */
static bool turn_ring(struct loop *l, bool wait)
{
    open_deferred(l);
    if (!is_alive(l))
        return false;
    arm_watch(l);
    l->now_is_old = true;
    loop_pulse_end(l);
    ring_turn(l->ring, !wait || l->mail.deferred ? 0 : wait_of_libuv(l));
    if (l->watch->ready || wait_of_libuv(l) == 0) {
        l->watch->ready = false;
        loop_awake(l);
        uv_run(&l->uv, UV_RUN_NOWAIT);
    }
    return is_alive(l);
}

static bool run_some(struct loop *l)
{
    if (!l->ring)
        return uv_run(&l->uv, UV_RUN_DEFAULT);
    while (!l->stopped)
        if (!turn_ring(l, true))
            return false;
    return true;
}

void loop_run(struct loop *l)
{
    l->pulse.thread = pthread_self();
    pulse_here = &l->pulse;
    loop_read_clock(l);
    while (!l->stopped) {
        bool more = run_some(l);
        if (l->stopped || (!more && !has_letters(l)))
            break;
        /* The last handle's end was a reason to write more letters, and libuv sees no reason to go on. */
        loop_read_clock(l);
        open_posted(l);
        open_deferred(l);
    }
    l->stopped = false;
    loop_pulse_end(l);
    pulse_here = NULL;
}

void loop_run_once(struct loop *l, bool wait)
{
    loop_read_clock(l);
    if (l->ring)
        turn_ring(l, wait && !l->mail.deferred);
    else
        uv_run(&l->uv, wait && !l->mail.deferred ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    l->stopped = false;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    uv_stop(&l->uv);
}

/* libuv counts a handle once, however often it is told. */
static void keep_alive_or_not(struct loop *l)
{
    if (l->mail.closed && l->mail.holds == 0)
        uv_unref((uv_handle_t *)&l->mail.bell);
    else
        uv_ref((uv_handle_t *)&l->mail.bell);
}

void loop_close(struct loop *l)
{
    l->mail.closed = true;
    keep_alive_or_not(l);
}

void loop_hold(struct loop *l)
{
    l->mail.holds++;
    keep_alive_or_not(l);
}

void loop_release(struct loop *l)
{
    CHECK(l->mail.holds > 0);
    l->mail.holds--;
    keep_alive_or_not(l);
}

void loop_post(struct loop *l, struct letter *letter)
{
    struct letter *newest = atomic_load_explicit(&l->mail.posted, memory_order_relaxed);
    do {
        letter->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&l->mail.posted, &newest, letter, memory_order_release,
                                                    memory_order_relaxed));
    /* The letter may be opened and freed by now. Who found the box empty rings; the others' letters are taken
     * with that one's. */
    if (!newest)
        uv_async_send(&l->mail.bell);
}

void loop_defer(struct loop *l, struct letter *letter)
{
    letter->next = NULL;
    *l->mail.deferred_end = letter;
    l->mail.deferred_end = &letter->next;
}

void loop_random(struct loop *l, void *out, size_t bytes)
{
    (void)l; /* a simulated loop has its own */
    system_random(out, bytes);
}
