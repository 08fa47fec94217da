/*
 * Input cut at places that depend on the input alone, so that what fails fails again.
 */
#ifndef FUZZ_PIECES_H
#define FUZZ_PIECES_H

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

struct dice {
    uint64_t state;
};

static inline struct dice dice_of(struct str in)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < in.n; i++)
        h = (h ^ (unsigned char)in.p[i]) * 0x100000001b3;
    return (struct dice){ h | 1 };
}

/* Below `below`, which is not 0. */
static inline size_t dice_roll(struct dice *d, size_t below)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (size_t)(d->state >> 16) % below;
}

/* A copy with nothing behind it, so that the sanitizer sees what is read there. */
static inline struct str piece_copy(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    CHECK(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

static inline void piece_free(struct str s)
{
    free((void *)(uintptr_t)s.p);
}

#endif
