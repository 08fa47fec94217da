/*
 * An OpenSSL context as freshet wants it: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) with forward secrecy and
 * authenticated encryption alone; no renegotiation, no compression, no 0-RTT; one ticket a handshake. What
 * the client prefers wins among these.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

struct ssl_ctx_st;

/* Returns a server's context without a certificate. The caller owns a reference (SSL_CTX_free). Any thread.
 */
struct ssl_ctx_st *context_new(void);

#endif
