/*
 * Connections that many requests share (HTTP/2): which one a request gets, and requests that wait for one
 * that is being made. A crowd that comes to an origin without a connection makes one: its first ticket leads,
 * the others join. When the origin chooses HTTP/1.1 each connects for itself.
 */
#include "origin/mux.h"
#include "origin/pool_machine.h"

void share_init(struct pool_entry *e)
{
    list_init(&e->shared);
    list_init(&e->joined);
    list_init(&e->left);
}

void pool_unshare(struct connection *c)
{
    CHECK(c->mux);
    link_remove(&c->link);
}

/* May it share a connection with others? */
static bool shares(const struct ticket *t)
{
    return !t->alone &&
           (t->http2 == ORIGIN_HTTP2_ONLY || (t->http2 == ORIGIN_HTTP2_AUTO && connect_has_tls(t->entry)));
}

/* Would one that is made for it speak HTTP/2, as far as is known? */
static bool may_lead(const struct ticket *t)
{
    return shares(t) && (t->http2 == ORIGIN_HTTP2_ONLY || !t->entry->speaks_http1);
}

static void serve_later(struct pool_entry *e)
{
    notice_send(&e->place.notice, e->pool->loop);
}

static bool has_room(const struct pool_entry *e)
{
    LIST_EACH(l, &e->shared)
        if (mux_room(CONTAINER_OF(l, struct connection, link)->mux) > 0)
            return true;
    return false;
}

static bool lead(struct ticket *t, enum reason *why)
{
    if (may_lead(t))
        t->entry->leader = t;
    return connect_begin(t, why);
}

static void joined_too_long(struct timer *timer);

bool share_begin(struct ticket *t, enum reason *why)
{
    struct pool_entry *e = t->entry;
    if (!may_lead(t) || (!e->leader && list_is_empty(&e->joined)))
        return lead(t, why);
    t->state = TICKET_JOINED;
    t->joined_ms = e->pool->loop->now.mono_ms;
    timer_start(e->pool->loop, &t->timer, t->connect_timeout_ms, joined_too_long);
    list_push_back(&e->joined, &t->link);
    if (!e->leader || has_room(e))
        serve_later(e);
    return true;
}

/* Does the connection suit the ticket, apart from its age? */
static bool fits(const struct ticket *t, const struct connection *c)
{
    if (mux_room(c->mux) == 0 || !mux_has_limits(c->mux, &t->head) ||
        (t->fresh && c->number <= t->made_before))
        return false;
    /* The event that tells of its end may stand behind the one that brought this request. */
    return !t->once || mux_lanes(c->mux) > 0 || stream_is_quiet(&c->stream);
}

/* Do others wait for room, and go first? */
static bool comes_behind(const struct ticket *t)
{
    return t->state != TICKET_JOINED && may_lead(t) && !list_is_empty(&t->entry->joined);
}

/* The oldest is filled first, so that those that are not needed have a rest and end. */
struct connection *share_take(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    if (!shares(t) || comes_behind(t))
        return NULL;
    LIST_EACH_SAFE(l, &e->shared) {
        struct connection *c = CONTAINER_OF(l, struct connection, link);
        CHECK(c->tag == CONNECTION_TAG && c->mux);
        if (pool_is_too_old(c)) {
            mux_retire(c->mux);
        } else if (fits(t, c)) {
            struct connection *lane = mux_begin(c->mux);
            pool_pass_place(t, lane);
            return lane;
        }
    }
    return NULL;
}

void share_wake(struct pool_entry *e)
{
    if (!list_is_empty(&e->joined))
        serve_later(e);
}

void share_add(struct ticket *t, struct connection *c)
{
    struct pool_entry *e = t->entry;
    struct connection *lane = mux_begin(c->mux);
    pool_pass_place(t, lane);
    e->speaks_http1 = false;
    if (!t->alone && !e->pool->closing)
        list_push_back(&e->shared, &c->link);
    else
        mux_retire(c->mux);
    share_leave(t, REASON_NONE);
    t->ready(t, lane);
}

/* Would the ticket have failed where this one has? */
static bool shares_fate(const struct ticket *t, const struct ticket *failed)
{
    return t->retry_ms <= failed->retry_ms && t->http2 == failed->http2 &&
           t->connect_timeout_ms == failed->connect_timeout_ms;
}

static void fail_with(struct pool_entry *e, const struct ticket *failed, enum reason why)
{
    e->left_why = why;
    LIST_EACH_SAFE(l, &e->joined) {
        if (!shares_fate(CONTAINER_OF(l, struct ticket, link), failed))
            continue;
        link_remove(l);
        list_push_back(&e->left, l);
    }
}

void share_leave(struct ticket *t, enum reason why)
{
    struct pool_entry *e = t->entry;
    if (e->leader != t)
        return;
    e->leader = NULL;
    if (why != REASON_NONE)
        fail_with(e, t, why);
    serve_later(e);
}

/* Gives a ticket that joined a lane. false: there is none for it. */
static bool serve(struct ticket *t)
{
    struct connection *lane = share_take(t);
    if (!lane)
        return false;
    pool_finish(t);
    t->ready(t, lane);
    return true;
}

static void give_up_late(struct ticket *t, enum reason why)
{
    const struct ticket *leader = t->entry->leader;
    if (leader && why == REASON_CONNECT_TIMEOUT)
        LIST_EACH(l, &leader->attempts)
            connect_late(CONTAINER_OF(l, struct connection, link));
    pool_give_up(t, why);
}

/* Its own time is over, however long the one may wait that it has joined. While the origin refuses
 * connections it would have tried again for retry_ms, as that one does. */
static void joined_too_long(struct timer *timer)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, timer);
    struct pool_entry *e = t->entry;
    CHECK(t->state == TICKET_JOINED);
    bool is_refused = e->leader && e->leader->refused_ms;
    int64_t waited = e->pool->loop->now.mono_ms - t->joined_ms;
    if (serve(t))
        return;
    if (is_refused && waited < t->retry_ms)
        timer_start(e->pool->loop, timer, t->retry_ms - waited, joined_too_long);
    else
        give_up_late(t, is_refused ? REASON_CONNECT_FAILED : REASON_CONNECT_TIMEOUT);
}

void share_serve(struct pool_entry *e)
{
    struct list waiting;
    struct link *l;
    enum reason why;
    while ((l = list_first(&e->left)) != NULL) {
        struct ticket *t = CONTAINER_OF(l, struct ticket, link);
        if (!serve(t))
            pool_give_up(t, e->left_why);
    }
    /* What a callback does may end any of them, and others may join. */
    list_init(&waiting);
    list_move_all(&waiting, &e->joined);
    while ((l = list_first(&waiting)) != NULL) {
        struct ticket *t = CONTAINER_OF(l, struct ticket, link);
        if (serve(t))
            continue;
        if (e->leader && may_lead(t)) {
            link_remove(l);
            list_push_back(&e->joined, l);
            continue;
        }
        pool_finish(t);
        if (!lead(t, &why))
            pool_give_up(t, why);
    }
}
