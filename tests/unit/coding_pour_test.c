/* What comes is encoded as it comes: readers have all of it whenever no more is at hand; its end is that of
 * the page, whole or cut; what was made becomes the stored coding, in the bytes of its level when the length
 * was known. */
#include "coding/decode.h"
#include "coding/pour.h"

#include "coder_world.h"

#define LEVEL 4

static void nobody_told(struct notice *n, const void *sender)
{
    (void)sender;
    notice_received(n);
}
static struct notice fetchs = { .post = nobody_told };

struct coming {
    struct place place;
    struct object *o;
    struct body *body;
    size_t bytes;
};

/* A page whose fetch has its head. */
static struct coming coming_begins(const char *url, uint64_t length)
{
    struct coming p = { .place = place_of(url, NULL, NULL),
                        .o = object_new(cache, epochs_latest(cache->epochs)) };
    struct response *response = response_new(
        &cache->memory, &(struct response_plan){ .status = 200,
                                                 .fields = fields_of("ETag: \"x\"\nContent-Type: text/css"),
                                                 .site = site_of(""),
                                                 .received_wall_ms = now.wall_ms,
                                                 .declared_length = -1,
                                                 .is_codable = true });
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
    p.body = body_new(&cache->memory, length);
    struct body *body = body_ref(p.body);
    index_begin(p.o, &p.place, now.mono_ms);
    index_settle(p.o, &p.place, NULL);
    object_set_fetch(p.o, &fetchs, &fetchs);
    object_set_head(p.o, &(struct object_head){ .response = &response,
                                                .body = &body,
                                                .verdict = &v,
                                                .received_mono_ms = now.mono_ms,
                                                .fetched_status = 200 });
    return p;
}

static bool pour(const struct coming *p, enum coding c)
{
    return pour_begin(coder_pours(coder), &(struct pour_plan){ .from = p->o,
                                                               .body = p->body,
                                                               .coding = c,
                                                               .level = LEVEL,
                                                               .least = 100,
                                                               .most = 1 << 20,
                                                               .window_bytes = 65536 });
}

static void add(struct coming *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        body_append(p->body, (struct str){ (char[]){ byte_of(p->bytes++, true) }, 1 });
    object_tell(p->o);
}

static void whole(struct coming *p)
{
    object_seal(p->o, false);
    assert_true(index_publish(p->o, &p->place, 100, now.mono_ms));
}

static void ends(struct coming *p)
{
    object_set_fetch(p->o, NULL, NULL);
    body_unref(p->body);
    object_unref(p->o);
}

static void wait_idle(void)
{
    while (pours_now(coder_pours(coder)) > 0)
        usleep(1000);
}

/* What a visitor makes of it. */
struct reading {
    struct object *of;
    struct body *body;
    struct decode *decode;
    struct body_cursor cursor;
    uint64_t from;
    size_t at;
};

static struct reading reading_of(const struct coming *p, enum coding c)
{
    struct reading r = { .of = object_pour(p->o, c), .decode = decode_new(c, UINT64_MAX) };
    assert_non_null(r.of);
    assert_int_equal(object_state(r.of), OBJECT_HEAD);
    r.body = object_body(r.of);
    return r;
}

static void read_on(struct reading *r)
{
    for (uint64_t to = body_length(r->body), bytes; r->from < to; r->from += bytes) {
        struct iovec iov;
        body_lease(r->body, &r->cursor, r->from, to, &iov, 1, &bytes);
        struct str in = { iov.iov_base, iov.iov_len }, data;
        while (decode_next(r->decode, &in, &data) == DECODE_DATA)
            for (size_t i = 0; i < data.n; i++)
                assert_int_equal(data.p[i], byte_of(r->at++, true));
    }
}

/* Waits until it has so much of the page. */
static void read_until(struct reading *r, size_t at)
{
    while (r->at < at) {
        read_on(r);
        usleep(r->at < at ? 500 : 0);
    }
    assert_int_equal(r->at, at);
}

static void reading_ends(struct reading *r, bool is_whole)
{
    while (!object_is_done(r->of))
        usleep(500);
    assert_int_equal(object_state(r->of), is_whole ? OBJECT_SEALED : OBJECT_FAILED);
    read_on(r);
    assert_int_equal(decode_is_whole(r->decode), is_whole);
    decode_free(r->decode);
    body_unref(r->body);
    object_unref(r->of);
}

static void has_all_that_is_there(void **state)
{
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        struct coming p = coming_begins("a", BODY_LENGTH_UNKNOWN);
        assert_true(pour(&p, c));
        assert_int_equal(object_pours(p.o), 1u << c);
        struct reading r = reading_of(&p, c), other = reading_of(&p, c);
        assert_true(str_eq(response_value(r.of->response, FIELD_CONTENT_ENCODING), accept_codings[c]));
        assert_true(response_etag(r.of->response).weak);
        for (size_t i = 1; i < 200000; i = i * 3 + 7) {
            add(&p, i);
            read_until(&r, p.bytes);
        }
        whole(&p);
        reading_ends(&r, true);
        assert_int_equal(object_pours(p.o), 0);
        /* Who sees the end sees the stored one. */
        const struct coded *coded = coded_find(p.o, c);
        assert_non_null(coded);
        assert_int_equal(coded->level, LEVEL);
        assert_true(response_etag(coded->response).weak);
        assert_int_equal(body_length(coded->body), body_length(other.body));
        reading_ends(&other, true);
        wait_idle();
        ends(&p);
    }
}

/* When its end was known before it began: like those of who makes it of the whole page, and so is its ETag.
 * At the ends of an encoder's blocks, too. */
static void has_the_bytes_of_its_level(void **state)
{
    (void)state;
    static const size_t lengths[] = { 300, 65536, 70000, 131072, 262144 };
    for (unsigned i = 0; i < 3 * COUNT_OF(lengths); i++) {
        enum coding c = (enum coding)(CODING_GZIP + i % 3);
        size_t length = lengths[i / 3];
        struct coming p = coming_begins("b", length), q = coming_begins("c", length);
        add(&q, length);
        whole(&q);
        coder_want(coder, q.o, c, LEVEL, false);
        add(&p, length);
        assert_true(pour(&p, c));
        whole(&p);
        object_tell(p.o);
        wait_idle();
        struct coder_figures f;
        do {
            usleep(500);
            coder_figures(coder, &f);
        } while (f.waiting);
        const struct coded *one = coded_find(p.o, c), *other = coded_find(q.o, c);
        assert_non_null(one);
        assert_non_null(other);
        struct body_cursor a = { NULL }, b = { NULL };
        struct iovec x, y;
        uint64_t n, m;
        assert_int_equal(body_length(one->body), body_length(other->body));
        body_lease(one->body, &a, 0, body_length(one->body), &x, 1, &n);
        body_lease(other->body, &b, 0, body_length(other->body), &y, 1, &m);
        assert_memory_equal(x.iov_base, y.iov_base, n < m ? n : m);
        assert_false(response_etag(one->response).weak); /* its first turn comes with the end */
        assert_true(
            str_eq(response_value(one->response, FIELD_ETAG), response_value(other->response, FIELD_ETAG)));
        ends(&p);
        ends(&q);
    }
}

static void is_cut_with_its_page(void **state)
{
    (void)state;
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        struct coming p = coming_begins("d", BODY_LENGTH_UNKNOWN);
        assert_true(pour(&p, c));
        struct reading r = reading_of(&p, c);
        add(&p, 5000);
        read_until(&r, 5000);
        index_withdraw(p.o);
        object_fail(p.o, REASON_ORIGIN_CLOSED, 502);
        while (!object_is_done(r.of))
            usleep(500);
        assert_int_equal(r.of->fail_reason, REASON_ORIGIN_CLOSED);
        reading_ends(&r, false);
        assert_null(coded_find(p.o, c));
        wait_idle();
        ends(&p);
    }
}

/* What is too short, or gets no shorter, is not stored; nobody reads the short one, so nobody makes it. */
static void keeps_what_pays(void **state)
{
    struct coming p = coming_begins("e", BODY_LENGTH_UNKNOWN), q = coming_begins("f", BODY_LENGTH_UNKNOWN);
    uint64_t x = 1;
    (void)state;
    assert_true(pour(&p, CODING_BR));
    struct object *of = object_pour(p.o, CODING_BR);
    whole(&p);
    while (!object_is_done(of))
        usleep(500);
    assert_int_equal(object_state(of), OBJECT_FAILED);
    object_unref(of);
    ends(&p);
    assert_true(pour(&q, CODING_BR));
    for (int i = 0; i < 5000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        body_append(q.body, (struct str){ (char[]){ (char)(x >> 56) }, 1 });
    }
    object_tell(q.o);
    whole(&q);
    wait_idle();
    assert_true(coded_is_useless(q.o, CODING_BR));
    ends(&q);
}

/* More than so many at a time are refused, and what is under way at the end is cut. */
static void are_not_too_many(void **state)
{
    struct coming p[POURS_MOST + 1];
    char url[16];
    (void)state;
    for (size_t i = 0; i <= POURS_MOST; i++) {
        snprintf(url, sizeof(url), "g%zu", i);
        p[i] = coming_begins(url, BODY_LENGTH_UNKNOWN);
        assert_int_equal(pour(&p[i], CODING_GZIP), i < POURS_MOST);
    }
    assert_int_equal(pours_now(coder_pours(coder)), POURS_MOST);
    for (size_t i = 0; i <= POURS_MOST; i++) {
        index_withdraw(p[i].o);
        object_fail(p[i].o, REASON_ORIGIN_CLOSED, 502);
        ends(&p[i]);
    }
    wait_idle();
    struct coming left = coming_begins("h", BODY_LENGTH_UNKNOWN);
    assert_true(pour(&left, CODING_GZIP));
    struct reading r = reading_of(&left, CODING_GZIP);
    add(&left, 1000);
    read_until(&r, 1000);
    coder_stop(coder);
    coder = NULL;
    reading_ends(&r, false);
    index_withdraw(left.o);
    object_fail(left.o, REASON_ORIGIN_CLOSED, 502);
    ends(&left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(has_all_that_is_there, begin, end),
        cmocka_unit_test_setup_teardown(has_the_bytes_of_its_level, begin, end),
        cmocka_unit_test_setup_teardown(is_cut_with_its_page, begin, end),
        cmocka_unit_test_setup_teardown(keeps_what_pays, begin, end),
        cmocka_unit_test_setup_teardown(are_not_too_many, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
