/*
 * Loops (io/loop.h) over the simulated world, libuv's timer for io/timer.c, and names for io/address.c. In an
 * iteration chance orders what is ready, and says when the mailbox is opened.
 */
#include "sim_loop.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/background.h"
#include "io/chores.h"
#include "io/signals.h"
#include "sim.h"

#define DEFERRED_MOST 1024

struct sim_loop {
    struct fiber *fiber; /* it runs the loop */
    struct list ready;
    size_t ready_n;
    size_t holds;
    bool closed; /* loop_close */
    uv_timer_t *timer;
    uv_timer_cb cb;
    int64_t due; /* of the timer; INT64_MAX: it does not run */
};

static struct sim_loop *of(const struct loop *l)
{
    return l->uv.data;
}

static void wake(struct loop *l)
{
    struct sim_loop *s = of(l);
    if (s->fiber && s->fiber != fiber_self())
        fiber_wake(s->fiber);
}

/* ---- what is ready ---- */

void sim_ready_init(struct sim_ready *r, struct loop *l, void (*run)(struct sim_ready *))
{
    *r = (struct sim_ready){ .loop = l, .run = run };
    link_init(&r->link);
}

void sim_ready_now(struct sim_ready *r)
{
    if (link_is_in(&r->link))
        return;
    list_push_back(&of(r->loop)->ready, &r->link);
    of(r->loop)->ready_n++;
    wake(r->loop);
}

void sim_ready_not(struct sim_ready *r)
{
    if (!r->link.next || !link_is_in(&r->link))
        return;
    link_remove(&r->link);
    of(r->loop)->ready_n--;
}

void sim_loop_hold(struct loop *l)
{
    of(l)->holds++;
}

void sim_loop_release(struct loop *l)
{
    CHECK(of(l)->holds > 0);
    of(l)->holds--;
}

/* Of connections that are ready at once, any may be first. */
static void run_ready(struct loop *l)
{
    struct sim_loop *s = of(l);
    for (size_t n = s->ready_n; n > 0 && s->ready_n > 0; n--) {
        struct link *at = s->ready.head.next;
        for (uint64_t skip = sim_below(s->ready_n < 8 ? s->ready_n : 8); skip > 0; skip--)
            at = at->next;
        struct sim_ready *r = CONTAINER_OF(at, struct sim_ready, link);
        sim_ready_not(r);
        r->run(r);
    }
}

/* ---- letters ---- */

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

static void open_posted(struct loop *l)
{
    struct letter *newest = atomic_exchange(&l->mail.posted, NULL), *oldest = NULL;
    while (newest) {
        struct letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct letter *next = oldest->next;
        oldest->next = NULL;
        oldest->open(oldest);
        oldest = next;
    }
}

void loop_post(struct loop *l, struct letter *letter)
{
    fiber_maybe_yield();
    letter->next = atomic_load(&l->mail.posted);
    atomic_store(&l->mail.posted, letter);
    wake(l);
    fiber_maybe_yield();
}

void loop_defer(struct loop *l, struct letter *letter)
{
    letter->next = NULL;
    *l->mail.deferred_end = letter;
    l->mail.deferred_end = &letter->next;
}

static bool has_letters(struct loop *l)
{
    return l->mail.deferred || atomic_load(&l->mail.posted);
}

/* ---- the loop ---- */

void loop_read_clock(struct loop *l)
{
    l->now = clock_now(l->clock);
}

int loop_init(struct loop *l, const struct clock *clock, struct log *log)
{
    memset(l, 0, sizeof(*l));
    struct sim_loop *s = mem_alloc(sizeof(*s));
    l->clock = clock;
    l->log = log;
    l->uv.data = s;
    list_init(&s->ready);
    s->due = INT64_MAX;
    l->mail.deferred_end = &l->mail.deferred;
    l->chores = chores_new();
    loop_read_clock(l);
    timers_init(l);
    return 0;
}

void loop_share_chores(struct loop *l, struct loop *other)
{
    chores_unref(&l->chores);
    l->chores = chores_ref(other->chores);
}

void loop_hold(struct loop *l)
{
    sim_loop_hold(l);
}

void loop_release(struct loop *l)
{
    sim_loop_release(l);
}

int loop_use_ring(struct loop *l)
{
    (void)l;
    return -ENOSYS;
}

void loop_fini(struct loop *l)
{
    CHECK(l->wheel.running == 0 && of(l)->holds == 0 && list_is_empty(&of(l)->ready));
    chores_unref(&l->chores);
    mem_free(of(l));
    l->uv.data = NULL;
}

static bool is_alive(struct loop *l)
{
    struct sim_loop *s = of(l);
    return !s->closed || s->holds > 0 || s->due != INT64_MAX || s->ready_n > 0;
}

static void turn(struct loop *l, bool wait)
{
    struct sim_loop *s = of(l);
    open_deferred(l);
    if (l->stopped || (!is_alive(l) && !has_letters(l)))
        return;
    while (wait && !has_letters(l) && s->ready_n == 0 && s->due > sim_now())
        fiber_park(s->due);
    loop_read_clock(l);
    if (s->due <= sim_now()) {
        s->due = INT64_MAX;
        s->cb(s->timer);
    }
    /* A real loop finds the bell somewhere among its sockets. */
    bool letters_first = sim_once_in(2);
    if (letters_first)
        open_posted(l);
    run_ready(l);
    if (!letters_first)
        open_posted(l);
    fiber_maybe_yield();
}

void loop_run(struct loop *l)
{
    of(l)->fiber = fiber_self();
    loop_read_clock(l);
    while (!l->stopped && (is_alive(l) || has_letters(l)))
        turn(l, true);
    l->stopped = false;
    of(l)->fiber = NULL;
}

void loop_run_once(struct loop *l, bool wait)
{
    of(l)->fiber = fiber_self();
    turn(l, wait);
    l->stopped = false;
    of(l)->fiber = NULL;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    wake(l);
}

void loop_close(struct loop *l)
{
    of(l)->closed = true;
    wake(l);
}

void loop_random(struct loop *l, void *out, size_t bytes)
{
    (void)l;
    sim_bytes(out, bytes);
}

struct pulse *loop_pulse_here(void)
{
    return NULL;
}

void loop_pulse_name(struct loop *l, struct str name)
{
    (void)l;
    (void)name;
}

/* ---- libuv's timer, for io/timer.c ---- */

int uv_timer_init(uv_loop_t *uv, uv_timer_t *t)
{
    ((struct sim_loop *)uv->data)->timer = t;
    t->loop = uv;
    return 0;
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t ms, uint64_t repeat)
{
    struct sim_loop *s = t->loop->data;
    CHECK(repeat == 0);
    s->cb = cb;
    s->due = sim_now() + (int64_t)ms * 1000;
    return 0;
}

int uv_timer_stop(uv_timer_t *t)
{
    ((struct sim_loop *)t->loop->data)->due = INT64_MAX;
    return 0;
}

/* ---- names, for io/address.c ---- */

void __wrap_freeaddrinfo(struct addrinfo *a);
void __wrap_freeaddrinfo(struct addrinfo *a)
{
    while (a) {
        struct addrinfo *next = a->ai_next;
        mem_free(a);
        a = next;
    }
}

/* On a thread of io/chores, that is a fiber: it waits as long as the name server takes. What it brings is in
 * the process' memory, which a crash takes back. */
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    struct address found[4];
    int64_t after = 0;
    (void)service;
    (void)hints;
    int n = sim_resolve(node, found, COUNT_OF(found), &after);
    fiber_nap(after);
    for (int i = n; i-- > 0;) {
        struct addrinfo *a = mem_alloc(sizeof(*a) + sizeof(struct sockaddr_storage));
        a->ai_addr = (struct sockaddr *)(void *)(a + 1);
        a->ai_family = found[i].sa.any.sa_family;
        a->ai_socktype = SOCK_STREAM;
        a->ai_addrlen = found[i].bytes;
        memcpy(a->ai_addr, &found[i].sa, found[i].bytes);
        a->ai_next = *out;
        *out = a;
    }
    return n < 0 ? EAI_AGAIN : 0;
}

/* ---- signals (io/signals.h) ---- */

static struct {
    struct signals *to;
    struct sim_ready ready;
    unsigned pending; /* bits */
    bool closing;
} signals_of;

static void tell_signals(struct sim_ready *r)
{
    struct signals *s = signals_of.to;
    if (signals_of.closing) {
        signals_of.to = NULL;
        sim_loop_release(r->loop);
        if (s->closed)
            s->closed(s);
        return;
    }
    for (int i = 1; i < 32; i++)
        if (signals_of.pending & 1u << i) {
            signals_of.pending &= ~(1u << i);
            s->received(s, i);
        }
}

int signals_init(struct signals *s, struct loop *l, void (*received)(struct signals *, int signo))
{
    s->received = received;
    s->loop = l;
    signals_of.to = s;
    signals_of.pending = 0;
    signals_of.closing = false;
    sim_ready_init(&signals_of.ready, l, tell_signals);
    sim_loop_hold(l);
    return 0;
}

void signals_name(int signo, char out[SIGNAL_NAME_MAX])
{
    strcpy(out, signo == 15 ? "SIGTERM" : "a signal");
}

void signals_close(struct signals *s, void (*closed)(struct signals *))
{
    s->closed = closed;
    signals_of.closing = true;
    sim_ready_now(&signals_of.ready);
}

bool sim_receives_signals(void)
{
    return signals_of.to && !signals_of.closing;
}

void sim_signal(int signo)
{
    if (!sim_receives_signals())
        return;
    signals_of.pending |= 1u << signo;
    sim_ready_now(&signals_of.ready);
}

void sim_loops_forget(void)
{
    signals_of.to = NULL;
}
