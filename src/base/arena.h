/*
 * An arena: allocations that all end together. A request, a fetch and a connection each have one; it is rewound
 * when they finish and keeps its first block for the next. Not thread-safe: it belongs to its owner's worker.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *first; /* kept over rewinds; NULL until the first allocation */
    struct arena_block *cur;
    char *at, *end;     /* free bytes of the current block */
    size_t block_bytes; /* size of a usual block */
};

/* Allocates nothing yet. */
void arena_init(struct arena *a, size_t block_bytes);
void arena_fini(struct arena *a);
/* All earlier allocations end; the first block stays. */
void arena_rewind(struct arena *a);
/* 16-byte aligned, content unspecified, never NULL. */
void *arena_alloc(struct arena *a, size_t bytes);
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
