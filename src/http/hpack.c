#include "http/hpack.h"

#include "base/check.h"
#include "http/lines.h"

/* Names of the static table (RFC 7541 Appendix A), each by its first row: those that freshet knows, and
 * others. */
static const uint8_t known_names[FIELD_COUNT] = {
    [FIELD_ACCEPT_ENCODING] = 16,
    [FIELD_ACCEPT_LANGUAGE] = 17,
    [FIELD_ACCEPT_RANGES] = 18,
    [FIELD_ACCEPT] = 19,
    [FIELD_AGE] = 21,
    [FIELD_AUTHORIZATION] = 23,
    [FIELD_CACHE_CONTROL] = 24,
    [FIELD_CONTENT_ENCODING] = 26,
    [FIELD_CONTENT_LENGTH] = 28,
    [FIELD_CONTENT_LOCATION] = 29,
    [FIELD_CONTENT_RANGE] = 30,
    [FIELD_CONTENT_TYPE] = 31,
    [FIELD_COOKIE] = 32,
    [FIELD_DATE] = 33,
    [FIELD_ETAG] = 34,
    [FIELD_EXPECT] = 35,
    [FIELD_EXPIRES] = 36,
    [FIELD_HOST] = 38,
    [FIELD_IF_MATCH] = 39,
    [FIELD_IF_MODIFIED_SINCE] = 40,
    [FIELD_IF_NONE_MATCH] = 41,
    [FIELD_IF_RANGE] = 42,
    [FIELD_IF_UNMODIFIED_SINCE] = 43,
    [FIELD_LAST_MODIFIED] = 44,
    [FIELD_LINK] = 45,
    [FIELD_LOCATION] = 46,
    [FIELD_MAX_FORWARDS] = 47,
    [FIELD_PROXY_AUTHENTICATE] = 48,
    [FIELD_PROXY_AUTHORIZATION] = 49,
    [FIELD_RANGE] = 50,
    [FIELD_RETRY_AFTER] = 53,
    [FIELD_SET_COOKIE] = 55,
    [FIELD_STRICT_TRANSPORT_SECURITY] = 56,
    [FIELD_TRANSFER_ENCODING] = 57,
    [FIELD_VARY] = 59,
    [FIELD_VIA] = 60,
    [FIELD_WWW_AUTHENTICATE] = 61,
};
static const struct {
    uint8_t index;
    struct str name;
} other_names[] = {
    { 15, STR_INIT("accept-charset") },
    { 20, STR_INIT("access-control-allow-origin") },
    { 22, STR_INIT("allow") },
    { 25, STR_INIT("content-disposition") },
    { 27, STR_INIT("content-language") },
    { 37, STR_INIT("from") },
    { 51, STR_INIT("referer") },
    { 52, STR_INIT("refresh") },
    { 54, STR_INIT("server") },
    { 58, STR_INIT("user-agent") },
};
#define STATIC_SET_COOKIE 55

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
    enum field_id id = field_id_of(name);
    if (id != FIELD_OTHER)
        return known_names[id];
    for (size_t i = 0; i < COUNT_OF(other_names); i++)
        if (other_names[i].name.n == name.n && str_eq_nocase(other_names[i].name, name))
            return other_names[i].index;
    return 0;
}

static char *put_field(char *to, struct str name, struct str value, bool shorter)
{
    uint8_t index = static_index(name);
    CHECK(name.n > 0);
    to = put_integer(to, index == STATIC_SET_COOKIE ? NEVER_INDEXED : WITHOUT_INDEXING, 4, index);
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

/* A name that freshet knows has letters, digits and "-": the bit that makes a letter small is set in the
 * others. A word at a time. */
static char *put_known_name(char *to, struct str name)
{
    to = put_integer(to, 0, 7, name.n);
    size_t i = 0;
    for (; name.n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t w;
        memcpy(&w, name.p + i, sizeof(w));
        w |= UINT64_C(0x2020202020202020);
        memcpy(to + i, &w, sizeof(w));
    }
    for (; i < name.n; i++)
        to[i] = (char)(name.p[i] | 0x20);
    return to + name.n;
}

void hpack_add_known(struct buf *to, enum field_id id, struct str value)
{
    struct str name = field_name(id);
    char *at = buf_room(to, hpack_most(name, value));
    uint8_t index = known_names[id];
    CHECK(id != FIELD_OTHER && id != FIELD_SET_COOKIE);
    at = put_integer(at, WITHOUT_INDEXING, 4, index);
    if (index == 0)
        at = put_known_name(at, name);
    at = put_text(at, value);
    to->n = (size_t)(at - to->p);
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
