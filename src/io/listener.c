#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "io/system.h"

#define BACKLOG         4096
#define ACCEPTS_A_TURN  64
#define PAUSE_MS        100
#define LOG_INTERVAL_MS 60000

/* ---- sockets ---- */

static bool is_local(const struct address *a)
{
    return a->sa.any.sa_family == AF_UNIX;
}

static int set_option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on));
}

static int make_socket(const struct address *at)
{
    int fd = socket(at->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* 0: nothing lives there; *stale: but a socket's file is left. */
static int look_at_path(const struct address *at, bool *stale)
{
    *stale = false;
    struct stat st;
    if (lstat(at->sa.local.sun_path, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return UV_ENOTSOCK;
    int fd = make_socket(at);
    if (fd < 0)
        return fd;
    int error = connect(fd, &at->sa.any, at->bytes) == 0 ? 0 : errno;
    close(fd);
    /* EAGAIN is a full backlog: somebody lives there. */
    if (error != ECONNREFUSED)
        return UV_EADDRINUSE;
    *stale = true;
    return 0;
}

/* 0 when the path is free now. */
static int clear_stale_file(const struct address *at)
{
    bool stale;
    int status = look_at_path(at, &stale);
    if (status != 0 || !stale)
        return status;
    return unlink(at->sa.local.sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int set_options(int fd, const struct address *at, bool shared)
{
    int off = 0;
    if (is_local(at))
        return 0;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) != 0 ||
        (shared && set_option(fd, SOL_SOCKET, SO_REUSEPORT) != 0))
        return -errno;
    if (at->sa.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
        return -errno;
    return 0;
}

static int set_and_bind(int fd, const struct address *at, bool shared)
{
    int status = set_options(fd, at, shared);
    if (status != 0)
        return status;
    return bind(fd, &at->sa.any, at->bytes) == 0 ? 0 : -errno;
}

static int start_to_listen(int fd, struct address *bound)
{
    if (listen(fd, BACKLOG) != 0)
        return -errno;
    socklen_t bytes = sizeof(bound->sa);
    memset(bound, 0, sizeof(*bound));
    if (getsockname(fd, &bound->sa.any, &bytes) != 0)
        return -errno;
    bound->bytes = bytes;
    return 0;
}

static bool is_any_v6(const struct address *at)
{
    return at->sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&at->sa.v6.sin6_addr);
}

/* A bound socket. */
static int open_socket(const struct address *at, bool shared)
{
    struct address v4 = { .bytes = sizeof(v4.sa.v4) };
    if (at->bytes == 0)
        return UV_EINVAL;
    int fd = make_socket(at);
    if (fd == UV_EAFNOSUPPORT && is_any_v6(at)) {
        /* A kernel without IPv6: every address that there is, then. */
        v4.sa.v4.sin_family = AF_INET;
        v4.sa.v4.sin_port = at->sa.v6.sin6_port;
        at = &v4;
        fd = make_socket(at);
    }
    if (fd < 0)
        return fd;
    int status = set_and_bind(fd, at, shared);
    if (status != 0) {
        close(fd);
        return status;
    }
    return fd;
}

int listener_socket(const struct address *at, struct address *bound)
{
    if (at->bytes && is_local(at)) {
        int status = clear_stale_file(at);
        if (status != 0)
            return status;
    }
    int fd = open_socket(at, true);
    if (fd < 0)
        return fd;
    int status = start_to_listen(fd, bound);
    if (status != 0) {
        close(fd);
        return status;
    }
    return fd;
}

/* A socket without SO_REUSEPORT gets the port only when nobody else listens on it. It does not listen itself:
 * whoever connects in that moment would be cut off. */
static int check_free(const struct address *at)
{
    if (at->bytes == 0 || is_local(at))
        return 0;
    int fd = open_socket(at, false);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int listener_try(const struct address *at)
{
    bool stale;
    if (at->bytes == 0 || !is_local(at))
        return check_free(at);
    int status = look_at_path(at, &stale);
    return status == 0 ? system_may_make_file(at->sa.local.sun_path) : status;
}

int listener_sockets(const struct address *at, int *fds, size_t n, struct address *bound)
{
    int status = check_free(at);
    if (status != 0)
        return status;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && is_local(at)) {
            fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
            status = fds[i] < 0 ? -errno : 0;
        } else {
            /* With port 0 the others get the port that the first was given. */
            struct address next = i > 0 ? *bound : *at;
            fds[i] = listener_socket(&next, bound);
            status = fds[i] < 0 ? fds[i] : 0;
        }
        if (status != 0) {
            while (i-- > 0)
                close(fds[i]);
            return status;
        }
    }
    return 0;
}

static bool is_shared(int fd, const struct address *at)
{
    int on = 0;
    socklen_t bytes = sizeof(on);
    return !is_local(at) && getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &bytes) == 0 && on;
}

int listener_more(int *fds, size_t have, size_t n)
{
    struct address at, bound;
    socklen_t bytes = sizeof(at.sa);
    memset(&at, 0, sizeof(at));
    if (getsockname(fds[0], &at.sa.any, &bytes) != 0)
        return -errno;
    at.bytes = bytes;
    for (size_t i = have; i < n; i++) {
        /* The kernel lets only the user share a port who has made its first socket. */
        fds[i] = is_shared(fds[0], &at) ? listener_socket(&at, &bound) : -1;
        if (fds[i] < 0)
            fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        int status = fds[i] == -1 ? -errno : fds[i];
        if (status >= 0)
            continue;
        while (i-- > have)
            close(fds[i]);
        return status;
    }
    return 0;
}

/* ---- accepting ---- */

/* What concerns one connection only: it was gone before it was accepted, or Linux passes on an error of its
 * network. */
static bool is_of_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case EPERM:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ETIMEDOUT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET: return true;
    default: return false;
    }
}

static void update_poll(struct listener *l);

static void on_pause_over(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, pause);
    l->exhausted = false;
    update_poll(l);
}

static void pause_exhausted(struct listener *l, int error)
{
    int64_t now_ms = l->loop->now.mono_ms;
    if (l->logged_ms == 0 || now_ms - l->logged_ms >= LOG_INTERVAL_MS) {
        l->logged_ms = now_ms;
        log_error(l->loop->log, "listener", "cannot accept connections: %s. They wait. %s",
                  uv_strerror(-error),
                  error == EMFILE || error == ENFILE ? "Raise the limit of open files (ulimit -n)." : "");
    }
    l->exhausted = true;
    timer_start(l->loop, &l->pause, PAUSE_MS, on_pause_over);
}

/* Accepts up to `most` connections. false: the backlog is empty, or no more can be taken now. */
static bool accept_some(struct listener *l, int most)
{
    enum listener_state state = l->state;
    for (int i = 0; i < most; i++) {
        struct address peer = { .bytes = 0 };
        socklen_t bytes = sizeof(peer.sa);
        int fd = accept4(l->fd, &peer.sa.any, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            peer.bytes = bytes;
            l->accepted(l, fd, &peer);
            if (l->state != state || (state == LISTENER_OPEN && l->paused_by_owner))
                return false;
        } else if (!is_of_one_connection(errno)) {
            int error = errno;
            if (error != EAGAIN)
                pause_exhausted(l, error);
            return false;
        }
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    (void)status; /* accept4 says it better */
    (void)events;
    loop_awake(l->loop);
    accept_some(l, ACCEPTS_A_TURN);
    if (l->exhausted)
        update_poll(l);
}

static void update_poll(struct listener *l)
{
    if (l->state != LISTENER_OPEN)
        return;
    if (l->exhausted || l->paused_by_owner)
        uv_poll_stop(&l->poll);
    else
        uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

int listener_start(struct listener *l, struct loop *loop, int fd,
                   void (*accepted)(struct listener *, int, const struct address *), void *owner)
{
    *l = (struct listener){ .loop = loop, .fd = fd, .accepted = accepted, .owner = owner };
    link_init(&l->link);
    int status = uv_poll_init(&loop->uv, &l->poll, fd);
    if (status != 0)
        return status;
    l->poll.data = l;
    l->state = LISTENER_OPEN;
    update_poll(l);
    return 0;
}

void listener_pause(struct listener *l)
{
    l->paused_by_owner = true;
    update_poll(l);
}

void listener_resume(struct listener *l)
{
    l->paused_by_owner = false;
    update_poll(l);
}

void listener_peer(int fd, struct address *out)
{
    address_ask(fd, getpeername, out);
}

void listener_refuse(int fd, struct str text)
{
    ssize_t sent = text.n ? send(fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    (void)sent; /* who is not there does not miss it */
    close(fd);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    loop_awake(l->loop);
    l->closed(l);
}

static void on_drain(struct letter *letter)
{
    struct listener *l = CONTAINER_OF(letter, struct listener, drain);
    /* One backlog full: with more, somebody connects as fast as we accept, and it would not end. */
    if (!l->leaves)
        accept_some(l, BACKLOG);
    l->state = LISTENER_CLOSING;
    timer_stop(l->loop, &l->pause);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
    l->fd = -1;
}

void listener_close(struct listener *l, void (*closed)(struct listener *))
{
    CHECK(l->state == LISTENER_OPEN);
    l->state = LISTENER_DRAINING;
    l->closed = closed;
    uv_poll_stop(&l->poll);
    l->drain.open = on_drain;
    loop_defer(l->loop, &l->drain);
}

void listener_leave(struct listener *l, void (*closed)(struct listener *))
{
    l->leaves = true;
    listener_close(l, closed);
}
