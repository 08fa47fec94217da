/*
 * The head of a stored response, in one piece of the cache's memory: numbers, the names that it can be purged by, what few
 * responses have, and one text. The text holds all end-to-end fields (CACHING.md 1.6) as prepared lines (http/lines.h), in
 * such an order that those of a 200 and those of a 304 stand together: a hit adds only what changes (Age, Cache-Status, the
 * length). Who wants the fields as a table makes one in an arena. There may be millions of these. An object owns its
 * response, which does not change once the object has it, but for what is said below.
 *
 *   reason phrase | lines of a 304 too, ETag first | the other visible lines | hidden lines | note
 *                                      validated_n ^               visible_n ^     fields_n ^
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

#define RESPONSE_TEXT_MAX   (((size_t)1 << 24) - 1)
#define RESPONSE_REASON_MAX (((size_t)1 << 20) - 1) /* no head is longer (response_header_bytes) */
#define RESPONSE_NAMES_MAX  ((size_t)UINT16_MAX)

struct response {
    uint64_t validated_n : 24, visible_n : 24; /* of the text, from its begin */
    uint64_t names_n : 16;
    uint64_t fields_n : 24; /* of the text, from its begin */
    uint64_t status : 10;
    uint64_t reason_n : 20;  /* of the reason phrase; 0: it is the status code's own */
    bool has_age : 1;        /* the origin sent Age */
    bool has_default_cc : 1; /* one that the origin did not send (CACHING.md 1.5) ends the lines of a 304 */
    bool has_etag : 1;       /* a valid one, the first line */
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
/* The reason phrase that the origin sent; empty: it is the status code's own (http/status.h). */
struct str response_reason(const struct response *r);
/* The visible lines. */
struct str response_lines(const struct response *r);
/* Those of them that a 304 carries (RFC 9110 §15.4.5). */
struct str response_lines_304(const struct response *r);
struct str response_note(const struct response *r);
int64_t response_declared_length(const struct response *r);
/* Its ETag; empty: none. */
struct etag response_etag(const struct response *r);
/* The Cache-Control that is among its lines and that the origin did not send (CACHING.md 1.5); NULL: there is none. */
const struct field *response_default_cc(const struct response *r);
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
