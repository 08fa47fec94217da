/*
 * A worker's connections to origins: made, kept while idle, reused, counted. A fetch asks for one with a ticket and gets it at
 * once, later, or a reason why not; it gives it back in a state to be used again, or closes it.
 * All on the worker's thread.
 */
#ifndef ORIGIN_POOL_H
#define ORIGIN_POOL_H

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
    bool closing;
};

struct connection;

/* What the user of a connection is told; from the loop. */
struct connection_user {
    size_t (*space)(struct connection *c, char **p);
    void (*data)(struct connection *c, size_t n);
    void (*ended)(struct connection *c, int status);
    void (*written)(struct connection *c, int status);
};

struct pool_entry;

/* A connection to an origin. `user` and `ctx` are the holder's; NULL while it is idle. */
struct connection {
    struct stream stream;
    struct pool_entry *entry;
    struct link link; /* idle ones; of a ticket while it is being made */
    struct timer idle;
    const struct connection_user *user;
    void *ctx;
    struct connection **own; /* the client that it belongs to points here; NULL: nobody's */
    bool personal; /* it carried a log-in that holds for the connection: it is never another client's */
    struct address to;
    int64_t made_ms; /* monotonic */
    bool reused;     /* it served a request before */
    bool counted;    /* in origin->in_use */
};

enum ticket_state {
    TICKET_NONE,
    TICKET_QUEUED,     /* for a place */
    TICKET_RESOLVING,  /* has a place, as all below; waits for an address */
    TICKET_CONNECTING, /* races its origin's addresses */
    TICKET_PAUSED,     /* all refused it, and it tries again */
};

/* A request for a connection, embedded in a fetch. Zeroed before its first use. */
struct ticket {
    enum ticket_state state;
    struct link link; /* among those of its state */
    struct pool_entry *entry;
    struct list attempts; /* connections that are being made */
    bool fresh;           /* no idle connection */
    bool once; /* the asker's: it is not sent again, so no idle connection that is seen to have ended */
    struct connection *
        *own;           /* the asker's: where its client keeps a connection of his own; NULL: no client */
    int64_t retry_ms;   /* the asker's: for so long it is tried again when the origin refuses connections */
    struct timer timer; /* of the queue, then of the connect */
    struct timer next;  /* the next address, or the next try */
    int64_t connect_timeout_ms;
    uint32_t tried;     /* a bit for each of the entry's addresses */
    bool exhausted;     /* all of them */
    bool asked_again;   /* the name was resolved again for it */
    bool only_refused;  /* no address failed in another way */
    int64_t refused_ms; /* when that was first so and it tried again; 0: never */
    /* Exactly one, once, when pool_ask said WAIT; unless the ticket is cancelled before. */
    void (*ready)(struct ticket *t, struct connection *c);
    void (*failed)(struct ticket *t, enum reason why);
};

void pool_init(struct pool *p, struct loop *loop, struct log *log, struct counters *counters);
/* Closes all idle connections and lets nothing idle any more; the loop ends when the last is closed. */
void pool_close(struct pool *p);
/* After the loop ended. */
void pool_fini(struct pool *p);

enum pool_answer {
    POOL_READY,   /* *c is an idle connection */
    POOL_WAIT,    /* the ticket's `ready` or `failed` follows */
    POOL_REFUSED, /* *why */
};
/* `fresh`: no idle connection, it is for a retry. The site gives the limits and times. */
enum pool_answer pool_ask(struct pool *p, struct origin *o, const struct site_settings *site, bool fresh,
                          struct ticket *t, struct connection **c, enum reason *why);
/* Neither callback comes any more. Harmless when the ticket is not under way. */
void pool_cancel(struct ticket *t);

/* For another request: it must be between two messages. `idle_ms`: how long it may stay; 0: closed. */
void pool_keep(struct connection *c, int64_t idle_ms);
/*
 * The same, but for one client alone, who points to it from *own: it is kept until it ends, or pool_disown. A client has one: another
 * one is closed. Without room for it, or when it is of no more use, it is closed.
 */
void pool_keep_for(struct connection *c, struct connection **own);
/* The client is gone, or wants nothing of it any more: his connection is closed, now or when its user gives it back. Harmless when there
 * is none. */
void pool_disown(struct connection **own);
/* It is going to be in use without an end, and is counted elsewhere: its place among those in use goes to another. */
void pool_give_place(struct connection *c);
/* Is it a connection to that origin? */
bool pool_is_to(const struct connection *c, const struct origin_address *at);
/* Not fit for reuse. */
void pool_drop(struct connection *c);

size_t pool_idle(const struct pool *p);

#endif
