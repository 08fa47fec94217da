/*
 * What freshet asks of a server that it calls by TLS: whom it believes, and what it shows of itself.
 * Immutable and counted; any thread. A handshake (io/tls.h, tls_connect) uses its context.
 */
#ifndef TLS_OUTGOING_H
#define TLS_OUTGOING_H

#include "base/buf.h"

struct outgoing;
struct ssl_ctx_st;

struct outgoing_files {
    struct str ca;        /* a PEM file of authorities; empty: those of the system */
    struct str cert, key; /* PEM files; empty: freshet shows no certificate */
    bool insecure;        /* whoever answers is believed; `ca` is not read */
};

/*
 * Reads the files; waits for the disk. Returns it with one reference: `before` again when it was made of the
 * same bytes. NULL: something is wrong, and `why` gets a sentence without a full stop that names the file,
 * the line where it can be named, and what to do. `before` may be NULL. now_ms: wall-clock. The system's
 * authorities are those of OpenSSL: $SSL_CERT_FILE, its own file, or ca-certificates.crt in $SSL_CERT_DIR or
 * its own folder.
 */
struct outgoing *outgoing_load(const struct outgoing_files *files, struct outgoing *before, int64_t now_ms,
                               struct buf *why);
struct outgoing *outgoing_ref(struct outgoing *o);
void outgoing_unref(struct outgoing *o); /* NULL is allowed */

/* The context; good as long as a reference is held. */
struct ssl_ctx_st *outgoing_context(const struct outgoing *o);
/* Tells two of them apart; never 0, and of no two the same. */
uint64_t outgoing_number(const struct outgoing *o);

#endif
