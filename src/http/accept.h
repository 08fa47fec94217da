/*
 * Content negotiation as key material (CACHING.md 4.9): brings values of Accept-Encoding and Accept-Language
 * to one spelling, finds cookies by name. Pure: any thread. Results live in the arena or point into the
 * fields, unless said otherwise.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/field.h"

/* Returns the sorted list of br, gzip, zstd with q > 0 ("br, gzip"). x-gzip counts as gzip; "*" with q > 0
 * stands for those that no member names. One q=0 for a coding excludes it. Skips members with a malformed
 * weight. No field, or none of the three: the empty string. The result is a static literal. */
struct str accept_encoding_normalize(const struct fields *request);
/* All that accept_encoding_normalize returns; the empty string comes first. */
#define ACCEPT_ENCODINGS 8
extern const struct str accept_encodings[ACCEPT_ENCODINGS];

/* The content codings that freshet makes and undoes (RFC 9110 §8.4.1). CODING_IDENTITY: none. Among those
 * that a visitor likes equally the later one is sent. */
enum coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD, CODING_BR, CODINGS };
/* Their names, as they stand in Content-Encoding. */
extern const struct str accept_codings[CODINGS];
/* Reads a Content-Encoding, all lines joined with ","; an empty one is identity. false: it names another
 * coding than these, or more than one. */
bool accept_coding_from(struct str content_encoding, enum coding *out);

/* How much a request wants each coding: thousandths; 0: it refuses it. */
struct coding_weights {
    uint16_t of[CODINGS];
};
/* Reads Accept-Encoding (RFC 9110 §12.5.3). Without the field, and with one that is too long to be read:
 * identity alone, since who says nothing often decodes nothing. Identity that is not named counts less than
 * all that is; `identity;q=0` refuses it, as does `*;q=0`. Members as in accept_encoding_normalize. */
void accept_encoding_weights(const struct fields *request, struct coding_weights *out);
/* Returns the codings of a request with an Accept-Encoding as browsers send it, which wants them equally and
 * refuses all others but identity: bits by enum coding. 0: it has another one, or none. */
unsigned accept_encoding_usual(const struct fields *request);
/* Returns the coding of the set `there` (bits by enum coding) that the request wants most. CODINGS: it
 * refuses all of them. */
enum coding accept_encoding_choose(const struct coding_weights *w, unsigned there);

/* Accept-Language, read once. */
struct language {
    struct str name, raw; /* without its parameters; the whole member */
    int weight;           /* thousandths, 0 to 1000 */
};
struct languages {
    const struct language *v; /* by falling weight, equal ones by name; without malformed members */
    size_t n;
    /* The joined lines, when a member is malformed (also by other parameters than a weight), or when there
     * are more than 32 languages or 1024 bytes, of which `v` then has none. Else p == NULL. */
    struct str malformed;
};
/* Returns the languages of all lines, or NULL for a request without the field. */
const struct languages *accept_language_read(const struct fields *request, struct arena *a);

/* The three that follow take NULL for a request without the field.
 *
 * Returns the languages in lower case, without white space and weights. Keeps q=0 at the end as "xx;q=0".
 * "de;q=0.9,de-ch" gives "de-ch,de". No field: empty with p == NULL. Malformed: the joined lines in lower
 * case. */
struct str accept_language_key(const struct languages *l, struct arena *a);

/* Returns the same order, each member as the client sent it. The origin gets this value, so that requests
 * with equal keys look equal to it, even if it takes the first of several languages of one quality.
 * Malformed: the joined lines. */
struct str accept_language_ordered(const struct languages *l, struct arena *a);

/* Returns the index of the visitor's best group of `groups` (http/netlify_vary), or -1 when none matches.
 * Takes languages in the order of `l`, never those with q=0. `de-CH` matches `de` when no group names
 * `de-ch`; "*" matches no group. */
struct vary_groups;
int accept_language_best_group(const struct languages *l, const struct vary_groups *groups);

/* Goes through the cookies of all Cookie lines, in order. Loop: struct cookies all = cookie_list(f); while
 * (cookie_next(&all, &c)) ... Values keep their quotes; white space around names and values is trimmed. A
 * piece without '=' is a cookie with an empty name. Skips empty pieces. The strings point into the fields. */
struct cookie {
    struct str name, value;
    struct str raw; /* the piece, "name=value", trimmed */
};
/* Where a walk is. Its members are private to http/accept.c. */
struct cookies {
    const struct fields *fields;
    size_t line;
    struct str rest;
};
/* cookie_list begins a walk. cookie_next sets *out to the next cookie; false: none is left, *out is
 * unspecified. */
struct cookies cookie_list(const struct fields *request);
bool cookie_next(struct cookies *c, struct cookie *out);

/* Passes each value of the cookie `name` (case-sensitive) to `found`, in order; NULL: only counts them.
 * Returns their number. */
size_t cookie_values(const struct fields *request, struct str name,
                     void (*found)(struct str value, void *ctx), void *ctx);

/* Returns the value of any other field as key material: its lines joined by ",", without white space around
 * commas outside quotes. No such field: p == NULL. An empty one: p != NULL and n == 0. */
struct str field_value_normalize(const struct fields *request, struct str name, struct arena *a);
/* Does the same with these `n` lines of the table. */
struct str field_value_normalize_lines(const struct fields *request, const size_t *line, size_t n,
                                       struct arena *a);

#endif
