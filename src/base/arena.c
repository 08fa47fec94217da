#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct arena_block {
    struct arena_block *next;
    size_t bytes;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t block_bytes)
{
    *a = (struct arena){ .block_bytes = block_bytes };
}

static void use_block(struct arena *a, struct arena_block *b)
{
    a->cur = b;
    a->at = b->data;
    a->end = b->data + b->bytes;
}

void arena_init_in(struct arena *a, void *memory, size_t bytes, size_t block_bytes)
{
    struct arena_block *b = memory;
    CHECK(bytes > sizeof(*b));
    b->next = NULL;
    b->bytes = bytes - sizeof(*b);
    *a = (struct arena){ .block_bytes = block_bytes, .first = b, .lent = true };
    use_block(a, b);
}

static void free_chain(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        mem_free(b);
        b = next;
    }
}

void arena_fini(struct arena *a)
{
    free_chain(a->lent ? a->first->next : a->first);
    arena_init(a, a->block_bytes);
}

void arena_rewind(struct arena *a)
{
    if (!a->first)
        return;
    free_chain(a->first->next);
    a->first->next = NULL;
    use_block(a, a->first);
}

void *arena_alloc_slow(struct arena *a, size_t bytes)
{
    size_t want = bytes > a->block_bytes ? bytes : a->block_bytes;
    struct arena_block *b = mem_resize(NULL, sizeof(*b) + want);
    b->next = NULL;
    b->bytes = want;
    if (a->cur)
        a->cur->next = b;
    else
        a->first = b;
    use_block(a, b);
    char *p = a->at;
    a->at += bytes;
    return p;
}

void *arena_zero(struct arena *a, size_t bytes)
{
    return memset(arena_alloc(a, bytes), 0, bytes);
}

struct str arena_dup(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (struct str){ p, s.n };
}

struct str arena_dup_lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    p[s.n] = '\0';
    return (struct str){ p, s.n };
}

struct str arena_join(struct arena *a, const struct str *parts, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += parts[i].n;
    char *p = arena_alloc(a, bytes), *at = p;
    for (size_t i = 0; i < n; i++)
        at = str_put(at, parts[i]);
    return (struct str){ p, bytes };
}

#define DIGITS_MOST 20 /* of 2^64 */

static struct str digits(struct arena *a, uint64_t value, unsigned base)
{
    char *end = (char *)arena_alloc(a, DIGITS_MOST) + DIGITS_MOST, *at = end;
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    return (struct str){ at, (size_t)(end - at) };
}

struct str arena_decimal(struct arena *a, uint64_t value)
{
    return digits(a, value, 10);
}

struct str arena_hex(struct arena *a, uint64_t value)
{
    return digits(a, value, 16);
}

/* Most texts are short: they are formatted once and copied, not a first time for their length. */
#define PRINTF_FIRST 256

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char first[PRINTF_FIRST];
    va_start(ap, fmt);
    int n = vsnprintf(first, sizeof(first), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(first)) {
        memcpy(p, first, (size_t)n + 1);
    } else {
        va_start(ap, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    return (struct str){ p, (size_t)n };
}

void arena_add_str(struct arena *a, struct strs *to, struct str s)
{
    if ((to->n & (to->n - 1)) == 0) { /* full: its room is the next power of two */
        struct str *v = arena_alloc(a, (to->n ? 2 * to->n : 1) * sizeof(*v));
        for (size_t i = 0; i < to->n; i++)
            v[i] = to->v[i];
        to->v = v;
    }
    to->v[to->n++] = s;
}
