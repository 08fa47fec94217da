#include <string.h>

#include "front/h1_machine.h"
#include "http/lines.h"

#define FRAMING_ROOM  ((size_t)128) /* the longest Content-Length and both Connection lines */
#define INTERIMS_MOST ((size_t)16384)
/* Interim responses, status line, prepared lines, the other lines, a chunk's head and end. */
_Static_assert(REPLY_PIECES_MAX + 6 <= IOV_MOST, "all fits into one write");

/* ---- the reply ---- */

/* The complete status lines of nearly all replies. */
static const struct str status_lines[600] = {
#define STATUS(code, phrase) [code] = STR_INIT("HTTP/1.1 " #code " " phrase "\r\n"),
#include "tbl/statuses.h"
#undef STATUS
};

static struct str status_line(struct request *r, const struct reply *reply)
{
    CHECK(reply->status >= 100 && reply->status <= 999);
    if (reply->status < (int)COUNT_OF(status_lines) && status_lines[reply->status].n && !reply->reason.n)
        return status_lines[reply->status];
    return arena_printf(&r->arena, "HTTP/1.1 %d %.*s\r\n", reply->status, STR_ARG(reply->reason));
}

/* Says where the reply ends: by a length, by chunks, or by closing. Here and below, the place behind is
 * returned. */
static char *put_framing(struct h1 *c, const struct reply *reply, char *to)
{
    c->chunked_reply = false;
    if (reply->length >= 0) {
        to = buf_put_u64(str_put(to, STR("Content-Length: ")), (uint64_t)reply->length);
        return str_put(to, STR("\r\n"));
    }
    if (reply->has_body && c->minor >= 1) {
        c->chunked_reply = true;
        return str_put(to, STR("Transfer-Encoding: chunked\r\n"));
    }
    if (reply->has_body)
        c->keep_alive = false;
    return to;
}

/* Decides whether the connection lives on, and tells the client. */
static char *put_connection(struct h1 *c, const struct reply *reply, char *to)
{
    if (reply->upgrade)
        to = str_put(to, STR("Connection: upgrade\r\n"));
    c->keep_alive = c->keep_alive && !reply->close && !c->front->front.draining;
    /* An upload that was not taken whole, and whose rest is too long to drop, ends the connection. */
    if (!c->body_done &&
        (c->expects_continue || c->framing.kind != FRAMING_LENGTH || c->body_left > DISCARD_MOST))
        c->keep_alive = false;
    if (!c->keep_alive)
        return str_put(to, STR("Connection: close\r\n"));
    return c->minor == 0 ? str_put(to, STR("Connection: keep-alive\r\n")) : to;
}

/* Writes the lines behind the prepared ones, into the request's arena. */
static struct str write_rest(struct h1 *c, const struct reply *reply)
{
    size_t room = FRAMING_ROOM;
    for (unsigned i = 0; i < reply->extra_n; i++)
        room += lines_bytes(reply->extra[i].name, reply->extra[i].value);
    char *p = arena_alloc(&c->x->request.arena, room), *to = p;
    for (unsigned i = 0; i < reply->extra_n; i++)
        to = lines_put(to, reply->extra[i].name, reply->extra[i].value);
    to = put_framing(c, reply, to);
    to = put_connection(c, reply, to);
    to = str_put(to, STR("\r\n"));
    CHECK((size_t)(to - p) <= room);
    return (struct str){ p, (size_t)(to - p) };
}

static enum front_sent write_pieces(struct h1 *c, const struct iovec *iov, unsigned n)
{
    if (c->stream->writing) { /* an interim response is being sent */
        CHECK(c->interim_writing && c->x->deferred_n == 0);
        unsigned first = c->x->interims.n > 0;
        CHECK(first + n <= IOV_MOST);
        c->x->deferred[0] = h1_piece(c->x->interims);
        memcpy(c->x->deferred + first, iov, n * sizeof(*iov));
        c->x->deferred_n = first + n;
        c->x->interims = STR_NONE;
        return FRONT_PENDING;
    }
    switch (stream_write(c->stream, iov, n)) {
    case STREAM_WRITTEN: return FRONT_SENT;
    case STREAM_PENDING: return FRONT_PENDING;
    default: return FRONT_BROKEN;
    }
}

enum front_sent h1_send(struct request *r, const struct reply *head, const struct iovec *body,
                        unsigned body_n, bool last)
{
    struct h1 *c = h1_of_request(r);
    struct iovec iov[IOV_MOST];
    unsigned n = 0;
    size_t bytes = 0;
    CHECK(body_n <= REPLY_PIECES_MAX && c->state == H1_BUSY && !c->tunnel);
    if (head) {
        iov[n++] = h1_piece(status_line(r, head));
        if (head->lines.n)
            iov[n++] = h1_piece(head->lines);
        iov[n++] = h1_piece(write_rest(c, head));
    }
    for (unsigned i = 0; i < body_n; i++)
        bytes += body[i].iov_len;
    if (bytes && c->chunked_reply)
        iov[n++] = (struct iovec){ c->x->chunk_text, chunk_head(c->x->chunk_text, bytes) };
    for (unsigned i = 0; i < body_n; i++)
        iov[n++] = body[i];
    if (c->chunked_reply && last)
        iov[n++] = h1_piece(bytes ? STR("\r\n0\r\n\r\n") : CHUNK_LAST);
    else if (c->chunked_reply && bytes)
        iov[n++] = h1_piece(CHUNK_TAIL);
    return n ? write_pieces(c, iov, n) : FRONT_SENT;
}

bool h1_write_interim(struct h1 *c, struct str text)
{
    struct iovec iov = h1_piece(text);
    if (c->stream->writing) {
        if (c->x->interims.n + text.n > INTERIMS_MOST)
            return false; /* the client does not read, and does not need it */
        c->x->interims =
            arena_printf(&c->x->request.arena, "%.*s%.*s", STR_ARG(c->x->interims), STR_ARG(text));
        return true;
    }
    if (stream_write(c->stream, &iov, 1) == STREAM_PENDING)
        c->interim_writing = true;
    return true;
}

bool h1_interim(struct request *r, int status, const struct fields *fields)
{
    struct h1 *c = h1_of_request(r);
    if (c->minor == 0)
        return false; /* RFC 9110 §15.2 */
    struct buf b = BUF_INIT;
    buf_printf(&b, "HTTP/1.1 %d \r\n", status);
    for (size_t i = 0; i < fields->n; i++)
        lines_add(&b, fields->v[i].name, fields->v[i].value);
    buf_add(&b, STR("\r\n"));
    bool sent = h1_write_interim(c, arena_dup(&r->arena, buf_str(&b)));
    buf_fini(&b);
    return sent;
}

void h1_done(struct request *r)
{
    struct h1 *c = h1_of_request(r);
    CHECK(r->step == STEP_DONE && !c->request_done);
    c->request_done = true;
    /* The request ended while a write is pending. Its memory goes with it, so the kernel must not get the
     * rest. */
    if (c->stream->writing && c->state == H1_BUSY)
        h1_break_off(c);
    else
        h1_go_on_later(c);
}

void h1_on_written(struct stream *s, int status)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && c->stream == s);
    if (c->state == H1_LINGER || c->state == H1_DISCARD || !c->x)
        return;
    if (c->interim_writing) {
        c->interim_writing = false;
        if (status < 0) {
            h1_close(c);
            return;
        }
        if (c->x->deferred_n == 0) {
            struct str more = c->x->interims;
            c->x->interims = STR_NONE;
            if (more.n)
                h1_write_interim(c, more);
            return;
        }
        unsigned n = c->x->deferred_n;
        c->x->deferred_n = 0;
        switch (stream_write(c->stream, c->x->deferred, n)) {
        case STREAM_PENDING: request_moved(&c->x->request); return;
        case STREAM_WRITTEN: break;
        case STREAM_BROKEN: status = -1; break;
        }
    }
    if (request_sent(&c->x->request, status) == REQUEST_DONE) {
        c->request_done = true;
        h1_advance(c);
    }
}

void h1_on_moved(struct stream *s)
{
    struct h1 *c = s->owner;
    CHECK(c->tag == H1_TAG && c->stream == s);
    if (c->x && c->state == H1_BUSY && !c->interim_writing)
        request_moved(&c->x->request);
}

/* ---- how far it got ---- */

void h1_note(struct request *r)
{
    struct h1 *c = h1_of_request(r);
    stream_note(c->stream, &c->x->backlog);
}

bool h1_took(struct request *r)
{
    struct h1 *c = h1_of_request(r);
    return stream_took(c->stream, &c->x->backlog);
}

uint64_t h1_held(struct request *r)
{
    const struct stream *s = h1_of_request(r)->stream;
    return stream_queued(s) + stream_unsent(s);
}

/* ---- a tunnel ---- */

enum front_sent h1_upgrade(struct request *r, const struct reply *head)
{
    struct h1 *c = h1_of_request(r);
    struct iovec iov[] = { h1_piece(status_line(r, head)), h1_piece(head->lines),
                           h1_piece(STR("Connection: upgrade\r\n\r\n")) };
    CHECK(!c->tunnel && head->upgrade);
    c->tunnel = true;
    return write_pieces(c, iov, COUNT_OF(iov));
}

enum front_sent h1_send_raw(struct request *r, const struct iovec *iov, unsigned n)
{
    struct h1 *c = h1_of_request(r);
    c->tunnel = true;
    return write_pieces(c, iov, n);
}

void h1_end_raw(struct request *r)
{
    stream_shutdown(h1_of_request(r)->stream);
}
