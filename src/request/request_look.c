#include "cache/asset.h"
#include "request/request_machine.h"

#define LOOKS_MOST 8 /* then it goes alone, since something keeps changing under it */

/* ---- the key ---- */

/* A page varies by country, and there is no database: every visitor gets the page for no country. Said once
 * for the process. */
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

void request_compute_place(struct request *r)
{
    struct place *p = &r->look.place;
    p->release = r->site ? r->site->release->number : 0; /* freshet's own pages have no site */
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

void request_set_rule(struct request *r, struct rule *rule)
{
    /* Which codings the origin is offered depends on the rule. */
    if (r->fields_made && r->site && r->site->compress &&
        rule_has_encoding(rule) != rule_has_encoding(r->rule)) {
        r->fields_made = false;
        r->sent = (struct fields){ 0 };
    }
    rule_unref(r->rule);
    r->rule = rule;
}

/* ---- what was found ---- */

void request_drop_found(struct request *r)
{
    object_unref(r->found.stored);
    object_unref(r->found.busy);
    object_unref(r->stale);
    object_unref(r->object);
    r->found.stored = r->found.busy = r->stale = r->object = NULL;
}

void request_undo_begun(struct request *r)
{
    if (!r->found.busy || r->found.outcome == OUTCOME_JOIN)
        return;
    CHECK(object_state(r->found.busy) == OBJECT_NEW);
    index_withdraw(r->found.busy);
    object_fail(r->found.busy, REASON_CANCELLED, 502);
}

/* ---- the question ---- */

/*
 * One look. It differs while all origins of the site are sick (decisions 031 and 075): a request that may be
 * served stale on an error does not wait for the error. One of them tries, now and then, whether one is well
 * again.
 */
static void look_once(struct request *r)
{
    struct upstream *u = NULL;
    if (atomic_load_explicit(&r->w->origins->marked, memory_order_relaxed) > 0)
        u = upstream_of(r->w->origins, r->site, r->look.now.mono_ms);
    r->look.sick = u && upstream_is_sick(u);
    r->look.may_try = false;
    index_look(r->w->cache, &r->look, &r->found);
    if (!r->found.untried || !upstream_may_try(u, r->look.now.mono_ms, r->site->refresh_backoff))
        return;
    request_drop_found(r);
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

/* Looks again for a request that neither waits for others nor is waited for. */
static void look_apart(struct request *r)
{
    request_undo_begun(r);
    request_drop_found(r);
    r->look.may_join = r->look.may_fetch = false;
    index_look(r->w->cache, &r->look, &r->found);
}

/* May the request go to the origin at all, and may the answer be stored as far as it says? */
static bool may_fetch(const struct request *r)
{
    return !r->directives.only_if_cached && !r->directives.no_store;
}

static bool is_no_asset(const struct request *r)
{
    return r->bypass && !r->is_static && !asset_is_below_prefix(r->site, r->key.path);
}

static void prepare(struct request *r)
{
    struct look *l = &r->look;
    request_compute_place(r);
    l->request = &r->directives;
    l->now = r->w->loop->now;
    l->release = r->site->release;
    l->latest = epochs_latest(r->w->cache->epochs);
    l->authorization = r->is_signed;
    /* A part that one visitor asks for is not what another one waits for. */
    if (r->looks == 1)
        l->may_read = true;
    l->may_join =
        !r->alone && !r->apart && !r->ask_as_came && !r->bypass && !(r->range.n && r->site->combine_parts);
    l->may_fetch = !r->head_only && may_fetch(r) && !is_no_asset(r);
}

/* A visitor who is somebody gets nothing of what is stored but assets. He passes otherwise, unless it is an
 * asset's path: then the answer is stored if it is one. */
static void look_for_asset_alone(struct request *r)
{
    bool is_hit = r->found.outcome == OUTCOME_HIT || r->found.outcome == OUTCOME_STALE ||
                  r->found.outcome == OUTCOME_STALE_JOIN;
    bool is_page = r->found.stored && !r->found.stored->response->is_asset;
    bool is_amid = r->found.outcome == OUTCOME_RULE || r->found.outcome == OUTCOME_DISK;
    if (is_amid || (!is_page && (is_hit || r->look.may_fetch)))
        return;
    request_undo_begun(r);
    request_drop_found(r);
    r->found.outcome = OUTCOME_PASS;
    r->pass = true;
    r->pass_reason = REASON_BYPASS_COOKIE;
}

void request_look(struct request *r)
{
    CHECK(!r->reader && !r->pass && r->site);
    if (r->looks)
        request_drop_found(r);
    if (++r->looks > LOOKS_MOST)
        r->alone = true;
    prepare(r);
    look_once(r);
    if (r->found.outcome == OUTCOME_PASS && r->head_only && r->found.known && !r->found.no_queue &&
        may_fetch(r) && !is_no_asset(r)) {
        /* A page that is known to be stored: what a HEAD asks for is fetched as a GET (CACHING.md 6.3). */
        object_unref(r->found.stored);
        r->found.stored = NULL;
        r->look.may_fetch = true;
        look_once(r);
    }
    /* Asked only when it is no hit, since it costs a walk over the fields. */
    if (r->found.outcome != OUTCOME_HIT && r->found.outcome != OUTCOME_RULE &&
        r->found.outcome != OUTCOME_DISK &&
        ((fields_has(&r->fields, FIELD_ACCEPT) && takes_event_stream(r)) || request_is_incremental(r)))
        look_apart(r);
    if (r->bypass)
        look_for_asset_alone(r);
    CHECK(!r->object && !r->stale);
    CHECK_DEBUG(r->found.stored || (r->found.outcome != OUTCOME_HIT && r->found.outcome != OUTCOME_STALE));
    r->stale_error = r->found.for_sickness;
    r->outcome = r->found.outcome;
}
