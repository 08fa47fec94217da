/*
 * The parser of HTTP/1.1 message heads (RFC 9112 §2 to §5), for requests from clients and responses from
 * origins: freshet's security boundary. Strict: only CR LF ends a line; no white space before a colon or in
 * front of a name, no obs-fold, no control characters, no NUL. freshet writes what it accepted anew before it
 * forwards it, so no other program sees the sender's bytes. Pure: no clock, no I/O, no allocation; the caller
 * gives the field table.
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
    HEAD_MORE, /* no fault so far, more bytes are needed */
    HEAD_BAD,  /* `error` says why */
};

/* The parser's state between calls for one head. Zero it before the first call. Its offsets count from the
 * start of the input: the bytes may move between calls, but none may be taken from the front. */
struct head_scan {
    size_t seen;      /* bytes that earlier calls looked through for the end of the head */
    size_t lines;     /* lines in them, without empty ones in front */
    size_t line_at;   /* where the line that is arriving begins */
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

/* Returns the method of that name, which is case-sensitive; METHOD_OTHER: none of the above. */
enum method method_of(struct str name);
/* Is the method safe: does it change nothing at the origin (RFC 9110 §9.2.1)? `name` is case-sensitive. An
 * unknown method is not safe. */
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
    int status; /* 100 to 599 (RFC 9110 §15); the parser refuses 600 to 999 */
    struct str reason;
    int minor;
    struct fields fields;
    size_t bytes;
};

/*
 * Parses the head at the start of `in`. `out->fields.v` and `.cap` are the caller's table. All strings point
 * into `in`. *out is valid only after HEAD_DONE. Skips a few empty lines (CR LF) in front of a request (RFC
 * 9112 §2.2).
 *
 * Pieces: the first call parses, and so does the one that ends the head. Calls between look only through the
 * new bytes, so the total work is linear in the head's length. HEAD_BAD may come before the end of the head:
 * at once for any fault of the first piece, for a bare LF and for the limits; at the end for the rest.
 * However the bytes were cut, the error reported is the first in the order of the bytes.
 *
 * Request line: method SP target SP "HTTP/" DIGIT "." DIGIT, with exactly one SP each. The target is visible
 * ASCII and bytes above 0x7f, which http/url looks at. Versions other than 1.0 and 1.1 are refused: no
 * version is REQUEST_LINE, another major version VERSION_UNSUPPORTED, another minor version VERSION (only
 * probes claim one). Status line: RFC 9112 §4; the reason may be empty, and the SP before it may then be
 * missing.
 * Field values: VCHAR, SP, HTAB and obs-text (0x80 to 0xff). Field names: tokens, except disguised ones
 * (field_name_is_disguised).
 */
enum head_result request_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                    struct request_head *out, enum http_error *error);
enum head_result response_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                     struct response_head *out, enum http_error *error);

#endif
