/*
 * A worker's connections to origins: made, kept while idle, reused, counted. A fetch asks for one with a
 * ticket. It gets one at once, later, or a reason why not. It gives the connection back ready for another
 * request, or closes it. All on the worker's thread.
 */
#ifndef ORIGIN_POOL_H
#define ORIGIN_POOL_H

#include "http/head.h"
#include "io/notice.h"
#include "io/stream.h"
#include "origin/counters.h"
#include "origin/origin.h"

struct pool {
    struct loop *loop;
    struct log *log;
    struct counters *counters;
    struct list entries;           /* one for each origin used by this worker */
    struct pool_entry **by_number; /* the same, by the origin's number; NULL: none */
    size_t by_number_n;
    char *scratch; /* what came by HTTP/2, within one callback; made when needed */
    bool closing;
};

struct connection;
struct mux;
struct lane;

/* The user's callbacks, from the loop. */
struct connection_user {
    size_t (*space)(struct connection *c, char **p);
    void (*data)(struct connection *c, size_t n);
    void (*ended)(struct connection *c, int status);
    void (*written)(struct connection *c, int status);
    /* Of a lane only. `head`: a head came, interim or final; `ends`: and the message with it. `bad`: the
     * message is malformed, or its head is over a limit. */
    void (*head)(struct connection *c, const struct response_head *h, bool ends);
    void (*bad)(struct connection *c, enum http_error error);
};

struct pool_entry;

/*
 * A connection to an origin. `user` and `ctx` are the holder's; NULL while it is idle. What a holder has may
 * also be a lane: one stream of a connection that speaks HTTP/2, which many share (origin/mux.h). On a
 * connection heads are bytes among others. On a lane they are told apart, and the bytes are those of the
 * bodies alone; it ends with status 0 when the answer is whole.
 */
struct connection {
    struct stream stream; /* not used in a lane */
    struct mux *mux;      /* it speaks HTTP/2, and has no holder; else NULL */
    struct lane *lane;    /* it is a lane, of which this is a part; else NULL */
    unsigned tag;         /* CONNECTION_TAG while it lives */
    struct pool_entry *entry;
    struct link link; /* among idle ones; while it is being made: its ticket's */
    struct timer idle;
    const struct connection_user *user;
    void *ctx;
    struct connection **own; /* the client that owns it points here; NULL: no owner */
    bool personal;           /* it carried a log-in for the connection: it never goes to another client */
    struct address to;
    int64_t made_ms;  /* monotonic */
    uint64_t number;  /* the how manieth of this worker to the origin */
    uint64_t trust;   /* with TLS: outgoing_number of how the origin was believed */
    bool reused;      /* it has served a request before */
    bool counted;     /* in origin->places */
    bool uploads;     /* there too, as one whose upload still comes */
    bool unprocessed; /* of a lane that ended: the origin says that it did nothing with the request */
    bool wants_http1; /* of a lane that ended: the origin wants the request by HTTP/1.1 */
    bool outstanding; /* in origin->outstanding: it is a tunnel */
};

enum ticket_state {
    TICKET_NONE,
    TICKET_QUEUED,     /* waits for a place */
    TICKET_JOINED,     /* has one, and waits for a connection that is being made for another ticket */
    TICKET_RESOLVING,  /* has a place, like all below; waits for an address */
    TICKET_CONNECTING, /* races the origin's addresses */
    TICKET_PAUSED,     /* all addresses refused; it tries again */
};

#define CONNECTION_TAG 0x636f6e6eu

/* A request for a connection, embedded in a fetch. Zero it before its first use. */
struct ticket {
    enum ticket_state state;
    struct link link; /* among tickets of its state */
    struct pool_entry *entry;
    struct list attempts; /* connections being made */
    bool fresh;           /* wants no idle connection, and of shared ones: */
    uint64_t made_before; /* none up to this number */
    /* Set by the asker: it waits behind all others, and gives way to them when the queue is full. */
    bool low;
    /* Set by the asker: its request has a body that still comes (pool_came). Not with `low`. */
    bool uploads;
    uint64_t number;         /* the how manieth of this worker to the origin, in the queues */
    bool plain;              /* Set by the asker: it must be HTTP/1.1. */
    bool alone;              /* Set by the asker: a new connection, which nobody shares. */
    struct head_limits head; /* set by the asker: of an answer by HTTP/2 */
    bool once; /* Set by the asker: the request cannot be sent again, so no idle HTTP/2 connection that has
                * news, its end perhaps. Of HTTP/1.1 nobody gets such a one. */
    /* Set by the asker: where the client keeps a connection of its own; NULL: no client. */
    struct connection **own;
    int64_t retry_ms;   /* set by the asker: how long to try again while the origin refuses connections */
    struct timer timer; /* of the queue; later of the connect */
    struct timer next;  /* the next address, or the next try */
    int64_t connect_timeout_ms;
    int64_t joined_ms;       /* since when it waits for another's connection; 0: it never did */
    enum origin_http2 http2; /* how it may be spoken to */
    enum reason why;         /* for `failed`, when no address is left */
    uint32_t tried;          /* a bit for each of the entry's addresses */
    bool exhausted;          /* all addresses were tried */
    bool asked_again;        /* the name was resolved again for it */
    bool only_refused;       /* no address failed in another way */
    int64_t refused_ms;      /* when all addresses first refused and it tried again; 0: never */
    /* One of them comes, once, after pool_ask returned POOL_WAIT; none after pool_cancel. */
    void (*ready)(struct ticket *t, struct connection *c);
    void (*failed)(struct ticket *t, enum reason why);
};

/* Makes an empty pool. The arguments outlive it. */
void pool_init(struct pool *p, struct loop *loop, struct log *log, struct counters *counters);
/* Closes all idle connections and keeps none from now on. The loop ends when the last connection is
 * closed. */
void pool_close(struct pool *p);
/* Call it after the loop has ended. */
void pool_fini(struct pool *p);

enum pool_answer {
    POOL_READY,   /* *c is an idle connection */
    POOL_WAIT,    /* the ticket's `ready` or `failed` follows */
    POOL_REFUSED, /* *why is set */
};
/* Asks for a connection. `fresh`: no idle one, for a retry. `site`: its limits and times. */
enum pool_answer pool_ask(struct pool *p, struct origin *o, const struct site_settings *site, bool fresh,
                          struct ticket *t, struct connection **c, enum reason *why);
/* The ticket is of low priority no more, since somebody waits for what it brings. Does nothing when it never
 * was. */
void pool_hurry(struct ticket *t);
/* The request's body has come, or nobody waits for it any more: ticket or connection counts no longer as one
 * whose upload still comes. Do nothing when it did not, or has no place and waits for none. */
void pool_came(struct ticket *t);
void pool_came_on(struct connection *c);
/* Cancels the ticket: no callback comes. Does nothing when the ticket is not under way. */
void pool_cancel(struct ticket *t);

/* What a stream does (io/stream.h), for connections and lanes alike. pool_write: `last`: nothing follows; n
 * may be 0 then, on a lane alone. */
void pool_read_start(struct connection *c);
void pool_read_stop(struct connection *c);
enum stream_write pool_write(struct connection *c, const struct iovec *iov, unsigned n, bool last);
bool pool_is_writing(const struct connection *c);
void pool_shutdown(struct connection *c);
void pool_note(const struct connection *c, struct stream_backlog *b);
bool pool_took(const struct connection *c, struct stream_backlog *b);

/* Gives a connection back for another request; it must be between two messages. `idle_ms`: how long it may be
 * kept; 0: it is closed. */
void pool_keep(struct connection *c, int64_t idle_ms);
/*
 * Gives a connection back for one client alone, which points to it from *own, until the connection ends or
 * pool_disown. A client has one: its earlier one is closed. Closes `c` when there is no room for it, or when
 * it is not fit for reuse.
 */
void pool_keep_for(struct connection *c, struct connection **own);
/* The client is gone or does not want its connection any more: closes it, now or when its user gives it back.
 * Does nothing when there is none. */
void pool_disown(struct connection **own);
/* The connection will be in use without an end and is counted elsewhere: gives its place among those in use
 * to another. */
void pool_give_place(struct connection *c);
/* Returns the origin that the connection is to. */
struct origin *pool_origin(const struct connection *c);
/* Is the connection to that origin? */
bool pool_is_to(const struct connection *c, const struct origin_address *at);
/* `ended` came with that status: was it since the origin refuses this TLS session, as by a certificate of
 * freshet's that is missing? Then it is noted what it said. */
bool pool_is_refused(struct connection *c, int status);
/* Gives back a connection that is not fit for reuse: closes it. */
void pool_drop(struct connection *c);

/* Returns the number of idle connections, those without a lane among them. */
size_t pool_idle(const struct pool *p);

#endif
