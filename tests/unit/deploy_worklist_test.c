/* A worklist gives each target once, in order, up to its limit. */
#include <stdio.h>

#include "arena_test.h"

#include "deploy/worklist.h"

static const struct hash_secret secret = { "a secret that everybody knows" };

static void each_once_and_in_order(void **state)
{
    (void)state;
    struct worklist w = { .arena = &arena, .secret = &secret };
    struct str target;
    char text[] = "/c";
    worklist_add(&w, STR("/a"));
    worklist_add(&w, STR("/b"));
    worklist_add(&w, STR("/a"));
    worklist_add(&w, str_from(text));
    text[1] = 'x'; /* it was copied */
    for (const char *should = "abc"; *should; should++) {
        assert_true(worklist_take(&w, &target));
        assert_int_equal(target.p[1], *should);
    }
    assert_false(worklist_take(&w, &target));
    worklist_add(&w, STR("/b")); /* it was taken, and is not taken again */
    assert_false(worklist_take(&w, &target));
    worklist_fini(&w);
}

static void it_has_a_limit(void **state)
{
    (void)state;
    struct worklist w = { .arena = &arena, .secret = &secret };
    struct str target;
    for (unsigned i = 0; i < WORKLIST_MAX + 10; i++) {
        char text[16];
        snprintf(text, sizeof(text), "/%u", i);
        assert_int_equal(w.is_full, i > WORKLIST_MAX);
        worklist_add(&w, str_from(text));
    }
    assert_true(w.is_full);
    size_t n = 0;
    while (worklist_take(&w, &target))
        n++;
    assert_int_equal(n, WORKLIST_MAX);
    worklist_fini(&w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(each_once_and_in_order), TEST(it_has_a_limit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
