/* Certificates for tests: made when they are needed, by OpenSSL. */
#ifndef TLS_TEST_H
#define TLS_TEST_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"

struct made {
    struct buf cert, key; /* PEM */
};

static inline void made_fini(struct made *m)
{
    buf_fini(&m->cert);
    buf_fini(&m->key);
}

static inline void made_take(BIO *b, struct buf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    buf_add(out, (struct str){ p, (size_t)n });
    BIO_free(b);
}

/* `names` as in openssl.cnf: "DNS:a.test,DNS:*.b.test". bits: of RSA; 0: P-256. From and until: seconds from
 * now. */
static inline struct made make_cert(const char *names, unsigned bits, long from_s, long until_s)
{
    struct made m = { BUF_INIT, BUF_INIT };
    EVP_PKEY *key = bits ? EVP_RSA_gen(bits) : EVP_EC_gen("P-256");
    X509 *x = X509_new();
    assert_non_null(key);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), until_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"freshet test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    if (names) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        assert_non_null(e);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    made_take(b, &m.cert);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    made_take(b, &m.key);
    X509_free(x);
    EVP_PKEY_free(key);
    return m;
}

#define DAY 86400L

#endif
