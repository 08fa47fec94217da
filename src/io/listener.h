/*
 * A listening socket of one loop. Each worker has its own for each address (SO_REUSEPORT); the kernel spreads
 * connections over them.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/address.h"
#include "io/loop.h"

enum listener_state { LISTENER_NEW, LISTENER_OPEN, LISTENER_DRAINING, LISTENER_CLOSING };

struct listener {
    struct loop *loop;
    enum listener_state state;
    int fd;
    struct link link; /* for the owner's list */
    bool paused_by_owner;
    /* private to io/listener.c */
    bool exhausted; /* no descriptors or memory: `pause` runs */
    uv_poll_t poll;
    struct timer pause;
    struct letter drain;
    int64_t logged_ms;
    /* A connection: `fd` is non-blocking and close-on-exec and now the owner's. */
    void (*accepted)(struct listener *l, int fd,
                     const struct address *peer); /* may pause and close the listener */
    void (*closed)(struct listener *l);           /* the last notice */
    void *owner;
};

/* Makes a bound and listening socket (SO_REUSEPORT, SO_REUSEADDR, backlog 4096, IPV6_V6ONLY off for "[::]"), for main to
 * do before the workers start, so that a taken port is one clear error. A Unix socket's stale file is replaced when nobody
 * answers on it. Returns the descriptor or a negative libuv error. Port 0 gives a free one; *bound says which. Two
 * processes of one user can share a TCP port this way without noticing: see listener_sockets. */
int listener_socket(const struct address *at, struct address *bound);

/* The same for `n` workers: one descriptor each in fds. All share one socket when it is a Unix socket. UV_EADDRINUSE also
 * when another process listens there that would share the port. 0, or a negative libuv error and none is open. */
int listener_sockets(const struct address *at, int *fds, size_t n, struct address *bound);

/* Starts accepting: at most 64 connections a wake-up, so that none starves the rest. EMFILE, ENFILE, ENOMEM, ENOBUFS:
 * logged once a minute, accepting pauses for 100 ms, the connections stay in the backlog. 0, or a libuv error and the
 * descriptor is still the caller's. */
int listener_start(struct listener *l, struct loop *loop, int fd,
                   void (*accepted)(struct listener *, int, const struct address *), void *owner);
/* At a limit of the owner's: stops accepting until resumed. Not counted: pausing twice is resumed once. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Accepts what the backlog still holds, paused or not, then closes the socket; `closed` follows. A Unix socket's file stays:
 * another process may have replaced it. */
void listener_close(struct listener *l, void (*closed)(struct listener *));

/* Could listener_sockets open that? Nothing is listened on and no file is made. 0 or a libuv error; UV_EADDRINUSE: somebody listens
 * there. */
int listener_try(const struct address *at);

#endif
