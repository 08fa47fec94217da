/*
 * Undoes the Content-Encoding of a body, piece by piece: gzip (RFC 1952), br (RFC 7932) and zstd (RFC 8878,
 * with windows of at most 8 MiB: RFC 9659). identity passes through. Bodies come from origins and are
 * hostile: the output has a limit, and everything that is not as the formats say is an error. Pure, but for
 * memory; one thread at a time uses a decoder.
 */
#ifndef CODING_DECODE_H
#define CODING_DECODE_H

#include "http/accept.h"

enum decode_event {
    DECODE_MORE,      /* all input is taken */
    DECODE_DATA,      /* *data is a piece of the content */
    DECODE_DAMAGED,   /* the input is not in that coding, or bytes follow its end */
    DECODE_TOO_LARGE, /* the content is longer than allowed */
    DECODE_NO_MEMORY,
};

struct decode;

/* Returns a decoder for one body whose content may have `most` bytes, or NULL: no memory. The caller frees it
 * by decode_free. gzip takes some 40 KiB until then; br and zstd as much as the body's window wants, at most
 * some 17 and 9 MiB. */
struct decode *decode_new(enum coding coding, uint64_t most);
/* NULL is allowed. */
void decode_free(struct decode *d);
/* Takes bytes from *in, and moves it on, until there is an event. Call it again after DECODE_DATA. *data
 * points into the decoder or the input, is never empty, and holds until the next call. After an error it
 * returns the same error again and takes nothing. */
enum decode_event decode_next(struct decode *d, struct str *in, struct str *data);
/* Asked when the body has ended and decode_next has taken all of it: is the content whole? false: the body
 * was cut short, or there was an error. A body of no bytes is whole in identity only. */
bool decode_is_whole(const struct decode *d);

#endif
