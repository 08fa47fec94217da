/* How full memory is: what counts, when a step begins and ends, and that a flood cannot outrun the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/overload.h"
#include "base/pages.h"

#define MB ((int64_t)1 << 20)

static void a_step_begins_at_its_part_and_ends_below_it(void **state)
{
    (void)state;
    /* of 16: where each begins, and below what it ends */
    static const struct {
        enum overload_step step;
        int64_t begins, ends;
    } rows[] = {
        { OVERLOAD_SAVE, 8, 6 },
        { OVERLOAD_CUT, 10, 8 },
        { OVERLOAD_REFUSE, 13, 11 },
        { OVERLOAD_PAUSE, 15, 13 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum overload_step below = (enum overload_step)(rows[i].step - 1);
        assert_int_equal(overload_next(OVERLOAD_NONE, rows[i].begins * MB - 1, 16 * MB), below);
        assert_int_equal(overload_next(OVERLOAD_NONE, rows[i].begins * MB, 16 * MB), rows[i].step);
        assert_int_equal(overload_next(rows[i].step, rows[i].ends * MB, 16 * MB), rows[i].step);
        assert_true(overload_next(rows[i].step, rows[i].ends * MB - 1, 16 * MB) < rows[i].step);
    }
}

static void it_may_pass_several_steps_at_once(void **state)
{
    (void)state;
    assert_int_equal(overload_next(OVERLOAD_NONE, 100 * MB, 16 * MB), OVERLOAD_PAUSE);
    assert_int_equal(overload_next(OVERLOAD_PAUSE, 0, 16 * MB), OVERLOAD_NONE);
    assert_int_equal(overload_next(OVERLOAD_NONE, 100 * MB, 0), OVERLOAD_NONE); /* no limit */
}

static void all_memory_counts_but_for_budgets(void **state)
{
    (void)state;
    int64_t before = mem_held();
    void *p = mem_alloc(4 * MB), *map = pages_map(2 * MB, false);
    assert_in_range(mem_held() - before, 6 * MB - MEM_SHARE, 6 * MB + MEM_SHARE);
    p = mem_resize(p, 8 * MB);
    assert_in_range(mem_held() - before, 10 * MB - MEM_SHARE, 10 * MB + MEM_SHARE);
    void *other = mem_try_budgeted(8 * MB);
    assert_in_range(mem_held() - before, 10 * MB - MEM_SHARE, 10 * MB + MEM_SHARE);
    mem_free_budgeted(other);
    mem_free(p);
    pages_unmap(map, 2 * MB);
    assert_in_range(mem_held() - before + MEM_SHARE, 0, 2 * MEM_SHARE);
}

static _Atomic int64_t passing;

static int64_t ten(void *ctx)
{
    (void)ctx;
    return 10 * MB;
}

static void steps_are_parts_of_what_is_left_for_clients(void **state)
{
    (void)state;
    struct overload o = { .most_bytes = 110 * MB, .passing = &passing, .beside = ten };
    int64_t own = mem_held();
    passing = 0;
    assert_true(overload_begin(&o));
    assert_in_range(o.base_bytes, 10 * MB + own - MEM_SHARE, 10 * MB + own + MEM_SHARE);
    assert_int_equal(overload_judge(&o), OVERLOAD_NONE);
    assert_int_equal(overload_excess(&o), 0);
    assert_true(overload_has_room(&o, 50 * MB));
    passing = 51 * MB;
    assert_int_equal(overload_judge(&o), OVERLOAD_SAVE);
    passing = 70 * MB;
    assert_int_equal(overload_judge(&o), OVERLOAD_CUT);
    /* Down to where cutting ends. */
    assert_in_range(overload_excess(&o), 19 * MB, 21 * MB);
    passing = 95 * MB;
    assert_false(overload_has_room(&o, 1)); /* before anybody has judged */
    assert_int_equal(overload_with(&o, 0), OVERLOAD_PAUSE);
    assert_false(overload_is_over(&o, MB));
    assert_true(overload_is_over(&o, 6 * MB));
    assert_int_equal(overload_step(&o), OVERLOAD_CUT);
    assert_int_equal(overload_judge(&o), OVERLOAD_PAUSE);
    passing = 0;
    assert_int_equal(overload_judge(&o), OVERLOAD_NONE);
    assert_true(o.high_bytes >= 105 * MB);
}

static void a_base_that_takes_all_leaves_a_little(void **state)
{
    (void)state;
    struct overload o = { .most_bytes = 16 * MB, .beside = ten };
    assert_false(overload_begin(&o)); /* and that is said */
    o.base_bytes = 100 * MB;
    assert_true(overload_has_room(&o, 1));
    assert_false(overload_has_room(&o, MB));
    assert_int_equal(overload_step(NULL), OVERLOAD_NONE);
    assert_true(overload_has_room(NULL, INT64_MAX) && !overload_is_over(NULL, INT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_begins_at_its_part_and_ends_below_it),
        cmocka_unit_test(it_may_pass_several_steps_at_once),
        cmocka_unit_test(all_memory_counts_but_for_budgets),
        cmocka_unit_test(steps_are_parts_of_what_is_left_for_clients),
        cmocka_unit_test(a_base_that_takes_all_leaves_a_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
