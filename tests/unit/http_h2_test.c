/* An HTTP/2 connection as its caller sees it: events, windows, turns, closing, draining.
 * tests/conformance/h2.txt has the rules of the protocol themselves. */
#include <nghttp2/nghttp2.h>

#include "arena_test.h"
#include "http/h2.h"
#include "http/hpack.h"

static struct h2_limits limits;
static struct h2 *c;
static struct buf in, out;
static size_t in_at; /* what the server has read */

/* ---- the client ---- */

static void add_frame(uint8_t type, uint8_t flags, uint32_t id, struct str payload)
{
    h2_frame_put_head(buf_room(&in, H2_FRAME_HEAD), payload.n, (enum h2_type)type, flags, id);
    in.n += H2_FRAME_HEAD;
    buf_add(&in, payload);
}

static void add_number_frame(uint8_t type, uint32_t id, uint32_t value)
{
    char p[4] = { (char)(value >> 24), (char)(value >> 16 & 0xff), (char)(value >> 8 & 0xff),
                  (char)(value & 0xff) };
    add_frame(type, 0, id, (struct str){ p, 4 });
}

static void add_setting(enum h2_setting setting, uint32_t value)
{
    struct h2_frame_setting s = { setting, value };
    h2_frame_add_settings(&in, &s, 1);
}

/* "name=value&..." behind the four pseudo-fields. */
static void add_request(uint32_t id, bool last, struct str more)
{
    struct buf b = BUF_INIT;
    buf_add(&b, STR("\x82\x87\x84\x41\x01"
                    "a"));
    while (more.p && more.n) {
        struct str value = str_cut(&more, '&'), name = str_cut(&value, '=');
        hpack_add(&b, name, value);
    }
    add_frame(H2_HEADERS, H2_END_HEADERS | (last ? H2_END_STREAM : 0), id, buf_str(&b));
    buf_fini(&b);
}

/* ---- the server ---- */

static enum h2_event_kind next(struct h2_event *e)
{
    struct str rest = str_from_index(buf_str(&in), in_at);
    enum h2_event_kind kind = h2_read(c, &rest, 5000, &arena, e);
    in_at = in.n - rest.n;
    return kind;
}

static struct h2_stream *request(uint32_t id, bool last, struct str more)
{
    struct h2_event e;
    add_request(id, last, more);
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.id, id);
    assert_int_equal(h2_id(e.stream), id);
    return e.stream;
}

static void answer(struct h2_stream *s, bool last)
{
    h2_put_block(c, s, &STR("\x88"), 1, last, &out);
}

/* The body wants to be sent: n bytes in one frame. */
static void send(struct h2_stream *s, size_t n, bool last)
{
    h2_put_data(c, s, n, last, &out);
    memset(buf_room(&out, n), 'b', n);
    out.n += n;
}

/* Looks for a frame; its payload, or p NULL. Forgets what was sent. */
static struct str sent(uint8_t type, uint32_t id)
{
    static char payload[1 << 17];
    struct str found = STR_NONE;
    h2_take(c, &out);
    struct str rest = buf_str(&out);
    while (rest.n) {
        const uint8_t *p = (const uint8_t *)rest.p;
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        if (p[3] == type && p[8] == (id & 0xff) && !found.p) {
            memcpy(payload, p + 9, n);
            found = (struct str){ payload, n };
        }
        rest = str_from_index(rest, 9 + n);
    }
    buf_clear(&out);
    return found;
}

static uint32_t number_of(struct str payload, size_t at)
{
    const uint8_t *p = (const uint8_t *)payload.p + at;
    assert_true(payload.n >= at + 4);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int start(void **state)
{
    limits = h2_limits_default;
    setup(state);
    c = h2_new(&limits);
    in_at = 0;
    buf_add(&in, H2_PREFACE);
    add_frame(H2_SETTINGS, 0, 0, STR_NONE);
    return 0;
}

static int stop(void **state)
{
    h2_free(c);
    buf_fini(&in);
    buf_fini(&out);
    return teardown(state);
}

static void restart(void)
{
    h2_free(c);
    c = h2_new(&limits);
    buf_clear(&in);
    in_at = 0;
    buf_add(&in, H2_PREFACE);
    add_frame(H2_SETTINGS, 0, 0, STR_NONE);
}

/* ---- what comes first ---- */

static void says_its_settings_first(void **state)
{
    (void)state;
    h2_take(c, &out);
    assert_int_equal(out.p[3], H2_SETTINGS);
    assert_int_equal(out.n, 9 + 4 * 6 + 9 + 4); /* without SETTINGS_ENABLE_CONNECT_PROTOCOL */
    struct str update = sent(H2_WINDOW_UPDATE, 0);
    assert_int_equal(number_of(update, 0), limits.connection_window - 65535);
    limits.extended_connect = true;
    restart();
    assert_int_equal(sent(H2_SETTINGS, 0).n, 5 * 6);
}

/* ---- heads ---- */

static void a_head_is_as_of_http1(void **state)
{
    (void)state;
    struct h2_event e;
    add_request(1, false,
                STR("user-agent=x&cookie=a=1&x-own=2&cookie=&cookie=b=2&content-length=5&priority=u=1, i"));
    assert_int_equal(next(&e), H2_HEAD);
    const struct h2_head *h = &e.head;
    assert_int_equal(h->request.method, METHOD_GET);
    assert_true(str_eq(h->request.target, STR("/")) && str_eq(h->authority, STR("a")) &&
                str_eq(h->scheme, STR("https")));
    assert_true(str_eq(fields_value(&h->request.fields, FIELD_COOKIE), STR("a=1; b=2")));
    assert_int_equal(fields_count(&h->request.fields, FIELD_COOKIE), 1);
    assert_int_equal(h->request.fields.n, 5);
    assert_true(str_eq(h->request.fields.v[0].name, STR("User-Agent")) ||
                str_eq(h->request.fields.v[0].name, STR("user-agent")));
    assert_true(str_eq(h->request.fields.v[1].name, STR("Cookie")));
    assert_true(str_eq(h->request.fields.v[2].name, STR("x-own")));
    assert_int_equal(h->framing.kind, FRAMING_LENGTH);
    assert_int_equal(h->framing.length, 5);
    assert_int_equal(h->priority.urgency, 1);
    assert_true(h->priority.incremental && !e.last && h->error == HTTP_ERROR_NONE);
    h2_close(c, &e.stream, H2_CANCEL);
}

static void a_body_without_length_is_as_in_chunks(void **state)
{
    (void)state;
    struct h2_event e;
    add_request(1, false, STR_NONE);
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.head.framing.kind, FRAMING_CHUNKED);
    h2_close(c, &e.stream, H2_CANCEL);
    add_request(3, true, STR_NONE);
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.head.framing.kind, FRAMING_NONE);
    assert_true(e.last && h2_has_ended(e.stream));
    h2_close(c, &e.stream, H2_CANCEL);
}

static void what_http1_refuses_has_its_error(void **state)
{
    (void)state;
    struct h2_event e;
    add_request(1, true, STR("x_forwarded_for=1"));
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.head.error, HTTP_ERROR_FIELD_DISGUISED);
    h2_close(c, &e.stream, H2_CANCEL);
    add_request(3, true, STR("content-type=a&content-type=b"));
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.head.error, HTTP_ERROR_CONTENT_TYPE);
    h2_close(c, &e.stream, H2_CANCEL);
    limits.head.fields_count = 1;
    add_request(5, true, STR("a=1&b=2"));
    assert_int_equal(next(&e), H2_HEAD);
    assert_int_equal(e.head.error, HTTP_ERROR_FIELDS_TOO_MANY);
    h2_close(c, &e.stream, H2_CANCEL);
}

static void without_extended_connect_there_is_no_protocol(void **state)
{
    (void)state;
    struct h2_event e;
    struct buf b = BUF_INIT;
    static const char *const rows[][2] = { { ":method", "CONNECT" },
                                           { ":protocol", "websocket" },
                                           { ":scheme", "https" },
                                           { ":path", "/" },
                                           { ":authority", "a" } };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        hpack_add(&b, str_from(rows[i][0]), str_from(rows[i][1]));
    add_frame(H2_HEADERS, H2_END_HEADERS, 1, buf_str(&b));
    assert_int_equal(next(&e), H2_MORE);
    assert_int_equal(number_of(sent(H2_RST_STREAM, 1), 0), H2_PROTOCOL_ERROR);
    limits.extended_connect = true;
    restart();
    add_frame(H2_HEADERS, H2_END_HEADERS, 1, buf_str(&b));
    assert_int_equal(next(&e), H2_HEAD);
    assert_true(str_eq(e.head.protocol, STR("websocket")) && e.head.request.method == METHOD_CONNECT);
    assert_int_equal(e.head.framing.kind, FRAMING_CHUNKED);
    h2_close(c, &e.stream, H2_CANCEL);
    buf_fini(&b);
}

/* ---- bodies of requests ---- */

static void a_window_opens_when_bytes_are_consumed(void **state)
{
    (void)state;
    static char body[16384];
    struct h2_event e;
    struct h2_stream *s = request(1, false, STR_NONE);
    int owner;
    h2_set_owner(s, &owner);
    for (int i = 0; i < 4; i++)
        add_frame(H2_DATA, 0, 1, (struct str){ body, sizeof(body) });
    for (int i = 0; i < 4; i++) {
        assert_int_equal(next(&e), H2_BODY);
        assert_true(e.stream == s && e.owner == &owner && e.data.n == sizeof(body) && !e.last);
    }
    assert_int_equal(next(&e), H2_MORE);
    assert_null(sent(H2_WINDOW_UPDATE, 1).p);
    h2_consumed(c, s, 30000);
    assert_null(sent(H2_WINDOW_UPDATE, 1).p);
    h2_consumed(c, s, 2768);
    assert_int_equal(number_of(sent(H2_WINDOW_UPDATE, 1), 0), 32768);
    for (int i = 0; i < 3; i++)
        add_frame(H2_DATA, 0, 1, (struct str){ body, sizeof(body) });
    assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(next(&e), H2_RESET); /* more than the window */
    assert_true(e.by_us && e.code == H2_FLOW_CONTROL_ERROR && e.owner == &owner && e.id == 1);
    assert_int_equal(h2_streams(c), 0);
}

/* Until it has our SETTINGS a client may use the first window (RFC 9113 §6.9.2, §6.9.3); what has come then
 * counts in the smaller one, which is negative for a while. */
static void a_smaller_window_holds_once_it_is_known(void **state)
{
    (void)state;
    static char body[16384];
    struct h2_event e;
    limits.stream_window = 1000;
    restart();
    request(1, false, STR_NONE);
    struct h2_stream *other = request(3, false, STR_NONE);
    for (int i = 0; i < 4; i++) /* 65535 */
        add_frame(H2_DATA, 0, 1, (struct str){ body, sizeof(body) - (i == 3) });
    for (int i = 0; i < 4; i++)
        assert_int_equal(next(&e), H2_BODY);
    add_frame(H2_DATA, 0, 3, (struct str){ body, 1001 });
    assert_int_equal(next(&e), H2_BODY);
    add_frame(H2_SETTINGS, H2_ACK, 0, STR_NONE);
    assert_int_equal(next(&e), H2_MORE);
    add_frame(H2_DATA, 0, 1, (struct str){ body, 1 });
    assert_int_equal(next(&e), H2_RESET);
    assert_true(e.by_us && e.code == H2_FLOW_CONTROL_ERROR && e.id == 1);
    /* What is taken opens it by as much. */
    h2_consumed(c, other, 1001);
    assert_int_equal(number_of(sent(H2_WINDOW_UPDATE, 3), 0), 1001);
    add_frame(H2_DATA, 0, 3, (struct str){ body, 1000 });
    assert_int_equal(next(&e), H2_BODY);
    add_frame(H2_DATA, 0, 3, (struct str){ body, 1 });
    assert_int_equal(next(&e), H2_RESET);
    assert_true(e.by_us && e.code == H2_FLOW_CONTROL_ERROR && e.id == 3);
    /* The first window is the most, though ours is not known. */
    restart();
    request(1, false, STR_NONE);
    for (int i = 0; i < 4; i++)
        add_frame(H2_DATA, 0, 1, (struct str){ body, sizeof(body) });
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(next(&e), H2_RESET);
    assert_int_equal(e.code, H2_FLOW_CONTROL_ERROR);
}

static void the_window_of_an_ended_request_stays(void **state)
{
    (void)state;
    static char body[16384];
    struct h2_event e;
    struct h2_stream *s = request(1, false, STR_NONE);
    for (int i = 0; i < 4; i++)
        add_frame(H2_DATA, i == 3 ? H2_END_STREAM : 0, 1, (struct str){ body, sizeof(body) });
    for (int i = 0; i < 4; i++)
        assert_int_equal(next(&e), H2_BODY);
    assert_true(e.last && h2_has_ended(s));
    h2_consumed(c, s, 65536);
    assert_null(sent(H2_WINDOW_UPDATE, 1).p);
    h2_close(c, &s, H2_CANCEL);
}

/* Bytes that nobody consumed come back when their stream is gone. */
static void a_gone_stream_gives_back_the_connections_window(void **state)
{
    (void)state;
    static char body[16384];
    struct h2_event e;
    limits.connection_window = 65535;
    restart();
    for (uint32_t id = 1; id < 41; id += 2) {
        struct h2_stream *s = request(id, false, STR_NONE);
        for (int i = 0; i < 3; i++)
            add_frame(H2_DATA, 0, id, (struct str){ body, sizeof(body) });
        for (int i = 0; i < 3; i++)
            assert_int_equal(next(&e), H2_BODY);
        h2_close(c, &s, H2_CANCEL);
        assert_true(sent(H2_WINDOW_UPDATE, 0).p);
    }
}

static void closing_amid_a_frame_drops_its_rest(void **state)
{
    (void)state;
    struct h2_event e;
    struct h2_stream *s = request(1, false, STR_NONE);
    char head[9];
    h2_frame_put_head(head, 100, H2_DATA, H2_END_STREAM, 1);
    buf_add(&in, (struct str){ head, 9 });
    buf_add(&in, STR("0123456789"));
    assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(e.data.n, 10);
    h2_close(c, &s, H2_CANCEL);
    assert_null(s);
    for (int i = 0; i < 9; i++)
        buf_add(&in, STR("0123456789"));
    assert_int_equal(next(&e), H2_MORE);
    h2_close(c, &(struct h2_stream *){ request(3, true, STR_NONE) }, H2_CANCEL);
}

static void no_more_than_the_connections_window(void **state)
{
    (void)state;
    static char body[16384];
    struct h2_event e;
    limits.connection_window = 65535;
    limits.stream_window = 1 << 20;
    restart();
    struct h2_stream *s = request(1, false, STR_NONE);
    for (int i = 0; i < 4; i++)
        add_frame(H2_DATA, 0, 1, (struct str){ body, sizeof(body) });
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(next(&e), H2_FAILED);
    assert_int_equal(e.code, H2_FLOW_CONTROL_ERROR);
    h2_close(c, &s, H2_CANCEL);
}

/* ---- answers ---- */

static void the_first_block_empties_the_clients_table(void **state)
{
    (void)state;
    struct h2_stream *s = request(1, true, STR_NONE), *t = request(3, true, STR_NONE);
    answer(s, true);
    assert_true(str_eq(sent(H2_HEADERS, 1), STR("\x20\x88")));
    answer(t, true);
    assert_true(str_eq(sent(H2_HEADERS, 3), STR("\x88")));
    h2_close(c, &s, H2_NO_ERROR);
    h2_close(c, &t, H2_NO_ERROR);
    assert_int_equal(h2_waiting(c), 0); /* both sides had ended */
}

static void no_size_of_the_clients_table_changes_a_block(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 0, 1, 100, 4096, 65536, UINT32_MAX, 0 };
    struct h2_event e;
    /* Each size is in force from before the first block on, and from after it. */
    for (size_t first = 0; first < COUNT_OF(sizes); first++) {
        nghttp2_hd_inflater *i;
        assert_int_equal(nghttp2_hd_inflate_new(&i), 0);
        restart();
        for (size_t k = 0; k < COUNT_OF(sizes); k++) {
            uint32_t size = sizes[(first + k) % COUNT_OF(sizes)], id = (uint32_t)(2 * k + 1);
            add_setting(H2_HEADER_TABLE_SIZE, size);
            assert_int_equal(next(&e), H2_MORE);
            assert_int_equal(nghttp2_hd_inflate_change_table_size(i, size), 0);
            struct h2_stream *s = request(id, true, STR_NONE);
            answer(s, true);
            struct str block = sent(H2_HEADERS, id);
            assert_true(str_eq(block, k == 0 ? STR("\x20\x88") : STR("\x88")));
            for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
                nghttp2_nv nv;
                ssize_t n = nghttp2_hd_inflate_hd2(i, &nv, &flags, (const uint8_t *)block.p, block.n, 1);
                assert_true(n >= 0);
                block = str_from_index(block, (size_t)n);
            }
            nghttp2_hd_inflate_end_headers(i);
            assert_int_equal(nghttp2_hd_inflate_get_dynamic_table_size(i), 0);
            h2_close(c, &s, H2_NO_ERROR);
        }
        nghttp2_hd_inflate_del(i);
    }
}

/* Who stands before nobody sends at once, within the windows; who would stand behind another does not. */
static void sends_at_once_when_nobody_waits(void **state)
{
    (void)state;
    struct h2_event e;
    add_setting(H2_INITIAL_WINDOW_SIZE, 20000);
    struct h2_stream *s = request(1, true, STR_NONE), *other = request(3, true, STR_NONE);
    answer(s, false);
    answer(other, false);
    assert_int_equal(h2_may_put(c, s), 16384);
    send(s, 16384, false);
    assert_int_equal(h2_may_put(c, s), 20000 - 16384);
    h2_want(c, s, true);
    assert_int_equal(h2_may_put(c, other), 0);
    add_number_frame(H2_RST_STREAM, 1, H2_CANCEL); /* one that waits is gone */
    assert_int_equal(next(&e), H2_RESET);
    assert_int_equal(h2_may_put(c, other), 16384);
    send(other, 16384, false);
    send(other, 20000 - 16384, false);
    assert_int_equal(h2_may_put(c, other), 0);
    h2_want(c, other, true); /* by its window: it waits for itself alone */
    s = request(5, true, STR_NONE);
    answer(s, false);
    assert_int_equal(h2_may_put(c, s), 16384);
    add_number_frame(H2_WINDOW_UPDATE, 3, 1);
    assert_int_equal(next(&e), H2_MORE);
    assert_int_equal(h2_may_put(c, s), 0);
    h2_close(c, &other, H2_CANCEL);
    assert_int_equal(h2_may_put(c, s), 16384);
    h2_close(c, &s, H2_CANCEL);
}

static void a_long_block_goes_in_frames(void **state)
{
    (void)state;
    struct h2_event e;
    static char value[40000];
    struct h2_stream *s = request(1, true, STR_NONE);
    const struct str pieces[] = { STR("\x88"), STR(""), { value, sizeof(value) }, STR("end") };
    h2_put_block(c, s, pieces, COUNT_OF(pieces), true, &out);
    h2_take(c, &out);
    assert_true(out.p[out.n - 1] == 'd');
    assert_int_equal(sent(H2_HEADERS, 1).n, 16384);
    add_setting(H2_MAX_FRAME_SIZE, 30000);
    assert_int_equal(next(&e), H2_MORE);
    h2_close(c, &s, H2_NO_ERROR);
    s = request(3, true, STR_NONE);
    h2_put_block(c, s, pieces, COUNT_OF(pieces), true, &out);
    assert_int_equal(sent(H2_CONTINUATION, 3).n, 40004 - 30000);
    h2_close(c, &s, H2_NO_ERROR);
}

static void windows_bound_what_is_sent(void **state)
{
    (void)state;
    struct h2_event e;
    size_t n;
    add_setting(H2_INITIAL_WINDOW_SIZE, 20000);
    struct h2_stream *s = request(1, true, STR_NONE);
    answer(s, false);
    assert_null(h2_next(c, &n)); /* it does not want to */
    h2_want(c, s, true);
    assert_ptr_equal(h2_next(c, &n), s);
    assert_int_equal(n, 16384);
    send(s, n, false);
    assert_ptr_equal(h2_next(c, &n), s);
    assert_int_equal(n, 20000 - 16384);
    assert_false(h2_is_blocked(c, s));
    send(s, n, false);
    assert_null(h2_next(c, &n));
    assert_true(h2_is_blocked(c, s));
    add_number_frame(H2_WINDOW_UPDATE, 1, 100000);
    assert_int_equal(next(&e), H2_MORE);
    while (h2_next(c, &n))
        send(s, n, false);
    assert_true(h2_is_blocked(c, s)); /* by the connection's window, 65535 */
    add_number_frame(H2_WINDOW_UPDATE, 0, 5000);
    assert_int_equal(next(&e), H2_MORE);
    assert_ptr_equal(h2_next(c, &n), s);
    assert_int_equal(n, 5000);
    h2_want(c, s, false);
    assert_null(h2_next(c, &n));
    send(s, 0, true); /* the end needs no window */
    h2_close(c, &s, H2_NO_ERROR);
    assert_null(sent(H2_RST_STREAM, 1).p);
}

static void turns_go_by_priority(void **state)
{
    (void)state;
    struct h2_event e;
    size_t n;
    struct h2_stream *low = request(1, true, STR("priority=u=5")),
                     *high = request(3, true, STR("priority=u=1"));
    add_frame(H2_PRIORITY_UPDATE, 0, 0,
              STR("\0\0\0\5u=0")); /* before its stream; counts more than the field */
    struct h2_stream *early = request(5, true, STR("priority=u=7"));
    assert_int_equal(h2_priority(early).urgency, 0);
    struct h2_stream *all[] = { low, high, early };
    for (int i = 0; i < 3; i++) {
        answer(all[i], false);
        h2_want(c, all[i], true);
    }
    assert_ptr_equal(h2_next(c, &n), early);
    send(early, 1, true);
    assert_ptr_equal(h2_next(c, &n), high);
    h2_set_priority(c, high, (struct priority){ .urgency = 6 });
    assert_ptr_equal(h2_next(c, &n), low);
    add_frame(H2_PRIORITY_UPDATE, 0, 0, STR("\0\0\0\1u=7"));
    assert_int_equal(next(&e), H2_MORE);
    assert_ptr_equal(h2_next(c, &n), high);
    for (int i = 0; i < 3; i++)
        h2_close(c, &all[i], H2_CANCEL);
}

/* ---- closing ---- */

static void closing_says_what_has_not_ended(void **state)
{
    (void)state;
    struct h2_stream *s = request(1, false, STR_NONE);
    answer(s, true);
    h2_close(c, &s, H2_CANCEL); /* the answer is whole, the request is not wanted any more (RFC 9113 §8.1) */
    assert_int_equal(number_of(sent(H2_RST_STREAM, 1), 0), H2_NO_ERROR);
    s = request(3, true, STR_NONE);
    h2_close(c, &s, H2_INTERNAL_ERROR);
    assert_int_equal(number_of(sent(H2_RST_STREAM, 3), 0), H2_INTERNAL_ERROR);
}

static void a_reset_is_told_and_ends_the_stream(void **state)
{
    (void)state;
    struct h2_event e;
    int owner;
    h2_set_owner(request(1, true, STR_NONE), &owner);
    add_number_frame(H2_RST_STREAM, 1, H2_CANCEL);
    assert_int_equal(next(&e), H2_RESET);
    assert_true(e.owner == &owner && e.id == 1 && e.code == H2_CANCEL && !e.by_us && !e.stream);
    assert_int_equal(h2_streams(c), 0);
    assert_null(sent(H2_RST_STREAM, 1).p);
}

/* A client may open as many again as soon as answers are whole, before the caller has closed them. */
static void whole_answers_do_not_count_as_open(void **state)
{
    (void)state;
    struct h2_event e;
    struct h2_stream *s[4];
    limits.streams = 2;
    restart();
    for (uint32_t i = 0; i < 4; i++) {
        s[i] = request(2 * i + 1, true, STR_NONE);
        answer(s[i], true);
    }
    add_request(9, true, STR_NONE); /* but there is an end */
    assert_int_equal(next(&e), H2_MORE);
    assert_int_equal(number_of(sent(H2_RST_STREAM, 9), 0), H2_REFUSED_STREAM);
    for (int i = 0; i < 4; i++)
        h2_close(c, &s[i], H2_NO_ERROR);
    h2_close(c, &(struct h2_stream *){ request(11, true, STR_NONE) }, H2_CANCEL);
}

/* Both sides have ended, and the caller has not closed it yet. */
static void a_held_stream_is_closed_to_the_client(void **state)
{
    (void)state;
    struct h2_event e;
    for (int i = 0; i < 2; i++) {
        restart();
        struct h2_stream *s = request(1, true, STR_NONE);
        answer(s, true);
        add_number_frame(H2_WINDOW_UPDATE, 1, 5000);
        add_number_frame(H2_RST_STREAM, 1, H2_CANCEL);
        assert_int_equal(next(&e), H2_MORE);
        if (i == 0)
            add_frame(H2_DATA, H2_END_STREAM, 1, STR("x"));
        else
            add_request(1, true, STR_NONE);
        assert_int_equal(next(&e), H2_FAILED);
        assert_int_equal(e.code, H2_STREAM_CLOSED);
        h2_close(c, &s, H2_NO_ERROR);
    }
}

/* Of streams that we reset, 256 identifiers are remembered. */
static void what_was_reset_long_ago_is_closed(void **state)
{
    (void)state;
    struct h2_event e;
    h2_close(c, &(struct h2_stream *){ request(1, false, STR_NONE) }, H2_CANCEL);
    h2_close(c, &(struct h2_stream *){ request(511, true, STR_NONE) }, H2_CANCEL);
    add_frame(H2_DATA, 0, 1, STR("x"));
    assert_int_equal(next(&e), H2_MORE);
    h2_close(c, &(struct h2_stream *){ request(513, true, STR_NONE) }, H2_CANCEL);
    add_frame(H2_DATA, 0, 1, STR("x"));
    assert_int_equal(next(&e), H2_FAILED);
    assert_int_equal(e.code, H2_STREAM_CLOSED);

    restart();
    h2_close(c, &(struct h2_stream *){ request(1, false, STR_NONE) }, H2_CANCEL);
    struct h2_stream *s = request(513, true, STR_NONE); /* in its place */
    answer(s, true);
    h2_close(c, &s, H2_NO_ERROR);
    add_frame(H2_DATA, 0, 513, STR("x"));
    assert_int_equal(next(&e), H2_FAILED);
    assert_int_equal(e.code, H2_STREAM_CLOSED);
}

static void trailers_have_the_limits_of_heads(void **state)
{
    (void)state;
    struct h2_event e;
    struct buf b = BUF_INIT;
    request(1, false, STR_NONE);
    for (int i = 0; i < 200; i++)
        hpack_add(&b, STR("x"), STR("y"));
    add_frame(H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, buf_str(&b));
    assert_int_equal(next(&e), H2_RESET);
    assert_true(e.by_us && e.code == H2_PROTOCOL_ERROR);
    buf_fini(&b);
}

static void trailers_are_told(void **state)
{
    (void)state;
    struct h2_event e;
    struct buf b = BUF_INIT;
    struct h2_stream *s = request(1, false, STR_NONE);
    hpack_add(&b, STR("x-sum"), STR("1"));
    add_frame(H2_DATA, 0, 1, STR("abc"));
    add_frame(H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, buf_str(&b));
    assert_int_equal(next(&e), H2_BODY);
    assert_int_equal(next(&e), H2_TRAILERS);
    assert_true(e.stream == s && e.last && e.fields.n == 1 && h2_has_ended(s));
    assert_true(str_eq(e.fields.v[0].name, STR("x-sum")) && str_eq(e.fields.v[0].value, STR("1")));
    h2_close(c, &s, H2_CANCEL);
    buf_fini(&b);
}

/* ---- the end ---- */

static void drains_in_two_steps(void **state)
{
    (void)state;
    struct h2_event e;
    struct h2_stream *s = request(1, true, STR_NONE);
    h2_drain(c);
    h2_drain(c);
    h2_take(c, &out);
    assert_int_equal(number_of(sent(H2_GOAWAY, 0), 0), 0x7fffffff);
    struct h2_stream *late = request(3, true, STR_NONE); /* was on its way */
    add_frame(H2_PING, H2_ACK, 0, STR("freshet\0"));
    assert_int_equal(next(&e), H2_MORE);
    struct str goaway = sent(H2_GOAWAY, 0);
    assert_int_equal(number_of(goaway, 0), 3);
    assert_int_equal(number_of(goaway, 4), H2_NO_ERROR);
    add_request(5, false, STR_NONE); /* too late: ignored, with what follows */
    add_frame(H2_DATA, H2_END_STREAM, 5, STR("x"));
    assert_int_equal(next(&e), H2_MORE);
    assert_false(h2_is_over(c));
    answer(s, true);
    h2_close(c, &s, H2_NO_ERROR);
    answer(late, true);
    h2_close(c, &late, H2_NO_ERROR);
    assert_true(h2_is_over(c));
    assert_null(sent(H2_RST_STREAM, 5).p);
}

static void drains_at_once_when_the_client_is_silent(void **state)
{
    (void)state;
    h2_close(c, &(struct h2_stream *){ request(1, true, STR_NONE) }, H2_CANCEL);
    h2_drain(c);
    h2_take(c, &out);
    buf_clear(&out);
    h2_drain_now(c);
    h2_drain_now(c);
    assert_int_equal(number_of(sent(H2_GOAWAY, 0), 0), 1);
    assert_true(h2_is_over(c));
}

static void fails_once_and_for_good(void **state)
{
    (void)state;
    struct h2_event e;
    size_t n;
    struct h2_stream *s = request(1, true, STR_NONE);
    answer(s, false);
    h2_want(c, s, true);
    h2_fail(c, H2_ENHANCE_YOUR_CALM, "too slow");
    h2_fail(c, H2_INTERNAL_ERROR, "later");
    assert_null(h2_next(c, &n));
    add_request(3, true, STR_NONE);
    assert_int_equal(next(&e), H2_FAILED);
    assert_true(e.code == H2_ENHANCE_YOUR_CALM && strcmp(e.text, "too slow") == 0);
    h2_close(c, &s, H2_CANCEL); /* no RST_STREAM behind GOAWAY */
    assert_true(h2_is_over(c));
    h2_take(c, &out);
    assert_true(str_ends(buf_str(&out), STR("too slow")));
    assert_int_equal(number_of(sent(H2_GOAWAY, 0), 4), H2_ENHANCE_YOUR_CALM);
}

static void answers_that_nobody_reads_end_it(void **state)
{
    (void)state;
    struct h2_event e;
    limits.out_bytes = 200;
    restart();
    for (int i = 0; i < 20; i++)
        add_frame(H2_PING, 0, 0, STR("12345678"));
    assert_int_equal(next(&e), H2_FAILED);
    assert_int_equal(e.code, H2_ENHANCE_YOUR_CALM);
    assert_true(h2_waiting(c) < 200);
}

/* CVE-2023-44487: so many streams begin, then no more. */
static void rapid_resets_begin_few_requests(void **state)
{
    (void)state;
    struct h2_event e;
    unsigned begun = 0;
    struct h2_stream *last = NULL;
    enum h2_event_kind kind = H2_MORE;
    for (uint32_t id = 1; id < 2001; id += 2) {
        add_request(id, true, STR_NONE);
        add_number_frame(H2_RST_STREAM, id, H2_CANCEL);
    }
    while ((kind = next(&e)) != H2_FAILED) {
        assert_true(kind == H2_HEAD || kind == H2_RESET);
        begun += kind == H2_HEAD;
        last = e.stream ? e.stream : last;
    }
    assert_int_equal(e.code, H2_ENHANCE_YOUR_CALM);
    assert_true(begun <= 201);
    assert_int_equal(h2_streams(c), 1); /* the one whose reset was one too many */
    h2_close(c, &last, H2_CANCEL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_its_settings_first),
        TEST(a_head_is_as_of_http1),
        TEST(a_body_without_length_is_as_in_chunks),
        TEST(what_http1_refuses_has_its_error),
        TEST(without_extended_connect_there_is_no_protocol),
        TEST(a_window_opens_when_bytes_are_consumed),
        TEST(a_smaller_window_holds_once_it_is_known),
        TEST(the_window_of_an_ended_request_stays),
        TEST(a_gone_stream_gives_back_the_connections_window),
        TEST(closing_amid_a_frame_drops_its_rest),
        TEST(no_more_than_the_connections_window),
        TEST(the_first_block_empties_the_clients_table),
        TEST(no_size_of_the_clients_table_changes_a_block),
        TEST(sends_at_once_when_nobody_waits),
        TEST(a_long_block_goes_in_frames),
        TEST(windows_bound_what_is_sent),
        TEST(turns_go_by_priority),
        TEST(closing_says_what_has_not_ended),
        TEST(a_reset_is_told_and_ends_the_stream),
        TEST(whole_answers_do_not_count_as_open),
        TEST(a_held_stream_is_closed_to_the_client),
        TEST(what_was_reset_long_ago_is_closed),
        TEST(trailers_have_the_limits_of_heads),
        TEST(trailers_are_told),
        TEST(drains_in_two_steps),
        TEST(drains_at_once_when_the_client_is_silent),
        TEST(fails_once_and_for_good),
        TEST(answers_that_nobody_reads_end_it),
        TEST(rapid_resets_begin_few_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
