/*
 * Numbers in little endian, for bytes on disk. The writers return where the next number goes; the readers
 * move the pointer behind what they read. The caller knows that the bytes are there. Pure. Any thread.
 */
#ifndef BASE_LITTLE_H
#define BASE_LITTLE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline unsigned char *little_put_bytes(unsigned char *p, const void *from, size_t n)
{
    memcpy(p, from, n);
    return p + n;
}

/* Write the lower 16, 32 or all bits of `v`. */
static inline unsigned char *little_put_u16(unsigned char *p, uint64_t v)
{
    uint16_t le = htole16((uint16_t)v);
    return little_put_bytes(p, &le, sizeof(le));
}
static inline unsigned char *little_put_u32(unsigned char *p, uint64_t v)
{
    uint32_t le = htole32((uint32_t)v);
    return little_put_bytes(p, &le, sizeof(le));
}
static inline unsigned char *little_put_u64(unsigned char *p, uint64_t v)
{
    uint64_t le = htole64(v);
    return little_put_bytes(p, &le, sizeof(le));
}

static inline void little_get_bytes(const unsigned char **p, void *to, size_t n)
{
    memcpy(to, *p, n);
    *p += n;
}
static inline uint64_t little_get_u16(const unsigned char **p)
{
    uint16_t le;
    little_get_bytes(p, &le, sizeof(le));
    return le16toh(le);
}
static inline uint64_t little_get_u32(const unsigned char **p)
{
    uint32_t le;
    little_get_bytes(p, &le, sizeof(le));
    return le32toh(le);
}
static inline uint64_t little_get_u64(const unsigned char **p)
{
    uint64_t le;
    little_get_bytes(p, &le, sizeof(le));
    return le64toh(le);
}

/* Appends the lower `bytes` bytes of the value. */
static inline void little_add(struct buf *to, uint64_t value, size_t bytes)
{
    char *p = buf_room(to, bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (char)(value >> 8 * i);
    to->n += bytes;
}
/* Takes a number of `bytes` bytes, 1 to 8, off *rest. false: there are fewer, and nothing is changed. */
static inline bool little_cut(struct str *rest, size_t bytes, uint64_t *out)
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
