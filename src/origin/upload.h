/*
 * An upload: the body of a request on its way to the origin. The one other meeting point of a request and its (private) fetch,
 * both on the same worker: a bounded ring. The request puts bytes in as the client sends them and stops reading when it is
 * full; the fetch takes them out as the origin accepts them and tells when there is room again.
 */
#ifndef ORIGIN_UPLOAD_H
#define ORIGIN_UPLOAD_H

#include <sys/uio.h>

#include "base/buf.h"
#include "http/framing.h"

#define UPLOAD_RING_BYTES ((size_t)65536)

enum upload_state {
    UPLOAD_OPEN,   /* more may come */
    UPLOAD_ENDED,  /* all is in the ring, or was */
    UPLOAD_FAILED, /* the client is gone, or its framing is broken */
};

struct upload {
    struct framing
        framing; /* as the client declared it: a length is passed on, anything else is sent chunked */
    enum upload_state state;
    char *ring; /* made with the first byte */
    size_t cap; /* of it */
    size_t head, n;
    uint64_t received;
    /* To the fetch: bytes, the end or a failure came. NULL: nobody takes them. */
    void (*ready)(struct upload *u);
    /* To the request: there is room, or (unwanted) nobody takes bytes any more. */
    void (*room)(struct upload *u);
    bool unwanted; /* the fetch is over: what still comes is not for it */
    bool
        awaits; /* its client sends nothing before it is told to, and whether is the origin's question (Expect: 100-continue) */
    bool waiting_for_room;
    void *fetch, *request;
};

void upload_init(struct upload *u, struct framing framing, void *request, void (*room)(struct upload *));
void upload_fini(struct upload *u);

/* ---- the request ---- */

/* Instead of bytes that come: all there will be. `whole` is taken over and is empty afterwards. */
void upload_take_whole(struct upload *u, struct buf *whole);

/* How many bytes it takes now. */
size_t upload_space(const struct upload *u);
/* Copies; data.n is at most upload_space. */
void upload_put(struct upload *u, struct str data);
void upload_end(struct upload *u, enum upload_state how);
/* The origin is waited for no longer: `room` is told. For both sides; harmless when it is not. */
void upload_go_on(struct upload *u);

/* ---- the fetch ---- */

/* Up to two pieces of what is there. */
unsigned upload_lease(const struct upload *u, struct iovec iov[2], size_t *bytes);
void upload_taken(struct upload *u, size_t bytes);
/* Nobody takes bytes from here on. */
void upload_leave(struct upload *u);

#endif
