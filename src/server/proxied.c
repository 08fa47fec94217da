#include "server/proxied.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"

struct awaited {
    struct proxied *of;
    struct link link;
    struct stream *stream;
    struct address peer; /* for whom it is counted */
    bool with_tls;
    struct timer deadline;
    int64_t begun_ms;
    size_t header; /* bytes of the header, when it is read */
    size_t n;
    char bytes[PROXY_HEADER_MAX];
};

static void end(struct awaited *a)
{
    struct proxied *p = a->of;
    timer_stop(p->loop, &a->deadline);
    link_remove(&a->link);
    p->n--;
    count_add(p->counters, COUNTER_PROXY_HEADERS_OPEN, -1);
    mem_free(a);
}

static void say(const struct awaited *a, const char *what)
{
    char text[ADDRESS_TEXT_MAX], held[LOG_HELD_MAX];
    const struct proxied *p = a->of;
    if (!p->said || !log_valve_opens(p->said, p->loop->now.mono_ms, held))
        return;
    size_t n = address_write_ip(&a->peer, text);
    log_warning(
        p->loop->log, "acceptor",
        "a connection from %.*s is closed: %s. Addresses of proxy_protocol want it from each proxy, and "
        "visitors go elsewhere%s",
        n ? (int)n : 13, n ? text : "a Unix socket", what, held);
}

static void give_up(struct awaited *a, const char *what)
{
    if (a->stream->state != STREAM_OPEN)
        return; /* it is closed already */
    count(a->of->counters, COUNTER_PROXY_HEADERS_FAILED);
    if (what)
        say(a, what);
    stream_close(a->stream);
}

static struct str early_of(const struct awaited *a)
{
    return (struct str){ a->bytes + a->header, a->n - a->header };
}

static void hand_on(struct awaited *a)
{
    struct proxied *p = a->of;
    struct stream *s = a->stream;
    if (a->with_tls) {
        timer_stop(p->loop, &a->deadline);
        stream_leave(s);
        return;
    }
    s->stays = true; /* who the visitor is is known here alone */
    p->done(p, s, &a->peer, early_of(a));
    end(a);
}

static void read_header(struct awaited *a)
{
    struct proxy_header h;
    enum proxy_header_result result = proxy_header_parse((struct str){ a->bytes, a->n }, &h);
    if (result == PROXY_HEADER_MORE)
        return;
    stream_read_stop(a->stream);
    if (result == PROXY_HEADER_BAD) {
        give_up(a, "it does not begin with a header of the PROXY protocol");
        return;
    }
    a->header = h.bytes;
    bool is_welcome = h.source.bytes == 0 || a->of->named(a->of, &a->peer, &h.source);
    if (h.source.bytes)
        a->peer = h.source;
    if (is_welcome)
        hand_on(a);
    else
        give_up(a, NULL);
}

/* ---- notices ---- */

/* A header never fills it: the parser asks for no more than that. */
static size_t on_space(struct stream *s, char **to)
{
    struct awaited *a = s->owner;
    *to = a->bytes + a->n;
    return sizeof(a->bytes) - a->n;
}

static void on_data(struct stream *s, size_t n)
{
    struct awaited *a = s->owner;
    a->n += n;
    CHECK(a->n <= sizeof(a->bytes));
    read_header(a);
}

static void on_ended(struct stream *s, int status)
{
    struct awaited *a = s->owner;
    (void)status;
    give_up(a, NULL);
}

static void on_left(struct stream *s, int fd, struct str more)
{
    struct awaited *a = s->owner;
    struct proxied *p = a->of;
    struct buf early = BUF_INIT;
    if (fd < 0)
        return; /* `closed` follows */
    buf_add(&early, early_of(a));
    buf_add(&early, more);
    struct address visitor = a->peer;
    s->owner = NULL;
    end(a);
    p->done_for_tls(p, fd, &visitor, buf_str(&early));
    buf_fini(&early);
}

static void on_closed(struct stream *s)
{
    struct awaited *a = s->owner;
    mem_free(s);
    if (!a)
        return;
    struct proxied *p = a->of;
    struct address peer = a->peer;
    end(a);
    p->failed(p, &peer);
}

static const struct stream_notices notices = {
    .space = on_space, .data = on_data, .ended = on_ended, .closed = on_closed, .left = on_left
};

static void deadline_came(struct timer *t)
{
    give_up(CONTAINER_OF(t, struct awaited, deadline),
            "no header of the PROXY protocol came within header_timeout");
}

/* ---- life ---- */

void proxied_init(struct proxied *p, struct loop *l, struct counters *counters)
{
    *p = (struct proxied){ .loop = l, .counters = counters };
    list_init(&p->all);
}

bool proxied_begin(struct proxied *p, int fd, const struct address *peer, bool with_tls, int64_t ms)
{
    struct stream *s = mem_alloc(sizeof(*s));
    if (stream_open(s, p->loop, &notices, fd) < 0) {
        mem_free(s);
        return false;
    }
    struct awaited *a = mem_alloc(sizeof(*a));
    a->of = p;
    a->stream = s;
    a->peer = *peer;
    a->with_tls = with_tls;
    a->begun_ms = p->loop->now.mono_ms;
    s->owner = a;
    list_push_back(&p->all, &a->link);
    p->n++;
    count_add(p->counters, COUNTER_PROXY_HEADERS_OPEN, 1);
    timer_start(p->loop, &a->deadline, ms, deadline_came);
    stream_read_start(s);
    return true;
}

void proxied_cut(struct proxied *p, int64_t ms)
{
    LIST_EACH_SAFE(l, &p->all) {
        struct awaited *a = CONTAINER_OF(l, struct awaited, link);
        if (p->loop->now.mono_ms - a->begun_ms < ms)
            return;
        stream_close(a->stream);
    }
}
