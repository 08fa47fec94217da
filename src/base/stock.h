/*
 * Pieces of one size that come and go, now and then by the thousand: one for each request that is under way. They are cut from
 * chunks of 2 MiB, so that a crowd costs the system a page fault for some hundred of them, and nobody looks for gaps between them. A
 * piece is given out again as it came back, the latest first: it is warm, and what its owner made ready in it still is.
 *
 * Not thread-safe.
 */
#ifndef BASE_STOCK_H
#define BASE_STOCK_H

#include "base/list.h"

#define STOCK_CHUNK ((size_t)2 << 20)
#define STOCK_SPARE 4

struct stock {
    size_t piece; /* bytes of one */
    /* Chunks some of whose pieces are out: they are taken from first, so that the others may go. */
    struct list open;
    struct list whole; /* chunks whose pieces are all there, the latest first */
    size_t whole_n;
    size_t chunks; /* all, those of which nothing is left too */
};

/* Of pieces of so many bytes, rounded up to 64; at most an eighth of a chunk. Takes no memory yet. */
void stock_init(struct stock *s, size_t piece_bytes);
/* All pieces are back. */
void stock_fini(struct stock *s);

/* Never NULL. `*is_new`: it is all zeros; otherwise as it was given back, but for its first word, which is the stock's meanwhile. Aligned to
 * 64 bytes. Until stock_give. */
void *stock_take(struct stock *s, bool *is_new);
void stock_give(struct stock *s, void *piece);

/* Whole chunks go to the system, but for the latest STOCK_SPARE. */
void stock_trim(struct stock *s);
static inline bool stock_can_trim(const struct stock *s)
{
    return s->whole_n > STOCK_SPARE;
}

#endif
