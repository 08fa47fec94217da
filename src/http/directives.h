/*
 * Cache directives (RFC 9111 §5.2, RFC 5861, RFC 9213): the one value that policy works with, from whichever
 * field it was read. Pure; any thread.
 */
#ifndef HTTP_DIRECTIVES_H
#define HTTP_DIRECTIVES_H

#include "http/field.h"

/* The largest number of seconds: larger ones count as 2^31 (RFC 9111 §1.2.2). */
#define DELTA_MAX  ((int64_t)1 << 31)
#define DELTA_NONE (-1) /* the directive is absent */
#define DELTA_ANY  (-2) /* max-stale without a value: any age */

struct directives {
    bool no_store, no_cache, no_transform, only_if_cached;
    bool private_, public_;
    bool must_revalidate, proxy_revalidate, must_understand, immutable;
    /* Seconds, or DELTA_NONE. A lifetime that is present but no number counts as 0 (CACHING.md 1.3). */
    int64_t max_age, s_maxage;
    int64_t stale_while_revalidate; /* without a value: 31536000 (CACHING.md 2.10) */
    int64_t stale_if_error;         /* no number: absent */
    int64_t max_stale, min_fresh;   /* requests; max_stale may be DELTA_ANY */
    bool any;                       /* at least one known directive was present */
};

/* Reads all lines of Cache-Control as one list. Names in any case; token and quoted forms. Of duplicate
 * lifetimes the first counts. no-cache="x" and private="x" count as the unqualified directives. Skips unknown
 * directives, and public, immutable and must-understand with an argument.
 *
 * A part outside the grammar ("no-cache; private", a quote that is never closed) permits nothing and may
 * forbid: the words no-store, private and no-cache in it count, "public" and a lifetime do not. */
void directives_parse(const struct fields *f, struct directives *out);

enum targeted_result {
    TARGETED_ABSENT,  /* no such line, or an empty one: look at the next field of the list */
    TARGETED_INVALID, /* Not a dictionary: ignore the whole field. out->no_store is true when it held
                       * no-store, private or no-cache as a word (CACHING.md 1.2); all else in *out is empty.
                       * *bad is where the dictionary breaks off. */
    TARGETED_OK,      /* *bad: a value that is no integer in the place of seconds; byte 0: there is none */
};
/* Reads one targeted field (RFC 9213) by its name; all its lines are one dictionary. Ignores directives of
 * the wrong type, except: a lifetime that is negative or no integer counts as 0, and a directive that forbids
 * (private, no-cache and the like) holds with a string, token or list, too. ?0 counts as absent. Of
 * duplicates the last counts. Ignores parameters. */
enum targeted_result directives_parse_targeted(const struct fields *f, struct str name, struct arena *a,
                                               struct directives *out, struct field_spot *bad);
/* Reads delta-seconds (RFC 9111 §1.2.2): digits only. true: *out is the number, DELTA_MAX at most. false: no
 * number. */
bool delta_parse(struct str s, int64_t *out);

#endif
