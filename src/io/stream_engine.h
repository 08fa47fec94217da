/*
 * How a stream's bytes move: by readiness (libuv says when, then one system call each) or by completion (the
 * loop's ring). io/stream.c has the common part and calls these functions; it also sets the state, except
 * where noted. Private to io/.
 */
#ifndef IO_STREAM_ENGINE_H
#define IO_STREAM_ENGINE_H

#include "io/stream.h"

struct stream_engine {
    /* s->fd is a connected socket. */
    void (*open)(struct stream *s);
    /* `connected` follows, also after a failure. */
    void (*connect)(struct stream *s, const struct address *to);
    /* `reading` was set, and the stream has not ended. */
    void (*read_start)(struct stream *s);
    /* No write is under way. Sets `writing` when PENDING. */
    enum stream_write (*write)(struct stream *s, const struct iovec *iov, unsigned n);
    /* Closes the socket when no operation is under way; then, from the loop, sets the state and calls
     * `closed`. */
    void (*close)(struct stream *s);
    size_t (*queued)(const struct stream *s);
};

extern const struct stream_engine stream_poll, stream_ring;

/* Sends as much as the kernel takes at once. Returns the number of bytes; 0: none now; negative: the
 * connection is dead. */
ssize_t stream_engine_send_now(struct stream *s, const struct iovec *iov, unsigned n);
/* Notes that a write failed with `status`, a libuv error. */
void stream_engine_lost(struct stream *s, int status);
/* Returns the status for `ended` when reading ends with `status`. */
int stream_engine_end(const struct stream *s, int status);
/* Sends the FIN. Called after the last byte of the last write. */
void stream_engine_send_fin(struct stream *s);

#endif
