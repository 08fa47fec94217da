/*
 * A certificate with its chain and its private key, from PEM (RFC 7468), checked. Immutable and counted; any
 * thread.
 */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "base/buf.h"

struct pair;
struct ssl_ctx_st;

/*
 * Makes a pair of two PEM texts: the certificate, followed by those of its chain, and its key. Both may be
 * the same text. now_ms: wall-clock. Returns it with one reference; NULL: they are no pair, it has expired,
 * it is not valid yet, or its key is too weak; `why` gets a sentence without a full stop that names `cert` or
 * `key`, which are for people: where the texts came from.
 */
struct pair *pair_new(struct str cert_pem, struct str cert, struct str key_pem, struct str key,
                      int64_t now_ms, struct buf *why);
/* The same from files. Waits for the disk. */
struct pair *pair_load(const char *cert, const char *key, int64_t now_ms, struct buf *why);
struct pair *pair_ref(struct pair *p);
void pair_unref(struct pair *p);

/* The DNS names that it is for (RFC 9525: subjectAltName alone), in lower case; "*.example.com"
 * for all right below. Good as long as the pair. */
struct strs pair_names(const struct pair *p);
/* Is one of such names this host, or a wildcard for it? `host` may be a wildcard itself. Pure. */
bool pair_names_have(const struct strs *names, struct str host);
/* The same of the pair's own names. */
bool pair_is_for(const struct pair *p, struct str host);
/* When its certificate expires; wall-clock. */
int64_t pair_until_ms(const struct pair *p);
/* Is its key one of RSA? */
bool pair_is_rsa(const struct pair *p);
/* Puts it into a context. A context holds one of RSA and one of another kind. */
void pair_use(const struct pair *p, struct ssl_ctx_st *context);

#endif
