/*
 * What the parts of a client's HTTP/2 connection (front/h2*.c) share: its state, and the functions between
 * them. Private to them.
 *
 *   h2.c           the connection: what it reads, its end, its times
 *   h2_exchange.c  a stream with its request: how it begins and ends
 *   h2_connect.c   a request for a tunnel (RFC 8441)
 *   h2_body.c      the request's body, a tunnel's bytes from the client
 *   h2_reply.c     what requests say to the client
 *   h2_block.c     heads as header blocks; h2_blocks.c keeps those that are sent again
 *   h2_write.c     whose bytes go next, and when they are sent
 *   h2_shed.c      who is given up when memory or connections are short
 *
 * All on the worker's thread. Requests call the functions of front_ops at any time; all else happens inside
 * one of the connection's own entries (from its stream, its letter, its timers), each of which ends with
 * h2_settle. Only there bytes are written, exchanges end, and the connection ends.
 */
#ifndef FRONT_H2_MACHINE_H
#define FRONT_H2_MACHINE_H

#include "base/stock.h"
#include "front/body_pace.h"
#include "front/h2.h"
#include "front/h2_blocks.h"
#include "front/shed.h"
#include "http/h2.h"

enum h2_client_state {
    CLIENT_OPEN,
    CLIENT_LINGER, /* All is said. Reads and drops what the client still sends, since a reset could destroy
                    * what it has not read. */
    CLIENT_CLOSING,
};

/* A frame's DATA that is not longer is copied behind its head, and its request goes on at once. More with
 * TLS, which would copy it into its records. */
#define H2_COPY_MOST     ((size_t)4096)
#define H2_COPY_MOST_TLS ((size_t)16384)
/* What is written at once. */
#define H2_TURN_MOST ((size_t)131072)
/* With so much text, or less when the client does not take all at once, requests wait until some is written;
 * then, less the most that is copied, it is written before another request is read. */
#define H2_TEXT_MOST      ((size_t)151552)
#define H2_TEXT_MOST_SLOW ((size_t)32768)
#define H2_TEXT_FULL      (H2_TEXT_MOST - H2_COPY_MOST_TLS - 4096)

/* Type tags: each while the struct lives. */
#define H2_CLIENT_TAG   0x68326367u
#define H2_EXCHANGE_TAG 0x68327867u

/* A stream with its request. */
struct h2_exchange {
    void *stocks; /* the stock's, while nobody has the exchange */
    unsigned tag;
    struct h2_client *client;
    struct h2_stream *stream; /* NULL: it is gone, and nothing more may be said */
    struct link link;         /* among those of its client */
    struct link stirred;      /* its client looks at it when it settles */
    struct link flight;       /* has bytes in the text to be written, or in the write under way */
    struct request request;
    bool done;  /* the request is over, and is to be ended */
    bool stays; /* the stream is gone, but its bytes are in the write under way */
    /* ---- the request's body, or what a tunnel's client sent ---- */
    struct buf in; /* came, and has no place yet: at most the stream's window */
    size_t at;     /* of `in`: all before it is used up */
    bool ended;    /* the client has ended its side */
    bool body_done, body_wanted, expects_continue;
    bool is_connect, tunnel, raw_wanted, raw_ended;
    struct timer timer;    /* the client is waited for */
    bool waiting;          /* `timer` is in force */
    uint64_t got;          /* bytes received */
    struct body_pace pace; /* while the client is waited for */
    /* ---- the reply ---- */
    struct iovec iov[REPLY_PIECES_MAX]; /* of the pending send; from iov_at on: not in a write yet */
    unsigned iov_at, iov_n;
    size_t left;     /* bytes of them */
    bool sending;    /* request_sent is to come */
    bool last;       /* of the pending send: it completes the body */
    bool has_pieces; /* some of the request's own memory is in the write under way */
    bool swallows;   /* the answer is sent already, and what comes is dropped */
    uint64_t sent;   /* bytes of bodies put into writes */
    /* When last looked at: `sent`, and how far the connection had come. */
    uint64_t noted_sent, noted_moves, noted_data;
};

/* What the connections of a front share. */
struct h2_front {
    struct front front;
    struct list clients;    /* open connections */
    struct stock exchanges; /* this and `next`: h2_exchange.c's */
    struct timer trim;
    struct h2_exchange *next; /* for the next request, whose head is read into its arena; NULL: none yet */
    struct buf spare;         /* memory for a connection's text */
    struct buf block;         /* while a header block is made */
    struct h2_blocks blocks;
    struct log_valve said; /* that connections end by errors */
    char in[16384];        /* where all bytes arrive, a moment */
};

struct h2_client {
    struct stream *stream; /* owned */
    struct h2_front *front;
    struct link link;
    struct h2 *h2;
    struct h2_limits limits;
    struct address peer;
    enum h2_client_state state;
    unsigned tag;
    struct list exchanges;
    size_t exchanges_n;
    struct list stirred;
    uint64_t served; /* requests */
    uint64_t got;    /* bytes received */
    bool inside;     /* one of its own entries */
    bool failed;     /* a connection error: only its GOAWAY is to be sent */
    bool idle;       /* no stream is open, and the timer says how long it may be so */
    bool leaves;     /* the client has said that it opens no more streams */
    bool drains;     /* the client has been told that the connection ends */
    /* The host that this connection's certificate was found to be for; n 0: none yet. */
    char host[64];
    uint8_t host_n;
    struct timer timer; /* idle, drain, linger */
    struct timer stall; /* a write is pending */
    struct letter letter;
    bool letter_pending, closed;
    struct str early; /* owned; from before it was this front's */
    /* ---- writing ---- */
    struct buf text;        /* to be written: frames, and what was copied */
    struct buf flying_text; /* of the write under way */
    struct list boarding;   /* exchanges with something in `text` */
    struct list flying;     /* exchanges with something in the write under way */
    uint64_t moves;         /* how often the kernel took something */
    uint64_t data;          /* bytes of DATA put into writes */
    uint64_t written;       /* bytes of all kinds */
    unsigned turns;         /* writes in this entry */
    bool is_slow;           /* the last write did not go out at once */
    int64_t moved_ms;       /* when the pending write was last seen to move */
    size_t flying_bytes;
    struct stream_backlog backlog; /* of it, when last looked at */
    /* ---- shedding and the end ---- */
    struct shed_watch watch;
    uint64_t lingered;
    int64_t linger_until;
};

extern const struct front_ops h2_ops;

/* Returns the exchange that the request is of. */
static inline struct h2_exchange *h2_exchange_of(struct request *r)
{
    struct h2_exchange *x = CONTAINER_OF(r, struct h2_exchange, request);
    CHECK(x->tag == H2_EXCHANGE_TAG && x->client->tag == H2_CLIENT_TAG);
    return x;
}
static inline struct requests *h2_requests(const struct h2_client *c)
{
    return c->front->front.requests;
}

/* ---- h2.c ---- */

/* The exchange has something for its client to look at: bytes for it, or its end. h2_wake: the client has
 * something to write. Outside of the client's entries both are done later. */
void h2_stir(struct h2_exchange *x);
void h2_wake(struct h2_client *c);
/* Settles later: from the loop. */
void h2_go_on_later(struct h2_client *c);
/* Does what is to be done, writes, and looks what becomes of the connection. The last thing in each entry. */
void h2_settle(struct h2_client *c);
/* Ends the connection; its requests end a little later. Does nothing when it is closing. `hard`: so that what
 * was sent does not look whole. */
void h2_client_close(struct h2_client *c, bool hard);
/* Gives the connection up, with what its requests hold. */
void h2_client_cut(struct h2_client *c, enum reason why);
/* Ends an idle connection as the protocol has it. */
void h2_client_part(struct h2_client *c);

/* ---- h2_exchange.c ---- */

/* Returns the exchange for the next request, whose arena is empty. Never NULL. */
struct h2_exchange *h2_next_exchange(struct h2_front *f);
/* Begins the request of a new stream. */
void h2_exchange_begin(struct h2_client *c, struct h2_event *e);
/* The stream is gone: ends its request. At once, or when its bytes have left. */
void h2_exchange_drop(struct h2_exchange *x);
/* The request is over: ends the stream, and gives the exchange back. */
void h2_exchange_end(struct h2_exchange *x);
/* Ends the request, and then the stream with that code. */
void h2_exchange_abort(struct h2_exchange *x, enum h2_code code);

/* ---- h2_connect.c ---- */

/* Makes an extended CONNECT the request for an upgrade that HTTP/1.1 has for it (RFC 8441 §5). */
void h2_connect_begin(struct h2_exchange *x, const struct h2_head *h);

/* ---- h2_body.c ---- */

/* front_ops of request/request.h. */
void h2_want_body(struct request *r);
void h2_read_raw(struct request *r, bool on);
/* Bytes came, or the end. */
void h2_body_came(struct h2_exchange *x, struct str data, bool last);
/* Gives the request what it wants of its body, and a tunnel its bytes. */
void h2_feed(struct h2_exchange *x);

/* ---- h2_reply.c ---- */

/* Some pieces of the request's body are in a write that has ended, or its text is. */
void h2_landed(struct h2_exchange *x);

/* ---- h2_block.c ---- */

/* Appends the head to the client's text. */
void h2_put_head(struct h2_exchange *x, const struct reply *reply, bool last);
/* Appends an interim head. */
void h2_put_interim(struct h2_exchange *x, int status, const struct fields *fields);

/* ---- h2_write.c ---- */

/* Returns where frames are appended. */
struct buf *h2_text(struct h2_client *c);
/* May so many bytes of a body, or a head alone, be appended now? Else they wait until some of the text is
 * written. */
bool h2_text_has_room(const struct h2_client *c, size_t bytes);
/* The exchange is told when what is in the text now has been written. */
void h2_board(struct h2_exchange *x);
/* Writes what there is, as far as the kernel takes it. May close the connection. */
void h2_flush(struct h2_client *c);
/* Notices of the stream. */
void h2_on_written(struct stream *s, int status);
void h2_on_moved(struct stream *s);
/* Gives the memory of texts back. */
void h2_drop_text(struct h2_client *c);

/* ---- h2_shed.c ---- */

/* front_protocol of front/front.h. */
void h2_shed(struct front *front, const struct front_shed *how, struct front_shed_done *done);

#endif
