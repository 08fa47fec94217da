/*
 * The head of a response as an object keeps it, in one piece of the cache's memory: numbers, the names that it can be purged by, what
 * few responses have, and one text. The text begins with the bytes that an HTTP/1.1 client gets, prepared once, so that a hit writes
 * only what changes: Age, Cache-Status, the length. All end-to-end fields are in it (CACHING.md 1.6); who wants them as a table makes one
 * in his own arena. There may be millions of these. Immutable once an object has it, but for what is said below; owned by its object.
 *
 *   status line | lines of a 304 too, ETag first | the other visible lines | hidden lines | note
 *                                     validated_n ^                   h1_n ^      fields_n ^
 */
#ifndef CACHE_RESPONSE_H
#define CACHE_RESPONSE_H

#include "base/hash.h"
#include "cache/epoch.h"
#include "conf/settings.h"
#include "http/head.h"
#include "http/validator.h"
#include "store/memory.h"

/* What a 206 holds of the whole; `whole`: UINT64_MAX when it is unknown. */
struct part {
    uint64_t first, last, whole;
};

#define RESPONSE_TEXT_MAX  (((size_t)1 << 24) - 1)
#define RESPONSE_NAMES_MAX ((size_t)UINT16_MAX)

struct response {
    uint64_t validated_n : 24, h1_n : 24; /* of the text, from its begin */
    uint64_t names_n : 16;
    uint64_t fields_n : 24; /* of the text, from its begin */
    uint64_t status : 10;
    uint64_t line_n : 8;     /* of the status line; 0: it is longer than that */
    bool has_age : 1;        /* the origin sent Age */
    bool has_default_cc : 1; /* one that the origin did not send (CACHING.md 1.5) ends the lines of a 304 */
    bool has_etag : 1;       /* a valid one, the first line behind the status line */
    bool etag_is_weak : 1;
    bool has_length : 1; /* a declared one */
    bool has_note : 1;
    bool has_tag : 1;  /* room for response_tag: a whole 200 without a validator */
    bool has_part : 1; /* room for response_part */
    bool has_short_names : 1;
    uint64_t words[]; /* the rare things; then names as cache/epoch wants them; then the text */
};

struct response_plan {
    int status;
    struct str reason;
    const struct fields *fields;      /* end-to-end; may hold Age and Content-Length, which are left out */
    const struct site_settings *site; /* NULL: a page of freshet's own, all is visible */
    int64_t received_wall_ms;
    int64_t declared_length; /* Content-Length of an answer to HEAD or of a 304; -1: none */
    bool strip_cookies;
    struct str
        note; /* for Cache-Status: what the dev profile would have done, or where the mistake is in a targeted field;
                              usually empty */
    bool add_default_cc; /* when neither Cache-Control nor Expires is there */
    bool
        add_accept_ranges; /* Accept-Ranges: bytes, when it is not there; from then on it counts as the origin's */
    const uint64_t *names; /* copied and put in order */
    size_t names_n;
    bool names_are_short; /* as in struct epoch_names */
    bool is_part;         /* room for response_part */
};

/* Not charged. Never NULL; given back by response_free. At most RESPONSE_NAMES_MAX names, and fields that make a text of at most
 * RESPONSE_TEXT_MAX. */
struct response *response_new(struct memory *m, const struct response_plan *plan);
/* NULL is allowed. */
void response_free(struct memory *m, struct response *r);

/* What its object writes before others see it: the number that a generated ETag is made of, and the part. Only with room. */
struct hash128 *response_tag(struct response *r);
struct part *response_part(struct response *r);

/* Of its piece. */
size_t response_bytes(const struct response *r);
struct epoch_names response_names(const struct response *r);
/* Status line and visible lines, each with CR LF, no empty line. */
struct str response_h1(const struct response *r);
/* The same for a 304 made of it (RFC 9110 §15.4.5), in the arena. */
struct str response_h1_304(const struct response *r, struct arena *a);
/* The origin's; may be empty. */
struct str response_reason(const struct response *r);
struct str response_note(const struct response *r);
int64_t response_declared_length(const struct response *r);
/* Its ETag; empty: none. */
struct etag response_etag(const struct response *r);
/* The line of Cache-Control that its head has and the origin did not send (CACHING.md 1.5); or none. */
struct str response_default_cc(const struct response *r);
void response_validators(const struct response *r, int64_t now_s, struct validators *out);
/* All fields, the table in the arena, the strings where they are; the first *visible_n are shown to clients, the others are kept for
 * the cache (CACHING.md 1.4). NULL: not asked. Without framing, hop-by-hop fields and Age. */
void response_fields(const struct response *r, struct arena *a, struct fields *out, size_t *visible_n);
/* The first line of that name, without a table. */
struct str response_value(const struct response *r, enum field_id id);

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
