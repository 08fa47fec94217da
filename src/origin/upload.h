/*
 * An upload: the body of a request on its way to the origin, in a bounded ring. Beside the object, it is the
 * only meeting point of a request and its (private) fetch. Both run on the same worker. The request puts
 * bytes in as the client sends them, and stops reading when the ring is full. The fetch takes bytes out as
 * the origin accepts them, and tells when there is room again. What was taken stays until other bytes need
 * its place, so a short body can be sent once more.
 */
#ifndef ORIGIN_UPLOAD_H
#define ORIGIN_UPLOAD_H

#include <sys/uio.h>

#include "base/buf.h"
#include "http/framing.h"

#define UPLOAD_RING_BYTES  ((size_t)65536)
#define UPLOAD_SMALL_BYTES ((size_t)4096) /* while memory is short */

enum upload_state {
    UPLOAD_OPEN,   /* more may come */
    UPLOAD_ENDED,  /* all bytes are in the ring, or were */
    UPLOAD_FAILED, /* the client is gone, or its framing is broken */
};

struct upload {
    /* As the client declared it. A length goes to the origin; any other body is sent chunked. */
    struct framing framing;
    enum upload_state state;
    char *ring;        /* made with the first byte */
    size_t cap;        /* of the ring */
    size_t head, n;    /* where its first byte stands, and how many there are */
    uint64_t received; /* bytes that were put into it, ever */
    bool shrunk;       /* memory with bytes that the origin had was given back */
    /* For the fetch, which sets it: bytes, the end or a failure came. Called inside upload_put and
     * upload_end. NULL: nobody takes them. */
    void (*ready)(struct upload *u);
    /* For the request: there is room; or (unwanted) nobody takes bytes any more. Called inside upload_taken,
     * upload_leave and upload_go_on. */
    void (*room)(struct upload *u);
    bool unwanted; /* the fetch is over: later bytes are not for it */
    /* The client sends nothing before it is told to (Expect: 100-continue), and the origin decides. */
    bool awaits;
    bool waiting_for_room; /* the request sets it when the ring took less than there was */
    void *fetch, *request; /* each is set by that side, for its callback */
};

/* All functions run on the worker's thread. The request owns the upload. */

/* Initialises an upload of a body with that framing. Without a body, or with length 0, it has ended. */
void upload_init(struct upload *u, struct framing framing, void *request, void (*room)(struct upload *));
/* Frees the ring. The fetch has left the upload. */
void upload_fini(struct upload *u);

/* ---- the request's side ---- */

/* Takes over `whole`, which is not empty, as the entire body, instead of bytes that come later. Nothing was
 * put in before. `whole` is empty afterwards; the upload has ended. */
void upload_take_whole(struct upload *u, struct buf *whole);

/* The same of the beginning of the body, at most UPLOAD_RING_BYTES, which may be empty: the rest comes
 * later. */
void upload_take_part(struct upload *u, struct buf *part);

/* Says how large the ring is to be. Only an empty one changes: its memory is given back, and the next one has
 * the new size. */
void upload_resize(struct upload *u, size_t bytes);
/* Returns how many bytes upload_put takes now; 0 when the upload has ended or failed. */
size_t upload_space(const struct upload *u);
/* Copies `data` into the ring; data.n is at most upload_space. Calls `ready`. */
void upload_put(struct upload *u, struct str data);
/* No more bytes come: `how` is UPLOAD_ENDED or UPLOAD_FAILED. Calls `ready`. Does nothing when that was said
 * before. */
void upload_end(struct upload *u, enum upload_state how);
/* Ends the wait for the origin's decision: calls `room`. For both sides. Does nothing when it does not
 * wait. */
void upload_go_on(struct upload *u);

/* ---- the fetch's side ---- */

/* Sets `iov` to all bytes in the ring, in up to two pieces, and *bytes to their number. Returns the number of
 * pieces; 0: the ring is empty. The bytes stay until upload_taken. */
unsigned upload_lease(const struct upload *u, struct iovec iov[2], size_t *bytes);
/* Frees the first `bytes` bytes in the ring, which the origin has. Calls `room` if the request waits for
 * it. */
void upload_taken(struct upload *u, size_t bytes);
/* Are all bytes that ever came still there, those that were taken among them? So it is while they fit into
 * the ring. Then upload_rewind makes it as if none had been taken, for another origin or connection. */
bool upload_may_rewind(const struct upload *u);
void upload_rewind(struct upload *u);
/* Ends the fetch's side: from now on nobody takes bytes, and `ready` is not called. Calls `room` if the
 * request waits for it. */
void upload_leave(struct upload *u);

#endif
