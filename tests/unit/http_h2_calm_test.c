/* A client may do each costly thing so often at once and so often a second, and not once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/h2_calm.h"

static const struct {
    unsigned burst, per_s;
} rows[] = {
#define H2_GLITCH(id, burst, per_s, text) { burst, per_s },
#include "tbl/h2_glitches.h"
#undef H2_GLITCH
};

/* How many are allowed at that time? */
static unsigned count_all(struct h2_calm *c, enum h2_glitch what, int64_t now_ms)
{
    unsigned n = 0;
    while (h2_calm_count(c, what, now_ms))
        n++;
    return n;
}

static void a_burst_is_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < H2_GLITCH_COUNT; i++) {
        struct h2_calm c = { .at_ms = 0 };
        assert_int_equal(count_all(&c, i, 1000), rows[i].burst);
        assert_int_equal(h2_calm_burst(i), rows[i].burst);
        assert_true(strlen(h2_calm_text(i)) > 0);
    }
}

static void kinds_are_counted_apart(void **state)
{
    (void)state;
    struct h2_calm c = { .at_ms = 0 };
    count_all(&c, H2_GLITCH_PING, 1000);
    assert_int_equal(count_all(&c, H2_GLITCH_SETTINGS, 1000), h2_calm_burst(H2_GLITCH_SETTINGS));
}

static void a_second_gives_back_its_share(void **state)
{
    (void)state;
    for (unsigned i = 0; i < H2_GLITCH_COUNT; i++) {
        struct h2_calm c = { .at_ms = 0 };
        count_all(&c, i, 1000);
        assert_int_equal(count_all(&c, i, 2000), rows[i].per_s);
        assert_int_equal(count_all(&c, i, 1500), 0); /* a clock that goes back gives nothing */
        assert_int_equal(count_all(&c, i, INT64_MAX / 2), rows[i].burst);
    }
}

static void what_has_a_reason_is_taken_back(void **state)
{
    (void)state;
    struct h2_calm c = { .at_ms = 0 }, fresh = { .at_ms = 0 };
    count_all(&c, H2_GLITCH_PRIORITY, 1000);
    h2_calm_request(&c);
    assert_int_equal(count_all(&c, H2_GLITCH_PRIORITY, 1000), 4);
    h2_calm_request(&fresh); /* nothing is saved up */
    assert_int_equal(count_all(&fresh, H2_GLITCH_PRIORITY, 1000), h2_calm_burst(H2_GLITCH_PRIORITY));
}

/* A client whose own windows make frames tiny has no reason to open them by as little. */
static void small_answers_explain_small_updates(void **state)
{
    (void)state;
    struct h2_calm c = { .at_ms = 0 };
    assert_true(h2_calm_is_tiny(1) && h2_calm_is_tiny(1023) && !h2_calm_is_tiny(1024) && !h2_calm_is_tiny(0));
    count_all(&c, H2_GLITCH_TINY_WINDOW, 1000);
    h2_calm_sent(&c, 1, true);
    assert_int_equal(count_all(&c, H2_GLITCH_TINY_WINDOW, 1000), 0);
    h2_calm_sent(&c, 1, false);
    assert_int_equal(count_all(&c, H2_GLITCH_TINY_WINDOW, 1000), 2);
    h2_calm_sent(&c, 16384, true);
    assert_int_equal(count_all(&c, H2_GLITCH_TINY_WINDOW, 1000), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_exact),
        cmocka_unit_test(kinds_are_counted_apart),
        cmocka_unit_test(a_second_gives_back_its_share),
        cmocka_unit_test(what_has_a_reason_is_taken_back),
        cmocka_unit_test(small_answers_explain_small_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
