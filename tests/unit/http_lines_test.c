/* Field lines as text: what is written is read back, whatever a field may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/lines.h"

static const struct field rows[] = {
    { STR_INIT("Vary"), STR_INIT("Accept, X"), FIELD_VARY },
    { STR_INIT("X-Empty"), STR_INIT(""), FIELD_OTHER },
    { STR_INIT("X"), STR_INIT("a: b:\tc"), FIELD_OTHER },
    { STR_INIT("Link"), STR_INIT("<https://example.org/>; title=\"a\xc3\xa4\xff\""), FIELD_OTHER },
};

static void writes_a_line(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    lines_add(&b, STR("Vary"), STR("Accept, X"));
    lines_add(&b, STR("X-Empty"), STR_NONE);
    assert_true(str_eq(buf_str(&b), STR("Vary: Accept, X\r\nX-Empty: \r\n")));
    buf_fini(&b);
}

static void puts_what_it_adds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char room[128];
        size_t bytes = lines_bytes(rows[i].name, rows[i].value);
        memset(room, '#', sizeof(room));
        assert_ptr_equal(lines_put(room, rows[i].name, rows[i].value), room + bytes);
        assert_int_equal(room[bytes], '#');
        struct buf b = BUF_INIT;
        lines_add(&b, rows[i].name, rows[i].value);
        assert_true(str_eq(buf_str(&b), (struct str){ room, bytes }));
        buf_fini(&b);
    }
}

static void reads_them_back_in_order(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct field f = { .id = FIELD_OTHER };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        lines_add(&b, rows[i].name, rows[i].value);
    struct str rest = buf_str(&b);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(lines_next(&rest, &f));
        assert_true(str_eq(f.name, rows[i].name));
        assert_true(str_eq(f.value, rows[i].value));
        assert_non_null(f.value.p); /* an empty value is one */
    }
    assert_int_equal(rest.n, 0);
    assert_false(lines_next(&rest, &f));
    assert_true(str_eq(f.name, rows[COUNT_OF(rows) - 1].name));
    struct str none = STR_NONE;
    assert_false(lines_next(&none, &f));
    buf_fini(&b);
}

/* What lines_next may be given: all that was written, and nothing that was cut or changed. */
static void tells_whole_lines(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "X",         "X:",           "X: ",          "X: a",     "X: a\r",      "X: a\n",       "X:a\r\n",
        ": a\r\n",   " X: a\r\n",    "X : a\r\n",    "\r\n",     "X: a\rb\r\n", "X: a\nb\r\n",  "X: \x7f\r\n",
        "X: a\r\n ", "X: a\r\n\r\n", "X: a\r\r\n\n", "X\r\n: a", "X: \x01\r\n", "X\xe4: a\r\n", "X: a\r\nY",
    };
    struct buf b = BUF_INIT;
    assert_true(lines_are_whole(STR_NONE));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t from = b.n;
        assert_true(lines_are_whole(buf_str(&b)));
        lines_add(&b, rows[i].name, rows[i].value);
        for (size_t n = from + 1; n < b.n; n++)
            assert_false(lines_are_whole(str_first(buf_str(&b), n)));
    }
    assert_true(lines_are_whole(buf_str(&b)));
    assert_false(lines_are_whole(STR("X: a\0\r\n")));
    assert_false(lines_are_whole(STR("X\0: a\r\n")));
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (lines_are_whole(str_from(wrong[i])))
            fail_msg("%s", wrong[i]);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_line),
        cmocka_unit_test(puts_what_it_adds),
        cmocka_unit_test(reads_them_back_in_order),
        cmocka_unit_test(tells_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
