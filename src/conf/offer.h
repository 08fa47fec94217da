/*
 * What was probably meant by a value that is refused, to be copied: "1.5G" is 1536M, "localhost:3000" is http://localhost:3000. Whatever
 * is offered would be taken. Pure.
 */
#ifndef CONF_OFFER_H
#define CONF_OFFER_H

#include "conf/setting.h"

/* Of a number's setting; the text is in the arena. Empty: nothing comes to mind. */
struct str offer_number(const struct setting *s, struct str text, struct arena *a);
/* The same of a text of that form. `like`: a good one, whose port an address without any gets; or empty. */
struct str offer_text(enum text_form form, struct str text, struct str like, struct arena *a);
/* Does it hold "${NAME}" and the like, which nothing expands? Of a secret "$NAME" and "{{NAME}}" are meant so, too. */
bool offer_is_variable(enum text_form form, struct str text);

#endif
