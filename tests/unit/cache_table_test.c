/* The table finds what was put into it, newest first, grows and shrinks by single buckets, and is charged for
 * exactly what it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cache/table.h"

static struct memory memory;
static struct table table;
static uint64_t dice_now;

static uint32_t dice(void)
{
    dice_now = dice_now * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_now >> 33);
}

static int begin(void **state)
{
    (void)state;
    alarm(150);
    dice_now = 1;
    memory_init(&memory, (int64_t)1 << 30);
    table_init(&table, &memory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    table_fini(&table, &memory);
    assert_int_equal(memory_used(&memory), 0);
    memory_fini(&memory);
    return 0;
}

static bool has(const struct table_node *node)
{
    for (const struct table_node *n = *table_chain(&table, node->hash); n; n = n->next)
        if (n == node)
            return true;
    return false;
}

/* Every node stands in exactly the bucket where it is looked for. */
static void check(uint32_t n)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < table.buckets; i++)
        for (const struct table_node *node = *table_bucket(&table, i); node; node = node->next) {
            assert_ptr_equal(table_chain(&table, node->hash), table_bucket(&table, i));
            seen++;
        }
    assert_int_equal(seen, n);
    assert_int_equal(table.n, n);
    assert_true(table.mask >= table.buckets - 1 && table.mask / 2 < table.buckets);
}

static void finds_what_is_there(void **state)
{
    (void)state;
    enum { NODES = 10000 };
    struct table_node *nodes = mem_alloc(NODES * sizeof(*nodes));
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t before = table.buckets;
        nodes[i].hash = dice();
        table_add(&table, &memory, &nodes[i]);
        assert_true(table.buckets - before <= 1);
        if (i % 1000 == 0 || i < 100)
            check(i + 1);
    }
    assert_true(table.buckets >= NODES);
    /* Little more than a pointer for each. */
    assert_true(memory_used(&memory) < NODES * 10);
    for (uint32_t i = 0; i < NODES; i++)
        assert_true(has(&nodes[i]));
    for (uint32_t i = 0; i < NODES; i += 2)
        table_remove(&table, &nodes[i]);
    check(NODES / 2);
    for (uint32_t i = 0; i < NODES; i++)
        assert_int_equal(has(&nodes[i]), i % 2);
    for (uint32_t i = 1; i < NODES; i += 2)
        table_remove(&table, &nodes[i]);
    mem_free(nodes);
}

static void the_newest_comes_first(void **state)
{
    (void)state;
    enum { SAME = 5, OTHERS = 1000 };
    struct table_node same[SAME], others[OTHERS];
    for (uint32_t i = 0; i < OTHERS; i++) {
        if (i % (OTHERS / SAME) == 0) {
            same[i / (OTHERS / SAME)].hash = 77;
            table_add(&table, &memory, &same[i / (OTHERS / SAME)]);
        }
        others[i].hash = dice();
        table_add(&table, &memory, &others[i]);
    }
    for (int shrunk = 0; shrunk < 2; shrunk++) {
        int next = SAME;
        for (const struct table_node *n = *table_chain(&table, 77); n; n = n->next)
            if (n->hash == 77)
                assert_ptr_equal(n, &same[--next]);
        assert_int_equal(next, 0);
        for (uint32_t i = 0; i < OTHERS && !shrunk; i++)
            table_remove(&table, &others[i]);
        while (!table_shrink(&table, &memory, 1))
            ;
    }
    for (int i = 0; i < SAME; i++)
        table_remove(&table, &same[i]);
}

static void shrinks_step_by_step(void **state)
{
    (void)state;
    enum { NODES = 5000, LEFT = 10 };
    int64_t first = memory_used(&memory);
    struct table_node *nodes = mem_alloc(NODES * sizeof(*nodes));
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i].hash = dice();
        table_add(&table, &memory, &nodes[i]);
    }
    for (uint32_t i = LEFT; i < NODES; i++)
        table_remove(&table, &nodes[i]);
    uint32_t before = table.buckets;
    assert_false(table_shrink(&table, &memory, 3));
    assert_int_equal(table.buckets, before - 3);
    check(LEFT);
    while (!table_shrink(&table, &memory, 7))
        check(LEFT);
    assert_true(table.buckets <= 2 * LEFT + 1);
    assert_int_equal(memory_used(&memory), first);
    for (uint32_t i = 0; i < LEFT; i++)
        table_remove(&table, &nodes[i]);
    mem_free(nodes);
}

static void bears_any_order(void **state)
{
    (void)state;
    enum { NODES = 3000, STEPS = 100000 };
    static struct table_node nodes[NODES];
    static bool in[NODES];
    uint32_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = dice() % NODES, most = step / 20000 % 2 ? 100 : NODES;
        if (in[i] && (dice() % 2 || n > most)) {
            table_remove(&table, &nodes[i]);
            in[i] = false;
            n--;
        } else if (!in[i] && n < most) {
            nodes[i].hash = dice() % 7 ? dice() : 5;
            table_add(&table, &memory, &nodes[i]);
            in[i] = true;
            n++;
        }
        if (dice() % 4 == 0)
            table_shrink(&table, &memory, 1);
        if (step % 500 == 0)
            check(n);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(has(&nodes[i]), in[i]);
        if (in[i])
            table_remove(&table, &nodes[i]);
    }
}

/* Room that was made at once is there, with and without nodes, and is charged for. */
static void room_is_made_at_once(void **state)
{
    (void)state;
    static struct table_node nodes[3000];
    for (uint32_t i = 0; i < 1000; i++) {
        nodes[i].hash = dice();
        table_add(&table, &memory, &nodes[i]);
    }
    table_reserve(&table, &memory, 2500);
    assert_int_equal(table.buckets, 2500);
    check(1000);
    int64_t used = memory_used(&memory);
    for (uint32_t i = 1000; i < 2500; i++) {
        nodes[i].hash = dice();
        table_add(&table, &memory, &nodes[i]);
    }
    assert_int_equal(memory_used(&memory), used);
    table_reserve(&table, &memory, 10);
    check(2500);
    for (uint32_t i = 0; i < 2500; i++)
        table_remove(&table, &nodes[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(room_is_made_at_once, begin, end),
        T(finds_what_is_there),
        T(the_newest_comes_first),
        T(shrinks_step_by_step),
        T(bears_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
