#include "server/control.h"

#include <string.h>

#include "base/mem.h"
#include "coding/coder.h"
#include "io/listener.h"
#include "io/sandbox.h"
#include "io/stream.h"
#include "io/system.h"
#include "server/worker.h"

#define LINE_MOST 256

struct caller {
    struct stream stream;
    struct control *control;
    struct link link;
    char in[LINE_MOST];
    size_t n;
    struct buf out;
};

struct control {
    struct process *process;
    struct listener listener;
    struct list callers;
    struct caller *waiting; /* for the workers to look at their timers */
    size_t unseen;          /* workers that have not */
    bool closing, listening, left;
};

static void reply(struct caller *c)
{
    struct iovec iov = { c->out.p, c->out.n };
    if (stream_write(&c->stream, &iov, 1) == STREAM_BROKEN)
        stream_close(&c->stream);
}

static void reply_text(struct caller *c, const char *text)
{
    buf_clear(&c->out);
    buf_add(&c->out, str_from(text));
    reply(c);
}

static int64_t total(struct process *p, enum counter which)
{
    int64_t n = p->others ? counter_read(p->others, which) : 0;
    for (size_t i = 0; i < p->workers_n; i++)
        n += counter_read(&p->workers[i].counters, which) +
             counter_read(&p->workers[i].internal_counters, which);
    return n;
}

static const struct {
    enum counter counter;
    const char *name;
} counters[] = {
#define COUNTER(id, name, kind, help) { COUNTER_##id, name },
#include "tbl/counters.h"
#undef COUNTER
};

static void reply_gauges(struct caller *c)
{
    struct process *p = c->control->process;
    struct coder_figures coding = { 0 };
    if (p->coder)
        coder_figures(p->coder, &coding);
    buf_clear(&c->out);
    buf_add_char(&c->out, '{');
    for (size_t i = 0; i < COUNT_OF(counters); i++)
        buf_printf(&c->out, "\"%s\":%lld,", counters[i].name, (long long)total(p, counters[i].counter));
    buf_printf(&c->out,
               "\"objects\":%lld,\"resources\":%lld,\"memory_bytes\":%lld,\"memory_pages\":%lld,\"passing_"
               "bytes\":%lld,\"codings\":%lld,\"coding_now\":%lld,\"overhead_bytes\":%lld,\"overhead_high_"
               "bytes\":%lld,\"overload_step\":%d}\n",
               (long long)atomic_load(&p->cache->objects), (long long)atomic_load(&p->cache->families),
               (long long)memory_used(&p->cache->memory), (long long)memory_pages(&p->cache->memory),
               (long long)atomic_load(&p->cache->memory.passing_bytes),
               (long long)atomic_load(&p->cache->coded), (long long)coding.waiting,
               (long long)atomic_load(&p->overload.held_bytes),
               (long long)atomic_load(&p->overload.high_bytes), (int)overload_step(&p->overload));
    reply(c);
}

static void turn(struct caller *c, int64_t mono_ms, int64_t wall_ms)
{
    struct control *control = c->control;
    struct process *p = control->process;
    if (control->waiting) {
        reply_text(c, "error: another one waits\n");
        return;
    }
    atomic_fetch_add(&p->clock.mono_shift_ms, mono_ms);
    atomic_fetch_add(&p->clock.wall_shift_ms, wall_ms);
    control->waiting = c;
    control->unseen = p->workers_n;
    timers_recheck(&p->loop);
    for (size_t i = 0; i < p->workers_n; i++)
        worker_post_recheck(&p->workers[i]);
}

void control_rechecked(struct control *c)
{
    if (--c->unseen > 0)
        return;
    struct caller *caller = c->waiting;
    c->waiting = NULL;
    if (caller)
        reply_text(caller, "ok\n");
}

/* The next request stands, on its worker's loop; 0: no more. */
static void stand(struct caller *c, int64_t ms)
{
    loop_stand_next(ms);
    reply_text(c, "ok\n");
}

/* Main's loop does, in no request. */
static void stand_here(struct caller *c, int64_t ms)
{
    loop_stand_next(ms);
    loop_stand();
    reply_text(c, "ok\n");
}

/* What somebody would do who had taken the process over. */
static void try_it(struct caller *c, struct str what, struct str name)
{
    char text[LINE_MOST];
    *str_put(text, name) = '\0';
    int status = str_eq(what, STR("call")) ? sandbox_try_call(text)
                                           : sandbox_try_open(text, str_eq(what, STR("write")));
    buf_clear(&c->out);
    buf_printf(&c->out, "%s\n", status < 0 ? system_strerror(status) : "ok");
    reply(c);
}

static void run_line(struct caller *c, struct str line)
{
    uint64_t n;
    bool back = false;
    struct str word = str_cut(&line, ' ');
    if (line.n && line.p[0] == '-') {
        back = true;
        line = str_from_index(line, 1);
    }
    if (str_eq(word, STR("gauges")))
        reply_gauges(c);
    else if (str_eq(word, STR("advance")) && !back && str_to_u64(line, INT64_MAX / 2, &n))
        turn(c, (int64_t)n, (int64_t)n);
    else if (str_eq(word, STR("wall")) && str_to_u64(line, INT64_MAX / 2, &n))
        turn(c, 0, back ? -(int64_t)n : (int64_t)n);
    else if (str_eq(word, STR("stand")) && !back && str_to_u64(line, 60000, &n))
        stand(c, (int64_t)n);
    else if (str_eq(word, STR("stand-here")) && !back && str_to_u64(line, 60000, &n))
        stand_here(c, (int64_t)n);
    else if (line.n && (str_eq(word, STR("open")) || str_eq(word, STR("write")) || str_eq(word, STR("call"))))
        try_it(c, word, line);
    else
        reply_text(c, "error: advance MS, wall MS, gauges, stand MS, stand-here MS, open PATH, write PATH, "
                      "call NAME\n");
}

static size_t on_space(struct stream *s, char **p)
{
    struct caller *c = CONTAINER_OF(s, struct caller, stream);
    *p = c->in + c->n;
    return sizeof(c->in) - c->n;
}

static void on_data(struct stream *s, size_t n)
{
    struct caller *c = CONTAINER_OF(s, struct caller, stream);
    c->n += n;
    struct str all = { c->in, c->n };
    size_t end = str_index(all, '\n');
    if (end == all.n) {
        if (c->n == sizeof(c->in))
            stream_close(s);
        return;
    }
    char line[LINE_MOST];
    memcpy(line, c->in, end);
    memmove(c->in, c->in + end + 1, c->n - end - 1);
    c->n -= end + 1;
    run_line(c, (struct str){ line, end });
}

static void on_ended(struct stream *s, int status)
{
    (void)status;
    stream_close(s);
}

static void on_written(struct stream *s, int status)
{
    if (status < 0)
        stream_close(s);
}

static void end_if_quiet(struct control *c)
{
    if (c->closing && !c->listening && list_is_empty(&c->callers))
        mem_free(c);
}

static void on_closed(struct stream *s)
{
    struct caller *c = CONTAINER_OF(s, struct caller, stream);
    struct control *control = c->control;
    if (control->waiting == c)
        control->waiting = NULL;
    link_remove(&c->link);
    buf_fini(&c->out);
    mem_free(c);
    end_if_quiet(control);
}

static void on_connected(struct stream *s, int status)
{
    (void)s;
    (void)status;
}

static const struct stream_notices notices = { on_connected, on_space,   on_data,
                                               on_ended,     on_written, on_closed };

static void accepted(struct listener *l, int fd, const struct address *peer)
{
    struct control *control = l->owner;
    struct caller *c = mem_alloc(sizeof(*c));
    (void)peer;
    c->control = control;
    link_init(&c->link);
    if (stream_open(&c->stream, &control->process->loop, &notices, fd) < 0) {
        mem_free(c);
        return;
    }
    list_push_back(&control->callers, &c->link);
    stream_read_start(&c->stream);
}

int control_socket(struct str path)
{
    struct address at, bound;
    return address_local(path, &at) ? listener_socket(&at, &bound) : UV_ENAMETOOLONG;
}

struct control *control_open(struct process *p, int fd, int *status)
{
    struct control *c = mem_alloc(sizeof(*c));
    c->process = p;
    list_init(&c->callers);
    *status = listener_start(&c->listener, &p->loop, fd, accepted, c);
    if (*status < 0) {
        mem_free(c);
        return NULL;
    }
    c->listening = true;
    return c;
}

static void listener_closed(struct listener *l)
{
    struct control *c = l->owner;
    c->listening = false;
    end_if_quiet(c);
}

int control_fd(const struct control *c)
{
    return c->listener.fd;
}

void control_leave(struct control *c)
{
    c->left = true;
    listener_leave(&c->listener, listener_closed);
}

void control_close(struct control *c)
{
    c->closing = true;
    LIST_EACH_SAFE(l, &c->callers)
        stream_close(&CONTAINER_OF(l, struct caller, link)->stream);
    if (!c->left)
        listener_close(&c->listener, listener_closed);
    end_if_quiet(c);
}
