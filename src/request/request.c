#include "request/request.h"

#include <string.h>

#include "base/mem.h"
#include "cache/room.h"
#include "http/status.h"
#include "request/deliver.h"
#include "request/page.h"
#include "request/parts.h"
#include "request/reader.h"
#include "request/route.h"
#include "request/tunnel.h"

#define LOOKS_MOST      8 /* then it goes alone: something keeps changing under it */
#define REFUSALS_MOST   2 /* of waiting for what is not stored */
#define LEASE_FIRST     ((uint64_t)1 << 20)
#define LEASE_NEXT      ((uint64_t)1 << 18) /* once the client turned out to be slow */
#define REQUEST_ID_MOST 128

/* Microseconds, for the durations in the log: nobody else wants them. */
static int64_t time_for_log(const struct request *r)
{
    return r->w->log_request ? clock_mono_us(r->w->loop->clock) : 0;
}

/* A step that cannot go on now says so; it is entered again when something comes. */
#define WAIT STEP_COUNT

static enum step fail(struct request *r, enum reason why, int status)
{
    r->reason = why;
    r->status = status;
    return STEP_FAIL;
}

/* ---- the settings of requests ---- */

static void leave_snapshot(struct snapshot *s)
{
    CHECK(s->users > 0);
    if (--s->users)
        return;
    settings_unref(s->settings);
    mem_free(s->trusted);
    mem_free(s);
}

/* Parsed once: a head may name thousands of addresses. */
static void find_trusted(struct snapshot *s)
{
    const struct strs *texts = &s->settings->process.trusted_proxies;
    s->trusted = texts->n ? mem_resize(NULL, texts->n * sizeof(*s->trusted)) : NULL;
    for (size_t i = 0; i < texts->n; i++)
        s->trusted_n += network_parse(texts->v[i], &s->trusted[s->trusted_n]);
}

void requests_set_settings(struct requests *w, struct settings *s)
{
    if (w->snapshot)
        leave_snapshot(w->snapshot);
    w->snapshot = mem_alloc(sizeof(*w->snapshot));
    *w->snapshot = (struct snapshot){ .settings = s, .users = 1 };
    find_trusted(w->snapshot);
}

void requests_fini(struct requests *w)
{
    CHECK(w->snapshot->users == 1);
    leave_snapshot(w->snapshot);
    w->snapshot = NULL;
}

/* ---- route: whose request is it, and may it be answered from the cache ---- */

struct str request_id(struct request *r)
{
    if (r->request_id.n)
        return r->request_id;
    struct str given = fields_value(&r->fields, FIELD_X_REQUEST_ID);
    if (given.n > 0 && given.n <= REQUEST_ID_MOST && is_token(given))
        r->request_id = given;
    else
        r->request_id = ARENA_JOIN(&r->arena, str_from_index(r->w->self, 8), STR("-"),
                                   arena_hex(&r->arena, (*r->w->next_id)++));
    return r->request_id;
}

static bool has_request_body(const struct request *r)
{
    return r->framing.kind == FRAMING_CHUNKED || (r->framing.kind == FRAMING_LENGTH && r->framing.length > 0);
}

static enum step do_route(struct request *r)
{
    enum http_error e = r->refused;
    if (e == HTTP_ERROR_NONE)
        e = route_request(r);
    if (e != HTTP_ERROR_NONE) {
        r->refused = e;
        count(r->w->counters, COUNTER_REQUESTS_REFUSED);
        return fail(r, REASON_BAD_REQUEST, http_error_status(e));
    }
    if (r->status)
        return STEP_FAIL;
    if (r->framing.kind == FRAMING_LENGTH &&
        r->framing.length > (uint64_t)r->settings->process.request_body) {
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
        return fail(r, REASON_BAD_REQUEST, 413);
    }
    uint64_t hops;
    if (route_max_forwards(r, &hops) && hops == 0) {
        r->answer = (struct answer_page){ .status = 200, .extra_n = 1 };
        r->answer.extra[0] = page_allow;
        deliver_page(r);
        return STEP_SEND;
    }
    if (!r->pass)
        return STEP_LOOKUP;
    r->outcome = OUTCOME_PASS;
    return STEP_FETCH;
}

/* ---- lookup: one question to the index ---- */

static void drop_found(struct request *r)
{
    object_unref(r->found.stored);
    object_unref(r->found.busy);
    object_unref(r->stale);
    object_unref(r->object);
    r->found.stored = r->found.busy = r->stale = r->object = NULL;
}

/* The reference goes to another place, which is empty. */
static void move_object(struct object **to, struct object **from)
{
    CHECK(!*to);
    *to = *from;
    *from = NULL;
}

/* A page varies by country and nobody can tell one: every visitor is a no-match. Said once for the process. */
static void warn_of_country(struct request *r)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    count(r->w->counters, COUNTER_COUNTRY_MISSING);
    if (!atomic_flag_test_and_set(&said))
        log_warning(
            r->w->log, "request",
            "%.*s%.*s has Netlify-Vary: country=, but there is no country_database: every visitor gets the"
            " page for no country",
            STR_ARG(r->authority), STR_ARG(r->key.path));
}

static void compute_place(struct request *r)
{
    struct place *p = &r->look.place;
    if (!p->primary.n)
        p->primary = key_primary(&r->key, &r->arena);
    if (r->rule)
        request_fields(r);
    if (r->rule && r->rule->netlify.countries.n && !r->w->country)
        warn_of_country(r);
    p->variant = key_variant(&r->key, r->rule, &r->arena);
    p->rule = r->rule;
    place_hash(r->w->cache, p);
}

static void set_rule(struct request *r, struct rule *rule)
{
    rule_unref(r->rule);
    r->rule = rule;
}

void request_reduce_query(struct request *r)
{
    bool dropped = false;
    if (!r->rule || r->site->unkeyed_query != UNKEYED_STRIP || !r->key.has_query)
        return;
    struct str kept = query_keep_listed(r->key.query, r->rule, &r->arena, &dropped);
    if (!dropped)
        return;
    r->whole_query = r->key.query;
    r->key.query = kept;
    r->key.has_query = kept.n > 0;
}

/* The answer may bring a rule that names what the old one left out, and what was therefore not sent: then it is another's page, and
 * this visitor asks again. Once: a rule may change with each answer. */
static bool was_cut_short(struct request *r)
{
    bool known, busy, dropped;
    if (!r->whole_query.n || r->asked_whole || r->as_came)
        return false;
    struct rule *rule = index_rule(r->w->cache, &r->look.place, &known, &busy);
    bool short_of_it = !str_eq(query_keep_listed(r->whole_query, rule, &r->arena, &dropped),
                               query_keep_listed(r->key.query, rule, &r->arena, &dropped));
    rule_unref(rule);
    return known && short_of_it;
}

static void restore_query(struct request *r)
{
    if (!r->whole_query.n)
        return;
    r->key.query = r->whole_query;
    r->key.has_query = true;
    r->whole_query = STR_NONE;
    r->asked_whole = true;
}

/*
 * The fetch about to begin, and nothing of it will be stored, as far as can be known before the origin answers: it carries what the
 * visitor sent, his Range and his conditions too (CACHING.md 3.7).
 */
static bool goes_as_it_came(struct request *r)
{
    if (r->pass || r->head_only || r->outcome != OUTCOME_PASS)
        return false;
    if (r->is_signed && !request_came_is_key(r))
        return true;
    bool differs = deliver_has_conditions(r);
    if (r->ask_as_came || r->alone || r->directives.no_store)
        return differs;
    /* What is stored and has expired is revalidated by its own validators, else it would never become fresh again. */
    if (r->stale)
        return false;
    if (!r->found.no_queue)
        return differs && r->is_signed;
    request_reduce_query(r);
    /* Whose spelling is the usual one loses nothing, and may be stored again when an answer permits it. */
    return differs || !request_is_in_order(r);
}

/* Reasons to go to the origin alone that the request itself gives. */
static enum reason own_reason(const struct request *r)
{
    if (r->directives.no_store)
        return REASON_REQUEST_NO_STORE;
    return r->as_came && r->range.n ? REASON_RANGE : REASON_NONE;
}

static void start(struct request *r, struct object *o, bool background)
{
    r->background_started |= background;
    r->source->start(r->source, r, o, background);
}

static void leave_source(struct request *r)
{
    if (r->source->leave)
        r->source->leave(r->source, r);
}

static enum step hit(struct request *r)
{
    move_object(&r->object, &r->found.stored);
    object_count_hit(r->object);
    return STEP_DELIVER;
}

/* A stored part of a page answers a range inside it; else it is what a whole may be completed from. */
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

/*
 * The one look, and what differs while the origin is sick (decision 031): whoever may be served stale on an error does not wait for the
 * error, and of all of them one tries, now and then, whether it is over.
 */
static void look(struct request *r)
{
    struct origin *o = NULL;
    if (atomic_load_explicit(&r->w->origins->sick, memory_order_relaxed) > 0)
        o = origins_get(r->w->origins, &r->site->origin_address);
    r->look.sick = o && origin_is_sick(o);
    r->look.may_try = false;
    index_look(r->w->cache, &r->look, &r->found);
    if (!r->found.untried || !origin_may_try(o, r->look.now.mono_ms, r->site->refresh_backoff))
        return;
    drop_found(r);
    r->look.may_try = true;
    index_look(r->w->cache, &r->look, &r->found);
}

/* The head of an event stream may be long in coming, and its body may have no end (CACHING.md 6.4). */
static bool takes_event_stream(const struct request *r)
{
    struct str member;
    for (size_t i = 0; i < r->fields.n; i++)
        for (struct str line = r->fields.v[i].value;
             r->fields.v[i].id == FIELD_ACCEPT && list_next(&line, &member);)
            if (str_eq_nocase(str_trim(str_first(member, str_index(member, ';'))), STR("text/event-stream")))
                return true;
    return false;
}

/* Nobody is going to fill what the look-up began: who joined it already looks again. */
static void undo_look(struct request *r)
{
    if (r->found.busy && r->found.outcome != OUTCOME_JOIN) {
        index_withdraw(r->found.busy);
        object_fail(r->found.busy, REASON_CANCELLED, 502);
    }
    drop_found(r);
}

/* It neither waits nor is waited for. Looked at only when it is no hit: it costs a walk over the fields. */
static void look_apart(struct request *r)
{
    undo_look(r);
    r->look.may_join = r->look.may_fetch = false;
    index_look(r->w->cache, &r->look, &r->found);
}

static enum step do_lookup(struct request *r)
{
    if (r->looks)
        drop_found(r);
    if (++r->looks > LOOKS_MOST)
        r->alone = true;
    compute_place(r);
    bool head_first = r->head_only;
    r->look.request = &r->directives;
    r->look.now = r->w->loop->now;
    r->look.latest = epochs_latest(r->w->cache->epochs);
    r->look.authorization = r->is_signed;
    /* A part that one visitor asks for is not what another one waits for. */
    r->look.may_join = !r->alone && !r->apart && !r->ask_as_came && !(r->range.n && r->site->combine_parts);
    r->look.may_fetch = !head_first && !r->directives.only_if_cached && !r->directives.no_store;
    look(r);
    if (r->found.outcome == OUTCOME_PASS && head_first && r->found.known && !r->found.no_queue &&
        !r->directives.only_if_cached && !r->directives.no_store) {
        /* A page that is known to be stored: what a HEAD asks for is fetched as a GET (CACHING.md 6.3). */
        object_unref(r->found.stored);
        r->found.stored = NULL;
        r->look.may_fetch = true;
        look(r);
    }
    if (r->found.outcome != OUTCOME_HIT && r->found.outcome != OUTCOME_RULE &&
        fields_has(&r->fields, FIELD_ACCEPT) && takes_event_stream(r))
        look_apart(r);
    r->stale_error = r->found.for_sickness;
    r->outcome = r->found.outcome;
    switch (r->outcome) {
    case OUTCOME_RULE:
        set_rule(r, r->found.rule);
        r->found.rule = NULL;
        return STEP_LOOKUP;
    case OUTCOME_HIT:
        if (object_is_partial(r->found.stored))
            return part_found(r);
        count(r->w->counters, COUNTER_HITS);
        return hit(r);
    case OUTCOME_STALE:
    case OUTCOME_STALE_JOIN:
        if (object_is_partial(r->found.stored)) {
            if (r->found.busy) {
                /* Nobody is going to fill it: who joined it already looks again. */
                index_withdraw(r->found.busy);
                object_fail(r->found.busy, REASON_CANCELLED, 502);
            }
            return part_found(r);
        }
        count(r->w->counters, COUNTER_STALE_HITS);
        if (r->found.busy)
            start(r, r->found.busy, true);
        return hit(r);
    case OUTCOME_JOIN:
        move_object(&r->stale, &r->found.stored);
        if (object_readers(r->found.busy) >= (unsigned)r->site->waiters) {
            r->alone = true;
            return STEP_LOOKUP;
        }
        count(r->w->counters, COUNTER_JOINS);
        move_object(&r->object, &r->found.busy);
        r->collapsed = true;
        r->own_fetch = false;
        return STEP_AWAIT;
    case OUTCOME_EXPIRED:
    case OUTCOME_MISS: count(r->w->counters, COUNTER_MISSES); break;
    case OUTCOME_PASS: count(r->w->counters, COUNTER_PASSES); break;
    default: UNREACHABLE();
    }
    move_object(&r->stale, &r->found.stored);
    if (r->directives.only_if_cached)
        return fail(r, REASON_ONLY_IF_CACHED, 504);
    return STEP_FETCH;
}

/* ---- fetch: start one that fills an object ---- */

static void upload_room(struct upload *u)
{
    struct request *r = u->request;
    if (!r->body_ended)
        r->front->want_body(r);
}

/* Whether he is to send his body: of an origin that knows how to say it (RFC 9110 §10.1.1). */
static bool is_origins_question(struct request *r)
{
    return r->awaits_continue && r->site->continue_timeout > 0 &&
           !origin_is_old(origins_get(r->w->origins, &r->site->origin_address));
}

static void make_upload(struct request *r)
{
    r->upload = arena_alloc(&r->arena, sizeof(*r->upload));
    upload_init(r->upload, r->framing, r, upload_room);
    if (r->collects)
        upload_take_whole(r->upload, &r->collected);
    else
        r->upload->awaits = is_origins_question(r);
}

/* Origins that need a Content-Length cannot read chunks: they take such a body for none. So it is collected (upload_length). */
static bool needs_whole_body(const struct request *r)
{
    if (r->source->body_max)
        return has_request_body(r);
    return r->framing.kind == FRAMING_CHUNKED && r->site->upload_length == UPLOAD_LENGTH_BUFFER;
}

/* What one worker collects of all uploads: a client may begin many. */
#define BUFFERED_MOST ((size_t)64 << 20)

static uint64_t collected_most(const struct request *r)
{
    if (r->source->body_max)
        return r->source->body_max;
    int64_t most = r->site->upload_buffer, request_body = r->settings->process.request_body;
    return (uint64_t)(most < request_body ? most : request_body);
}

static size_t collect(struct request *r, struct str data)
{
    if (r->body_ended || r->refused != HTTP_ERROR_NONE || r->reason != REASON_NONE)
        return data.n; /* refused: it is read over */
    if (r->collected.n + data.n > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    else if (r->w->buffered + data.n > BUFFERED_MOST)
        r->reason = REASON_NO_MEMORY;
    if (r->refused != HTTP_ERROR_NONE || r->reason != REASON_NONE) {
        request_wake(r);
        return data.n;
    }
    r->w->buffered += data.n;
    r->buffered += data.n;
    buf_add(&r->collected, data);
    return data.n;
}

/* Until the body is whole: WAIT; FETCH: it is. */
static enum step collect_body(struct request *r)
{
    r->collects = true;
    if (r->framing.kind == FRAMING_LENGTH && r->framing.length > collected_most(r))
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
    if (r->refused != HTTP_ERROR_NONE)
        return fail(r, REASON_BAD_REQUEST, http_error_status(r->refused));
    if (r->reason != REASON_NONE)
        return fail(r, r->reason, 503);
    if (!r->body_ended) {
        r->front->want_body(r);
        return WAIT;
    }
    r->framing = (struct framing){ .kind = FRAMING_LENGTH, .length = r->collected.n };
    return STEP_FETCH;
}

bool request_answer_may_be_stored(const struct request *r)
{
    return !r->pass && !r->as_came && !(r->head_only && r->outcome == OUTCOME_PASS);
}

static enum step do_fetch(struct request *r)
{
    if (needs_whole_body(r)) {
        enum step next = collect_body(r);
        if (next != STEP_FETCH)
            return next;
    }
    r->as_came = goes_as_it_came(r);
    if (!r->pass)
        r->pass_reason = r->outcome == OUTCOME_PASS ? own_reason(r) : REASON_NONE;
    if (r->upgrade && !tunnel_take_place(r))
        return fail(r, REASON_TUNNEL_LIMIT, 503);
    if (r->found.no_queue) {
        /* Until its head is there, or its time is over, it is in use. */
        int64_t now_ms = r->w->loop->now.mono_ms;
        index_renew(r->w->cache, &r->look.place,
                    now_ms + r->site->first_byte_timeout + r->site->no_queue_time, now_ms);
    }
    if (r->pass) {
        count(r->w->counters, COUNTER_PASSES);
        compute_place(r);
        r->look.latest = epochs_latest(r->w->cache->epochs);
    }
    move_object(&r->object, &r->found.busy);
    if (!r->object)
        r->object = object_new(r->w->cache, r->look.latest);
    r->own_fetch = true;
    if (has_request_body(r) && !r->source->body_max)
        make_upload(r);
    r->fetch_started_us = time_for_log(r);
    start(r, r->object, false);
    if (r->upload && !r->upload->awaits)
        r->front->want_body(r);
    return STEP_AWAIT;
}

/* ---- await: until the object has a head, or failed ---- */

static void waited_too_long(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    r->timed_out = true;
    request_wake(r);
}

static enum step look_again(struct request *r)
{
    reader_leave(r);
    leave_source(r); /* its own object is filled for others */
    timer_stop(r->w->loop, &r->timer);
    r->timed_out = false; /* it waits anew */
    r->collapsed = r->as_came = r->went_as_came = false;
    restore_query(r);
    return STEP_LOOKUP;
}

/*
 * The answer is there, nothing of it is stored, and what the visitor asked is the origin's to answer: he asks again, alone, with
 * his own Range and conditions. Before a byte was sent to him. His fetch ends when he was its only reader, and its connection with
 * it, unless the answer is whole by now.
 */
static enum step ask_as_it_came(struct request *r)
{
    r->ask_as_came = true;
    return look_again(r);
}

/* What freshet left out of a request of his, since the answer might have been stored, is to be asked now that it is not. Once. */
static bool was_asked_too_little(struct request *r)
{
    return !r->ask_as_came && !r->as_came && request_answer_may_be_stored(r) && deliver_needs_origin(r);
}

/* Under the rule that the page has by now. */
static bool has_its_key(struct request *r)
{
    bool known, busy;
    if (str_eq(object_variant(r->object), r->look.place.variant))
        return true;
    set_rule(r, index_rule(r->w->cache, &r->look.place, &known, &busy));
    compute_place(r);
    return str_eq(object_variant(r->object), r->look.place.variant);
}

/* What a fetch that somebody else started brings: is it for this request too (ARCHITECTURE.md)? */
static bool is_for_me(struct request *r)
{
    struct object *o = r->object;
    if (!o->stored || object_is_closed(o))
        return false;
    if (o->begin < r->look.latest && index_is_outdated(o, &r->look))
        return false;
    return has_its_key(r);
}

/*
 * He waited in vain. When the answer was his own but for the storing, the next one would hardly be for all (tbl/reasons.h): he and all
 * who waited with him go at once, each on his own, and what comes of it may be stored. Else he looks again, with others; a second
 * time of waiting for what is not stored is the last.
 */
static enum step waited_in_vain(struct request *r)
{
    struct object *o = r->object;
    if (o->stored)
        r->apart |= object_is_closed(o); /* it turned out too large, or memory ran out */
    else if (++r->refusals == REFUSALS_MOST ||
             (has_its_key(r) && reason_waiters((enum reason)o->verdict_reason) != WAITERS_LOOK))
        r->apart = true;
    return look_again(r);
}

static enum step fetch_failed(struct request *r)
{
    struct object *o = r->object;
    enum reason why = (enum reason)o->fail_reason;
    int status = 500 + o->fail_5xx;
    if (!r->own_fetch && reason_waiters(why) == WAITERS_LOOK)
        return look_again(r);
    reader_leave(r);
    timer_stop(r->w->loop, &r->timer);
    if (r->stale && !object_is_partial(r->stale) && r->stale->response->status < 500 &&
        object_serves_on_error(r->stale, epochs_latest(r->w->cache->epochs), r->w->loop->now.mono_ms,
                               &r->directives)) {
        r->stale_error = true;
        count(r->w->counters, COUNTER_STALE_HITS);
        object_unref(r->object);
        r->object = r->stale;
        r->stale = NULL;
        return STEP_DELIVER;
    }
    if (why == REASON_UPLOAD_FAILED && r->refused != HTTP_ERROR_NONE)
        return fail(r, REASON_BAD_REQUEST, http_error_status(r->refused));
    r->origin_fault = (enum http_error)o->fail_fault;
    return fail(r, why, status);
}

static enum step do_await(struct request *r)
{
    struct object *o = r->object;
    if (r->tunnel)
        return tunnel_is_over(r) ? STEP_FINISH : WAIT;
    if (!r->reader && !object_is_done(o)) {
        if (reader_join(r, o, r->own_fetch) == OBJECT_CLOSED)
            return look_again(r);
        if (!r->own_fetch)
            timer_start(r->w->loop, &r->timer, r->site->wait_timeout, waited_too_long);
    }
    switch (object_state(o)) {
    case OBJECT_NEW:
        if (!r->timed_out)
            return WAIT;
        r->alone = true;
        return look_again(r);
    case OBJECT_FAILED: return fetch_failed(r);
    default: break;
    }
    timer_stop(r->w->loop, &r->timer);
    if (!r->own_fetch && !is_for_me(r))
        return waited_in_vain(r);
    if (r->own_fetch && was_cut_short(r))
        return look_again(r);
    if (r->own_fetch && was_asked_too_little(r))
        return ask_as_it_came(r);
    if (r->fetch_started_us)
        r->fetch_ms = (time_for_log(r) - r->fetch_started_us) / 1000;
    return STEP_DELIVER;
}

/* ---- deliver: 200, 206, 304, 416, HEAD ---- */

static inline void let_go(struct request *r)
{
    if (!r->held)
        return;
    object_release(r->held);
    object_unref(r->held);
    r->held = NULL;
}

static inline void drop_body(struct request *r)
{
    let_go(r);
    if (r->body_held)
        body_unref(r->body);
    r->body = NULL;
    r->body_held = false;
}

static enum step do_deliver(struct request *r)
{
    /* An answer that failed before its first byte may have been chosen before. */
    drop_body(r);
    r->cursor.block = NULL;
    r->parts = NULL;
    tunnel_give_place(r); /* the origin did not upgrade */
    deliver_object(r);
    return STEP_SEND;
}

/* ---- send: lease, write, give back ---- */

/* In so many steps of the time it has it is looked whether the client takes anything: one that stops is cut off that much
 * later at most. */
#define SEND_LOOKS 4

static void look_at_sending(struct timer *t);

/* Who holds up others has less time (decision 040). */
#define HELD_UP_MS 1000

static bool is_passing(const struct request *r)
{
    return r->object && object_is_closed(r->object);
}

/* Nobody joins a passing body: who reads it alone holds up nobody from then on. */
static bool may_hold_up(const struct request *r)
{
    return is_passing(r) && object_readers(r->object) > 1;
}

/* How long the client may take nothing. A body that is not kept holds up its origin, and with it all who read it. */
static int64_t send_patience(const struct request *r)
{
    if (!is_passing(r))
        return r->settings->process.send_timeout;
    bool holds_up =
        r->body && r->at < body_length(r->body) && object_waits_at(r->object, body_length(r->body));
    return holds_up && r->site->window_stall > HELD_UP_MS ? HELD_UP_MS : r->site->window_stall;
}

/* Over so long is measured how fast a client reads. */
#define RATE_MS 5000

/* When it is looked again. Others may come to wait at any time. */
static int64_t send_step(const struct request *r, int64_t patience)
{
    int64_t step = patience / SEND_LOOKS, most = may_hold_up(r) ? HELD_UP_MS / SEND_LOOKS
                                                 : r->held      ? RATE_MS
                                                                : step;
    return step < most ? step : most;
}

/* Of the body, what the client acknowledged. */
static uint64_t taken_bytes(struct request *r)
{
    uint64_t given = r->bytes_sent + r->leased, held = r->front->held(r);
    return given > held ? given - held : 0;
}

static void measure_rate(struct request *r)
{
    r->rate_ms = r->w->loop->now.mono_ms;
    r->rate_at = taken_bytes(r);
}

/* He holds memory that others need, and takes too little of it (CACHING.md 6.8). */
static bool is_too_slow(struct request *r)
{
    int64_t ms = r->w->loop->now.mono_ms - r->rate_ms;
    if (!r->held || ms < RATE_MS)
        return false;
    uint64_t before = r->rate_at;
    measure_rate(r);
    int64_t taken = r->rate_at > before ? (int64_t)(r->rate_at - before) : 0;
    return taken * 1000 / ms < r->settings->process.send_rate_min && room_is_short(r->w->cache);
}

static void watch_sending(struct request *r)
{
    r->took_ms = r->w->loop->now.mono_ms;
    r->front->note(r);
    if (!r->held && r->object && object_hold(r->object)) {
        r->held = object_ref(r->object);
        measure_rate(r);
    }
    r->watched_as_passing = is_passing(r);
    timer_start(r->w->loop, &r->timer, send_step(r, send_patience(r)), look_at_sending);
}

/* The body turned into a passing one while a send was pending: it is looked at more often from now on. */
static void watch_closely(struct request *r)
{
    if (r->watched_as_passing || !is_passing(r))
        return;
    r->watched_as_passing = true;
    timer_start(r->w->loop, &r->timer, send_step(r, send_patience(r)), look_at_sending);
}

/* Slow is not gone: only a client that acknowledged no byte at all is. */
static void look_at_sending(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    int64_t now_ms = r->w->loop->now.mono_ms, patience = send_patience(r), step = send_step(r, patience);
    if (r->front->took(r))
        r->took_ms = now_ms;
    int64_t left = r->took_ms + patience - now_ms;
    bool too_slow = is_too_slow(r);
    if (too_slow) {
        count(r->w->counters, COUNTER_SLOW_READERS);
        r->reason = REASON_SLOW_READER;
    } else if (left > 0) {
        timer_start(r->w->loop, &r->timer, left < step ? left : step, look_at_sending);
        return;
    }
    r->gone = true;
    request_wake(r);
}

static bool at_end(const struct request *r, bool sealed, uint64_t there)
{
    if (r->parts)
        return r->parts->at == r->parts->n;
    return r->at >= r->end || (sealed && r->at >= there);
}

/* Pieces of a body that is one run of bytes. */
static unsigned lease_run(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    bool sealed = object_state(r->object) == OBJECT_SEALED; /* before the length: then the length is final */
    uint64_t there = r->body ? body_length(r->body) : 0;
    uint64_t to = there < r->end ? there : r->end;
    uint64_t most = r->bytes_sent ? LEASE_NEXT : LEASE_FIRST;
    unsigned n = 0;
    r->leased = 0;
    if (to > r->at + most)
        to = r->at + most;
    if (r->at < to)
        n = body_lease(r->body, &r->cursor, r->at, to, iov, max, &r->leased);
    uint64_t then = r->at + r->leased;
    *last = then >= r->end || (sealed && then >= there);
    return n;
}

/* Several ranges: the current part's header when it is new, then a run of its bytes; the tail behind the last. */
static unsigned lease_parts(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    struct parts *p = r->parts;
    struct part_of_many *part = &p->v[p->at];
    unsigned n = 0;
    if (!p->head_sent)
        iov[n++] = (struct iovec){ (char *)(uintptr_t)part->head.p, part->head.n };
    uint64_t to = r->at + LEASE_NEXT < r->end ? r->at + LEASE_NEXT : r->end;
    n += body_lease(r->body, &r->cursor, r->at, to, iov + n, max - n - 1, &r->leased);
    *last = r->at + r->leased == r->end && p->at + 1 == p->n;
    if (*last)
        iov[n++] = (struct iovec){ (char *)(uintptr_t)p->tail.p, p->tail.n };
    return n;
}

static unsigned lease(struct request *r, struct iovec *iov, unsigned max, bool *last)
{
    r->leased = 0;
    if (r->parts)
        return lease_parts(r, iov, max, last);
    return lease_run(r, iov, max, last);
}

/* What was leased is with the kernel. */
static void sent(struct request *r)
{
    r->head_sent = true;
    r->at += r->leased;
    r->bytes_sent += r->leased;
    count_add(r->w->counters, COUNTER_BYTES_SENT, (int64_t)r->leased);
    if (!r->parts) {
        if (r->leased)
            reader_moved(r, r->at);
        r->leased = 0;
        return;
    }
    r->leased = 0;
    r->parts->head_sent = true;
    if (r->at == r->end && ++r->parts->at < r->parts->n) {
        const struct part_of_many *next = &r->parts->v[r->parts->at];
        r->parts->head_sent = false;
        r->cursor.block = NULL;
        r->at = next->range.first;
        r->end = next->range.last + 1;
    }
}

/* What stands in front of a range is passed over as it comes, with the cursor: the window of a passing body moves on, and never in front
 * of what is there. */
static void pass_over(struct request *r)
{
    struct iovec iov;
    uint64_t there = r->body ? body_length(r->body) : 0, bytes;
    if (r->parts || there == 0 || there > r->at)
        return;
    body_lease(r->body, &r->cursor, there - 1, there, &iov, 1, &bytes);
    reader_moved(r, there);
}

/* The reply cannot be whole any more: the object failed after its head was sent. */
static enum step cut(struct request *r)
{
    r->cut = true;
    r->reason = (enum reason)r->object->fail_reason;
    r->origin_fault = (enum http_error)r->object->fail_fault;
    return STEP_FINISH;
}

static enum step do_send(struct request *r)
{
    if (r->gone)
        return STEP_FINISH;
    if (r->sending) {
        watch_closely(r);
        return WAIT;
    }
    timer_stop(r->w->loop, &r->timer);
    for (;;) {
        struct iovec iov[REPLY_PIECES_MAX];
        bool last = false;
        if (r->last_sent)
            return STEP_FINISH;
        if (object_state(r->object) == OBJECT_FAILED && !at_end(r, false, 0)) {
            if (!r->head_sent) {
                r->own_fetch = true;
                return STEP_AWAIT;
            }
            return cut(r);
        }
        unsigned n = lease(r, iov, COUNT_OF(iov), &last);
        if (n == 0 && r->head_sent && !last) {
            let_go(r); /* not he is slow, but the origin */
            pass_over(r);
            return WAIT; /* the fetch has not brought more */
        }
        if (!r->first_byte_us)
            r->first_byte_us = time_for_log(r);
        r->last_sent = last;
        switch (r->front->send(r, r->head_sent ? NULL : &r->reply, iov, n, last)) {
        case FRONT_SENT: sent(r); break;
        case FRONT_PENDING:
            r->sending = true;
            watch_sending(r);
            return WAIT;
        case FRONT_BROKEN: r->gone = true; return STEP_FINISH;
        }
    }
}

/* ---- fail: a page of our own ---- */

static enum step do_fail(struct request *r)
{
    count(r->w->counters, COUNTER_ERRORS);
    reader_leave(r);
    drop_body(r);
    object_unref(r->object); /* the page is all that is delivered from here on */
    r->object = NULL;
    page_of_error(r);
    deliver_page(r);
    /* After a malformed request nothing on the connection can be trusted. */
    r->reply.close |= r->refused != HTTP_ERROR_NONE;
    return STEP_SEND;
}

/* ---- finish: the record, the counters, the references ---- */

static enum step do_finish(struct request *r)
{
    struct requests *w = r->w;
    if (r->gone)
        count(w->counters, COUNTER_ABORTS);
    if (!r->status)
        r->status = r->reply.status;
    if (r->gone && r->reason == REASON_NONE && !r->last_sent)
        r->reason = REASON_CLIENT_GONE;
    tunnel_end(r);
    timer_stop(w->loop, &r->timer);
    reader_leave(r);
    leave_source(r);
    if (w->log_request)
        w->log_request(w, r);
    if (r->upload)
        upload_fini(r->upload);
    drop_body(r);
    drop_found(r);
    rule_unref(r->rule);
    buf_fini(&r->collected);
    w->buffered -= r->buffered;
    leave_snapshot(r->snapshot);
    link_remove(&r->link);
    count_add(w->counters, COUNTER_REQUESTS_OPEN, -1);
    return STEP_DONE;
}

/* ---- the driver ---- */

#define TO(id) (1u << STEP_##id)
static const struct {
    struct str name;
    unsigned next;
    enum step (*run)(struct request *);
} steps[STEP_COUNT] = {
#define STEP(id, text, nexts) [STEP_##id] = { .name = STR_INIT(text), .next = (nexts) },
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

static enum request_result run(struct request *r)
{
    for (unsigned turns = 0; r->step != STEP_DONE; turns++) {
        CHECK(turns < TURNS_MOST);
        enum step next = run_step(r);
        if (next == WAIT)
            return REQUEST_WAIT;
        CHECK(steps[r->step].next & (1u << next));
        r->step = next;
    }
    return REQUEST_DONE;
}

struct str step_name(enum step s)
{
    CHECK((unsigned)s < STEP_COUNT);
    return steps[s].name;
}

/* ---- entries ---- */

void request_init(struct request *r, struct requests *w, const struct front_ops *front)
{
    memset(r, 0, offsetof(struct request, room));
    r->w = w;
    r->front = front;
    r->step = STEP_DONE;
    link_init(&r->link);
    arena_init_in(&r->arena, r->room, sizeof(r->room), sizeof(r->room));
}

void request_fini(struct request *r)
{
    CHECK(r->step == STEP_DONE);
    arena_fini(&r->arena);
}

void request_reset(struct request *r)
{
    const size_t from = offsetof(struct request, source), to = offsetof(struct request, reply.extra);
    CHECK(r->step == STEP_DONE);
    arena_rewind(&r->arena);
    memset((char *)r + from, 0, to - from);
    r->step = STEP_DONE;
    link_init(&r->link);
}

enum request_result request_start(struct request *r)
{
    CHECK(r->step == STEP_DONE && !r->settings && !r->rule && !r->body && !r->fields_made);
    r->step = STEP_ROUTE;
    r->snapshot = r->w->snapshot;
    r->snapshot->users++;
    r->settings = r->snapshot->settings;
    r->source = r->w->source;
    r->started_us = time_for_log(r);
    r->key.https = r->https;
    list_push_back(&r->w->open, &r->link);
    count(r->w->counters, COUNTER_REQUESTS);
    count_add(r->w->counters, COUNTER_REQUESTS_OPEN, 1);
    return run(r);
}

void request_wake(struct request *r)
{
    /* A notice may come for a step that does not wait for it: entering it again is harmless. */
    if (r->step != STEP_DONE && run(r) == REQUEST_DONE)
        r->front->done(r);
}

enum request_result request_sent(struct request *r, int status)
{
    if (r->tunnel) {
        if (status < 0)
            r->gone = true;
        tunnel_client_took(r);
        return REQUEST_WAIT;
    }
    CHECK(r->sending);
    r->sending = false;
    if (status < 0)
        r->gone = true;
    else
        sent(r);
    return run(r);
}

void request_moved(struct request *r)
{
    if (!r->sending)
        return;
    r->took_ms = r->w->loop->now.mono_ms; /* the timer goes on: it looks at how much it is, too */
    r->front->note(r);
}

void request_abort(struct request *r)
{
    if (r->step == STEP_DONE)
        return;
    r->gone = true;
    if (r->upload)
        upload_end(r->upload, UPLOAD_FAILED);
    r->step = STEP_FINISH;
    CHECK(run(r) == REQUEST_DONE);
}

void request_client_gone(struct connection **own)
{
    pool_disown(own);
}

/* ---- the request's body ---- */

size_t request_body(struct request *r, struct str data)
{
    count_add(r->w->counters, COUNTER_BYTES_RECEIVED, (int64_t)data.n);
    if (r->collects)
        return collect(r, data);
    if (!r->upload || r->upload->unwanted)
        return data.n; /* the answer came first: what is left is of no use */
    if (r->upload->received + data.n > (uint64_t)r->settings->process.request_body) {
        r->refused = HTTP_ERROR_BODY_TOO_LARGE;
        upload_end(r->upload, UPLOAD_FAILED);
        return data.n;
    }
    size_t space = upload_space(r->upload), n = data.n < space ? data.n : space;
    if (n)
        upload_put(r->upload, str_first(data, n));
    if (n < data.n)
        r->upload->waiting_for_room = true;
    return n;
}

void request_body_begins(struct request *r)
{
    if (r->upload)
        upload_go_on(r->upload);
}

void request_body_end(struct request *r, bool whole)
{
    r->body_ended = true;
    if (r->upload)
        upload_end(r->upload, whole ? UPLOAD_ENDED : UPLOAD_FAILED);
    if (r->collects && !r->upload)
        request_wake(r);
}

/* ---- tunnels ---- */

size_t request_raw(struct request *r, struct str data)
{
    return tunnel_from_client(r, data);
}

void request_raw_ended(struct request *r)
{
    tunnel_client_ended(r);
}
