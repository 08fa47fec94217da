/*
 * Validators and conditional requests (RFC 9110 §8.8, §13): comparing what a request states with what is
 * stored. Pure.
 */
#ifndef HTTP_VALIDATOR_H
#define HTTP_VALIDATOR_H

#include "http/field.h"

struct etag {
    struct str opaque; /* with its quotes; empty: none or malformed */
    bool weak;
};

/* [ W/ ] DQUOTE *etagc DQUOTE, W in upper case; anything else gives an empty one. */
struct etag etag_parse(struct str s);
bool etag_match_strong(struct etag a, struct etag b);
bool etag_match_weak(struct etag a, struct etag b);

/* The stored representation as a condition sees it. */
struct validators {
    struct etag etag;
    int64_t last_modified_s; /* INT64_MIN: none */
    int64_t date_s;          /* the response's Date; INT64_MIN: unknown */
};

enum condition {
    CONDITION_NONE,         /* no condition that a cache looks at: answer as usual */
    CONDITION_TRUE,         /* answer as usual */
    CONDITION_NOT_MODIFIED, /* 304 */
};

/* If-None-Match (all lines, lists, "*", weak comparison), else If-Modified-Since (one line, a valid date
 * no later than now; compared with Last-Modified, without one with Date: RFC 9111 §4.3.2). A list member
 * that is not an entity tag matches nothing; quotes are taken literally, an unquoted tag never matches a
 * quoted one. */
enum condition condition_of_request(const struct fields *request, const struct validators *stored,
                                    int64_t now_s);

/* If-Range (RFC 9110 §13.1.5): true when absent or when it matches: a strong entity tag, or a date that
 * equals Last-Modified exactly and is at least a second older than Date (strong by §8.8.2.2). */
bool if_range_holds(const struct fields *request, const struct validators *stored, int64_t now_s);

#endif
