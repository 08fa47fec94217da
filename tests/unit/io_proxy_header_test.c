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
    /* TLVs are skipped, up to the limit. */
    memcpy(rest, V4 "\3\0\4abcd\4\0\0", 22);
    good(bytes, binary(bytes, 0x21, 0x11, rest, 22), 2, "192.0.2.1:1234");
    good(bytes, binary(bytes, 0x21, 0x11, rest, PROXY_HEADER_MAX - 16), 2, "192.0.2.1:1234");
}

static void wrong_binaries(void **state)
{
    (void)state;
    static char bytes[2 * PROXY_HEADER_MAX], rest[2 * PROXY_HEADER_MAX];
    bad(bytes, binary(bytes, 0x21, 0x11, V4, 11));
    bad(bytes, binary(bytes, 0x21, 0x21, V6, 35));
    bad(bytes, binary(bytes, 0x21, 0x31, rest, 215));
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
        cmocka_unit_test(lines),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(binaries),
        cmocka_unit_test(wrong_binaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
