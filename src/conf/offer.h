/*
 * Suggestions to copy, for a value that is refused: 1536M for "1.5G", http://localhost:3000 for
 * "localhost:3000". Every suggestion would be accepted. Pure.
 */
#ifndef CONF_OFFER_H
#define CONF_OFFER_H

#include "conf/setting.h"

/* Returns a suggestion for a number's setting, in the arena. Empty: none. */
struct str offer_number(const struct setting *s, struct str text, struct arena *a);
/* Returns a suggestion for a refused text of that form: in the arena, a literal, or a part of `text`. Empty:
 * none. `like`: a good value; its port is added to an address without one. It may be empty. */
struct str offer_text(enum text_form form, struct str text, struct str like, struct arena *a);
/* Does the text hold "${", and "}" behind it? Nothing expands that. In a secret (FORM_SECRET) a whole text
 * "$NAME" or "{{...}}" counts too. */
bool offer_is_variable(enum text_form form, struct str text);

#endif
