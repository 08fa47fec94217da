/*
 * An OpenSSL context as freshet wants it: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) with forward secrecy and
 * authenticated encryption alone; no renegotiation, no compression, no 0-RTT; one ticket a handshake. What
 * the client prefers wins among these.
 *
 * A client's context (tls/outgoing.h) agrees to the same, and sends no early data.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

struct ssl_ctx_st;

/* Returns a server's context without a certificate. The caller owns a reference (SSL_CTX_free). Any thread.
 */
struct ssl_ctx_st *context_new(void);
/* Returns a client's context that believes nobody yet. The rest is as above. */
struct ssl_ctx_st *context_new_client(void);

#endif
