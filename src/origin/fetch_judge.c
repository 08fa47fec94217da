#include <string.h>

#include "cache/hints.h"
#include "cache/room.h"
#include "http/accept.h"
#include "http/lines.h"
#include "origin/fetch_machine.h"
#include "origin/invalidate.h"
#include "site/rules.h"

/* Does the answer tell about the origin's state or one visitor, and nothing about the page? */
static bool is_passing_trouble(int status, enum reason why)
{
    return status >= 500 || status == 408 || status == 425 || status == 429 || why == REASON_AUTHORIZATION ||
           why == REASON_NO_MEMORY;
}

static bool has_short_body(const struct fetch *f, int status)
{
    if (status == 206 || status == 304)
        return false;
    return f->framing.kind == FRAMING_NONE ||
           (f->framing.kind == FRAMING_LENGTH && f->framing.length <= (uint64_t)f->plan.site->object_bytes);
}

/* Returns what an answer that is not stored says about its key. */
static struct index_note said_of_key(struct fetch *f, int status, const struct verdict *v)
{
    const struct site_settings *site = f->plan.site;
    int64_t in_force_ms = site->no_queue_time;
    if (v->reason == REASON_TOO_LARGE && in_force_ms < FETCH_OVER_SIZE_MS)
        in_force_ms = FETCH_OVER_SIZE_MS;
    return (struct index_note){
        .effect = is_passing_trouble(status, v->reason) ? MARK_KEEPS : reason_mark(v->reason),
        .reason = v->reason,
        .broken = v->reason == REASON_TARGETED_INVALID ? policy_broken_pack(&v->broken) : 0,
        .is_short = f->whole_is_short || has_short_body(f, status),
        .until_ms = f->f->loop->now.mono_ms + in_force_ms,
        .has_rule = v->rule_changed,
        .of_2xx = status >= 200 && status <= 299,
        .learn = v->rule,
        .settles = v->reason == REASON_UNKEYED_COOKIE || v->reason == REASON_UNKEYED_QUERY,
        .cookies_cut = f->plan.cookies_cut,
    };
}

/* The answer is not stored: nobody else gets it, and the index remembers what it says about the page. */
static void refuse(struct fetch *f, int status, const struct verdict *v)
{
    CHECK(!v->store && v->reason != REASON_NONE);
    struct index_note note = said_of_key(f, status, v);
    index_refuse(f->object, &f->place, f->plan.learns ? &note : NULL, f->f->loop->now.mono_ms);
    object_close(f->object);
    f->length_decides = f->plan.learns && note.effect == MARK_CLEARS && !note.is_short && status == 200;
    /* The origin's word is newer than the stored response, which is dropped (CACHING.md 3.6). */
    if (is_passing_trouble(status, v->reason))
        fetch_back_off(f);
    else if (f->plan.may_store && !f->plan.not_stored)
        fetch_drop_stale(f);
}

static bool is_2xx(int status)
{
    return status >= 200 && status <= 299;
}

/* The family may get another rule before the body is whole: the fetch holds a reference of its own. */
static void hold_rule(struct fetch *f, const struct rule *rule)
{
    struct rule *before = f->rule;
    f->place.rule = f->rule = rule_ref(rule);
    rule_unref(before);
}

/* Computes the key, under that rule, of the request that was sent. */
static void set_place(struct fetch *f, const struct rule *rule, bool is_common)
{
    hold_rule(f, rule);
    f->place.is_common = is_common;
    f->place.variant = key_variant(&f->plan.key, rule, &f->arena);
    place_hash(f->f->cache, &f->place);
}

/* false: a 2xx has brought another rule since this answer was judged. */
static bool settle(struct fetch *f, int status, const struct verdict *v)
{
    if (!is_2xx(status))
        return index_settle_other(f->object, &f->place, v->rule);
    index_settle(f->object, &f->place, v->rule);
    return true;
}

static void held_to_known(struct fetch *f, struct verdict *v)
{
    v->store = v->rule_changed = false;
    v->reason = REASON_VARY_CONFLICT;
    fetch_update_rule(f);
    set_place(f, f->plan.rule, false);
}

void fetch_settle(struct fetch *f, int status, struct verdict *v)
{
    CHECK(f->step == FETCH_HEAD && f->connection);
    /* What was asked for one visitor, or came over the connection of one, is not for others. */
    CHECK(!v->store || (v->reason == REASON_NONE && f->plan.not_stored == REASON_NONE));
    CHECK(!v->store || (f->plan.may_store || f->plan.method == METHOD_POST));
    CHECK(!v->store || !f->connection->personal);
    f->place = f->plan.place;
    hold_rule(f, f->plan.rule);
    if (v->store || f->plan.learns)
        set_place(f, v->store || v->rule_changed ? v->rule : f->plan.rule,
                  v->store && (v->is_asset || (v->has_cache_id && !release_is_ahead(f->plan.site->release))));
    if (v->store && !settle(f, status, v))
        held_to_known(f, v);
    if (!v->store)
        refuse(f, status, v);
}

void fetch_update_rule(struct fetch *f)
{
    struct known_rule now = index_known_rule(f->f->cache, &f->plan.place);
    f->provisional = now.known ? !now.of_2xx : !f->plan.rule;
    if (now.known) {
        rule_unref((struct rule *)(uintptr_t)f->plan.rule);
        f->plan.rule = f->plan.place.rule = now.rule;
    } else {
        rule_unref(now.rule);
    }
}

size_t fetch_head_cost(const struct fields *fields)
{
    size_t bytes = FETCH_HEAD_COST;
    for (size_t i = 0; i < fields->n; i++)
        bytes += lines_bytes(fields->v[i].name, fields->v[i].value);
    return bytes;
}

/* A typo at the origin comes with every answer: it is counted each time, and logged once for the process. */
static void tell_of_broken(struct fetch *f, const struct verdict *v)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    count(f->f->counters, COUNTER_TARGETED_INVALID);
    if (atomic_flag_test_and_set(&said))
        return;
    struct str where = policy_broken_text(f->plan.site, &v->broken, &f->arena);
    log_warning(f->f->log, "fetch", "%.*s%.*s: %.*s (%.*s; site %.*s; said once, see targeted_invalid_total)",
                STR_ARG(f->plan.host), STR_ARG(f->plan.key.path),
                STR_ARG(reason_sentence(REASON_TARGETED_INVALID)), STR_ARG(where),
                STR_ARG(f->plan.site->name));
}

static bool is_list_member(struct str list, struct str token)
{
    struct str member;
    while (list_next(&list, &member))
        if (str_eq_nocase(member, token))
            return true;
    return false;
}

bool fetch_offers_codings(struct fetch *f, const struct fields *response)
{
    struct str offered = accept_encoding_normalize(f->plan.key.fields), member,
               codings = fields_joined(response, FIELD_CONTENT_ENCODING, &f->arena);
    while (list_next(&codings, &member))
        if (!str_eq_nocase(member, STR("identity")) && !is_list_member(offered, member))
            return false;
    return true;
}

/* The request went as it came: would the one that its key stands for get the same answer? That one has the
 * same target and languages, and offers only the codings that are in the key (not "deflate"). */
static bool is_of_the_key(struct fetch *f, const struct fields *response, const struct verdict *v)
{
    return (v->coded_in != CODING_IDENTITY || fetch_offers_codings(f, response)) && f->plan.came_is_key;
}

void fetch_apply_rules(struct fetch *f, int status, struct fields *fields)
{
    const struct fetch_plan *p = &f->plan;
    if (!p->site->ruled)
        return;
    /* They say of the page what its 200 would say. */
    if (status == 206 || status == 304)
        status = 200;
    struct rules_request q = { .path = rules_path(p->key.path, &f->arena),
                               .host = p->key.host,
                               .method = p->method_name,
                               .fields = p->key.fields };
    rules_change_answer(p->site->ruled, &q, p->key.rules, status, fields, &f->undo, &f->arena);
}

void fetch_judge(struct fetch *f, int status, const struct fields *fields, struct verdict *v)
{
    fetch_update_rule(f);
    struct key_request self;
    struct str content_location = fields_value(fields, FIELD_CONTENT_LOCATION);
    bool names_itself = content_location.n &&
                        same_origin_reference(&f->plan.key, content_location, &f->arena, &self) &&
                        str_eq(self.path, f->plan.key.path) && str_eq(self.query, f->plan.key.query);
    struct judge in = {
        .site = f->plan.site,
        .method = f->plan.method,
        .request = f->plan.key.fields,
        .path = f->plan.key.path,
        .query = f->plan.key.query,
        .called_static = f->plan.called_static,
        .bypass = f->plan.bypass,
        .post_names_itself = names_itself,
        .status = status,
        .response = fields,
        .known = f->plan.rule,
        .provisional = f->provisional,
        .delay_ms = f->f->loop->now.mono_ms - f->sent_ms,
        .received_wall_ms = f->f->loop->now.wall_ms,
    };
    policy_judge(&in, &f->arena, v);
    count_add(f->f->counters, COUNTER_VARY_IGNORED, v->vary_ignored);
    if (v->search_invalid)
        count(f->f->counters, COUNTER_SEARCH_INVALID);
    if (v->broken.at.byte)
        tell_of_broken(f, v);
    bool may = f->plan.may_store || (f->plan.method == METHOD_POST && names_itself);
    if (v->store && f->plan.as_came && !is_of_the_key(f, fields, v))
        v->reason = REASON_NOT_SHARED;
    if (v->store && !may)
        v->reason = f->plan.not_stored ? f->plan.not_stored : REASON_METHOD;
    if (v->store && f->plan.not_stored)
        v->reason = f->plan.not_stored;
    if (v->store && f->connection->personal)
        v->reason = REASON_CONNECTION_AUTH;
    /* It is the old origin's, and would be found under the new release. */
    if (v->store && v->reason == REASON_NONE && (v->is_asset || v->has_cache_id) && f->f->is_left &&
        f->f->is_left(f->f, &f->plan))
        v->reason = REASON_NOT_SHARED;
    if (v->store && f->framing.kind == FRAMING_LENGTH &&
        fetch_whole_length(f) > (uint64_t)f->plan.site->object_bytes)
        v->reason = REASON_TOO_LARGE;
    if (v->store && v->reason == REASON_NONE && !room_keeps(f->f->cache, 0, fetch_head_cost(fields)))
        v->reason = REASON_NO_MEMORY;
    v->store = v->store && v->reason == REASON_NONE;
}

/* For the dev profile: adds what production would have done. */
static void add_dev_note(const struct verdict *v, struct buf *b)
{
    buf_printf(b, "dev: would store for %lld s", (long long)(v->fresh.lifetime_ms / 1000));
    for (size_t i = 0; i < v->tags.n && i < 16; i++)
        buf_printf(b, "%s%.*s", i ? " " : ", tags ", STR_ARG(v->tags.v[i]));
    if (v->overrules)
        buf_printf(b, ", although Cache-Control says private or no-store (see private_vetoes)");
}

/* Returns what Cache-Status says beside the reason: the mistake in a targeted field, and what the profile dev
 * did not do. */
static struct str note_of(struct fetch *f, const struct verdict *v)
{
    bool told = v->store || v->reason == REASON_DEV || v->reason == REASON_TARGETED_INVALID;
    struct str broken = told ? policy_broken_text(f->plan.site, &v->broken, &f->arena) : STR_NONE;
    if (v->reason != REASON_DEV)
        return broken;
    struct buf b = BUF_INIT;
    add_dev_note(v, &b);
    if (broken.n)
        buf_printf(&b, ", %.*s: %.*s", STR_ARG(reason_detail(REASON_TARGETED_INVALID)), STR_ARG(broken));
    struct str note = arena_dup(&f->arena, buf_str(&b));
    buf_fini(&b);
    return note;
}

void fetch_names(struct fetch *f, const struct verdict *v, const struct object *before,
                 struct name_list *names)
{
    CHECK(v->store);
    names_of_response(f->f->cache, &f->plan.key, v->rule, f->plan.rule, v, &f->arena, names);
    if (!before)
        return;
    struct epoch_names old = object_names(before);
    names_keep(names, &old, &f->arena);
}

/* May codings be made of it? As far as is known: how long the body is shows at its end. */
static bool is_codable(const struct fetch *f, const struct verdict *v, const struct body *body,
                       const struct object *successor_of)
{
    if (!v->store || !v->is_codable || f->part_of.is || !body)
        return false;
    uint64_t length = successor_of ? body_length(body) : body_expected(body);
    return length == BODY_LENGTH_UNKNOWN || length >= (uint64_t)f->plan.site->compress_least;
}

/* A page that is another thing now, or is not for everybody any more, has no links that others may be told.
 * An answer that says nothing of the page changes nothing: that of one visitor, a part, a failure. */
static void learn_hints(struct fetch *f, const struct fetch_answer *a, const struct verdict *v)
{
    static const struct fields none;
    bool is_of_page = v->store || (f->plan.may_store && !f->plan.not_stored && !f->plan.as_came);
    if (!f->plan.site->early_hints || f->part_of.is || !is_of_page ||
        is_passing_trouble(a->status, v->reason))
        return;
    hints_learn(f->f->cache, &f->place, v->store && a->status == 200 ? a->fields : &none, f->object->begin);
}

void fetch_set_head(struct fetch *f, const struct fetch_answer *a, struct verdict *v, struct body **body,
                    const struct object *successor_of)
{
    struct name_list names = { .is_short = true };
    CHECK(f->store == v->store);
    CHECK(v->store || object_is_closed(f->object)); /* nobody joins what is for one reader */
    /* Nobody else gets it, so no purge needs to find it. */
    if (v->store)
        fetch_names(f, v, successor_of, &names);
    struct response_plan plan = {
        .status = a->status,
        .reason = a->reason,
        .fields = a->fields,
        .site = f->plan.site,
        .received_wall_ms = f->f->loop->now.wall_ms,
        .declared_length = *body ? -1 : a->declared_length, /* a body knows its own */
        .strip_cookies = v->store && v->strip_cookies,
        .add_default_cc = v->store && f->plan.site->default_browser_revalidate,
        /* Ranges are cut from whole 200s (CACHING.md 6.2). */
        .add_accept_ranges = v->store && f->plan.site->accept_ranges && a->status == 200 && !f->part_of.is,
        .note = note_of(f, v),
        .undo = v->store ? f->undo : STR_NONE,
        .names = names.v,
        .names_n = names.n,
        .names_are_short = names.is_short,
        .is_codable = is_codable(f, v, *body, successor_of),
        .is_part = f->part_of.is,
        .is_asset = v->store && v->is_asset,
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
    learn_hints(f, a, v);
    if (f->invalidated && v->store) {
        object_begin_again(f->object, f->plan.place.primary, epochs_latest(f->f->cache->epochs));
        index_begin(f->object, &f->place, f->object->begun_mono_ms);
    }
}
