/*
 * A growing buffer of bytes, for text that is built piece by piece: heads, keys, pages, log lines. Owned by
 * its holder, and used by one thread at a time. It doubles when it is full and has no limit of its own: a
 * caller that has one checks it before it appends. When there is no memory, the process ends (base/mem). `p`
 * may also point to memory of the holder's own. Then the holder never fills it beyond `cap`, and never calls
 * buf_fini.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
    char *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
};

#define BUF_INIT ((struct buf){ NULL, 0, 0 })

/* Frees the buffer's memory; the buffer is then like BUF_INIT. */
void buf_fini(struct buf *b);
/* Empties the buffer and keeps its memory. */
static inline void buf_clear(struct buf *b)
{
    b->n = 0;
}
/* Private: for when there is no room. */
void buf_grow(struct buf *b, size_t bytes);
/* Makes room for `bytes` more and returns where they go, never NULL. The pointer holds until the next growth.
 * The caller writes there and adds what it wrote to n. */
static inline char *buf_room(struct buf *b, size_t bytes)
{
    if (b->cap - b->n < bytes)
        buf_grow(b, bytes);
    return b->p + b->n;
}
/* Appends a copy of `s`. */
static inline void buf_add(struct buf *b, struct str s)
{
    if (s.n == 0)
        return;
    memcpy(buf_room(b, s.n), s.p, s.n);
    b->n += s.n;
}
static inline void buf_add_char(struct buf *b, char c)
{
    *buf_room(b, 1) = c;
    b->n++;
}
/* Writes the value in decimal digits to `to`, which has room for BUF_U64_MOST. Returns the place behind
 * it. */
#define BUF_U64_MOST 20
char *buf_put_u64(char *to, uint64_t value);
/* Append the value in decimal digits, and formatted text. */
void buf_add_u64(struct buf *b, uint64_t value);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
/* Appends `s` as a JSON string with its quotes (RFC 8259). Bytes that are not UTF-8 become U+FFFD. */
void buf_add_json(struct buf *b, struct str s);
/* Returns a view of the content. It holds until the next append, buf_clear or buf_fini. */
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}

#endif
