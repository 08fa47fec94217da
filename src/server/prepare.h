/*
 * What freshet needs before it serves: state folder, admin token, database, log, descriptors, addresses. The
 * verbs run and check go through one list: run takes what it finds; check only tries, and leaves nothing
 * behind. So check refuses what run would refuse.
 */
#ifndef SERVER_PREPARE_H
#define SERVER_PREPARE_H

#include <limits.h>

#include "conf/settings.h"
#include "io/address.h"
#include "request/country.h"
#include "server/worker.h"

struct preparation {
    const struct settings *settings;
    bool only_try;
    size_t workers_n;
    /* What was found, unless only_try; the caller's. */
    char state[PATH_MAX];
    struct buf token;
    const char *token_from;
    struct country *country;                                 /* NULL: none */
    uint64_t files;                                          /* descriptors that the process may have */
    int *fds;                                                /* workers_n for each address */
    int admin_fd;                                            /* -1: none */
    struct address bound[WORKER_LISTENERS_MAX], admin_bound; /* with the ports that the system chose */
};

/* Goes through the list. The caller sets `settings` and `only_try`; the rest is 0. Writes on standard error
 * what is wrong (with only_try all of it), and settings that may be meant otherwise. Returns the exit code;
 * 0: nothing is wrong. Main thread, before the workers start. */
int prepare(struct preparation *p);
/* Frees the memory of what prepare found. Closes no descriptor. */
void prepare_fini(struct preparation *p);

#endif
