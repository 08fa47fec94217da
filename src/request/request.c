#include "request/request.h"

#include <string.h>

#include "coding/pour.h"
#include "request/deliver.h"
#include "request/page.h"
#include "request/reader.h"
#include "request/request_machine.h"
#include "request/route.h"
#include "request/secure.h"
#include "request/tunnel.h"
#include "request/window.h"

static enum request_result run(struct request *r);

/* ---- it begins ---- */

void request_init(struct request *r, struct requests *w, const struct front_ops *front)
{
    memset(r, 0, offsetof(struct request, room));
    r->tag = REQUEST_TAG;
    r->w = w;
    r->front = front;
    r->step = STEP_DONE;
    link_init(&r->link);
    arena_init_in(&r->arena, r->room, sizeof(r->room), sizeof(r->room));
}

void request_fini(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_DONE && !link_is_in(&r->link));
    r->tag = 0;
    arena_fini(&r->arena);
}

/* Hides the size from the compiler, which would clear a kilobyte by `rep stos`: libc's memset is quicker. */
static void clear(void *p, size_t bytes)
{
    __asm__("" : "+r"(bytes));
    memset(p, 0, bytes);
}

void request_reset(struct request *r)
{
    const size_t from = offsetof(struct request, source), to = offsetof(struct request, reply.extra);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_DONE);
    CHECK(!timer_is_running(&r->timer));
    arena_rewind(&r->arena);
    clear((char *)r + from, to - from);
    r->step = STEP_DONE;
    link_init(&r->link);
}

enum request_result request_start(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    CHECK(r->step == STEP_DONE && !r->settings && !r->rule && !r->body && !r->fields_made);
    r->step = STEP_ROUTE;
    request_take_settings(r);
    r->source = r->w->source;
    r->started_us = request_time_us(r);
    r->key.https = r->https;
    list_push_back(&r->w->open, &r->link);
    count(r->w->counters, COUNTER_REQUESTS);
    count_add(r->w->counters, COUNTER_REQUESTS_OPEN, 1);
    return run(r);
}

/* ---- route: whose request is it, and may it be answered from the cache? ---- */

static enum step refuse(struct request *r, enum http_error e)
{
    r->refused = e;
    return request_fail(r, REASON_BAD_REQUEST, http_error_status(e));
}

/* An OPTIONS request that goes no further: freshet answers itself (RFC 9110 §7.6.2). */
static enum step answer_options(struct request *r)
{
    r->answer = (struct answer_page){ .status = 200, .extra_n = 1 };
    r->answer.extra[0] = page_allow;
    deliver_page(r);
    return STEP_SEND;
}

static enum step redirect(struct request *r, int status, struct str to, enum reason why)
{
    r->answer = (struct answer_page){ .status = status, .extra_n = 1 };
    r->answer.extra[0] = (struct field){ field_name(FIELD_LOCATION), to, FIELD_LOCATION };
    r->reason = why;
    deliver_page(r);
    return STEP_SEND;
}

/* Makes the answer when a rule of the site redirects (docs/RULES.md). false: not this one. */
static bool is_redirected(struct request *r)
{
    if (!r->redirected)
        return false;
    struct rules_request q = route_rules_request(r);
    int status;
    struct str to = rules_redirect(r->site->ruled, &q, r->said.redirect, &status, &r->arena);
    if (to.n == 0)
        return false;
    redirect(r, status, to, REASON_REDIRECT_RULE);
    return true;
}

static enum step do_route(struct request *r)
{
    uint64_t hops;
#ifdef FRESHET_CONTROL
    loop_stand();
#endif
    CHECK_DEBUG(r->looks == 0 && !r->object);
    enum http_error e = r->refused;
    if (e == HTTP_ERROR_NONE)
        e = route_request(r);
    if (e != HTTP_ERROR_NONE) {
        count(r->w->counters, COUNTER_REQUESTS_REFUSED);
        return refuse(r, e);
    }
    if (r->status)
        return STEP_FAIL;
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > (uint64_t)r->settings->process.request_body)
        return refuse(r, HTTP_ERROR_BODY_TOO_LARGE);
    if (route_max_forwards(r, &hops) && hops == 0)
        return answer_options(r);
    struct str to = secure_location(r, &r->arena);
    if (to.n)
        return redirect(r, 308, to, REASON_HTTPS_REDIRECT);
    if (is_redirected(r))
        return STEP_SEND;
    if (!r->pass)
        return STEP_LOOKUP;
    count(r->w->counters, COUNTER_PASSES);
    r->outcome = OUTCOME_PASS;
    return STEP_FETCH;
}

/* ---- lookup: one question to the index ---- */

/* The reference goes to another place, which is empty. */
static void move_object(struct object **to, struct object **from)
{
    CHECK(!*to);
    *to = *from;
    *from = NULL;
}

static enum step hit(struct request *r)
{
    move_object(&r->object, &r->found.stored);
    CHECK_DEBUG(object_state(r->object) == OBJECT_SEALED);
    object_count_hit(r->object);
    return STEP_DELIVER;
}

/* A stored part of a page answers a range inside it; else the whole may be completed from it. */
static enum step part_found(struct request *r)
{
    if (deliver_part_suffices(r, r->found.stored))
        return hit(r);
    object_unref(r->found.busy);
    r->found.busy = NULL;
    move_object(&r->stale, &r->found.stored);
    r->stale_error = false;
    r->outcome = OUTCOME_PASS;
    return STEP_FETCH;
}

/* Lets the source fill the object. `background`: nobody waits for it. */
static void start(struct request *r, struct object *o, bool background)
{
    CHECK(object_state(o) == OBJECT_NEW);
    r->background_started |= background;
    r->source->start(r->source, r, o, background);
}

static enum step stale_hit(struct request *r)
{
    if (object_is_partial(r->found.stored)) {
        request_undo_begun(r);
        return part_found(r);
    }
    count(r->w->counters, COUNTER_STALE_HITS);
    if (r->found.busy)
        start(r, r->found.busy, true);
    return hit(r);
}

static enum step join(struct request *r)
{
    CHECK(r->found.busy && !r->reader);
    move_object(&r->stale, &r->found.stored);
    /* Who waits keeps his memory for as long as he does. */
    if (overload_with(r->w->overload, 0) >= OVERLOAD_PAUSE) {
        count(r->w->counters, COUNTER_OVERLOAD_REFUSED);
        return request_fail(r, REASON_OVERLOAD, 503);
    }
    if (object_visitors(r->found.busy) >= (unsigned)r->site->waiters) {
        r->alone = true;
        return STEP_LOOKUP;
    }
    count(r->w->counters, COUNTER_JOINS);
    move_object(&r->object, &r->found.busy);
    r->collapsed = true;
    r->own_fetch = false;
    return STEP_AWAIT;
}

static enum step miss(struct request *r, enum counter counter)
{
    count(r->w->counters, counter);
    move_object(&r->stale, &r->found.stored);
    if (r->directives.only_if_cached)
        return request_fail(r, REASON_ONLY_IF_CACHED, 504);
    return STEP_FETCH;
}

static enum step do_lookup(struct request *r)
{
    if (r->reading)
        return STEP_WAIT;
    request_look(r);
    switch (r->outcome) {
    case OUTCOME_RULE:
        request_set_rule(r, r->found.rule);
        r->found.rule = NULL;
        return STEP_LOOKUP;
    case OUTCOME_DISK: return request_read(r) ? STEP_WAIT : STEP_LOOKUP;
    case OUTCOME_HIT:
        if (r->reads)
            count(r->w->counters, COUNTER_DISK_HITS);
        if (object_is_partial(r->found.stored))
            return part_found(r);
        count(r->w->counters, COUNTER_HITS);
        return hit(r);
    case OUTCOME_STALE:
    case OUTCOME_STALE_JOIN:
        if (r->reads)
            count(r->w->counters, COUNTER_DISK_HITS);
        return stale_hit(r);
    case OUTCOME_JOIN: return join(r);
    case OUTCOME_EXPIRED:
    case OUTCOME_MISS: return miss(r, COUNTER_MISSES);
    case OUTCOME_PASS: return miss(r, COUNTER_PASSES);
    default: UNREACHABLE();
    }
}

/* ---- fetch: the source fills an object ---- */

/* The mark that says "not stored" is in use until the answer's head is there, or its time is over. */
static void renew_mark(struct request *r)
{
    int64_t now_ms = r->w->loop->now.mono_ms;
    index_renew(r->w->cache, &r->look.place, now_ms + r->site->first_byte_timeout + r->site->no_queue_time,
                now_ms);
}

/* A pass has not looked, or for an asset alone. */
static void prepare_pass(struct request *r)
{
    request_compute_place(r);
    r->look.latest = epochs_latest(r->w->cache->epochs);
}

static enum step do_fetch(struct request *r)
{
    CHECK(!r->object && !r->reader && !r->head_sent);
    if (request_has_body(r)) {
        enum step next = request_collect_body(r);
        if (next != STEP_FETCH)
            return next;
    }
    r->as_came = request_goes_as_it_came(r);
    if (!r->pass)
        r->pass_reason = r->outcome == OUTCOME_PASS ? request_own_reason(r) : REASON_NONE;
    if (r->upgrade && !tunnel_take_place(r))
        return request_fail(r, REASON_TUNNEL_LIMIT, 503);
    if (r->found.no_queue)
        renew_mark(r);
    if (r->pass)
        prepare_pass(r);
    move_object(&r->object, &r->found.busy);
    if (!r->object)
        r->object = object_new(r->w->cache, r->look.latest);
    r->own_fetch = true;
    if (request_has_body(r) && !r->source->body_max)
        request_make_upload(r);
    r->fetch_started_us = request_time_us(r);
    start(r, r->object, false);
    if (r->upload && !r->upload->awaits)
        r->front->want_body(r);
    return STEP_AWAIT;
}

/* ---- await: until the object has a head, or has failed ---- */

static enum step do_await(struct request *r)
{
    struct object *o = r->object;
    CHECK(o && !r->head_sent);
    if (r->tunnel)
        return tunnel_is_over(r) ? STEP_FINISH : STEP_WAIT;
    if (!r->reader && !object_is_done(o) && !request_wait(r))
        return request_look_again(r);
    if (r->reader && object_state(o) == OBJECT_NEW)
        request_hint(r);
    switch (object_state(o)) {
    case OBJECT_NEW:
        if (!r->timed_out)
            return STEP_WAIT;
        r->alone = true;
        return request_look_again(r);
    case OBJECT_FAILED: return request_fetch_failed(r);
    default: break;
    }
    timer_stop(r->w->loop, &r->timer);
    if (!r->own_fetch && !request_is_for_me(r))
        return request_waited_in_vain(r);
    if (r->own_fetch && request_was_cut_short(r))
        return request_look_again(r);
    if (r->own_fetch && request_was_asked_too_little(r))
        return request_ask_as_it_came(r);
    if (r->fetch_started_us)
        r->fetch_ms = (request_time_us(r) - r->fetch_started_us) / 1000;
    return STEP_DELIVER;
}

/* ---- deliver: 200, 206, 304, 416, HEAD ---- */

static enum step do_deliver(struct request *r)
{
    CHECK(object_state(r->object) != OBJECT_NEW && !r->head_sent);
    /* Another answer may have been chosen before, and have failed before its first byte. */
    if (r->body)
        request_drop_body(r);
    r->cursor.block = NULL;
    r->parts = NULL;
    tunnel_give_place(r); /* the origin did not upgrade */
    deliver_object(r);
    return STEP_SEND;
}

/* ---- send: lease, write, give back ---- */

/* The coding failed, and the page has not: it is sent plain. When it passes, what nobody reads of it is
 * gone. */
static enum step send_plain(struct request *r)
{
    CHECK(r->poured && !r->head_sent);
    r->plain_alone = true;
    request_drop_body(r);
    if (object_state(r->object) == OBJECT_FAILED || !object_is_closed(r->object))
        return STEP_AWAIT;
    object_unref(r->object);
    r->object = NULL;
    return request_look_again(r);
}

/* The object failed, and the reply is not whole. */
static enum step send_failed(struct request *r)
{
    CHECK(!r->sending && !r->last_sent);
    if (!r->head_sent && r->poured)
        return send_plain(r);
    if (!r->head_sent) {
        r->own_fetch = true;
        return STEP_AWAIT;
    }
    r->cut = true;
    r->reason = (enum reason)request_filled(r)->fail_reason;
    if (object_state(r->object) == OBJECT_FAILED)
        r->origin_fault = (enum http_error)r->object->fail_fault;
    return STEP_FINISH;
}

/* A part of the body is not on disk any more: the object is of no use to others either. */
static enum step part_is_lost(struct request *r)
{
    index_withdraw(r->object);
    request_drop_body(r);
    if (!r->head_sent) {
        object_unref(r->object);
        r->object = NULL;
        return request_look_again(r);
    }
    r->cut = true;
    r->reason = REASON_DISK_FAILED;
    return STEP_FINISH;
}

/* Those who hold the memory that it needs give none back. */
static enum step no_window(struct request *r)
{
    if (!r->head_sent)
        return request_fail(r, REASON_OVERLOAD, 503);
    r->cut = true;
    r->reason = REASON_OVERLOAD;
    return STEP_FINISH;
}

/* Of a distant body: nothing is there now. */
static enum step await_part(struct request *r)
{
    request_let_go(r); /* the client is not slow, but the disk */
    switch (r->view->state) {
    case VIEW_FAILED: return part_is_lost(r);
    case VIEW_LATE: return no_window(r);
    default: return STEP_WAIT;
    }
}

/* A coding that is being made, of which nothing was sent: waits for its first bytes, when they are due, and
 * for its end, when that is near. Once it is whole the answer is chosen anew, since it is a stored one now,
 * unless the page passes. */
static enum step await_pour(struct request *r)
{
    if (object_state(r->poured) == OBJECT_FAILED)
        return send_plain(r);
    if (object_is_done(r->poured) && object_is_closed(r->object))
        return STEP_SEND;
    if (object_is_done(r->poured)) {
        request_drop_body(r);
        return STEP_AWAIT;
    }
    struct body *plain = object_body(r->object);
    uint64_t there = plain ? body_length(plain) : 0;
    bool is_near = object_state(r->object) == OBJECT_SEALED && there <= POUR_TURN_BYTES;
    bool is_due = is_near || (body_length(r->body) == 0 && there > 0);
    body_unref(plain);
    return is_due ? STEP_WAIT : STEP_SEND;
}

static enum step do_send(struct request *r)
{
    if (r->gone)
        return STEP_FINISH;
    if (r->sending) {
        request_watch_closely(r);
        return STEP_WAIT;
    }
    timer_stop(r->w->loop, &r->timer);
    CHECK(r->object && r->reply.status);
    if (r->poured && !r->head_sent) {
        enum step next = await_pour(r);
        if (next != STEP_SEND)
            return next;
    }
    for (;;) {
        struct iovec iov[REPLY_PIECES_MAX];
        bool last = false;
        if (r->last_sent)
            return STEP_FINISH;
        if (object_state(request_filled(r)) == OBJECT_FAILED && !request_is_at_end(r, false, 0))
            return send_failed(r);
        unsigned n = request_lease(r, iov, COUNT_OF(iov), &last);
        if (n == 0 && r->view)
            return await_part(r);
        if (n == 0 && r->head_sent && !last) {
            request_let_go(r); /* the client is not slow, but the origin */
            request_pass_over(r);
            return STEP_WAIT; /* the source has not brought more */
        }
        if (!r->first_byte_us)
            r->first_byte_us = request_time_us(r);
        r->last_sent = last;
        switch (r->front->send(r, r->head_sent ? NULL : &r->reply, iov, n, last)) {
        case FRONT_SENT: request_count_sent(r); break;
        case FRONT_PENDING:
            r->sending = true;
            request_watch_sending(r);
            return STEP_WAIT;
        case FRONT_BROKEN: r->gone = true; return STEP_FINISH;
        }
    }
}

/* ---- fail: a page of our own ---- */

static enum step do_fail(struct request *r)
{
    CHECK(r->status >= 400 && r->reason != REASON_NONE && !r->head_sent && !r->tunnel);
    count(r->w->counters, COUNTER_ERRORS);
    reader_leave(r);
    request_drop_body(r);
    object_unref(r->object); /* only the page is delivered from here on */
    r->object = NULL;
    page_of_error(r);
    deliver_page(r);
    /* After a malformed request nothing on the connection can be trusted. */
    r->reply.close |= r->refused != HTTP_ERROR_NONE;
    return STEP_SEND;
}

/* ---- finish: every request ends here, whatever happened to it ---- */

void request_leave_source(struct request *r)
{
    if (r->source->leave)
        r->source->leave(r->source, r);
}

static void record(struct request *r)
{
    if (r->gone)
        count(r->w->counters, COUNTER_ABORTS);
    if (!r->status)
        r->status = r->reply.status;
    if (r->gone && r->reason == REASON_NONE && !r->last_sent)
        r->reason = REASON_CLIENT_GONE;
    if (r->w->log_request)
        r->w->log_request(r->w, r);
    count_add(r->w->counters, COUNTER_REQUESTS_OPEN, -1);
}

static enum step do_finish(struct request *r)
{
    tunnel_end(r);
    timer_stop(r->w->loop, &r->timer);
    if (r->gone && r->upload)
        upload_end(r->upload, UPLOAD_FAILED);
    reader_leave(r);
    request_leave_reading(r);
    request_leave_source(r);
    record(r);
    if (r->upload)
        upload_fini(r->upload);
    request_drop_body(r);
    request_drop_found(r);
    rule_unref(r->rule);
    request_drop_collected(r);
    request_give_settings(r);
    CHECK(!r->reader && !r->held);
    CHECK_DEBUG(!r->body && !r->object && !timer_is_running(&r->timer));
    link_remove(&r->link);
    return STEP_DONE;
}

/* ---- the driver ---- */

#define TO(id) (1u << STEP_##id)
static const unsigned next_steps[STEP_COUNT] = {
#define STEP(id, nexts) [STEP_##id] = (nexts),
#include "tbl/steps.h"
#undef STEP
};
#undef TO

static enum step run_step(struct request *r)
{
    switch (r->step) {
    case STEP_ROUTE: return do_route(r);
    case STEP_LOOKUP: return do_lookup(r);
    case STEP_FETCH: return do_fetch(r);
    case STEP_AWAIT: return do_await(r);
    case STEP_DELIVER: return do_deliver(r);
    case STEP_SEND: return do_send(r);
    case STEP_FINISH: return do_finish(r);
    case STEP_FAIL: return do_fail(r);
    default: UNREACHABLE();
    }
}

/* Far more than any request can need in one go: it would turn for ever. */
#define TURNS_MOST 100

static enum request_result run_steps(struct request *r)
{
    for (unsigned turns = 0; r->step != STEP_DONE; turns++) {
        CHECK(turns < TURNS_MOST);
        enum step next = run_step(r);
        if (next == STEP_WAIT)
            return REQUEST_WAIT;
        CHECK(next_steps[r->step] & (1u << next));
        r->step = next;
    }
    return REQUEST_DONE;
}

/* What the loop is in, for io/watch; one request may be in another's. */
static enum request_result run(struct request *r)
{
    struct loop *l = r->w->loop;
    const void *outer = l->pulse.busy_with;
    l->pulse.busy_with = r;
    enum request_result result = run_steps(r);
    l->pulse.busy_with = outer;
    if (__builtin_expect(loop_pulse_is_noted(l, r), 0))
        loop_pulse_name(l, request_id(r));
    return result;
}

/* ---- something came that it waits for ---- */

void request_wake(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    /* A notice may come for a step that does not wait for it: entering it again is harmless. */
    if (r->step != STEP_DONE && run(r) == REQUEST_DONE)
        r->front->done(r);
}

enum request_result request_sent(struct request *r, int status)
{
    CHECK(r->tag == REQUEST_TAG);
    if (status < 0)
        r->gone = true;
    if (r->tunnel) {
        tunnel_client_took(r);
        return REQUEST_WAIT;
    }
    CHECK(r->sending && r->step == STEP_SEND);
    r->sending = false;
    if (status >= 0)
        request_count_sent(r);
    return run(r);
}

void request_abort(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    if (r->step == STEP_DONE)
        return;
    r->gone = true;
    r->step = STEP_FINISH;
    CHECK(run(r) == REQUEST_DONE);
}

size_t request_raw(struct request *r, struct str data)
{
    CHECK(r->tag == REQUEST_TAG && r->tunnel);
    return tunnel_from_client(r, data);
}

void request_raw_ended(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG && r->tunnel);
    tunnel_client_ended(r);
}

void request_client_gone(struct connection **own)
{
    pool_disown(own);
}
