/* An object goes through its states once, tells all who watch it, keeps nothing when the last reference goes,
 * and knows what was purged of it. */
#include "cache_world.h"

#include <pthread.h>
#include <sched.h>

/* ---- watches ---- */

struct watcher {
    struct watch watch;
    struct notice notice;
    unsigned told;
    const void *sender;
};

static void told(struct notice *n, const void *sender)
{
    struct watcher *w = CONTAINER_OF(n, struct watcher, notice);
    w->told++;
    w->sender = sender;
}

static void watcher_init(struct watcher *w, const void *owner)
{
    *w = (struct watcher){ .watch = { .owner = owner, .notice = &w->notice }, .notice = { .post = told } };
    link_init(&w->watch.link);
}

static void answer_with(struct object *o, size_t body_bytes)
{
    object_answer(o, &(struct page){ .body_bytes = body_bytes });
}

static void goes_through_its_states(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 5);
    assert_int_equal(object_state(o), OBJECT_NEW);
    assert_int_equal(o->begin, 5);
    assert_false(object_is_done(o));
    assert_null(object_body(o));
    answer_with(o, 100);
    assert_int_equal(object_state(o), OBJECT_HEAD);
    assert_true(o->stored);
    assert_int_equal(o->response->status, 200);
    assert_int_equal(object_length(o), BODY_LENGTH_UNKNOWN);
    struct body *b = object_body(o);
    assert_int_equal(body_length(b), 100);
    object_seal(o, false);
    assert_int_equal(object_state(o), OBJECT_SEALED);
    assert_true(object_is_done(o));
    assert_int_equal(object_length(o), 100);
    /* Compacted: the old blocks stay for whom still reads them. */
    struct body *sealed = object_body(o);
    assert_ptr_not_equal(sealed, b);
    assert_int_equal(body_length(sealed), 100);
    assert_true(body_charged(sealed) < body_charged(b));
    body_unref(b);
    body_unref(sealed);
    object_unref(o);
    assert_int_equal(memory_used(&cache->memory), used_at_first);
}

static void fails_in_any_state(void **state)
{
    (void)state;
    for (int head = 0; head < 2; head++) {
        struct object *o = object_new(cache, 1);
        if (head)
            answer_with(o, 10);
        object_fail(o, REASON_ORIGIN_CLOSED, 502);
        assert_int_equal(object_state(o), OBJECT_FAILED);
        assert_int_equal(o->fail_reason, REASON_ORIGIN_CLOSED);
        assert_int_equal(o->fail_5xx, 2);
        assert_true(object_is_done(o));
        object_unref(o);
        assert_int_equal(memory_used(&cache->memory), used_at_first);
    }
    object_unref(NULL);
}

static void charges_what_is_stored(void **state)
{
    (void)state;
    struct object *stored = object_new(cache, 1), *private = object_new(cache, 1);
    assert_int_equal(memory_used(&cache->memory), used_at_first);
    object_answer(stored, &(struct page){ .name = 7, .lines = "X-A: 1" });
    int64_t cost = memory_used(&cache->memory) - used_at_first;
    assert_int_equal(cost, object_charged(stored) + body_charged(stored->body));
    assert_true(object_charged(stored) >= sizeof(*stored) + response_bytes(stored->response));
    object_answer(private, &(struct page){ .not_stored = true, .body_bytes = 100000 });
    assert_int_equal(memory_used(&cache->memory), used_at_first + cost);
    assert_true(cache->memory.passing_bytes >= 100000);
    object_seal(private, true);
    assert_false(private->has_generated_etag);
    object_unref(private);
    assert_int_equal(cache->memory.passing_bytes, 0);
    object_fail(stored, REASON_ORIGIN_CLOSED, 502);
    object_unref(stored);
    assert_int_equal(memory_used(&cache->memory), used_at_first);
}

/* CACHING.md 6.1: a strong ETag of the sealed body, only when the origin gave no validator. */
static void makes_an_etag(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int status;
        bool make, stored, made;
    } rows[] = {
        { "X: 1", 200, true, true, true },
        { "X: 1", 200, false, true, false },
        { "X: 1", 200, true, false, false },
        { "X: 1", 404, true, true, false },
        { "ETag: \"x\"", 200, true, true, false },
        { "ETag: W/\"x\"", 200, true, true, false },
        { "ETag: nonsense", 200, true, true, true },
        { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", 200, true, true, false },
        { "Last-Modified: nonsense", 200, true, true, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct object *o = object_new(cache, 1);
        object_answer(o, &(struct page){ .lines = rows[i].lines,
                                         .status = rows[i].status,
                                         .not_stored = !rows[i].stored });
        object_seal(o, rows[i].make);
        if (o->has_generated_etag != rows[i].made)
            fail_msg("%s, %d", rows[i].lines, rows[i].status);
        object_unref(o);
    }
    /* Of the bytes alone. */
    static const size_t lengths[] = { 100, 100, 101, 70000, 70000 };
    struct hash128 tags[COUNT_OF(lengths)];
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct object *o = object_new(cache, 1);
        object_answer(o, &(struct page){ .lines = i % 2 ? "X: 1" : "", .body_bytes = lengths[i] });
        object_seal(o, true);
        tags[i] = *response_tag(o->response);
        object_unref(o);
    }
    assert_true(hash128_eq(tags[0], tags[1]));
    assert_true(hash128_eq(tags[3], tags[4]));
    assert_false(hash128_eq(tags[0], tags[2]));
}

/* A 304 confirms the bytes: the successor has the body and the generated ETag. */
static void a_successor_keeps_the_generated_etag(void **state)
{
    (void)state;
    struct object *old = object_new(cache, 1), *next = object_new(cache, 2);
    answer_with(old, 5000);
    object_seal(old, true);
    struct response *r =
        response_new(&cache->memory, &(struct response_plan){ .status = 200, .fields = fields_of("X: 2") });
    struct body *b = object_body(old), *same = b;
    struct verdict v = { .store = true };
    object_set_head(
        next, &(struct object_head){
                  .response = &r, .body = &b, .verdict = &v, .successor_of = old, .fetched_status = 304 });
    object_seal(next, true);
    assert_true(next->has_generated_etag);
    assert_true(hash128_eq(*response_tag(next->response), *response_tag(old->response)));
    assert_ptr_equal(next->body, same);
    assert_true(next->confirmed);
    object_unref(old);
    assert_int_equal(body_length(next->body), 5000);
    object_unref(next);
}

static void sorts_its_names(void **state)
{
    (void)state;
    const uint64_t names[] = { 9ull << 32, 3ull << 32, EPOCH_NAME_BITS, 1ull << 32, 3ull << 32 };
    struct object *o = object_new(cache, 1);
    struct response *r = response_new(
        &cache->memory,
        &(struct response_plan){ .names = names, .names_n = 5, .status = 200, .fields = fields_of("X: 2") });
    struct body *none = NULL;
    struct verdict v = { .store = true };
    object_set_head(o, &(struct object_head){ .response = &r, .body = &none, .verdict = &v });
    struct epoch_names in_order = object_names(o);
    assert_int_equal(in_order.n, 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(epoch_names_at(&in_order, i - 1) <= epoch_names_at(&in_order, i));
    assert_null(object_body(o));
    object_seal(o, true); /* without a body */
    assert_false(o->has_generated_etag);
    assert_int_equal(object_length(o), 0);
    assert_null(object_body(o));
    object_unref(o);
}

static void a_part_knows_the_whole(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    object_answer(o, &(struct page){ .body_bytes = 10, .is_part = true });
    object_set_part(o, (struct part){ 90, 99, 1000 });
    assert_int_equal(object_length(o), 1000);
    object_seal(o, true);
    assert_false(o->has_generated_etag); /* it would be the part's */
    assert_int_equal(object_length(o), 1000);
    object_unref(o);
}

/* ---- telling ---- */

static void tells_all_watches(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    struct watcher one, two;
    int loops[3];
    watcher_init(&one, &loops[0]);
    watcher_init(&two, &loops[1]);
    object_set_fetch(o, NULL, &loops[1]);
    assert_int_equal(object_watch(o, &one.watch, false), OBJECT_WATCHED);
    assert_int_equal(object_watch(o, &two.watch, false), OBJECT_WATCHED);
    assert_int_equal(object_watch(o, &two.watch, false), OBJECT_WATCHED);
    assert_int_equal(object_readers(o), 3);
    assert_ptr_equal(object_watch_of(o, &loops[0]), &one.watch);
    assert_ptr_equal(object_watch_of(o, &loops[1]), &two.watch);
    assert_null(object_watch_of(o, &loops[2]));
    object_tell(o);
    object_tell(o); /* one notice at a time */
    assert_int_equal(one.told, 1);
    assert_int_equal(two.told, 1);
    assert_ptr_equal(one.sender, &loops[1]);
    notice_received(&one.notice);
    answer_with(o, 10);
    assert_int_equal(one.told, 2);
    assert_int_equal(two.told, 1);
    notice_received(&one.notice);
    notice_received(&two.notice);
    object_seal(o, false);
    assert_int_equal(one.told, 3);
    assert_int_equal(two.told, 2);
    /* Who comes now need not wait; who leaves now ends it. */
    struct watcher late;
    watcher_init(&late, &loops[2]);
    assert_int_equal(object_watch(o, &late.watch, false), OBJECT_DONE);
    assert_int_equal(late.watch.readers, 0);
    assert_false(object_unwatch(o, &two.watch));
    assert_true(object_unwatch(o, &two.watch));
    assert_true(object_unwatch(o, &one.watch));
    for (size_t i = 0; i < CACHE_FILLS; i++)
        assert_true(list_is_empty(&cache->fills[i].list));
    assert_int_equal(object_readers(o), 0);
    object_tell(o);
    object_reader_moved(o, &loops[2]);
    assert_null(object_watch_of(o, &loops[0]));
    assert_int_equal(object_slowest(o), UINT64_MAX);
    object_unref(o);
}

static void a_failure_is_told(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    struct watcher w;
    watcher_init(&w, &w);
    assert_int_equal(object_watch(o, &w.watch, true), OBJECT_WATCHED);
    object_fail(o, REASON_CONNECT_FAILED, 502);
    assert_int_equal(w.told, 1);
    assert_true(object_unwatch(o, &w.watch));
    object_unref(o);
}

static void a_closed_one_lets_nobody_else_in(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    struct watcher before, after, own;
    watcher_init(&before, &before);
    watcher_init(&after, &after);
    watcher_init(&own, &own);
    assert_int_equal(object_watch(o, &before.watch, false), OBJECT_WATCHED);
    assert_false(object_is_closed(o));
    object_close(o);
    assert_true(object_is_closed(o));
    assert_int_equal(object_watch(o, &after.watch, false), OBJECT_CLOSED);
    assert_int_equal(object_watch(o, &own.watch, true), OBJECT_WATCHED);
    assert_int_equal(object_readers(o), 2);
    object_unwatch(o, &before.watch);
    object_unwatch(o, &own.watch);
    object_fail(o, REASON_CANCELLED, 502);
    assert_int_equal(object_watch(o, &after.watch, false), OBJECT_DONE);
    object_unref(o);
}

/* A passing body: the fetch hears when the slowest may have moved, and when nobody is left. */
static void readers_tell_the_fetch(void **state)
{
    (void)state;
    struct object *o = object_new(cache, 1);
    struct watcher room, one, two;
    watcher_init(&room, &room);
    watcher_init(&one, &one);
    watcher_init(&two, &two);
    object_set_fetch(o, &room.notice, &room);
    assert_int_equal(object_slowest(o), UINT64_MAX);
    object_watch(o, &one.watch, true);
    object_watch(o, &two.watch, true);
    answer_with(o, 10);
    object_close(o);
    one.watch.slowest = 700;
    two.watch.slowest = 300;
    assert_int_equal(object_slowest(o), 300);
    /* It does not wait: nobody tells it. */
    object_reader_moved(o, &two);
    assert_int_equal(room.told, 0);
    object_set_paused(o, true);
    object_reader_moved(o, &two);
    assert_int_equal(room.told, 1);
    assert_ptr_equal(room.sender, &two);
    notice_received(&room.notice);
    /* One leaves while it waits; the last one leaves when it does not. */
    object_unwatch(o, &two.watch);
    assert_int_equal(room.told, 2);
    assert_int_equal(object_slowest(o), 700);
    notice_received(&room.notice);
    object_set_paused(o, false);
    object_unwatch(o, &one.watch);
    assert_int_equal(room.told, 3);
    notice_received(&room.notice);
    /* A reader that joins a watch that is there stands at the start. */
    object_watch(o, &one.watch, true);
    assert_int_equal(object_slowest(o), 0);
    /* Without a fetch nobody is told. */
    object_set_fetch(o, NULL, NULL);
    object_unwatch(o, &one.watch);
    assert_int_equal(room.told, 3);
    object_fail(o, REASON_CANCELLED, 502);
    object_unref(o);
}

/* ---- purges ---- */

static void knows_what_was_purged(void **state)
{
    (void)state;
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    object_answer(o, &(struct page){ .name = 42 });
    object_seal(o, false);
    struct object_purged p = object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms);
    assert_true(!p.gone && !p.invalidated && p.soft_ms == -1);
    purge(PURGE_HARD, 41);
    uint64_t latest = epochs_latest(cache->epochs);
    p = object_check_purged(o, HERE, latest, now.mono_ms);
    assert_true(!p.gone && p.soft_ms == -1);
    assert_int_equal(object_good_at(o), latest); /* the next look compares one number */
    purge(PURGE_SOFT, 42);
    now.mono_ms += 500;
    p = object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms);
    assert_true(!p.gone && !p.invalidated && p.soft_ms == 500);
    /* Another worker's clock was read before the purge's. */
    assert_int_equal(object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms - 600).soft_ms,
                     0);
    purge(PURGE_INVALIDATE, 42);
    p = object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms);
    assert_true(!p.gone && p.invalidated && p.soft_ms == 500);
    purge(PURGE_HARD, 42);
    assert_true(object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms).gone);
    assert_int_equal(object_good_at(o), latest);
    object_unref(o);
}

static void may_begin_again(void **state)
{
    (void)state;
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    uint64_t n = purge(PURGE_INVALIDATE, 42);
    object_answer(o, &(struct page){ .name = 42 });
    object_begin_again(o, HERE, n);
    assert_false(object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms).invalidated);
    purge(PURGE_INVALIDATE, 42);
    assert_true(object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms).invalidated);
    object_fail(o, REASON_CANCELLED, 502);
    object_unref(o);
}

/* What somebody else purged while it was on its way stays purged. */
static void does_not_begin_again_past_a_purge(void **state)
{
    (void)state;
    struct object *o = object_new(cache, epochs_latest(cache->epochs));
    purge(PURGE_HARD, 42);
    uint64_t n = purge(PURGE_INVALIDATE, 42);
    object_answer(o, &(struct page){ .name = 42 });
    object_begin_again(o, HERE, n);
    assert_true(object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms).gone);
    object_fail(o, REASON_CANCELLED, 502);
    object_unref(o);
}

/* ---- threads ---- */

enum { READERS = 3, ROUNDS = 200, BODY = 60000 };

struct reader {
    struct object *_Atomic *object; /* the current one, a reference for each reader */
    atomic_uint *taken;
    struct watch watch;
    struct notice notice;
    atomic_uint notices;
    pthread_t thread;
    unsigned whole, cut, wrong;
};

static void reader_told(struct notice *n, const void *sender)
{
    (void)sender;
    atomic_fetch_add(&CONTAINER_OF(n, struct reader, notice)->notices, 1);
}

/* Parked like a request: look, and when there is nothing new wait for a notice. */
static void *read_objects(void *ctx)
{
    struct reader *r = ctx;
    for (int round = 0; round < ROUNDS; round++) {
        struct object *o;
        while ((o = atomic_load(&r->object[round])) == NULL)
            sched_yield();
        link_init(&r->watch.link);
        r->watch.readers = 0;
        enum object_watch how = object_watch(o, &r->watch, false);
        uint64_t at = 0;
        for (;;) {
            enum object_state now_state = object_state(o);
            struct body *b = now_state == OBJECT_NEW ? NULL : object_body(o);
            if (b) {
                uint64_t there = body_length(b);
                struct body_cursor c = { NULL };
                while (at < there) {
                    struct iovec iov[4];
                    uint64_t bytes;
                    unsigned n = body_lease(b, &c, at, there, iov, 4, &bytes);
                    for (unsigned i = 0; i < n; i++)
                        r->wrong += ((char *)iov[i].iov_base)[0] != 'b';
                    at += bytes;
                }
                body_unref(b);
            }
            if (now_state == OBJECT_SEALED || now_state == OBJECT_FAILED) {
                r->whole += now_state == OBJECT_SEALED && at == BODY;
                r->cut += now_state == OBJECT_FAILED;
                break;
            }
            while (!atomic_exchange(&r->notices, 0))
                sched_yield();
            notice_received(&r->notice);
        }
        if (how == OBJECT_WATCHED)
            object_unwatch(o, &r->watch);
        /* A notice may still be under way: it is harmless, the mark must go. */
        notice_received(&r->notice);
        atomic_store(&r->notices, 0);
        object_unref(o);
    }
    return NULL;
}

static void is_read_by_others_while_it_is_filled(void **state)
{
    (void)state;
    static struct object *_Atomic objects[ROUNDS];
    static struct reader readers[READERS];
    memset(readers, 0, sizeof(readers));
    for (int i = 0; i < ROUNDS; i++)
        atomic_store(&objects[i], NULL);
    for (int i = 0; i < READERS; i++) {
        readers[i].object = objects;
        readers[i].watch = (struct watch){ .owner = &readers[i], .notice = &readers[i].notice };
        readers[i].notice.post = reader_told;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_objects, &readers[i]), 0);
    }
    char bytes[3000];
    memset(bytes, 'b', sizeof(bytes));
    unsigned sealed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct object *o = object_new(cache, 1);
        for (int i = 0; i < READERS; i++)
            object_ref(o);
        atomic_store(&objects[round], o);
        if (round % 8 == 7) {
            object_fail(o, REASON_CONNECT_FAILED, 502);
            object_unref(o);
            continue;
        }
        struct response *r = response_new(
            &cache->memory, &(struct response_plan){ .status = 200, .fields = fields_of("X: 2") });
        struct body *mine = body_new(&cache->memory, BODY_LENGTH_UNKNOWN), *body = body_ref(mine);
        struct verdict v = { .store = true };
        object_set_head(o, &(struct object_head){ .response = &r, .body = &body, .verdict = &v });
        object_tell(o);
        for (size_t at = 0; at < BODY; at += sizeof(bytes)) {
            body_append(mine, (struct str){ bytes, sizeof(bytes) });
            object_tell(o);
        }
        body_unref(mine);
        object_seal(o, true);
        sealed++;
        object_unref(o);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].whole, sealed);
        assert_int_equal(readers[i].cut, ROUNDS - sealed);
        assert_int_equal(readers[i].wrong, 0);
    }
    assert_int_equal(memory_used(&cache->memory), used_at_first);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(goes_through_its_states),
        T(fails_in_any_state),
        T(charges_what_is_stored),
        T(makes_an_etag),
        T(a_successor_keeps_the_generated_etag),
        T(sorts_its_names),
        T(a_part_knows_the_whole),
        T(tells_all_watches),
        T(a_failure_is_told),
        T(a_closed_one_lets_nobody_else_in),
        T(readers_tell_the_fetch),
        T(knows_what_was_purged),
        T(may_begin_again),
        T(does_not_begin_again_past_a_purge),
        T(is_read_by_others_while_it_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
