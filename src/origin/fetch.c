#include "origin/fetch_machine.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cache/coded.h"
#include "cache/disk.h"
#include "coding/decode.h"
#include "conf/setting.h"
#include "http/connection_auth.h"
#include "io/system.h"

#define ARENA_BYTES  4096
#define FETCHES_KEPT 64

/* ---- a worker's fetches ---- */

void fetcher_init(struct fetcher *f, struct loop *loop, struct log *log, struct cache *cache,
                  struct pool *pool, struct counters *counters)
{
    *f = (struct fetcher){ .loop = loop, .log = log, .cache = cache, .pool = pool, .counters = counters };
    list_init(&f->live);
    list_init(&f->spare);
    f->scratch = mem_resize(NULL, FETCH_SCRATCH_BYTES);
}

static void free_memory(struct fetch *f)
{
    buf_fini(&f->out);
    arena_fini(&f->arena);
    mem_free(f);
}

void fetcher_fini(struct fetcher *f)
{
    CHECK(list_is_empty(&f->live));
    struct link *l;
    while ((l = list_pop(&f->spare)) != NULL)
        free_memory(CONTAINER_OF(l, struct fetch, link));
    mem_free(f->table);
    mem_free(f->scratch);
}

bool fetcher_has_readers(const struct fetcher *f)
{
    LIST_EACH(l, &f->live) {
        const struct fetch *fetch = CONTAINER_OF(l, struct fetch, link);
        if (fetch->step != FETCH_OVER && object_has_visitors(fetch->object))
            return true;
    }
    return false;
}

void fetcher_cancel_all(struct fetcher *f)
{
    LIST_EACH_SAFE(l, &f->live) {
        struct fetch *fetch = CONTAINER_OF(l, struct fetch, link);
        if (fetch->step != FETCH_OVER)
            fetch_fail(fetch, REASON_DRAINING, 503);
    }
}

/* ---- memory ---- */

/* The memory of the fetch that ended last is warm and is taken first. */
static struct fetch *take_memory(struct fetcher *f)
{
    struct link *l = list_pop(&f->spare);
    if (l) {
        f->spare_n--;
        return CONTAINER_OF(l, struct fetch, link);
    }
    struct fetch *fetch = mem_alloc(sizeof(*fetch));
    arena_init(&fetch->arena, ARENA_BYTES);
    return fetch;
}

static void give_memory(struct fetcher *f, struct fetch *fetch)
{
    if (f->spare_n >= FETCHES_KEPT || fetch->out.cap > ARENA_BYTES) {
        free_memory(fetch);
        return;
    }
    arena_rewind(&fetch->arena); /* the tag goes, too */
    *fetch = (struct fetch){ .arena = fetch->arena, .out = fetch->out };
    list_push_front(&f->spare, &fetch->link);
    f->spare_n++;
}

static void free_fetch(struct letter *l)
{
    struct fetch *f = CONTAINER_OF(l, struct fetch, end);
    CHECK(f->tag == FETCH_TAG && f->step == FETCH_OVER);
    if (loop_notice_is_pending(&f->room)) {
        loop_defer(f->f->loop, &f->end); /* its letter stands in front of this one */
        return;
    }
    /* Nobody calls it any more. */
    CHECK(!f->connection && !f->plan.client && !f->plan.upload && f->ticket.state == TICKET_NONE);
    CHECK(!timer_is_running(&f->timer) && !timer_is_running(&f->awaited) && !timer_is_running(&f->lasts));
    link_remove(&f->link);
    object_unref(f->object);
    object_unref(f->stale);
    object_unref(f->part);
    rule_unref((struct rule *)(uintptr_t)f->plan.rule);
    rule_unref(f->rule);
    body_unref(f->body);
    body_unref(f->own);
    decode_free(f->decode);
    buf_fini(&f->in);
    settings_unref(f->plan.settings);
    count_add(f->f->counters, COUNTER_FETCHES_OPEN, -1);
    give_memory(f->f, f);
}

/* ---- starting ---- */

/* Moves the string's bytes to *at, which moves on. */
static void move_bytes(struct str *s, char **at)
{
    if (s->n)
        memcpy(*at, s->p, s->n);
    s->p = *at;
    *at += s->n;
}

/* Copies a table and its strings into one piece of the arena. */
static const struct fields *copy_fields(const struct fields *from, struct arena *a)
{
    struct fields *to = arena_alloc(a, sizeof(*to) + from->n * sizeof(*to->v));
    size_t bytes = 0;
    for (size_t i = 0; i < from->n; i++)
        bytes += from->v[i].name.n + from->v[i].value.n;
    char *at = arena_alloc(a, bytes);
    *to = (struct fields){ (struct field *)(void *)(to + 1), from->n, from->n, from->present };
    for (size_t i = 0; i < from->n; i++) {
        to->v[i] = from->v[i];
        move_bytes(&to->v[i].name, &at);
        move_bytes(&to->v[i].value, &at);
    }
    return to;
}

/* Copies the plan's other strings into one piece of the arena. */
static void copy_strings(struct fetch_plan *p, struct arena *a)
{
    struct str *one[] = { &p->method_name,      &p->host,          &p->range,     &p->request_id,
                          &p->key.host,         &p->key.path,      &p->key.query, &p->key.country,
                          &p->place.primary,    &p->place.variant, &p->target,    &p->key.spelling,
                          &p->key.data_request, &p->key.rules };
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT_OF(one); i++)
        bytes += one[i]->n;
    char *at = arena_alloc(a, bytes);
    for (size_t i = 0; i < COUNT_OF(one); i++)
        move_bytes(one[i], &at);
}

static void copy_plan(struct fetch *f, const struct fetch_plan *p)
{
    struct fetch_plan *to = &f->plan;
    *to = *p;
    to->settings = settings_ref(p->settings);
    to->rule = rule_ref(p->rule);
    copy_strings(to, &f->arena);
    to->key.fields = copy_fields(p->key.fields, &f->arena);
    to->key.languages = NULL; /* it is the request's */
    to->came = p->came ? copy_fields(p->came, &f->arena) : NULL;
    to->place.rule = to->rule;
    f->request = *p->request;
    to->request = &f->request;
    f->object = object_ref(p->object);
    f->stale = p->stale ? object_ref(p->stale) : NULL;
    f->part = p->part ? object_ref(p->part) : NULL;
}

static bool choose(struct fetch *f, bool again);

void fetch_start(struct fetcher *f, const struct fetch_plan *plan)
{
    /* A refresh has nothing of the visitor who happened to be there. */
    CHECK(!plan->background || (!plan->client && !plan->upload && !plan->own && !plan->came));
    CHECK(object_state(plan->object) == OBJECT_NEW);
    struct fetch *fetch = take_memory(f);
    CHECK(fetch->tag == 0);
    fetch->tag = FETCH_TAG;
    fetch->f = f;
    copy_plan(fetch, plan);
    index_begin(fetch->object, &fetch->plan.place, f->loop->now.mono_ms);
    fetch->has_upload = plan->upload != NULL;
    list_push_back(&f->live, &fetch->link);
    count(f->counters, COUNTER_FETCHES);
    count_add(f->counters, COUNTER_FETCHES_OPEN, 1);
    if (plan->background)
        count(f->counters, COUNTER_REFRESHES);
    loop_notice_init(&fetch->room, f->loop, fetch_room_noticed);
    object_set_fetch(fetch->object, &fetch->room.notice, f->loop);
    if (plan->low_priority)
        fetch->plan.low_priority = object_set_low(fetch->object);
    if (plan->client)
        plan->client->fetch = fetch;
    if (plan->upload) {
        plan->upload->fetch = fetch;
        plan->upload->ready = fetch_upload_ready;
    }
    if (plan->upstream && !choose(fetch, false)) {
        fetch->plan.origin = plan->upstream->v[0].origin;
        fetch_fail(fetch, REASON_ORIGIN_DRAINED, 503);
        return;
    }
    if (plan->client)
        plan->client->origin = fetch->plan.origin;
    fetch_ask(fetch);
}

/* ---- connect ---- */

static void on_ended(struct connection *c, int status);

static const struct connection_user user = { fetch_on_space,   fetch_on_data, on_ended,
                                             fetch_on_written, fetch_on_head, fetch_on_bad };

/* Not once it has ended, or nobody takes it any more. */
static bool still_uploads(const struct fetch *f)
{
    return f->plan.upload && f->plan.upload->state == UPLOAD_OPEN;
}

void fetch_upload_came(struct fetch *f)
{
    CHECK(!still_uploads(f));
    pool_came(&f->ticket);
    if (f->connection)
        pool_came_on(f->connection);
}

static void connected(struct fetch *f, struct connection *c)
{
    CHECK(f->tag == FETCH_TAG && f->step == FETCH_CONNECT && !f->connection);
    CHECK(c->tag == CONNECTION_TAG && !c->user);
    /* One that a visitor has logged in on is for that visitor. */
    CHECK(!c->personal || (c->own && c->own == f->plan.own));
    f->connection = c;
    c->user = &user;
    c->ctx = f;
    f->step = FETCH_HEAD;
    f->sent_ms = f->f->loop->now.mono_ms;
    f->head_sent = f->asked_all = f->send_broken = false;
    f->upload_leased = 0; /* of a lane that did nothing with them */
    f->upload_ended = false;
    c->personal |= connection_auth_of_request(f->plan.key.fields);
    fetch_set_timer(f);
    /* Its head may come with the first event only. */
    if (fields_list_has(f->plan.key.fields, FIELD_ACCEPT, STR("text/event-stream")))
        fetch_may_last(f);
    pool_read_start(c);
    fetch_send(f);
}

static void ticket_ready(struct ticket *t, struct connection *c)
{
    connected(CONTAINER_OF(t, struct fetch, ticket), c);
}

static int status_of_failure(enum reason why)
{
    switch (why) {
    case REASON_CONNECT_TIMEOUT:
    case REASON_FIRST_BYTE_TIMEOUT:
    case REASON_BETWEEN_TIMEOUT: return 504;
    case REASON_NO_SOCKET:
    case REASON_STREAM_LIMIT:
    case REASON_QUEUE_FULL:
    case REASON_QUEUE_TIMEOUT:
    case REASON_ORIGIN_DRAINED:
    case REASON_GAVE_WAY: return 503;
    default: return 502;
    }
}

static bool is_idempotent(const struct fetch *f)
{
    return f->plan.method == METHOD_GET || f->plan.method == METHOD_HEAD ||
           f->plan.method == METHOD_OPTIONS || f->plan.method == METHOD_PUT ||
           f->plan.method == METHOD_DELETE;
}

static bool may_be_sent_twice(const struct fetch *f)
{
    return is_idempotent(f) && !f->has_upload && !f->plan.upgrade;
}

/* ---- which origin ---- */

#define PROBE_FIRST_BYTE_MS 5000 /* what a visitor may wait for an origin that is sick */

static bool may_probe(const struct fetch *f)
{
    bool has_own = f->plan.own && *f->plan.own;
    return may_be_sent_twice(f) && method_is_safe(f->plan.method_name) && !has_own;
}

static bool choose(struct fetch *f, bool again)
{
    struct upstream_chosen chosen;
    struct upstream_wish wish = { .site = f->plan.site,
                                  .own = f->plan.own && *f->plan.own ? pool_origin(*f->plan.own) : NULL,
                                  .tried = f->tried,
                                  .again = again,
                                  .may_probe = !again && may_probe(f) };
    upstream_choose(f->plan.upstream, &wish, f->f->loop->now.mono_ms, &chosen);
    if (chosen.is_refused)
        count(f->f->counters, COUNTER_FETCH_MOVES_REFUSED);
    if (!chosen.origin)
        return false;
    if (f->counted)
        upstream_done(f->plan.origin);
    f->counted = true;
    f->plan.origin = chosen.origin;
    f->tried |= (uint32_t)1 << chosen.place;
    f->is_probe = chosen.is_probe;
    if (chosen.is_probe)
        count(f->f->counters, COUNTER_ORIGIN_PROBES);
    if (f->plan.client)
        f->plan.client->origin = chosen.origin;
    return true;
}

static void leave_origin(struct fetch *f)
{
    if (f->counted)
        upstream_done(f->plan.origin);
    f->counted = false;
}

/* Nothing was sent. */
static bool was_never_reached(enum reason why)
{
    return why == REASON_CONNECT_FAILED || why == REASON_CONNECT_TIMEOUT || why == REASON_RESOLVE_FAILED ||
           why == REASON_ORIGIN_TLS || why == REASON_ORIGIN_HTTP2;
}

/* The first line of a crowd, and how many were held back before it. */
static void log_move(struct fetch *f, const struct origin *from, enum reason why)
{
    char held[LOG_HELD_MAX] = "";
    if (log_valve_opens(&f->plan.origin->moved_said, f->f->loop->now.mono_ms, held))
        log_warning(f->f->log, "origin", "%.*s: %.*s: %.*s is asked instead (site %.*s, request %.*s%s)",
                    STR_ARG(from->name), STR_ARG(reason_sentence(why)), STR_ARG(f->plan.origin->name),
                    STR_ARG(f->plan.site->name), STR_ARG(f->plan.request_id), held);
}

bool fetch_move(struct fetch *f, enum reason why)
{
    struct origin *from = f->plan.origin;
    CHECK(f->step == FETCH_CONNECT || f->step == FETCH_HEAD);
    if (!f->plan.upstream || f->plan.upstream->n == 1 || !choose(f, true))
        return false;
    origin_failed(from, why, HTTP_ERROR_NONE, f->f->loop->now);
    if (was_never_reached(why))
        origin_rest(from, f->f->loop->now.mono_ms);
    log_move(f, from, why);
    count(f->f->counters, COUNTER_FETCH_MOVES);
    f->retried = f->was_lost; /* what was sent before gets no idle connection */
    fetch_drop_connection(f);
    fetch_ask(f);
    return true;
}

/* What is sent again, to an origin that has been drained meanwhile, goes to another, if there is one. Nothing
 * went wrong there, and it costs no more tries than before: the budget of those is not asked. */
static void leave_drained(struct fetch *f)
{
    if (!f->plan.upstream || !origin_is_drained(f->plan.origin) || !choose(f, false))
        return;
    count(f->f->counters, COUNTER_FETCH_MOVES);
    f->retried = false;
}

static void ticket_failed(struct ticket *t, enum reason why)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, ticket);
    if (!was_never_reached(why) || !fetch_move(f, why))
        fetch_fail(f, why, status_of_failure(why));
}

/* Returns for how long a refused connection is tried again. 0 when a stored response may be served instead:
 * its readers need not wait. */
static int64_t retry_time(const struct fetch *f)
{
    if (f->plan.upstream && f->plan.upstream->n > 1 && upstream_has_other(f->plan.upstream, f->tried))
        return 0; /* another origin is asked */
    bool covered = f->stale &&
                   object_serves_on_error(f->stale, f->plan.place.primary, epochs_latest(f->f->cache->epochs),
                                          f->f->loop->now.mono_ms, &f->request);
    return is_idempotent(f) && !covered ? f->plan.site->origin_retry : 0;
}

/* What is said of a whole connection, or makes another protocol of it, is not for one that many share. */
static bool wants_http1(const struct fetch *f)
{
    return f->wants_http1 || f->plan.upgrade || (f->plan.own && *f->plan.own) ||
           connection_auth_of_request(f->plan.key.fields);
}

void fetch_ask(struct fetch *f)
{
    struct connection *c;
    enum reason why;
    CHECK(!f->connection && f->ticket.state == TICKET_NONE);
    f->step = FETCH_CONNECT;
    f->got = STR_NONE;
    f->in.n = 0;
    f->scan = (struct head_scan){ 0 };
    f->ticket = (struct ticket){ .ready = ticket_ready,
                                 .failed = ticket_failed,
                                 .low = f->plan.low_priority && !f->plan.upload,
                                 .uploads = still_uploads(f),
                                 .once = !may_be_sent_twice(f),
                                 .plain = wants_http1(f),
                                 .head = fetch_head_limits(f),
                                 .own = f->plan.own,
                                 .retry_ms = retry_time(f) };
    /* The step of the last look, or what came since then: a flood is faster than the looks. */
    if (overload_step(f->f->overload) >= OVERLOAD_REFUSE ||
        overload_with(f->f->overload, 0) >= OVERLOAD_REFUSE) {
        count(f->f->counters, COUNTER_OVERLOAD_REFUSED);
        fetch_fail(f, REASON_OVERLOAD, 503);
        return;
    }
    switch (pool_ask(f->f->pool, f->plan.origin, f->plan.site, f->retried, &f->ticket, &c, &why)) {
    case POOL_READY: connected(f, c); break;
    case POOL_WAIT: break;
    case POOL_REFUSED:
        if (!was_never_reached(why) || !fetch_move(f, why))
            fetch_fail(f, why, status_of_failure(why));
        break;
    }
}

/* ---- time ---- */

/* Does the origin still take an upload, however slowly? A short one that the kernel's buffers hold does not
 * count. */
static bool takes_upload(struct fetch *f)
{
    size_t before = f->backlog.held;
    if (!f->has_upload || !f->head_sent || !pool_took(f->connection, &f->backlog))
        return false;
    return f->connection->lane || pool_is_writing(f->connection) || f->backlog.held > 0 ||
           before > UPLOAD_RING_BYTES;
}

static void too_slow(struct timer *t)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, timer);
    CHECK(f->tag == FETCH_TAG && f->connection);
    if (f->step == FETCH_BODY)
        fetch_fail(f, REASON_BETWEEN_TIMEOUT, 504);
    else if (takes_upload(f))
        fetch_set_timer(f);
    else if (!f->is_probe || f->in.n || f->interims || !fetch_move(f, REASON_FIRST_BYTE_TIMEOUT))
        fetch_fail(f, REASON_FIRST_BYTE_TIMEOUT, 504);
}

/* Has the origin everything that the client sent so far, while more is to come? */
static bool waits_for_client(const struct fetch *f)
{
    return f->plan.upload && f->head_sent && !f->asked_all && !pool_is_writing(f->connection);
}

void fetch_set_timer(struct fetch *f)
{
    const struct site_settings *site = f->plan.site;
    int64_t between = f->is_events ? f->plan.settings->process.tunnel_timeout : site->between_bytes_timeout;
    int64_t first = site->first_byte_timeout;
    if (f->is_probe && first > PROBE_FIRST_BYTE_MS)
        first = PROBE_FIRST_BYTE_MS;
    if (f->paused || waits_for_client(f))
        timer_stop(f->f->loop, &f->timer);
    else
        timer_start(f->f->loop, &f->timer, f->step == FETCH_BODY ? between : first, too_slow);
}

/* ---- without an end ---- */

/* An ordinary answer is over by then, mostly. */
#define STREAM_AFTER_MS 10000

bool fetch_count_stream(struct fetch *f)
{
    int64_t most = f->plan.settings->process.streams;
    CHECK(f->connection);
    if (f->is_stream)
        return true;
    if (atomic_fetch_add_explicit(f->f->streams, 1, memory_order_relaxed) >= most) {
        atomic_fetch_sub_explicit(f->f->streams, 1, memory_order_relaxed);
        return false;
    }
    f->is_stream = true;
    count_add(f->f->counters, COUNTER_STREAMS_OPEN, 1);
    pool_give_place(f->connection);
    return true;
}

/* Without room among the streams the answer keeps its place among the connections. */
static void lasts(struct timer *t)
{
    fetch_count_stream(CONTAINER_OF(t, struct fetch, lasts));
}

void fetch_may_last(struct fetch *f)
{
    if (!f->is_stream && !timer_is_running(&f->lasts))
        timer_start(f->f->loop, &f->lasts, STREAM_AFTER_MS, lasts);
}

static void end_stream(struct fetch *f)
{
    timer_stop(f->f->loop, &f->lasts);
    if (!f->is_stream)
        return;
    f->is_stream = false;
    count_add(f->f->counters, COUNTER_STREAMS_OPEN, -1);
    atomic_fetch_sub_explicit(f->f->streams, 1, memory_order_relaxed);
}

/* ---- over ---- */

void fetch_over(struct fetch *f)
{
    CHECK(f->tag == FETCH_TAG && f->step != FETCH_OVER);
    CHECK(!f->connection && f->ticket.state == TICKET_NONE);
    CHECK(object_is_done(f->object)); /* else its readers would wait for ever */
    f->step = FETCH_OVER;
    timer_stop(f->f->loop, &f->timer);
    timer_stop(f->f->loop, &f->awaited);
    end_stream(f);
    leave_origin(f);
    object_set_fetch(f->object, NULL, NULL);
    if (f->plan.client)
        f->plan.client->fetch = NULL;
    f->plan.client = NULL;
    if (f->plan.upload)
        upload_leave(f->plan.upload);
    f->plan.upload = NULL;
    f->end.open = free_fetch;
    loop_defer(f->f->loop, &f->end);
}

void fetch_drop_connection(struct fetch *f)
{
    pool_cancel(&f->ticket);
    timer_stop(f->f->loop, &f->timer);
    end_stream(f);
    if (f->connection)
        pool_drop(f->connection);
    f->connection = NULL;
}

void fetch_detach(struct fetch_client *c)
{
    struct fetch *f = c->fetch;
    if (!f)
        return;
    CHECK(f->tag == FETCH_TAG && f->plan.client == c);
    c->fetch = NULL;
    f->plan.client = NULL;
    f->plan.own = f->ticket.own = NULL;
    if (f->connection && f->connection->own)
        pool_disown(f->connection->own);
    struct upload *u = f->plan.upload;
    bool half_sent = u && (u->n > 0 || u->state != UPLOAD_ENDED);
    if (u)
        upload_leave(u);
    f->plan.upload = NULL;
    /* A request that was half sent is of no use to the origin. */
    if (half_sent && f->step != FETCH_OVER)
        fetch_fail(f, REASON_CLIENT_GONE, 502);
}

static void give_back(struct fetch *f)
{
    struct connection *c = f->connection;
    CHECK(c->user == &user && c->ctx == f);
    f->connection = NULL;
    /* An answer that came before the upload was sent leaves the connection in the middle of a message;
     * surplus bytes make it unusable as well. */
    bool reusable = f->keep_alive && f->asked_all && f->in.n == 0 && !pool_is_writing(c);
    if (reusable && !c->personal)
        pool_keep(c, f->plan.site->origin_idle_timeout);
    else if (reusable && f->plan.own)
        pool_keep_for(c, f->plan.own);
    else
        pool_drop(c);
}

/* Sets which part of the whole has come. A part that claims to reach the end of the whole may be shorter than
 * it said: then the whole is shorter (http-cache-tests sends five bytes as 4-9/10). false: any other
 * mismatch; it is no part. */
static bool settle_part(struct fetch *f)
{
    uint64_t got = body_length(f->body), first = f->part_of.range.first, last = f->part_of.range.last;
    bool to_the_end = last + 1 == f->part_of.whole;
    if (got == 0 || (got != last - first + 1 && !(to_the_end && got < last - first + 1)))
        return false;
    object_set_part(f->object, (struct part){ .first = first,
                                              .last = first + got - 1,
                                              .whole = to_the_end ? first + got : f->part_of.whole });
    return true;
}

void fetch_complete(struct fetch *f)
{
    CHECK(f->tag == FETCH_TAG && f->step != FETCH_OVER);
    CHECK(f->framing.kind != FRAMING_LENGTH || f->left == 0);
    CHECK(!f->store || !object_is_closed(f->object)); /* what is for one reader is not stored */
    give_back(f);
    if (f->part_of.is && !settle_part(f)) {
        f->store = false;
        index_withdraw(f->object); /* before it is sealed: then it would be found */
    }
    if (f->length_decides && body_length(f->body) <= (uint64_t)f->plan.site->object_bytes)
        index_mark(
            f->f->cache, &f->place,
            &(struct index_note){ .effect = MARK_CLEARS, .reason = f->plan.not_stored, .is_short = true },
            f->f->loop->now.mono_ms);
    fetch_attach_own(f);
    object_seal(f->object, f->store && f->plan.site->generate_etag);
    if (f->store && f->object->confirmed && f->stale)
        coded_inherit(f->object, f->stale);
    if (f->store) {
        if (index_publish(f->object, &f->place, (size_t)f->plan.site->variants, f->f->loop->now.mono_ms)) {
            count(f->f->counters, COUNTER_STORED);
            disk_store(f->f->cache, f->object, &f->place, f->f->loop->now);
            fetch_want_codings(f);
            if (f->f->stored)
                f->f->stored(f->f, &f->plan, f->object);
        }
    } else {
        index_withdraw(f->object);
        count(f->f->counters, COUNTER_NOT_STORED);
    }
    fetch_over(f);
}

/* ---- failure ---- */

void fetch_drop_stale(struct fetch *f)
{
    if (f->stale)
        index_withdraw(f->stale);
    disk_forget(f->f->cache, &f->plan.place, f->f->loop->now);
}

void fetch_back_off(struct fetch *f)
{
    if (!f->stale)
        return;
    int64_t wait = f->plan.site->refresh_backoff;
    if (f->keeps_stale) {
        /* Of a release that is not live, nothing is noted: it may never be. */
        if (!release_is_ahead(f->plan.site->release))
            object_note_missing(f->stale, f->plan.site->release->number);
        return;
    }
    if (wait > 0)
        object_set_next_refresh(f->stale, f->f->loop->now.mono_ms + wait);
    if (f->plan.background)
        count(f->f->counters, COUNTER_REFRESHES_FAILED);
}

/* Is it a limit of freshet's own, so that nobody knows what the origin would have said? */
static bool is_own_limit(enum reason why)
{
    return why == REASON_NO_MEMORY || why == REASON_NO_SOCKET;
}

static bool is_origins_fault(enum reason why)
{
    return why != REASON_CANCELLED && why != REASON_CLIENT_GONE && why != REASON_DRAINING &&
           why != REASON_QUEUE_FULL && why != REASON_QUEUE_TIMEOUT && why != REASON_GAVE_WAY &&
           why != REASON_UPLOAD_FAILED && why != REASON_OVERLOAD && why != REASON_STREAM_LIMIT &&
           why != REASON_KEPT_ASSET && why != REASON_ORIGIN_DRAINED && !is_own_limit(why);
}

/* Returns the valve for a line that each request of a crowd would write. NULL: the reason has none. */
static struct log_valve *valve_of(const struct fetch *f, enum reason why)
{
    switch (why) {
    case REASON_QUEUE_FULL: return &f->plan.origin->full_said;
    case REASON_QUEUE_TIMEOUT: return &f->plan.origin->late_said;
    case REASON_STREAM_LIMIT: return f->f->streams_said;
    default: return NULL;
    }
}

/* Writes which settings set the limit. Returns the length of the text. */
static size_t describe_limit(const struct fetch *f, enum reason why, char *text, size_t bytes)
{
    const struct site_settings *site = f->plan.site;
    struct buf b = BUF_INIT;
    if (why == REASON_STREAM_LIMIT)
        buf_printf(&b, ": streams %lld", (long long)f->plan.settings->process.streams);
    else
        buf_printf(&b, ": origin_connections %lld, %s", (long long)site->origin_connections,
                   f->ticket.uploads ? "half of them for uploads that still come, " : "");
    if (why == REASON_QUEUE_FULL)
        buf_printf(&b, "origin_queue %lld", (long long)site->origin_queue);
    if (why == REASON_QUEUE_TIMEOUT) {
        buf_add(&b, STR("queue_timeout "));
        setting_write_number(TYPE_TIME, site->queue_timeout, &b);
    }
    size_t n = (size_t)snprintf(text, bytes, "%.*s", STR_ARG(buf_str(&b)));
    buf_fini(&b);
    return n;
}

/* Writes what the log says after the reason's sentence. */
static void describe(const struct fetch *f, enum reason why, char *text, size_t bytes)
{
    int64_t refused_ms = f->ticket.refused_ms;
    char last[ORIGIN_ERROR_MAX];
    struct str error = origin_last_error(f->plan.origin, why, last);
    size_t n = 0;
    if (why == REASON_ORIGIN_STATUS)
        n = (size_t)snprintf(text, bytes, ": %d", f->covered_status);
    else if (error.n)
        n = (size_t)snprintf(text, bytes, ": %.*s", STR_ARG(error));
    else if (valve_of(f, why))
        n = describe_limit(f, why, text, bytes);
    if (why != REASON_ORIGIN_STATUS && refused_ms && n < bytes)
        snprintf(text + n, bytes - n, ", tried again for %lld ms",
                 (long long)(f->f->loop->now.mono_ms - refused_ms));
}

static void log_failure(struct fetch *f, enum reason why)
{
    char more[ORIGIN_ERROR_MAX + 128] = "", held[LOG_HELD_MAX] = "";
    struct log_valve *valve = valve_of(f, why);
    if (valve && !log_valve_opens(valve, f->f->loop->now.mono_ms, held))
        return;
    describe(f, why, more, sizeof(more));
    struct str fault = http_error_for_people(f->fault, &f->arena);
    log_warning(f->f->log, is_own_limit(why) ? "fetch" : "origin",
                "%.*s: %.*s %.*s%.*s: %.*s%s%s%.*s (site %.*s, request %.*s%s)",
                STR_ARG(f->plan.origin->name), STR_ARG(f->plan.method_name), STR_ARG(f->plan.host),
                STR_ARG(f->plan.key.path), STR_ARG(reason_sentence(why)), more, fault.n ? ": " : "",
                STR_ARG(fault), STR_ARG(f->plan.site->name), STR_ARG(f->plan.request_id), held);
}

void fetch_fail(struct fetch *f, enum reason why, int status)
{
    fetch_drop_connection(f);
    if (why != REASON_GAVE_WAY)
        fetch_back_off(f);
    count(f->f->counters, COUNTER_FETCHES_FAILED);
    if (is_origins_fault(why))
        origin_failed(f->plan.origin, why, f->fault, f->f->loop->now);
    if (was_never_reached(why))
        origin_rest(f->plan.origin, f->f->loop->now.mono_ms);
    if (is_origins_fault(why) || is_own_limit(why) || valve_of(f, why))
        log_failure(f, why);
    index_withdraw(f->object);
    object_fail(f->object, why, status);
    fetch_over(f);
}

void fetch_fail_malformed(struct fetch *f, enum http_error fault)
{
    f->fault = fault;
    object_set_fault(f->object, fault);
    fetch_fail(f, http_error_is_limit(fault) ? REASON_ORIGIN_LIMIT : REASON_ORIGIN_INVALID, 502);
}

/* Does the origin say that it did nothing with the request, which can still be sent whole? */
static bool was_left_alone(const struct fetch *f)
{
    const struct upload *u = f->plan.upload;
    if (!f->connection->unprocessed && !f->connection->wants_http1)
        return false;
    return may_be_sent_twice(f) || !f->has_upload || (u && upload_may_rewind(u));
}

/* The connection ended or broke. The origin closed a reused one that dies without a byte while it was idle:
 * the request is sent again, once, when the origin cannot have acted on it (RFC 9110 §9.2.2). */
static void connection_lost(struct fetch *f, int status)
{
    CHECK(f->step == FETCH_HEAD || f->step == FETCH_BODY);
    bool is_silent = f->step == FETCH_HEAD && f->in.n == 0 && f->interims == 0;
    bool can_retry =
        is_silent && !f->retried && ((f->connection->reused && may_be_sent_twice(f)) || was_left_alone(f));
    /* One request that ends each origin must not do so with all of them. */
    if (!can_retry && is_silent && !f->was_lost && may_be_sent_twice(f) &&
        method_is_safe(f->plan.method_name)) {
        f->was_lost = true;
        if (fetch_move(f, REASON_ORIGIN_CLOSED))
            return;
    }
    if (!can_retry) {
        bool is_refused = f->step == FETCH_HEAD && f->in.n == 0 && pool_is_refused(f->connection, status);
        fetch_fail(f, is_refused ? REASON_ORIGIN_TLS : REASON_ORIGIN_CLOSED, 502);
        return;
    }
    f->retried = true;
    f->wants_http1 |= f->connection->wants_http1;
    count(f->f->counters, COUNTER_FETCH_RETRIES);
    fetch_drop_connection(f);
    if (f->plan.upload)
        upload_rewind(f->plan.upload);
    leave_drained(f);
    fetch_ask(f);
}

static void on_ended(struct connection *c, int status)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c);
    f->keep_alive = c->lane && status == 0 && !f->send_broken;
    /* A clean end is what ends such a body (RFC 9112 §8); a reset is not. */
    bool is_whole = f->framing.kind == FRAMING_CLOSE || (c->lane && f->left == 0);
    if (f->step == FETCH_BODY && is_whole && status == 0)
        fetch_body_ended(f);
    else
        connection_lost(f, status);
}
