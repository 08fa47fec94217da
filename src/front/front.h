/*
 * A protocol that clients speak, as those who accept connections see it. A front turns bytes into requests (request/request.h)
 * and replies into bytes, for all connections of one worker and one purpose: the sites, or the admin listener. All
 * functions are called on the worker's thread, from its loop. A protocol that is added here needs no change elsewhere.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "io/stream.h"
#include "request/request.h"

struct front;

/* What a protocol offers. Each function gets a front that its own code made. */
struct front_protocol {
    struct str name; /* for people: "HTTP/1.1" */
    /*
     * Takes over an open stream, which stands in memory of mem_alloc and does not read: the front gives itself the stream
     * (stream_give), and frees it after its `closed`. `early`: bytes that whoever had the stream before has read; the front
     * copies them. Calls none of the front's notices.
     */
    void (*accept)(struct front *f, struct stream *s, const struct address *peer, struct str early);
    /* No new requests: idle connections close soon, busy ones after their reply. At most once. */
    void (*drain)(struct front *f);
    /* The deadline: all connections close now. `closed` follows for each, from the loop. */
    void (*close_all)(struct front *f);
    /* No connection is open. */
    void (*free)(struct front *f);
};

/* What every front begins with. */
struct front {
    const struct front_protocol *protocol;
    struct requests *requests; /* what the requests of its connections share */
    size_t open;               /* connections */
    bool draining;
    /* A connection closed and is counted no more. From the loop. NULL: nobody is told. */
    void (*closed)(struct front *f);
    void *owner; /* for `closed` */
};

/* Makes a front of the protocol that a connection speaks when nothing says otherwise: HTTP/1.1. Never NULL. */
struct front *front_new(struct requests *requests);

static inline void front_accept(struct front *f, struct stream *s, const struct address *peer,
                                struct str early)
{
    f->protocol->accept(f, s, peer, early);
}
static inline void front_drain(struct front *f)
{
    f->draining = true;
    f->protocol->drain(f);
}
static inline void front_close_all(struct front *f)
{
    f->protocol->close_all(f);
}
static inline void front_free(struct front *f)
{
    f->protocol->free(f);
}

/* For protocols: counts a connection that began, or ended; the latter tells the owner. */
void front_count(struct front *f, int change);

#endif
