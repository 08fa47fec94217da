#include "cache/named.h"

static struct str clean(struct str url, struct arena *a)
{
    url = str_trim(url);
    url = str_first(url, str_index(url, '#'));
    struct str encoded;
    return target_encode(url, a, &encoded) ? encoded : url;
}

enum http_error named_parse(struct str url, struct arena *a, struct named *out)
{
    *out = (struct named){ 0 };
    struct target *t = &out->target;
    enum http_error e = target_parse(clean(url, a), t);
    if (e == HTTP_ERROR_NONE && t->form == TARGET_ASTERISK)
        e = HTTP_ERROR_TARGET;
    if (e == HTTP_ERROR_NONE)
        e = path_normalize(t->path, a, &out->path);
    if (e == HTTP_ERROR_NONE && t->has_query)
        e = query_check(t->query);
    if (e != HTTP_ERROR_NONE || t->form != TARGET_ABSOLUTE)
        return e;
    out->has_host = true;
    out->https = str_eq(t->scheme, STR("https"));
    return host_parse(t->authority, out->https, a, &out->host);
}

/* "ftp:" of "ftp://a/b", not of "a?b=c://d" */
static bool has_scheme(struct str url)
{
    size_t n = 0;
    while (n < url.n && is_alpha(url.p[n]))
        n++;
    return n && str_starts(str_from_index(url, n), STR("://"));
}

static const char *absolute_problem(struct str url, enum http_error e)
{
    struct str rest = str_from_index(url, str_starts_nocase(url, STR("https")) ? 8 : 7);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    if (n == 0)
        return "names no host; write http://HOST/PATH";
    if (str_index(str_first(rest, n), '@') < n)
        return "has a user or password before an @; leave it out, it is no part of a page's address";
    if (e == HTTP_ERROR_HOST_INVALID)
        return "has no valid host or port; write http://HOST[:PORT]/PATH";
    return "is no valid URL; write http://HOST/PATH";
}

struct str named_target(const struct named *n, struct arena *a)
{
    return n->target.has_query ? ARENA_JOIN(a, n->path, STR("?"), n->target.query) : n->path;
}

struct str named_url(const struct named *n, struct arena *a)
{
    struct str target = named_target(n, a);
    return n->has_host ? ARENA_JOIN(a, n->https ? STR("https://") : STR("http://"), n->host.authority, target)
                       : target;
}

const char *named_problem(struct str url, enum http_error e, bool path_will_do)
{
    url = str_trim(url);
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] == ' ')
            return "has a space; write %20 for it";
        else if ((unsigned char)url.p[i] < 0x20 || url.p[i] == 0x7f)
            return "has a control character; write it percent-encoded, or leave it out";
    if (url.n == 0)
        return "is empty; write http://HOST/PATH";
    if (e == HTTP_ERROR_TARGET_ENCODING)
        return "has a bad percent-encoding, or that of a control character; a % itself is written %25";
    if (str_starts_nocase(url, STR("http://")) || str_starts_nocase(url, STR("https://")))
        return absolute_problem(url, e);
    if (has_scheme(url))
        return "is neither http nor https; write the URL as visitors see it";
    return path_will_do ? "begins with neither http:// nor https://, and as a path it begins with /; write "
                          "/books/1, or the whole URL as visitors see it"
                        : "begins with neither http:// nor https://; write the whole URL as visitors see it";
}

enum http_error named_host(struct str text, struct arena *a, struct host *out)
{
    return host_parse(str_trim(text), false, a, out);
}

void named_request(const struct named *n, const struct site_settings *site, const struct host *host,
                   struct arena *a, struct key_request *out)
{
    *out = (struct key_request){
        .site = site->name,
        .https = n->https,
        .host = host->name,
        .port = host->port,
        .path = n->path,
        .query = n->target.query,
        .has_query = n->target.query.n > 0, /* an empty query is no query (CACHING.md 4.3) */
        .order = (enum query_order)site->query,
    };
    if (out->has_query)
        out->query = query_strip_ignored(out->query, &site->ignored_params, a, &out->has_query);
}
