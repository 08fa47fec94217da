/* Who waits at a desk is told once: when his commit is on disk, when it cannot be, or when the disk has not
 * answered for FACTS_WAIT_MS, and not before. */
#include "facts_test.h"
#include "io_test.h"
#include "store/facts_desk.h"

/* The wheel of timers may be late by that, and the clock goes on by itself on a busy machine. */
#define LATE_MS 600

static struct world world;
static struct shared disk;
static struct facts_desk desk;

struct visitor {
    struct facts_wait wait;
    unsigned told, saved;
    struct visitor *leaves; /* when this one is told */
};
static struct visitor visitors[1000];

static void told(struct facts_wait *w, bool saved)
{
    struct visitor *v = CONTAINER_OF(w, struct visitor, wait);
    v->told++;
    v->saved += saved;
    if (v->leaves)
        facts_desk_leave(&desk, &v->leaves->wait);
}

static void comes(unsigned i)
{
    set_row(i % NUMBERS, 1);
    assert_int_equal(facts_desk_wait(&desk, &visitors[i].wait, told), FACTS_UNSETTLED);
}

static int setup(void **state)
{
    (void)state;
    struct facts_options o = { &disk.files, 256 << 10, 0 };
    world_init(&world);
    shared_init(&disk);
    memset(visitors, 0, sizeof(visitors));
    assert_int_equal(open_with("f", &o), FACTS_USABLE);
    facts_start(facts);
    facts_desk_init(&desk, facts, &world.loop);
    shared_hold(&disk, true); /* no commit ends */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shared_hold(&disk, false);
    RUN_UNTIL(&world, list_is_empty(&desk.waiting));
    assert_false(timer_is_running(&desk.timer));
    assert_true(facts_stop(facts));
    RUN_UNTIL(&world, !loop_notice_is_pending(&desk.notice));
    facts_desk_fini(&desk);
    world_fini(&world);
    facts_free(facts);
    shared_fini(&disk);
    buf_fini(&said);
    return 0;
}

static void turn(int64_t ms)
{
    world_turn(&world, ms);
    world_settle(&world);
}

static void a_commit_is_told(void **state)
{
    (void)state;
    comes(0);
    comes(1);
    world_settle(&world);
    assert_int_equal(visitors[0].told, 0);
    shared_hold(&disk, false);
    RUN_UNTIL(&world, visitors[0].told && visitors[1].told);
    assert_int_equal(visitors[0].saved, 1);
    assert_int_equal(visitors[1].saved, 1);
    assert_int_equal(facts_desk_wait(&desk, &visitors[2].wait, told), FACTS_SAVED);
    turn(FACTS_WAIT_MS * 2);
    assert_int_equal(visitors[0].told, 1);
    assert_int_equal(visitors[2].told, 0);
}

/* Each has his own time, whenever he came. */
static void each_waits_for_so_long(void **state)
{
    (void)state;
    comes(0);
    turn(2000);
    comes(1);
    comes(2);
    turn(FACTS_WAIT_MS - 2000 - LATE_MS);
    assert_int_equal(visitors[0].told, 0);
    turn(2 * LATE_MS);
    assert_int_equal(visitors[0].told, 1);
    assert_int_equal(visitors[0].saved, 0);
    assert_int_equal(visitors[1].told, 0);
    turn(2000 - 3 * LATE_MS);
    assert_int_equal(visitors[1].told, 0);
    assert_int_equal(visitors[2].told, 0);
    turn(3 * LATE_MS);
    assert_int_equal(visitors[1].told, 1);
    assert_int_equal(visitors[2].told, 1);
    assert_int_equal(visitors[1].saved + visitors[2].saved, 0);
    assert_false(timer_is_running(&desk.timer));
}

/* The first one goes: the time of those behind him is theirs. */
static void who_leaves_is_not_told(void **state)
{
    (void)state;
    comes(0);
    turn(2000);
    comes(1);
    facts_desk_leave(&desk, &visitors[0].wait);
    facts_desk_leave(&desk, &visitors[0].wait);
    facts_desk_leave(&desk, &visitors[5].wait); /* never came */
    turn(FACTS_WAIT_MS - 2000 + LATE_MS);
    assert_int_equal(visitors[0].told, 0);
    assert_int_equal(visitors[1].told, 0);
    turn(2000);
    assert_int_equal(visitors[0].told, 0);
    assert_int_equal(visitors[1].told, 1);
}

/* Who is told may send another one away, who is told no more. */
static void one_may_send_another_away(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        comes(i);
    visitors[0].leaves = &visitors[1];
    visitors[2].leaves = &visitors[3];
    turn(FACTS_WAIT_MS + LATE_MS);
    assert_int_equal(visitors[0].told, 1);
    assert_int_equal(visitors[1].told, 0);
    assert_int_equal(visitors[2].told, 1);
    assert_int_equal(visitors[3].told, 0);
}

/* Very many: all are told once, whether in time or too late. */
static void a_crowd_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 600; i++)
        comes(i);
    turn(FACTS_WAIT_MS + LATE_MS);
    RUN_UNTIL(&world, visitors[599].told);
    for (unsigned i = 0; i < 600; i++)
        assert_true(visitors[i].told == 1 && visitors[i].saved == 0);
    for (unsigned i = 0; i < 600; i++)
        visitors[i] = (struct visitor){ .told = 0 };
    for (unsigned i = 0; i < 600; i++)
        comes(i);
    shared_hold(&disk, false);
    RUN_UNTIL(&world, visitors[599].told);
    for (unsigned i = 0; i < 600; i++)
        assert_true(visitors[i].told == 1 && visitors[i].saved == 1);
}

/* A disk that fails while they wait: all are told that it is in memory alone. */
static void a_failure_is_told(void **state)
{
    (void)state;
    comes(0);
    shared_fail(&disk, DISK_SYNC, 1, 1000, -EIO);
    comes(1);
    shared_hold(&disk, false);
    RUN_UNTIL(&world, visitors[0].told && visitors[1].told);
    assert_int_equal(visitors[0].saved + visitors[1].saved, 0);
    assert_int_equal(facts_desk_wait(&desk, &visitors[2].wait, told), FACTS_UNSAVED);
    shared_fail(&disk, DISK_SYNC, 0, 0, 0);
    recover();
    assert_int_equal(facts_desk_wait(&desk, &visitors[2].wait, told), FACTS_SAVED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_is_told),          TEST(each_waits_for_so_long), TEST(who_leaves_is_not_told),
        TEST(one_may_send_another_away), TEST(a_crowd_is_told),        TEST(a_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
