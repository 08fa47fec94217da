#include "request/tunnel.h"

#include <string.h>

#include "base/mem.h"
#include "cache/response.h"
#include "http/lines.h"
#include "request/deliver.h"

#define BUFFER_BYTES ((size_t)16384) /* at least what a fetch reads of a head at a time */

/* One direction. */
struct flow {
    char bytes[BUFFER_BYTES];
    size_t n;     /* bytes in it, or being written */
    bool writing; /* a write of them is pending */
    bool ended;   /* its source has ended; the other side is told when the buffer is empty */
    bool told;
};

struct tunnel {
    struct request *request;
    struct connection *origin;
    struct timer silence;
    struct flow down, up; /* origin to client, client to origin */
    size_t held;          /* bytes in `down` that wait for the 101 to be sent */
    bool over;
    struct stream_backlog to_origin; /* of the pending write, when last looked at */
    struct letter end;               /* tells the request, from the loop */
    bool end_posted;
};

static void tell_end(struct letter *l)
{
    struct tunnel *t = CONTAINER_OF(l, struct tunnel, end);
    t->end_posted = false;
    if (t->request)
        request_wake(t->request);
    else
        mem_free(t);
}

static void finish(struct tunnel *t)
{
    t->over = true;
    if (t->end_posted)
        return;
    t->end_posted = true;
    t->end.open = tell_end;
    loop_defer(t->request->w->loop, &t->end);
}

bool tunnel_is_over(const struct request *r)
{
    return r->tunnel->over;
}

static void silent(struct timer *timer);

static void stir(struct tunnel *t)
{
    struct request *r = t->request;
    timer_start(r->w->loop, &t->silence, r->settings->process.tunnel_timeout, silent);
}

/* A side that takes what it is sent, however slowly, is not silent. */
static void silent(struct timer *timer)
{
    struct tunnel *t = CONTAINER_OF(timer, struct tunnel, silence);
    bool took = t->down.writing && t->request->front->took(t->request);
    if (t->up.writing && stream_took(&t->origin->stream, &t->to_origin))
        took = true;
    if (took)
        stir(t);
    else
        finish(t);
}

static void check_end(struct tunnel *t)
{
    if (t->down.told && t->up.told)
        finish(t);
}

/* ---- origin to client ---- */

static void push_down(struct tunnel *t)
{
    struct flow *f = &t->down;
    struct request *r = t->request;
    if (f->writing || t->over)
        return;
    if (f->n) {
        struct iovec iov = { f->bytes, f->n };
        switch (r->front->send_raw(r, &iov, 1)) {
        case FRONT_SENT: f->n = 0; break;
        case FRONT_PENDING:
            f->writing = true;
            r->front->note(r);
            return;
        case FRONT_BROKEN: finish(t); return;
        }
    }
    if (f->ended && !f->told) {
        f->told = true;
        r->front->end_raw(r);
        check_end(t);
    } else if (!f->ended) {
        stream_read_start(&t->origin->stream);
    }
}

void tunnel_client_took(struct request *r)
{
    struct tunnel *t = r->tunnel;
    t->down.writing = false;
    t->down.n = t->held;
    t->held = 0;
    stir(t);
    push_down(t);
}

static size_t on_space(struct connection *c, char **p)
{
    struct tunnel *t = c->ctx;
    if (t->down.n || t->held || t->down.writing)
        return 0; /* wait, since the client is slower */
    *p = t->down.bytes;
    return BUFFER_BYTES;
}

static void on_data(struct connection *c, size_t n)
{
    struct tunnel *t = c->ctx;
    t->down.n = n;
    stir(t);
    push_down(t);
}

static void on_ended(struct connection *c, int status)
{
    struct tunnel *t = c->ctx;
    t->down.ended = true;
    if (status < 0)
        finish(t);
    else
        push_down(t);
}

/* ---- client to origin ---- */

static void push_up(struct tunnel *t)
{
    struct flow *f = &t->up;
    struct request *r = t->request;
    if (f->writing || t->over)
        return;
    if (f->n) {
        struct iovec iov = { f->bytes, f->n };
        switch (stream_write(&t->origin->stream, &iov, 1)) {
        case STREAM_WRITTEN: f->n = 0; break;
        case STREAM_PENDING:
            f->writing = true;
            stream_note(&t->origin->stream, &t->to_origin);
            return;
        case STREAM_BROKEN: finish(t); return;
        }
    }
    if (f->ended && !f->told) {
        f->told = true;
        stream_shutdown(&t->origin->stream);
        check_end(t);
    } else if (!f->ended) {
        r->front->read_raw(r, true);
    }
}

static void on_written(struct connection *c, int status)
{
    struct tunnel *t = c->ctx;
    t->up.writing = false;
    t->up.n = 0;
    if (status < 0)
        finish(t);
    else
        push_up(t);
}

size_t tunnel_from_client(struct request *r, struct str data)
{
    struct tunnel *t = r->tunnel;
    struct flow *f = &t->up;
    if (t->over || f->ended)
        return data.n;
    if (f->n) {
        r->front->read_raw(r, false); /* wait, since the origin is slower */
        return 0;
    }
    size_t n = data.n < BUFFER_BYTES ? data.n : BUFFER_BYTES;
    memcpy(f->bytes, data.p, n);
    f->n = n;
    stir(t);
    push_up(t);
    return n;
}

void tunnel_client_ended(struct request *r)
{
    r->tunnel->up.ended = true;
    push_up(r->tunnel);
}

/* ---- life ---- */

static const struct connection_user user = { on_space, on_data, on_ended, on_written };

static void warn_of_limit(struct request *r)
{
    char held[LOG_HELD_MAX];
    if (!log_valve_opens(r->w->tunnels_said, r->w->loop->now.mono_ms, held))
        return;
    log_warning(r->w->log, "request", "%.*s %.*s%.*s: %.*s: tunnels %lld (site %.*s, request %.*s%s)",
                STR_ARG(r->method_name), STR_ARG(r->authority), STR_ARG(r->key.path),
                STR_ARG(reason_sentence(REASON_TUNNEL_LIMIT)), (long long)r->settings->process.tunnels,
                STR_ARG(r->site->name), STR_ARG(request_id(r)), held);
}

/* The place is taken before the 101 comes: else each of a crowd that asks at once would find room. */
bool tunnel_take_place(struct request *r)
{
    if (r->has_tunnel_place)
        return true;
    int64_t before = atomic_fetch_add_explicit(r->w->tunnels, 1, memory_order_relaxed);
    r->has_tunnel_place = true;
    if (before < r->settings->process.tunnels)
        return true;
    tunnel_give_place(r);
    warn_of_limit(r);
    return false;
}

void tunnel_give_place(struct request *r)
{
    if (r->has_tunnel_place)
        atomic_fetch_sub_explicit(r->w->tunnels, 1, memory_order_relaxed);
    r->has_tunnel_place = false;
}

static void send_101(struct request *r, const struct response_head *head)
{
    struct fields fields;
    struct buf b = BUF_INIT;
    response_end_to_end(&head->fields, &r->arena, &fields);
    deliver_nothing(r);
    lines_add(&b, field_name(FIELD_UPGRADE), fields_joined(&head->fields, FIELD_UPGRADE, &r->arena));
    for (size_t i = 0; i < fields.n; i++)
        if (fields.v[i].id != FIELD_UPGRADE)
            lines_add(&b, fields.v[i].name, fields.v[i].value);
    r->reply.status = 101;
    r->reply.lines = arena_dup(&r->arena, buf_str(&b));
    r->reply.upgrade = true;
    r->reply.length = -1;
    buf_fini(&b);
    switch (r->front->upgrade(r, &r->reply)) {
    case FRONT_SENT: break;
    case FRONT_PENDING:
        r->tunnel->down.writing = true;
        r->front->note(r);
        break;
    case FRONT_BROKEN: finish(r->tunnel); break;
    }
}

void tunnel_begin(struct request *r, struct connection *c, const struct response_head *head, struct str rest)
{
    struct tunnel *t = mem_alloc(sizeof(*t));
    t->request = r;
    t->origin = c;
    r->tunnel = t;
    r->status = 101;
    c->user = &user;
    c->ctx = t;
    CHECK(r->has_tunnel_place);
    count_add(r->w->counters, COUNTER_TUNNELS_OPEN, 1);
    stir(t);
    send_101(r, head);
    /* Bytes that came with the 101 wait behind it. */
    CHECK(rest.n <= BUFFER_BYTES);
    if (rest.n) {
        memcpy(t->down.bytes, rest.p, rest.n);
        *(t->down.writing ? &t->held : &t->down.n) = rest.n;
    }
    push_down(t);
    push_up(t);
}

void tunnel_end(struct request *r)
{
    struct tunnel *t = r->tunnel;
    tunnel_give_place(r);
    if (!t)
        return;
    r->tunnel = NULL;
    timer_stop(r->w->loop, &t->silence);
    pool_drop(t->origin);
    count_add(r->w->counters, COUNTER_TUNNELS_OPEN, -1);
    if (t->end_posted)
        t->request = NULL; /* the letter frees it */
    else
        mem_free(t);
}
