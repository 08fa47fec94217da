#include <string.h>

#include "front/h2_machine.h"

static void wait_for_writing(struct h2_exchange *x)
{
    x->sending = true;
    h2_wake(x->client);
}

/* ---- bytes ---- */

/* A few bytes, when nobody else waits: they are copied, and the request goes on at once. */
static bool copy(struct h2_exchange *x, const struct iovec *iov, unsigned n, size_t bytes, bool last)
{
    struct h2_client *c = x->client;
    if (bytes > (x->request.https ? H2_COPY_MOST_TLS : H2_COPY_MOST) || !h2_text_has_room(c, bytes))
        return false;
    if (h2_may_put(c->h2, x->stream) < bytes)
        return false;
    struct buf *to = h2_text(c);
    h2_put_data(c->h2, x->stream, bytes, last, to);
    for (unsigned i = 0; i < n; i++)
        buf_add(to, (struct str){ iov[i].iov_base, iov[i].iov_len });
    x->sent += bytes;
    c->data += bytes;
    return true;
}

static enum front_sent send_bytes(struct h2_exchange *x, const struct iovec *iov, unsigned n, size_t bytes,
                                  bool last)
{
    struct h2_client *c = x->client;
    CHECK(!x->sending && x->left == 0 && n <= REPLY_PIECES_MAX);
    if (copy(x, iov, n, bytes, last)) {
        h2_wake(c);
        return FRONT_SENT;
    }
    h2_want(c->h2, x->stream, true);
    memcpy(x->iov, iov, n * sizeof(*iov));
    x->iov_at = 0;
    x->iov_n = n;
    x->left = bytes;
    x->last = last;
    wait_for_writing(x);
    return FRONT_PENDING;
}

/* Text alone: it is copied already. */
static enum front_sent sent_text(struct h2_exchange *x)
{
    if (h2_text_has_room(x->client, 0)) {
        h2_wake(x->client);
        return FRONT_SENT;
    }
    h2_board(x);
    wait_for_writing(x);
    return FRONT_PENDING;
}

static bool may_speak(const struct h2_exchange *x)
{
    return x->client->state == CLIENT_OPEN && x->stream && !x->stays;
}

static enum front_sent send_reply(struct request *r, const struct reply *head, const struct iovec *body,
                                  unsigned body_n, bool last)
{
    struct h2_exchange *x = h2_exchange_of(r);
    size_t bytes = 0;
    if (!may_speak(x))
        return FRONT_BROKEN;
    if (x->swallows)
        return FRONT_SENT;
    for (unsigned i = 0; i < body_n; i++)
        bytes += body[i].iov_len;
    /* A 2xx would make a tunnel of it, which the origin has not. */
    if (head && x->is_connect && head->status / 100 == 2) {
        static const struct reply refused = { .status = 502, .length = -1 };
        x->swallows = true;
        h2_put_head(x, &refused, true);
        return sent_text(x);
    }
    if (head)
        h2_put_head(x, head, bytes == 0 && last);
    if (bytes)
        return send_bytes(x, body, body_n, bytes, last);
    if (last && !head)
        h2_put_data(x->client->h2, x->stream, 0, true, h2_text(x->client));
    return sent_text(x);
}

void h2_landed(struct h2_exchange *x)
{
    x->has_pieces = false;
    if (x->stays) {
        if (!x->done)
            h2_exchange_abort(x, H2_CANCEL);
        else
            h2_exchange_end(x);
        return;
    }
    if (!x->sending || x->left || x->done)
        return;
    x->sending = false;
    if (request_sent(&x->request, 0) == REQUEST_DONE) {
        x->done = true;
        h2_stir(x);
    }
}

/* ---- other things to say ---- */

static bool send_interim(struct request *r, int status, const struct fields *fields)
{
    struct h2_exchange *x = h2_exchange_of(r);
    if (!may_speak(x) || !h2_text_has_room(x->client, 0) || r->head_sent || r->sending)
        return false;
    h2_put_interim(x, status, fields);
    h2_wake(x->client);
    return true;
}

static void done(struct request *r)
{
    struct h2_exchange *x = h2_exchange_of(r);
    CHECK(r->step == STEP_DONE && !x->done);
    x->done = true;
    /* Its memory has gone with it, so nobody must get the rest. */
    x->left = 0;
    if (x->stream)
        h2_want(x->client->h2, x->stream, false);
    if (x->has_pieces) {
        x->has_pieces = false;
        h2_client_close(x->client, true);
    }
    h2_stir(x);
}

/* ---- how far it got ---- */

static void note(struct request *r)
{
    struct h2_exchange *x = h2_exchange_of(r);
    struct h2_client *c = x->client;
    x->noted_sent = x->sent;
    x->noted_data = c->data;
    x->noted_moves = c->moves;
}

/* While others of its connection have their turn, the client is not slow. But it is when it does not let this
 * stream send, or any. */
static bool has_taken(struct request *r)
{
    struct h2_exchange *x = h2_exchange_of(r);
    struct h2_client *c = x->client;
    bool took = x->sent != x->noted_sent;
    if (c->stream->writing && stream_took(c->stream, &c->backlog))
        c->moves++;
    if (x->stream && !h2_is_shut(x->stream))
        took = h2_is_blocked(c->h2, x->stream) ? c->data != x->noted_data : c->moves != x->noted_moves;
    note(r);
    return took;
}

static uint64_t held(struct request *r)
{
    const struct h2_exchange *x = h2_exchange_of(r);
    const struct stream *s = x->client->stream;
    return x->left + (s->writing ? stream_queued(s) : 0) + stream_unsent(s);
}

/* ---- a tunnel (RFC 8441) ---- */

static enum front_sent upgrade(struct request *r, const struct reply *head)
{
    struct h2_exchange *x = h2_exchange_of(r);
    struct reply reply = { .status = 200, .lines = head->lines, .upgrade = true, .length = -1 };
    CHECK(!x->tunnel && head->upgrade && x->is_connect);
    x->tunnel = true;
    if (!may_speak(x))
        return FRONT_BROKEN;
    h2_put_head(x, &reply, false);
    h2_wake(x->client);
    return FRONT_SENT;
}

static enum front_sent send_raw(struct request *r, const struct iovec *iov, unsigned n)
{
    struct h2_exchange *x = h2_exchange_of(r);
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    if (!may_speak(x))
        return FRONT_BROKEN;
    return send_bytes(x, iov, n, bytes, false);
}

static void end_raw(struct request *r)
{
    struct h2_exchange *x = h2_exchange_of(r);
    if (!may_speak(x))
        return;
    h2_put_data(x->client->h2, x->stream, 0, true, h2_text(x->client));
    h2_wake(x->client);
}

const struct front_ops h2_ops = {
    .send = send_reply,
    .note = note,
    .took = has_taken,
    .held = held,
    .takes_hints = true,
    .interim = send_interim,
    .want_body = h2_want_body,
    .upgrade = upgrade,
    .send_raw = send_raw,
    .read_raw = h2_read_raw,
    .end_raw = end_raw,
    .done = done,
};
