/*
 * An upload: the body of a request on its way to the origin, in a bounded ring. Beside the object, it is the
 * only meeting point of a request and its (private) fetch. Both run on the same worker. The request puts
 * bytes in as the client sends them, and stops reading when the ring is full. The fetch takes bytes out as
 * the origin accepts them, and tells when there is room again.
 */
#ifndef ORIGIN_UPLOAD_H
#define ORIGIN_UPLOAD_H

#include <sys/uio.h>

#include "base/buf.h"
#include "http/framing.h"

#define UPLOAD_RING_BYTES ((size_t)65536)

enum upload_state {
    UPLOAD_OPEN,   /* more may come */
    UPLOAD_ENDED,  /* all bytes are in the ring, or were */
    UPLOAD_FAILED, /* the client is gone, or its framing is broken */
};

struct upload {
    /* As the client declared it. A length goes to the origin; any other body is sent chunked. */
    struct framing framing;
    enum upload_state state;
    char *ring; /* made with the first byte */
    size_t cap; /* of the ring */
    size_t head, n;
    uint64_t received;
    /* For the fetch: bytes, the end or a failure came. NULL: nobody takes them. */
    void (*ready)(struct upload *u);
    /* For the request: there is room; or (unwanted) nobody takes bytes any more. */
    void (*room)(struct upload *u);
    bool unwanted; /* the fetch is over: later bytes are not for it */
    /* The client sends nothing before it is told to (Expect: 100-continue), and the origin decides. */
    bool awaits;
    bool waiting_for_room;
    void *fetch, *request;
};

/* Initialises an upload of a body with that framing. `room`: see above. */
void upload_init(struct upload *u, struct framing framing, void *request, void (*room)(struct upload *));
/* Frees its memory; the fetch has left it. */
void upload_fini(struct upload *u);

/* ---- the request's side ---- */

/* Takes over `whole` as the entire body, instead of bytes that come later. `whole` is empty afterwards. */
void upload_take_whole(struct upload *u, struct buf *whole);

/* Returns how many bytes it takes now. */
size_t upload_space(const struct upload *u);
/* Copies `data`; data.n is at most upload_space. */
void upload_put(struct upload *u, struct str data);
void upload_end(struct upload *u, enum upload_state how);
/* Ends the wait for the origin's decision: calls `room`. For both sides. Does nothing when it does not
 * wait. */
void upload_go_on(struct upload *u);

/* ---- the fetch's side ---- */

/* Returns up to two pieces of the bytes in the ring. */
unsigned upload_lease(const struct upload *u, struct iovec iov[2], size_t *bytes);
void upload_taken(struct upload *u, size_t bytes);
/* From now on nobody takes bytes. */
void upload_leave(struct upload *u);

#endif
