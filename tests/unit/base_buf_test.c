/* Buffers write numbers and JSON strings exactly, whatever bytes they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(escapes_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
