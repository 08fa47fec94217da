/*
 * The account's key, and what it signs: JSON Web Signatures (RFC 7515) as ACME wants them (RFC 8555 §6.2):
 * flattened, ES256, with nonce and url in the protected header. Immutable once made; any thread.
 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include "base/buf.h"

struct jws_key;

/* Makes a new key of P-256. Never NULL. The caller frees it. */
struct jws_key *jws_key_new(void);
/* Reads one from PEM (PKCS #8). NULL: there is none of P-256 in it. */
struct jws_key *jws_key_read(struct str pem);
/* Appends it as PEM. It is a secret. */
void jws_key_write(const struct jws_key *k, struct buf *out);
void jws_key_free(struct jws_key *k); /* NULL is allowed */

/* Appends the public half as a JSON Web Key, in the form that thumbprints are made of (RFC 7638 §3). */
void jws_add_jwk(const struct jws_key *k, struct buf *out);
/* Appends the thumbprint: what stands behind a challenge's token (RFC 8555 §8.1). */
void jws_add_thumbprint(const struct jws_key *k, struct buf *out);

/* What stands in the protected header. `kid`: the account's URL; empty: the key itself, for newAccount. */
struct jws_head {
    struct str nonce, url, kid;
};
/* Appends the signed message. `payload`: JSON; empty: POST-as-GET (RFC 8555 §6.3). */
void jws_sign(const struct jws_key *k, const struct jws_head *head, struct str payload, struct buf *out);
/* Appends the binding to an account that the CA knows from elsewhere (RFC 8555 §7.3.4): the key as payload,
 * under HS256 with the secret that the CA has given, in base64url. false: the secret is no such text. */
bool jws_bind(const struct jws_key *k, struct str kid, struct str secret, struct str url, struct buf *out);

#endif
