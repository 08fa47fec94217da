#include "io/starter.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* So that who signals all processes named freshet does not mean this one. */
#define NAME "freshet-starter"

enum { ASK_START, ASK_ENDED, ASK_WAIT, ASK_SIGNAL };

struct ask {
    int32_t what, signo;
};
struct answer {
    int32_t result, status;
};

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(STARTER_FDS_MAX * sizeof(int))];
};

/* ---- in its process ---- */

struct life {
    int fd;
    starter_fn start;
    void *ctx;
    pid_t pid; /* of the program; 0: none */
};

/* false: nobody asks any more. */
static bool read_ask(const struct life *l, struct ask *ask, int fds[STARTER_FDS_MAX], size_t *n)
{
    union control control;
    struct iovec iov = { ask, sizeof(*ask) };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t got;
    *n = 0;
    do
        got = recvmsg(l->fd, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != sizeof(*ask))
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            *n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
        }
    return true;
}

static struct answer look(struct life *l, bool wait)
{
    struct answer a = { .result = 1 };
    int status = 0;
    pid_t got = 0;
    if (l->pid == 0)
        return a;
    do
        got = waitpid(l->pid, &status, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    a.result = got != 0;
    a.status = got == l->pid ? status : -1;
    if (got != 0)
        l->pid = 0;
    return a;
}

static struct answer start(struct life *l, const int *fds, size_t n)
{
    if (!look(l, false).result)
        return (struct answer){ .result = -EBUSY };
    pid_t pid = l->start(l->ctx, fds, n);
    l->pid = pid > 0 ? pid : 0;
    return (struct answer){ .result = pid };
}

static struct answer do_it(struct life *l, const struct ask *ask, const int *fds, size_t n)
{
    switch (ask->what) {
    case ASK_START: return start(l, fds, n);
    case ASK_ENDED: return look(l, false);
    case ASK_WAIT: return look(l, true);
    case ASK_SIGNAL:
        /* Not waited for yet, so the number is still its own. */
        return (struct answer){ .result = l->pid ? kill(l->pid, ask->signo) : 0 };
    default: return (struct answer){ .result = -EINVAL };
    }
}

_Noreturn static void live(struct life *l)
{
    struct ask ask;
    int fds[STARTER_FDS_MAX];
    size_t n;
    for (int signo = 1; signo < NSIG; signo++)
        (void)signal(signo, SIG_DFL); /* blocked, see starter_open */
    (void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
    /* What this process was given at its start (sockets of a supervisor) is not the starter's. */
    if (l->fd > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, (unsigned)l->fd - 1, 0);
    (void)close_range((unsigned)l->fd + 1, ~0u, 0);
    while (read_ask(l, &ask, fds, &n)) {
        struct answer a = do_it(l, &ask, fds, n);
        for (size_t i = 0; i < n; i++)
            close(fds[i]);
        if (send(l->fd, &a, sizeof(a), MSG_NOSIGNAL) != sizeof(a))
            break;
    }
    _exit(0);
}

/* ---- in ours ---- */

int starter_open(struct starter *s, starter_fn start_fn, void *ctx)
{
    int ends[2];
    sigset_t all, before;
    *s = (struct starter){ .fd = -1 };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    /* Blocked and not ignored: what it starts inherits it, and a signal that comes before the program is its
     * own master waits there for it instead of being lost. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        struct life l = { .fd = ends[1], .start = start_fn, .ctx = ctx };
        close(ends[0]);
        live(&l);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -error;
    }
    s->fd = ends[0];
    return 0;
}

/* A result of -EPIPE: it is gone. */
static struct answer ask_for(const struct starter *s, struct ask ask, const int *fds, size_t n)
{
    union control control;
    struct answer a = { .result = -EPIPE, .status = -1 };
    struct iovec iov = { &ask, sizeof(ask) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t got;
    CHECK(n <= STARTER_FDS_MAX);
    if (n) {
        memset(&control, 0, sizeof(control));
        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)),
                                         .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
    }
    if (s->fd < 0 || sendmsg(s->fd, &m, MSG_NOSIGNAL) != sizeof(ask))
        return a;
    do
        got = recv(s->fd, &a, sizeof(a), 0);
    while (got < 0 && errno == EINTR);
    return got == sizeof(a) ? a : (struct answer){ .result = -EPIPE, .status = -1 };
}

pid_t starter_start(const struct starter *s, const int *fds, size_t n)
{
    return ask_for(s, (struct ask){ .what = ASK_START }, fds, n).result;
}

bool starter_has_ended(const struct starter *s, bool wait, int *status)
{
    struct answer a = ask_for(s, (struct ask){ .what = wait ? ASK_WAIT : ASK_ENDED }, NULL, 0);
    *status = a.status;
    return a.result != 0;
}

void starter_signal(const struct starter *s, int signo)
{
    (void)ask_for(s, (struct ask){ .what = ASK_SIGNAL, .signo = signo }, NULL, 0);
}

void starter_close(struct starter *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
