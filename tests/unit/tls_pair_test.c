/* A certificate and its key are taken when they belong together and are good now; else a person reads what is
 * wrong with which file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/pair.h"
#include "tls_test.h"

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

/* NULL, and *why says `wanted`; or a pair when `wanted` is NULL. */
static struct pair *check(struct str cert, struct str key, const char *wanted)
{
    struct buf why = BUF_INIT;
    struct pair *p = pair_new(cert, STR("cert: c.pem"), key, STR("key: k.pem"), now_ms(), &why);
    buf_add_char(&why, '\0');
    if (wanted) {
        assert_null(p);
        if (!strstr(why.p, wanted))
            print_error("%s\n", why.p);
        assert_non_null(strstr(why.p, wanted));
    } else {
        assert_non_null(p);
        assert_int_equal(why.n, 1);
    }
    buf_fini(&why);
    return p;
}

static void a_pair_is_taken(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 2048; bits += 2048) {
        struct made m = make_cert("DNS:A.test,DNS:*.b.test,IP:127.0.0.1,email:x@a.test", bits, -10, DAY);
        struct pair *p = check(buf_str(&m.cert), buf_str(&m.key), NULL);
        struct strs names = pair_names(p);
        assert_int_equal(names.n, 2);
        assert_true(str_eq(names.v[0], STR("a.test")));
        assert_true(str_eq(names.v[1], STR("*.b.test")));
        assert_int_equal(pair_is_rsa(p), bits > 0);
        int64_t left = pair_until_ms(p) - now_ms();
        assert_true(left > 86000 * 1000 && left <= 86401 * 1000);
        pair_unref(pair_ref(p));
        pair_unref(p);
        made_fini(&m);
    }
}

static void one_file_may_hold_both(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY);
    struct buf both = BUF_INIT;
    buf_add(&both, buf_str(&m.key));
    buf_add(&both, buf_str(&m.cert));
    pair_unref(check(buf_str(&both), buf_str(&both), NULL));
    buf_fini(&both);
    made_fini(&m);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY), other = make_cert("DNS:a.test", 0, -10, DAY);
    struct made old = make_cert("DNS:a.test", 0, -2 * DAY, -DAY), early = make_cert(NULL, 0, DAY, 2 * DAY);
    struct made weak = make_cert("DNS:a.test", 1024, -10, DAY);
    struct str cert = buf_str(&m.cert), key = buf_str(&m.key);
    check(cert, buf_str(&other.key), "key: k.pem does not match the certificate cert: c.pem");
    check(buf_str(&old.cert), buf_str(&old.key), "cert: c.pem: the certificate expired on 20");
    check(buf_str(&early.cert), buf_str(&early.key), "not yet; is this machine's clock right?");
    check(buf_str(&weak.cert), buf_str(&weak.key), "a key of 1024 bits is too short; at least 2048");
    check(STR_NONE, key, "cert: c.pem: no certificate is in it");
    check(key, key, "cert: c.pem: no certificate is in it");
    check(cert, STR("hello"), "key: k.pem: no private key is in it");
    check(cert, cert, "key: k.pem: no private key is in it");
    /* Cut in the middle. */
    check((struct str){ cert.p, cert.n / 2 }, key, "certificate 1 in it is damaged");
    check(cert, (struct str){ key.p, key.n / 2 }, "the private key in it is damaged");
    struct buf chain = BUF_INIT;
    buf_add(&chain, cert);
    buf_add(&chain, (struct str){ cert.p, cert.n / 2 });
    check(buf_str(&chain), key, "certificate 2 in it is damaged");
    for (int i = 0; i < 20; i++)
        buf_add(&chain, STR("\n"));
    buf_clear(&chain);
    for (int i = 0; i < 18; i++)
        buf_add(&chain, cert);
    check(buf_str(&chain), key, "more than 16 certificates");
    buf_fini(&chain);
    made_fini(&m);
    made_fini(&other);
    made_fini(&old);
    made_fini(&early);
    made_fini(&weak);
}

static void a_key_with_a_password_is_said(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY);
    BIO *in = BIO_new_mem_buf(m.key.p, (int)m.key.n), *b = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    struct buf locked = BUF_INIT;
    assert_int_equal(
        PEM_write_bio_PrivateKey(b, key, EVP_aes_128_cbc(), (const unsigned char *)"word", 4, NULL, NULL), 1);
    made_take(b, &locked);
    check(buf_str(&m.cert), buf_str(&locked), "the key is encrypted");
    buf_fini(&locked);
    BIO_free(in);
    EVP_PKEY_free(key);
    made_fini(&m);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    struct buf why = BUF_INIT;
    assert_null(pair_load("/nowhere/c.pem", "/nowhere/k.pem", now_ms(), &why));
    assert_true(
        str_eq(buf_str(&why), STR("cannot read /nowhere/c.pem: no such file or directory; `cert` names it: "
                                  "write there which file it is")));
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_taken),
        cmocka_unit_test(one_file_may_hold_both),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_key_with_a_password_is_said),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
