#include "request/redirect.h"

#include "http/url.h"

/* The scheme of a reference, ":" not included: letters, digits, "+", "-", "." in front of the first "/", "?"
 * or "#". 0: none. */
static size_t scheme_bytes(struct str reference)
{
    size_t n = 0;
    while (n < reference.n && (is_alpha(reference.p[n]) || is_digit(reference.p[n]) ||
                               reference.p[n] == '+' || reference.p[n] == '-' || reference.p[n] == '.'))
        n++;
    return n < reference.n && reference.p[n] == ':' ? n : 0;
}

/* Another host of the same site counts when the site lists it: the one that takes all the rest takes
 * strangers as well. */
static bool is_host_of_site(const struct request *r, const struct host *host)
{
    if (str_eq(host->name, r->key.host))
        return true;
    return r->site != r->settings->site_of_rest && settings_site_of_host(r->settings, host->name) == r->site;
}

/* Does the Location lead to a page of this site, on the same port? From http to https counts too. */
static bool is_within_site(struct request *r, struct str location)
{
    struct host host;
    bool https = r->key.https;
    size_t scheme = scheme_bytes(location);
    if (scheme) {
        struct str name = str_first(location, scheme);
        https = str_eq_nocase(name, STR("https"));
        if (!https && !str_eq_nocase(name, STR("http")))
            return false;
        location = str_from_index(location, scheme + 1);
    }
    if (!str_starts(location, STR("//")))
        return !scheme;
    struct str authority = str_from_index(location, 2);
    size_t n = 0;
    while (n < authority.n && authority.p[n] != '/' && authority.p[n] != '?' && authority.p[n] != '#')
        n++;
    if (host_parse(str_first(authority, n), https, &r->arena, &host) != HTTP_ERROR_NONE)
        return false;
    bool same_scheme = https == r->key.https || (https && !r->key.port);
    return same_scheme && host.port == r->key.port && is_host_of_site(r, &host);
}

struct str redirect_location(struct request *r, struct str location)
{
    struct str target = str_first(location, str_index(location, '#'));
    size_t mark = str_index(target, '?');
    if (target.n == 0 || !is_within_site(r, location))
        return location;
    struct str more = query_ignored(str_from_index(r->came, str_index(r->came, '?') + 1),
                                    &r->site->ignored_params, str_from_index(target, mark + 1), &r->arena);
    if (more.n == 0)
        return location;
    bool begun = mark < target.n && (mark + 1 == target.n || target.p[target.n - 1] == '&');
    struct str between = begun ? STR_NONE : mark < target.n ? STR("&") : STR("?");
    return ARENA_JOIN(&r->arena, target, between, more, str_from_index(location, target.n));
}
