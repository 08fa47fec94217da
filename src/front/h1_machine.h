/*
 * What the parts of a client's connection share (front/h1*.c), and nobody else: its state, and the functions between them.
 *
 *   h1.c           requests, one after the other: idle, head, busy, what is left of it, the end
 *   h1_exchange.c  the memory of a request under way
 *   h1_body.c      the request's body, a tunnel's bytes from the client
 *   h1_reply.c     what goes to the client
 *
 * All on the worker's thread.
 */
#ifndef FRONT_H1_MACHINE_H
#define FRONT_H1_MACHINE_H

#include "base/stock.h"
#include "front/h1.h"
#include "http/chunked.h"

/*
 * A connection's states. Between two requests an idle connection holds nothing but its socket: the buffer and the request
 * stand in an exchange, taken from the front's stock with the first byte and given back when nothing is left in it. The
 * exchange that was used last is warm and is taken first.
 */
enum h1_state {
    H1_IDLE,    /* no byte of a request yet */
    H1_HEAD,    /* part of a head */
    H1_BUSY,    /* a request is in flight */
    H1_DISCARD, /* the reply is sent, the rest of the request's body is read over */
    H1_LINGER, /* the last reply is sent; what still comes is read over, so that a reset does not destroy the reply */
    H1_CLOSING,
};

/* What nearly all requests need is in the exchange itself, so that thousands of them that wait for one page take little memory. */
#define IN_FIRST     ((size_t)2048)
#define FIELDS_FIRST ((size_t)32)
#define BODY_ROOM    ((size_t)8192) /* behind the head, for a body */
#define DISCARD_MOST ((uint64_t)65536)
#define IOV_MOST     STREAM_IOV_MAX

struct exchange {
    void *stocks; /* the stock's, while nobody has it */
    struct h1 *connection;
    struct request request;
    struct buf in;     /* received: the head, then body bytes or the next requests */
    size_t at;         /* of `in`: bytes before it are done with */
    size_t head_bytes; /* they must stay while the request is in flight: its strings point there */
    struct stream_backlog backlog; /* of a send under way, when it was last looked at */
    struct field *table;
    size_t table_cap;
    struct field few[FIELDS_FIRST]; /* `table`, while they are enough */
    char first[IN_FIRST];           /* `in.p`, while it is enough */
};

/* What the connections of one front share. */
struct h1_front {
    struct front front;
    struct list connections; /* open ones */
    struct stock exchanges;  /* h1_exchange.c's, as what follows */
    struct timer trim;
};

struct h1 {
    struct stream *stream; /* owned */
    struct h1_front *front;
    struct link link;
    struct exchange *x;
    struct address peer;
    struct connection *own; /* to an origin that logged this client in by connection; usually NULL */
    enum h1_state state;
    struct timer timer;
    bool waiting; /* `timer` means something */
    struct head_scan scan;
    uint64_t served;
    /* the request's body */
    struct framing framing;
    struct chunked chunked;
    uint64_t body_left;
    struct str piece; /* decoded and not yet taken, in the buffer */
    bool body_done, body_wanted, expects_continue, tunnel;
    bool raw_ended;            /* the client's side of a tunnel: told behind its last byte */
    bool half_closed;          /* the client sends no more, but may wait for answers */
    bool probed;               /* a 1xx was sent to see whether it is there */
    int64_t half_closed_until; /* so long the head of its next answer is waited for then */
    /* the reply */
    bool keep_alive, chunked_reply, interim_writing;
    int minor;
    char chunk_text[CHUNK_HEAD_MAX];
    struct str interims; /* wait for the interim response that is being sent; in the request's arena */
    struct iovec deferred[IOV_MOST]; /* the reply waits for them */
    unsigned deferred_n;
    uint64_t lingered;
    int64_t linger_until;
    struct letter letter; /* "go on", from the loop */
    bool letter_pending, request_done, closed;
};

extern const struct front_ops h1_ops;

static inline struct h1 *h1_of_request(struct request *r)
{
    return CONTAINER_OF(r, struct exchange, request)->connection;
}

static inline struct iovec h1_piece(struct str s)
{
    return (struct iovec){ (char *)(uintptr_t)s.p, s.n };
}

/* ---- h1.c ---- */

/* Goes on as far as what has come allows. It may end the connection, as may all that say so below. */
void h1_advance(struct h1 *c);
/* The same, from the loop: for who is called by the request. */
void h1_go_on_later(struct h1 *c);

/* Ends the connection, and with it the request. Twice is once. */
void h1_close(struct h1 *c);
/* A reply that is not whole must not look whole (RFC 9112 §8). */
void h1_break_off(struct h1 *c);
/* The last reply is out: the client has its end, and may read it in peace. Ends the connection when there is nothing to wait for. */
void h1_linger(struct h1 *c);

/*
 * The connection's deadline. What it waited for came: that is only noted. The wheel looks by once an idle time-out, instead
 * of being told twice with each request. `too_late` asks `waiting` first.
 */
void h1_wait_at_most(struct h1 *c, int64_t ms, void (*too_late)(struct timer *));
static inline void h1_wait_no_more(struct h1 *c)
{
    c->waiting = false;
}
/* The deadline that ends the connection. */
void h1_close_on_time(struct timer *t);

/* ---- h1_exchange.c ---- */

struct exchange *h1_take_exchange(struct h1_front *f);
/* The connection's, if it has one. */
void h1_give_exchange(struct h1 *c);
/* Room for so many more bytes in `in`, which may move. */
void h1_grow_in(struct exchange *x, size_t room);
/* `table` for so many fields; what was in it is not kept. */
void h1_set_table(struct exchange *x, size_t fields);
/* Bytes that are done with make room for more; the head stays where it is. */
void h1_compact(struct exchange *x);

/* ---- h1_body.c ---- */

void h1_want_body(struct request *r);
/* Gives the request what has come of its body, while it wants it. */
void h1_feed_body(struct h1 *c);
/* After the reply: what is left of the body is read over. May end the connection. */
void h1_discard_body(struct h1 *c);
/* Who has ended his side may be gone altogether: so long the head of his answer is waited for. */
#define HALF_CLOSED_MS 30000
/* The client has ended its side: does the body wait for bytes that will not come? Of chunks, the decoder says it. */
bool h1_lacks_body(const struct h1 *c);

void h1_feed_raw(struct h1 *c);
void h1_read_raw(struct request *r, bool on);

/* ---- h1_reply.c ---- */

enum front_sent h1_send(struct request *r, const struct reply *head, const struct iovec *body,
                        unsigned body_n, bool last);
enum front_sent h1_upgrade(struct request *r, const struct reply *head);
enum front_sent h1_send_raw(struct request *r, const struct iovec *iov, unsigned n);
void h1_end_raw(struct request *r);
void h1_note(struct request *r);
bool h1_took(struct request *r);
uint64_t h1_held(struct request *r);
void h1_interim(struct request *r, int status, const struct fields *fields);
/* An interim response, now or behind the one that is being sent; `text` outlasts the request. */
void h1_write_interim(struct h1 *c, struct str text);
void h1_done(struct request *r);

void h1_on_written(struct stream *s, int status);
void h1_on_moved(struct stream *s);

#endif
