/*
 * The simulated network: connections of two ends, each with a pipe that bytes arrive in. The program has its
 * ends as streams (sim_stream.c); the world's own people read and write theirs in fibers.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "io/address.h"
#include "sim.h"
#include "sim_loop.h"

struct net_end;

/* What comes to an end. */
struct net_pipe {
    char *bytes;
    size_t from, arrived, n, room; /* of `bytes`: read, there, sent, allocated */
    size_t most;                   /* bytes under way or not read: more are not taken */
    bool fin, fin_arrived;         /* the other side sends no more */
    bool reset, reset_arrived;
    int64_t last; /* when the last bytes arrive: they stay in order */
    struct sim_event arrives;
};

struct net_end {
    struct net_end *peer;
    struct net_pipe in;
    struct address at; /* its own address */
    int fd;            /* the process'; -1: the world's */
    bool closed;
    struct fiber *fiber;                /* of the world, waits for it */
    void (*changed)(struct net_end *e); /* of the process: something came, or there is room */
    void *owner;
    bool drips;        /* what comes to it comes in small pieces */
    int64_t latency;   /* at most */
    int64_t stands_to; /* nothing arrives until then */
};

/* Where connections can be made to. */
struct net_port {
    struct address at;
    bool of_process, open;
    unsigned sockets; /* one is chosen by chance */
    struct link link;
    void (*arrived)(struct net_port *p, struct net_end *e);
    void *owner;
};

void net_listen(struct net_port *p, const struct address *at, bool of_process);
void net_unlisten(struct net_port *p);
struct net_port *net_port_at(const struct address *at);

/* Makes a connection to the port, now. Returns the end of who connects. */
struct net_end *net_join(const struct address *from, struct net_port *p);
/* How much fits; sends at most so much of `n` bytes; says how many. */
size_t net_room(const struct net_end *e);
size_t net_send(struct net_end *e, const void *bytes, size_t n);
size_t net_there(const struct net_end *e); /* bytes to be read */
size_t net_take(struct net_end *e, void *to, size_t n);
void net_fin(struct net_end *e);
/* Closes the end: with bytes unread, or bytes that come later, the other side hears of a reset. */
void net_close(struct net_end *e);
void net_reset(struct net_end *e);
/* Somebody between the ends cuts the connection. */
void net_cut(struct net_end *e);
/* The process' ends are cut; its ports are gone. */
void net_process_gone(void);
/* Connections that are being made, and listening sockets, are forgotten: the process' memory goes. */
void sim_streams_forget(void);
void sim_listeners_forget(void);
/* The world says how long a connect of the program takes, and how it ends: 0, or a libuv error in *status. */
int64_t sim_connect_takes(const struct address *to, int *status);
/* Cuts one connection of the process, any. false: it has none. */
bool net_cut_any(void);
struct net_end *net_any(void);

/* The end with that descriptor; descriptors of ends and of listening sockets. */
struct net_end *net_end_of(int fd);
int net_fd_new(struct net_end *e);
void net_fd_free(int fd);

/* ---- for the world's fibers: they wait ---- */

enum { NET_END = 0, NET_RESET = -1, NET_LATE = -2 };
/* Connects; NULL: refused. */
struct net_end *net_connect(const struct address *from, const struct address *to);
/* Returns how many bytes came, or one of the above. */
int64_t net_read(struct net_end *e, void *to, size_t n, int64_t until);
/* false: the connection is gone, or the time is up. */
bool net_write(struct net_end *e, const void *bytes, size_t n, int64_t until);

#endif
