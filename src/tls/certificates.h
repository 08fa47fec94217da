/*
 * Which certificate a client gets: by the name that it asks for (SNI, RFC 6066 §3) and the kind of signatures
 * that it knows. Made once, then immutable: new certificates are a new desk. Handshakes that have begun keep
 * theirs.
 */
#ifndef TLS_CERTIFICATES_H
#define TLS_CERTIFICATES_H

#include "base/str.h"
#include "tls/pair.h"
#include "tls/tickets.h"

struct certificates;

/* What a desk has besides its certificates. Outlives it and its handshakes. */
struct certificates_rules {
    struct tickets *tickets;
    /* Protocols in the order that we prefer, each with its length in front (ALPN, RFC 7301 §3.1). A client
     * that offers only others gets the alert no_application_protocol. */
    struct str protocols;
    /* A client asked for `name`, for which there is no certificate; it gets the alert unrecognized_name. n 0:
     * it named none, and there is no certificate at all. On the handshake's thread. */
    void (*unknown)(void *ctx, struct str name);
    /* Certificates that answer challenges of tls-alpn-01 (RFC 8737), for clients that offer "acme-tls/1"
     * alone: is there any now, and that for a name, a context (tls/alpn_proof.h) with a reference; NULL:
     * none. On the handshake's thread. NULL: never. */
    bool (*has_proofs)(void *ctx);
    struct ssl_ctx_st *(*proof)(void *ctx, struct str name);
    void *ctx;
};

/* Returns a desk without certificates, with one reference. */
struct certificates *certificates_new(const struct certificates_rules *rules);
/*
 * Adds a pair, under its own names and under `hosts`: exact, or "*.example.com", which stands for one label
 * (RFC 9525 §6.3). Of two pairs of a kind (RSA, others) for one name the first stays. The first pair of all,
 * and the first of the other kind with the same names, is for clients that name nobody.
 */
void certificates_add(struct certificates *c, struct pair *p, const struct strs *hosts);
/* Ends the adding. */
void certificates_seal(struct certificates *c);
/* Is there a certificate for this host? "*.example.com": for all right below. After certificates_seal. */
bool certificates_has(const struct certificates *c, struct str host);
/* Sets `out` to the pairs that a visitor of the host gets, by the kinds of keys that he can check; NULL: none
 * of that kind. `host`: empty, or an address: he names none. A wildcard stands for itself. Good as long as
 * the desk. */
#define CERTIFICATES_KINDS 2
void certificates_pairs(const struct certificates *c, struct str host,
                        const struct pair *out[CERTIFICATES_KINDS]);
/* When the first of its pairs expires; INT64_MAX: none is there. *p: that one. */
int64_t certificates_until_ms(const struct certificates *c, const struct pair **p);
/* The context for handshakes (io/tls.h). The caller owns no reference: it holds as long as the desk, and each
 * handshake takes one. After certificates_seal. */
struct ssl_ctx_st *certificates_context(const struct certificates *c);
/* The desk goes with its last reference and its last connection. */
struct certificates *certificates_ref(struct certificates *c);
void certificates_unref(struct certificates *c);

#endif
