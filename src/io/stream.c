#include "io/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"

_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) &&
                   offsetof(uv_buf_t, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len),
               "libuv promises that its buffers are iovecs");

static void init(struct stream *s, struct loop *l, const struct stream_notices *n, bool local)
{
    *s = (struct stream){ .loop = l, .notices = n };
    int status = local ? uv_pipe_init(&l->uv, &s->uv.pipe, 0) : uv_tcp_init(&l->uv, &s->uv.tcp);
    CHECK(status == 0);
    s->uv.handle.data = s;
}

static int fd_of(const struct stream *s)
{
    uv_os_fd_t fd;
    return uv_fileno(&s->uv.handle, &fd) == 0 ? fd : -1;
}

/* ---- opening ---- */

int stream_open(struct stream *s, struct loop *l, const struct stream_notices *n, int fd)
{
    int domain;
    socklen_t bytes = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) != 0) {
        int status = -errno;
        close(fd);
        return status;
    }
    bool local = domain == AF_UNIX;
    init(s, l, n, local);
    if (!local)
        uv_tcp_nodelay(&s->uv.tcp, 1); /* remembered, and set when it has a descriptor */
    /* Fails for what is no socket or is in this loop already. */
    int status = local ? uv_pipe_open(&s->uv.pipe, fd) : uv_tcp_open(&s->uv.tcp, fd);
    CHECK(status == 0);
    s->state = STREAM_OPEN;
    return 0;
}

static void on_connected(uv_connect_t *req, int status)
{
    struct stream *s = req->handle->data;
    loop_awake(s->loop);
    if (s->state == STREAM_CLOSING)
        return;
    if (status == 0)
        s->state = STREAM_OPEN;
    s->notices->connected(s, status);
}

static void on_failed(struct letter *letter)
{
    struct stream *s = CONTAINER_OF(letter, struct stream, req.failure.letter);
    s->failing = false;
    if (s->state == STREAM_CONNECTING)
        s->notices->connected(s, s->req.failure.status);
    else if (s->state == STREAM_CLOSED)
        s->notices->closed(s); /* libuv was faster */
}

int stream_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to)
{
    if (to->bytes == 0)
        return UV_EINVAL;
    bool local = to->sa.any.sa_family == AF_UNIX;
    init(s, l, n, local);
    s->state = STREAM_CONNECTING;
    if (local) {
        uv_pipe_connect(&s->req.connect, &s->uv.pipe, to->sa.local.sun_path, on_connected);
        return 0;
    }
    uv_tcp_nodelay(&s->uv.tcp, 1);
    int status = uv_tcp_connect(&s->req.connect, &s->uv.tcp, &to->sa.any, on_connected);
    if (status) {
        /* The handle is libuv's by now and must be closed, which takes a turn of the loop: so the owner is told
         * from the loop as well. */
        s->failing = true;
        s->req.failure.status = status;
        s->req.failure.letter.open = on_failed;
        loop_defer(l, &s->req.failure.letter);
    }
    return 0;
}

/* ---- reading ---- */

static void stop_polling(struct stream *s)
{
    s->polled = false;
    uv_read_stop(&s->uv.stream);
}

static void close_handle(struct stream *s);

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct stream *s = handle->data;
    (void)suggested;
    loop_awake(s->loop);
    *buf = (uv_buf_t){ .base = NULL };
    if (!s->reading)
        return;
    char *p = NULL;
    s->in_space = true;
    size_t n = s->notices->space(s, &p);
    s->in_space = false;
    if (n == 0)
        s->reading = false;
    if (s->reading && s->state == STREAM_OPEN)
        *buf = (uv_buf_t){ .base = p, .len = n };
}

/* libuv may find the end from EPOLLHUP after a short read without reading on to the error that caused it: what was
 * cut by a reset must not look whole. EPIPE is a reset that came after the peer's FIN; all that it sent is here. */
static int end_status(const struct stream *s)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(fd_of(s), SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error == EPIPE)
        return 0;
    return -error;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = stream->data;
    loop_awake(s->loop);
    if (n > 0) {
        s->notices->data(s, (size_t)n);
    } else if (n < 0 && s->state == STREAM_CLOSING) {
        close_handle(s); /* `space` closed it */
    } else if (n < 0 && !s->reading) {
        /* No room was given, or the end came after a stop; it will be read again. */
        stop_polling(s);
    } else if (n < 0) {
        CHECK(n == UV_EOF || buf->len > 0);
        stop_polling(s);
        s->reading = false;
        s->ended = true;
        s->notices->ended(s, n == UV_EOF ? end_status(s) : (int)n);
    }
}

void stream_read_start(struct stream *s)
{
    CHECK(s->state == STREAM_OPEN || s->state == STREAM_CLOSING);
    if (s->state != STREAM_OPEN || s->ended)
        return;
    s->reading = true;
    if (s->polled)
        return;
    int status = uv_read_start(&s->uv.stream, on_space, on_read);
    CHECK(status == 0);
    s->polled = true;
}

void stream_read_stop(struct stream *s)
{
    s->reading = false;
}

/* ---- writing ---- */

static void send_fin(struct stream *s)
{
    /* ENOTCONN: the peer has reset it; the reader will hear of that. */
    shutdown(fd_of(s), SHUT_WR);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->handle->data;
    loop_awake(s->loop);
    s->writing = false;
    if (s->state == STREAM_CLOSING)
        return;
    if (s->fin && status == 0)
        send_fin(s);
    s->notices->written(s, status);
}

enum stream_write stream_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    CHECK(n >= 1 && n <= STREAM_IOV_MAX);
    if (s->state == STREAM_CLOSING)
        return STREAM_BROKEN;
    CHECK(s->state == STREAM_OPEN && !s->writing && !s->fin);
    int result = uv_try_write(&s->uv.stream, (const uv_buf_t *)(const void *)iov, n);
    if (result < 0 && result != UV_EAGAIN)
        return STREAM_BROKEN;

    size_t sent = result < 0 ? 0 : (size_t)result;
    unsigned i = 0;
    while (i < n && sent >= iov[i].iov_len)
        sent -= iov[i++].iov_len;
    if (i == n)
        return STREAM_WRITTEN;

    uv_buf_t rest[STREAM_IOV_MAX];
    memcpy(rest, iov + i, (n - i) * sizeof(rest[0]));
    rest[0].base += sent;
    rest[0].len -= sent;
    /* libuv keeps up to four pieces in the request itself and copies more to the heap. */
    if (uv_write(&s->req.write, &s->uv.stream, rest, n - i, on_written) != 0)
        return STREAM_BROKEN;
    s->writing = true;
    return STREAM_PENDING;
}

/* Not uv_shutdown: it would take two more system calls, a turn of the loop and 80 bytes of each connection. */
void stream_shutdown(struct stream *s)
{
    if (s->state != STREAM_OPEN || s->fin)
        return;
    s->fin = true;
    if (!s->writing)
        send_fin(s);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    loop_awake(s->loop);
    s->state = STREAM_CLOSED;
    if (!s->failing)
        s->notices->closed(s);
}

static void close_handle(struct stream *s)
{
    uv_close(&s->uv.handle, on_closed);
}

void stream_close(struct stream *s)
{
    CHECK(s->state != STREAM_NEW && s->state != STREAM_CLOSED);
    if (s->state == STREAM_CLOSING)
        return;
    s->state = STREAM_CLOSING;
    s->reading = false;
    if (!s->in_space)
        close_handle(s);
}

void stream_reset(struct stream *s)
{
    if (s->state == STREAM_OPEN && s->uv.handle.type == UV_TCP) {
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(fd_of(s), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    stream_close(s);
}

/* ---- questions ---- */

static void ask_address(const struct stream *s, struct address *out,
                        int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict))
{
    *out = (struct address){ .bytes = 0 };
    socklen_t bytes = sizeof(out->sa);
    if (ask(fd_of(s), &out->sa.any, &bytes) == 0)
        out->bytes = bytes;
}

void stream_peer(const struct stream *s, struct address *out)
{
    ask_address(s, out, getpeername);
}

void stream_local(const struct stream *s, struct address *out)
{
    ask_address(s, out, getsockname);
}

bool stream_is_dead(const struct stream *s)
{
    struct pollfd p = { .fd = fd_of(s) };
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

size_t stream_unsent(const struct stream *s)
{
    int bytes = 0;
    return ioctl(fd_of(s), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

size_t stream_queued(const struct stream *s)
{
    return s->writing ? uv_stream_get_write_queue_size(&s->uv.stream) : 0;
}
