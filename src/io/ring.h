/*
 * A loop's io_uring (Linux 6.1 and later): operations are written into a queue and handed to the kernel together, their
 * results are read from another one, so that an iteration of the loop costs one system call instead of two for each
 * connection. Wraps liburing; only io/ calls it. Belongs to one loop and its thread. Without it streams go by readiness
 * (io/stream_poll.c). Why, and what was measured: docs/decisions/029-io-uring.md.
 */
#ifndef IO_RING_H
#define IO_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "io/loop.h"

/* Pieces of one write. */
#define RING_IOV_MAX 16
/* What is received goes into buffers that the kernel takes from here when bytes come, so that an idle connection holds
 * none. A power of two; the bytes of one are room for the head of most requests. */
#define RING_BUFFERS      1024
#define RING_BUFFER_BYTES 2048
#define RING_GROUP        0 /* their number, for the kernel */

struct places;

struct ring {
    struct io_uring uring;
    bool enabled; /* it belongs to the thread that first submits */
    struct io_uring_buf_ring *buffers;
    char *bytes;                          /* of the buffers */
    struct places *surplus, *surplus_end; /* operations that the queue has no room for, in order */
    unsigned batch;                       /* results of this turn: how busy it is */
    unsigned direct;                      /* writes made at once in this turn */
    unsigned direct_below; /* a batch: then writes are made at once, a system call each either way */
    size_t streams;        /* open ones: they keep the loop running */
    struct list writes;    /* unused ones */
    size_t writes_n;
};

/* NULL and *error (negative errno): this kernel has none, or not what we need of it, or does not allow it. */
struct ring *ring_new(int *error);
void ring_free(struct ring *r);

/* A place in the queue; what is written there is submitted with the next ring_turn, not before. Never NULL. */
struct io_uring_sqe *ring_place(struct ring *r);
/* `op` is told the result; NULL: nobody is. */
static inline void ring_submit(struct io_uring_sqe *sqe, struct ring_op *op)
{
    io_uring_sqe_set_data(sqe, op);
}
/* What of that operation is not yet submitted does nothing when it is: the memory that it names may go. */
void ring_void(struct ring *r, struct ring_op *op);
/* Ends that operation, if the kernel still has it: its `done` comes with -ECANCELED, or with a result that was faster. */
void ring_cancel(struct ring *r, struct ring_op *op);

/* Submits what is queued and waits for a result: at most timeout_ms, negative: for ever. Then tells the owners of all
 * results that are there. */
void ring_turn(struct ring *r, int timeout_ms);

/* The buffer that a result names in its flags. */
static inline char *ring_buffer(const struct ring *r, unsigned flags)
{
    return r->bytes + (size_t)(flags >> IORING_CQE_BUFFER_SHIFT) * RING_BUFFER_BYTES;
}
void ring_give_buffer(struct ring *r, char *buffer);

/* A write under way: the pieces must outlast the submission, and are wanted again when only part of them went. */
struct ring_write {
    struct link link;
    struct msghdr message;
    struct iovec iov[RING_IOV_MAX];
    size_t left; /* bytes */
};
/* Is the next write to be made at once, by a system call of its own? It counts as made. */
bool ring_is_direct(struct ring *r);
struct ring_write *ring_take_write(struct ring *r);
void ring_give_write(struct ring *r, struct ring_write *w);

#endif
