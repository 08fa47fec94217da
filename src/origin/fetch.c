#include "origin/fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cache/names.h"
#include "http/chunked.h"
#include "http/range.h"
#include "origin/invalidate.h"

/*
 * The machine, in the order in which things happen:
 *
 *   connect  a connection from the pool
 *   ask      the request's head, then its body, go out; the answer may already come
 *   head     the answer's head: interim, upgrade, 304, or judged by policy
 *   body     bytes go into the object, as fast as they come, or as its readers take them
 *   over     sealed, failed or handed over; what is left is to be freed
 */
enum fetch_step { STEP_CONNECT, STEP_HEAD, STEP_BODY, STEP_OVER };

#define ARENA_BYTES       4096
#define HEAD_READ         ((size_t)16384) /* a small answer comes whole, with one read */
#define LINE_MOST         8192            /* of a status line */
#define FETCHES_KEPT      64
#define INTERIM_MOST      64
#define HEAD_COST         1024
#define NAMES_CARRIED     8192 /* over confirmations; a page has some thousand of its own at most */
#define OVER_SIZE_KEPT_MS (600 * (int64_t)1000)

struct fetch {
    struct link link;
    struct fetcher *f;
    struct arena arena;
    struct fetch_plan plan; /* strings in the arena */
    enum fetch_step step;
    struct object *object, *stale, *part;
    struct ticket ticket;
    struct connection *connection;
    struct loop_notice room;
    struct timer timer;
    struct letter end; /* frees it, from the loop */
    bool end_posted;

    /* the request */
    struct buf out;
    struct directives request;
    bool head_sent, asked_all; /* all of head and body is with the kernel */
    bool send_broken;          /* the origin takes no more bytes */
    size_t upload_leased;      /* bytes of the write under way that are the upload's */
    bool upload_ended;         /* they are its last */
    char chunk_text[CHUNK_HEAD_MAX];
    bool invalidated; /* its answer did: what it brings counts as begun afterwards */
    bool has_upload;  /* it had one, even if nobody feeds it any more: not to be sent again */
    bool conditional; /* carries validators of `stale` */
    bool retried, unconditional;

    /* the answer */
    struct str got; /* the head, and what came with it: in the scratch or in `in`, within one callback */
    struct buf in;  /* a head that came in pieces */
    struct head_scan scan;
    unsigned interims;
    int covered_status; /* of the error in whose place visitors get what is stored */
    int64_t sent_ms;
    struct framing framing;
    struct chunked chunked;
    uint64_t left; /* bytes of a body with a length */
    struct body *body;
    bool keep_alive;    /* the connection may serve another request */
    bool store;         /* the body is kept, and published when it is whole */
    bool paused;        /* the readers of a passing body are behind: the origin is not read */
    bool ended;         /* the origin's side is closed */
    struct place place; /* final */
    struct {
        bool is; /* the answer is a part (206), to be stored as one */
        struct range range;
        uint64_t whole;
    } part_of;
};

static void ask(struct fetch *f);
static void fail(struct fetch *f, enum reason why, int status);
static void set_timer(struct fetch *f);

/* ---- life ---- */

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
        if (fetch->step != STEP_OVER && object_readers(fetch->object) > 0)
            return true;
    }
    return false;
}

void fetcher_cancel_all(struct fetcher *f)
{
    LIST_EACH_SAFE(l, &f->live) {
        struct fetch *fetch = CONTAINER_OF(l, struct fetch, link);
        if (fetch->step != STEP_OVER)
            fail(fetch, REASON_DRAINING, 503);
    }
}

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
    arena_rewind(&fetch->arena);
    *fetch = (struct fetch){ .arena = fetch->arena, .out = fetch->out };
    list_push_front(&f->spare, &fetch->link);
    f->spare_n++;
}

/* Of a head under way: its lines. Used within one callback, like the scratch. */
static struct field *table_of(struct fetcher *f, size_t lines)
{
    if (f->table_cap != lines) {
        f->table = mem_resize(f->table, lines * sizeof(*f->table));
        f->table_cap = lines;
    }
    return f->table;
}

static void free_fetch(struct letter *l)
{
    struct fetch *f = CONTAINER_OF(l, struct fetch, end);
    if (loop_notice_is_pending(&f->room)) {
        loop_defer(f->f->loop, &f->end); /* its letter stands in front of this one */
        return;
    }
    link_remove(&f->link);
    object_unref(f->object);
    object_unref(f->stale);
    object_unref(f->part);
    rule_unref((struct rule *)(uintptr_t)f->plan.rule);
    body_unref(f->body);
    buf_fini(&f->in);
    settings_unref(f->plan.settings);
    count_add(f->f->counters, COUNTER_FETCHES_OPEN, -1);
    give_memory(f->f, f);
}

/* The last thing of a fetch: nobody hears of it any more. The connection must have been given back. */
static void over(struct fetch *f)
{
    CHECK(!f->connection && f->step != STEP_OVER);
    f->step = STEP_OVER;
    timer_stop(f->f->loop, &f->timer);
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

void fetch_detach(struct fetch_client *c)
{
    struct fetch *f = c->fetch;
    if (!f)
        return;
    c->fetch = NULL;
    f->plan.client = NULL;
    struct upload *u = f->plan.upload;
    bool half_sent = u && (u->n > 0 || u->state != UPLOAD_ENDED);
    if (u)
        upload_leave(u);
    f->plan.upload = NULL;
    /* A request that was half sent is of no use to the origin. */
    if (half_sent && f->step != STEP_OVER)
        fail(f, REASON_CLIENT_GONE, 502);
}

static void drop_connection(struct fetch *f)
{
    pool_cancel(&f->ticket);
    if (f->connection)
        pool_drop(f->connection);
    f->connection = NULL;
}

/* ---- failure ---- */

/* A refresh failed: the stored response stays, and the next one waits a little (CACHING.md 3.6). */
static void back_off(struct fetch *f)
{
    if (!f->stale)
        return;
    int64_t wait = f->plan.site->refresh_backoff;
    if (wait > 0)
        object_set_next_refresh(f->stale, f->f->loop->now.mono_ms + wait);
    if (f->plan.background)
        count(f->f->counters, COUNTER_REFRESHES_FAILED);
}

/* Nobody knows what the origin would have said. */
static bool is_own_limit(enum reason why)
{
    return why == REASON_NO_MEMORY || why == REASON_NO_SOCKET;
}

static bool is_origins_fault(enum reason why)
{
    return why != REASON_CANCELLED && why != REASON_CLIENT_GONE && why != REASON_DRAINING &&
           why != REASON_QUEUE_FULL && why != REASON_QUEUE_TIMEOUT && why != REASON_UPLOAD_FAILED &&
           !is_own_limit(why);
}

static void log_failure(struct fetch *f, enum reason why)
{
    char answered[16] = "";
    if (why == REASON_ORIGIN_STATUS)
        snprintf(answered, sizeof(answered), ": %d", f->covered_status);
    log_warning(f->f->log, is_own_limit(why) ? "fetch" : "origin",
                "%.*s: %.*s %.*s%.*s: %.*s%s (site %.*s, request %.*s)",
                STR_ARG(f->plan.origin->at.authority), STR_ARG(f->plan.method_name), STR_ARG(f->plan.host),
                STR_ARG(f->plan.key.path), STR_ARG(reason_sentence(why)), answered,
                STR_ARG(f->plan.site->name), STR_ARG(f->plan.request_id));
}

static void fail(struct fetch *f, enum reason why, int status)
{
    drop_connection(f);
    back_off(f);
    count(f->f->counters, COUNTER_FETCHES_FAILED);
    if (is_origins_fault(why))
        origin_failed(f->plan.origin, why, f->f->loop->now.wall_ms);
    if (is_origins_fault(why) || is_own_limit(why))
        log_failure(f, why);
    index_withdraw(f->object);
    object_fail(f->object, why, status);
    over(f);
}

static bool may_be_sent_twice(const struct fetch *f)
{
    bool idempotent = f->plan.method == METHOD_GET || f->plan.method == METHOD_HEAD ||
                      f->plan.method == METHOD_OPTIONS || f->plan.method == METHOD_PUT ||
                      f->plan.method == METHOD_DELETE;
    return idempotent && !f->has_upload && !f->plan.upgrade;
}

/* The connection ended or broke. A reused one that dies without a byte was closed by the origin while it was idle:
 * asked again, once, when nothing can have come of the first try (RFC 9110 §9.2.2). */
static void connection_lost(struct fetch *f, enum reason why, int status)
{
    bool can_retry = f->step == STEP_HEAD && f->connection->reused && !f->retried && f->in.n == 0 &&
                     f->interims == 0 && may_be_sent_twice(f);
    if (!can_retry) {
        fail(f, why, status);
        return;
    }
    f->retried = true;
    count(f->f->counters, COUNTER_FETCH_RETRIES);
    drop_connection(f);
    ask(f);
}

static void too_slow(struct timer *t)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, timer);
    if (f->step == STEP_BODY)
        fail(f, REASON_BETWEEN_TIMEOUT, 504);
    else
        fail(f, REASON_FIRST_BYTE_TIMEOUT, 504);
}

/* All that the client sent so far is with the origin. */
static bool waits_for_client(const struct fetch *f)
{
    return f->plan.upload && f->head_sent && !f->asked_all && !f->connection->stream.writing;
}

/* The origin's time begins anew. It runs while the origin owes something: to take what it is sent, or its answer; not while the
 * client pauses its upload, which is for the front to limit, nor while the readers are behind. */
static void set_timer(struct fetch *f)
{
    const struct site_settings *site = f->plan.site;
    if (f->paused || waits_for_client(f))
        timer_stop(f->f->loop, &f->timer);
    else
        timer_start(f->f->loop, &f->timer,
                    f->step == STEP_BODY ? site->between_bytes_timeout : site->first_byte_timeout, too_slow);
}

/* ---- over, in a good way ---- */

static void give_back(struct fetch *f)
{
    struct connection *c = f->connection;
    f->connection = NULL;
    /* An answer that came before the upload was sent leaves the connection in the middle of a message; surplus bytes
     * make it unusable as well. */
    if (f->keep_alive && f->asked_all && f->in.n == 0 && !c->stream.writing)
        pool_keep(c, f->plan.site->origin_idle_timeout);
    else
        pool_drop(c);
}

/* The suite of the field says 4-9/10 and sends five bytes; what came is what is there. A part that claims to reach the
 * end of the whole still does when it is shorter than it said; any other mismatch is no part. */
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

static void complete(struct fetch *f)
{
    give_back(f);
    if (f->part_of.is && !settle_part(f)) {
        f->store = false;
        index_withdraw(f->object); /* before it is sealed: then it would be found */
    }
    object_seal(f->object, f->store && f->plan.site->generate_etag);
    if (f->store) {
        if (index_publish(f->object, &f->place, (size_t)f->plan.site->variants, f->f->loop->now.mono_ms))
            count(f->f->counters, COUNTER_STORED);
    } else {
        index_withdraw(f->object);
        count(f->f->counters, COUNTER_NOT_STORED);
    }
    over(f);
}

/* ---- connect ---- */

static size_t on_space(struct connection *c, char **p);
static void on_data(struct connection *c, size_t n);
static void on_ended(struct connection *c, int status);
static void on_written(struct connection *c, int status);

static const struct connection_user user = { on_space, on_data, on_ended, on_written };

static void send_more(struct fetch *f);
static void cannot_send(struct fetch *f);

static void connected(struct fetch *f, struct connection *c)
{
    f->connection = c;
    c->user = &user;
    c->ctx = f;
    f->step = STEP_HEAD;
    f->sent_ms = f->f->loop->now.mono_ms;
    f->head_sent = f->asked_all = f->send_broken = false;
    set_timer(f);
    stream_read_start(&c->stream);
    send_more(f);
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
    case REASON_QUEUE_FULL:
    case REASON_QUEUE_TIMEOUT: return 503;
    default: return 502;
    }
}

static void ticket_failed(struct ticket *t, enum reason why)
{
    fail(CONTAINER_OF(t, struct fetch, ticket), why, status_of_failure(why));
}

static void ask(struct fetch *f)
{
    struct connection *c;
    enum reason why;
    f->step = STEP_CONNECT;
    f->got = STR_NONE;
    f->in.n = 0;
    f->scan = (struct head_scan){ 0 };
    f->ticket =
        (struct ticket){ .ready = ticket_ready, .failed = ticket_failed, .once = !may_be_sent_twice(f) };
    switch (pool_ask(f->f->pool, f->plan.origin, f->plan.site, f->retried, &f->ticket, &c, &why)) {
    case POOL_READY: connected(f, c); break;
    case POOL_WAIT: break;
    case POOL_REFUSED: fail(f, why, status_of_failure(why)); break;
    }
}

/* ---- the request: always written anew from its parsed form ---- */

static char *put(char *to, struct str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static void add_line(struct buf *b, struct str name, struct str value)
{
    char *to = buf_room(b, name.n + value.n + 4);
    to = put(to, name);
    *to++ = ':';
    *to++ = ' ';
    to = put(to, value);
    *to++ = '\r';
    *to = '\n';
    b->n += name.n + value.n + 4;
}

/* Fields that only this fetch may set when the answer may be stored (CACHING.md 3.7). */
static bool is_ours_alone(enum field_id id)
{
    return id == FIELD_IF_NONE_MATCH || id == FIELD_IF_MODIFIED_SINCE || id == FIELD_IF_MATCH ||
           id == FIELD_IF_UNMODIFIED_SINCE || id == FIELD_IF_RANGE || id == FIELD_RANGE;
}

static void add_validators(struct fetch *f)
{
    f->conditional = false;
    if (!f->stale || !f->plan.may_store || f->unconditional || f->plan.method != METHOD_GET ||
        f->plan.range.n || object_is_partial(f->stale))
        return;
    /* The origin's own values, byte for byte; a generated ETag is not its own. */
    const struct response *stored = f->stale->response;
    if (stored->status != 200)
        return; /* only a 200 is confirmed by a 304 */
    struct str etag = response_value(stored, FIELD_ETAG),
               modified = response_value(stored, FIELD_LAST_MODIFIED);
    if (etag.n)
        add_line(&f->out, field_name(FIELD_IF_NONE_MATCH), etag);
    if (modified.n)
        add_line(&f->out, field_name(FIELD_IF_MODIFIED_SINCE), modified);
    f->conditional = etag.n || modified.n;
}

static void add_range(struct fetch *f)
{
    if (f->plan.range.n)
        add_line(&f->out, field_name(FIELD_RANGE), f->plan.range);
    else if (f->part && !f->unconditional)
        buf_printf(&f->out, "Range: bytes=%llu-\r\n",
                   (unsigned long long)response_part(f->part->response)->last + 1);
}

static void add_framing(struct fetch *f)
{
    const struct upload *u = f->plan.upload;
    if (!u) {
        if (f->plan.empty_body)
            buf_add(&f->out, STR("Content-Length: 0\r\n"));
        return;
    }
    if (u->framing.kind == FRAMING_LENGTH)
        buf_printf(&f->out, "Content-Length: %llu\r\n", (unsigned long long)u->framing.length);
    else
        buf_add(&f->out, STR("Transfer-Encoding: chunked\r\n"));
}

static void write_head(struct fetch *f)
{
    const struct fetch_plan *p = &f->plan;
    buf_clear(&f->out);
    buf_add(&f->out, p->method_name);
    buf_add_char(&f->out, ' ');
    buf_add(&f->out, p->key.path);
    if (p->key.has_query) {
        buf_add_char(&f->out, '?');
        buf_add(&f->out, p->key.query);
    }
    buf_add(&f->out, STR(" HTTP/1.1\r\n"));
    add_line(&f->out, field_name(FIELD_HOST), p->host);
    for (size_t i = 0; i < p->key.fields->n; i++) {
        const struct field *field = &p->key.fields->v[i];
        if (!(p->may_store && is_ours_alone(field->id)))
            add_line(&f->out, field->name, field->value);
    }
    add_validators(f);
    add_range(f);
    add_framing(f);
    if (p->upgrade)
        buf_add(&f->out, STR("Connection: upgrade\r\n"));
    buf_add(&f->out, STR("\r\n"));
}

static unsigned upload_pieces(struct fetch *f, struct iovec *iov, char *chunk)
{
    struct upload *u = f->plan.upload;
    size_t bytes;
    unsigned n = 0;
    struct iovec pieces[2];
    unsigned got = upload_lease(u, pieces, &bytes);
    bool chunked = u->framing.kind != FRAMING_LENGTH;
    if (got && chunked)
        iov[n++] = (struct iovec){ chunk, chunk_head(chunk, bytes) };
    for (unsigned i = 0; i < got; i++)
        iov[n++] = pieces[i];
    if (got && chunked)
        iov[n++] = (struct iovec){ (char *)(uintptr_t)CHUNK_TAIL.p, CHUNK_TAIL.n };
    if (chunked && u->state == UPLOAD_ENDED)
        iov[n++] = (struct iovec){ (char *)(uintptr_t)CHUNK_LAST.p, CHUNK_LAST.n };
    f->upload_leased = bytes;
    return n;
}

static void wrote(struct fetch *f)
{
    f->head_sent = true;
    struct upload *u = f->plan.upload;
    size_t leased = f->upload_leased;
    f->upload_leased = 0;
    f->asked_all = !u || f->upload_ended;
    set_timer(f);
    if (u)
        upload_taken(u, leased);
}

/* Sends what is there of head and body. One write at a time; `written` comes back here. */
static void send_more(struct fetch *f)
{
    while (!f->asked_all && f->connection && !f->connection->stream.writing) {
        struct iovec iov[8];
        unsigned n = 0;
        struct upload *u = f->plan.upload;
        if (u && u->state == UPLOAD_FAILED) {
            fail(f, REASON_UPLOAD_FAILED, 502);
            return;
        }
        if (!f->head_sent) {
            write_head(f);
            iov[n++] = (struct iovec){ f->out.p, f->out.n };
        }
        if (u)
            n += upload_pieces(f, iov + n, f->chunk_text);
        if (n == 0) {
            if (u && u->state == UPLOAD_ENDED) {
                f->asked_all = true;
                set_timer(f);
            }
            return; /* the upload tells when there is more */
        }
        f->upload_ended = u && u->state == UPLOAD_ENDED;
        switch (stream_write(&f->connection->stream, iov, n)) {
        case STREAM_WRITTEN: wrote(f); break;
        case STREAM_PENDING: set_timer(f); return;
        case STREAM_BROKEN: cannot_send(f); return;
        }
    }
}

/* The origin may have answered before it closed: what it said is read first, `ended` follows. */
static void cannot_send(struct fetch *f)
{
    f->keep_alive = false;
    f->send_broken = true;
    f->asked_all = true;
    if (f->plan.upload)
        upload_leave(f->plan.upload);
    f->plan.upload = NULL;
    set_timer(f);
}

static void on_written(struct connection *c, int status)
{
    struct fetch *f = c->ctx;
    if (status < 0) {
        cannot_send(f);
        return;
    }
    wrote(f);
    send_more(f);
}

static void upload_ready(struct upload *u)
{
    struct fetch *f = u->fetch;
    if (f->step == STEP_HEAD || f->step == STEP_BODY)
        send_more(f);
}

/* ---- reading ---- */

static void turn_passing(struct fetch *f, enum reason why)
{
    int64_t now_ms = f->f->loop->now.mono_ms;
    f->store = false;
    object_close(f->object);
    index_withdraw(f->object);
    body_pass(f->body);
    /* The page is what it is by now: what is stored of it is older (CACHING.md 3.6). */
    if (why == REASON_TOO_LARGE && f->stale)
        index_withdraw(f->stale);
    if (why == REASON_TOO_LARGE)
        index_mark(f->f->cache, &f->plan.place,
                   &(struct index_note){ .over_size_until_ms = now_ms + OVER_SIZE_KEPT_MS, .reason = why },
                   now_ms);
    count(f->f->counters, COUNTER_NOT_STORED);
}

/* Where body bytes go; 0: not now. A body that is to be kept and has no room turns into a passing one. */
static size_t body_space(struct fetch *f, char **p)
{
    size_t n;
    if (f->store) {
        size_t cost = body_next_cost(f->body);
        if (body_length(f->body) >= (uint64_t)f->plan.site->object_bytes)
            turn_passing(f, REASON_TOO_LARGE);
        else if (cost && !cache_make_room(f->f->cache, cost))
            turn_passing(f, REASON_NO_MEMORY);
    }
    *p = body_room(f->body, &n);
    if (!*p)
        return 0;
    /* No further than what is kept may be long: whether more comes is seen there. */
    uint64_t most = f->store ? (uint64_t)f->plan.site->object_bytes - body_length(f->body) : n;
    return n < most ? n : (size_t)most;
}

static size_t on_space(struct connection *c, char **p)
{
    struct fetch *f = c->ctx;
    if (f->step == STEP_HEAD && f->in.n == 0) {
        *p = f->f->scratch;
        return HEAD_READ;
    }
    if (f->step == STEP_HEAD) {
        *p = buf_room(&f->in, HEAD_READ);
        return HEAD_READ; /* a tunnel takes so much of what came with its 101 */
    }
    if (f->paused)
        return 0;
    if (f->framing.kind == FRAMING_CHUNKED) {
        *p = f->f->scratch;
        return FETCH_SCRATCH_BYTES;
    }
    size_t n = body_space(f, p);
    if (n == 0) {
        fail(f, REASON_NO_MEMORY, 503);
        return 0;
    }
    return f->framing.kind == FRAMING_LENGTH && n > f->left ? (size_t)f->left : n;
}

/* Copies into the body. false: the fetch failed. */
static bool append(struct fetch *f, struct str data)
{
    while (data.n) {
        char *to;
        size_t room = body_space(f, &to);
        if (room == 0) {
            fail(f, REASON_NO_MEMORY, 503);
            return false;
        }
        size_t n = room < data.n ? room : data.n;
        memcpy(to, data.p, n);
        body_commit(f->body, n);
        data = str_from_index(data, n);
    }
    return true;
}

/* A passing body: what all readers took is given back; when the slowest is a window behind, the origin waits. */
static void throttle(struct fetch *f)
{
    uint64_t slowest = object_slowest(f->object), length = body_length(f->body);
    if (slowest == UINT64_MAX) {
        /* Nobody reads what is not kept, and nobody will. Readers that left tell of it themselves; a refresh never had one. */
        fail(f, REASON_CANCELLED, 502);
        return;
    }
    body_forget(f->body, slowest);
    bool behind = length - slowest > (uint64_t)f->plan.site->window_bytes;
    if (behind && !f->paused) {
        f->paused = true;
        timer_stop(f->f->loop, &f->timer);
        stream_read_stop(&f->connection->stream);
        object_set_paused(f->object, true);
        /* A reader may have moved on before it could know that it is waited for. */
        notice_send(&f->room.notice, f->f->loop);
    } else if (!behind && f->paused) {
        f->paused = false;
        object_set_paused(f->object, false);
        set_timer(f);
        stream_read_start(&f->connection->stream);
    }
}

static void chunked_data(struct fetch *f, struct str data)
{
    for (;;) {
        struct str piece;
        enum http_error error;
        switch (chunked_decode(&f->chunked, &data, &piece, &error)) {
        case CHUNKED_DATA:
            count_add(f->f->counters, COUNTER_ORIGIN_BYTES, (int64_t)piece.n);
            if (!append(f, piece))
                return;
            break;
        case CHUNKED_MORE: object_publish(f->object); return;
        case CHUNKED_BAD: fail(f, REASON_ORIGIN_INVALID, 502); return;
        case CHUNKED_DONE:
            /* Bytes behind the end are nobody's: the message is whole, the connection is of no more use. */
            f->keep_alive &= data.n == 0;
            complete(f);
            return;
        }
    }
}

/* n body bytes stand in the body already. */
static void took(struct fetch *f, size_t n)
{
    count_add(f->f->counters, COUNTER_ORIGIN_BYTES, (int64_t)n);
    if (f->framing.kind == FRAMING_LENGTH) {
        f->left -= n;
        if (f->left == 0) {
            complete(f);
            return;
        }
    }
    object_publish(f->object);
}

static void handle_head(struct fetch *f);

static void on_data(struct connection *c, size_t n)
{
    struct fetch *f = c->ctx;
    if (f->step == STEP_HEAD) {
        f->got = (struct str){ f->f->scratch, n };
        if (f->in.n) {
            f->in.n += n;
            f->got = buf_str(&f->in);
        }
        handle_head(f);
        return;
    }
    set_timer(f);
    if (f->framing.kind == FRAMING_CHUNKED) {
        chunked_data(f, (struct str){ f->f->scratch, n });
    } else {
        body_commit(f->body, n);
        took(f, n);
    }
    if (f->step == STEP_BODY && !f->store)
        throttle(f);
}

static void on_ended(struct connection *c, int status)
{
    struct fetch *f = c->ctx;
    f->keep_alive = false;
    /* A clean end is what ends such a body (RFC 9112 §8); a reset is not. */
    if (f->step == STEP_BODY && f->framing.kind == FRAMING_CLOSE && status == 0)
        complete(f);
    else
        connection_lost(f, REASON_ORIGIN_CLOSED, 502);
}

/* A reader moved on, or the last one left. */
static void room_noticed(struct loop_notice *n)
{
    struct fetch *f = CONTAINER_OF(n, struct fetch, room);
    if (f->step == STEP_OVER)
        return;
    bool wanted = f->step == STEP_BODY ? f->store : f->plan.may_store;
    if (!wanted && object_readers(f->object) == 0)
        fail(f, REASON_CANCELLED, 502);
    else if (f->step == STEP_BODY && !f->store)
        throttle(f);
}

/* ---- the head ---- */

/* Asks again, once, without validators and ranges of ours. */
static void ask_unconditionally(struct fetch *f)
{
    f->unconditional = true;
    f->retried = false;
    drop_connection(f);
    object_unref(f->part);
    f->part = NULL;
    ask(f);
}

/* Bytes that came behind the head belong to the body. */
static void take_rest(struct fetch *f, size_t head_bytes)
{
    struct str rest = str_from_index(f->got, head_bytes);
    f->in.n = 0; /* the bytes stay until the buffer is used again */
    if (f->framing.kind == FRAMING_NONE || (f->framing.kind == FRAMING_LENGTH && f->left == 0)) {
        f->keep_alive &= rest.n == 0;
        complete(f);
        return;
    }
    if (f->framing.kind == FRAMING_CHUNKED) {
        chunked_data(f, rest);
    } else if (rest.n == 0) {
        object_publish(f->object);
    } else {
        struct str mine = f->framing.kind == FRAMING_LENGTH ? str_first(rest, f->left) : rest;
        f->keep_alive &= mine.n == rest.n;
        if (append(f, mine))
            took(f, mine.n);
    }
    if (f->step == STEP_BODY && !f->store)
        throttle(f);
}

static bool is_safe(enum method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

/* A page that cannot be shared: for a while its requests do not wait for each other. */
static bool should_not_queue(enum reason why)
{
    switch (why) {
    case REASON_NO_STORE:
    case REASON_PRIVATE:
    case REASON_SET_COOKIE:
    case REASON_NO_PERMISSION:
    case REASON_NO_LIFETIME:
    case REASON_VARY_STAR:
    case REASON_VARY_INVALID:
    case REASON_TAGS_LIMIT:
    case REASON_TARGETED_INVALID:
    case REASON_TOO_LARGE:
    case REASON_DEV: return true;
    default: return false;
    }
}

/* Says something of the origin's state, or of one visitor, and nothing of the page. */
static bool is_passing_trouble(int status, enum reason why)
{
    return status >= 500 || status == 408 || status == 425 || status == 429 || why == REASON_AUTHORIZATION ||
           why == REASON_NO_MEMORY;
}

/* What the verdict means to the index. */
static void settle(struct fetch *f, int status, const struct verdict *v)
{
    struct cache *c = f->f->cache;
    int64_t now_ms = f->f->loop->now.mono_ms;
    f->place = f->plan.place;
    if (v->store) {
        f->place.rule = v->rule;
        f->place.variant = key_variant(&f->plan.key, v->rule, &f->arena);
        place_hash(c, &f->place);
        index_settle(f->object, &f->place, v->rule);
        return;
    }
    if (v->rule_changed && f->plan.may_store)
        index_learn(c, &f->place, v->rule, now_ms);
    index_withdraw(f->object);
    object_close(f->object);
    if (f->plan.may_store) {
        struct index_note note = { .reason = v->reason };
        if (should_not_queue(v->reason))
            note.no_queue_until_ms = now_ms + f->plan.site->no_queue_time;
        if (v->reason == REASON_TOO_LARGE)
            note.over_size_until_ms = now_ms + OVER_SIZE_KEPT_MS;
        index_mark(c, &f->place, &note, now_ms);
    }
    /* The origin's word on this page is newer than what is stored: that is dropped, not kept (CACHING.md 3.6). */
    if (is_passing_trouble(status, v->reason))
        back_off(f);
    else if (f->stale && f->plan.may_store && !f->plan.not_stored)
        index_withdraw(f->stale);
}

/* The resource may have learnt another rule since this fetch began: that is what the answer is judged by. */
static void update_rule(struct fetch *f)
{
    bool known, busy;
    struct rule *now = index_rule(f->f->cache, &f->plan.place, &known, &busy);
    if (known) {
        rule_unref((struct rule *)(uintptr_t)f->plan.rule);
        f->plan.rule = f->plan.place.rule = now;
    } else {
        rule_unref(now);
    }
}

/* What a head takes of the budget, with some room to spare. */
static size_t head_cost(const struct fields *fields)
{
    size_t bytes = HEAD_COST;
    for (size_t i = 0; i < fields->n; i++)
        bytes += fields->v[i].name.n + fields->v[i].value.n + sizeof(": \r\n") - 1;
    return bytes;
}

static void judge(struct fetch *f, int status, const struct fields *fields, struct verdict *v)
{
    update_rule(f);
    struct key_request self;
    struct str content_location = fields_value(fields, FIELD_CONTENT_LOCATION);
    bool names_itself = content_location.n &&
                        same_origin_reference(&f->plan.key, content_location, &f->arena, &self) &&
                        str_eq(self.path, f->plan.key.path) && str_eq(self.query, f->plan.key.query);
    struct judge in = {
        .site = f->plan.site,
        .method = f->plan.method,
        .request = f->plan.key.fields,
        .query = f->plan.key.query,
        .post_names_itself = names_itself,
        .status = status,
        .response = fields,
        .known = f->plan.rule,
        .delay_ms = f->f->loop->now.mono_ms - f->sent_ms,
        .received_wall_ms = f->f->loop->now.wall_ms,
    };
    policy_judge(&in, &f->arena, v);
    count_add(f->f->counters, COUNTER_VARY_IGNORED, v->vary_ignored);
    bool may = f->plan.may_store || (f->plan.method == METHOD_POST && names_itself);
    if (v->store && !may)
        v->reason = f->plan.not_stored ? f->plan.not_stored : REASON_METHOD;
    if (v->store && f->plan.not_stored)
        v->reason = f->plan.not_stored;
    if (v->store && f->framing.kind == FRAMING_LENGTH &&
        f->framing.length > (uint64_t)f->plan.site->object_bytes)
        v->reason = REASON_TOO_LARGE;
    if (v->store && v->reason == REASON_NONE && !cache_make_room(f->f->cache, head_cost(fields)))
        v->reason = REASON_NO_MEMORY;
    v->store = v->store && v->reason == REASON_NONE;
}

/* For the dev profile: what production would have done. */
static struct str dev_note(struct fetch *f, const struct verdict *v)
{
    if (v->reason != REASON_DEV)
        return STR_NONE;
    struct buf b = BUF_INIT;
    buf_printf(&b, "dev: would store for %lld s", (long long)(v->fresh.lifetime_ms / 1000));
    for (size_t i = 0; i < v->tags.n && i < 16; i++)
        buf_printf(&b, "%s%.*s", i ? " " : ", tags ", STR_ARG(v->tags.v[i]));
    struct str note = arena_dup(&f->arena, buf_str(&b));
    buf_fini(&b);
    return note;
}

struct answer {
    int status;
    struct str reason;
    const struct fields *fields; /* end-to-end */
    int64_t declared_length;
    int fetched_status;
};

/* A confirmed response stays purgeable by what it was purgeable by when the 304 was asked for. */
static void add_names(struct fetch *f, const struct object *before, const uint32_t **names, size_t *n)
{
    const uint32_t *old = object_names(before);
    size_t old_n = object_names_n(before);
    uint32_t *all = arena_alloc(&f->arena, (*n + old_n) * sizeof(*all));
    memcpy(all, *names, *n * sizeof(*all));
    for (size_t i = 0; i < old_n; i++) {
        bool there = false;
        for (size_t k = 0; k < *n && !there; k++)
            there = all[k] == old[i];
        if (!there)
            all[(*n)++] = old[i];
    }
    *names = all;
}

/* The object gets its head. `body` is taken over; `successor_of`: a confirmed response whose generated ETag stays. */
static void publish_head(struct fetch *f, const struct answer *a, struct verdict *v, struct body **body,
                         const struct object *successor_of)
{
    const uint32_t *names = NULL;
    size_t names_n = 0;
    /* What nobody else gets need not be purged. */
    if (v->store)
        names_of_response(f->f->cache, &f->plan.key, v->rule, f->plan.rule, v, &f->arena, &names, &names_n);
    if (v->store && successor_of)
        add_names(f, successor_of, &names, &names_n);
    struct response_plan plan = {
        .status = a->status,
        .reason = a->reason,
        .fields = a->fields,
        .site = f->plan.site,
        .received_wall_ms = f->f->loop->now.wall_ms,
        .declared_length = *body ? -1 : a->declared_length, /* a body knows its own */
        .strip_cookies = v->store && v->strip_cookies,
        .add_default_cc = v->store && f->plan.site->default_browser_revalidate,
        .note = dev_note(f, v),
        .names = names,
        .names_n = names_n,
        .is_part = f->part_of.is,
    };
    struct response *response = response_new(&f->f->cache->memory, &plan);
    object_set_head(f->object, &(struct object_head){
                                   .response = &response,
                                   .body = body,
                                   .verdict = v,
                                   .received_mono_ms = f->f->loop->now.mono_ms,
                                   .fetched_status = a->fetched_status,
                                   .successor_of = successor_of,
                               });
    if (f->invalidated && v->store) {
        object_begin_again(f->object, epochs_published(f->f->cache->epochs));
        index_begin(f->object, &f->place, f->object->begun_mono_ms);
    }
}

/* The bytes that are there already stand in front of those that come. false: the fetch failed. */
static bool copy_part(struct fetch *f)
{
    struct body_cursor cursor = { NULL };
    struct body *part = f->part->body;
    for (uint64_t at = 0, bytes; at < body_length(part); at += bytes) {
        struct iovec iov;
        body_lease(part, &cursor, at, body_length(part), &iov, 1, &bytes);
        if (!append(f, (struct str){ iov.iov_base, iov.iov_len }))
            return false;
    }
    return true;
}

/* What is to be kept, and how long it will be is known: all at once, when there is room for it. */
static struct body *new_body(struct fetch *f)
{
    struct cache *c = f->f->cache;
    if (f->framing.kind != FRAMING_LENGTH)
        return body_new(&c->memory, BODY_LENGTH_UNKNOWN);
    uint64_t length = f->framing.length + (f->part ? body_length(f->part->body) : 0);
    struct body *whole = NULL;
    if (f->store && length <= BODY_WHOLE_MAX && length <= (uint64_t)f->plan.site->object_bytes &&
        cache_make_room(c, body_whole_cost(length)))
        whole = body_new_whole(&c->memory, length);
    return whole ? whole : body_new(&c->memory, length);
}

static void begin_body(struct fetch *f, const struct answer *a, struct verdict *v, size_t head_bytes)
{
    struct body *shared = NULL;
    f->store = v->store;
    if (f->framing.kind != FRAMING_NONE) {
        f->body = new_body(f);
        if (!f->store)
            body_pass(f->body);
        if (f->part && !copy_part(f)) {
            rule_unref(v->rule);
            return;
        }
        shared = body_ref(f->body);
    }
    f->left = f->framing.length;
    chunked_init(&f->chunked);
    f->step = STEP_BODY;
    publish_head(f, a, v, &shared, NULL);
    rule_unref(v->rule);
    v->rule = NULL;
    if (!f->store && object_readers(f->object) == 0) {
        fail(f, REASON_CANCELLED, 502);
        return;
    }
    take_rest(f, head_bytes);
    if (f->step == STEP_BODY)
        set_timer(f);
}

/* 304: the stored response is confirmed. A new object with its body and the updated head (RFC 9111 §4.3.4). */
static void confirmed(struct fetch *f, const struct response_head *h, size_t head_bytes)
{
    struct fields update, before, merged;
    struct verdict v;
    bool keep_cookies = f->plan.site->set_cookie != SET_COOKIE_REFUSE;
    const struct response *stored = f->stale->response;
    response_end_to_end(&h->fields, &f->arena, &update);
    struct etag theirs = etag_parse(fields_value(&update, FIELD_ETAG));
    if (theirs.opaque.n && !theirs.weak && !etag_match_strong(theirs, response_etag(stored))) {
        ask_unconditionally(f);
        return;
    }
    response_fields(stored, &f->arena, &before, NULL);
    response_merge_304(&before, &update, keep_cookies, &f->arena, &merged);
    /* Fields and names add up when each confirmation brings others: at some point the page is fetched anew. */
    const struct process_settings *limits = &f->plan.settings->process;
    if (merged.n > 2 * (size_t)limits->response_header_count ||
        head_cost(&merged) > 2 * (size_t)limits->response_header_bytes + HEAD_COST ||
        object_names_n(f->stale) > NAMES_CARRIED) {
        ask_unconditionally(f);
        return;
    }
    judge(f, stored->status, &merged, &v);
    bool cookie = fields_has(&update, FIELD_SET_COOKIE) || fields_has(&update, FIELD_SET_COOKIE2);
    if (v.store && cookie && !keep_cookies) {
        v.store = false;
        v.reason = REASON_SET_COOKIE;
    }
    settle(f, stored->status, &v);
    count(f->f->counters, COUNTER_REVALIDATED);
    struct answer a = { stored->status, response_reason(stored), &merged, -1, 304 };
    struct body *body = object_body(f->stale);
    f->store = v.store;
    publish_head(f, &a, &v, &body, f->stale);
    rule_unref(v.rule);
    f->keep_alive &= f->got.n == head_bytes;
    f->in.n = 0;
    complete(f);
}

/* The origin failed, and there is something stored to go on with: the answer is not delivered. */
static bool is_covered_by_stale(struct fetch *f, int status)
{
    if (!f->stale)
        return false;
    if (f->plan.background)
        return status >= 500 || status == 408 || status == 425 || status == 429;
    if (!policy_status_is_failure(status) || f->stale->response->status >= 400)
        return false;
    return object_serves_on_error(f->stale, epochs_published(f->f->cache->epochs), f->f->loop->now.mono_ms,
                                  &f->request);
}

static int64_t declared_length(const struct response_head *h)
{
    uint64_t n;
    return str_to_u64(fields_value(&h->fields, FIELD_CONTENT_LENGTH), INT64_MAX, &n) ? (int64_t)n : -1;
}

/* A HEAD that tells of another length or validator than what is stored makes that stale (RFC 9111 §4.3.5). */
static void compare_with_stored(struct fetch *f, const struct response_head *h)
{
    uint32_t name;
    update_rule(f); /* of the variant that it is by now */
    struct place place = f->plan.place;
    place.variant = key_variant(&f->plan.key, f->plan.rule, &f->arena);
    place_hash(f->f->cache, &place);
    struct object *o = index_peek(f->f->cache, &place);
    if (!o)
        return;
    const struct response *stored = o->response;
    struct str etag = fields_value(&h->fields, FIELD_ETAG),
               modified = fields_value(&h->fields, FIELD_LAST_MODIFIED);
    int64_t length = declared_length(h);
    bool differs = (etag.n && !str_eq(etag, response_value(stored, FIELD_ETAG))) ||
                   (modified.n && !str_eq(modified, response_value(stored, FIELD_LAST_MODIFIED))) ||
                   (length >= 0 && (uint64_t)length != object_length(o));
    object_unref(o);
    if (differs && name_of_url(f->f->cache, &f->plan.key, &f->arena, &name))
        epochs_purge(f->f->cache->epochs, PURGE_INVALIDATE, &name, 1, f->f->loop->now.mono_ms);
}

/* The rest of a stored part: both carry the same strong validator, and fit (RFC 9111 §3.4). */
static bool completes_part(struct fetch *f, const struct fields *fields)
{
    uint64_t whole;
    struct range r;
    if (!content_range_parse(fields_value(fields, FIELD_CONTENT_RANGE), &r, &whole))
        return false;
    struct etag theirs = etag_parse(fields_value(fields, FIELD_ETAG));
    const struct part *part = response_part(f->part->response);
    return r.first == part->last + 1 && r.last + 1 == whole && part->whole == whole && theirs.opaque.n &&
           etag_match_strong(theirs, response_etag(f->part->response));
}

/* A whole of a stored part and the 206 that brings its rest. */
static void complete_part(struct fetch *f, const struct response_head *h, const struct fields *rest)
{
    struct fields before, merged;
    struct verdict v;
    response_fields(f->part->response, &f->arena, &before, NULL);
    response_merge_304(&before, rest, f->plan.site->set_cookie != SET_COOKIE_REFUSE, &f->arena, &merged);
    fields_remove(&merged, FIELD_CONTENT_RANGE);
    judge(f, 200, &merged, &v);
    settle(f, 200, &v);
    struct answer a = { 200, STR("OK"), &merged, -1, 206 };
    begin_body(f, &a, &v, h->bytes);
}

/* A 206 to a Range that this fetch forwarded, judged as if it were whole: what may be stored of a page may be stored of its
 * parts (RFC 9111 §3.3). */
static void judge_part(struct fetch *f, const struct fields *fields, struct verdict *v)
{
    uint64_t whole;
    struct range r;
    bool parsed = content_range_parse(fields_value(fields, FIELD_CONTENT_RANGE), &r, &whole);
    judge(f, parsed && f->plan.range.n ? 200 : 206, fields, v);
    f->part_of.is = v->store;
    if (v->store) {
        f->part_of.range = r;
        f->part_of.whole = whole;
    }
}

static void final_head(struct fetch *f, const struct response_head *h, size_t head_bytes)
{
    struct fields fields;
    struct verdict v;
    int status = h->status;
    if (is_covered_by_stale(f, status)) {
        f->covered_status = status;
        fail(f, REASON_ORIGIN_STATUS, status >= 500 && status <= 504 ? status : 502);
        return;
    }
    if (status == 304 && f->conditional) {
        origin_answered(f->plan.origin);
        confirmed(f, h, head_bytes);
        return;
    }
    if (status == 304 && f->plan.may_store) {
        fail(f, REASON_ORIGIN_INVALID, 502); /* nobody asked a question that 304 answers */
        return;
    }
    if ((status == 412 || status == 416) && (f->conditional || f->part) && !f->unconditional) {
        ask_unconditionally(f);
        return;
    }
    if (status >= 500)
        origin_failed(f->plan.origin, REASON_ORIGIN_STATUS, f->f->loop->now.wall_ms);
    else
        origin_answered(f->plan.origin);
    response_end_to_end(&h->fields, &f->arena, &fields);
    if (f->plan.method == METHOD_HEAD && status == 200)
        compare_with_stored(f, h);
    if (!is_safe(f->plan.method) && status >= 200 && status < 400 && f->plan.site->invalidate_unsafe) {
        invalidate_by_answer(f->f->cache, &f->plan.key, &fields, &f->arena, f->f->loop->now.mono_ms);
        f->invalidated = true;
    }
    if (status == 206 && f->part) {
        if (completes_part(f, &fields))
            complete_part(f, h, &fields);
        else
            ask_unconditionally(f);
        return;
    }
    object_unref(f->part); /* the whole comes anew */
    f->part = NULL;
    if (status == 206 && f->plan.may_store)
        judge_part(f, &fields, &v);
    else
        judge(f, status, &fields, &v);
    settle(f, status, &v);
    struct answer a = { status, h->reason, &fields, declared_length(h), status };
    begin_body(f, &a, &v, head_bytes);
}

/* Something between the request and its answer. false: the fetch is over. */
static bool interim_head(struct fetch *f, const struct response_head *h)
{
    if (h->status == 101 && f->plan.upgrade && f->plan.client) {
        struct fetch_client *client = f->plan.client;
        struct connection *c = f->connection;
        f->connection = NULL;
        f->plan.client = NULL;
        client->fetch = NULL;
        timer_stop(f->f->loop, &f->timer);
        origin_answered(f->plan.origin);
        client->upgraded(client, c, h, str_from_index(f->got, h->bytes));
        object_fail(f->object, REASON_UPGRADE, 502);
        over(f);
        return false;
    }
    if (h->status == 101 || ++f->interims > INTERIM_MOST) {
        fail(f, REASON_ORIGIN_INVALID, 502);
        return false;
    }
    if (h->status != 100 && f->plan.client) {
        struct fields fields;
        response_end_to_end(&h->fields, &f->arena, &fields);
        f->plan.client->interim(f->plan.client, h->status, &fields);
    }
    return true;
}

/* Part of a head: the rest comes behind it. */
static void keep_part(struct fetch *f)
{
    if (f->in.n) { /* it is there, perhaps behind an interim one */
        memmove(f->in.p, f->got.p, f->got.n);
        f->in.n = f->got.n;
    } else {
        buf_add(&f->in, f->got);
    }
    f->got = STR_NONE;
}

static void handle_head(struct fetch *f)
{
    const struct process_settings *process = &f->plan.settings->process;
    size_t lines = (size_t)process->response_header_count;
    struct head_limits limits = { LINE_MOST, (size_t)process->response_header_bytes, lines };
    while (f->got.n) {
        struct response_head h = { .fields = { .v = table_of(f->f, lines), .cap = lines } };
        enum http_error error = HTTP_ERROR_NONE;
        switch (response_head_parse(f->got, &f->scan, &limits, &h, &error)) {
        case HEAD_MORE: keep_part(f); return;
        case HEAD_BAD:
            log_warning(f->f->log, "origin", "%.*s: %s", STR_ARG(f->plan.origin->at.authority),
                        http_error_text(error));
            fail(f, REASON_ORIGIN_INVALID, 502);
            return;
        case HEAD_DONE: break;
        }
        if (h.status >= 200) {
            f->keep_alive = !f->send_broken && wants_keep_alive(h.minor, &h.fields);
            if (framing_of_response(f->plan.method, &h, &f->framing) != HTTP_ERROR_NONE) {
                fail(f, REASON_ORIGIN_INVALID, 502);
                return;
            }
            /* A 204 that claims a body may send one: what follows on the connection cannot be trusted. */
            bool claims = fields_has(&h.fields, FIELD_TRANSFER_ENCODING) || declared_length(&h) > 0;
            if (f->framing.kind == FRAMING_CLOSE || (h.status == 204 && claims))
                f->keep_alive = false;
            final_head(f, &h, h.bytes);
            return;
        }
        if (!interim_head(f, &h))
            return;
        f->got = str_from_index(f->got, h.bytes);
        f->scan = (struct head_scan){ 0 };
    }
    f->in.n = 0;
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

/* All strings of the plan stand in one piece of the arena. */
static void copy_strings(struct fetch_plan *p, struct arena *a)
{
    struct str *one[] = { &p->method_name,   &p->host,         &p->range,     &p->request_id,
                          &p->key.host,      &p->key.path,     &p->key.query, &p->key.country,
                          &p->place.primary, &p->place.variant };
    const struct fields *from = p->key.fields;
    struct fields *to = arena_alloc(a, sizeof(*to) + from->n * sizeof(*to->v));
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT_OF(one); i++)
        bytes += one[i]->n;
    for (size_t i = 0; i < from->n; i++)
        bytes += from->v[i].name.n + from->v[i].value.n;
    char *at = arena_alloc(a, bytes);
    for (size_t i = 0; i < COUNT_OF(one); i++)
        move_bytes(one[i], &at);
    *to = (struct fields){ (struct field *)(void *)(to + 1), from->n, from->n, from->present };
    for (size_t i = 0; i < from->n; i++) {
        to->v[i] = from->v[i];
        move_bytes(&to->v[i].name, &at);
        move_bytes(&to->v[i].value, &at);
    }
    p->key.fields = to;
}

static void copy_plan(struct fetch *f, const struct fetch_plan *p)
{
    struct fetch_plan *to = &f->plan;
    *to = *p;
    to->settings = settings_ref(p->settings);
    to->rule = rule_ref(p->rule);
    copy_strings(to, &f->arena);
    to->place.rule = to->rule;
    f->request = *p->request;
    to->request = &f->request;
    f->object = object_ref(p->object);
    f->stale = p->stale ? object_ref(p->stale) : NULL;
    f->part = p->part ? object_ref(p->part) : NULL;
}

void fetch_start(struct fetcher *f, const struct fetch_plan *plan)
{
    struct fetch *fetch = take_memory(f);
    fetch->f = f;
    copy_plan(fetch, plan);
    index_begin(fetch->object, &fetch->plan.place, f->loop->now.mono_ms);
    fetch->has_upload = plan->upload != NULL;
    list_push_back(&f->live, &fetch->link);
    count(f->counters, COUNTER_FETCHES);
    count_add(f->counters, COUNTER_FETCHES_OPEN, 1);
    if (plan->background)
        count(f->counters, COUNTER_REFRESHES);
    loop_notice_init(&fetch->room, f->loop, room_noticed);
    object_set_fetch(fetch->object, &fetch->room.notice, f->loop);
    if (plan->client)
        plan->client->fetch = fetch;
    if (plan->upload) {
        plan->upload->fetch = fetch;
        plan->upload->ready = upload_ready;
    }
    ask(fetch);
}
