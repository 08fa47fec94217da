/* An arena gives aligned memory that does not overlap, whatever the sizes, and gives all of it back at
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"

/* Sizes around the limits of a block of 256 bytes, and above. */
static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 240, 255, 256, 257, 1000, 4096, 3, 241, 16, 0 };

static void gives_memory_of_every_size(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    assert_null(a.first);
    for (int round = 0; round < 3; round++) {
        unsigned char *p[COUNT_OF(sizes)];
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            p[i] = arena_alloc(&a, sizes[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            memset(p[i], (int)i + 1, sizes[i]);
        }
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(p[i][k], i + 1);
        arena_rewind(&a);
    }
    arena_fini(&a);
}

static void keeps_its_first_block_over_rewinds(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    arena_rewind(&a); /* before the first allocation: nothing to do */
    assert_null(a.first);
    char *first = arena_alloc(&a, 64);
    arena_alloc(&a, 5000);
    arena_alloc(&a, 64);
    arena_rewind(&a);
    assert_ptr_equal(arena_alloc(&a, 64), first);
    arena_fini(&a);
    /* After the end it may be used again. */
    memset(arena_alloc(&a, 10), 1, 10);
    arena_fini(&a);
    arena_fini(&a);
}

/* The first block is the owner's: it is used before any other, also after a rewind, and never freed. */
static void begins_in_its_owners_memory(void **state)
{
    (void)state;
    struct arena a;
    _Alignas(16) char memory[256];
    arena_init_in(&a, memory, sizeof(memory), 256);
    for (int round = 0; round < 2; round++) {
        char *p = arena_alloc(&a, 100), *q = arena_alloc(&a, 200);
        assert_true(p > memory && p + 100 <= memory + sizeof(memory));
        assert_true(q + 200 <= memory || q >= memory + sizeof(memory));
        memset(q, 1, 200);
        assert_int_equal((uintptr_t)p % 16, 0);
        arena_rewind(&a);
    }
    char *whole = arena_alloc(&a, 240);
    assert_true(whole > memory && whole + 240 == memory + sizeof(memory));
    arena_alloc(&a, 1);
    arena_fini(&a);
}

static void zeroes(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    memset(arena_alloc(&a, 256), 0xff, 256);
    arena_rewind(&a);
    const char *p = arena_zero(&a, 256);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(p[i], 0);
    arena_fini(&a);
}

static void copies_strings(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    char text[] = "ABC\0def";
    struct str s = arena_dup(&a, (struct str){ text, 7 }),
               lower = arena_dup_lower(&a, (struct str){ text, 7 });
    text[0] = 'x';
    assert_int_equal(s.n, 7);
    assert_memory_equal(s.p, "ABC\0def", 8); /* with a NUL behind it */
    assert_int_equal(lower.n, 7);
    assert_memory_equal(lower.p, "abc\0def", 8);
    struct str none = arena_dup(&a, STR_NONE);
    assert_int_equal(none.n, 0);
    assert_int_equal(none.p[0], 0);
    assert_int_equal(arena_dup_lower(&a, STR_NONE).n, 0);
    arena_fini(&a);
}

static void joins(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    struct str s = ARENA_JOIN(&a, STR("one"), STR_NONE, STR(", "), STR("two"));
    assert_true(str_eq(s, STR("one, two")));
    assert_int_equal(ARENA_JOIN(&a, STR_NONE, STR("")).n, 0);
    assert_non_null(ARENA_JOIN(&a, STR_NONE).p);
    assert_int_equal(arena_join(&a, NULL, 0).n, 0);
    arena_fini(&a);
}

static void writes_numbers(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    assert_true(str_eq(arena_decimal(&a, 0), STR("0")));
    assert_true(str_eq(arena_decimal(&a, 8080), STR("8080")));
    assert_true(str_eq(arena_decimal(&a, UINT64_MAX), STR("18446744073709551615")));
    assert_true(str_eq(arena_hex(&a, 0), STR("0")));
    assert_true(str_eq(arena_hex(&a, 0x1af), STR("1af")));
    assert_true(str_eq(arena_hex(&a, UINT64_MAX), STR("ffffffffffffffff")));
    arena_fini(&a);
}

static void prints(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    char big[1000];
    memset(big, 'y', sizeof(big));
    struct str s = arena_printf(&a, "%d-%.*s-%s", 7, STR_ARG(STR("two")), "x");
    assert_true(str_eq(s, STR("7-two-x")));
    s = arena_printf(&a, "%.*s", (int)sizeof(big), big);
    assert_int_equal(s.n, sizeof(big));
    assert_memory_equal(s.p, big, sizeof(big));
    s = arena_printf(&a, "%.*s", STR_ARG(STR_NONE));
    assert_int_equal(s.n, 0);
    arena_fini(&a);
}

/* A list grows in the arena, and keeps what it has. */
static void a_list_grows(void **state)
{
    (void)state;
    struct arena a;
    struct strs list = { 0 };
    arena_init(&a, 256);
    for (size_t i = 0; i < 1000; i++)
        arena_add_str(&a, &list, arena_decimal(&a, i));
    assert_int_equal(list.n, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_true(str_eq(list.v[i], arena_decimal(&a, i)));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_memory_of_every_size),
        cmocka_unit_test(keeps_its_first_block_over_rewinds),
        cmocka_unit_test(begins_in_its_owners_memory),
        cmocka_unit_test(zeroes),
        cmocka_unit_test(copies_strings),
        cmocka_unit_test(joins),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(prints),
        cmocka_unit_test(a_list_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
