/* The ledger of deploys: which release is live, what a rollback returns to, and the settings it makes. */
#include <stdio.h>

#include "arena_test.h"

#include "deploy/ledger.h"

static struct ledger ledger;
static int64_t clock_ms;

static int begin(void **state)
{
    ledger = (struct ledger){ 0 };
    ledger_init(&ledger);
    clock_ms = 1000;
    return setup(state);
}

static int finish(void **state)
{
    ledger_fini(&ledger);
    return teardown(state);
}

static struct now now(void)
{
    return (struct now){ .mono_ms = clock_ms, .wall_ms = 7 };
}

static struct settings *parse(const char *shop_origin)
{
    struct buf errors = BUF_INIT;
    struct str yaml = arena_printf(&arena,
                                   "sites:\n"
                                   "  shop:\n    hosts: [shop.example]\n    origin: %s\n"
                                   "  blog:\n    origin: http://127.0.0.1:2\n",
                                   shop_origin);
    struct settings *s = settings_parse(yaml, STR("test"), NULL, 0, &errors);
    if (!s)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    buf_fini(&errors);
    return s;
}

static uint32_t deploy(const char *id, const char *origin)
{
    struct ledger_release to = { .number = ledger_number(&ledger) };
    snprintf(to.id, sizeof(to.id), "%s", id);
    snprintf(to.origin, sizeof(to.origin), "%s", origin);
    ledger_switch(&ledger, STR("shop"), &to, 500, 0, now());
    clock_ms += 100;
    return to.number;
}

static void a_rollback_goes_back_one_by_one(void **state)
{
    (void)state;
    struct ledger_release live, before;
    ledger_live(&ledger, STR("shop"), &live);
    assert_int_equal(live.number, 1);
    assert_false(ledger_before(&ledger, STR("shop"), &before));
    uint32_t two = deploy("v2", "http://127.0.0.1:4"), three = deploy("v3", "");
    assert_int_not_equal(two, three);
    assert_true(ledger_before(&ledger, STR("shop"), &before));
    assert_string_equal(before.id, "v2");
    assert_string_equal(before.origin, "http://127.0.0.1:4");
    for (uint32_t should = two; should >= 1; should = should == two ? 1 : 0) {
        assert_true(ledger_before(&ledger, STR("shop"), &before));
        ledger_switch(&ledger, STR("shop"), &before, 500, 0, (struct now){ .mono_ms = clock_ms++ });
        ledger_live(&ledger, STR("shop"), &live);
        assert_int_equal(live.number, should);
    }
    assert_false(ledger_before(&ledger, STR("shop"), &before));
    assert_int_equal(ledger_deploys(&ledger, STR("shop")), 4);
    ledger_live(&ledger, STR("blog"), &live);
    assert_int_equal(live.number, 1);
}

static void it_remembers_so_many(void **state)
{
    (void)state;
    struct ledger_release before;
    struct str changed = STR_NONE;
    for (unsigned i = 0; i < 2 * LEDGER_SWITCHES_MAX; i++)
        deploy("x", "");
    unsigned n = 0;
    for (; ledger_before(&ledger, STR("shop"), &before); n++)
        ledger_switch(&ledger, STR("shop"), &before, 500, 0, (struct now){ .mono_ms = clock_ms++ });
    assert_int_equal(n, LEDGER_RELEASES_MAX - 1);
    struct settings *read = parse("http://127.0.0.1:1"), *s = ledger_settings(&ledger, read, now(), &changed);
    assert_int_equal(s->sites[0].release->switches_n, LEDGER_SWITCHES_MAX);
    settings_unref(s);
    settings_unref(read);
}

static void without_a_deploy_settings_are_those_that_were_read(void **state)
{
    (void)state;
    struct str changed = STR_NONE;
    struct settings *read = parse("http://127.0.0.1:1"), *s = ledger_settings(&ledger, read, now(), &changed);
    assert_ptr_equal(s, read);
    assert_ptr_equal(s->sites[0].release, &release_first);
    settings_unref(s);
    settings_unref(read);
}

static void settings_have_the_live_release_and_its_origin(void **state)
{
    (void)state;
    struct str changed = STR_NONE;
    struct settings *read = parse("http://127.0.0.1:1"),
                    *first = ledger_settings(&ledger, read, now(), &changed);
    settings_unref(first);
    uint32_t two = deploy("v2", "http://127.0.0.1:4");
    struct settings *s = ledger_settings(&ledger, read, now(), &changed);
    settings_unref(read); /* `s` has a reference */
    const struct site_settings *shop = settings_site_of_host(s, STR("shop.example"));
    assert_ptr_equal(shop, &s->sites[0]);
    assert_int_equal(shop->release->number, two);
    assert_true(str_eq(shop->release->id, STR("v2")));
    assert_int_equal(shop->release->live_since_ms, 1000);
    assert_int_equal(release_keeps_until(shop->release, 999), 1500);
    assert_true(release_stores(shop->release, 1) && release_stores(shop->release, two));
    assert_false(release_stores(shop->release, two + 1));
    assert_true(str_eq(shop->origin_text, STR("http://127.0.0.1:4")));
    assert_int_equal(shop->origin_address.port, 4);
    assert_int_equal(s->sites[1].release->number, 1);
    assert_int_equal(s->sites[1].origin_address.port, 2);
    assert_ptr_equal(settings_site_of_host(s, STR("else.example")), &s->sites[1]);
    /* One that is not live yet, from settings that were made themselves. */
    struct ledger_release to = { .number = ledger_number(&ledger), .id = "v3" };
    struct settings *ahead = ledger_settings_with(&ledger, s, STR("shop"), &to);
    settings_unref(s);
    shop = &ahead->sites[0];
    assert_int_equal(shop->release->number, to.number);
    assert_true(shop->release->live_since_ms == INT64_MAX);
    assert_true(release_stores(shop->release, to.number) && release_stores(shop->release, two));
    assert_int_equal(shop->origin_address.port, 1); /* it names none: the file's */
    assert_null(ahead->read->read);
    settings_unref(ahead);
}

static void another_origin_in_the_file_counts_more(void **state)
{
    (void)state;
    struct str changed = STR_NONE;
    struct settings *read = parse("http://127.0.0.1:1");
    settings_unref(ledger_settings(&ledger, read, now(), &changed));
    deploy("v2", "http://127.0.0.1:4");
    settings_unref(ledger_settings(&ledger, read, now(), &changed));
    assert_int_equal(changed.n, 0); /* the same again */
    settings_unref(read);
    read = parse("http://127.0.0.1:5");
    struct settings *s = ledger_settings(&ledger, read, now(), &changed);
    assert_true(str_eq(changed, STR("shop")));
    assert_int_equal(s->sites[0].origin_address.port, 5);
    assert_true(str_eq(s->sites[0].release->id, STR("v2"))); /* its pages stay */
    settings_unref(s);
    settings_unref(read);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rollback_goes_back_one_by_one),
        TEST(it_remembers_so_many),
        TEST(without_a_deploy_settings_are_those_that_were_read),
        TEST(settings_have_the_live_release_and_its_origin),
        TEST(another_origin_in_the_file_counts_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
