/* Codings are made once each, off the threads that read, counted, and taken away before their page; readers
 * meanwhile see all of one or none; what gets no shorter is not tried again. */
#include <pthread.h>

#include "cache/room.h"
#include "coding/decode.h"

#include "coder_world.h"

/* A page that is stored, with room for codings; the caller has a reference. */
static struct object *page(const char *url, size_t bytes, bool text)
{
    struct place place = place_of(url, NULL, NULL);
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    struct response *response = response_new(
        &cache->memory,
        &(struct response_plan){ .status = 200,
                                 .fields = fields_of("ETag: \"x\"\nContent-Type: text/css\nDate: Sun, 06 Nov "
                                                     "1994 08:49:37 GMT\nContent-MD5: a"),
                                 .site = site_of(""),
                                 .received_wall_ms = now.wall_ms,
                                 .declared_length = -1,
                                 .is_codable = true });
    struct body *body = body_new(&cache->memory, bytes);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 60000 } };
    for (size_t i = 0; i < bytes; i++)
        body_append(body, (struct str){ (char[]){ byte_of(i, text) }, 1 });
    index_begin(o, &place, now.mono_ms);
    index_settle(o, &place, NULL);
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = 200 });
    object_seal(o, false);
    assert_true(index_publish(o, &place, 100, now.mono_ms));
    return o;
}

static void wait_idle(void)
{
    struct coder_figures f;
    do {
        usleep(1000);
        coder_figures(coder, &f);
    } while (f.waiting);
}

static void is_coding_of(const struct object *o, enum coding c, const struct coded *coded, bool text)
{
    struct decode *d = decode_new(c, body_length(o->body));
    struct body_cursor cursor = { NULL };
    size_t at = 0;
    for (uint64_t from = 0, bytes; from < body_length(coded->body); from += bytes) {
        struct iovec iov;
        body_lease(coded->body, &cursor, from, body_length(coded->body), &iov, 1, &bytes);
        struct str in = { iov.iov_base, iov.iov_len }, data;
        while (decode_next(d, &in, &data) == DECODE_DATA)
            for (size_t i = 0; i < data.n; i++)
                assert_int_equal(data.p[i], byte_of(at++, text));
    }
    assert_true(decode_is_whole(d));
    assert_int_equal(at, body_length(o->body));
    decode_free(d);
}

static void makes_each_once(void **state)
{
    struct object *o = page("a", 100000, true);
    struct coder_figures f;
    (void)state;
    int64_t before = memory_used(&cache->memory);
    for (int i = 0; i < 3; i++)
        for (enum coding c = CODING_GZIP; c < CODINGS; c++)
            coder_want(coder, o, c, 4, false);
    wait_idle();
    coder_figures(coder, &f);
    for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
        const struct coded *coded = coded_find(o, c);
        assert_non_null(coded);
        assert_int_equal(f.made[c], 1);
        assert_int_equal(coded->level, 4);
        is_coding_of(o, c, coded, true);
        assert_true(str_eq(response_value(coded->response, FIELD_CONTENT_ENCODING), accept_codings[c]));
        assert_true(str_eq(response_value(coded->response, FIELD_VARY), STR("Accept-Encoding")));
        struct fields fields;
        response_fields(coded->response, &arena, &fields, NULL);
        assert_int_equal(fields_index_of(&fields, STR("Content-MD5"), 0), fields.n);
        assert_true(response_etag(coded->response).opaque.n > 3);
    }
    assert_int_equal(cache->coded, 3);
    /* All of it is charged, and weighs. */
    assert_int_equal(memory_used(&cache->memory) - before, coded_charged(o));
    assert_int_equal(evict_weight(cache->evict),
                     object_charged(o) + body_charged(o->body) + coded_charged(o) + 1);
    assert_true((size_t)room_pinned(cache) < 4096);
    /* A better level takes the place of the quick one; who reads that goes on. */
    const struct coded *quick = coded_find(o, CODING_BR);
    coder_want(coder, o, CODING_BR, 11, true);
    wait_idle();
    assert_true(coded_find(o, CODING_BR) != quick && coded_find(o, CODING_BR)->is_best);
    is_coding_of(o, CODING_BR, quick, true);
    is_coding_of(o, CODING_BR, coded_find(o, CODING_BR), true);
    index_withdraw(o);
    object_unref(o);
    assert_int_equal(cache->coded, 0);
    assert_int_equal(cache->coded_bytes, 0);
}

static void leaves_what_gets_no_shorter(void **state)
{
    struct object *o = page("a", 5000, false);
    struct coder_figures f;
    (void)state;
    for (int i = 0; i < 3; i++) {
        coder_want(coder, o, CODING_GZIP, 4, false);
        wait_idle();
    }
    coder_figures(coder, &f);
    assert_int_equal(f.useless, 1);
    assert_null(coded_find(o, CODING_GZIP));
    assert_true(coded_is_useless(o, CODING_GZIP) && !coded_is_useless(o, CODING_BR));
    object_unref(o);
}

static void hold(struct evict_item *i)
{
    object_ref(CONTAINER_OF(i, struct object, evict));
}

/* Codings go before their page, and only when nobody reads them. */
static void goes_first(void **state)
{
    struct object *o = page("a", 50000, true);
    (void)state;
    coder_want(coder, o, CODING_BR, 4, false);
    wait_idle();
    assert_ptr_equal(evict_take(cache->evict, hold), &o->evict);
    assert_false(index_strip(o)); /* this test has a reference too */
    object_unref(o);
    assert_true(index_strip(o));
    assert_null(coded_find(o, CODING_BR));
    assert_int_equal(cache->coded, 0);
    assert_int_equal(evict_weight(cache->evict), object_charged(o) + body_charged(o->body) + 1);
    /* It is still there, and its coding can be made again. */
    coder_want(coder, o, CODING_BR, 4, false);
    wait_idle();
    assert_non_null(coded_find(o, CODING_BR));
    object_unref(o);
}

static void passes_on(void **state)
{
    struct object *old = page("a", 50000, true), *o = page("b", 50000, true);
    (void)state;
    coder_want(coder, old, CODING_BR, 4, false);
    wait_idle();
    /* Another body has nothing of it. */
    coded_inherit(o, old);
    assert_null(coded_find(o, CODING_BR));
    struct body *own = o->body;
    o->body = body_ref(old->body);
    coded_inherit(o, old);
    assert_ptr_equal(coded_find(o, CODING_BR)->body, coded_find(old, CODING_BR)->body);
    body_unref(own);
    object_unref(old);
    object_unref(o);
}

#define READERS 3

static atomic_bool over;

static void *read_on(void *ctx)
{
    struct object *o = ctx;
    while (!atomic_load(&over))
        for (enum coding c = CODING_GZIP; c < CODINGS; c++) {
            const struct coded *coded = coded_find(o, c);
            coder_want(coder, o, c, 1, false);
            if (coded)
                is_coding_of(o, c, coded, true);
            if (coded)
                coder_want(coder, o, c, 9, true);
        }
    return NULL;
}

static void is_read_while_it_comes(void **state)
{
    pthread_t threads[READERS];
    struct object *o = page("a", 20000, true);
    (void)state;
    atomic_store(&over, false);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, o), 0);
    for (bool all = false; !all; usleep(1000)) {
        all = true;
        for (enum coding c = CODING_GZIP; c < CODINGS; c++)
            all &= coded_find(o, c) && coded_find(o, c)->is_best;
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    object_unref(o);
}

/* What waits when it ends is dropped. */
static void ends_with_work_left(void **state)
{
    struct object *o[20];
    char url[8];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(o); i++) {
        snprintf(url, sizeof(url), "p%zu", i);
        o[i] = page(url, 30000, true);
        coder_want(coder, o[i], CODING_BR, 11, i % 2);
    }
    coder_stop(coder);
    coder = coder_start(cache, 1);
    for (size_t i = 0; i < COUNT_OF(o); i++)
        object_unref(o[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(makes_each_once), TEST(leaves_what_gets_no_shorter), TEST(goes_first),
        TEST(passes_on),       TEST(is_read_while_it_comes),      TEST(ends_with_work_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
