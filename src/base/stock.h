/*
 * Pieces of one size that come and go, at times by the thousand: one for each request that is under way. A
 * stock cuts them from chunks of 2 MiB: a crowd then costs the system one page fault for some hundred pieces,
 * and no search for gaps. It gives out the piece that came back last, because that one is still in the
 * processor's caches. A piece keeps what its owner left in it.
 *
 * Not thread-safe: only its owner's thread uses it. Stops the process when the system has no memory left.
 */
#ifndef BASE_STOCK_H
#define BASE_STOCK_H

#include "base/list.h"

#define STOCK_CHUNK ((size_t)2 << 20) /* bytes */
#define STOCK_SPARE 4                 /* chunks that stock_trim keeps */

struct stock {
    size_t piece; /* bytes of a piece */
    /* Chunks with some pieces out. Pieces are taken from these first, so that the other chunks can be given
     * back. */
    struct list open;
    struct list whole; /* chunks with no piece out, the latest first */
    size_t whole_n;
    size_t chunks; /* of both lists, and those with all pieces out */
};

/* Makes an empty stock of pieces of `piece_bytes`, rounded up to 64: at least 8 bytes, at most an eighth of a
 * chunk. Takes no memory yet. */
void stock_init(struct stock *s, size_t piece_bytes);
/* Gives all memory back to the system. All pieces must have been given back. */
void stock_fini(struct stock *s);

/* Returns a piece, aligned to 64 bytes. Never NULL. The caller gives it back by stock_give. *is_new: the
 * piece is all zeros; else it is as it was given back, except for its first word, which the stock used
 * meanwhile. */
void *stock_take(struct stock *s, bool *is_new);
/* Takes a piece back. The caller must not use it any more. */
void stock_give(struct stock *s, void *piece);

/* Gives whole chunks back to the system, except for the latest STOCK_SPARE. */
void stock_trim(struct stock *s);
/* Gives all whole chunks back: memory is short. */
void stock_trim_all(struct stock *s);
/* Would stock_trim give a chunk back? */
static inline bool stock_can_trim(const struct stock *s)
{
    return s->whole_n > STOCK_SPARE;
}

#endif
