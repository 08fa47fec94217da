/* Addresses and networks are read strictly and written as they are read; names and literal addresses resolve
 * through the loop. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "io_test.h"
#include "io/address.h"
#include "io/chores.h"

static void expect_written(const struct address *a, const char *text)
{
    char out[ADDRESS_TEXT_MAX];
    size_t n = address_write(a, out);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(out, text, n);
}

static void expect_ip(const struct address *a, const char *text)
{
    char out[ADDRESS_TEXT_MAX];
    size_t n = address_write_ip(a, out);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(out, text, n);
}

static void reads_and_writes_addresses(void **state)
{
    static const struct {
        const char *text, *written, *ip;
        int family;
    } rows[] = {
        { "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", AF_INET },
        { "9.10.99.100:80", "9.10.99.100:80", "9.10.99.100", AF_INET },
        { "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET },
        { "255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET },
        { "[::1]:8080", "[::1]:8080", "::1", AF_INET6 },
        { "[2001:DB8::0:1]:1", "[2001:db8::1]:1", "2001:db8::1", AF_INET6 },
        { "[::ffff:192.0.2.7]:5", "[::ffff:192.0.2.7]:5", "192.0.2.7", AF_INET6 },
        { ":80", "[::]:80", "::", AF_INET6 },
        { "80", "[::]:80", "::", AF_INET6 },
        { "unix:/run/a b", "unix:/run/a b", "", AF_UNIX },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        assert_true(address_parse(str_from(rows[i].text), &a));
        assert_int_equal(a.sa.any.sa_family, rows[i].family);
        expect_written(&a, rows[i].written);
        expect_ip(&a, rows[i].ip);
    }
    struct address none = { .bytes = 0 };
    expect_written(&none, "");
    expect_ip(&none, "");
    struct address unnamed = { .bytes = sizeof(sa_family_t), .sa.any.sa_family = AF_UNIX };
    expect_written(&unnamed, "unix:");
}

static void refuses_what_is_no_address(void **state)
{
    static const struct str rows[] = {
        STR_INIT(""),
        STR_INIT(":"),
        STR_INIT("localhost:80"),
        STR_INIT("127.0.0.1"),
        STR_INIT("127.0.0.1:"),
        STR_INIT("127.0.0.1:x"),
        STR_INIT("127.0.0.1:+1"),
        STR_INIT("127.0.0.1: 1"),
        STR_INIT("127.0.0.1:65536"),
        STR_INIT("127.0.0.1:000080"),
        STR_INIT("127.0.0.1:80:80"),
        STR_INIT("127.0.0:80"),
        STR_INIT("127.0.0.256:80"),
        STR_INIT("0127.0.0.1:80"),
        STR_INIT("0x7f.0.0.1:80"),
        STR_INIT(" 127.0.0.1:80"),
        STR_INIT("127.0.0.1\0:80"),
        STR_INIT("127.0.0.1 :80"),
        STR_INIT("::1:80"),
        STR_INIT("[::1]"),
        STR_INIT("[::1]80"),
        STR_INIT("[::1:80"),
        STR_INIT("[]:80"),
        STR_INIT("["),
        STR_INIT("[127.0.0.1]:80"),
        STR_INIT("[::1%lo]:80"),
        STR_INIT("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80"),
        STR_INIT("unix:"),
        STR_INIT("unix:/a\0b"),
        STR_INIT("unix:/"
                 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                 "123456789012345678"),
        STR_INIT("*:80"),
    };
    struct address a;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (address_parse(rows[i], &a))
            fail_msg("taken: %.*s", STR_ARG(rows[i]));
    assert_false(address_parse(STR_NONE, &a));
    assert_false(address_parse_ip(STR_NONE, 1, &a));
    assert_false(address_parse_ip(STR("[::1]"), 1, &a));
    assert_false(address_local(STR_NONE, &a));

    /* The longest path that fits is written whole. */
    char path[ADDRESS_TEXT_MAX];
    memset(path, 'p', sizeof(path));
    memcpy(path, "unix:/", 6);
    assert_true(address_parse((struct str){ path, 5 + 107 }, &a));
    path[5 + 107] = '\0';
    expect_written(&a, path);
    path[5 + 107] = 'p';
    assert_false(address_parse((struct str){ path, 5 + 108 }, &a));
}

static void networks_hold_addresses(void **state)
{
    static const struct {
        const char *network, *address;
        bool in;
    } rows[] = {
        { "10.0.0.0/8", "10.255.255.255:1", true },
        { "10.0.0.0/8", "11.0.0.0:1", false },
        { "10.1.2.3/8", "10.9.9.9:1", true },
        { "192.0.2.128/25", "192.0.2.128:1", true },
        { "192.0.2.128/25", "192.0.2.127:1", false },
        { "192.0.2.7", "192.0.2.7:1", true },
        { "192.0.2.7", "192.0.2.6:1", false },
        { "192.0.2.7/32", "192.0.2.6:1", false },
        { "0.0.0.0/0", "255.1.2.3:1", true },
        { "0.0.0.0/0", "[::1]:1", false },
        { "::/0", "[2001:db8::1]:1", true },
        { "::/0", "127.0.0.1:1", false },
        { "::/0", "[::ffff:127.0.0.1]:1", false },
        { "::1/128", "[::1]:1", true },
        { "::1", "[::2]:1", false },
        { "2001:db8::/33", "[2001:db8:7fff::1]:1", true },
        { "2001:db8::/33", "[2001:db8:8000::1]:1", false },
        { "127.0.0.0/8", "[::ffff:127.0.0.1]:1", true },
        { "::ffff:127.0.0.0/104", "127.0.0.1:1", true },
        { "::ffff:127.0.0.0/104", "[::ffff:128.0.0.1]:1", false },
        { "::ffff:0:0/96", "1.2.3.4:1", true },
        { "unix", "unix:/run/x", true },
        { "unix", "127.0.0.1:1", false },
        { "127.0.0.1", "unix:/run/x", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct network n;
        struct address a;
        assert_true(network_parse(str_from(rows[i].network), &n));
        assert_true(address_parse(str_from(rows[i].address), &a));
        if (network_has(&n, &a) != rows[i].in)
            fail_msg("%s and %s", rows[i].network, rows[i].address);
    }
    struct network n;
    struct address none = { .bytes = 0 };
    assert_true(network_parse(STR("unix"), &n));
    assert_false(network_has(&n, &none));

    static const char *const wrong[] = {
        "",       "/8",      "10.0.0.0/",   "10.0.0.0/33", "10.0.0.0/8/8", "::/129",
        "10.0.0", "::1/x",   "10.0.0.0/+8", "unix/8",      "UNIX",         "10.0.0.0/0008",
        "all",    "[::1]/8", "10.0.0.0:80"
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (network_parse(str_from(wrong[i]), &n))
            fail_msg("taken: %s", wrong[i]);
}

/* Each length of prefix against a bit-by-bit comparison. */
static void every_prefix_length_counts(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 32; bits++) {
        for (unsigned flipped = 0; flipped < 32; flipped++) {
            char text[32];
            struct network n;
            struct address a;
            snprintf(text, sizeof(text), "170.85.170.85/%u", bits);
            assert_true(network_parse(str_from(text), &n));
            assert_true(address_parse(STR("170.85.170.85:1"), &a));
            a.sa.v4.sin_addr.s_addr ^= htonl(1u << (31 - flipped));
            assert_int_equal(network_has(&n, &a), flipped >= bits);
        }
    }
}

/* ---- resolving ---- */

struct question {
    struct resolve resolve;
    int done, status;
    struct address v[RESOLVE_MAX];
    size_t n;
};

static void on_done(struct resolve *r, int status, const struct address *v, size_t n)
{
    struct question *q = CONTAINER_OF(r, struct question, resolve);
    assert_true(n <= RESOLVE_MAX);
    assert_true((status == 0) == (n > 0));
    q->done++;
    q->status = status;
    q->n = n;
    if (n)
        memcpy(q->v, v, n * sizeof(v[0]));
}

static void resolves_names_and_addresses(void **state)
{
    static struct world w;
    static const struct {
        const char *name, *written;
    } rows[] = {
        { "127.0.0.1", "127.0.0.1:81" },
        { "192.0.2.1", "192.0.2.1:81" },
        { "::1", "[::1]:81" },
        { "[2001:db8::1]", "[2001:db8::1]:81" },
    };
    (void)state;
    world_init(&w);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct question q = { .done = 0 };
        char name[64];
        strcpy(name, rows[i].name);
        assert_int_equal(resolve_start(&w.loop, &q.resolve, str_from(name), 81, on_done), 0);
        memset(name, '#', sizeof(name)); /* it need not stay */
        assert_int_equal(q.done, 0);
        RUN_UNTIL(&w, q.done);
        assert_int_equal(q.status, 0);
        assert_int_equal(q.n, 1);
        expect_written(&q.v[0], rows[i].written);
    }
    struct question q = { .done = 0 };
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("localhost"), 443, on_done), 0);
    RUN_UNTIL(&w, q.done);
    assert_int_equal(q.status, 0);
    for (size_t i = 0; i < q.n; i++) {
        struct network loopback;
        bool v4 = q.v[i].sa.any.sa_family == AF_INET;
        assert_true(network_parse(v4 ? STR("127.0.0.0/8") : STR("::1"), &loopback));
        assert_true(network_has(&loopback, &q.v[i]));
        assert_int_equal(ntohs(v4 ? q.v[i].sa.v4.sin_port : q.v[i].sa.v6.sin6_port), 443);
    }
    world_fini(&w);
}

static void refuses_what_is_no_name(void **state)
{
    static struct world w;
    struct question q = { .done = 0 };
    char longest[300];
    (void)state;
    world_init(&w);
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR_NONE, 1, on_done), UV_EINVAL);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("[]"), 1, on_done), UV_EINVAL);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("127.0.0.1\0.example"), 1, on_done), UV_EINVAL);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, (struct str){ longest, sizeof(longest) }, 1, on_done),
                     UV_EINVAL);
    world_settle(&w);
    assert_int_equal(q.done, 0);
    world_fini(&w);
}

static void families_take_turns(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after; /* a letter for each: small ones are IPv4 */
    } rows[] = { { "", "" },
                 { "a", "a" },
                 { "aB", "aB" },
                 { "abC", "aCb" },
                 { "ABc", "AcB" },
                 { "ABCde", "AdBeC" },
                 { "abcdE", "aEbcd" },
                 { "AbCd", "AbCd" },
                 { "abAB", "aAbB" },
                 { "ABab", "AaBb" },
                 { "abcABCdD", "aAbBcCdD" } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address v[RESOLVE_MAX];
        size_t n = strlen(rows[i].before);
        for (size_t k = 0; k < n; k++) {
            char c = rows[i].before[k], text[32];
            snprintf(text, sizeof(text), c >= 'a' ? "127.0.0.%d" : "::%d", c);
            assert_true(address_parse_ip(str_from(text), 1, &v[k]));
        }
        address_take_turns(v, n);
        for (size_t k = 0; k < n; k++) {
            char c = rows[i].after[k], text[32];
            struct address expected;
            snprintf(text, sizeof(text), c >= 'a' ? "127.0.0.%d" : "::%d", c);
            assert_true(address_parse_ip(str_from(text), 1, &expected));
            assert_true(address_is_same(&v[k], &expected));
        }
    }
}

static void the_same_address_is_known_again(void **state)
{
    (void)state;
    static const char *const texts[] = { "127.0.0.1:1", "127.0.0.1:2", "127.0.0.2:1", "[::1]:1",
                                         "[::1]:2",     "[::2]:1",     "unix:/a",     "unix:/ab" };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (size_t k = 0; k < COUNT_OF(texts); k++) {
            struct address a, b;
            assert_true(address_parse(str_from(texts[i]), &a) && address_parse(str_from(texts[k]), &b));
            assert_int_equal(address_is_same(&a, &b), i == k);
        }
    struct address none = { .bytes = 0 };
    assert_false(address_is_same(&none, &none));
}

#define NAMES_THREADS ((size_t)4) /* of io/chores.c */

/* Work that keeps a thread until the lock is free. */
static struct {
    struct pool_job work[CHORES_MOST + 8];
    pthread_mutex_t lock;
    atomic_size_t begun;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void occupy(struct pool_job *work)
{
    (void)work;
    atomic_fetch_add(&pool.begun, 1);
    pthread_mutex_lock(&pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

/* Fills the queue of look-ups: all threads are busy, and there is no room for another one. Returns how much
 * that was. */
static size_t fill_queue(struct world *w)
{
    size_t n = 0;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.begun, 0);
    while (n < COUNT_OF(pool.work)) {
        pool.work[n].run = occupy;
        if (chores_add(w->loop.chores, CHORE_NAMES, &pool.work[n]) != 0)
            break;
        n++;
        while (n <= NAMES_THREADS && atomic_load(&pool.begun) < n)
            sched_yield();
    }
    assert_int_equal(n, NAMES_THREADS + CHORES_MOST);
    return n;
}

static void empty_queue(size_t n)
{
    pthread_mutex_unlock(&pool.lock);
    while (atomic_load(&pool.begun) < n)
        sched_yield();
}

static void a_plain_file_is_no_socket_that_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        int before, after;
    } rows[] = {
        { "unix:/dev/null", UV_ECONNREFUSED, UV_ENOTSOCK },
        { "unix:/", UV_ECONNREFUSED, UV_ENOTSOCK },
        { "unix:/dev/null", UV_EACCES, UV_EACCES },
        { "unix:/none/such", UV_ECONNREFUSED, UV_ECONNREFUSED },
        { "127.0.0.1:1", UV_ECONNREFUSED, UV_ECONNREFUSED },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        assert_true(address_parse(str_from(rows[i].at), &a));
        assert_int_equal(address_refusal(&a, rows[i].before), rows[i].after);
    }
}

static void a_cancelled_look_up_is_done_nevertheless(void **state)
{
    static struct world w;
    struct question q = { .done = 0 };
    (void)state;
    world_init(&w);
    size_t n = fill_queue(&w);
    assert_true(chores_take_back(w.loop.chores, CHORE_NAMES, &pool.work[n - 1])); /* room for one */
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("127.0.0.1"), 1, on_done), 0);
    resolve_cancel(&q.resolve);
    resolve_cancel(&q.resolve);
    assert_int_equal(q.done, 0);
    RUN_UNTIL(&w, q.done);
    assert_int_equal(q.status, UV_ECANCELED);
    empty_queue(n - 1);
    world_settle(&w);
    assert_int_equal(q.done, 1);
    world_fini(&w);
}

static void too_many_look_ups_are_refused_at_once(void **state)
{
    static struct world w;
    struct question q = { .done = 0 };
    (void)state;
    world_init(&w);
    size_t n = fill_queue(&w);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("127.0.0.1"), 1, on_done), UV_EAGAIN);
    world_settle(&w);
    assert_int_equal(q.done, 0);
    empty_queue(n);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("127.0.0.1"), 1, on_done), 0);
    RUN_UNTIL(&w, q.done);
    assert_int_equal(q.status, 0);
    world_fini(&w);
}

static void write_hosts(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A name server that does not answer keeps neither the one who cancels nor the end of the loop. */
static void who_cancels_waits_for_no_name_server(void **state)
{
    static struct world w;
    struct question q = { .done = 0 }, other = { .done = 0 };
    char path[] = "/tmp/freshet-hosts-XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_hosts(path, "slow.test slow\nquick.test 127.0.0.7\n");
    setenv("FRESHET_TEST_HOSTS", path, 1);
    world_init(&w);
    assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("slow.test"), 1, on_done), 0);
    assert_int_equal(resolve_start(&w.loop, &other.resolve, STR("quick.test"), 1, on_done), 0);
    RUN_UNTIL(&w, other.done);
    assert_int_equal(other.status, 0);
    expect_written(&other.v[0], "127.0.0.7:1");
    assert_int_equal(q.done, 0);
    resolve_cancel(&q.resolve);
    RUN_UNTIL(&w, q.done);
    assert_int_equal(q.status, UV_ECANCELED);
    world_fini(&w);
    unsetenv("FRESHET_TEST_HOSTS");
    unlink(path);
}

/* Nothing is lost when the answer was there first. */
static void a_cancellation_that_comes_late_changes_nothing(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    for (int i = 0; i < 200; i++) {
        struct question q = { .done = 0 };
        assert_int_equal(resolve_start(&w.loop, &q.resolve, STR("127.0.0.1"), 1, on_done), 0);
        for (int k = 0; k < i; k++)
            sched_yield();
        resolve_cancel(&q.resolve);
        RUN_UNTIL(&w, q.done);
        assert_true(q.status == UV_ECANCELED || (q.status == 0 && q.n == 1));
        world_settle(&w);
        assert_int_equal(q.done, 1);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_addresses),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(networks_hold_addresses),
        cmocka_unit_test(every_prefix_length_counts),
        cmocka_unit_test(resolves_names_and_addresses),
        cmocka_unit_test(refuses_what_is_no_name),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(the_same_address_is_known_again),
        cmocka_unit_test(a_plain_file_is_no_socket_that_refuses),
        cmocka_unit_test(a_cancelled_look_up_is_done_nevertheless),
        cmocka_unit_test(too_many_look_ups_are_refused_at_once),
        cmocka_unit_test(who_cancels_waits_for_no_name_server),
        cmocka_unit_test(a_cancellation_that_comes_late_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
