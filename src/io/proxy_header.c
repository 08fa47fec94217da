#include "io/proxy_header.h"

#include <string.h>

#define TEXT_MOST 107 /* of version 1, with CR LF */
#define V2_HEAD   16
#define V2_UNIX   216
#define TLV_HEAD  3   /* type, length */
#define SSL_HEAD  5   /* which certificates there are, what came of the check */
#define ID_MOST   128 /* of a unique id, as the text has it */
#define NAME_MOST 255

static const struct str word = STR_INIT("PROXY ");
static const char mark_bytes[] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10 };
static const struct str mark = { mark_bytes, sizeof(mark_bytes) };

/* ---- version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443" ---- */

/* Decimal, up to 65535, without leading zeros. */
static bool read_port(struct str s, uint16_t *out)
{
    unsigned n = 0;
    if (s.n == 0 || s.n > 5 || (s.p[0] == '0' && s.n > 1))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        n = n * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = (uint16_t)n;
    return n <= UINT16_MAX;
}

static bool read_addresses(struct str rest, int family, struct address *source)
{
    struct address to;
    uint16_t from_port, to_port;
    struct str from_ip = str_cut(&rest, ' '), to_ip = rest.p ? str_cut(&rest, ' ') : STR_NONE;
    struct str port = rest.p ? str_cut(&rest, ' ') : STR_NONE;
    return rest.p && read_port(port, &from_port) && read_port(rest, &to_port) &&
           address_parse_ip(from_ip, from_port, source) && address_parse_ip(to_ip, to_port, &to) &&
           source->sa.any.sa_family == family && to.sa.any.sa_family == family;
}

static bool read_line(struct str line, struct address *source)
{
    struct str rest = str_from_index(line, word.n), family = str_cut(&rest, ' ');
    if (str_eq(family, STR("UNKNOWN")))
        return true; /* what follows is to be ignored */
    if (!rest.p)
        return false;
    if (str_eq(family, STR("TCP4")))
        return read_addresses(rest, AF_INET, source);
    return str_eq(family, STR("TCP6")) && read_addresses(rest, AF_INET6, source);
}

static enum proxy_header_result parse_text(struct str s, struct proxy_header *out)
{
    struct str most = str_first(s, TEXT_MOST), line = str_first(most, str_index(most, '\n'));
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] < ' ' || line.p[i] > '~') && !(line.p[i] == '\r' && i + 1 == line.n))
            return PROXY_HEADER_BAD;
    if (line.n == most.n)
        return most.n < TEXT_MOST ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
    struct address source = { 0 };
    if (!str_ends(line, STR("\r")) || !read_line(str_first(line, line.n - 1), &source))
        return PROXY_HEADER_BAD;
    *out = (struct proxy_header){ .bytes = line.n + 1, .version = 1, .source = source };
    return PROXY_HEADER_GOOD;
}

/* ---- version 2: mark, version and command, family and transport, length, addresses, TLVs ---- */

enum { LOCAL = 0x20, PROXY = 0x21, UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21, STREAM_UNIX = 0x31 };

/* *addresses: how many of the bytes they take. Without a family nobody knows where they end. */
static bool read_binary(unsigned family, const char *p, size_t n, struct address *source, size_t *addresses)
{
    switch (family) {
    case UNSPEC: *addresses = n; return true;
    case TCP4:
        if (n < 12)
            return false;
        *addresses = 12;
        source->bytes = sizeof(source->sa.v4);
        source->sa.v4.sin_family = AF_INET;
        memcpy(&source->sa.v4.sin_addr, p, 4);
        memcpy(&source->sa.v4.sin_port, p + 8, 2);
        return true;
    case TCP6:
        if (n < 36)
            return false;
        *addresses = 36;
        source->bytes = sizeof(source->sa.v6);
        source->sa.v6.sin6_family = AF_INET6;
        memcpy(&source->sa.v6.sin6_addr, p, 16);
        memcpy(&source->sa.v6.sin6_port, p + 32, 2);
        return true;
    case STREAM_UNIX: /* its path says nothing about who it is */
        if (n < V2_UNIX)
            return false;
        *addresses = V2_UNIX;
        source->sa.local.sun_family = AF_UNIX;
        source->bytes = sizeof(sa_family_t);
        return true;
    default: return false; /* datagrams among them: there is no such connection */
    }
}

/* ---- TLVs: nothing of them is used here; a header whose TLVs are wrong is none ---- */

enum { TLV_AUTHORITY = 0x02, TLV_CRC32C = 0x03, TLV_UNIQUE_ID = 0x05, TLV_SSL = 0x20 };

/* Cuts off the first. false: they do not fit into their length. */
static bool next_tlv(struct str *rest, unsigned *type, struct str *value)
{
    const unsigned char *p = (const unsigned char *)rest->p;
    size_t n = rest->n < TLV_HEAD ? 0 : (size_t)p[1] << 8 | p[2];
    if (rest->n < TLV_HEAD + n)
        return false;
    *type = p[0];
    *value = (struct str){ rest->p + TLV_HEAD, n };
    *rest = str_from_index(*rest, TLV_HEAD + n);
    return true;
}

static bool is_ssl(struct str s)
{
    unsigned type;
    struct str value, rest = str_from_index(s, SSL_HEAD);
    while (rest.n)
        if (!next_tlv(&rest, &type, &value))
            return false;
    return s.n >= SSL_HEAD;
}

/* CRC-32C (Castagnoli), reflected, of the header with zeros where the sum itself stands. */
static uint32_t sum_of(struct str header, size_t sum_at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < header.n; i++) {
        crc ^= i - sum_at < sizeof(crc) ? 0 : (unsigned char)header.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static bool is_sum(struct str header, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    return s.n == 4 && sum_of(header, (size_t)(s.p - header.p)) ==
                           ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static bool read_tlvs(struct str header, struct str rest)
{
    unsigned type;
    struct str value;
    bool has_sum = false, good = true;
    while (good && rest.n) {
        good = next_tlv(&rest, &type, &value);
        if (good && type == TLV_SSL)
            good = is_ssl(value);
        else if (good && type == TLV_UNIQUE_ID)
            good = value.n <= ID_MOST;
        else if (good && type == TLV_AUTHORITY)
            good = value.n <= NAME_MOST;
        else if (good && type == TLV_CRC32C) { /* once: each is a walk over all */
            good = !has_sum && is_sum(header, value);
            has_sum = true;
        }
    }
    return good;
}

static enum proxy_header_result parse_binary(struct str s, struct proxy_header *out)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned command = s.n > 12 ? p[12] : PROXY;
    if (command != PROXY && command != LOCAL)
        return PROXY_HEADER_BAD;
    if (s.n < V2_HEAD)
        return PROXY_HEADER_MORE;
    size_t n = (size_t)p[14] << 8 | p[15];
    if (V2_HEAD + n > PROXY_HEADER_MAX)
        return PROXY_HEADER_BAD;
    if (s.n < V2_HEAD + n)
        return PROXY_HEADER_MORE;
    struct address source = { 0 };
    struct str header = str_first(s, V2_HEAD + n), rest = str_from_index(header, V2_HEAD);
    size_t addresses = n; /* what a proxy says of itself is ignored, as the text demands */
    if (command == PROXY && !read_binary(p[13], rest.p, n, &source, &addresses))
        return PROXY_HEADER_BAD;
    if (!read_tlvs(header, str_from_index(rest, addresses)))
        return PROXY_HEADER_BAD;
    *out = (struct proxy_header){ .bytes = V2_HEAD + n, .version = 2, .source = source };
    return PROXY_HEADER_GOOD;
}

enum proxy_header_result proxy_header_parse(struct str s, struct proxy_header *out)
{
    if (s.n == 0)
        return PROXY_HEADER_MORE;
    if (str_starts(str_first(mark, s.n), str_first(s, mark.n)))
        return parse_binary(s, out);
    if (str_starts(str_first(word, s.n), str_first(s, word.n)))
        return parse_text(s, out);
    return PROXY_HEADER_BAD;
}
