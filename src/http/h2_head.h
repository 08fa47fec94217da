/*
 * Header blocks (RFC 9113 §8): decompressed by nghttp2's inflater (RFC 7541; docs/decisions/071), checked,
 * and handed out as the head of a request or of an answer, as http/head has it for HTTP/1.1. It is as strict:
 * what the HTTP/1.1 parser refuses in a name, a value, a target or a length is refused here, and nothing
 * reaches an origin that would read as two messages there. Pure; one thread at a time.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "http/framing.h"
#include "http/priority.h"

/* Decompresses one connection's blocks, in their order. Its table has at most 4096 bytes
 * (SETTINGS_HEADER_TABLE_SIZE). Some 3 KB. NULL: there is no memory. */
struct nghttp2_hd_inflater *h2_head_inflater_new(void);
void h2_head_inflater_free(struct nghttp2_hd_inflater *i);

enum h2_head_kind {
    H2_HEAD_REQUEST,
    H2_HEAD_ANSWER,
    H2_HEAD_TRAILERS,
    H2_HEAD_DROPPED, /* decompressed, because later blocks depend on it, and looked at by nobody */
};

struct h2_head_rules {
    enum h2_head_kind kind;
    struct head_limits limits; /* line_bytes: of :path. fields_bytes: name, value and 32 for each field (RFC
                                * 9113 §6.5.2). Over them the head has an error. */
    bool ends_stream;          /* the frame has END_STREAM: there is no body */
    bool extended_connect;     /* we announced SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) */
    bool to_head;              /* of an answer: to a HEAD, so it has no body, whatever its fields say */
};

/* A block that decompresses to more than so many times limits.fields_bytes is an attack (hostile tables:
 * CVE-2016-6581). */
#define H2_HEAD_BOMB 8
/* Changes of the table's size that may begin a block (RFC 7541 §4.2). */
#define H2_HEAD_SIZE_CHANGES 2

struct h2_head {
    /* target: :path, or :authority of a CONNECT without :protocol. minor: 1. fields: names that freshet knows
     * as it writes them, others in lower case; several Cookie lines are one (RFC 9113 §8.2.3). Host is as
     * received, and may differ from :authority. */
    struct request_head request;
    int status; /* of an answer, 100 to 599, whose fields are `request.fields`; else 0 */
    struct str scheme, authority, protocol; /* pseudo-fields; p NULL: absent */
    struct framing framing;   /* FRAMING_CHUNKED, of an answer FRAMING_CLOSE: a body, until END_STREAM */
    struct priority priority; /* RFC 9218 */
    /* Well-formed for HTTP/2, but over a limit, or nothing that we pass on: an answer is due. Then only
     * `request`'s method, `framing` and `priority` are valid. */
    enum http_error error;
    /* After H2_HEAD_MALFORMED alone: the field that is wrong, at most H2_HEAD_SAID bytes of its name, in the
     * arena; empty: it is not one field. */
    struct str wrong;
};
#define H2_HEAD_SAID 64

enum h2_head_result {
    H2_HEAD_OK,
    H2_HEAD_MALFORMED, /* stream error PROTOCOL_ERROR (RFC 9113 §8.1.1) */
    H2_HEAD_BAD,       /* connection error COMPRESSION_ERROR */
    H2_HEAD_TOO_MUCH,  /* connection error ENHANCE_YOUR_CALM */
};

/* What a block cost beyond an ordinary one. */
struct h2_head_cost {
    unsigned size_changes; /* of the table's size, at its start */
    bool is_over;          /* it had more fields, or more bytes of them, than the limits; of any kind */
};

/* Reads a whole block. *out is valid after H2_HEAD_OK; of trailers only request.fields is, and what
 * H2_HEAD_MALFORMED says above. Its strings are in
 * the arena or static. *text: what is wrong, static, after any other result. */
enum h2_head_result h2_head_read(struct nghttp2_hd_inflater *inflater, struct str block,
                                 const struct h2_head_rules *rules, struct arena *a, struct h2_head *out,
                                 struct h2_head_cost *cost, const char **text);

#endif
