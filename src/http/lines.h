/*
 * Field lines as text: for each field its name, a colon, a space, its value and CR LF (RFC 9112 §5). HTTP/1.1
 * sends them as they are. The cache keeps the heads of its stored responses in this form, prepared once; a
 * front of another protocol reads the fields out of them. Only this file and the parser of heads know how a
 * line is spelled. Pure; any thread.
 */
#ifndef HTTP_LINES_H
#define HTTP_LINES_H

#include "base/buf.h"
#include "http/field.h"

/* Returns how many bytes the line has that lines_put writes. */
static inline size_t lines_bytes(struct str name, struct str value)
{
    return name.n + value.n + 4;
}
/* Writes one line to `to`, which has room for lines_bytes. Returns the place behind it. Here and below, the
 * name is not empty and has no colon, and neither name nor value has a CR or LF. */
char *lines_put(char *to, struct str name, struct str value);
/* Appends one line. */
void lines_add(struct buf *to, struct str name, struct str value);
/*
 * Takes the first line, written by lines_put or lines_add, off *rest. Name and value point into it; the id is
 * not set. false: no line is left, and *field is as before.
 */
bool lines_next(struct str *rest, struct field *field);
/* Are these bytes such lines, each whole, with a token as its name and a value of field text? For bytes that
 * somebody else may have changed: lines_next takes no others. */
bool lines_are_whole(struct str lines);

#endif
