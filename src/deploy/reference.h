/*
 * Character references of HTML and XML, as they stand in links: the numeric ones and the six names that
 * quotes, slashes and '&' have. Pure; any thread.
 */
#ifndef DEPLOY_REFERENCE_H
#define DEPLOY_REFERENCE_H

#include "base/str.h"

/* The longest that is known, without '&' and ';'. */
#define REFERENCE_MAX 8

/* Returns the code of the character that `&s;` names, at most 0x10ffff and no surrogate. 0: it names none
 * that is known. */
unsigned reference_code(struct str s);
/* Writes a character that is neither 0 nor a surrogate in UTF-8 to `to`, which has room for 4 bytes. Returns
 * how many it wrote. */
size_t reference_utf8(unsigned code, char *to);

#endif
