/*
 * Where a message's body ends (RFC 9112 §6), decided from the head alone. It never chooses between two
 * readings: two lengths, a length and an encoding, an unknown or repeated encoding are errors. Pure.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/head.h"

enum framing_kind {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* exactly `length` bytes */
    FRAMING_CHUNKED, /* chunked coding, alone */
    FRAMING_CLOSE,   /* until the connection ends: responses only */
};

struct framing {
    enum framing_kind kind;
    uint64_t length; /* for FRAMING_LENGTH; at most INT64_MAX */
};

/* Returns HTTP_ERROR_NONE and *out, or what is wrong. `Content-Length: 0` gives FRAMING_LENGTH with 0; "5,
 * 5", two equal lines and leading zeros are errors. Also refuses a Connection that names Host,
 * Content-Length, Transfer-Encoding, Cookie or Authorization, or more names than it may, and a second
 * Content-Type, since two readers could take the body for two things. */
enum http_error framing_of_request(const struct request_head *h, struct framing *out);
/* Like framing_of_request. `asked`: the method of the request that this answers. Responses to HEAD, 1xx, 204
 * and 304 have no body, whatever they claim; the claims of a response to HEAD and of a 304 must be
 * well-formed. Transfer-Encoding in an HTTP/1.0 response is an error. One coding that nobody knows (RFC 9112
 * §6.3, 4): FRAMING_CLOSE. */
enum http_error framing_of_response(enum method asked, const struct response_head *h, struct framing *out);

/* The most that Connection may list. Both functions above refuse a message with more. */
#define CONNECTION_BYTES_MAX ((size_t)512)
#define CONNECTION_NAMES_MAX ((size_t)64)
/* Sets *out to the names that Connection lists: fields that concern this connection alone. Memory is in the
 * arena; the names point into the fields. */
void framing_connection_names(const struct fields *f, struct arena *a, struct field_names *out);

/* May the connection carry another message after this one (RFC 9112 §9.3)? Looks at version and Connection
 * only; the caller knows the framing. */
bool wants_keep_alive(int minor, const struct fields *f);

#endif
