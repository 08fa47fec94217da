/*
 * Assets: the scripts, styles, fonts and pictures that a build makes under names of its own, and that are the
 * same for every visitor. A cookie of somebody who is logged in does not concern them (CACHING.md 2.14).
 * Neither `immutable` alone nor a hash in a name is proof: frameworks send `immutable` with what changes at
 * each build. Pure: any thread.
 */
#ifndef CACHE_ASSET_H
#define CACHE_ASSET_H

#include "conf/settings.h"
#include "http/directives.h"
#include "http/head.h"

/* Is the path below one of the site's asset_prefixes? `path`: normalised, without query. */
bool asset_is_below_prefix(const struct site_settings *site, struct str path);

/* Does the status say that the origin lacks what is at that path, below one of the site's asset_prefixes? In
 * the middle of a deploy another process of the origin may have it, so nobody should remember the answer. */
bool asset_is_missing(const struct site_settings *site, struct str path, int status);

/* Is the answer what an origin sends in place of an asset that it lacks: 404, 410, or a page with status
 * 200? */
bool asset_is_replaced(int status, const struct fields *response);

/* An answer that may be one. */
struct asset_question {
    const struct site_settings *site;
    enum method method;
    struct str path;
    int status;
    const struct fields *request, *response;
    const struct directives *cache_control; /* the answer's own, without targeted fields */
    bool called_static;                     /* a rule of the site says so: no Cache-Control has to */
};
/* Is the answer an asset? It is a whole 200 to GET, without Set-Cookie, for a request without Authorization;
 * it varies by nothing but Accept-Encoding and Origin; it is no page and no data; its name is none that
 * frameworks ask for news; and Cache-Control says neither private nor no-store, but immutable, or a max-age
 * of 30 days or more below a prefix. */
bool asset_is(const struct asset_question *q);

#endif
