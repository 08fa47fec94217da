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

/* Certificates that come from elsewhere than from files (server/acme.h). */
struct process_tls_more {
    /* Adds them to a desk that is being made. Main's thread. */
    void (*add)(struct process_tls_more *m, struct certificates *desk);
    /* Are those for this site about to come? Then nobody is warned that there is none. Main's thread. */
    bool (*is_for)(struct process_tls_more *m, const struct settings *s, const struct site_settings *site);
    /* As in struct certificates_rules. */
    bool (*has_proofs)(void *m);
    struct ssl_ctx_st *(*proof)(void *m, struct str name);
};
/* Sets them, once, before the first process_tls_load. They outlive it. */
void process_tls_set_more(struct process_tls *t, struct process_tls_more *m);
/* There are others now: makes the desk anew, as process_tls_load does for changed files. After
 * process_tls_watch. */
void process_tls_again(struct process_tls *t);

/* Begins to look after the files, the dates and the keys of tickets; to log. Before the workers start.
 * `settings`: where those in force are found. */
void process_tls_watch(struct process_tls *t, struct loop *l, struct settings *const *settings);
/* Ends that. A second call does no harm. */
void process_tls_stop(struct process_tls *t);

/* Writes the path of a file that the settings name: a relative one is taken from the configuration's
 * folder. */
void process_tls_path(const struct settings *s, struct str file, char out[PATH_MAX]);

/* Returns the certificates for a handshake, with a reference. Any thread. */
struct certificates *process_tls_certificates(struct process_tls *t);

#endif
