/* What tests of codings share: a cache with a coder of two threads, and bytes that are text or noise. */
#ifndef UNIT_CODER_WORLD_H
#define UNIT_CODER_WORLD_H

#include <unistd.h>

#include "coding/coder.h"

#include "cache_world.h"

static struct coder *coder;

static int begin(void **state)
{
    world_begin(state);
    alarm(150);
    coder = coder_start(cache, 2);
    assert_non_null(coder);
    return 0;
}

static int end(void **state)
{
    coder_stop(coder);
    return world_end(state);
}

static char byte_of(size_t i, bool text)
{
    uint64_t x = (text ? i / 3 : i) + 1;
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return text ? "abcdefgh"[x % 8] : (char)x;
}

#endif
