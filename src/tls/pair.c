#include "tls/pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/system.h"
#include "tls/context.h"
#include "tls/pem.h"

#define CHAIN_MOST     16
#define RSA_BITS_LEAST 2048
#define EC_BITS_LEAST  256
#define NAMES_MOST     1000

struct pair {
    atomic_uint refs;
    X509 *leaf;
    STACK_OF(X509) * chain; /* without the leaf */
    EVP_PKEY *key;
    int64_t until_ms;
    struct strs names;
    char *name_bytes;
};

/* ---- reading ---- */

static bool read_chain(struct pair *p, struct str pem, struct str name, struct buf *why)
{
    BIO *b = pem_reader(pem);
    bool encrypted = false;
    p->chain = sk_X509_new_null();
    CHECK(p->chain);
    p->leaf = PEM_read_bio_X509(b, NULL, pem_no_password, &encrypted);
    X509 *next;
    while (p->leaf && (next = PEM_read_bio_X509(b, NULL, pem_no_password, &encrypted)) != NULL)
        CHECK(sk_X509_push(p->chain, next) > 0);
    unsigned long error = ERR_peek_last_error();
    bool is_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(b);
    if (!p->leaf && is_end)
        buf_printf(why, "%.*s: no certificate is in it; it begins with -----BEGIN CERTIFICATE-----",
                   STR_ARG(name));
    else if (!is_end)
        buf_printf(why, "%.*s: certificate %d in it is damaged", STR_ARG(name),
                   p->leaf ? sk_X509_num(p->chain) + 2 : 1);
    else if (sk_X509_num(p->chain) > CHAIN_MOST)
        buf_printf(why, "%.*s: more than %d certificates are in it; a site's own and its chain are wanted",
                   STR_ARG(name), CHAIN_MOST);
    else
        return true;
    return false;
}

static bool read_key(struct pair *p, struct str pem, struct str name, struct buf *why)
{
    BIO *b = pem_reader(pem);
    bool encrypted = false;
    p->key = PEM_read_bio_PrivateKey(b, NULL, pem_no_password, &encrypted);
    static const char label[] = "PRIVATE KEY-----";
    bool is_none = pem.n == 0 || !memmem(pem.p, pem.n, label, sizeof(label) - 1);
    ERR_clear_error();
    BIO_free(b);
    if (p->key)
        return true;
    if (encrypted)
        buf_printf(why,
                   "%.*s: the key is encrypted, and nobody is there to type its password; write it without "
                   "one (openssl pkey)",
                   STR_ARG(name));
    else if (is_none)
        buf_printf(
            why,
            "%.*s: no private key is in it; it begins with -----BEGIN PRIVATE KEY-----, and may stand in "
            "a file of its own, which `key` names",
            STR_ARG(name));
    else
        buf_printf(why, "%.*s: the private key in it is damaged", STR_ARG(name));
    return false;
}

/* ---- checking ---- */

static bool check_times(struct pair *p, struct str name, int64_t now_ms, struct buf *why)
{
    char text[32];
    int64_t from_ms = pem_time_ms(X509_get0_notBefore(p->leaf));
    p->until_ms = pem_time_ms(X509_get0_notAfter(p->leaf));
    if (now_ms >= p->until_ms) {
        log_time_write(text, p->until_ms);
        buf_printf(why, "%.*s: the certificate expired on %.10s; renew it", STR_ARG(name), text);
        return false;
    }
    if (now_ms < from_ms) {
        log_time_write(text, from_ms);
        buf_printf(why,
                   "%.*s: the certificate is valid from %.19sZ on, not yet; is this machine's clock "
                   "right?",
                   STR_ARG(name), text);
        return false;
    }
    return true;
}

static bool check_key(struct pair *p, struct str cert, struct str key, struct buf *why)
{
    int bits = EVP_PKEY_get_bits(p->key);
    bool is_rsa = pair_is_rsa(p);
    if (X509_check_private_key(p->leaf, p->key) != 1) {
        ERR_clear_error();
        buf_printf(why, "%.*s does not match the certificate %.*s: it is the key of another one",
                   STR_ARG(key), STR_ARG(cert));
        return false;
    }
    if (bits < (is_rsa ? RSA_BITS_LEAST : EC_BITS_LEAST - 8)) { /* Ed25519 has 253 */
        buf_printf(why, "%.*s: a key of %d bits is too short; at least %d", STR_ARG(key), bits,
                   is_rsa ? RSA_BITS_LEAST : EC_BITS_LEAST);
        return false;
    }
    return true;
}

/* OpenSSL has an opinion of its own about chains: a signature by SHA-1, a key that is too short. */
static bool check_use(struct pair *p, struct str cert, struct buf *why)
{
    SSL_CTX *c = context_new();
    bool good = SSL_CTX_use_cert_and_key(c, p->leaf, p->key, p->chain, 1) == 1;
    if (!good) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        buf_printf(why, "%.*s: OpenSSL does not accept it: %s", STR_ARG(cert), reason ? reason : "unknown");
        ERR_clear_error();
    }
    SSL_CTX_free(c);
    return good;
}

/* ---- names ---- */

/* Names of the common name alone are none: no client looks there any more (RFC 9525). */
static void take_names(struct pair *p)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(p->leaf, NID_subject_alt_name, NULL, NULL);
    int n = all ? sk_GENERAL_NAME_num(all) : 0;
    size_t bytes = 0;
    if (n > NAMES_MOST)
        n = NAMES_MOST;
    for (int i = 0; i < n; i++)
        bytes += (size_t)ASN1_STRING_length(sk_GENERAL_NAME_value(all, i)->d.ia5);
    p->name_bytes = mem_alloc(bytes + 1);
    p->names.v = mem_alloc(((size_t)n + 1) * sizeof(struct str));
    char *to = p->name_bytes;
    for (int i = 0; i < n; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        if (g->type != GEN_DNS)
            continue;
        struct str s = { (const char *)ASN1_STRING_get0_data(g->d.dNSName),
                         (size_t)ASN1_STRING_length(g->d.dNSName) };
        p->names.v[p->names.n++] = (struct str){ to, s.n };
        for (size_t k = 0; k < s.n; k++)
            *to++ = ascii_lower(s.p[k]);
    }
    GENERAL_NAMES_free(all);
}

/* ---- life ---- */

struct pair *pair_new(struct str cert_pem, struct str cert, struct str key_pem, struct str key,
                      int64_t now_ms, struct buf *why)
{
    struct pair *p = mem_alloc(sizeof(*p));
    p->refs = 1;
    ERR_clear_error();
    if (!read_chain(p, cert_pem, cert, why) || !read_key(p, key_pem, key, why) ||
        !check_key(p, cert, key, why) || !check_times(p, cert, now_ms, why) || !check_use(p, cert, why)) {
        pair_unref(p);
        return NULL;
    }
    take_names(p);
    return p;
}

struct pair *pair_load(const char *cert, const char *key, int64_t now_ms, struct buf *why)
{
    struct buf cert_pem = BUF_INIT, key_pem = BUF_INIT;
    struct pair *p = NULL;
    if (pem_read_file(cert, "cert", &cert_pem, why) && pem_read_file(key, "key", &key_pem, why))
        p = pair_new(buf_str(&cert_pem), str_from(cert), buf_str(&key_pem), str_from(key), now_ms, why);
    if (key_pem.n)
        OPENSSL_cleanse(key_pem.p, key_pem.n);
    buf_fini(&cert_pem);
    buf_fini(&key_pem);
    return p;
}

struct pair *pair_ref(struct pair *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void pair_unref(struct pair *p)
{
    if (atomic_fetch_sub(&p->refs, 1) > 1)
        return;
    X509_free(p->leaf);
    sk_X509_pop_free(p->chain, X509_free);
    EVP_PKEY_free(p->key);
    mem_free(p->names.v);
    mem_free(p->name_bytes);
    mem_free(p);
}

/* ---- use ---- */

struct strs pair_names(const struct pair *p)
{
    return p->names;
}

bool pair_names_have(const struct strs *names, struct str host)
{
    struct str rest = str_from_index(host, str_index(host, '.'));
    for (size_t i = 0; i < names->n; i++) {
        struct str name = names->v[i];
        bool is_wild = str_starts(name, STR("*.")) && rest.n < host.n;
        if (str_eq_nocase(name, host) || (is_wild && str_eq_nocase(str_from_index(name, 1), rest)))
            return true;
    }
    return false;
}

bool pair_is_for(const struct pair *p, struct str host)
{
    return pair_names_have(&p->names, host);
}

int64_t pair_until_ms(const struct pair *p)
{
    return p->until_ms;
}

bool pair_is_rsa(const struct pair *p)
{
    int type = EVP_PKEY_get_base_id(p->key);
    return type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS;
}

void pair_use(const struct pair *p, struct ssl_ctx_st *context)
{
    CHECK(SSL_CTX_use_cert_and_key(context, p->leaf, p->key, p->chain, 1) == 1);
}
