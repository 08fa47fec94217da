#include "request/route.h"

#include <string.h>

#include "http/accept.h"
#include "http/connection_auth.h"
#include "http/url.h"
#include "request/request_machine.h"

/* ---- the peer ---- */

bool route_peer_is_trusted(const struct snapshot *s, const struct address *peer)
{
    for (size_t i = 0; i < s->trusted_n; i++)
        if (network_has(&s->trusted[i], peer))
            return true;
    return false;
}

static struct str last_member(const struct fields *f, enum field_id id, struct arena *a)
{
    struct str rest = fields_joined(f, id, a), member;
    return list_last(&rest, &member) ? member : STR_NONE;
}

static struct str first_member(const struct fields *f, enum field_id id, struct arena *a)
{
    struct str rest = fields_joined(f, id, a), member;
    return list_next(&rest, &member) ? member : STR_NONE;
}

struct str route_peer_ip(struct request *r)
{
    char *text = arena_alloc(&r->arena, ADDRESS_TEXT_MAX);
    return (struct str){ text, address_write_ip(r->peer, text) };
}

/* At most so many of our proxies in a row are believed. */
#define FORWARDED_HOPS_MAX 32

/* Reads X-Forwarded-For from its end, which the proxy next to us wrote. Returns the first address that is
 * not a trusted proxy's, or the last one before a member that is no address. */
static struct str forwarded_for(struct request *r)
{
    struct str rest = fields_joined(&r->fields, FIELD_X_FORWARDED_FOR, &r->arena), member,
               believed = STR_NONE;
    struct address address;
    for (unsigned hops = 0; hops < FORWARDED_HOPS_MAX && list_last(&rest, &member); hops++) {
        if (!address_parse_ip(member, 0, &address))
            break;
        believed = member;
        if (!route_peer_is_trusted(r->snapshot, &address))
            break;
    }
    return believed;
}

/* Fields that proxies add. A stranger can add one, but take none away. */
static bool came_by_proxy(const struct request *r)
{
    static const struct str marks[] = {
        STR_INIT("X-Forwarded-For"),
        STR_INIT("X-Forwarded-Host"),
        STR_INIT("X-Forwarded-Port"),
        STR_INIT("X-Forwarded-Prefix"),
        STR_INIT("X-Forwarded-Proto"),
        STR_INIT("X-Forwarded-Scheme"),
        STR_INIT("X-Forwarded-Server"),
        STR_INIT("Forwarded"),
        STR_INIT("Via"),
        STR_INIT("X-Real-IP"),
        STR_INIT("CDN-Loop"),
        STR_INIT("CF-Connecting-IP"),
        STR_INIT("CF-Ray"),
        STR_INIT("True-Client-IP"),
        STR_INIT("X-Client-IP"),
        STR_INIT("X-Cluster-Client-IP"),
        STR_INIT("Fastly-Client-IP"),
        STR_INIT("Fly-Client-IP"),
        STR_INIT("X-Original-Host"),
        STR_INIT("X-Envoy-External-Address"),
        STR_INIT("X-Original-Forwarded-For"),
    };
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (fields_index_of(&r->fields, marks[i], 0) < r->fields.n)
            return true;
    return false;
}

bool route_sender(struct request *r, struct address *out)
{
    *out = *r->peer;
    if (!came_by_proxy(r))
        return true;
    struct str rest = fields_joined(&r->fields, FIELD_X_FORWARDED_FOR, &r->arena), member;
    if (!r->trusted || !list_last(&rest, &member))
        return false;
    /* Every member up to the first that is no trusted proxy's must be an address: behind anything else could
     * be anybody. */
    for (unsigned hops = 0; hops < FORWARDED_HOPS_MAX; hops++) {
        if (!address_parse_ip(member, 0, out))
            return false;
        if (!route_peer_is_trusted(r->snapshot, out) || !list_last(&rest, &member))
            return true;
    }
    return false;
}

/* The last address in X-Forwarded-For that is not itself a trusted proxy's; else the peer's. */
struct str request_client_ip(struct request *r)
{
    if (r->client_ip.p)
        return r->client_ip;
    struct str found =
        r->trusted && fields_has(&r->fields, FIELD_X_FORWARDED_FOR) ? forwarded_for(r) : STR_NONE;
    r->client_ip = found.n ? found : route_peer_ip(r);
    return r->client_ip;
}

#define REQUEST_ID_MOST 128

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

/* ---- host and target ---- */

static enum http_error parse_host(struct request *r, struct str raw, struct host *out)
{
    struct host_seen *seen = &r->w->host_seen;
    if (raw.n && raw.n == seen->raw_n && r->key.https == seen->https &&
        memcmp(raw.p, seen->raw, raw.n) == 0) {
        *out = (struct host){ { raw.p, seen->name_n }, seen->port, { raw.p, seen->authority_n } };
        return HTTP_ERROR_NONE;
    }
    enum http_error e = host_parse(raw, r->key.https, &r->arena, out);
    if (e == HTTP_ERROR_NONE && raw.n <= sizeof(seen->raw) && out->name.p == raw.p &&
        out->authority.p == raw.p) {
        memcpy(seen->raw, raw.p, raw.n);
        seen->raw_n = (uint8_t)raw.n;
        seen->name_n = (uint8_t)out->name.n;
        seen->authority_n = (uint8_t)out->authority.n;
        seen->https = r->key.https;
        seen->port = out->port;
    }
    return e;
}

static enum http_error find_host(struct request *r, const struct target *t)
{
    size_t hosts = fields_count(&r->fields, FIELD_HOST);
    if (hosts > 1)
        return HTTP_ERROR_HOST_REPEATED;
    if (hosts == 0 && r->needs_host)
        return HTTP_ERROR_HOST_MISSING;
    struct str named = fields_value(&r->fields, FIELD_HOST);
    struct host host = { 0 }, other;
    enum http_error e = HTTP_ERROR_NONE;
    if (hosts || t->form == TARGET_ABSOLUTE)
        e = parse_host(r, t->form == TARGET_ABSOLUTE ? t->authority : named, &host);
    if (e == HTTP_ERROR_NONE && hosts && t->form == TARGET_ABSOLUTE) {
        e = host_parse(named, r->key.https, &r->arena, &other);
        if (e == HTTP_ERROR_NONE && (!str_eq(other.name, host.name) || other.port != host.port))
            e = HTTP_ERROR_HOST_MISMATCH;
    }
    if (r->trusted && fields_has(&r->fields, FIELD_X_FORWARDED_HOST) && e == HTTP_ERROR_NONE)
        e = host_parse(first_member(&r->fields, FIELD_X_FORWARDED_HOST, &r->arena), r->key.https, &r->arena,
                       &host);
    else
        r->came_host = named;
    if (e != HTTP_ERROR_NONE)
        return e;
    r->key.host = host.name;
    r->key.port = host.port;
    r->authority = host.authority;
    return HTTP_ERROR_NONE;
}

static enum http_error find_target(struct request *r, struct target *t)
{
    enum http_error e = target_parse(r->target, t);
    struct str encoded;
    /* A good target does not come here: raw UTF-8 is rare. */
    if (e == HTTP_ERROR_TARGET && target_encode(r->target, &r->arena, &encoded)) {
        /* A signal handler may read it (server/watchdog.c): the longer text has the shorter length first. */
        CHECK(encoded.n >= r->target.n);
        r->target.p = encoded.p;
        atomic_signal_fence(memory_order_seq_cst);
        r->target.n = encoded.n;
        e = target_parse(r->target, t);
    }
    if (e != HTTP_ERROR_NONE)
        return e;
    if (t->form == TARGET_ASTERISK && r->method != METHOD_OPTIONS)
        return HTTP_ERROR_TARGET;
    r->key.https = r->https || (t->form == TARGET_ABSOLUTE && str_eq(t->scheme, STR("https")) && r->trusted);
    if (r->trusted && fields_has(&r->fields, FIELD_X_FORWARDED_PROTO))
        r->key.https =
            str_eq_nocase(last_member(&r->fields, FIELD_X_FORWARDED_PROTO, &r->arena), STR("https"));
    r->key.path = t->path;
    if (t->form == TARGET_ASTERISK || t->is_normal)
        return HTTP_ERROR_NONE;
    if ((e = path_normalize(t->path, &r->arena, &r->key.path)) != HTTP_ERROR_NONE)
        return e;
    if (t->has_query && (e = query_check(t->query)) != HTTP_ERROR_NONE)
        return e;
    if (r->key.path.p != t->path.p) { /* it was normalised */
        struct str spelling = path_without_dots(t->path, &r->arena);
        if (!str_eq(spelling, r->key.path))
            r->key.spelling = spelling;
    }
    return HTTP_ERROR_NONE;
}

/* Returns the target as it came, in origin-form: of an absolute-form, the part behind the authority. */
static struct str target_as_came(struct request *r, const struct target *t)
{
    if (t->form != TARGET_ABSOLUTE)
        return r->target;
    struct str rest = str_from_index(r->target, (size_t)(t->authority.p + t->authority.n - r->target.p));
    return rest.n && rest.p[0] == '/' ? rest : ARENA_JOIN(&r->arena, STR("/"), rest);
}

static void find_query(struct request *r, const struct target *t)
{
    r->key.has_query = t->has_query && t->query.n > 0; /* an empty query is no query (CACHING.md 4.3) */
    r->key.query = t->query;
    if (!r->key.has_query)
        return;
    r->key.query = query_strip_ignored(t->query, &r->site->ignored_params, &r->arena, &r->key.has_query);
    r->has_ignored = r->key.query.n != t->query.n;
}

/* ---- the mode ---- */

/* Does the value contain our name, anywhere? The name ends with random digits; search for these. */
static bool names_us(struct str value, struct str self, struct str digits)
{
    size_t before = self.n - digits.n;
    for (const char *at; value.n && (at = memmem(value.p, value.n, digits.p, digits.n)) != NULL;) {
        size_t place = (size_t)(at - value.p);
        if (place >= before &&
            str_starts_nocase(str_from_index(value, place - before), str_first(self, before)))
            return true;
        value = str_from_index(value, place + 1);
    }
    return false;
}

static bool is_loop(const struct request *r)
{
    struct str self = r->w->self, digits = str_from_index(self, self.n - SELF_DIGITS);
    char spelled[SELF_DIGITS];
    for (size_t i = 0; i < SELF_DIGITS; i++)
        spelled[i] = is_alpha(digits.p[i]) ? (char)(digits.p[i] ^ 0x20) : digits.p[i];
    for (size_t i = 0; i < r->fields.n; i++) {
        const struct field *f = &r->fields.v[i];
        if (f->id != FIELD_VIA && f->id != FIELD_CDN_LOOP)
            continue;
        if (names_us(f->value, self, digits) ||
            names_us(f->value, self, (struct str){ spelled, SELF_DIGITS }))
            return true;
    }
    return false;
}

/* Another version of HTTP would carry other requests past every rule (RFC 9113 §3.1 removed h2c). So would
 * TLS (RFC 2817), which some HTTP clients offer with each request. */
static bool offers_http(const struct request *r)
{
    struct str rest = fields_joined(&r->fields, FIELD_UPGRADE, (struct arena *)(uintptr_t)&r->arena), member;
    while (list_next(&rest, &member))
        if (str_starts_nocase(member, STR("h2")) || str_starts_nocase(member, STR("h3")) ||
            str_starts_nocase(member, STR("HTTP")) || str_starts_nocase(member, STR("TLS")))
            return true;
    return false;
}

/* Any method may upgrade, also with a body, which is sent first (RFC 9110 §7.8). */
static bool wants_upgrade(const struct request *r)
{
    return fields_has(&r->fields, FIELD_UPGRADE) && r->may_upgrade &&
           fields_list_has(&r->fields, FIELD_CONNECTION, STR("upgrade")) && !offers_http(r);
}

static bool is_to_site(const struct connection *c, const struct site_settings *site)
{
    for (size_t i = 0; i < site->origin.n; i++)
        if (pool_is_to(c, &site->origin_list[i].at))
            return true;
    return false;
}

/* Does the answer depend on who has logged in on the connection? No field says who. */
static bool is_logged_in_by_connection(const struct request *r)
{
    return connection_auth_of_request(&r->fields) || (r->own && *r->own && is_to_site(*r->own, r->site));
}

/* Next.js answers such a request with data instead of the page, and no Vary says so: GHSA-3g8h-86w9-wvmq
 * was a redirect without its Location that was stored for everybody. */
static void find_data_request(struct request *r)
{
    if (!fields_has(&r->fields, FIELD_X_NEXTJS_DATA) ||
        fields_list_has(&r->fields, FIELD_CONNECTION, field_name(FIELD_X_NEXTJS_DATA)))
        return;
    struct str value = fields_joined(&r->fields, FIELD_X_NEXTJS_DATA, &r->arena);
    /* Next.js looks only whether the field is there. No value is a space, since values are trimmed. */
    r->key.data_request = value.n ? value : STR(" ");
}

struct str route_bypass_cookie(const struct request *r)
{
    struct cookies all = cookie_list(&r->fields);
    struct cookie c;
    if (key_has_many_cookies(&r->fields))
        return STR("more cookies than are looked at");
    while (cookie_next(&all, &c)) {
        struct str name = cookie_names_find(&r->site->cookies, c.name, COOKIE_BYPASS);
        if (name.n)
            return name;
    }
    return STR_NONE;
}

/* Finds out in one pass whether the visitor is somebody (CACHING.md 2.14), and whether he has cookies that
 * never count (4.5). Who has more than are looked at is no ordinary visitor either. */
static void look_at_cookies(struct request *r)
{
    size_t left = key_has_many_cookies(&r->fields) ? 0 : KEY_COOKIES_MAX + 1;
    unsigned kinds = 0;
    for (size_t i = 0; i < r->fields.n && left > 0; i++)
        if (r->fields.v[i].id == FIELD_COOKIE)
            kinds |= cookie_names_scan(&r->site->cookies, r->fields.v[i].value, &left);
    r->bypass = !r->pass && r->site->bypass_cookies.n && (left == 0 || (kinds & COOKIE_BYPASS));
    r->ignored_cookies = left > 0 && (kinds & COOKIE_IGNORED);
}

/* Before anything else is read from the fields: a rule may change them. */
static void ask_rules(struct request *r, const struct target *t)
{
    r->rules_path = rules_path(r->key.path, &r->arena);
    struct rules_request q = route_rules_request(r);
    r->rules_query = q.query = t->has_query ? t->query : STR_NONE;
    rules_ask(r->site->ruled, &q, &r->arena, &r->said);
    r->key.rules = r->said.key;
    r->is_static = r->said.is_static != RULES_NONE;
    r->redirected = r->said.redirect != RULES_NONE;
    if (!r->said.changes)
        return;
    /* In a table of its own: the one that came stays as it is, for whoever explains. */
    struct field *copy = arena_alloc(&r->arena, r->fields.n * sizeof(*copy));
    if (r->fields.n)
        memcpy(copy, r->fields.v, r->fields.n * sizeof(*copy));
    r->fields.v = copy;
    r->fields.cap = r->fields.n;
    rules_change_request(r->site->ruled, &q, &r->said, &r->fields, &r->arena);
}

struct rules_request route_rules_request(const struct request *r)
{
    return (struct rules_request){ .path = r->rules_path,
                                   .host = r->key.host,
                                   .query = r->rules_query,
                                   .method = r->method_name,
                                   .fields = &r->fields,
                                   .https = r->key.https };
}

static void find_mode(struct request *r)
{
    r->head_only = r->method == METHOD_HEAD;
    r->upgrade = wants_upgrade(r);
    if (r->method != METHOD_GET && r->method != METHOD_HEAD)
        r->pass_reason = REASON_METHOD;
    else if (request_has_body(r))
        r->pass_reason = REASON_REQUEST_BODY;
    else if (r->upgrade)
        r->pass_reason = REASON_UPGRADE;
    else if (is_logged_in_by_connection(r))
        r->pass_reason = REASON_CONNECTION_AUTH;
    else if (r->site->ruled && r->said.bypass != RULES_NONE)
        r->pass_reason = REASON_BYPASS_RULE;
    else if (r->w->leaving)
        r->pass_reason = REASON_HANDED_OVER; /* what was purged since is known there alone */
    r->pass = r->pass_reason != REASON_NONE || r->asks_origin;
    if (r->site->cookies.n && fields_has(&r->fields, FIELD_COOKIE))
        look_at_cookies(r);
    r->is_signed = fields_has(&r->fields, FIELD_AUTHORIZATION) || fields_has(&r->fields, FIELD_SIGNATURE) ||
                   fields_has(&r->fields, FIELD_SIGNATURE_INPUT);
    r->range = r->method == METHOD_GET && fields_count(&r->fields, FIELD_RANGE) == 1
                   ? fields_value(&r->fields, FIELD_RANGE)
                   : STR_NONE;
}

static void find_debug(struct request *r)
{
    struct str secret = r->site->debug_secret, given = fields_value(&r->fields, FIELD_X_FRESHET_DEBUG);
    unsigned char differs = secret.n == 0 || secret.n != given.n;
    for (size_t i = 0; i < given.n && i < secret.n; i++)
        differs |= (unsigned char)(secret.p[i] ^ given.p[i]);
    r->debug = !differs;
}

/* ---- purges by method ---- */

bool route_is_purge(const struct request *r)
{
    static const struct str methods[] = { STR_INIT("PURGE"), STR_INIT("BAN"), STR_INIT("PURGEKEYS"),
                                          STR_INIT("PURGETAGS") };
    for (size_t i = 0; r->method == METHOD_OTHER && i < COUNT_OF(methods); i++)
        if (str_eq(r->method_name, methods[i]))
            return true;
    return false;
}

/* GET below the setting purge_path. */
static bool is_below_purge_path(const struct request *r)
{
    struct str path = r->key.path, purge = r->site->purge_path;
    return purge.n && r->method == METHOD_GET && str_starts(path, purge) && path.n > purge.n &&
           path.p[purge.n] == '/' && str_starts(r->came, purge);
}

/* A purge goes to the source of purges, and never to the origin: it may be answered for a host of no site. */
static enum http_error route_to_purges(struct request *r, const struct target *t)
{
    r->source = r->w->purges;
    return route_alone(r, t);
}

enum http_error route_to_site(struct request *r, const struct target *t)
{
    if (r->w->challenges && r->w->challenges->is_asked(r->w->challenges, r->key.path)) {
        r->source = r->w->challenges;
        return route_alone(r, t);
    }
    r->site = r->for_site ? r->for_site : settings_site_of_host(r->settings, r->key.host);
    if (r->method == METHOD_OTHER && route_is_purge(r) && r->w->purges)
        return route_to_purges(r, t);
    if (!r->site) {
        r->reason = REASON_NO_SITE;
        r->status = 421;
        return HTTP_ERROR_NONE;
    }
    if ((fields_has(&r->fields, FIELD_VIA) || fields_has(&r->fields, FIELD_CDN_LOOP)) && is_loop(r)) {
        r->reason = REASON_LOOP;
        r->status = 508;
        return HTTP_ERROR_NONE;
    }
    r->key.site = r->site->name;
    r->key.order = (enum query_order)r->site->query;
    r->came = target_as_came(r, t);
    if (r->site->webhooks.n && r->w->webhooks &&
        webhook_at(r->site->webhook_list, r->site->webhooks.n, r->key.path)) {
        r->source = r->w->webhooks;
        return route_alone(r, t);
    }
    if (r->site->purge_path.n && is_below_purge_path(r) && r->w->purges)
        return route_to_purges(r, t);
    find_query(r, t);
    if (r->site->ruled)
        ask_rules(r, t);
    find_mode(r);
    find_data_request(r);
    if (fields_has(&r->fields, FIELD_X_FRESHET_DEBUG))
        find_debug(r);
    policy_request_directives(r->site, &r->fields, &r->directives);
    return HTTP_ERROR_NONE;
}

enum http_error route_alone(struct request *r, const struct target *t)
{
    r->pass = true;
    r->came = target_as_came(r, t);
    r->key.query = t->query;
    r->key.has_query = t->has_query;
    return HTTP_ERROR_NONE;
}

enum http_error route_request(struct request *r)
{
    struct target t;
    if (r->method == METHOD_CONNECT || r->method == METHOD_TRACE)
        return HTTP_ERROR_METHOD_REFUSED;
    r->trusted = route_peer_is_trusted(r->snapshot, r->peer);
    enum http_error e = find_target(r, &t);
    if (e == HTTP_ERROR_NONE)
        e = find_host(r, &t);
    return e != HTTP_ERROR_NONE ? e : r->source->route(r, &t);
}

bool route_max_forwards(const struct request *r, uint64_t *hops)
{
    return r->method == METHOD_OPTIONS && fields_has(&r->fields, FIELD_MAX_FORWARDS) &&
           str_to_u64(fields_value(&r->fields, FIELD_MAX_FORWARDS), INT64_MAX, hops);
}
