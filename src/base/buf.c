#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void buf_fini(struct buf *b)
{
    mem_free(b->p);
    *b = BUF_INIT;
}

void buf_grow(struct buf *b, size_t bytes)
{
    CHECK(bytes < SIZE_MAX / 4);
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->n < bytes)
        cap *= 2;
    b->p = mem_resize(b->p, cap);
    b->cap = cap;
}

/* A number of b bits has b * log10(2) digits, rounded down, or one more. 1233 / 4096 is log10(2), near enough
 * for 64 bits. */
static unsigned digits_of(uint64_t value)
{
    static const uint64_t least[] = {
        /* the least number with one digit more than its place */
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1), n = bits * 1233 / 4096;
    return n + (value >= least[n]);
}

/* Each hit writes two or three numbers: they are written in place, two digits a step. */
static inline char *put_digits(char *to, uint64_t value, unsigned n)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char *p = to + n;
    for (; value > UINT32_MAX; value /= 100)
        memcpy(p -= 2, pairs + value % 100 * 2, 2);
    uint32_t rest = (uint32_t)value; /* quicker to divide */
    for (; rest >= 100; rest /= 100)
        memcpy(p -= 2, pairs + rest % 100 * 2, 2);
    if (n % 2)
        *--p = (char)('0' + rest);
    else
        memcpy(p - 2, pairs + rest * 2, 2);
    return to + n;
}

char *buf_put_u64(char *to, uint64_t value)
{
    return put_digits(to, value, digits_of(value));
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    unsigned n = digits_of(value);
    put_digits(buf_room(b, n), value, n);
    b->n += n;
}

#define PRINTF_FIRST 64 /* bytes of an empty buffer */

/* Most texts fit where there is room: they are formatted once, not a first time for their length. */
void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *p = b->p ? b->p + b->n : buf_room(b, PRINTF_FIRST);
    size_t room = b->cap - b->n;
    va_start(ap, fmt);
    int n = vsnprintf(p, room, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    if ((size_t)n >= room) {
        p = buf_room(b, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

/* ASCII that JSON takes as it is (RFC 8259 section 7), but DEL, which terminals do not show. */
static size_t plain_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n;
}

void buf_add_json(struct buf *b, struct str s)
{
    buf_add_char(b, '"');
    while (s.n) {
        size_t n = plain_length(s);
        buf_add(b, str_first(s, n));
        s = str_from_index(s, n);
        if (s.n == 0)
            break;
        unsigned char c = (unsigned char)s.p[0];
        n = str_utf8_length(s);
        if (n == 0) {
            buf_add(b, STR("\\ufffd"));
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_add_char(b, '\\');
            buf_add_char(b, (char)c);
        } else if (n == 1) {
            buf_printf(b, "\\u%04x", c);
        } else {
            buf_add(b, str_first(s, n));
        }
        s = str_from_index(s, n);
    }
    buf_add_char(b, '"');
}
