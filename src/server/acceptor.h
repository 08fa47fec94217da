/*
 * Accepts the connections of a worker for one purpose, the sites or the admin listener: it has the listeners, stops accepting at a
 * limit, spreads connections over the workers, opens the stream, and decides which front gets it. Belongs to the worker's
 * loop; what is said to be for other workers may be called from any thread.
 */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include <stdatomic.h>

#include "front/front.h"
#include "io/listener.h"

#define ACCEPTOR_LISTENERS_MAX 16

struct acceptor {
    struct loop *loop;
    struct front *front; /* owned */
    struct listener listeners[ACCEPTOR_LISTENERS_MAX];
    size_t listeners_n, listeners_open;
    int64_t connections_max; /* 0: no limit */
    bool paused, draining;
    /* Those of all workers for the same purpose, this one too; `others_n` 0: connections stay here. */
    struct acceptor *const *others;
    size_t others_n;
    _Atomic int64_t load;     /* front->open, for other workers */
    _Atomic int64_t arriving; /* connections on their way from other workers */
    atomic_bool ended;        /* takes none from others any more */
    /* A connection or a listener closed, or one arrived: the owner may see whether all is over. From the loop. */
    void (*changed)(struct acceptor *a);
    void *owner;
};

/* Takes over the front. On the worker's thread, or before it starts. */
void acceptor_init(struct acceptor *a, struct loop *l, struct front *front);
/* Nothing is open. */
void acceptor_fini(struct acceptor *a);

/* Starts to accept on a listening socket (io/listener.h). 0, or a libuv error and the descriptor is still the caller's. At most
 * ACCEPTOR_LISTENERS_MAX times. */
int acceptor_listen(struct acceptor *a, int fd);
/* Accepts what the backlogs still hold, then closes the listeners and drains the front. Once. */
void acceptor_drain(struct acceptor *a);
/* The deadline: all connections close. */
void acceptor_close_all(struct acceptor *a);

/* No listener and no connection is open. */
static inline bool acceptor_is_quiet(const struct acceptor *a)
{
    return a->listeners_open == 0 && a->front->open == 0;
}
/*
 * From now on no other worker hands a connection over. Returns false when one is on its way: then all is as before, and the
 * question is to be asked again later.
 */
bool acceptor_end(struct acceptor *a);

#endif
