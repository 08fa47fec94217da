#include "io/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/background.h"

#define ANSWER_US 10000 /* when a loop was asked what it is in: the next look */
#define ASKS_MOST 20    /* looks for its answer: it may be in a call that no signal ends */

struct watched {
    struct loop *loop;
    uint64_t beat;    /* as of the last look */
    int64_t stood_us; /* with that beat, while it is odd */
    bool stands, said;
    int asks; /* looks since it was asked */
    char what[PULSE_TEXT_MAX];
};

struct watch {
    struct background *thread;
    const struct watch_ops *ops;
    void *ctx;
    int64_t last_us, rest_us;
    size_t n;
    struct watched loops[];
};

static void (*describe)(const void *busy_with, char out[PULSE_TEXT_MAX]);

/* On the thread of the loop that stands. */
static void on_asked(int signo)
{
    struct pulse *p = loop_pulse_here();
    int error = errno;
    (void)signo;
    if (p && atomic_load_explicit(&p->ask, memory_order_acquire) == PULSE_ASKED) {
        p->what[0] = '\0';
        if (atomic_load_explicit(&p->beat, memory_order_relaxed) == p->asked_beat)
            describe(p->busy_with, p->what);
        p->told_of = p->busy_with;
        atomic_store_explicit(&p->ask, PULSE_TOLD, memory_order_release);
    }
    errno = error;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* which stands while the machine is suspended */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void ask(struct watched *w)
{
    struct pulse *p = &w->loop->pulse;
    if (atomic_load_explicit(&p->ask, memory_order_acquire) != PULSE_QUIET)
        return; /* an answer of another time is still to come */
    p->asked_beat = w->beat;
    p->name[0] = '\0';
    atomic_store_explicit(&p->ask, PULSE_ASKED, memory_order_release);
    if (pthread_kill(p->thread, SIGURG) != 0)
        atomic_store_explicit(&p->ask, PULSE_QUIET, memory_order_release);
}

static void say_began(struct watch *all, struct watched *w)
{
    const struct pulse *p = &w->loop->pulse;
    bool told = atomic_load_explicit(&p->ask, memory_order_acquire) == PULSE_TOLD && p->asked_beat == w->beat;
    if (!told && ++w->asks < ASKS_MOST)
        return;
    memcpy(w->what, told ? p->what : "", told ? sizeof(w->what) : 1);
    w->said = true;
    all->ops->began(all->ctx, (size_t)(w - all->loops), w->what);
}

static void end(struct watch *all, struct watched *w)
{
    struct pulse *p = &w->loop->pulse;
    bool told = atomic_load_explicit(&p->ask, memory_order_acquire) == PULSE_TOLD && p->asked_beat == w->beat;
    if (!w->said) {
        w->asks = ASKS_MOST;
        say_began(all, w);
    }
    all->ops->ended(all->ctx, (size_t)(w - all->loops), w->what, told ? p->name : "", w->stood_us / 1000);
}

/* What was asked is answered by now, or will be when the signal comes. */
static void forget_answer(struct pulse *p)
{
    int told = PULSE_TOLD;
    atomic_compare_exchange_strong(&p->ask, &told, PULSE_QUIET);
}

/* Does it wait, and has done nothing else since the last look? */
static bool look_at(struct watch *all, struct watched *w, int64_t passed_us)
{
    uint64_t beat = atomic_load_explicit(&w->loop->pulse.beat, memory_order_acquire);
    bool rests = beat == w->beat && beat % 2 == 0;
    if (beat != w->beat || beat % 2 == 0) {
        if (w->stands)
            end(all, w);
        forget_answer(&w->loop->pulse);
        w->beat = beat;
        w->stood_us = 0;
        w->stands = w->said = false;
        w->asks = 0;
        return rests;
    }
    w->stood_us += passed_us;
    if (w->stood_us < WATCH_STANDS_MS * 1000)
        return false;
    if (!w->stands) {
        w->stands = true;
        ask(w);
    } else if (!w->said) {
        say_began(all, w);
    }
    return false;
}

static int64_t step(void *ctx)
{
    struct watch *all = ctx;
    int64_t now = now_us(), passed_us = now - all->last_us;
    bool stands = false, waits = false, rests = true;
    all->last_us = now;
    /* Longer: this thread was stopped, too; or it rested, and then no loop was in its callbacks. */
    if (passed_us > 2 * WATCH_LOOK_MS * 1000)
        passed_us = WATCH_LOOK_MS * 1000;
    for (size_t i = 0; i < all->n; i++) {
        rests &= look_at(all, &all->loops[i], passed_us);
        stands |= all->loops[i].stands;
        waits |= all->loops[i].stands && !all->loops[i].said;
    }
    if (!stands)
        all->ops->moving(all->ctx);
    if (all->ops->looked)
        rests &= all->ops->looked(all->ctx);
    return waits ? ANSWER_US : rests ? all->rest_us : WATCH_LOOK_MS * 1000;
}

struct watch *watch_start(struct loop *const *loops, size_t n, int64_t rest_ms, const struct watch_ops *ops,
                          void *ctx)
{
    struct watch *w = mem_alloc(sizeof(*w) + n * sizeof(w->loops[0]));
    struct sigaction asked = { .sa_handler = on_asked, .sa_flags = SA_RESTART };
    *w = (struct watch){ .ops = ops, .ctx = ctx, .last_us = now_us(), .rest_us = rest_ms * 1000, .n = n };
    for (size_t i = 0; i < n; i++)
        w->loops[i].loop = loops[i];
    describe = ops->describe;
    CHECK(sigaction(SIGURG, &asked, NULL) == 0);
    w->thread = background_start("freshet-watch", step, w);
    if (w->thread)
        return w;
    mem_free(w);
    return NULL;
}

void watch_stop(struct watch **w)
{
    if (!*w)
        return;
    background_stop(&(*w)->thread);
    mem_free(*w);
    *w = NULL;
}
