/*
 * HTTP/1.1 to clients (RFC 9112): a connection turns bytes into requests, one after the other, and replies into bytes. It knows
 * framing, keep-alive, pipelining, Expect, and nothing of caching. Belongs to one worker.
 */
#ifndef FRONT_H1_H
#define FRONT_H1_H

#include "base/stock.h"
#include "io/listener.h"
#include "request/request.h"

/* What the connections of one listener and worker share. */
struct h1_front {
    struct requests *requests;
    struct list connections; /* open ones */
    size_t open;
    bool draining;
    /* A connection closed: the owner may resume accepting, or finish its drain. */
    void (*closed)(struct h1_front *f);
    void *owner;
    struct stock exchanges; /* private to front/h1_exchange.c, as what follows */
    struct timer trim;
};

void h1_front_init(struct h1_front *f, struct requests *requests);
void h1_front_fini(struct h1_front *f);

/* Takes over an accepted socket. */
void h1_accept(struct h1_front *f, int fd, const struct address *peer);

/* No new requests: idle connections close now, busy ones after their reply. */
void h1_drain(struct h1_front *f);
/* The deadline: all close now. */
void h1_close_all(struct h1_front *f);

#endif
