/* What is encoded decodes to the same bytes, in every coding and level and however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "coding/decode.h"
#include "coding/encode.h"

/* Adds what comes of one piece; true: all of the body has come. */
static bool feed(struct encode *e, struct str in, bool last, struct buf *to)
{
    struct str data;
    for (;;)
        switch (encode_next(e, &in, last, &data)) {
        case ENCODE_DATA:
            assert_true(data.n > 0);
            buf_add(to, data);
            break;
        case ENCODE_MORE: assert_true(!last && in.n == 0); return false;
        case ENCODE_ENDED: assert_true(last && in.n == 0); return true;
        case ENCODE_NO_MEMORY: fail();
        }
}

static struct buf encode(enum coding coding, int level, struct str body, size_t step, bool tells_length)
{
    struct buf out = BUF_INIT;
    struct encode *e = encode_new(coding, level, tells_length ? body.n : UINT64_MAX);
    struct str left = body;
    assert_non_null(e);
    while (left.n > step) {
        assert_false(feed(e, str_first(left, step), false, &out));
        left = str_from_index(left, step);
    }
    assert_true(feed(e, left, true, &out));
    assert_true(feed(e, STR_NONE, true, &out));
    encode_free(e);
    return out;
}

static void decodes_to(enum coding coding, struct str coded, struct str body)
{
    struct decode *d = decode_new(coding, body.n);
    struct buf out = BUF_INIT;
    struct str data;
    enum decode_event event;
    assert_non_null(d);
    while ((event = decode_next(d, &coded, &data)) == DECODE_DATA)
        buf_add(&out, data);
    assert_int_equal(event, DECODE_MORE);
    assert_true(decode_is_whole(d));
    assert_true(str_eq(buf_str(&out), body));
    buf_fini(&out);
    decode_free(d);
}

static struct buf make_body(size_t bytes, bool text)
{
    struct buf b = BUF_INIT;
    uint32_t x = 7;
    while (b.n < bytes) {
        x = x * 1664525 + 1013904223;
        if (text)
            buf_printf(&b, "<p>%u of a page</p>\n", x >> 28);
        else
            buf_add_char(&b, (char)(x >> 24));
    }
    b.n = bytes;
    return b;
}

static void comes_back(void **state)
{
    static const size_t lengths[] = { 0, 1, 511, 16384, 100000 }, steps[] = { 1, 37, 16384, 1000000 };
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++)
            for (size_t k = 0; k < COUNT_OF(steps); k++) {
                if (steps[k] == 1 && lengths[i] > 1000)
                    continue;
                struct buf body = make_body(lengths[i], i % 2 == 0);
                struct buf coded = encode(c, 3, buf_str(&body), steps[k], k % 2);
                decodes_to(c, buf_str(&coded), buf_str(&body));
                buf_fini(&coded);
                buf_fini(&body);
            }
}

static void has_levels(void **state)
{
    struct buf body = make_body(60000, true);
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        size_t first = 0, n = 0;
        for (int level = 1; level <= 19; level += 2) {
            struct buf coded = encode(c, level, buf_str(&body), 5000, true);
            n = coded.n;
            first = level == 1 ? n : first;
            assert_true(n < body.n / 2);
            decodes_to(c, buf_str(&coded), buf_str(&body));
            buf_fini(&coded);
        }
        assert_true(n <= first);
        assert_int_equal(encode_level(c, -5), c == CODING_BR ? 0 : 1);
        assert_int_equal(encode_level(c, 99), c == CODING_BR ? 11 : c == CODING_GZIP ? 9 : 19);
        assert_int_equal(encode_level(c, 4), 4);
    }
    buf_fini(&body);
}

/* What was flushed decodes to all that was given, with nothing behind it, and costs little. */
static void is_flushed(void **state)
{
    struct buf body = make_body(50000, true);
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++)
        for (size_t step = 7; step <= 50000; step = step * 9 + 1) {
            struct encode *e = encode_new_stream(c, 5);
            struct decode *d = decode_new(c, body.n);
            struct buf coded = BUF_INIT, plain = BUF_INIT;
            size_t turns = 0;
            assert_non_null(e);
            for (size_t at = 0; at < body.n && turns < 60; at += step, turns++) {
                struct str piece = str_first(str_from_index(buf_str(&body), at), step), data;
                size_t before = coded.n;
                enum encode_event event;
                assert_false(feed(e, piece, false, &coded));
                while ((event = encode_flush(e, &data)) == ENCODE_DATA)
                    buf_add(&coded, data);
                assert_int_equal(event, ENCODE_MORE);
                assert_true(coded.n - before <= piece.n + 64);
                struct str in = str_from_index(buf_str(&coded), before);
                while (decode_next(d, &in, &data) == DECODE_DATA)
                    buf_add(&plain, data);
                assert_true(str_eq(buf_str(&plain), str_first(buf_str(&body), at + piece.n)));
                assert_false(decode_is_whole(d));
                /* Once more gives nothing. */
                assert_int_equal(encode_flush(e, &data), ENCODE_MORE);
            }
            assert_true(feed(e, STR_NONE, true, &coded));
            encode_free(e);
            decode_free(d);
            buf_fini(&coded);
            buf_fini(&plain);
        }
    buf_fini(&body);
}

/* The bytes are the same however it is cut: a strong ETag says so (coding/pour.h). */
static void has_one_form(void **state)
{
    struct buf body = make_body(200000, true);
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++)
        for (int level = 1; level <= 9; level += 4) {
            struct buf once = encode(c, level, buf_str(&body), body.n, true);
            for (size_t step = 1000; step < body.n; step *= 7) {
                struct buf coded = encode(c, level, buf_str(&body), step, true);
                assert_true(str_eq(buf_str(&coded), buf_str(&once)) || !encode_is_exact(c, level));
                buf_fini(&coded);
            }
            buf_fini(&once);
        }
    buf_fini(&body);
}

/* RFC 9659: a browser takes a window of 8 MiB, and the decoder of this room no more. */
static void keeps_windows_small(void **state)
{
    struct buf body = make_body((size_t)20 << 20, true);
    (void)state;
    struct buf coded = encode(CODING_ZSTD, 1, buf_str(&body), 1 << 20, false);
    decodes_to(CODING_ZSTD, buf_str(&coded), buf_str(&body));
    buf_fini(&coded);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),   cmocka_unit_test(has_levels),          cmocka_unit_test(is_flushed),
        cmocka_unit_test(has_one_form), cmocka_unit_test(keeps_windows_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
