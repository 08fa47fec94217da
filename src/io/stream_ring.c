/*
 * Streams by completion: each operation is handed to the loop's ring, and its result comes from there.
 *
 * Receiving. A client's stream has one operation that stands: whatever comes is put into one of the ring's
 * buffers, from which it is copied to where the owner wants it (a request's head, mostly: some hundred
 * bytes). A stream that receives much (an origin's) takes one buffer, then reads the rest itself, straight
 * into the owner's memory, and only then waits again; the kernel is never given memory of an owner who may go
 * away. After more than a buffer it only asks when bytes come, and reads all of them itself.
 *
 * What comes while the owner does not read is kept here, and the operation is ended: that is a few buffers at
 * most.
 *
 * The operation that stands may miss the peer's end. It waits for news; when the end was news before the last
 * bytes were received, none follows behind them (Linux 6.1 to 6.18 at least, with Unix sockets and with TCP's
 * resets; docs/decisions/029-io-uring.md). So another operation waits for the end alone, which no byte wakes.
 * From then on the stream receives like one that receives much: each time it looks before it waits.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "io/ring.h"
#include "io/stream_engine.h"

/* Read directly after a full buffer, before others have their turn. */
#define BULK_MOST ((size_t)1 << 20)

struct kept_bytes {
    struct kept_bytes *next;
    size_t at, n;
    char bytes[];
};

static void quiet(struct stream *s);
static void leave(struct stream *s);
static void arm(struct stream *s);

static struct ring *ring_of(const struct stream *s)
{
    return s->loop->ring;
}

/* ---- going on later ---- */

static void open_letter(struct letter *l);

static void go_on_later(struct stream *s)
{
    if (s->ring.letter_pending)
        return;
    s->ring.letter_pending = true;
    s->ring.letter.open = open_letter;
    loop_defer(s->loop, &s->ring.letter);
}

/* The kernel has one operation less. false: the stream is closing, and nobody wants to hear of it. */
static bool came_back(struct stream *s)
{
    loop_awake(s->loop);
    s->ring.pending--;
    if (s->state == STREAM_CLOSING)
        quiet(s);
    return s->state != STREAM_CLOSING;
}

/* Says the result that the operation is to be tried again? The kernel gives up waiting for a socket that has
 * woken it many times in vain, as one does whose peer has ended its side (EAGAIN). */
static bool is_passing(int result)
{
    return result == -EAGAIN || result == -EINTR || result == -ENOBUFS;
}

/* ---- receiving ---- */

/* Where the owner wants the next bytes; 0: nowhere now. */
static size_t ask_space(struct stream *s, char **to)
{
    size_t room = s->notices->space(s, to);
    if (room == 0)
        s->reading = false;
    return s->reading ? room : 0;
}

/* Gives the owner what it takes; returns how much. */
static size_t offer(struct stream *s, const char *bytes, size_t n)
{
    size_t taken = 0;
    const struct kept_bytes *k = s->ring.kept;
    bool more = k && k->next;
    while (taken < n && s->reading) {
        char *to = NULL;
        size_t room = ask_space(s, &to);
        if (room == 0)
            break;
        if (room > n - taken)
            room = n - taken;
        memcpy(to, bytes + taken, room);
        taken += room;
        s->ring.untold = more || taken < n;
        s->notices->data(s, room);
    }
    return taken;
}

static void keep(struct stream *s, const char *bytes, size_t n)
{
    struct kept_bytes *k = mem_resize(NULL, sizeof(*k) + n), **end = &s->ring.kept;
    *k = (struct kept_bytes){ .n = n };
    memcpy(k->bytes, bytes, n);
    while (*end)
        end = &(*end)->next;
    *end = k;
    s->ring.untold = true;
}

static bool ring_has_untold(const struct stream *s)
{
    return s->ring.untold;
}

static void free_kept(struct stream *s)
{
    while (s->ring.kept) {
        struct kept_bytes *k = s->ring.kept;
        s->ring.kept = k->next;
        mem_free(k);
    }
}

static void receive(struct stream *s, const char *bytes, size_t n)
{
    size_t taken = s->ring.kept ? 0 : offer(s, bytes, n);
    if (taken == n || s->state != STREAM_OPEN)
        return;
    keep(s, bytes + taken, n - taken);
    if (s->ring.armed)
        ring_cancel(ring_of(s), &s->ring.receiving);
}

static void note_end(struct stream *s, int status)
{
    s->ring.has_end = true;
    s->ring.end_status = status;
}

static void tell_end(struct stream *s)
{
    s->ring.has_end = false;
    s->reading = false;
    s->ended = true;
    s->notices->ended(s, stream_engine_end(s, s->ring.end_status));
}

/* More than a buffer is there: the rest without the ring. Nothing else receives meanwhile. An owner who asks
 * anew has all that he waited for: mostly nothing is there then. */
static void receive_bulk(struct stream *s)
{
    size_t got = 0;
    while (got < BULK_MOST && s->reading && !s->ring.kept && !s->ring.anew) {
        char *to = NULL;
        size_t room = ask_space(s, &to);
        if (room == 0)
            return;
        ssize_t n = recv(s->fd, to, room, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0) { /* the kernel tells of an error once: the next wait would find a clean end */
            note_end(s, n < 0 ? -errno : 0);
            return;
        }
        got += (size_t)n;
        s->ring.large = got > RING_BUFFER_BYTES;
        s->notices->data(s, (size_t)n);
        if ((size_t)n < room)
            return;
    }
}

static void on_received(struct ring_op *op, int result, unsigned flags)
{
    struct stream *s = CONTAINER_OF(op, struct stream, ring.receiving);
    loop_awake(s->loop);
    s->ring.telling = true;
    s->ring.anew = false;
    if (!(flags & IORING_CQE_F_MORE)) {
        s->ring.armed = s->ring.stands = false;
        s->ring.pending--;
    }
    if (flags & IORING_CQE_F_BUFFER) {
        char *buffer = ring_buffer(ring_of(s), flags);
        if (result > 0 && s->state == STREAM_OPEN)
            receive(s, buffer, (size_t)result);
        else if (result > 0 && s->leaves)
            keep(s, buffer, (size_t)result);
        ring_give_buffer(ring_of(s), buffer);
    }
    bool is_full = (flags & IORING_CQE_F_BUFFER) && result == RING_BUFFER_BYTES, asked = s->ring.large;
    /* Not while the operation stands: its next results have the bytes that come first. */
    if (s->ring.bulk && !s->ring.armed && result > 0 && (is_full || asked) && s->state == STREAM_OPEN)
        receive_bulk(s);
    s->ring.large = s->ring.large || is_full;
    s->ring.telling = false;
    if (s->state == STREAM_CLOSING) {
        quiet(s);
        return;
    }
    /* ENOBUFS: all buffers were full, they are free again by now. ECANCELED: we did. */
    if (result <= 0 && !is_passing(result) && result != -ECANCELED)
        note_end(s, result);
    if (s->ring.has_end && s->reading && !s->ring.kept)
        tell_end(s);
    else if (s->reading)
        arm(s);
}

/* The peer has ended its side, or the connection is broken; or the kernel cannot watch. */
static void on_hung_up(struct ring_op *op, int result, unsigned flags)
{
    struct stream *s = CONTAINER_OF(op, struct stream, ring.hanging);
    (void)result;
    (void)flags;
    if (!came_back(s))
        return;
    s->ring.bulk = true;
    /* Later: mostly the end is among the results of this turn. */
    if (s->ring.stands)
        go_on_later(s);
}

static void watch_for_end(struct stream *s)
{
    struct io_uring_sqe *sqe = ring_place(ring_of(s));
    io_uring_prep_poll_add(sqe, s->fd, POLLRDHUP);
    ring_submit(sqe, &s->ring.hanging);
    s->ring.watched = true;
    s->ring.pending++;
}

/* Into one of the ring's buffers. */
static void prepare_receive(struct stream *s, struct io_uring_sqe *sqe)
{
    if (s->ring.bulk) {
        io_uring_prep_recv(sqe, s->fd, NULL, RING_BUFFER_BYTES, 0);
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    } else {
        io_uring_prep_recv_multishot(sqe, s->fd, NULL, 0, 0);
        s->ring.stands = true;
    }
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RING_GROUP;
}

/* Waits for bytes, unless there are some that were kept, or no more will come. */
static void arm(struct stream *s)
{
    if (s->ring.armed || s->ring.kept || s->ring.has_end || s->ended)
        return;
    struct io_uring_sqe *sqe = ring_place(ring_of(s));
    if (s->ring.bulk && s->ring.large)
        io_uring_prep_poll_add(sqe, s->fd, POLLIN | POLLRDHUP);
    else
        prepare_receive(s, sqe);
    ring_submit(sqe, &s->ring.receiving);
    s->ring.armed = true;
    s->ring.pending++;
    if (s->ring.stands && !s->ring.watched)
        watch_for_end(s);
}

static void ring_read_start(struct stream *s)
{
    if (s->ring.telling)
        s->ring.anew = true;
    else if (s->ring.kept || s->ring.has_end)
        go_on_later(s);
    else
        arm(s);
}

/* By asking first. */
static void ring_leave_bytes(struct stream *s)
{
    s->ring.large = true;
}

/* ---- sending ---- */

_Static_assert(STREAM_IOV_MAX <= RING_IOV_MAX, "a write has room for all pieces");

static void give_write(struct stream *s)
{
    ring_give_write(ring_of(s), s->ring.write);
    s->ring.write = NULL;
}

/* `waits`: until there is room, before it tries. */
static void submit_write(struct stream *s, bool waits)
{
    struct ring_write *w = s->ring.write;
    struct io_uring_sqe *sqe = ring_place(ring_of(s));
    if (w->message.msg_iovlen == 1)
        io_uring_prep_send(sqe, s->fd, w->message.msg_iov->iov_base, w->message.msg_iov->iov_len,
                           MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, s->fd, &w->message, MSG_NOSIGNAL);
    if (waits)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    ring_submit(sqe, &s->ring.sending);
    s->ring.pending++;
}

/* Those bytes are with the kernel. */
static void advance(struct ring_write *w, size_t sent)
{
    struct msghdr *m = &w->message;
    w->left -= sent;
    while (m->msg_iovlen && sent >= m->msg_iov->iov_len) {
        sent -= m->msg_iov->iov_len;
        m->msg_iov++;
        m->msg_iovlen--;
    }
    if (m->msg_iovlen) {
        m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + sent;
        m->msg_iov->iov_len -= sent;
    }
}

static void on_sent(struct ring_op *op, int result, unsigned flags)
{
    struct stream *s = CONTAINER_OF(op, struct stream, ring.sending);
    (void)flags;
    if (!came_back(s))
        return;
    if (result > 0) {
        advance(s->ring.write, (size_t)result);
        if (s->ring.write->left) {
            s->refused = true;
            submit_write(s, false);
            if (s->notices->moved)
                s->notices->moved(s);
            return;
        }
    }
    if (is_passing(result)) {
        s->refused = true;
        submit_write(s, true);
        return;
    }
    int status = result > 0 ? 0 : result < 0 ? result : -EPIPE;
    give_write(s);
    s->writing = false;
    if (status != 0)
        stream_engine_lost(s, status);
    else if (s->fin)
        stream_engine_send_fin(s);
    s->notices->written(s, status);
}

/* false: the connection is dead. */
static bool write_directly(struct stream *s)
{
    struct ring_write *w = s->ring.write;
    ssize_t sent = stream_engine_send_now(s, w->message.msg_iov, (unsigned)w->message.msg_iovlen);
    if (sent > 0)
        advance(w, (size_t)sent);
    return sent >= 0;
}

static enum stream_write ring_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    struct ring_write *w = ring_take_write(ring_of(s));
    bool alive = true;
    w->left = 0;
    for (unsigned i = 0; i < n; i++) {
        w->iov[i] = iov[i];
        w->left += iov[i].iov_len;
    }
    w->message = (struct msghdr){ .msg_iov = w->iov, .msg_iovlen = n };
    s->ring.write = w;
    s->refused = ring_is_direct(ring_of(s));
    if (s->refused)
        alive = write_directly(s);
    if (!alive || w->left == 0) {
        give_write(s);
        return alive ? STREAM_WRITTEN : STREAM_BROKEN;
    }
    s->writing = true;
    submit_write(s, false);
    return STREAM_PENDING;
}

static size_t ring_queued(const struct stream *s)
{
    return s->ring.write->left;
}

/* ---- opening and closing ---- */

static void on_connected(struct ring_op *op, int result, unsigned flags)
{
    struct stream *s = CONTAINER_OF(op, struct stream, ring.connecting);
    (void)flags;
    if (!came_back(s))
        return;
    give_write(s);
    if (result == 0)
        s->state = STREAM_OPEN;
    s->notices->connected(s, result);
}

static void open_letter(struct letter *l)
{
    struct stream *s = CONTAINER_OF(l, struct stream, ring.letter);
    s->ring.letter_pending = false;
    if (s->state == STREAM_CLOSING && s->leaves && !s->ring.pending) {
        leave(s);
        free_kept(s);
    }
    if (s->state == STREAM_CLOSING) {
        if (s->fd >= 0 || s->ring.pending)
            return;
        s->state = STREAM_CLOSED;
        ring_of(s)->streams--;
        s->notices->closed(s);
        return;
    }
    if (s->state == STREAM_CONNECTING) { /* there was no socket to connect */
        s->notices->connected(s, s->ring.end_status);
        return;
    }
    if (s->ring.bulk && s->ring.stands)
        ring_cancel(ring_of(s), &s->ring.receiving); /* and on_received goes on */
    while (s->ring.kept && s->reading) {
        struct kept_bytes *k = s->ring.kept;
        size_t taken = offer(s, k->bytes + k->at, k->n - k->at);
        if (s->state != STREAM_OPEN)
            return; /* and k is gone */
        k->at += taken;
        if (k->at < k->n)
            return;
        s->ring.kept = k->next;
        mem_free(k);
    }
    if (!s->reading)
        return;
    if (s->ring.has_end)
        tell_end(s);
    else
        arm(s);
}

/* An owner's memory is the kernel's only while it sends, and not beyond stream_close: what is not yet
 * submitted then does nothing, and the cancellation is submitted before the kernel goes on with what it
 * has. */
static void begin(struct stream *s)
{
    s->ring.receiving.done = on_received;
    s->ring.sending.done = on_sent;
    s->ring.connecting.done = on_connected;
    s->ring.hanging.done = on_hung_up;
    ring_of(s)->streams++;
}

static void ring_open(struct stream *s)
{
    begin(s);
}

static void ring_connect(struct stream *s, const struct address *to)
{
    begin(s);
    s->ring.bulk = true;
    s->fd = socket(to->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        s->ring.end_status = -errno;
        go_on_later(s);
        return;
    }
    /* The address is the caller's and may be gone when the loop submits. */
    struct ring_write *w = ring_take_write(ring_of(s));
    _Static_assert(sizeof(w->iov) >= sizeof(to->sa), "an address fits into the pieces of a write");
    memcpy(w->iov, &to->sa, to->bytes);
    s->ring.write = w;
    struct io_uring_sqe *sqe = ring_place(ring_of(s));
    io_uring_prep_connect(sqe, s->fd, (struct sockaddr *)(void *)w->iov, to->bytes);
    ring_submit(sqe, &s->ring.connecting);
    s->ring.pending++;
}

/* The connection, with what was received of it. */
static void leave(struct stream *s)
{
    struct buf early = BUF_INIT;
    for (struct kept_bytes *k = s->ring.kept; k; k = k->next)
        buf_add(&early, (struct str){ k->bytes + k->at, k->n - k->at });
    s->leaves = false;
    s->notices->left(s, s->fd, buf_str(&early));
    s->fd = -1;
    buf_fini(&early);
}

/* Closing: all that was under way has come back. */
static void quiet(struct stream *s)
{
    if (s->ring.pending)
        return;
    if (s->ring.write)
        give_write(s);
    if (s->leaves && s->fd >= 0) {
        go_on_later(s); /* a notice comes from the loop */
        return;
    }
    free_kept(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    go_on_later(s);
}

static void ring_close(struct stream *s)
{
    if (s->writing)
        ring_void(ring_of(s), &s->ring.sending);
    if (s->ring.pending) {
        struct io_uring_sqe *sqe = ring_place(ring_of(s));
        io_uring_prep_cancel_fd(sqe, s->fd, IORING_ASYNC_CANCEL_ALL);
        ring_submit(sqe, NULL);
    }
    quiet(s);
}

const struct stream_engine stream_ring = {
    .open = ring_open,
    .connect = ring_connect,
    .read_start = ring_read_start,
    .leave_bytes = ring_leave_bytes,
    .has_untold = ring_has_untold,
    .write = ring_write,
    .close = ring_close,
    .queued = ring_queued,
    .fin = stream_engine_send_fin,
};
