/*
 * What a site asks of its visitors about TLS: to come by https (setting https_redirect), and to stay there
 * (hsts, RFC 6797). All functions run on the request's thread.
 */
#ifndef REQUEST_SECURE_H
#define REQUEST_SECURE_H

#include "request/request.h"

/* After the request is routed: returns the URL that it is redirected to, since it came in clear; in `a`.
 * Empty: it is not redirected. What must work in clear is not: challenges of ACME (RFC 8555 §8.3), and a
 * request without a host, for which there is no URL. */
struct str secure_location(const struct request *r, struct arena *a);

/* Adds Strict-Transport-Security to the reply, unless the response has one of its own. The request came by
 * https, and its site has a value for it. */
void secure_add_hsts(struct request *r);

#endif
