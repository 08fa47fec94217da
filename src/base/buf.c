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

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_add(b, (struct str){ digits + n, sizeof(digits) - n });
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    char *p = buf_room(b, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void buf_add_json(struct buf *b, struct str s)
{
    buf_add_char(b, '"');
    while (s.n) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = str_utf8_length(s);
        if (n == 0) {
            buf_add(b, STR("\\ufffd"));
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_add_char(b, '\\');
            buf_add_char(b, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", c);
        } else {
            buf_add(b, str_first(s, n));
        }
        s = (struct str){ s.p + n, s.n - n };
    }
    buf_add_char(b, '"');
}
