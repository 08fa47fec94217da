/*
 * Validators and conditional requests (RFC 9110 §8.8, §13): compares a request's conditions with a stored
 * response. Pure; any thread. `now_s`: seconds since 1970.
 */
#ifndef HTTP_VALIDATOR_H
#define HTTP_VALIDATOR_H

#include "http/accept.h"

struct etag {
    struct str opaque; /* with its quotes; empty: none or malformed */
    bool weak;
};

/* Parses [ W/ ] DQUOTE *etagc DQUOTE, with W in upper case. Anything else gives an empty tag. */
struct etag etag_parse(struct str s);
/* Do the tags match by strong and by weak comparison (RFC 9110 §8.8.3.2)? An empty tag matches none. */
bool etag_match_strong(struct etag a, struct etag b);
bool etag_match_weak(struct etag a, struct etag b);

/*
 * The entity tags of what freshet makes of a response: "abc" in br of level 5 is "abc~br5", a weak one stays
 * weak. The level belongs to it, since another level makes other bytes. Origins that see such a tag get
 * their own back.
 */
/* Returns that tag as a field's value, in the arena. `level`: 0 to 99. */
struct str etag_of_coding(struct etag plain, enum coding coding, int level, struct arena *a);
/* Is `tag` one that etag_of_coding makes of `plain`, whatever coding and level? */
bool etag_is_of_coding(struct etag tag, struct etag plain);
/* Looks in the lines of If-None-Match for the first tag that etag_is_of_coding(tag, plain), of one of these
 * codings (bits by enum coding). true: *out is it, as it stands there. */
bool etag_find_of_coding(const struct fields *request, struct etag plain, unsigned codings, struct str *out);
/* Do these lines have the tag as it is, weak or strong? */
bool etag_is_named(const struct fields *request, struct etag tag);
/* Returns a list of entity tags with the plain ones in place of those that etag_of_coding makes. The same
 * bytes when there is none; else in the arena. */
struct str etag_list_plain(struct str list, struct arena *a);

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
