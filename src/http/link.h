/*
 * Links of a response (RFC 8288 §3): the value of the Link field, taken apart as far as it is asked. Pure.
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "base/str.h"

/* Takes the next link of a field value, trimmed; *rest moves on. A comma in a target <...> or in a quoted
 * string does not end a link. What begins with no target is passed over. false: no link is left. */
bool link_next(struct str *rest, struct str *link);

/* Has the link that relation type, in any case (RFC 8288 §3.3)? Of several `rel` the first counts. */
bool link_has_rel(struct str link, struct str type);

#endif
