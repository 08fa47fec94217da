/*
 * The head of a stored response, in one piece of the cache's memory: numbers, the names that it can be purged
 * by, what few responses have, and one text. The text holds all end-to-end fields (CACHING.md 1.6) as
 * prepared lines (http/lines.h). Their order keeps those of a 200 together and those of a 304 together, so a
 * hit adds only what changes (Age, Cache-Status, the length). response_fields makes a table of them. There
 * may be millions of responses. An object owns its response. Any thread may read it. Once the object has it,
 * only the fetch writes it, by response_tag and response_part.
 *
 *   reason phrase | lines of a 304 too, ETag first | the other visible lines | hidden lines | note NUL undo
 *                                      validated_n ^               visible_n ^     fields_n ^
 */
#ifndef CACHE_RESPONSE_H
#define CACHE_RESPONSE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/hash.h"
#include "cache/epoch.h"
#include "conf/settings.h"
#include "http/head.h"
#include "http/validator.h"
#include "store/memory.h"

/* Which bytes of the whole a 206 holds. `whole`: UINT64_MAX when unknown. */
struct part {
    uint64_t first, last, whole;
};

#define RESPONSE_TEXT_MAX   (((size_t)1 << 24) - 1)
#define RESPONSE_REASON_MAX (((size_t)1 << 16) - 1) /* no status line is longer than 8 KiB */
#define RESPONSE_NAMES_MAX  ((size_t)UINT16_MAX)

struct codings;

/* Where an object's codings are found. */
struct response_codings {
    _Atomic(struct codings *) all;
};

struct response {
    uint64_t validated_n : 24, visible_n : 24; /* of the text, from its start */
    uint64_t names_n : 16;
    uint64_t fields_n : 24; /* of the text, from its start */
    uint64_t status : 10;
    uint64_t reason_n : 16;  /* of the reason phrase; 0: the status code's own */
    bool has_age : 1;        /* the origin sent Age */
    bool has_default_cc : 1; /* the lines of a 304 end with a Cache-Control that the origin did not send
                              * (CACHING.md 1.5) */
    bool has_etag : 1;       /* a valid ETag, the first line */
    bool etag_is_weak : 1;
    bool has_length : 1; /* a declared length */
    bool has_note : 1;
    bool has_tag : 1;  /* room for response_tag: a whole 200 without a validator */
    bool has_part : 1; /* room for response_part */
    bool has_short_names : 1;
    bool is_asset : 1;    /* cache/asset.h */
    bool has_codings : 1; /* room for response_codings: codings may be made of its body */
    uint64_t words[];     /* the rare members; then the names as cache/epoch packs them; then the text */
};

struct response_plan {
    int status;
    struct str reason;
    const struct fields *fields;      /* end-to-end; Age and Content-Length among them are left out */
    const struct site_settings *site; /* NULL: a page of freshet's own, with all fields visible */
    int64_t received_wall_ms;         /* becomes Date, when there is none among the fields */
    int64_t declared_length;          /* Content-Length of an answer to HEAD or of a 304; -1: none */
    bool strip_cookies;               /* leaves out Set-Cookie */
    /* For Cache-Status: what the dev profile would have done, or where a targeted field has a mistake.
     * Usually empty. */
    struct str note;
    /* How the fields were before the site's rules changed them, as lines for rules_undo. Usually empty. */
    struct str undo;
    bool add_default_cc; /* adds Cache-Control when there is no Cache-Control and no Expires */
    /* Adds Accept-Ranges: bytes when there is none; it counts as the origin's from then on. */
    bool add_accept_ranges;
    /* Codings may be made of its body (cache/coded.h): room for response_codings. Adds Vary: Accept-Encoding
     * when no Vary names it; it counts as the origin's from then on. */
    bool is_codable;
    const uint64_t *names; /* copied and sorted */
    size_t names_n;
    bool names_are_short; /* as in struct epoch_names */
    bool is_part;         /* room for response_part */
    bool is_asset;
};

/* Makes a response, which the caller owns and frees by response_free, or gives to an object. Never NULL.
 * Copies what it takes of the plan. Charges nothing. The plan has at most RESPONSE_NAMES_MAX names, and
 * fields with at most RESPONSE_TEXT_MAX bytes of text. Any thread. */
struct response *response_new(struct memory *m, const struct response_plan *plan);
/* Frees it; `m` is the memory that it was made from. NULL is allowed. */
void response_free(struct memory *m, struct response *r);

/* ---- on disk: all but the names, which the caller writes beside it ---- */

/* Returns how many bytes response_write appends. */
size_t response_written(const struct response *r);
/* Appends the response as bytes for response_read. It has no room for a part. */
void response_write(const struct response *r, struct buf *to);
/* Makes the response of such bytes, as response_new does. They may be any bytes. `names`: in rising order, at
 * most RESPONSE_NAMES_MAX, with no other bits than epoch_names_bits. NULL: the bytes do not fit together.
 * What it accepts, response_write writes to the same bytes. */
struct response *response_read(struct memory *m, struct str bytes, const uint64_t *names, size_t names_n,
                               bool names_are_short);

/* ---- what it holds ---- */

/* Return where the number stands that a generated ETag is made of, and the part. Only for a response with
 * room for it (has_tag, has_part). The object writes them before others may read them. */
struct hash128 *response_tag(struct response *r);
struct part *response_part(struct response *r);
/* Returns where the codings of its body are found, NULL in it when there are none. Only for a response with
 * room for it (has_codings). cache/coded.c alone uses it. */
struct response_codings *response_codings(struct response *r);
/* Makes the head of a coding of the response's body: the visible lines with that Content-Encoding and ETag
 * (empty: none), without what describes the plain bytes (Accept-Ranges, digests). As response_new. */
struct response *response_of_coding(struct memory *m, const struct response *plain, struct str coding,
                                    struct str etag);

/* Returns how many bytes its piece of memory has. */
size_t response_bytes(const struct response *r);
/* Returns the names that it can be purged by. Here and below, results point into the response and live as
 * long as it does, unless said otherwise. */
struct epoch_names response_names(const struct response *r);
/* Returns the reason phrase that the origin sent. Empty: the status code's own (http/status.h). */
struct str response_reason(const struct response *r);
/* Returns the visible lines. */
struct str response_lines(const struct response *r);
/* Returns those visible lines that a 304 carries (RFC 9110 §15.4.5). */
struct str response_lines_304(const struct response *r);
/* Return the plan's note, and its undo; empty: none. */
struct str response_note(const struct response *r);
struct str response_undo(const struct response *r);
/* Returns the plan's declared length; -1: none. */
int64_t response_declared_length(const struct response *r);
/* Returns its ETag; empty: none. */
struct etag response_etag(const struct response *r);
/* Returns the Cache-Control among its lines that the origin did not send (CACHING.md 1.5), which is static;
 * NULL: none. */
const struct field *response_default_cc(const struct response *r);
/* Sets *out to its ETag, Last-Modified and Date (http/validator.h). `now_s`: seconds since 1970, for
 * two-digit years. */
void response_validators(const struct response *r, int64_t now_s, struct validators *out);
/* Returns all fields, without framing, hop-by-hop fields and Age. The table is in the arena; the strings stay
 * where they are. The first *visible_n are for clients; the others are hidden (CACHING.md 1.4). visible_n may
 * be NULL. */
void response_fields(const struct response *r, struct arena *a, struct fields *out, size_t *visible_n);
/* Returns the value of the first line of that name, visible or hidden, without making a table. Empty with p
 * NULL: there is none. Leaves out the Cache-Control of response_default_cc. */
struct str response_value(const struct response *r, enum field_id id);

/* Do these settings hide the field from clients? `site` NULL: no. */
bool response_hides(const struct site_settings *site, const struct field *f);

/* Sets *out to the end-to-end fields of a received head: no hop-by-hop fields, none that Connection lists, no
 * framing. The table is in the arena; the strings stay where they are. */
void response_end_to_end(const struct fields *received, struct arena *a, struct fields *out);

/* Sets *out to the stored fields as a 304 with the fields `update` changes them (RFC 9111 §3.2; CACHING.md
 * 3.6). Replaces fields by name, except those that describe the stored bytes. Date is the 304's or none.
 * `keep_cookies`: false leaves out the 304's Set-Cookie. The table is in the arena; the strings stay where
 * they are. */
void response_merge_304(const struct fields *stored, const struct fields *update, bool keep_cookies,
                        struct arena *a, struct fields *out);

#endif
