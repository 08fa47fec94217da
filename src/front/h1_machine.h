/*
 * What the parts of a client's connection (front/h1*.c) share: its state, and the functions between them.
 * Private to them.
 *
 *   h1.c           requests, one after the other: idle, head, busy, the rest of the body, the end
 *   h1_exchange.c  the memory of a request under way
 *   h1_body.c      the request's body, a tunnel's bytes from the client
 *   h1_reply.c     bytes to the client
 *   h1_shed.c      who is given up when memory or connections are short
 *
 * All on the worker's thread. A function that may end the connection says so.
 */
#ifndef FRONT_H1_MACHINE_H
#define FRONT_H1_MACHINE_H

#include "base/stock.h"
#include "front/body_pace.h"
#include "front/h1.h"
#include "front/shed.h"
#include "http/chunked.h"

/*
 * A connection's states. An idle connection has only its socket: the buffer and the request are in an
 * exchange. The connection takes an exchange from the front's stock with the first byte, and gives it back
 * when it is empty.
 */
enum h1_state {
    H1_IDLE,    /* no byte of a request yet */
    H1_HEAD,    /* part of a head */
    H1_BUSY,    /* a request is under way */
    H1_DISCARD, /* the reply is sent; reads and drops the rest of the request's body */
    H1_LINGER,  /* The last reply is sent. Reads and drops what the client still sends, since a reset could
                * destroy the reply. */
    H1_CLOSING,
};

/* Sizes that suffice for nearly all requests are in the exchange itself, so that thousands of requests that
 * wait for one page take little memory. */
#define IN_FIRST     ((size_t)2048)
#define FIELDS_FIRST ((size_t)32)
#define BODY_ROOM    ((size_t)8192) /* behind the head, for a body */
#define DISCARD_MOST ((uint64_t)65536)
#define IOV_MOST     STREAM_IOV_MAX

/* Type tags: each while the struct lives. */
#define H1_TAG       0x68313131u
#define EXCHANGE_TAG 0x65786368u

struct exchange {
    void *stocks; /* the stock's, while nobody has the exchange */
    unsigned tag;
    struct h1 *connection;
    struct request request;
    struct buf in;     /* received: the head, then body bytes or the next requests */
    size_t at;         /* of `in`: all before it is used up */
    size_t head_bytes; /* of the head, which must stay while the request is under way: its strings point
                        * there */
    struct stream_backlog backlog; /* of a pending send, when last looked at */
    struct chunked chunked;        /* the request's body */
    char chunk_text[CHUNK_HEAD_MAX];
    struct str interims; /* waiting behind the interim response that is being sent; in the request's arena */
    struct iovec deferred[IOV_MOST]; /* the reply, waiting behind interim responses */
    unsigned deferred_n;             /* pieces of it */
    struct field *table;
    size_t table_cap;
    struct field few[FIELDS_FIRST]; /* `table`, while it suffices */
    char first[IN_FIRST];           /* `in.p`, while it suffices */
};

/* What the connections of a front share. */
struct h1_front {
    struct front front;
    struct list connections; /* open connections */
    struct stock exchanges;  /* this and what follows: h1_exchange.c's */
    struct timer trim;
};

struct h1 {
    struct stream *stream; /* owned */
    struct h1_front *front;
    struct link link;
    struct exchange *x;
    struct address peer;
    struct connection *own; /* its connection to an origin where it has logged in by connection; usually
                             * NULL */
    enum h1_state state;
    unsigned tag;
    struct timer timer;
    bool waiting; /* `timer` is in force */
    struct head_scan scan;
    uint64_t served;
    uint64_t got; /* bytes received */
    struct shed_watch watch;
    /* the request's body */
    struct framing framing;
    uint64_t body_left;
    struct body_pace pace; /* while the client is waited for */
    struct str piece;      /* decoded and not yet taken; in the buffer */
    bool body_done, body_wanted, expects_continue, tunnel;
    bool raw_ended;            /* the client's side of a tunnel has ended; told behind its last byte */
    bool half_closed;          /* the client sends no more, but may wait for answers */
    bool probed;               /* a 1xx was sent to see whether the client is there */
    int64_t half_closed_until; /* until then the connection waits for the head of its next answer */
    /* the reply */
    bool keep_alive, chunked_reply, interim_writing;
    int minor;
    uint64_t lingered;
    int64_t linger_until;
    struct letter letter; /* "go on", from the loop */
    bool letter_pending, request_done, closed;
};

extern const struct front_ops h1_ops;

/* Returns the connection that the request came by. */
static inline struct h1 *h1_of_request(struct request *r)
{
    struct exchange *x = CONTAINER_OF(r, struct exchange, request);
    CHECK(x->tag == EXCHANGE_TAG && x->connection->tag == H1_TAG);
    return x->connection;
}

/* Returns the string as a piece to send; its bytes stay until they are sent. */
static inline struct iovec h1_piece(struct str s)
{
    return (struct iovec){ (char *)(uintptr_t)s.p, s.n };
}

/* ---- h1.c ---- */

/* Goes on as far as the received bytes allow. May end the connection. */
void h1_advance(struct h1 *c);
/* Like h1_advance, deferred: for callers inside a request's call. */
void h1_go_on_later(struct h1 *c);

/* Ends the connection, and with it the request. A second call does nothing. */
void h1_close(struct h1 *c);
/* Ends the connection so that an incomplete reply does not look whole (RFC 9112 §8). */
void h1_break_off(struct h1 *c);
/* The last reply is sent: tells the client the end, and lets it read in peace. Ends the connection when there
 * is nothing to wait for. */
void h1_linger(struct h1 *c);

/*
 * Sets the connection's deadline. h1_wait_no_more only notes that the wait is over, which costs less than
 * stopping the timer with each request: `too_late` must look at `waiting` first.
 */
void h1_wait_at_most(struct h1 *c, int64_t ms, void (*too_late)(struct timer *));
static inline void h1_wait_no_more(struct h1 *c)
{
    c->waiting = false;
}
/* The `too_late` that ends the connection. */
void h1_close_on_time(struct timer *t);

/* Gives the connection up, with what the request holds: the client sees a reset. Does nothing when it is
 * closing. */
void h1_cut(struct h1 *c, enum reason why);

/* ---- h1_exchange.c ---- */

/* Takes an exchange from the front's stock. Never NULL. */
struct exchange *h1_take_exchange(struct h1_front *f);
/* Gives the connection's exchange back, if it has one. */
void h1_give_exchange(struct h1 *c);
/* Makes room for so many more bytes in `in`, which may move. */
void h1_grow_in(struct exchange *x, size_t room);
/* Makes `table` large enough for so many fields. Does not keep its content. */
void h1_set_table(struct exchange *x, size_t fields);
/* Removes used-up bytes from `in`, to make room. The head stays where it is. */
void h1_compact(struct exchange *x);

/* ---- h1_body.c ---- */

/* front_ops of request/request.h: the request wants its body. */
void h1_want_body(struct request *r);
/* Gives the request received bytes of its body, as long as it wants them. */
void h1_feed_body(struct h1 *c);
/* After the reply: reads and drops the rest of the body. May end the connection. */
void h1_discard_body(struct h1 *c);
/* A client that has ended its side may be gone altogether: for so long the connection waits for the head of
 * its answer. */
#define HALF_CLOSED_MS 30000
/* The client has ended its side: are there bytes of the body that will not come? For chunks the decoder
 * tells. */
bool h1_lacks_body(const struct h1 *c);

/* Gives a tunnel received bytes, as long as it takes them. */
void h1_feed_raw(struct h1 *c);
/* front_ops of request/request.h: a tunnel starts or stops reading. */
void h1_read_raw(struct request *r, bool on);

/* ---- h1_shed.c ---- */

/* front_protocol of front/front.h. */
void h1_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done);

/* ---- h1_reply.c ---- */

/* front_ops of request/request.h: see there. */
enum front_sent h1_send(struct request *r, const struct reply *head, const struct iovec *body,
                        unsigned body_n, bool last);
enum front_sent h1_upgrade(struct request *r, const struct reply *head);
enum front_sent h1_send_raw(struct request *r, const struct iovec *iov, unsigned n);
void h1_end_raw(struct request *r);
void h1_note(struct request *r);
bool h1_took(struct request *r);
uint64_t h1_held(struct request *r);
bool h1_interim(struct request *r, int status, const struct fields *fields);
/* Sends an interim response, now or behind the one that is being sent. `text` outlasts the request. false: it
 * is dropped. */
bool h1_write_interim(struct h1 *c, struct str text);
void h1_done(struct request *r);

/* Notices of the stream. */
void h1_on_written(struct stream *s, int status);
void h1_on_moved(struct stream *s);

#endif
