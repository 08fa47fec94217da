#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/stream_engine.h"

/* By completion where the loop has a ring, else by readiness. */
static const struct stream_engine *engine_for(const struct loop *l)
{
    return l->ring ? &stream_ring : &stream_poll;
}

static void init(struct stream *s, struct loop *l, const struct stream_notices *n, bool local, int fd)
{
    *s = (struct stream){ .loop = l, .notices = n, .engine = engine_for(l), .local = local, .fd = fd };
}

/*
 * The kernel would take megabytes for a peer that reads nothing, up to what it has for all connections of the
 * machine together; then nobody's bytes are sent any more. So it takes this many beyond what is on its way. A
 * peer that reads gets no fewer: what is on its way has no such bound.
 */
#define UNSENT_MOST 131072

static void set_options(const struct stream *s)
{
    int on = 1, unsent = UNSENT_MOST;
    if (s->local)
        return;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

int stream_open(struct stream *s, struct loop *l, const struct stream_notices *n, int fd)
{
    int domain;
    socklen_t bytes = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) != 0) {
        int status = -errno;
        close(fd);
        return status;
    }
    init(s, l, n, domain == AF_UNIX, fd);
    set_options(s);
    s->state = STREAM_OPEN;
    s->engine->open(s);
    return 0;
}

int stream_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to)
{
    if (to->bytes == 0)
        return UV_EINVAL;
    init(s, l, n, to->sa.any.sa_family == AF_UNIX, -1);
    s->state = STREAM_CONNECTING;
    s->engine->connect(s, to);
    if (s->fd >= 0)
        set_options(s);
    return 0;
}

void stream_give(struct stream *s, const struct stream_notices *n, void *owner)
{
    CHECK(s->state == STREAM_OPEN && !s->writing && n);
    s->reading = false;
    s->notices = n;
    s->owner = owner;
}

void stream_read_start(struct stream *s)
{
    CHECK(s->state == STREAM_OPEN || s->state == STREAM_CLOSING);
    if (s->state != STREAM_OPEN || s->ended)
        return;
    s->reading = true;
    s->engine->read_start(s);
}

void stream_read_stop(struct stream *s)
{
    s->reading = false;
}

void stream_wait(struct stream *s)
{
    if (s->engine->leave_bytes)
        s->engine->leave_bytes(s);
    stream_read_start(s);
}

enum stream_write stream_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    CHECK(n >= 1 && n <= STREAM_IOV_MAX);
    if (s->state == STREAM_CLOSING)
        return STREAM_BROKEN;
    CHECK(s->state == STREAM_OPEN && !s->writing && !s->fin);
    return s->engine->write(s, iov, n);
}

/* Not uv_try_write: the socket's own calls cost 2 to 4 % of a cached hit less than read and writev. */
ssize_t stream_engine_send_now(struct stream *s, const struct iovec *iov, unsigned n)
{
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };
    ssize_t sent;
    do {
        sent = n == 1 ? send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
        return 0;
    if (sent < 0)
        stream_engine_lost(s, -errno);
    return sent;
}

/* The kernel tells of a broken connection once. When it told a write, a reader finds what looks like a proper
 * end. EPIPE is no news: it comes each time, and also behind a FIN, before which all is here. */
void stream_engine_lost(struct stream *s, int status)
{
    if (status != UV_EPIPE)
        s->lost = status;
}

int stream_engine_end(const struct stream *s, int status)
{
    return status == 0 ? s->lost : status;
}

void stream_engine_send_fin(struct stream *s)
{
    /* ENOTCONN: the peer has reset it; the reader will hear of that. */
    shutdown(s->fd, SHUT_WR);
}

/* Not uv_shutdown: it would take two more system calls, a turn of the loop and 80 bytes of each
 * connection. */
void stream_shutdown(struct stream *s)
{
    if (s->state != STREAM_OPEN || s->fin)
        return;
    s->fin = true;
    if (!s->writing)
        s->engine->fin(s);
}

void stream_close(struct stream *s)
{
    CHECK(s->state != STREAM_NEW && s->state != STREAM_CLOSED);
    if (s->state == STREAM_CLOSING)
        return;
    s->state = STREAM_CLOSING;
    s->reading = false;
    s->engine->close(s);
}

void stream_reset(struct stream *s)
{
    if (s->state == STREAM_CLOSING)
        return;
    s->resets = true;
    if (s->state == STREAM_OPEN && !s->local) {
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    stream_close(s);
}

void stream_leave(struct stream *s)
{
    CHECK(s->state == STREAM_OPEN && !s->writing && !s->fin && s->notices->left);
    s->leaves = true;
    stream_close(s);
}

/* ---- questions ---- */

void stream_peer(const struct stream *s, struct address *out)
{
    address_ask(s->fd, getpeername, out);
}

void stream_local(const struct stream *s, struct address *out)
{
    address_ask(s->fd, getsockname, out);
}

bool stream_is_dead(const struct stream *s)
{
    struct pollfd p = { .fd = s->fd };
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

bool stream_is_quiet(const struct stream *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLRDHUP };
    bool has_untold = s->engine->has_untold && s->engine->has_untold(s);
    return !has_untold && poll(&p, 1, 0) == 0;
}

size_t stream_unsent(const struct stream *s)
{
    int bytes = 0;
    return ioctl(s->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

/* More than any buffer holds: whatever is found later is less. */
#define HELD_UNKNOWN SIZE_MAX

void stream_note(const struct stream *s, struct stream_backlog *b)
{
    *b = (struct stream_backlog){ stream_queued(s), s->refused ? stream_unsent(s) : HELD_UNKNOWN };
}

bool stream_took(const struct stream *s, struct stream_backlog *b)
{
    struct stream_backlog before = *b;
    *b = (struct stream_backlog){ stream_queued(s), stream_unsent(s) };
    return b->queued < before.queued || b->held < before.held;
}

size_t stream_queued(const struct stream *s)
{
    return s->writing ? s->engine->queued(s) : 0;
}
