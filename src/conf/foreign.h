/*
 * Verbs and flags of other programs, which people try first, and what they are called here. Pure.
 */
#ifndef CONF_FOREIGN_H
#define CONF_FOREIGN_H

#include "base/arena.h"

/* Returns the end of a sentence that begins with the quoted word: "is no verb; ...". NULL: the word is not
 * known. */
const char *foreign_verb(struct str word);

/* SERVER: the flag stands behind a verb that takes settings (run, check), or no verb is there. CLIENT: it
 * stands behind any other verb. */
enum foreign_side { FOREIGN_SERVER, FOREIGN_CLIENT };
/* A flag of another program. */
struct foreign_flag {
    enum foreign_side side;
    struct str verb;  /* before it; empty: none */
    struct str name;  /* without dashes */
    struct str value; /* given with it, else the next word, else empty */
};
/* Returns the end of a sentence that begins with the quoted flag: in the arena, or a literal. NULL: the flag
 * is not known. */
const char *foreign_flag(const struct foreign_flag *f, struct arena *a);
/* Returns the setting that other programs call by this name. Empty: none is known. */
struct str foreign_setting(struct str name);

#endif
