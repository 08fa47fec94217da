/*
 * Listening sockets that this process did not make: from the freshet whose place it takes, or from what
 * supervises it (systemd's socket activation, sd_listen_fds(3)). They are used for the addresses of the
 * settings that they are bound to. Main thread, before the workers start.
 */
#ifndef IO_INHERITED_H
#define IO_INHERITED_H

#include "base/buf.h"
#include "io/address.h"

#define INHERITED_MOST 4096

struct inherited_socket {
    int fd;
    bool is_taken;
    struct buf text;      /* the name that the one before gave it; empty: it has none, or from a supervisor */
    struct buf name;      /* of LISTEN_FDNAMES; may be empty */
    struct address bound; /* bytes == 0: none */
};

struct inherited {
    struct inherited_socket *v; /* in the order in which they came */
    size_t n;
};

/* Adds a socket of the one before; takes over the descriptor. false: there are too many. */
bool inherited_add(struct inherited *in, int fd, struct str text);
/* Adds those of LISTEN_FDS when they are for this process (LISTEN_PID). true: good, or there are none. false:
 * one is no listening stream socket, and `error` gets a sentence without its end. */
bool inherited_from_supervisor(struct inherited *in, struct buf *error);
/* Takes the sockets that have that name, or are bound to `at` (NULL: the name alone counts): at most `most`,
 * in `fds`, which the caller owns from now on. *bound: their address. Returns how many. */
size_t inherited_take(struct inherited *in, struct str name, const struct address *at, int *fds, size_t most,
                      struct address *bound);
/* Returns a socket that nobody took, or NULL. */
struct inherited_socket *inherited_left(struct inherited *in);
/* Closes what nobody took. */
void inherited_close_left(struct inherited *in);
void inherited_fini(struct inherited *in);

#endif
