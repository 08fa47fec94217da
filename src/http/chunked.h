/*
 * The chunked transfer coding (RFC 9112 §7.1): a strict decoder that can be cut at any byte, and the few
 * bytes that the encoder writes. Pure; the state belongs to one message.
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "http/error.h"
#include "http/field.h"

struct chunked {
    int state;                       /* private to http/chunked.c */
    uint64_t left;                   /* the size being read, then the bytes of chunk data still to come */
    unsigned digits;                 /* of the size being read */
    size_t ext_bytes, trailer_bytes; /* of the message so far */
    enum http_error error;           /* the first error stays */
    char name[40];                   /* of the trailer field being read */
    size_t name_n;
};

enum chunked_event {
    CHUNKED_MORE, /* all input taken, the body goes on */
    CHUNKED_DATA, /* *data is a piece of the body, pointing into the input */
    CHUNKED_DONE, /* the last chunk and the trailer section are taken; the rest of *in is no part of the
                   * message */
    CHUNKED_BAD,  /* *error says why; the connection must be closed */
};

/* Makes *c ready for the body of a message. It holds no memory. */
void chunked_init(struct chunked *c);
/*
 * Takes bytes from *in, and moves it on, until there is an event. Call it again until it returns
 * CHUNKED_MORE, CHUNKED_DONE or CHUNKED_BAD. After CHUNKED_DONE and CHUNKED_BAD it returns the same again and
 * takes nothing.
 *
 * Sizes: 1*HEXDIG, at most 16 digits, at most INT64_MAX. Extensions must match their grammar (token, token or
 * quoted string), have a limit a message, and are dropped. Trailer fields must be as strict as header fields
 * and have a limit. A forbidden one (RFC 9110 §6.5.1: class F and H of tbl/headers.h) is an error; the others
 * are dropped.
 */
enum chunked_event chunked_decode(struct chunked *c, struct str *in, struct str *data,
                                  enum http_error *error);

/* Writes "1a2b\r\n" for a chunk of `bytes` > 0. `out` has room for CHUNK_HEAD_MAX. Returns the length
 * written. */
#define CHUNK_HEAD_MAX 18
size_t chunk_head(char *out, uint64_t bytes);
/* CHUNK_TAIL follows the data of each chunk; CHUNK_LAST ends the body. */
#define CHUNK_TAIL STR("\r\n")
#define CHUNK_LAST STR("0\r\n\r\n")

#endif
