/* Releases in the index: pages belong to one, assets and pages with a cache ID to all; assets from before are
 * kept; the sweep counts them, and frees what no rollback brings back. */
#include "cache_world.h"

#include "cache/evict.h"
#include "cache/family.h"
#include "cache/key.h"
#include "cache/room.h"

static const struct page minute = { .lifetime_ms = 60000 };

/* The live release, and where its predecessor ended. */
static struct release_switch switches[2];
static uint32_t stored[8];
static struct release live;

static void make_live(uint32_t number, int64_t since_ms, int64_t keep_ms)
{
    switches[0] = (struct release_switch){ since_ms, keep_ms };
    stored[0] = number;
    live = (struct release){ .number = number,
                             .live_since_ms = since_ms,
                             .prepared_since_ms = since_ms,
                             .switches = switches,
                             .switches_n = 1,
                             .stored = stored,
                             .stored_n = 1 };
}

static struct str primary_of(const char *path)
{
    struct key_request r = { .site = STR("shop"), .host = STR("shop.example"), .path = str_from(path) };
    return key_primary(&r, &arena);
}

static struct look look_in(const char *path, const char *variant, uint32_t release)
{
    struct look l = look_of("");
    l.place = (struct place){ .primary = primary_of(path), .variant = str_from(variant), .release = release };
    l.release = live.number == release ? &live : NULL;
    place_hash(cache, &l.place);
    return l;
}

static struct object *answer(struct look *l, bool is_common, bool is_asset)
{
    struct found f = look_as(l, OUTCOME_MISS);
    struct place place = l->place;
    place.is_common = is_common;
    index_settle(f.busy, &place, NULL);
    object_answer(f.busy, &minute);
    f.busy->response->is_asset = is_asset;
    object_seal(f.busy, false);
    assert_true(index_publish(f.busy, &place, 1024, now.mono_ms));
    struct object *o = f.busy;
    f.busy = NULL;
    found_drop(&f);
    return o; /* a reference */
}

static struct object *store_in(const char *path, const char *variant, uint32_t release, bool is_common)
{
    struct look l = look_in(path, variant, release);
    return answer(&l, is_common, is_common);
}

static void hits(const char *path, const char *variant, uint32_t release, const struct object *o)
{
    struct look l = look_in(path, variant, release);
    struct found f = look_as(&l, OUTCOME_HIT);
    assert_ptr_equal(f.stored, o);
    found_drop(&f);
}

static void misses(const char *path, const char *variant, uint32_t release)
{
    struct look l = look_in(path, variant, release);
    l.may_fetch = false;
    struct found f = look_as(&l, OUTCOME_PASS);
    assert_null(f.stored);
    found_drop(&f);
}

static void a_hash_says_the_release(void **state)
{
    (void)state;
    for (uint32_t i = 1; i; i = i * 3 + 1 > i ? i * 3 + 1 : 0)
        for (unsigned v = 0; v < 2; v++) {
            struct place p = { .primary = STR("x"), .variant = v ? STR("v") : STR_NONE, .release = i };
            place_hash(cache, &p);
            assert_int_not_equal(p.variant_hash, p.common_hash);
            assert_int_equal(place_release(cache, p.variant_hash, p.variant), i);
            assert_int_equal(place_release(cache, p.common_hash, p.variant), 0);
        }
}

/* `others` makes a table of the family's list. */
static void side_by_side(unsigned others)
{
    for (unsigned i = 0; i < others; i++)
        object_unref(store_in("/a", arena_printf(&arena, "other %u", i).p, 1, false));
    for (unsigned v = 0; v < 2; v++) {
        const char *variant = v ? "v" : "";
        struct object *one = store_in("/a", variant, 1, false), *two = store_in("/a", variant, 2, false);
        hits("/a", variant, 1, one);
        hits("/a", variant, 2, two);
        misses("/a", variant, 3);
        struct look l = look_in("/a", variant, 3);
        const uint32_t numbers[] = { 1, 2, 3 };
        struct release three = { .number = 3, .stored = numbers, .stored_n = 3 };
        struct object *other = index_peek_before(cache, &l.place, &three);
        assert_true(other == two || others); /* of many it looks at some */
        object_unref(other);
        three.stored_n = 1;
        other = index_peek_before(cache, &l.place, &three);
        assert_true(other == one || others);
        object_unref(other);
        three.stored_n = 0; /* none of them was live */
        assert_null(index_peek_before(cache, &l.place, &three));
        object_unref(one);
        object_unref(two);
    }
}

static void pages_of_two_releases_stand_side_by_side(void **state)
{
    (void)state;
    side_by_side(0);
}

static void also_among_many_variants(void **state)
{
    (void)state;
    side_by_side(300);
}

static void what_is_common_is_found_under_each_release(void **state)
{
    (void)state;
    for (unsigned many = 0; many < 2; many++) {
        for (unsigned i = 0; i < many * 300; i++)
            object_unref(store_in("/x.js", arena_printf(&arena, "other %u", i).p, 1, false));
        for (unsigned v = 0; v < 2; v++) {
            const char *variant = v ? "br" : "";
            struct object *o = store_in("/x.js", variant, 1, true);
            hits("/x.js", variant, 1, o);
            hits("/x.js", variant, 2, o);
            index_withdraw(o);
            misses("/x.js", variant, 1);
            object_unref(o);
        }
    }
}

/* A URL that was a page and is an asset now, and the other way round. */
static void a_page_and_an_asset_replace_each_other(void **state)
{
    (void)state;
    struct object *page = store_in("/x", "", 2, false);
    now.mono_ms += 120000;
    struct look l = look_in("/x", "", 2);
    struct found f = look_as(&l, OUTCOME_EXPIRED);
    struct place place = l.place;
    place.is_common = true;
    index_settle(f.busy, &place, NULL);
    object_answer(f.busy, &minute);
    object_seal(f.busy, false);
    assert_true(index_publish(f.busy, &place, 1024, now.mono_ms));
    hits("/x", "", 2, f.busy);
    assert_int_equal(cache->objects, 1);
    found_drop(&f);
    object_unref(page);
    now.mono_ms += 120000;
    l = look_in("/x", "", 2);
    f = look_as(&l, OUTCOME_EXPIRED);
    assert_true(object_store(f.busy, &l.place, &minute));
    f.busy = NULL;
    found_drop(&f);
    misses("/x", "", 3);
    assert_int_equal(cache->objects, 1);
}

static void an_asset_from_before_is_served_and_asked_about_once(void **state)
{
    (void)state;
    object_unref(store_in("/x.js", "", 1, true));
    now.mono_ms += 30000;
    make_live(2, now.mono_ms, 500000);
    now.mono_ms += 90000; /* its own lifetime is over */
    struct look l = look_in("/x.js", "", 2);
    struct found f = look_as(&l, OUTCOME_STALE);
    assert_true(f.kept);
    assert_non_null(f.busy);
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_KEPT_ASSET, 502);
    object_note_missing(f.stored, live.number);
    found_drop(&f);
    f = look_as(&l, OUTCOME_STALE_JOIN);
    assert_true(f.kept);
    found_drop(&f);
    now.mono_ms = live.live_since_ms + 500000; /* so long it was kept */
    l = look_in("/x.js", "", 2);
    f = look_as(&l, OUTCOME_EXPIRED);
    assert_false(f.kept);
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_CANCELLED, 502);
    found_drop(&f);
}

/* What one release lacks, the next one may have again. */
static void each_release_is_asked_once(void **state)
{
    (void)state;
    object_unref(store_in("/x.js", "", 1, true));
    for (uint32_t number = 2; number <= 4; number++) {
        make_live(number, ++now.mono_ms, 500000);
        struct look l = look_in("/x.js", "", number);
        struct found f = look_as(&l, OUTCOME_STALE);
        index_withdraw(f.busy);
        object_fail(f.busy, REASON_KEPT_ASSET, 502);
        assert_int_equal(object_next_refresh_ms(f.stored), 0);
        object_note_missing(f.stored, number);
        found_drop(&f);
        f = look_as(&l, OUTCOME_STALE_JOIN);
        assert_true(f.kept && f.backing_off);
        if (number == 4) { /* a purge asks again, whatever was noted */
            assert_int_equal(object_next_refresh_ms(f.stored), 0);
            assert_false(index_refresh_waits(f.stored, NULL, now.mono_ms));
        }
        found_drop(&f);
    }
}

static void a_purge_counts_more(void **state)
{
    (void)state;
    struct look l = look_in("/x.js", "", 1);
    struct object *o = answer(&l, true, true);
    make_live(2, now.mono_ms + 1, 500000);
    now.mono_ms += 1000;
    l = look_in("/x.js", "", 2);
    struct found f = look_as(&l, OUTCOME_STALE);
    index_withdraw(f.busy);
    object_fail(f.busy, REASON_CANCELLED, 502);
    found_drop(&f);
    index_withdraw(o);
    object_unref(o);
    misses("/x.js", "", 2);
}

/* ---- the sweep ---- */

static struct settings *settings_of(const char *share)
{
    struct buf errors = BUF_INIT;
    struct str yaml = arena_printf(
        &arena, "kept_assets_share: %s\nsites:\n  shop:\n    origin: http://127.0.0.1:1\n", share);
    struct settings *read = settings_parse(yaml, STR("test"), NULL, 0, &errors);
    assert_non_null(read);
    struct settings *s = settings_with_releases(read, &(struct site_release){ .release = &live });
    assert_ptr_equal(s->read, read);
    settings_unref(read);
    buf_fini(&errors);
    return s;
}

static void sweep_round(void)
{
    while (!index_sweep(cache, now))
        ;
}

static void it_counts_kept_assets_and_bounds_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        object_unref(store_in(arena_printf(&arena, "/%u.js", i).p, "", 1, true));
    make_live(2, now.mono_ms + 1, 500000);
    now.mono_ms += 200000; /* far beyond their own lifetime */
    struct settings *s = settings_of("25");
    cache->sweep_settings = s;
    sweep_round();
    assert_int_equal(cache->kept, 40);
    assert_true(cache->kept_bytes > 40 * 100);
    assert_int_equal(cache->objects, 40);
    settings_unref(s);
    s = settings_of("0");
    cache->sweep_settings = s;
    sweep_round();
    assert_int_equal(cache->kept, 0);
    assert_int_equal(cache->objects, 0);
    cache->sweep_settings = NULL;
    settings_unref(s);
}

/* All were asked for as often. */
static void kept_assets_go_before_live_pages(void **state)
{
    (void)state;
    for (uint32_t release = 1; release <= 2; release++) {
        for (unsigned i = 0; i < 40; i++) {
            const char *path = arena_printf(&arena, release == 1 ? "/%u.js" : "/%u", i).p;
            struct object *o = store_in(path, "", release, release == 1);
            for (unsigned k = 0; k < 4; k++)
                evict_touch(&o->evict);
            object_unref(o);
        }
        if (release == 1)
            make_live(2, ++now.mono_ms, 500000);
        now.mono_ms++;
    }
    struct settings *s = settings_of("25");
    cache->sweep_settings = s;
    sweep_round();
    cache->sweep_settings = NULL;
    settings_unref(s);
    assert_int_equal(cache->kept, 40);
    while (cache->objects > 50)
        assert_true(room_make(cache, (size_t)(cache->memory.budget_bytes - memory_used(&cache->memory)) + 1));
    unsigned pages = 0;
    for (unsigned i = 0; i < 40; i++) {
        struct look l = look_in(arena_printf(&arena, "/%u", i).p, "", 2);
        struct object *o = index_peek(cache, &l.place);
        pages += o != NULL;
        object_unref(o);
    }
    assert_int_equal(pages, 40);
}

static const struct page year = { .lifetime_ms = (int64_t)365 * 86400000 };

/* An hour later: until then its origin may confirm it. Its own lifetime does not count. */
static void it_frees_what_was_kept_long_enough(void **state)
{
    (void)state;
    struct look l = look_in("/x.js", "", 1);
    struct found f = look_as(&l, OUTCOME_MISS);
    struct place place = l.place;
    place.is_common = true;
    index_settle(f.busy, &place, NULL);
    object_answer(f.busy, &year);
    f.busy->response->is_asset = true;
    object_seal(f.busy, false);
    assert_true(index_publish(f.busy, &place, 1024, now.mono_ms));
    found_drop(&f);
    make_live(2, now.mono_ms + 1, 500000);
    struct settings *s = settings_of("25");
    cache->sweep_settings = s;
    static const struct {
        int64_t after_ms, kept, objects;
    } rows[] = { { 499999, 1, 1 }, { 500000 + 3600000, 0, 1 }, { 500000 + 3600001, 0, 0 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        now.mono_ms = live.live_since_ms + rows[i].after_ms;
        sweep_round();
        assert_int_equal(cache->kept, rows[i].kept);
        assert_int_equal(cache->objects, rows[i].objects);
    }
    cache->sweep_settings = NULL;
    settings_unref(s);
}

/* When the room for what goes is full amid a list, the next step looks at that list once more. So of each URL
 * nearly all goes, and what is kept comes first in its list. */
static void it_counts_each_once(void **state)
{
    (void)state;
    enum { URLS = 30, GONE = 980, KEPT = 20 };
    for (unsigned url = 0; url < URLS; url++)
        for (unsigned i = 0; i < GONE + KEPT; i++)
            object_unref(
                store_in(arena_printf(&arena, "/%u", url).p, arena_printf(&arena, "%u", i).p, 1, i >= GONE));
    make_live(2, now.mono_ms + 1, 500000);
    now.mono_ms += 2;
    struct settings *s = settings_of("90");
    cache->sweep_settings = s;
    sweep_round();
    assert_int_equal(cache->objects, URLS * KEPT);
    assert_int_equal(cache->kept, URLS * KEPT);
    int64_t bytes = cache->kept_bytes;
    sweep_round();
    assert_int_equal(cache->kept, URLS * KEPT);
    assert_int_equal(cache->kept_bytes, bytes);
    cache->sweep_settings = NULL;
    settings_unref(s);
}

static void it_frees_pages_that_no_rollback_brings_back(void **state)
{
    (void)state;
    for (uint32_t release = 1; release <= 5; release++) {
        object_unref(store_in("/a", "", release, false));
        object_unref(store_in("/a", "v", release, false));
    }
    object_unref(store_in("/x.js", "", 1, true));
    make_live(4, now.mono_ms + 1, 500000);
    stored[1] = 2;
    live.stored_n = 2;
    now.mono_ms += 2;
    struct settings *s = settings_of("25");
    cache->sweep_settings = s;
    sweep_round();
    cache->sweep_settings = NULL;
    settings_unref(s);
    misses("/a", "", 1);
    misses("/a", "v", 3);
    assert_int_equal(cache->objects, 2 * 3 + 1); /* 2, 4, and 5, which may be on its way; the asset */
}

/* ---- the walk ---- */

struct met {
    unsigned n;
    uint64_t hits;
};

static void meet(void *ctx, struct str primary, uint64_t n)
{
    struct met *m = ctx;
    assert_true(primary.n > 0);
    m->n++;
    m->hits += n;
}

static void a_walk_meets_each_stored_page(void **state)
{
    (void)state;
    struct met met = { 0 };
    struct index_walk walk = { 0 };
    for (unsigned i = 0; i < 300; i++) {
        struct object *o = store_in(arena_printf(&arena, "/%u", i).p, "", 1, false);
        object_count_hit(o);
        object_unref(o);
    }
    object_unref(store_in("/x.js", "", 1, true));
    struct walk_question q = { epochs_latest(cache->epochs), now.mono_ms };
    while (index_walk(cache, &walk, &q, meet, &met))
        ;
    assert_int_equal(met.n, 300);
    assert_int_equal(met.hits, 300);
}

/* ---- releases as values ---- */

static void the_end_of_a_release_is_the_next_switch(void **state)
{
    (void)state;
    const struct release_switch three[] = { { 100, 10 }, { 200, 20 }, { 300, 30 } };
    struct release r = { .switches = three, .switches_n = 3 };
    assert_int_equal(release_keeps_until(&r, 50), 110);
    assert_int_equal(release_keeps_until(&r, 99), 110);
    assert_int_equal(release_keeps_until(&r, 100), 220);
    assert_int_equal(release_keeps_until(&r, 299), 330);
    assert_int_equal(release_keeps_until(&r, 300), 330); /* of the very millisecond of the last switch */
    assert_true(release_keeps_until(&r, 301) == INT64_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hash_says_the_release),
        TEST(pages_of_two_releases_stand_side_by_side),
        TEST(also_among_many_variants),
        TEST(what_is_common_is_found_under_each_release),
        TEST(a_page_and_an_asset_replace_each_other),
        TEST(an_asset_from_before_is_served_and_asked_about_once),
        TEST(each_release_is_asked_once),
        TEST(a_purge_counts_more),
        TEST(it_counts_kept_assets_and_bounds_them),
        TEST(kept_assets_go_before_live_pages),
        TEST(it_frees_what_was_kept_long_enough),
        TEST(it_counts_each_once),
        TEST(it_frees_pages_that_no_rollback_brings_back),
        TEST(a_walk_meets_each_stored_page),
        TEST(the_end_of_a_release_is_the_next_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
