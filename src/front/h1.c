#include "front/h1.h"

#include <string.h>

#include "base/mem.h"
#include "http/chunked.h"

/*
 * A connection's states. Between two requests an idle connection holds nothing but its socket: the buffer and the request
 * stand in an exchange, taken from the front's stock with the first byte and given back when nothing is left in it. The
 * exchange that was used last is warm and is taken first.
 */
enum h1_state {
    H1_IDLE,    /* no byte of a request yet */
    H1_HEAD,    /* part of a head */
    H1_BUSY,    /* a request is in flight */
    H1_DISCARD, /* the reply is sent, the rest of the request's body is read over */
    H1_LINGER, /* the last reply is sent; what still comes is read over, so that a reset does not destroy the reply */
    H1_CLOSING,
};

/* What nearly all requests need is in the exchange itself, so that thousands of them that wait for one page take little memory. */
#define IN_FIRST       ((size_t)2048)
#define FRAMING_ROOM   ((size_t)128) /* the longest Content-Length and Connection lines */
#define FIELDS_FIRST   ((size_t)32)
#define BODY_ROOM      ((size_t)8192) /* behind the head, for a body */
#define DISCARD_MOST   ((uint64_t)65536)
#define LINGER_MS      2000
#define LINGER_MOST    ((size_t)1 << 20)
#define TRIM_MS        10000 /* what a crowd took goes to the system so much later: the next one may be on its way */
#define DRAIN_GRACE_MS 100
#define IOV_MOST       STREAM_IOV_MAX
#define INTERIMS_MOST  ((size_t)16384)
/* Who has ended his side may be gone altogether: so long the head of his answer is waited for. */
#define HALF_CLOSED_MS 30000

struct exchange {
    void *stocks; /* the stock's, while nobody has it */
    struct h1 *connection;
    struct request request;
    struct buf in;     /* received: the head, then body bytes or the next requests */
    size_t at;         /* of `in`: bytes before it are done with */
    size_t head_bytes; /* they must stay while the request is in flight: its strings point there */
    struct field *table;
    size_t table_cap;
    struct field few[FIELDS_FIRST]; /* `table`, while they are enough */
    char first[IN_FIRST];           /* `in.p`, while it is enough */
};

struct h1 {
    struct stream stream;
    struct h1_front *front;
    struct link link;
    struct exchange *x;
    struct address peer;
    enum h1_state state;
    struct timer timer;
    bool waiting; /* `timer` means something */
    struct head_scan scan;
    uint64_t served;
    /* the request's body */
    struct framing framing;
    struct chunked chunked;
    uint64_t body_left;
    struct str piece; /* decoded and not yet taken, in the buffer */
    bool body_done, body_wanted, expects_continue, tunnel;
    bool raw_ended;   /* the client's side of a tunnel: told behind its last byte */
    bool half_closed; /* the client sends no more, but may wait for answers */
    /* the reply */
    bool keep_alive, chunked_reply, interim_writing;
    int minor;
    char chunk_text[CHUNK_HEAD_MAX];
    struct str interims; /* wait for the interim response that is being sent; in the request's arena */
    struct iovec deferred[IOV_MOST]; /* the reply waits for them */
    unsigned deferred_n;
    size_t lingered;
    struct letter letter; /* "go on", from the loop */
    bool letter_pending, request_done, closed;
};

static void advance(struct h1 *c);

/* ---- exchanges ---- */

static const struct front_ops ops;

static struct exchange *take_exchange(struct h1_front *f)
{
    bool is_new;
    struct exchange *x = stock_take(&f->exchanges, &is_new);
    if (!is_new)
        return x;
    request_init(&x->request, f->requests, &ops);
    x->in = (struct buf){ .p = x->first, .cap = IN_FIRST };
    x->table = x->few;
    x->table_cap = FIELDS_FIRST;
    return x;
}

static void free_in(struct exchange *x)
{
    if (x->in.p != x->first)
        buf_fini(&x->in);
    x->in = (struct buf){ .p = x->first, .cap = IN_FIRST };
}

static void grow_in(struct exchange *x, size_t room)
{
    if (x->in.p != x->first) {
        buf_room(&x->in, room);
        return;
    }
    struct buf larger = BUF_INIT;
    buf_room(&larger, x->in.n + room);
    buf_add(&larger, buf_str(&x->in));
    x->in = larger;
}

/* `table` for so many fields; what was in it is not kept. */
static void set_table(struct exchange *x, size_t fields)
{
    if (x->table != x->few)
        mem_free(x->table);
    x->table = fields > FIELDS_FIRST ? mem_resize(NULL, fields * sizeof(*x->table)) : x->few;
    x->table_cap = fields > FIELDS_FIRST ? fields : FIELDS_FIRST;
}

static void trim(struct timer *t)
{
    stock_trim(&CONTAINER_OF(t, struct h1_front, trim)->exchanges);
}

/* As it was when it was new: what stands outside of it does not stay with it. */
static void give_exchange(struct h1 *c)
{
    struct exchange *x = c->x;
    struct h1_front *f = c->front;
    if (!x)
        return;
    c->x = NULL;
    free_in(x);
    set_table(x, 0);
    x->at = x->head_bytes = 0;
    stock_give(&f->exchanges, x);
    if (stock_can_trim(&f->exchanges) && !f->draining && !timer_is_running(&f->trim))
        timer_start(f->requests->loop, &f->trim, TRIM_MS, trim);
}

/* ---- closing ---- */

/* The end of its body is the end of the connection, and it is not there yet. */
static bool closing_looks_whole(const struct h1 *c)
{
    if (c->state != H1_BUSY || c->tunnel)
        return false;
    const struct request *r = &c->x->request;
    bool begun = r->head_sent || r->sending;
    bool until_close = r->reply.has_body && r->reply.length < 0 && !c->chunked_reply;
    return begun && until_close && (!c->request_done || r->cut || r->gone);
}

static void close_now(struct h1 *c)
{
    if (c->state == H1_CLOSING)
        return;
    bool must_break = closing_looks_whole(c);
    c->state = H1_CLOSING;
    timer_stop(c->stream.loop, &c->timer);
    /* First the stream: what it still sends goes with the request. */
    if (must_break)
        stream_reset(&c->stream);
    else
        stream_close(&c->stream);
    if (c->x)
        request_abort(&c->x->request);
}

/* A reply that is not whole must not look whole (RFC 9112 §8). */
static void break_off(struct h1 *c)
{
    c->state = H1_CLOSING;
    timer_stop(c->stream.loop, &c->timer);
    stream_reset(&c->stream);
}

/*
 * The connection's deadline. What it waited for came: that is only noted. The wheel looks by once an idle time-out, instead
 * of being told twice with each request.
 */
static void wait_at_most(struct h1 *c, int64_t ms, void (*too_late)(struct timer *))
{
    CHECK(c->state != H1_CLOSING);
    c->waiting = true;
    timer_start(c->stream.loop, &c->timer, ms, too_late);
}

static void wait_no_more(struct h1 *c)
{
    c->waiting = false;
}

static void close_on_time(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    if (c->waiting)
        close_now(c);
}

static void linger(struct h1 *c)
{
    if (c->half_closed) { /* nothing more comes */
        close_now(c);
        return;
    }
    c->state = H1_LINGER;
    stream_shutdown(&c->stream);
    stream_read_start(&c->stream);
    wait_at_most(c, LINGER_MS, close_on_time);
}

static void free_connection(struct h1 *c)
{
    struct h1_front *f = c->front;
    /* A request that was aborted still holds what it knew of its visitor. */
    if (c->x)
        request_reset(&c->x->request);
    give_exchange(c);
    link_remove(&c->link);
    f->open--;
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, -1);
    mem_free(c);
    if (f->closed)
        f->closed(f);
}

static void on_closed(struct stream *s)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    c->closed = true;
    if (!c->letter_pending)
        free_connection(c);
}

/* ---- going on later ---- */

static void open_letter(struct letter *l)
{
    struct h1 *c = CONTAINER_OF(l, struct h1, letter);
    c->letter_pending = false;
    if (c->closed)
        free_connection(c);
    else
        advance(c);
}

static void go_on_later(struct h1 *c)
{
    if (c->letter_pending)
        return;
    c->letter_pending = true;
    c->letter.open = open_letter;
    loop_defer(c->stream.loop, &c->letter);
}

static struct h1 *connection_of(struct request *r)
{
    return CONTAINER_OF(r, struct exchange, request)->connection;
}

/* ---- the reply ---- */

static void add_line(struct buf *b, struct str name, struct str value)
{
    char *to = buf_room(b, name.n + value.n + 4);
    memcpy(to, name.p, name.n);
    to += name.n;
    *to++ = ':';
    *to++ = ' ';
    if (value.n)
        memcpy(to, value.p, value.n);
    to += value.n;
    *to++ = '\r';
    *to = '\n';
    b->n += name.n + value.n + 4;
}

/* How the reply's end is told: by a length, by chunks, or by closing. */
static void add_framing(struct h1 *c, const struct reply *reply, struct buf *out)
{
    c->chunked_reply = false;
    if (reply->length >= 0) {
        buf_add(out, STR("Content-Length: "));
        buf_add_u64(out, (uint64_t)reply->length);
        buf_add(out, STR("\r\n"));
    } else if (reply->has_body && c->minor >= 1) {
        c->chunked_reply = true;
        buf_add(out, STR("Transfer-Encoding: chunked\r\n"));
    } else if (reply->has_body) {
        c->keep_alive = false;
    }
}

/* What follows the prepared lines; in the request's arena, until it is over. */
static struct str write_head(struct h1 *c, const struct reply *reply)
{
    size_t room = FRAMING_ROOM;
    for (unsigned i = 0; i < reply->extra_n; i++)
        room += reply->extra[i].name.n + reply->extra[i].value.n + 4;
    struct buf place = { .p = arena_alloc(&c->x->request.arena, room), .cap = room }, *out = &place;
    for (unsigned i = 0; i < reply->extra_n; i++)
        add_line(out, reply->extra[i].name, reply->extra[i].value);
    add_framing(c, reply, out);
    c->keep_alive = c->keep_alive && !reply->close && !c->front->draining;
    /* An upload that was not taken whole, and is too long to read over, ends the connection. */
    if (!c->body_done &&
        (c->expects_continue || c->framing.kind != FRAMING_LENGTH || c->body_left > DISCARD_MOST))
        c->keep_alive = false;
    if (!c->keep_alive)
        buf_add(out, STR("Connection: close\r\n"));
    else if (c->minor == 0)
        buf_add(out, STR("Connection: keep-alive\r\n"));
    buf_add(out, STR("\r\n"));
    CHECK(place.cap == room);
    return buf_str(out);
}

static struct iovec piece_of(struct str s)
{
    return (struct iovec){ (char *)(uintptr_t)s.p, s.n };
}

static enum front_sent write_pieces(struct h1 *c, const struct iovec *iov, unsigned n)
{
    if (c->stream.writing) { /* an interim response is on its way */
        unsigned first = c->interims.n > 0;
        CHECK(first + n <= IOV_MOST);
        c->deferred[0] = piece_of(c->interims);
        memcpy(c->deferred + first, iov, n * sizeof(*iov));
        c->deferred_n = first + n;
        c->interims = STR_NONE;
        return FRONT_PENDING;
    }
    switch (stream_write(&c->stream, iov, n)) {
    case STREAM_WRITTEN: return FRONT_SENT;
    case STREAM_PENDING: return FRONT_PENDING;
    default: return FRONT_BROKEN;
    }
}

static enum front_sent h1_send(struct request *r, const struct reply *head, const struct iovec *body,
                               unsigned body_n, bool last)
{
    struct h1 *c = connection_of(r);
    struct iovec iov[IOV_MOST];
    unsigned n = 0;
    size_t bytes = 0;
    CHECK(body_n <= IOV_MOST - 5);
    if (head) {
        iov[n++] = piece_of(head->h1);
        iov[n++] = piece_of(write_head(c, head));
    }
    for (unsigned i = 0; i < body_n; i++)
        bytes += body[i].iov_len;
    if (bytes && c->chunked_reply)
        iov[n++] = (struct iovec){ c->chunk_text, chunk_head(c->chunk_text, bytes) };
    for (unsigned i = 0; i < body_n; i++)
        iov[n++] = body[i];
    if (c->chunked_reply && last)
        iov[n++] = piece_of(bytes ? STR("\r\n0\r\n\r\n") : CHUNK_LAST);
    else if (c->chunked_reply && bytes)
        iov[n++] = piece_of(CHUNK_TAIL);
    return n ? write_pieces(c, iov, n) : FRONT_SENT;
}

static void write_interim(struct h1 *c, struct str text)
{
    struct iovec iov = piece_of(text);
    if (c->stream.writing) {
        if (c->interims.n + text.n <= INTERIMS_MOST) /* else the client does not read, and can do without */
            c->interims = arena_printf(&c->x->request.arena, "%.*s%.*s", STR_ARG(c->interims), STR_ARG(text));
        return;
    }
    if (stream_write(&c->stream, &iov, 1) == STREAM_PENDING)
        c->interim_writing = true;
}

static void h1_interim(struct request *r, int status, const struct fields *fields)
{
    struct h1 *c = connection_of(r);
    if (c->minor == 0)
        return; /* RFC 9110 §15.2 */
    struct buf b = BUF_INIT;
    buf_printf(&b, "HTTP/1.1 %d \r\n", status);
    for (size_t i = 0; i < fields->n; i++)
        add_line(&b, fields->v[i].name, fields->v[i].value);
    buf_add(&b, STR("\r\n"));
    write_interim(c, arena_dup(&r->arena, buf_str(&b)));
    buf_fini(&b);
}

static void h1_done(struct request *r)
{
    struct h1 *c = connection_of(r);
    c->request_done = true;
    /* It ended with a write under way, whose memory goes with it: the kernel must not be given the rest. */
    if (c->stream.writing && c->state == H1_BUSY)
        break_off(c);
    else
        go_on_later(c);
}

static void on_written(struct stream *s, int status)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    if (c->state == H1_LINGER || c->state == H1_DISCARD || !c->x)
        return;
    if (c->interim_writing) {
        c->interim_writing = false;
        if (status < 0) {
            close_now(c);
            return;
        }
        if (c->deferred_n == 0) {
            struct str more = c->interims;
            c->interims = STR_NONE;
            if (more.n)
                write_interim(c, more);
            return;
        }
        unsigned n = c->deferred_n;
        c->deferred_n = 0;
        switch (stream_write(&c->stream, c->deferred, n)) {
        case STREAM_PENDING: return;
        case STREAM_WRITTEN: break;
        case STREAM_BROKEN: status = -1; break;
        }
    }
    if (request_sent(&c->x->request, status) == REQUEST_DONE) {
        c->request_done = true;
        advance(c);
    }
}

static void on_moved(struct stream *s)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    if (c->x && c->state == H1_BUSY && !c->interim_writing)
        request_moved(&c->x->request);
}

/* ---- the request's body ---- */

static void h1_want_body(struct request *r)
{
    struct h1 *c = connection_of(r);
    /* An upload that waited for room says that there is room even when the end of its connection is what made it. */
    if (c->body_done || c->body_wanted || c->state != H1_BUSY)
        return;
    c->body_wanted = true;
    if (c->expects_continue) {
        c->expects_continue = false;
        if (c->x->at == c->x->in.n) /* it has not begun on its own */
            write_interim(c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    wait_at_most(c, r->settings->process.body_timeout, close_on_time);
    stream_read_start(&c->stream);
    go_on_later(c);
}

static void end_body(struct h1 *c, enum http_error error)
{
    struct request *r = &c->x->request;
    c->body_done = true;
    c->body_wanted = false;
    wait_no_more(c);
    if (error != HTTP_ERROR_NONE) {
        c->keep_alive = false;
        r->refused = error;
    }
    request_body_end(r, error == HTTP_ERROR_NONE);
}

/* The next piece of the body that stands in the buffer; false: none. Sets body_done's cause in *error. */
static bool next_piece(struct h1 *c, bool *ended, enum http_error *error)
{
    struct exchange *x = c->x;
    struct str in = { x->in.p + x->at, x->in.n - x->at };
    *ended = false;
    *error = HTTP_ERROR_NONE;
    if (c->framing.kind == FRAMING_LENGTH) {
        c->piece = str_first(in, c->body_left < in.n ? (size_t)c->body_left : in.n);
        x->at += c->piece.n;
        c->body_left -= c->piece.n;
        *ended = c->piece.n == 0 && c->body_left == 0;
        return c->piece.n > 0;
    }
    switch (chunked_decode(&c->chunked, &in, &c->piece, error)) {
    case CHUNKED_DATA: x->at = (size_t)(in.p - x->in.p); return true;
    case CHUNKED_DONE: *ended = true; break;
    case CHUNKED_BAD: *ended = true; break;
    case CHUNKED_MORE: break;
    }
    x->at = in.n ? (size_t)(in.p - x->in.p) : x->in.n;
    c->piece = STR_NONE;
    return false;
}

/* Bytes that are done with make room for more; the head stays where it is. */
static void compact(struct exchange *x)
{
    if (x->at <= x->head_bytes)
        return;
    memmove(x->in.p + x->head_bytes, x->in.p + x->at, x->in.n - x->at);
    x->in.n -= x->at - x->head_bytes;
    x->at = x->head_bytes;
}

/* The client has ended its side: does the body wait for bytes that will not come? Of chunks, the decoder says it. */
static bool lacks_body(const struct h1 *c)
{
    return !c->body_done && c->framing.kind == FRAMING_LENGTH && c->body_left > c->x->in.n - c->x->at;
}

static void waited_for_nobody(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    if (c->waiting && !c->x->request.head_sent && !c->x->request.sending)
        close_now(c);
}

static void feed_body(struct h1 *c)
{
    struct request *r = &c->x->request;
    while (c->body_wanted && !c->body_done && c->state == H1_BUSY && !c->request_done) {
        bool ended = false;
        enum http_error error = HTTP_ERROR_NONE;
        if (!c->piece.n && !next_piece(c, &ended, &error)) {
            if (ended)
                end_body(c, error);
            break;
        }
        size_t taken = request_body(r, c->piece);
        c->piece = str_from_index(c->piece, taken);
        if (c->piece.n)
            c->body_wanted = false; /* it says when it wants more */
        /* The last byte of a length is its end: no further byte announces it. */
        if (!c->piece.n && c->framing.kind == FRAMING_LENGTH && c->body_left == 0)
            end_body(c, HTTP_ERROR_NONE);
    }
    if (c->x && !c->piece.n)
        compact(c->x);
    if (c->state != H1_BUSY || c->request_done)
        return;
    if (c->half_closed && c->body_wanted && !c->body_done)
        close_now(c);
    else if (c->half_closed)
        wait_at_most(c, HALF_CLOSED_MS, waited_for_nobody);
    else if (c->body_wanted) {
        stream_read_start(&c->stream);
        wait_at_most(c, r->settings->process.body_timeout, close_on_time);
    } else
        wait_no_more(c);
}

/* After the reply: what is left of the body is read over. */
static void discard_body(struct h1 *c)
{
    while (!c->body_done) {
        bool ended;
        enum http_error error;
        bool piece = next_piece(c, &ended, &error);
        c->piece = STR_NONE;
        if (piece)
            continue;
        if (!ended)
            break;
        if (error != HTTP_ERROR_NONE) {
            linger(c);
            return;
        }
        c->body_done = true;
    }
    compact(c->x);
    if (c->framing.kind == FRAMING_LENGTH && c->body_left == 0)
        c->body_done = true;
}

/* ---- requests, one after the other ---- */

static void too_slow_head(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    if (!c->waiting)
        return;
    static const struct str text = STR_INIT("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                            "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
    struct iovec iov = piece_of(text);
    if (c->state == H1_HEAD && !c->stream.writing && stream_write(&c->stream, &iov, 1) != STREAM_BROKEN)
        linger(c);
    else
        close_now(c);
}

static void become_idle(struct h1 *c)
{
    const struct process_settings *p = &c->front->requests->snapshot->settings->process;
    c->state = H1_IDLE;
    give_exchange(c);
    if (c->half_closed) {
        close_now(c);
        return;
    }
    if (c->front->draining && c->served) {
        linger(c);
        return;
    }
    if (c->front->draining) { /* from the backlog: what it asked is already here, or is not answered */
        wait_at_most(c, DRAIN_GRACE_MS, close_on_time);
        stream_read_start(&c->stream);
        return;
    }
    wait_at_most(c, c->served ? p->idle_timeout : p->header_timeout, close_on_time);
    stream_read_start(&c->stream);
}

static void set_request(struct h1 *c, const struct request_head *h, enum http_error error)
{
    struct exchange *x = c->x;
    struct request *r = &x->request;
    x->connection = c;
    r->peer = &c->peer;
    r->refused = error;
    c->body_done = true;
    c->body_wanted = c->expects_continue = c->tunnel = c->raw_ended = c->request_done = false;
    c->piece = c->interims = STR_NONE;
    c->minor = 1;
    c->keep_alive = false;
    c->framing = (struct framing){ .kind = FRAMING_NONE };
    if (!h)
        return;
    c->minor = h->minor;
    r->method = h->method;
    r->method_name = h->method_name;
    r->target = h->target;
    r->minor = h->minor;
    r->fields = h->fields;
    if (error == HTTP_ERROR_NONE)
        r->refused = error = framing_of_request(h, &c->framing);
    if (error != HTTP_ERROR_NONE)
        return;
    r->framing = c->framing;
    c->body_left = c->framing.length;
    c->body_done =
        c->framing.kind == FRAMING_NONE || (c->framing.kind == FRAMING_LENGTH && c->body_left == 0);
    chunked_init(&c->chunked);
    if (fields_has(&h->fields, FIELD_EXPECT)) {
        if (!str_eq_nocase(fields_value(&h->fields, FIELD_EXPECT), STR("100-continue")) ||
            fields_count(&h->fields, FIELD_EXPECT) != 1)
            r->refused = HTTP_ERROR_EXPECT;
        else if (h->minor >= 1 && !c->body_done)
            c->expects_continue = true;
    }
    const struct process_settings *p = &c->front->requests->snapshot->settings->process;
    c->keep_alive = wants_keep_alive(h->minor, &h->fields) && c->served + 1 < (uint64_t)p->keepalive_requests;
}

/* The reply is out, or cannot be. */
static void after_request(struct h1 *c)
{
    struct exchange *x = c->x;
    struct request *r = &x->request;
    bool gone = r->gone, cut = r->cut, tunnel = c->tunnel;
    c->request_done = false;
    c->served++;
    request_reset(r);
    wait_no_more(c);
    if (cut || gone) {
        break_off(c);
    } else if (tunnel || !c->keep_alive) {
        linger(c);
    } else {
        c->state = H1_DISCARD;
        if (!c->body_done)
            wait_at_most(c, c->front->requests->snapshot->settings->process.body_timeout, close_on_time);
    }
}

/* The body is over: what is left in the buffer is the next request. */
static void begin_next(struct h1 *c)
{
    struct exchange *x = c->x;
    memmove(x->in.p, x->in.p + x->at, x->in.n - x->at);
    x->in.n -= x->at;
    x->at = x->head_bytes = 0;
    c->scan = (struct head_scan){ 0 };
    c->state = H1_IDLE;
}

static enum head_result parse_head(struct h1 *c, struct request_head *h, enum http_error *error)
{
    const struct process_settings *p = &c->front->requests->snapshot->settings->process;
    struct exchange *x = c->x;
    size_t fields_max = (size_t)p->header_count;
    for (;;) {
        size_t count = x->table_cap < fields_max ? x->table_cap : fields_max;
        struct head_limits limits = { (size_t)p->request_line, (size_t)p->header_bytes, count };
        *h = (struct request_head){ .fields = { .v = x->table, .cap = x->table_cap } };
        enum head_result result = request_head_parse(buf_str(&x->in), &c->scan, &limits, h, error);
        if (result != HEAD_BAD || *error != HTTP_ERROR_FIELDS_TOO_MANY || count == fields_max)
            return result;
        /* More than most have: once more, from the start. */
        set_table(x, fields_max);
        c->scan = (struct head_scan){ 0 };
        *error = HTTP_ERROR_NONE;
    }
}

/* true: a request was begun; its result is handled. */
static bool begin_request(struct h1 *c)
{
    struct exchange *x = c->x;
    const struct process_settings *p = &c->front->requests->snapshot->settings->process;
    struct request_head h;
    enum http_error error = HTTP_ERROR_NONE;
    enum head_result result = parse_head(c, &h, &error);
    if (result == HEAD_MORE) {
        if (c->half_closed) {
            close_now(c);
            return false;
        }
        if (c->state == H1_IDLE) {
            c->state = H1_HEAD;
            wait_at_most(c, p->header_timeout, too_slow_head);
        }
        stream_read_start(&c->stream); /* a full buffer may have stopped it */
        return false;
    }
    wait_no_more(c);
    c->state = H1_BUSY;
    x->at = x->head_bytes = result == HEAD_DONE ? h.bytes : x->in.n;
    set_request(c, result == HEAD_DONE ? &h : NULL, error);
    if (!c->body_done && x->in.cap - x->head_bytes < BODY_ROOM) {
        /* The strings move with the buffer: once more from the start. */
        grow_in(x, BODY_ROOM);
        c->scan = (struct head_scan){ 0 };
        CHECK(parse_head(c, &h, &error) == HEAD_DONE);
        set_request(c, &h, HTTP_ERROR_NONE);
    }
    if (request_start(&x->request) == REQUEST_DONE)
        c->request_done = true;
    return true;
}

static void feed_raw(struct h1 *c)
{
    struct exchange *x = c->x;
    while (x->at < x->in.n && c->state == H1_BUSY && !c->request_done) {
        size_t taken = request_raw(&x->request, (struct str){ x->in.p + x->at, x->in.n - x->at });
        if (taken == 0)
            break;
        x->at += taken;
    }
    compact(x);
    if (c->raw_ended && x->at == x->in.n && c->state == H1_BUSY && !c->request_done)
        request_raw_ended(&x->request);
}

/* Goes on as far as what has come allows. */
static void advance(struct h1 *c)
{
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
                feed_raw(c);
            else if (!c->request_done)
                feed_body(c);
            if (!c->request_done)
                return;
            after_request(c);
            break;
        case H1_DISCARD:
            discard_body(c);
            if (c->state != H1_DISCARD)
                break;
            if (!c->body_done && c->half_closed) {
                close_now(c);
                return;
            }
            if (!c->body_done) {
                stream_read_start(&c->stream);
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

static size_t on_space(struct stream *s, char **p)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    static _Thread_local char nothing[4096];
    if (c->state == H1_LINGER || c->state == H1_CLOSING) {
        *p = nothing;
        return sizeof(nothing);
    }
    if (!c->x)
        c->x = take_exchange(c->front);
    struct exchange *x = c->x;
    if (x->in.n == x->in.cap && (c->state == H1_IDLE || c->state == H1_HEAD))
        grow_in(x, x->in.cap); /* bounded by the head's limits */
    *p = x->in.p + x->in.n;
    return x->in.cap - x->in.n;
}

static void on_data(struct stream *s, size_t n)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    if (c->state == H1_LINGER || c->state == H1_CLOSING) {
        c->lingered += n;
        if (c->lingered > LINGER_MOST)
            close_now(c);
        return;
    }
    c->x->in.n += n;
    advance(c);
}

static void on_ended(struct stream *s, int status)
{
    struct h1 *c = CONTAINER_OF(s, struct h1, stream);
    if (c->state == H1_BUSY && c->tunnel && status == 0) {
        c->raw_ended = true;
        feed_raw(c);
    } else if (c->state == H1_BUSY && status == 0 && !c->x->request.upgrade && !stream_is_dead(s)) {
        c->half_closed = true;
        if (lacks_body(c))
            close_now(c);
        else
            advance(c);
    } else
        close_now(c);
}

static void on_connected(struct stream *s, int status)
{
    (void)s;
    (void)status;
    UNREACHABLE();
}

static const struct stream_notices notices = { on_connected, on_space,  on_data, on_ended,
                                               on_written,   on_closed, on_moved };

/* ---- tunnels ---- */

static enum front_sent h1_send_raw(struct request *r, const struct iovec *iov, unsigned n)
{
    struct h1 *c = connection_of(r);
    c->tunnel = true;
    return write_pieces(c, iov, n);
}

static void h1_read_raw(struct request *r, bool on)
{
    struct h1 *c = connection_of(r);
    if (!on) {
        stream_read_stop(&c->stream);
        return;
    }
    stream_read_start(&c->stream);
    if (c->x->at < c->x->in.n)
        go_on_later(c);
}

static void h1_end_raw(struct request *r)
{
    stream_shutdown(&connection_of(r)->stream);
}

static size_t h1_unsent(const struct request *r)
{
    return stream_queued(&connection_of((struct request *)(uintptr_t)r)->stream);
}

static const struct front_ops ops = {
    .send = h1_send,
    .unsent = h1_unsent,
    .interim = h1_interim,
    .want_body = h1_want_body,
    .send_raw = h1_send_raw,
    .read_raw = h1_read_raw,
    .end_raw = h1_end_raw,
    .done = h1_done,
};

/* ---- the front ---- */

void h1_front_init(struct h1_front *f, struct requests *requests)
{
    *f = (struct h1_front){ .requests = requests };
    list_init(&f->connections);
    stock_init(&f->exchanges, sizeof(struct exchange));
}

void h1_front_fini(struct h1_front *f)
{
    CHECK(list_is_empty(&f->connections));
    stock_fini(&f->exchanges);
}

void h1_accept(struct h1_front *f, int fd, const struct address *peer)
{
    struct h1 *c = mem_alloc(sizeof(*c));
    c->front = f;
    c->peer = *peer;
    link_init(&c->link);
    if (stream_open(&c->stream, f->requests->loop, &notices, fd) < 0) {
        mem_free(c);
        return;
    }
    list_push_back(&f->connections, &c->link);
    f->open++;
    count(f->requests->counters, COUNTER_CONNECTIONS_ACCEPTED);
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, 1);
    become_idle(c);
}

void h1_drain(struct h1_front *f)
{
    f->draining = true;
    timer_stop(f->requests->loop, &f->trim); /* the loop ends when nothing is left to wait for */
    LIST_EACH_SAFE(l, &f->connections) {
        struct h1 *c = CONTAINER_OF(l, struct h1, link);
        /* The kernel may hold a request that was sent before anybody knew: it is answered, then the connection ends. */
        if (c->state == H1_IDLE)
            wait_at_most(c, DRAIN_GRACE_MS, close_on_time);
    }
}

void h1_close_all(struct h1_front *f)
{
    LIST_EACH_SAFE(l, &f->connections)
        close_now(CONTAINER_OF(l, struct h1, link));
}
