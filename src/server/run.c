#include "server/run.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cache/purge.h"
#include "cache/sweep.h"
#include "coding/coder.h"
#include "server/disk.h"
#include "client/running.h"
#include "client/state.h"
#include "conf/limits.h"
#include "io/background.h"
#include "io/signals.h"
#include "io/system.h"
#include "origin/trust.h"
#include "server/acme.h"
#include "server/certified.h"
#include "server/confine.h"
#include "server/load.h"
#include "server/facts.h"
#include "server/prepare.h"
#include "server/relief.h"
#include "server/takeover.h"
#include "server/tls.h"
#include "server/upgrade.h"
#include "server/watchdog.h"
#include "server/worker.h"
#ifdef FRESHET_CONTROL
#include "server/control.h"
#endif

#define SWEEP_US    250
#define NAP_MOST_US 5000 /* shorter than a timer */
#define DOUBLED_MS  1000
/* What one client may have of all connections; a browser and a few more in any case. */
#define CLIENT_PART  4
#define CLIENT_LEAST 32

struct run {
    struct process p;
    const struct cli *cli;
    struct signals signals;
    struct timer sweep;
    struct letter sweep_on;
#ifdef FRESHET_CONTROL
    struct control *control;
#endif
    size_t gone;                     /* workers */
    struct settings *before;         /* while workers still take the new ones: the old, a reference */
    struct loop_notice wanted;       /* a worker wants a site's live release to be switched */
    struct deploy_switch *switching; /* the new settings are those of this switch */
    size_t reloaded;                 /* workers that have them */
    bool reload_again;
    bool draining, signals_open;
    int drain_signo; /* what asked for it, and when */
    int64_t drain_ms;
    char self[24];
    struct preparation found;
    struct settings *at_start; /* a reference: those that `found` was found for */
    struct file_id admin_file; /* in the state folder, when it could be written */
    struct presence presence;  /* in the runtime folder */
    bool admin_written;
    struct facts_watch facts_watch;
    struct disk_watch disk_watch;
    struct watchdog watchdog;
    struct confinement confinement;
    struct upgrade upgrade;
    struct takeover takeover;
    struct certified certified;
    struct loop_notice upgrade_wanted; /* somebody asks for it by the admin listener */
    bool replaced;                     /* another process serves */
    bool upgrade_waits;                /* for the end of a reload, a switch, or an upgrade that has failed */
};

/* ---- the log of errors and warnings ---- */

static void write_record(struct log *log, struct str line)
{
    (void)log;
    /* One write, so that records of several threads are not torn; to whom else could a failure be told? */
    ssize_t n = write(STDERR_FILENO, line.p, line.n);
    (void)n;
}

static int say(const char *what, struct str about, int status)
{
    fprintf(stderr, "freshet: %s \"%.*s\": %s\n", what, STR_ARG(about), system_strerror(status));
    return 1;
}

/* Nothing fails for it before the site is busy. */
static void say_limits(struct process *p, const struct settings *s, uint64_t files)
{
    struct buf lines = BUF_INIT;
    limits_check(s, files, &lines);
    for (struct str rest = buf_str(&lines), line; rest.p && (line = str_cut(&rest, '\n')).n;)
        log_warning(&p->log, "main", "%.*s", STR_ARG(line));
    buf_fini(&lines);
}

/* ---- the sweep ---- */

/* Slices of a quarter of a millisecond, so that a worker on the same core is never held up for long. Between
 * two of them main's loop looks for signals. */
static void sweep(struct timer *t)
{
    struct run *r = CONTAINER_OF(t, struct run, sweep);
    int64_t wait_us = cache_sweep(r->p.cache, &r->p.clock, SWEEP_US);
    if (wait_us > NAP_MOST_US) {
        timer_start(&r->p.loop, t, wait_us / 1000, sweep);
        return;
    }
    background_nap(wait_us);
    loop_post(&r->p.loop, &r->sweep_on);
}

static void sweep_on(struct letter *l)
{
    struct run *r = CONTAINER_OF(l, struct run, sweep_on);
    if (r->gone < r->p.workers_n)
        sweep(&r->sweep);
}

/* ---- the end ---- */

static void signals_closed(struct signals *s)
{
    struct run *r = CONTAINER_OF(s, struct run, signals);
    r->signals_open = false;
}

static void worker_gone(struct worker *w)
{
    struct run *r = CONTAINER_OF(w->process, struct run, p);
    if (++r->gone < r->p.workers_n) {
        /* The one that is left has the admin listener, and waits for this. */
        if (r->gone == r->p.workers_n - 1 && r->found.admin_fd >= 0 && !r->replaced)
            worker_post_last(&r->p.workers[0]);
        return;
    }
    timer_stop(&r->p.loop, &r->sweep);
    process_acme_stop(r->p.acme, false);
    process_tls_stop(r->p.tls);
    timer_stop(&r->p.loop, &r->facts_watch.again);
    process_disk_stop(&r->p, &r->disk_watch);
    process_facts_stop(&r->p, &r->facts_watch);
    signals_close(&r->signals, signals_closed);
    takeover_stop(&r->takeover);
    upgrade_end(&r->upgrade);
#ifdef FRESHET_CONTROL
    if (r->control)
        control_close(r->control);
    r->control = NULL;
#endif
    loop_close(&r->p.loop);
}

#ifdef FRESHET_CONTROL
static void worker_rechecked(struct worker *w)
{
    struct run *r = CONTAINER_OF(w->process, struct run, p);
    if (r->control)
        control_rechecked(r->control);
}
#endif

/* What is left behind is a sign of an end that nobody asked for. */
static void remove_admin_file(struct run *r)
{
    if (r->found.admin_fd < 0)
        return;
    presence_withdraw(&r->presence);
    if (r->admin_written)
        state_remove_admin(r->found.state, &r->admin_file);
    r->admin_written = false; /* the next one may get the same number */
}

/* Asked for the second time. coreutils' timeout, a terminal over npm, and whatever else signals both a
 * process group and the process in it send one wish twice. */
static void drain_again(struct run *r, int signo)
{
    if (signo == r->drain_signo && r->p.loop.now.mono_ms - r->drain_ms < DOUBLED_MS) {
        char name[SIGNAL_NAME_MAX];
        signals_name(signo, name);
        log_info(&r->p.log, "main", "%s came twice within a second: taken as one; one more stops at once",
                 name);
        return;
    }
    /* Meant: do not wait for anybody. */
    log_warning(&r->p.log, "main", "stopping at once");
    remove_admin_file(r);
    system_exit_now(1);
}

static void drain(struct run *r, int signo)
{
    upgrade_stop(&r->upgrade, "this one was asked to end meanwhile");
    if (r->upgrade.state == UPGRADE_LEAVES) {
        r->upgrade.ends = signo; /* in a moment it drains anyway, and the new one is told to end */
        return;
    }
    if (r->draining) {
        drain_again(r, signo);
        return;
    }
    r->draining = true;
    r->drain_signo = signo;
    r->drain_ms = r->p.loop.now.mono_ms;
    atomic_store(&r->p.admin.ready, false);
    log_info(&r->p.log, "main", "draining");
    supervisor_say(&r->watchdog.supervisor, "STOPPING=1");
    for (size_t i = 0; i < r->p.workers_n; i++)
        worker_post_drain(&r->p.workers[i]);
}

/* ---- reload ---- */

static void reload(struct run *r);
static void switch_next(struct run *r);
static void upgrade(struct run *r);

static void purge_changed_sites(struct run *r, const struct settings *before, const struct settings *after)
{
    struct arena arena;
    arena_init(&arena, 1024);
    for (size_t i = 0; i < before->sites_n; i++) {
        const struct site_settings *old = &before->sites[i], *new = settings_site_by_name(after, old->name);
        if (new && !site_settings_store_changed(old, new))
            continue;
        struct purge purge = {
            .scope = PURGE_OF_SITE, .kind = PURGE_HARD, .cause = PURGE_BY_RELOAD, .site = old->name
        };
        struct purge_result result;
        struct purge_error error;
        /* The old settings have the site; the new ones need not. */
        CHECK(purge_apply(r->p.cache, before, &purge, r->p.loop.now.mono_ms, &arena, &result, &error));
        log_info(&r->p.log, "main", "site %.*s: its cache was emptied", STR_ARG(old->name));
    }
    arena_fini(&arena);
}

/* The workers have all taken the new settings: what is fetched from now on is made under them, and what was
 * made under the old ones, or is on its way, is older than the purge. */
static void worker_reloaded(struct worker *w)
{
    struct run *r = CONTAINER_OF(w->process, struct run, p);
    if (!r->before || ++r->reloaded < r->p.workers_n)
        return;
    if (!r->switching) {
        purge_changed_sites(r, settings_as_read(r->before), settings_as_read(r->p.settings));
        process_disk_reloaded(&r->p, &r->disk_watch);
    }
    settings_unref(r->before);
    r->before = NULL;
    if (r->switching) {
        deploys_made(&r->p.deploys, r->switching);
        r->switching = NULL;
    } else {
        admin_reloaded(&r->p.admin, STR_NONE, r->p.loop.now.wall_ms);
        log_info(&r->p.log, "main", "reloaded");
        supervisor_say(&r->watchdog.supervisor, "READY=1");
    }
    if (r->reload_again && !r->draining)
        reload(r); /* and does nothing when the file has mistakes */
    switch_next(r);
    if (r->upgrade_waits && !r->before)
        upgrade(r);
}

/* Takes over the reference. worker_reloaded follows for each worker. */
static void give_workers(struct run *r, struct settings *s)
{
    CHECK(!r->before);
    r->reloaded = 0;
    for (size_t i = 0; i < r->p.workers_n; i++)
        worker_post_reload(&r->p.workers[i], s);
    r->before = r->p.settings;
    r->p.settings = s;
    r->p.cache->sweep_settings = s;
}

/* Takes over the reference, and returns one. */
static struct settings *settings_of_deploys(struct run *r, struct settings *read)
{
    struct str changed = STR_NONE;
    struct settings *s = ledger_settings(&r->p.deploys.ledger, read, clock_now(&r->p.clock), &changed);
    if (changed.n)
        log_warning(&r->p.log, "main",
                    "site %.*s: the file names another origin than before, so this one counts, and that of "
                    "its deploy no more",
                    STR_ARG(changed));
    settings_unref(read);
    return s;
}

/* Those for visitors and those of origins. false: the old ones stay. */
static bool take_certificates(struct run *r, const struct settings *s, struct buf *errors,
                              struct buf *warnings)
{
    struct trusts *trusts = r->p.origins.trusts;
    return trusts_try(trusts, s, errors, warnings) &&
           (!r->p.tls || process_tls_load(r->p.tls, s, errors, warnings)) && trusts_take(trusts);
}

static void reload(struct run *r)
{
    r->reload_again = r->before != NULL || upgrade_runs(&r->upgrade);
    if (r->reload_again)
        return; /* one after the other */
    struct buf errors = BUF_INIT, names = BUF_INIT;
    supervisor_say_reloading(&r->watchdog.supervisor);
    struct settings *s = load_settings(r->cli, &errors);
    if (s && !take_certificates(r, s, &errors, &names)) {
        settings_unref(s);
        s = NULL;
    }
    if (!s) {
        struct str rest_of = buf_str(&errors);
        admin_reloaded(&r->p.admin, str_cut(&rest_of, '\n'), r->p.loop.now.wall_ms);
        log_error(&r->p.log, "main", "reload: the old settings stay, the new ones have errors:");
        for (struct str rest = buf_str(&errors), line; rest.p && (line = str_cut(&rest, '\n')).n;)
            log_error(&r->p.log, "main", "%.*s", STR_ARG(line));
        if (confine_may_be_why(&r->p.settings->process, buf_str(&errors)))
            log_error(&r->p.log, "main",
                      "if the permissions are right: the sandbox lets a reload read only from the folders "
                      "that were "
                      "named when freshet was started; a restart helps");
        buf_fini(&errors);
        supervisor_say(&r->watchdog.supervisor,
                       "READY=1\nSTATUS=The new configuration has errors, the old one stays");
        return;
    }
    buf_fini(&errors);
    process_acme_reload(r->p.acme, s);
    for (struct str rest = buf_str(&names), line; rest.p && (line = str_cut(&rest, '\n')).n;)
        log_warning(&r->p.log, "tls", "%.*s", STR_ARG(line));
    buf_clear(&names);
    say_limits(&r->p, s, r->found.files);
    if (settings_start_changed(r->at_start, s, &names))
        log_warning(&r->p.log, "main", "reload: these need a restart: %.*s", STR_ARG(buf_str(&names)));
    buf_fini(&names);
    give_workers(r, settings_of_deploys(r, s));
}

/* ---- deploys ---- */

/* A deploy is a reload of the settings that were read, with another release: requests keep what they began
 * with. */
static void switch_to(struct run *r, struct deploy_switch *s)
{
    struct str changed = STR_NONE;
    struct settings *read = settings_as_read(r->p.settings);
    s->is_refused = r->draining || upgrade_runs(&r->upgrade) || !settings_site_by_name(read, s->site);
    if (s->is_refused) {
        deploys_made(&r->p.deploys, s);
        return;
    }
    ledger_switch(&r->p.deploys.ledger, s->site, &s->to, s->keep_ms, s->prepared_since_ms,
                  clock_now(&r->p.clock));
    r->switching = s;
    give_workers(r, ledger_settings(&r->p.deploys.ledger, read, clock_now(&r->p.clock), &changed));
}

/* One after the other. */
static void switch_next(struct run *r)
{
    struct deploy_switch *s;
    while (!r->before && (s = deploys_next(&r->p.deploys)) != NULL)
        switch_to(r, s);
}

static void switch_wanted(struct loop_notice *n)
{
    switch_next(CONTAINER_OF(n, struct run, wanted));
}

/* ---- an upgrade ---- */

static void refuse_upgrade(struct run *r, struct buf *why)
{
    log_error(&r->p.log, "upgrade", "%.*s", STR_ARG(buf_str(why)));
    admin_upgrade_ended(&r->p.admin, buf_str(why));
}

static void upgrade(struct run *r)
{
    struct buf why = BUF_INIT;
    bool has_failed = r->upgrade.state == UPGRADE_FAILED;
    if (r->draining || (upgrade_runs(&r->upgrade) && !has_failed))
        return; /* one after the other; and an end is an end */
    r->upgrade_waits = r->before != NULL || has_failed;
    if (r->upgrade_waits)
        return;
    admin_upgrade_begun(&r->p.admin);
    if (successor_is_first())
        buf_add(&why, STR("this freshet is process 1 of its container, which would end with it: start a new "
                          "container instead"));
#ifdef FRESHET_CONTROL
    r->upgrade.control_fd = r->control ? control_fd(r->control) : -1;
#endif
    if (why.n || !upgrade_start(&r->upgrade, &why))
        refuse_upgrade(r, &why);
    buf_fini(&why);
}

static void upgrade_wanted(struct loop_notice *n)
{
    upgrade(CONTAINER_OF(n, struct run, upgrade_wanted));
}

static void upgrade_failed(struct upgrade *u)
{
    struct run *r = CONTAINER_OF(u, struct run, upgrade);
    if (r->reload_again && !r->draining)
        reload(r);
    switch_next(r);
    if (r->upgrade_waits)
        upgrade(r);
}

/* What others find this process by will be the new one's. */
static void upgrade_leaves(struct upgrade *u)
{
    struct run *r = CONTAINER_OF(u, struct run, upgrade);
    remove_admin_file(r);
    process_acme_stop(r->p.acme, true);
#ifdef FRESHET_CONTROL
    if (r->control)
        control_leave(r->control);
#endif
}

/* The workers drain. */
static void upgrade_gone(struct upgrade *u)
{
    struct run *r = CONTAINER_OF(u, struct run, upgrade);
    r->draining = r->replaced = true;
    r->drain_ms = r->p.loop.now.mono_ms;
    atomic_store(&r->p.admin.ready, false);
    watchdog_stop(&r->watchdog);
    if (r->reload_again)
        successor_signal(&u->successor, SIGHUP); /* it may have read the file before it was changed */
    if (u->ends)
        successor_signal(&u->successor, u->ends);
    switch_next(r);
}

static void init_upgrade(struct run *r)
{
    struct upgrade *u = &r->upgrade;
    u->process = &r->p;
    u->found = &r->found;
    u->facts_watch = &r->facts_watch;
    u->disk_watch = &r->disk_watch;
    u->supervisor = &r->watchdog.supervisor;
    u->control_fd = -1;
    u->leaves = upgrade_leaves;
    u->gone = upgrade_gone;
    u->failed = upgrade_failed;
    upgrade_init(u);
    loop_notice_init(&r->upgrade_wanted, &r->p.loop, upgrade_wanted);
    r->p.admin.pid = getpid();
    r->p.admin.upgrade_main = &r->upgrade_wanted.notice;
}

static void received(struct signals *s, int signo)
{
    struct run *r = CONTAINER_OF(s, struct run, signals);
    char name[SIGNAL_NAME_MAX];
    switch (signo) {
    case SIGTERM:
    case SIGINT:
    case SIGQUIT: drain(r, signo); break;
    case SIGHUP:
        if (!r->draining)
            reload(r);
        break;
    case SIGUSR1:
        atomic_store(&r->p.reopen_failed, false);
        for (size_t i = 0; i < r->p.workers_n; i++)
            worker_post_reopen(&r->p.workers[i]);
        break;
    case SIGUSR2: upgrade(r); break;
    default:
        signals_name(signo, name);
        log_warning(
            &r->p.log, "main",
            "%s means nothing here: SIGHUP reads the configuration again, SIGUSR1 opens the access log "
            "again, SIGUSR2 starts a new freshet in its place, SIGTERM ends it",
            name);
    }
}

/* ---- set-up ---- */

static void make_self(struct run *r)
{
    unsigned char id[4];
    system_random(id, sizeof(id));
    int n = snprintf(r->self, sizeof(r->self), "freshet-%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    r->p.self = (struct str){ r->self, (size_t)n };
}

static void init_admin(struct run *r)
{
    struct admin *a = &r->p.admin;
    a->token = buf_str(&r->found.token);
    a->cache = r->p.cache;
    a->origins = &r->p.origins;
    a->deploys = &r->p.deploys;
    a->facts = r->p.facts;
    a->tokens = &r->p.tokens;
    if (r->p.tls) {
        certified_init(&r->certified, r->p.tls, r->p.acme);
        a->certificates = &r->certified.desk;
    }
    a->workers = r->p.workers_n;
    a->counters = mem_alloc(a->workers * sizeof(struct counters *));
    for (size_t i = 0; i < a->workers; i++)
        a->counters[i] = &r->p.workers[i].counters;
    a->overload = &r->p.overload;
    a->others = r->p.others = &r->watchdog.counters;
    a->clock = &r->p.clock;
    struct now now = clock_now(&r->p.clock);
    a->started_wall_ms = now.wall_ms;
    a->started_mono_ms = now.mono_ms;
    admin_init(a);
    r->p.internal = &a->source;
}

static int init_process(struct run *r)
{
    struct process *p = &r->p;
    const struct process_settings *s = &p->settings->process;
    p->log = (struct log){ .write = write_record, .clock = &p->clock, .most = LOG_INFO };
    make_self(r);
    p->workers_n = r->found.workers_n;
    p->workers = mem_alloc(p->workers_n * sizeof(*p->workers));
    p->acceptors = mem_alloc(p->workers_n * sizeof(*p->acceptors));
    p->cache = cache_new(&p->secret, s->memory);
    p->coder = p->cache->coder = coder_start(p->cache, (unsigned)(p->workers_n + 3) / 4);
    p->clients = clients_new(&p->secret);
    relief_init(p);
    origins_init(&p->origins);
    p->origins.trusts = r->found.trusts;
    p->country = r->found.country;
    p->tls = r->found.tls;
    p->acme = r->found.acme;
    deploys_init(&p->deploys);
    tokens_init(&p->tokens);
    if (process_facts_open(p, r->found.state) != 0)
        return 1;
    p->settings = settings_of_deploys(r, p->settings);
    p->cache->sweep_settings = p->settings;
    int status = loop_init(&p->loop, &p->clock, &p->log);
    if (status < 0)
        return say("cannot make an event loop", STR("main"), status);
    process_acme_open(p->acme, &p->loop, r->found.state, &p->settings);
    if (process_disk_open(p, &r->disk_watch, r->found.state) != 0)
        return 1;
    loop_notice_init(&r->wanted, &p->loop, switch_wanted);
    p->deploys.main = &r->wanted.notice;
    return 0;
}

/* Until then nothing was written: another process may have the store. */
static void start_store(struct run *r)
{
    process_facts_start(&r->p, &r->facts_watch, r->found.state);
    process_disk_start(&r->p, &r->disk_watch);
}

static int make_workers(struct run *r)
{
    struct process *p = &r->p;
    const struct process_settings *s = &p->settings->process;
    uint64_t files = r->found.files;
    int64_t most = limits_connections(p->settings, files);
    say_limits(p, p->settings, files);
    for (size_t i = 0; i < p->workers_n; i++) {
        struct worker_socket sockets[ACCEPTOR_LISTENERS_MAX];
        size_t n = prepare_addresses(s);
        for (size_t k = 0; k < n; k++)
            sockets[k] =
                (struct worker_socket){ r->found.fds[k * p->workers_n + i], prepare_listening(s, k) };
        for (size_t k = i; k < r->found.extra_n && n < ACCEPTOR_LISTENERS_MAX; k += p->workers_n)
            sockets[n++] = r->found.extra[k];
        struct worker *w = &p->workers[i];
        int status = worker_init(w, p, (unsigned)i, sockets, n, i == 0 ? r->found.admin_fd : -1);
        if (status < 0)
            return say("cannot start", STR("worker"), status);
        status = s->access_log.n ? worker_open_log(w) : 0;
        if (status < 0)
            return say("cannot open the access log", s->access_log, status);
        w->acceptor.connections_max = most / (int64_t)p->workers_n > 0 ? most / (int64_t)p->workers_n : 1;
        w->acceptor.client_most = most / CLIENT_PART > CLIENT_LEAST ? most / CLIENT_PART : CLIENT_LEAST;
        w->on_gone = worker_gone;
        w->on_reloaded = worker_reloaded;
#ifdef FRESHET_CONTROL
        w->on_rechecked = worker_rechecked;
#endif
    }
    return 0;
}

/* Only now: who waits for one of these lines is not told of a start that fails. */
static void announce(struct run *r)
{
    char text[ADDRESS_TEXT_MAX];
    const struct process_settings *s = &r->p.settings->process;
    for (size_t i = 0; i < prepare_addresses(s); i++) {
        size_t length = address_write(&r->found.bound[i], text);
        struct listening how = prepare_listening(s, i);
        fprintf(stderr, "freshet: listening on %.*s%s%s\n", (int)length, text,
                how.with_tls ? " with TLS" : "", how.with_header ? ", behind proxies (proxy_protocol)" : "");
    }
    if (r->p.tls && process_tls_signs(r->p.tls))
        fprintf(stderr,
                "freshet: certificates are of the local authority %s/authority.pem; \"freshet trust\" "
                "lets browsers and programs on this machine believe it\n",
                r->found.state);
    if (r->found.admin_fd < 0)
        return;
    size_t length = address_write(&r->found.admin_bound, text);
    fprintf(stderr, "freshet: admin on %.*s\n", (int)length, text);
    int status = 0;
    if (r->found.state[0]) { /* without one there is the runtime folder, or what is said below */
        status = state_write_admin(r->found.state, (struct str){ text, length }, &r->admin_file);
        r->admin_written = status == 0;
    }
    if (status < 0)
        log_warning(&r->p.log, "main",
                    "cannot write the admin's address into %s: %s; name it to the verbs with --admin",
                    r->found.state, system_strerror(status));
    status = running_show(&r->presence, (struct str){ text, length }, r->found.state);
    if (status < 0)
        log_warning(&r->p.log, "main",
                    "the verbs will not find this freshet by themselves, as no runtime folder can be used "
                    "(%s): name it to them with --state, or a folder with FRESHET_RUNTIME_DIR",
                    system_strerror(status));
}

static void greet(const struct run *r)
{
    const struct settings *s = r->p.settings;
    for (size_t i = 0; i < s->sites_n; i++)
        fprintf(stderr, "freshet: site %.*s: %.*s (profile %.*s)\n", STR_ARG(s->sites[i].name),
                STR_ARG(s->sites[i].origin_text), STR_ARG(profile_name(s->sites[i].profile)));
}

static void fini(struct run *r)
{
    struct process *p = &r->p;
    watchdog_stop(&r->watchdog);
    for (size_t i = 0; i < p->workers_n; i++)
        worker_join(&p->workers[i]);
    remove_admin_file(r);
    for (size_t i = 0; i < p->workers_n; i++)
        worker_fini(&p->workers[i]);
    admin_fini(&p->admin);
    tokens_fini(&p->tokens);
    mem_free(p->admin.counters);
    coder_stop(p->coder);
    process_disk_free(&r->disk_watch);
    cache_free(p->cache);
    origins_fini(&p->origins);
    trusts_free(r->found.trusts);
    deploys_fini(&p->deploys);
    facts_free(p->facts);
    loop_fini(&p->loop);
    if (r->before)
        settings_unref(r->before);
    settings_unref(p->settings);
    settings_unref(r->at_start);
    mem_free(p->acceptors);
    mem_free(p->clients);
    process_tls_free(p->tls);
    process_acme_free(p->acme);
    mem_free(p->workers);
    upgrade_fini(&r->upgrade);
    takeover_fini(&r->takeover);
    prepare_fini(&r->found);
}

#ifdef FRESHET_CONTROL
/* The control socket: that of the process before, or a new one. -1: none is wanted. */
static int find_control(struct run *r)
{
    int fd;
    struct address bound;
    if (!r->cli->control.n)
        return -1;
    if (inherited_take(&r->takeover.sockets, STR(UPGRADE_CONTROL), NULL, &fd, 1, &bound) == 1)
        return fd;
    return control_socket(r->cli->control);
}
#endif

/* What an early end leaves to the system is still somebody's: a leak is something else. Volatile, since
 * nobody reads it. */
static struct run *volatile latest;

int run_verb(const struct cli *cli)
{
    struct run *r = latest = mem_alloc(sizeof(*r));
    struct buf errors = BUF_INIT;
    r->cli = cli;
    successor_init(&r->upgrade.successor, cli->argv);
    int code = takeover_begin(&r->takeover);
    if (code != 0)
        return code;
    r->p.settings = load_settings(cli, &errors);
    if (!r->p.settings) {
        int wrong = settings_errors_name_flag(buf_str(&errors)) ? 2 : 1;
        fwrite(errors.p, 1, errors.n, stderr);
        buf_fini(&errors);
        return wrong;
    }
    buf_fini(&errors);
    r->found.settings = r->at_start = settings_ref(r->p.settings);
    r->found.inherited = &r->takeover.sockets;
    r->found.is_heir = r->takeover.is_heir;
#ifdef FRESHET_CONTROL
    int fd = find_control(r);
    if (fd < -1)
        return say("--control: cannot listen on", cli->control, fd);
#endif
    code = prepare(&r->found);
    if (code == 0) {
        takeover_prepared(&r->takeover, r->found.state);
        confine_files(&r->confinement, r->p.settings, cli, r->found.state);
        code = init_process(r);
    }
    if (code == 0) {
        init_admin(r);
        code = make_workers(r);
    }
    if (code != 0)
        return code; /* the process ends: the system takes everything back */
    /* Before anybody is told that it runs: who is told may send one. */
    int status = signals_init(&r->signals, &r->p.loop, received);
    if (status < 0)
        return say("cannot receive signals", STR("main"), status);
    r->signals_open = true;
    init_upgrade(r);
#ifdef FRESHET_CONTROL
    if (fd >= 0) {
        r->control = control_open(&r->p, fd, &status);
        if (!r->control)
            return say("--control: cannot listen on", cli->control, status);
    }
#endif
    if (r->takeover.is_heir)
        process_disk_find(&r->disk_watch);
    takeover_ready(&r->takeover, &r->p);
    if (r->takeover.is_heir)
        process_acme_take_over(r->p.acme);
    start_store(r);
    confine_calls(&r->confinement, &r->p, &r->watchdog.counters);
    announce(r);
    relief_begin(&r->p);
    mem_trim(); /* what the start took and gave back: texts of the configuration, above all */
    if (r->p.tls)
        process_tls_watch(r->p.tls, &r->p.loop, &r->p.settings);
    for (size_t i = 0; i < r->p.workers_n; i++)
        worker_start(&r->p.workers[i]);
    takeover_serve(&r->takeover);
    process_acme_start(r->p.acme);
    r->sweep_on.open = sweep_on;
    timer_start(&r->p.loop, &r->sweep, 1000, sweep);
    greet(r);
    atomic_store(&r->p.admin.ready, true);
    watchdog_start(&r->watchdog, &r->p);
    supervisor_say(&r->watchdog.supervisor, "READY=1\nSTATUS=Serving");
    loop_run(&r->p.loop);
    fini(r);
    mem_free(r);
    return 0;
}
