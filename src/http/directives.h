/*
 * Cache directives (RFC 9111 §5.2, RFC 5861, RFC 9213): the one value that policy works with, whichever field
 * it was read from. Pure.
 */
#ifndef HTTP_DIRECTIVES_H
#define HTTP_DIRECTIVES_H

#include "http/field.h"

/* Above 2^31 means 2^31 (RFC 9111 §1.2.2). */
#define DELTA_MAX  ((int64_t)1 << 31)
#define DELTA_NONE (-1) /* the directive is absent */
#define DELTA_ANY  (-2) /* max-stale without a value: any age */

struct directives {
    bool no_store, no_cache, no_transform, only_if_cached;
    bool private_, public_;
    bool must_revalidate, proxy_revalidate, must_understand, immutable;
    /* seconds, or DELTA_NONE. A lifetime that is present but not a number counts as 0 (CACHING.md 1.3). */
    int64_t max_age, s_maxage;
    int64_t stale_while_revalidate; /* without a value: 31536000 (CACHING.md 2.10) */
    int64_t stale_if_error;         /* not a number: absent */
    int64_t max_stale, min_fresh;   /* requests; max_stale may be DELTA_ANY */
    bool any;                       /* at least one known directive was present */
};

/* All lines of Cache-Control, one list. Names without case; token and quoted forms; of duplicate lifetimes
 * the first; no-cache="x" and private="x" count as the unqualified ones. Unknown directives are skipped.
 * What is not in the grammar ("no-cache; private", a quote that is never closed) forbids what it seems to
 * forbid and allows nothing: the words no-store, private and no-cache in it count, "public" and a lifetime
 * do not; public, immutable and must-understand with an argument are skipped. */
void directives_parse(const struct fields *f, struct directives *out);

enum targeted_result {
    TARGETED_ABSENT,  /* no such line, or empty: the next field of the list is asked */
    TARGETED_INVALID, /* does not parse as a dictionary: ignored whole. out->no_store is true when it held
                         no-store, private or no-cache as a word (CACHING.md 1.2), all else in *out is empty;
                         *bad is where it ends to be a dictionary */
    TARGETED_OK,      /* *bad: a value that is no integer where seconds belong; byte 0: there is none */
};
/* One targeted field (RFC 9213), by name, all lines one dictionary. A directive of the wrong type is
 * ignored, but a lifetime that is no integer or a negative one counts as 0, and what forbids (private,
 * no-cache and the like) holds with a string, token or list as well; ?0 is absent; of duplicates the last;
 * parameters are ignored. */
enum targeted_result directives_parse_targeted(const struct fields *f, struct str name, struct arena *a,
                                               struct directives *out, struct field_spot *bad);
/* Delta-seconds: digits only, capped at DELTA_MAX. false: not a number. */
bool delta_parse(struct str s, int64_t *out);

#endif
