/*
 * The country of a visitor's address, from a MaxMind DB file (libmaxminddb). Opened at start, read by all workers.
 */
#ifndef REQUEST_COUNTRY_H
#define REQUEST_COUNTRY_H

#include "base/arena.h"

struct country;

/* NULL and *error (a phrase, static) when the file cannot be opened or is not a database. */
struct country *country_open(const char *path, const char **error);
void country_close(struct country *c);

/* The ISO 3166 code in upper case; empty: no database (c == NULL), not an address, or not in it. */
struct str country_of(const struct country *c, struct str ip, struct arena *a);

#endif
