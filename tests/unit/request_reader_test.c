/* Readers: requests on one worker that wait for an object have one watch together. Each is told of every
 * change, in turns; a passing body frees what all of them have had. */
#include "request_test.h"

#include "request/reader.h"

/* TOLD_MOST of request/reader.c in test builds. */
#define TOLD_AT_ONCE 3
#define MANY         10

static struct object *object_of(const struct spot *p)
{
    return p->fillings[0].object;
}

static const struct answer_head passing = { .refused = REASON_PRIVATE };

/* The body comes piece by piece, and each reader gets each piece: the first, one who joined before the head,
 * and one who came in the middle. */
static void a_body_grows_for_all_its_readers(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    visitor_ask(&p, &v[0], "/page");
    visitor_ask(&p, &v[1], "/page");
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends);
    assert_int_equal(v[0].got.n + v[1].got.n, 0); /* the head alone */
    fill_bytes(&p.fillings[0], "one ");
    RUN_UNTIL(&p.world, v[0].got.n == 4 && v[1].got.n == 4);
    visitor_ask(&p, &v[2], "/page"); /* late: it gets at once what is there */
    assert_int_equal(v[2].got.n, 4);
    assert_int_equal(object_readers(object_of(&p)), 3);
    fill_bytes(&p.fillings[0], "two ");
    fill_bytes(&p.fillings[0], "three"); /* both before anybody was told */
    RUN_UNTIL(&p.world, v[0].got.n == 13 && v[1].got.n == 13 && v[2].got.n == 13);
    fill_end(&p.fillings[0]);
    for (int i = 0; i < 3; i++)
        visitor_gets(&v[i], 200, "one two three");
    spot_fini(&p);
}

static struct visitor crowd[MANY];
static struct letter between; /* opened after the first turn of telling */
static unsigned told_before;

static unsigned told(void)
{
    unsigned n = 0;
    for (int i = 0; i < MANY; i++)
        n += crowd[i].sends > 0;
    return n;
}

/* The first one is told: what is posted now is opened before the second turn. */
static void post_between(struct visitor *v)
{
    if (v->sends == 1)
        loop_post(&v->spot->world.loop, &between);
}

static void crowd_asks(struct spot *p, void (*open)(struct letter *l))
{
    between = (struct letter){ .open = open };
    told_before = 0;
    for (int i = 0; i < MANY; i++)
        visitor_ask(p, &crowd[i], "/page");
    crowd[0].on_send = post_between;
    assert_int_equal(object_readers(object_of(p)), MANY);
}

static void count_told(struct letter *l)
{
    (void)l;
    told_before = told();
}

/* All readers of a worker are one watch. It is told once, and tells them in turns of a few, in order. */
static void many_are_told_in_turns(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p, "");
    crowd_asks(&p, count_told);
    assert_non_null(object_watch_of(object_of(&p), &p.world.loop));
    assert_null(object_watch_of(object_of(&p), &p));
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, told() == MANY);
    assert_int_equal(told_before, TOLD_AT_ONCE);
    fill_bytes(&p.fillings[0], "page");
    fill_end(&p.fillings[0]);
    for (int i = 0; i < MANY; i++)
        visitor_gets(&crowd[i], 200, "page");
    spot_fini(&p);
}

static struct visitor late;

/* Between two turns one leaves who was told, the next one, and the last one; another one joins. */
static void some_leave(struct letter *l)
{
    (void)l;
    told_before = told();
    visitor_leaves(&crowd[0]);
    visitor_leaves(&crowd[TOLD_AT_ONCE]);
    visitor_leaves(&crowd[MANY - 1]);
    visitor_ask(crowd[0].spot, &late, "/page");
}

/* Nobody is forgotten, and nobody told who has left. */
static void some_leave_and_join_while_others_are_told(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p, "");
    crowd_asks(&p, some_leave);
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, told() == MANY - 2);
    assert_int_equal(told_before, TOLD_AT_ONCE);
    assert_int_equal(crowd[TOLD_AT_ONCE].sends + crowd[MANY - 1].sends, 0);
    assert_int_equal(late.sends, 1);
    assert_int_equal(object_readers(object_of(&p)), MANY - 2);
    fill_bytes(&p.fillings[0], "page");
    fill_end(&p.fillings[0]);
    for (int i = 0; i < MANY; i++) {
        if (crowd[i].ended)
            visitor_go(&crowd[i]);
        else
            visitor_gets(&crowd[i], 200, "page");
    }
    visitor_gets(&late, 200, "page");
    spot_fini(&p);
}

static void all_leave(struct letter *l)
{
    (void)l;
    told_before = told();
    for (int i = MANY - 1; i >= 0; i--) {
        visitor_leaves(&crowd[i]);
        visitor_go(&crowd[i]);
    }
}

/* All leave while the notice is under way: the hub outlives it, and ends with it. */
static void all_leave_while_they_are_told(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p, "");
    crowd_asks(&p, all_leave);
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, told_before);
    assert_int_equal(told_before, TOLD_AT_ONCE);
    assert_int_equal(object_readers(object_of(&p)), 0);
    assert_null(object_watch_of(object_of(&p), &p.world.loop));
    fill_bytes(&p.fillings[0], "page");
    fill_end(&p.fillings[0]);
    spot_fini(&p);
}

/* L: two read a body that is not kept. What both have had may be freed, and the source hears of it when it
 * waits. Nobody joins it any more. */
static void a_window_moves_with_the_slowest(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[3];
    spot_init(&p, "");
    visitor_ask(&p, &v[0], "/page");
    visitor_ask(&p, &v[1], "/page");
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends);
    v[1].holds = true;
    object_close(object_of(&p)); /* it turned out too large */
    fill_bytes(&p.fillings[0], "four");
    RUN_UNTIL(&p.world, v[0].got.n == 4 && v[1].got.n == 4);
    world_settle(&p.world);
    assert_int_equal(object_slowest(object_of(&p)), 0); /* the second one still has it under way */
    object_set_paused(object_of(&p), true);
    assert_true(object_waits_at(object_of(&p), 4)); /* the first one has all */
    assert_false(object_waits_at(object_of(&p), 5));
    unsigned notices = p.fillings[0].room_notices;
    fill_bytes(&p.fillings[0], "more");
    RUN_UNTIL(&p.world, v[0].got.n == 8);
    world_settle(&p.world);
    assert_int_equal(object_slowest(object_of(&p)), 0);
    assert_true(v[1].request.watched_as_passing);
    v[1].holds = false;
    visitor_takes(&v[1], 0);
    assert_int_equal(v[1].got.n, 8); /* the rest at once */
    RUN_UNTIL(&p.world, p.fillings[0].room_notices > notices);
    assert_int_equal(object_slowest(object_of(&p)), 8);
    object_set_paused(object_of(&p), false);
    assert_false(object_waits_at(object_of(&p), 8));
    visitor_ask(&p, &v[2], "/page"); /* no joiner: it asks by itself */
    assert_int_equal(object_readers(object_of(&p)), 2);
    assert_int_equal(p.started, 2);
    fill_page(&p.fillings[1], "another");
    visitor_gets(&v[2], 200, "another");
    p.fillings[0].stored = false;
    fill_end(&p.fillings[0]);
    visitor_gets(&v[0], 200, "fourmore");
    visitor_gets(&v[1], 200, "fourmore");
    spot_fini(&p);
}

/* The slowest leaves: the window moves on to the next, and behind the last one to the end. */
static void a_window_moves_on_when_the_slowest_leaves(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v[2];
    spot_init(&p, "");
    visitor_ask(&p, &v[0], "/page");
    visitor_ask(&p, &v[1], "/page");
    fill_head(&p.fillings[0], &(struct answer_head){ 0 });
    RUN_UNTIL(&p.world, v[0].sends && v[1].sends);
    v[1].holds = true;
    object_close(object_of(&p));
    fill_bytes(&p.fillings[0], "four");
    RUN_UNTIL(&p.world, v[0].got.n == 4 && v[1].request.sending);
    object_set_paused(object_of(&p), true);
    unsigned notices = p.fillings[0].room_notices;
    visitor_leaves(&v[1]);
    visitor_go(&v[1]);
    RUN_UNTIL(&p.world, p.fillings[0].room_notices > notices);
    assert_int_equal(object_slowest(object_of(&p)), 4);
    visitor_leaves(&v[0]);
    visitor_go(&v[0]);
    assert_true(object_slowest(object_of(&p)) == UINT64_MAX);
    fill_fail(&p.fillings[0], REASON_CANCELLED, 502);
    spot_fini(&p);
}

/* What cannot be joined is not joined: nothing is left behind of the attempt. */
static void joins_what_may_be_joined(void **state)
{
    (void)state;
    struct spot p;
    struct visitor v, other;
    spot_init(&p, "");
    visitor_ask(&p, &v, "/page");
    visitor_come(&p, &other, "/other", NULL);
    object_close(object_of(&p));
    assert_int_equal(reader_join(&other.request, object_of(&p), false), OBJECT_CLOSED);
    assert_null(other.request.reader);
    assert_int_equal(object_readers(object_of(&p)), 1);
    fill_head(&p.fillings[0], &passing);
    fill_bytes(&p.fillings[0], "page");
    struct object *o = object_ref(object_of(&p));
    fill_end(&p.fillings[0]);
    assert_int_equal(reader_join(&other.request, o, true), OBJECT_DONE);
    assert_null(other.request.reader);
    reader_leave(&other.request); /* it reads nothing */
    reader_moved(&other.request, 7);
    object_unref(o);
    visitor_gets(&v, 200, "page");
    other.ended = true;
    visitor_go(&other);
    spot_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_grows_for_all_its_readers),
        cmocka_unit_test(many_are_told_in_turns),
        cmocka_unit_test(some_leave_and_join_while_others_are_told),
        cmocka_unit_test(all_leave_while_they_are_told),
        cmocka_unit_test(a_window_moves_with_the_slowest),
        cmocka_unit_test(a_window_moves_on_when_the_slowest_leaves),
        cmocka_unit_test(joins_what_may_be_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
