#include "io/starter.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/channel.h"

/* So that who signals all processes named freshet does not mean this one. */
#define NAME "freshet-starter"

/* The types of the channel's messages. Answers are a struct answer, and have the type of what was asked. */
enum { ASK_START = 'S', ASK_ENDED = 'E', ASK_WAIT = 'W', ASK_SIGNAL = 'K' /* text: the number, a byte */ };

struct answer {
    int32_t result, status;
};

/* Waits until something comes. false: nobody is there any more. */
static bool receive(int fd, struct channel_message *m)
{
    int got;
    do
        got = channel_receive(fd, m, INT32_MAX);
    while (got == 0);
    return got == 1;
}

/* ---- in its process ---- */

struct life {
    int fd;
    starter_fn start;
    void *ctx;
    pid_t pid; /* of the program; 0: none */
};

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

static struct answer do_it(struct life *l, const struct channel_message *m)
{
    switch (m->type) {
    case ASK_START: return start(l, m->fds, m->fds_n);
    case ASK_ENDED: return look(l, false);
    case ASK_WAIT: return look(l, true);
    case ASK_SIGNAL:
        /* Not waited for yet, so the number is still its own. */
        return (struct answer){ .result = l->pid && m->n == 1 ? kill(l->pid, m->text[0]) : 0 };
    default: return (struct answer){ .result = -EINVAL };
    }
}

_Noreturn static void live(struct life *l)
{
    struct channel_message *m = mem_alloc(sizeof(*m));
    for (int signo = 1; signo < NSIG; signo++)
        (void)signal(signo, SIG_DFL); /* blocked, see starter_open */
    (void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
    /* What this process was given at its start (sockets of a supervisor) is not the starter's. */
    if (l->fd > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, (unsigned)l->fd - 1, 0);
    (void)close_range((unsigned)l->fd + 1, ~0u, 0);
    while (receive(l->fd, m)) {
        struct answer a = do_it(l, m);
        channel_close_fds(m);
        if (channel_send(l->fd, m->type, (struct str){ (const char *)&a, sizeof(a) }, NULL, 0) < 0)
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
    int status = channel_pair(ends);
    if (status < 0)
        return status;
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
static struct answer ask(const struct starter *s, char what, struct str text, const int *fds, size_t n)
{
    struct answer a = { .result = -EPIPE, .status = -1 };
    CHECK(n <= STARTER_FDS_MAX);
    if (s->fd < 0 || channel_send(s->fd, what, text, fds, n) < 0)
        return a;
    struct channel_message *m = mem_alloc(sizeof(*m));
    if (receive(s->fd, m) && m->type == what && m->n == sizeof(a))
        memcpy(&a, m->text, sizeof(a));
    mem_free(m);
    return a;
}

pid_t starter_start(const struct starter *s, const int *fds, size_t n)
{
    return ask(s, ASK_START, STR_NONE, fds, n).result;
}

bool starter_has_ended(const struct starter *s, bool wait, int *status)
{
    struct answer a = ask(s, wait ? ASK_WAIT : ASK_ENDED, STR_NONE, NULL, 0);
    *status = a.status;
    return a.result != 0;
}

void starter_signal(const struct starter *s, int signo)
{
    char number = (char)signo;
    (void)ask(s, ASK_SIGNAL, (struct str){ &number, 1 }, NULL, 0);
}

void starter_close(struct starter *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
