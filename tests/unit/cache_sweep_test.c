/* The sweep gives back what was purged or is long expired, families that nobody asks for and purges that
 * nothing is older than; and what is of use it leaves alone. */
#include "cache_world.h"

#include "cache/sweep.h"

#define HOUR_MS ((int64_t)3600000)

static struct clock clock_turned;

static int begin(void **state)
{
    world_begin(state);
    clock_turned = (struct clock){ 0 };
    now = clock_now(&clock_turned);
    return 0;
}

static void wait_ms(int64_t ms)
{
    clock_turned.mono_shift_ms += ms;
    now = clock_now(&clock_turned);
}

static bool is_amid(void)
{
    return cache->sweep_shard != 0 || cache->sweep_bucket != 0 || cache->sweep_in;
}

/* A whole round: from the first shard to the last. */
static void sweep(void)
{
    do
        cache_sweep(cache, &clock_turned, 0);
    while (is_amid());
}

static void gives_back_what_was_purged(void **state)
{
    (void)state;
    enum { PAGES = 1000 };
    for (unsigned i = 0; i < PAGES; i++)
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .name = i % 2 + 1, .body_bytes = 1000 });
    sweep();
    assert_int_equal(cache->objects, PAGES);
    assert_int_equal(cache->swept, 0);
    int64_t all = memory_used(&cache->memory);
    purge(PURGE_HARD, 1);
    sweep();
    assert_int_equal(cache->objects, PAGES / 2);
    assert_int_equal(cache->swept, PAGES / 2);
    assert_int_equal(evict_count(cache->evict), PAGES / 2);
    assert_true(memory_used(&cache->memory) < all * 6 / 10);
    for (unsigned i = 0; i < PAGES; i++)
        looks(arena_printf(&arena, "/%u", i).p, i % 2 ? OUTCOME_HIT : OUTCOME_MISS);
}

/* Soft purges and invalidations take nothing away: a 304 may bring it back. */
static void keeps_what_can_be_revalidated(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 1 });
    store("/b", &(struct page){ .name = 2 });
    store("/c", &(struct page){ .lifetime_ms = 1000, .stale_while_ms = 2000, .stale_error_ms = 5000 });
    purge(PURGE_SOFT, 1);
    purge(PURGE_INVALIDATE, 2);
    wait_ms(30000);
    sweep();
    assert_int_equal(cache->objects, 3);
}

/* Beyond the longer of its windows by an hour. */
static void gives_back_what_is_long_expired(void **state)
{
    (void)state;
    store("/a", &(struct page){ .lifetime_ms = 60000 });
    store("/b", &(struct page){ .lifetime_ms = 60000, .stale_while_ms = 2 * HOUR_MS });
    store("/c",
          &(struct page){ .lifetime_ms = 60000, .stale_while_ms = HOUR_MS, .stale_error_ms = 3 * HOUR_MS });
    static const struct {
        int64_t at_ms;
        int64_t left;
    } rows[] = { { HOUR_MS + 55000, 3 },     { HOUR_MS + 65000, 2 },     { 3 * HOUR_MS + 55000, 2 },
                 { 3 * HOUR_MS + 65000, 1 }, { 4 * HOUR_MS + 55000, 1 }, { 4 * HOUR_MS + 65000, 0 } };
    int64_t start = clock_turned.mono_shift_ms;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        wait_ms(start + rows[i].at_ms - clock_turned.mono_shift_ms);
        sweep();
        if (cache->objects != rows[i].left)
            fail_msg("%lld left after %lld ms", (long long)cache->objects, (long long)rows[i].at_ms);
    }
}

static void leaves_running_fetches_alone(void **state)
{
    (void)state;
    struct found fresh = look("/a", OUTCOME_MISS), head = look("/b", OUTCOME_MISS);
    struct look l = look_of("/b");
    index_settle(head.busy, &l.place, NULL);
    object_answer(head.busy, &(struct page){ .name = 1 });
    purge(PURGE_HARD, 1);
    wait_ms(5 * HOUR_MS);
    sweep();
    assert_non_null(fresh.busy->family);
    assert_non_null(head.busy->family);
    index_withdraw(fresh.busy);
    index_withdraw(head.busy);
    object_fail(fresh.busy, REASON_CANCELLED, 502);
    object_fail(head.busy, REASON_CANCELLED, 502);
    found_drop(&fresh);
    found_drop(&head);
}

/* What is known of a URL without a page: an hour. A mark takes no room of its own. */
static void gives_back_idle_families(void **state)
{
    (void)state;
    struct rule *rule;
    assert_int_equal(rule_of_response(fields_of("Vary: Cookie"), NULL, true, &arena, &rule), RULE_OK);
    struct place learnt = place_of("/learnt", NULL, NULL), marked = place_of("/marked", NULL, NULL), live;
    learn_rule(&learnt, rule);
    mark_for(&marked, 3 * HOUR_MS, REASON_TOO_LARGE);
    struct look l = look_of("/live");
    struct found f = look_as(&l, OUTCOME_MISS);
    live = place_of("/live", "x", rule);
    assert_true(object_store(f.busy, &live, &(struct page){ .lifetime_ms = 100 * HOUR_MS }));
    f.busy = NULL;
    found_drop(&f);
    assert_int_equal(cache->families, 2);
    wait_ms(HOUR_MS - 5000);
    sweep();
    assert_int_equal(cache->families, 2);
    wait_ms(10000);
    sweep();
    assert_int_equal(cache->families, 1);
    wait_ms(2 * HOUR_MS);
    sweep();
    assert_int_equal(cache->families, 1);
    /* The rule outlives its last variant for a while (CACHING.md 4.6). */
    struct object *o = index_peek(cache, &live);
    index_withdraw(o);
    object_unref(o);
    bool known, busy;
    struct rule *still = index_rule(cache, &live, &known, &busy);
    assert_ptr_equal(still, rule);
    rule_unref(still);
    rule_unref(rule);
}

/* Purges are forgotten when nothing that lives is older; not before an hour has passed, for fetches that the
 * index does not know. */
static void forgets_purges(void **state)
{
    (void)state;
    store("/a", &(struct page){ .name = 1, .lifetime_ms = 100 * HOUR_MS });
    for (uint32_t name = 10; name < 2010; name++)
        purge(PURGE_HARD, name);
    store("/b", &(struct page){ .name = 2, .lifetime_ms = 100 * HOUR_MS });
    for (int i = 0; i < 5; i++) {
        wait_ms(HOUR_MS + 1000);
        sweep();
    }
    /* /a is older than all of them. */
    assert_int_equal(epochs_count(cache->epochs), 2000);
    struct found f = look("/a", OUTCOME_HIT);
    index_withdraw(f.stored);
    found_drop(&f);
    sweep();
    assert_int_equal(epochs_count(cache->epochs), 0);
    assert_int_equal(epochs_floor(cache->epochs), 0);
    looks("/b", OUTCOME_HIT);
    /* New ones stay for an hour although all objects are younger. */
    for (uint32_t name = 10; name < 2010; name++)
        purge(PURGE_HARD, name);
    struct object *slow =
        object_new(cache, epochs_latest(cache->epochs) - 2000); /* a fetch that nobody can join */
    f = look("/b", OUTCOME_HIT);
    index_withdraw(f.stored);
    found_drop(&f);
    sweep();
    wait_ms(HOUR_MS - 10000);
    sweep();
    assert_int_equal(epochs_count(cache->epochs), 2000);
    object_answer(slow, &(struct page){ .name = 1000 });
    assert_true(object_check_purged(slow, HERE, epochs_latest(cache->epochs), now.mono_ms).gone);
    object_fail(slow, REASON_CANCELLED, 502);
    object_unref(slow);
    wait_ms(2 * HOUR_MS);
    sweep();
    wait_ms(2 * HOUR_MS);
    sweep();
    assert_int_equal(epochs_count(cache->epochs), 0);
}

/* Soon again while purged pages may be there, seldom when a round found nothing. */
static void hurries_while_there_is_something_to_do(void **state)
{
    (void)state;
    int64_t idle_us = cache_sweep(cache, &clock_turned, 1000000);
    assert_false(is_amid());
    assert_true(idle_us >= 500000);
    for (unsigned i = 0; i < 2000; i++)
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .name = i % 20 + 1 });
    purge(PURGE_HARD, 1);
    int64_t busy_us = cache_sweep(cache, &clock_turned, 0);
    assert_true(busy_us > 0 && busy_us <= 2000);
    sweep();
    assert_int_equal(cache->swept, 100);
    idle_us = cache_sweep(cache, &clock_turned, 0); /* amid a round in which nothing was purged */
    assert_true(idle_us > busy_us && idle_us < 500000);
    sweep();
    assert_true(cache_sweep(cache, &clock_turned, 10000000) >= 500000);
}

/* What pages left behind goes back to the system bit by bit, also when nothing is swept. */
static void gives_free_pages_back(void **state)
{
    (void)state;
    enum { RUNS = 1000 };
    struct heap *h = &cache->memory.heap;
    static void *runs[RUNS];
    sweep();
    for (size_t i = 0; i < RUNS; i++)
        runs[i] = heap_take(h, 65536);
    for (size_t i = 0; i < RUNS; i++)
        heap_give(h, runs[i], 65536);
    size_t before = h->dirty;
    assert_true(before > 2 * h->dirty_max);
    assert_true(cache_sweep(cache, &clock_turned, 0) < 500000);
    assert_true(h->dirty < before);
    while (h->dirty > h->dirty_max)
        cache_sweep(cache, &clock_turned, 0);
    assert_true(h->dirty > 0);
    sweep();
    assert_true(cache_sweep(cache, &clock_turned, 10000000) >= 500000);
}

/* Rounds that give nothing back, for purges of other things, wait for as long as they are long; after one
 * that did the next is near. */
static void does_not_go_round_and_round(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .name = i % 2 + 1 });
    int64_t pause_us = 0;
    for (int twice = 0; twice < 2; twice++) {
        sweep();
        purge(PURGE_HARD, twice ? 1 : 100);
        cache_sweep(cache, &clock_turned, 0);
        purge(PURGE_HARD, 200); /* after this round has begun */
        cache->sweep_round_us = 300000;
        do
            pause_us = cache_sweep(cache, &clock_turned, 0);
        while (is_amid());
        assert_true(twice ? pause_us <= 200000 : pause_us >= 2000000 && pause_us < 10000000);
    }
}

static struct place variant_of(const char *url, unsigned i)
{
    return place_of(url, arena_printf(&arena, "v%u", i).p, NULL);
}

static void store_variant(const char *url, unsigned i, uint32_t name)
{
    struct look l = look_of(url);
    l.place = variant_of(url, i);
    struct found f = look_as(&l, OUTCOME_MISS);
    index_settle(f.busy, &l.place, NULL);
    object_answer(f.busy, &(struct page){ .name = name });
    object_seal(f.busy, false);
    assert_true(index_publish(f.busy, &l.place, 1000000, now.mono_ms));
    found_drop(&f);
}

static bool has_variant(const char *url, unsigned i)
{
    struct place p = variant_of(url, i);
    struct object *o = index_peek(cache, &p);
    object_unref(o);
    return o != NULL;
}

static void withdraw_variant(const char *url, unsigned i)
{
    struct place p = variant_of(url, i);
    struct object *o = index_peek(cache, &p);
    index_withdraw(o);
    object_unref(o);
}

/* A slice is bounded, however many pages of one URL were purged at once. */
static void takes_slices(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    int64_t before_bytes = memory_used(&cache->memory);
    for (unsigned i = 0; i < MANY; i++)
        store_variant("/a", i, 1);
    purge(PURGE_HARD, 1);
    uint64_t most = 0;
    do {
        uint64_t before = cache->swept;
        index_sweep(cache, now);
        most = cache->swept - before > most ? cache->swept - before : most;
    } while (is_amid());
    assert_int_equal(cache->swept, MANY);
    assert_true(most > 0 && most <= 64);
    assert_int_equal(cache->objects, 0);
    assert_int_equal(cache->families, 0);
    assert_int_equal(memory_used(&cache->memory), before_bytes);
}

/* The table of a shard may grow between two slices: nothing is skipped. */
static void nothing_is_skipped_when_a_shard_grows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .name = 1 });
    purge(PURGE_HARD, 1);
    unsigned more = 0;
    do {
        index_sweep(cache, now);
        for (int k = 0; k < 5; k++)
            store(arena_printf(&arena, "/more/%u", more++).p, &(struct page){ .name = 2 });
    } while (is_amid());
    assert_int_equal(cache->swept, 2000);
    assert_int_equal(cache->objects, more);
}

/* Millions of purged URLs: what was made for them goes too, but for what their rules and notes tell, within
 * its bound. */
static void gives_back_the_families_of_what_was_purged(void **state)
{
    (void)state;
    enum { PAGES = 5000 };
    int64_t before_bytes = memory_used(&cache->memory);
    struct rule *rule;
    assert_int_equal(rule_of_response(fields_of("Vary: Cookie"), NULL, true, &arena, &rule), RULE_OK);
    for (unsigned i = 0; i < PAGES; i++)
        store(arena_printf(&arena, "/%u", i).p, &(struct page){ .name = 1 });
    struct place ruled = place_of("/ruled", "x", rule);
    struct found f = look("/ruled", OUTCOME_MISS);
    assert_true(object_store(f.busy, &ruled, &(struct page){ .name = 1 }));
    f.busy = NULL;
    found_drop(&f);
    purge(PURGE_HARD, 1);
    sweep();
    assert_int_equal(cache->objects, 0);
    assert_int_equal(cache->families, 1);
    bool known, busy;
    struct rule *still = index_rule(cache, &ruled, &known, &busy);
    assert_ptr_equal(still, rule);
    rule_unref(still);
    rule_unref(rule);
    assert_true(memory_used(&cache->memory) - before_bytes < 1000);
}

/* The sweep stands amid the variants of one URL while others come and go: it meets all that were there. */
static void skips_no_variant_while_others_come_and_go(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    for (unsigned i = 0; i < MANY; i++)
        store_variant("/a", i, 1);
    purge(PURGE_HARD, 1);
    unsigned more = MANY, withdrawn = 0;
    do {
        index_sweep(cache, now);
        store_variant("/a", more++, 2);
        store_variant("/a", more++, 2);
        if (more % 4 == 0) {
            withdraw_variant("/a", more - 1);
            withdrawn++;
        }
    } while (is_amid());
    assert_int_equal(cache->swept, MANY);
    assert_int_equal(cache->objects, more - MANY - withdrawn);
    for (unsigned i = 0; i < MANY; i++)
        assert_false(has_variant("/a", i));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, world_end)
    const struct CMUnitTest tests[] = {
        T(gives_back_what_was_purged),
        T(keeps_what_can_be_revalidated),
        T(gives_back_what_is_long_expired),
        T(leaves_running_fetches_alone),
        T(gives_back_idle_families),
        T(forgets_purges),
        T(hurries_while_there_is_something_to_do),
        T(gives_free_pages_back),
        T(takes_slices),
        T(does_not_go_round_and_round),
        T(nothing_is_skipped_when_a_shard_grows),
        T(skips_no_variant_while_others_come_and_go),
        T(gives_back_the_families_of_what_was_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
