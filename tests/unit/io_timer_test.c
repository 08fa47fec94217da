/* Timers fire once, never early, soon after they are due, also when the clock jumps; re-arming costs one
 * store and many far ones cause few wake-ups. */
#include "io_test.h"

struct alarm_clock {
    struct timer timer;
    struct world *world;
    int64_t due_ms; /* what we know; the timer's own is cleared when it fires */
    int fired;
    struct timer *stops; /* another timer that it stops */
    int64_t again_ms;    /* starts itself again with this delay, unless it is negative */
};

static int fired_total;

static void ring(struct timer *t);

static void set(struct alarm_clock *a, struct world *w, int64_t ms)
{
    a->world = w;
    timer_start(&w->loop, &a->timer, ms, ring);
    a->due_ms = w->loop.now.mono_ms + ms;
    assert_true(timer_is_running(&a->timer));
}

static void ring(struct timer *t)
{
    struct alarm_clock *a = CONTAINER_OF(t, struct alarm_clock, timer);
    assert_false(timer_is_running(t));
    assert_true(a->world->loop.now.mono_ms >= a->due_ms);
    a->fired++;
    fired_total++;
    if (a->stops)
        timer_stop(&a->world->loop, a->stops);
    if (a->again_ms >= 0)
        set(a, a->world, a->again_ms);
}

static uint64_t random_state = 88172645463325252u;

static int64_t random_below(int64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (int64_t)(random_state % (uint64_t)n);
}

static void fires_once_and_never_early(void **state)
{
    (void)state;
    static struct world w;
    static const int64_t delays[] = { 0, 1, 5, 31, 32, 33, 64, 100, 150 };
    static struct alarm_clock v[COUNT_OF(delays)];
    world_init(&w);
    memset(v, 0, sizeof(v));
    fired_total = 0;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        v[i].again_ms = -1;
        set(&v[i], &w, delays[i]);
    }
    assert_int_equal(fired_total, 0);
    loop_close(&w.loop);
    loop_run(&w.loop); /* the timers keep it running, on the real clock */
    for (size_t i = 0; i < COUNT_OF(delays); i++)
        assert_int_equal(v[i].fired, 1);
    world_fini(&w);
}

static void is_looked_at_soon_after_it_is_due(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock a;
    world_init(&w);
    memset(&a, 0, sizeof(a));
    for (int i = 0; i < 20000; i++) {
        int64_t most = i % 2 ? 20000 : 100 * 3600 * INT64_C(1000);
        int64_t ms = random_below(most);
        atomic_fetch_add(&w.clock.mono_shift_ms, random_below(100));
        timers_recheck(&w.loop);
        set(&a, &w, ms);
        int64_t late_ms = a.timer.slot_ms - a.due_ms;
        assert_true(late_ms >= 0);
        assert_true(late_ms <= 32 || (ms >= 20000 && late_ms <= ms / 100 && late_ms <= 2048 + 32));
        timer_stop(&w.loop, &a.timer);
        assert_false(timer_is_running(&a.timer));
    }
    assert_int_equal(a.fired, 0);
    world_fini(&w);
}

static void re_arming_later_is_one_store(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock a;
    world_init(&w);
    memset(&a, 0, sizeof(a));
    a.again_ms = -1;
    set(&a, &w, 10000);
    int64_t filed_ms = a.timer.slot_ms;
    for (int64_t later = 10000; later < 100000; later += 7000) {
        set(&a, &w, later);
        assert_int_equal(a.timer.slot_ms, filed_ms);
    }
    /* Its old slot comes up, it does not fire; it fires at the new time. */
    world_turn(&w, 50000);
    world_settle(&w);
    assert_int_equal(a.fired, 0);
    world_turn(&w, 50000);
    world_settle(&w);
    assert_int_equal(a.fired, 1);
    world_fini(&w);
}

/* The same without timers_recheck, as in production: the slot comes up by the real clock. */
static void a_moved_deadline_is_filed_again(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock a;
    world_init(&w);
    memset(&a, 0, sizeof(a));
    a.again_ms = -1;
    set(&a, &w, 1);
    set(&a, &w, 120);
    loop_close(&w.loop);
    loop_run(&w.loop);
    assert_int_equal(a.fired, 1);
    world_fini(&w);
}

static void re_arming_earlier_fires_earlier(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock a;
    world_init(&w);
    memset(&a, 0, sizeof(a));
    a.again_ms = -1;
    set(&a, &w, 3600000);
    set(&a, &w, 1000);
    assert_true(a.timer.slot_ms <= a.due_ms + 32);
    world_turn(&w, 1000);
    world_settle(&w);
    assert_int_equal(a.fired, 1);
    world_turn(&w, 3600000);
    world_settle(&w);
    assert_int_equal(a.fired, 1);
    world_fini(&w);
}

static void a_callback_may_stop_others_and_start_itself(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock v[3];
    world_init(&w);
    memset(v, 0, sizeof(v));
    fired_total = 0;
    for (int i = 0; i < 3; i++) {
        v[i].again_ms = -1;
        set(&v[i], &w, 1000);
    }
    v[0].stops = &v[1].timer; /* same slot, filed later */
    world_turn(&w, 2000);
    world_settle(&w);
    assert_int_equal(v[0].fired, 1);
    assert_int_equal(v[1].fired, 0);
    assert_int_equal(v[2].fired, 1);

    v[2].again_ms = 0;
    set(&v[2], &w, 0);
    world_turn(&w, 1000);
    int before = v[2].fired;
    loop_run_once(&w.loop, false);
    assert_true(v[2].fired <= before + 2); /* it cannot hold the loop */
    RUN_UNTIL(&w, v[2].fired >= before + 3);
    v[2].again_ms = -1;
    timer_stop(&w.loop, &v[2].timer);
    timer_stop(&w.loop, &v[2].timer);
    world_fini(&w);
}

/* One iteration; another one when the wheel was so late, on a busy machine, that it let sockets go first. */
static void run_due(struct world *w)
{
    do
        loop_run_once(&w->loop, false);
    while (w->loop.wheel.waits_for_sockets);
}

#define MANY 10000

static void a_jump_of_days_fires_all_that_is_due_at_once(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock v[MANY];
    world_init(&w);
    memset(v, 0, sizeof(v));
    for (int i = 0; i < MANY; i++) {
        v[i].again_ms = -1;
        set(&v[i], &w, random_below(4 * 86400 * INT64_C(1000)));
    }
    for (int day = 0; day < 4; day++) {
        world_turn(&w, 86400 * 1000);
        int64_t turned_ms = w.loop.now.mono_ms;
        run_due(&w);
        for (int i = 0; i < MANY; i++) {
            if (v[i].due_ms <= turned_ms)
                assert_int_equal(v[i].fired, 1);
            else if (v[i].fired)
                assert_true(v[i].due_ms <= w.loop.now.mono_ms);
            assert_true(timer_is_running(&v[i].timer) == (v[i].fired == 0));
        }
    }
    assert_int_equal(w.loop.wheel.running, 0);
    world_fini(&w);
}

/* Random starts, stops and turns against a plain model. */
static void agrees_with_a_plain_model(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock v[50];
    int expected[COUNT_OF(v)] = { 0 };
    bool running[COUNT_OF(v)] = { false };
    int64_t turned_ms;
    world_init(&w);
    memset(v, 0, sizeof(v));
    for (size_t i = 0; i < COUNT_OF(v); i++)
        v[i].again_ms = -1;
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)random_below(COUNT_OF(v));
        switch (random_below(8)) {
        case 0:
            timer_stop(&w.loop, &v[i].timer);
            running[i] = false;
            break;
        case 1:
            world_turn(&w, random_below(random_below(2) ? 100 : 100000));
            turned_ms = w.loop.now.mono_ms;
            run_due(&w);
            for (size_t k = 0; k < COUNT_OF(v); k++) {
                /* Those that come due by the real clock between the turn and the run may fire or not. */
                bool must = running[k] && v[k].due_ms <= turned_ms;
                bool may = running[k] && v[k].due_ms <= w.loop.now.mono_ms;
                if (must || (may && v[k].fired > expected[k])) {
                    expected[k]++;
                    running[k] = false;
                }
                assert_int_equal(v[k].fired, expected[k]);
                assert_true(timer_is_running(&v[k].timer) == running[k]);
            }
            break;
        default:
            set(&v[i], &w, random_below(random_below(2) ? 200 : 200000));
            running[i] = true;
            break;
        }
    }
    for (size_t i = 0; i < COUNT_OF(v); i++)
        timer_stop(&w.loop, &v[i].timer);
    world_fini(&w);
}

static void a_clock_that_goes_back_delays(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock a, b;
    world_init(&w);
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    a.again_ms = b.again_ms = -1;
    world_turn(&w, 3600000);
    set(&a, &w, 1000);
    world_turn(&w, -1800000);
    set(&b, &w, 1000);
    world_turn(&w, 1000);
    world_settle(&w);
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
    world_turn(&w, 1800000);
    world_settle(&w);
    assert_int_equal(a.fired, 1);
    world_fini(&w);
}

static void an_idle_wheel_sleeps(void **state)
{
    (void)state;
    static struct world w;
    static struct alarm_clock v[MANY];
    world_init(&w);
    memset(v, 0, sizeof(v));
    uv_handle_t *tick = (uv_handle_t *)&w.loop.wheel.tick;
    assert_false(uv_is_active(tick));
    set(&v[0], &w, 1000);
    assert_true(uv_is_active(tick));
    timer_stop(&w.loop, &v[0].timer);
    assert_false(uv_is_active(tick));

    /* Connections that went idle at different times, over a minute: looked at four times a second at most. */
    for (int i = 0; i < MANY; i++) {
        atomic_fetch_add(&w.clock.mono_shift_ms, 6);
        run_due(&w);
        set(&v[i], &w, 60000);
    }
    int wakeups = 0;
    for (size_t i = 0; i < COUNT_OF(w.loop.wheel.filled); i++)
        wakeups += __builtin_popcountll(w.loop.wheel.filled[i]);
    int64_t turn_ms = WHEEL_SLOTS * 32;
    assert_true(wakeups > 0 && wakeups <= 4 * turn_ms / 1000);
    for (int i = 0; i < MANY; i++)
        timer_stop(&w.loop, &v[i].timer);
    assert_false(uv_is_active(tick));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_once_and_never_early),
        cmocka_unit_test(is_looked_at_soon_after_it_is_due),
        cmocka_unit_test(re_arming_later_is_one_store),
        cmocka_unit_test(a_moved_deadline_is_filed_again),
        cmocka_unit_test(re_arming_earlier_fires_earlier),
        cmocka_unit_test(a_callback_may_stop_others_and_start_itself),
        cmocka_unit_test(a_jump_of_days_fires_all_that_is_due_at_once),
        cmocka_unit_test(agrees_with_a_plain_model),
        cmocka_unit_test(a_clock_that_goes_back_delays),
        cmocka_unit_test(an_idle_wheel_sleeps),
    };
    RUN_ALL_WAYS(tests, NULL, NULL);
}
