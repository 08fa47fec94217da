/*
 * JSON that others write, in a form that every value of it can be read. Languages differ in what their
 * strings and numbers hold: JavaScript writes half of a surrogate pair, PHP a NUL, Ruby an integer of thirty
 * digits, and RFC 8259 permits all of these. jansson refuses them, and with them the whole text. Pure.
 */
#ifndef ADMIN_SOFTEN_H
#define ADMIN_SOFTEN_H

#include "base/buf.h"

/*
 * Appends the text with these changes; all else stays, also what is no JSON.
 *   \uD800 to \uDFFF without its other half   \uFFFD, the replacement character
 *   \u0000                                    \u0001, another control character, which a name may have too
 *   an integer that takes more than 64 bits   a string of the same digits
 *   a number with a fraction or an exponent   0.5, since its value may be larger than any double
 */
void soften_json(struct str json, struct buf *out);

#endif
