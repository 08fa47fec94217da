/*
 * Content negotiation as key material (CACHING.md 4.9): values of Accept-Encoding and Accept-Language brought
 * to one spelling, cookies found by name. Pure; results live in the arena.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/field.h"

/* The sorted list of br, gzip, zstd with q > 0 ("br, gzip"); x-gzip is gzip; "*" with q > 0 stands for those
 * not named. Refused once is refused; a member with a malformed weight is skipped. Nothing acceptable or no
 * field: the empty string. Static literals, never copied. */
struct str accept_encoding_normalize(const struct fields *request);

/* Lower case, white space removed, ordered by falling quality (equal: by name), q=0 kept at the end as
 * "xx;q=0"; other parameters dropped. "de-ch,de;q=0.9" -> "de-ch,de". No field: empty with p == NULL.
 * Malformed or more than 64 languages: the joined lines in lower case. */
struct str accept_language_normalize(const struct fields *request, struct arena *a);

/* The same order with every member as it was sent: what the origin gets, so that requests with equal keys are equal to
 * it too, also to one that takes the first of several equals. Malformed: the joined lines. */
struct str accept_language_ordered(const struct fields *request, struct arena *a);

/* The visitor's best group for `groups` (http/netlify_vary): index, or -1 for no match. `de-CH` matches `de`
 * when no group names `de-ch`; languages in falling quality, q=0 never; "*" matches none. Malformed members,
 * and what follows the first 64, are skipped. */
struct vary_groups;
int language_best_group(const struct fields *request, const struct vary_groups *groups, struct arena *a);

/* The cookies of all Cookie lines, in order. Loop: struct cookies all = cookie_list(f); while
 * (cookie_next(&all, &c)) ... Values keep quotes; white space around names and values is trimmed; a piece
 * without '=' is a cookie with an empty name; empty pieces are skipped. Everything points into the fields. */
struct cookie {
    struct str name, value;
    struct str raw; /* the piece, "name=value", trimmed */
};
struct cookies {
    const struct fields *fields;
    size_t line;
    struct str rest;
};
struct cookies cookie_list(const struct fields *request);
bool cookie_next(struct cookies *c, struct cookie *out);

/* All values of the cookie `name` (case-sensitive), in order, each passed to `found` (NULL: only counted).
 * Returns how many. */
size_t cookie_values(const struct fields *request, struct str name,
                     void (*found)(struct str value, void *ctx), void *ctx);

/* Any other field as key material: lines joined by ",", white space around commas outside quotes removed.
 * Missing: p == NULL; empty: p != NULL and n == 0. */
struct str field_value_normalize(const struct fields *request, struct str name, struct arena *a);
/* The same of these n lines. */
struct str field_value_normalize_lines(const struct fields *request, const size_t *line, size_t n,
                                       struct arena *a);

#endif
