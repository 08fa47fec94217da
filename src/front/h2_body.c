#include <string.h>

#include "front/h2_machine.h"

/* ---- how fast it comes ---- */

static void too_slow_body(struct timer *t)
{
    struct h2_exchange *x = CONTAINER_OF(t, struct h2_exchange, timer);
    CHECK(x->tag == H2_EXCHANGE_TAG && x->client->tag == H2_CLIENT_TAG);
    struct h2_client *c = x->client;
    if (!x->waiting || x->done || x->stays || c->state != CLIENT_OPEN)
        return;
    bool is_slow = body_pace_is_slow(&x->pace, &x->request, c->stream->loop->now.mono_ms);
    if (is_slow)
        count(h2_requests(c)->counters, COUNTER_SLOW_BODIES);
    if (request_body_late(&x->request))
        return;
    if (is_slow)
        x->request.reason = REASON_SLOW_BODY;
    if (x->has_pieces) {
        h2_client_close(c, true);
        return;
    }
    h2_exchange_abort(x, H2_CANCEL);
    h2_settle(c);
}

static void begin_waiting(struct h2_exchange *x)
{
    struct loop *l = x->client->stream->loop;
    x->waiting = true;
    timer_start(l, &x->timer, body_pace_begin(&x->pace, &x->request, x->got, l->now.mono_ms), too_slow_body);
}

static void count_waiting(struct h2_exchange *x)
{
    if (!x->waiting)
        return;
    x->waiting = false;
    body_pace_end(&x->pace, &x->request, x->got, x->client->stream->loop->now.mono_ms);
}

/* ---- from the request ---- */

void h2_want_body(struct request *r)
{
    struct h2_exchange *x = h2_exchange_of(r);
    /* An upload that waited for room reports room also when its stream has ended. */
    if (x->body_done || x->body_wanted || x->done || x->stays || x->client->state != CLIENT_OPEN)
        return;
    x->body_wanted = true;
    if (x->expects_continue) {
        static const struct fields none;
        x->expects_continue = false;
        if (x->got == 0 && !x->ended) /* the client has not begun by itself */
            h2_put_interim(x, 100, &none);
    }
    h2_stir(x);
}

void h2_read_raw(struct request *r, bool on)
{
    struct h2_exchange *x = h2_exchange_of(r);
    x->raw_wanted = on;
    if (on && !x->stays && !x->done)
        h2_stir(x);
}

/* ---- to the request ---- */

/* So many bytes have a place: the client may send as many more. */
static void took(struct h2_exchange *x, size_t bytes)
{
    if (x->stream && bytes)
        h2_consumed(x->client->h2, x->stream, bytes);
}

static void end_body(struct h2_exchange *x)
{
    CHECK(!x->body_done && x->body_wanted);
    x->body_done = true;
    x->body_wanted = false;
    request_body_end(&x->request, true);
}

/* Returns how many bytes the request took. It may be over then. */
static size_t feed_body(struct h2_exchange *x, struct str data)
{
    if (x->body_done || !x->body_wanted || x->done || data.n == 0)
        return 0;
    size_t taken = request_body(&x->request, data);
    CHECK(taken <= data.n);
    if (taken < data.n)
        x->body_wanted = false; /* the request says when it wants more */
    took(x, taken);
    return taken;
}

static size_t feed_raw(struct h2_exchange *x, struct str data)
{
    size_t all = 0;
    while (x->tunnel && x->raw_wanted && !x->done && all < data.n) {
        size_t taken = request_raw(&x->request, str_from_index(data, all));
        CHECK(taken <= data.n - all);
        if (taken == 0)
            break;
        all += taken;
    }
    took(x, all);
    return all;
}

static size_t feed(struct h2_exchange *x, struct str data)
{
    return x->is_connect ? feed_raw(x, data) : feed_body(x, data);
}

/* All of the body came. A client that told its length may say later that the stream ends: waiting for that
 * could cost the origin's connection, whose answer may be earlier. */
static bool has_all(const struct h2_exchange *x)
{
    const struct framing *f = &x->request.framing;
    return x->ended || (!x->is_connect && f->kind == FRAMING_LENGTH && x->got == f->length);
}

/* The request may be over afterwards. */
static void feed_kept(struct h2_exchange *x)
{
    if (x->at < x->in.n)
        x->at += feed(x, str_from_index(buf_str(&x->in), x->at));
    if (x->at < x->in.n)
        return;
    buf_fini(&x->in);
    x->at = 0;
    if (!has_all(x) || x->done)
        return;
    if (x->tunnel && !x->raw_ended) {
        x->raw_ended = true;
        request_raw_ended(&x->request);
    } else if (!x->is_connect && x->body_wanted && !x->body_done) {
        end_body(x);
    }
}

void h2_feed(struct h2_exchange *x)
{
    if (x->stays || x->done)
        return;
    feed_kept(x);
    if (x->done || x->is_connect)
        return;
    if (!x->body_wanted || x->body_done)
        x->waiting = false;
    else if (!x->waiting)
        begin_waiting(x);
}

static void keep(struct h2_exchange *x, struct str data)
{
    if (x->at == x->in.n)
        x->in.n = x->at = 0;
    if (x->at > x->in.n / 2) { /* so it holds twice the window at most */
        memmove(x->in.p, x->in.p + x->at, x->in.n - x->at);
        x->in.n -= x->at;
        x->at = 0;
    }
    buf_add(&x->in, data);
}

void h2_body_came(struct h2_exchange *x, struct str data, bool last)
{
    CHECK(x->tag == H2_EXCHANGE_TAG && x->stream);
    x->got += data.n;
    x->ended |= last;
    if (x->done)
        return; /* the stream ends when its client settles */
    if (x->expects_continue && data.n) {
        x->expects_continue = false;
        request_body_begins(&x->request);
    }
    if (!x->is_connect)
        count_waiting(x);
    if (x->at == x->in.n)
        data = str_from_index(data, feed(x, data));
    if (data.n && !x->done)
        keep(x, data);
    h2_stir(x);
}
