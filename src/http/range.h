/*
 * Range requests (RFC 9110 §14): which bytes of a complete representation were asked for. Pure.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/buf.h"
#include "base/str.h"

struct range {
    uint64_t first, last; /* inclusive; first <= last < length */
};

enum range_result {
    RANGE_IGNORE, /* malformed, another unit, too many, overlapping beyond reason: send the whole (200) */
    RANGE_OK,     /* *n ranges, in the order asked */
    RANGE_UNSATISFIABLE, /* well-formed, none satisfiable: 416 */
};

/* `value`: the Range field; the unit has no case, spaces around commas and empty members are allowed;
 * numbers have any length. `length`: bytes of the complete representation. out has room for `max` ranges;
 * more than that asked for, more than two that overlap, or a sum above `length` with several: RANGE_IGNORE
 * (RFC 9110 §14.2, §17.15). Of several only the satisfiable ones are returned. An empty representation:
 * RANGE_UNSATISFIABLE. */
enum range_result range_parse(struct str value, uint64_t length, struct range *out, size_t max, size_t *n);

/* A single `bytes=first-last` or `bytes=first-` (no suffix), whatever the length: for passing on and for
 * asking an origin for what is missing. *open: no last, *last is then INT64_MAX, as it is for a larger
 * one. first <= last. */
bool range_parse_single(struct str value, uint64_t *first, uint64_t *last, bool *open);

/* Content-Range of a 206: bytes first-last/length, `*length` is UINT64_MAX for "*"; first <= last <
 * length, all at most INT64_MAX. false: malformed, the results are then unspecified. */
bool content_range_parse(struct str value, struct range *out, uint64_t *length);
/* "bytes 0-9/100", with UINT64_MAX for length "bytes 0-9/" and an asterisk. */
void content_range_write(struct buf *out, struct range r, uint64_t length);

#endif
