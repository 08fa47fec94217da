#include "front/h1.h"

#include <string.h>

#include "base/mem.h"
#include "front/h1_machine.h"
#include "io/tls.h"

/* How long the rest of what a client sends is read and dropped, and how long the client may be silent
 * meanwhile. A client that writes everything before it reads must find its answer, which a reset would
 * destroy (RFC 9112 §9.6). */
#define LINGER_MS        30000
#define LINGER_SILENT_MS 5000
#define DRAIN_GRACE_MS   100

/* ---- closing ---- */

/* Would the end of the connection look like the end of a body that is not whole? */
static bool closing_looks_whole(const struct h1 *c)
{
    if (c->state != H1_BUSY || c->tunnel)
        return false;
    const struct request *r = &c->x->request;
    bool begun = r->head_sent || r->sending;
    bool until_close = r->reply.has_body && r->reply.length < 0 && !c->chunked_reply;
    return begun && until_close && (!c->request_done || r->cut || r->gone);
}

void h1_close(struct h1 *c)
{
    CHECK(c->tag == H1_TAG);
    if (c->state == H1_CLOSING)
        return;
    bool must_break = closing_looks_whole(c);
    c->state = H1_CLOSING;
    timer_stop(c->stream->loop, &c->timer);
    /* First the stream: the request frees the memory that it still sends. */
    if (must_break)
        stream_reset(c->stream);
    else
        stream_close(c->stream);
    if (c->x)
        request_abort(&c->x->request);
}

void h1_break_off(struct h1 *c)
{
    CHECK(c->tag == H1_TAG && c->state != H1_CLOSING);
    c->state = H1_CLOSING;
    timer_stop(c->stream->loop, &c->timer);
    stream_reset(c->stream);
}

void h1_cut(struct h1 *c, enum reason why)
{
    CHECK(c->tag == H1_TAG);
    if (c->state == H1_CLOSING)
        return;
    c->state = H1_CLOSING;
    timer_stop(c->stream->loop, &c->timer);
    stream_reset(c->stream);
    if (!c->x)
        return;
    c->x->request.reason = why;
    request_abort(&c->x->request);
}

void h1_wait_at_most(struct h1 *c, int64_t ms, void (*too_late)(struct timer *))
{
    CHECK(c->state != H1_CLOSING);
    c->waiting = true;
    timer_start(c->stream->loop, &c->timer, ms, too_late);
}

void h1_close_on_time(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    CHECK(c->tag == H1_TAG);
    if (c->waiting)
        h1_close(c);
}

void h1_linger(struct h1 *c)
{
    if (c->half_closed || c->raw_ended) { /* the client sends nothing more */
        h1_close(c);
        return;
    }
    c->state = H1_LINGER;
    stream_shutdown(c->stream);
    stream_read_start(c->stream);
    c->linger_until = c->stream->loop->now.mono_ms + LINGER_MS;
    h1_wait_at_most(c, LINGER_SILENT_MS, h1_close_on_time);
}

/* Bytes came while the connection lingers. */
static void linger_on(struct h1 *c, size_t n)
{
    const struct process_settings *p = &c->front->front.requests->snapshot->settings->process;
    int64_t left = c->linger_until - c->stream->loop->now.mono_ms;
    c->lingered += n;
    if (left <= 0 || c->lingered > (uint64_t)p->request_body)
        h1_close(c);
    else
        h1_wait_at_most(c, left < LINGER_SILENT_MS ? left : LINGER_SILENT_MS, h1_close_on_time);
}

static void free_connection(struct h1 *c)
{
    struct h1_front *f = c->front;
    CHECK(c->tag == H1_TAG && c->state == H1_CLOSING && c->closed && !c->letter_pending);
    CHECK(!timer_is_running(&c->timer));
    /* An aborted request still has its visitor's data. */
    if (c->x)
        request_reset(&c->x->request);
    h1_give_exchange(c);
    request_client_gone(&c->own);
    link_remove(&c->link);
    struct address peer = c->peer;
    c->tag = 0;
    mem_free(c->stream);
    mem_free(c);
    front_ended(&f->front, &peer);
}

static void on_closed(struct stream *s)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && !c->closed);
    c->closed = true;
    if (!c->letter_pending)
        free_connection(c);
}

/* ---- going on later ---- */

static void open_letter(struct letter *l)
{
    struct h1 *c = CONTAINER_OF(l, struct h1, letter);
    CHECK(c->tag == H1_TAG && c->letter_pending);
    c->letter_pending = false;
    if (c->closed)
        free_connection(c);
    else
        h1_advance(c);
}

void h1_go_on_later(struct h1 *c)
{
    if (c->letter_pending)
        return;
    c->letter_pending = true;
    c->letter.open = open_letter;
    loop_defer(c->stream->loop, &c->letter);
}

/* ---- requests, one after the other ---- */

static void too_slow_head(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    CHECK(c->tag == H1_TAG);
    if (!c->waiting)
        return;
    static const struct str text = STR_INIT("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                            "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
    struct iovec iov = h1_piece(text);
    if (c->state == H1_HEAD && !c->stream->writing && stream_write(c->stream, &iov, 1) != STREAM_BROKEN)
        h1_linger(c);
    else
        h1_close(c);
}

/* Another process goes on with the connection. One that is logged in at an origin is known here alone, and so
 * is what its stream has besides bytes. */
static bool leave(struct h1 *c)
{
    if (c->own || c->letter_pending || c->stream->stays || c->stream->state != STREAM_OPEN ||
        c->stream->writing || (c->x && c->x->in.n))
        return false;
    c->state = H1_CLOSING;
    timer_stop(c->stream->loop, &c->timer);
    stream_leave(c->stream);
    return true;
}

static void on_left(struct stream *s, int fd, struct str early)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && c->state == H1_CLOSING);
    if (fd >= 0)
        c->front->front.left(&c->front->front, fd, &c->peer, early);
}

static void become_idle(struct h1 *c)
{
    const struct process_settings *p = &c->front->front.requests->snapshot->settings->process;
    c->state = H1_IDLE;
    h1_give_exchange(c);
    if (c->half_closed) {
        h1_close(c);
        return;
    }
    if (c->front->front.leaving && leave(c))
        return;
    if (c->front->front.leaving && c->letter_pending) { /* and then it comes here again */
        h1_wait_at_most(c, DRAIN_GRACE_MS, h1_close_on_time);
        return;
    }
    if ((c->front->front.draining || c->front->front.leaving) && c->served) {
        h1_linger(c);
        return;
    }
    /* The connection comes from the backlog: its request is here already, or it is not answered. */
    if (c->front->front.draining || c->front->front.leaving) {
        h1_wait_at_most(c, DRAIN_GRACE_MS, h1_close_on_time);
        stream_read_start(c->stream);
        return;
    }
    int64_t ms = c->served ? p->idle_timeout : p->header_timeout;
    if (overload_step(c->front->front.requests->overload) >= OVERLOAD_SAVE)
        ms = front_idle_saved_ms(ms);
    h1_wait_at_most(c, ms, h1_close_on_time);
    stream_read_start(c->stream);
}

static void set_request(struct h1 *c, const struct request_head *h, enum http_error error)
{
    struct exchange *x = c->x;
    struct request *r = &x->request;
    x->connection = c;
    r->peer = &c->peer;
    r->own = &c->own;
    r->https = tls_is_under(c->stream);
    r->refused = error;
    c->body_done = true;
    c->probed = c->body_wanted = c->expects_continue = c->tunnel = c->raw_ended = c->request_done = false;
    c->piece = x->interims = STR_NONE;
    c->minor = 1;
    c->keep_alive = false;
    body_pace_init(&c->pace);
    c->half_closed_until = c->stream->loop->now.mono_ms + HALF_CLOSED_MS;
    c->framing = (struct framing){ .kind = FRAMING_NONE };
    if (!h)
        return;
    c->minor = h->minor;
    r->method = h->method;
    r->method_name = h->method_name;
    r->target = h->target;
    r->protocol = h->minor ? STR("1.1") : STR("1.0");
    r->needs_host = r->may_upgrade = h->minor > 0;
    r->fields = h->fields;
    if (error == HTTP_ERROR_NONE)
        r->refused = error = framing_of_request(h, &c->framing);
    if (error != HTTP_ERROR_NONE)
        return;
    r->framing = c->framing;
    c->body_left = c->framing.length;
    c->body_done =
        c->framing.kind == FRAMING_NONE || (c->framing.kind == FRAMING_LENGTH && c->body_left == 0);
    if (c->framing.kind == FRAMING_CHUNKED)
        chunked_init(&x->chunked);
    if (fields_has(&h->fields, FIELD_EXPECT)) {
        if (!str_eq_nocase(fields_value(&h->fields, FIELD_EXPECT), STR("100-continue")) ||
            fields_count(&h->fields, FIELD_EXPECT) != 1)
            r->refused = HTTP_ERROR_EXPECT;
        else if (h->minor >= 1 && !c->body_done)
            c->expects_continue = true;
        r->awaits_continue = c->expects_continue && x->at == x->in.n;
    }
    const struct process_settings *p = &c->front->front.requests->snapshot->settings->process;
    c->keep_alive = wants_keep_alive(h->minor, &h->fields) && c->served + 1 < (uint64_t)p->keepalive_requests;
}

/* The reply is sent, or cannot be sent. */
static void after_request(struct h1 *c)
{
    struct exchange *x = c->x;
    struct request *r = &x->request;
    CHECK(r->step == STEP_DONE && c->state == H1_BUSY && c->request_done);
    bool gone = r->gone, cut = r->cut, tunnel = c->tunnel;
    c->request_done = false;
    c->served++;
    request_reset(r);
    h1_wait_no_more(c);
    if (cut || gone) {
        h1_break_off(c);
    } else if (tunnel || !c->keep_alive) {
        h1_linger(c);
    } else {
        c->state = H1_DISCARD;
        if (!c->body_done)
            h1_wait_at_most(c, c->front->front.requests->snapshot->settings->process.body_timeout,
                            h1_close_on_time);
    }
}

/* The body is over: the next request begins with the bytes that are left in the buffer. */
static void begin_next(struct h1 *c)
{
    struct exchange *x = c->x;
    CHECK(c->body_done && x->at <= x->in.n);
    if (x->in.n > x->at)
        memmove(x->in.p, x->in.p + x->at, x->in.n - x->at);
    x->in.n -= x->at;
    x->at = x->head_bytes = 0;
    c->scan = (struct head_scan){ 0 };
    c->state = H1_IDLE;
}

static enum head_result parse_head(struct h1 *c, struct request_head *h, enum http_error *error)
{
    const struct process_settings *p = &c->front->front.requests->snapshot->settings->process;
    struct exchange *x = c->x;
    size_t fields_max = (size_t)p->header_count;
    for (;;) {
        size_t count = x->table_cap < fields_max ? x->table_cap : fields_max;
        struct head_limits limits = { (size_t)p->request_line, (size_t)p->header_bytes, count };
        h->fields = (struct fields){ .v = x->table, .cap = x->table_cap };
        enum head_result result = request_head_parse(buf_str(&x->in), &c->scan, &limits, h, error);
        if (result != HEAD_BAD || *error != HTTP_ERROR_FIELDS_TOO_MANY || count == fields_max)
            return result;
        /* More fields than most requests have: parse again from the start. */
        h1_set_table(x, fields_max);
        c->scan = (struct head_scan){ 0 };
        *error = HTTP_ERROR_NONE;
    }
}

/* Does it begin as HTTP/2 does (RFC 9113 §3.4)? A head that ends there has 18 of the 24 bytes. */
static bool speaks_http2(const struct h1 *c)
{
    struct str in = buf_str(&c->x->in);
    return c->served == 0 && in.n >= 18 &&
           str_starts(STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), str_first(in, 24)) &&
           c->front->front.requests->snapshot->settings->process.http2_clear && !tls_is_under(c->stream);
}

/* The connection goes on as one of HTTP/2. */
static void move_to_http2(struct h1 *c)
{
    struct front *from = &c->front->front, *to = front_of_protocol(from->whole, STR("h2"));
    struct exchange *x = c->x;
    timer_stop(c->stream->loop, &c->timer);
    front_move(from, to, c->stream, &c->peer, buf_str(&x->in));
    h1_give_exchange(c);
    link_remove(&c->link);
    c->tag = 0;
    mem_free(c);
}

/* Returns true when a request has begun; its result is handled. The connection may be gone. */
static bool begin_request(struct h1 *c)
{
    struct exchange *x = c->x;
    const struct process_settings *p = &c->front->front.requests->snapshot->settings->process;
    struct request_head h;
    enum http_error error = HTTP_ERROR_NONE;
    enum head_result result = parse_head(c, &h, &error);
    if (result == HEAD_MORE) {
        if (c->half_closed) {
            h1_close(c);
            return false;
        }
        if (c->state == H1_IDLE) {
            c->state = H1_HEAD;
            h1_wait_at_most(c, p->header_timeout, too_slow_head);
        }
        stream_read_start(c->stream); /* a full buffer may have stopped the reading */
        return false;
    }
    if (__builtin_expect(result == HEAD_BAD && error == HTTP_ERROR_VERSION_UNSUPPORTED, 0) &&
        c->front->front.whole && speaks_http2(c)) {
        if (!c->letter_pending) /* else it comes here again */
            move_to_http2(c);
        return false;
    }
    h1_wait_no_more(c);
    CHECK(!c->request_done && c->x->deferred_n == 0);
    c->state = H1_BUSY;
    x->at = x->head_bytes = result == HEAD_DONE ? h.bytes : x->in.n;
    set_request(c, result == HEAD_DONE ? &h : NULL, error);
    if (!c->body_done && x->in.cap - x->head_bytes < BODY_ROOM) {
        /* The buffer moves, and the head's strings with it: parse again from the start. */
        h1_grow_in(x, BODY_ROOM);
        c->scan = (struct head_scan){ 0 };
        CHECK(parse_head(c, &h, &error) == HEAD_DONE);
        set_request(c, &h, HTTP_ERROR_NONE);
    }
    if (request_start(&x->request) == REQUEST_DONE)
        c->request_done = true;
    return true;
}

void h1_advance(struct h1 *c)
{
    CHECK(c->tag == H1_TAG);
    for (;;) {
        switch (c->state) {
        case H1_IDLE:
            if (!c->x || c->x->in.n == 0) {
                become_idle(c);
                return;
            }
            if (!begin_request(c))
                return;
            break;
        case H1_HEAD:
            if (!begin_request(c))
                return;
            break;
        case H1_BUSY:
            if (!c->request_done && c->tunnel)
                h1_feed_raw(c);
            else if (!c->request_done)
                h1_feed_body(c);
            if (!c->request_done)
                return;
            after_request(c);
            break;
        case H1_DISCARD:
            h1_discard_body(c);
            if (c->state != H1_DISCARD)
                break;
            if (!c->body_done && c->half_closed) {
                h1_close(c);
                return;
            }
            if (!c->body_done) {
                stream_read_start(c->stream);
                return;
            }
            begin_next(c);
            break;
        case H1_LINGER:
        case H1_CLOSING: return;
        }
    }
}

/* ---- from the stream ---- */

/* Of those that are there already, a crowd may begin requests between two looks at memory. */
static bool has_room(const struct h1 *c)
{
    const struct overload *o = c->front->front.requests->overload;
    return overload_step(o) < OVERLOAD_PAUSE || !overload_is_over(o, sizeof(struct exchange));
}

static size_t on_space(struct stream *s, char **p)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && c->stream == s);
    static _Thread_local char nothing[4096];
    if (c->state == H1_LINGER || c->state == H1_CLOSING) {
        *p = nothing;
        return sizeof(nothing);
    }
    if (!c->x && !has_room(c)) {
        h1_cut(c, REASON_OVERLOAD);
        *p = nothing;
        return sizeof(nothing);
    }
    if (!c->x)
        c->x = h1_take_exchange(c->front);
    struct exchange *x = c->x;
    if (x->in.n == x->in.cap && (c->state == H1_IDLE || c->state == H1_HEAD))
        h1_grow_in(x, x->in.cap); /* bounded by the head's limits */
    *p = x->in.p + x->in.n;
    return x->in.cap - x->in.n;
}

static void on_data(struct stream *s, size_t n)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && n > 0);
    if (c->state == H1_LINGER)
        linger_on(c, n);
    if (c->state == H1_LINGER || c->state == H1_CLOSING)
        return;
    CHECK(n <= c->x->in.cap - c->x->in.n);
    c->x->in.n += n;
    c->got += n;
    h1_advance(c);
}

static void on_ended(struct stream *s, int status)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && c->stream == s && !c->half_closed && !c->raw_ended);
    if (c->state == H1_BUSY && c->tunnel && status == 0) {
        c->raw_ended = true;
        h1_feed_raw(c);
    } else if (c->state == H1_BUSY && status == 0 && !c->x->request.upgrade && !stream_is_dead(s)) {
        c->half_closed = true;
        c->half_closed_until = s->loop->now.mono_ms + HALF_CLOSED_MS;
        if (h1_lacks_body(c))
            h1_close(c);
        else
            h1_advance(c);
    } else
        h1_close(c);
}

static void on_connected(struct stream *s, int status)
{
    (void)s;
    (void)status;
    UNREACHABLE();
}

static const struct stream_notices notices = { on_connected,  on_space,  on_data,     on_ended,
                                               h1_on_written, on_closed, h1_on_moved, on_left };

const struct front_ops h1_ops = {
    .send = h1_send,
    .note = h1_note,
    .took = h1_took,
    .held = h1_held,
    .interim = h1_interim,
    .want_body = h1_want_body,
    .upgrade = h1_upgrade,
    .send_raw = h1_send_raw,
    .read_raw = h1_read_raw,
    .end_raw = h1_end_raw,
    .done = h1_done,
};

/* ---- the front ---- */

static struct h1_front *h1_front_of(struct front *f)
{
    return CONTAINER_OF(f, struct h1_front, front);
}

static void accept_stream(struct front *front, struct stream *s, const struct address *peer, struct str early,
                          bool is_old)
{
    struct h1_front *f = h1_front_of(front);
    struct h1 *c = mem_alloc(sizeof(*c));
    c->tag = H1_TAG;
    c->front = f;
    c->peer = *peer;
    c->stream = s;
    c->served = is_old;
    link_init(&c->link);
    stream_give(s, &notices, c);
    list_push_back(&f->connections, &c->link);
    front_began(front);
    if (early.n)
        h1_go_on_later(c); /* so it is not idle, whatever the front does with those */
    become_idle(c);
    if (early.n == 0 || c->state == H1_CLOSING)
        return;
    c->x = h1_take_exchange(f);
    if (early.n > c->x->in.cap)
        h1_grow_in(c->x, early.n);
    buf_add(&c->x->in, early);
}

static void drain(struct front *front)
{
    struct h1_front *f = h1_front_of(front);
    timer_stop(front->requests->loop, &f->trim); /* the loop ends when nothing is left to wait for */
    LIST_EACH_SAFE(l, &f->connections) {
        struct h1 *c = CONTAINER_OF(l, struct h1, link);
        /* The kernel may hold a request that was sent before anybody knew: it is answered, then the
         * connection ends. */
        if (c->state == H1_IDLE)
            h1_wait_at_most(c, DRAIN_GRACE_MS, h1_close_on_time);
    }
}

static void leave_all(struct front *front)
{
    struct h1_front *f = h1_front_of(front);
    timer_stop(front->requests->loop, &f->trim);
    LIST_EACH_SAFE(l, &f->connections) {
        struct h1 *c = CONTAINER_OF(l, struct h1, link);
        if (c->state == H1_IDLE && !leave(c))
            h1_wait_at_most(c, DRAIN_GRACE_MS, h1_close_on_time);
    }
}

static void close_all(struct front *front)
{
    LIST_EACH_SAFE(l, &h1_front_of(front)->connections)
        h1_close(CONTAINER_OF(l, struct h1, link));
}

static void free_front(struct front *front)
{
    struct h1_front *f = h1_front_of(front);
    CHECK(list_is_empty(&f->connections) && f->front.open == 0);
    stock_fini(&f->exchanges);
    mem_free(f);
}

static const struct front_protocol protocol = {
    .name = STR_INIT("HTTP/1.1"),
    .accept = accept_stream,
    .drain = drain,
    .leave = leave_all,
    .close_all = close_all,
    .shed = h1_shed,
    .free = free_front,
    .refusal = STR_INIT("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
                        "Retry-After: 5\r\nConnection: close\r\n\r\n"),
    .in_clear = STR_INIT("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n"
                         "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
                         "This address speaks TLS, and HTTP came in clear: write https://\n"),
};

struct front *h1_front_new(struct requests *requests)
{
    struct h1_front *f = mem_alloc(sizeof(*f));
    *f = (struct h1_front){ .front = { .protocol = &protocol, .requests = requests } };
    list_init(&f->connections);
    stock_init(&f->exchanges, sizeof(struct exchange));
    return &f->front;
}
