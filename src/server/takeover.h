/*
 * A process that takes another's place (docs/decisions/064): the side of the new one. Main thread. Until it
 * serves, it waits for the old one where it stands; whatever goes wrong before ends it, and the old one goes
 * on. When the old one is gone, it starts like any other.
 */
#ifndef SERVER_TAKEOVER_H
#define SERVER_TAKEOVER_H

#include "io/inherited.h"
#include "server/upgrade.h"

struct takeover {
    bool is_heir; /* it takes another's place; else the rest is of a supervisor */
    struct inherited sockets;
    int channel_fd, errors_fd; /* -1: none */
    bool is_lost;              /* not all that was purged at the old one is known here; not said yet */
    enum purge_kind lost;      /* what was done about it */
    struct channel channel;
    bool is_open; /* `channel` is */
    struct process *process;
    size_t turn; /* of the workers that get connections */
    struct channel_message *message;
    struct {
        bool is_internal;
        int fd;
        struct buf early;
    } * waiting; /* connections, until the workers run: waiting_n */
    size_t waiting_n;
};

/* Looks whether this process takes another's place, and takes what that, or a supervisor, passes. The first
 * thing that a process does. 0, or the exit code; standard error says why. */
int takeover_begin(struct takeover *t);
/* All but the store, which is in the folder `state`, is prepared: waits until that is given up. */
void takeover_prepared(struct takeover *t, const char *state);
/* The store is open: waits until the old one has left. `p` is as it will be. */
void takeover_ready(struct takeover *t, struct process *p);
/* The workers run: takes the connections, and goes on to do so, and to hear of purges. */
void takeover_serve(struct takeover *t);
/* Ends it: main's loop is to end. */
void takeover_stop(struct takeover *t);
void takeover_fini(struct takeover *t);

#endif
