#include "server/worker.h"

#include "base/mem.h"
#include "io/system.h"
#include "request/source_origin.h"
#include "request/window.h"
#include "server/access_log.h"
#include "server/acme.h"
#include "server/advice.h"

#define INTERNAL_CONNECTIONS 256

static void end_if_quiet(struct worker *w);

static void changed(struct acceptor *a)
{
    end_if_quiet(a->owner);
}

/* ---- the end ---- */

static void tell_gone(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, gone);
    w->on_gone(w);
}

static void log_closed(void *ctx)
{
    struct worker *w = ctx;
    w->log_closed = true;
}

static void open_look_again(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, look_again);
    w->looks_again = false;
    end_if_quiet(w);
}

static void look_again(struct worker *w)
{
    if (w->looks_again)
        return;
    w->looks_again = true;
    w->look_again.open = open_look_again;
    loop_defer(&w->loop, &w->look_again);
}

/* Nobody tells when they are done. */
#define READERS_LOOK_MS 20

static void readers_look_again(struct timer *t)
{
    end_if_quiet(CONTAINER_OF(t, struct worker, readers));
}

static void close_internal(struct worker *w)
{
    if (!w->has_internal)
        return;
    w->has_internal = false;
    acceptor_drain(&w->internal_acceptor);
    if (w->cut)
        acceptor_close_all(&w->internal_acceptor);
}

/* Drained: nothing is left but fetches that nobody reads and idle connections; they end the loop. While any
 * worker has visitors the internal listener answers: that it is not ready, and what is still open. */
static void end_if_quiet(struct worker *w)
{
    if (!w->draining || w->ending || !w->follows_not || !acceptor_is_quiet(&w->acceptor))
        return;
    if (w->has_internal && !w->alone)
        return;
    if (!w->cut && fetcher_has_readers(&w->fetcher)) {
        timer_start(&w->loop, &w->readers, READERS_LOOK_MS, readers_look_again);
        return;
    }
    close_internal(w);
    if (!acceptor_is_quiet(&w->internal_acceptor))
        return;
    if (!acceptor_end(&w->acceptor)) {
        look_again(w);
        return;
    }
    w->ending = true;
    timer_stop(&w->loop, &w->deadline);
    timer_stop(&w->loop, &w->readers);
    fetcher_cancel_all(&w->fetcher);
    pool_close(&w->pool);
    if (w->access_log)
        logfile_close(w->access_log, log_closed, w);
    w->access_log = NULL;
    w->sites.log_request = NULL;
    loop_close(&w->loop);
}

static void cut_off(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, deadline);
    w->cut = true;
    size_t open = w->acceptor.front->open;
    if (open)
        log_warning(&w->process->log, "worker", "drain_timeout is over: %zu connections are cut", open);
    acceptor_close_all(&w->acceptor);
    acceptor_close_all(&w->internal_acceptor);
}

static void open_drain(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, drain);
    w->draining = w->sites.draining = w->internal.draining = true;
    timer_start(&w->loop, &w->deadline, w->sites.snapshot->settings->process.drain_timeout, cut_off);
    acceptor_drain(&w->acceptor);
    prober_stop(&w->prober);
    w->follows_not = follow_stop(&w->follow);
    end_if_quiet(w);
}

static void left(struct front *f, int fd, const struct address *peer, struct str early)
{
    struct acceptor *a = f->owner;
    struct worker *w = a->owner;
    (void)peer;
    w->process->left(w->process, a == &w->internal_acceptor, fd, early);
}

static bool drains(const struct acceptor *a, size_t i)
{
    const struct worker *w = a->owner;
    return !w->process->is_left(w->process, a->listeners[i].fd);
}

static void tell_left(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, left);
    w->on_left(w);
}

/* Another process has the listening sockets and the store. What begins here from now on does not look into
 * the cache: it does not know of purges that are made there. */
static void open_leave(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, leave);
    w->draining = w->sites.draining = w->internal.draining = true;
    w->sites.leaving = w->internal.leaving = true;
    w->has_internal = false;
    timer_start(&w->loop, &w->deadline, w->sites.snapshot->settings->process.drain_timeout, cut_off);
    w->acceptor.front->left = w->internal_acceptor.front->left = left;
    acceptor_leave(&w->acceptor, drains);
    acceptor_leave(&w->internal_acceptor, drains);
    prober_stop(&w->prober); /* the new process checks */
    w->follows_not = follow_stop(&w->follow);
    w->left.open = tell_left;
    loop_post(&w->process->loop, &w->left);
    end_if_quiet(w);
}

static void tell_passed_by(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, passed_by);
    w->on_passed_by(w);
}

static void open_pass_by(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, pass_by);
    w->passed_by.open = tell_passed_by;
    loop_post(&w->process->loop, &w->passed_by);
}

static void follow_quiet(struct follow *f)
{
    struct worker *w = CONTAINER_OF(f, struct worker, follow);
    w->follows_not = true;
    end_if_quiet(w);
}

static void stored(struct fetcher *f, const struct fetch_plan *plan, struct object *o)
{
    struct worker *w = f->owner;
    follow_stored(&w->follow, plan, o);
}

static bool is_left(struct fetcher *f, const struct fetch_plan *plan)
{
    struct worker *w = f->owner;
    const struct release *own = plan->site->release;
    struct ledger_release live;
    ledger_live(&w->process->deploys.ledger, plan->site->name, &live);
    /* What was begun while it was prepared (a link that is followed, too) says so when it has been left as
     * well. */
    return release_is_ahead(own) ? own->number < live.number : own->number != live.number;
}

static void open_last(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, last);
    w->alone = true;
    end_if_quiet(w);
}

/* ---- other letters ---- */

static void open_reopen(struct loop_notice *n)
{
    struct worker *w = CONTAINER_OF(n, struct worker, reopen);
    int status = w->access_log ? logfile_reopen(w->access_log) : 0;
    if (status == 0 || atomic_exchange(&w->process->reopen_failed, true))
        return;
    const char *advice = advice_log(status);
    log_warning(&w->process->log, "access log",
                "cannot reopen %s: %s; %s%ssend SIGUSR1 again. The old file is still written to.",
                logfile_name(w->access_log), system_strerror(status), advice ? advice : "",
                advice ? ", then " : "");
}

static void open_rechecked(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, rechecked);
    w->on_rechecked(w);
}

static void open_recheck(struct letter *l)
{
    struct worker *w = CONTAINER_OF(l, struct worker, recheck);
    timers_recheck(&w->loop);
    w->rechecked.open = open_rechecked;
    loop_post(&w->process->loop, &w->rechecked);
}

static void open_reloaded(struct loop_notice *n)
{
    struct worker *w = CONTAINER_OF(n, struct worker, reloaded);
    w->on_reloaded(w);
}

static void open_relief(struct loop_notice *n)
{
    struct worker *w = CONTAINER_OF(n, struct worker, relief);
    struct overload *o = &w->process->overload;
    windows_relieve(w->windows);
    if (!w->ending)
        acceptor_relieve(&w->acceptor, overload_step(o), overload_excess(o) / (int64_t)w->process->workers_n);
}

static void open_reload(struct loop_notice *n)
{
    struct worker *w = CONTAINER_OF(n, struct worker, reload);
    struct settings *s = atomic_exchange(&w->next_settings, NULL);
    if (!s)
        return;
    notice_send(&w->reloaded.notice, &w->loop);
    if (w->index == 0 && !w->draining)
        prober_start(&w->prober, s);
    requests_set_settings(&w->sites, settings_ref(s));
    requests_set_settings(&w->internal, s);
    follow_forget(&w->follow, s);
}

void worker_post_drain(struct worker *w)
{
    w->drain.open = open_drain;
    loop_post(&w->loop, &w->drain);
}

void worker_post_leave(struct worker *w)
{
    w->leave.open = open_leave;
    loop_post(&w->loop, &w->leave);
}

void worker_post_pass_by(struct worker *w)
{
    w->pass_by.open = open_pass_by;
    loop_post(&w->loop, &w->pass_by);
}

void worker_post_last(struct worker *w)
{
    w->last.open = open_last;
    loop_post(&w->loop, &w->last);
}

void worker_post_reopen(struct worker *w)
{
    notice_send(&w->reopen.notice, &w->process->loop);
}

void worker_post_relief(struct worker *w)
{
    notice_send(&w->relief.notice, NULL);
}

void worker_post_recheck(struct worker *w)
{
    w->recheck.open = open_recheck;
    loop_post(&w->loop, &w->recheck);
}

void worker_post_reload(struct worker *w, struct settings *s)
{
    struct settings *unread = atomic_exchange(&w->next_settings, settings_ref(s));
    if (unread)
        settings_unref(unread);
    notice_send(&w->reload.notice, &w->process->loop);
}

/* ---- life ---- */

static void init_requests(struct worker *w, struct requests *r, struct source *source,
                          struct counters *counters)
{
    struct process *p = w->process;
    *r = (struct requests){
        .loop = &w->loop,
        .log = &p->log,
        .cache = p->cache,
        .fetcher = &w->fetcher,
        .origins = &p->origins,
        .counters = counters,
        .country = p->country,
        .source = source,
        .self = p->self,
        .next_id = &w->next_id,
        .tunnels = &p->tunnels,
        .tunnels_said = &p->tunnels_said,
        .facts_desk = &w->facts_desk,
        .readings = &w->readings,
        .windows = w->windows,
        .overload = &p->overload,
    };
    list_init(&r->open);
    requests_set_settings(r, settings_ref(p->settings));
}

static int start_listeners(struct worker *w, const struct worker_socket *sockets, size_t n, int internal_fd)
{
    for (size_t i = 0; i < n; i++) {
        int status = acceptor_listen(&w->acceptor, sockets[i].fd, sockets[i].how);
        if (status < 0)
            return status;
    }
    if (internal_fd < 0)
        return 0;
    int status = acceptor_listen(&w->internal_acceptor, internal_fd, (struct listening){ 0 });
    w->has_internal = status == 0;
    return status;
}

/* Said once for all workers: which way their sockets go, when it is not the faster one. */
static int choose_io(struct worker *w)
{
    struct process *p = w->process;
    if (p->settings->process.io == IO_EPOLL)
        return 0;
    int status = loop_use_ring(&w->loop);
    if (status == 0)
        return 0;
    if (p->settings->process.io == IO_URING) {
        log_error(&p->log, "worker",
                  "io: io_uring: %s. Linux 6.1 has what is needed; containers often forbid it. `io: auto` "
                  "does without",
                  system_strerror(status));
        return status;
    }
    if (w->index == 0)
        log_info(&p->log, "worker", "sockets by epoll: no io_uring here (%s)", system_strerror(status));
    return 0;
}

int worker_init(struct worker *w, struct process *p, unsigned index, const struct worker_socket *sockets,
                size_t n, int internal_fd)
{
    *w = (struct worker){ .process = p, .index = index, .alone = p->workers_n == 1 };
    int status = loop_init(&w->loop, &p->clock, &p->log);
    if (status < 0)
        return status;
    loop_share_chores(&w->loop, &p->loop);
    status = choose_io(w);
    if (status < 0)
        return status;
    readings_init(&w->readings);
    w->windows = windows_new(p->cache, &w->loop, &p->overload);
    loop_notice_init(&w->relief, &w->loop, open_relief);
    loop_notice_init(&w->reopen, &w->loop, open_reopen);
    loop_notice_init(&w->reload, &w->loop, open_reload);
    loop_notice_init(&w->reloaded, &p->loop, open_reloaded);
    /* Numbers of different workers never meet. */
    w->next_id = (uint64_t)index << 48;
    pool_init(&w->pool, &w->loop, &p->log, &w->counters);
    prober_init(&w->prober, &w->loop, &p->log, &w->pool, &w->counters, &p->origins);
    fetcher_init(&w->fetcher, &w->loop, &p->log, p->cache, &w->pool, &w->counters);
    w->fetcher.streams = &p->streams;
    w->fetcher.streams_said = &p->streams_said;
    w->fetcher.overload = &p->overload;
    facts_desk_init(&w->facts_desk, p->facts, &w->loop);
    init_requests(w, &w->sites, &source_origin, &w->counters);
    follow_init(&w->follow, &w->sites);
    w->follow.quiet = follow_quiet;
    w->fetcher.stored = stored;
    w->fetcher.is_left = is_left;
    w->fetcher.owner = w;
    w->sites.purges = &p->admin.by_method;
    w->sites.webhooks = &p->admin.by_webhook;
    w->sites.challenges = process_acme_source(p->acme);
    init_requests(w, &w->internal, p->internal, &w->internal_counters);
    acceptor_init(&w->acceptor, &w->loop, front_new(&w->sites));
    acceptor_init(&w->internal_acceptor, &w->loop, front_new(&w->internal));
    w->acceptor.owner = w->internal_acceptor.owner = w;
    w->acceptor.changed = w->internal_acceptor.changed = changed;
    w->acceptor.others = p->acceptors;
    w->acceptor.others_n = p->workers_n;
    w->acceptor.clients = p->clients;
    w->acceptor.tls = p->tls;
    w->acceptor.clients_said = &p->clients_said;
    w->acceptor.stranger_said = &p->stranger_said;
    w->acceptor.proxied.said = &p->proxied_said;
    p->acceptors[index] = &w->acceptor;
    w->internal_acceptor.connections_max = INTERNAL_CONNECTIONS;
    return start_listeners(w, sockets, n, internal_fd);
}

static void lines_lost(void *ctx, uint64_t n)
{
    struct worker *w = ctx;
    count_add(&w->counters, COUNTER_LOG_LINES_LOST, (int64_t)n);
}

int worker_open_log(struct worker *w)
{
    int error = 0;
    w->access_log = logfile_open(&w->loop, w->process->settings->process.access_log, &error);
    if (!w->access_log)
        return error;
    logfile_on_lost(w->access_log, lines_lost, w);
    w->sites.log_ctx = w->access_log;
    w->sites.log_request = access_log_request;
    return 0;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    if (w->index == 0)
        prober_start(&w->prober, w->sites.snapshot->settings);
    loop_run(&w->loop);
    w->gone.open = tell_gone;
    loop_post(&w->process->loop, &w->gone);
    return NULL;
}

void worker_start(struct worker *w)
{
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        mem_no_thread();
}

void worker_join(struct worker *w)
{
    CHECK(pthread_join(w->thread, NULL) == 0);
}

void worker_fini(struct worker *w)
{
    facts_desk_fini(&w->facts_desk);
    acceptor_fini(&w->acceptor);
    acceptor_fini(&w->internal_acceptor);
    fetcher_fini(&w->fetcher);
    pool_fini(&w->pool);
    follow_fini(&w->follow);
    requests_fini(&w->sites);
    requests_fini(&w->internal);
    readings_fini(&w->readings);
    windows_free(w->windows);
    struct settings *unread = atomic_exchange(&w->next_settings, NULL);
    if (unread)
        settings_unref(unread);
    loop_fini(&w->loop);
}
