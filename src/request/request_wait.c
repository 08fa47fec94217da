#include "request/deliver.h"
#include "request/reader.h"
#include "request/request_machine.h"

#define REFUSALS_MOST 2 /* of waiting for an answer that is not stored */

/* ---- waiting ---- */

static void waited_too_long(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->step == STEP_AWAIT && !r->own_fetch);
    r->timed_out = true;
    request_wake(r);
}

/* Others' codings are made while the page comes, with one encoder for all who want the same. */
static void wish(struct request *r)
{
    enum coding coding = r->pass || !r->reader ? CODING_IDENTITY : deliver_wished_coding(r);
    if (coding != CODING_IDENTITY)
        object_wish(r->object, coding);
}

bool request_wait(struct request *r)
{
    CHECK(!r->reader && !timer_is_running(&r->timer));
    if (reader_join(r, r->object, r->own_fetch) == OBJECT_CLOSED)
        return false;
    wish(r);
    if (r->own_fetch)
        return true;
    if (!request_is_prefetch(r))
        object_hurry(r->object, r->w->loop);
    timer_start(r->w->loop, &r->timer, r->site->wait_timeout, waited_too_long);
    return true;
}

enum step request_look_again(struct request *r)
{
    reader_leave(r);
    request_leave_source(r); /* the source fills the request's own object for others */
    timer_stop(r->w->loop, &r->timer);
    r->timed_out = false; /* it waits anew */
    r->collapsed = r->as_came = r->went_as_came = false;
    request_restore_query(r);
    CHECK(!r->reader && !r->head_sent && !r->sending);
    return STEP_LOOKUP;
}

enum step request_ask_as_it_came(struct request *r)
{
    r->ask_as_came = true;
    return request_look_again(r);
}

/* ---- an answer that somebody else's fetch brought ---- */

/* Under the rule that the page has by now. */
static bool has_its_key(struct request *r)
{
    bool known, busy;
    if (str_eq(object_variant(r->object), r->look.place.variant))
        return true;
    request_set_rule(r, index_rule(r->w->cache, &r->look.place, &known, &busy));
    request_compute_place(r);
    return str_eq(object_variant(r->object), r->look.place.variant);
}

bool request_is_for_me(struct request *r)
{
    struct object *o = r->object;
    CHECK(!r->own_fetch && object_state(o) != OBJECT_NEW);
    if (!o->stored || object_is_closed(o))
        return false;
    if (o->begin < r->look.latest && index_is_outdated(o, &r->look))
        return false;
    return has_its_key(r);
}

/*
 * When the answer would have been the request's own if it were stored, the next answer would hardly be for
 * all either (tbl/reasons.h): it and all who waited with it go at once, each by itself, and their answers may
 * be stored. Else it looks again, with others. It waits for an answer that is not stored twice at most.
 */
enum step request_waited_in_vain(struct request *r)
{
    struct object *o = r->object;
    CHECK(!r->own_fetch && !r->head_sent);
    if (o->stored)
        r->apart |= object_is_closed(o); /* it turned out too large, or memory ran out */
    else if (++r->refusals == REFUSALS_MOST ||
             (has_its_key(r) && reason_waiters((enum reason)o->verdict_reason) != WAITERS_LOOK))
        r->apart = true;
    return request_look_again(r);
}

/* ---- an object that failed ---- */

static bool serves_stale(const struct request *r)
{
    return r->stale && !object_is_partial(r->stale) && r->stale->response->status < 500 &&
           object_serves_on_error(r->stale, r->look.place.primary, epochs_latest(r->w->cache->epochs),
                                  r->w->loop->now.mono_ms, &r->directives);
}

/* A page of an earlier release is better than an error, where the site says so. */
static void find_other_release(struct request *r)
{
    if (!r->stale && !r->pass && !r->bypass && r->site->stale_across_deploys &&
        !release_is_ahead(r->site->release))
        r->stale = index_peek_before(r->w->cache, &r->look.place, r->site->release);
}

enum step request_fetch_failed(struct request *r)
{
    struct object *o = r->object;
    enum reason why = (enum reason)o->fail_reason;
    int status = 500 + o->fail_5xx;
    CHECK(object_state(o) == OBJECT_FAILED && !r->head_sent);
    if (!r->own_fetch && reason_waiters(why) == WAITERS_LOOK)
        return request_look_again(r);
    reader_leave(r);
    timer_stop(r->w->loop, &r->timer);
    if (why == REASON_KEPT_ASSET && !r->stale)
        return request_look_again(r); /* it was found in another coding, and is stored for this key by now */
    find_other_release(r);
    bool kept = why == REASON_KEPT_ASSET && r->stale;
    if (kept || serves_stale(r)) {
        r->stale_error = true;
        r->found.kept = kept;
        count(r->w->counters, COUNTER_STALE_HITS);
        object_unref(r->object);
        r->object = r->stale;
        r->stale = NULL;
        return STEP_DELIVER;
    }
    if (why == REASON_UPLOAD_FAILED && r->refused != HTTP_ERROR_NONE)
        return request_fail(r, REASON_BAD_REQUEST, http_error_status(r->refused));
    r->origin_fault = (enum http_error)o->fail_fault;
    return request_fail(r, why, status);
}
