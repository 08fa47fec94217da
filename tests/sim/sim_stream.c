/* Streams (io/stream.h) over the simulated network. */
#include "io/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/tls.h"
#include "sim_net.h"

/* Of one stream: beside its end, what is under way. In the process' memory. */
struct sim_stream {
    struct stream *s;
    struct net_end *end; /* NULL: not yet, or closed */
    struct sim_ready ready;
    struct sim_event connects;
    struct link connecting; /* in the list of those that do */
    struct address to, self;
    bool has_connected, closes;
    int status; /* of the connection */
    struct iovec iov[STREAM_IOV_MAX];
    unsigned n, at;
    size_t left; /* of the write */
};

static struct sim_stream *of(const struct stream *s)
{
    return (struct sim_stream *)(void *)s->ring.kept;
}

static void on_ready(struct sim_ready *r);

static struct sim_stream *make(struct stream *s, struct loop *l, const struct stream_notices *n)
{
    struct sim_stream *x = mem_alloc(sizeof(*x));
    memset(s, 0, sizeof(*s));
    s->loop = l;
    s->notices = n;
    s->fd = -1;
    s->ring.kept = (void *)x;
    x->s = s;
    sim_ready_init(&x->ready, l, on_ready);
    link_init(&x->connecting);
    sim_loop_hold(l);
    return x;
}

static void changed(struct net_end *e)
{
    struct sim_stream *x = e->owner;
    sim_ready_now(&x->ready);
}

static void take_end(struct sim_stream *x, struct net_end *e)
{
    x->end = e;
    x->s->fd = e->fd;
    e->owner = x;
    e->changed = changed;
}

int stream_open(struct stream *s, struct loop *l, const struct stream_notices *n, int fd)
{
    struct net_end *e = net_end_of(fd);
    take_end(make(s, l, n), e);
    s->state = STREAM_OPEN;
    return 0;
}

/* ---- connecting ---- */

static struct list connecting = { { &connecting.head, &connecting.head } };

void sim_streams_forget(void)
{
    for (struct link *l; (l = list_pop(&connecting)) != NULL;)
        sim_event_stop(&CONTAINER_OF(l, struct sim_stream, connecting)->connects);
}

static void connects(struct sim_event *event)
{
    struct sim_stream *x = CONTAINER_OF(event, struct sim_stream, connects);
    link_remove(&x->connecting);
    struct net_port *p = net_port_at(&x->to);
    x->has_connected = true;
    if (x->status == 0 && !p)
        x->status = UV_ECONNREFUSED;
    if (x->status == 0) {
        struct net_end *e = net_join(&x->self, p);
        net_fd_new(e);
        take_end(x, e);
    }
    sim_ready_now(&x->ready);
}

int stream_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to)
{
    if (to->bytes == 0)
        return UV_EINVAL;
    struct sim_stream *x = make(s, l, n);
    x->to = *to;
    CHECK(address_parse(STR("10.0.0.1:40000"), &x->self));
    s->state = STREAM_CONNECTING;
    list_push_back(&connecting, &x->connecting);
    sim_event_at(&x->connects, sim_now() + sim_connect_takes(to, &x->status), connects);
    return 0;
}

void stream_give(struct stream *s, const struct stream_notices *n, void *owner)
{
    CHECK(s->state == STREAM_OPEN && !s->writing && n);
    s->reading = false;
    s->notices = n;
    s->owner = owner;
}

/* ---- reading ---- */

void stream_read_start(struct stream *s)
{
    CHECK(s->state == STREAM_OPEN || s->state == STREAM_CLOSING);
    if (s->state != STREAM_OPEN || s->ended)
        return;
    s->reading = true;
    struct net_end *e = of(s)->end;
    if (net_there(e) > 0 || e->in.fin_arrived || e->in.reset_arrived)
        sim_ready_now(&of(s)->ready);
}

void stream_wait(struct stream *s)
{
    stream_read_start(s);
}

void stream_read_stop(struct stream *s)
{
    s->reading = false;
}

static bool may_read(const struct stream *s)
{
    return s->state == STREAM_OPEN && s->reading && !s->ended;
}

static void read_some(struct sim_stream *x)
{
    struct stream *s = x->s;
    for (int i = 0; i < 16 && may_read(s) && net_there(x->end) > 0; i++) {
        char *p = NULL;
        size_t n = s->notices->space(s, &p);
        if (n == 0) {
            s->reading = false;
            return;
        }
        if (!may_read(s))
            return; /* it changed its mind while it was asked */
        n = net_take(x->end, p, n);
        if (n == 0)
            return; /* it took turns at a lock, and a reset came meanwhile: what had arrived is gone */
        s->notices->data(s, n);
    }
}

static void read_end(struct sim_stream *x)
{
    struct stream *s = x->s;
    if (!may_read(s))
        return;
    struct net_pipe *in = &x->end->in;
    if (!in->reset_arrived && (net_there(x->end) > 0 || !in->fin_arrived))
        return;
    s->reading = false;
    s->ended = true;
    s->notices->ended(s, in->reset_arrived ? UV_ECONNRESET : s->lost);
}

/* ---- writing ---- */

static bool is_broken(const struct sim_stream *x)
{
    return x->end->in.reset_arrived || x->end->peer->in.reset;
}

static void push(struct sim_stream *x)
{
    while (x->left > 0) {
        struct iovec *v = &x->iov[x->at];
        size_t sent = net_send(x->end, v->iov_base, v->iov_len);
        v->iov_base = (char *)v->iov_base + sent;
        v->iov_len -= sent;
        x->left -= sent;
        if (v->iov_len > 0)
            return;
        x->at++;
    }
}

enum stream_write stream_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    CHECK(n >= 1 && n <= STREAM_IOV_MAX);
    if (s->state == STREAM_CLOSING)
        return STREAM_BROKEN;
    CHECK(s->state == STREAM_OPEN && !s->writing && !s->fin);
    struct sim_stream *x = of(s);
    x->left = 0;
    for (unsigned i = 0; i < n; i++) {
        x->iov[i] = iov[i];
        x->left += iov[i].iov_len;
    }
    x->n = n;
    x->at = 0;
    if (is_broken(x))
        return STREAM_BROKEN;
    /* As a busy kernel does: it takes some of it, and the rest later. */
    if (!sim_once_in(16))
        push(x);
    s->refused = x->left > 0;
    s->writing = x->left > 0;
    if (s->writing)
        sim_ready_now(&x->ready);
    return s->writing ? STREAM_PENDING : STREAM_WRITTEN;
}

static void write_some(struct sim_stream *x)
{
    struct stream *s = x->s;
    if (s->state != STREAM_OPEN || !s->writing)
        return;
    int status = is_broken(x) ? UV_ECONNRESET : 0;
    size_t before = x->left;
    if (status == 0)
        push(x);
    if (status == 0 && x->left > 0) {
        if (x->left < before && s->notices->moved)
            s->notices->moved(s);
        return;
    }
    s->writing = false;
    x->left = 0;
    if (status != 0)
        s->lost = status;
    else if (s->fin)
        net_fin(x->end);
    s->notices->written(s, status);
}

void stream_shutdown(struct stream *s)
{
    if (s->state != STREAM_OPEN || s->fin)
        return;
    s->fin = true;
    if (!s->writing)
        net_fin(of(s)->end);
}

/* ---- closing ---- */

static void close_it(struct stream *s, bool resets)
{
    struct sim_stream *x = of(s);
    s->state = STREAM_CLOSING;
    s->reading = s->writing = false;
    s->fd = -1;
    x->left = 0;
    sim_event_stop(&x->connects);
    link_remove(&x->connecting);
    if (x->end)
        (resets ? net_reset : net_close)(x->end);
    x->end = NULL;
    sim_ready_now(&x->ready);
}

void stream_close(struct stream *s)
{
    CHECK(s->state != STREAM_NEW && s->state != STREAM_CLOSED);
    if (s->state != STREAM_CLOSING)
        close_it(s, false);
}

void stream_reset(struct stream *s)
{
    CHECK(s->state != STREAM_NEW && s->state != STREAM_CLOSED);
    if (s->state != STREAM_CLOSING)
        close_it(s, true);
}

static void on_ready(struct sim_ready *r)
{
    struct sim_stream *x = CONTAINER_OF(r, struct sim_stream, ready);
    struct stream *s = x->s;
    if (s->state == STREAM_CLOSING) {
        s->state = STREAM_CLOSED;
        s->ring.kept = NULL;
        sim_loop_release(r->loop);
        mem_free(x);
        s->notices->closed(s);
        return;
    }
    if (s->state == STREAM_CONNECTING) {
        if (!x->has_connected)
            return;
        if (x->status == 0)
            s->state = STREAM_OPEN;
        s->notices->connected(s, x->status);
        /* More may have come meanwhile. */
        if (s->state == STREAM_OPEN && x->status == 0)
            sim_ready_now(&x->ready);
        return;
    }
    bool writes_first = sim_once_in(2);
    if (writes_first)
        write_some(x);
    /* Each notice may close it; its struct stays until `closed`, which comes later. */
    read_some(x);
    if (s->state == STREAM_OPEN)
        read_end(x);
    if (!writes_first)
        write_some(x);
    if (may_read(s) && (net_there(x->end) > 0 || x->end->in.fin_arrived || x->end->in.reset_arrived))
        sim_ready_now(&x->ready);
}

/* ---- questions ---- */

void stream_peer(const struct stream *s, struct address *out)
{
    *out = of(s)->end ? of(s)->end->peer->at : (struct address){ 0 };
}

void stream_local(const struct stream *s, struct address *out)
{
    *out = of(s)->end ? of(s)->end->at : (struct address){ 0 };
}

bool stream_is_dead(const struct stream *s)
{
    const struct net_end *e = of(s)->end;
    return !e || e->in.reset_arrived || (e->in.fin_arrived && s->fin);
}

bool stream_is_quiet(const struct stream *s)
{
    const struct net_end *e = of(s)->end;
    return e && net_there(e) == 0 && !e->in.fin_arrived && !e->in.reset_arrived;
}

size_t stream_queued(const struct stream *s)
{
    return s->writing ? of(s)->left : 0;
}

size_t stream_unsent(const struct stream *s)
{
    const struct net_end *e = of(s)->end;
    return e ? e->peer->in.n - e->peer->in.from : 0;
}

void stream_note(const struct stream *s, struct stream_backlog *b)
{
    *b = (struct stream_backlog){ stream_queued(s), s->refused ? stream_unsent(s) : SIZE_MAX };
}

bool stream_took(const struct stream *s, struct stream_backlog *b)
{
    struct stream_backlog before = *b;
    *b = (struct stream_backlog){ stream_queued(s), stream_unsent(s) };
    return b->queued < before.queued || b->held < before.held;
}

/* Of upgrades, which are not in this world. */
void stream_leave(struct stream *s)
{
    (void)s;
    UNREACHABLE();
}

/* ---- TLS: nobody has it here ---- */

bool tls_is_under(const struct stream *s)
{
    (void)s;
    return false;
}

int tls_accept(struct stream *s, struct loop *l, const struct stream_notices *n, int fd,
               const struct tls_terms *terms)
{
    (void)s, (void)l, (void)n, (void)fd, (void)terms;
    UNREACHABLE();
}

bool tls_is_for(const struct stream *s, struct str authority)
{
    (void)s, (void)authority;
    UNREACHABLE();
}

void tls_facts(const struct stream *s, struct tls_facts *out)
{
    (void)s, (void)out;
    UNREACHABLE();
}

int tls_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to,
                const struct tls_call *call)
{
    (void)s, (void)l, (void)n, (void)to, (void)call;
    UNREACHABLE();
}

void tls_tell_tickets(struct ssl_ctx_st *context)
{
    (void)context;
    UNREACHABLE();
}

bool tls_was_reached(const struct stream *s)
{
    (void)s;
    UNREACHABLE();
}

bool tls_is_distrusted(const struct stream *s)
{
    (void)s;
    UNREACHABLE();
}

const char *tls_failure(const struct stream *s)
{
    (void)s;
    UNREACHABLE();
}
