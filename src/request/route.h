/*
 * The first step: whose request is it, what is asked for, and what of it may be believed. Fills the route part of the request.
 */
#ifndef REQUEST_ROUTE_H
#define REQUEST_ROUTE_H

#include "request/request.h"

/* HTTP_ERROR_NONE, or what is wrong with the request; r->reason and r->status are set when it is refused for another reason
 * (unknown host, loop): then the status is not 0. */
enum http_error route_request(struct request *r);

/* Is the peer one whose X-Forwarded-* are believed? */
bool route_peer_is_trusted(const struct snapshot *s, const struct address *peer);

/* Max-Forwards of an OPTIONS request (RFC 9110 §7.6.2); false: none. At 0 it is for us. */
bool route_max_forwards(const struct request *r, uint64_t *hops);

/* The visitor's address, for the log and the country. In the arena or the fields. */
struct str request_client_ip(struct request *r);

#endif
