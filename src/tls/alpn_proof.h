/*
 * A CA's question by tls-alpn-01 (RFC 8737): a handshake that offers the protocol "acme-tls/1" alone and
 * names the host. What is answered is the certificate; nothing is said afterwards. Any thread.
 */
#ifndef TLS_ALPN_PROOF_H
#define TLS_ALPN_PROOF_H

#include "base/str.h"

struct ssl_st;
struct ssl_ctx_st;

#define ALPN_PROOF_PROTOCOL "acme-tls/1"

/* In a client hello callback: is it such a question? *name: the host, good during the callback. */
bool alpn_proof_is_asked(struct ssl_st *ssl, struct str *name);
/* Lets the context agree to that protocol, and to no other. Before its first handshake. */
void alpn_proof_prepare(struct ssl_ctx_st *context);

#endif
