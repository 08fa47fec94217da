/*
 * A listening socket of one loop. Each worker has its own for each address (SO_REUSEPORT); the kernel spreads
 * connections over them.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/address.h"
#include "io/loop.h"

struct listener {
    struct loop *loop;
    int fd;
    uv_poll_t poll;
    struct timer pause; /* after EMFILE and the like */
    struct link link;   /* for the owner's list */
    bool paused_by_owner;
    /* A connection: `fd` is non-blocking and close-on-exec and now the owner's. */
    void (*accepted)(struct listener *l, int fd, const struct address *peer);
    void (*closed)(struct listener *l); /* the last notice */
    void *owner;
};

/* Makes a bound and listening socket (SO_REUSEPORT, SO_REUSEADDR, backlog 4096, IPV6_V6ONLY off for "[::]"), for main to
 * do before the workers start, so that a taken port is one clear error. A Unix socket's stale file is replaced when nobody
 * answers on it. Returns the descriptor or a negative libuv error. Port 0 gives a free one; *bound says which. */
int listener_socket(const struct address *at, struct address *bound);

/* Starts accepting: at most 64 connections a wake-up, so that none starves the rest. EMFILE, ENFILE, ENOMEM, ENOBUFS:
 * logged once a minute, accepting pauses for 100 ms, the connections stay in the backlog. */
int listener_start(struct listener *l, struct loop *loop, int fd,
                   void (*accepted)(struct listener *, int, const struct address *), void *owner);
/* At a limit of the owner's: stops accepting until resumed. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Accepts what the backlog still holds, then closes the socket; `closed` follows. */
void listener_close(struct listener *l, void (*closed)(struct listener *));

#endif
