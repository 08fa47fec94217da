/*
 * Streams by readiness: libuv says when there is something to read or room to write.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/stream_engine.h"

_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) &&
                   offsetof(uv_buf_t, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len),
               "libuv promises that its buffers are iovecs");

struct poll_state {
    bool polled;   /* libuv waits for bytes, also after stream_read_stop, until some come */
    bool in_space; /* in `space`: libuv must not hear of a stop or a close before it has the answer */
    bool failing;  /* the letter below is under way */
    union {
        uv_handle_t handle; /* its data: the stream */
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    /* One at a time. */
    union {
        uv_connect_t connect;
        uv_write_t write;
        struct {
            struct letter letter;
            int status;
        } failure; /* of a connection that failed at once */
    } req;
};

static void init_handle(struct stream *s)
{
    s->poll = mem_alloc(sizeof(*s->poll));
    int status = s->local ? uv_pipe_init(&s->loop->uv, &s->poll->uv.pipe, 0)
                          : uv_tcp_init(&s->loop->uv, &s->poll->uv.tcp);
    CHECK(status == 0);
    s->poll->uv.handle.data = s;
}

/* ---- opening ---- */

static void poll_open(struct stream *s)
{
    init_handle(s);
    /* Fails for what is no socket or is in this loop already. */
    int status = s->local ? uv_pipe_open(&s->poll->uv.pipe, s->fd) : uv_tcp_open(&s->poll->uv.tcp, s->fd);
    CHECK(status == 0);
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

/* libuv is done with it, and so is the letter. */
static void tell_closed(struct stream *s)
{
    mem_free(s->poll);
    s->poll = NULL;
    s->notices->closed(s);
}

static void on_failed(struct letter *letter)
{
    struct poll_state *p = CONTAINER_OF(letter, struct poll_state, req.failure.letter);
    struct stream *s = p->uv.handle.data;
    p->failing = false;
    if (s->state == STREAM_CONNECTING)
        s->notices->connected(s, p->req.failure.status);
    else if (s->state == STREAM_CLOSED)
        tell_closed(s); /* libuv was faster */
}

static void poll_connect(struct stream *s, const struct address *to)
{
    uv_os_fd_t fd;
    init_handle(s);
    if (s->local) {
        uv_pipe_connect(&s->poll->req.connect, &s->poll->uv.pipe, to->sa.local.sun_path, on_connected);
    } else {
        int status = uv_tcp_connect(&s->poll->req.connect, &s->poll->uv.tcp, &to->sa.any, on_connected);
        if (status) {
            /* The handle is libuv's by now and must be closed, which takes a turn of the loop: so the owner
             * is told from the loop as well. */
            s->poll->failing = true;
            s->poll->req.failure.status = status;
            s->poll->req.failure.letter.open = on_failed;
            loop_defer(s->loop, &s->poll->req.failure.letter);
        }
    }
    if (uv_fileno(&s->poll->uv.handle, &fd) == 0)
        s->fd = fd;
}

/* ---- reading ---- */

static void stop_polling(struct stream *s)
{
    s->poll->polled = false;
    uv_read_stop(&s->poll->uv.stream);
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
    s->poll->in_space = true;
    size_t n = s->notices->space(s, &p);
    s->poll->in_space = false;
    if (n == 0)
        s->reading = false;
    if (s->reading && s->state == STREAM_OPEN)
        *buf = (uv_buf_t){ .base = p, .len = n };
}

/* libuv may find the end from EPOLLHUP after a short read without reading on to the error that caused it:
 * what was cut by a reset must not look whole. EPIPE is a reset that came after the peer's FIN; all that it
 * sent is here. */
static int end_status(const struct stream *s)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error == EPIPE)
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
        s->notices->ended(s, stream_engine_end(s, n == UV_EOF ? end_status(s) : (int)n));
    }
}

static void poll_read_start(struct stream *s)
{
    if (s->poll->polled)
        return;
    int status = uv_read_start(&s->poll->uv.stream, on_space, on_read);
    CHECK(status == 0);
    s->poll->polled = true;
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->handle->data;
    loop_awake(s->loop);
    s->writing = false;
    if (s->state == STREAM_CLOSING)
        return;
    if (status != 0)
        stream_engine_lost(s, status);
    else if (s->fin)
        stream_engine_send_fin(s);
    s->notices->written(s, status);
}

static enum stream_write poll_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    ssize_t result = stream_engine_send_now(s, iov, n);
    if (result < 0)
        return STREAM_BROKEN;

    size_t sent = (size_t)result;
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
    if (uv_write(&s->poll->req.write, &s->poll->uv.stream, rest, n - i, on_written) != 0)
        return STREAM_BROKEN;
    s->writing = s->refused = true;
    return STREAM_PENDING;
}

static size_t poll_queued(const struct stream *s)
{
    return uv_stream_get_write_queue_size(&s->poll->uv.stream);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    loop_awake(s->loop);
    if (s->leaves) {
        s->leaves = false;
        s->notices->left(s, s->fd, STR_NONE);
    }
    s->state = STREAM_CLOSED;
    if (!s->poll->failing)
        tell_closed(s);
}

#ifdef __SANITIZE_THREAD__
void __sanitizer_syscall_pre_impl_close(long fd);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);

/* libuv closes by syscall(2), which the sanitizer does not see: whatever thread gets the number next would be
 * thought to share it. So it is told, and looks away from what libuv still does with it. */
static void close_seen(struct stream *s)
{
    uv_os_fd_t fd;
    if (uv_fileno(&s->poll->uv.handle, &fd) == 0)
        __sanitizer_syscall_pre_impl_close(fd);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    uv_close(&s->poll->uv.handle, on_closed);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
#else
static void close_seen(struct stream *s)
{
    uv_close(&s->poll->uv.handle, on_closed);
}
#endif

/* libuv closes its descriptor at once; what came is still the kernel's. */
static void close_handle(struct stream *s)
{
    if (s->leaves)
        s->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    close_seen(s);
}

static void poll_close(struct stream *s)
{
    if (!s->poll->in_space)
        close_handle(s);
}

const struct stream_engine stream_poll = {
    .open = poll_open,
    .connect = poll_connect,
    .read_start = poll_read_start,
    .write = poll_write,
    .close = poll_close,
    .queued = poll_queued,
    .fin = stream_engine_send_fin,
};
