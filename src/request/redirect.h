/*
 * Redirects within the site (CACHING.md 4.7). The origin does not see parameters that the key leaves out. So
 * a redirect within the site would lose them: freshet adds them again.
 */
#ifndef REQUEST_REDIRECT_H
#define REQUEST_REDIRECT_H

#include "request/request.h"

/*
 * Returns the Location with the visitor's ignored parameters behind its own query, in the request's arena.
 * Returns `location` itself when it leads to another site, when it already has them, and when it is a
 * reference without path and query, which inherits the request's (RFC 3986 §5.2.2).
 */
struct str redirect_location(struct request *r, struct str location);

#endif
