/* Marks are few and small: a key finds its own, a full set forgets the one that was used longest ago or is
 * over, what is stored is forgotten at once, and all of them take a fixed part of the memory (CACHING.md
 * 6.4). */
#include "cache_world.h"

#include "cache/mark.h"

static struct marks marks;

static int begin(void **state)
{
    marks = (struct marks){ 0 };
    return world_begin(state);
}

static int end(void **state)
{
    marks_fini(&marks, &cache->memory);
    return world_end(state);
}

static struct place place_number(unsigned i)
{
    return place_of(arena_printf(&arena, "/%u", i).p, NULL, NULL);
}

static struct mark *make(const struct place *p, uint32_t used_s, uint32_t until_s)
{
    struct mark *m = marks_make(&marks, &cache->memory, p, used_s, until_s > 0);
    if (m) {
        m->used_s = used_s;
        m->until_s = until_s;
    }
    return m;
}

static void finds_its_own(void **state)
{
    (void)state;
    struct place a = place_of("/a", NULL, NULL), variant = place_of("/a", "cookie: x", NULL),
                 b = place_of("/b", NULL, NULL);
    assert_null(marks_find(&marks, &a));
    marks_forget(&marks, &a);
    struct mark *m = make(&a, 10, 70);
    assert_int_equal(m->reason, REASON_NONE);
    m->reason = REASON_COUNT - 1;
    assert_ptr_equal(marks_find(&marks, &a), m);
    assert_int_equal(m->reason, REASON_COUNT - 1);
    assert_ptr_equal(marks_make(&marks, &cache->memory, &a, 20, true), m);
    assert_int_equal(m->until_s, 70);
    assert_null(marks_find(&marks, &variant));
    assert_null(marks_find(&marks, &b));
    assert_ptr_not_equal(make(&variant, 10, 70), m);
    marks_forget(&marks, &a);
    assert_null(marks_find(&marks, &a));
    assert_non_null(marks_find(&marks, &variant));
}

/* Five of one set. */
static void five_that_meet(struct place five[5])
{
    struct place first = place_number(0);
    make(&first, 1, 0);
    unsigned n = 0;
    for (unsigned i = 0; n < 5; i++) {
        struct place p = place_number(i);
        if ((uint32_t)(p.hash.lo >> 32) % marks.sets == (uint32_t)(first.hash.lo >> 32) % marks.sets)
            five[n++] = p;
    }
    marks_forget(&marks, &first);
}

static void a_full_set_forgets_the_least_used(void **state)
{
    (void)state;
    struct place five[5];
    five_that_meet(five);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(make(&five[i], 100 - i, 1000));
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(marks_find(&marks, &five[i]));
    /* What is only for explain does not take the place of what is in force. */
    assert_null(marks_make(&marks, &cache->memory, &five[4], 200, false));
    assert_non_null(make(&five[4], 200, 1000));
    assert_null(marks_find(&marks, &five[3])); /* used at 97 */
    assert_non_null(marks_find(&marks, &five[0]));
    /* One that is over goes first, whenever it was used. */
    marks_find(&marks, &five[4])->until_s = 150;
    assert_non_null(marks_make(&marks, &cache->memory, &five[3], 200, false));
    assert_null(marks_find(&marks, &five[4]));
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(marks_find(&marks, &five[i]));
}

static void most_keys_have_room(void **state)
{
    (void)state;
    unsigned found = 0, n = 4 * 256; /* the table of one shard with a gigabyte */
    for (unsigned i = 0; i < n / 2; i++) {
        struct place p = place_number(i);
        make(&p, 1, 1000);
    }
    assert_int_equal(marks.sets, 256);
    for (unsigned i = 0; i < n / 2; i++) {
        struct place p = place_number(i);
        found += marks_find(&marks, &p) != NULL;
    }
    assert_true(found > n / 2 * 9 / 10);
    assert_true(found < n / 2 + 1);
}

static void takes_a_fixed_part_of_the_memory(void **state)
{
    (void)state;
    static const int64_t budgets[] = { 1 << 20, 32 << 20, (int64_t)1 << 30, (int64_t)1 << 36 };
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        world_end(NULL);
        world_begin_with(budgets[i]);
        struct place p = place_number(1);
        assert_int_equal(memory_used(&cache->memory), used_at_first); /* none before the first */
        make(&p, 1, 1000);
        int64_t took = memory_used(&cache->memory) - used_at_first, most = budgets[i] / 256 / CACHE_SHARDS;
        assert_true(took > 0 && took <= (most < 512 ? 512 : most > 66000 ? 66000 : most * 5 / 4));
        marks_fini(&marks, &cache->memory);
        assert_int_equal(memory_used(&cache->memory), used_at_first);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(finds_its_own),
        T(a_full_set_forgets_the_least_used),
        T(most_keys_have_room),
        T(takes_a_fixed_part_of_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
