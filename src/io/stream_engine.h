/*
 * How a stream's bytes move: by readiness (libuv says when, then one system call each) or by completion (the loop's ring).
 * io/stream.c has what both share and calls these; states are its business but where it says otherwise. Private to io/.
 */
#ifndef IO_STREAM_ENGINE_H
#define IO_STREAM_ENGINE_H

#include "io/stream.h"

struct stream_engine {
    /* s->fd is a connected socket. */
    void (*open)(struct stream *s);
    /* `connected` follows, also for what fails at once. */
    void (*connect)(struct stream *s, const struct address *to);
    /* `reading` was set, and the stream has not ended. */
    void (*read_start)(struct stream *s);
    /* No write is under way. Sets `writing` when PENDING. */
    enum stream_write (*write)(struct stream *s, const struct iovec *iov, unsigned n);
    /* Closes the socket when nothing is under way any more; then, from the loop, sets the state and tells `closed`. */
    void (*close)(struct stream *s);
    size_t (*queued)(const struct stream *s);
};

extern const struct stream_engine stream_poll, stream_ring;

/* Sends what the kernel takes at once: the number of bytes, 0 when it takes none now, negative: the connection is dead. */
ssize_t stream_engine_send_now(struct stream *s, const struct iovec *iov, unsigned n);
/* A write failed with `status`, a libuv error. */
void stream_engine_lost(struct stream *s, int status);
/* What `ended` is told when reading says `status`. */
int stream_engine_end(const struct stream *s, int status);
/* After the last byte of the last write. */
void stream_engine_send_fin(struct stream *s);

#endif
