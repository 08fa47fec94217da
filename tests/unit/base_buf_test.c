/* Buffers grow without losing a byte, and write numbers and JSON strings exactly, whatever bytes they are
 * given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void expect(struct buf *b, const char *text)
{
    assert_int_equal(b->n, strlen(text));
    assert_memory_equal(b->p, text, b->n);
    buf_clear(b);
}

static void writes_numbers(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_add_u64(&b, 0);
    expect(&b, "0");
    buf_add_u64(&b, UINT64_MAX);
    expect(&b, "18446744073709551615");
    /* Around each change of the number of digits. */
    for (uint64_t ten = 10, at = 1; at < 20; ten *= 10, at++) {
        char text[32];
        for (int64_t d = -1; d <= 1; d++) {
            snprintf(text, sizeof(text), "%llu", (unsigned long long)(ten + (uint64_t)d));
            buf_add_u64(&b, ten + (uint64_t)d);
            expect(&b, text);
        }
    }
    for (unsigned i = 0; i < 2000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%u", i);
        buf_add_u64(&b, i);
        expect(&b, text);
    }
    buf_fini(&b);
}

static void escapes_json(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_add_json(&b, STR("a\"b\\c\n\x7f"));
    expect(&b, "\"a\\\"b\\\\c\\u000a\\u007f\"");
    buf_add_json(&b, STR("gr\xc3\xbcn \xc3( \xed\xa0\x80"));
    expect(&b, "\"gr\xc3\xbcn \\ufffd( \\ufffd\\ufffd\\ufffd\"");
    buf_fini(&b);
}

/* RFC 3629: what is too long, a surrogate or beyond U+10FFFF is not UTF-8, and no byte of it is swallowed. */
static void replaces_what_is_not_utf8(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_add_json(&b, STR("\xf0\x9f\x98\x80 \xe2\x82\xac \xef\xbf\xbf \xf4\x8f\xbf\xbf"));
    expect(&b, "\"\xf0\x9f\x98\x80 \xe2\x82\xac \xef\xbf\xbf \xf4\x8f\xbf\xbf\"");
    buf_add_json(&b, STR("\xc0\x80\xc1\xbf"));
    expect(&b, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    buf_add_json(&b, STR("\xe0\x80\x80"));
    expect(&b, "\"\\ufffd\\ufffd\\ufffd\"");
    buf_add_json(&b, STR("\xf0\x80\x80\x80\xf4\x90\x80\x80\xf5"));
    expect(&b, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
    /* Cut in the middle, and a quote right behind. */
    buf_add_json(&b, STR("\xe2\x82\"\xe2\x82"));
    expect(&b, "\"\\ufffd\\ufffd\\\"\\ufffd\\ufffd\"");
    buf_add_json(&b, (struct str){ "a\0b", 3 });
    expect(&b, "\"a\\u0000b\"");
    buf_add_json(&b, STR_NONE);
    expect(&b, "\"\"");
    buf_fini(&b);
}

static void grows(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_add(&b, STR_NONE);
    assert_null(b.p);
    for (size_t i = 0; i < 100000; i++)
        buf_add_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.n, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], 'a' + i % 26);
    /* Once a size is reached, less does not allocate. */
    const char *where = b.p;
    buf_clear(&b);
    buf_room(&b, 100000);
    assert_ptr_equal(b.p, where);
    assert_int_equal(b.n, 0);
    /* Room right up to the end, and one more. */
    b.n = b.cap - 1;
    size_t cap = b.cap;
    buf_add_char(&b, 'x');
    assert_int_equal(b.cap, cap);
    buf_add_char(&b, 'y');
    assert_int_equal(b.cap, 2 * cap);
    assert_memory_equal(b.p + cap - 1, "xy", 2);
    buf_fini(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
}

static void prints(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s", "");
    assert_int_equal(b.n, 0);
    buf_printf(&b, "%d %.*s", -7, STR_ARG(STR("abc")));
    expect(&b, "-7 abc");
    char big[3000];
    memset(big, 'z', sizeof(big));
    buf_printf(&b, "%.*s", (int)sizeof(big), big);
    assert_int_equal(b.n, sizeof(big));
    assert_memory_equal(b.p, big, sizeof(big));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(prints),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(escapes_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
