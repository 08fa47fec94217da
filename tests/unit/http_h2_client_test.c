/* nghttp2's session as the client: it finds no fault in what we send, and we find none in what it sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/h2_server.h"
#include "h2_peer.h"

#define REQUESTS 400

/* What the client saw of a stream. */
struct seen {
    size_t body_left; /* of the request */
    size_t got;
    bool has_status, closed;
};

struct client {
    nghttp2_session *session;
    struct seen seen[REQUESTS + 1];
    unsigned submitted, finished;
};

static struct seen *seen_of(struct client *c, int32_t id)
{
    assert_true(id > 0 && id / 2 <= REQUESTS);
    return &c->seen[id / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    (void)session;
    (void)flags;
    if (name_n == 7 && value_n == 3 && memcmp(name, ":status", 7) == 0 && memcmp(value, "200", 3) == 0)
        seen_of(user, frame->hd.stream_id)->has_status = true;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user)
{
    (void)session;
    (void)flags;
    (void)p;
    seen_of(user, id)->got += n;
    return 0;
}

/* The server answers with id % 7 * 5000 bytes. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct seen *s = seen_of(user, id);
    (void)session;
    assert_int_equal(code, NGHTTP2_NO_ERROR);
    assert_true(s->has_status && !s->closed && s->body_left == 0);
    assert_int_equal(s->got, id % 7 * 5000);
    s->closed = true;
    ((struct client *)user)->finished++;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)source;
    return peer_read(&seen_of(user, id)->body_left, 'r', p, n, flags);
}

static void submit(struct client *c, struct dice *d)
{
    char path[32], length[32];
    unsigned i = c->submitted++;
    bool has_body = dice_roll(d, 3) == 0;
    size_t bytes = 1 + dice_roll(d, 100000);
    snprintf(path, sizeof(path), "/page/%u", i % 50);
    snprintf(length, sizeof(length), "%zu", bytes);
    const nghttp2_nv nv[] = { NV(":method", has_body ? "POST" : "GET"),
                              NV(":scheme", "https"),
                              NV(":authority", "www.example.org"),
                              NV(":path", path),
                              NV("user-agent", "a client of tests"),
                              NV("cookie", "a=1"),
                              NV("cookie", "b=2"),
                              NV("priority", i % 2 ? "u=1" : "u=5, i"),
                              NV("content-length", length) };
    nghttp2_data_provider provider = { .read_callback = read_body };
    int32_t id = nghttp2_submit_request(c->session, NULL, nv, COUNT_OF(nv) - (has_body ? 0 : 1),
                                        has_body ? &provider : NULL, NULL);
    assert_int_equal(id, 2 * i + 1);
    seen_of(c, id)->body_left = has_body ? bytes : 0;
}

static void client_init(struct client *c, uint32_t window)
{
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window },
                                                { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, window % 4096 } };
    memset(c, 0, sizeof(*c));
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, peer_found_fault);
    assert_int_equal(nghttp2_session_client_new(&c->session, callbacks, c), 0);
    assert_int_equal(nghttp2_submit_settings(c->session, 0, settings, COUNT_OF(settings)), 0);
    nghttp2_session_callbacks_del(callbacks);
}

static bool feed(void *v, struct str piece)
{
    return server_feed(v, piece);
}

static void client_to_server(struct client *c, struct server *v, struct dice *d)
{
    peer_to_us(c->session, feed, v, &v->log, d);
}

static void server_to_client(struct server *v, struct client *c)
{
    server_send(v);
    h2_take(v->c, &v->out);
    us_to_peer(&v->out, c->session);
}

static void talk(uint32_t window)
{
    static struct client c;
    static struct server v;
    struct dice d = { window | 1 };
    client_init(&c, window);
    server_init(&v);
    for (int turns = 0; c.finished < REQUESTS; turns++) {
        assert_true(turns < 100000);
        while (c.submitted < REQUESTS && c.submitted - c.finished < 10)
            submit(&c, &d);
        v.now_ms += 5;
        client_to_server(&c, &v, &d);
        server_to_client(&v, &c);
        buf_clear(&v.log);
    }
    h2_drain(v.c);
    server_to_client(&v, &c); /* GOAWAY and PING */
    client_to_server(&c, &v, &d);
    h2_drain_now(v.c); /* a client without streams does not answer the PING, it leaves */
    server_to_client(&v, &c);
    assert_true(h2_is_over(v.c));
    assert_false(nghttp2_session_want_read(c.session) && nghttp2_session_want_write(c.session));
    nghttp2_session_del(c.session);
    server_fini(&v);
}

static void they_agree(void **state)
{
    (void)state;
    talk(65535);
    talk(1 << 20);
    talk(16384);
}

static void they_agree_with_small_windows(void **state)
{
    (void)state;
    talk(2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_agree),
        cmocka_unit_test(they_agree_with_small_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
