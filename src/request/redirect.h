/*
 * Redirects within the site (CACHING.md 4.7). The origin did not see the parameters that the key leaves out; a redirect of its
 * own site would lose them on the way.
 */
#ifndef REQUEST_REDIRECT_H
#define REQUEST_REDIRECT_H

#include "request/request.h"

/*
 * Returns the Location with the visitor's ignored parameters behind its own query, in the request's arena. Returns `location`
 * itself when it leads to another site, when it has them, and when it inherits them: a reference without path and
 * query is the page that he asked for, query and all (RFC 3986 §5.2.2).
 */
struct str redirect_location(struct request *r, struct str location);

#endif
