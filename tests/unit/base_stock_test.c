/* A stock gives every piece to one owner at a time, the warmest first, and lets go of what a crowd took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/stock.h"

#define PIECE 8192
#define MANY  2000 /* pieces, of eight chunks */

static void *take(struct stock *s, bool wanted_new)
{
    bool is_new;
    char *p = stock_take(s, &is_new);
    assert_int_equal(is_new, wanted_new);
    assert_int_equal((uintptr_t)p % 64, 0);
    if (is_new)
        for (size_t i = 0; i < s->piece; i++)
            assert_int_equal(p[i], 0);
    return p;
}

static void a_piece_comes_back_as_it_was(void **state)
{
    struct stock s;
    (void)state;
    stock_init(&s, PIECE - 1);
    assert_int_equal(s.piece, PIECE);
    char *a = take(&s, true), *b = take(&s, true);
    assert_true(a + PIECE <= b || b + PIECE <= a);
    memset(a, 'a', PIECE);
    memset(b, 'b', PIECE);
    stock_give(&s, a);
    stock_give(&s, b);
    char *again = take(&s, false);
    assert_ptr_equal(again, b); /* the latest, which is warm */
    for (size_t i = sizeof(void *); i < PIECE; i++)
        assert_int_equal(again[i], 'b');
    assert_ptr_equal(take(&s, false), a);
    stock_give(&s, a);
    stock_give(&s, b);
    stock_fini(&s);
}

/* Marks each piece, so that one that was given twice is found. */
static void take_many(struct stock *s, char **v)
{
    for (size_t i = 0; i < MANY; i++) {
        bool is_new;
        v[i] = stock_take(s, &is_new);
        memset(v[i], (int)(i % 251), s->piece);
    }
    for (size_t i = 0; i < MANY; i++)
        for (size_t at = 0; at < s->piece; at += 64)
            assert_int_equal((unsigned char)v[i][at], i % 251);
}

static void a_crowds_memory_goes_to_the_system(void **state)
{
    static char *v[MANY];
    struct stock s;
    (void)state;
    stock_init(&s, PIECE);
    for (unsigned round = 0; round < 2; round++) {
        take_many(&s, v);
        assert_int_equal(s.chunks, 8);
        assert_false(stock_can_trim(&s));
        for (size_t i = 0; i < MANY; i++)
            stock_give(&s, v[i * 7 % MANY]); /* in another order */
        assert_int_equal(s.whole_n, 8);
        assert_true(stock_can_trim(&s));
        stock_trim(&s);
        assert_int_equal(s.chunks, STOCK_SPARE);
        assert_false(stock_can_trim(&s));
    }
    stock_fini(&s);
}

/* Of a crowd one stays: only its chunk does, and its other pieces are given first. */
static void who_stays_holds_one_chunk(void **state)
{
    static char *v[MANY];
    struct stock s;
    (void)state;
    stock_init(&s, PIECE);
    take_many(&s, v);
    for (size_t i = 0; i < MANY; i++)
        if (i != MANY / 2)
            stock_give(&s, v[i]);
    stock_trim(&s);
    assert_int_equal(s.chunks, STOCK_SPARE + 1);
    char *p = take(&s, false);
    assert_int_equal((uintptr_t)p / STOCK_CHUNK, (uintptr_t)v[MANY / 2] / STOCK_CHUNK);
    assert_int_equal(s.whole_n, STOCK_SPARE);
    stock_give(&s, p);
    stock_give(&s, v[MANY / 2]);
    assert_int_equal(s.whole_n, STOCK_SPARE + 1);
    stock_fini(&s);
}

/* A few requests at a time use the same few pieces again, whatever a crowd has left behind. */
static void after_a_crowd_the_same_pieces_are_used(void **state)
{
    static char *v[MANY];
    struct stock s;
    (void)state;
    stock_init(&s, PIECE);
    take_many(&s, v);
    for (size_t i = 0; i < MANY; i++)
        stock_give(&s, v[i]);
    char *a = take(&s, false), *b = take(&s, false);
    for (unsigned i = 0; i < 100; i++) {
        stock_give(&s, b);
        stock_give(&s, a);
        assert_ptr_equal(take(&s, false), a);
        assert_ptr_equal(take(&s, false), b);
    }
    stock_give(&s, a);
    stock_give(&s, b);
    stock_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_comes_back_as_it_was),
        cmocka_unit_test(a_crowds_memory_goes_to_the_system),
        cmocka_unit_test(who_stays_holds_one_chunk),
        cmocka_unit_test(after_a_crowd_the_same_pieces_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
