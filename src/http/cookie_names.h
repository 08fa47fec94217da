/*
 * Sets of cookie names, in which one `*` stands for any characters: `wordpress_logged_in_*`, `*UserID`,
 * `sb-*-auth-token`, `*`. A set is made once, with the settings, and asked for each cookie of a request. A
 * question takes steps that grow as the logarithm of the set's size, and one for each name that begins with
 * `*`. Case matters (RFC 6265 §5.3). Pure: any thread.
 */
#ifndef HTTP_COOKIE_NAMES_H
#define HTTP_COOKIE_NAMES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define COOKIE_NAMES_MAX 4096 /* names of one set */

struct cookie_name;

/* Its members are private to http/cookie_names.c. */
struct cookie_names {
    const struct cookie_name *v; /* those that begin with a character, by it; then the others */
    size_t n;
    uint16_t from[257]; /* from[c] to from[c + 1]: those that begin with the byte c */
    uint16_t ends;      /* from here on: those that begin with `*` */
};

/* Checks a name. NULL: it is one. Else the end of a sentence that begins with the name. A literal. */
const char *cookie_names_problem(struct str name);
/* Makes a set of n names that have no problem, in the arena; the strings stay where they are. At most
 * COOKIE_NAMES_MAX. */
void cookie_names_make(const struct str *names, size_t n, struct arena *a, struct cookie_names *out);
/* Returns the name of the set that a cookie's name matches, as it was given to cookie_names_make; empty:
 * none. */
struct str cookie_names_find(const struct cookie_names *set, struct str cookie);

#endif
