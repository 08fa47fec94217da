/* nghttp2's session as the server: it finds no fault in what we ask, and we find none in what it answers.
 * Then servers that break a rule (RFC 9113), or say what they have not done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/h2_asker.h"
#include "h2_peer.h"

/* ---- with nghttp2 ---- */

#define REQUESTS 400

struct seen {
    size_t body; /* bytes of the request's */
    size_t left; /* bytes of the answer's */
};

struct server {
    nghttp2_session *session;
    struct seen seen[REQUESTS + 1];
    struct buf out;
};

static struct seen *seen_of(struct server *v, int32_t id)
{
    assert_true(id > 0 && id / 2 <= REQUESTS);
    return &v->seen[id / 2];
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)source;
    return peer_read(&seen_of(user, id)->left, 'a', p, n, flags);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server *v = user;
    int32_t id = frame->hd.stream_id;
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!ends)
        return 0;
    size_t i = (size_t)id / 2;
    const nghttp2_nv hints[] = { NV(":status", "103"), NV("link", "</a>") };
    const nghttp2_nv head[] = { NV(":status", "200"), NV("content-type", "text/html"), NV("x-i", "1") };
    nghttp2_data_provider provider = { .read_callback = read_answer };
    assert_int_equal(seen_of(v, id)->body, asker_is_post(i) ? UPLOAD_BYTES : 0);
    if (i % 4 == 0)
        assert_int_equal(nghttp2_submit_headers(session, 0, id, NULL, hints, 2, NULL), 0);
    seen_of(v, id)->left = i % 7 * 5000;
    bool has_body = !asker_is_head(i) && i % 7;
    assert_int_equal(nghttp2_submit_response(session, id, head, 3, has_body ? &provider : NULL), 0);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user)
{
    (void)session;
    (void)flags;
    (void)p;
    seen_of(user, id)->body += n;
    return 0;
}

static void server_init(struct server *v, uint32_t streams, uint32_t window)
{
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams },
                                                { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window } };
    memset(v, 0, sizeof(*v));
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, peer_found_fault);
    assert_int_equal(nghttp2_session_server_new(&v->session, callbacks, v), 0);
    assert_int_equal(nghttp2_submit_settings(v->session, 0, settings, COUNT_OF(settings)), 0);
    nghttp2_session_callbacks_del(callbacks);
}

static bool feed(void *a, struct str piece)
{
    return asker_feed(a, piece);
}

static size_t finished(const struct asker *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        n += a->questions[i].whole && !a->questions[i].stream;
    return n;
}

static void talk(uint32_t streams, uint32_t window)
{
    static struct asker a;
    static struct server v;
    struct dice d = { window | 1 };
    asker_init(&a, 65536);
    server_init(&v, streams, window);
    for (int turns = 0; a.n < REQUESTS || finished(&a) < REQUESTS; turns++) {
        assert_true(turns < 100000);
        while (a.n < REQUESTS && h2_is_known(a.c) && h2_room(a.c) > 0)
            asker_ask(&a);
        a.now_ms += 5;
        asker_send(&a);
        us_to_peer(&a.out, v.session);
        peer_to_us(v.session, feed, &a, &a.log, &d);
        buf_clear(&a.log);
    }
    for (size_t i = 0; i < REQUESTS; i++)
        assert_int_equal(a.questions[i].got, asker_is_head(i) ? 0 : i % 7 * 5000);
    nghttp2_session_del(v.session);
    asker_fini(&a);
}

static void they_agree(void **state)
{
    (void)state;
    talk(100, 65535);
    talk(10, 1 << 20);
    talk(1, 2500);
}

/* ---- rows ---- */

/* What a server says behind its SETTINGS, in the letters of `say`, to a client that has asked a GET, a HEAD
 * and a POST on streams 1, 3 and 5, and what is to be told. */
struct row {
    const char *section, *said, *told;
};

static void add_frame(struct buf *to, enum h2_type type, unsigned flags, uint32_t stream, struct str payload)
{
    h2_frame_put_head(buf_room(to, H2_FRAME_HEAD), payload.n, type, (uint8_t)flags, stream);
    to->n += H2_FRAME_HEAD;
    buf_add(to, payload);
}

/* "TYPE FLAGS STREAM HEX...", one behind the other with ";". */
static void say(const char *text, struct buf *to)
{
    for (struct str rest = str_from(text), one; rest.n;) {
        unsigned type, flags, stream;
        int at = 0;
        char copy[512], payload[256];
        size_t n = 0;
        one = str_trim(str_cut(&rest, ';'));
        snprintf(copy, sizeof(copy), "%.*s", STR_ARG(one));
        assert_int_equal(sscanf(copy, "%u %u %u%n", &type, &flags, &stream, &at), 3);
        for (const char *p = copy + at; *p;) {
            unsigned byte;
            if (*p == ' ') {
                p++;
                continue;
            }
            assert_int_equal(sscanf(p, "%2x", &byte), 1);
            payload[n++] = (char)byte;
            p += 2;
        }
        add_frame(to, (enum h2_type)type, flags, stream, (struct str){ payload, n });
    }
}

/* 88: ":status: 200". 5c01NN: "content-length: " and one digit. 08 03: ":status: " and three. */
static const struct row rows[] = {
    { "8.1 a head that ends the stream", "1 5 1 88", "head 1 200 1 0\n" },
    { "8.1 interim, then final", "1 4 1 0803313033; 1 5 1 88", "head 1 103 0 0\nhead 1 200 1 0\n" },
    { "8.1 an interim head ends nothing", "1 5 1 0803313033", "reset 1 1 1 0\n" },
    { "8.6 no 101", "1 4 1 0803313031", "reset 1 1 1 0\n" },
    { "8.1 trailers", "1 4 1 88; 1 5 1 000178 0179", "head 1 200 0 0\ntrailers 1\nx=y\n" },
    { "8.1 trailers without an end", "1 4 1 88; 1 4 1 000178 0179", "head 1 200 0 0\nreset 1 1 1 0\n" },
    { "8.1 DATA in front of the head", "0 1 1 78", "reset 1 1 1 0\n" },
    { "8.1.1 a body of its length", "1 4 1 88 5c0133; 0 1 1 616263",
      "head 1 200 0 0\nContent-Length=3\nend 1 3\n" },
    { "8.1.1 a shorter one", "1 4 1 88 5c0133; 0 1 1 6162",
      "head 1 200 0 0\nContent-Length=3\nreset 1 1 1 0\n" },
    { "8.1.1 a longer one", "1 4 1 88 5c0131; 0 0 1 6162",
      "head 1 200 0 0\nContent-Length=1\nreset 1 1 1 0\n" },
    { "8.1.1 a length and no body", "1 5 1 88 5c0133", "reset 1 1 1 0\n" },
    { "8.1.1 of HEAD the length is no body's", "1 5 3 88 5c0133", "head 3 200 1 0\nContent-Length=3\n" },
    { "8.1.1 HEAD has no body", "1 4 3 88; 0 1 3 61", "head 3 200 0 0\nreset 3 1 1 0\n" },
    { "8.3.2 no :status", "1 5 1 000178 0179", "reset 1 1 1 0\n" },
    { "8.3.2 a :status of two digits", "1 5 1 08023230", "reset 1 1 1 0\n" },
    { "8.3.2 :status 600", "1 5 1 0803363030", "reset 1 1 1 0\n" },
    { "8.3.2 :status twice", "1 5 1 88 88", "reset 1 1 1 0\n" },
    { "8.3 a pseudo-field of requests", "1 5 1 88 82", "reset 1 1 1 0\n" },
    { "8.2.2 a field of connections", "1 5 1 88 000a636f6e6e656374696f6e 0178", "reset 1 1 1 0\n" },
    { "8.2.1 a name in upper case", "1 5 1 88 000158 0179", "reset 1 1 1 0\n" },
    { "8.7 refused", "3 0 1 00000007", "reset 1 7 0 1\n" },
    { "6.4 reset otherwise", "3 0 1 00000002", "reset 1 2 0 0\n" },
    { "6.4 on an idle stream", "3 0 99 00000002", "failed 1 RST_STREAM on an idle stream\n" },
    { "6.8 those left behind are told", "7 0 0 00000001 00000000", "gone 0\nreset 5 7 0 1\nreset 3 7 0 1\n" },
    { "6.8 the last stream never grows", "7 0 0 00000001 00000000; 7 0 0 00000005 00000000",
      "gone 0\nreset 5 7 0 1\nreset 3 7 0 1\nfailed 1 a GOAWAY that takes an earlier one back\n" },
    { "6.6, 8.4 no push", "5 4 1 00000002 82", "failed 1 a PUSH_PROMISE, which nobody may send here\n" },
    { "6.5.2 a server enables no push", "4 0 0 0002 00000001",
      "failed 1 SETTINGS_ENABLE_PUSH of a server\n" },
    { "5.1.1 an even stream", "1 5 2 88", "failed 1 a stream of a client with an even identifier\n" },
    { "5.1 an idle stream", "1 5 9 88", "failed 1 a stream identifier that is not the highest\n" },
    { "5.1 DATA on an idle stream", "0 1 9 78", "failed 1 DATA on an idle stream\n" },
    { "6.9.1 a window beyond 2^31-1", "8 0 0 7fffffff",
      "failed 3 a connection window of more than 2^31-1\n" },
    { "6.9 no increment", "8 0 5 00000000", "reset 5 1 1 0\n" },
    { "9218 7.1 PRIORITY_UPDATE", "16 0 0 00000001 75", "failed 1 PRIORITY_UPDATE from a server\n" },
    { "4.2 PING of 7 bytes", "6 0 0 00000000000000", "failed 6 a frame too short for its fields\n" },
    { "3.4 the preface is SETTINGS, told before", "6 1 0 0000000000000000", "" },
    { "5.1 late DATA of a stream that we have reset", "1 5 1 88 82; 0 0 1 78", "reset 1 1 1 0\n" },
};

static void rows_are_told(void **state)
{
    static struct asker a;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf in = BUF_INIT;
        say("4 0 0", &in);
        say(rows[i].said, &in);
        asker_init(&a, 131072);
        for (int n = 0; n < 3; n++)
            asker_ask(&a);
        asker_feed(&a, buf_str(&in));
        buf_add_char(&a.log, '\0');
        if (strcmp(a.log.p, rows[i].told) != 0)
            print_message("row: %s\n", rows[i].section);
        assert_string_equal(a.log.p, rows[i].told);
        asker_fini(&a);
        buf_fini(&in);
    }
}

static void the_first_frame_is_settings(void **state)
{
    static struct asker a;
    struct buf in = BUF_INIT;
    (void)state;
    asker_init(&a, 131072);
    say("6 0 0 0000000000000000", &in);
    assert_false(asker_feed(&a, buf_str(&in)));
    assert_false(h2_is_known(a.c));
    asker_fini(&a);
    buf_fini(&in);
}

/* RFC 9113 §6.9.1: what has come opens the connection's window again, and only what was taken a stream's. */
static void a_stream_that_nobody_reads_holds_itself_alone(void **state)
{
    static struct asker a;
    struct buf in = BUF_INIT;
    struct h2_event e;
    struct arena arena;
    char kilobytes[16384];
    size_t got = 0;
    (void)state;
    memset(kilobytes, 'x', sizeof(kilobytes));
    arena_init(&arena, 1024);
    asker_init(&a, 1 << 20);
    a.limits.connection_window = 1 << 20; /* as by itself */
    asker_ask(&a);
    asker_ask(&a);
    asker_ask(&a);
    say("4 0 0; 1 4 1 88; 1 4 5 88", &in);
    for (int i = 0; i < 63; i++)
        add_frame(&in, H2_DATA, 0, 1, (struct str){ kilobytes, sizeof(kilobytes) });
    for (int i = 0; i < 63; i++)
        add_frame(&in, H2_DATA, 0, 5, (struct str){ kilobytes, sizeof(kilobytes) });
    struct str rest = buf_str(&in);
    enum h2_event_kind kind;
    while ((kind = h2_read(a.c, &rest, 0, &arena, &e)) == H2_HEAD || kind == H2_BODY)
        got += kind == H2_BODY ? e.data.n : 0; /* nobody takes it: no h2_consumed */
    assert_int_equal(kind, H2_MORE);
    assert_int_equal(got, 2 * 63 * sizeof(kilobytes));
    /* The next one is beyond the stream's window. */
    buf_clear(&in);
    for (int i = 0; i < 2; i++)
        add_frame(&in, H2_DATA, 0, 1, (struct str){ kilobytes, sizeof(kilobytes) });
    rest = buf_str(&in);
    while ((kind = h2_read(a.c, &rest, 0, &arena, &e)) == H2_BODY)
        continue;
    assert_int_equal(kind, H2_RESET);
    assert_int_equal(e.code, H2_FLOW_CONTROL_ERROR);
    a.questions[0].stream = NULL;
    asker_fini(&a);
    arena_fini(&arena);
    buf_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_agree),
        cmocka_unit_test(rows_are_told),
        cmocka_unit_test(the_first_frame_is_settings),
        cmocka_unit_test(a_stream_that_nobody_reads_holds_itself_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
