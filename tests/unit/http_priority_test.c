/* RFC 9218: what a Priority field says, and in which order responses are sent. */
#include "arena_test.h"
#include "http/priority.h"

static void reads_the_field(void **state)
{
    static const struct {
        struct str value;
        uint8_t urgency;
        bool incremental;
    } rows[] = {
        { STR_INIT(""), 3, false },          { STR_INIT("u=0"), 0, false },
        { STR_INIT("u=7, i"), 7, true },     { STR_INIT("i=?0"), 3, false },
        { STR_INIT("i, u=5;x"), 5, true },   { STR_INIT("u=8, i"), 3, true },
        { STR_INIT("u=-1"), 3, false },      { STR_INIT("u=1.0, i"), 3, true },
        { STR_INIT("u=1, u=2"), 2, false },  { STR_INIT("i=1"), 3, false },
        { STR_INIT("u=1, i=?2"), 3, false }, { STR_INIT("x=9, u=4"), 4, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct priority p = PRIORITY_DEFAULT;
        priority_parse(rows[i].value, *state, &p);
        assert_int_equal(p.urgency, rows[i].urgency);
        assert_int_equal(p.incremental, rows[i].incremental);
    }
}

/* Serves until all have had `turns`; writes down who was served. */
static void serve(struct priority_queue *q, unsigned turns, char *order)
{
    unsigned served[16] = { 0 };
    struct priority_turn *t;
    while ((t = priority_queue_next(q)) != NULL) {
        *order++ = (char)('0' + t->id);
        priority_queue_served(q, t);
        if (++served[t->id] == turns)
            priority_queue_remove(t);
    }
    *order = 0;
}

static void add(struct priority_queue *q, struct priority_turn *t, uint32_t id, uint8_t urgency,
                bool incremental)
{
    priority_turn_init(t, id, (struct priority){ urgency, incremental });
    priority_queue_add(q, t);
}

static void the_most_urgent_first_and_by_id(void **state)
{
    (void)state;
    struct priority_queue q;
    struct priority_turn t[4];
    char order[32];
    priority_queue_init(&q);
    assert_null(priority_queue_next(&q));
    add(&q, &t[0], 5, 3, false);
    add(&q, &t[1], 1, 3, false);
    add(&q, &t[2], 7, 0, false);
    add(&q, &t[3], 3, 7, true);
    serve(&q, 2, order);
    assert_string_equal(order, "77115533");
}

static void incremental_ones_take_turns(void **state)
{
    (void)state;
    struct priority_queue q;
    struct priority_turn t[3];
    char order[32];
    priority_queue_init(&q);
    add(&q, &t[0], 1, 3, true);
    add(&q, &t[1], 3, 3, true);
    add(&q, &t[2], 5, 3, true);
    serve(&q, 3, order);
    assert_string_equal(order, "135135135");
}

static void neither_kind_waits_for_all_of_the_other(void **state)
{
    (void)state;
    struct priority_queue q;
    struct priority_turn t[4];
    char order[32];
    priority_queue_init(&q);
    add(&q, &t[0], 1, 3, false);
    add(&q, &t[1], 3, 3, false);
    add(&q, &t[2], 5, 3, true);
    add(&q, &t[3], 7, 3, true);
    serve(&q, 2, order);
    assert_string_equal(order, "15173537");
}

static void a_change_moves_it(void **state)
{
    (void)state;
    struct priority_queue q;
    struct priority_turn a, b;
    priority_queue_init(&q);
    add(&q, &a, 1, 3, false);
    add(&q, &b, 3, 3, false);
    priority_queue_change(&q, &b, (struct priority){ 1, false });
    assert_ptr_equal(priority_queue_next(&q), &b);
    priority_queue_remove(&b);
    priority_queue_change(&q, &b, (struct priority){ 0, true });
    assert_ptr_equal(priority_queue_next(&q), &a); /* it has nothing to send */
    priority_queue_add(&q, &b);
    priority_queue_add(&q, &b);
    assert_ptr_equal(priority_queue_next(&q), &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_the_field, setup, teardown),
        cmocka_unit_test(the_most_urgent_first_and_by_id),
        cmocka_unit_test(incremental_ones_take_turns),
        cmocka_unit_test(neither_kind_waits_for_all_of_the_other),
        cmocka_unit_test(a_change_moves_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
