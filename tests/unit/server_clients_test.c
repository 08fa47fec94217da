/* Each client's connections are counted: an IPv4 address, or an IPv6 network of 64 bits; Unix sockets are
 * nobody's (scenarios U1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/system.h"
#include "server/clients.h"

static struct hash_secret secret;

static struct address at(const char *ip)
{
    struct address a;
    assert_true(address_parse_ip(str_from(ip), 1234, &a));
    return a;
}

static uint32_t enter(struct clients *c, const char *ip)
{
    struct address a = at(ip);
    return clients_enter(c, &a);
}

static void leave(struct clients *c, const char *ip)
{
    struct address a = at(ip);
    clients_leave(c, &a);
}

static void each_address_is_counted(void **state)
{
    struct clients *c = clients_new(&secret);
    (void)state;
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(enter(c, "192.0.2.1"), i);
    assert_int_equal(enter(c, "192.0.2.2"), 1);
    leave(c, "192.0.2.1");
    assert_int_equal(enter(c, "192.0.2.1"), 100);
    assert_int_equal(enter(c, "::ffff:192.0.2.1"), 101); /* the same, on a listener for both families */
    mem_free(c);
}

static void a_network_of_64_bits_is_one_client(void **state)
{
    struct clients *c = clients_new(&secret);
    (void)state;
    assert_int_equal(enter(c, "2001:db8:1:2::1"), 1);
    assert_int_equal(enter(c, "2001:db8:1:2:ffff::9"), 2);
    assert_int_equal(enter(c, "2001:db8:1:3::1"), 1);
    leave(c, "2001:db8:1:2:7::");
    assert_int_equal(enter(c, "2001:db8:1:2::1"), 2);
    mem_free(c);
}

static void a_unix_socket_is_nobodys(void **state)
{
    struct clients *c = clients_new(&secret);
    struct address local, none = { .bytes = 0 }, bare = { .bytes = sizeof(sa_family_t) };
    (void)state;
    bare.sa.any.sa_family = AF_UNIX;
    assert_true(address_local(STR("/run/x"), &local));
    assert_int_equal(clients_count(c, &local), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(clients_enter(c, &local), 0);
        assert_int_equal(clients_enter(c, &none), 0);
        assert_int_equal(clients_enter(c, &bare), 0);
    }
    clients_leave(c, &local);
    mem_free(c);
}

/* The table does not grow, and a crowd of others makes hardly anybody look like many. */
static void many_clients_share_a_bounded_table(void **state)
{
    struct clients *c = clients_new(&secret);
    char ip[32];
    unsigned above = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ip, sizeof(ip), "10.1.%u.%u", i / 250, i % 250);
        for (int k = 0; k < 20; k++)
            enter(c, ip);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ip, sizeof(ip), "172.16.%u.%u", i / 250, i % 250);
        above += enter(c, ip) > 10;
    }
    assert_true(above < 30); /* four are expected */
    mem_free(c);
}

static void knows_this_machine(void **state)
{
    struct address a = at("127.0.0.2"), b = at("::1"), d = at("192.0.2.1"), e = at("fe80::1"), local;
    (void)state;
    assert_true(clients_is_local(&a) && clients_is_local(&b));
    assert_false(clients_is_local(&d) || clients_is_local(&e));
    assert_true(address_local(STR("/run/x"), &local) && clients_is_local(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_is_counted),  cmocka_unit_test(a_network_of_64_bits_is_one_client),
        cmocka_unit_test(a_unix_socket_is_nobodys), cmocka_unit_test(many_clients_share_a_bounded_table),
        cmocka_unit_test(knows_this_machine),
    };
    system_random(&secret, sizeof(secret));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
