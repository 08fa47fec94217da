/*
 * What freshet needs before it serves: state folder, admin token, country database, descriptors, addresses,
 * the user that it becomes, access log. The verbs run and check go through one list: run takes what it
 * finds; check only tries, and leaves nothing behind. So check refuses what run would refuse, except an
 * address in use: of that it writes a note, since mostly a freshet that runs with this configuration has
 * it.
 */
#ifndef SERVER_PREPARE_H
#define SERVER_PREPARE_H

#include <limits.h>

#include "conf/settings.h"
#include "io/inherited.h"
#include "io/user.h"
#include "request/country.h"
#include "server/worker.h"

struct preparation {
    const struct settings *settings; /* set by the caller; they outlive it */
    bool only_try;                   /* set by the caller: check's way */
    /* Set by the caller; may be NULL: listening sockets to use. `is_heir`: they are of a freshet that runs
     * and gives the state folder up; else of a supervisor, and each must be for an address. */
    struct inherited *inherited;
    bool is_heir;
    /* What prepare found. With only_try no token is made, and the sockets and `bound` are not set. */
    size_t workers_n;
    char state[PATH_MAX]; /* the state folder; empty: none */
    struct clock clock;
    struct user user; /* of the setting; `changes_user`: and that is another one */
    bool changes_user;
    bool makes_token;          /* there is none, and the user's is to be made */
    struct buf token;          /* the admin token */
    const char *token_from;    /* where the token is from, for people; a literal */
    struct country *country;   /* NULL: none */
    uint64_t files;            /* descriptors that the process may have */
    struct process_tls *tls;   /* the certificates; NULL: no address has TLS. The caller frees it */
    struct process_acme *acme; /* the same of those that come by themselves */
    struct trusts *trusts;     /* how https:// origins are believed. The caller frees it */
    /* Listening sockets, which the caller closes or gives away: the one of worker w for the address i is
     * fds[i * workers_n + w]. The addresses are those of listen, then those of https. */
    int *fds;
    struct worker_socket *extra; /* more sockets than there are workers: extra_n, in any order */
    size_t extra_n;
    int admin_fd;                                            /* -1: none */
    struct address bound[WORKER_LISTENERS_MAX], admin_bound; /* with the ports that the system chose */
};

/* Returns how many addresses there are, and the one with this number. */
size_t prepare_addresses(const struct process_settings *s);
struct str prepare_address(const struct process_settings *s, size_t i);
/* Appends the name under which an upgrade hands the address with this number over; i == prepare_addresses:
 * the admin's. It is the address, and what tells apart those that read the same: two with port 0 are two
 * ports. */
void prepare_name(const struct process_settings *s, size_t i, struct buf *out);
/* What connections to it begin with. */
struct listening prepare_listening(const struct process_settings *s, size_t i);

/* Goes through the list; in its midst the process becomes another user, when that is wished. The caller sets
 * two members; the rest is 0. Writes on standard error what is wrong (with only_try all of it, else the
 * first), and warnings about the token. Returns the exit code. 0: nothing is wrong. 1: something is. 2: there
 * are too many listen addresses. Main thread, before there is another one. */
int prepare(struct preparation *p);
/* Frees the memory of what prepare found, also after it refused. Closes no descriptor. Main thread, after the
 * workers have ended: they use `country` and `token`. */
void prepare_fini(struct preparation *p);

#endif
