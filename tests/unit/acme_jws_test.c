/* What is signed for a CA is what RFC 7515, 7638 and 8555 say: checked against OpenSSL and the RFCs' own
 * examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "acme/base64url.h"
#include "acme/jws.h"

static void base64url_goes_there_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } all[] = {
        { "", "" },           { "f", "Zg" },          { "fo", "Zm8" },          { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff", "-_8" }
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct buf text = BUF_INIT, bytes = BUF_INIT;
        base64url_add(&text, all[i].bytes, strlen(all[i].bytes));
        assert_true(str_eq(buf_str(&text), str_from(all[i].text)));
        assert_true(base64url_read(buf_str(&text), &bytes));
        assert_true(str_eq(buf_str(&bytes), str_from(all[i].bytes)));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void what_is_no_base64url_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "A", "AAAAA", "Zh", "Zm9=v", "Zm+v", "Zm/v", "Zm9v Zm9v", "\xc3\xa4"
    };
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(base64url_read(str_from(wrong[i]), &out));
        assert_int_equal(out.n, 0);
    }
    assert_false(base64url_read((struct str){ "Zm\0v", 4 }, &out));
    assert_true(base64url_read(STR("Zg=="), &out)); /* as some CAs write keys */
    buf_fini(&out);
}

static json_t *json_of(const struct buf *b)
{
    json_t *j = json_loadb(b->p, b->n, 0, NULL);
    assert_non_null(j);
    return j;
}

static struct buf decoded(const json_t *j, const char *name)
{
    struct buf out = BUF_INIT;
    assert_true(base64url_read(str_from(json_string_value(json_object_get(j, name))), &out));
    return out;
}

/* The text that was signed. */
static struct buf signed_part(const json_t *j)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s.%s", json_string_value(json_object_get(j, "protected")),
               json_string_value(json_object_get(j, "payload")));
    return b;
}

static bool verifies(const struct jws_key *k, const json_t *j)
{
    struct buf pem = BUF_INIT, raw = decoded(j, "signature"), text = signed_part(j);
    unsigned char *der = NULL;
    jws_key_write(k, &pem);
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    assert_int_equal(raw.n, 64);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    assert_int_equal(ECDSA_SIG_set0(sig, BN_bin2bn((unsigned char *)raw.p, 32, NULL),
                                    BN_bin2bn((unsigned char *)raw.p + 32, 32, NULL)),
                     1);
    int n = i2d_ECDSA_SIG(sig, &der);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key), 1);
    bool good = EVP_DigestVerify(c, der, (size_t)n, (unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(c);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    EVP_PKEY_free(key);
    BIO_free(b);
    buf_fini(&pem);
    buf_fini(&raw);
    buf_fini(&text);
    return good;
}

static void a_message_is_signed(void **state)
{
    (void)state;
    struct jws_key *k = jws_key_new(), *other = jws_key_new();
    for (unsigned i = 0; i < 200; i++) { /* numbers with zeroes in front are padded */
        const struct jws_head head = { STR("no\"nce"), STR("https://ca/new"),
                                       i % 2 ? STR("https://ca/acct/1") : STR_NONE };
        struct buf out = BUF_INIT;
        jws_sign(k, &head, i % 3 ? STR("{\"a\":1}") : STR_NONE, &out);
        json_t *j = json_of(&out);
        assert_true(verifies(k, j));
        assert_false(verifies(other, j));
        struct buf text = decoded(j, "protected");
        json_t *p = json_of(&text);
        assert_string_equal(json_string_value(json_object_get(p, "alg")), "ES256");
        assert_string_equal(json_string_value(json_object_get(p, "nonce")), "no\"nce");
        assert_string_equal(json_string_value(json_object_get(p, "url")), "https://ca/new");
        assert_true((json_object_get(p, "kid") != NULL) == (i % 2 == 1));
        assert_true((json_object_get(p, "jwk") != NULL) == (i % 2 == 0));
        json_decref(p);
        json_decref(j);
        buf_fini(&text);
        buf_fini(&out);
    }
    jws_key_free(k);
    jws_key_free(other);
}

static void a_key_is_kept(void **state)
{
    (void)state;
    struct jws_key *k = jws_key_new();
    struct buf pem = BUF_INIT, before = BUF_INIT, after = BUF_INIT;
    jws_key_write(k, &pem);
    jws_add_thumbprint(k, &before);
    jws_key_free(k);
    k = jws_key_read(buf_str(&pem));
    assert_non_null(k);
    jws_add_thumbprint(k, &after);
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    assert_int_equal(before.n, 43);
    jws_key_free(k);
    assert_null(jws_key_read(STR_NONE));
    assert_null(jws_key_read(STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")));
    EVP_PKEY *wrong = EVP_EC_gen("P-384");
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    PEM_write_bio_PKCS8PrivateKey(b, wrong, NULL, NULL, 0, NULL, NULL);
    long n = BIO_get_mem_data(b, &p);
    assert_null(jws_key_read((struct str){ p, (size_t)n }));
    BIO_free(b);
    EVP_PKEY_free(wrong);
    buf_fini(&pem);
    buf_fini(&before);
    buf_fini(&after);
}

/* The key of RFC 7515 A.3, whose coordinates stand there. */
static void a_jwk_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49\n"
                              "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
                              "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                              "-----END EC PRIVATE KEY-----\n";
    struct jws_key *k = jws_key_read(STR(pem));
    struct buf jwk = BUF_INIT;
    assert_non_null(k);
    jws_add_jwk(k, &jwk);
    assert_true(str_eq(buf_str(&jwk), STR("{\"crv\":\"P-256\",\"kty\":\"EC\","
                                          "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                          "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}")));
    buf_fini(&jwk);
    jws_key_free(k);
}

static void a_binding_is_by_the_secret(void **state)
{
    (void)state;
    struct jws_key *k = jws_key_new();
    struct buf out = BUF_INIT, secret = BUF_INIT, jwk = BUF_INIT;
    static const char text[] = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    assert_true(jws_bind(k, STR("kid-1"), STR(text), STR("https://ca/new-account"), &out));
    json_t *j = json_of(&out);
    struct buf mac = decoded(j, "signature"), part = signed_part(j), payload = decoded(j, "payload");
    unsigned char wanted[EVP_MAX_MD_SIZE];
    unsigned n;
    assert_true(base64url_read(STR(text), &secret));
    HMAC(EVP_sha256(), secret.p, (int)secret.n, (unsigned char *)part.p, part.n, wanted, &n);
    assert_int_equal(n, mac.n);
    assert_memory_equal(wanted, mac.p, n);
    jws_add_jwk(k, &jwk);
    assert_true(str_eq(buf_str(&payload), buf_str(&jwk)));
    assert_false(jws_bind(k, STR("kid-1"), STR("no/secret"), STR("https://ca/"), &out));
    assert_false(jws_bind(k, STR("kid-1"), STR_NONE, STR("https://ca/"), &out));
    json_decref(j);
    buf_fini(&mac);
    buf_fini(&part);
    buf_fini(&payload);
    buf_fini(&out);
    buf_fini(&secret);
    buf_fini(&jwk);
    jws_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_goes_there_and_back), cmocka_unit_test(what_is_no_base64url_is_refused),
        cmocka_unit_test(a_message_is_signed),           cmocka_unit_test(a_key_is_kept),
        cmocka_unit_test(a_jwk_is_that_of_the_rfc),      cmocka_unit_test(a_binding_is_by_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
