/*
 * An arena: allocations that all end together. A request, a fetch and a connection each have one. Its owner
 * rewinds it when the work is done; the arena keeps its first block for the next piece of work. Not
 * thread-safe: only the owner's thread uses it. All results are good until the next rewind or arena_fini.
 * When the system has no memory left, the process stops.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/check.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *first; /* kept over rewinds; NULL until the first allocation */
    struct arena_block *cur;   /* allocations come from it; NULL until the first one */
    char *at, *end;            /* free bytes of the current block */
    size_t block_bytes;        /* size of a usual block */
    bool lent;                 /* `first` is memory of the owner's */
};

/* Makes an empty arena. Allocates nothing yet. */
void arena_init(struct arena *a, size_t block_bytes);
/* Takes the first block from the owner: `bytes` of `memory`, aligned to 16. The memory must outlive the
 * arena. The arena uses some 16 bytes of it for itself. */
void arena_init_in(struct arena *a, void *memory, size_t bytes, size_t block_bytes);
/* Ends all allocations and frees the blocks, except one that the owner lent. The arena is empty then and may
 * be used again, without the lent block. */
void arena_fini(struct arena *a);
/* Ends all earlier allocations. Frees all blocks but the first. */
void arena_rewind(struct arena *a);
/* Private: for when the current block has no room. */
void *arena_alloc_slow(struct arena *a, size_t bytes);
/* Returns `bytes` (0 is allowed) of memory, aligned to 16, with unspecified content. Never NULL. */
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
/* Like arena_alloc, zeroed. */
void *arena_zero(struct arena *a, size_t bytes);
/* Returns a copy of `s`; a NUL follows its end. */
struct str arena_dup(struct arena *a, struct str s);
/* The same, with ASCII letters in lower case. */
struct str arena_dup_lower(struct arena *a, struct str s);
/* Returns the `n` parts, one behind the other, as one string without a NUL. ARENA_JOIN takes the parts as
 * arguments. */
struct str arena_join(struct arena *a, const struct str *parts, size_t n);
#define ARENA_JOIN(a, ...)                                                                                   \
    arena_join((a), (const struct str[]){ __VA_ARGS__ },                                                     \
               sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str))
/* Adds a string to a list, whose array is in the arena and grows as it does. The list began zeroed, and
 * nothing else adds to it. */
void arena_add_str(struct arena *a, struct strs *to, struct str s);
/* Return the value in decimal digits, and in lower-case hexadecimal digits. */
struct str arena_decimal(struct arena *a, uint64_t value);
struct str arena_hex(struct arena *a, uint64_t value);
/* Returns formatted text; a NUL follows its end. Costs some ten times as much as arena_join: for rare
 * cases. */
__attribute__((format(printf, 2, 3))) struct str arena_printf(struct arena *a, const char *fmt, ...);

#endif
