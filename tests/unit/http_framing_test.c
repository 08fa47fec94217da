/* A message's length is certain or the message is refused; and Connection says whether another may follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/framing.h"

static const struct head_limits usual = { .line_bytes = 100, .fields_bytes = 1000, .fields_count = 8 };

/* Through the parser, so that what it refuses already counts as refused: "parser" errors come back as they
 * are. */
static enum http_error frame_request(const char *version, const char *fields, struct framing *out)
{
    char text[1024];
    struct field table[8];
    struct request_head h = { .fields = { .v = table, .cap = 8 } };
    struct head_scan scan = { 0 };
    enum http_error e = HTTP_ERROR_NONE;
    snprintf(text, sizeof(text), "POST / HTTP/%s\r\nHost: a\r\n%s\r\n", version, fields);
    enum head_result r = request_head_parse(str_from(text), &scan, &usual, &h, &e);
    assert_int_not_equal(r, HEAD_MORE);
    return r == HEAD_BAD ? e : framing_of_request(&h, out);
}

static enum http_error frame_response(enum method asked, const char *version, int status, const char *fields,
                                      struct framing *out)
{
    char text[512];
    struct field table[8];
    struct response_head h = { .fields = { .v = table, .cap = 8 } };
    struct head_scan scan = { 0 };
    enum http_error e = HTTP_ERROR_NONE;
    snprintf(text, sizeof(text), "HTTP/%s %d x\r\n%s\r\n", version, status, fields);
    enum head_result r = response_head_parse(str_from(text), &scan, &usual, &h, &e);
    assert_int_not_equal(r, HEAD_MORE);
    return r == HEAD_BAD ? e : framing_of_response(asked, &h, out);
}

static void accepts_what_is_certain(void **state)
{
    (void)state;
    struct framing f;
    assert_int_equal(frame_request("1.1", "", &f), HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_NONE);
    assert_int_equal(frame_request("1.1", "Content-Length: 0\r\n", &f), HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_LENGTH);
    assert_int_equal(f.length, 0);
    assert_int_equal(frame_request("1.0", "content-LENGTH:\t42 \r\n", &f), HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_LENGTH);
    assert_int_equal(f.length, 42);
    assert_int_equal(frame_request("1.1", "Content-Length: 9223372036854775807\r\n", &f), HTTP_ERROR_NONE);
    assert_int_equal(f.length, INT64_MAX);
    assert_int_equal(frame_request("1.1", "transfer-encoding: Chunked\t\r\n", &f), HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_CHUNKED);
}

static void refuses_bad_lengths(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "+5",
        "-5",
        "-0",
        "0x10",
        "010",
        "00",
        "1_0",
        "0_1",
        "5 5",
        "5\t5",
        "5,6",
        "5, 5",
        "5,",
        ",5",
        "5.0",
        "5e0",
        "1Z",
        "Z",
        "5;",
        "\"5\"",
        "5\xc2\xa0",
        "\xa0"
        "5",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551621",
        "1111111111111111111111111",
        "-1",
        "bla-bla-bla",
    };
    struct framing f;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char line[128];
        snprintf(line, sizeof(line), "Content-Length: %s\r\n", values[i]);
        assert_int_equal(frame_request("1.1", line, &f), HTTP_ERROR_CONTENT_LENGTH);
        assert_int_equal(frame_response(METHOD_GET, "1.1", 200, line, &f), HTTP_ERROR_CONTENT_LENGTH);
    }
    static const char *const lines[] = {
        "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\ncontent-length: 5\r\n", "Content-Length:\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length:\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(frame_request("1.1", lines[i], &f), HTTP_ERROR_CONTENT_LENGTH_REPEATED);
        assert_int_equal(frame_response(METHOD_GET, "1.1", 200, lines[i], &f),
                         HTTP_ERROR_CONTENT_LENGTH_REPEATED);
    }
}

/* RFC 9112 §6.3, 4: nobody can decode it, so it ends with the connection. A request has no such end. */
static void reads_an_unknown_coding_of_a_response_until_the_end(void **state)
{
    (void)state;
    struct framing f;
    assert_int_equal(frame_request("1.1", "Transfer-Encoding: cow\r\n", &f), HTTP_ERROR_TRANSFER_ENCODING);
    assert_int_equal(frame_response(METHOD_GET, "1.1", 200, "Transfer-Encoding: cow\r\n", &f),
                     HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_CLOSE);
    assert_int_equal(frame_response(METHOD_HEAD, "1.1", 200, "Transfer-Encoding: cow\r\n", &f),
                     HTTP_ERROR_NONE);
    assert_int_equal(f.kind, FRAMING_NONE);
    assert_int_equal(frame_response(METHOD_GET, "1.0", 200, "Transfer-Encoding: cow\r\n", &f),
                     HTTP_ERROR_TRANSFER_ENCODING_1_0);
    assert_int_equal(
        frame_response(METHOD_GET, "1.1", 200, "Transfer-Encoding: cow\r\nContent-Length: 5\r\n", &f),
        HTTP_ERROR_LENGTH_AND_ENCODING);
}

static void refuses_other_encodings(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "identity",
        "gzip",
        "gzip, chunked",
        "gzip,chunked",
        "chunked, gzip",
        "chunked, identity",
        "identity, chunked",
        "xchunked",
        "chunk",
        "chunkedx",
        "\"chunked\"",
        "'chunked'",
        ",chunked",
        "chunked,",
        "chunked,chunked",
        "chunked, chunked",
        "chunked;a=b",
        "chunked chunked",
        "\xa0"
        "chunked\xa0",
        "chun\xc4\xb8"
        "ed",
        "chunke\xc7\xb7",
        "c\xc4\xa7unked",
        "CHUN\xe2\x84\xaa"
        "ED", /* KELVIN SIGN is a K to Unicode */
    };
    struct framing f;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char line[128];
        snprintf(line, sizeof(line), "Transfer-Encoding: %s\r\n", values[i]);
        assert_int_equal(frame_request("1.1", line, &f), HTTP_ERROR_TRANSFER_ENCODING);
        assert_int_equal(frame_response(METHOD_GET, "1.1", 200, line, &f), HTTP_ERROR_TRANSFER_ENCODING);
    }
    static const char *const lines[] = {
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n",
        "Transfer-encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(frame_request("1.1", lines[i], &f), HTTP_ERROR_TRANSFER_ENCODING);
        assert_int_equal(frame_response(METHOD_GET, "1.1", 200, lines[i], &f), HTTP_ERROR_TRANSFER_ENCODING);
    }
    assert_int_equal(frame_request("1.0", "Transfer-Encoding: chunked\r\n", &f),
                     HTTP_ERROR_TRANSFER_ENCODING_1_0);
    assert_int_equal(frame_request("1.0", "Transfer-Encoding: identity\r\n", &f),
                     HTTP_ERROR_TRANSFER_ENCODING_1_0);
    assert_int_equal(frame_response(METHOD_GET, "1.0", 200, "Transfer-Encoding: chunked\r\n", &f),
                     HTTP_ERROR_TRANSFER_ENCODING_1_0);
}

static void refuses_length_and_encoding(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 4\r\n",
        "Transfer-Encoding:\r\nContent-Length: 0\r\n",
        "Content-Length:\r\nTransfer-Encoding: chunked\r\n",
    };
    struct framing f;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(frame_request("1.1", lines[i], &f), HTTP_ERROR_LENGTH_AND_ENCODING);
        assert_int_equal(frame_response(METHOD_GET, "1.1", 200, lines[i], &f),
                         HTTP_ERROR_LENGTH_AND_ENCODING);
        assert_int_equal(frame_response(METHOD_HEAD, "1.1", 200, lines[i], &f),
                         HTTP_ERROR_LENGTH_AND_ENCODING);
    }
}

/* hostile Transfer-Encoding: no byte in front of, in or behind name and value makes chunked of something
 * else, and none hides it: what is accepted is either plainly chunked or a field of another name. */
static void no_byte_hides_an_encoding(void **state)
{
    (void)state;
    static const char line[] = "Transfer-Encoding:chunked\r\n";
    static const size_t places[] = { 0, 8, 17, 18, 21, 25 }; /* the byte is put in front of these */
    for (size_t p = 0; p < COUNT_OF(places); p++) {
        for (int byte = 1; byte < 256; byte++) {
            char text[64];
            size_t at = places[p];
            memcpy(text, line, at);
            text[at] = (char)byte;
            memcpy(text + at + 1, line + at, sizeof(line) - at);
            struct framing f = { 0 };
            enum http_error e = frame_request("1.1", text, &f);
            bool is_space = byte == ' ' || byte == '\t';
            if (at == 18 || at == 25)
                assert_int_equal(e == HTTP_ERROR_NONE, is_space);
            else if (at == 21)
                assert_int_not_equal(e, HTTP_ERROR_NONE);
            else if (byte == ':') /* a shorter name, or none */
                assert_int_equal(e == HTTP_ERROR_NONE && f.kind == FRAMING_NONE, at == 8);
            else /* another name, if any */
                assert_int_equal(e == HTTP_ERROR_NONE, is_token_char((char)byte));
            if (e == HTTP_ERROR_NONE)
                assert_int_equal(f.kind, is_space ? FRAMING_CHUNKED : FRAMING_NONE);
        }
    }
}

static void refuses_connection_that_names_critical_fields(void **state)
{
    (void)state;
    static const char *const bad[] = { "Host", "content-length", "close, Transfer-Encoding", "x,,cookie ,y",
                                       "\"a,b\", AUTHORIZATION" };
    static const char *const good[] = { "",       "close", "keep-alive, X-Auth", "Hosts", "X-Content-Length",
                                        "upgrade" };
    struct framing f;
    char line[128];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(line, sizeof(line), "Connection: %s\r\n", bad[i]);
        assert_int_equal(frame_request("1.1", line, &f), HTTP_ERROR_CONNECTION_NAMES);
        snprintf(line, sizeof(line), "Connection: close\r\nX: y\r\nConnection: %s\r\n", bad[i]);
        assert_int_equal(frame_request("1.1", line, &f), HTTP_ERROR_CONNECTION_NAMES);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        snprintf(line, sizeof(line), "Connection: %s\r\n", good[i]);
        assert_int_equal(frame_request("1.1", line, &f), HTTP_ERROR_NONE);
    }
}

/* CACHING.md 4.9: a Connection of more than 64 names or 512 bytes. Returns what so many names get, with
 * commas behind them up to `bytes`. */
static enum http_error frame_connection(size_t names, size_t bytes)
{
    struct framing f;
    char text[1024] = "Connection: ";
    size_t n = strlen(text), end = n + bytes;
    for (size_t i = 0; i < names; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, i == 3 ? "\r\nConnection: a" : i ? ",a" : "a");
    /* the end of the first line and the name of the second are no value; a comma and a blank join them */
    if (names > 3)
        end += strlen("\r\nConnection: ") - strlen(", ");
    for (; n < end; n++)
        text[n] = ',';
    memcpy(text + n, "\r\n", 3);
    return frame_request("1.1", text, &f);
}

static void refuses_endless_connection(void **state)
{
    (void)state;
    assert_int_equal(frame_connection(64, 0), HTTP_ERROR_NONE);
    assert_int_equal(frame_connection(65, 0), HTTP_ERROR_CONNECTION_TOO_LONG);
    assert_int_equal(frame_connection(1, 512), HTTP_ERROR_NONE);
    assert_int_equal(frame_connection(1, 513), HTTP_ERROR_CONNECTION_TOO_LONG);
    assert_int_equal(frame_connection(9, 512), HTTP_ERROR_NONE);
    assert_int_equal(frame_connection(9, 513), HTTP_ERROR_CONNECTION_TOO_LONG);
}

static void refuses_two_content_types(void **state)
{
    (void)state;
    struct framing f;
    assert_int_equal(frame_request("1.1", "Content-Type: a/b\r\n", &f), HTTP_ERROR_NONE);
    assert_int_equal(frame_request("1.1", "Content-Type: a/b\r\ncontent-type: a/b\r\n", &f),
                     HTTP_ERROR_CONTENT_TYPE);
    assert_int_equal(frame_response(METHOD_GET, "1.1", 200, "Content-Type: a/b\r\nContent-Type: a/b\r\n", &f),
                     HTTP_ERROR_NONE);
}

static void frames_responses(void **state)
{
    (void)state;
    static const struct {
        enum method asked;
        const char *version;
        int status;
        const char *fields;
        enum http_error error;
        struct framing framing;
    } rows[] = {
        { METHOD_GET, "1.1", 200, "Content-Length: 5\r\n", 0, { FRAMING_LENGTH, 5 } },
        { METHOD_GET, "1.0", 404, "Content-Length: 0\r\n", 0, { FRAMING_LENGTH, 0 } },
        { METHOD_GET, "1.1", 200, "Transfer-Encoding: chunked\r\n", 0, { FRAMING_CHUNKED, 0 } },
        { METHOD_GET, "1.1", 200, "", 0, { FRAMING_CLOSE, 0 } },
        { METHOD_POST, "1.0", 500, "", 0, { FRAMING_CLOSE, 0 } },
        { METHOD_GET, "1.1", 205, "", 0, { FRAMING_CLOSE, 0 } },
        { METHOD_HEAD, "1.1", 200, "Content-Length: 5\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_HEAD, "1.1", 200, "Transfer-Encoding: chunked\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_HEAD, "1.1", 200, "", 0, { FRAMING_NONE, 0 } },
        { METHOD_HEAD, "1.1", 200, "Content-Length: x\r\n", HTTP_ERROR_CONTENT_LENGTH, { 0 } },
        { METHOD_GET, "1.1", 304, "Content-Length: 5\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_GET,
          "1.1",
          304,
          "Content-Length: 5\r\nContent-Length: 6\r\n",
          HTTP_ERROR_CONTENT_LENGTH_REPEATED,
          { 0 } },
        { METHOD_GET, "1.1", 204, "Content-Length: 5\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_GET, "1.1", 204, "Transfer-Encoding: cow\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_GET, "1.1", 100, "Content-Length: 5\r\n", 0, { FRAMING_NONE, 0 } },
        { METHOD_GET, "1.1", 101, "", 0, { FRAMING_NONE, 0 } },
        { METHOD_GET, "1.1", 103, "Transfer-Encoding: chunked\r\n", 0, { FRAMING_NONE, 0 } },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct framing f = { .kind = 99 };
        assert_int_equal(frame_response(rows[i].asked, rows[i].version, rows[i].status, rows[i].fields, &f),
                         rows[i].error);
        if (rows[i].error == HTTP_ERROR_NONE) {
            assert_int_equal(f.kind, rows[i].framing.kind);
            assert_int_equal(f.length, rows[i].framing.length);
        }
    }
}

static void keeps_connections_alive(void **state)
{
    (void)state;
    static const struct {
        int minor;
        const char *connection; /* NULL: none */
        bool keep;
    } rows[] = {
        { 1, NULL, true },
        { 1, "close", false },
        { 1, "Close", false },
        { 1, "keep-alive", true },
        { 1, "x, close", false },
        { 1, "close, keep-alive", false },
        { 1, "upgrade", true },
        { 1, "closed", true },
        { 0, NULL, false },
        { 0, "keep-alive", true },
        { 0, "Keep-Alive, x", true },
        { 0, "close", false },
        { 0, "keep-alive, close", false },
        { 0, "x", false },
        { 1, "", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena a;
        arena_init(&a, 1024);
        struct fields f = { 0 };
        if (rows[i].connection)
            fields_add_id(&f, &a, FIELD_CONNECTION, str_from(rows[i].connection));
        assert_int_equal(wants_keep_alive(rows[i].minor, &f), rows[i].keep);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_certain),
        cmocka_unit_test(refuses_bad_lengths),
        cmocka_unit_test(reads_an_unknown_coding_of_a_response_until_the_end),
        cmocka_unit_test(refuses_other_encodings),
        cmocka_unit_test(refuses_length_and_encoding),
        cmocka_unit_test(no_byte_hides_an_encoding),
        cmocka_unit_test(refuses_connection_that_names_critical_fields),
        cmocka_unit_test(refuses_endless_connection),
        cmocka_unit_test(refuses_two_content_types),
        cmocka_unit_test(frames_responses),
        cmocka_unit_test(keeps_connections_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
