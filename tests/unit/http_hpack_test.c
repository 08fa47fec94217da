/* Header blocks that we write (RFC 7541): nghttp2's inflater reads back what was put in, and they are as
 * short as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/check.h"
#include "http/hpack.h"
#include "http/lines.h"

/* Inflates a block with a client's inflater; "name=value\n" for each field. Nothing may have entered its
 * table. */
static struct str read_block(struct str block, struct buf *to)
{
    nghttp2_hd_inflater *i;
    int flags = 0;
    buf_clear(to);
    assert_int_equal(nghttp2_hd_inflate_new(&i), 0);
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(i, &nv, &flags, (const uint8_t *)block.p, block.n, 1);
        assert_true(n >= 0);
        block = str_from_index(block, (size_t)n);
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        buf_add(to, (struct str){ (const char *)nv.name, nv.namelen });
        buf_add_char(to, '=');
        buf_add(to, (struct str){ (const char *)nv.value, nv.valuelen });
        buf_add_char(to, '\n');
    }
    assert_int_equal(nghttp2_hd_inflate_get_dynamic_table_size(i), 0);
    nghttp2_hd_inflate_del(i);
    return buf_str(to);
}

static void writes_each_status(void **state)
{
    (void)state;
    struct buf said = BUF_INIT;
    char room[HPACK_STATUS_MOST], expected[32];
    for (int status = 100; status <= 999; status++) {
        size_t n = (size_t)(hpack_put_status(room, status) - room);
        snprintf(expected, sizeof(expected), ":status=%d\n", status);
        assert_true(n <= sizeof(room));
        assert_true(str_eq(read_block((struct str){ room, n }, &said), str_from(expected)));
    }
    assert_int_equal(hpack_put_status(room, 200) - room, 1);
    assert_int_equal(hpack_put_status(room, 304) - room, 1);
    buf_fini(&said);
}

static void writes_names_in_lower_case_and_by_index(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, said = BUF_INIT;
    hpack_add(&b, STR("Cache-Control"), STR("no-store"));
    assert_int_equal(b.n, 2 + 1 + 8);
    hpack_add(&b, STR("Age"), STR("1"));
    assert_int_equal(b.n, 11 + 2 + 1 + 1);
    hpack_add(&b, STR("Cache-Status"), STR("freshet; hit"));
    hpack_add(&b, STR("X-Empty"), STR_NONE);
    assert_true(str_eq(read_block(buf_str(&b), &said),
                       STR("cache-control=no-store\nage=1\ncache-status=freshet; hit\nx-empty=\n")));
    buf_fini(&b);
    buf_fini(&said);
}

/* nghttp2 has the static table, too. Rows of the same name count by the first. */
static void knows_the_static_table(void **state)
{
    (void)state;
    nghttp2_hd_inflater *inflater;
    struct buf b = BUF_INIT;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (unsigned i = 15; i <= 61; i++) {
        const nghttp2_nv *row = nghttp2_hd_inflate_get_table_entry(inflater, i);
        buf_clear(&b);
        hpack_add(&b, (struct str){ (const char *)row->name, row->namelen }, STR("x"));
        assert_int_equal(b.n, 4);
        assert_int_equal((b.p[0] & 0x0f) + b.p[1], i);
    }
    nghttp2_hd_inflate_del(inflater);
    buf_fini(&b);
}

/* All bytes, in both ways, at the lengths where integers grow. */
static void reads_back_any_value(void **state)
{
    static const size_t lengths[] = { 0, 1, 2, 126, 127, 128, 254, 255, 256, 16383, 16600, 60000 };
    (void)state;
    char *value = malloc(60000), *expected = malloc(60003);
    struct buf b = BUF_INIT, said = BUF_INIT;
    for (size_t l = 0; l < COUNT_OF(lengths); l++) {
        for (unsigned first = 0; first < 256; first += 37) {
            size_t n = lengths[l];
            for (size_t i = 0; i < n; i++)
                value[i] = (char)(first + i);
            memcpy(expected, "x=", 2);
            memcpy(expected + 2, value, n);
            expected[n + 2] = '\n';
            for (int way = 0; way < 2; way++) {
                buf_clear(&b);
                (way ? hpack_add_short : hpack_add)(&b, STR("X"), (struct str){ value, n });
                assert_true(b.n <= hpack_most(STR("X"), (struct str){ value, n }));
                assert_true(str_eq(read_block(buf_str(&b), &said), (struct str){ expected, n + 3 }));
            }
        }
    }
    buf_fini(&b);
    buf_fini(&said);
    free(value);
    free(expected);
}

static void uses_the_huffman_code_where_that_is_shorter(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, c = BUF_INIT;
    hpack_add_short(&b, STR("Content-Type"), STR("text/html; charset=utf-8"));
    hpack_add(&c, STR("Content-Type"), STR("text/html; charset=utf-8"));
    assert_true(b.n < c.n);
    buf_clear(&b);
    buf_clear(&c);
    hpack_add_short(&b, STR("ETag"), STR("\xff\xfe\xfd"));
    hpack_add(&c, STR("ETag"), STR("\xff\xfe\xfd"));
    assert_true(str_eq(buf_str(&b), buf_str(&c)));
    buf_fini(&b);
    buf_fini(&c);
}

/* RFC 7541 C.6.1 has the Huffman form of this Date. */
static void huffman_is_as_in_the_standard(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    static const char coded[] =
        "\x0f\x12\x96\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6"
        "\x2d\x1b\xff";
    hpack_add_short(&b, STR("Date"), STR("Mon, 21 Oct 2013 20:13:21 GMT"));
    assert_true(str_eq(buf_str(&b), (struct str){ coded, sizeof(coded) - 1 }));
    buf_fini(&b);
}

static void set_cookie_is_never_to_be_indexed(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    hpack_add(&b, STR("Set-Cookie"), STR("a=b"));
    assert_int_equal(b.p[0] & 0xf0, 0x10);
    buf_clear(&b);
    hpack_add(&b, STR("Date"), STR("x"));
    assert_int_equal(b.p[0] & 0xf0, 0x00);
    buf_fini(&b);
}

/* A stored response: its lines as one block; each answer has the status before, its own fields behind. */
/* A name that freshet knows is written by its number as it is by its text. */
static void writes_each_known_name_the_same(void **state)
{
    struct buf known = BUF_INIT, plain = BUF_INIT;
    (void)state;
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        if (id == FIELD_SET_COOKIE)
            continue;
        hpack_add_known(&known, (enum field_id)id, STR("a value"));
        hpack_add(&plain, field_name((enum field_id)id), STR("a value"));
        assert_true(str_eq(buf_str(&known), buf_str(&plain)));
    }
    buf_fini(&known);
    buf_fini(&plain);
}

static void makes_a_block_of_lines(void **state)
{
    (void)state;
    struct buf lines = BUF_INIT, b = BUF_INIT, said = BUF_INIT;
    char room[HPACK_STATUS_MOST];
    lines_add(&lines, STR("ETag"), STR("\"a\""));
    lines_add(&lines, STR("Link"), STR("</a.css>; rel=preload"));
    lines_add(&lines, STR("X-Empty"), STR_NONE);
    buf_add(&b, HPACK_NO_TABLE);
    buf_add(&b, (struct str){ room, (size_t)(hpack_put_status(room, 200) - room) });
    hpack_add_lines(&b, buf_str(&lines));
    hpack_add(&b, STR("Age"), STR("7"));
    assert_true(str_eq(read_block(buf_str(&b), &said),
                       STR(":status=200\netag=\"a\"\nlink=</a.css>; rel=preload\nx-empty=\nage=7\n")));
    buf_fini(&lines);
    buf_fini(&b);
    buf_fini(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_status),
        cmocka_unit_test(writes_names_in_lower_case_and_by_index),
        cmocka_unit_test(knows_the_static_table),
        cmocka_unit_test(reads_back_any_value),
        cmocka_unit_test(uses_the_huffman_code_where_that_is_shorter),
        cmocka_unit_test(huffman_is_as_in_the_standard),
        cmocka_unit_test(set_cookie_is_never_to_be_indexed),
        cmocka_unit_test(writes_each_known_name_the_same),
        cmocka_unit_test(makes_a_block_of_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
