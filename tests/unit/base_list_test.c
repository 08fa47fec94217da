/* Lists keep their order through every way in and out, and a link that is in none can be removed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/list.h"

struct item {
    int number;
    struct link link;
};

static struct item items[6];
static struct list list;

static int setup(void **state)
{
    (void)state;
    list_init(&list);
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        link_init(&items[i].link);
    }
    return 0;
}

static int number(struct link *l)
{
    return CONTAINER_OF(l, struct item, link)->number;
}

/* Both directions show the same digits. */
static void holds(struct list *l, const char *digits)
{
    size_t n = strlen(digits), i = 0;
    LIST_EACH(it, l) {
        assert_true(i < n);
        assert_int_equal(number(it), digits[i++] - '0');
    }
    assert_int_equal(i, n);
    for (struct link *it = l->head.prev; it != &l->head; it = it->prev)
        assert_int_equal(number(it), digits[--i] - '0');
    assert_int_equal(i, 0);
    assert_int_equal(list_is_empty(l), n == 0);
}

static void keeps_order(void **state)
{
    (void)state;
    holds(&list, "");
    assert_null(list_first(&list));
    assert_null(list_pop(&list));
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[2].link);
    list_push_front(&list, &items[0].link);
    holds(&list, "012");
    link_put_before(&items[2].link, &items[5].link);
    holds(&list, "0152");
    assert_int_equal(number(list_first(&list)), 0);
    assert_int_equal(number(list_pop(&list)), 0);
    holds(&list, "152");
}

static void removes_twice(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        list_push_back(&list, &items[i].link);
    link_remove(&items[2].link);
    link_remove(&items[2].link);
    holds(&list, "013");
    assert_false(link_is_in(&items[2].link));
    assert_true(link_is_in(&items[3].link));
    link_remove(&items[0].link);
    link_remove(&items[3].link);
    holds(&list, "1");
    link_remove(&items[1].link);
    holds(&list, "");
    list_push_back(&list, &items[2].link);
    holds(&list, "2");
}

static void moves_all(void **state)
{
    (void)state;
    struct list other;
    list_init(&other);
    list_move_all(&list, &other);
    holds(&list, "");
    list_push_back(&list, &items[0].link);
    list_push_back(&other, &items[1].link);
    list_push_back(&other, &items[2].link);
    list_move_all(&list, &other);
    holds(&list, "012");
    holds(&other, "");
}

static void may_lose_the_element_in_the_loop(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        list_push_back(&list, &items[i].link);
    int seen = 0;
    LIST_EACH_SAFE(it, &list) {
        seen++;
        if (number(it) % 2)
            link_remove(it);
    }
    assert_int_equal(seen, 6);
    holds(&list, "024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keeps_order, setup),
        cmocka_unit_test_setup(removes_twice, setup),
        cmocka_unit_test_setup(moves_all, setup),
        cmocka_unit_test_setup(may_lose_the_element_in_the_loop, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
