/*
 * The head of a response as an object keeps it: all end-to-end fields (CACHING.md 1.6), and the bytes that an
 * HTTP/1.1 client gets of them, prepared once, so that a hit writes only what changes: Age, Cache-Status, the length.
 * One allocation; the fields' strings point into the prepared bytes. Immutable; owned by its object.
 */
#ifndef CACHE_RESPONSE_H
#define CACHE_RESPONSE_H

#include "conf/settings.h"
#include "http/head.h"
#include "http/validator.h"

struct response {
    int status;
    struct str reason;    /* the origin's; may be empty */
    struct fields fields; /* the visible ones first. Without framing, hop-by-hop fields and Age */
    size_t visible_n;     /* the others are kept for the cache and not shown to clients (CACHING.md 1.4) */
    struct str h1;        /* "HTTP/1.1 200 OK\r\n" and the visible fields, each with CR LF, no empty line */
    struct str h1_304;    /* the same for a 304 made of it (RFC 9110 §15.4.5); empty unless status is 200 */
    struct validators validators;
    bool has_age;            /* the origin sent Age */
    bool has_default_cc;     /* h1 has a Cache-Control that the origin did not send (CACHING.md 1.5) */
    int64_t declared_length; /* Content-Length of an answer to HEAD or of a 304; -1: none */
    struct str note;         /* for Cache-Status: what the dev profile would have done; usually empty */
    size_t bytes;            /* of the allocation */
};

struct response_plan {
    int status;
    struct str reason;
    const struct fields *fields;      /* end-to-end; may hold Age and Content-Length, which are left out */
    const struct site_settings *site; /* NULL: a page of freshet's own, all is visible */
    int64_t received_wall_ms;
    int64_t declared_length;
    bool strip_cookies;
    struct str note;
    bool add_default_cc; /* when neither Cache-Control nor Expires is there */
};

/* Never NULL; given back by response_free. */
struct response *response_new(const struct response_plan *plan);
void response_free(struct response *r);

/* Is the field hidden from clients under these settings? */
bool response_hides(const struct site_settings *site, const struct field *f);

/* Copies what is end-to-end of a received head into `out` (strings are not copied): no hop-by-hop fields, none that
 * Connection lists, no framing. */
void response_end_to_end(const struct fields *received, struct arena *a, struct fields *out);

/* The stored fields updated by those of a 304 (RFC 9111 §3.2; CACHING.md 3.6): replaced by name, but for those that describe the
 * stored bytes. `keep_cookies`: false leaves Set-Cookie of the 304 out. Date is the 304's or none. */
void response_merge_304(const struct fields *stored, const struct fields *update, bool keep_cookies,
                        struct arena *a, struct fields *out);

#endif
