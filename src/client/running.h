/*
 * Which freshets run on this machine. Each writes into a runtime folder where its admin listener and its
 * state folder are, so that the verbs find it. The folder is the first that can be made of
 * $XDG_RUNTIME_DIR/freshet, /run/freshet (root makes it; a service gets it by systemd's
 * RuntimeDirectory=freshet) and /tmp/freshet-UID. FRESHET_RUNTIME_DIR names another one; empty: none. Main
 * thread.
 */
#ifndef CLIENT_RUNNING_H
#define CLIENT_RUNNING_H

#include <limits.h>

#include "io/address.h"
#include "io/presence.h"

#define RUNNING_MAX     64
#define RUNNING_FOLDERS 3

struct running {
    long pid;
    uid_t owner;
    char admin[ADDRESS_TEXT_MAX + 1];
    char state[PATH_MAX]; /* absolute */
    /* The token in the state folder belongs to the user who wrote where the folder is. Else the folder must
     * not be used: nobody may be led to another user's secrets. */
    bool owns_token;
};

/* The folders to look into, in order; the first that can be used is written to. Returns how many. */
size_t running_folders(char out[RUNNING_FOLDERS][PATH_MAX]);

/* Publishes this process, until presence_withdraw or its end. `admin`: the address of its admin listener.
 * `state`: its state folder, NUL-terminated. 0: it is shown. A negative errno, of the last folder tried: it
 * is not. presence_withdraw may be called in each case. */
int running_show(struct presence *p, struct str admin, const char *state);

/* Finds those that run, in the order of their process ids: this user's and root's. For root also those in
 * /run/freshet (or FRESHET_RUNTIME_DIR) when another user owns that, if they keep their token in their state
 * folder. Returns how many, at most RUNNING_MAX. */
size_t running_find(struct running out[RUNNING_MAX]);

#endif
