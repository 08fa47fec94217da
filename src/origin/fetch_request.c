#include <stdio.h>

#include "http/hpack.h"
#include "http/lines.h"
#include "origin/fetch_machine.h"
#include "origin/mux.h"

/* ---- the head: always written anew from its parsed form ---- */

/* A field, in the form that the connection takes. */
static void put(struct fetch *f, struct str name, struct str value)
{
    if (f->connection->lane)
        hpack_add(&f->out, name, value);
    else
        lines_add(&f->out, name, value);
}

/* The same of a value that is short text. */
static void put_text(struct fetch *f, enum field_id id, const char *format, uint64_t n)
{
    char text[48];
    snprintf(text, sizeof(text), format, (unsigned long long)n);
    put(f, field_name(id), str_from(text));
}

/* Fields that are not the visitor's to set when the answer may be stored (CACHING.md 3.7, 4.8). */
static bool is_kept_back(enum field_id id)
{
    return id == FIELD_IF_NONE_MATCH || id == FIELD_IF_MODIFIED_SINCE || id == FIELD_IF_MATCH ||
           id == FIELD_IF_UNMODIFIED_SINCE || id == FIELD_IF_RANGE || id == FIELD_RANGE ||
           id == FIELD_SEC_PURPOSE || id == FIELD_PURPOSE;
}

/* If-Range belongs to a Range that is forwarded: without it the origin would send a part of what it has now,
 * for a visitor who has one of something else (RFC 9110 §13.1.5). */
static bool is_sent(const struct fetch_plan *p, enum field_id id)
{
    return !p->may_store || !is_kept_back(id) || (id == FIELD_IF_RANGE && p->range.n);
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
    struct str etag = fetch_origins_value(stored, FIELD_ETAG),
               modified = fetch_origins_value(stored, FIELD_LAST_MODIFIED);
    if (etag.n)
        put(f, field_name(FIELD_IF_NONE_MATCH), etag);
    if (modified.n)
        put(f, field_name(FIELD_IF_MODIFIED_SINCE), modified);
    f->conditional = etag.n || modified.n;
}

static void add_range(struct fetch *f)
{
    if (f->plan.range.n)
        put(f, field_name(FIELD_RANGE), f->plan.range);
    else if (f->part && !f->unconditional)
        put_text(f, FIELD_RANGE, "bytes=%llu-", response_part(f->part->response)->last + 1);
}

static void add_framing(struct fetch *f)
{
    const struct upload *u = f->plan.upload;
    if (!u) {
        if (f->plan.empty_body)
            put_text(f, FIELD_CONTENT_LENGTH, "%llu", 0);
        return;
    }
    if (u->framing.kind == FRAMING_LENGTH)
        put_text(f, FIELD_CONTENT_LENGTH, "%llu", u->framing.length);
    else if (!f->connection->lane)
        put(f, field_name(FIELD_TRANSFER_ENCODING), STR("chunked"));
}

/* Asks the origin only while the client waits for its decision: a client that sends its body without waiting
 * asks nothing (RFC 9110 §10.1.1). */
static void add_expectation(struct fetch *f)
{
    if (f->plan.upload && f->plan.upload->awaits)
        put(f, field_name(FIELD_EXPECT), STR("100-continue"));
}

static void write_target(const struct fetch *f, struct buf *to)
{
    const struct fetch_plan *p = &f->plan;
    if (p->as_came) {
        buf_add(to, p->target);
        return;
    }
    buf_add(to, p->key.spelling.n ? p->key.spelling : p->key.path);
    if (p->key.has_query) {
        buf_add_char(to, '?');
        buf_add(to, p->key.query);
    }
}

static void write_request_line(struct fetch *f)
{
    buf_add(&f->out, f->plan.method_name);
    buf_add_char(&f->out, ' ');
    write_target(f, &f->out);
    buf_add(&f->out, STR(" HTTP/1.1\r\n"));
    lines_add(&f->out, field_name(FIELD_HOST), f->plan.host);
}

/* RFC 9113 §8.3.1. */
static void write_pseudo_fields(struct fetch *f)
{
    struct buf target = BUF_INIT;
    write_target(f, &target);
    hpack_add(&f->out, STR(":method"), f->plan.method_name);
    hpack_add(&f->out, STR(":scheme"), f->plan.origin->at.tls.is_on ? STR("https") : STR("http"));
    hpack_add(&f->out, STR(":authority"), f->plan.host);
    hpack_add(&f->out, STR(":path"), buf_str(&target));
    buf_fini(&target);
}

static void write_head(struct fetch *f)
{
    const struct fetch_plan *p = &f->plan;
    CHECK(f->step == FETCH_HEAD && !f->head_sent);
    const struct fields *fields = p->as_came && p->came ? p->came : p->key.fields;
    buf_clear(&f->out);
    if (f->connection->lane)
        write_pseudo_fields(f);
    else
        write_request_line(f);
    for (size_t i = 0; i < fields->n; i++) {
        const struct field *field = &fields->v[i];
        if (is_sent(p, field->id))
            put(f, field->name, field->value);
    }
    add_validators(f);
    add_range(f);
    add_framing(f);
    add_expectation(f);
    if (f->connection->lane)
        return;
    if (p->upgrade)
        buf_add(&f->out, STR("Connection: upgrade\r\n"));
    buf_add(&f->out, STR("\r\n"));
}

/* ---- sending ---- */

static unsigned upload_pieces(struct fetch *f, struct iovec *iov, char *chunk)
{
    struct upload *u = f->plan.upload;
    size_t bytes;
    unsigned n = 0;
    struct iovec pieces[2];
    unsigned got = upload_lease(u, pieces, &bytes);
    bool chunked = u->framing.kind != FRAMING_LENGTH && !f->connection->lane;
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

/* Goes on from the loop: fetch_send may have been called by the request. */
static void tell_early_101(struct fetch *f)
{
    if (f->early_101 && f->asked_all)
        notice_send(&f->room.notice, f->f->loop);
}

static void awaited_enough(struct timer *t)
{
    fetch_go_on(CONTAINER_OF(t, struct fetch, awaited));
}

void fetch_go_on(struct fetch *f)
{
    timer_stop(f->f->loop, &f->awaited);
    if (f->plan.upload)
        upload_go_on(f->plan.upload);
}

static void wrote(struct fetch *f)
{
    struct upload *u = f->plan.upload;
    CHECK(f->connection && !pool_is_writing(f->connection));
    if (!f->head_sent && u && u->awaits)
        timer_start(f->f->loop, &f->awaited, f->plan.site->continue_timeout, awaited_enough);
    f->head_sent = true;
    size_t leased = f->upload_leased;
    f->upload_leased = 0;
    f->asked_all = !u || f->upload_ended;
    if (u && f->asked_all)
        pool_took(f->connection, &f->backlog); /* how much the kernel still holds of it */
    tell_early_101(f);
    fetch_set_timer(f);
    if (u)
        upload_taken(u, leased);
}

/* The origin may have answered before it closed: what it said is read first, `ended` follows. When it has not
 * closed, and only the kernel had no room for our bytes, it learns that no more of them come. */
static void cannot_send(struct fetch *f)
{
    pool_shutdown(f->connection);
    f->keep_alive = false;
    f->send_broken = true;
    f->asked_all = true;
    if (f->plan.upload)
        upload_leave(f->plan.upload);
    f->plan.upload = NULL;
    fetch_upload_came(f);
    tell_early_101(f);
    fetch_set_timer(f);
}

/* The head alone: a lane sends it apart from the body. */
static void ask_lane(struct fetch *f)
{
    const struct upload *u = f->plan.upload;
    f->upload_ended = u && u->state == UPLOAD_ENDED && u->n == 0;
    write_head(f);
    lane_ask(f->connection->lane, buf_str(&f->out), f->plan.method == METHOD_HEAD, !u || f->upload_ended);
    wrote(f);
}

void fetch_send(struct fetch *f)
{
    while (!f->asked_all && f->connection && !pool_is_writing(f->connection)) {
        struct iovec iov[8];
        unsigned n = 0;
        struct upload *u = f->plan.upload;
        if (u && u->state == UPLOAD_FAILED) {
            fetch_fail(f, REASON_UPLOAD_FAILED, 502);
            return;
        }
        if (!f->head_sent && f->connection->lane) {
            ask_lane(f);
            continue;
        }
        if (!f->head_sent) {
            write_head(f);
            iov[n++] = (struct iovec){ f->out.p, f->out.n };
        }
        if (u)
            n += upload_pieces(f, iov + n, f->chunk_text);
        if (n == 0 && !(f->connection->lane && u && u->state == UPLOAD_ENDED)) {
            if (u && u->state == UPLOAD_ENDED) {
                f->asked_all = true;
                tell_early_101(f);
                fetch_set_timer(f);
            }
            return; /* the upload tells when there is more */
        }
        CHECK(n <= COUNT_OF(iov));
        f->upload_ended = u && u->state == UPLOAD_ENDED;
        switch (pool_write(f->connection, iov, n, f->upload_ended)) {
        case STREAM_WRITTEN: wrote(f); break;
        case STREAM_PENDING:
            pool_note(f->connection, &f->backlog);
            fetch_set_timer(f);
            return;
        case STREAM_BROKEN: cannot_send(f); return;
        }
    }
}

void fetch_on_written(struct connection *c, int status)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c);
    if (status < 0 && c->unprocessed)
        return; /* `ended` follows, and the request is sent again, its body as well */
    if (status < 0) {
        cannot_send(f);
        return;
    }
    wrote(f);
    fetch_send(f);
}

void fetch_upload_ready(struct upload *u)
{
    struct fetch *f = u->fetch;
    CHECK(f->tag == FETCH_TAG && f->plan.upload == u);
    if (u->state != UPLOAD_OPEN)
        fetch_upload_came(f);
    if (f->step == FETCH_HEAD || f->step == FETCH_BODY)
        fetch_send(f);
}
