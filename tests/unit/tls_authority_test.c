/* The local authority is made once and found again, is replaced before it ends, and what it signs is believed
 * for each name by whoever believes it, and for no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "io/system.h"
#include "tls/authority.h"
#include "tls/context.h"
#include "tls_test.h"

#define DAY_MS INT64_C(86400000)

static char folder[64], cert_path[96], key_path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/fr-authority-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(cert_path, sizeof(cert_path), "%s/authority.pem", folder);
    snprintf(key_path, sizeof(key_path), "%s/authority.key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(cert_path);
    unlink(key_path);
    return rmdir(folder);
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

static struct authority *open_it(int64_t at, bool made_wanted)
{
    struct buf why = BUF_INIT;
    bool made;
    struct authority *a = authority_open(folder, at, &made, &why);
    assert_non_null(a);
    assert_int_equal(made, made_wanted);
    assert_int_equal(why.n, 0);
    return a;
}

static void refused(const char *wanted)
{
    struct buf why = BUF_INIT;
    bool made;
    assert_null(authority_open(folder, now_ms(), &made, &why));
    assert_false(made);
    buf_add_char(&why, '\0');
    assert_non_null(strstr(why.p, wanted));
    buf_fini(&why);
}

static void is_made_once(void **state)
{
    (void)state;
    struct authority_facts first, then;
    struct stat st;
    int64_t now = now_ms();
    assert_int_equal(authority_read(folder, &first), -ENOENT);
    authority_free(open_it(now, true));
    assert_int_equal(authority_read(folder, &first), 0);
    assert_int_equal(strlen(first.id), 16);
    assert_string_equal(first.path, cert_path);
    assert_int_equal(stat(key_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    authority_free(open_it(now + 3560 * DAY_MS, false));
    assert_int_equal(authority_read(folder, &then), 0);
    assert_string_equal(first.id, then.id);
    /* 90 days before its end. */
    authority_free(open_it(now + 3561 * DAY_MS, true));
    assert_int_equal(authority_read(folder, &then), 0);
    assert_string_not_equal(first.id, then.id);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct authority_facts facts;
    struct made other = make_cert("DNS:a.test", 0, -10, DAY);
    authority_free(open_it(now_ms(), true));
    assert_int_equal(system_write_file(key_path, buf_str(&other.key), 0600), 0);
    refused("is damaged; remove authority.pem and authority.key there");
    /* A pair, but of no authority. */
    assert_int_equal(system_write_file(cert_path, buf_str(&other.cert), 0600), 0);
    assert_int_equal(authority_read(folder, &facts), 0);
    refused("is damaged");
    assert_int_equal(system_write_file(cert_path, STR_NONE, 0600), 0);
    assert_int_equal(authority_read(folder, &facts), -EBADMSG);
    refused("is damaged");
    unlink(cert_path);
    authority_free(open_it(now_ms(), true)); /* half of it is none */
    made_fini(&other);
}

static X509 *read_ca(void)
{
    FILE *f = fopen(cert_path, "re");
    assert_non_null(f);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(x);
    return x;
}

/* As a client looks at it, at that time. */
static int verify(const struct pair *p, X509 *ca, const char *name, const char *ip, int64_t at)
{
    SSL_CTX *c = context_new();
    pair_use(p, c);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX *v = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_CTX_init(v, store, SSL_CTX_get0_certificate(c), NULL), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(v);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at / 1000));
    if (name)
        X509_VERIFY_PARAM_set1_host(param, name, 0);
    else
        X509_VERIFY_PARAM_set1_ip_asc(param, ip);
    X509_verify_cert(v);
    int error = X509_STORE_CTX_get_error(v);
    X509_STORE_CTX_free(v);
    X509_STORE_free(store);
    SSL_CTX_free(c);
    ERR_clear_error();
    return error;
}

static void signs_for_names(void **state)
{
    (void)state;
    struct str hosts[] = { STR("localhost"), STR("127.0.0.1"), STR("[::1]"), STR("*.shop.test"),
                           STR("under_score.test") };
    const struct strs names = { hosts, COUNT_OF(hosts) };
    struct buf why = BUF_INIT;
    int64_t now = now_ms();
    struct authority *a = open_it(now, true);
    struct pair *p = authority_sign(a, &names, now, &why);
    assert_non_null(p);
    assert_int_equal(why.n, 0);
    assert_false(pair_is_rsa(p));
    assert_int_equal(pair_until_ms(p) / 1000, (now + AUTHORITY_SIGNS_MS) / 1000);
    assert_int_equal(pair_names(p).n, 3); /* addresses are no names */
    X509 *ca = read_ca();
    assert_int_equal(verify(p, ca, "localhost", NULL, now), X509_V_OK);
    assert_int_equal(verify(p, ca, "www.shop.test", NULL, now), X509_V_OK);
    assert_int_equal(verify(p, ca, "under_score.test", NULL, now), X509_V_OK);
    assert_int_equal(verify(p, ca, NULL, "127.0.0.1", now), X509_V_OK);
    assert_int_equal(verify(p, ca, NULL, "::1", now), X509_V_OK);
    assert_int_equal(verify(p, ca, NULL, "127.0.0.2", now), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_int_equal(verify(p, ca, "shop.test", NULL, now), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(p, ca, "localhost", NULL, now + 61 * DAY_MS), X509_V_ERR_CERT_HAS_EXPIRED);
    /* Never longer than the authority itself. */
    pair_unref(p);
    p = authority_sign(a, &names, now + 3640 * DAY_MS, &why);
    assert_non_null(p);
    assert_int_equal(pair_until_ms(p) / DAY_MS, now / DAY_MS + 3650);
    pair_unref(p);
    X509_free(ca);
    authority_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_made_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(signs_for_names, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
