/* Which origin of a site a fetch gets: the one with the least to do for its weight, in turns; a backup when
 * nobody else is well; one that is new bit by bit; a drained one never. And how many may be tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "origin/upstream.h"

/* ---- the choice ---- */

#define W(n) ((n)*1000)

static void picks(struct upstream_candidate *v, size_t n, size_t rounds, unsigned *got)
{
    memset(got, 0, n * sizeof(*got));
    for (size_t i = 0; i < rounds; i++) {
        size_t at = upstream_pick(v, n);
        assert_true(at < n);
        got[at]++;
    }
}

static void turns_are_by_weight(void **state)
{
    (void)state;
    struct upstream_candidate v[] = { { .weight = W(1) }, { .weight = W(2) }, { .weight = W(5) } };
    unsigned got[3];
    for (unsigned round = 0; round < 100; round++) {
        picks(v, 3, 8, got);
        assert_int_equal(got[0], 1);
        assert_int_equal(got[1], 2);
        assert_int_equal(got[2], 5);
    }
}

static void the_one_with_the_least_to_do_for_its_weight_is_next(void **state)
{
    (void)state;
    struct upstream_candidate v[] = { { .weight = W(1) }, { .weight = W(3) } };
    /* All stay open: the fourth of them is the other's. */
    for (unsigned i = 0; i < 400; i++)
        v[upstream_pick(v, 2)].outstanding++;
    assert_int_equal(v[0].outstanding, 100);
    assert_int_equal(v[1].outstanding, 300);
    v[0].outstanding = 99;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(upstream_pick(v, 2), 0);
}

/* One that had more to do does not get a row of requests when it has less. */
static void nobody_saves_up_turns(void **state)
{
    (void)state;
    struct upstream_candidate v[] = { { .weight = W(1) }, { .weight = W(1), .outstanding = 9 } };
    unsigned got[2];
    picks(v, 2, 1000, got);
    assert_int_equal(got[0], 1000);
    v[1].outstanding = 0;
    picks(v, 2, 4, got);
    assert_in_range(got[1], 2, 3);
    v[1].rank = UPSTREAM_SICK;
    picks(v, 2, 1000, got);
    assert_int_equal(got[0], 1000);
    v[1].rank = UPSTREAM_WELL;
    picks(v, 2, 4, got);
    assert_int_equal(got[1], 2);
}

static void a_rank_goes_before_load(void **state)
{
    (void)state;
    struct upstream_candidate v[] = { { .rank = UPSTREAM_NEVER, .weight = W(1) },
                                      { .rank = UPSTREAM_SICK_BACKUP, .weight = W(1) },
                                      { .rank = UPSTREAM_SICK, .weight = W(1), .outstanding = 5 },
                                      { .rank = UPSTREAM_BACKUP, .weight = W(1), .outstanding = 50 },
                                      { .rank = UPSTREAM_WELL, .weight = W(1), .outstanding = 500 } };
    for (size_t last = 4; last > 0; last--) {
        assert_int_equal(upstream_pick(v, 5), last);
        v[last].rank = UPSTREAM_NEVER;
    }
    assert_true(upstream_pick(v, 5) == SIZE_MAX);
}

static void a_new_one_gets_its_part_bit_by_bit(void **state)
{
    (void)state;
    static const struct {
        int64_t since, slow, now;
        uint32_t weight;
    } rows[] = {
        { INT64_MIN, 10000, 5, 2000 }, { 1000, 0, 1000, 2000 },      { 1000, 10000, 1000, 200 },
        { 1000, 10000, 1500, 200 },    { 1000, 10000, 6000, 1000 },  { 1000, 10000, 10999, 1998 },
        { 1000, 10000, 11000, 2000 },  { 1000, 10000, 99000, 2000 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(upstream_weight(2, rows[i].since, rows[i].slow, rows[i].now), rows[i].weight);
}

/* ---- the retries ---- */

static void a_quiet_site_may_try_again_some_times(void **state)
{
    (void)state;
    struct retries r = { 0 };
    for (unsigned i = 0; i < RETRIES_FLOOR; i++)
        assert_true(retries_take(&r, 5000));
    assert_false(retries_may(&r, 5000));
    assert_false(retries_take(&r, 14999));
    assert_true(retries_take(&r, 15000)); /* ten seconds later */
}

static void a_fifth_may_be_tried_again(void **state)
{
    (void)state;
    struct retries r = { 0 };
    unsigned taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        retries_request(&r, 1000000 + i);
        taken += retries_take(&r, 1000000 + i);
    }
    assert_int_equal(taken, 200);
    /* The window slides: what is older than ten seconds does not count. */
    taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        retries_request(&r, 1011000 + i);
        taken += retries_take(&r, 1011000 + i);
    }
    assert_int_equal(taken, 200);
    /* A long pause, and a clock that did not move. */
    assert_true(retries_take(&r, 9000000));
    assert_int_equal(r.requests_n, 0);
    assert_int_equal(r.tries_n, 1);
}

/* ---- a site ---- */

struct world {
    struct origins all;
    struct settings *settings;
    const struct site_settings *site;
    struct upstream *u;
};

static void build(struct world *w, const char *yaml, int64_t now)
{
    struct buf errors = BUF_INIT;
    *w = (struct world){ 0 };
    origins_init(&w->all);
    w->settings = settings_parse(str_from(yaml), STR("t.yaml"), NULL, 0, &errors);
    assert_non_null(w->settings);
    w->site = &w->settings->sites[0];
    w->u = upstream_of(&w->all, w->site, now);
}

static void clear(struct world *w)
{
    for (size_t i = 0; i < w->u->n; i++)
        assert_int_equal(w->u->v[i].origin->outstanding, 0);
    origins_fini(&w->all);
    settings_unref(w->settings);
}

#define NONE SIZE_MAX

static size_t choose_with(struct world *w, struct upstream_wish wish, int64_t now, bool *is_probe)
{
    struct upstream_chosen c;
    wish.site = w->site;
    upstream_choose(w->u, &wish, now, &c);
    if (is_probe)
        *is_probe = c.is_probe;
    if (!c.origin)
        return NONE;
    assert_ptr_equal(c.origin, w->u->v[c.place].origin);
    upstream_done(c.origin);
    return c.place;
}

static size_t choose(struct world *w, int64_t now)
{
    return choose_with(w, (struct upstream_wish){ 0 }, now, NULL);
}

static void make_sick(struct origin *o, int64_t from)
{
    for (int i = 0; i < ORIGIN_SICK_AFTER; i++)
        origin_failed(o, REASON_CONNECT_FAILED, HTTP_ERROR_NONE, (struct now){ .mono_ms = from + 250 * i });
    assert_true(origin_is_sick(o));
}

#define THREE "origin: [http://a, http://b, {url: http://c, backup: true}]\nrefresh_backoff: 5s\n"

static void a_sick_one_gets_nothing_but_a_probe(void **state)
{
    (void)state;
    struct world w;
    bool is_probe;
    build(&w, THREE, 1000);
    make_sick(w.u->v[0].origin, 1000);
    for (int i = 0; i < 50; i++)
        assert_int_equal(choose(&w, 2000), 1);
    /* A request that can be sent again elsewhere tries it, one in refresh_backoff. */
    struct upstream_wish safe = { .may_probe = true };
    assert_int_equal(choose_with(&w, safe, 2000, &is_probe), 0);
    assert_true(is_probe);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(choose_with(&w, safe, 6999, &is_probe), 1);
        assert_false(is_probe);
    }
    assert_int_equal(choose_with(&w, safe, 7000, NULL), 0);
    /* Well again: slowly. Ten at once, of which it gets one of eleven. */
    origin_answered(w.u->v[0].origin, 8000);
    unsigned got[3] = { 0 };
    for (int i = 0; i < 110; i++)
        got[choose(&w, 8000)]++;
    assert_in_range(got[0], 10, 11);
    got[0] = got[1] = 0;
    for (int i = 0; i < 100; i++)
        got[choose(&w, 18000)]++;
    assert_in_range(got[0], 49, 51);
    clear(&w);
}

static void a_backup_is_used_and_left(void **state)
{
    (void)state;
    struct world w;
    build(&w, THREE, 1000);
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(choose(&w, 1000), 2);
    make_sick(w.u->v[0].origin, 1000);
    origin_drain(w.u->v[1].origin, true);
    for (int i = 0; i < 10; i++)
        assert_int_equal(choose(&w, 3000), 2);
    assert_false(upstream_is_sick(w.u));
    upstream_set_down(w.u, 2, true, 3000);
    assert_true(upstream_is_sick(w.u));
    assert_int_equal(choose(&w, 3000), 0); /* rather than a backup that is down as well */
    assert_int_equal(w.all.marked, 3);
    upstream_set_down(w.u, 2, false, 3000);
    origin_drain(w.u->v[1].origin, false);
    assert_int_equal(choose(&w, 3000), 1);
    assert_int_equal(w.all.marked, 1);
    clear(&w);
}

static void one_that_was_not_reached_rests_for_a_moment(void **state)
{
    (void)state;
    struct world w;
    build(&w, THREE, 1000);
    origin_rest(w.u->v[0].origin, 1000);
    assert_false(upstream_is_sick(w.u));
    for (int i = 0; i < 10; i++)
        assert_int_equal(choose(&w, 1000 + ORIGIN_REST_MS - 1), 1);
    assert_int_equal(choose(&w, 1000 + ORIGIN_REST_MS), 0);
    /* All of them: as if nobody did. */
    for (size_t i = 0; i < 3; i++)
        origin_rest(w.u->v[i].origin, 5000);
    assert_int_not_equal(choose(&w, 5000), 2);
    clear(&w);
}

static void a_drained_one_gets_nothing(void **state)
{
    (void)state;
    struct world w;
    build(&w, THREE, 1000);
    assert_true(origin_drain(w.u->v[0].origin, true));
    assert_false(origin_drain(w.u->v[0].origin, true));
    for (int i = 0; i < 10; i++)
        assert_int_equal(choose(&w, 1000), 1);
    assert_false(upstream_is_last(w.u, w.u->v[1].origin)); /* the backup is left */
    origin_drain(w.u->v[2].origin, true);
    assert_true(upstream_is_last(w.u, w.u->v[1].origin));
    origin_drain(w.u->v[1].origin, true);
    assert_true(choose(&w, 1000) == NONE);
    assert_true(upstream_is_sick(w.u)); /* what is stale is served */
    /* Another process knows it. */
    struct buf lines = BUF_INIT;
    origins_write_drained(&w.all, &lines);
    assert_true(str_eq(buf_str(&lines), STR("http://a\nhttp://c\nhttp://b\n")));
    struct origins other = { 0 };
    origins_init(&other);
    origins_set_drained(&other, buf_str(&lines));
    assert_true(origin_is_drained(origins_get(&other, &w.u->v[2].origin->at)));
    assert_false(
        origin_is_drained(origins_get(&other, &(struct origin_address){ STR("d"), 80, STR_NONE, STR("d") })));
    assert_int_equal(other.marked, 1);
    origins_fini(&other);
    buf_fini(&lines);
    assert_true(origin_drain(w.u->v[2].origin, false));
    buf_clear(&lines);
    origins_write_drained(&w.all, &lines);
    assert_true(str_eq(buf_str(&lines), STR("http://a\nhttp://b\n")));
    buf_fini(&lines);
    assert_int_equal(choose(&w, 1000), 2);
    clear(&w);
}

static void a_request_is_tried_at_each_once_within_the_budget(void **state)
{
    (void)state;
    struct world w;
    build(&w, THREE, 1000);
    struct upstream_wish again = { .again = true };
    uint32_t tried = 0;
    for (size_t i = 0; i < 3; i++) {
        again.again = i > 0;
        again.tried = tried;
        size_t at = choose_with(&w, again, 1000, NULL);
        assert_true(at < 3 && !(tried >> at & 1));
        tried |= 1u << at;
    }
    assert_true(choose_with(&w, (struct upstream_wish){ .again = true, .tried = 7 }, 1000, NULL) == NONE);
    unsigned moved = 2;
    while (choose_with(&w, (struct upstream_wish){ .again = true, .tried = 1 }, 1000, NULL) != NONE)
        moved++;
    assert_int_equal(moved, RETRIES_FLOOR);
    clear(&w);
}

/* A second list with an origin of the first: that one is known, the other is new. */
static void one_that_is_added_starts_slowly(void **state)
{
    (void)state;
    struct world w;
    struct buf errors = BUF_INIT;
    unsigned got[2] = { 0 };
    build(&w, "origin: http://a\n", 1000);
    struct settings *s =
        settings_parse(STR("origin: [http://a, http://b]\n"), STR("t.yaml"), NULL, 0, &errors);
    struct upstream *u = upstream_of(&w.all, &s->sites[0], 5000);
    assert_ptr_equal(upstream_of(&w.all, &s->sites[0], 9000), u);
    assert_ptr_equal(u->v[0].origin, w.u->v[0].origin);
    struct world both = { .all = w.all, .settings = s, .site = &s->sites[0], .u = u };
    for (int i = 0; i < 110; i++)
        got[choose(&both, 5000)]++;
    assert_int_equal(got[0], 100);
    assert_int_equal(got[1], 10);
    /* The same list again is the same one. */
    struct settings *same =
        settings_parse(STR("origin: [http://a, http://b]\n"), STR("t.yaml"), NULL, 0, &errors);
    assert_ptr_equal(upstream_of(&w.all, &same->sites[0], 9000), u);
    settings_unref(same);
    settings_unref(s);
    clear(&w);
}

static void a_single_origin_is_always_the_one(void **state)
{
    (void)state;
    struct world w;
    build(&w, "origin: http://a\n", 1000);
    make_sick(w.u->v[0].origin, 1000);
    origin_rest(w.u->v[0].origin, 2000);
    assert_int_equal(choose(&w, 2000), 0);
    assert_true(choose_with(&w, (struct upstream_wish){ .again = true, .tried = 1 }, 2000, NULL) == NONE);
    assert_true(upstream_is_sick(w.u));
    assert_true(upstream_may_try(w.u, 2000, 5000));
    assert_false(upstream_may_try(w.u, 6999, 5000));
    clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_are_by_weight),
        cmocka_unit_test(the_one_with_the_least_to_do_for_its_weight_is_next),
        cmocka_unit_test(nobody_saves_up_turns),
        cmocka_unit_test(a_rank_goes_before_load),
        cmocka_unit_test(a_new_one_gets_its_part_bit_by_bit),
        cmocka_unit_test(a_quiet_site_may_try_again_some_times),
        cmocka_unit_test(a_fifth_may_be_tried_again),
        cmocka_unit_test(a_sick_one_gets_nothing_but_a_probe),
        cmocka_unit_test(a_backup_is_used_and_left),
        cmocka_unit_test(one_that_was_not_reached_rests_for_a_moment),
        cmocka_unit_test(a_drained_one_gets_nothing),
        cmocka_unit_test(a_request_is_tried_at_each_once_within_the_budget),
        cmocka_unit_test(one_that_is_added_starts_slowly),
        cmocka_unit_test(a_single_origin_is_always_the_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
