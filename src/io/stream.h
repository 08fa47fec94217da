/*
 * A byte stream: a TCP or Unix socket connection. It belongs to one loop and is used on that loop's thread
 * only. Its owner embeds it or has it in memory of its own; stream_give changes the owner. How its bytes move
 * is its engine's business (io/stream_engine.h). Notices come from the loop, never inside a call to one of
 * these functions. TCP's urgent data (MSG_OOB) is no part of the stream: it is left out.
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
struct tls_session;
struct poll_state;
struct kept_bytes;

/* The notices to the owner. Each may close the stream, start or stop reading, and write. */
struct stream_notices {
    /* After stream_connect only. status 0: connected. A libuv error: it failed; close the stream. */
    void (*connected)(struct stream *s, int status);
    /* Asks where the next bytes may go: sets *p and returns how many fit. The place must stay until this
     * turn of the loop is over. 0 stops reading, as stream_read_stop does. */
    size_t (*space)(struct stream *s, char **p);
    /* n > 0 bytes are at the place that `space` gave. */
    void (*data)(struct stream *s, size_t n);
    /* status 0: the peer ended its side. A libuv error: the connection broke. Reading has stopped. Comes
     * once. */
    void (*ended)(struct stream *s, int status);
    /* After stream_write returned STREAM_PENDING. status 0: all is sent. A libuv error: it is lost. */
    void (*written)(struct stream *s, int status);
    /* The last notice, after stream_close. The memory may be freed. */
    void (*closed)(struct stream *s);
    /* The kernel took more bytes of a pending write, but not all. Only the ring tells this. NULL: not
     * wanted. */
    void (*moved)(struct stream *s);
    /* After stream_leave, before `closed`: the connection lives on at `fd`, which is the owner's now.
     * `early`: what came meanwhile; good during the call. fd -1: it is lost. NULL: stream_leave is not
     * used. */
    void (*left)(struct stream *s, int fd, struct str early);
};

enum stream_state { STREAM_NEW, STREAM_CONNECTING, STREAM_OPEN, STREAM_CLOSING, STREAM_CLOSED };

struct stream {
    struct loop *loop;
    const struct stream_notices *notices; /* outlive the stream */
    void *owner; /* set by stream_give; NULL: the notices find the owner by themselves */
    const struct stream_engine *engine;
    enum stream_state state;
    /* Set by who opens it: the connection cannot go to another process, since more is known of it than its
     * bytes. stream_leave must not be called. stream_open clears it. */
    bool stays;
    bool reading; /* the owner wants bytes */
    bool writing; /* `written` is still to come */
    /* private to io/stream*.c */
    bool ended;   /* `ended` came */
    bool fin;     /* stream_shutdown was called */
    bool local;   /* a Unix socket */
    bool refused; /* the kernel did not take all of the pending write at once */
    bool leaves;  /* stream_leave was called */
    bool resets;  /* stream_reset was called */
    int fd;       /* -1: not yet, or closed */
    int lost;     /* the error of a failed write; 0: none */
    union {
        /* Encrypted: io/stream_tls.c. */
        struct tls_session *tls;
        /* By readiness, through libuv: io/stream_poll.c, which has its large memory elsewhere. */
        struct poll_state *poll;
        /* By completion, through the loop's ring: io/stream_ring.c. */
        struct {
            struct ring_op receiving, sending, connecting, hanging;
            uint8_t pending; /* operations that the kernel has: each of these at most once */
            bool armed;      /* one of them receives */
            bool stands;     /* and goes on after its first result */
            bool watched;    /* one of them waits for the end, or has found it */
            bool bulk;       /* receives much at a time: straight into the owner's memory */
            bool large;      /* the latest bytes were more than a buffer: so will be the next ones */
            bool telling;    /* in on_received, which goes on receiving when it is done */
            bool anew;       /* the owner has asked for bytes meanwhile, for something new */
            bool untold;     /* more was received than the owner knows of; also right within `data` */
            bool letter_pending;
            bool has_end; /* the peer has ended its side, and `ended` is still to come */
            int end_status;
            struct letter letter;     /* for kept bytes, or for `closed` */
            struct ring_write *write; /* under way */
            struct kept_bytes *kept;  /* received while the owner did not read */
        } ring;
    };
};

/* Makes a stream of a connected, non-blocking socket and sets TCP_NODELAY and TCP_NOTSENT_LOWAT. 0: the
 * stream is open, owns the descriptor and does not read yet; it ends by stream_close. A libuv error: the
 * descriptor is closed, and no notice follows. `n` may be NULL when stream_give follows before the loop goes
 * on. */
int stream_open(struct stream *s, struct loop *l, const struct stream_notices *n, int fd);
/* Starts to connect. `to` is copied. 0: `connected` follows, also after a failure, and the stream ends by
 * stream_close. A libuv error (UV_EINVAL: `to` is no address): nothing follows, and stream_close must not be
 * called. */
int stream_connect(struct stream *s, struct loop *l, const struct stream_notices *n,
                   const struct address *to);

/*
 * Gives the stream another owner: from now on `n` is told, and s->owner is `owner`. The stream does not read
 * until the new owner starts it. It must be open, and no write may be under way. The old owner passes on the
 * bytes that it has read and not used.
 */
void stream_give(struct stream *s, const struct stream_notices *n, void *owner);

/* Start and stop reading an open stream. Both cost nothing while no bytes come, so a connection may stop and
 * start with each request. While stopped, `ended` waits too. After `ended` a start does nothing. */
void stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);
/* Starts reading for an owner who expects no byte: what comes stays with the kernel until the owner is told,
 * so that stream_is_quiet knows of it. */
void stream_wait(struct stream *s);

enum stream_write { STREAM_WRITTEN, STREAM_PENDING, STREAM_BROKEN };
/*
 * Sends all of iov (1 to STREAM_IOV_MAX pieces) on an open stream without a write under way; iov itself may
 * go. STREAM_WRITTEN: the kernel has all. STREAM_PENDING: not yet; the bytes must stay where they are until
 * `written` or stream_close, and no other write may start. STREAM_BROKEN: the connection is dead; close it.
 */
enum stream_write stream_write(struct stream *s, const struct iovec *iov, unsigned n);
/* Sends a FIN behind all that was written. No write may follow. Reading goes on. */
void stream_shutdown(struct stream *s);
/* Ends the connection and all that is pending: only `closed` follows, later and from the loop. The bytes of a
 * pending write may be freed at once. A second call before `closed` does no harm. */
void stream_close(struct stream *s);
/* Like stream_close, with RST: the peer sees that it did not get everything. */
void stream_reset(struct stream *s);
/* Ends the stream, but not its connection: `left` gives the descriptor, with what was received and not told;
 * then `closed` follows. The stream is open, nothing is written, and not in `space`. */
void stream_leave(struct stream *s);

/* Write the peer's address and this side's to *out; bytes == 0: unknown. One system call each. */
void stream_peer(const struct stream *s, struct address *out);
void stream_local(const struct stream *s, struct address *out);
/* After `ended` with status 0: is the peer gone altogether, as far as the kernel knows? A TCP peer shows it
 * only by its answer to bytes written. */
bool stream_is_dead(const struct stream *s);
/* Is there nothing to read, and no end of the peer's side, as far as the kernel and the stream know? Bytes in
 * the loop's ring of which the stream has not heard yet do not count; between stream_wait and the next bytes
 * there are none. (Over TLS the owner may never hear of these: a ticket.) An error counts as not quiet, and
 * the reader still gets it. One system call. */
bool stream_is_quiet(const struct stream *s);
/*
 * How many of the bytes written the peer does not have yet. The kernel's buffer may take megabytes at once,
 * and then nothing until a third of it is empty again; so a slow peer's progress is what it has acknowledged.
 */
struct stream_backlog {
    size_t queued; /* bytes of a pending write that the kernel has not taken */
    /* Bytes that the kernel has taken and the peer has not acknowledged. On a Unix socket: those that the
     * peer has not read, in the kernel's measure. */
    size_t held;
};
/* Notes the state of a pending write. Asks the kernel only when it has refused part of that write: a peer
 * that keeps up costs nothing. */
void stream_note(const struct stream *s, struct stream_backlog *b);
/* Has the peer taken bytes since `b` was noted? Asks the kernel, and notes the state again. true also when
 * the kernel's earlier state is unknown. */
bool stream_took(const struct stream *s, struct stream_backlog *b);
/* Returns the bytes of a pending write that the kernel has not taken. 0: no write is pending. */
size_t stream_queued(const struct stream *s);
/* Asks the kernel how many bytes it holds that the peer has not acknowledged. 0: none, or unknown. */
size_t stream_unsent(const struct stream *s);

#endif
