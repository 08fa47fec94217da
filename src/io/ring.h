/*
 * A loop's io_uring (Linux 6.1 and later). Operations are written into a queue and go to the kernel together;
 * their results are read from another queue. So an iteration of the loop costs one system call, instead of
 * two for each connection. Wraps liburing; only io/ calls it, on the loop's thread. `done` of an operation
 * comes from ring_turn only, never inside another of these calls. Without a ring streams
 * wait for readiness (io/stream_poll.c). Reasons and figures: docs/decisions/029-io-uring.md.
 */
#ifndef IO_RING_H
#define IO_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "io/loop.h"

/* Most pieces of one write. */
#define RING_IOV_MAX 16
/* Buffers for received bytes. The kernel takes one when bytes come, so an idle connection holds none.
 * RING_BUFFERS is a power of two; RING_BUFFER_BYTES holds the head of most requests. */
#define RING_BUFFERS      1024
#define RING_BUFFER_BYTES 2048
#define RING_GROUP        0 /* the group's number, for the kernel */

struct places;

struct ring {
    struct io_uring uring;
    bool enabled; /* the ring belongs to the thread that called ring_turn first */
    struct io_uring_buf_ring *buffers;
    char *bytes;                          /* of the buffers */
    struct places *surplus, *surplus_end; /* operations that found no room in the queue, in order */
    unsigned batch;                       /* results in this iteration: how busy the loop is */
    unsigned direct;                      /* writes made at once in this iteration */
    unsigned direct_below; /* with a batch below this, writes are made at once, by a system call each */
    size_t streams;        /* open ones: they keep the loop running */
    struct list writes;    /* unused ones */
    size_t writes_n;
};

/* Returns a ring for the thread that calls ring_turn first; the caller ends it by ring_free. NULL, and *error
 * is a negative errno: the kernel has no io_uring, lacks a part that freshet needs, or does not allow it. */
struct ring *ring_new(int *error);
/* Ends a ring without open streams. NULL is allowed. */
void ring_free(struct ring *r);

/* Returns a place in the queue, never NULL. The caller fills it in at once and calls ring_submit. A later
 * ring_turn gives it to the kernel. */
struct io_uring_sqe *ring_place(struct ring *r);
/* Says whose `done` gets the result; NULL: nobody's. */
static inline void ring_submit(struct io_uring_sqe *sqe, struct ring_op *op)
{
    io_uring_sqe_set_data(sqe, op);
}
/* Makes operations of `op` that the kernel does not have yet do nothing: their `done` comes with 0. The
 * memory that they name may be freed then. */
void ring_void(struct ring *r, struct ring_op *op);
/* Asks the kernel to end the operation: `done` comes with -ECANCELED, or with a result that was first. */
void ring_cancel(struct ring *r, struct ring_op *op);

/* Submits the queue and waits for a result, at most timeout_ms (0: does not wait; negative: without a limit).
 * Then calls `done` for all results that are there. Only the loop calls it, once an iteration. */
void ring_turn(struct ring *r, int timeout_ms);

/* Returns the buffer that a result names in its flags. The caller gives it back by ring_give_buffer. */
static inline char *ring_buffer(const struct ring *r, unsigned flags)
{
    return r->bytes + (size_t)(flags >> IORING_CQE_BUFFER_SHIFT) * RING_BUFFER_BYTES;
}
/* Gives such a buffer back to the kernel. Its bytes are gone then. */
void ring_give_buffer(struct ring *r, char *buffer);

/* A write under way. The pieces must stay until it is submitted, and are used again when only a part was
 * sent. */
struct ring_write {
    struct link link;
    struct msghdr message;
    struct iovec iov[RING_IOV_MAX];
    size_t left; /* bytes that the kernel does not have */
};
/* Should the next write be made at once, by a system call of its own? true: it counts as made. */
bool ring_is_direct(struct ring *r);
/* Return a write with unspecified content, never NULL, and take it back. */
struct ring_write *ring_take_write(struct ring *r);
void ring_give_write(struct ring *r, struct ring_write *w);

#endif
