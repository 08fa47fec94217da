/* Bodies in gzip and br are decoded wherever they are cut; unknown, damaged, too large and cut short are told
 * from each other, and a bomb ends at its limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/check.h"
#include "coding/decode.h"

static struct buf gzip(struct str s)
{
    struct buf out = BUF_INIT;
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, s.n);
    z.next_in = (Bytef *)(uintptr_t)s.p;
    z.avail_in = (uInt)s.n;
    z.next_out = (Bytef *)buf_room(&out, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.n = bound - z.avail_out;
    deflateEnd(&z);
    return out;
}

static struct buf br(struct str s)
{
    struct buf out = BUF_INIT;
    size_t n = BrotliEncoderMaxCompressedSize(s.n) + 16;
    uint8_t *to = (uint8_t *)buf_room(&out, n);
    assert_int_equal(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, s.n, (const uint8_t *)s.p, &n, to),
                     BROTLI_TRUE);
    out.n = n;
    return out;
}

static struct buf zstd(struct str s)
{
    struct buf out = BUF_INIT;
    size_t bound = ZSTD_compressBound(s.n);
    out.n = ZSTD_compress(buf_room(&out, bound), bound, s.p, s.n, 3);
    assert_false(ZSTD_isError(out.n));
    return out;
}

struct result {
    enum decode_event end; /* MORE or an error */
    bool is_whole;
    struct buf content;
};

/* One piece, in a block of exactly its size. */
static void feed(struct decode *d, struct result *r, struct str s)
{
    char *copy = malloc(s.n ? s.n : 1);
    assert_non_null(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    struct str in = { copy, s.n }, data;
    while ((r->end = decode_next(d, &in, &data)) == DECODE_DATA) {
        assert_true(data.n > 0);
        buf_add(&r->content, data);
    }
    if (r->end == DECODE_MORE)
        assert_int_equal(in.n, 0);
    else
        assert_int_equal(decode_next(d, &in, &data), r->end);
    free(copy);
}

/* Decodes `s` cut into pieces of `step` bytes. */
static struct result decode(enum coding coding, struct str s, uint64_t most, size_t step)
{
    struct result r = { .content = BUF_INIT };
    struct decode *d = decode_new(coding, most);
    assert_non_null(d);
    for (size_t at = 0; at < s.n && r.end == DECODE_MORE; at += step)
        feed(d, &r, str_first((struct str){ s.p + at, s.n - at }, step));
    r.is_whole = decode_is_whole(d);
    decode_free(d);
    return r;
}

static void assert_decodes(enum coding coding, struct str body, struct str content)
{
    size_t steps[] = { 1, 7, 4096, body.n + 1 };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i] == 1 && body.n > 100000)
            continue;
        struct result r = decode(coding, body, content.n, steps[i]);
        assert_int_equal(r.end, DECODE_MORE);
        assert_true(r.is_whole);
        assert_true(str_eq(buf_str(&r.content), content));
        buf_fini(&r.content);
    }
}

/* However it is cut it ends so; where it is cut short it is not whole. */
static void assert_fails(enum coding coding, struct str body, uint64_t most, enum decode_event end)
{
    size_t steps[] = { 1, 3, body.n + 1 };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct result r = decode(coding, body, most, steps[i]);
        assert_int_equal(r.end, end);
        assert_false(r.is_whole);
        assert_true(r.content.n <= most);
        buf_fini(&r.content);
    }
}

/* Text that repeats itself at a distance, and some that does not. */
static struct buf sample(size_t n)
{
    struct buf b = BUF_INIT;
    uint32_t x = 1;
    while (b.n < n) {
        x = x * 1664525 + 1013904223;
        buf_printf(&b, "import \"./chunk-%x.js\";%.*s", x >> 8, (int)(x >> 28), "abcdefghijklmnop");
    }
    b.n = n;
    return b;
}

static void decodes_what_was_encoded(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 70000, 3000000 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf content = sample(sizes[i]), z = gzip(buf_str(&content)), b = br(buf_str(&content));
        assert_decodes(CODING_GZIP, buf_str(&z), buf_str(&content));
        assert_decodes(CODING_BR, buf_str(&b), buf_str(&content));
        struct buf s = zstd(buf_str(&content));
        assert_decodes(CODING_ZSTD, buf_str(&s), buf_str(&content));
        assert_decodes(CODING_IDENTITY, buf_str(&content), buf_str(&content));
        buf_fini(&s);
        buf_fini(&content);
        buf_fini(&z);
        buf_fini(&b);
    }
}

static void joins_members(void **state)
{
    (void)state;
    struct buf one = gzip(STR("one ")), none = gzip(STR("")), two = gzip(STR("two")), all = BUF_INIT;
    buf_add(&all, buf_str(&one));
    buf_add(&all, buf_str(&none));
    buf_add(&all, buf_str(&two));
    assert_decodes(CODING_GZIP, buf_str(&all), STR("one two"));
    /* Cut anywhere but between two members it is not whole. */
    for (size_t n = 0; n < all.n; n++) {
        struct result r = decode(CODING_GZIP, str_first(buf_str(&all), n), 100, n + 1);
        assert_int_equal(r.end, DECODE_MORE);
        assert_int_equal(r.is_whole, n == one.n || n == one.n + none.n);
        buf_fini(&r.content);
    }
    buf_fini(&one);
    buf_fini(&none);
    buf_fini(&two);
    buf_fini(&all);
}

static void refuses_damage(void **state)
{
    (void)state;
    struct buf content = sample(500), z = gzip(buf_str(&content)), b = br(buf_str(&content));
    z.p[z.n - 6] ^= 1; /* the checksum */
    assert_fails(CODING_GZIP, buf_str(&z), 1000, DECODE_DAMAGED);
    z.p[z.n - 6] ^= 1;
    z.p[z.n - 1] ^= 1; /* the length */
    assert_fails(CODING_GZIP, buf_str(&z), 1000, DECODE_DAMAGED);
    z.p[z.n - 1] ^= 1;
    /* Bytes behind the end, zeros too. */
    buf_add_char(&z, '\0');
    buf_add(&z, STR("\0 trailer"));
    assert_fails(CODING_GZIP, buf_str(&z), 1000, DECODE_DAMAGED);
    buf_add_char(&b, '\0');
    assert_fails(CODING_BR, buf_str(&b), 1000, DECODE_DAMAGED);
    b.n--;
    b.p[0] = (char)0x11; /* RFC 7932 §9.1: a large window is no window of this format */
    assert_fails(CODING_BR, buf_str(&b), 1000, DECODE_DAMAGED);
    struct buf none = br(STR(""));
    buf_add_char(&none, 'x');
    assert_fails(CODING_BR, buf_str(&none), 1000, DECODE_DAMAGED);
    buf_fini(&none);
    assert_fails(CODING_GZIP, STR("<html>nothing of the kind</html>"), 1000, DECODE_DAMAGED);
    assert_fails(CODING_GZIP, STR("\x78\x9c\x4b\x4c\x04\x00\x01\x2b\x00\xc4"), 1000,
                 DECODE_DAMAGED); /* zlib's format */
    buf_fini(&content);
    buf_fini(&z);
    buf_fini(&b);
}

/* Frames follow each other; too large a window (RFC 9659), and bytes that are no frame, are damage. */
static void reads_zstd(void **state)
{
    (void)state;
    struct buf one = zstd(STR("one ")), two = zstd(STR("two")), both = BUF_INIT, content = BUF_INIT;
    buf_add(&both, buf_str(&one));
    buf_add(&both, buf_str(&two));
    assert_decodes(CODING_ZSTD, buf_str(&both), STR("one two"));
    for (size_t n = 0; n < both.n; n++) {
        struct result r = decode(CODING_ZSTD, str_first(buf_str(&both), n), 100, n + 1);
        assert_int_equal(r.end, DECODE_MORE);
        assert_int_equal(r.is_whole, n == one.n);
        buf_fini(&r.content);
    }
    buf_add(&both, STR("more"));
    assert_fails(CODING_ZSTD, buf_str(&both), 1000, DECODE_DAMAGED);
    assert_fails(CODING_ZSTD, STR("<html>nothing of the kind</html>"), 1000, DECODE_DAMAGED);
    size_t n = 20 << 20;
    memset(buf_room(&content, n), 'x', n);
    content.n = n;
    struct buf bomb = zstd(buf_str(&content));
    assert_fails(CODING_ZSTD, buf_str(&bomb), 16385, DECODE_TOO_LARGE);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(n);
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 24);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    buf_clear(&bomb);
    ZSTD_inBuffer in = { content.p, n, 0 };
    ZSTD_outBuffer out = { buf_room(&bomb, bound), bound, 0 };
    assert_int_equal(ZSTD_compressStream2(c, &out, &(ZSTD_inBuffer){ content.p, 1, 0 }, ZSTD_e_flush), 0);
    assert_int_equal(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end), 0);
    bomb.n = out.pos;
    ZSTD_freeCCtx(c);
    assert_fails(CODING_ZSTD, buf_str(&bomb), n + 1, DECODE_DAMAGED);
    buf_fini(&bomb);
    buf_fini(&content);
    buf_fini(&both);
    buf_fini(&one);
    buf_fini(&two);
}

/* A frame that is skipped may stand anywhere (RFC 8878 §3.1.2). What is from before the RFC is no zstd,
 * though the library reads it: the input is of version 0.5, which a fuzzer found. */
static void reads_zstd_of_the_rfc_only(void **state)
{
    (void)state;
    static const char skipped[] = "\x5a\x2a\x4d\x18\x03\x00\x00\x00\x28\xb5\x2f";
    static const char older[] = "\x25\xb5\x2f\xfd\x04\x58\x65\x01\x00\xe8\x61\x20\x67\x61\x67\x65\x20\x6f";
    struct buf page = zstd(STR("page")), both = BUF_INIT;
    struct str skip = { skipped, sizeof(skipped) - 1 }, old = { older, sizeof(older) - 1 };
    buf_add(&both, skip);
    buf_add(&both, buf_str(&page));
    buf_add(&both, skip);
    buf_add(&both, skip);
    buf_add(&both, buf_str(&page));
    assert_decodes(CODING_ZSTD, buf_str(&both), STR("pagepage"));
    assert_fails(CODING_ZSTD, old, 1000, DECODE_DAMAGED);
    buf_add(&both, old);
    assert_fails(CODING_ZSTD, buf_str(&both), 1000, DECODE_DAMAGED);
    buf_fini(&both);
    buf_fini(&page);
}

static void tells_what_is_cut_short(void **state)
{
    (void)state;
    struct buf content = sample(500), z = gzip(buf_str(&content)), b = br(buf_str(&content));
    for (size_t n = 0; n < z.n; n++)
        assert_fails(CODING_GZIP, str_first(buf_str(&z), n), 1000, DECODE_MORE);
    for (size_t n = 0; n < b.n; n++)
        assert_fails(CODING_BR, str_first(buf_str(&b), n), 1000, DECODE_MORE);
    buf_fini(&content);
    buf_fini(&z);
    buf_fini(&b);
}

/* hostile h3-20 (Decompression bomb) */
static void stops_a_bomb(void **state)
{
    (void)state;
    struct buf content = BUF_INIT;
    size_t n = 20 << 20;
    memset(buf_room(&content, n), 'x', n);
    content.n = n;
    struct buf z = gzip(buf_str(&content)), b = br(buf_str(&content));
    assert_true(z.n < n / 900 && b.n < n / 900);
    static const uint64_t limits[] = { 0, 1, 16383, 16384, 16385, 1000000 };
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        assert_fails(CODING_GZIP, buf_str(&z), limits[i], DECODE_TOO_LARGE);
        assert_fails(CODING_BR, buf_str(&b), limits[i], DECODE_TOO_LARGE);
        assert_fails(CODING_IDENTITY, buf_str(&content), limits[i], DECODE_TOO_LARGE);
    }
    assert_fails(CODING_GZIP, buf_str(&z), n - 1, DECODE_TOO_LARGE);
    assert_fails(CODING_BR, buf_str(&b), n - 1, DECODE_TOO_LARGE);
    buf_fini(&content);
    buf_fini(&z);
    buf_fini(&b);
}

static void knows_codings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int coding; /* -1: not supported */
    } t[] = { { "", CODING_IDENTITY },
              { " identity", CODING_IDENTITY },
              { "gzip", CODING_GZIP },
              { "X-GZip ", CODING_GZIP },
              { "BR", CODING_BR },
              { "deflate", -1 },
              { "ZStd", CODING_ZSTD },
              { "gzip, br", -1 },
              { "gzip,", -1 },
              { "gzip;q=1", -1 },
              { "dcb", -1 } };
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        enum coding c;
        bool known = accept_coding_from(str_from(t[i].text), &c);
        assert_int_equal(known, t[i].coding >= 0);
        if (known)
            assert_int_equal(c, t[i].coding);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_what_was_encoded),
        cmocka_unit_test(joins_members),
        cmocka_unit_test(refuses_damage),
        cmocka_unit_test(tells_what_is_cut_short),
        cmocka_unit_test(stops_a_bomb),
        cmocka_unit_test(knows_codings),
        cmocka_unit_test(reads_zstd),
        cmocka_unit_test(reads_zstd_of_the_rfc_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
