/*
 * Validators and conditional requests (RFC 9110 §8.8, §13): compares a request's conditions with a stored
 * response. Pure; any thread. `now_s`: seconds since 1970.
 */
#ifndef HTTP_VALIDATOR_H
#define HTTP_VALIDATOR_H

#include "http/field.h"

struct etag {
    struct str opaque; /* with its quotes; empty: none or malformed */
    bool weak;
};

/* Parses [ W/ ] DQUOTE *etagc DQUOTE, with W in upper case. Anything else gives an empty tag. */
struct etag etag_parse(struct str s);
/* Do the tags match by strong and by weak comparison (RFC 9110 §8.8.3.2)? An empty tag matches none. */
bool etag_match_strong(struct etag a, struct etag b);
bool etag_match_weak(struct etag a, struct etag b);

/* The validators of a stored response. */
struct validators {
    struct etag etag;
    int64_t last_modified_s; /* INT64_MIN: none */
    int64_t date_s;          /* the response's Date; INT64_MIN: unknown */
};

enum condition {
    CONDITION_NONE,         /* no condition that a cache evaluates: answer as usual */
    CONDITION_TRUE,         /* answer as usual */
    CONDITION_NOT_MODIFIED, /* 304 */
};

/* Evaluates If-None-Match (all lines, lists, "*", weak comparison); without it If-Modified-Since (one line, a
 * valid date no later than now), compared with Last-Modified, or with Date when there is none (RFC 9111
 * §4.3.2). A list member that is no entity tag matches nothing. Quotes count literally: an unquoted tag never
 * matches a quoted one. */
enum condition condition_of_request(const struct fields *request, const struct validators *stored,
                                    int64_t now_s);

/* If-Range (RFC 9110 §13.1.5): may a range be sent? true when absent, or when it matches: a strong entity
 * tag, or a date that equals Last-Modified exactly and is at least a second older than Date (strong by
 * §8.8.2.2). */
bool if_range_holds(const struct fields *request, const struct validators *stored, int64_t now_s);

#endif
