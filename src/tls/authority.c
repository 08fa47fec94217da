#include "tls/authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/system.h"
#include "tls/pem.h"

#define YEARS        10
#define LEFT_LEAST   INT64_C(7776000000) /* 90 days, else there is a new one */
#define EARLIER_S    3600                /* clocks of other machines may be behind */
#define SERIAL_BYTES 16
#define DAY_MS       INT64_C(86400000)

struct authority {
    X509 *cert;
    EVP_PKEY *key;
    int64_t until_ms;
};

/* ---- making certificates ---- */

static void set_time(ASN1_TIME *t, int64_t ms)
{
    CHECK(ASN1_TIME_set(t, (time_t)(ms / 1000)) != NULL);
}

static void set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    system_random(bytes, sizeof(bytes));
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and of full length (RFC 5280 §4.1.2.2) */
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    CHECK(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)));
    BN_free(n);
}

static void set_name(X509_NAME *name, const char *text)
{
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0) == 1);
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* A certificate that is not signed yet. */
static X509 *new_cert(EVP_PKEY *key, int64_t now_ms, int64_t until_ms)
{
    X509 *x = X509_new();
    CHECK(x && X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
    set_serial(x);
    set_time(X509_getm_notBefore(x), now_ms - EARLIER_S * 1000);
    set_time(X509_getm_notAfter(x), until_ms);
    return x;
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    CHECK(key);
    return key;
}

static void wipe(struct buf *b)
{
    if (b->n)
        OPENSSL_cleanse(b->p, b->n);
    buf_fini(b);
}

/* ---- on disk ---- */

static int path_of(const char *folder, const char *name, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* 0; -ENOENT: one of the files is not there; -EBADMSG: they do not belong together. */
static int load(struct authority *a, const char *folder)
{
    char path[PATH_MAX];
    struct buf cert = BUF_INIT, key = BUF_INIT;
    int status = path_of(folder, "authority.pem", path);
    if (status == 0)
        status = system_read_file(path, PEM_FILE_MAX, &cert);
    if (status == 0 && (status = path_of(folder, "authority.key", path)) == 0)
        status = system_read_file(path, PEM_FILE_MAX, &key);
    if (status == 0) {
        a->cert = pem_read_cert(buf_str(&cert));
        a->key = pem_read_key(buf_str(&key));
        if (!a->cert || !a->key || X509_check_private_key(a->cert, a->key) != 1 ||
            EVP_PKEY_get_base_id(a->key) != EVP_PKEY_EC || X509_check_ca(a->cert) != 1)
            status = -EBADMSG;
        else
            a->until_ms = pem_time_ms(X509_get0_notAfter(a->cert));
        ERR_clear_error();
    }
    buf_fini(&cert);
    wipe(&key);
    return status;
}

static void drop(struct authority *a)
{
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
    *a = (struct authority){ 0 };
}

/* The key first: a certificate without its key would be believed and of no use. */
static int save(const struct authority *a, const char *folder)
{
    char path[PATH_MAX];
    struct buf cert = BUF_INIT, key = BUF_INIT;
    pem_add_cert(a->cert, &cert);
    pem_add_key(a->key, &key);
    int status = system_make_dirs(folder, 0700);
    if (status == 0 && (status = path_of(folder, "authority.key", path)) == 0)
        status = system_write_file(path, buf_str(&key), 0600);
    if (status == 0 && (status = path_of(folder, "authority.pem", path)) == 0)
        status = system_write_file(path, buf_str(&cert), 0644);
    buf_fini(&cert);
    wipe(&key);
    return status;
}

/* It may sign certificates of servers, no other authorities. */
static void make(struct authority *a, int64_t now_ms)
{
    char name[64];
    unsigned char random[4];
    system_random(random, sizeof(random));
    snprintf(name, sizeof(name), "freshet local authority %02x%02x%02x%02x", random[0], random[1], random[2],
             random[3]);
    a->key = new_key();
    a->until_ms = now_ms + YEARS * 365 * DAY_MS;
    a->cert = new_cert(a->key, now_ms, a->until_ms);
    set_name(X509_get_subject_name(a->cert), name);
    set_name(X509_get_issuer_name(a->cert), name);
    extend(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extend(a->cert, a->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(a->cert, a->cert, NID_ext_key_usage, "serverAuth");
    extend(a->cert, a->cert, NID_subject_key_identifier, "hash");
    CHECK(X509_sign(a->cert, a->key, EVP_sha256()) > 0);
}

struct authority *authority_open(const char *folder, int64_t now_ms, bool *made, struct buf *why)
{
    struct authority *a = mem_alloc(sizeof(*a));
    *a = (struct authority){ 0 };
    int status = load(a, folder);
    *made = false;
    if (status == -EBADMSG) {
        buf_printf(why,
                   "the authority in \"%s\" is damaged; remove authority.pem and authority.key there: then a "
                   "new one is made, which must be trusted anew",
                   folder);
    } else if (status == -ENOENT || (status == 0 && a->until_ms - now_ms < LEFT_LEAST)) {
        drop(a);
        make(a, now_ms);
        status = save(a, folder);
        *made = status == 0;
        if (status < 0)
            buf_printf(why, "cannot keep an authority in the state folder \"%s\": %s", folder,
                       system_strerror(status));
    } else if (status < 0) {
        buf_printf(why, "cannot read the authority in the state folder \"%s\": %s", folder,
                   system_strerror(status));
    }
    if (status == 0)
        return a;
    authority_free(a);
    return NULL;
}

void authority_free(struct authority *a)
{
    if (!a)
        return;
    drop(a);
    mem_free(a);
}

/* ---- signing ---- */

static struct str bare_host(struct str host)
{
    bool has_brackets = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    return has_brackets ? (struct str){ host.p + 1, host.n - 2 } : host;
}

static void add_names(X509 *x, const struct strs *hosts)
{
    struct buf text = BUF_INIT;
    struct address address;
    for (size_t i = 0; i < hosts->n && i < AUTHORITY_NAMES_MOST; i++) {
        struct str host = bare_host(hosts->v[i]);
        bool is_ip = address_parse_ip(host, 0, &address);
        buf_printf(&text, "%s%s:%.*s", i ? "," : "", is_ip ? "IP" : "DNS", STR_ARG(host));
    }
    buf_add_char(&text, '\0');
    extend(x, x, NID_subject_alt_name, text.p);
    buf_fini(&text);
}

struct pair *authority_sign(const struct authority *a, const struct strs *hosts, int64_t now_ms,
                            struct buf *why)
{
    static const struct str name = STR_INIT("the certificate of the local authority");
    struct buf cert = BUF_INIT, key_pem = BUF_INIT;
    int64_t until_ms = now_ms + AUTHORITY_SIGNS_MS;
    EVP_PKEY *key = new_key();
    CHECK(hosts->n > 0);
    X509 *x = new_cert(key, now_ms, until_ms < a->until_ms ? until_ms : a->until_ms);
    set_name(X509_get_subject_name(x), "freshet, local");
    CHECK(X509_set_issuer_name(x, X509_get_subject_name(a->cert)) == 1);
    extend(x, a->cert, NID_basic_constraints, "critical,CA:FALSE");
    extend(x, a->cert, NID_key_usage, "critical,digitalSignature");
    extend(x, a->cert, NID_ext_key_usage, "serverAuth");
    extend(x, a->cert, NID_authority_key_identifier, "keyid");
    add_names(x, hosts);
    CHECK(X509_sign(x, a->key, EVP_sha256()) > 0);
    pem_add_cert(x, &cert);
    pem_add_key(key, &key_pem);
    X509_free(x);
    EVP_PKEY_free(key);
    struct pair *p = pair_new(buf_str(&cert), name, buf_str(&key_pem), name, now_ms, why);
    buf_fini(&cert);
    wipe(&key_pem);
    return p;
}

/* ---- for those who believe it ---- */

int authority_read(const char *folder, struct authority_facts *out)
{
    struct buf pem = BUF_INIT;
    unsigned char digest[EVP_MAX_MD_SIZE];
    int status = path_of(folder, "authority.pem", out->path);
    if (status == 0)
        status = system_read_file(out->path, PEM_FILE_MAX, &pem);
    X509 *x = status == 0 ? pem_read_cert(buf_str(&pem)) : NULL;
    if (status == 0 && (!x || X509_digest(x, EVP_sha256(), digest, NULL) != 1))
        status = -EBADMSG;
    for (size_t i = 0; status == 0 && i < 8; i++)
        snprintf(out->id + i * 2, 3, "%02x", digest[i]);
    X509_free(x);
    buf_fini(&pem);
    return status;
}
