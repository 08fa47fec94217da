/*
 * An HTTP/2 connection (RFC 9113), seen from the server: the client's bytes in, events out; answers in, bytes
 * out. Or seen from the client, which begins streams and is answered. It keeps the rules of the protocol
 * (streams and their states, flow control both ways, settings, header blocks, GOAWAY), what a peer may cost
 * (http/h2_calm), and whose turn it is to send (http/priority). It knows no sockets, no clock and no
 * requests: the caller moves bytes and gives the time.
 *
 * One thread at a time. Events point into the input and into the caller's arena. A stream belongs to the
 * connection; the caller may use it from its H2_HEAD until it calls h2_close, or gets H2_RESET for it. All
 * that is to be sent goes to buffers of the caller's: what a function appends there must be sent in that
 * order.
 */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "http/h2_frame.h"
#include "http/h2_head.h"

struct h2;        /* a connection */
struct h2_stream; /* a request and its answer */

/* What one client may have and do. Rates stand in tbl/h2_glitches.h. */
struct h2_limits {
    unsigned streams;       /* open at once (SETTINGS_MAX_CONCURRENT_STREAMS), at most H2_STREAMS_MOST */
    uint32_t stream_window; /* bytes of a request's body that wait for h2_consumed: 1 to H2_WINDOW_MOST. Until
                                 * the client has acknowledged our SETTINGS, 65535 may */
    uint32_t connection_window; /* the same for all streams together; at least 65535 */
    size_t block_bytes;         /* a header block, compressed; 0 is none */
    unsigned block_frames;      /* CONTINUATION frames of a header block */
    struct head_limits head;    /* as in struct h2_head_rules */
    size_t out_bytes;           /* control frames that wait because the client does not read; at least 64 */
    bool extended_connect;      /* RFC 8441 */
};
#define H2_STREAMS_MOST 1024
/* 100 streams, 64 KiB a stream, 1 MiB a connection, blocks of 32 KiB in 16 frames that make 100 fields of
 * 32 KiB, 8 KiB of control frames. */
extern const struct h2_limits h2_limits_default;

enum h2_event_kind {
    H2_MORE,     /* all input is taken */
    H2_HEAD,     /* a request begins, or an answer does, interim or final: stream, head, last */
    H2_BODY,     /* stream, data, last. Call h2_consumed when its bytes have found a place */
    H2_TRAILERS, /* stream, fields; the message ends */
    H2_RESET,    /* the stream is gone, by RST_STREAM of the client or, by_us, for a fault of it: owner, id,
               * code. Nothing more may be sent for it */
    H2_GONE,     /* GOAWAY: code. The peer opens no more streams; as a client we may open none, and H2_RESET
                  * follows for each that the server leaves behind */
    H2_FAILED, /* a connection error, or h2_fail: send what h2_take gives, then close. From now on this is the
                  * only event; all streams must still be closed by h2_close */
};

struct h2_event {
    struct h2_stream *stream;
    void *owner; /* of the stream, as in h2_set_owner */
    uint32_t id; /* of the stream */
    struct fields fields;
    struct str data;
    bool last; /* END_STREAM: nothing follows from the client on this stream */
    bool by_us;
    bool is_unprocessed; /* H2_RESET of ours: the server says that it did nothing with it (§8.7) */
    uint32_t code;       /* enum h2_code, or what the client sent */
    const char *text;    /* H2_RESET by us, H2_FAILED: what was wrong, static, for the log */
    struct str wrong; /* H2_RESET by us: in which field, the begin of its name as it came, in `heads`; empty:
                          * not in one */
    struct h2_head head; /* last, and set for H2_HEAD only: it is large */
};

/* Makes a connection; `limits` must outlive it. The first h2_take gives our SETTINGS. Never NULL. Some 0.8
 * KB, and 3 KB more from the first request on. */
struct h2 *h2_new(const struct h2_limits *limits);
/* Frees it. All streams are closed. */
void h2_free(struct h2 *c);

/* Takes bytes from *in, and moves it on, until there is an event. Call it until it returns H2_MORE or
 * H2_FAILED. `now_ms` is monotonic. Heads and trailers are decoded into `heads`; nothing of it is kept
 * between calls. */
enum h2_event_kind h2_read(struct h2 *c, struct str *in, int64_t now_ms, struct arena *heads,
                           struct h2_event *e);

/* Sets what events give as the stream's owner, and returns it. */
void h2_set_owner(struct h2_stream *s, void *owner);
void *h2_owner(const struct h2_stream *s);
/* Give the stream's identifier, and whether the client has ended its side. */
uint32_t h2_id(const struct h2_stream *s);
bool h2_has_ended(const struct h2_stream *s);
/* The caller has a place for `bytes` more of the request's body: they were in H2_BODY. Opens the windows
 * again (RFC 9113 §6.9). */
void h2_consumed(struct h2 *c, struct h2_stream *s, size_t bytes);

/* ---- sending. These append to `to`, first what waits of control frames ---- */

/* Moves what waits of control frames. */
void h2_take(struct h2 *c, struct buf *to);
/* Returns how many bytes h2_take would append. Not 0: there is something to send, whoever has a turn. */
size_t h2_waiting(const struct h2 *c);
/* A header block (http/hpack.h) of n pieces: an interim or the final head, or with `last` behind a head the
 * trailers. Without a body, `last` ends the stream. The first block of the connection gets HPACK_NO_TABLE. */
void h2_put_block(struct h2 *c, struct h2_stream *s, const struct str *pieces, size_t n, bool last,
                  struct buf *to);
/* The head of a DATA frame; the caller sends `bytes` bytes of the body behind it. bytes: at most what h2_next
 * said, and H2_FRAME_BYTES; 0 only with `last`, which needs no turn. */
void h2_put_data(struct h2 *c, struct h2_stream *s, size_t bytes, bool last, struct buf *to);

/* The stream has, or has not, bytes of a body to send. Its head was put. */
void h2_want(struct h2 *c, struct h2_stream *s, bool wants);
/* Returns the stream whose turn it is (RFC 9218), and how many bytes it may send in one frame, at least 1.
 * NULL: no stream wants to send and may. It stays its turn until h2_put_data or h2_want. */
struct h2_stream *h2_next(struct h2 *c, size_t *bytes);
/* How many bytes may the stream send in one frame, now and at once, since no other one wants to? It does not
 * want to either: h2_put_data follows without h2_want. 0: its turn has to be waited for. */
size_t h2_may_put(const struct h2 *c, const struct h2_stream *s);
/* Does a stream want to send that no window lets (RFC 9113 §5.2)? The caller limits how long. h2_is_shut: is
 * it the stream's own window? */
bool h2_is_blocked(const struct h2 *c, const struct h2_stream *s);
bool h2_is_shut(const struct h2_stream *s);
/* Changes the stream's priority, when the response's Priority field says so (RFC 9218 §8). */
struct priority h2_priority(const struct h2_stream *s);
void h2_set_priority(struct h2 *c, struct h2_stream *s, struct priority p);

/* Ends the caller's use of the stream, and clears the pointer. When our side has not ended, or the client's
 * has not, RST_STREAM is sent: with `code`, or NO_ERROR when our answer is whole (RFC 9113 §8.1). */
void h2_close(struct h2 *c, struct h2_stream **s, enum h2_code code);

/* ---- as the client ---- */

/* Like h2_new, of a client: the first h2_take gives the preface as well. No push is accepted. `limits`:
 * `streams` are those that we begin; what is of requests there, is of answers. The connection's window is
 * opened again for what has come, so the caller keeps up to stream_window of each stream, and one that is
 * slow holds no other. */
struct h2 *h2_new_client(const struct h2_limits *limits);
/* Have the server's SETTINGS come? */
bool h2_is_known(const struct h2 *c);
/* Returns how many more streams may begin now. 0 for ever: h2_is_closing. */
size_t h2_room(const struct h2 *c);
/* Will none begin any more: was GOAWAY received or put, or has it failed, or are the identifiers used up, or
 * were there too many streams that were reset, or heads over a limit? */
bool h2_is_closing(const struct h2 *c);
/* Begins a stream; there is room. At once h2_put_block with its head follows. `is_head`: the method is HEAD,
 * so its answer has no body. */
struct h2_stream *h2_begin(struct h2 *c, bool is_head);
/* Asks for a sign of life. The answer is no event, but bytes come. */
void h2_ping(struct h2 *c);

/* ---- the end ---- */

/* Begins the end (RFC 9113 §6.8): GOAWAY that names no stream, and a PING; when its answer is here, or at
 * h2_drain_now, GOAWAY that names the last stream. Later streams are ignored, open ones go on. Some clients
 * without streams do not answer: the caller has a timer. */
void h2_drain(struct h2 *c);
void h2_drain_now(struct h2 *c);
/* Ends the connection: GOAWAY with that code and text; the next event is H2_FAILED. Does nothing when it has
 * failed. `text`: static. */
void h2_fail(struct h2 *c, enum h2_code code, const char *text);
/* Is it drained: the last GOAWAY was put and no stream is left? Or has it failed? */
bool h2_is_over(const struct h2 *c);
/* How many streams has the caller not closed? */
size_t h2_streams(const struct h2 *c);

#endif
