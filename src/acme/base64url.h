/*
 * Base64 with the alphabet for URLs, without padding (RFC 4648 §5), as JOSE and ACME write bytes. Pure; any
 * thread.
 */
#ifndef ACME_BASE64URL_H
#define ACME_BASE64URL_H

#include "base/buf.h"

/* Appends the bytes in that form. */
void base64url_add(struct buf *out, const void *bytes, size_t n);
/* Appends the bytes that `text` stands for. Padding at its end is allowed, since some CAs write keys with it.
 * false: it is no such text, and `out` is unchanged. */
bool base64url_read(struct str text, struct buf *out);

#endif
