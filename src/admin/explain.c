#include "admin/explain.h"

#include <string.h>

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/certificate.h"
#include "admin/origin_api.h"
#include "admin/status.h"
#include "cache/coded.h"
#include "cache/disk.h"
#include "cache/named.h"
#include "cache/names.h"
#include "request/route.h"
#include "request/secure.h"
#include "request/source_origin.h"

#define HEADERS_MAX 100
#define QUOTED_MAX  200

/* ---- the question ---- */

struct question {
    struct str url;
    struct fields fields; /* of the request that is explained */
};

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_field_text(s.p[i]))
            return false;
    return true;
}

static bool take_header(struct request *r, struct str line, struct question *q)
{
    size_t colon = str_index(line, ':');
    struct str name = str_first(line, colon), value = str_trim(str_from_index(line, colon + 1));
    if (colon == line.n || !is_token(name) || !is_text(value)) {
        answer_error(r, 400, "header \"%.*s\" is no header field; write header=NAME:%%20VALUE",
                     STR_ARG(str_first(line, QUOTED_MAX)));
        return false;
    }
    if (q->fields.n == HEADERS_MAX) {
        answer_error(r, 400, "more than %d header parameters", HEADERS_MAX);
        return false;
    }
    fields_add(&q->fields, &r->arena, name, value);
    return true;
}

static bool take_question(struct request *r, struct question *q)
{
    struct query_param p;
    *q = (struct question){ 0 };
    for (struct str rest = r->key.has_query ? r->key.query : STR_NONE; query_next(&rest, &p);) {
        struct str value = query_decode(p.value, &r->arena);
        if (str_eq(p.name, STR("url")) && !q->url.n) {
            q->url = value;
        } else if (str_eq(p.name, STR("header"))) {
            if (!take_header(r, value, q))
                return false;
        } else {
            answer_error(r, 400,
                         "\"%.*s\" is no parameter here; an & inside of url or header is written %%26",
                         STR_ARG(str_first(p.name, QUOTED_MAX)));
            return false;
        }
    }
    if (!q->url.n)
        answer_error(r, 400, "the parameter url is missing; write ?url=http://HOST/PATH, percent-encoded");
    return q->url.n > 0;
}

/* ---- the request that it stands for ---- */

/* Does the site answer it with a redirect? */
static bool is_redirected(struct request *r, const struct request *x)
{
    struct str secure = secure_location(x, &r->arena);
    if (secure.n) {
        answer_error(r, 400,
                     "such a request is answered with 308 to %.*s, by the setting https_redirect; ask "
                     "about that URL",
                     STR_ARG(str_first(secure, QUOTED_MAX)));
        return true;
    }
    if (!x->redirected)
        return false;
    struct rules_request q = route_rules_request(x);
    int status;
    struct str to = rules_redirect(x->site->ruled, &q, x->said.redirect, &status, &r->arena);
    if (to.n == 0)
        return false;
    struct str rule = rules_name(x->site->ruled, x->said.redirect, &r->arena);
    answer_error(r, 400, "such a request is answered with %d to %.*s, by %.*s; the origin is not asked",
                 status, STR_ARG(str_first(to, QUOTED_MAX)), STR_ARG(rule));
    return true;
}

/* Says so in r->answer when the URL is not of a site of the token: then nothing is told of it, also not
 * whether any site has it. */
static bool may_site(struct request *r, const struct request *x, const struct token_rights *rights)
{
    struct purge_error error;
    if (rights->every_site || (x->site && token_may_site(rights, x->site->name)))
        return true;
    access_refuse_site(rights, STR("the URL"), &r->arena, &error);
    answer_error(r, error.status, "%.*s", STR_ARG(error.text));
    return false;
}

/* Through request/route as if a visitor had sent it. false: `r` has an answer that says why not. */
static bool make_request(struct admin *a, struct request *r, const struct token_rights *rights,
                         struct question *q, struct requests *sites, struct request *out)
{
    struct named url;
    enum http_error e = named_parse(q->url, &r->arena, &url);
    if (e != HTTP_ERROR_NONE || !url.has_host) {
        answer_error(r, 400, "url \"%.*s\" %s", STR_ARG(str_first(q->url, QUOTED_MAX)),
                     e != HTTP_ERROR_NONE
                         ? named_problem(q->url, e, false)
                         : "has no host; write the whole URL as visitors see it, http://HOST/PATH");
        return false;
    }
    if (!fields_has(&q->fields, FIELD_HOST))
        fields_add_id(&q->fields, &r->arena, FIELD_HOST, url.target.authority);
    *sites = *r->w;
    sites->source = &source_origin;
    sites->purges = &a->by_method;
    sites->webhooks = &a->by_webhook;
    request_init(out, sites, NULL);
    out->source = sites->source;
    out->settings = r->settings;
    out->snapshot = r->snapshot;
    out->peer = r->peer;
    out->method = METHOD_GET;
    out->method_name = STR("GET");
    out->protocol = STR("1.1");
    out->needs_host = out->may_upgrade = true;
    out->https = url.https;
    out->key.https = url.https;
    out->fields = q->fields;
    out->request_id = STR("explain");
    out->target = url.target.path;
    if (url.target.has_query)
        out->target =
            arena_printf(&r->arena, "%.*s?%.*s", STR_ARG(url.target.path), STR_ARG(url.target.query));
    e = route_request(out);
    if (!may_site(r, out, rights))
        return false;
    if (e != HTTP_ERROR_NONE)
        answer_error(r, 400, "such a request is refused: %s", http_error_text(e));
    else if (out->reason == REASON_NO_SITE)
        answer_error(
            r, 404,
            "no site has the host \"%.*s\": such a request is answered with 421; a site's setting hosts "
            "names its hosts",
            STR_ARG(out->key.host));
    else if (out->source == sites->webhooks)
        answer_error(r, 400,
                     "such a path is a webhook's (setting webhooks): its sender's POST purges, all else is "
                     "answered with 405, and the origin is never asked");
    else if (out->source != sites->source)
        answer_error(
            r, 400,
            "such a request purges what is named behind %.*s (setting purge_path), when it comes from a "
            "network in purge_from; else it is answered with 403",
            STR_ARG(out->site->purge_path));
    else if (out->status)
        answer_error(r, 400, "such a request is answered with %d: %s", out->status,
                     reason_sentence(out->reason).p);
    else if (!is_redirected(r, out))
        request_fields(out);
    return r->answer.status == 0;
}

/* ---- what the cache knows ---- */

struct facts {
    struct now now;
    struct index_facts family;
    bool is_on_disk;     /* perhaps: it was not read */
    uint64_t disk_begin; /* when its fetch began; UINT64_MAX: only the rule is known to be there */
    bool other_scheme;   /* unknown, but known as https instead of http or the other way */
    struct rule *rule;
    struct object *stored; /* a reference, or NULL */
    struct object_purged purged;
    struct object_life life;
    enum outcome outcome;
    enum reason reason;         /* why nothing is stored, as far as it is known */
    struct broken_field broken; /* with REASON_TARGETED_INVALID */
};

/* Behind a proxy that is not trusted everything is http, whatever the visitor sees. */
static bool is_known_otherwise(struct request *x, struct cache *c, int64_t now_ms)
{
    struct key_request key = x->key;
    key.https = !key.https;
    struct place place = { .primary = key_primary(&key, &x->arena),
                           .release = x->site->release->number,
                           .variant = key_variant(&key, NULL, &x->arena) };
    place_hash(c, &place);
    return index_facts(c, &place, now_ms).known;
}

static void find_place(struct request *x, struct cache *c, struct facts *f)
{
    struct place place = { .primary = key_primary(&x->key, &x->arena), .release = x->site->release->number };
    bool known, busy;
    place_hash(c, &place);
    f->rule = index_rule(c, &place, &known, &busy);
    place.rule = f->rule;
    if (rule_has_encoding(f->rule)) { /* which codings the key has depends on it */
        x->fields_made = false;
        x->sent = (struct fields){ 0 };
        x->rule = f->rule;
        request_fields(x);
        x->rule = NULL;
    }
    place.variant = key_variant(&x->key, f->rule, &x->arena);
    place_hash(c, &place);
    f->family = index_facts(c, &place, f->now.mono_ms);
    f->other_scheme = !f->family.known && is_known_otherwise(x, c, f->now.mono_ms);
    f->stored = index_peek(c, &place);
    if (!f->stored && c->disk) {
        f->disk_begin = disk_page_begin(c->disk, &place, f->now.wall_ms);
        f->is_on_disk =
            f->disk_begin != UINT64_MAX || (!known && disk_has_rule(c->disk, &place, f->now.wall_ms));
    }
    if (!f->stored)
        return;
    f->purged = object_check_purged(f->stored, place.primary, epochs_latest(c->epochs), f->now.mono_ms);
    f->life = object_life(f->stored, f->now.mono_ms, f->purged.soft_ms);
}

/* Purges of its site, its path, its prefixes and its URL are remembered for an hour, also for pages that were
 * never there: they count when something of the page is known. Those of its tags are known by what the sweep
 * took away lately. */
static bool was_purged(struct request *x, struct cache *c, const struct facts *f)
{
    static const struct verdict none;
    struct name_list names;
    struct purged p;
    uint64_t floor = epochs_floor(c->epochs);
    if (f->is_on_disk && f->disk_begin != UINT64_MAX)
        floor = f->disk_begin;
    names_of_response(c, &x->key, f->rule, f->rule, &none, &x->arena, &names);
    uint32_t *at = arena_alloc(&x->arena, epoch_names_bytes(names.n, names.is_short));
    epoch_names_write(at, names.v, names.n, names.is_short);
    uint64_t made[NAMES_OF_PREFIXES];
    struct epoch_names packed = { at, names.n, names.is_short, made,
                                  names_of_prefixes(c, key_primary(&x->key, &x->arena), made) };
    return f->family.was_purged ||
           ((f->family.known || f->is_on_disk) &&
            epochs_touched(c->epochs, packed, floor, floor, epochs_latest(c->epochs), &p) && p.hard);
}

/* Is the visitor somebody, and the page no asset? */
static bool is_kept_from(const struct request *x, const struct facts *f)
{
    return x->bypass && !(f->stored && f->stored->response->is_asset);
}

static int64_t kept_until(const struct request *x, const struct facts *f)
{
    return f->stored ? index_kept_until(f->stored, &f->purged, x->site->release) : 0;
}

static bool is_kept(const struct request *x, const struct facts *f)
{
    return f->stored && kept_until(x, f) > f->now.mono_ms;
}

static enum outcome refreshing(const struct facts *f, const struct release *keeps)
{
    return f->family.busy || index_refresh_waits(f->stored, keeps, f->now.mono_ms) ? OUTCOME_STALE_JOIN
                                                                                   : OUTCOME_STALE;
}

static enum outcome revalidating(const struct facts *f, bool authorization)
{
    return authorization ? OUTCOME_PASS : f->family.busy ? OUTCOME_JOIN : OUTCOME_EXPIRED;
}

/* What the look-up of such a request will say (tbl/outcomes.h), without asking it: it would begin a
 * fetch. */
static enum outcome foresee(const struct request *x, const struct facts *f)
{
    bool authorization = fields_has(&x->fields, FIELD_AUTHORIZATION);
    if (x->pass || x->directives.no_store || is_kept_from(x, f))
        return OUTCOME_PASS;
    if (is_kept(x, f))
        return refreshing(f, x->site->release);
    if (kept_until(x, f))
        return revalidating(f, authorization);
    if (f->stored && !f->purged.gone)
        switch (policy_reuse(&f->life.fresh, f->life.age, f->purged.invalidated, &x->directives)) {
        case REUSE_FRESH: return OUTCOME_HIT;
        case REUSE_STALE: return refreshing(f, NULL);
        case REUSE_REVALIDATE: return revalidating(f, authorization);
        }
    if (authorization || f->family.no_queue_left_ms > 0)
        return OUTCOME_PASS;
    return f->family.busy ? OUTCOME_JOIN : f->is_on_disk ? OUTCOME_DISK : OUTCOME_MISS;
}

static void find_facts(struct request *x, struct cache *c, struct facts *f)
{
    find_place(x, c, f);
    f->outcome = foresee(x, f);
    if (x->pass)
        f->reason = x->pass_reason;
    else if (is_kept_from(x, f))
        f->reason = REASON_BYPASS_COOKIE;
    else if (x->directives.no_store)
        f->reason = REASON_REQUEST_NO_STORE;
    else if (!x->site->store)
        f->reason = REASON_DEV;
    else if (f->stored && f->purged.gone)
        f->reason = REASON_PURGED;
    else if (!f->stored)
        f->reason = f->family.last_reason;
    else if (is_kept(x, f))
        f->reason = REASON_KEPT_ASSET;
    if (!f->stored && f->reason == REASON_NONE && !f->family.has_good && was_purged(x, c, f))
        f->reason = REASON_PURGED;
    if (f->reason == REASON_PURGED && f->outcome == OUTCOME_DISK)
        f->outcome = OUTCOME_MISS;
    if (f->reason == REASON_TARGETED_INVALID)
        f->broken = policy_broken_unpack(f->family.last_broken);
}

/* ---- in words ---- */

static struct str text_of(const struct facts *f)
{
    if (f->reason == REASON_KEPT_ASSET)
        return f->outcome == OUTCOME_STALE
                   ? STR("answered from memory, and the live release's origin is asked in the background "
                         "whether it has it")
                   : STR("answered from memory");
    switch (f->outcome) {
    case OUTCOME_HIT: return STR("answered from memory, the stored page is fresh");
    case OUTCOME_STALE:
        return STR("answered from memory though stale, and a refresh starts in the background");
    case OUTCOME_STALE_JOIN:
        return f->family.busy ? STR("answered from memory though stale, a fetch runs already")
                              : STR("answered from memory though stale; the last refresh failed, the next "
                                    "one waits a little");
    case OUTCOME_EXPIRED: return STR("the stored page must be revalidated: the origin is asked first");
    case OUTCOME_JOIN: return STR("waits for the fetch that runs, if it turns out to be for the same page");
    case OUTCOME_PASS: return STR("goes to the origin alone");
    case OUTCOME_DISK:
        return STR("not in memory, but on disk: it is read, and answers unless it was purged or replaced");
    default: break;
    }
    if (f->stored || f->reason == REASON_PURGED)
        return STR("the stored page was purged: the origin is asked");
    return f->family.has_good
               ? STR("other variants of this page are stored, this one is not: the origin is asked")
               : STR("nothing is stored: the origin is asked");
}

/* What is not stored has a reason, or nobody asked for it yet. */
static struct str advice_of(const struct facts *f)
{
    if (f->reason != REASON_NONE)
        return reason_sentence(f->reason);
    if (f->stored || f->outcome == OUTCOME_DISK)
        return STR_NONE;
    if (f->family.no_queue_left_ms > 0)
        return STR("its latest answer could not be shared; requests do not wait for each other for a while");
    if (f->other_scheme)
        return STR("known with the other scheme only, http or https; behind a proxy, X-Forwarded-Proto "
                   "counts when the "
                   "setting trusted_proxies has its address");
    if (!f->family.known)
        return STR("not requested since the start (scheme and port count), or not answered by the origin, or "
                   "forgotten; request it once "
                   "and look at Cache-Status in the answer");
    return STR("request it once and look at Cache-Status in the answer");
}

/* ---- the answer ---- */

static void write_request(const struct request *x, struct answer_writer *w)
{
    answer_open(w, "request", '{');
    answer_str(w, "site", x->site->name);
    answer_str(w, "profile", profile_name(x->site->profile));
    if (x->site->release->id.n)
        answer_str(w, "deploy", x->site->release->id);
    answer_int(w, "release", x->site->release->number);
    answer_bool(w, "https", x->key.https);
    answer_str(w, "host", x->authority);
    answer_str(w, "path", x->key.path);
    if (x->key.has_query)
        answer_str(w, "query", x->key.query);
    else
        answer_null(w, "query");
    if (x->key.country.n)
        answer_str(w, "country", x->key.country);
    answer_close(w, '}');
}

static void write_rule_fields(const struct rule *rule, struct answer_writer *w)
{
    struct str fields[RULE_FIELDS_MAX];
    size_t n = rule_fields(rule, fields);
    answer_open(w, "rule_from", '[');
    for (size_t i = 0; i < n; i++)
        answer_str(w, NULL, fields[i]);
    answer_close(w, ']');
}

static void write_resource(struct request *x, const struct facts *f, struct answer_writer *w)
{
    answer_open(w, "resource", '{');
    answer_bool(w, "known", f->family.known);
    answer_bool(w, "fetch_running", f->family.busy);
    answer_int(w, "variants", f->family.variants);
    if (f->family.no_queue_left_ms)
        answer_int(w, "no_queue_left_s", (f->family.no_queue_left_ms + 999) / 1000);
    answer_str(w, "rule", f->rule ? rule_text(f->rule) : STR("the whole query"));
    write_rule_fields(f->rule, w);
    answer_close(w, '}');
    answer_str(w, "key", key_describe(&x->key, f->rule, &x->arena));
}

/* Whole seconds, rounded down, as in Cache-Status: what is stale by a moment is not fresh for 0 s. */
static int64_t seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

static void write_window(struct answer_writer *w, const char *window, const char *left, int64_t window_ms,
                         int64_t stale_ms)
{
    int64_t left_ms = stale_ms > 0 ? window_ms - stale_ms : window_ms;
    answer_int(w, window, seconds(window_ms));
    answer_int(w, left, left_ms > 0 ? seconds(left_ms) : 0);
}

static void write_list(struct answer_writer *w, const char *key, const struct strs *list)
{
    answer_open(w, key, '[');
    for (size_t i = 0; i < list->n; i++)
        answer_str(w, NULL, list->v[i]);
    answer_close(w, ']');
}

/* Tags and the ruling header, read again from the stored head. */
static void write_verdict(struct request *x, const struct facts *f, struct answer_writer *w)
{
    const struct object *o = f->stored;
    struct fields fields;
    struct judge judge = {
        .site = x->site,
        .method = METHOD_GET,
        .request = x->key.fields,
        .path = x->key.path,
        .query = x->key.query,
        .status = o->response->status,
        .response = &fields,
        .known = f->rule, /* whoever brought it: it was stored under it */
        .received_wall_ms = f->now.wall_ms - (f->now.mono_ms - object_received_ms(o)),
    };
    struct verdict v;
    response_fields(o->response, &x->arena, &fields, NULL);
    policy_judge(&judge, &x->arena, &v);
    policy_tags(&judge, &x->arena, &v); /* it may be stored although it would not be now */
    if (v.ruled_by.n) {
        struct str value = fields_joined_by_name(&fields, v.ruled_by, &x->arena);
        answer_str(w, "ruled_by", arena_printf(&x->arena, "%.*s: %.*s", STR_ARG(v.ruled_by), STR_ARG(value)));
    } else {
        answer_null(w, "ruled_by");
    }
    if (v.overrules)
        answer_str(w, "overrules",
                   arena_printf(&x->arena,
                                "Cache-Control: %.*s (a targeted field rules alone, RFC 9213; with "
                                "private_vetoes: true it would not be stored)",
                                STR_ARG(fields_joined(&fields, FIELD_CACHE_CONTROL, &x->arena))));
    struct str broken = policy_broken_text(x->site, &v.broken, &x->arena);
    if (broken.n)
        answer_str(w, "targeted_invalid", broken);
    if (v.search_invalid)
        answer_str(w, "no_vary_search_invalid", fields_joined(&fields, FIELD_NO_VARY_SEARCH, &x->arena));
    write_list(w, "tags", &v.tags);
    write_list(w, "groups", &v.groups);
    rule_unref(v.rule);
}

static struct str purged_text(const struct facts *f)
{
    return f->purged.gone           ? STR("hard")
           : f->purged.invalidated  ? STR("invalidated by an unsafe method")
           : f->purged.soft_ms >= 0 ? STR("soft")
                                    : STR_NONE;
}

/* Writes the actions of a rule that count: of most, the first rule's. */
static void write_actions(const struct rules *rules, size_t rule, struct strs *taken, struct answer_writer *w)
{
    struct str names[RULES_ACTIONS];
    size_t n = rules_actions(rules, rule, names);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < taken->n && !str_eq(taken->v[k], names[i]))
            k++;
        if (k < taken->n)
            continue;
        answer_str(w, NULL, names[i]);
        /* What an answer decides may come from a later rule; each header, cookie and tag is one by itself. */
        if (rules_action_is_once(names[i]))
            taken->v[taken->n++] = names[i];
    }
}

/* The site's rules that match the request, in order. */
static void write_rules(const struct request *x, const struct fields *came, struct arena *a,
                        struct answer_writer *w)
{
    const struct rules *rules = x->site->ruled;
    struct str names[RULES_ACTIONS];
    struct strs taken = { names, 0 };
    struct rules_request q = route_rules_request(x);
    q.fields = came;
    answer_open(w, "rules", '[');
    for (size_t rule = 0; rule < rules_count(rules); rule++) {
        bool of_answer;
        if (!rules_match(rules, rule, &q, &of_answer))
            continue;
        answer_open(w, NULL, '{');
        answer_str(w, "rule", rules_name(rules, rule, a));
        answer_bool(w, "if_the_answer_matches", of_answer);
        answer_open(w, "actions", '[');
        struct str copy[RULES_ACTIONS];
        struct strs maybe = { copy, taken.n };
        memcpy(copy, names, taken.n * sizeof(*copy));
        write_actions(rules, rule, of_answer ? &maybe : &taken, w);
        answer_close(w, ']');
        answer_close(w, '}');
    }
    answer_close(w, ']');
}

/* Why the visitor of this request would get that coding now, or none. */
static struct str coding_reason(const struct request *x, const struct object *o, enum coding sent,
                                enum coding wanted)
{
    if (!x->site->compress)
        return STR("compress is off");
    if (!o->response->has_codings)
        return STR(
            "not compressed: too short, not of compress_types, no-transform, with Set-Cookie, or coded by "
            "the origin in a way that stays");
    if (!o->body || body_distance(o->body))
        return STR("its long body is on disk, and is sent from there");
    if (wanted == CODING_IDENTITY)
        return STR("the request takes no other");
    if (wanted == CODINGS)
        return STR("the request takes none that can be made");
    if (sent == wanted)
        return STR("the one that the request wants most");
    return STR("the one that the request wants most is made when it is asked for");
}

static void write_codings(const struct request *x, const struct object *o, struct answer_writer *w)
{
    struct coding_weights weights;
    unsigned there = 1u << CODING_IDENTITY, possible = there;
    answer_open(w, "codings", '[');
    for (enum coding c = CODING_GZIP; o->response->has_codings && c < CODINGS; c++) {
        const struct coded *coded = coded_find(o, c);
        possible |= coded_is_useless(o, c) ? 0 : 1u << c;
        if (!coded && !coded_is_useless(o, c))
            continue;
        there |= coded ? 1u << c : 0;
        answer_open(w, NULL, '{');
        answer_str(w, "coding", accept_codings[c]);
        answer_bool(w, "worth_it", coded != NULL);
        if (coded) {
            if (coded->level == CODED_OWN)
                answer_bool(w, "is_origins", true);
            else
                answer_int(w, "level", coded->level);
            answer_int(w, "body_bytes", (int64_t)body_length(coded->body));
        }
        answer_close(w, '}');
    }
    answer_close(w, ']');
    accept_encoding_weights(&x->fields, &weights);
    enum coding sent = accept_encoding_choose(&weights, there);
    sent = sent == CODINGS ? CODING_IDENTITY : sent;
    answer_str(w, "coding", accept_codings[sent]);
    answer_str(w, "coding_reason", coding_reason(x, o, sent, accept_encoding_choose(&weights, possible)));
}

static void write_stored(struct request *x, const struct facts *f, struct answer_writer *w)
{
    struct object *o = f->stored;
    if (!o) {
        answer_null(w, "stored");
        return;
    }
    const struct response *response = o->response;
    uint64_t length = object_length(o);
    struct str type = response_value(response, FIELD_CONTENT_TYPE);
    struct str etag = response_value(response, FIELD_ETAG);
    answer_open(w, "stored", '{');
    answer_int(w, "status", response->status);
    answer_time(w, "received", f->now.wall_ms - (f->now.mono_ms - object_received_ms(o)));
    answer_int(w, "age_s", seconds(f->life.age.age_ms));
    answer_int(w, "lifetime_s", seconds(f->life.fresh.lifetime_ms));
    answer_int(w, "ttl_s", seconds(-f->life.age.stale_ms));
    write_window(w, "stale_while_revalidate_s", "stale_while_revalidate_left_s", f->life.fresh.stale_while_ms,
                 f->life.age.stale_ms);
    write_window(w, "stale_if_error_s", "stale_if_error_left_s", f->life.fresh.stale_error_ms,
                 f->life.age.stale_ms);
    answer_bool(w, "always_revalidate", f->life.fresh.always_revalidate);
    struct str purged = purged_text(f);
    if (purged.n)
        answer_str(w, "purged", purged);
    else
        answer_null(w, "purged");
    write_verdict(x, f, w);
    if (type.n)
        answer_str(w, "content_type", type);
    if (etag.n)
        answer_str(w, "etag", etag);
    answer_bool(w, "etag_is_generated", o->has_generated_etag);
    if (length != BODY_LENGTH_UNKNOWN)
        answer_int(w, "body_bytes", (int64_t)length);
    answer_int(w, "head_bytes", (int64_t)response->visible_n);
    answer_int(w, "memory_bytes",
               (int64_t)(object_charged(o) + (o->body ? body_charged(o->body) : 0) + coded_charged(o)));
    write_codings(x, o, w);
    answer_int(w, "hits", atomic_load_explicit(&o->hits, memory_order_relaxed));
    answer_close(w, '}');
}

static struct str write_answer(struct admin *admin, struct request *x, const struct fields *came,
                               const struct facts *f, struct arena *a)
{
    struct answer_writer w = { .depth = 0 };
    struct str advice = advice_of(f);
    answer_open(&w, NULL, '{');
    answer_str(&w, "outcome", outcome_name(f->outcome));
    answer_str(&w, "text", text_of(f));
    struct str detail = policy_broken_text(x->site, &f->broken, a);
    if (f->reason != REASON_NONE)
        answer_str(&w, "reason", reason_detail(f->reason));
    if (detail.n)
        answer_str(&w, "detail", detail);
    if (x->bypass)
        answer_str(&w, "bypass_cookie", route_bypass_cookie(x));
    if (advice.n)
        answer_str(&w, "advice", advice);
    write_request(x, &w);
    write_rules(x, came, a, &w);
    struct upstream *u = upstream_of(admin->origins, x->site, f->now.mono_ms);
    size_t next = upstream_next(u, x->site, f->now.mono_ms);
    answer_open(&w, "origin", '{');
    status_origin(u->v[next < u->n ? next : 0].origin, a, &w);
    answer_close(&w, '}');
    if (x->key.https)
        certificate_write_host(admin->certificates, x->settings, x->key.host, a, &w);
    if (u->n > 1)
        origin_api_write(admin, x->site, "origins", &w);
    write_resource(x, f, &w);
    write_stored(x, f, &w);
    answer_close(&w, '}');
    return answer_finish(&w, a);
}

void explain_answer(struct admin *a, struct request *r, const struct token_rights *rights)
{
    struct question q;
    struct requests sites; /* the site's side of this worker */
    struct request *x = arena_zero(&r->arena, sizeof(*x));
    if (!take_question(r, &q))
        return;
    if (make_request(a, r, rights, &q, &sites, x)) {
        struct facts f = { .now = clock_now(a->clock), .purged.soft_ms = -1 };
        find_facts(x, a->cache, &f);
        answer_json(r, 200, write_answer(a, x, &q.fields, &f, &r->arena));
        object_unref(f.stored);
        rule_unref(f.rule);
    }
    if (x->w == &sites)
        request_fini(x);
}
