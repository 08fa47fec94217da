/*
 * The certificates of the process: read when it starts, when its settings are reloaded, and when a file
 * changes. What is wrong is said, and what was there before stays. Main's thread, but for
 * process_tls_certificates.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

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

/* Begins to look after the files, the dates and the keys of tickets; to log. Before the workers start.
 * `settings`: where those in force are found. */
void process_tls_watch(struct process_tls *t, struct loop *l, struct settings *const *settings);
/* Ends that. A second call does no harm. */
void process_tls_stop(struct process_tls *t);

/* Returns the certificates for a handshake, with a reference. Any thread. */
struct certificates *process_tls_certificates(struct process_tls *t);

#endif
