/* A delivery is taken once while it is remembered; the memory has a limit, and what came to nothing may come
 * again. */
#include "admin_test.h"

#include "admin/webhook.h"

static struct webhooks hooks;

static struct hash128 id(uint64_t n)
{
    return (struct hash128){ n, n * 7 };
}

static void a_delivery_is_taken_once(void **state)
{
    (void)state;
    webhook_init(&hooks);
    assert_true(webhook_take(&hooks, id(1)));
    assert_false(webhook_take(&hooks, id(1)));
    webhook_forget(&hooks, id(1));
    webhook_forget(&hooks, id(2));
    assert_true(webhook_take(&hooks, id(1)));
    webhook_fini(&hooks);
}

static void the_oldest_is_forgotten(void **state)
{
    (void)state;
    memset(&hooks, 0, sizeof(hooks));
    webhook_init(&hooks);
    for (uint64_t i = 1; i <= WEBHOOK_SEEN; i++)
        assert_true(webhook_take(&hooks, id(i)));
    assert_false(webhook_take(&hooks, id(1)));
    assert_true(webhook_take(&hooks, id(WEBHOOK_SEEN + 1)));
    assert_true(webhook_take(&hooks, id(1)));
    assert_false(webhook_take(&hooks, id(3)));
    webhook_fini(&hooks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_taken_once),
        cmocka_unit_test(the_oldest_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
