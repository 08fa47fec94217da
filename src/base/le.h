/*
 * Numbers as they stand on disk: little endian, of 1 to 8 bytes, whatever machine wrote them. Pure; any
 * thread.
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include "base/buf.h"

/* Appends the lower `bytes` bytes of the value. */
static inline void le_add(struct buf *to, uint64_t value, size_t bytes)
{
    char *p = buf_room(to, bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (char)(value >> 8 * i);
    to->n += bytes;
}
/* Takes a number of `bytes` bytes off *rest. false: there are fewer, and nothing is changed. */
static inline bool le_cut(struct str *rest, size_t bytes, uint64_t *out)
{
    uint64_t value = 0;
    if (rest->n < bytes)
        return false;
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | (unsigned char)rest->p[i - 1];
    *rest = (struct str){ rest->p + bytes, rest->n - bytes };
    *out = value;
    return true;
}

#endif
