#include "http/hpack.h"

#include "base/check.h"
#include "http/lines.h"

/* Names of the static table (RFC 7541 Appendix A), each by its first row. */
static const struct {
    uint8_t index;
    struct str name;
} static_names[] = {
    { 15, STR_INIT("accept-charset") },
    { 16, STR_INIT("accept-encoding") },
    { 17, STR_INIT("accept-language") },
    { 18, STR_INIT("accept-ranges") },
    { 19, STR_INIT("accept") },
    { 20, STR_INIT("access-control-allow-origin") },
    { 21, STR_INIT("age") },
    { 22, STR_INIT("allow") },
    { 23, STR_INIT("authorization") },
    { 24, STR_INIT("cache-control") },
    { 25, STR_INIT("content-disposition") },
    { 26, STR_INIT("content-encoding") },
    { 27, STR_INIT("content-language") },
    { 28, STR_INIT("content-length") },
    { 29, STR_INIT("content-location") },
    { 30, STR_INIT("content-range") },
    { 31, STR_INIT("content-type") },
    { 32, STR_INIT("cookie") },
    { 33, STR_INIT("date") },
    { 34, STR_INIT("etag") },
    { 35, STR_INIT("expect") },
    { 36, STR_INIT("expires") },
    { 37, STR_INIT("from") },
    { 38, STR_INIT("host") },
    { 39, STR_INIT("if-match") },
    { 40, STR_INIT("if-modified-since") },
    { 41, STR_INIT("if-none-match") },
    { 42, STR_INIT("if-range") },
    { 43, STR_INIT("if-unmodified-since") },
    { 44, STR_INIT("last-modified") },
    { 45, STR_INIT("link") },
    { 46, STR_INIT("location") },
    { 47, STR_INIT("max-forwards") },
    { 48, STR_INIT("proxy-authenticate") },
    { 49, STR_INIT("proxy-authorization") },
    { 50, STR_INIT("range") },
    { 51, STR_INIT("referer") },
    { 52, STR_INIT("refresh") },
    { 53, STR_INIT("retry-after") },
    { 54, STR_INIT("server") },
    { 55, STR_INIT("set-cookie") },
    { 56, STR_INIT("strict-transport-security") },
    { 57, STR_INIT("transfer-encoding") },
    { 58, STR_INIT("user-agent") },
    { 59, STR_INIT("vary") },
    { 60, STR_INIT("via") },
    { 61, STR_INIT("www-authenticate") },
};

/* Pseudo-fields and statuses of it. */
#define STATIC_STATUS 8
static const struct {
    int status;
    uint8_t index;
} static_statuses[] = { { 200, 8 },  { 204, 9 },  { 206, 10 }, { 304, 11 },
                        { 400, 12 }, { 404, 13 }, { 500, 14 } };

/* First bytes of the representations, and how many bits of them belong to the integer that follows. */
#define INDEXED          0x80 /* §6.1, 7 bits */
#define WITHOUT_INDEXING 0x00 /* §6.2.2, 4 bits */
#define NEVER_INDEXED    0x10 /* §6.2.3, 4 bits */
#define HUFFMAN          0x80 /* §5.2, 7 bits */

static const struct {
    uint32_t bits;
    uint8_t length;
} symbols[256] = {
#define HPACK_SYMBOL(bits, length) { bits, length },
#include "tbl/hpack_huffman.h"
#undef HPACK_SYMBOL
};

/* An integer with a prefix of so many bits (§5.1). */
static char *put_integer(char *to, uint8_t first, unsigned prefix, size_t value)
{
    size_t most = ((size_t)1 << prefix) - 1;
    CHECK(value <= UINT32_MAX);
    if (value < most) {
        *to++ = (char)(first | value);
        return to;
    }
    *to++ = (char)(first | most);
    for (value -= most; value >= 128; value >>= 7)
        *to++ = (char)(0x80 | (value & 0x7f));
    *to++ = (char)value;
    return to;
}

static char *put_text(char *to, struct str s)
{
    return str_put(put_integer(to, 0, 7, s.n), s);
}

static char *put_lower(char *to, struct str s)
{
    to = put_integer(to, 0, 7, s.n);
    for (size_t i = 0; i < s.n; i++)
        *to++ = ascii_lower(s.p[i]);
    return to;
}

/* The bytes that the text has in the Huffman code. `lower`: in lower case. */
static size_t huffman_bytes(struct str s, bool lower)
{
    size_t bits = 0;
    for (size_t i = 0; i < s.n; i++)
        bits += symbols[(unsigned char)(lower ? ascii_lower(s.p[i]) : s.p[i])].length;
    return (bits + 7) / 8;
}

/* The text in the Huffman code, filled up with ones (§5.2). */
static char *put_huffman(char *to, struct str s, bool lower)
{
    uint64_t bits = 0;
    unsigned n = 0; /* of `bits`, below 8 between two bytes */
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)(lower ? ascii_lower(s.p[i]) : s.p[i]);
        bits = bits << symbols[c].length | symbols[c].bits;
        for (n += symbols[c].length; n >= 8; n -= 8)
            *to++ = (char)(bits >> (n - 8) & 0xff);
    }
    if (n)
        *to++ = (char)((bits << (8 - n) | 0xffu >> n) & 0xff);
    return to;
}

static char *put_shorter(char *to, struct str s, bool lower)
{
    size_t bytes = huffman_bytes(s, lower);
    if (bytes >= s.n)
        return lower ? put_lower(to, s) : put_text(to, s);
    return put_huffman(put_integer(to, HUFFMAN, 7, bytes), s, lower);
}

static uint8_t static_index(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(static_names); i++)
        if (static_names[i].name.n == name.n && str_eq_nocase(static_names[i].name, name))
            return static_names[i].index;
    return 0;
}

static char *put_field(char *to, struct str name, struct str value, bool shorter)
{
    uint8_t index = static_index(name);
    bool is_secret = str_eq_nocase(name, STR("set-cookie"));
    CHECK(name.n > 0);
    to = put_integer(to, is_secret ? NEVER_INDEXED : WITHOUT_INDEXING, 4, index);
    if (index == 0)
        to = shorter ? put_shorter(to, name, true) : put_lower(to, name);
    return shorter ? put_shorter(to, value, false) : put_text(to, value);
}

char *hpack_put_status(char *to, int status)
{
    CHECK(status >= 100 && status <= 999);
    for (size_t i = 0; i < COUNT_OF(static_statuses); i++)
        if (static_statuses[i].status == status)
            return put_integer(to, INDEXED, 7, static_statuses[i].index);
    char digits[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                       (char)('0' + status % 10) };
    to = put_integer(to, WITHOUT_INDEXING, 4, STATIC_STATUS);
    return put_text(to, (struct str){ digits, sizeof(digits) });
}

char *hpack_put(char *to, struct str name, struct str value)
{
    return put_field(to, name, value, false);
}

void hpack_add(struct buf *to, struct str name, struct str value)
{
    char *at = buf_room(to, hpack_most(name, value));
    to->n += (size_t)(hpack_put(at, name, value) - at);
}

void hpack_add_short(struct buf *to, struct str name, struct str value)
{
    char *at = buf_room(to, hpack_most(name, value));
    to->n += (size_t)(put_field(at, name, value, true) - at);
}

void hpack_add_lines(struct buf *to, struct str lines)
{
    struct field f;
    while (lines_next(&lines, &f))
        hpack_add_short(to, f.name, f.value);
}
