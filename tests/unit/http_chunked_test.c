/* A chunked body gives the same bytes and the same end wherever the input is cut, and ends only where it
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/chunked.h"

struct answer {
    enum chunked_event end; /* MORE, DONE or BAD */
    enum http_error error;
    size_t taken; /* bytes of the input, when DONE */
    size_t n;
    char body[256];
};

/* Gives the decoder one piece, in a block of exactly its size. */
static void feed(struct chunked *c, struct answer *a, const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    struct str in = { copy, n }, data;
    while ((a->end = chunked_decode(c, &in, &data, &a->error)) == CHUNKED_DATA) {
        assert_true(data.n > 0 && data.p >= copy && data.p + data.n <= copy + n);
        assert_true(a->n + data.n <= sizeof(a->body));
        memcpy(a->body + a->n, data.p, data.n);
        a->n += data.n;
    }
    if (a->end == CHUNKED_MORE)
        assert_int_equal(in.n, 0);
    a->taken += n - in.n;
    free(copy);
}

static void assert_same(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->taken, b->taken);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->body, b->body, a->n);
}

/* Whole; cut at each pair of points; byte by byte. One answer. */
static struct answer decode(struct str in)
{
    struct answer whole = { 0 };
    struct chunked c;
    chunked_init(&c);
    feed(&c, &whole, in.p, in.n);
    for (size_t first = 0; first <= in.n; first++) {
        for (size_t second = first; second <= in.n; second++) {
            struct answer a = { 0 };
            chunked_init(&c);
            feed(&c, &a, in.p, first);
            if (a.end == CHUNKED_MORE)
                feed(&c, &a, in.p + first, second - first);
            if (a.end == CHUNKED_MORE)
                feed(&c, &a, in.p + second, in.n - second);
            assert_same(&a, &whole);
        }
    }
    struct answer a = { .end = CHUNKED_MORE };
    chunked_init(&c);
    for (size_t i = 0; i < in.n && a.end == CHUNKED_MORE; i++)
        feed(&c, &a, in.p + i, 1);
    assert_same(&a, &whole);
    return whole;
}

static void assert_body(const char *input, const char *body, size_t left)
{
    struct answer a = decode(str_from(input));
    assert_int_equal(a.end, CHUNKED_DONE);
    assert_int_equal(a.n, strlen(body));
    assert_memory_equal(a.body, body, a.n);
    assert_int_equal(a.taken, strlen(input) - left);
}

static void decodes(void **state)
{
    (void)state;
    assert_body("0\r\n\r\n", "", 0);
    assert_body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0);
    assert_body("5\r\nhello\r\n000\r\n\r\nGET / HTTP/1.1\r\n", "hello", 16);
    assert_body("0005\r\nhello\r\n0\r\n\r\n", "hello", 0);
    assert_body("A\r\n0123456789\r\n00a\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n", "0123456789\r\n0\r\n\r\n0\r\n",
                0);
    assert_body("0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x", 0);
}

static void takes_extensions(void **state)
{
    (void)state;
    assert_body("5; some; parameters=stuff\r\nhello\r\n0;a\r\n\r\n", "hello", 0);
    assert_body("5;foo=\"bar baz\"\r\nhello\r\n0\r\n\r\n", "hello", 0);
    assert_body("1;a=\"\\\"\\\\;,\t\xe4\"\r\nx\r\n0\r\n\r\n", "x", 0);
    assert_body("1 \t;\ta = b ;c= \"\" ; d ;e\r\nx\r\n0\r\n\r\n", "x", 0);
    assert_body("1;!#$%&'*+-.^_`|~09azAZ\r\nx\r\n0;a=b\r\n\r\n", "x", 0);
}

static void drops_trailers(void **state)
{
    (void)state;
    assert_body("1\r\nx\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\nmore", "x", 4);
    assert_body("0\r\nX:\r\nDigest: \t\xe4 y\t\r\n\r\n", "", 0);
    assert_body("0\r\nTransfer-Encodings: chunked\r\nA-Host: x\r\n"
                "x-name-that-is-longer-than-any-that-is-known: y\r\n\r\n",
                "", 0);
}

static void waits_for_the_rest(void **state)
{
    (void)state;
    static const char all[] = "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n";
    for (size_t n = 0; n < sizeof(all) - 1; n++)
        assert_int_equal(decode((struct str){ all, n }).end, CHUNKED_MORE);
    assert_int_equal(decode((struct str){ all, sizeof(all) - 1 }).end, CHUNKED_DONE);
}

static void assert_refused(struct str in, enum http_error error)
{
    struct answer a = decode(in);
    assert_int_equal(a.end, CHUNKED_BAD);
    assert_int_equal(a.error, error);
}

static void refuses_bad_sizes(void **state)
{
    (void)state;
    static const struct {
        struct str line; /* the data and the rest follow */
        enum http_error error;
    } rows[] = {
        { STR_INIT("\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("0x5\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("+5\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("-5\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5_0\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("6_0\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT(" 5\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("\t5\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5 \r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5\t\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5 5\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT(";a=b\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT(" ;foo=bar\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\n;\r\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\rX"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\r\r\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\0\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5,\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5.0\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("1these-bytes\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("Z\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("g\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("\xef\xbc\x95\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("8000000000000000\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("FFFFFFFFFFFFFFED\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("10000000000000000\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("00000000000000005\r\n"), HTTP_ERROR_CHUNK_SIZE },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        memcpy(text, rows[i].line.p, rows[i].line.n);
        memcpy(text + rows[i].line.n, "hello\r\n0\r\n\r\n", 12);
        assert_refused((struct str){ text, rows[i].line.n + 12 }, rows[i].error);
    }
    struct answer a = decode(STR("7fffffffffffffff\r\nx"));
    assert_int_equal(a.end, CHUNKED_MORE);
    assert_int_equal(a.n, 1);
}

static void refuses_bad_extensions(void **state)
{
    (void)state;
    static const struct {
        struct str line;
        enum http_error error;
    } rows[] = {
        { STR_INIT("5;\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;;a\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a;\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;=b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=;b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a==b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=b=c\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=b c\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a \r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=b \r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\"b\"c\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\"b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\"b\\\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\"\n\"\r\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;a=\"\r\n\"\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a=\"\0\"\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;a=b\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;a=b\rX"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;a=b\r\rXXXX"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;ext=val\rue\r\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5;a\xe4=b\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
        { STR_INIT("5;a\0\r\n"), HTTP_ERROR_CHUNK_EXTENSION },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        memcpy(text, rows[i].line.p, rows[i].line.n);
        memcpy(text + rows[i].line.n, "hello\r\n0\r\n\r\n", 12);
        assert_refused((struct str){ text, rows[i].line.n + 12 }, rows[i].error);
    }
}

static void refuses_bad_ends(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        enum http_error error;
    } rows[] = {
        { STR_INIT("5\r\nhello\n0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhello0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhelloXX0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhello\rX0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhello\r\r\n0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhello!\r\n0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("6\r\nhello\r\n0\r\n\r\n"), HTTP_ERROR_CHUNK_END },
        { STR_INIT("5\r\nhello\r\n\r\n0\r\n\r\n"), HTTP_ERROR_CHUNK_SIZE },
        { STR_INIT("5\r\nhello\r\n0\r\n\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\r\nhello\r\n0\n\r\n"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\r\nhello\r\n0\r\n\rX"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("5\r\nhello\r\n0\r\n0\r\n\r\n"), HTTP_ERROR_TRAILER },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_refused(rows[i].in, rows[i].error);
}

static void refuses_bad_trailers(void **state)
{
    (void)state;
    static const struct {
        struct str lines;
        enum http_error error;
    } rows[] = {
        { STR_INIT("Content-Length: 99"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("Transfer-Encoding: chunked"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("TRANSFER_ENCODING: chunked"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("Content_Length: 9"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("Content.Length: 9"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("hOST: evil.example"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("Trailer: X"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("Connection: close"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("X: y\r\nTE: trailers"), HTTP_ERROR_TRAILER_FORBIDDEN },
        { STR_INIT("X"), HTTP_ERROR_TRAILER },
        { STR_INIT(": x"), HTTP_ERROR_TRAILER },
        { STR_INIT("X : y"), HTTP_ERROR_TRAILER },
        { STR_INIT(" X: y"), HTTP_ERROR_TRAILER },
        { STR_INIT("X: a\r\n b"), HTTP_ERROR_TRAILER },
        { STR_INIT("X\xe4: y"), HTTP_ERROR_TRAILER },
        { STR_INIT("X: \0"), HTTP_ERROR_TRAILER },
        { STR_INIT("X: \x7f"), HTTP_ERROR_TRAILER },
        { STR_INIT("X: a\nY: b"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("X\n: a"), HTTP_ERROR_LINE_ENDING },
        { STR_INIT("X: a\rY: b"), HTTP_ERROR_LINE_ENDING },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64] = "0\r\n";
        memcpy(text + 3, rows[i].lines.p, rows[i].lines.n);
        memcpy(text + 3 + rows[i].lines.n, "\r\n\r\n", 4);
        assert_refused((struct str){ text, 3 + rows[i].lines.n + 4 }, rows[i].error);
    }
}

/* Feeds `piece` until it is refused; fails when `most` bytes have been taken without a fault. */
static void assert_bounded(const char *start, const char *piece, size_t most, enum http_error error)
{
    struct chunked c;
    struct str data;
    enum http_error e = HTTP_ERROR_NONE;
    chunked_init(&c);
    struct str in = str_from(start);
    assert_int_equal(chunked_decode(&c, &in, &data, &e), CHUNKED_MORE);
    for (size_t taken = 0; taken <= most; taken += strlen(piece)) {
        enum chunked_event event;
        in = str_from(piece);
        do
            event = chunked_decode(&c, &in, &data, &e);
        while (event == CHUNKED_DATA);
        assert_int_not_equal(event, CHUNKED_DONE);
        if (event == CHUNKED_BAD) {
            assert_int_equal(e, error);
            in = str_from(piece);
            e = HTTP_ERROR_NONE;
            assert_int_equal(chunked_decode(&c, &in, &data, &e), CHUNKED_BAD); /* and it stays so */
            assert_int_equal(e, error);
            assert_int_equal(in.n, strlen(piece));
            return;
        }
    }
    fail_msg("%zu bytes and no fault", most);
}

static void bounds_what_is_thrown_away(void **state)
{
    (void)state;
    assert_bounded("1;", "aaaaaaaaaaaaaaaa", 20000, HTTP_ERROR_CHUNK_EXTENSIONS_TOO_LARGE);
    assert_bounded("1;a=\"", "aaaaaaaaaaaaaaaa", 20000, HTTP_ERROR_CHUNK_EXTENSIONS_TOO_LARGE);
    assert_bounded("1", "                ", 20000, HTTP_ERROR_CHUNK_EXTENSIONS_TOO_LARGE);
    assert_bounded("", "1;abcdefg=hijklm\r\nx\r\n", 40000, HTTP_ERROR_CHUNK_EXTENSIONS_TOO_LARGE);
    assert_bounded("0\r\n", "X: yyyyyyyyyyyy\r\n", 20000, HTTP_ERROR_TRAILERS_TOO_LARGE);
    assert_bounded("0\r\n", "XXXXXXXXXXXXXXXX", 20000, HTTP_ERROR_TRAILERS_TOO_LARGE);
}

static void writes_chunk_heads(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *head;
    } rows[] = {
        { 1, "1\r\n" },       { 15, "f\r\n" },        { 16, "10\r\n" },
        { 6699, "1a2b\r\n" }, { 65536, "10000\r\n" }, { UINT64_MAX, "ffffffffffffffff\r\n" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[CHUNK_HEAD_MAX];
        assert_int_equal(chunk_head(out, rows[i].bytes), strlen(rows[i].head));
        assert_memory_equal(out, rows[i].head, strlen(rows[i].head));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(takes_extensions),
        cmocka_unit_test(drops_trailers),
        cmocka_unit_test(waits_for_the_rest),
        cmocka_unit_test(refuses_bad_sizes),
        cmocka_unit_test(refuses_bad_extensions),
        cmocka_unit_test(refuses_bad_ends),
        cmocka_unit_test(refuses_bad_trailers),
        cmocka_unit_test(bounds_what_is_thrown_away),
        cmocka_unit_test(writes_chunk_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
