#include "io/signals.h"

#include <signal.h>

#include "base/check.h"

static const int numbers[SIGNALS] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

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
    *s = (struct signals){ .loop = l, .received = received };
    for (size_t i = 0; i < SIGNALS; i++) {
        /* Only the first of a loop can fail: it makes the pipe that all share. libuv has taken nothing then. */
        int status = uv_signal_init(&l->uv, &s->handles[i]);
        CHECK(status == 0 || i == 0);
        if (status != 0)
            return status;
        s->handles[i].data = s;
        s->open++;
    }
    for (size_t i = 0; i < SIGNALS; i++)
        CHECK(uv_signal_start(&s->handles[i], on_signal, numbers[i]) == 0);
    return 0;
}

void signals_close(struct signals *s, void (*closed)(struct signals *))
{
    CHECK(s->open == SIGNALS);
    s->closed = closed;
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&s->handles[i], on_closed);
}
