/*
 * The first step of a request: finds the site and the page, and which of the client's claims may be believed.
 * Fills the route part of the request. On the request's thread.
 */
#ifndef REQUEST_ROUTE_H
#define REQUEST_ROUTE_H

#include "request/request.h"

/* Returns HTTP_ERROR_NONE, or what is wrong with the request. When the request is refused for another reason
 * (unknown host, loop), r->reason and r->status are set and r->status is not 0. */
enum http_error route_request(struct request *r);

/* Ways to route, for sources (request/source.h). route_to_site finds the site of the host; the cache is asked
 * unless the request has to pass. route_alone is for a source without sites: each request passes, with its
 * query as it came. */
enum http_error route_to_site(struct request *r, const struct target *t);
enum http_error route_alone(struct request *r, const struct target *t);

/* Are the peer's X-Forwarded-* fields believed? */
bool route_peer_is_trusted(const struct snapshot *s, const struct address *peer);

/* Returns the peer's address as text, in the arena. */
struct str route_peer_ip(struct request *r);

/* Reads Max-Forwards of an OPTIONS request (RFC 9110 §7.6.2). At 0 freshet answers itself. false: there is
 * none. */
bool route_max_forwards(const struct request *r, uint64_t *hops);

/* Returns the visitor's address, for the log and the country. In the arena, or in the fields. */
struct str request_client_ip(struct request *r);

#endif
