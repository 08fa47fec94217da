/*
 * HTTP/2 to clients (RFC 9113). What the protocol demands is in http/h2.h; here it gets a socket, a clock and
 * requests, one a stream. It knows nothing of caching.
 */
#ifndef FRONT_H2_H
#define FRONT_H2_H

#include "front/front.h"

/* Makes a front of this protocol, on the thread of the requests' worker or before it starts. Never NULL. */
struct front *h2_front_new(struct requests *requests);

#endif
