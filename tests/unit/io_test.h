/* What the tests of io/ share: a loop with a clock that can be turned and a log that remembers. */
#ifndef IO_TEST_H
#define IO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "io/ring.h"

/* What follows is to hold with io_uring, too: the tests of a program run once without it, once with it, and
 * once with every write going through its queue, as on a busy loop. */
enum way { WAY_READINESS, WAY_RING, WAY_QUEUE };
static enum way world_way;

struct world {
    struct clock clock;
    struct log log;
    struct buf logged;
    unsigned log_lines;
    struct loop loop;
};

static void world_log(struct log *log, struct str line)
{
    struct world *w = CONTAINER_OF(log, struct world, log);
    buf_add(&w->logged, line);
    w->log_lines++;
}

static inline void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->log = (struct log){ .write = world_log, .clock = &w->clock, .most = LOG_INFO };
    assert_int_equal(loop_init(&w->loop, &w->clock, &w->log), 0);
    if (world_way != WAY_READINESS)
        assert_int_equal(loop_use_ring(&w->loop), 0);
    if (world_way == WAY_QUEUE)
        w->loop.ring->direct_below = 0;
    alarm(60); /* a test that waits for what never comes must end */
}

/* All that the test opened must be closed: loop_fini checks that. */
static inline void world_fini(struct world *w)
{
    loop_close(&w->loop);
    loop_run(&w->loop);
    loop_fini(&w->loop);
    buf_fini(&w->logged);
}

static inline void world_turn(struct world *w, int64_t ms)
{
    atomic_fetch_add(&w->clock.mono_shift_ms, ms);
    timers_recheck(&w->loop);
}

static inline bool world_can_ring(void)
{
    struct world w;
    memset(&w, 0, sizeof(w));
    w.log = (struct log){ .write = world_log, .clock = &w.clock, .most = LOG_INFO };
    if (loop_init(&w.loop, &w.clock, &w.log) != 0)
        return false;
    bool can = loop_use_ring(&w.loop) == 0;
    loop_close(&w.loop);
    loop_fini(&w.loop);
    if (!can)
        print_message("no io_uring here: tested without it only\n");
    return can;
}

/* All ways; returns from main with the number of failed tests, as cmocka gives it. */
#define RUN_ALL_WAYS(tests, setup, teardown)                                                                 \
    do {                                                                                                     \
        int failed = cmocka_run_group_tests_name("by readiness", tests, setup, teardown);                    \
        if (!world_can_ring())                                                                               \
            return failed;                                                                                   \
        world_way = WAY_RING;                                                                                \
        failed += cmocka_run_group_tests_name("with io_uring", tests, setup, teardown);                      \
        world_way = WAY_QUEUE;                                                                               \
        return failed + cmocka_run_group_tests_name("all through io_uring", tests, setup, teardown);         \
    } while (0)

/* Runs the loop until the expression holds; the alarm ends what never does. Does not wait in the loop: libuv
 * runs the timers that are due, and then waits for another event, which may never come. */
#define RUN_UNTIL(w, expr)                                                                                   \
    do {                                                                                                     \
        while (!(expr)) {                                                                                    \
            loop_run_once(&(w)->loop, false);                                                                \
            usleep(20);                                                                                      \
        }                                                                                                    \
    } while (0)

/* Runs what is ready now, a few turns of the loop, without waiting. */
static inline void world_settle(struct world *w)
{
    for (int i = 0; i < 5; i++)
        loop_run_once(&w->loop, false);
}

#endif
