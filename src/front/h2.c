#include "front/h2.h"

#include <string.h>

#include "base/mem.h"
#include "front/h2_machine.h"
#include "io/tls.h"

/* As with HTTP/1.1: how long the rest of what a client sends is read and dropped, and how long the client may
 * be silent meanwhile. No more than a client sends that keeps to our windows. */
#define LINGER_MS        10000
#define LINGER_SILENT_MS 2000
#define LINGER_BYTES     ((uint64_t)2 << 20)
/* With so much to be written, nothing is read. */
#define H2_READ_MOST ((size_t)131072)
/* A client that was told of the end may have sent requests before it knew: it answers our PING when it
 * knows, but not all clients do. */
#define DRAIN_MS       1000
#define DRAIN_GRACE_MS 100 /* without a request */

static struct h2_front *h2_front_of(struct front *f)
{
    return CONTAINER_OF(f, struct h2_front, front);
}

/* ---- closing ---- */

static void free_client(struct h2_client *c)
{
    struct h2_front *f = c->front;
    CHECK(c->tag == H2_CLIENT_TAG && c->state == CLIENT_CLOSING && c->closed && !c->letter_pending);
    CHECK(list_is_empty(&c->exchanges) && !timer_is_running(&c->timer) && !timer_is_running(&c->stall));
    h2_free(c->h2);
    h2_drop_text(c);
    link_remove(&c->link);
    struct address peer = c->peer;
    c->tag = 0;
    mem_free((char *)(uintptr_t)c->early.p);
    mem_free(c->stream);
    mem_free(c);
    count_add(f->front.requests->counters, COUNTER_HTTP2_OPEN, -1);
    front_ended(&f->front, &peer);
}

/* The stream is closed, so no bytes of theirs are read by anybody. */
static void abort_all(struct h2_client *c, enum reason why)
{
    LIST_EACH_SAFE(l, &c->exchanges) {
        struct h2_exchange *x = CONTAINER_OF(l, struct h2_exchange, link);
        x->has_pieces = false;
        if (why != REASON_NONE && !x->done)
            x->request.reason = why;
        h2_exchange_abort(x, H2_CANCEL);
    }
    CHECK(list_is_empty(&c->exchanges) && list_is_empty(&c->flying) && list_is_empty(&c->boarding));
}

static void open_letter(struct letter *l)
{
    struct h2_client *c = CONTAINER_OF(l, struct h2_client, letter);
    CHECK(c->tag == H2_CLIENT_TAG && c->letter_pending);
    c->letter_pending = false;
    if (c->state == CLIENT_CLOSING) {
        abort_all(c, REASON_NONE);
        if (c->closed)
            free_client(c);
        return;
    }
    h2_settle(c);
}

void h2_go_on_later(struct h2_client *c)
{
    if (c->letter_pending)
        return;
    c->letter_pending = true;
    c->letter.open = open_letter;
    loop_defer(c->stream->loop, &c->letter);
}

void h2_client_close(struct h2_client *c, bool hard)
{
    CHECK(c->tag == H2_CLIENT_TAG);
    if (c->state == CLIENT_CLOSING)
        return;
    c->state = CLIENT_CLOSING;
    timer_stop(c->stream->loop, &c->timer);
    timer_stop(c->stream->loop, &c->stall);
    if (hard)
        stream_reset(c->stream);
    else
        stream_close(c->stream);
    h2_go_on_later(c); /* requests end there: this may be inside of one */
}

void h2_client_cut(struct h2_client *c, enum reason why)
{
    if (c->state == CLIENT_CLOSING)
        return;
    h2_client_close(c, true);
    abort_all(c, why);
}

static void on_closed(struct stream *s)
{
    struct h2_client *c = s->owner;
    CHECK(c->tag == H2_CLIENT_TAG && !c->closed);
    c->closed = true;
    if (!c->letter_pending)
        free_client(c);
}

static void close_on_time(struct timer *t)
{
    h2_client_close(CONTAINER_OF(t, struct h2_client, timer), false);
}

/* All is said: tells the client the end, and lets it read in peace. */
static void linger(struct h2_client *c)
{
    c->state = CLIENT_LINGER;
    stream_shutdown(c->stream);
    stream_read_start(c->stream);
    c->linger_until = c->stream->loop->now.mono_ms + LINGER_MS;
    timer_start(c->stream->loop, &c->timer, LINGER_SILENT_MS, close_on_time);
}

static void linger_on(struct h2_client *c, size_t n)
{
    int64_t left = c->linger_until - c->stream->loop->now.mono_ms;
    c->lingered += n;
    if (left <= 0 || c->lingered > LINGER_BYTES)
        h2_client_close(c, false);
    else
        timer_start(c->stream->loop, &c->timer, left < LINGER_SILENT_MS ? left : LINGER_SILENT_MS,
                    close_on_time);
}

/* ---- the end, as the protocol has it ---- */

static void drain_on_time(struct timer *t)
{
    struct h2_client *c = CONTAINER_OF(t, struct h2_client, timer);
    CHECK(c->tag == H2_CLIENT_TAG && c->state == CLIENT_OPEN);
    h2_drain_now(c->h2);
    h2_settle(c);
}

/* Tells the client that the connection ends; requests on their way are answered. */
static void begin_drain(struct h2_client *c)
{
    if (c->drains || c->state != CLIENT_OPEN)
        return;
    c->drains = true;
    c->idle = false;
    h2_drain(c->h2);
    timer_start(c->stream->loop, &c->timer, c->exchanges_n ? DRAIN_MS : DRAIN_GRACE_MS, drain_on_time);
    h2_wake(c);
}

void h2_client_part(struct h2_client *c)
{
    CHECK(c->state == CLIENT_OPEN);
    c->drains = true;
    h2_drain_now(c->h2);
    h2_wake(c);
}

static void idle_for_long(struct timer *t)
{
    struct h2_client *c = CONTAINER_OF(t, struct h2_client, timer);
    CHECK(c->tag == H2_CLIENT_TAG);
    if (!c->idle || c->state != CLIENT_OPEN)
        return;
    h2_client_part(c);
    h2_settle(c);
}

/* PINGs and their like do not keep a connection alive. */
static void become_idle(struct h2_client *c)
{
    const struct process_settings *p = &h2_requests(c)->snapshot->settings->process;
    int64_t ms = c->leaves ? DRAIN_MS : c->served ? p->idle_timeout : p->header_timeout;
    if (overload_step(h2_requests(c)->overload) >= OVERLOAD_SAVE)
        ms = front_idle_saved_ms(ms);
    c->idle = true;
    timer_start(c->stream->loop, &c->timer, ms, idle_for_long);
}

/* ---- settling ---- */

void h2_stir(struct h2_exchange *x)
{
    struct h2_client *c = x->client;
    if (!link_is_in(&x->stirred))
        list_push_back(&c->stirred, &x->stirred);
    h2_wake(c);
}

void h2_wake(struct h2_client *c)
{
    if (!c->inside)
        h2_go_on_later(c);
}

static void look_at_stirred(struct h2_client *c)
{
    struct link *l;
    while (c->state == CLIENT_OPEN && (l = list_pop(&c->stirred)) != NULL) {
        struct h2_exchange *x = CONTAINER_OF(l, struct h2_exchange, stirred);
        if (!x->done)
            h2_feed(x);
        if (x->done)
            h2_exchange_end(x);
    }
}

static void say_failed(struct h2_client *c, const struct h2_event *e)
{
    struct h2_front *f = c->front;
    char text[ADDRESS_TEXT_MAX], held[LOG_HELD_MAX];
    struct counters *counters = f->front.requests->counters;
    count(counters, e->code == H2_ENHANCE_YOUR_CALM ? COUNTER_HTTP2_CALMED : COUNTER_HTTP2_ERRORS);
    if (!log_valve_opens(&f->said, c->stream->loop->now.mono_ms, held))
        return;
    size_t n = address_write_ip(&c->peer, text);
    struct str client = n ? (struct str){ text, n } : STR("at a Unix socket");
    log_info(c->stream->loop->log, "http2", "the connection of client %.*s ends with %s: %s%s",
             STR_ARG(client), h2_frame_code_name(e->code), e->text ? e->text : "", held);
}

static void fail(struct h2_client *c, const struct h2_event *e)
{
    say_failed(c, e);
    c->failed = true;
    LIST_EACH_SAFE(l, &c->exchanges) {
        struct h2_exchange *x = CONTAINER_OF(l, struct h2_exchange, link);
        if (x->stream)
            h2_close(c->h2, &x->stream, H2_CANCEL);
        h2_exchange_drop(x);
    }
}

static bool has_said_all(const struct h2_client *c)
{
    return h2_is_over(c->h2) && !c->stream->writing && c->text.n == 0 && h2_waiting(c->h2) == 0 &&
           list_is_empty(&c->exchanges);
}

/* What the client does not read is not made more by reading its requests. */
static bool may_read(const struct h2_client *c)
{
    return c->text.n + c->flying_text.n < H2_READ_MOST;
}

void h2_settle(struct h2_client *c)
{
    CHECK(c->tag == H2_CLIENT_TAG);
    c->inside = true;
    c->turns = 0;
    do {
        look_at_stirred(c);
        h2_flush(c);
    } while (c->state == CLIENT_OPEN && !list_is_empty(&c->stirred));
    c->inside = false;
    if (c->state != CLIENT_OPEN)
        return;
    if (has_said_all(c)) {
        linger(c);
        return;
    }
    if (c->exchanges_n == 0 && !c->idle && !c->drains)
        become_idle(c);
    if (!c->failed && may_read(c))
        stream_read_start(c->stream);
    else
        stream_read_stop(c->stream);
}

/* ---- reading ---- */

static void on_reset(struct h2_client *c, const struct h2_event *e)
{
    struct h2_exchange *x = e->owner;
    count(h2_requests(c)->counters, COUNTER_HTTP2_RESETS);
    if (!x)
        return;
    CHECK(x->tag == H2_EXCHANGE_TAG && x->client == c);
    x->stream = NULL; /* it is freed */
    h2_exchange_drop(x);
}

/* What is full goes out before the next request is answered: then that one needs not wait. */
static bool goes_on(struct h2_client *c)
{
    if (c->text.n >= H2_TEXT_FULL && !c->stream->writing)
        h2_flush(c);
    return c->state == CLIENT_OPEN;
}

/* Returns false when nothing more is to be read. */
static bool take_event(struct h2_client *c, enum h2_event_kind kind, struct h2_event *e)
{
    switch (kind) {
    case H2_MORE: return false;
    case H2_HEAD: h2_exchange_begin(c, e); break;
    case H2_BODY: h2_body_came(e->owner, e->data, e->last); break;
    case H2_TRAILERS: h2_body_came(e->owner, STR_NONE, true); break;
    case H2_RESET: on_reset(c, e); break;
    case H2_GONE: c->leaves = true; break;
    case H2_FAILED: fail(c, e); return false;
    }
    return goes_on(c);
}

static void take_bytes(struct h2_client *c, struct str in)
{
    struct h2_event e;
    enum h2_event_kind kind;
    const struct process_settings *p = &h2_requests(c)->snapshot->settings->process;
    c->got += in.n;
    c->inside = true;
    do {
        struct arena *heads = &h2_next_exchange(c->front)->request.arena;
        kind = h2_read(c->h2, &in, c->stream->loop->now.mono_ms, heads, &e);
        if (kind != H2_HEAD)
            arena_rewind(heads); /* of what it read nothing is kept */
    } while (!c->failed && take_event(c, kind, &e));
    if (c->served >= (uint64_t)p->keepalive_requests)
        begin_drain(c);
    h2_settle(c);
}

static size_t on_space(struct stream *s, char **p)
{
    struct h2_client *c = s->owner;
    CHECK(c->tag == H2_CLIENT_TAG && c->stream == s);
    *p = c->front->in;
    return sizeof(c->front->in);
}

/* Bytes from before this front. They came first. */
static void take_early(struct h2_client *c)
{
    struct str early = c->early;
    c->early = STR_NONE;
    take_bytes(c, early);
    mem_free((char *)(uintptr_t)early.p);
}

static void on_data(struct stream *s, size_t n)
{
    struct h2_client *c = s->owner;
    CHECK(c->tag == H2_CLIENT_TAG && n > 0 && n <= sizeof(c->front->in) && !c->early.p);
    if (c->state == CLIENT_LINGER)
        linger_on(c, n);
    else if (c->state == CLIENT_OPEN && !c->failed)
        take_bytes(c, (struct str){ c->front->in, n });
}

/* A client that sends no more opens no windows either, and resets nothing: it is gone. */
static void on_ended(struct stream *s, int status)
{
    struct h2_client *c = s->owner;
    (void)status;
    CHECK(c->tag == H2_CLIENT_TAG && c->stream == s);
    h2_client_close(c, false);
}

static void on_connected(struct stream *s, int status)
{
    (void)s;
    (void)status;
    UNREACHABLE();
}

static const struct stream_notices notices = { on_connected,  on_space,  on_data,     on_ended,
                                               h2_on_written, on_closed, h2_on_moved, NULL };

/* ---- the front ---- */

static void set_limits(struct h2_client *c)
{
    const struct process_settings *p = &h2_requests(c)->snapshot->settings->process;
    struct h2_limits *l = &c->limits;
    *l = h2_limits_default;
    l->streams = (unsigned)p->http2_streams;
    l->stream_window = (uint32_t)p->http2_window;
    l->connection_window = (uint32_t)p->http2_connection_window;
    l->head =
        (struct head_limits){ (size_t)p->request_line, (size_t)p->header_bytes, (size_t)p->header_count };
    if (l->block_bytes < l->head.fields_bytes)
        l->block_bytes = l->head.fields_bytes;
    l->extended_connect = p->tunnels > 0;
}

static void open_early(struct letter *l)
{
    struct h2_client *c = CONTAINER_OF(l, struct h2_client, letter);
    c->letter_pending = false;
    if (c->state == CLIENT_CLOSING) {
        if (c->closed)
            free_client(c);
        return;
    }
    if (c->early.p)
        take_early(c);
    else
        h2_settle(c);
}

static void accept_stream(struct front *front, struct stream *s, const struct address *peer, struct str early,
                          bool is_old)
{
    struct h2_front *f = h2_front_of(front);
    struct h2_client *c = mem_alloc(sizeof(*c));
    (void)is_old;
    c->tag = H2_CLIENT_TAG;
    c->front = f;
    c->peer = *peer;
    c->stream = s;
    link_init(&c->link);
    list_init(&c->exchanges);
    list_init(&c->stirred);
    list_init(&c->boarding);
    list_init(&c->flying);
    set_limits(c);
    c->h2 = h2_new(&c->limits);
    stream_give(s, &notices, c);
    list_push_back(&f->clients, &c->link);
    front_began(front);
    count(front->requests->counters, COUNTER_HTTP2_CONNECTIONS);
    count_add(front->requests->counters, COUNTER_HTTP2_OPEN, 1);
    if (early.n) {
        char *copy = mem_resize(NULL, early.n);
        memcpy(copy, early.p, early.n);
        c->early = (struct str){ copy, early.n };
    }
    if (front->draining || front->leaving)
        begin_drain(c);
    /* Our SETTINGS go first, and reading begins behind the early bytes. */
    c->letter_pending = true;
    c->letter.open = open_early;
    loop_defer(s->loop, &c->letter);
}

/* A session cannot go to another process, so leaving is draining. */
static void drain(struct front *front)
{
    struct h2_front *f = h2_front_of(front);
    timer_stop(front->requests->loop, &f->trim); /* the loop ends when nothing is left to wait for */
    LIST_EACH_SAFE(l, &f->clients)
        begin_drain(CONTAINER_OF(l, struct h2_client, link));
}

static void close_all(struct front *front)
{
    LIST_EACH_SAFE(l, &h2_front_of(front)->clients)
        h2_client_close(CONTAINER_OF(l, struct h2_client, link), false);
}

static void free_front(struct front *front)
{
    struct h2_front *f = h2_front_of(front);
    CHECK(list_is_empty(&f->clients) && f->front.open == 0);
    if (f->next)
        stock_give(&f->exchanges, f->next);
    stock_fini(&f->exchanges);
    buf_fini(&f->spare);
    buf_fini(&f->block);
    h2_blocks_drop(&f->blocks);
    mem_free(f);
}

static const struct front_protocol protocol = {
    .name = STR_INIT("HTTP/2"),
    .accept = accept_stream,
    .drain = drain,
    .leave = drain,
    .close_all = close_all,
    .shed = h2_shed,
    .free = free_front,
};

struct front *h2_front_new(struct requests *requests)
{
    struct h2_front *f = mem_alloc(sizeof(*f));
    f->front.protocol = &protocol;
    f->front.requests = requests;
    list_init(&f->clients);
    stock_init(&f->exchanges, sizeof(struct h2_exchange));
    return &f->front;
}
