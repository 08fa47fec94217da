/* Both clocks turn when a test shifts them, and only then; the monotonic one never goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

#define HOUR_MS ((int64_t)3600000)

static void shows_the_systems_time(void **state)
{
    (void)state;
    struct clock c = { 0 };
    int64_t before_s = time(NULL);
    struct now now = clock_now(&c);
    int64_t after_s = time(NULL);
    assert_true(now.wall_ms >= (before_s - 1) * 1000 && now.wall_ms < (after_s + 2) * 1000);
    assert_true(now.mono_ms > 0);
}

static void never_goes_back(void **state)
{
    (void)state;
    struct clock c = { 0 };
    int64_t last_us = clock_mono_us(&c);
    struct now last = clock_now(&c);
    for (int i = 0; i < 10000; i++) {
        int64_t us = clock_mono_us(&c);
        struct now now = clock_now(&c);
        assert_true(us >= last_us);
        assert_true(now.mono_ms >= last.mono_ms);
        assert_true(now.mono_ms >= us / 1000);
        last_us = us;
        last = now;
    }
}

static void can_be_turned(void **state)
{
    (void)state;
    struct clock c = { 0 };
    struct now before = clock_now(&c);
    int64_t before_us = clock_mono_us(&c);
    c.mono_shift_ms = HOUR_MS;
    struct now after = clock_now(&c);
    assert_true(after.mono_ms >= before.mono_ms + HOUR_MS && after.mono_ms < before.mono_ms + 2 * HOUR_MS);
    assert_true(after.wall_ms < before.wall_ms + HOUR_MS / 2);
    assert_true(clock_mono_us(&c) >= before_us + HOUR_MS * 1000);
    c.wall_shift_ms = -24 * HOUR_MS;
    struct now yesterday = clock_now(&c);
    assert_true(yesterday.wall_ms < before.wall_ms - 23 * HOUR_MS);
    assert_true(yesterday.mono_ms >= after.mono_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_systems_time),
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(can_be_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
