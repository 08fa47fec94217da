#include "origin/mux.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "origin/pool_machine.h"

#define READ_BYTES  ((size_t)32768)
#define OUT_BYTES   ((size_t)65536) /* so much is put together for one write */
#define ARENA_BYTES 2048
/* A head that is larger than its limit is one bad answer; a block beyond so many times it is not even
 * looked at, and ends the connection of all. */
#define BLOCK_TIMES 4
/* A connection that was silent for so long is asked for a sign of life with the next request, and when a
 * holder loses patience. It is given up when none comes in time: its way may be cut without a word. */
#define SILENT_MS    ((int64_t)10000)
#define SIGN_MS      ((int64_t)5000)
#define SIGN_LONG_MS ((int64_t)15000) /* with a request that has just come: nobody has lost patience yet */
/* So many streams are reset on one connection: origins take more for an attack (CVE-2023-44487). */
#define RESETS_MOST 100

struct mux {
    struct connection *c;
    struct h2 *h2; /* NULL: over */
    struct h2_limits limits;
    struct list lanes;
    size_t lanes_n;
    struct arena heads;
    struct buf out;  /* being written */
    struct buf next; /* what is put together meanwhile */
    struct letter work;
    bool work_due, freeing;
    bool known;   /* the origin's SETTINGS came */
    bool alone;   /* one lane only */
    bool retired; /* no more lanes */
    bool served;  /* an answer came */
    unsigned resets;
    uint64_t writes; /* how often `next` went */
    int64_t heard_ms;
    struct timer sign; /* runs while a sign of life is awaited */
};

static void work(struct letter *l);

static struct pool *pool_of(const struct mux *m)
{
    return m->c->entry->pool;
}

static int64_t now_of(const struct mux *m)
{
    return pool_of(m)->loop->now.mono_ms;
}

/* From the loop, after the callback that runs now. */
static void work_later(struct mux *m)
{
    if (m->work_due)
        return;
    m->work_due = true;
    m->work.open = work;
    loop_defer(pool_of(m)->loop, &m->work);
}

/* ---- what holders are told ---- */

static void open_letter(struct letter *letter);

static void tell_later(struct lane *l)
{
    if (l->letter_due)
        return;
    l->letter_due = true;
    l->letter.open = open_letter;
    loop_defer(l->c.entry->pool->loop, &l->letter);
}

/* Gives bytes to the holder as it takes them. Returns how many. The lane may be over then. */
static size_t give(struct lane *l, struct str data)
{
    struct connection *c = &l->c;
    size_t given = 0;
    while (l->reading && c->user && given < data.n) {
        char *to;
        size_t n = c->user->space(c, &to);
        if (!c->user)
            break;
        if (n == 0) {
            l->reading = false;
            break;
        }
        n = n < data.n - given ? n : data.n - given;
        memcpy(to, data.p + given, n);
        given += n;
        if (l->stream)
            h2_consumed(l->mux->h2, l->stream, n);
        c->user->data(c, n);
    }
    return given;
}

static void tell_end(struct lane *l)
{
    if (!l->reading || !l->has_end || l->in.n > l->taken || !l->c.user)
        return;
    l->reading = l->has_end = false;
    l->c.user->ended(&l->c, l->end_status);
}

/* Gives back the memory of bytes that the holder has. */
static void forget_taken(struct lane *l)
{
    if (l->taken < l->in.n && l->taken < MUX_WINDOW / 4)
        return;
    l->in.n -= l->taken;
    if (l->in.n)
        memmove(l->in.p, l->in.p + l->taken, l->in.n);
    else
        buf_fini(&l->in);
    l->taken = 0;
}

/* Tells what the holder has not been told. */
static void tell(struct lane *l)
{
    if (l->wrote) {
        l->wrote = false;
        l->c.user->written(&l->c, l->write_status);
    }
    if (l->c.user && l->in.n > l->taken)
        l->taken += give(l, str_from_index(buf_str(&l->in), l->taken));
    forget_taken(l);
    if (l->c.user)
        tell_end(l);
}

static void free_lane(struct lane *l)
{
    CHECK(!l->c.user && !link_is_in(&l->link));
    l->c.tag = 0;
    buf_fini(&l->in);
    mem_free(l);
}

/* From the loop. */
static void open_letter(struct letter *letter)
{
    struct lane *l = CONTAINER_OF(letter, struct lane, letter);
    l->letter_due = false;
    if (l->over) {
        free_lane(l);
        return;
    }
    tell(l);
    if (l->mux)
        work_later(l->mux); /* windows may have opened */
}

static void take_data(struct lane *l, struct str data)
{
    size_t given = l->in.n ? 0 : give(l, data);
    if (l->c.user)
        buf_add(&l->in, str_from_index(data, given));
}

static void fail_write(struct lane *l)
{
    if (!l->writing)
        return;
    l->writing = false;
    l->wrote = true;
    l->write_status = UV_EPIPE;
    tell_later(l);
}

/* The stream is over, and is not the protocol's any more. */
static void cut(struct lane *l, int status)
{
    l->stream = NULL;
    fail_write(l);
    if (!l->has_end) {
        l->has_end = true;
        l->end_status = status;
    }
}

/* ---- the end of the connection ---- */

static void say_broken(struct mux *m, const struct h2_event *e, const char *so)
{
    char held[LOG_HELD_MAX] = "";
    struct origin *o = m->c->entry->origin;
    if (log_valve_opens(&o->http2_said, now_of(m), held))
        log_warning(pool_of(m)->log, "origin", "%.*s breaks the rules of HTTP/2: %s%s%.*s; %s%s",
                    STR_ARG(o->name), e->text, e->wrong.n ? ": " : "", STR_ARG(e->wrong), so, held);
}

/* Notes which requests have not even been begun to be sent, and may be sent elsewhere whatever they are.
 * Returns whether there are any: then no byte goes any more. */
static bool keep_back(struct mux *m)
{
    bool some = false;
    LIST_EACH(i, &m->lanes) {
        struct lane *lane = CONTAINER_OF(i, struct lane, link);
        bool waits = lane->asked && lane->asked_at == m->writes && !lane->has_end;
        lane->c.unprocessed |= waits;
        some |= waits;
    }
    return some;
}

/* Sends what is left to say, if the way is free. */
static void say_last(struct mux *m)
{
    struct iovec iov;
    if (m->c->stream.writing || m->c->stream.state != STREAM_OPEN)
        return;
    h2_take(m->h2, &m->next);
    iov = (struct iovec){ m->next.p, m->next.n };
    if (m->next.n)
        stream_write(&m->c->stream, &iov, 1);
}

/* Ends the connection; its lanes end with `status`. `text`: what was wrong while it was being made; NULL: the
 * connection itself failed. */
static void end(struct mux *m, int status, const char *text)
{
    struct connection *c = m->c;
    struct link *l;
    if (!m->h2)
        return;
    timer_stop(pool_of(m)->loop, &m->sign);
    pool_unshare(c);
    bool kept_back = keep_back(m);
    LIST_EACH(i, &m->lanes) {
        struct lane *lane = CONTAINER_OF(i, struct lane, link);
        if (lane->stream)
            h2_close(m->h2, &lane->stream, H2_CANCEL);
    }
    if (!kept_back)
        say_last(m);
    h2_free(m->h2);
    m->h2 = NULL;
    if (m->known) {
        count_add(pool_of(m)->counters, COUNTER_ORIGIN_HTTP2_OPEN, -1);
        atomic_fetch_sub_explicit(&c->entry->origin->http2_open, 1, memory_order_relaxed);
        pool_drop(c);
    } else {
        connect_unsettled(c, status, text);
    }
    while ((l = list_pop(&m->lanes)) != NULL) {
        struct lane *lane = CONTAINER_OF(l, struct lane, link);
        m->lanes_n--;
        lane->mux = NULL;
        cut(lane, status);
        tell_later(lane);
    }
}

static void no_sign(struct timer *t)
{
    struct mux *m = CONTAINER_OF(t, struct mux, sign);
    char held[LOG_HELD_MAX] = "";
    struct origin *o = m->c->entry->origin;
    if (log_valve_opens(&o->http2_said, now_of(m), held))
        log_warning(pool_of(m)->log, "origin",
                    "%.*s: an HTTP/2 connection gives no sign of life, not even to PING; it ends%s",
                    STR_ARG(o->name), held);
    end(m, UV_ETIMEDOUT, "it does not answer");
}

/* Is anybody there? */
static void look_for_life(struct mux *m, int64_t patience_ms)
{
    if (!m->h2 || timer_is_running(&m->sign) || now_of(m) - m->heard_ms < SILENT_MS)
        return;
    h2_ping(m->h2);
    timer_start(pool_of(m)->loop, &m->sign, patience_ms, no_sign);
    work_later(m);
}

/* Closes it when nobody needs it, or can have it: an origin that permits no more requests would collect idle
 * ones. */
static void close_unused(struct mux *m)
{
    if (!m->h2 || !m->known || m->lanes_n || !(m->retired || h2_room(m->h2) == 0))
        return;
    h2_drain_now(m->h2);
    end(m, UV_ECONNRESET, NULL);
}

/* ---- sending ---- */

static size_t left_of(const struct lane *l)
{
    return l->out[0].iov_len + l->out[1].iov_len;
}

/* Moves n bytes of the pending write. */
static void move(struct lane *l, size_t n, struct buf *to)
{
    for (unsigned i = 0; i < 2 && n; i++) {
        size_t some = l->out[i].iov_len < n ? l->out[i].iov_len : n;
        buf_add(to, (struct str){ l->out[i].iov_base, some });
        l->out[i].iov_base = (char *)l->out[i].iov_base + some;
        l->out[i].iov_len -= some;
        l->sent += some;
        n -= some;
    }
}

static void put_piece(struct mux *m, struct h2_stream *s, size_t most)
{
    struct lane *l = h2_owner(s);
    size_t left = left_of(l), n = left < most ? left : most;
    bool ends = n == left;
    h2_put_data(m->h2, s, n, ends && l->last, &m->next);
    move(l, n, &m->next);
    if (!ends)
        return;
    if (!l->last)
        h2_want(m->h2, s, false);
    l->writing = false;
    l->wrote = true;
    l->write_status = 0;
    tell_later(l);
}

static bool put_more(struct mux *m)
{
    struct h2_stream *s;
    size_t most;
    h2_take(m->h2, &m->next);
    while (m->next.n < OUT_BYTES && (s = h2_next(m->h2, &most)) != NULL)
        put_piece(m, s, most);
    return m->next.n > 0;
}

static void send_all(struct mux *m)
{
    while (m->h2 && !m->c->stream.writing && put_more(m)) {
        buf_fini(&m->out);
        m->out = m->next;
        m->next = BUF_INIT;
        m->writes++;
        struct iovec iov = { m->out.p, m->out.n };
        if (stream_write(&m->c->stream, &iov, 1) == STREAM_BROKEN)
            break; /* `ended` follows */
    }
    if (!m->c->stream.writing)
        buf_fini(&m->out);
}

static void failed(struct mux *m, const struct h2_event *e);

/* The letter: what waits is sent. */
static void work(struct letter *letter)
{
    struct mux *m = CONTAINER_OF(letter, struct mux, work);
    struct str nothing = STR_NONE;
    struct h2_event e;
    m->work_due = false;
    if (m->freeing) {
        mux_free(m);
        return;
    }
    if (!m->h2)
        return;
    send_all(m);
    if (mux_room(m) > 0)
        share_wake(m->c->entry);
    /* Our own patience may have ended outside of a reading. */
    if (h2_is_over(m->h2) && h2_read(m->h2, &nothing, now_of(m), &m->heads, &e) == H2_FAILED)
        failed(m, &e);
    close_unused(m);
}

void mux_on_written(struct mux *m, int status)
{
    buf_fini(&m->out);
    if (status == 0)
        work_later(m); /* else `ended` follows */
}

/* ---- receiving ---- */

size_t mux_on_space(struct mux *m, char **p)
{
    struct pool *pool = pool_of(m);
    if (!pool->scratch)
        pool->scratch = mem_alloc(READ_BYTES);
    *p = pool->scratch;
    return READ_BYTES;
}

static void on_head(struct lane *l, const struct h2_event *e)
{
    struct response_head h = { .status = e->head.status, .reason = STR(""), .minor = 1 };
    h.fields = e->head.request.fields;
    l->mux->served |= h.status >= 200;
    if (e->last) {
        l->has_end = true;
        l->end_status = 0;
    }
    if (e->head.error != HTTP_ERROR_NONE)
        l->c.user->bad(&l->c, e->head.error);
    else
        l->c.user->head(&l->c, &h, e->last);
    if (l->c.user)
        tell_end(l);
}

static void on_body(struct lane *l, const struct h2_event *e)
{
    if (e->last) {
        l->has_end = true;
        l->end_status = 0;
    }
    take_data(l, e->data);
    if (l->c.user)
        tell_end(l);
}

static void note_reset(struct mux *m)
{
    if (++m->resets == RESETS_MOST)
        mux_retire(m);
}

static void on_reset(struct lane *l, const struct h2_event *e)
{
    bool was_whole = l->has_end;
    if (e->by_us)
        note_reset(l->mux);
    l->c.unprocessed = e->is_unprocessed;
    l->c.wants_http1 = e->code == H2_HTTP_1_1_REQUIRED;
    cut(l, UV_ECONNRESET);
    if (!e->by_us || was_whole) {
        tell_end(l);
        return;
    }
    say_broken(l->mux, e, "that answer is lost");
    l->c.user->bad(&l->c, HTTP_ERROR_HTTP2_MESSAGE);
}

static void on_event(enum h2_event_kind kind, struct lane *l, const struct h2_event *e)
{
    switch (kind) {
    case H2_HEAD: on_head(l, e); break;
    case H2_BODY: on_body(l, e); break;
    case H2_TRAILERS:
        l->has_end = true;
        l->end_status = 0;
        tell_end(l);
        break;
    case H2_RESET: on_reset(l, e); break;
    default: break;
    }
}

static void failed(struct mux *m, const struct h2_event *e)
{
    bool known = m->known;
    if (known) {
        count(pool_of(m)->counters, COUNTER_ORIGIN_HTTP2_ERRORS);
        say_broken(m, e, "the connection ends");
    }
    end(m, UV_ECONNRESET, known ? NULL : "what it says is no HTTP/2");
}

void mux_on_data(struct mux *m, size_t n)
{
    struct str in = { pool_of(m)->scratch, n };
    struct h2_event e;
    enum h2_event_kind kind;
    m->heard_ms = now_of(m);
    timer_stop(pool_of(m)->loop, &m->sign);
    while (m->h2 && (kind = h2_read(m->h2, &in, m->heard_ms, &m->heads, &e)) != H2_MORE) {
        if (kind == H2_FAILED) {
            failed(m, &e);
            return;
        }
        if (kind == H2_GONE)
            mux_retire(m);
        else
            on_event(kind, e.owner, &e);
        arena_rewind(&m->heads);
    }
    if (!m->h2)
        return;
    if (!m->known && h2_is_known(m->h2) && h2_room(m->h2) == 0) {
        end(m, UV_ECONNRESET, "it permits no requests");
        return;
    }
    if (!m->known && h2_is_known(m->h2)) {
        m->known = true;
        count(pool_of(m)->counters, COUNTER_ORIGIN_HTTP2_CONNECTS);
        count_add(pool_of(m)->counters, COUNTER_ORIGIN_HTTP2_OPEN, 1);
        atomic_fetch_add_explicit(&m->c->entry->origin->http2_open, 1, memory_order_relaxed);
        connect_settled(m->c);
    }
    work_later(m);
}

void mux_on_ended(struct mux *m, int status)
{
    end(m, status ? status : UV_ECONNRESET,
        status == 0 ? "it closed the connection instead of speaking HTTP/2" : NULL);
}

/* ---- life ---- */

void mux_start(struct connection *c, const struct head_limits *head, bool alone)
{
    struct mux *m = c->mux = mem_alloc(sizeof(*m));
    m->c = c;
    m->alone = alone;
    m->limits = h2_limits_default;
    m->limits.streams = MUX_STREAMS;
    m->limits.stream_window = MUX_WINDOW;
    m->limits.head = *head;
    m->limits.block_bytes = BLOCK_TIMES * head->fields_bytes + 4096;
    m->limits.block_frames = 16 + (unsigned)(m->limits.block_bytes / 4096);
    m->h2 = h2_new_client(&m->limits);
    m->heard_ms = now_of(m);
    list_init(&m->lanes);
    arena_init(&m->heads, ARENA_BYTES);
    stream_read_start(&c->stream);
    work_later(m);
}

void mux_free(struct mux *m)
{
    if (m->work_due) {
        m->freeing = true; /* its letter is on its way */
        return;
    }
    CHECK(!timer_is_running(&m->sign) && list_is_empty(&m->lanes));
    if (m->h2) /* it was given up while it was being made */
        h2_free(m->h2);
    arena_fini(&m->heads);
    buf_fini(&m->next);
    buf_fini(&m->out);
    mem_free(m);
}

size_t mux_room(const struct mux *m)
{
    if (!m->h2 || !m->known || m->retired || (m->alone && m->lanes_n))
        return 0;
    if (m->next.n >= OUT_BYTES) /* the origin takes nothing */
        return 0;
    return h2_room(m->h2);
}

size_t mux_lanes(const struct mux *m)
{
    return m->lanes_n;
}

bool mux_has_limits(const struct mux *m, const struct head_limits *head)
{
    const struct head_limits *own = &m->limits.head;
    return own->line_bytes == head->line_bytes && own->fields_bytes == head->fields_bytes &&
           own->fields_count == head->fields_count;
}

void mux_retire(struct mux *m)
{
    m->retired = true;
    pool_unshare(m->c);
    work_later(m);
}

/* ---- lanes ---- */

struct connection *mux_begin(struct mux *m)
{
    struct lane *l = mem_alloc(sizeof(*l));
    CHECK(mux_room(m) > 0);
    l->c = (struct connection){
        .tag = CONNECTION_TAG, .lane = l, .entry = m->c->entry, .to = m->c->to, .reused = m->served
    };
    link_init(&l->c.link);
    link_init(&l->link);
    l->mux = m;
    list_push_back(&m->lanes, &l->link);
    m->lanes_n++;
    if (m->alone)
        m->retired = true;
    timer_stop(pool_of(m)->loop, &m->c->idle);
    count(pool_of(m)->counters, COUNTER_ORIGIN_HTTP2_REQUESTS);
    look_for_life(m, SIGN_LONG_MS);
    return &l->c;
}

static void idle_too_long(struct timer *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, idle);
    if (c->mux->h2 && c->mux->lanes_n == 0)
        mux_retire(c->mux);
}

void lane_end(struct lane *l, bool is_whole)
{
    struct mux *m = l->mux;
    CHECK(l->c.tag == CONNECTION_TAG && !l->c.user && !l->over);
    l->over = true;
    l->reading = l->writing = l->wrote = false;
    l->mux = NULL;
    tell_later(l);
    if (!m)
        return;
    link_remove(&l->link);
    m->lanes_n--;
    if (l->stream) {
        if (!l->has_end)
            note_reset(m);
        h2_close(m->h2, &l->stream, H2_CANCEL);
    }
    if (!is_whole)
        look_for_life(m, SIGN_MS);
    work_later(m);
    if (m->lanes_n)
        return;
    int64_t idle_ms = m->c->entry->idle_ms;
    if (idle_ms)
        timer_start(pool_of(m)->loop, &m->c->idle, idle_ms, idle_too_long);
    else
        mux_retire(m);
}

void lane_ask(struct lane *l, struct str block, bool is_head, bool last)
{
    struct mux *m = l->mux;
    CHECK(!l->stream);
    if (!m || !m->h2 || h2_room(m->h2) == 0) { /* it has just gone */
        l->c.unprocessed = true;
        l->has_end = true;
        l->end_status = UV_ECONNRESET;
        tell_later(l);
        return;
    }
    l->stream = h2_begin(m->h2, is_head);
    h2_set_owner(l->stream, l);
    l->asked = true;
    l->asked_at = m->writes;
    h2_put_block(m->h2, l->stream, &block, 1, last, &m->next);
    work_later(m);
}

void lane_read_start(struct lane *l)
{
    l->reading = true;
    if (l->in.n > l->taken || l->has_end)
        tell_later(l);
}

void lane_read_stop(struct lane *l)
{
    l->reading = false;
}

enum stream_write lane_write(struct lane *l, const struct iovec *iov, unsigned n, bool last)
{
    CHECK(l->c.tag == CONNECTION_TAG && !l->writing && n <= 2 && (n || last));
    if (!l->stream)
        return STREAM_BROKEN;
    if (n == 0) {
        h2_put_data(l->mux->h2, l->stream, 0, true, &l->mux->next);
        work_later(l->mux);
        return STREAM_WRITTEN;
    }
    for (unsigned i = 0; i < 2; i++)
        l->out[i] = i < n ? iov[i] : (struct iovec){ NULL, 0 };
    l->last = last;
    l->writing = true;
    work_later(l->mux);
    h2_want(l->mux->h2, l->stream, true);
    return STREAM_PENDING;
}
