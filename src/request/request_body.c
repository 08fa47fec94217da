#include "http/sf.h"
#include "request/deliver.h"
#include "request/request_machine.h"

/* A body that is collected must be whole after half a minute, and the time that a slow line of 16 KiB in a
 * second needs for the largest one: who sends it byte by byte would hold its memory for ever. */
#define COLLECT_MS          30000
#define COLLECT_BYTES_IN_MS 16

bool request_has_body(const struct request *r)
{
    return r->framing.kind == FRAMING_CHUNKED || (r->framing.kind == FRAMING_LENGTH && r->framing.length > 0);
}

/* ---- collected ---- */

bool request_is_incremental(struct request *r)
{
    struct sf_member item;
    return fields_has(&r->fields, FIELD_INCREMENTAL) &&
           sf_parse_item(fields_joined(&r->fields, FIELD_INCREMENTAL, &r->arena), &r->arena, &item) &&
           item.value.type == SF_BOOLEAN && item.value.boolean;
}

/* Does the origin decide whether the client is to send its body? Only if it knows how to say so (RFC 9110
 * §10.1.1). */
static bool is_origins_question(struct request *r)
{
    return r->awaits_continue && r->site->continue_timeout > 0 &&
           !upstream_is_old(upstream_of(r->w->origins, r->site, r->w->loop->now.mono_ms));
}

/* Origins that need a Content-Length cannot read chunks: they would take such a body for none
 * (upload_length). Who asks for his body to go on as it comes knows that his origin can. */
static bool must_collect(struct request *r)
{
    if (r->source->body_max)
        return true;
    return r->framing.kind == FRAMING_CHUNKED && r->site->upload_length == UPLOAD_LENGTH_BUFFER &&
           !request_is_incremental(r);
}

/* A short body that drips would have a connection to the origin for as long as it likes (decision 082). It
 * takes no more memory than its ring would. */
static bool may_collect(struct request *r)
{
    return r->framing.kind == FRAMING_LENGTH && r->framing.length <= UPLOAD_RING_BYTES && !r->upgrade &&
           overload_with(r->w->overload, (int64_t)r->framing.length) < OVERLOAD_SAVE &&
           !request_is_incremental(r) && !is_origins_question(r);
}

static enum collecting choose(struct request *r)
{
    if (must_collect(r))
        return COLLECT_MUST;
    return may_collect(r) ? COLLECT_MAY : COLLECT_NO;
}

static uint64_t collected_most(const struct request *r)
{
    if (r->collects == COLLECT_MAY)
        return UPLOAD_RING_BYTES;
    if (r->source->body_max)
        return r->body_most ? r->body_most : r->source->body_max;
    int64_t most = r->site->upload_buffer, request_body = r->settings->process.request_body;
    return (uint64_t)(most < request_body ? most : request_body);
}

static bool is_refused(const struct request *r)
{
    return r->refused != HTTP_ERROR_NONE || r->reason != REASON_NONE;
}

static void spill(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_FETCH && r->collects == COLLECT_SPILLS);
    request_wake(r);
}

/* There is no room for the rest: as an upload it goes on, from the loop. */
static void spill_later(struct request *r)
{
    CHECK(r->collects == COLLECT_MAY);
    r->collects = COLLECT_SPILLS;
    request_hold_end(r);
    timer_start(r->w->loop, &r->timer, 0, spill);
}

static size_t collect(struct request *r, struct str data)
{
    if (r->body_ended || is_refused(r))
        return data.n; /* the rest is dropped */
    if (r->collects == COLLECT_SPILLS)
        return 0;
    if (r->collected.n + data.n > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    else if (data.n && !request_hold_more(r, data.n)) {
        if (r->collects == COLLECT_MAY) {
            spill_later(r);
            return 0;
        }
        r->reason = REASON_NO_MEMORY;
    }
    if (is_refused(r)) {
        request_wake(r);
        return data.n;
    }
    buf_add(&r->collected, data);
    CHECK(r->collected.n == r->buffered && !r->upload);
    return data.n;
}

static void fire(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_FETCH && r->collects == COLLECT_MUST);
    if (!is_refused(r))
        r->refused = HTTP_ERROR_BODY_TOO_SLOW;
    request_wake(r);
}

bool request_body_late(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG && r->step != STEP_DONE);
    if (!r->collects || r->upload || r->body_ended || is_refused(r))
        return false;
    r->refused = HTTP_ERROR_BODY_TOO_SLOW;
    request_wake(r);
    return true;
}

void request_body_lost(struct request *r)
{
    CHECK(!r->body_ended && !is_refused(r) && !r->upload);
    if (r->collects == COLLECT_MAY) {
        spill_later(r);
        return;
    }
    buf_fini(&r->collected);
    r->reason = REASON_NO_MEMORY;
    timer_start(r->w->loop, &r->timer, 0, fire); /* later: another request takes its bytes just now */
}

/* Is it answered already, without its body? */
static bool is_answered(struct request *r)
{
    if (!r->source->from_head || !r->source->from_head(r->source, r))
        return false;
    deliver_page(r);
    return true;
}

enum step request_collect_body(struct request *r)
{
    CHECK(!r->upload && !r->object);
    bool begins = r->collects == COLLECT_NO;
    if (begins)
        r->collects = choose(r);
    if (r->collects == COLLECT_NO)
        return STEP_FETCH;
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    else if (begins && is_answered(r))
        return STEP_SEND;
    if (r->body_unwanted) {
        r->collects = COLLECT_NO;
        return STEP_FETCH;
    }
    if (is_refused(r))
        request_drop_collected(r); /* at once: its answer may take a while */
    if (r->refused != HTTP_ERROR_NONE)
        return request_fail(r, REASON_BAD_REQUEST, http_error_status(r->refused));
    if (r->reason != REASON_NONE)
        return request_fail(r, r->reason, 503);
    if (begins)
        request_hold_begin(r);
    if (begins && r->collects == COLLECT_MUST)
        timer_start(r->w->loop, &r->timer, COLLECT_MS + (int64_t)(collected_most(r) / COLLECT_BYTES_IN_MS),
                    fire);
    if (r->collects == COLLECT_SPILLS && !r->body_ended)
        return STEP_FETCH;
    if (!r->body_ended) {
        r->front->want_body(r);
        return STEP_WAIT;
    }
    timer_stop(r->w->loop, &r->timer);
    if (r->hold)
        request_hold_whole(r);
    r->framing = (struct framing){ .kind = FRAMING_LENGTH, .length = r->collected.n };
    return STEP_FETCH;
}

void request_drop_collected(struct request *r)
{
    if (!r->collects)
        return;
    buf_fini(&r->collected);
    request_hold_end(r);
}

/* ---- handed on as it comes ---- */

static void upload_room(struct upload *u)
{
    struct request *r = u->request;
    CHECK(r->tag == REQUEST_TAG && r->upload == u);
    if (!r->body_ended)
        r->front->want_body(r);
}

void request_make_upload(struct request *r)
{
    CHECK(!r->upload && (r->body_ended || r->collects == COLLECT_NO || r->collects == COLLECT_SPILLS));
    r->upload = arena_alloc(&r->arena, sizeof(*r->upload));
    upload_init(r->upload, r->framing, r, upload_room);
    if (r->collects && r->body_ended) {
        upload_take_whole(r->upload, &r->collected);
    } else if (r->collects) {
        upload_take_part(r->upload, &r->collected);
        r->collects = COLLECT_NO;
    } else {
        r->upload->awaits = is_origins_question(r);
    }
}

/* ---- from the front ---- */

static size_t ring_bytes(const struct request *r)
{
    bool saves = overload_with(r->w->overload, UPLOAD_RING_BYTES) >= OVERLOAD_SAVE;
    return saves ? UPLOAD_SMALL_BYTES : UPLOAD_RING_BYTES;
}

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
    upload_resize(r->upload, ring_bytes(r));
    CHECK(r->upload->request == r);
    /* A small ring may be empty again when upload_put returns: the origin has taken all of it meanwhile. */
    size_t taken = 0;
    for (size_t space; taken < data.n && (space = upload_space(r->upload)) > 0;) {
        size_t n = data.n - taken < space ? data.n - taken : space;
        upload_put(r->upload, (struct str){ data.p + taken, n });
        taken += n;
        if (r->upload->unwanted)
            return data.n;
    }
    if (taken < data.n)
        r->upload->waiting_for_room = true;
    return taken;
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
