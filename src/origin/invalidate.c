#include "origin/invalidate.h"

#include "http/sf.h"
#include "http/url.h"

#define GROUPS_MAX 64

static void set_query(struct key_request *out, struct str reference)
{
    struct str rest = str_first(reference, str_index(reference, '#'));
    size_t mark = str_index(rest, '?');
    out->has_query = mark < rest.n;
    out->query = str_from_index(rest, mark + 1);
}

static bool absolute(const struct key_request *at, struct str reference, struct arena *a,
                     struct key_request *out)
{
    struct target t;
    struct host h;
    /* A fragment is not part of what is stored; target_parse refuses one. */
    if (target_parse(str_first(reference, str_index(reference, '#')), &t) != HTTP_ERROR_NONE ||
        t.form != TARGET_ABSOLUTE)
        return false;
    bool https = str_eq(t.scheme, STR("https"));
    if (https != at->https || host_parse(t.authority, https, a, &h) != HTTP_ERROR_NONE ||
        !str_eq(h.name, at->host) || h.port != at->port)
        return false;
    out->query = t.query;
    out->has_query = t.has_query;
    return path_normalize(t.path, a, &out->path) == HTTP_ERROR_NONE;
}

/* The directory of a path: up to its last slash. */
static struct str directory(struct str path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path;
}

bool same_origin_reference(const struct key_request *at, struct str reference, struct arena *a,
                           struct key_request *out)
{
    *out = *at;
    if (!target_encode(reference, a, &reference))
        return false;
    if (str_starts_nocase(reference, STR("http:")) || str_starts_nocase(reference, STR("https:")))
        return absolute(at, reference, a, out);
    if (str_starts(reference, STR("//")))
        return absolute(at, arena_printf(a, "%s:%.*s", at->https ? "https" : "http", STR_ARG(reference)), a,
                        out);
    size_t path_n = 0;
    while (path_n < reference.n && reference.p[path_n] != '?' && reference.p[path_n] != '#')
        path_n++;
    struct str path = str_first(reference, path_n);
    /* Another scheme, "mailto:x". */
    size_t colon = str_index(path, ':');
    if (colon < path.n && str_index(path, '/') > colon)
        return false;
    if (path.n == 0)
        path = at->path;
    else if (path.p[0] != '/')
        path = arena_printf(a, "%.*s%.*s", STR_ARG(directory(at->path)), STR_ARG(path));
    /* Without a path and a query of its own it has the base's query too: "#part" is the page itself (RFC 3986
     * §5.2.2). */
    if (path_n > 0 || (reference.n > 0 && reference.p[0] == '?'))
        set_query(out, reference);
    return path_normalize(path, a, &out->path) == HTTP_ERROR_NONE;
}

static void invalidate_url(struct cache *c, const struct key_request *url, struct arena *a,
                           int64_t now_mono_ms)
{
    uint64_t name;
    if (name_of_unsafe(c, url, a, &name))
        epochs_purge(c->epochs, PURGE_INVALIDATE, &name, 1, now_mono_ms);
}

static void invalidate_reference(struct cache *c, const struct key_request *at, struct str reference,
                                 struct arena *a, int64_t now_mono_ms)
{
    struct key_request url;
    if (reference.n && same_origin_reference(at, reference, a, &url))
        invalidate_url(c, &url, a, now_mono_ms);
}

/* "https://HOST:PORT", as a purge of groups names their origin. */
static struct str origin_text(const struct key_request *at, struct arena *a)
{
    return ARENA_JOIN(a, at->https ? STR("https://") : STR("http://"), at->host,
                      at->port ? STR(":") : STR_NONE, at->port ? arena_decimal(a, at->port) : STR_NONE);
}

static void invalidate_groups(struct cache *c, const struct settings *settings, const struct key_request *at,
                              const struct fields *response, struct arena *a, int64_t now_mono_ms)
{
    struct sf_members groups;
    struct str named[GROUPS_MAX];
    size_t n = 0;
    if (!fields_has(response, FIELD_CACHE_GROUP_INVALIDATION) ||
        !sf_parse_list(fields_joined(response, FIELD_CACHE_GROUP_INVALIDATION, a), a, &groups))
        return;
    for (size_t i = 0; i < groups.n && n < GROUPS_MAX; i++)
        if (groups.v[i].value.type == SF_STRING)
            named[n++] = groups.v[i].value.text;
    struct purge purge = { .scope = PURGE_OF_GROUPS,
                           .kind = PURGE_INVALIDATE,
                           .cause = PURGE_BY_UNSAFE,
                           .origin = origin_text(at, a),
                           .groups = { named, n } };
    struct purge_result result;
    struct purge_error error;
    bool applied = purge_apply(c, settings, &purge, now_mono_ms, a, &result, &error);
    CHECK_DEBUG(applied); /* the host was parsed before it came here */
    (void)applied;
}

void invalidate_by_answer(struct cache *c, const struct settings *settings, const struct key_request *at,
                          const struct fields *response, struct arena *a, int64_t now_mono_ms)
{
    invalidate_url(c, at, a, now_mono_ms);
    invalidate_reference(c, at, fields_value(response, FIELD_LOCATION), a, now_mono_ms);
    invalidate_reference(c, at, fields_value(response, FIELD_CONTENT_LOCATION), a, now_mono_ms);
    invalidate_groups(c, settings, at, response, a, now_mono_ms);
}
