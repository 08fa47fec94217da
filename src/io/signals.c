#include "io/signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* All whose default would end the process, and that are not sent by the kernel for what the process itself
 * did. */
static const int numbers[] = { SIGTERM, SIGINT,    SIGHUP,  SIGQUIT, SIGUSR1,   SIGUSR2,
                               SIGALRM, SIGVTALRM, SIGPROF, SIGIO,   SIGSTKFLT, SIGPWR };

#define NAMED COUNT_OF(numbers)

/* The real-time ones follow. */
static int number_at(size_t i)
{
    return i < NAMED ? numbers[i] : SIGRTMIN + (int)(i - NAMED);
}

static size_t count_numbers(void)
{
    size_t n = NAMED + (size_t)(SIGRTMAX - SIGRTMIN + 1);
    CHECK(n <= SIGNALS_MOST);
    return n;
}

void signals_name(int signo, char out[SIGNAL_NAME_MAX])
{
    const char *name = signo < SIGRTMIN ? sigabbrev_np(signo) : NULL;
    if (name)
        snprintf(out, SIGNAL_NAME_MAX, "SIG%s", name);
    else
        snprintf(out, SIGNAL_NAME_MAX, "signal %d", signo);
}

static void on_signal(uv_signal_t *handle, int signo)
{
    struct signals *s = handle->data;
    loop_awake(s->loop);
    s->received(s, signo);
}

static void on_closed(uv_handle_t *handle)
{
    struct signals *s = handle->data;
    loop_awake(s->loop);
    if (--s->open == 0 && s->closed)
        s->closed(s);
}

int signals_init(struct signals *s, struct loop *l, void (*received)(struct signals *, int))
{
    size_t n = count_numbers();
    *s = (struct signals){ .loop = l, .received = received };
    for (size_t i = 0; i < n; i++) {
        /* Only the first of a loop can fail: it makes the pipe that all share. libuv has taken nothing
         * then. */
        int status = uv_signal_init(&l->uv, &s->handles[i]);
        CHECK(status == 0 || i == 0);
        if (status != 0)
            return status;
        s->handles[i].data = s;
        s->open++;
    }
    s->n = s->open;
    for (size_t i = 0; i < n; i++) {
        int status = uv_signal_start(&s->handles[i], on_signal, number_at(i));
        /* A tool that runs the program (valgrind) keeps a real-time one for itself. */
        CHECK(status == 0 || i >= NAMED);
    }
    return 0;
}

void signals_close(struct signals *s, void (*closed)(struct signals *))
{
    CHECK(s->n && s->open == s->n);
    s->closed = closed;
    for (size_t i = 0; i < s->n; i++)
        uv_close((uv_handle_t *)&s->handles[i], on_closed);
}
