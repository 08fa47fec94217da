/*
 * An arena: allocations that all end together. A request, a fetch and a connection each have one; it is rewound
 * when they finish and keeps its first block for the next. Not thread-safe: it belongs to its owner's worker.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/check.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *first; /* kept over rewinds; NULL until the first allocation */
    struct arena_block *cur;
    char *at, *end;     /* free bytes of the current block */
    size_t block_bytes; /* size of a usual block */
    bool lent;          /* `first` stands in its owner's memory */
};

/* Allocates nothing yet. */
void arena_init(struct arena *a, size_t block_bytes);
/* With a first block in memory of the owner's, `bytes` aligned to 16, that outlives it; some 16 of them are the arena's own. */
void arena_init_in(struct arena *a, void *memory, size_t bytes, size_t block_bytes);
void arena_fini(struct arena *a);
/* All earlier allocations end; the first block stays. */
void arena_rewind(struct arena *a);
/* Private: the current block has no room. */
void *arena_alloc_slow(struct arena *a, size_t bytes);
/* 16-byte aligned, content unspecified, never NULL. */
static inline void *arena_alloc(struct arena *a, size_t bytes)
{
    CHECK(bytes < SIZE_MAX / 2);
    bytes = (bytes + 15) & ~(size_t)15;
    if ((size_t)(a->end - a->at) < bytes || !a->cur)
        return arena_alloc_slow(a, bytes);
    char *p = a->at;
    a->at += bytes;
    return p;
}
/* The same, zeroed. */
void *arena_zero(struct arena *a, size_t bytes);
/* A copy, also NUL-terminated behind its end. */
struct str arena_dup(struct arena *a, struct str s);
struct str arena_dup_lower(struct arena *a, struct str s);
/* The parts one behind the other, in one piece. */
struct str arena_join(struct arena *a, const struct str *parts, size_t n);
#define ARENA_JOIN(a, ...)                                                                                   \
    arena_join((a), (const struct str[]){ __VA_ARGS__ },                                                     \
               sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str))
/* In decimal digits, and in lower-case hexadecimal ones. */
struct str arena_decimal(struct arena *a, uint64_t value);
struct str arena_hex(struct arena *a, uint64_t value);
/* For what is rare: some ten times the cost of arena_join. */
__attribute__((format(printf, 2, 3))) struct str arena_printf(struct arena *a, const char *fmt, ...);

#endif
