/*
 * What a certificate is asked for with: a new key of P-256, and a request (PKCS #10, RFC 2986) for names.
 * Pure; any thread.
 */
#ifndef ACME_CSR_H
#define ACME_CSR_H

#include "base/buf.h"

/* Appends a new key as PEM. It is a secret. */
void csr_make_key(struct buf *pem);
/* Appends the request for these DNS names, at least one, as DER, signed by the key. false: the key is
 * none. */
bool csr_make(struct str key_pem, const struct strs *names, struct buf *der);
/* Appends, as PEM, a new key and a certificate of its own for one name that answers a challenge of
 * tls-alpn-01 (RFC 8737 §3): `digest` is SHA-256 of the key authorization. now_s: wall-clock. */
void csr_make_challenge(struct str name, const unsigned char digest[32], int64_t now_s, struct buf *cert_pem,
                        struct buf *key_pem);

#endif
