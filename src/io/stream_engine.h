/*
 * How a stream's bytes move: by readiness (libuv says when, then one system call each) or by completion (the
 * loop's ring), or encrypted over one of these (io/tls.h). io/stream.c has the common part and calls these
 * functions on the loop's thread. io/stream.c also sets the stream's state, except where a comment says that
 * the engine does. Private to io/.
 */
#ifndef IO_STREAM_ENGINE_H
#define IO_STREAM_ENGINE_H

#include "io/stream.h"

struct stream_engine {
    /* Takes up s->fd, a connected socket. Does not receive yet. */
    void (*open)(struct stream *s);
    /* Makes a socket and starts to connect it. Copies `to`. Sets s->fd; -1: there is no socket. `connected`
     * follows from the loop, also after a failure. The engine sets STREAM_OPEN before a `connected` of
     * status 0. */
    void (*connect)(struct stream *s, const struct address *to);
    /* Receives from now on, as long as s->reading is set: asks `space`, tells `data`, at last `ended`. Called
     * with s->reading set and s->ended clear. Does nothing when it receives already. */
    void (*read_start)(struct stream *s);
    /* From now on the next bytes stay with the kernel until the owner is told. NULL: all bytes do. */
    void (*leave_bytes)(struct stream *s);
    /* Has the stream bytes from the kernel that the owner was not told of? NULL: it never has. */
    bool (*has_untold)(const struct stream *s);
    /* Sends all pieces. No write is under way. Keeps `iov` itself no longer than the call; the bytes must
     * stay until `written`. Sets s->writing when it returns STREAM_PENDING, and s->refused when the kernel
     * did not take all at once. */
    enum stream_write (*write)(struct stream *s, const struct iovec *iov, unsigned n);
    /* Closes the socket when no operation is under way; then, from the loop, sets the state and calls
     * `closed`. */
    void (*close)(struct stream *s);
    /* Returns the bytes of the pending write that the kernel has not taken. s->writing is set. */
    size_t (*queued)(const struct stream *s);
    /* Sends the FIN. Called after the last byte of the last write. */
    void (*fin)(struct stream *s);
};

extern const struct stream_engine stream_poll, stream_ring;

/* Sends as much as the kernel takes at once. Returns the number of bytes; 0: none now; negative: the
 * connection is dead. */
ssize_t stream_engine_send_now(struct stream *s, const struct iovec *iov, unsigned n);
/* Notes that a write failed with `status`, a libuv error. */
void stream_engine_lost(struct stream *s, int status);
/* Returns the status for `ended`: that of an earlier failed write (stream_engine_lost) when reading ends
 * cleanly with 0, else `status`. */
int stream_engine_end(const struct stream *s, int status);
/* The FIN of a raw stream. */
void stream_engine_send_fin(struct stream *s);

#endif
