/* Origins are found by their address however many there are, one for each; a Unix one is named by its
 * path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "origin/origin.h"

enum { MANY = 10000 };

static struct origin_address address_of(unsigned i, char text[32])
{
    int n = snprintf(text, 32, "%s%u", i % 3 ? "host" : "/run/", i);
    struct str s = { text, (size_t)n };
    if (i % 3)
        return (struct origin_address){ .host_name = s, .port = (uint16_t)(1 + i % 5), .authority = s };
    return (struct origin_address){ .local_path = s, .authority = STR("localhost") };
}

static void each_is_found_again(void **state)
{
    static struct origin *found[MANY];
    struct origins all = { 0 };
    char text[32];
    (void)state;
    origins_init(&all);
    for (unsigned i = 0; i < MANY; i++) {
        struct origin_address at = address_of(i, text);
        found[i] = origins_get(&all, &at);
        assert_int_equal(found[i]->number, i);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct origin_address at = address_of(i, text);
        assert_ptr_equal(origins_get(&all, &at), found[i]);
    }
    assert_int_equal(all.n, MANY);
    origins_fini(&all);
}

/* As few in a bucket as chance allows: a look-up takes a few steps, not ten thousand. */
static void no_bucket_is_long(void **state)
{
    struct origins all = { 0 };
    char text[32];
    unsigned longest = 0;
    (void)state;
    origins_init(&all);
    for (unsigned i = 0; i < MANY; i++) {
        struct origin_address at = address_of(i, text);
        origins_get(&all, &at);
    }
    for (uint32_t b = 0; b < all.buckets_n; b++) {
        unsigned n = 0;
        for (const struct origin *o = all.buckets[b]; o; o = o->next)
            n++;
        longest = n > longest ? n : longest;
    }
    assert_in_range(longest, 1, 12);
    origins_fini(&all);
}

/* Connections and sessions are an origin's: none made for one that is believed otherwise, or that knows us by
 * another certificate, serves this one. */
static void what_is_believed_and_shown_is_a_part_of_it(void **state)
{
    static const struct origin_tls all[] = {
        { .is_on = false },
        { .is_on = true, .server_name = STR_INIT("a") },
        { .is_on = true, .server_name = STR_INIT("b") },
        { .is_on = true, .server_name = STR_INIT("a"), .insecure = true },
        { .is_on = true, .server_name = STR_INIT("a"), .ca = STR_INIT("one.pem") },
        { .is_on = true, .server_name = STR_INIT("a"), .ca = STR_INIT("two.pem") },
        { .is_on = true, .server_name = STR_INIT("a"), .cert = STR_INIT("c.pem"), .key = STR_INIT("c.key") },
        { .is_on = true, .server_name = STR_INIT("a"), .cert = STR_INIT("d.pem"), .key = STR_INIT("c.key") },
        { .is_on = true, .server_name = STR_INIT("a"), .cert = STR_INIT("c.pem"), .key = STR_INIT("d.key") },
    };
    const struct origin *found[COUNT_OF(all)];
    struct origins o = { 0 };
    (void)state;
    origins_init(&o);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < COUNT_OF(all); i++) {
            struct origin_address at = {
                .host_name = STR("a"), .port = 443, .authority = STR("a:443"), .tls = all[i]
            };
            found[i] = origins_get(&o, &at);
            assert_int_equal(found[i]->number, i);
        }
    assert_int_equal(o.n, COUNT_OF(all));
    /* People see which is which. */
    for (unsigned i = 0; i < COUNT_OF(all); i++)
        for (unsigned k = 0; k < i; k++)
            assert_false(str_eq(found[i]->name, found[k]->name));
    origins_fini(&o);
}

static void a_unix_one_is_named_by_its_path(void **state)
{
    struct origins all = { 0 };
    char text[32];
    (void)state;
    origins_init(&all);
    struct origin_address at = address_of(3, text);
    assert_true(str_eq(origins_get(&all, &at)->name, STR("unix:/run/3")));
    at = address_of(4, text);
    assert_true(str_eq(origins_get(&all, &at)->name, STR("host4")));
    origins_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_again),
        cmocka_unit_test(no_bucket_is_long),
        cmocka_unit_test(what_is_believed_and_shown_is_a_part_of_it),
        cmocka_unit_test(a_unix_one_is_named_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
