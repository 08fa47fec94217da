/* A header of the PROXY protocol says who the visitor is, at each split point of its bytes; what is not
 * exactly one is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/check.h"
#include "io/proxy_header.h"

#define MARK "\r\n\r\n\0\r\nQUIT\n"

/* Each beginning of it wants more; the whole, whatever follows, is good. `source`: as address_write has it;
 * "unix"; "": nobody. */
static void good(const char *p, size_t n, unsigned version, const char *source)
{
    struct proxy_header h;
    char bytes[PROXY_HEADER_MAX + 8], text[ADDRESS_TEXT_MAX] = "";
    for (size_t i = 0; i < n; i++)
        assert_int_equal(proxy_header_parse((struct str){ p, i }, &h), PROXY_HEADER_MORE);
    memcpy(bytes, p, n);
    memcpy(bytes + n, "GET / \xff", 8);
    for (size_t more = 0; more <= 7; more++) {
        assert_int_equal(proxy_header_parse((struct str){ bytes, n + more }, &h), PROXY_HEADER_GOOD);
        assert_int_equal(h.bytes, n);
        assert_int_equal(h.version, version);
    }
    if (h.source.bytes && h.source.sa.any.sa_family == AF_UNIX)
        strcpy(text, "unix");
    else
        address_write(&h.source, text);
    assert_string_equal(text, source);
}

static void bad(const char *p, size_t n)
{
    struct proxy_header h;
    enum proxy_header_result result = PROXY_HEADER_MORE;
    for (size_t i = 0; i <= n && result == PROXY_HEADER_MORE; i++)
        result = proxy_header_parse((struct str){ p, i }, &h);
    if (result != PROXY_HEADER_BAD)
        print_error("%.*s\n", (int)n, p);
    assert_int_equal(result, PROXY_HEADER_BAD);
    assert_int_equal(proxy_header_parse((struct str){ p, n }, &h), PROXY_HEADER_BAD);
}

static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *source;
    } rows[] = {
        { "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", "192.0.2.1:1234" },
        { "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535" },
        { "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0" },
        { "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1" },
        { "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "[::ffff:192.0.2.1]:1" },
        { "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
          "65535\r\n",
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
        { "PROXY UNKNOWN\r\n", "" },
        { "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "" },
        { "PROXY UNKNOWN   !\r\n", "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        good(rows[i].line, strlen(rows[i].line), 1, rows[i].source);
}

static void wrong_lines(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\rx\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2  443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1234 4x3\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1234 443\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1234 443\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY TCP6 ::1 192.0.2.2 1234 443\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1234 443\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOWN\t\r\n",
        /* 108 bytes */
        "PROXY UNKNOWN "
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        bad(rows[i], strlen(rows[i]));
}

static size_t binary(char *to, unsigned command, unsigned family, const char *p, size_t n)
{
    memcpy(to, MARK, 12);
    to[12] = (char)command;
    to[13] = (char)family;
    to[14] = (char)(n >> 8);
    to[15] = (char)n;
    if (n)
        memcpy(to + 16, p, n);
    return 16 + n;
}

#define V4 "\300\0\2\1\300\0\2\2\4\322\1\273"
#define V6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\1\273"

static void binaries(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[2 * PROXY_HEADER_MAX];
    good(bytes, binary(bytes, 0x21, 0x11, V4, 12), 2, "192.0.2.1:1234");
    good(bytes, binary(bytes, 0x21, 0x21, V6, 36), 2, "[2001:db8::1]:1");
    good(bytes, binary(bytes, 0x21, 0x31, rest, 216), 2, "unix");
    /* What the proxy says of itself, and what it does not say. */
    good(bytes, binary(bytes, 0x20, 0x00, NULL, 0), 2, "");
    good(bytes, binary(bytes, 0x20, 0x11, V4, 12), 2, "");
    good(bytes, binary(bytes, 0x20, 0xff, rest, 5), 2, "");
    good(bytes, binary(bytes, 0x21, 0x00, NULL, 0), 2, "");
}

/* By a table, as others reckon it: the one in the program goes bit by bit. */
static uint32_t crc32c(const char *p, size_t n)
{
    uint32_t table[256], crc = 0xffffffff;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78 : table[i] >> 1;
    }
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ (unsigned char)p[i]) & 255] ^ crc >> 8;
    return ~crc;
}

/* Appends a TLV to `to`, which has *n bytes. */
static void tlv(char *to, size_t *n, unsigned type, const void *value, size_t value_n)
{
    to[*n] = (char)type;
    to[*n + 1] = (char)(value_n >> 8);
    to[*n + 2] = (char)value_n;
    if (value_n)
        memcpy(to + *n + 3, value, value_n);
    *n += 3 + value_n;
}

static void write_sum(char *to, uint32_t sum)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(sum >> (24 - 8 * i));
}

/* What TLVs say is read past, as long as they fit. */
static void tlvs(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[2 * PROXY_HEADER_MAX], much[PROXY_HEADER_MAX];
    char ssl[64] = "\7\0\0\0\0";
    size_t ssl_n = 5, n = 12;
    tlv(ssl, &ssl_n, 0x21, "TLSv1.3", 7);
    tlv(ssl, &ssl_n, 0x22, "client", 6);
    memset(much, 'x', sizeof(much));
    memcpy(rest, V4, 12);
    tlv(rest, &n, 0x01, "h2", 2);
    tlv(rest, &n, 0x02, much, 255);
    tlv(rest, &n, 0x04, NULL, 0);
    tlv(rest, &n, 0x05, much, 128);
    tlv(rest, &n, 0x20, ssl, ssl_n);
    tlv(rest, &n, 0x30, "ns", 2);
    tlv(rest, &n, 0xea, "\1vpce-1", 7);
    tlv(rest, &n, 0xff, much, 300);
    good(bytes, binary(bytes, 0x21, 0x11, rest, n), 2, "192.0.2.1:1234");
    n = 36;
    memcpy(rest, V6, 36);
    tlv(rest, &n, 0x20, "\0\0\0\0\0", 5);
    good(bytes, binary(bytes, 0x21, 0x21, rest, n), 2, "[2001:db8::1]:1");
    n = 216;
    memset(rest, 0, n);
    tlv(rest, &n, 0x02, "test", 4);
    good(bytes, binary(bytes, 0x21, 0x31, rest, n), 2, "unix");
    /* Up to the limit. */
    n = 12;
    memcpy(rest, V4, 12);
    tlv(rest, &n, 0x04, much, PROXY_HEADER_MAX - 16 - 12 - 3);
    good(bytes, binary(bytes, 0x21, 0x11, rest, n), 2, "192.0.2.1:1234");
    /* What belongs to no visitor has no known place for them. */
    good(bytes, binary(bytes, 0x20, 0x11, "\3\0\4abc", 6), 2, "");
    good(bytes, binary(bytes, 0x21, 0x00, "\3\0\4abc", 6), 2, "");
}

static void wrong_tlvs(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[2 * PROXY_HEADER_MAX], much[PROXY_HEADER_MAX];
    static const struct {
        unsigned type;
        size_t n, told;
    } rows[] = {
        { 0x04, 0, 1 }, { 0x04, 5, 6 }, { 0x04, 5, 0xffff }, { 0x05, 129, 129 }, { 0x02, 256, 256 },
        { 0x20, 0, 0 }, { 0x20, 4, 4 }, { 0x20, 6, 6 },      { 0x20, 7, 7 },     { 0x03, 0, 0 },
        { 0x03, 3, 3 }, { 0x03, 5, 5 }, { 0x03, 4, 4 }, /* of zeros */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n = 12;
        memcpy(rest, V4, 12);
        tlv(rest, &n, rows[i].type, much, rows[i].n);
        rest[13] = (char)(rows[i].told >> 8);
        rest[14] = (char)rows[i].told;
        bad(bytes, binary(bytes, 0x21, 0x11, rest, n));
    }
    bad(bytes, binary(bytes, 0x21, 0x11, V4 "\4", 13));
    bad(bytes, binary(bytes, 0x21, 0x11, V4 "\4\0", 14));
    /* TLS of the proxy with a part that is longer than the whole. */
    bad(bytes, binary(bytes, 0x21, 0x11, V4 "\x20\0\x9\1\0\0\0\0\x21\0\2x", 24));
}

/* A sum that is there is checked, over all but itself. */
static void sums(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[64];
    size_t n = 12, at = 16 + 12 + 5 + 3;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    memcpy(rest, V4, 12);
    tlv(rest, &n, 0x01, "h2", 2);
    tlv(rest, &n, 0x03, "\0\0\0\0", 4);
    tlv(rest, &n, 0x04, "abc", 3);
    size_t whole = binary(bytes, 0x21, 0x11, rest, n);
    write_sum(bytes + at, crc32c(bytes, whole));
    good(bytes, whole, 2, "192.0.2.1:1234");
    for (size_t i = 13; i < whole; i++) {
        bool is_length =
            i == 14 || i == 15 || (i >= 28 && i != 31 && i != 32 && i < at) || (i >= at + 4 && i < at + 7);
        if (is_length || i == 13)
            continue;
        bytes[i] ^= 4;
        bad(bytes, whole);
        bytes[i] ^= 4;
    }
    /* Two of them. */
    n = 12;
    tlv(rest, &n, 0x03, "\0\0\0\0", 4);
    size_t one = binary(bytes, 0x21, 0x11, rest, n);
    write_sum(bytes + 31, crc32c(bytes, one));
    good(bytes, one, 2, "192.0.2.1:1234");
    tlv(rest, &n, 0x03, "\0\0\0\0", 4);
    whole = binary(bytes, 0x21, 0x11, rest, n);
    bad(bytes, whole);
}

static void wrong_binaries(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[2 * PROXY_HEADER_MAX];
    bad(bytes, binary(bytes, 0x21, 0x11, V4, 11));
    bad(bytes, binary(bytes, 0x21, 0x21, V6, 35));
    bad(bytes, binary(bytes, 0x21, 0x31, rest, 215));
    memset(rest, 4, sizeof(rest));
    bad(bytes, binary(bytes, 0x21, 0x11, rest, PROXY_HEADER_MAX - 15));
    static const unsigned commands[] = { 0x22, 0x11, 0x10, 0x31, 0x00, 0xff };
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        bad(bytes, binary(bytes, commands[i], 0x11, V4, 12));
    static const unsigned families[] = { 0x12, 0x22, 0x32, 0x10, 0x01, 0x41, 0xff };
    for (size_t i = 0; i < COUNT_OF(families); i++)
        bad(bytes, binary(bytes, 0x21, families[i], rest, 300));
    for (size_t i = 0; i < 12; i++) {
        size_t n = binary(bytes, 0x21, 0x11, V4, 12);
        bytes[i] ^= 1;
        bad(bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),          cmocka_unit_test(wrong_lines), cmocka_unit_test(binaries),
        cmocka_unit_test(wrong_binaries), cmocka_unit_test(tlvs),        cmocka_unit_test(wrong_tlvs),
        cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
