/* A request for a certificate has all names and a good signature; a challenge's certificate is what RFC
 * 8737 wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme/csr.h"

static void a_request_has_all_names(void **state)
{
    (void)state;
    struct str v[] = { STR("a.example.org"), STR("*.b.example.org"), STR("c,DNS:evil.example") };
    const struct strs names = { v, 3 };
    struct buf key = BUF_INIT, der = BUF_INIT;
    csr_make_key(&key);
    assert_true(csr_make(buf_str(&key), &names, &der));
    const unsigned char *p = (unsigned char *)der.p;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)der.n);
    assert_non_null(r);
    assert_int_equal(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)), 1);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(r);
    GENERAL_NAMES *all = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(all), 3);
    for (int i = 0; i < 3; i++) {
        const ASN1_STRING *s = sk_GENERAL_NAME_value(all, i)->d.dNSName;
        assert_int_equal(sk_GENERAL_NAME_value(all, i)->type, GEN_DNS);
        assert_true(str_eq(
            v[i], (struct str){ (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) }));
    }
    GENERAL_NAMES_free(all);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(r);
    assert_false(csr_make(STR("no key"), &names, &der));
    buf_fini(&key);
    buf_fini(&der);
}

static void a_challenge_says_its_digest(void **state)
{
    (void)state;
    struct buf cert = BUF_INIT, key = BUF_INIT;
    unsigned char digest[32];
    for (unsigned i = 0; i < 32; i++)
        digest[i] = (unsigned char)(i + 1);
    csr_make_challenge(STR("a.example.org"), digest, 1800000000, &cert, &key);
    BIO *b = BIO_new_mem_buf(cert.p, (int)cert.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_non_null(x);
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = X509_get_ext_by_OBJ(x, id, -1);
    assert_true(at >= 0);
    X509_EXTENSION *e = X509_get_ext(x, at);
    assert_int_equal(X509_EXTENSION_get_critical(e), 1);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(e);
    assert_int_equal(ASN1_STRING_length(value), 34);
    assert_memory_equal(ASN1_STRING_get0_data(value), "\x04\x20", 2);
    assert_memory_equal(ASN1_STRING_get0_data(value) + 2, digest, 32);
    assert_int_equal(X509_check_host(x, "a.example.org", 0, 0, NULL), 1);
    time_t now = 1800000000;
    assert_true(X509_cmp_time(X509_get0_notBefore(x), &now) < 0 &&
                X509_cmp_time(X509_get0_notAfter(x), &now) > 0);
    assert_int_equal(X509_verify(x, X509_get0_pubkey(x)), 1);
    ASN1_OBJECT_free(id);
    X509_free(x);
    BIO_free(b);
    buf_fini(&cert);
    buf_fini(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_request_has_all_names),
                                        cmocka_unit_test(a_challenge_says_its_digest) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
