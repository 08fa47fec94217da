/*
 * URLs that somebody names to the admin site (purge, explain), brought to the spelling that requests have. People copy them
 * from a browser's address bar or a CMS's database, so what a browser would do before it asks is done here. Pure.
 */
#ifndef ADMIN_NAMED_H
#define ADMIN_NAMED_H

#include "cache/key.h"
#include "http/url.h"

struct named {
    struct target target; /* as written, but percent-encoded and without fragment */
    bool has_host;        /* false: a path alone; then https, host and port are not set */
    bool https;
    struct host host;
    struct str path; /* normalised */
};

/* Absolute (http, https) or a path. Without the fragment, which no server ever sees; bytes that are not ASCII are
 * percent-encoded. The query is checked and stays as it is in `target`. */
enum http_error named_parse(struct str url, struct arena *a, struct named *out);

/* What is wrong with the URL of which named_parse said `e`: the end of a sentence that begins with it, "has ...; write ...".
 * A literal. */
const char *named_problem(struct str url, enum http_error e);

/* A domain as a site's visitors know it: HOST or HOST:PORT. */
enum http_error named_host(struct str text, struct arena *a, struct host *out);

/* The request that it stands for at a site, without fields and country. `host`: of the request. */
void named_request(const struct named *n, const struct site_settings *site, const struct host *host,
                   struct arena *a, struct key_request *out);

#endif
