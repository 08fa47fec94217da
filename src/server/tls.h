/*
 * The certificates of the process: read when it starts, when its settings are reloaded, and when a file
 * changes. What is wrong is said, and what was there before stays. Main's thread, but for
 * process_tls_certificates.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <limits.h>

#include "conf/settings.h"
#include "io/loop.h"
#include "tls/certificates.h"

struct process_tls;

/* Returns one without certificates. */
struct process_tls *process_tls_new(const struct clock *clock);
void process_tls_free(struct process_tls *t); /* NULL is allowed */

/* Reads what the settings name. true: it is in force from the next handshake on. false: nothing has changed.
 * Adds a line to `errors` for each mistake, and to `warnings` for what is legal and hardly meant. Waits for
 * the disk. */
bool process_tls_load(struct process_tls *t, const struct settings *s, struct buf *errors,
                      struct buf *warnings);

/* The local authority's part (server/local_tls.h): opens it in the state folder, or makes it there, when the
 * settings want it; from then on process_tls_load does so as well. Call it after process_tls_load, as the
 * user that the process stays. The rest is as there. */
bool process_tls_sign(struct process_tls *t, const struct settings *s, const char *state, struct buf *errors,
                      struct buf *warnings);
/* Is one of the certificates signed by the local authority? */
bool process_tls_signs(const struct process_tls *t);

/* Certificates that come from elsewhere than from files (server/acme.h). */
struct process_tls_more {
    /* Adds them to a desk that is being made. Main's thread. */
    void (*add)(struct process_tls_more *m, struct certificates *desk);
    /* Is one for this host of the site about to come? Then nobody is warned that there is none. Main's
     * thread. */
    bool (*is_for)(struct process_tls_more *m, const struct settings *s, const struct site_settings *site,
                   struct str host);
    /* As in struct certificates_rules. */
    bool (*has_proofs)(void *m);
    struct ssl_ctx_st *(*proof)(void *m, struct str name);
};
/* Sets them, once, before the first process_tls_load. They outlive it. */
void process_tls_set_more(struct process_tls *t, struct process_tls_more *m);
/* There are others now: makes the desk anew for these settings, without a look at files. */
void process_tls_again(struct process_tls *t, const struct settings *s);

/* For an upgrade: append the keys of tickets, which are secret and to be wiped (tls/tickets.h), and take
 * them. What is no such text is ignored. `t` may be NULL: then there are none. Before the workers start, or
 * on main's thread. */
void process_tls_give_tickets(struct process_tls *t, struct buf *out);
void process_tls_take_tickets(struct process_tls *t, struct str bytes);

/* Begins to look after the files, the dates and the keys of tickets; to log. Before the workers start.
 * `settings`: where those in force are found. */
void process_tls_watch(struct process_tls *t, struct loop *l, struct settings *const *settings);
/* Ends that. A second call does no harm. */
void process_tls_stop(struct process_tls *t);

/* Writes the path of a file that the settings name: a relative one is taken from the configuration's
 * folder. */
void process_tls_path(const struct settings *s, struct str file, char out[PATH_MAX]);

/* A certificate that is no other's business (struct process_tls_more). */
struct process_tls_held {
    struct pair *pair;
    char *file; /* of the certificate; NULL: the local authority has signed it */
    int64_t renew_ms;
};
/* Count them, and call `take` with each, with a lock held. Any thread. */
size_t process_tls_held_n(struct process_tls *t);
void process_tls_each_held(struct process_tls *t, void (*take)(void *ctx, const struct process_tls_held *h),
                           void *ctx);

/* Returns the certificates for a handshake, with a reference. Any thread. */
struct certificates *process_tls_certificates(struct process_tls *t);

#endif
