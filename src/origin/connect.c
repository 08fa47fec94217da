/*
 * A new connection to an origin. Its addresses are raced (RFC 8305, "Happy Eyeballs"): families take turns;
 * the next address is tried when one has failed, or has not answered for a moment; the first that connects
 * wins. An address that failed is tried last for a while. The name is resolved again when its addresses are
 * old, and at once when none of them connects; the old ones stay in use meanwhile. docs/decisions/044 gives
 * the reasons.
 */
#include <string.h>

#include "base/mem.h"
#include "io/system.h"
#include "origin/mux.h"
#include "origin/pool_machine.h"

#define ATTEMPT_DELAY_MS ((int64_t)250)   /* RFC 8305 §5 */
#define FAILED_KEPT_MS   ((int64_t)60000) /* how long an address that failed is tried last */
#define ASK_PAUSE_MS     ((int64_t)1000)  /* between two look-ups of a name that has addresses */
#define RETRY_PAUSE_MS   ((int64_t)100)   /* between two tries of a refused connection */

static bool try_next(struct ticket *t);
static void all_failed(struct ticket *t);

static int64_t now_of(const struct pool_entry *e)
{
    return e->pool->loop->now.mono_ms;
}

/* ---- addresses ---- */

static struct target *target_of(struct pool_entry *e, const struct address *at)
{
    for (size_t i = 0; i < e->targets_n; i++)
        if (address_is_same(&e->targets[i].at, at))
            return &e->targets[i];
    return NULL;
}

static void mark(struct pool_entry *e, const struct address *at, int64_t failed_ms)
{
    struct target *target = target_of(e, at);
    if (target)
        target->failed_ms = failed_ms;
}

static bool failed_lately(const struct pool_entry *e, const struct target *target)
{
    return target->failed_ms && now_of(e) - target->failed_ms < FAILED_KEPT_MS;
}

/* Returns the first address that the ticket has not tried, those that failed lately last. NULL: it has tried
 * all. */
static const struct target *pick(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    size_t best = e->targets_n;
    for (size_t i = 0; i < e->targets_n; i++) {
        if (t->tried & (uint32_t)1 << i)
            continue;
        if (!failed_lately(e, &e->targets[i])) {
            best = i;
            break;
        }
        if (best == e->targets_n)
            best = i;
    }
    if (best == e->targets_n)
        return NULL;
    t->tried |= (uint32_t)1 << best;
    return &e->targets[best];
}

void connect_init(struct pool_entry *e)
{
    const struct origin_address *at = &e->origin->at;
    struct address *first = &e->targets[0].at;
    e->is_literal = at->local_path.n ? address_local(at->local_path, first)
                                     : address_parse_ip(at->host_name, at->port, first);
    e->targets_n = e->is_literal ? 1 : 0;
}

/* ---- the name ---- */

/* Returns what a ticket has tried, after the addresses were reordered. */
static uint32_t moved(uint32_t tried, const size_t *to, size_t n)
{
    uint32_t now = 0;
    for (size_t i = 0; i < n; i++)
        if (tried & (uint32_t)1 << i && to[i] < RESOLVE_MAX)
            now |= (uint32_t)1 << to[i];
    return now;
}

static void move_tried(const struct list *tickets, const size_t *to, size_t n)
{
    LIST_EACH(l, tickets) {
        struct ticket *t = CONTAINER_OF(l, struct ticket, link);
        t->tried = moved(t->tried, to, n);
    }
}

static void take_addresses(struct pool_entry *e, const struct address *v, size_t n)
{
    struct address in_turns[RESOLVE_MAX];
    struct target before[RESOLVE_MAX];
    size_t before_n = e->targets_n, to[RESOLVE_MAX];
    CHECK(n > 0 && n <= RESOLVE_MAX && before_n <= RESOLVE_MAX);
    memcpy(in_turns, v, n * sizeof(*v));
    address_take_turns(in_turns, n);
    memcpy(before, e->targets, before_n * sizeof(*before));
    e->targets_n = n;
    for (size_t i = 0; i < n; i++)
        e->targets[i] = (struct target){ .at = in_turns[i] };
    for (size_t i = 0; i < before_n; i++) {
        struct target *same = target_of(e, &before[i].at);
        to[i] = same ? (size_t)(same - e->targets) : RESOLVE_MAX;
        if (same)
            same->failed_ms = before[i].failed_ms;
    }
    move_tried(&e->resolving, to, before_n);
    move_tried(&e->connecting, to, before_n);
}

static void warn_unresolved(const struct pool_entry *e, int status)
{
    log_warning(e->pool->log, "origin", "cannot resolve \"%.*s\": %s%s", STR_ARG(e->origin->at.host_name),
                system_strerror(status), e->targets_n ? "; its old addresses stay in use" : "");
}

/* Tickets that waited for an address go on with those that there are now. */
static void go_on(struct pool_entry *e, int status)
{
    struct list waiting;
    struct link *l;
    list_init(&waiting);
    list_move_all(&waiting, &e->resolving);
    while ((l = list_pop(&waiting)) != NULL) {
        struct ticket *t = CONTAINER_OF(l, struct ticket, link);
        CHECK(t->state == TICKET_RESOLVING && t->entry == e && list_is_empty(&t->attempts));
        if (e->targets_n == 0) {
            pool_give_up(t, system_is_exhausted(status) ? REASON_NO_SOCKET : REASON_RESOLVE_FAILED);
            continue;
        }
        t->state = TICKET_CONNECTING;
        list_push_back(&e->connecting, &t->link);
        if (!try_next(t))
            all_failed(t);
    }
}

static void resolved(struct resolve *r, int status, const struct address *v, size_t n)
{
    struct pool_entry *e = CONTAINER_OF(r, struct pool_entry, resolve);
    CHECK(e->tag == POOL_ENTRY_TAG && e->is_resolving);
    e->is_resolving = false;
    if (status == 0 && n > 0)
        take_addresses(e, v, n < RESOLVE_MAX ? n : RESOLVE_MAX);
    else if (!e->pool->closing)
        warn_unresolved(e, status);
    /* A ticket that has tried all, and still waits for an answer, tries the new ones. */
    LIST_EACH(l, &e->connecting) {
        struct ticket *t = CONTAINER_OF(l, struct ticket, link);
        if (t->state == TICKET_CONNECTING && t->exhausted)
            try_next(t);
    }
    go_on(e, status);
}

static bool start_resolving(struct pool_entry *e)
{
    if (e->is_resolving)
        return true;
    e->asked_ms = now_of(e);
    int status =
        resolve_start(e->pool->loop, &e->resolve, e->origin->at.host_name, e->origin->at.port, resolved);
    e->is_resolving = status == 0;
    if (status)
        warn_unresolved(e, status);
    return e->is_resolving;
}

void connect_refresh(struct pool_entry *e)
{
    if (!e->is_literal && e->targets_n && !e->pool->closing &&
        (e->asked_ms == 0 || now_of(e) - e->asked_ms >= e->resolve_every_ms))
        start_resolving(e);
}

/* None of the addresses connects: resolves the name again, for new ones. false: they are as new as can be. */
static bool ask_again(struct pool_entry *e)
{
    if (e->is_literal || e->pool->closing)
        return false;
    return e->is_resolving ||
           ((e->asked_ms == 0 || now_of(e) - e->asked_ms >= ASK_PAUSE_MS) && start_resolving(e));
}

/* ---- the race ---- */

static void end_attempt(struct connection *c)
{
    link_remove(&c->link);
    c->ctx = NULL;
    pool_drop(c);
}

void connect_cancel(struct ticket *t)
{
    LIST_EACH_SAFE(l, &t->attempts)
        end_attempt(CONTAINER_OF(l, struct connection, link));
}

static struct connection *open_connection(struct pool_entry *e, const struct address *to,
                                          enum origin_http2 http2)
{
    struct connection *c = mem_alloc(sizeof(*c));
    c->tag = CONNECTION_TAG;
    c->entry = e;
    c->to = *to;
    link_init(&c->link);
    if (connect_open(e, c, to, http2) < 0) {
        mem_free(c);
        return NULL;
    }
    count_add(e->pool->counters, COUNTER_ORIGIN_CONNECTIONS, 1);
    count(e->pool->counters, COUNTER_ORIGIN_CONNECTS);
    return c;
}

static void no_answer(struct timer *timer)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, next);
    struct pool_entry *e = t->entry;
    if (try_next(t) || e->is_literal)
        return;
    ask_again(e);
    timer_start(e->pool->loop, &t->next, ASK_PAUSE_MS, no_answer);
}

/* false: no address is left. */
static bool try_next(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    const struct target *target;
    while ((target = pick(t)) != NULL) {
        struct connection *c = open_connection(e, &target->at, t->http2);
        if (!c)
            continue;
        c->ctx = t;
        list_push_back(&t->attempts, &c->link);
        t->exhausted = false;
        timer_start(e->pool->loop, &t->next, ATTEMPT_DELAY_MS, no_answer);
        return true;
    }
    t->exhausted = true;
    return false;
}

/* Attempts that began before the winner count as failed: they have not answered for a moment. */
static void mark_the_slow(struct ticket *t, const struct connection *winner)
{
    LIST_EACH(l, &t->attempts) {
        const struct connection *c = CONTAINER_OF(l, struct connection, link);
        if (c == winner)
            return;
        mark(t->entry, &c->to, now_of(t->entry));
    }
}

static void win(struct ticket *t, struct connection *c)
{
    struct pool_entry *e = t->entry;
    CHECK(!c->user && !c->counted && c->entry == e);
    mark_the_slow(t, c);
    mark(e, &c->to, 0);
    e->refused_ms = 0;
    link_remove(&c->link);
    c->ctx = NULL;
    c->made_ms = now_of(e);
    c->number = ++e->made;
    connect_cancel(t);
    CHECK(list_is_empty(&t->attempts));
    pool_finish(t);
}

static void won(struct ticket *t, struct connection *c)
{
    win(t, c);
    pool_pass_place(t, c);
    t->entry->speaks_http1 |= t->http2 == ORIGIN_HTTP2_AUTO && connect_has_tls(t->entry);
    share_leave(t, REASON_NONE);
    t->ready(t, c);
}

void connect_settled(struct connection *c)
{
    struct ticket *t = c->ctx;
    CHECK(t->state == TICKET_CONNECTING && t->entry == c->entry);
    win(t, c);
    share_add(t, c);
}

/* One of the ticket's attempts is over. */
static void attempt_failed(struct ticket *t, struct connection *c, bool is_exhausted)
{
    end_attempt(c);
    /* Another address would also fail without a socket. */
    if (!list_is_empty(&t->attempts) && is_exhausted)
        return;
    if (is_exhausted)
        pool_give_up(t, REASON_NO_SOCKET);
    else if (!try_next(t) && list_is_empty(&t->attempts))
        all_failed(t);
}

static void no_http2(struct ticket *t, struct connection *c, const char *text)
{
    t->why = REASON_ORIGIN_HTTP2;
    t->only_refused = false;
    origin_distrusted(t->entry->origin, str_from(text));
    attempt_failed(t, c, false);
}

void connect_unsettled(struct connection *c, int status, const char *text)
{
    struct ticket *t = c->ctx;
    if (!t) { /* nobody waits for it any more */
        pool_drop(c);
        return;
    }
    mark(t->entry, &c->to, now_of(t->entry));
    if (!text && connect_shook(c, status)) {
        t->why = REASON_ORIGIN_TLS;
        t->only_refused = false;
        attempt_failed(t, c, false);
        return;
    }
    no_http2(t, c, text ? text : "the connection broke before it spoke HTTP/2");
}

void connect_done(struct stream *s, int status)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    struct ticket *t = c->ctx;
    CHECK(c->tag == CONNECTION_TAG);
    if (!t)
        return;
    CHECK(t->state == TICKET_CONNECTING && t->entry == c->entry);
    if (status == 0 && connect_agreed(c, t->http2)) {
        timer_stop(t->entry->pool->loop, &t->next); /* this one is reached, and need not hurry */
        mux_start(c, &t->head, t->alone);
        return;
    }
    if (status == 0 && t->http2 == ORIGIN_HTTP2_ONLY) {
        mark(t->entry, &c->to, now_of(t->entry));
        no_http2(t, c, "it chose HTTP/1.1, and origin_http2 is only");
        return;
    }
    if (status == 0) {
        won(t, c);
        return;
    }
    mark(t->entry, &c->to, now_of(t->entry));
    if (connect_shook(c, status)) {
        t->why = REASON_ORIGIN_TLS;
        status = UV_EPROTO; /* what it broke off with is no refusal */
    } else {
        status = address_refusal(&c->to, status);
        origin_unreachable(t->entry->origin, status);
    }
    t->only_refused &= status == UV_ECONNREFUSED || status == UV_ENOENT;
    attempt_failed(t, c, system_is_exhausted(status));
}

/* ---- all of them failed ---- */

static void too_long(struct timer *timer)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, timer);
    struct pool_entry *e = t->entry;
    CHECK(t->state == TICKET_CONNECTING || t->state == TICKET_RESOLVING);
    enum reason why = !list_is_empty(&t->attempts) ? REASON_CONNECT_TIMEOUT
                      : t->tried                   ? REASON_CONNECT_FAILED
                                                   : REASON_RESOLVE_FAILED;
    LIST_EACH(l, &t->attempts) {
        const struct connection *c = CONTAINER_OF(l, struct connection, link);
        mark(e, &c->to, now_of(e));
        connect_late(c);
    }
    connect_cancel(t);
    e->asked_ms = 0;
    pool_give_up(t, why);
}

/* Who has waited for another's connection has what is left of his time. */
static void start_timer(struct ticket *t)
{
    int64_t waited = t->joined_ms ? now_of(t->entry) - t->joined_ms : 0;
    int64_t left = t->connect_timeout_ms - waited;
    timer_start(t->entry->pool->loop, &t->timer, left > 0 ? left : 0, too_long);
}

/* Perhaps the origin restarts: may a refused connection be tried again? The time counts from the first
 * refusal for all tickets, so that those in the queue do not add another one each. */
static bool may_try_again(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    int64_t now = now_of(e);
    if (!t->only_refused || t->retry_ms == 0 || e->pool->closing)
        return false;
    if (e->refused_ms == 0 || now - e->refused_last_ms > t->retry_ms)
        e->refused_ms = now;
    e->refused_last_ms = now;
    int64_t since = t->refused_ms ? t->refused_ms : e->refused_ms;
    return now - since < t->retry_ms;
}

static void try_again(struct timer *timer)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, next);
    CHECK(t->state == TICKET_PAUSED && list_is_empty(&t->attempts));
    t->state = TICKET_CONNECTING;
    t->tried = 0;
    t->why = REASON_CONNECT_FAILED;
    t->only_refused = true;
    t->asked_again = false;
    start_timer(t);
    if (!try_next(t))
        all_failed(t);
}

static void pause_ticket(struct ticket *t)
{
    struct loop *loop = t->entry->pool->loop;
    t->state = TICKET_PAUSED;
    t->joined_ms = 0; /* each try has the whole time */
    if (!t->refused_ms)
        t->refused_ms = loop->now.mono_ms;
    count(t->entry->pool->counters, COUNTER_ORIGIN_RETRIES);
    timer_stop(loop, &t->timer);
    timer_start(loop, &t->next, RETRY_PAUSE_MS, try_again);
}

static void all_failed(struct ticket *t)
{
    struct pool_entry *e = t->entry;
    CHECK(t->state == TICKET_CONNECTING && list_is_empty(&t->attempts));
    timer_stop(e->pool->loop, &t->next);
    if (!t->asked_again && ask_again(e)) {
        t->asked_again = true;
        t->state = TICKET_RESOLVING;
        link_remove(&t->link);
        list_push_back(&e->resolving, &t->link);
    } else if (may_try_again(t)) {
        pause_ticket(t);
    } else {
        pool_give_up(t, t->why);
    }
}

/* ---- begin ---- */

bool connect_begin(struct ticket *t, enum reason *why)
{
    struct pool_entry *e = t->entry;
    CHECK(t->state == TICKET_NONE && !link_is_in(&t->link) && list_is_empty(&t->attempts));
    t->tried = 0;
    t->asked_again = false;
    t->only_refused = true;
    t->refused_ms = 0;
    t->why = REASON_CONNECT_FAILED;
    if (connect_has_tls(e) && !connect_trust(e)) {
        *why = REASON_ORIGIN_TLS;
        return false;
    }
    start_timer(t);
    if (e->targets_n) {
        *why = REASON_CONNECT_FAILED;
        t->state = TICKET_CONNECTING;
        list_push_back(&e->connecting, &t->link);
        return try_next(t);
    }
    if (e->pool->closing || !start_resolving(e)) {
        /* Without a thread: it says nothing of the origin. */
        *why = e->pool->closing ? REASON_RESOLVE_FAILED : REASON_NO_SOCKET;
        return false;
    }
    t->state = TICKET_RESOLVING;
    list_push_back(&e->resolving, &t->link);
    return true;
}
