#include "origin/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/head.h"
#include "http/hpack.h"
#include "origin/mux.h"

#define LATER_MS  50 /* when too many run */
#define HEAD_MAX  ((size_t)16384)
#define LINES_MAX 100
#define SPACE     ((size_t)4096)
#define WRONG_MAX 400 /* bytes of a sentence */

struct probe {
    struct prober *of;
    const struct site_settings *site;
    struct upstream *upstream;
    size_t place;
    struct timer next;  /* the next check */
    struct timer limit; /* the one that runs takes too long */
    bool runs;
    struct ticket ticket;
    struct connection *connection; /* NULL: none yet */
    struct buf out, in;
    struct head_scan scan;
    int64_t good_in_row, bad_in_row;
};

static void begin(struct timer *t);

static struct upstream_member *member_of(const struct probe *p)
{
    return &p->upstream->v[p->place];
}

/* ---- the end of a check ---- */

static void end_check(struct probe *p)
{
    pool_cancel(&p->ticket);
    timer_stop(p->of->loop, &p->limit);
    if (p->connection)
        pool_drop(p->connection);
    p->connection = NULL;
    buf_fini(&p->in);
    p->of->running -= p->runs;
    p->runs = false;
}

static void check_later(struct probe *p, int64_t ms)
{
    end_check(p);
    timer_start(p->of->loop, &p->next, ms, begin);
}

static void came_up(struct probe *p)
{
    log_info(p->of->log, "origin", "%.*s is up again for site %.*s: %lld good checks in a row",
             STR_ARG(member_of(p)->origin->name), STR_ARG(p->site->name), (long long)p->good_in_row);
    upstream_set_down(p->upstream, p->place, false, p->of->loop->now.mono_ms);
}

static void went_down(struct probe *p, const char *wrong)
{
    log_warning(p->of->log, "origin", "%.*s is down for site %.*s, after %lld failed checks of %.*s: %s",
                STR_ARG(member_of(p)->origin->name), STR_ARG(p->site->name), (long long)p->bad_in_row,
                STR_ARG(p->site->checks->path), wrong);
    upstream_set_down(p->upstream, p->place, true, p->of->loop->now.mono_ms);
}

/* `wrong`: what is wrong, for people; NULL: nothing. `status`: 0: there was no answer, and `why` says why. */
static void judge(struct probe *p, int status, enum reason why, const char *wrong)
{
    const struct health *h = p->site->checks;
    struct upstream_member *m = member_of(p);
    bool is_down = atomic_load_explicit(&m->is_down, memory_order_relaxed);
    atomic_store_explicit(&m->checks.status, status, memory_order_relaxed);
    atomic_store_explicit(&m->checks.why, (int)why, memory_order_relaxed);
    atomic_store_explicit(&m->checks.last_wall_ms, p->of->loop->now.wall_ms, memory_order_relaxed);
    atomic_fetch_add_explicit(wrong ? &m->checks.bad : &m->checks.good, 1, memory_order_relaxed);
    count(p->of->counters, wrong ? COUNTER_ORIGIN_CHECKS_FAILED : COUNTER_ORIGIN_CHECKS_GOOD);
    p->good_in_row = wrong ? 0 : p->good_in_row + 1;
    p->bad_in_row = wrong ? p->bad_in_row + 1 : 0;
    if (is_down && p->good_in_row >= h->rise)
        came_up(p);
    else if (!is_down && p->bad_in_row >= h->fall)
        went_down(p, wrong);
    check_later(p, h->every_ms);
}

static void fail(struct probe *p, enum reason why)
{
    char wrong[WRONG_MAX];
    char text[ORIGIN_ERROR_MAX];
    struct str error = origin_last_error(member_of(p)->origin, why, text);
    snprintf(wrong, sizeof(wrong), "%.*s%s%.*s", STR_ARG(reason_sentence(why)), error.n ? ": " : "",
             STR_ARG(error));
    judge(p, 0, why, wrong);
}

/* freshet's own limits say nothing about the origin. */
static bool is_own_limit(enum reason why)
{
    return why == REASON_QUEUE_FULL || why == REASON_QUEUE_TIMEOUT || why == REASON_NO_SOCKET ||
           why == REASON_GAVE_WAY;
}

static void got_nothing(struct probe *p, enum reason why)
{
    if (is_own_limit(why))
        check_later(p, p->site->checks->every_ms);
    else
        fail(p, why);
}

static void too_slow(struct timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, limit);
    if (p->ticket.state == TICKET_QUEUED)
        check_later(p, p->site->checks->every_ms);
    else
        fail(p, p->connection ? REASON_FIRST_BYTE_TIMEOUT : REASON_CONNECT_TIMEOUT);
}

/* ---- the answer ---- */

static size_t space(struct connection *c, char **to)
{
    struct probe *p = c->ctx;
    *to = buf_room(&p->in, SPACE);
    return SPACE;
}

static void judge_status(struct probe *p, int status)
{
    char wrong[WRONG_MAX];
    bool good = health_expects(p->site->checks, status);
    snprintf(wrong, sizeof(wrong), "it answered with status %d", status);
    judge(p, status, REASON_NONE, good ? NULL : wrong);
}

static void data(struct connection *c, size_t n)
{
    struct probe *p = c->ctx;
    struct field table[LINES_MAX];
    const struct head_limits limits = { 8192, HEAD_MAX, LINES_MAX };
    struct response_head head = { .fields = { .v = table, .cap = LINES_MAX } };
    enum http_error error = HTTP_ERROR_NONE;
    struct str rest;
    p->in.n += n;
    for (rest = buf_str(&p->in);; rest = str_from_index(rest, head.bytes)) {
        enum head_result result = response_head_parse(rest, &p->scan, &limits, &head, &error);
        if (result == HEAD_BAD) {
            fail(p, http_error_is_limit(error) ? REASON_ORIGIN_LIMIT : REASON_ORIGIN_INVALID);
            return;
        }
        if (result == HEAD_MORE)
            break;
        if (head.status >= 200) {
            judge_status(p, head.status);
            return;
        }
        p->scan = (struct head_scan){ 0 };
    }
    if (p->in.n > 2 * HEAD_MAX) { /* interim answers without an end */
        fail(p, REASON_ORIGIN_LIMIT);
        return;
    }
    memmove(p->in.p, rest.p, rest.n);
    p->in.n = rest.n;
}

static void ended(struct connection *c, int status)
{
    (void)status;
    fail(c->ctx, REASON_ORIGIN_CLOSED);
}

static void written(struct connection *c, int status)
{
    (void)c;
    (void)status; /* if it failed, `ended` follows, or `limit` */
}

/* The same of a lane. */
static void head(struct connection *c, const struct response_head *h, bool ends)
{
    (void)ends;
    if (h->status >= 200)
        judge_status(c->ctx, h->status);
}

static void bad(struct connection *c, enum http_error error)
{
    fail(c->ctx, http_error_is_limit(error) ? REASON_ORIGIN_LIMIT : REASON_ORIGIN_INVALID);
}

static const struct connection_user user = { space, data, ended, written, head, bad };

/* ---- the question ---- */

static struct str host_of(const struct probe *p)
{
    const struct site_settings *site = p->site;
    if (site->host.n)
        return site->host;
    for (size_t i = 0; i < site->hosts.n; i++)
        if (!str_starts(site->hosts.v[i], STR("*")))
            return site->hosts.v[i];
    return member_of(p)->origin->at.authority;
}

#define AGENT "freshet/" FRESHET_VERSION " (health check)"

static void ask_lane(struct probe *p, struct connection *c)
{
    bool is_tls = member_of(p)->origin->at.tls.is_on;
    hpack_add(&p->out, STR(":method"), STR("GET"));
    hpack_add(&p->out, STR(":scheme"), is_tls ? STR("https") : STR("http"));
    hpack_add(&p->out, STR(":authority"), host_of(p));
    hpack_add(&p->out, STR(":path"), p->site->checks->path);
    hpack_add(&p->out, STR("user-agent"), STR(AGENT));
    hpack_add(&p->out, STR("accept"), STR("*/*"));
    pool_read_start(c);
    lane_ask(c->lane, buf_str(&p->out), false, true);
}

static void connected(struct probe *p, struct connection *c)
{
    struct iovec iov;
    p->connection = c;
    c->user = &user;
    c->ctx = p;
    p->scan = (struct head_scan){ 0 };
    buf_clear(&p->out);
    if (c->lane) {
        ask_lane(p, c);
        return;
    }
    buf_printf(&p->out,
               "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: " AGENT
               "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
               STR_ARG(p->site->checks->path), STR_ARG(host_of(p)));
    iov = (struct iovec){ p->out.p, p->out.n };
    stream_read_start(&c->stream);
    if (stream_write(&c->stream, &iov, 1) == STREAM_BROKEN)
        fail(p, REASON_ORIGIN_CLOSED);
}

static void ticket_ready(struct ticket *t, struct connection *c)
{
    connected(CONTAINER_OF(t, struct probe, ticket), c);
}

static void ticket_failed(struct ticket *t, enum reason why)
{
    got_nothing(CONTAINER_OF(t, struct probe, ticket), why);
}

static void begin(struct timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, next);
    struct prober *all = p->of;
    struct connection *c;
    enum reason why;
    if (all->running >= PROBES_AT_ONCE) {
        timer_start(all->loop, &p->next, LATER_MS, begin);
        return;
    }
    p->runs = true;
    all->running++;
    p->ticket = (struct ticket){ .ready = ticket_ready,
                                 .failed = ticket_failed,
                                 .once = true,
                                 .alone = true,
                                 .plain = p->site->origin_http2 != ORIGIN_HTTP2_ONLY,
                                 .head = { 8192, HEAD_MAX, LINES_MAX } };
    timer_start(all->loop, &p->limit, p->site->checks->timeout_ms, too_slow);
    switch (pool_ask(all->pool, member_of(p)->origin, p->site, true, &p->ticket, &c, &why)) {
    case POOL_READY: connected(p, c); break;
    case POOL_WAIT: break;
    case POOL_REFUSED: got_nothing(p, why); break;
    }
}

/* ---- all of them ---- */

void prober_init(struct prober *p, struct loop *loop, struct log *log, struct pool *pool,
                 struct counters *counters, struct origins *origins)
{
    *p = (struct prober){ .loop = loop, .log = log, .pool = pool, .counters = counters, .origins = origins };
}

static size_t count_probes(const struct settings *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->sites_n; i++)
        n += s->sites[i].checks ? s->sites[i].origin.n : 0;
    return n;
}

static void add_probes(struct prober *p, const struct site_settings *site)
{
    struct upstream *u = upstream_of(p->origins, site, p->loop->now.mono_ms);
    for (size_t i = 0; i < u->n; i++) {
        struct probe *probe = &p->probes[p->n++];
        probe->of = p;
        probe->site = site;
        probe->upstream = u;
        probe->place = i;
        timer_start(p->loop, &probe->next, 1, begin);
    }
}

static void free_probes(struct probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_fini(&probes[i].out);
    mem_free(probes);
}

static bool is_checked(const struct prober *p, const struct probe *old)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->probes[i].upstream == old->upstream)
            return true;
    return false;
}

/* Ends the checks that run, and frees nothing. */
static void halt(struct prober *p)
{
    for (size_t i = 0; i < p->n; i++) {
        end_check(&p->probes[i]);
        timer_stop(p->loop, &p->probes[i].next);
    }
    CHECK(p->running == 0);
}

void prober_start(struct prober *p, struct settings *s)
{
    struct probe *old = p->probes;
    struct settings *before = p->settings;
    size_t old_n = p->n, n = count_probes(s);
    halt(p);
    p->settings = settings_ref(s);
    p->probes = n ? mem_alloc(n * sizeof(*p->probes)) : NULL;
    p->n = 0;
    for (size_t i = 0; i < s->sites_n; i++)
        if (s->sites[i].checks)
            add_probes(p, &s->sites[i]);
    for (size_t i = 0; i < old_n; i++)
        if (!is_checked(p, &old[i]))
            upstream_set_down(old[i].upstream, old[i].place, false, p->loop->now.mono_ms);
    free_probes(old, old_n);
    if (before)
        settings_unref(before);
}

void prober_stop(struct prober *p)
{
    halt(p);
    free_probes(p->probes, p->n);
    if (p->settings)
        settings_unref(p->settings);
    p->settings = NULL;
    p->probes = NULL;
    p->n = 0;
}
