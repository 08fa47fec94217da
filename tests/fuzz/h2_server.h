/*
 * A server on http/h2 for the fuzz targets: answers each request, in an order that the input chooses, and
 * writes down what it was told.
 */
#ifndef FUZZ_H2_SERVER_H
#define FUZZ_H2_SERVER_H

#include "http/h2.h"
#include "http/hpack.h"
#include "h2_log.h"
#include "pieces.h"

#define ANSWERS_MOST 64

struct answer {
    struct h2_stream *stream;
    size_t left;
};

struct server {
    struct h2 *c;
    struct h2_limits limits;
    struct buf out; /* what it sent */
    struct buf log; /* what it was told: the same, however the bytes were cut */
    struct answer answers[ANSWERS_MOST];
    int64_t now_ms;
    bool failed;
    bool silent; /* answers nothing */
};

static inline void server_init(struct server *v)
{
    memset(v, 0, sizeof(*v));
    v->limits = h2_limits_default;
    v->limits.streams = ANSWERS_MOST / 4;
    v->limits.extended_connect = true;
    v->c = h2_new(&v->limits);
}

static inline void server_fini(struct server *v)
{
    for (size_t i = 0; i < ANSWERS_MOST; i++)
        if (v->answers[i].stream)
            h2_close(v->c, &v->answers[i].stream, H2_CANCEL);
    h2_free(v->c);
    buf_fini(&v->out);
    buf_fini(&v->log);
}

static inline void server_finish(struct server *v, struct answer *a)
{
    if (a->left == 0 && h2_has_ended(a->stream))
        h2_close(v->c, &a->stream, H2_NO_ERROR);
}

static inline void server_begin(struct server *v, const struct h2_event *e)
{
    struct answer *a = v->answers;
    while (a->stream)
        a++;
    CHECK(a < v->answers + ANSWERS_MOST);
    *a = (struct answer){ .stream = e->stream, .left = e->id % 7 * 5000 };
    h2_set_owner(e->stream, a);
    if (v->silent)
        return;
    char room[HPACK_STATUS_MOST];
    struct str block = { room, (size_t)(hpack_put_status(room, 200) - room) };
    h2_put_block(v->c, e->stream, &block, 1, a->left == 0, &v->out);
    if (a->left)
        h2_want(v->c, e->stream, true);
    else
        server_finish(v, a);
}

static inline void server_send(struct server *v)
{
    size_t room;
    struct h2_stream *s;
    while ((s = h2_next(v->c, &room)) != NULL) {
        struct answer *a = v->answers;
        while (a->stream != s)
            a++;
        CHECK(room > 0 && room <= H2_FRAME_BYTES && a->left > 0 && !h2_is_blocked(v->c, s));
        size_t n = room < a->left ? room : a->left;
        a->left -= n;
        h2_put_data(v->c, s, n, a->left == 0, &v->out);
        memset(buf_room(&v->out, n), 'b', n);
        v->out.n += n;
        server_finish(v, a);
    }
}

static inline void server_log(struct server *v, enum h2_event_kind kind, const struct h2_event *e)
{
    const struct h2_head *h = &e->head;
    switch (kind) {
    case H2_HEAD:
        buf_printf(&v->log, "head %u %d %d\n", e->id, e->last, h->error);
        CHECK(is_token(h->request.method_name) && (!e->last || h->framing.kind <= FRAMING_LENGTH));
        if (h->error != HTTP_ERROR_NONE)
            break;
        CHECK(h->request.target.n && !memchr(h->request.target.p, ' ', h->request.target.n));
        CHECK(!fields_has(&h->request.fields, FIELD_TRANSFER_ENCODING) &&
              !fields_has(&h->request.fields, FIELD_CONNECTION) &&
              fields_count(&h->request.fields, FIELD_COOKIE) <= 1);
        buf_printf(&v->log, "%.*s %.*s %.*s\n", STR_ARG(h->request.method_name), STR_ARG(h->request.target),
                   STR_ARG(h->authority));
        log_fields(&v->log, &h->request.fields);
        break;
    case H2_TRAILERS:
        buf_printf(&v->log, "trailers %u\n", e->id);
        log_fields(&v->log, &e->fields);
        break;
    case H2_RESET: buf_printf(&v->log, "reset %u %u %d\n", e->id, e->code, e->by_us); break;
    case H2_GONE: buf_printf(&v->log, "gone %u\n", e->code); break;
    case H2_FAILED:
        CHECK(e->text && e->code != H2_NO_ERROR);
        buf_printf(&v->log, "failed %u %s\n", e->code, e->text);
        break;
    default: break;
    }
}

static inline void server_event(struct server *v, enum h2_event_kind kind, struct h2_event *e)
{
    struct answer *a = e->owner;
    server_log(v, kind, e);
    if (kind == H2_HEAD)
        server_begin(v, e);
    else if (kind == H2_BODY) {
        h2_consumed(v->c, e->stream, e->data.n);
        if (e->last)
            buf_printf(&v->log, "end %u\n", e->id);
    } else if (kind == H2_RESET) {
        CHECK(a->stream);
        a->stream = NULL;
    }
    if ((kind == H2_BODY || kind == H2_TRAILERS) && e->last && !v->silent)
        server_finish(v, a);
}

/* false: the connection has failed. */
static inline bool server_feed(struct server *v, struct str in)
{
    struct arena arena;
    struct h2_event e;
    enum h2_event_kind kind;
    arena_init(&arena, 1024);
    while ((kind = h2_read(v->c, &in, v->now_ms, &arena, &e)) != H2_MORE && kind != H2_FAILED) {
        server_event(v, kind, &e);
        arena_rewind(&arena);
        if (!v->silent)
            server_send(v);
    }
    v->failed = kind == H2_FAILED;
    CHECK(v->failed || in.n == 0);
    if (v->failed)
        server_log(v, kind, &e);
    CHECK(h2_waiting(v->c) <= v->limits.out_bytes + 256);
    h2_take(v->c, &v->out);
    arena_fini(&arena);
    return !v->failed;
}

#endif
