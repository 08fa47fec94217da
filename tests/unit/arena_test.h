/* What tests of pure functions share: cmocka, and an arena for each test, which is also the test's state. */
#ifndef ARENA_TEST_H
#define ARENA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static struct arena arena;

static int setup(void **state)
{
    arena_init(&arena, 4096);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

#endif
