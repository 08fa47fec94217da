/*
 * Makes a content coding of a body, piece by piece: gzip (RFC 1952), br (RFC 7932), zstd (RFC 8878, with
 * windows of at most 8 MiB: RFC 9659). Pure, but for memory; one thread at a time uses an encoder.
 */
#ifndef CODING_ENCODE_H
#define CODING_ENCODE_H

#include "http/accept.h"

struct encode;

enum encode_event {
    ENCODE_MORE,  /* all input is taken */
    ENCODE_DATA,  /* *data is a piece of the coded body */
    ENCODE_ENDED, /* all of the coded body was given */
    ENCODE_NO_MEMORY,
};

/* Returns the level that is used for `level`: the nearest that the coding has (gzip 1 to 9, br 0 to 11, zstd
 * 1 to 19). */
int encode_level(enum coding coding, int level);

/* Are the coded bytes the same, whatever pieces the body is given in? br below level 2 encodes each by
 * itself. */
bool encode_is_exact(enum coding coding, int level);

/* The window of encode_new_stream: a body that is no longer needs none larger. */
#define ENCODE_STREAM_WINDOW ((uint64_t)1 << 18)

/* Returns an encoder for one body, or NULL: no memory. `expected`: the body's length, which sets how much
 * memory is taken; UINT64_MAX: not known. At most some 32 MiB (br, level 11) until encode_free. */
struct encode *encode_new(enum coding coding, int level, uint64_t expected);
/* The same for a body whose length is not known, and of which many come at a time: the window has 256 KiB,
 * and so the encoder takes at most some 3 MiB. */
struct encode *encode_new_stream(enum coding coding, int level);
/* NULL is allowed. */
void encode_free(struct encode *e);
/* Takes bytes from *in, and moves it on, until there is an event. `last`: *in ends the body; from then on
 * call it with an empty *in until ENCODE_ENDED. Call it again after ENCODE_DATA. *data points into the
 * encoder, is never empty, and holds until the next call. */
enum encode_event encode_next(struct encode *e, struct str *in, bool last, struct str *data);
/* Gives what was taken so far, so that whoever decodes it has all of it: call it until ENCODE_MORE. After
 * encode_next returned that. Costs a few bytes each time. */
enum encode_event encode_flush(struct encode *e, struct str *data);

#endif
