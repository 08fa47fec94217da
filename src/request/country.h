/*
 * The country of a visitor's address, from a MaxMind DB file (libmaxminddb). Opened at start; all workers
 * read it, on any thread.
 */
#ifndef REQUEST_COUNTRY_H
#define REQUEST_COUNTRY_H

#include "base/arena.h"

struct country;

/* Opens the file. The caller ends the database by country_close. NULL: the file cannot be opened or is no
 * database, and *error is a static phrase. On main's thread, as country_close. */
struct country *country_open(const char *path, const char **error);
/* Frees the database. Nobody uses it any more. NULL is allowed. */
void country_close(struct country *c);

/* Returns the ISO 3166 code in upper case, in the arena. Empty: no database (c == NULL), no address, or an
 * address that it does not have. */
struct str country_of(const struct country *c, struct str ip, struct arena *a);

#endif
