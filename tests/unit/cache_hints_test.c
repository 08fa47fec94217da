/* Hints are learnt of one key and told to who asks for that key: not to another page, variant or release. The
 * newest answer counts, a full set forgets the one that was used longest ago, and a purge of a site all. */
#include "cache_world.h"

static struct fields fields;

static void say(const char *link)
{
    fields_add_id(&fields, &arena, FIELD_LINK, str_from(link));
}

static int begin(void **state)
{
    fields = (struct fields){ 0 };
    return world_begin(state);
}

static void assert_hint(const struct place *p, const char *text)
{
    struct buf b = BUF_INIT;
    assert_int_equal(hints_find(cache, p, &b), text != NULL);
    if (text)
        assert_true(str_eq(buf_str(&b), str_from(text)));
    buf_fini(&b);
}

static void of_its_key_alone(void **state)
{
    (void)state;
    struct place a = place_of("/a", NULL, NULL), other = place_of("/b", NULL, NULL),
                 variant = place_of("/a", "cookie: x", NULL), released = a;
    released.release = 7;
    place_hash(cache, &released);
    assert_hint(&a, NULL);
    say("</a.css>; rel=preload; as=style, </next>; rel=next");
    say("<https://cdn.example>; rel=preconnect");
    fields_add(&fields, &arena, STR("X-Link"), STR("</x>; rel=preload"));
    hints_learn(cache, &a, &fields, 0);
    assert_hint(&a, "</a.css>; rel=preload; as=style, <https://cdn.example>; rel=preconnect");
    assert_hint(&other, NULL);
    assert_hint(&variant, NULL);
    assert_hint(&released, NULL);
    fields = (struct fields){ 0 };
    say("</new.mjs>; rel=modulepreload");
    hints_learn(cache, &a, &fields, 0);
    assert_hint(&a, "</new.mjs>; rel=modulepreload");
    fields = (struct fields){ 0 };
    say("</next>; rel=next");
    hints_learn(cache, &a, &fields, 0);
    assert_hint(&a, NULL);
}

static void as_many_as_fit(void **state)
{
    (void)state;
    struct place a = place_of("/a", NULL, NULL);
    char long_one[HINTS_BYTES + 20];
    memset(long_one, 'x', sizeof(long_one));
    memcpy(long_one, "</", 2);
    strcpy(long_one + HINTS_BYTES, ">; rel=preload");
    say(long_one);
    say("</short>; rel=preload");
    hints_learn(cache, &a, &fields, 0);
    assert_hint(&a, "</short>; rel=preload");
}

static void a_purge_of_a_site_forgets(void **state)
{
    (void)state;
    struct place a = place_of("/a", NULL, NULL);
    say("</a>; rel=preload");
    hints_learn(cache, &a, &fields, 5);
    hints_forget(cache, 5);
    assert_hint(&a, "</a>; rel=preload"); /* its fetch began when the purge was in force */
    hints_forget(cache, 6);
    hints_forget(cache, 4);
    assert_hint(&a, NULL);
    hints_learn(cache, &a, &fields, 5);
    assert_hint(&a, NULL); /* it began before */
    hints_learn(cache, &a, &fields, 6);
    assert_hint(&a, "</a>; rel=preload");
}

static void is_bounded(void **state)
{
    (void)state;
    say("</a>; rel=preload");
    struct place a = place_of("/a", NULL, NULL);
    hints_learn(cache, &a, &fields, 0);
    int64_t used = memory_used(&cache->memory);
    assert_true(used - used_at_first < (int64_t)2 << 20);
    size_t known = 0;
    for (unsigned i = 0; i < 5000; i++) {
        struct place p = place_of(arena_printf(&arena, "/%u", i).p, NULL, NULL);
        hints_learn(cache, &p, &fields, 0);
        assert_hint(&p, "</a>; rel=preload");
        assert_hint(&a, "</a>; rel=preload"); /* used again and again: it stays */
    }
    for (unsigned i = 0; i < 5000; i++) {
        struct place p = place_of(arena_printf(&arena, "/%u", i).p, NULL, NULL);
        struct buf b = BUF_INIT;
        known += hints_find(cache, &p, &b);
        buf_fini(&b);
    }
    assert_true(known > 500 && known <= 1024);
    assert_int_equal(memory_used(&cache->memory), used);
}

static int begin_small(void **state)
{
    (void)state;
    fields = (struct fields){ 0 };
    return world_begin_with((int64_t)1 << 20);
}

static void a_small_cache_learns_none(void **state)
{
    (void)state;
    struct place a = place_of("/a", NULL, NULL);
    say("</a>; rel=preload");
    hints_learn(cache, &a, &fields, 0);
    assert_hint(&a, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_its_key_alone, begin, world_end),
        cmocka_unit_test_setup_teardown(as_many_as_fit, begin, world_end),
        cmocka_unit_test_setup_teardown(a_purge_of_a_site_forgets, begin, world_end),
        cmocka_unit_test_setup_teardown(is_bounded, begin, world_end),
        cmocka_unit_test_setup_teardown(a_small_cache_learns_none, begin_small, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
