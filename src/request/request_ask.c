#include "request/deliver.h"
#include "request/request_machine.h"

/* ---- the query ---- */

void request_reduce_query(struct request *r)
{
    bool dropped = false;
    if (r->pass || !r->rule || r->site->unkeyed_query != UNKEYED_STRIP || !r->key.has_query)
        return;
    struct str kept = query_keep_listed(r->key.query, r->rule, &r->arena, &dropped);
    if (!dropped)
        return;
    r->whole_query = r->key.query;
    r->key.query = kept;
    r->key.has_query = kept.n > 0;
}

/* Under the rule of the answer: is the page that it belongs to another one, since it names cookies that were
 * not sent? */
static bool cookies_were_cut(struct request *r, const struct rule *rule)
{
    return r->cookies_cut && !rule_equal(rule, r->rule) &&
           !str_eq(key_variant(&r->key, rule, &r->arena), object_variant(r->object));
}

/* Under the rule of the answer: has it more of the query than was sent? */
static bool query_was_cut(struct request *r, const struct rule *rule)
{
    bool dropped;
    return r->whole_query.n && !r->asked_whole &&
           !str_eq(query_keep_listed(r->whole_query, rule, &r->arena, &dropped),
                   query_keep_listed(r->key.query, rule, &r->arena, &dropped));
}

/* Under the rule of the answer, whose coding stays (CACHING.md 4.9): did the visitor offer others than the
 * origin was offered? */
static bool codings_were_cut(struct request *r, const struct rule *rule)
{
    return rule_has_encoding(rule) && !rule_has_encoding(r->rule) &&
           accept_encoding_normalize(&r->fields).n > 0;
}

bool request_was_cut_short(struct request *r)
{
    CHECK(r->own_fetch && object_state(r->object) != OBJECT_NEW);
    bool known, busy;
    bool coded = r->site && r->site->compress && !r->asked_coded &&
                 response_value(r->object->response, FIELD_CONTENT_ENCODING).n > 0;
    if ((!r->whole_query.n && !r->cookies_cut && !coded) || r->as_came || r->pass)
        return false;
    struct rule *rule = index_rule(r->w->cache, &r->look.place, &known, &busy);
    bool codings = coded && known && codings_were_cut(r, rule);
    bool short_of_it = known && (query_was_cut(r, rule) || cookies_were_cut(r, rule) || codings);
    r->asked_coded |= codings;
    rule_unref(rule);
    return short_of_it;
}

void request_restore_query(struct request *r)
{
    if (!r->whole_query.n)
        return;
    r->key.query = r->whole_query;
    r->key.has_query = true;
    r->whole_query = STR_NONE;
    r->asked_whole = true;
}

/* ---- cookies ---- */

/* Is it known which cookies the page depends on? An answer for all has settled it; or any answer has named
 * some. */
static bool cookies_are_known(const struct request *r)
{
    return r->found.settled || (r->rule && r->rule->netlify.cookies.n);
}

const struct fields *request_cut_cookies(struct request *r)
{
    const struct fields *sent = request_fields(r);
    /* Who is logged in gets what his cookies bring; it is stored only if it is an asset. */
    r->cookies_cut = !r->bypass && r->site->unkeyed_cookies == UNKEYED_STRIP && cookies_are_known(r) &&
                     key_has_unkeyed_cookies(sent, r->rule);
    if (!r->cookies_cut)
        return sent;
    struct fields *cut = arena_alloc(&r->arena, sizeof(*cut));
    key_fields_for_fetch(sent, r->rule, &r->arena, cut);
    return cut;
}

/* Without his cookies the page is for nobody: with them it may be the visitor's own. A failing origin says
 * nothing of the page. */
static bool needs_cookies(const struct request *r)
{
    const struct object *o = r->object;
    return r->cookies_cut && !o->stored && o->response->status < 500 &&
           reason_mark((enum reason)o->verdict_reason) == MARK_SETS;
}

/* ---- prefetches ---- */

/* The first token, whatever its parameters: "prefetch;prerender". */
static bool says_prefetch(const struct fields *f, enum field_id id)
{
    struct str value = fields_value(f, id);
    return str_eq_nocase(str_trim(str_first(value, str_index(value, ';'))), STR("prefetch"));
}

bool request_is_prefetch(const struct request *r)
{
    return (r->method == METHOD_GET || r->method == METHOD_HEAD) &&
           ((fields_has(&r->fields, FIELD_SEC_PURPOSE) && says_prefetch(&r->fields, FIELD_SEC_PURPOSE)) ||
            (fields_has(&r->fields, FIELD_PURPOSE) && says_prefetch(&r->fields, FIELD_PURPOSE)));
}

/* ---- Range and conditions ---- */

bool request_goes_as_it_came(struct request *r)
{
    CHECK(!r->object && !r->head_sent);
    if (r->pass || r->head_only || r->outcome != OUTCOME_PASS)
        return false;
    if (r->is_signed && !request_came_is_key(r))
        return true;
    bool differs = deliver_has_conditions(r) || request_drops_cookies(r) || request_has_purpose(r);
    if (r->ask_as_came || r->alone || r->directives.no_store)
        return differs;
    /* A stored response that has expired is revalidated by its own validators, else it would never become
     * fresh again. */
    if (r->stale)
        return false;
    if (!r->found.no_queue)
        return differs && r->is_signed;
    request_reduce_query(r);
    /* A request in the usual spelling loses nothing, and its page may be stored again when an answer permits
     * it. */
    return differs || !request_is_in_order(r);
}

enum reason request_own_reason(const struct request *r)
{
    if (r->directives.no_store)
        return REASON_REQUEST_NO_STORE;
    return r->as_came && r->range.n ? REASON_RANGE : REASON_NONE;
}

bool request_answer_may_be_stored(const struct request *r)
{
    return !r->pass && !r->as_came && !(r->head_only && r->outcome == OUTCOME_PASS);
}

bool request_was_asked_too_little(struct request *r)
{
    return !r->ask_as_came && !r->as_came && request_answer_may_be_stored(r) &&
           (needs_cookies(r) || deliver_needs_origin(r));
}
