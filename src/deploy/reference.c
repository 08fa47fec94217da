#include "deploy/reference.h"

#include "base/check.h"

/* "#38" or "#x26". */
static unsigned numeric(struct str s)
{
    bool hex = s.n > 2 && (s.p[1] | 0x20) == 'x';
    unsigned code = 0;
    for (size_t i = hex ? 2 : 1; i < s.n; i++) {
        int v = ascii_hex_value(s.p[i]);
        if (v < 0 || (!hex && v > 9))
            return 0;
        code = code * (hex ? 16 : 10) + (unsigned)v;
    }
    return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : code;
}

unsigned reference_code(struct str s)
{
    static const struct {
        struct str name;
        char c;
    } names[] = { { STR_INIT("amp"), '&' }, { STR_INIT("quot"), '"' }, { STR_INIT("apos"), '\'' },
                  { STR_INIT("lt"), '<' },  { STR_INIT("gt"), '>' },   { STR_INIT("sol"), '/' } };
    if (s.n == 0 || s.n > REFERENCE_MAX)
        return 0;
    if (s.p[0] == '#')
        return numeric(s);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(s, names[i].name))
            return (unsigned)names[i].c;
    return 0;
}

size_t reference_utf8(unsigned code, char *to)
{
    CHECK(code && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i > 1; i--, code >>= 6)
        to[i - 1] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(leads[n] | code);
    return n;
}
