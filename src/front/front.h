/*
 * A protocol of clients, as seen by the code that accepts connections. A front turns bytes into requests
 * (request/request.h) and replies into bytes, for all connections of one worker that share a struct requests.
 * All functions run on the worker's thread, from its loop. A further protocol needs no change elsewhere.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "io/stream.h"
#include "request/request.h"

struct front;

/* When memory or connections are short (base/overload.h): what a front is to give up. */
struct front_shed {
    enum overload_step step;
    int64_t idle_ms; /* idle connections close that have been so for this long */
    int64_t bytes;   /* clients are cut off until they have given back so much, ... */
    unsigned places; /* ... and so many connections; both 0: none is */
    unsigned looks;  /* so many connections are looked at in one call; the next call goes on with others */
    /* How many connections has that client? NULL: that is unknown. */
    uint32_t (*connections_of)(void *ctx, const struct address *peer);
    void *ctx;
};
struct front_shed_done {
    unsigned idle, cut; /* connections */
    unsigned slow;      /* clients that may be cut off soon, when they go on so */
};

/* How long a connection may be idle while memory is short. */
static inline int64_t front_idle_saved_ms(int64_t idle_ms)
{
    return idle_ms / 8 > 1000 ? idle_ms / 8 : idle_ms < 1000 ? idle_ms : 1000;
}

/* What a protocol offers. Each function gets a front that the protocol itself made. */
struct front_protocol {
    struct str name; /* for people: "HTTP/1.1" */
    /*
     * Takes over an open stream that does not read; its memory comes from mem_alloc. The front becomes its
     * owner (stream_give), and frees it after its `closed`. `early`: bytes that the previous owner has read;
     * the front copies them. `is_old`: it has had requests, and may be idle for longer than a new one. Calls
     * none of the front's notices.
     */
    void (*accept)(struct front *f, struct stream *s, const struct address *peer, struct str early,
                   bool is_old);
    /* Accepts no new requests: idle connections close soon, busy ones after their reply. Called at most
     * once. */
    void (*drain)(struct front *f);
    /* Gives all connections away by the front's `left`: idle ones soon, busy ones after their reply, which
     * does not say that the connection ends. What cannot be given away is closed as by `drain`. Called at
     * most once, instead of `drain`. */
    void (*leave)(struct front *f);
    /* Closes all connections now, since the deadline has come. `closed` follows for each, from the loop. */
    void (*close_all)(struct front *f);
    /* Gives up connections as `how` says, those first that hold most for the least progress. `closed` follows
     * for each, from the loop. */
    void (*shed)(struct front *f, const struct front_shed *how, struct front_shed_done *done);
    /* Frees the front. No connection is open. */
    void (*free)(struct front *f);
    /* What a connection gets that is refused before it is a stream: "come later", whole. Empty: nothing. */
    struct str refusal;
    /* What a client gets that speaks the protocol in clear to an address with TLS, whole. Empty: nothing. */
    struct str in_clear;
};

/* The first member of every front. */
struct front {
    const struct front_protocol *protocol;
    struct requests *requests; /* shared by the requests of its connections */
    struct front *whole;       /* the one of all protocols that it is a part of; NULL: none */
    size_t open;               /* connections; of the whole: of its parts together */
    bool draining, leaving;
    /* From the loop: an idle connection that is the receiver's now, with bytes that were read and not used.
     * Set before `leave`. */
    void (*left)(struct front *f, int fd, const struct address *peer, struct str early);
    /* From the loop: a connection of that peer closed and is not counted any more. NULL: not wanted. */
    void (*closed)(struct front *f, const struct address *peer);
    void *owner; /* for `closed` */
};

/* Makes a front of all protocols that visitors speak: HTTP/1.1, and HTTP/2. Never NULL. */
struct front *front_new(struct requests *requests);
/* Returns the part of such a front that speaks what the client has agreed to (ALPN, RFC 7301): "h2", and
 * HTTP/1.1 for all else. Any other front is returned as it is. */
struct front *front_of_protocol(struct front *whole, struct str protocol);

/* Call the functions of the front's protocol, which stand above. */
static inline void front_accept(struct front *f, struct stream *s, const struct address *peer,
                                struct str early, bool is_old)
{
    f->protocol->accept(f, s, peer, early, is_old);
}
static inline void front_drain(struct front *f)
{
    f->draining = true;
    f->protocol->drain(f);
}
static inline void front_leave(struct front *f)
{
    f->leaving = true;
    f->protocol->leave(f);
}
static inline void front_close_all(struct front *f)
{
    f->protocol->close_all(f);
}
static inline void front_shed(struct front *f, const struct front_shed *how, struct front_shed_done *done)
{
    f->protocol->shed(f, how, done);
}
static inline void front_free(struct front *f)
{
    f->protocol->free(f);
}

/* For protocols: a connection began, and ended. front_ended calls `closed`; `peer` is good during the
 * call. */
void front_began(struct front *f);
void front_ended(struct front *f, const struct address *peer);
/* A client has turned out to speak another protocol of the whole: gives its stream to that front, where it
 * counts from now on. The stream is open, and no write is under way. */
void front_move(struct front *from, struct front *to, struct stream *s, const struct address *peer,
                struct str early);

#endif
