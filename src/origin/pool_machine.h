/*
 * What the parts of a pool (origin/pool.c, origin/connect.c) share. Private to them.
 *
 *   pool.c     places, the queue for them, idle connections
 *   connect.c  a new connection: the origin's addresses, the race between them, retries
 *   connect_tls.c  what it has besides when the origin is https://
 *   share.c    connections that speak HTTP/2, and tickets that wait for one
 *   mux.c      such a connection (origin/mux.h)
 *   surplus.c  what it says of bytes that nobody asked for
 *
 * All on the worker's thread.
 */
#ifndef ORIGIN_POOL_MACHINE_H
#define ORIGIN_POOL_MACHINE_H

#include "origin/pool.h"
#include "tls/outgoing.h"
#include "tls/sessions.h"

/* An address of an origin. failed_ms: when it last failed (monotonic); 0: never, or it has worked since. */
struct target {
    struct address at;
    int64_t failed_ms;
};

/* What this worker knows of one origin. */
struct pool_entry {
    unsigned tag; /* POOL_ENTRY_TAG while it lives */
    struct link in_pool;
    struct link in_origin; /* under the origin's lock */
    struct pool *pool;
    struct origin *origin;
    struct list idle; /* connections, the latest used first */
    size_t idle_n, owned_n;
    uint64_t made;         /* connections so far */
    struct list shared;    /* connections that speak HTTP/2 and may get lanes, the oldest first */
    struct ticket *leader; /* for whose connection others wait; NULL: none */
    struct list joined;    /* tickets that wait for it */
    struct list left;      /* the same, when it has failed, since `left_why` */
    enum reason left_why;
    bool speaks_http1;        /* it has chosen HTTP/1.1 when it was offered HTTP/2 */
    struct list queue;        /* tickets that wait for a place */
    struct list upload_queue; /* the same, whose uploads still come */
    struct list low_queue;    /* the same, of low priority */
    uint64_t queued;          /* tickets that ever waited */
    struct list resolving;    /* tickets that wait for an address */
    struct list connecting;   /* tickets that try addresses, or pause before they try again */
    struct loop_notice place; /* a place was given back */
    bool gave_place;          /* given back on this worker; no other worker was told */
    struct resolve resolve;
    bool is_resolving, is_literal;
    struct target targets[RESOLVE_MAX]; /* in the order in which they are tried (RFC 8305 §4) */
    size_t targets_n;
    int64_t asked_ms; /* when the name was last resolved; 0: never, or it must be resolved again */
    int64_t refused_ms,
        refused_last_ms; /* The first and the latest time that all addresses refused a ticket. */
    /* With TLS: how the origin is believed, a reference, and the number of trusts_version then. NULL: not
     * known yet. */
    struct outgoing *trust;
    uint64_t trust_version;
    struct sessions sessions;
    /* from the latest request */
    int64_t limit, queue_limit, resolve_every_ms, age_ms, idle_ms;
};
#define POOL_ENTRY_TAG 0x656e7472u

/* ---- pool.c ---- */

extern const struct stream_notices pool_notices;
/* For a ticket that is over: stops its timers and takes it out of its list. It still has its place. */
void pool_finish(struct ticket *t);
/* The ticket's place is the connection's from now on. */
void pool_pass_place(const struct ticket *t, struct connection *c);
/* Ends a ticket that has a place: it fails, and the place is free. */
void pool_give_up(struct ticket *t, enum reason why);
/* Is the connection not to get new requests: too old, or was its origin believed otherwise when it was
 * made? */
bool pool_is_too_old(const struct connection *c);

/* ---- share.c ---- */

void share_init(struct pool_entry *e);
/* Begins to get a connection for a ticket that has a place: joins one that is being made, or connects. false:
 * as connect_begin. */
bool share_begin(struct ticket *t, enum reason *why);
/* Returns a lane for it on a connection that there is. NULL: none has room. */
struct connection *share_take(struct ticket *t);
/* A connection that speaks HTTP/2 is ready: gives it to the ticket that it was made for, and to those that
 * joined. */
void share_add(struct ticket *t, struct connection *c);
/* The ticket is over, or has a connection of its own: who joined it goes on. `why`: it has failed, and
 * so have those of them that would have tried no longer and in no other way. */
void share_leave(struct ticket *t, enum reason why);
/* A shared connection has room: those that joined get it, from the loop. */
void share_wake(struct pool_entry *e);
/* Those that joined go on; from the loop. */
void share_serve(struct pool_entry *e);
/* Takes a connection out of those that get lanes. */
void pool_unshare(struct connection *c);

/* ---- surplus.c ---- */

/* Bytes came on an idle connection of the origin; `first`: up to 16 of them. Counts, and says it in the log
 * (at most once in LOG_VALVE_MS), unless they begin a 408. The caller drops the connection. */
void pool_note_surplus(const struct pool_entry *e, struct str first);

/* ---- connect.c ---- */

/* Initialises a new entry's addresses. A literal address needs no resolver. */
void connect_init(struct pool_entry *e);
/* Resolves the name again in the background when its addresses are old. */
void connect_refresh(struct pool_entry *e);
/* For a ticket that has a place: begins to connect. false: it failed at once, *why is set, and the caller
 * gives the place back. */
bool connect_begin(struct ticket *t, enum reason *why);
/* Closes the connections that are being made for the ticket. */
void connect_cancel(struct ticket *t);
/* The `connected` notice of the stream. */
void connect_done(struct stream *s, int status);
/* A connection that speaks HTTP/2 has the origin's SETTINGS, or has ended before it had them. `text`: why;
 * NULL: it broke with `status`. */
void connect_settled(struct connection *c);
void connect_unsettled(struct connection *c, int status, const char *text);

/* ---- connect_tls.c ---- */

bool connect_has_tls(const struct pool_entry *e);
/* With TLS: sees that `trust` is the one in force. false: there is none, and it is noted why. */
bool connect_trust(struct pool_entry *e);
/* Was the connection made as the origin is believed now? Yes without TLS. */
bool connect_is_trusted(const struct connection *c);
/* Frees the entry's trust and sessions. */
void connect_distrust(struct pool_entry *e);
/* Starts to connect, after connect_trust. Returns as stream_connect does. */
int connect_open(struct pool_entry *e, struct connection *c, const struct address *to,
                 enum origin_http2 http2);
/* Is HTTP/2 agreed on, by ALPN or without a word? */
bool connect_agreed(const struct connection *c, enum origin_http2 http2);
/* `connected` came with an error: was it the TLS handshake? Then it is noted what is wrong. */
bool connect_shook(struct connection *c, int status);
/* Notes what took too long. */
void connect_late(const struct connection *c);

#endif
