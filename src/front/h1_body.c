#include "front/h1_machine.h"

#define PROBE_MS 500

/* ---- how fast it comes ---- */

static void too_slow_body(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    CHECK(c->tag == H1_TAG);
    if (!c->waiting)
        return;
    int64_t now_ms = c->stream->loop->now.mono_ms;
    bool is_slow = c->x && c->state == H1_BUSY && body_pace_is_slow(&c->pace, &c->x->request, now_ms);
    if (is_slow)
        count(c->front->front.requests->counters, COUNTER_SLOW_BODIES);
    if (c->x && c->state == H1_BUSY && request_body_late(&c->x->request))
        return;
    if (is_slow)
        h1_cut(c, REASON_SLOW_BODY);
    else
        h1_close(c);
}

static void begin_waiting(struct h1 *c)
{
    int64_t now_ms = c->stream->loop->now.mono_ms;
    h1_wait_at_most(c, body_pace_begin(&c->pace, &c->x->request, c->got, now_ms), too_slow_body);
}

static void count_waiting(struct h1 *c)
{
    body_pace_end(&c->pace, &c->x->request, c->got, c->stream->loop->now.mono_ms);
}

/* ---- from the request, and to it ---- */

void h1_want_body(struct request *r)
{
    struct h1 *c = h1_of_request(r);
    /* An upload that waited for room reports room also when its connection has ended. */
    if (c->body_done || c->body_wanted || c->state != H1_BUSY)
        return;
    c->body_wanted = true;
    if (c->expects_continue) {
        c->expects_continue = false;
        if (c->x->at == c->x->in.n) /* the client has not begun by itself */
            h1_write_interim(c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    begin_waiting(c);
    stream_read_start(c->stream);
    h1_go_on_later(c);
}

static void end_body(struct h1 *c, enum http_error error)
{
    struct request *r = &c->x->request;
    CHECK(!c->body_done && c->body_wanted);
    c->body_done = true;
    c->body_wanted = false;
    h1_wait_no_more(c);
    if (error != HTTP_ERROR_NONE) {
        c->keep_alive = false;
        r->refused = error;
    }
    request_body_end(r, error == HTTP_ERROR_NONE);
}

/* Takes the next piece of the body from the buffer into c->piece. Returns false when there is none: *ended
 * says whether the body is over, *error whether it is malformed. */
static bool next_piece(struct h1 *c, bool *ended, enum http_error *error)
{
    struct exchange *x = c->x;
    CHECK(!c->body_done && x->at <= x->in.n && !c->piece.n);
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
    switch (chunked_decode(&c->x->chunked, &in, &c->piece, error)) {
    case CHUNKED_DATA: x->at = (size_t)(in.p - x->in.p); return true;
    case CHUNKED_DONE: *ended = true; break;
    case CHUNKED_BAD: *ended = true; break;
    case CHUNKED_MORE: break;
    }
    x->at = in.n ? (size_t)(in.p - x->in.p) : x->in.n;
    c->piece = STR_NONE;
    return false;
}

bool h1_lacks_body(const struct h1 *c)
{
    return !c->body_done && c->framing.kind == FRAMING_LENGTH && c->body_left > c->x->in.n - c->x->at;
}

/* A client that has closed answers a write with a reset; one that has ended only its sending side does
 * not. Where nobody else wants the answer, an interim response finds out which of both it is (RFC 9110
 * §15.2: every client of HTTP/1.1 can take one). */
static void look_for_client(struct timer *t)
{
    struct h1 *c = CONTAINER_OF(t, struct h1, timer);
    struct request *r = c->x ? &c->x->request : NULL;
    CHECK(c->tag == H1_TAG);
    if (!c->waiting || !r || r->head_sent || r->sending)
        return;
    if (c->stream->loop->now.mono_ms >= c->half_closed_until || stream_is_dead(c->stream)) {
        h1_close(c);
        return;
    }
    if (!c->probed && c->minor >= 1 && !c->stream->writing && request_is_only_for_client(r)) {
        c->probed = true;
        h1_write_interim(c, STR("HTTP/1.1 102 Processing\r\n\r\n"));
    }
    h1_wait_at_most(c, PROBE_MS, look_for_client);
}

void h1_feed_body(struct h1 *c)
{
    struct request *r = &c->x->request;
    CHECK(c->state == H1_BUSY && !c->request_done && !c->tunnel);
    if (c->expects_continue && c->x->at < c->x->in.n)
        request_body_begins(r);
    if (c->body_wanted)
        count_waiting(c);
    while (c->body_wanted && !c->body_done && c->state == H1_BUSY && !c->request_done) {
        bool ended = false;
        enum http_error error = HTTP_ERROR_NONE;
        if (!c->piece.n && !next_piece(c, &ended, &error)) {
            if (ended)
                end_body(c, error);
            break;
        }
        size_t taken = request_body(r, c->piece);
        CHECK(taken <= c->piece.n);
        c->piece = str_from_index(c->piece, taken);
        if (c->piece.n)
            c->body_wanted = false; /* the request says when it wants more */
        /* The last byte of a body with a length is its end: no further byte announces it. */
        if (!c->piece.n && c->framing.kind == FRAMING_LENGTH && c->body_left == 0)
            end_body(c, HTTP_ERROR_NONE);
    }
    if (c->x && !c->piece.n)
        h1_compact(c->x);
    if (c->state != H1_BUSY || c->request_done)
        return;
    if (c->half_closed && c->body_wanted && !c->body_done)
        h1_close(c);
    else if (c->half_closed)
        h1_wait_at_most(c, PROBE_MS, look_for_client);
    else if (c->body_wanted) {
        stream_read_start(c->stream);
        begin_waiting(c);
    } else
        h1_wait_no_more(c);
}

void h1_discard_body(struct h1 *c)
{
    CHECK(c->state == H1_DISCARD && !c->request_done);
    c->piece = STR_NONE; /* an upload had no room for it, and its answer came first */
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
            h1_linger(c);
            return;
        }
        c->body_done = true;
    }
    h1_compact(c->x);
    if (c->framing.kind == FRAMING_LENGTH && c->body_left == 0)
        c->body_done = true;
}

/* ---- a tunnel ---- */

void h1_feed_raw(struct h1 *c)
{
    struct exchange *x = c->x;
    CHECK(c->state == H1_BUSY && c->tunnel);
    while (x->at < x->in.n && c->state == H1_BUSY && !c->request_done) {
        size_t taken = request_raw(&x->request, (struct str){ x->in.p + x->at, x->in.n - x->at });
        CHECK(taken <= x->in.n - x->at);
        if (taken == 0)
            break;
        x->at += taken;
    }
    h1_compact(x);
    if (c->raw_ended && x->at == x->in.n && c->state == H1_BUSY && !c->request_done)
        request_raw_ended(&x->request);
}

void h1_read_raw(struct request *r, bool on)
{
    struct h1 *c = h1_of_request(r);
    if (!on) {
        stream_read_stop(c->stream);
        return;
    }
    stream_read_start(c->stream);
    if (c->x->at < c->x->in.n)
        h1_go_on_later(c);
}
