/*
 * Several ranges of a page in one answer: multipart/byteranges (RFC 9110 §15.3.7.2, RFC 2046 §5.1). All
 * functions run on the request's thread. What they return is in the request's arena, and never NULL.
 */
#ifndef REQUEST_PARTS_H
#define REQUEST_PARTS_H

#include "http/range.h"
#include "request/request.h"

struct part_of_many {
    struct str head;    /* boundary and part header; all but the first begin with CR LF */
    struct range range; /* the bytes of the page that follow `head` */
};
struct parts {
    struct part_of_many *v;
    size_t n;
    struct str tail;         /* stands behind the last part */
    struct str content_type; /* of the answer; names the boundary */
    uint64_t bytes;          /* length of the answer's body: heads, ranges and tail */
    /* How far the delivery got; set by request/request_send. */
    size_t at;      /* the current part */
    bool head_sent; /* the head of the current part was sent */
};

/*
 * Makes the parts of the n ranges of `v`, in their order: at least one, each within the page. `whole`: the
 * page's length in bytes. `type`: the page's Content-Type, or empty. Call it when the page is whole (its
 * object is SEALED): it makes a random boundary, which then nobody can have written into the page.
 */
struct parts *parts_make(struct request *r, const struct range *v, size_t n, uint64_t whole, struct str type);
/* Returns the value of Content-Range, like "bytes 0-99/1234" (RFC 9110 §14.4). `whole`: the page's length in
 * bytes; UINT64_MAX: not known, written as an asterisk. */
struct str parts_content_range(struct request *r, struct range range, uint64_t whole);

#endif
