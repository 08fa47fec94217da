/*
 * Accepts a worker's connections for one purpose, the sites or the admin listener. It has the listeners,
 * stops accepting at a limit, spreads connections over the workers, opens the stream, and decides which front
 * gets it. Belongs to the worker's loop: all functions run on its thread. Other workers use only `loop`,
 * `load`, `arriving` and `ended`, the watchdog `choked` as well.
 */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include <stdatomic.h>

#include "front/front.h"
#include "io/listener.h"
#include "server/clients.h"
#include "server/handshake.h"
#include "server/proxied.h"
#include "server/tls.h"

#define ACCEPTOR_LISTENERS_MAX 64

/* What a listener's connections begin with. */
struct listening {
    bool with_tls;
    bool with_header; /* of the PROXY protocol; before TLS */
};

struct acceptor {
    struct loop *loop;
    struct front *front; /* owned */
    struct listener listeners[ACCEPTOR_LISTENERS_MAX];
    struct listening listening[ACCEPTOR_LISTENERS_MAX]; /* the listener's, in the same order */
    size_t listeners_n, listeners_open;
    struct process_tls *tls; /* of all workers. NULL: no listener has TLS */
    struct handshakes handshakes;
    struct proxied proxied;
    int64_t connections_max; /* 0: no limit */
    bool paused, draining;
    /* Memory is short, and nobody can be cut off: accepting pauses until the next look. Others read it. */
    atomic_bool choked;
    /* The connections of each client, shared with the other workers. NULL: one client may have any number. */
    struct clients *clients;
    int64_t client_most;             /* with the setting client_connections at 0 */
    struct log_valve *clients_said;  /* that one has too many; shared */
    struct log_valve *stranger_said; /* that one is no trusted proxy; shared; NULL: it is not said */
    /* The acceptors of all workers for the same purpose, with this one. others_n 0: connections stay here. */
    struct acceptor *const *others;
    size_t others_n;
    _Atomic int64_t load;     /* connections and handshakes, for other workers to read */
    _Atomic int64_t arriving; /* connections on their way from other workers */
    atomic_bool ended;        /* takes no more connections from others */
    /* From the loop: a connection or a listener closed, or a connection arrived. The owner may check whether
     * all is over. */
    void (*changed)(struct acceptor *a);
    void *owner;
};

/* Initialises it and takes over the front. On the worker's thread, or before that starts. The caller then
 * sets `changed` and `owner`, and perhaps connections_max, `clients` and `others`. */
void acceptor_init(struct acceptor *a, struct loop *l, struct front *front);
/* Frees the front. Call it when acceptor_is_quiet. */
void acceptor_fini(struct acceptor *a);

/* Starts accepting on a listening socket (io/listener.h). 0; or a libuv error, and the descriptor is still
 * the caller's. At most ACCEPTOR_LISTENERS_MAX times. */
int acceptor_listen(struct acceptor *a, int fd, struct listening how);
/* Accepts what the backlogs still hold, then closes the listeners and drains the front. Call it once. */
void acceptor_drain(struct acceptor *a);
/* Gives up connections, since memory is short (`step`, base/overload.h) or they are too many themselves.
 * `bytes`: what this worker is to give back. Comes ten times a second as long as it is so, and once when
 * memory suffices again. */
void acceptor_relieve(struct acceptor *a, enum overload_step step, int64_t bytes);
/* Does it have to be relieved: are nearly as many connections open as may be, or does it pause for memory?
 * Any thread: it may be a moment old. */
bool acceptor_needs_relief(const struct acceptor *a);
/* Accepts no more, and closes the listeners without looking at their backlogs, which another process accepts
 * from: but for listener i when drains(a, i) is true, of which the backlog is accepted as by a drain. Then
 * gives the connections away: `left` of the front, which the caller has set. Call it once, instead of
 * acceptor_drain. */
void acceptor_leave(struct acceptor *a, bool (*drains)(const struct acceptor *a, size_t i));
/* Takes a connection that another process has accepted. `early`: bytes that it has read; copied. From any
 * thread, until loop_fini. true: the descriptor is the acceptor's. false: it is about to end. */
bool acceptor_take(struct acceptor *a, int fd, struct str early);
/* Begins to close all connections: the deadline has come. `changed` comes for each. */
void acceptor_close_all(struct acceptor *a);

/* Is no listener and no connection open? */
static inline bool acceptor_is_quiet(const struct acceptor *a)
{
    return a->listeners_open == 0 && a->handshakes.n == 0 && a->proxied.n == 0 && a->front->open == 0;
}
/* Stops other workers from handing connections over. true: none arrives from now on. false: one is on its
 * way; nothing has changed, ask again later. */
bool acceptor_end(struct acceptor *a);

#endif
