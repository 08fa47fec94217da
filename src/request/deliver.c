#include "request/deliver_machine.h"

#include <string.h>

#include "cache/coded.h"
#include "http/lines.h"
#include "http/range.h"
#include "request/page.h"
#include "request/parts.h"
#include "request/reader.h"
#include "request/redirect.h"
#include "request/secure.h"

/* ---- age ---- */

/* Writes digits into the arena: cheaper than printf on the hit path. */
static struct str number(struct request *r, int64_t n)
{
    char *end = (char *)arena_alloc(&r->arena, 24) + 24, *at = end;
    uint64_t v = n < 0 ? (uint64_t)-n : (uint64_t)n;
    do {
        *--at = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (n < 0)
        *--at = '-';
    return (struct str){ at, (size_t)(end - at) };
}

struct age deliver_age(const struct request *r)
{
    return object_age(r->object, r->w->loop->now.mono_ms, -1);
}

static void add_age(struct request *r)
{
    if (!deliver_is_from_store(r) && !r->object->response->has_age && !r->object->confirmed)
        return;
    int64_t age_s = deliver_current_age(r).age_ms / 1000;
    deliver_add_id(&r->reply, FIELD_AGE, number(r, age_s > DELTA_MAX ? DELTA_MAX : age_s));
}

/* ---- what was removed, for those who know the secret (CACHING.md 1.4) ---- */

static void add_debug(struct request *r)
{
    struct fields fields;
    size_t visible_n;
    if (!r->debug)
        return;
    response_fields(r->object->response, &r->arena, &fields, &visible_n);
    for (size_t i = visible_n; i < fields.n; i++) {
        const struct field *f = &fields.v[i];
        deliver_add(&r->reply, arena_printf(&r->arena, "Debug-%.*s", STR_ARG(f->name)), f->value);
    }
}

/* ---- validators ---- */

static struct str generated_etag(struct request *r)
{
    return object_generated_etag(r->object, arena_alloc(&r->arena, OBJECT_TAG_BYTES));
}

static bool is_complete(const struct object *o)
{
    return object_state(o) == OBJECT_SEALED;
}

static struct validators validators_of(struct request *r)
{
    struct validators v = { .etag = response_etag(r->object->response) };
    /* Most requests ask for an ETag alone. */
    if (fields_has(&r->fields, FIELD_IF_MODIFIED_SINCE) || fields_has(&r->fields, FIELD_IF_RANGE))
        response_validators(r->object->response, r->w->loop->now.wall_ms / 1000, &v);
    if (!v.etag.opaque.n && is_complete(r->object) && r->object->has_generated_etag)
        v.etag = (struct etag){ generated_etag(r), false };
    return v;
}

static void add_etag(struct request *r)
{
    if (r->reply.status != 416 && is_complete(r->object) && r->object->has_generated_etag && !r->coded &&
        !r->poured && !r->etag_sent)
        deliver_add_id(&r->reply, FIELD_ETAG, generated_etag(r));
}

/* ---- 206 and 416 ---- */

/* Is it a field that a 206 writes differently? */
static bool is_of_the_whole(const struct site_settings *site, const struct field *f)
{
    (void)site;
    return f->id == FIELD_CONTENT_RANGE;
}

/* The same for a 206 with several parts: each part states its own type. */
static bool is_of_a_part(const struct site_settings *site, const struct field *f)
{
    return is_of_the_whole(site, f) || f->id == FIELD_CONTENT_TYPE;
}

/* Does the field describe the page's bytes, or who may keep them for how long? A 416 does not carry it: a
 * cache in front of us would give the 416 to visitors who want the page. */
static bool is_of_the_page(const struct site_settings *site, const struct field *f)
{
    switch (f->id) {
    case FIELD_CACHE_CONTROL:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_LOCATION:
    case FIELD_CONTENT_RANGE:
    case FIELD_CONTENT_TYPE:
    case FIELD_ETAG:
    case FIELD_EXPIRES:
    case FIELD_LAST_MODIFIED: return true;
    default: break;
    }
    for (size_t i = 0; i < site->cdn_cache_control.n; i++)
        if (str_eq_nocase(f->name, site->cdn_cache_control.v[i]))
            return true;
    return false;
}

/* Returns the visible lines of the stored response without those left out, then the line of `more`, if it
 * is not NULL. */
static struct str lines_without(struct request *r,
                                bool (*is_left_out)(const struct site_settings *, const struct field *),
                                const struct field *more)
{
    struct fields fields;
    size_t visible_n;
    struct buf b = BUF_INIT;
    response_fields(r->object->response, &r->arena, &fields, &visible_n);
    for (size_t i = 0; i < visible_n; i++)
        if (!is_left_out(r->site, &fields.v[i]))
            lines_add(&b, fields.v[i].name, fields.v[i].value);
    if (more)
        lines_add(&b, more->name, more->value);
    struct str lines = arena_dup(&r->arena, buf_str(&b));
    buf_fini(&b);
    return lines;
}

/* Returns where the object's body begins in the whole page. */
static uint64_t base_of(const struct object *o)
{
    return object_is_partial(o) ? response_part(o->response)->first : 0;
}

static void deliver_one_range(struct request *r, struct range range, uint64_t whole)
{
    r->reply.status = 206;
    r->reply.lines = lines_without(r, is_of_the_whole, response_default_cc(r->object->response));
    deliver_add_id(&r->reply, FIELD_CONTENT_RANGE, parts_content_range(r, range, whole));
    r->reply.length = (int64_t)(range.last - range.first + 1);
    r->at = range.first - base_of(r->object);
    r->end = range.last + 1 - base_of(r->object);
}

static void deliver_ranges(struct request *r, const struct range *v, size_t n, uint64_t whole)
{
    CHECK(is_complete(r->object));
    struct parts *parts = parts_make(r, v, n, whole, response_value(r->object->response, FIELD_CONTENT_TYPE));
    r->parts = parts;
    r->at = v[0].first;
    r->end = v[0].last + 1;
    r->reply.status = 206;
    r->reply.lines = lines_without(r, is_of_a_part, response_default_cc(r->object->response));
    r->reply.length = (int64_t)parts->bytes;
    deliver_add_id(&r->reply, FIELD_CONTENT_TYPE, parts->content_type);
}

static void deliver_unsatisfiable(struct request *r, uint64_t whole)
{
    r->reply.status = 416;
    r->reply.lines = lines_without(r, is_of_the_page, NULL);
    r->reply.length = 0;
    r->at = r->end = 0;
    deliver_add_id(&r->reply, FIELD_CACHE_CONTROL, STR("no-store"));
    deliver_add_id(&r->reply, FIELD_CONTENT_RANGE,
                   arena_printf(&r->arena, "bytes */%llu", (unsigned long long)whole));
}

/* Returns true when the request's ranges decided the answer. */
static bool deliver_range(struct request *r, const struct validators *validators)
{
    struct range v[64];
    size_t n, max = (size_t)r->site->ranges;
    uint64_t whole = object_length(r->object);
    if (!r->range.n || (r->coded && deliver_refuses_plain(r)) || whole == BODY_LENGTH_UNKNOWN ||
        !if_range_holds(&r->fields, validators, r->w->loop->now.wall_ms / 1000))
        return false;
    switch (range_parse(r->range, whole, v, max < COUNT_OF(v) ? max : COUNT_OF(v), &n)) {
    case RANGE_IGNORE: return false;
    case RANGE_UNSATISFIABLE:
        r->coded = NULL;
        deliver_unsatisfiable(r, whole);
        return true;
    case RANGE_OK: break;
    }
    r->coded = NULL; /* ranges are of the plain body */
    if (n == 1)
        deliver_one_range(r, v[0], whole);
    else if (is_complete(r->object))
        deliver_ranges(r, v, n, whole);
    else
        return false; /* several ranges of a body that still grows: send the whole */
    return true;
}

bool deliver_part_suffices(const struct request *r, const struct object *o)
{
    struct range v[1];
    size_t n;
    struct validators validators;
    int64_t now_s = r->w->loop->now.wall_ms / 1000;
    const struct part *part = response_part(o->response);
    if (!r->range.n || part->whole == UINT64_MAX)
        return false;
    response_validators(o->response, now_s, &validators);
    return if_range_holds(&r->fields, &validators, now_s) &&
           range_parse(r->range, part->whole, v, 1, &n) == RANGE_OK && n == 1 && v[0].first >= part->first &&
           v[0].last <= part->last;
}

/* ---- what is the origin's to answer ---- */

static const enum field_id conditions[] = {
    FIELD_IF_NONE_MATCH, FIELD_IF_MODIFIED_SINCE, FIELD_IF_MATCH, FIELD_IF_UNMODIFIED_SINCE, FIELD_RANGE,
};

bool deliver_has_conditions(const struct request *r)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++)
        if (fields_has(&r->fields, conditions[i]))
            return true;
    return false;
}

/* Is the visitor's range at hand, or will it be before more than a window has been read in vain? */
static bool range_is_near(struct request *r, const struct validators *validators)
{
    struct range v[1];
    size_t n;
    uint64_t whole = object_length(r->object);
    if (r->object->response->status != 200 || whole == BODY_LENGTH_UNKNOWN || !r->range.n)
        return false;
    if (!if_range_holds(&r->fields, validators, r->w->loop->now.wall_ms / 1000))
        return true; /* the origin would send the whole, too */
    if (is_complete(r->object) && whole <= (uint64_t)r->site->window_bytes)
        return range_parse(r->range, whole, v, 1, &n) != RANGE_IGNORE;
    return range_parse(r->range, whole, v, 1, &n) == RANGE_OK && n == 1 &&
           v[0].last < (uint64_t)r->site->window_bytes;
}

bool deliver_needs_origin(struct request *r)
{
    const struct object *o = r->object;
    int status = o->response->status;
    if (o->stored || o->confirmed || status < 200 || status > 299 || r->head_only ||
        !deliver_has_conditions(r))
        return false;
    if (fields_has(&r->fields, FIELD_IF_MATCH) || fields_has(&r->fields, FIELD_IF_UNMODIFIED_SINCE))
        return true;
    struct validators validators = validators_of(r);
    if (condition_of_request(&r->fields, &validators, r->w->loop->now.wall_ms / 1000) ==
        CONDITION_NOT_MODIFIED)
        return true;
    /* With combine_parts the Range was sent. */
    return fields_has(&r->fields, FIELD_RANGE) && !r->site->combine_parts && !range_is_near(r, &validators);
}

/* ---- the whole ---- */

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* The fetch may be replacing the body by a compact copy, so do not read the object's own pointer. */
static bool has_body(struct object *o)
{
    struct body *b = object_body(o);
    body_unref(b);
    return b != NULL;
}

/* A coding of the stored response: whole. */
static void deliver_coded(struct request *r)
{
    const struct response *response = r->coded->response;
    uint64_t length = body_length(r->coded->body);
    r->reply.status = response->status;
    r->reply.reason = response_reason(response);
    r->reply.lines = response_lines(response);
    r->reply.length = (int64_t)length;
    r->at = 0;
    r->end = length;
}

/* One that is being made: nobody knows its length. */
static void deliver_poured(struct request *r)
{
    const struct response *response = r->poured->response;
    r->reply.status = response->status;
    r->reply.reason = response_reason(response);
    r->reply.lines = response_lines(response);
    r->reply.length = -1;
    r->at = 0;
    r->end = BODY_LENGTH_UNKNOWN;
}

static void deliver_whole(struct request *r)
{
    const struct response *response = r->object->response;
    if (r->coded) {
        deliver_coded(r);
        return;
    }
    if (r->poured) {
        deliver_poured(r);
        return;
    }
    uint64_t length = object_is_partial(r->object) ? body_length(r->object->body) : object_length(r->object);
    r->reply.status = response->status;
    r->reply.reason = response_reason(response);
    r->reply.lines = response_lines(response);
    r->reply.length = length == BODY_LENGTH_UNKNOWN ? -1 : (int64_t)length;
    r->reply.upgrade = response->status == 426 && response_value(response, FIELD_UPGRADE).n > 0;
    if (!status_has_body(response->status) || (r->head_only && !has_body(r->object)))
        r->reply.length = response->status == 204 ? -1 : response_declared_length(response);
    r->at = 0;
    r->end = length;
}

/* The origin did not see the parameters that were left out: its redirect would lose them. */
static void keep_ignored(struct request *r)
{
    const struct response *response = r->object->response;
    bool origin_saw = r->went_as_came && !deliver_is_from_store(r);
    if (!r->has_ignored || origin_saw || response->status < 300 || response->status > 399)
        return;
    struct str location = response_value(response, FIELD_LOCATION), lines = r->reply.lines;
    if (!location.n || location.p < lines.p || location.p >= lines.p + lines.n)
        return;
    struct str for_him = redirect_location(r, location);
    if (for_him.p == location.p)
        return;
    size_t at = (size_t)(location.p - lines.p);
    r->reply.lines =
        ARENA_JOIN(&r->arena, str_first(lines, at), for_him, str_from_index(lines, at + location.n));
}

/* May the request ask for something else than the whole? */
static bool has_condition(const struct request *r)
{
    return r->range.n || fields_has(&r->fields, FIELD_IF_NONE_MATCH) ||
           fields_has(&r->fields, FIELD_IF_MODIFIED_SINCE);
}

static void deliver_not_modified(struct request *r)
{
    const struct response *response = r->coded ? r->coded->response : r->object->response;
    r->reply.status = 304;
    r->reply.lines = response_lines_304(response);
    if (r->etag_sent && response->has_etag) {
        struct field first;
        lines_next(&r->reply.lines, &first);
    }
    r->reply.length = -1;
    r->at = r->end = 0;
}

/* Does the visitor name what he has of the coding that he would get, one of the origin's own? Its tag is the
 * plain one's, but strong. Or would he get no other one? */
static bool has_own_coding(const struct request *r)
{
    const struct coded *coded = r->coded;
    if (!coded || coded->level != CODED_OWN)
        return false;
    return etag_is_named(&r->fields, response_etag(coded->response)) || deliver_refuses_plain(r);
}

/*
 * If-None-Match with the tag of any coding that the visitor takes holds, whether that is at hand or not: they
 * are all made of the same bytes. The 304 has the visitor's own tag, so that it confirms what the visitor
 * has, and no other thing that a cache in front of us has.
 */
static bool is_not_modified(struct request *r, const struct validators *plain)
{
    struct str tag;
    int64_t now_s = r->w->loop->now.wall_ms / 1000;
    bool holds = condition_of_request(&r->fields, plain, now_s) == CONDITION_NOT_MODIFIED;
    if (!r->object->response->has_codings || !fields_has(&r->fields, FIELD_IF_NONE_MATCH) ||
        str_eq(fields_value(&r->fields, FIELD_IF_NONE_MATCH), STR("*")))
        return holds;
    if (holds && has_own_coding(r))
        return true;
    if (holds && !(r->coded && deliver_refuses_plain(r))) {
        r->coded = NULL; /* the plain body's */
        return true;
    }
    if (!etag_find_of_coding(&r->fields, plain->etag, deliver_taken_codings(r), &tag))
        return false;
    if (r->coded && str_eq(response_value(r->coded->response, FIELD_ETAG), tag))
        return true;
    r->coded = NULL;
    r->etag_sent = true;
    deliver_add_id(&r->reply, FIELD_ETAG, tag);
    return true;
}

/* A 304 needs none of its bytes. */
static void leave_pour(struct request *r)
{
    if (!r->poured)
        return;
    reader_leave(r);
    object_unref(r->poured);
    r->poured = NULL;
}

void deliver_nothing(struct request *r)
{
    memset(&r->reply, 0, offsetof(struct reply, extra));
}

/* A sealed object keeps its body as long as it lives, so the request needs no reference to it. */
static void take_body(struct request *r)
{
    if (r->poured) {
        r->body_held = true;
        r->body = object_body(r->poured);
        count(r->w->counters, COUNTER_CODED_SENT);
        return;
    }
    if (r->coded) {
        r->body_held = false;
        r->body = r->coded->body;
        count(r->w->counters, COUNTER_CODED_SENT);
        return;
    }
    r->body_held = !is_complete(r->object);
    r->body = r->body_held ? object_body(r->object) : r->object->body;
}

static void deliver_rest(struct request *r)
{
    r->reply.has_body = !r->head_only && status_has_body(r->reply.status);
    if (!r->reply.has_body)
        r->at = r->end = 0;
    if (r->source->has_cache_status)
        deliver_add_cache_status(r);
    if (r->key.https && r->site && r->site->hsts_value.n)
        secure_add_hsts(r);
    if (r->reply.has_body)
        take_body(r);
}

void deliver_object(struct request *r)
{
    const struct response *response = r->object->response;
    deliver_nothing(r);
    bool ours =
        !r->pass && !(r->as_came && !deliver_is_from_store(r)) && !(r->head_only && !r->object->stored);
    bool decided = false;
    r->coded = NULL;
    r->etag_sent = false;
    if (response->has_codings && ours && fields_has(&r->fields, FIELD_ACCEPT_ENCODING)) {
        if (is_complete(r->object))
            deliver_choose_coding(r);
        if (!deliver_is_from_store(r) && r->object->stored && !r->coded)
            deliver_choose_pour(r);
    }
    /* A part that was fetched for this very request is delivered as the origin sent it. */
    if (ours && has_condition(r) &&
        (response->status == 200 || (object_is_partial(r->object) && deliver_is_from_store(r)))) {
        struct validators validators = validators_of(r);
        if (response->status == 200 && is_not_modified(r, &validators)) {
            leave_pour(r);
            deliver_not_modified(r);
            decided = true;
        } else {
            decided = deliver_range(r, &validators);
        }
    }
    if (!decided)
        deliver_whole(r);
    keep_ignored(r);
    add_age(r);
    add_etag(r);
    deliver_rest(r);
    add_debug(r);
}

/* ---- pages of our own ---- */

void deliver_page(struct request *r)
{
    CHECK(!r->object);
    r->object = object_new(r->w->cache, epochs_latest(r->w->cache->epochs));
    page_fill(r, r->object);
    deliver_nothing(r);
    deliver_whole(r);
    deliver_rest(r);
}
