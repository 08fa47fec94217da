/*
 * TLS handshakes that are under way on a worker's loop: between the accepted connection and the front that
 * gets its stream. Belongs to an acceptor; all functions run on its loop's thread.
 */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "base/list.h"
#include "io/tls.h"
#include "origin/counters.h"
#include "tls/certificates.h"

struct handshakes {
    struct loop *loop;
    struct counters *counters;
    struct list all; /* the oldest first */
    size_t n;
    /* From the loop: a handshake is done. The receiver owns the stream, whose memory comes from mem_alloc.
     * `protocol`: that of ALPN; n 0: none. Both are good during the call. */
    void (*done)(struct handshakes *h, struct stream *s, const struct address *peer, struct str protocol);
    /* From the loop: one failed, or was the question of a CA alone (tls/alpn_proof.h), and its connection is
     * closed. */
    void (*failed)(struct handshakes *h, const struct address *peer);
};

void handshakes_init(struct handshakes *h, struct loop *l, struct counters *counters);
/* Begins one on a connected socket. true: `done` or `failed` follows. false: the connection is gone already,
 * and closed. */
bool handshakes_begin(struct handshakes *h, int fd, const struct address *peer,
                      const struct tls_terms *terms);
/* Gives up those that have taken longer than `ms` so far: memory is short, or all must end (0). `failed`
 * follows for each. */
void handshakes_cut(struct handshakes *h, int64_t ms);

#endif
