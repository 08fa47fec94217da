/*
 * A byte stream: a TCP or Unix socket connection. It belongs to one loop and is used on that loop's thread only. Its owner
 * embeds it or has it in memory of its own; stream_give changes the owner. How its bytes move is its engine's business
 * (io/stream_engine.h). Notices come from the loop, never inside a call to one of these functions. TCP's urgent data
 * (MSG_OOB) is no part of the stream: it is left out.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <sys/uio.h>

#include "io/address.h"
#include "io/loop.h"

#define STREAM_IOV_MAX 16

struct stream;
struct stream_engine;
struct ring_write;
struct kept_bytes;

/* Each may close the stream, start or stop reading, and write. */
struct stream_notices {
    /* The connection is made (status 0) or failed (a libuv error; close the stream then). After stream_connect only. */
    void (*connected)(struct stream *s, int status);
    /* Where the next bytes may go: set *p, return how many fit. 0 stops reading, as stream_read_stop does. */
    size_t (*space)(struct stream *s, char **p);
    /* n > 0 bytes stand where `space` said. */
    void (*data)(struct stream *s, size_t n);
    /* The peer ended its side (status 0) or the connection broke (a libuv error). Reading has stopped. Comes once. */
    void (*ended)(struct stream *s, int status);
    /* What stream_write could not send at once is sent (status 0) or lost (a libuv error). */
    void (*written)(struct stream *s, int status);
    /* After stream_close: the last notice. The memory may be freed. */
    void (*closed)(struct stream *s);
    /* The kernel took more of a pending write, not yet all. Not told by readiness. NULL: of no interest. */
    void (*moved)(struct stream *s);
};

enum stream_state { STREAM_NEW, STREAM_CONNECTING, STREAM_OPEN, STREAM_CLOSING, STREAM_CLOSED };

struct stream {
    struct loop *loop;
    const struct stream_notices *notices;
    void *owner; /* of stream_give; NULL: the notices find the owner by themselves */
    const struct stream_engine *engine;
    enum stream_state state;
    bool reading; /* the owner wants bytes */
    bool writing; /* `written` is still to come */
    /* private to io/stream*.c */
    bool ended;   /* `ended` came */
    bool fin;     /* stream_shutdown was called */
    bool local;   /* a Unix socket */
    bool refused; /* the kernel did not take all of the write under way at once */
    int fd;       /* -1: not yet, or closed */
    int lost;     /* what a write failed with; 0 */
    union {
        /* By readiness, through libuv: io/stream_poll.c. */
        struct {
            bool polled;   /* libuv waits for bytes: it goes on after stream_read_stop until some come */
            bool in_space; /* libuv must not be told of a stop or a close before it has its answer */
            bool failing;  /* the letter below is under way */
            union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_tcp_t tcp;
                uv_pipe_t pipe;
            } uv;
            /* Only one at a time. */
            union {
                uv_connect_t connect;
                uv_write_t write;
                struct {
                    struct letter letter;
                    int status;
                } failure; /* of a connection that failed at once */
            } req;
        } poll;
        /* By completion, through the loop's ring: io/stream_ring.c. */
        struct {
            struct ring_op receiving, sending, connecting;
            unsigned pending; /* operations that the kernel has */
            bool armed;       /* one of them receives */
            bool bulk;        /* receives much at a time: straight into the owner's memory */
            bool letter_pending;
            bool has_end; /* the peer's side has ended, and `ended` is still to come */
            int end_status;
            struct letter letter;     /* what is kept is to be told, or `closed` */
            struct ring_write *write; /* under way */
            struct kept_bytes *kept;  /* received while the owner did not read */
        } ring;
    };
};

/* Takes over a connected, non-blocking socket. 0, or a libuv error and the descriptor is closed. TCP_NODELAY is set. `n` may be NULL
 * when stream_give follows before the loop goes on. */
int stream_open(struct stream *s, struct loop *l, const struct stream_notices *n, int fd);
/* Starts to connect; `connected` follows, also for what fails at once. A libuv error (the address is none): nothing
 * follows, nothing is to be closed. */
int stream_connect(struct stream *s, struct loop *l, const struct stream_notices *n,
                   const struct address *to);

/*
 * From now on `owner` is told by `n`. The stream does not read until the new owner starts it. It must be open, and no write
 * may be under way. Bytes that the old owner has read and not used are the old owner's to pass on.
 */
void stream_give(struct stream *s, const struct stream_notices *n, void *owner);

/* Both cost nothing while no bytes come: a stop is only noticed when they do, so a connection may stop and start reading
 * with each request. When stopped, `ended` waits too. After `ended` a start does nothing. */
void stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);

enum stream_write { STREAM_WRITTEN, STREAM_PENDING, STREAM_BROKEN };
/*
 * Sends all of iov (1 to STREAM_IOV_MAX pieces). WRITTEN: all is with the kernel. PENDING: not yet; the bytes must stay
 * where they are until `written` comes, and no other write may be started. BROKEN: the connection is dead; close it.
 */
enum stream_write stream_write(struct stream *s, const struct iovec *iov, unsigned n);
/* Sends a FIN after all that was written; nothing may be written any more. Reading goes on. */
void stream_shutdown(struct stream *s);
/* Ends the connection and all that is pending, `connected` as well: a pending write's `written` does not come any more, `closed` does. Twice
 * is harmless until then. */
void stream_close(struct stream *s);
/* The same with RST, so that the peer sees that what it got is not whole. */
void stream_reset(struct stream *s);

/* The peer's address; bytes == 0 when unknown. */
void stream_peer(const struct stream *s, struct address *out);
void stream_local(const struct stream *s, struct address *out);
/* After `ended` with status 0: is the peer gone altogether, as far as the kernel knows? Of a TCP connection that shows only when it answers
 * to what is written. */
bool stream_is_dead(const struct stream *s);
/* Nothing to read, and no end of the peer's side, as far as the kernel knows. Tells of an error without taking it from the reader. */
bool stream_is_quiet(const struct stream *s);
/*
 * How much of what was written the peer does not have yet. The kernel's buffer may take megabytes at once and then nothing
 * until a third of it is empty again, so a slow peer's progress is what it has acknowledged.
 */
struct stream_backlog {
    size_t queued; /* bytes of a pending write that the kernel has not taken */
    size_t
        held; /* bytes that the kernel has taken and the peer has not acknowledged; of a Unix socket: that it has not
                      read, in the kernel's measure */
};
/* Notes where a pending write stands. Asks the kernel only when it has refused part of that write: a peer that keeps up costs nothing. */
void stream_note(const struct stream *s, struct stream_backlog *b);
/* Has the peer taken something since `b` was noted? Asks the kernel, and notes it anew. What the kernel held then may be unknown: true. */
bool stream_took(const struct stream *s, struct stream_backlog *b);
/* Bytes of a pending write that the kernel has not taken. */
size_t stream_queued(const struct stream *s);
/* Bytes that the kernel holds and the peer has not acknowledged; 0 when unknown. */
size_t stream_unsent(const struct stream *s);

#endif
