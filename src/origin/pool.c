#include "origin/pool.h"

#include <string.h>

#include "base/mem.h"
#include "origin/mux.h"
#include "origin/pool_machine.h"
#include "origin/upstream.h"

#define IDLE_MAX  1024 /* connections to one origin on one worker */
#define OWNED_MAX 1024 /* the same, each owned by a client */

static void serve_queue(struct pool_entry *e);
static void shorten_queue(struct pool_entry *e);

/* ---- places: the limit of connections in use, over all workers ---- */

/* Uploads that still come have at most half of the places, however slowly they come (docs/decisions/082). */
static int64_t half(int64_t limit)
{
    return limit / 2 + limit % 2;
}

static bool may_upload(const struct pool_entry *e, int64_t places)
{
    return places / ORIGIN_UPLOAD < half(e->limit);
}

static bool is_room(const struct pool_entry *e, bool uploads, int64_t places)
{
    return places % ORIGIN_UPLOAD < e->limit && (!uploads || may_upload(e, places));
}

static bool take_place(struct pool_entry *e, bool uploads)
{
    /* The counts never exceed their limits, not even for a moment: another worker would then see no place
     * where there is one. */
    int64_t n = atomic_load(&e->origin->places);
    while (is_room(e, uploads, n))
        if (atomic_compare_exchange_weak(&e->origin->places, &n, n + 1 + (uploads ? ORIGIN_UPLOAD : 0)))
            return true;
    return false;
}

/* Tells all workers, this one too. */
static void tell_all(struct pool_entry *e)
{
    lock_take(&e->origin->lock);
    LIST_EACH(l, &e->origin->pools) {
        struct pool_entry *other = CONTAINER_OF(l, struct pool_entry, in_origin);
        notice_send(&other->place.notice, e->pool->loop);
    }
    lock_give(&e->origin->lock);
}

/*
 * Tickets of low priority (docs/decisions/057) wait in a queue of their own, behind the others of all
 * workers. Counts are read and written in one order for all threads (seq_cst): a worker that adds to one
 * count and then reads the other must not miss another worker that does it the other way round.
 */

static struct list *queue_of(const struct ticket *t)
{
    return t->low ? &t->entry->low_queue : t->uploads ? &t->entry->upload_queue : &t->entry->queue;
}

static _Atomic int64_t *count_of(const struct ticket *t)
{
    struct origin *o = t->entry->origin;
    return t->low ? &o->waiting_low : t->uploads ? &o->waiting_uploads : &o->waiting;
}

static struct ticket *first_of(const struct list *queue)
{
    return list_is_empty(queue) ? NULL : CONTAINER_OF(list_first(queue), struct ticket, link);
}

/* Does a ticket that is not of low priority wait on any worker for nothing but a place? */
static bool others_wait(const struct pool_entry *e)
{
    struct origin *o = e->origin;
    return atomic_load(&o->waiting) > 0 ||
           (atomic_load(&o->waiting_uploads) > 0 && may_upload(e, atomic_load(&e->origin->places)));
}

/* Returns the ticket of those that wait here which is the next one to get a place: the one that waits
 * longest. NULL: none may have one. */
static struct ticket *next_ticket(const struct pool_entry *e)
{
    struct ticket *t = first_of(&e->queue), *u = first_of(&e->upload_queue), *low = first_of(&e->low_queue);
    if (u && (!t || u->number < t->number) && may_upload(e, atomic_load(&e->origin->places)))
        return u;
    if (t)
        return t;
    return low && !others_wait(e) ? low : NULL;
}

static bool waits_elsewhere(const struct pool_entry *e)
{
    return !next_ticket(e) && (others_wait(e) || atomic_load(&e->origin->waiting_low) > 0);
}

/* A place is free, or half of them are not all taken by uploads any more. */
static void tell_next(struct pool_entry *e)
{
    /* The loop serves the queue, not this call: an idle connection must first show that nothing is left in
     * it, and many failures at once must not nest. */
    e->gave_place = next_ticket(e) != NULL;
    if (e->gave_place)
        notice_send(&e->place.notice, e->pool->loop);
    else if (waits_elsewhere(e))
        tell_all(e);
}

static void subtract_places(struct pool_entry *e, int64_t n)
{
    int64_t before = atomic_fetch_sub(&e->origin->places, n);
    CHECK(before >= n && before % ORIGIN_UPLOAD >= n % ORIGIN_UPLOAD);
    CHECK((before - n) / ORIGIN_UPLOAD <= (before - n) % ORIGIN_UPLOAD);
    tell_next(e);
}

static void give_place(struct pool_entry *e, bool uploads)
{
    subtract_places(e, 1 + (uploads ? ORIGIN_UPLOAD : 0));
}

static void place_noticed(struct loop_notice *n)
{
    struct pool_entry *e = CONTAINER_OF(n, struct pool_entry, place);
    CHECK(e->tag == POOL_ENTRY_TAG);
    bool gave = e->gave_place;
    e->gave_place = false;
    share_serve(e);
    serve_queue(e);
    shorten_queue(e);
    /* The ticket that was to get the place may have left meanwhile, while others wait. */
    if (gave && waits_elsewhere(e))
        tell_all(e);
}

/* ---- entries ---- */

static void make_room_for(struct pool *p, uint32_t number)
{
    size_t n = p->by_number_n;
    if (number < n)
        return;
    while (n <= number)
        n = n ? 2 * n : 16;
    p->by_number = mem_resize(p->by_number, n * sizeof(struct pool_entry *));
    memset(p->by_number + p->by_number_n, 0, (n - p->by_number_n) * sizeof(struct pool_entry *));
    p->by_number_n = n;
}

static struct pool_entry *entry_of(struct pool *p, struct origin *o)
{
    if (o->number < p->by_number_n && p->by_number[o->number])
        return p->by_number[o->number];
    make_room_for(p, o->number);
    struct pool_entry *e = p->by_number[o->number] = mem_alloc(sizeof(*e));
    e->tag = POOL_ENTRY_TAG;
    e->pool = p;
    e->origin = o;
    list_init(&e->idle);
    list_init(&e->queue);
    list_init(&e->upload_queue);
    list_init(&e->low_queue);
    list_init(&e->resolving);
    list_init(&e->connecting);
    share_init(e);
    connect_init(e);
    loop_notice_init(&e->place, p->loop, place_noticed);
    list_push_back(&p->entries, &e->in_pool);
    lock_take(&o->lock);
    list_push_back(&o->pools, &e->in_origin);
    lock_give(&o->lock);
    return e;
}

void pool_init(struct pool *p, struct loop *loop, struct log *log, struct counters *counters)
{
    *p = (struct pool){ .loop = loop, .log = log, .counters = counters };
    list_init(&p->entries);
}

void pool_close(struct pool *p)
{
    p->closing = true;
    LIST_EACH(l, &p->entries) {
        struct pool_entry *e = CONTAINER_OF(l, struct pool_entry, in_pool);
        LIST_EACH_SAFE(k, &e->idle)
            pool_drop(CONTAINER_OF(k, struct connection, link));
        LIST_EACH_SAFE(k, &e->shared)
            mux_retire(CONTAINER_OF(k, struct connection, link)->mux);
        if (e->is_resolving)
            resolve_cancel(&e->resolve);
    }
}

void pool_fini(struct pool *p)
{
    struct link *l;
    while ((l = list_pop(&p->entries)) != NULL) {
        struct pool_entry *e = CONTAINER_OF(l, struct pool_entry, in_pool);
        CHECK(e->tag == POOL_ENTRY_TAG && !e->is_resolving);
        CHECK(e->idle_n == 0 && e->owned_n == 0);
        CHECK(list_is_empty(&e->queue) && list_is_empty(&e->upload_queue) && list_is_empty(&e->low_queue));
        CHECK(list_is_empty(&e->resolving) && list_is_empty(&e->connecting));
        CHECK(list_is_empty(&e->shared) && list_is_empty(&e->joined) && list_is_empty(&e->left));
        e->tag = 0;
        lock_take(&e->origin->lock);
        link_remove(&e->in_origin);
        lock_give(&e->origin->lock);
        connect_distrust(e);
        mem_free(e);
    }
    mem_free(p->by_number);
    mem_free(p->scratch);
}

size_t pool_idle(const struct pool *p)
{
    size_t n = 0;
    LIST_EACH(l, &p->entries) {
        const struct pool_entry *e = CONTAINER_OF(l, struct pool_entry, in_pool);
        n += e->idle_n;
        LIST_EACH(k, &e->shared)
            n += mux_lanes(CONTAINER_OF(k, struct connection, link)->mux) == 0;
    }
    return n;
}

/* ---- connections ---- */

/* What comes to an idle connection. */
static _Thread_local char unasked[16];

/* An origin that sends bytes without a request is out of step. */
static void drop_talker(struct connection *c, struct str first)
{
    pool_note_surplus(c->entry, first);
    pool_drop(c);
}

static size_t on_space(struct stream *s, char **p)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG);
    if (c->mux)
        return mux_on_space(c->mux, p);
    if (c->user)
        return c->user->space(c, p);
    *p = unasked;
    return sizeof(unasked);
}

static void on_data(struct stream *s, size_t n)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG);
    if (c->mux)
        mux_on_data(c->mux, n);
    else if (c->user)
        c->user->data(c, n);
    else
        drop_talker(c, (struct str){ unasked, n });
}

static void on_ended(struct stream *s, int status)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG);
    if (c->mux)
        mux_on_ended(c->mux, status);
    else if (c->user)
        c->user->ended(c, status);
    else
        pool_drop(c);
}

static void on_written(struct stream *s, int status)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG);
    if (c->mux)
        mux_on_written(c->mux, status);
    else if (c->user)
        c->user->written(c, status);
}

static void on_closed(struct stream *s)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG && !c->user);
    /* Nobody knows of it any more: no list, no client, no timer. */
    CHECK(!link_is_in(&c->link) && !c->own && !c->counted && !c->uploads && !timer_is_running(&c->idle));
    c->tag = 0;
    if (c->mux)
        mux_free(c->mux);
    count_add(c->entry->pool->counters, COUNTER_ORIGIN_CONNECTIONS, -1);
    mem_free(c);
}

const struct stream_notices pool_notices = {
    connect_done, on_space, on_data, on_ended, on_written, on_closed
};

static void stop_idling(struct connection *c)
{
    if (link_is_in(&c->link)) {
        CHECK(c->entry->idle_n > 0);
        link_remove(&c->link);
        c->entry->idle_n--;
    }
}

void pool_give_place(struct connection *c)
{
    CHECK(c->tag == CONNECTION_TAG);
    if (!c->counted)
        return;
    c->counted = false;
    bool uploads = c->uploads;
    c->uploads = false;
    give_place(c->entry, uploads);
}

void pool_pass_place(const struct ticket *t, struct connection *c)
{
    CHECK(!c->counted && !c->uploads);
    c->counted = true;
    c->uploads = t->uploads;
}

void pool_came_on(struct connection *c)
{
    CHECK(c->tag == CONNECTION_TAG && (!c->uploads || c->counted));
    if (!c->uploads)
        return;
    c->uploads = false;
    subtract_places(c->entry, ORIGIN_UPLOAD);
}

/* Takes the connection away from its owner. */
static void lose_owner(struct connection *c)
{
    if (!c->own)
        return;
    CHECK(*c->own == c && c->entry->owned_n > 0);
    *c->own = NULL;
    c->own = NULL;
    c->entry->owned_n--;
}

void pool_drop(struct connection *c)
{
    CHECK(c->tag == CONNECTION_TAG);
    stop_idling(c);
    lose_owner(c);
    if (!c->lane)
        timer_stop(c->entry->pool->loop, &c->idle);
    c->user = NULL;
    if (c->outstanding)
        upstream_done(c->entry->origin);
    c->outstanding = false;
    if (c->lane)
        lane_end(c->lane, false);
    else
        stream_close(&c->stream);
    pool_give_place(c);
}

static void idle_too_long(struct timer *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, idle);
    /* The timer runs on while the connection is in use: stopping and starting it for each fetch costs more
     * than this check. */
    if (link_is_in(&c->link))
        pool_drop(c);
}

/* Or was its origin believed otherwise when it was made? */
bool pool_is_too_old(const struct connection *c)
{
    return !connect_is_trusted(c) || c->entry->pool->loop->now.mono_ms - c->made_ms >= c->entry->age_ms;
}

void pool_keep(struct connection *c, int64_t idle_ms)
{
    struct pool_entry *e = c->entry;
    CHECK(c->tag == CONNECTION_TAG && !link_is_in(&c->link) && !pool_is_writing(c));
    if (c->lane) {
        c->user = NULL;
        lane_end(c->lane, true);
        pool_give_place(c);
        return;
    }
    /* Its next user must not be taken for another one. */
    CHECK(!c->own && !c->personal);
    if (e->pool->closing || idle_ms == 0 || pool_is_too_old(c) || e->idle_n >= IDLE_MAX ||
        c->stream.state != STREAM_OPEN) {
        pool_drop(c);
        return;
    }
    c->user = NULL;
    c->ctx = NULL;
    c->reused = true;
    list_push_front(&e->idle, &c->link);
    e->idle_n++;
    timer_start(e->pool->loop, &c->idle, idle_ms, idle_too_long);
    stream_wait(&c->stream);
    pool_give_place(c);
}

void pool_keep_for(struct connection *c, struct connection **own)
{
    struct pool_entry *e = c->entry;
    CHECK(c->tag == CONNECTION_TAG && !link_is_in(&c->link) && !c->stream.writing);
    CHECK(c->personal && own);
    if (c->lane) { /* nobody else may have it, and this one cannot: it was for all */
        pool_drop(c);
        return;
    }
    if (c->own != own) {
        lose_owner(c);
        pool_disown(own);
    }
    if (e->pool->closing || c->stream.state != STREAM_OPEN || (!c->own && e->owned_n >= OWNED_MAX)) {
        pool_drop(c);
        return;
    }
    if (!c->own) {
        c->own = own;
        *own = c;
        e->owned_n++;
    }
    c->user = NULL;
    c->ctx = NULL;
    c->reused = true;
    stream_wait(&c->stream);
    pool_give_place(c);
}

/* ---- what a holder does ---- */

void pool_read_start(struct connection *c)
{
    if (c->lane)
        lane_read_start(c->lane);
    else
        stream_read_start(&c->stream);
}

void pool_read_stop(struct connection *c)
{
    if (c->lane)
        lane_read_stop(c->lane);
    else
        stream_read_stop(&c->stream);
}

enum stream_write pool_write(struct connection *c, const struct iovec *iov, unsigned n, bool last)
{
    return c->lane ? lane_write(c->lane, iov, n, last) : stream_write(&c->stream, iov, n);
}

bool pool_is_writing(const struct connection *c)
{
    return c->lane ? c->lane->writing || c->lane->wrote : c->stream.writing;
}

void pool_shutdown(struct connection *c)
{
    if (!c->lane)
        stream_shutdown(&c->stream);
}

/* Of a lane: what went is what the origin's windows let go. */
void pool_note(const struct connection *c, struct stream_backlog *b)
{
    if (c->lane)
        *b = (struct stream_backlog){ .held = (size_t)c->lane->sent };
    else
        stream_note(&c->stream, b);
}

bool pool_took(const struct connection *c, struct stream_backlog *b)
{
    size_t before = b->held;
    if (!c->lane)
        return stream_took(&c->stream, b);
    b->held = (size_t)c->lane->sent;
    return b->held != before;
}

struct origin *pool_origin(const struct connection *c)
{
    return c->entry->origin;
}

bool pool_is_to(const struct connection *c, const struct origin_address *at)
{
    return origin_is_at(c->entry->origin, at);
}

void pool_disown(struct connection **own)
{
    struct connection *c = *own;
    if (!c)
        return;
    CHECK(c->tag == CONNECTION_TAG && c->own == own);
    lose_owner(c);
    if (!c->user)
        pool_drop(c);
}

/* ---- tickets ---- */

void pool_finish(struct ticket *t)
{
    CHECK(t->entry->tag == POOL_ENTRY_TAG);
    timer_stop(t->entry->pool->loop, &t->timer);
    timer_stop(t->entry->pool->loop, &t->next);
    link_remove(&t->link);
    t->state = TICKET_NONE;
}

static void leave_queue(struct ticket *t)
{
    struct origin *o = t->entry->origin;
    CHECK(t->state == TICKET_QUEUED);
    pool_finish(t);
    int64_t waiting = atomic_fetch_sub(count_of(t), 1);
    CHECK(waiting > 0);
    /* Those of low priority had to wait for this one, here and on other workers; for uploads as long as they
     * might have a place. */
    if (!t->low && (waiting == 1 || t->uploads) && atomic_load(&o->waiting_low) > 0)
        tell_all(t->entry);
}

void pool_give_up(struct ticket *t, enum reason why)
{
    struct pool_entry *e = t->entry;
    bool uploads = t->uploads;          /* `failed` may use the ticket again */
    CHECK(list_is_empty(&t->attempts)); /* each points to the ticket */
    pool_finish(t);
    share_leave(t, why);
    t->failed(t, why);
    give_place(e, uploads);
}

static void queue_too_long(struct timer *timer)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, timer);
    leave_queue(t);
    t->failed(t, REASON_QUEUE_TIMEOUT);
}

/* Returns the connection that the asker's client owns, when it is to this origin. */
static struct connection *take_own(struct pool_entry *e, const struct ticket *t)
{
    struct connection *c = t->own ? *t->own : NULL;
    if (!c || c->entry != e || c->user)
        return NULL;
    CHECK(c->tag == CONNECTION_TAG && c->own == t->own);
    if (!connect_is_trusted(c) || !stream_is_quiet(&c->stream)) {
        pool_drop(c);
        return NULL;
    }
    pool_pass_place(t, c);
    return c;
}

static struct connection *take_idle(struct pool_entry *e, struct ticket *t)
{
    struct link *l;
    if (connect_has_tls(e))
        connect_trust(e);
    struct connection *own = take_own(e, t);
    if (own)
        return own;
    struct connection *lane = share_take(t);
    if (lane || t->http2 == ORIGIN_HTTP2_ONLY)
        return lane;
    while ((l = list_first(&e->idle)) != NULL) {
        struct connection *c = CONTAINER_OF(l, struct connection, link);
        /* The event that tells of its end may stand behind the one that brought this request. Or bytes are
         * there behind the last answer: they would be taken for the next one. */
        if (pool_is_too_old(c) || !stream_is_quiet(&c->stream)) {
            pool_drop(c);
            continue;
        }
        CHECK(c->tag == CONNECTION_TAG && !c->user && !c->own && !c->personal);
        stop_idling(c);
        pool_pass_place(t, c);
        return c;
    }
    return NULL;
}

/* A place is free: tickets that wait longest go first. */
static void serve_queue(struct pool_entry *e)
{
    struct ticket *t;
    while ((t = next_ticket(e)) != NULL && is_room(e, false, atomic_load(&e->origin->places))) {
        enum reason why;
        if (!take_place(e, t->uploads))
            continue; /* another worker was quicker */
        leave_queue(t);
        struct connection *c = t->fresh ? NULL : take_idle(e, t);
        if (c)
            t->ready(t, c);
        else if (!share_begin(t, &why))
            pool_give_up(t, why);
    }
}

/* Is the queue longer than its limit, by tickets of low priority? Then one is counted no more, and the caller
 * ends one of this worker's. */
static bool is_one_too_many(struct pool_entry *e)
{
    struct origin *o = e->origin;
    int64_t low = atomic_load(&o->waiting_low);
    while (low > 0 && atomic_load(&o->waiting) + atomic_load(&o->waiting_uploads) + low > e->queue_limit)
        if (atomic_compare_exchange_weak(&o->waiting_low, &low, low - 1))
            return true;
    return false;
}

/* The youngest of low priority give way to an ordinary ticket that came into a full queue. */
static void shorten_queue(struct pool_entry *e)
{
    while (!list_is_empty(&e->low_queue) && is_one_too_many(e)) {
        struct ticket *t = CONTAINER_OF(list_back(&e->low_queue), struct ticket, link);
        CHECK(t->state == TICKET_QUEUED && t->low);
        pool_finish(t);
        t->failed(t, REASON_GAVE_WAY);
    }
}

/* Puts the ticket into its queue. false: that is full. */
static bool enter_queue(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    struct origin *o = e->origin;
    int64_t own = atomic_fetch_add(count_of(t), 1);
    int64_t low = t->low ? own : atomic_load(&o->waiting_low),
            uploads = t->uploads ? own : atomic_load(&o->waiting_uploads),
            others = (t->low || t->uploads ? atomic_load(&o->waiting) : own) + uploads;
    /* Uploads that still come have half of the queue as well. */
    if (others + (t->low ? low : 0) >= e->queue_limit || (t->uploads && own >= half(e->queue_limit))) {
        atomic_fetch_sub(count_of(t), 1);
        return false;
    }
    t->state = TICKET_QUEUED;
    t->number = ++e->queued;
    list_push_back(queue_of(t), &t->link);
    /* The one that gives way may wait on another worker. */
    if (others + low >= e->queue_limit)
        tell_all(e);
    return true;
}

/* Tickets that wait already go first. */
static bool need_not_wait(const struct pool_entry *e, const struct ticket *t)
{
    if (!list_is_empty(queue_of(t)) || (t->low && others_wait(e)))
        return false;
    struct ticket *next = next_ticket(e);
    return !next || next->low;
}

enum pool_answer pool_ask(struct pool *p, struct origin *o, const struct site_settings *site, bool fresh,
                          struct ticket *t, struct connection **c, enum reason *why)
{
    struct pool_entry *e = entry_of(p, o);
    CHECK(e->tag == POOL_ENTRY_TAG && e->origin == o);
    CHECK(t->state == TICKET_NONE && t->ready && t->failed && !(t->low && t->uploads));
    CHECK(site->origin_connections > 0); /* else it would wait for ever */
    e->limit = site->origin_connections;
    e->queue_limit = site->origin_queue;
    e->resolve_every_ms = site->origin_resolve;
    e->age_ms = site->origin_connection_age;
    e->idle_ms = site->origin_idle_timeout;
    t->http2 = t->plain ? ORIGIN_HTTP2_OFF : (enum origin_http2)site->origin_http2;
    connect_refresh(e);
    link_init(&t->link);
    list_init(&t->attempts);
    t->entry = e;
    t->fresh = fresh;
    t->made_before = e->made;
    t->connect_timeout_ms = site->connect_timeout;
    t->joined_ms = 0;
    if (need_not_wait(e, t) && take_place(e, t->uploads)) {
        *c = fresh ? NULL : take_idle(e, t);
        if (*c)
            return POOL_READY;
        if (share_begin(t, why))
            return POOL_WAIT;
        pool_finish(t);
        share_leave(t, *why);
        give_place(e, t->uploads);
        return POOL_REFUSED;
    }
    if (!enter_queue(t)) {
        *why = REASON_QUEUE_FULL;
        return POOL_REFUSED;
    }
    timer_start(p->loop, &t->timer, site->queue_timeout, queue_too_long);
    /* Another worker may have given a place back before it could see that a ticket waits here. */
    notice_send(&e->place.notice, p->loop);
    return POOL_WAIT;
}

/* Moves the ticket to the end of the ordinary queue; it is counted in no other one any more. */
static void wait_on(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    atomic_fetch_add(&e->origin->waiting, 1);
    link_remove(&t->link);
    t->number = ++e->queued;
    list_push_back(&e->queue, &t->link);
    notice_send(&e->place.notice, e->pool->loop);
}

void pool_hurry(struct ticket *t)
{
    bool waits = t->low && t->state == TICKET_QUEUED;
    t->low = false;
    if (!waits)
        return;
    struct pool_entry *e = t->entry;
    int64_t low = atomic_fetch_sub(&e->origin->waiting_low, 1);
    CHECK(low > 0);
    wait_on(t);
}

void pool_came(struct ticket *t)
{
    bool uploads = t->uploads;
    t->uploads = false;
    if (!uploads || t->state == TICKET_NONE)
        return;
    if (t->state != TICKET_QUEUED) {
        subtract_places(t->entry, ORIGIN_UPLOAD);
        return;
    }
    int64_t waiting = atomic_fetch_sub(&t->entry->origin->waiting_uploads, 1);
    CHECK(waiting > 0);
    wait_on(t);
}

void pool_cancel(struct ticket *t)
{
    switch (t->state) {
    case TICKET_NONE: break;
    case TICKET_QUEUED: leave_queue(t); break;
    case TICKET_RESOLVING:
    case TICKET_CONNECTING:
    case TICKET_PAUSED:
        connect_cancel(t);
        pool_finish(t);
        share_leave(t, REASON_NONE);
        give_place(t->entry, t->uploads);
        break;
    case TICKET_JOINED:
        pool_finish(t);
        give_place(t->entry, t->uploads);
        break;
    }
}
