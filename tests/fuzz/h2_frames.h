/* Whole frames of HTTP/2 in a text, and where nghttp2's session and ours may differ in them. */
#ifndef FUZZ_H2_FRAMES_H
#define FUZZ_H2_FRAMES_H

#include <string.h>

#include "base/str.h"
#include "http/h2.h"

/* The next whole frame of *rest; empty: there is none. */
static inline struct str frame_next(struct str *rest)
{
    const unsigned char *p = (const unsigned char *)rest->p;
    if (rest->n < H2_FRAME_HEAD)
        return STR_NONE;
    size_t bytes = H2_FRAME_HEAD + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
    if (bytes > rest->n)
        return STR_NONE;
    struct str frame = str_first(*rest, bytes);
    *rest = str_from_index(*rest, bytes);
    return frame;
}

/* The session looks into a header block before it is whole, ours does not: it is not given a part of one. */
static inline bool frame_leaves_block_open(struct str frame)
{
    return (frame.p[3] == H2_CONTINUATION || frame.p[3] == H2_HEADERS) && !(frame.p[4] & H2_END_HEADERS);
}

/* What nghttp2 refuses and we do not: an unasked ACK of SETTINGS, new streams of a client that sent
 * GOAWAY, a stream that depends on itself (RFC 9113 §5.3.2 has no such rule any more), more than 8
 * CONTINUATION frames. */
static inline bool frame_is_excused(struct str frame, unsigned continuations)
{
    const unsigned char *p = (const unsigned char *)frame.p;
    size_t at = H2_FRAME_HEAD + (p[3] == H2_HEADERS && p[4] & H2_PADDED ? 1 : 0);
    bool has_priority = p[3] == H2_PRIORITY || (p[3] == H2_HEADERS && p[4] & H2_HAS_PRIORITY);
    if ((p[3] == H2_SETTINGS && p[4] & H2_ACK) || p[3] == H2_GOAWAY)
        return true;
    if (p[3] == H2_CONTINUATION && continuations > 7)
        return true;
    return has_priority && frame.n >= at + 4 && memcmp(p + at + 1, p + 6, 3) == 0 &&
           (p[at] & 0x7f) == (p[5] & 0x7f);
}

#endif
