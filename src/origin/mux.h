/*
 * A connection to an origin that speaks HTTP/2, and its lanes: a lane is one request and its answer, and is
 * to its holder what a connection is (origin/pool.h). The protocol itself is http/h2; here its bytes move,
 * and what it tells goes to the lanes.
 *
 * What a holder does not take is kept in its lane, up to a window (MUX_WINDOW), so a slow visitor holds that
 * lane alone. All is sent from the loop, so that what many requests say at one moment goes out together. All
 * on the worker's thread.
 */
#ifndef ORIGIN_MUX_H
#define ORIGIN_MUX_H

#include "http/h2.h"
#include "origin/pool.h"

#define MUX_STREAMS 100                /* at once on one connection, if the origin takes so many */
#define MUX_WINDOW  ((uint32_t)131072) /* bytes of a body that are kept until its holder takes them */

struct lane {
    struct connection c;      /* what the holder has */
    struct mux *mux;          /* NULL: the connection is gone */
    struct h2_stream *stream; /* NULL: it is over */
    struct link link;         /* in mux->lanes */
    struct letter letter;     /* what it has to tell is told from the loop; or it is freed */
    bool letter_due;
    bool over;  /* it has no holder any more */
    bool asked; /* the head of the request was put, among what the connection's write number asked_at has */
    uint64_t asked_at;
    /* the answer */
    struct buf in; /* bytes that the holder has not taken: those from `taken` on */
    size_t taken;
    bool reading;
    bool has_end; /* all is here, and then `ended` is told with end_status */
    int end_status;
    /* the request's body */
    struct iovec out[2]; /* what is left of the pending write */
    bool writing;
    bool last;  /* END_STREAM behind it */
    bool wrote; /* `written` is to be told, with write_status */
    int write_status;
    uint64_t sent; /* bytes */
};

/* Makes it of a connection that is open and was agreed to speak HTTP/2. `ticket` is the connection's `ctx`.
 * `alone`: it gets one lane only. */
void mux_start(struct connection *c, const struct head_limits *head, bool alone);
/* Frees it, when its connection has closed. */
void mux_free(struct mux *m);
/* The notices of its stream. */
size_t mux_on_space(struct mux *m, char **p);
void mux_on_data(struct mux *m, size_t n);
void mux_on_ended(struct mux *m, int status);
void mux_on_written(struct mux *m, int status);

/* Returns how many more lanes it takes now. */
size_t mux_room(const struct mux *m);
/* Returns how many it has. */
size_t mux_lanes(const struct mux *m);
/* Was it made with these limits for heads? It keeps them. */
bool mux_has_limits(const struct mux *m, const struct head_limits *head);
/* Begins a lane; there is room. The holder gives it back by pool_keep or pool_drop. */
struct connection *mux_begin(struct mux *m);
/* It gets no lanes any more, and closes when it has none. */
void mux_retire(struct mux *m);

/* Sends the head of the request, a header block (http/hpack.h), before all else. `last`: there is no body. */
void lane_ask(struct lane *l, struct str block, bool is_head, bool last);
void lane_read_start(struct lane *l);
void lane_read_stop(struct lane *l);
enum stream_write lane_write(struct lane *l, const struct iovec *iov, unsigned n, bool last);
/* Ends the holder's use. When the message is not whole both ways the stream is reset. `is_whole`: its holder
 * has the answer. */
void lane_end(struct lane *l, bool is_whole);

#endif
