#include "store/facts_desk.h"

#define SERVED_AT_ONCE 256 /* then the loop does other work first */

static struct facts_wait *first(const struct facts_desk *d)
{
    struct link *l = list_first(&d->waiting);
    return l ? CONTAINER_OF(l, struct facts_wait, link) : NULL;
}

static void too_late(struct timer *t);

static void watch(struct facts_desk *d)
{
    struct facts_wait *w = first(d);
    if (!w)
        timer_stop(d->notice.loop, &d->timer);
    else if (!timer_is_running(&d->timer))
        timer_start(d->notice.loop, &d->timer,
                    w->due_ms > d->notice.loop->now.mono_ms ? w->due_ms - d->notice.loop->now.mono_ms : 0,
                    too_late);
}

static void end(struct facts_wait *w, bool saved)
{
    link_remove(&w->link);
    w->done(w, saved);
}

static void too_late(struct timer *t)
{
    struct facts_desk *d = CONTAINER_OF(t, struct facts_desk, timer);
    struct facts_wait *w;
    unsigned n = 0;
    while (n++ < SERVED_AT_ONCE && (w = first(d)) && w->due_ms <= d->notice.loop->now.mono_ms)
        end(w, false);
    watch(d);
}

static void committed(struct loop_notice *n)
{
    struct facts_desk *d = CONTAINER_OF(n, struct facts_desk, notice);
    struct facts_wait *w;
    enum facts_settled settled;
    unsigned served = 0;
    while ((w = first(d)) && (settled = facts_settled(d->facts, w->ticket)) != FACTS_UNSETTLED) {
        if (served++ == SERVED_AT_ONCE) {
            notice_send(&d->notice.notice, NULL);
            break;
        }
        end(w, settled == FACTS_SAVED);
    }
    if (!first(d))
        atomic_store(&d->waits, false);
    watch(d);
}

static void told(struct facts_listener *l)
{
    struct facts_desk *d = CONTAINER_OF(l, struct facts_desk, listener);
    if (atomic_load(&d->waits))
        notice_send(&d->notice.notice, NULL);
}

void facts_desk_init(struct facts_desk *d, struct facts *f, struct loop *loop)
{
    d->facts = f;
    list_init(&d->waiting);
    loop_notice_init(&d->notice, loop, committed);
    d->listener.told = told;
    facts_listen(f, &d->listener);
    d->is_open = true;
}

void facts_desk_fini(struct facts_desk *d)
{
    if (!d->is_open)
        return;
    CHECK(list_is_empty(&d->waiting));
    d->is_open = false;
    facts_unlisten(d->facts, &d->listener);
}

enum facts_settled facts_desk_wait(struct facts_desk *d, struct facts_wait *w,
                                   void (*done)(struct facts_wait *w, bool saved))
{
    CHECK(d->is_open && (!w->link.next || !link_is_in(&w->link)));
    w->ticket = facts_ask(d->facts);
    atomic_store(&d->waits, true); /* before the look: what is settled after it is told */
    enum facts_settled settled = facts_settled(d->facts, w->ticket);
    if (settled != FACTS_UNSETTLED)
        return settled;
    w->done = done;
    w->due_ms = d->notice.loop->now.mono_ms + FACTS_WAIT_MS;
    link_init(&w->link);
    list_push_back(&d->waiting, &w->link);
    watch(d);
    return settled;
}

void facts_desk_leave(struct facts_desk *d, struct facts_wait *w)
{
    if (w->link.next)
        link_remove(&w->link);
    watch(d);
}
