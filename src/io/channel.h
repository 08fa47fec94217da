/*
 * A channel between two processes of one user: whole messages with descriptors, in order (a pair of Unix
 * sockets of type SOCK_SEQPACKET). A freshet and the one that takes its place speak over one (server/upgrade,
 * server/takeover), and so do a freshet and its starter. What comes is from a process of ours: one that sends
 * a message that is too long, or has no type, counts as gone.
 */
#ifndef IO_CHANNEL_H
#define IO_CHANNEL_H

#include "io/loop.h"

#define CHANNEL_TEXT_MAX ((size_t)65536) /* bytes of a message */
#define CHANNEL_FDS_MAX  200             /* descriptors of a message; the kernel allows 253 */

struct channel_message {
    char type;
    size_t n, fds_n;
    char text[CHANNEL_TEXT_MAX + 1]; /* `n` bytes, and a NUL behind them */
    int fds[CHANNEL_FDS_MAX];        /* who takes one sets it to -1 */
};

/* Makes both ends, which are close-on-exec. 0 or a negative errno. */
int channel_pair(int ends[2]);
/* Sends a message. Waits while the channel is full, CHANNEL_SEND_MS at most. The descriptors stay the
 * caller's. 0 or a negative errno, and nothing was sent; -EAGAIN: the other end does not read; -EPIPE: nobody
 * is there. Any thread. */
#define CHANNEL_SEND_MS 2000
int channel_send(int end, char type, struct str text, const int *fds, size_t fds_n);
/* Waits for a message, `ms` at most; 0: only takes what is there. While the system has no memory for one it
 * waits a second more. 1: *m is set. 0: none came. A negative errno, and nothing more is to be received;
 * -EPIPE: the other end is closed. Descriptors are close-on-exec. */
int channel_receive(int end, struct channel_message *m, int64_t ms);
/* Closes the descriptors that nobody has taken. */
void channel_close_fds(struct channel_message *m);

/* An end whose messages come from a loop. */
struct channel {
    struct loop *loop;
    int fd; /* -1: closed */
    uv_poll_t poll;
    /* From the loop. NULL: the other end is closed, and no message follows. May call channel_close. */
    void (*received)(struct channel *c, struct channel_message *m);
    void (*closed)(struct channel *c); /* the last notice; NULL: not wanted */
    struct channel_message *message;
};

/* Starts to receive at `fd`, which the channel owns from now on. 0 or a libuv error. */
int channel_open(struct channel *c, struct loop *l, int fd,
                 void (*received)(struct channel *, struct channel_message *));
/* Receives no more, and closes the end. `closed` follows from the loop; until then the memory stays, and the
 * channel cannot be opened again. */
void channel_close(struct channel *c);

#endif
