/*
 * Sets of cookie names, in which one `*` stands for any characters: `wordpress_logged_in_*`, `*UserID`,
 * `sb-*-auth-token`, `*`. Each name has kinds, bits that the owner of the set gives a meaning. A set is made
 * once, with the settings, and asked for each cookie of a request, which costs a look at those names that
 * begin, or end behind a `*`, with the same three bytes, and at the few that are shorter. Case matters (RFC
 * 6265 §5.3). Pure: any thread.
 */
#ifndef HTTP_COOKIE_NAMES_H
#define HTTP_COOKIE_NAMES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define COOKIE_NAMES_MAX 4096 /* names of one set */

/* A name that goes into a set. */
struct cookie_named {
    struct str name;
    unsigned kinds;
};

struct cookie_name;

#define COOKIE_NAMES_BUCKETS 512

/* Its members are private to http/cookie_names.c. */
struct cookie_names {
    const struct cookie_name *v;
    uint16_t n;
    /* Bucket b of a table has the places [b] to [b + 1] of v. */
    uint16_t heads[COOKIE_NAMES_BUCKETS + 1]; /* by the three bytes at which a name begins */
    uint16_t tails[COOKIE_NAMES_BUCKETS + 1]; /* by the three bytes at which one ends that begins with `*` */
    uint16_t rest;                            /* from here on: all others */
};

/* Checks a name. NULL: it is one. Else the end of a sentence that begins with the name. A literal. */
const char *cookie_names_problem(struct str name);
/* Makes a set of n names that have no problem, in the arena; the strings stay where they are. At most
 * COOKIE_NAMES_MAX. */
void cookie_names_make(const struct cookie_named *names, size_t n, struct arena *a, struct cookie_names *out);
/* Returns a name of the set, as it was given, that the cookie's name matches and that has one of these kinds;
 * empty: there is none. */
struct str cookie_names_find(const struct cookie_names *set, struct str cookie, unsigned kinds);
/* Goes through the cookies of one Cookie line. Returns the kinds of all names that match one of them. Takes
 * the number of its pieces between semicolons, empty ones too, from *left, and stops when that is 0. */
unsigned cookie_names_scan(const struct cookie_names *set, struct str line, size_t *left);

#endif
