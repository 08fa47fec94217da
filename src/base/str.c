#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct str str_from(const char *c)
{
    return c ? (struct str){ c, strlen(c) } : STR_NONE;
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool str_to_c(struct str s, char *out, size_t room)
{
    if (s.n == 0 || s.n >= room || memchr(s.p, '\0', s.n))
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.n == b.n && same_nocase(a.p, b.p, a.n);
}

bool str_eq_secret(struct str given, struct str secret)
{
    volatile unsigned char differs = given.n != secret.n; /* so that no loop ends early */
    for (size_t i = 0; i < given.n && secret.n; i++) {
        size_t is_within = 0 - (size_t)(i < secret.n); /* all bits, or none */
        differs = differs | (unsigned char)(given.p[i] ^ secret.p[i & is_within]);
    }
    return differs == 0;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

int str_order(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

size_t str_sort_unique(struct str *v, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(v, n, sizeof(*v), str_order);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(v[kept - 1], v[i]))
            v[kept++] = v[i];
    return kept;
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && same_nocase(s.p, prefix.p, prefix.n);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

struct str str_cut(struct str *rest, char sep)
{
    size_t at = str_index(*rest, sep);
    struct str item = { rest->p, at };
    if (at == rest->n)
        *rest = STR_NONE;
    else
        *rest = (struct str){ rest->p + at + 1, rest->n - at - 1 };
    return item;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}

/* Unicode 15, table 3-7. */
size_t str_utf8_length(struct str s)
{
    const unsigned char *u = (const unsigned char *)s.p;
    unsigned char c = u[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : (c & 0xf0) == 0xe0    ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && u[1] < 0xa0) || (c == 0xed && u[1] > 0x9f) || (c == 0xf0 && u[1] < 0x90) ||
        (c == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

bool str_is_utf8(struct str s)
{
    while (s.n) {
        size_t n = str_utf8_length(s);
        if (n == 0)
            return false;
        s = (struct str){ s.p + n, s.n - n };
    }
    return true;
}

struct str str_utf8_first(struct str s, size_t n)
{
    n = n < s.n ? n : s.n;
    while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_first(s, n);
}

size_t str_to_latin1(struct str s, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++) {
        size_t bytes = str_utf8_length(str_from_index(s, i));
        unsigned char lead = (unsigned char)s.p[i];
        /* U+0080 to U+00FF begin with 0xc2 or 0xc3. */
        if (bytes == 0 || bytes > 2 || (bytes == 2 && lead > 0xc3))
            return 0;
        to[n] = bytes == 1 ? s.p[i] : (char)((lead & 3) << 6 | ((unsigned char)s.p[i + 1] & 0x3f));
        i += bytes;
    }
    return n;
}
