/*
 * The way to a running freshet: the address of its admin listener and its token. A flag names them, or the
 * environment, or the state folder, or the folder in which running ones show themselves (client/running.h).
 * Main thread.
 */
#ifndef CLIENT_DOOR_H
#define CLIENT_DOOR_H

#include <limits.h>

#include "base/buf.h"
#include "conf/cli.h"

struct door {
    const char *verb; /* for messages */
    struct buf admin, token;
    struct buf source; /* for door_source */
    enum { FROM_FLAG, FROM_ENVIRONMENT, FROM_STATE, FROM_RUNNING, FROM_DEFAULT } admin_from;
    int64_t timeout_ms;     /* how long an answer may take; 0: 10 s */
    const char *token_from; /* who named the token, for messages: "--token" */
    char state[PATH_MAX];   /* the state folder; empty: nothing says where it is */
};

/* Finds address and token and puts them into *d. Returns CLIENT_DONE; any other code: standard error says
 * what is missing and what to do. Call door_fini in each case. `verb` outlives the door. */
int door_find(struct door *d, const char *verb, const struct cli *cli);
/* Frees what the door holds. */
void door_fini(struct door *d);
/* Returns who named the address, as the end of "127.0.0.1:8081, ...". The text lives as long as the door. */
const char *door_source(struct door *d);

#endif
