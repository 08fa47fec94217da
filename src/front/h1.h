/*
 * HTTP/1.1 to clients (RFC 9112): a connection turns bytes into requests, one after the other, and replies into bytes. It knows
 * framing, keep-alive, pipelining, Expect, and nothing of caching.
 */
#ifndef FRONT_H1_H
#define FRONT_H1_H

#include "front/front.h"

/* Makes a front of this protocol. On the thread of the worker whose requests they are, or before it starts. Never NULL. */
struct front *h1_front_new(struct requests *requests);

#endif
