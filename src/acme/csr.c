#include "acme/csr.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tls/pem.h"

#define DAY_S INT64_C(86400)
/* id-pe-acmeIdentifier (RFC 8737 §6.1) */
#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

/* ---- keys ---- */

static EVP_PKEY *make_key(struct buf *pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    CHECK(key);
    pem_add_key(key, pem);
    return key;
}

void csr_make_key(struct buf *pem)
{
    EVP_PKEY_free(make_key(pem));
}

/* ---- requests ---- */

/* As values and not as OpenSSL's configuration text, in which a name could say more than a name. */
static GENERAL_NAMES *general_names(const struct strs *names)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    CHECK(all);
    for (size_t i = 0; i < names->n; i++) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        CHECK(g && text && ASN1_STRING_set(text, names->v[i].p, (int)names->v[i].n) == 1);
        GENERAL_NAME_set0_value(g, GEN_DNS, text);
        CHECK(sk_GENERAL_NAME_push(all, g) > 0);
    }
    return all;
}

bool csr_make(struct str key_pem, const struct strs *names, struct buf *der)
{
    EVP_PKEY *key = pem_read_key(key_pem);
    CHECK(names->n > 0);
    if (!key)
        return false;
    X509_REQ *r = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    GENERAL_NAMES *all = general_names(names);
    CHECK(r && extensions &&
          X509V3_add1_i2d(&extensions, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1);
    CHECK(X509_REQ_set_version(r, 0) == 1 && X509_REQ_set_pubkey(r, key) == 1);
    CHECK(X509_REQ_add_extensions(r, extensions) == 1 && X509_REQ_sign(r, key, EVP_sha256()) > 0);
    unsigned char *bytes = NULL;
    int n = i2d_X509_REQ(r, &bytes);
    CHECK(n > 0);
    buf_add(der, (struct str){ (const char *)bytes, (size_t)n });
    OPENSSL_free(bytes);
    GENERAL_NAMES_free(all);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    return true;
}

/* ---- challenges ---- */

/* Critical: a client that does not know it must not believe the certificate. */
static void add_identifier(X509 *x, const unsigned char digest[32])
{
    unsigned char octets[34] = { V_ASN1_OCTET_STRING, 32 };
    memcpy(octets + 2, digest, 32);
    ASN1_OBJECT *id = OBJ_txt2obj(ACME_IDENTIFIER, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    CHECK(id && value && ASN1_OCTET_STRING_set(value, octets, sizeof(octets)) == 1);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    CHECK(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
}

void csr_make_challenge(struct str name, const unsigned char digest[32], int64_t now_s, struct buf *cert_pem,
                        struct buf *key_pem)
{
    EVP_PKEY *key = make_key(key_pem);
    X509 *x = X509_new();
    const struct strs names = { &name, 1 };
    GENERAL_NAMES *all = general_names(&names);
    CHECK(x && X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    CHECK(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - DAY_S)) &&
          ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s + DAY_S)));
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"freshet challenge", -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 && X509_set_pubkey(x, key) == 1);
    CHECK(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1);
    add_identifier(x, digest);
    CHECK(X509_sign(x, key, EVP_sha256()) > 0);
    pem_add_cert(x, cert_pem);
    GENERAL_NAMES_free(all);
    X509_free(x);
    EVP_PKEY_free(key);
}
