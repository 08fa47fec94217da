#include <string.h>

#include "base/mem.h"
#include "cache/asset.h"
#include "http/connection_auth.h"
#include "origin/fetch_machine.h"
#include "origin/invalidate.h"
#include "site/rules.h"

/* tbl/errors.h says what these two are, too. */
#define LINE_MOST     8192 /* of a status line */
#define INTERIM_MOST  64
#define NAMES_CARRIED 8192 /* over confirmations; a page has some thousand of its own at most */

/* Returns the table for the lines of a head. It is used within one callback, like the scratch. */
static struct field *table_of(struct fetcher *f, size_t lines)
{
    if (f->table_cap != lines) {
        f->table = mem_resize(f->table, lines * sizeof(*f->table));
        f->table_cap = lines;
    }
    return f->table;
}

/* Asks again, once, without validators and ranges of ours. */
static void ask_unconditionally(struct fetch *f)
{
    CHECK(!f->unconditional); /* else they would ask each other for ever */
    f->unconditional = true;
    f->retried = false;
    fetch_drop_connection(f);
    object_unref(f->part);
    f->part = NULL;
    fetch_ask(f);
}

/* An object with few names keeps short ones. Would it have too many for that from now on? */
static bool outgrows_names(struct fetch *f, const struct verdict *v)
{
    struct epoch_names old = object_names(f->stale);
    struct name_list names;
    if (!v->store || !old.is_short || old.n + v->tags.n + v->groups.n + NAMES_FIXED <= EPOCH_NAMES_FEW)
        return false;
    fetch_names(f, v, f->stale, &names);
    return names.is_short && names.n > EPOCH_NAMES_FEW;
}

/* Merges fields that came into those of a stored response, as they were before the rules: these are asked
 * again, about a whole answer of that status. */
static void merge_stored(struct fetch *f, const struct response *stored, const struct fields *came,
                         int status, struct fields *merged)
{
    struct fields before;
    bool keep_cookies = f->plan.site->set_cookie != SET_COOKIE_REFUSE;
    response_fields(stored, &f->arena, &before, NULL);
    rules_undo(response_undo(stored), &before, &f->arena);
    response_merge_304(&before, came, keep_cookies, &f->arena, merged);
    fields_remove(merged, FIELD_CONTENT_RANGE);
    fetch_apply_rules(f, status, merged);
}

/* 304: the stored response is confirmed. The new object gets its body and the updated head (RFC 9111
 * §4.3.4). */
static void confirmed(struct fetch *f, const struct response_head *h, size_t head_bytes)
{
    struct fields update, merged;
    struct verdict v;
    bool keep_cookies = f->plan.site->set_cookie != SET_COOKIE_REFUSE;
    CHECK(f->stale && f->conditional);
    const struct response *stored = f->stale->response;
    response_end_to_end(&h->fields, &f->arena, &update);
    struct etag theirs = etag_parse(fields_value(&update, FIELD_ETAG)),
                known = etag_parse(fetch_origins_value(stored, FIELD_ETAG));
    if (theirs.opaque.n && !theirs.weak && !etag_match_strong(theirs, known)) {
        ask_unconditionally(f);
        return;
    }
    merge_stored(f, stored, &update, stored->status, &merged);
    /* Fields and names add up when each confirmation brings others: at some point the page is fetched
     * anew. */
    const struct process_settings *limits = &f->plan.settings->process;
    if (merged.n > 2 * (size_t)limits->response_header_count ||
        fetch_head_cost(&merged) > 2 * (size_t)limits->response_header_bytes + FETCH_HEAD_COST ||
        object_names(f->stale).n > NAMES_CARRIED) {
        ask_unconditionally(f);
        return;
    }
    fetch_judge(f, stored->status, &merged, &v);
    if (outgrows_names(f, &v)) {
        rule_unref(v.rule);
        ask_unconditionally(f);
        return;
    }
    bool cookie = fields_has(&update, FIELD_SET_COOKIE) || fields_has(&update, FIELD_SET_COOKIE2);
    if (v.store && cookie && !keep_cookies) {
        v.store = false;
        v.reason = REASON_SET_COOKIE;
    }
    fetch_settle(f, stored->status, &v);
    fetch_plain_fields(f, &v, &merged);
    count(f->f->counters, COUNTER_REVALIDATED);
    struct fetch_answer a = { stored->status, response_reason(stored), &merged, -1, 304 };
    struct body *body = object_body(f->stale);
    f->store = v.store;
    fetch_set_head(f, &a, &v, &body, f->stale);
    rule_unref(v.rule);
    fetch_note_surplus(f, f->got.n - head_bytes);
    f->in.n = 0;
    fetch_no_more(f);
}

static bool may_stand_in(struct fetch *f, struct object *o)
{
    return o->response->status < 400 &&
           object_serves_on_error(o, f->plan.place.primary, epochs_latest(f->f->cache->epochs),
                                  f->f->loop->now.mono_ms, &f->request);
}

/* Is there a page of an earlier release that the site permits in place of a failure? The request looks for it
 * again (request_fetch_failed). */
static bool is_covered_by_other_release(struct fetch *f, int status)
{
    const struct release *live = f->plan.site->release;
    if (!f->plan.site->stale_across_deploys || !f->plan.may_store || f->plan.bypass ||
        !policy_status_is_failure(status) || release_is_ahead(live))
        return false;
    struct object *o = index_peek_before(f->f->cache, &f->plan.place, live);
    bool covered = o && may_stand_in(f, o);
    object_unref(o);
    return covered;
}

/* Has the origin failed, and is a stored response served instead of this answer? */
static bool is_covered_by_stale(struct fetch *f, int status)
{
    if (!f->stale)
        return is_covered_by_other_release(f, status);
    if (f->plan.background)
        return status >= 500 || status == 408 || status == 425 || status == 429;
    return policy_status_is_failure(status) && may_stand_in(f, f->stale);
}

static int64_t declared_length(const struct response_head *h)
{
    uint64_t n;
    return str_to_u64(fields_value(&h->fields, FIELD_CONTENT_LENGTH), INT64_MAX, &n) ? (int64_t)n : -1;
}

/* A HEAD that tells of another length or validator than what is stored makes that stale (RFC 9111 §4.3.5). */
static void compare_with_stored(struct fetch *f, const struct response_head *h)
{
    uint64_t name;
    /* What is stored was asked for without a coding. */
    if (f->plan.site->compress && fields_has(&h->fields, FIELD_CONTENT_ENCODING))
        return;
    fetch_update_rule(f); /* of the variant that it is by now */
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
    bool differs = (etag.n && !str_eq(etag, fetch_origins_value(stored, FIELD_ETAG))) ||
                   (modified.n && !str_eq(modified, response_value(stored, FIELD_LAST_MODIFIED))) ||
                   (length >= 0 && (uint64_t)length != object_length(o));
    object_unref(o);
    if (differs && name_of_url(f->f->cache, &f->plan.key, &f->arena, &name))
        epochs_purge(f->f->cache->epochs, PURGE_INVALIDATE, &name, 1, f->f->loop->now.mono_ms);
}

/* Is it the rest of the stored part: do both carry the same strong validator, and fit (RFC 9111 §3.4)? */
static bool completes_part(struct fetch *f, const struct fields *fields)
{
    uint64_t whole;
    struct range r;
    if (!content_range_parse(fields_value(fields, FIELD_CONTENT_RANGE), &r, &whole))
        return false;
    CHECK(f->part && !f->unconditional);
    struct etag theirs = etag_parse(fields_value(fields, FIELD_ETAG));
    const struct part *part = response_part(f->part->response);
    return r.first == part->last + 1 && r.last + 1 == whole && part->whole == whole && theirs.opaque.n &&
           etag_match_strong(theirs, response_etag(f->part->response));
}

/* Makes a whole of a stored part and the 206 that brings its rest. */
static void complete_part(struct fetch *f, const struct response_head *h, const struct fields *rest)
{
    struct fields merged;
    struct verdict v;
    CHECK(!f->plan.range.n); /* only the rest was asked for */
    merge_stored(f, f->part->response, rest, 200, &merged);
    fetch_judge(f, 200, &merged, &v);
    fetch_settle(f, 200, &v);
    struct fetch_answer a = { 200, STR("OK"), &merged, -1, 206 };
    fetch_begin_body(f, &a, &v, h->bytes);
}

/* Judges a 206 to a Range that this fetch forwarded as if it were whole: if a page may be stored, so may its
 * parts (RFC 9111 §3.3). */
static void judge_part(struct fetch *f, const struct fields *fields, struct verdict *v)
{
    uint64_t whole;
    struct range r;
    bool parsed = content_range_parse(fields_value(fields, FIELD_CONTENT_RANGE), &r, &whole);
    fetch_judge(f, parsed && f->plan.range.n ? 200 : 206, fields, v);
    /* What is undone has other positions. */
    if (v->store && v->coded_in != CODING_IDENTITY) {
        v->store = false;
        v->reason = REASON_PARTIAL;
    }
    f->part_of.is = v->store;
    if (v->store) {
        f->part_of.range = r;
        f->part_of.whole = whole;
    }
}

/*
 * The answer to a visitor's own Range or conditions: a 206 or 304 says of the page what its 200 would say
 * (RFC 9110 §15.3.7, §15.4.5), so it is known again whether the page may be stored. Its rule is left to a
 * whole answer.
 */
static void judge_as_it_came(struct fetch *f, int status, const struct fields *fields, struct verdict *v)
{
    struct range r;
    uint64_t whole;
    bool stands_for_200 = f->plan.learns && (status == 206 || status == 304);
    fetch_judge(f, stands_for_200 ? 200 : status, fields, v);
    if (!stands_for_200)
        return;
    v->rule_changed = false;
    if (status == 304 || !content_range_parse(fields_value(fields, FIELD_CONTENT_RANGE), &r, &whole) ||
        whole == UINT64_MAX)
        return;
    f->whole_is_short = whole <= (uint64_t)f->plan.site->object_bytes;
    if (!f->whole_is_short && v->reason == f->plan.not_stored)
        v->reason = REASON_TOO_LARGE;
}

/* text/event-stream, with or without parameters. */
static bool is_event_stream(const struct fields *fields)
{
    struct str type = fields_value(fields, FIELD_CONTENT_TYPE);
    return str_eq_nocase(str_trim(str_cut(&type, ';')), STR("text/event-stream"));
}

/* CDN-Cache-Control, the same with a CDN's name in front, and what was there before them. */
static bool is_for_caches(const struct field *f, void *ctx)
{
    static const struct str end = STR_INIT("CDN-Cache-Control");
    (void)ctx;
    return f->id == FIELD_CACHE_CONTROL || f->id == FIELD_EXPIRES ||
           (f->name.n >= end.n && str_eq_nocase(str_from_index(f->name, f->name.n - end.n), end)) ||
           str_eq_nocase(f->name, STR("Surrogate-Control"));
}

/* Nobody should remember that an asset is missing (CACHING.md 5.10). */
static void forbid_storing(struct fields *fields, struct arena *a)
{
    fields_remove_if(fields, is_for_caches, NULL);
    fields_add_id(fields, a, FIELD_CACHE_CONTROL, STR("no-store"));
}

/* Is it an answer of which nothing becomes the visitor's page? Then that is done. */
static bool is_no_page(struct fetch *f, const struct response_head *h, size_t head_bytes)
{
    int status = h->status;
    if (f->is_probe && status >= 500 && fetch_move(f, REASON_ORIGIN_STATUS))
        return true; /* it is sick still, and another one is well */
    if (is_covered_by_stale(f, status)) {
        f->covered_status = status;
        fetch_fail(f, REASON_ORIGIN_STATUS, status >= 500 && status <= 504 ? status : 502);
        return true;
    }
    if (fetch_keeps_asset(f, status, &h->fields)) {
        origin_answered(f->plan.origin, f->f->loop->now.mono_ms);
        fetch_fail(f, REASON_KEPT_ASSET, 502);
        return true;
    }
    if (status == 304 && f->conditional) {
        origin_answered(f->plan.origin, f->f->loop->now.mono_ms);
        confirmed(f, h, head_bytes);
        return true;
    }
    if (status == 304 && f->plan.may_store) {
        fetch_fail_malformed(f, HTTP_ERROR_NOT_MODIFIED_UNASKED);
        return true;
    }
    if ((status == 412 || status == 416) && (f->conditional || f->part) && !f->unconditional) {
        ask_unconditionally(f);
        return true;
    }
    return false;
}

/* An unsafe request changed something. */
static void invalidate(struct fetch *f, int status, const struct fields *fields)
{
    if (method_is_safe(f->plan.method_name) || status < 200 || status >= 400 ||
        !f->plan.site->invalidate_unsafe)
        return;
    invalidate_by_answer(f->f->cache, f->plan.settings, &f->plan.key, fields, &f->arena,
                         f->f->loop->now.mono_ms);
    f->invalidated = true;
}

static void final_head(struct fetch *f, const struct response_head *h, size_t head_bytes)
{
    struct fields fields;
    struct verdict v;
    int status = h->status;
    CHECK(status >= 200 && head_bytes <= f->got.n);
    if (is_no_page(f, h, head_bytes))
        return;
    if (status >= 500)
        origin_failed(f->plan.origin, REASON_ORIGIN_STATUS, HTTP_ERROR_NONE, f->f->loop->now);
    else
        origin_answered(f->plan.origin, f->f->loop->now.mono_ms);
    response_end_to_end(&h->fields, &f->arena, &fields);
    if (status == 426 &&
        fields_has(&h->fields, FIELD_UPGRADE)) /* it is what such an answer says (RFC 9110 §15.5.22) */
        fields_add_id(&fields, &f->arena, FIELD_UPGRADE, fields_joined(&h->fields, FIELD_UPGRADE, &f->arena));
    if (f->plan.method == METHOD_HEAD && status == 200)
        compare_with_stored(f, h);
    invalidate(f, status, &fields);
    if (status == 206 && f->part) {
        if (completes_part(f, &fields))
            complete_part(f, h, &fields);
        else
            ask_unconditionally(f);
        return;
    }
    fetch_apply_rules(f, status, &fields);
    f->is_events = f->framing.kind != FRAMING_NONE && is_event_stream(&fields);
    if (f->is_events && !fetch_count_stream(f)) {
        fetch_fail(f, REASON_STREAM_LIMIT, 503);
        return;
    }
    object_unref(f->part); /* the whole comes anew */
    f->part = NULL;
    if (!f->plan.may_store)
        judge_as_it_came(f, status, &fields, &v);
    else if (status == 206)
        judge_part(f, &fields, &v);
    else
        fetch_judge(f, status, &fields, &v);
    fetch_settle(f, status, &v);
    if (!fetch_begin_decode(f, &v)) {
        rule_unref(v.rule);
        fetch_fail(f, REASON_NO_MEMORY, 503);
        return;
    }
    fetch_plain_fields(f, &v, &fields);
    if (asset_is_missing(f->plan.site, f->plan.key.path, status))
        forbid_storing(&fields, &f->arena);
    struct fetch_answer a = { status, h->reason, &fields, declared_length(h), status };
    fetch_begin_body(f, &a, &v, head_bytes);
}

/* The answer came before the client was told to send its upload: the upload is never sent, and the connection
 * ends with the answer. */
static void refuse_upload(struct fetch *f)
{
    struct upload *u = f->plan.upload;
    if (!u || !u->awaits)
        return;
    timer_stop(f->f->loop, &f->awaited);
    upload_leave(u);
    f->plan.upload = NULL;
    fetch_upload_came(f);
}

static void keep_part(struct fetch *f);

/* Handles a 1xx. false: there is no head to look at now. */
static bool interim_head(struct fetch *f, const struct response_head *h)
{
    bool upgrades = h->status == 101 && f->plan.upgrade && f->plan.client && !f->send_broken;
    if (upgrades && !f->asked_all) {
        /* A client cannot change the protocol in the middle of its request (RFC 9110 §7.8). */
        keep_part(f);
        f->scan = (struct head_scan){ 0 };
        f->early_101 = true;
        pool_read_stop(f->connection);
        fetch_go_on(f);
        return false;
    }
    if (upgrades) {
        struct fetch_client *client = f->plan.client;
        struct connection *c = f->connection;
        CHECK(client->fetch == f && !c->lane && !c->stream.writing);
        f->connection = NULL;
        pool_give_place(c); /* it is counted among the tunnels */
        f->plan.client = NULL;
        client->fetch = NULL;
        c->outstanding = f->counted;
        f->counted = false;
        timer_stop(f->f->loop, &f->timer);
        origin_answered(f->plan.origin, f->f->loop->now.mono_ms);
        client->upgraded(client, c, h, str_from_index(f->got, h->bytes));
        object_fail(f->object, REASON_UPGRADE, 502);
        fetch_over(f);
        return false;
    }
    if (h->status == 101 || ++f->interims > INTERIM_MOST) {
        fetch_fail_malformed(f, h->status == 101 ? HTTP_ERROR_UPGRADE_UNASKED : HTTP_ERROR_INTERIMS_TOO_MANY);
        return false;
    }
    if (h->status == 100) {
        fetch_go_on(f);
    } else if (f->plan.client) {
        struct fields fields;
        response_end_to_end(&h->fields, &f->arena, &fields);
        f->plan.client->interim(f->plan.client, h->status, &fields);
    }
    return true;
}

/* Keeps part of a head until the rest comes. */
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

void fetch_take_early_101(struct fetch *f)
{
    CHECK(f->step == FETCH_HEAD && f->in.n > 0);
    f->early_101 = false;
    f->got = buf_str(&f->in);
    fetch_handle_head(f);
}

struct head_limits fetch_head_limits(const struct fetch *f)
{
    const struct process_settings *process = &f->plan.settings->process;
    return (struct head_limits){ LINE_MOST, (size_t)process->response_header_bytes,
                                 (size_t)process->response_header_count };
}

/* A final head, or one of a lane with which the message `ends`. */
static void take_final(struct fetch *f, const struct response_head *h, bool ends)
{
    f->connection->personal |= connection_auth_of_response(&h->fields);
    origin_spoke(f->plan.origin, h->minor);
    refuse_upload(f);
    f->keep_alive = !f->send_broken && wants_keep_alive(h->minor, &h->fields);
    enum http_error error = framing_of_response(f->plan.method, h, &f->framing);
    if (error != HTTP_ERROR_NONE) {
        fetch_fail_malformed(f, error);
        return;
    }
    if (f->connection->lane) {
        if (ends && f->framing.kind == FRAMING_CLOSE)
            f->framing = (struct framing){ .kind = FRAMING_LENGTH };
        final_head(f, h, 0);
        return;
    }
    /* A 204 that claims a body may send one: what follows on the connection cannot be trusted. */
    bool claims = fields_has(&h->fields, FIELD_TRANSFER_ENCODING) || declared_length(h) > 0;
    if (f->framing.kind == FRAMING_CLOSE || (h->status == 204 && claims))
        f->keep_alive = false;
    final_head(f, h, h->bytes);
}

void fetch_on_head(struct connection *c, const struct response_head *h, bool ends)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c && f->step == FETCH_HEAD);
    if (h->status >= 200)
        take_final(f, h, ends);
    else
        interim_head(f, h);
}

void fetch_on_bad(struct connection *c, enum http_error error)
{
    struct fetch *f = c->ctx;
    CHECK(f->tag == FETCH_TAG && f->connection == c);
    fetch_fail_malformed(f, error);
}

void fetch_handle_head(struct fetch *f)
{
    struct head_limits limits = fetch_head_limits(f);
    size_t lines = limits.fields_count;
    CHECK(f->step == FETCH_HEAD && f->connection);
    while (f->got.n) {
        struct response_head h = { .fields = { .v = table_of(f->f, lines), .cap = lines } };
        enum http_error error = HTTP_ERROR_NONE;
        switch (response_head_parse(f->got, &f->scan, &limits, &h, &error)) {
        case HEAD_MORE: keep_part(f); return;
        case HEAD_BAD: fetch_fail_malformed(f, error); return;
        case HEAD_DONE: break;
        }
        if (h.status >= 200) {
            take_final(f, &h, false);
            return;
        }
        if (!interim_head(f, &h))
            return;
        f->got = str_from_index(f->got, h.bytes);
        f->scan = (struct head_scan){ 0 };
    }
    f->in.n = 0;
}
