#include "request/request_machine.h"

/* A worker's limit for all the bodies that it collects, since a client may begin many. */
#define BUFFERED_MOST ((size_t)64 << 20)

bool request_has_body(const struct request *r)
{
    return r->framing.kind == FRAMING_CHUNKED || (r->framing.kind == FRAMING_LENGTH && r->framing.length > 0);
}

/* ---- collected ---- */

/* Origins that need a Content-Length cannot read chunks: they would take such a body for none
 * (upload_length). */
bool request_needs_whole_body(const struct request *r)
{
    if (r->source->body_max)
        return request_has_body(r);
    return r->framing.kind == FRAMING_CHUNKED && r->site->upload_length == UPLOAD_LENGTH_BUFFER;
}

static uint64_t collected_most(const struct request *r)
{
    if (r->source->body_max)
        return r->source->body_max;
    int64_t most = r->site->upload_buffer, request_body = r->settings->process.request_body;
    return (uint64_t)(most < request_body ? most : request_body);
}

static bool is_refused(const struct request *r)
{
    return r->refused != HTTP_ERROR_NONE || r->reason != REASON_NONE;
}

static size_t collect(struct request *r, struct str data)
{
    if (r->body_ended || is_refused(r))
        return data.n; /* the rest is dropped */
    if (r->collected.n + data.n > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    else if (r->w->buffered + data.n > BUFFERED_MOST)
        r->reason = REASON_NO_MEMORY;
    if (is_refused(r)) {
        request_wake(r);
        return data.n;
    }
    CHECK(r->collected.n == r->buffered && !r->upload);
    r->w->buffered += data.n;
    r->buffered += data.n;
    buf_add(&r->collected, data);
    return data.n;
}

enum step request_collect_body(struct request *r)
{
    CHECK(!r->upload && !r->object);
    r->collects = true;
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    if (r->refused != HTTP_ERROR_NONE)
        return request_fail(r, REASON_BAD_REQUEST, http_error_status(r->refused));
    if (r->reason != REASON_NONE)
        return request_fail(r, r->reason, 503);
    if (!r->body_ended) {
        r->front->want_body(r);
        return STEP_WAIT;
    }
    r->framing = (struct framing){ .kind = FRAMING_LENGTH, .length = r->collected.n };
    return STEP_FETCH;
}

void request_drop_collected(struct request *r)
{
    if (!r->collects)
        return;
    CHECK(r->w->buffered >= r->buffered);
    buf_fini(&r->collected);
    r->w->buffered -= r->buffered;
}

/* ---- handed on as it comes ---- */

static void upload_room(struct upload *u)
{
    struct request *r = u->request;
    CHECK(r->tag == REQUEST_TAG && r->upload == u);
    if (!r->body_ended)
        r->front->want_body(r);
}

/* Does the origin decide whether the client is to send its body? Only if it knows how to say so (RFC 9110
 * §10.1.1). */
static bool is_origins_question(struct request *r)
{
    return r->awaits_continue && r->site->continue_timeout > 0 &&
           !origin_is_old(origins_get(r->w->origins, &r->site->origin_address));
}

void request_make_upload(struct request *r)
{
    CHECK(!r->upload && (r->body_ended || !r->collects));
    r->upload = arena_alloc(&r->arena, sizeof(*r->upload));
    upload_init(r->upload, r->framing, r, upload_room);
    if (r->collects)
        upload_take_whole(r->upload, &r->collected);
    else
        r->upload->awaits = is_origins_question(r);
}

/* ---- from the front ---- */

size_t request_body(struct request *r, struct str data)
{
    CHECK(r->tag == REQUEST_TAG && r->step != STEP_DONE);
    count_add(r->w->counters, COUNTER_BYTES_RECEIVED, (int64_t)data.n);
    if (r->collects)
        return collect(r, data);
    if (!r->upload || r->upload->unwanted)
        return data.n; /* the answer came first: nobody needs the rest */
    if (r->upload->received + data.n > (uint64_t)r->settings->process.request_body) {
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
        upload_end(r->upload, UPLOAD_FAILED);
        return data.n;
    }
    size_t space = upload_space(r->upload), n = data.n < space ? data.n : space;
    CHECK(r->upload->request == r);
    if (n)
        upload_put(r->upload, str_first(data, n));
    if (n < data.n)
        r->upload->waiting_for_room = true;
    return n;
}

void request_body_begins(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG && r->step != STEP_DONE);
    if (r->upload)
        upload_go_on(r->upload);
}

void request_body_end(struct request *r, bool whole)
{
    CHECK(r->tag == REQUEST_TAG && !r->body_ended); /* it may be over by now */
    r->body_ended = true;
    if (r->upload)
        upload_end(r->upload, whole ? UPLOAD_ENDED : UPLOAD_FAILED);
    if (r->collects && !r->upload)
        request_wake(r);
}
