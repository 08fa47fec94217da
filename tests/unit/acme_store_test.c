/* What ACME keeps comes back as it was, for its owner alone; what is damaged is said; and for which names
 * a certificate is wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acme/names.h"
#include "acme/store.h"
#include "io/system.h"

static char folder[] = "/tmp/freshet-acme-XXXXXX";
static struct store store;

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && store_init(&store, folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void an_account_comes_back(void **state)
{
    (void)state;
    struct store_account a = { 0 }, b = { 0 }, none = { 0 };
    assert_int_equal(store_read_account(&store, STR("https://ca/"), &b), -ENOENT);
    buf_add(&a.key, STR("KEY\n"));
    buf_add(&a.email, STR("me@\"a\".org"));
    assert_int_equal(store_write_account(&store, STR("https://ca/"), &a), 0);
    assert_int_equal(store_read_account(&store, STR("https://ca/"), &b), 0);
    assert_true(str_eq(buf_str(&b.key), STR("KEY\n")));
    assert_true(str_eq(buf_str(&b.email), STR("me@\"a\".org")));
    assert_int_equal(b.url.n, 0);
    assert_int_equal(store_read_account(&store, STR("https://other/"), &none), -ENOENT);
    store_account_fini(&a);
    store_account_fini(&b);
    store_account_fini(&none);
}

static void a_record_comes_back(void **state)
{
    (void)state;
    struct store_record a = { .failures = 3,
                              .try_ms = INT64_C(1800000000000),
                              .issued_ms = 1,
                              .renew_ms = 2,
                              .advised_until_ms = 3,
                              .told_ms = 4,
                              .wanted = true,
                              .reason = 1,
                              .revoke_failures = 5,
                              .revoke_try_ms = 6 },
                        b = { 0 };
    char path[PATH_MAX];
    struct stat st;
    buf_add(&a.order, STR("https://ca/order/1"));
    buf_add(&a.error, STR("what\nwas wrong"));
    buf_add(&a.revoke, STR("MAAA"));
    buf_add(&a.shown_name, STR("a.example"));
    buf_add(&a.shown_token, STR("t"));
    buf_add(&a.shown_authorization, STR("t.k"));
    assert_int_equal(store_write_record(&store, "x", &a), 0);
    assert_int_equal(store_read_record(&store, "x", &b), 0);
    assert_true(str_eq(buf_str(&b.order), STR("https://ca/order/1")));
    assert_true(str_eq(buf_str(&b.error), STR("what\nwas wrong")));
    assert_int_equal(b.failures, 3);
    assert_int_equal(b.try_ms, a.try_ms);
    assert_int_equal(b.issued_ms, 1);
    assert_int_equal(b.renew_ms, 2);
    assert_int_equal(b.advised_until_ms, 3);
    assert_int_equal(b.told_ms, 4);
    assert_true(b.wanted);
    assert_true(str_eq(buf_str(&b.revoke), STR("MAAA")));
    assert_int_equal(b.reason, 1);
    assert_int_equal(b.revoke_failures, 5);
    assert_int_equal(b.revoke_try_ms, 6);
    assert_true(str_eq(buf_str(&b.shown_name), STR("a.example")));
    assert_true(str_eq(buf_str(&b.shown_token), STR("t")));
    assert_true(str_eq(buf_str(&b.shown_authorization), STR("t.k")));
    snprintf(path, sizeof(path), "%s/acme/x.json", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(system_write_file(path, STR("{\"order\": "), 0600), 0);
    assert_int_equal(store_read_record(&store, "x", &b), -EINVAL);
    assert_int_equal(
        system_write_file(path, STR("{\"order\": 7, \"try_ms\": -5, \"failures\": \"x\"}"), 0600), 0);
    assert_int_equal(store_read_record(&store, "x", &b), 0);
    assert_int_equal(b.order.n, 0);
    assert_int_equal(b.try_ms, 0);
    store_record_fini(&a);
    store_record_fini(&b);
}

static bool count(void *ctx, const char *file, struct str pem)
{
    (void)file;
    assert_true(str_eq(pem, STR("CHAIN\nKEY\n")));
    ++*(int *)ctx;
    return true;
}

static void a_certificate_comes_back(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    int n = 0;
    assert_int_equal(store_write_pem(&store, "y", STR("CHAIN"), STR("KEY\n")), 0);
    assert_int_equal(store_write_pem(&store, "z", STR("CHAIN\n"), STR("KEY\n")), 0);
    assert_int_equal(store_read_pem(&store, "y", &b), 0);
    assert_true(str_eq(buf_str(&b), STR("CHAIN\nKEY\n")));
    store_each_pem(&store, count, &n);
    assert_int_equal(n, 2);
    buf_fini(&b);
}

static void a_set_has_its_own_files(void **state)
{
    (void)state;
    struct str v[] = { STR("*.a/../b"), STR("b.example.org") };
    char one[STORE_ID_MAX], other[STORE_ID_MAX];
    store_id(STR("https://ca/"), &(struct strs){ v, 2 }, one);
    assert_null(strchr(one, '/'));
    assert_true(one[0] != '.');
    store_id(STR("https://ca/"), &(struct strs){ v, 1 }, other);
    assert_string_not_equal(one, other);
    store_id(STR("https://cb/"), &(struct strs){ v, 2 }, other);
    assert_string_not_equal(one, other);
    store_id(STR("https://ca/"), &(struct strs){ v, 2 }, other);
    assert_string_equal(one, other);
}

/* `wanted`: with spaces between. */
static void names_are(const char *https, const char *more, const char *site, const char *wanted)
{
    struct buf yaml = BUF_INIT, errors = BUF_INIT, got = BUF_INIT;
    struct arena arena;
    struct strs out;
    buf_printf(&yaml, "https: [\"%s\"]\n%ssites:\n  a:\n    origin: http://127.0.0.1:1\n%s", https, more,
               site);
    struct settings *s = settings_parse(buf_str(&yaml), STR("x.yaml"), NULL, 0, &errors);
    if (!s)
        print_error("%.*s", STR_ARG(buf_str(&errors)));
    assert_non_null(s);
    arena_init(&arena, 512);
    names_of_site(s, &s->sites[0], &arena, &out, NULL);
    for (size_t i = 0; i < out.n; i++)
        buf_printf(&got, "%s%.*s", i ? " " : "", STR_ARG(out.v[i]));
    buf_add_char(&got, '\0');
    assert_string_equal(got.p, wanted);
    arena_fini(&arena);
    settings_unref(s);
    buf_fini(&yaml);
    buf_fini(&errors);
    buf_fini(&got);
}

static void names_are_those_that_a_ca_may_know(void **state)
{
    (void)state;
    static const char hosts[] =
        "    hosts: [www.a.org, a.org, \"*.b.org\", localhost, 192.0.2.1, a.test, x.localhost]\n";
    static const char dns[] = "    hosts: [\"*.b.org\"]\n    acme_challenge: dns-01\n";
    names_are(":443", "", hosts, "a.org www.a.org");
    names_are(":443", "acme_directory: https://ca.internal/\n", hosts, "a.org a.test www.a.org");
    names_are("127.0.0.1:443", "", hosts, "");
    names_are("[::1]:443", "", hosts, "");
    names_are("unix:/tmp/x", "acme_directory: staging\n", hosts, "a.org www.a.org");
    names_are(":443", "", "    acme: off\n    hosts: [a.org]\n", "");
    names_are(":443", "", "    cert: x.pem\n    hosts: [a.org]\n", "");
    names_are(":443", "", "", "");
    names_are(":443", "", dns, "*.b.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_comes_back),
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(a_certificate_comes_back),
        cmocka_unit_test(a_set_has_its_own_files),
        cmocka_unit_test(names_are_those_that_a_ca_may_know),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
