/*
 * URLs that somebody names to the admin site (purge, explain), brought to the spelling that requests have.
 * People copy them from a browser's address bar or from a CMS, so this does what a browser would do before it
 * asks. Strings of a result are in the arena, or views of the text or the structs that were given. Pure.
 */
#ifndef CACHE_NAMED_H
#define CACHE_NAMED_H

#include "cache/key.h"
#include "http/url.h"

struct named {
    struct target target; /* as written, but percent-encoded and without its fragment */
    bool has_host;        /* false: only a path was given; `https` and `host` are not set */
    bool https;
    struct host host;
    struct str path; /* normalised */
};

/* Parses an absolute URL (http, https) or a path. Drops the fragment, which no server sees. Percent-encodes
 * bytes that are not ASCII. Checks the query, which stays unchanged in `target`. HTTP_ERROR_NONE: *out is
 * set. Else it returns what is wrong, for named_problem, and *out must not be used. */
enum http_error named_parse(struct str url, struct arena *a, struct named *out);

/* Returns what it names at its host: the normalised path, and the query as it stands. In the arena, or the
 * URL's own. */
struct str named_target(const struct named *n, struct arena *a);

/* Returns the URL that it is, without a fragment; without a host: what named_target returns. In the arena, or
 * the text's own. */
struct str named_url(const struct named *n, struct arena *a);

/* Returns what is wrong with the URL, for `e` of named_parse: the end of a sentence that begins with the URL,
 * "has ...; write ...". A literal. `path_will_do`: a path alone is good there. */
const char *named_problem(struct str url, enum http_error e, bool path_will_do);

/* Parses a domain as the site's visitors know it: HOST or HOST:PORT. Port 80 counts as none. Returns
 * HTTP_ERROR_NONE, or what is wrong; then *out must not be used. */
enum http_error named_host(struct str text, struct arena *a, struct host *out);

/* Makes the request that the URL stands for at a site, without fields and country. `host`: the request's
 * host. */
void named_request(const struct named *n, const struct site_settings *site, const struct host *host,
                   struct arena *a, struct key_request *out);

#endif
