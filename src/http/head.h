/*
 * The HTTP/1.1 message head parser (RFC 9112 §2 to §5), for requests from clients and responses from origins:
 * freshet's security boundary. Strict: CR LF and nothing else ends a line, no white space before a colon or in
 * front of a name, no obs-fold, no control characters, no NUL. What is accepted is written anew before it is
 * forwarded, so nobody behind us sees the sender's bytes. Pure: no clock, no I/O, no allocation but the field
 * table, which the caller gives.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/error.h"
#include "http/field.h"

struct head_limits {
    size_t line_bytes;   /* request or status line without CR LF */
    size_t fields_bytes; /* all field lines with their CR LF */
    size_t fields_count; /* at most `cap` of the table given */
};

enum head_result {
    HEAD_DONE, /* *out is filled; `bytes` of the input belong to the head */
    HEAD_MORE, /* so far without fault, more bytes are needed */
    HEAD_BAD,  /* `error` says why */
};

/* What the parser keeps between calls for one head. Zero it before the first call. The offsets are into the input, so
 * its bytes may move between calls, but none may be taken from its front. */
struct head_scan {
    size_t seen;      /* bytes that an earlier call already looked through for the end of the head */
    size_t lines;     /* in them, empty ones in front not counted */
    size_t line_at;   /* where the line that is arriving began */
    size_t fields_at; /* behind the first line, once lines > 0 */
};

enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_TRACE,
    METHOD_CONNECT,
};

/* Does it change nothing at the origin (RFC 9110 §9.2.1)? By its name, with case; unknown methods may. */
bool method_is_safe(struct str name);

struct request_head {
    enum method method;
    struct str method_name; /* as received; methods are case-sensitive */
    struct str target;      /* as received; http/url takes it apart */
    int minor;              /* HTTP/1.minor: 0 or 1 */
    struct fields fields;
    size_t bytes; /* of the input, empty lines in front and the final CR LF included */
};

struct response_head {
    int status; /* 100 to 599 (RFC 9110 §15: three digits; 600 to 999 is refused) */
    struct str reason;
    int minor;
    struct fields fields;
    size_t bytes;
};

/*
 * Parses the head at the start of `in`. `out->fields.v` and `.cap` are the caller's table; all strings point into
 * `in`, and *out means something only after HEAD_DONE. At most a few empty lines (CR LF) in front of a request are
 * skipped (RFC 9112 §2.2). A head that arrives in pieces is parsed by the first call and by the one that ends it; the
 * calls between look only through the new bytes, so the total work is linear in its length. HEAD_BAD may come before
 * the end of the head: for all that is wrong with the first piece, for a line feed alone and for the limits at once,
 * for the rest at the end. The first fault in the order of the bytes is the one that is reported, however they came.
 *
 * Request line: method SP target SP "HTTP/" DIGIT "." DIGIT, exactly one SP; target is visible ASCII and bytes above
 * 0x7f, which http/url looks at. Versions other than 1.0 and 1.1 are refused: a line without one is REQUEST_LINE, another major
 * version VERSION_UNSUPPORTED, another minor one VERSION: nobody speaks it, and those who claim to are probing.
 * Status line: RFC 9112 §4; the reason may be empty, and the SP before it may then be missing.
 * Field values: VCHAR, SP, HTAB and obs-text (0x80 to 0xff). Names: tokens, but not the name of a framing
 * or hop-by-hop field, or of one that is removed from requests, with another mark for "-" (field_name_is_disguised).
 */
enum head_result request_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                    struct request_head *out, enum http_error *error);
enum head_result response_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                     struct response_head *out, enum http_error *error);

#endif
