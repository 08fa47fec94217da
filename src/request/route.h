/*
 * The first step of a request: finds the site and the page, and which of the client's claims may be believed.
 * Fills the route part of the request. All functions run on the request's thread; what they return is in the
 * request's arena, unless said otherwise.
 */
#ifndef REQUEST_ROUTE_H
#define REQUEST_ROUTE_H

#include "request/request.h"

/* Routes the request; the route step calls it, once. Returns HTTP_ERROR_NONE, or what is wrong with the
 * request. When the request is refused for another reason (unknown host, loop), it returns HTTP_ERROR_NONE
 * and has set r->reason and r->status; else r->status stays 0. */
enum http_error route_request(struct request *r);

/* The ways to route of sources: members `route` (request/source.h), which route_request calls. route_to_site
 * finds the site of the host, and whether the request has to pass. route_alone is for a source without sites:
 * each request passes, with its query as it came. */
enum http_error route_to_site(struct request *r, const struct target *t);
enum http_error route_alone(struct request *r, const struct target *t);

/* Returns the name in bypass_cookies that one of the request's cookies matches, or a sentence when there are
 * too many to be looked at. For explain, after route_to_site. Empty: none does. */
struct str route_bypass_cookie(const struct request *r);

/* Returns the request as the site's rules see it. Call it after route_request. */
struct rules_request route_rules_request(const struct request *r);

/* Are the X-Forwarded-* fields of that peer believed (trusted_proxies)? */
bool route_peer_is_trusted(const struct snapshot *s, const struct address *peer);

/* Does the request's method purge (PURGE, BAN, PURGEKEYS, PURGETAGS)? */
bool route_is_purge(const struct request *r);

/* Finds who sent the request, for what only some may do: the peer, or the visitor whom a trusted proxy
 * names. false: it is not known, since the request shows the marks of a proxy that says nothing, or is not
 * trusted. */
bool route_sender(struct request *r, struct address *out);

/* Returns the peer's address as text, without a port. Empty: the peer is on a Unix socket. */
struct str route_peer_ip(struct request *r);

/* Sets *hops to Max-Forwards of an OPTIONS request (RFC 9110 §7.6.2). At 0 freshet answers itself. false: it
 * is another method, or the field is absent or no number. */
bool route_max_forwards(const struct request *r, uint64_t *hops);

/* Returns the visitor's address, for the log and the country: when the peer is trusted, the last one in
 * X-Forwarded-For that is no trusted proxy's, else the peer's. In the arena, or in the request's fields.
 * Empty: the peer is on a Unix socket. */
struct str request_client_ip(struct request *r);

#endif
