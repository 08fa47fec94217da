/* A switch of a site's release is pending from when it is asked for until it is made, also when nobody waits
 * for it any more: until then no other deploy of the site may begin. */
#include "deploy/deploys.h"
#include "io_test.h"

static struct world w;
static struct deploys deploys;
static struct loop_notice main_notice;
static unsigned wanted_n, made_n;

static void wanted(struct loop_notice *n)
{
    (void)n;
    wanted_n++;
}

static void made(struct loop_notice *n)
{
    made_n++;
    deploys_forget(CONTAINER_OF(n, struct deploy_switch, made));
}

static int begin(void **state)
{
    (void)state;
    world_init(&w);
    deploys = (struct deploys){ 0 };
    deploys_init(&deploys);
    loop_notice_init(&main_notice, &w.loop, wanted);
    deploys.main = &main_notice.notice;
    wanted_n = made_n = 0;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    deploys_fini(&deploys);
    world_fini(&w);
    return 0;
}

static struct deploy_switch *ask(const char *site)
{
    struct ledger_release to = { .number = 2 };
    return deploys_ask(&deploys, &w.loop, str_from(site), &to, 1, 0, made, NULL);
}

static void pending(bool shop, bool blog)
{
    assert_int_equal(deploys_is_pending(&deploys, STR("shop")), shop);
    assert_int_equal(deploys_is_pending(&deploys, STR("blog")), blog);
}

static void until_it_is_made(void **state)
{
    (void)state;
    pending(false, false);
    struct deploy_switch *s = ask("shop");
    pending(true, false);
    RUN_UNTIL(&w, wanted_n == 1);
    assert_ptr_equal(deploys_next(&deploys), s);
    assert_null(deploys_next(&deploys));
    pending(true, false);
    struct deploy_switch *other = ask("blog");
    pending(true, true);
    deploys_made(&deploys, s);
    pending(false, true);
    RUN_UNTIL(&w, made_n == 1);
    assert_ptr_equal(deploys_next(&deploys), other);
    deploys_made(&deploys, other);
    RUN_UNTIL(&w, made_n == 2);
}

static void also_when_it_was_given_up(void **state)
{
    (void)state;
    struct deploy_switch *s = ask("shop");
    assert_true(deploys_abandon(&deploys, s));
    pending(true, false);
    assert_ptr_equal(deploys_next(&deploys), s);
    pending(true, false);
    deploys_made(&deploys, s);
    pending(false, false);
    RUN_UNTIL(&w, wanted_n == 1);
    world_settle(&w);
    assert_int_equal(made_n, 0);
}

/* Main ends, and nobody has taken it. */
static void what_is_left_is_freed(void **state)
{
    (void)state;
    assert_true(deploys_abandon(&deploys, ask("shop")));
    RUN_UNTIL(&w, wanted_n == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(until_it_is_made), TEST(also_when_it_was_given_up),
                                        TEST(what_is_left_is_freed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
