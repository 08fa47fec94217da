/*
 * What must be found before freshet serves: state folder, admin token, database, log, descriptors, addresses. One list, which run and
 * check go through: run takes what it finds, check only tries and leaves nothing behind, so check refuses what run would.
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
    /* What was found, when it is not only tried; the caller's. */
    char state[PATH_MAX];
    struct buf token;
    const char *token_from;
    struct country *country;                                 /* NULL: none */
    uint64_t files;                                          /* descriptors that the process may have */
    int *fds;                                                /* workers_n for each address */
    int admin_fd;                                            /* -1: none */
    struct address bound[WORKER_LISTENERS_MAX], admin_bound; /* with the ports that the system chose */
};

/* `settings` and `only_try` are set, the rest is 0. Says on standard error what is wrong, all of it when it is only tried, and what may be
 * meant otherwise than it is. Returns the exit code. */
int prepare(struct preparation *p);
void prepare_fini(struct preparation *p);

#endif
