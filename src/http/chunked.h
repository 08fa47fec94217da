/*
 * The chunked transfer coding (RFC 9112 §7.1): a strict decoder that can be cut at any byte, and the few bytes that
 * the encoder writes. Pure; the state belongs to one message.
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
    enum http_error error;           /* once bad, always bad */
    char name[40];                   /* of the trailer field being read */
    size_t name_n;
};

enum chunked_event {
    CHUNKED_MORE, /* all input taken, the body goes on */
    CHUNKED_DATA, /* *data is a piece of the body, pointing into the input */
    CHUNKED_DONE, /* last chunk and trailer section taken; what is left of *in is not ours */
    CHUNKED_BAD,  /* *error says why; the connection is of no more use */
};

void chunked_init(struct chunked *c);
/*
 * Takes bytes from *in (which moves on) until something is to be told. Call again until CHUNKED_MORE, DONE or BAD.
 * Sizes: 1*HEXDIG, at most 16 digits, at most INT64_MAX. Extensions are checked against their grammar (token, token
 * or quoted string), a bounded number of bytes a message, and dropped. Trailer fields are checked as strictly as
 * header fields, are bounded, forbidden ones (RFC 9110 §6.5.1: those of class F and H in tbl/headers.h) are an error,
 * the others are dropped. After DONE and BAD further calls say the same and take nothing.
 */
enum chunked_event chunked_decode(struct chunked *c, struct str *in, struct str *data,
                                  enum http_error *error);

/* "1a2b\r\n" for a chunk of `bytes` > 0; `out` has room for CHUNK_HEAD_MAX. Returns its length. */
#define CHUNK_HEAD_MAX 18
size_t chunk_head(char *out, uint64_t bytes);
/* What follows the data, and what ends the body. */
#define CHUNK_TAIL STR("\r\n")
#define CHUNK_LAST STR("0\r\n\r\n")

#endif
