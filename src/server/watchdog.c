#include "server/watchdog.h"

#include <stdio.h>

#include "base/mem.h"
#include "server/relief.h"
#include "server/worker.h"

/* ---- what a loop is in ---- */

static char *put(char *to, const char *end, struct str s)
{
    for (size_t i = 0; s.p && i < s.n && to < end; i++)
        *to++ = s.p[i];
    return to;
}

/* In a signal handler of the loop's thread: only what its request had from the beginning, or gets in one
 * store after the other (find_target in request/route.c). The path without its query, which may hold what
 * is nobody's business. */
static void describe(const void *busy_with, char out[PULSE_TEXT_MAX])
{
    const struct request *r = busy_with;
    char *end = out + PULSE_TEXT_MAX - 1, *to = out;
    if (!r)
        to = put(to, end, STR("no request"));
    if (r && r->request_id.p) {
        to = put(to, end, STR("request "));
        to = put(to, end, r->request_id);
        to = put(to, end, STR(": "));
    }
    if (r) {
        struct str target = r->target;
        size_t path = 0;
        while (target.p && path < target.n && target.p[path] != '?')
            path++;
        to = put(to, end, r->method_name);
        to = put(to, end, STR(" "));
        to = put(to, end, str_first(target, path));
    }
    *to = '\0';
}

/* ---- on its thread ---- */

static const char *loop_name(const struct watchdog *w, size_t loop, char out[32])
{
    if (loop == w->process->workers_n)
        return "main";
    snprintf(out, 32, "worker %zu", loop);
    return out;
}

static void began(void *ctx, size_t loop, const char *what)
{
    struct watchdog *w = ctx;
    char name[32];
    count(&w->counters, COUNTER_LOOP_STANDS);
    log_warning(&w->process->log, "watchdog",
                "%s stands for more than a second, in %s; nobody on it is served", loop_name(w, loop, name),
                what[0] ? what : "a call that does not come back");
}

static void ended(void *ctx, size_t loop, const char *what, const char *name, int64_t ms)
{
    struct watchdog *w = ctx;
    char of[32];
    log_warning(&w->process->log, "watchdog", "%s moves again; it stood for %lld.%lld s, in %s%s%s",
                loop_name(w, loop, of), (long long)ms / 1000, (long long)ms % 1000 / 100,
                what[0] ? what : "a call that did not come back", name[0] ? ", request " : "", name);
}

/* Twice in the time that it is given, as sd_watchdog_enabled(3) has it. */
static void moving(void *ctx)
{
    struct watchdog *w = ctx;
    int64_t every_us = w->supervisor.watchdog_us / 2;
    if (every_us == 0)
        return;
    /* Not the clock that tests turn, nor one that stands. */
    struct clock plain = { 0 };
    int64_t now_us = clock_mono_us(&plain);
    if (w->told_us && now_us - w->told_us < every_us - WATCH_LOOK_MS * 1000)
        return;
    w->told_us = now_us;
    supervisor_say(&w->supervisor, "WATCHDOG=1");
}

static bool looked(void *ctx)
{
    struct watchdog *w = ctx;
    return !relief_look(w->process);
}

static const struct watch_ops ops = { describe, began, ended, moving, looked };

/* While nothing happens; less when a supervisor wants to hear of us more often. */
#define REST_MS 500

static int64_t rest_ms(const struct supervisor *s)
{
    int64_t most = s->watchdog_us ? s->watchdog_us / 4000 : REST_MS;
    return most > REST_MS ? REST_MS : most < WATCH_LOOK_MS ? WATCH_LOOK_MS : most;
}

void watchdog_start(struct watchdog *w, struct process *p)
{
    struct loop **loops = mem_alloc((p->workers_n + 1) * sizeof(*loops));
    w->process = p;
    supervisor_open(&w->supervisor);
    for (size_t i = 0; i < p->workers_n; i++)
        loops[i] = &p->workers[i].loop;
    loops[p->workers_n] = &p->loop;
    w->watch = watch_start(loops, p->workers_n + 1, rest_ms(&w->supervisor), &ops, w);
    if (!w->watch)
        log_warning(&p->log, "watchdog", "the system has no thread for it: loops that stand are not seen");
    mem_free(loops);
}

void watchdog_stop(struct watchdog *w)
{
    watch_stop(&w->watch);
    supervisor_close(&w->supervisor);
}
