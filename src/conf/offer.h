/*
 * Suggestions to copy, for a value that is refused: 1536M for "1.5G", http://localhost:3000 for
 * "localhost:3000". Every suggestion would be accepted. Pure.
 */
#ifndef CONF_OFFER_H
#define CONF_OFFER_H

#include "conf/setting.h"

/* Returns a suggestion for a number's setting, in the arena. Empty: none. */
struct str offer_number(const struct setting *s, struct str text, struct arena *a);
/* Returns a suggestion for a text of that form, in the arena. Empty: none. `like`: a good value, whose port
 * is added to an address without one; or empty. */
struct str offer_text(enum text_form form, struct str text, struct str like, struct arena *a);
/* Does the text hold "${NAME}" and the like? Nothing expands them. In a secret, "$NAME" and "{{NAME}}" count
 * too. */
bool offer_is_variable(enum text_form form, struct str text);

#endif
