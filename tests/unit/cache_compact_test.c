/* Pages that move together stay what they are: found, whole, purgeable, evictable, and where a reader sees
 * them nothing moves. When pages of one size follow those of another, memory is found again and what is asked
 * for stays. */
#include <pthread.h>

#include "cache_world.h"

#include "cache/family.h"
#include "cache/room.h"

static const struct page minute = { .lifetime_ms = 60000 };

static void whole_rounds(unsigned n)
{
    for (unsigned i = 0; i < n;) {
        uint32_t shard = cache->compaction.shard;
        index_compact(cache);
        i += cache->compaction.shard < shard;
    }
}

static struct place variant_of(const char *url, unsigned i)
{
    struct place p = place_of(url, NULL, NULL);
    p.variant = arena_printf(&arena, "v%u", i);
    place_hash(cache, &p);
    return p;
}

static void store_variant(const char *url, unsigned i, const struct page *page)
{
    struct look l = look_of(url);
    l.place = variant_of(url, i);
    struct found f = look_as(&l, OUTCOME_MISS);
    assert_true(object_store(f.busy, &l.place, page));
    f.busy = NULL;
    found_drop(&f);
}

/* A chain of so many bytes, or a whole body; each byte 'b'. */
static void assert_body(const struct object *o, uint64_t bytes)
{
    struct body_cursor cursor = { NULL };
    assert_int_equal(body_length(o->body), bytes);
    for (uint64_t at = 0, n; at < bytes; at += n) {
        struct iovec iov;
        assert_int_equal(body_lease(o->body, &cursor, at, bytes, &iov, 1, &n), 1);
        for (uint64_t i = 0; i<n; i += n> 64 ? n / 64 : 1)
            assert_int_equal(((const char *)iov.iov_base)[i], 'b');
    }
}

static const size_t sizes[] = { 0, 1, 300, 4000, 4100, 6000, 100000, 1500000 };

enum { PAGES = 400, VARIANTS = 100 };

static size_t size_of(unsigned i)
{
    return sizes[i % COUNT_OF(sizes) < 6 || i < 40 ? i % COUNT_OF(sizes) : 2];
}

static void store_all(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        store(arena_printf(&arena, "/%u", i).p,
              &(struct page){ .body_bytes = size_of(i), .name = 1 + i % 7, .lines = "X-Line: value" });
    for (unsigned i = 0; i < VARIANTS; i++)
        store_variant("/many", i, &(struct page){ .body_bytes = size_of(i), .name = 50 });
    for (unsigned i = 0; i < 3; i++)
        store_variant("/few", i, &(struct page){ .body_bytes = 300, .name = 50 });
}

static bool has_name(const struct object *o, uint32_t number)
{
    struct epoch_names names = object_names(o);
    return names.n == 1 && epoch_names_at(&names, 0) == (name_of_number(number) & epoch_names_bits(true));
}

static void look_at_all(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        struct found f = look(arena_printf(&arena, "/%u", i).p, OUTCOME_HIT);
        assert_body(f.stored, size_of(i));
        assert_true(has_name(f.stored, 1 + i % 7));
        found_drop(&f);
    }
    for (unsigned i = 0; i < VARIANTS + 3; i++) {
        struct look l = look_of("/few");
        l.place = i < VARIANTS ? variant_of("/many", i) : variant_of("/few", i - VARIANTS);
        struct found f = look_as(&l, OUTCOME_HIT);
        assert_body(f.stored, i < VARIANTS ? size_of(i) : 300);
        found_drop(&f);
    }
}

static void what_moved_is_what_it_was(void **state)
{
    (void)state;
    store_all();
    int64_t used = memory_used(&cache->memory);
    uint64_t weight = evict_weight(cache->evict);
    for (unsigned round = 0; round < 4; round++) {
        whole_rounds(1);
        look_at_all();
    }
    assert_int_equal(memory_used(&cache->memory), used);
    assert_int_equal(evict_weight(cache->evict), weight);
    assert_int_equal(evict_count(cache->evict), cache->objects);
    /* It goes as others go: purged, replaced, withdrawn, evicted, swept. */
    purge(PURGE_HARD, 3);
    for (unsigned i = 0; i < PAGES; i++)
        looks(arena_printf(&arena, "/%u", i).p, i % 7 == 2 ? OUTCOME_MISS : OUTCOME_HIT);
    whole_rounds(1);
    while (evict_count(cache->evict) > 0)
        assert_true(!room_make(cache, (size_t)1 << 31));
    assert_int_equal(cache->objects, 0);
    whole_rounds(1);
}

/* What somebody has, as an object or as its body, stands where it stood. */
static void what_is_read_does_not_move(void **state)
{
    (void)state;
    store("/a", &(struct page){ .body_bytes = 300 });
    store("/b", &(struct page){ .body_bytes = 300 });
    struct found f = look("/a", OUTCOME_HIT), g = look("/b", OUTCOME_HIT);
    struct body *body = object_body(g.stored);
    const struct response *response = f.stored->response;
    struct object *other = g.stored;
    found_drop(&g);
    struct iovec before, after;
    uint64_t n;
    body_lease(body, &(struct body_cursor){ NULL }, 0, 300, &before, 1, &n);
    whole_rounds(4);
    struct found again = look("/a", OUTCOME_HIT);
    assert_ptr_equal(again.stored, f.stored);
    assert_ptr_equal(again.stored->response, response);
    found_drop(&again);
    found_drop(&f);
    again = look("/b", OUTCOME_HIT);
    assert_ptr_equal(again.stored->body, body);
    body_lease(body, &(struct body_cursor){ NULL }, 0, 300, &after, 1, &n);
    assert_ptr_equal(before.iov_base, after.iov_base);
    found_drop(&again);
    body_unref(body);
    (void)other;
    /* One that is being fetched is its fetch's. */
    struct look l = look_of("/c");
    struct found busy = look_as(&l, OUTCOME_MISS);
    whole_rounds(2);
    assert_true(object_store(busy.busy, &l.place, &minute));
    busy.busy = NULL;
    found_drop(&busy);
    whole_rounds(2);
    looks("/c", OUTCOME_HIT);
}

/* ---- pages of another size ---- */

enum { BUDGET = 64 << 20, SMALL = 120000, HOT_EACH = 5 };

static void come(const char *kind, unsigned i, size_t bytes)
{
    struct str url = arena_printf(&arena, "/%s/%u", kind, i);
    /* As a fetch does it: room for the head, then for the body. */
    bool keeps = room_make(cache, 600) && room_make(cache, bytes);
    struct look l = look_of(url.p);
    struct found f;
    index_look(cache, &l, &f);
    if (f.busy && keeps) {
        assert_true(object_store(f.busy, &l.place, &(struct page){ .body_bytes = bytes }));
        f.busy = NULL;
    } else if (f.busy) {
        index_withdraw(f.busy);
        object_fail(f.busy, REASON_NO_MEMORY, 503);
    }
    found_drop(&f);
}

static bool is_there(unsigned i)
{
    struct look l = look_of(arena_printf(&arena, "/small/%u", i).p);
    l.may_fetch = false;
    struct found f;
    index_look(cache, &l, &f);
    bool there = f.outcome == OUTCOME_HIT;
    found_drop(&f);
    return there;
}

/* Small pages of which a fifth is asked for, then others, of one size after the other. Under the address
 * sanitizer pieces come from malloc: there are no holes, and all pieces move. */
static void memory_is_found_again(void **state)
{
    (void)state;
    static const size_t next_sizes[] = { 6144, 1000 };
    world_end(NULL);
    world_begin_with(BUDGET);
    for (unsigned i = 0; i < SMALL; i++) {
        come("small", i, 300);
        if (i % HOT_EACH == 0)
            assert_true(is_there(i));
        arena_rewind(&arena);
    }
    assert_true(memory_used(&cache->memory) > BUDGET / 100 * 95);
    unsigned hot = 0, at = 0;
    for (unsigned i = 0; i < SMALL; i += HOT_EACH)
        hot += is_there(i);
    assert_true(hot > SMALL / HOT_EACH / 2);
    for (size_t k = 0; k < COUNT_OF(next_sizes); k++) {
        uint64_t evicted_most = 0;
        int64_t taken_most = 0;
        unsigned there = 0;
        for (unsigned i = 0; i < BUDGET / (next_sizes[k] + 600); i++) {
            uint64_t before = cache->evicted;
            come(arena_printf(&arena, "%zu", k).p, i, next_sizes[k]);
            uint64_t evicted = cache->evicted - before;
            evicted_most = evicted > evicted_most ? evicted : evicted_most;
            int64_t taken = cache->memory.heap.holes + memory_used(&cache->memory);
            taken_most = taken > taken_most ? taken : taken_most;
            for (unsigned n = 0; n < 3; n++, at = (at + HOT_EACH) % SMALL)
                is_there(at);
            arena_rewind(&arena);
        }
        for (unsigned i = 0; i < SMALL; i += HOT_EACH)
            there += is_there(i);
        int64_t used = memory_used(&cache->memory);
        print_message("%zu bytes: %u of %u hot, %lld %% used, %lld %% holes, with them at most %lld %%, at "
                      "most %llu evicted at a time\n",
                      next_sizes[k], there, hot, (long long)(used * 100 / BUDGET),
                      (long long)(cache->memory.heap.holes * 100 / BUDGET),
                      (long long)(taken_most * 100 / BUDGET), (unsigned long long)evicted_most);
        assert_true(used >= BUDGET / 100 * 85);
        assert_true(there >= hot / 100 * 95);
        assert_true(evicted_most <= 64);
        assert_true(taken_most <= BUDGET + BUDGET / 16 + (9 << 20));
    }
}

/* ---- threads ---- */

enum { THREADS = 3, STEPS = 3000, URLS = 300 };

struct worker {
    unsigned number;
    pthread_t thread;
    unsigned hits, wrong;
};

static atomic_bool over;

static uint64_t dice(uint64_t *at, uint64_t below)
{
    *at = *at * 6364136223846793005u + 1442695040888963407u;
    return (*at >> 33) % below;
}

static void fill(struct object *o, const struct place *p, uint32_t name, size_t bytes)
{
    struct fields none = { 0 };
    struct response *response =
        response_new(&cache->memory, &(struct response_plan){ .names = (uint64_t[]){ name_of_number(name) },
                                                              .names_n = 1,
                                                              .names_are_short = true,
                                                              .status = 200,
                                                              .fields = &none });
    struct body *body = body_new(&cache->memory, BODY_LENGTH_UNKNOWN), *mine = body_ref(body);
    struct verdict v = { .store = true, .fresh = { .lifetime_ms = 50000 } };
    static const char text[700] = "bb";
    o->begun_mono_ms = now.mono_ms;
    index_settle(o, p, NULL);
    object_set_head(
        o, &(struct object_head){
               .response = &response, .body = &body, .verdict = &v, .received_mono_ms = now.mono_ms });
    object_tell(o);
    body_append(mine, (struct str){ text, bytes });
    body_unref(mine);
    object_seal(o, false);
    index_publish(o, p, 40, now.mono_ms);
}

static void ask(struct worker *w, uint64_t *at)
{
    char url[16], variant[16];
    unsigned u = (unsigned)dice(at, URLS);
    uint32_t name = 1 + u % 9;
    snprintf(url, sizeof(url), "/%u", u < URLS / 2 ? u : 0); /* one with many variants */
    snprintf(variant, sizeof(variant), "%u", u < URLS / 2 ? 0 : u);
    struct look l = look_of(url);
    l.place = place_of(url, variant, NULL);
    struct found f;
    index_look(cache, &l, &f);
    if (f.outcome == OUTCOME_HIT) {
        const struct object *o = f.stored;
        struct body_cursor cursor = { NULL };
        struct iovec iov;
        uint64_t n, length = body_length(o->body);
        w->hits++;
        w->wrong += !has_name(o, name) || length != 2 + u % 600 ||
                    body_lease(o->body, &cursor, 0, length, &iov, 1, &n) != 1 ||
                    memcmp(iov.iov_base, "bb", 2) != 0;
    } else if (f.busy && f.outcome == OUTCOME_MISS) {
        room_make(cache, 3000);
        fill(f.busy, &l.place, name, 2 + u % 600);
    }
    found_drop(&f);
}

static void *work(void *ctx)
{
    struct worker *w = ctx;
    uint64_t at = w->number + 1;
    for (int step = 0; step < STEPS; step++) {
        ask(w, &at);
        if (step % 16 == 0)
            room_compact(cache, 1);
        if (step % 100 == 0)
            room_make(cache, 12000); /* else the purges might leave room enough all the time */
        if (step % 500 == 0)
            purge(PURGE_HARD, 1 + (uint32_t)dice(&at, 9));
    }
    return NULL;
}

/* As main does it. */
static void *sweep(void *ctx)
{
    (void)ctx;
    while (!atomic_load(&over)) {
        index_sweep(cache, now);
        room_compact(cache, 4);
    }
    return NULL;
}

static void pages_move_while_they_are_asked_for(void **state)
{
    (void)state;
    world_end(NULL);
    world_begin_with(80000 + used_at_first);
    struct worker workers[THREADS];
    pthread_t sweeper;
    unsigned hits = 0;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&sweeper, NULL, sweep, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .number = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
        hits += workers[i].hits;
    }
    atomic_store(&over, true);
    pthread_join(sweeper, NULL);
    assert_true(hits > STEPS);
    assert_true(cache->evicted > 0);
    assert_true(cache->memory.moved > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(what_moved_is_what_it_was),
        T(what_is_read_does_not_move),
        T(memory_is_found_again),
        T(pages_move_while_they_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
