#include "acme/jws.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "acme/base64url.h"
#include "base/check.h"
#include "base/mem.h"
#include "tls/pem.h"

#define HALF_BYTES 32 /* of P-256: a coordinate, and each of a signature's two numbers */

struct jws_key {
    EVP_PKEY *key;
    unsigned char x[HALF_BYTES], y[HALF_BYTES];
};

/* ---- keys ---- */

static bool take_coordinate(const EVP_PKEY *key, const char *name, unsigned char out[HALF_BYTES])
{
    BIGNUM *n = NULL;
    bool good = EVP_PKEY_get_bn_param(key, name, &n) == 1 && BN_bn2binpad(n, out, HALF_BYTES) == HALF_BYTES;
    BN_free(n);
    return good;
}

/* Takes over `key`, which may be NULL. NULL: it is none of P-256. */
static struct jws_key *key_of(EVP_PKEY *key)
{
    char group[32] = "";
    struct jws_key *k = mem_alloc(sizeof(*k));
    k->key = key;
    bool good =
        key && EVP_PKEY_is_a(key, "EC") &&
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "prime256v1") == 0 && take_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, k->x) &&
        take_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, k->y);
    ERR_clear_error();
    if (good)
        return k;
    jws_key_free(k);
    return NULL;
}

struct jws_key *jws_key_new(void)
{
    struct jws_key *k = key_of(EVP_EC_gen("P-256"));
    CHECK(k);
    return k;
}

struct jws_key *jws_key_read(struct str pem)
{
    return key_of(pem_read_key(pem));
}

void jws_key_write(const struct jws_key *k, struct buf *out)
{
    pem_add_key(k->key, out);
}

void jws_key_free(struct jws_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    mem_free(k);
}

/* Members in the order of the alphabet, without white space. */
void jws_add_jwk(const struct jws_key *k, struct buf *out)
{
    buf_add(out, STR("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""));
    base64url_add(out, k->x, HALF_BYTES);
    buf_add(out, STR("\",\"y\":\""));
    base64url_add(out, k->y, HALF_BYTES);
    buf_add(out, STR("\"}"));
}

void jws_add_thumbprint(const struct jws_key *k, struct buf *out)
{
    struct buf jwk = BUF_INIT;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    jws_add_jwk(k, &jwk);
    CHECK(EVP_Digest(jwk.p, jwk.n, digest, &n, EVP_sha256(), NULL) == 1);
    base64url_add(out, digest, n);
    buf_fini(&jwk);
}

/* ---- signatures ---- */

/* JOSE wants both numbers at full length, one behind the other (RFC 7518 §3.4); OpenSSL gives them as
 * ASN.1. */
static void add_signature(const struct jws_key *k, struct str text, struct buf *out)
{
    unsigned char der[128], raw[2 * HALF_BYTES];
    size_t n = sizeof(der);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK(c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k->key) == 1);
    CHECK(EVP_DigestSign(c, der, &n, (const unsigned char *)text.p, text.n) == 1);
    EVP_MD_CTX_free(c);
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    CHECK(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, HALF_BYTES) == HALF_BYTES &&
          BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + HALF_BYTES, HALF_BYTES) == HALF_BYTES);
    ECDSA_SIG_free(sig);
    base64url_add(out, raw, sizeof(raw));
}

/* What is signed: the protected header and the payload, each in base64url, with a dot between. */
static void add_signed_part(struct buf *out, struct str head, struct str payload)
{
    base64url_add(out, head.p, head.n);
    buf_add_char(out, '.');
    base64url_add(out, payload.p, payload.n);
}

static void add_message(struct buf *out, struct str signed_part, struct str signature)
{
    struct str rest = signed_part, head = str_cut(&rest, '.');
    buf_printf(out, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%.*s\"}", STR_ARG(head),
               STR_ARG(rest), STR_ARG(signature));
}

void jws_sign(const struct jws_key *k, const struct jws_head *head, struct str payload, struct buf *out)
{
    struct buf text = BUF_INIT, part = BUF_INIT, signature = BUF_INIT;
    buf_add(&text, STR("{\"alg\":\"ES256\","));
    if (head->kid.n) {
        buf_add(&text, STR("\"kid\":"));
        buf_add_json(&text, head->kid);
    } else {
        buf_add(&text, STR("\"jwk\":"));
        jws_add_jwk(k, &text);
    }
    buf_add(&text, STR(",\"nonce\":"));
    buf_add_json(&text, head->nonce);
    buf_add(&text, STR(",\"url\":"));
    buf_add_json(&text, head->url);
    buf_add_char(&text, '}');
    add_signed_part(&part, buf_str(&text), payload);
    add_signature(k, buf_str(&part), &signature);
    add_message(out, buf_str(&part), buf_str(&signature));
    buf_fini(&text);
    buf_fini(&part);
    buf_fini(&signature);
}

bool jws_bind(const struct jws_key *k, struct str kid, struct str secret, struct str url, struct buf *out)
{
    struct buf text = BUF_INIT, part = BUF_INIT, jwk = BUF_INIT, key = BUF_INIT, signature = BUF_INIT;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool good = base64url_read(secret, &key) && key.n > 0;
    if (good) {
        buf_add(&text, STR("{\"alg\":\"HS256\",\"kid\":"));
        buf_add_json(&text, kid);
        buf_add(&text, STR(",\"url\":"));
        buf_add_json(&text, url);
        buf_add_char(&text, '}');
        jws_add_jwk(k, &jwk);
        add_signed_part(&part, buf_str(&text), buf_str(&jwk));
        CHECK(HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)part.p, part.n, digest, &n));
        base64url_add(&signature, digest, n);
        add_message(out, buf_str(&part), buf_str(&signature));
        OPENSSL_cleanse(key.p, key.n);
    }
    buf_fini(&text);
    buf_fini(&part);
    buf_fini(&jwk);
    buf_fini(&key);
    buf_fini(&signature);
    return good;
}
