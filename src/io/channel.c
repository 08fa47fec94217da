#include "io/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"

int channel_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : -errno;
}

/* Room for the descriptors, aligned as the kernel wants it. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

static int send_now(int end, const struct msghdr *m)
{
    ssize_t sent;
    do {
        sent = sendmsg(end, m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? 0 : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* Until there may be room. false: it is `until_us`, or the end cannot be waited for. */
static bool wait_for_room(int end, int64_t until_us)
{
    struct pollfd p = { .fd = end, .events = POLLOUT };
    int64_t left_us = until_us - (int64_t)(uv_hrtime() / 1000);
    int status = left_us > 0 ? poll(&p, 1, (int)((left_us + 999) / 1000)) : 0;
    return status > 0 || (status < 0 && errno == EINTR);
}

int channel_send(int end, char type, struct str text, const int *fds, size_t fds_n)
{
    union control control = { 0 };
    struct iovec iov[] = { { &type, 1 }, { (char *)(uintptr_t)text.p, text.n } };
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = text.n ? 2 : 1 };
    int64_t until_us = (int64_t)(uv_hrtime() / 1000) + CHANNEL_SEND_MS * 1000;
    int status;
    CHECK(text.n <= CHANNEL_TEXT_MAX && fds_n <= CHANNEL_FDS_MAX);
    if (fds_n) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fds_n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fds_n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fds_n);
    }
    /* Not by SO_SNDTIMEO: an end that a loop reads does not wait (uv_poll_init makes it so). */
    do {
        status = send_now(end, &m);
    } while (status == -EAGAIN && wait_for_room(end, until_us));
    return status;
}

static void take_fds(struct msghdr *h, struct channel_message *m)
{
    m->fds_n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        CHECK(m->fds_n + n <= CHANNEL_FDS_MAX);
        memcpy(m->fds + m->fds_n, CMSG_DATA(c), n * sizeof(int));
        m->fds_n += n;
    }
}

/* As channel_receive, of what is there. */
static int receive_now(int end, struct channel_message *m)
{
    union control control;
    struct iovec iov[] = { { &m->type, 1 }, { m->text, CHANNEL_TEXT_MAX } };
    struct msghdr h = {
        .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
    };
    ssize_t n;
    /* ECONNRESET: the other end has closed and left something unread. It is said once, ahead of what came. */
    do {
        n = recvmsg(end, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    if (n == 0)
        return -EPIPE;
    take_fds(&h, m);
    m->n = (size_t)n - 1;
    m->text[m->n] = '\0';
    if (!(h.msg_flags & MSG_TRUNC))
        return 1;
    channel_close_fds(m);
    return -EMSGSIZE;
}

/* A lack of memory passes mostly: what is there is still there a moment later. Who gave up at once would not
 * know any more what became of the other process. */
#define MEMORY_TRIES 100
#define MEMORY_MS    10

static bool lacks_memory(int status)
{
    return status == -ENOMEM || status == -ENOBUFS;
}

static int receive_patiently(int end, struct channel_message *m)
{
    int status = receive_now(end, m);
    for (unsigned tries = 1; lacks_memory(status) && tries < MEMORY_TRIES; tries++) {
        (void)poll(NULL, 0, MEMORY_MS);
        status = receive_now(end, m);
    }
    return status;
}

int channel_receive(int end, struct channel_message *m, int64_t ms)
{
    struct pollfd p = { .fd = end, .events = POLLIN };
    int status = receive_patiently(end, m);
    if (status != 0 || ms == 0)
        return status;
    do {
        status = poll(&p, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
    } while (status < 0 && errno == EINTR);
    return status < 0 ? -errno : status == 0 ? 0 : receive_patiently(end, m);
}

void channel_close_fds(struct channel_message *m)
{
    for (size_t i = 0; i < m->fds_n; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    m->fds_n = 0;
}

/* ---- from a loop ---- */

#define MESSAGES_A_TURN 256

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *c = poll->data;
    (void)status; /* recvmsg says it better */
    (void)events;
    loop_awake(c->loop);
    for (int i = 0; i < MESSAGES_A_TURN && c->fd >= 0; i++) {
        int got = receive_now(c->fd, c->message);
        if (got == 0 || lacks_memory(got))
            return;
        if (got < 0)
            uv_poll_stop(&c->poll);
        c->received(c, got < 0 ? NULL : c->message);
        if (got < 0)
            return;
        channel_close_fds(c->message);
    }
}

int channel_open(struct channel *c, struct loop *l, int fd,
                 void (*received)(struct channel *, struct channel_message *))
{
    *c = (struct channel){ .loop = l, .fd = fd, .received = received };
    int status = uv_poll_init(&l->uv, &c->poll, fd);
    if (status != 0)
        return status;
    c->poll.data = c;
    c->message = mem_alloc(sizeof(*c->message));
    uv_poll_start(&c->poll, UV_READABLE, on_poll);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct channel *c = handle->data;
    loop_awake(c->loop);
    mem_free(c->message);
    c->message = NULL;
    if (c->closed)
        c->closed(c);
}

void channel_close(struct channel *c)
{
    if (uv_is_closing((uv_handle_t *)&c->poll))
        return;
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
    c->fd = -1;
}
