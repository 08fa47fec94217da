/*
 * Where a message's body ends (RFC 9112 §6), decided from the head alone and without benefit of the doubt: two
 * lengths, a length and an encoding, an unknown or repeated encoding are errors, not choices. Pure.
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

/* HTTP_ERROR_NONE and *out, or what is wrong. `Content-Length: 0` gives FRAMING_LENGTH with 0; "5, 5", two equal lines
 * and leading zeros are errors. Also checks that Connection does not name Host, Content-Length, Transfer-Encoding,
 * Cookie or Authorization, nor more than it may, and that there is at most one Content-Type: two readers could take the body for two things. */
enum http_error framing_of_request(const struct request_head *h, struct framing *out);
/* `asked`: the method of the request that this answers. HEAD, 1xx, 204 and 304 have no body whatever they claim; for
 * HEAD and 304 what they claim must still be well-formed. Transfer-Encoding in an HTTP/1.0 response is an error.
 * A single coding that nobody knows (RFC 9112 §6.3, 4): FRAMING_CLOSE. */
enum http_error framing_of_response(enum method asked, const struct response_head *h, struct framing *out);

/* Connection lists no more than that, or the message is refused (both functions above). */
#define CONNECTION_BYTES_MAX ((size_t)512)
#define CONNECTION_NAMES_MAX ((size_t)64)
/* What Connection lists: those fields concern this connection alone. */
void framing_connection_names(const struct fields *f, struct arena *a, struct field_names *out);

/* May the connection carry another message after this one (RFC 9112 §9.3)? Version and Connection only; the
 * caller adds what it knows of framing. */
bool wants_keep_alive(int minor, const struct fields *f);

#endif
