/*
 * Range requests (RFC 9110 §14): which bytes of a complete representation a request asks for. Pure; any
 * thread.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/buf.h"
#include "base/str.h"

struct range {
    uint64_t first, last; /* inclusive; first <= last < length */
};

enum range_result {
    RANGE_IGNORE,        /* malformed, another unit, too many, too much overlap: send the whole (200) */
    RANGE_OK,            /* *n ranges, in the order of the request */
    RANGE_UNSATISFIABLE, /* well-formed, none satisfiable: 416 */
};

/* Parses `value`, a Range field, for a complete representation of `length` bytes. `out` has room for `max`
 * ranges, at least 1. Sets *n ranges there: of several, the satisfiable ones. *n is 0 unless RANGE_OK. The
 * unit is in any case; spaces around commas and empty members are allowed; numbers have any length.
 * RANGE_IGNORE also for more than `max` ranges, more than two that overlap, or several whose sum is above
 * `length` (RFC 9110 §14.2, §17.15). An empty representation: RANGE_UNSATISFIABLE. */
enum range_result range_parse(struct str value, uint64_t length, struct range *out, size_t max, size_t *n);

/* Parses a single `bytes=first-last` or `bytes=first-` (no suffix) without knowing the length: to pass it on,
 * or to ask an origin for missing bytes. true: the results are set. false: another form; they are
 * unspecified. *open: it has no last byte, and *last is INT64_MAX, which also stands for larger numbers.
 * first <= last. */
bool range_parse_single(struct str value, uint64_t *first, uint64_t *last, bool *open);

/* Parses the Content-Range of a 206, "bytes first-last/length". true: the results are set; first <= last <
 * length; all are at most INT64_MAX, but *length is UINT64_MAX for "*". false: malformed, and the results are
 * unspecified. */
bool content_range_parse(struct str value, struct range *out, uint64_t *length);
/* Appends "bytes 0-9/100", or "bytes 0-9/" and an asterisk for a length of UINT64_MAX. */
void content_range_write(struct buf *out, struct range r, uint64_t length);

#endif
