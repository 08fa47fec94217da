/*
 * Several ranges of a page in one answer: multipart/byteranges (RFC 9110 §15.3.7.2, RFC 2046 §5.1). On the
 * request's thread; everything is in the request's arena.
 */
#ifndef REQUEST_PARTS_H
#define REQUEST_PARTS_H

#include "http/range.h"
#include "request/request.h"

struct part_of_many {
    struct str head; /* boundary and part header; all but the first begin with CR LF */
    struct range range;
};
struct parts {
    struct part_of_many *v;
    size_t n;
    struct str tail;         /* behind the last part */
    struct str content_type; /* of the answer; names the boundary */
    uint64_t bytes;          /* of the answer's body */
    /* How far the delivery got. */
    size_t at;
    bool head_sent; /* of the current part */
};

/*
 * Makes the parts of n ranges (at least 1, within the page), in this order. `whole`: the page's length.
 * `type`: its Content-Type, or empty. The page must be whole: the boundary is drawn only then, so that nobody
 * can have written it into the page.
 */
struct parts *parts_make(struct request *r, const struct range *v, size_t n, uint64_t whole, struct str type);
/* Returns "bytes 0-99/1234" (RFC 9110 §14.4). */
struct str parts_content_range(struct request *r, struct range range, uint64_t whole);

#endif
