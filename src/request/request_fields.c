#include "http/accept.h"
#include "http/validator.h"
#include "http/url.h"
#include "request/country.h"
#include "request/request_machine.h"
#include "request/route.h"

/* Proxies and frameworks tell an application with these families of fields who asks for what. Each name is
 * a way to make another page of the same URL. Frameworks behind CGI's naming cannot tell "_" from "-". */
static bool is_untrusted_name(struct str name)
{
    static const struct str families[] = { STR_INIT("netlify-"),    STR_INIT("x-freshet-"),
                                           STR_INIT("x-forwarded"), STR_INIT("x-original-"),
                                           STR_INIT("x-rewrite-"),  STR_INIT("x-middleware-"),
                                           STR_INIT("x-invoke-"),   STR_INIT("x-matched-path"),
                                           STR_INIT("x-now-"),      STR_INIT("x-vercel-"),
                                           STR_INIT("next-resume"), STR_INIT("x-next-resume-") };
    char third = name.n > 2 ? ascii_lower(name.p[2]) : 0; /* what tells most of them apart */
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        size_t n = 0;
        if (families[i].p[2] != third)
            continue;
        while (n < families[i].n && n < name.n &&
               (name.p[n] == '_' ? '-' : ascii_lower(name.p[n])) == families[i].p[n])
            n++;
        if (n == families[i].n)
            return true;
    }
    return false;
}

static bool is_untrusted_field(const struct field *f)
{
    return field_class_of(f->id) == FIELD_CLASS_U || (f->id == FIELD_OTHER && is_untrusted_name(f->name));
}

static bool is_passed_on(const struct request *r, const struct field *f, const struct field_names *listed)
{
    switch (f->id) {
    case FIELD_EXPECT: /* answered by the front */
    case FIELD_VIA:
    case FIELD_CDN_LOOP:
    case FIELD_X_REQUEST_ID:
    case FIELD_X_FORWARDED_FOR:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FRESHET_DEBUG:
    case FIELD_X_COUNTRY: return false; /* written below, or for us */
    case FIELD_UPGRADE: return r->upgrade;
    case FIELD_MAX_FORWARDS: return r->method != METHOD_OPTIONS;
    default: break;
    }
    enum field_class class = field_class_of(f->id);
    if (class == FIELD_CLASS_H || class == FIELD_CLASS_F || (is_untrusted_field(f) && !r->trusted))
        return false;
    return !field_names_has(listed, f);
}

static void add_forwarding(struct request *r, struct fields *to)
{
    struct arena *a = &r->arena;
    struct str before = r->trusted ? fields_joined(&r->fields, FIELD_X_FORWARDED_FOR, a) : STR_NONE;
    struct str peer = route_peer_ip(r);
    struct str chain = before.n && peer.n ? ARENA_JOIN(a, before, STR(", "), peer) : before.n ? before : peer;
    if (chain.n)
        fields_add_id(to, a, FIELD_X_FORWARDED_FOR, chain);
    if (r->authority.n)
        fields_add_id(to, a, FIELD_X_FORWARDED_HOST, r->authority);
    fields_add_id(to, a, FIELD_X_FORWARDED_PROTO, r->key.https ? STR("https") : STR("http"));
    if (r->key.country.n)
        fields_add_id(to, a, FIELD_X_COUNTRY, r->key.country);

    struct str via = fields_joined(&r->fields, FIELD_VIA, a),
               loop = fields_joined(&r->fields, FIELD_CDN_LOOP, a);
    fields_add_id(to, a, FIELD_VIA,
                  ARENA_JOIN(a, via, via.n ? STR(", ") : STR_NONE, r->protocol, STR(" "), r->w->self));
    fields_add_id(to, a, FIELD_CDN_LOOP, loop.n ? ARENA_JOIN(a, loop, STR(", "), r->w->self) : r->w->self);
    fields_add_id(to, a, FIELD_X_REQUEST_ID, request_id(r));
}

/* The key holds these lists in one order, so the origin gets them in that order (CACHING.md 4.9). */
static bool is_put_in_order(enum field_id id)
{
    return id == FIELD_ACCEPT_ENCODING || id == FIELD_ACCEPT_LANGUAGE;
}

/* The origin knows its own entity tags, not those of codings that freshet has made. */
static struct field with_origins_tags(struct request *r, const struct field *f)
{
    struct field out = *f;
    bool has_tags = f->id == FIELD_IF_MATCH || f->id == FIELD_IF_NONE_MATCH || f->id == FIELD_IF_RANGE;
    if (has_tags && r->site && r->site->compress)
        out.value = etag_list_plain(f->value, &r->arena);
    return out;
}

static void add_visitors(struct request *r, struct fields *to, bool in_order)
{
    struct field_names listed;
    framing_connection_names(&r->fields, &r->arena, &listed);
    for (size_t i = 0; i < r->fields.n; i++) {
        const struct field *f = &r->fields.v[i];
        if (in_order && (is_put_in_order(f->id) || (f->id == FIELD_COOKIE && r->ignored_cookies)))
            continue;
        if (is_passed_on(r, f, &listed))
            fields_add_line(to, &r->arena, with_origins_tags(r, f));
    }
}

static bool is_ignored(const struct request *r, const struct cookie *c)
{
    return cookie_names_find(&r->site->cookies, c->name, COOKIE_IGNORED).n > 0;
}

/* One line, without the cookies of ignore_cookies (CACHING.md 4.5). */
static void add_cookies(struct request *r, struct fields *to)
{
    struct cookies all = cookie_list(&r->fields);
    struct cookie c;
    size_t n = 0;
    char *p = arena_alloc(&r->arena, fields_bytes(&r->fields, FIELD_COOKIE) + 2 * KEY_COOKIES_MAX);
    while (cookie_next(&all, &c)) {
        if (is_ignored(r, &c))
            continue;
        if (n)
            n = (size_t)(str_put(p + n, STR("; ")) - p);
        n = (size_t)(str_put(p + n, c.raw) - p);
    }
    if (n)
        fields_add_id(to, &r->arena, FIELD_COOKIE, (struct str){ p, n });
}

static void add_hops(struct request *r, struct fields *to)
{
    uint64_t hops;
    if (route_max_forwards(r, &hops) && hops > 0)
        fields_add_id(to, &r->arena, FIELD_MAX_FORWARDS, arena_decimal(&r->arena, hops - 1));
}

/* What the origin is offered, and what a key has of it. Where codings are freshet's own affair every visitor
 * gets the page that was asked for without one, unless a coding of it stays (CACHING.md 4.9). */
static struct str wanted_encodings(const struct request *r)
{
    if (r->site && r->site->compress && !rule_has_encoding(r->rule))
        return STR("identity");
    return accept_encoding_normalize(&r->fields);
}

const struct fields *request_fields(struct request *r)
{
    if (r->fields_made)
        return &r->sent;
    r->fields_made = true;
    add_visitors(r, &r->sent, true);
    if (r->ignored_cookies)
        add_cookies(r, &r->sent);
    if (r->w->country)
        r->key.country = country_of(r->w->country, request_client_ip(r), &r->arena);
    struct str encodings = wanted_encodings(r);
    if (encodings.n)
        fields_add_id(&r->sent, &r->arena, FIELD_ACCEPT_ENCODING, encodings);
    /* The key holds the same order, so it need not read the field again. */
    r->key.languages = accept_language_read(&r->fields, &r->arena);
    if (r->key.languages)
        fields_add_id(&r->sent, &r->arena, FIELD_ACCEPT_LANGUAGE,
                      accept_language_ordered(r->key.languages, &r->arena));
    add_hops(r, &r->sent);
    add_forwarding(r, &r->sent);
    r->key.fields = &r->sent;
    return &r->sent;
}

static bool is_as_came(const struct request *r, enum field_id id, struct str in_order)
{
    return fields_count(&r->fields, id) <= 1 && str_eq(fields_value(&r->fields, id), in_order);
}

/* Who takes no coding loses nothing when the origin is asked for none. */
static bool encodings_are_as_came(const struct request *r)
{
    struct str sent = fields_value(&r->sent, FIELD_ACCEPT_ENCODING);
    return is_as_came(r, FIELD_ACCEPT_ENCODING, sent) ||
           (str_eq(sent, STR("identity")) && accept_encoding_normalize(&r->fields).n == 0);
}

bool request_is_in_order(struct request *r)
{
    const struct fields *sent = request_fields(r);
    return request_came_is_key(r) && encodings_are_as_came(r) &&
           is_as_came(r, FIELD_ACCEPT_LANGUAGE, fields_value(sent, FIELD_ACCEPT_LANGUAGE));
}

const struct fields *request_fields_as_came(struct request *r)
{
    struct fields *came = arena_zero(&r->arena, sizeof(*came));
    request_fields(r); /* the country is found there */
    add_visitors(r, came, false);
    add_hops(r, came);
    add_forwarding(r, came);
    return came;
}

bool request_drops_cookies(struct request *r)
{
    if (!fields_has(&r->fields, FIELD_COOKIE))
        return false;
    request_fields(r);
    return r->ignored_cookies ||
           (r->site->unkeyed_cookies == UNKEYED_STRIP && key_has_unkeyed_cookies(&r->sent, r->rule));
}

bool request_came_is_key(struct request *r)
{
    struct str path = r->key.spelling.n ? r->key.spelling : r->key.path, rest = r->came;
    bool dropped = false;
    if (r->site->unkeyed_query == UNKEYED_STRIP && r->key.has_query)
        query_keep_listed(r->key.query, r->rule, &r->arena, &dropped);
    if (dropped || !str_starts(rest, path) || request_has_purpose(r))
        return false;
    rest = (struct str){ rest.p + path.n, rest.n - path.n };
    bool same_query = r->key.has_query
                          ? rest.n > 0 && rest.p[0] == '?' && str_eq(str_from_index(rest, 1), r->key.query)
                          : rest.n == 0;
    return same_query && !request_drops_cookies(r) &&
           (!fields_has(&r->fields, FIELD_ACCEPT_LANGUAGE) ||
            str_eq(fields_joined(&r->fields, FIELD_ACCEPT_LANGUAGE, &r->arena),
                   fields_joined(request_fields(r), FIELD_ACCEPT_LANGUAGE, &r->arena)));
}
