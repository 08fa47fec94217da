/*
 * What the files of http/h2.h say to each other: h2.c (streams, the end), h2_client.c (the client's side),
 * h2_receive.c (frames to events), h2_send.c (messages to frames). Nobody else includes it.
 */
#ifndef HTTP_H2_MACHINE_H
#define HTTP_H2_MACHINE_H

#include "base/check.h"
#include "http/h2.h"
#include "http/h2_calm.h"
#include "http/priority.h"

#define H2_TAG 0x68320000u

#define H2_WINDOW_FIRST 65535 /* RFC 9113 §6.9.2 */

/* Of streams that are closed we remember of the latest so many identifiers whether they were opened, and
 * whether we reset them: frames that were on their way are then ignored (RFC 9113 §5.1). */
#define H2_PAST 256
/* Priorities of streams that are not open yet (RFC 9218 §7.1). */
#define H2_EARLY 8

struct h2_stream {
    struct priority_turn turn; /* in the queue: it wants to send, and its window lets it */
    uint32_t id;
    bool remote_ended, local_ended;
    bool has_head;       /* a block was put */
    bool answered;       /* of a client: the final head came */
    bool is_head;        /* of a client: the request is a HEAD */
    bool wants;          /* to send */
    int32_t send_window; /* below 0 after a change of SETTINGS_INITIAL_WINDOW_SIZE */
    int32_t recv_window; /* below 0 when more came before the client knew of it: first_window_more */
    uint32_t unconsumed; /* bytes taken from both receive windows and not given back */
    uint32_t credit;     /* bytes that go back into recv_window with the next WINDOW_UPDATE */
    int64_t length;      /* of the request's body; -1: not said */
    int64_t received;    /* of the body */
    void *owner;
};

struct h2_past {
    uint64_t opened[H2_PAST / 64], reset[H2_PAST / 64];
};

struct h2_early {
    uint32_t id; /* 0: free */
    struct priority priority;
};

enum h2_life {
    H2_OPEN,
    H2_DRAINING, /* GOAWAY that names no stream is put */
    H2_ENDING,   /* the GOAWAY that names the last stream is put */
    H2_BROKEN,   /* a connection error */
};

struct h2 {
    unsigned tag;
    uint8_t life; /* enum h2_life */
    bool is_client;
    bool is_left;          /* of a client: GOAWAY came */
    bool is_worn;          /* of a client: it bore so much that it begins no more streams */
    bool leaves_some;      /* streams above left_id are still to be told of */
    uint32_t left_id;      /* the last stream that the server may have done something with */
    uint32_t peer_streams; /* SETTINGS_MAX_CONCURRENT_STREAMS */
    const struct h2_limits *limits;
    struct h2_frame_reader reader;
    struct nghttp2_hd_inflater *inflater; /* NULL until the first block */
    struct buf out;                       /* control frames that wait */
    int64_t now_ms;
    struct h2_calm calm;
    const char *fault; /* of H2_BROKEN */
    uint32_t fault_code;

    /* ---- streams ---- */
    struct h2_stream **streams; /* those that are not closed, by id */
    struct h2_stream *spare;    /* memory for the next one; NULL: none */
    size_t n, cap;
    size_t open;          /* of them, those that count as open to the client */
    uint32_t last_id;     /* the highest that the client used */
    uint32_t goaway_id;   /* H2_ENDING: what comes above is ignored */
    uint32_t accepted_id; /* the highest that became a request */
    struct h2_past past;
    struct h2_early early[H2_EARLY];
    unsigned early_next;
    struct priority_queue queue;
    size_t turns; /* in the queue */

    /* ---- receiving ---- */
    struct h2_stream *data_to; /* of the DATA frame being read; NULL: nobody's */
    struct buf block;          /* a header block in pieces */
    uint32_t block_stream;
    uint8_t block_flags; /* of its HEADERS frame */
    unsigned block_frames;
    int64_t recv_window;
    uint32_t credit;
    bool knows_settings; /* the peer has acknowledged ours */
    bool drain_ping;     /* a PING of h2_drain is on its way */

    /* ---- the client's settings ---- */
    uint32_t initial_window;
    uint32_t initial_window_was; /* before the SETTINGS frame being read */
    uint32_t max_frame;
    bool has_settings;
    bool connect_protocol, no_priorities; /* as last said */

    /* ---- sending ---- */
    int64_t send_window;
    bool has_put_block;
};

/* Makes one that has put nothing yet. */
struct h2 *h2_make(const struct h2_limits *limits);

/* Ends the connection: the next event is H2_FAILED. Returns H2_FAILED. */
enum h2_event_kind h2_break(struct h2 *c, enum h2_code code, const char *text);
/* Counts a glitch; the connection may be broken by it. false: it is. */
bool h2_count(struct h2 *c, enum h2_glitch what);
/* Appends control frames behind c->out: checks that it does not grow too long. Call it after each. */
void h2_bound_out(struct h2 *c);

struct h2_stream *h2_find(const struct h2 *c, uint32_t id);
/* Makes an open stream. */
struct h2_stream *h2_open(struct h2 *c, uint32_t id, const struct h2_head *head, bool ended);
/* Takes it out of the connection and frees it. */
void h2_forget(struct h2 *c, struct h2_stream *s);
/* One of its sides has ended, or both: it may not count as open any more. */
void h2_note_end(struct h2 *c, struct h2_stream *s, bool remote, bool local);

/* The client used the identifier: as a stream (opened), or one that is refused and was reset. */
void h2_past_add(struct h2 *c, uint32_t id);
void h2_past_mark_reset(struct h2 *c, uint32_t id);
enum h2_was { H2_WAS_IDLE, H2_WAS_SKIPPED, H2_WAS_RESET, H2_WAS_CLOSED };
/* What was with a stream that is not there? */
enum h2_was h2_past_of(const struct h2 *c, uint32_t id);

/* The stream may or may not send now: puts it into the queue or takes it out. */
void h2_update_turn(struct h2 *c, struct h2_stream *s);
/* Gives bytes back to the connection's receive window. */
void h2_credit(struct h2 *c, size_t bytes);

#endif
