/*
 * Whom a TLS client believes to speak with: the name that the peer's certificate must have, and what is wrong
 * with one that is refused, for people. A part of io/stream_tls.c. On the loop's thread.
 */
#ifndef IO_TLS_PEER_H
#define IO_TLS_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct ssl_st;

#define TLS_PEER_TEXT_MAX 256
#define TLS_PEER_NAME_MAX 254 /* of a host, with its NUL */

struct tls_peer {
    char name[TLS_PEER_NAME_MAX];
    bool is_wrong;                /* the certificate was refused */
    char text[TLS_PEER_TEXT_MAX]; /* and why, without a full stop; "its certificate ..." */
};

/* Has the session ask for a host, and refuse a certificate without its name (RFC 9525: subjectAltName alone),
 * when its context verifies. `p` is zeroed and lives as long as the session. now_ms: the wall-clock time at
 * which certificates must be valid. false: it cannot be such a name. */
bool tls_peer_expect(struct tls_peer *p, struct ssl_st *ssl, struct str name, int64_t now_ms);

#endif
