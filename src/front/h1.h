/*
 * HTTP/1.1 to clients (RFC 9112). A connection turns bytes into requests, one after the other, and replies
 * into bytes. It handles framing, keep-alive, pipelining and Expect, and knows nothing of caching.
 */
#ifndef FRONT_H1_H
#define FRONT_H1_H

#include "front/front.h"

/* Makes a front of this protocol, on the thread of the requests' worker or before it starts. Never NULL. */
struct front *h1_front_new(struct requests *requests);

#endif
