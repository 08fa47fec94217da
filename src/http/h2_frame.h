/*
 * Frames of HTTP/2 (RFC 9113 §4 and §6). The reader takes the peer's bytes in any pieces, a client's from the
 * preface on, and checks whatever one frame says about itself: length, stream
 * identifier, padding, and that nothing interrupts a header block. What frames mean to streams is the matter
 * of http/h2. Pure: no clock, no I/O, no allocation; one thread at a time.
 */
#ifndef HTTP_H2_FRAME_H
#define HTTP_H2_FRAME_H

#include "base/buf.h"

enum h2_code {
#define H2_CODE(id, value) H2_##id = value,
#include "tbl/h2_codes.h"
#undef H2_CODE
};

/* Returns "PROTOCOL_ERROR" and the like, or "unknown". */
const char *h2_frame_code_name(uint32_t code);

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
    H2_PRIORITY_UPDATE = 0x10, /* RFC 9218 §7.1 */
};

/* Flags; which ones a frame may have depends on its type. */
#define H2_ACK          0x01 /* SETTINGS, PING */
#define H2_END_STREAM   0x01 /* DATA, HEADERS */
#define H2_END_HEADERS  0x04 /* HEADERS, CONTINUATION */
#define H2_PADDED       0x08 /* DATA, HEADERS */
#define H2_HAS_PRIORITY 0x20 /* HEADERS */

enum h2_setting {
    H2_HEADER_TABLE_SIZE = 0x1,
    H2_ENABLE_PUSH = 0x2,
    H2_MAX_CONCURRENT_STREAMS = 0x3,
    H2_INITIAL_WINDOW_SIZE = 0x4,
    H2_MAX_FRAME_SIZE = 0x5,
    H2_MAX_HEADER_LIST_SIZE = 0x6,
    H2_ENABLE_CONNECT_PROTOCOL = 0x8, /* RFC 8441 §3 */
    H2_NO_RFC7540_PRIORITIES = 0x9,   /* RFC 9218 §2.1 */
};

#define H2_PREFACE       STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
#define H2_FRAME_HEAD    ((size_t)9)       /* bytes in front of each payload */
#define H2_FRAME_BYTES   ((uint32_t)16384) /* the longest payload that we take: SETTINGS_MAX_FRAME_SIZE */
#define H2_WINDOW_MOST   ((uint32_t)0x7fffffff)
#define H2_PRIORITY_MOST 60 /* bytes of a priority field value that are kept */

struct h2_frame {
    uint32_t bytes; /* of the whole payload */
    uint8_t type;   /* enum h2_type, or another */
    uint8_t flags;
    uint32_t stream;
    uint32_t content; /* DATA, HEADERS, CONTINUATION: bytes without padding and priority */
    uint32_t value; /* a setting's value; WINDOW_UPDATE: the increment; RST_STREAM, GOAWAY: the error code */
    uint32_t other; /* GOAWAY: the last stream; PRIORITY_UPDATE: the stream that it is about */
    uint16_t setting;  /* SETTINGS: which one */
    uint8_t opaque[8]; /* PING */
};

enum h2_frame_reading {
    H2_FRAME_MORE,         /* all input is taken */
    H2_FRAME_BEGIN,        /* DATA, HEADERS or CONTINUATION: H2_FRAME_PIECE follows at least once */
    H2_FRAME_PIECE,        /* a piece of its content, perhaps empty */
    H2_FRAME_SETTING,      /* one of a SETTINGS frame */
    H2_FRAME_WHOLE,        /* any other frame, unknown types too; SETTINGS: all of them were told */
    H2_FRAME_STREAM_ERROR, /* the frame is taken, and wrong for its stream alone */
    H2_FRAME_ERROR,        /* a connection error; the reader takes nothing more */
};

/* Private to http/h2_frame.c, but for `frame`. */
struct h2_frame_reader {
    struct h2_frame frame; /* the one that the last result is about */
    uint32_t left;         /* bytes of its payload not yet taken, without padding */
    uint32_t padding;      /* bytes of padding not yet taken */
    uint32_t block_of;     /* the stream whose CONTINUATION must come next; 0: none */
    uint8_t state;
    bool has_settings; /* the first SETTINGS frame began */
    uint8_t kept_n;
    uint8_t kept[H2_PRIORITY_MOST + 4];
};

/* What the reader says beside its result. */
struct h2_frame_said {
    struct str piece; /* H2_FRAME_PIECE: the bytes, in the input. PRIORITY_UPDATE: the field value, in the
                       * reader; empty when it is longer than H2_PRIORITY_MOST */
    bool ends;        /* H2_FRAME_PIECE: it is the frame's last one */
    enum h2_code code;
    const char *text; /* of an error: what is wrong, static, for the log */
};

/* Makes a reader that expects the client's preface. */
void h2_frame_reader_init(struct h2_frame_reader *r);
/* Makes one of what a server sends, whose preface is its SETTINGS (RFC 9113 §3.4). */
void h2_frame_reader_init_of_server(struct h2_frame_reader *r);
/* Takes bytes from *in, and moves it on, until there is something to say. Call it again until it returns
 * H2_FRAME_MORE or H2_FRAME_ERROR; the latter returns again for ever, and takes nothing.
 *
 * Connection errors: FRAME_SIZE_ERROR for more than H2_FRAME_BYTES, for a payload too short for its fields or
 * with another length than the type has; PROTOCOL_ERROR for a wrong preface, a first frame other than
 * SETTINGS, a stream identifier that the type must not have or needs, padding longer than the content, a
 * PUSH_PROMISE, a CONTINUATION without block, anything else inside a block. Stream error: a PRIORITY that
 * has not five bytes (§6.3). Flags that a type has not are ignored, and so is the reserved bit (§4.1). */
enum h2_frame_reading h2_frame_read(struct h2_frame_reader *r, struct str *in, struct h2_frame_said *said);

/* ---- writing ---- */

/* Writes the nine bytes in front of a payload. */
void h2_frame_put_head(char *to, size_t bytes, enum h2_type type, uint8_t flags, uint32_t stream);
/* Append a whole frame each. `opaque`: 8 bytes. h2_frame_add_goaway cuts `text` to 128 bytes. */
void h2_frame_add_rst_stream(struct buf *to, uint32_t stream, enum h2_code code);
void h2_frame_add_ping(struct buf *to, const uint8_t *opaque, bool ack);
void h2_frame_add_goaway(struct buf *to, uint32_t last_stream, enum h2_code code, struct str text);
void h2_frame_add_window_update(struct buf *to, uint32_t stream, uint32_t increment);
void h2_frame_add_settings_ack(struct buf *to);
/* Appends a SETTINGS frame: a row a setting. */
struct h2_frame_setting {
    enum h2_setting setting;
    uint32_t value;
};
void h2_frame_add_settings(struct buf *to, const struct h2_frame_setting *v, size_t n);

#endif
