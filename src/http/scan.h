/*
 * Searches text sixteen bytes at a time. A `word` is sixteen bytes side by side. A question about them is
 * answered by a word of 0xff (yes) and 0x00 (no) in each byte; word_bits makes one bit of each byte, the
 * lowest for the first byte. Written with the compiler's vector types: one instruction an operation where
 * there is SSE2, correct everywhere. Never reads outside the text given.
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WORD_BYTES 16
typedef uint8_t word __attribute__((vector_size(WORD_BYTES)));

/* Returns a word whose bytes are all c. */
static inline word word_of(char c)
{
    return (word){ 0 } + (uint8_t)c;
}

/* Loads WORD_BYTES bytes; all of them must be readable. `p` need not be aligned. */
static inline word word_load(const char *p)
{
    word w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/* Loads n < WORD_BYTES bytes, followed by `fill`. */
static inline word word_load_short(const char *p, size_t n, char fill)
{
    word w = word_of(fill);
    if (n)
        memcpy(&w, p, n);
    return w;
}

/* Which bytes are c? */
static inline word word_is(word w, char c)
{
    return (word)(w == word_of(c));
}

/* Which bytes are from lo to hi, unsigned, both included? */
static inline word word_within(word w, char lo, char hi)
{
    return (word)(w - word_of(lo) <= word_of((char)(hi - lo)));
}

/* Returns a bit for each byte: 1 where the answer is yes. The lowest bit is for the first byte. */
static inline unsigned word_bits(word w)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)w);
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < WORD_BYTES; i++)
        bits |= (unsigned)(w[i] & 1) << i;
    return bits;
#endif
}

/* Returns word_bits of those bytes of `w` that end the search. `w` may also hold bytes before the search's
 * start, or '\0' behind its end; scan_for ignores the answers for these. */
typedef unsigned word_find_fn(word w);

/*
 * Returns the first byte in [p, end) that `find` finds, or `end`. It may also read [from, p). Inlined
 * together with `find`, so that each search is a loop of its own.
 */
__attribute__((always_inline)) static inline const char *scan_for(const char *from, const char *p,
                                                                  const char *end, word_find_fn *find)
{
    for (; end - p >= WORD_BYTES; p += WORD_BYTES) {
        unsigned found = find(word_load(p));
        if (found)
            return p + __builtin_ctz(found);
    }
    size_t left = (size_t)(end - p);
    if (left == 0)
        return end;
    unsigned found;
    if (end - from >= WORD_BYTES) /* the last word overlaps bytes already looked at */
        found = find(word_load(end - WORD_BYTES)) >> (WORD_BYTES - left);
    else
        found = find(word_load_short(p, left, '\0')) & ((1u << left) - 1);
    return found ? p + __builtin_ctz(found) : end;
}

/* For scan_for: what ends a field value (RFC 9110 §5.5): control characters but HTAB. */
static inline unsigned scan_value_stops(word w)
{
    return word_bits((word_within(w, 0, 0x1f) & ~word_is(w, '\t')) | word_is(w, 0x7f));
}
/* What ends a request target: space and control characters. What is above 0x7f is UTF-8 or nonsense: http/url
 * tells. */
static inline unsigned scan_target_stops(word w)
{
    return word_bits(word_within(w, 0, 0x20) | word_is(w, 0x7f));
}

#endif
