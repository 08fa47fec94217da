/*
 * What other programs call it: verbs and flags that people try first, and what they are here. Pure.
 */
#ifndef CONF_FOREIGN_H
#define CONF_FOREIGN_H

#include "base/arena.h"

/* The end of a sentence that begins with the quoted word: "is no verb; ...". NULL: not known. */
const char *foreign_verb(struct str word);

enum foreign_side { FOREIGN_SERVER, FOREIGN_CLIENT };
/* The end of a sentence that begins with the quoted flag, whose name (without dashes) this is. `value`: what was given with it, or the next
 * word, or empty. In the arena, or a literal; NULL: not known. */
const char *foreign_flag(enum foreign_side side, struct str name, struct str value, struct arena *a);

#endif
