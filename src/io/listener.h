/*
 * A listening socket of one loop. Each worker has one for each address (SO_REUSEPORT); the kernel distributes
 * connections over them. listener_start, _pause, _resume and _close run on the loop's thread; the functions
 * that only make or try sockets run on any. The owner keeps the struct until `closed`.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/address.h"
#include "io/loop.h"

enum listener_state { LISTENER_NEW, LISTENER_OPEN, LISTENER_DRAINING, LISTENER_CLOSING };

struct listener {
    struct loop *loop;
    enum listener_state state;
    int fd;           /* -1: closed */
    struct link link; /* for the list of the listener's owner; in none after listener_start */
    bool paused_by_owner;
    /* private to io/listener.c */
    bool exhausted; /* no descriptors or memory: `pause` runs */
    bool leaves;    /* the backlog is another process's */
    uv_poll_t poll;
    struct timer pause;
    struct letter drain;
    int64_t logged_ms;
    /* A new connection, from the loop. `fd` is non-blocking and close-on-exec, and now belongs to the owner.
     * `peer` is good during the call. The callback may pause and close the listener. */
    void (*accepted)(struct listener *l, int fd, const struct address *peer);
    void (*closed)(struct listener *l); /* the last notice, from the loop: the memory may go */
    void *owner;
};

/* Makes a bound and listening socket (SO_REUSEPORT, SO_REUSEADDR, backlog 4096, IPV6_V6ONLY off). For "[::]"
 * on a kernel without IPv6 it is one of 0.0.0.0. Port 0 takes a free one. Replaces a Unix socket's old file
 * when nobody answers on it. Call it before the workers start, so that a taken port is one clear error.
 * Returns the descriptor, which the caller owns, or a negative libuv error. *bound is the address with its
 * port; unspecified after an error. Two processes of one user can share a TCP port this way without noticing:
 * see listener_sockets. */
int listener_socket(const struct address *at, struct address *bound);

/* Makes sockets for `n` workers, a descriptor each in fds, as listener_socket does. Workers share one socket
 * when it is a Unix socket. 0: the caller owns the descriptors, and *bound is their address. A negative libuv
 * error: no socket is left open. UV_EADDRINUSE also when another process listens there, even if it would
 * share the port. */
int listener_sockets(const struct address *at, int *fds, size_t n, struct address *bound);

/* With the first `have` sockets of an address, which another process may have made, makes the others: `n`
 * in all. With SO_REUSEPORT new ones where the system lets us, else the first one again. 0: the caller
 * owns them. A negative libuv error: no new one is left open. */
int listener_more(int *fds, size_t have, size_t n);

/* Initialises the listener and starts accepting on the listening socket `fd`, at most 64 connections a
 * wake-up, so that other work is not starved. When the system refuses (EMFILE, ENFILE, ENOMEM, ENOBUFS) it
 * logs once a minute and pauses for 100 ms; the connections stay in the backlog. `owner` is for the
 * callbacks. 0: the listener owns the descriptor. A libuv error: the caller does, and the listener must not
 * be closed. */
int listener_start(struct listener *l, struct loop *loop, int fd,
                   void (*accepted)(struct listener *, int, const struct address *), void *owner);
/* Stop accepting for a limit of the owner's, and go on. Pauses are not counted: one resume ends two of them.
 * Neither does anything after listener_close. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Closes a listener that listener_start has started. Call it once. Later, from the loop, it accepts what the
 * backlog still holds (4096 at most, paused or not), closes the socket and calls `closed`. Leaves a Unix
 * socket's file: another process may have replaced it. */
void listener_close(struct listener *l, void (*closed)(struct listener *));

/* The same, but leaves the backlog to another process, which has the socket too. */
void listener_leave(struct listener *l, void (*closed)(struct listener *));

/* Writes the address of a connection's other side to *out; bytes == 0: unknown. */
void listener_peer(int fd, struct address *out);
/* Ends a connection that was just accepted: sends what the kernel takes of `text`, which may be empty, and
 * closes `fd`. A client that has sent more than the kernel has received may see a reset instead. Any
 * thread. */
void listener_refuse(int fd, struct str text);

/* Could listener_sockets open that address? Does not listen, makes no file. 0: yes. A libuv error: no;
 * UV_EADDRINUSE: another process listens there. */
int listener_try(const struct address *at);

#endif
