/*
 * A client on http/h2 for tests: asks for GET, HEAD and POST in turns, sends the bodies of its POSTs, and
 * writes down what it was told.
 */
#ifndef FUZZ_H2_ASKER_H
#define FUZZ_H2_ASKER_H

#include "http/h2.h"
#include "http/hpack.h"
#include "h2_log.h"
#include "pieces.h"

#define QUESTIONS_MOST 512
#define UPLOAD_BYTES   ((size_t)70000)

struct question {
    struct h2_stream *stream; /* NULL: over, or not begun */
    size_t left;              /* bytes of its body */
    uint64_t got;
    int status;
    bool whole, unprocessed;
};

struct asker {
    struct h2 *c;
    struct h2_limits limits;
    struct buf out; /* what it sent */
    struct buf log; /* what it was told: the same, however the bytes were cut */
    struct question questions[QUESTIONS_MOST];
    size_t n;
    int64_t now_ms;
    bool failed;
};

static inline bool asker_is_head(size_t i)
{
    return i % 3 == 1;
}

static inline bool asker_is_post(size_t i)
{
    return i % 3 == 2;
}

static inline void asker_init(struct asker *a, uint32_t window)
{
    memset(a, 0, sizeof(*a));
    a->limits = h2_limits_default;
    a->limits.stream_window = window;
    a->c = h2_new_client(&a->limits);
    h2_take(a->c, &a->out);
}

static inline void asker_fini(struct asker *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->questions[i].stream)
            h2_close(a->c, &a->questions[i].stream, H2_CANCEL);
    h2_free(a->c);
    buf_fini(&a->out);
    buf_fini(&a->log);
}

/* Sends what of the bodies may go now. */
static inline void asker_send(struct asker *a)
{
    struct h2_stream *s;
    size_t most;
    while ((s = h2_next(a->c, &most)) != NULL) {
        struct question *q = h2_owner(s);
        size_t n = q->left < most ? q->left : most;
        q->left -= n;
        h2_put_data(a->c, s, n, q->left == 0, &a->out);
        memset(buf_room(&a->out, n), 'u', n);
        a->out.n += n;
    }
    h2_take(a->c, &a->out);
}

static inline void asker_ask(struct asker *a)
{
    struct buf block = BUF_INIT;
    size_t i = a->n++;
    struct question *q = &a->questions[i];
    CHECK(i < QUESTIONS_MOST && h2_room(a->c) > 0);
    hpack_add(&block, STR(":method"),
              asker_is_head(i)   ? STR("HEAD")
              : asker_is_post(i) ? STR("POST")
                                 : STR("GET"));
    hpack_add(&block, STR(":scheme"), STR("https"));
    hpack_add(&block, STR(":authority"), STR("www.example.org"));
    hpack_add(&block, STR(":path"), STR("/page"));
    hpack_add(&block, STR("user-agent"), STR("an asker of tests"));
    q->stream = h2_begin(a->c, asker_is_head(i));
    h2_set_owner(q->stream, q);
    q->left = asker_is_post(i) ? UPLOAD_BYTES : 0;
    struct str piece = buf_str(&block);
    h2_put_block(a->c, q->stream, &piece, 1, q->left == 0, &a->out);
    if (q->left)
        h2_want(a->c, q->stream, true);
    buf_fini(&block);
}

static inline void asker_event(struct asker *a, enum h2_event_kind kind, const struct h2_event *e)
{
    struct question *q = e->owner;
    const struct h2_head *h = &e->head;
    switch (kind) {
    case H2_HEAD:
        CHECK(h->status >= 100 && h->status < 600 && h->status != 101 && q->status < 200);
        CHECK(!e->last || h->status >= 200);
        q->status = h->status;
        buf_printf(&a->log, "head %u %d %d %d\n", e->id, h->status, e->last, h->error);
        if (h->error != HTTP_ERROR_NONE)
            break;
        CHECK(!fields_has(&h->request.fields, FIELD_TRANSFER_ENCODING) &&
              !fields_has(&h->request.fields, FIELD_CONNECTION));
        log_fields(&a->log, &h->request.fields);
        break;
    case H2_BODY:
        CHECK(q->status >= 200 && !q->whole);
        q->got += e->data.n;
        h2_consumed(a->c, e->stream, e->data.n);
        if (e->last)
            buf_printf(&a->log, "end %u %llu\n", e->id, (unsigned long long)q->got);
        break;
    case H2_TRAILERS:
        CHECK(q->status >= 200 && !q->whole);
        buf_printf(&a->log, "trailers %u\n", e->id);
        log_fields(&a->log, &e->fields);
        break;
    case H2_RESET:
        buf_printf(&a->log, "reset %u %u %d %d\n", e->id, e->code, e->by_us, e->is_unprocessed);
        q->stream = NULL;
        q->unprocessed = e->is_unprocessed;
        break;
    case H2_GONE: buf_printf(&a->log, "gone %u\n", e->code); break;
    case H2_FAILED:
        CHECK(e->text && e->code != H2_NO_ERROR);
        buf_printf(&a->log, "failed %u %s\n", e->code, e->text);
        break;
    default: break;
    }
    if (q && e->last)
        q->whole = true;
}

/* false: the connection has failed. */
static inline bool asker_feed(struct asker *a, struct str in)
{
    struct arena arena;
    struct h2_event e;
    enum h2_event_kind kind;
    arena_init(&arena, 1024);
    while ((kind = h2_read(a->c, &in, a->now_ms, &arena, &e)) != H2_MORE) {
        asker_event(a, kind, &e);
        if (kind == H2_FAILED)
            break;
        struct question *q = e.owner;
        if (q && q->stream && q->whole && q->left == 0)
            h2_close(a->c, &q->stream, H2_CANCEL);
        arena_rewind(&arena);
    }
    a->failed = kind == H2_FAILED;
    CHECK(a->failed || in.n == 0);
    CHECK(h2_waiting(a->c) <= a->limits.out_bytes + 256);
    h2_take(a->c, &a->out);
    arena_fini(&arena);
    return !a->failed;
}

#endif
