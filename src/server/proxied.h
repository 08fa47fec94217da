/*
 * Connections of which a header of the PROXY protocol is awaited (io/proxy_header.h): between the accepted
 * connection and the handshake or the front. Belongs to an acceptor; all functions run on its loop's thread.
 */
#ifndef SERVER_PROXIED_H
#define SERVER_PROXIED_H

#include "base/list.h"
#include "io/proxy_header.h"
#include "io/stream.h"
#include "origin/counters.h"

struct proxied {
    struct loop *loop;
    struct counters *counters;
    struct list all; /* the oldest first */
    size_t n;
    struct log_valve *said; /* that no good header came; shared; NULL: it is not said */
    /* From the loop, the header is read. Counts the connection as one of `visitor` instead of `peer`, which
     * is the proxy. false: that one has too many; the connection is closed. */
    bool (*named)(struct proxied *p, const struct address *peer, const struct address *visitor);
    /* From the loop: in clear: the receiver owns the stream, whose memory comes from mem_alloc. `early`: what
     * came behind the header; good during the call, here and below. */
    void (*done)(struct proxied *p, struct stream *s, const struct address *visitor, struct str early);
    /* From the loop: with TLS: the receiver owns the descriptor. */
    void (*done_for_tls)(struct proxied *p, int fd, const struct address *visitor, struct str early);
    /* From the loop: none came in time, or none that is one; the connection is closed. `peer`: for whom it is
     * counted. */
    void (*failed)(struct proxied *p, const struct address *peer);
};

void proxied_init(struct proxied *p, struct loop *l, struct counters *counters);
/* Begins to read on a connected socket, for at most `ms`. true: `named` and `done` or `done_for_tls` follow,
 * or `failed`. false: the connection is gone already, and closed. */
bool proxied_begin(struct proxied *p, int fd, const struct address *peer, bool with_tls, int64_t ms);
/* Gives up those that have waited for longer than `ms` so far: memory is short, or all must end (0). */
void proxied_cut(struct proxied *p, int64_t ms);

#endif
