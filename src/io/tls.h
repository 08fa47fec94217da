/*
 * TLS under the stream's contract (io/stream.h): a stream whose bytes are encrypted. Its engine is in
 * io/stream_tls.c, over one that moves raw bytes. Who has the stream uses it as any other, with these
 * differences:
 *  - A new stream is connecting until the handshake is over; `connected` tells that. It is the server's side
 *    (tls_accept) or the client's (tls_connect).
 *  - stream_shutdown and stream_close say that all was sent (close_notify, RFC 8446 §6.1), stream_reset does
 *    not. A peer that ends without saying so makes `ended` an error: what it sent may have been cut.
 *  - The session cannot go to another process: `stays` is set.
 *
 * What is agreed to in a handshake, and with which certificate, is the context's business: tls/.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "io/stream.h"

struct ssl_ctx_st;     /* OpenSSL's SSL_CTX */
struct ssl_session_st; /* and its SSL_SESSION */

/* Has what OpenSSL takes from the heap counted with the rest (base/mem): a session has 14 KiB, a handshake
 * three times as much. Without memory a handshake or a session fails; elsewhere in OpenSSL the process stops,
 * as with mem_alloc. Call it before anything else that uses OpenSSL, in a process of one thread. */
void tls_count_memory(void);

struct tls_terms {
    struct ssl_ctx_st *context; /* tls_accept takes a reference */
    int64_t handshake_ms;       /* how long the handshake may take */
    struct str early;           /* bytes that the peer has sent and somebody has read; copied */
    /* What a peer gets that begins with a word in capital letters, so that it speaks HTTP in clear; at most
     * 1 KiB, good as long as the stream. n 0: an alert, which such a peer does not understand. */
    struct str in_clear;
};

/*
 * Like stream_open, as the server of a TLS connection. Then `connected` follows: 0: the handshake is done, as
 * tls_facts says. UV_ETIMEDOUT: it took longer than handshake_ms. UV_EPROTO: it failed, for the reason
 * tls_failure. UV_EOF: the peer went. Another libuv error: the connection broke. After an error close the
 * stream.
 */
int tls_accept(struct stream *s, struct loop *l, const struct stream_notices *n, int fd,
               const struct tls_terms *terms);

/* How a client begins. The functions are called on the loop's thread. */
struct tls_call {
    struct ssl_ctx_st *context; /* tls_connect takes a reference */
    /* Whom the peer's certificate has to name, a host or an address; a host is asked for (SNI). Nobody is
     * looked for when the context does not verify. Copied. */
    struct str server_name;
    /* What is offered (ALPN, RFC 7301 §3.1): a byte with its length and a name, for each. Empty: what the
     * context offers. */
    struct str protocols;
    struct ssl_session_st *session; /* to go on with; NULL: none. tls_connect takes a reference */
    int64_t handshake_ms; /* how long the handshake may take once the peer is reached; 0: for ever */
    /* The peer is reached, the handshake begins. Not from inside tls_connect. It must not close the stream.
     * NULL: not wanted. */
    void (*reached)(struct stream *s);
    /* The peer gave a session to go on with later; the reference is the callee's. It must not use the stream.
     * NULL: not wanted. */
    void (*ticket)(struct stream *s, struct ssl_session_st *session);
};

/* Like stream_connect, as the client of a TLS connection. `connected` follows: as after tls_accept, and as
 * after stream_connect when the peer is not reached. Early data (0-RTT) is never sent. */
int tls_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to,
                const struct tls_call *call);

/* For contexts of clients: sessions are told to who makes them (struct tls_call). Before the first use of the
 * context. */
void tls_tell_tickets(struct ssl_ctx_st *context);

/* Is this stream one of tls_accept or tls_connect? */
bool tls_is_under(const struct stream *s);
/* Was the peer of a tls_connect reached, so that what failed is the handshake? */
bool tls_was_reached(const struct stream *s);
/* Did the handshake fail since the peer's certificate is not good? Then tls_failure says what is wrong. */
bool tls_is_distrusted(const struct stream *s);

/* What the handshake found. The texts are good as long as the stream. */
struct tls_facts {
    struct str server_name;      /* SNI, RFC 6066 §3; as the client wrote it. n 0: none */
    struct str protocol;         /* ALPN, RFC 7301. n 0: the client asked for none */
    const char *version, *suite; /* "TLSv1.3", "TLS_AES_128_GCM_SHA256" */
    bool resumed;                /* by a ticket */
};
/* Writes the facts of an open stream to *out. */
void tls_facts(const struct stream *s, struct tls_facts *out);
/* Is the session for that host, HOST or HOST:PORT: did the client ask for it (SNI), or is it among the names
 * of the certificate? Yes when the client named none. Else the client has taken the connection for more than
 * it is (RFC 9113 §9.1.2). */
bool tls_is_for(const struct stream *s, struct str authority);
/* Says why the session failed, in OpenSSL's words or ours. NULL: it did not, or the reason is unknown.
 * Good as long as the stream. */
const char *tls_failure(const struct stream *s);

#endif
