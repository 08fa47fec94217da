#include "tls/outgoing.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/system.h"
#include "io/tls.h"
#include "tls/context.h"
#include "tls/pair.h"
#include "tls/pem.h"

#define SYSTEM_FILE "ca-certificates.crt" /* in its folder, Debian's name of all authorities together */
#define HTTP1       "\x08http/1.1"
#define BEGIN_MARK  "-----BEGIN "

struct outgoing {
    atomic_uint refs;
    uint64_t number;
    SSL_CTX *context;
    unsigned char digest[EVP_MAX_MD_SIZE]; /* of what it was made of */
};

/* One loading. */
struct making {
    const struct outgoing_files *files;
    struct buf ca, cert, key;
    char ca_path[PATH_MAX];
    struct buf *why;
};

static void path_of(struct str s, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%.*s", STR_ARG(s));
}

/* ---- files ---- */

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* The first that is there. A file that somebody has named must be there. */
static bool read_system(struct making *m)
{
    char in_folder[PATH_MAX];
    const char *named = environment(X509_get_default_cert_file_env(), NULL);
    const char *own = named ? named : X509_get_default_cert_file();
    const char *folder = environment(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    snprintf(m->ca_path, PATH_MAX, "%s", own);
    if (named)
        return pem_read_file(named, X509_get_default_cert_file_env(), &m->ca, m->why);
    snprintf(in_folder, sizeof(in_folder), "%s/" SYSTEM_FILE, folder);
    if (system_read_file(own, PEM_FILE_MAX, &m->ca) == 0 && m->ca.n)
        return true;
    snprintf(m->ca_path, PATH_MAX, "%s", in_folder);
    int status = system_read_file(in_folder, PEM_FILE_MAX, &m->ca);
    if (status < 0)
        buf_printf(
            m->why,
            "this system's authorities cannot be read: %s: %s; install the package ca-certificates, or "
            "name a file of authorities with origin_ca",
            in_folder, system_strerror(status));
    return status == 0;
}

static bool read_all(struct making *m)
{
    char path[PATH_MAX];
    const struct outgoing_files *f = m->files;
    path_of(f->ca, m->ca_path);
    if (!f->insecure && !(f->ca.n ? pem_read_file(m->ca_path, "origin_ca", &m->ca, m->why) : read_system(m)))
        return false;
    if (!f->cert.n)
        return true;
    path_of(f->cert, path);
    if (!pem_read_file(path, "origin_cert", &m->cert, m->why))
        return false;
    path_of(f->key, path);
    return pem_read_file(path, "origin_key", &m->key, m->why);
}

/* ---- the authorities ---- */

/* The line at which the certificate with this number begins; 1: there is none. */
static unsigned line_of(struct str pem, int number)
{
    unsigned line = 0, found = 1;
    for (struct str rest = pem, text; rest.p && number >= 0;) {
        text = str_cut(&rest, '\n');
        line++;
        if (str_starts(text, STR(BEGIN_MARK)) && number-- == 0)
            found = line;
    }
    return found;
}

/* Returns how many there are; -1: one is damaged. */
static int take_authorities(struct making *m, X509_STORE *store)
{
    BIO *b = pem_reader(buf_str(&m->ca));
    bool encrypted = false;
    int n = 0;
    X509 *next;
    while ((next = PEM_read_bio_X509(b, NULL, pem_no_password, &encrypted)) != NULL) {
        CHECK(X509_STORE_add_cert(store, next) == 1);
        X509_free(next);
        n++;
    }
    unsigned long error = ERR_peek_last_error();
    bool is_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(b);
    if (!is_end)
        buf_printf(m->why, "%s:%u: this certificate is damaged; write the file anew", m->ca_path,
                   line_of(buf_str(&m->ca), n));
    return is_end ? n : -1;
}

static bool trust_authorities(struct making *m, SSL_CTX *c)
{
    int n = take_authorities(m, SSL_CTX_get_cert_store(c));
    if (n == 0 && m->ca.n == 0)
        buf_printf(m->why, "%s: the file is empty; an authority's certificate belongs there (PEM)",
                   m->ca_path);
    else if (n == 0)
        buf_printf(m->why,
                   "%s:1: no certificate is in it; a PEM file is wanted, whose certificates begin with "
                   "-----BEGIN CERTIFICATE----- (openssl x509 -inform der turns a DER file into one)",
                   m->ca_path);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    return n > 0;
}

/* ---- what freshet shows ---- */

static bool show_pair(struct making *m, SSL_CTX *c, int64_t now_ms)
{
    if (!m->files->cert.n)
        return true;
    struct pair *p =
        pair_new(buf_str(&m->cert), m->files->cert, buf_str(&m->key), m->files->key, now_ms, m->why);
    if (!p)
        return false;
    pair_use(p, c);
    pair_unref(p);
    return true;
}

/* ---- life ---- */

static void add_to(EVP_MD_CTX *c, struct str s)
{
    uint64_t n = s.n;
    CHECK(EVP_DigestUpdate(c, &n, sizeof(n)) == 1 && EVP_DigestUpdate(c, s.p ? s.p : "", s.n) == 1);
}

static void sum_up(const struct making *m, unsigned char out[EVP_MAX_MD_SIZE])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    add_to(c, buf_str(&m->ca));
    add_to(c, buf_str(&m->cert));
    add_to(c, buf_str(&m->key));
    add_to(c, m->files->insecure ? STR("insecure") : STR(""));
    CHECK(EVP_DigestFinal_ex(c, out, NULL) == 1);
    EVP_MD_CTX_free(c);
}

static struct outgoing *make(struct making *m, const unsigned char digest[EVP_MAX_MD_SIZE], int64_t now_ms)
{
    static _Atomic uint64_t numbers;
    SSL_CTX *c = context_new_client();
    ERR_clear_error();
    if ((!m->files->insecure && !trust_authorities(m, c)) || !show_pair(m, c, now_ms)) {
        SSL_CTX_free(c);
        return NULL;
    }
    CHECK(SSL_CTX_set_alpn_protos(c, (const unsigned char *)HTTP1, sizeof(HTTP1) - 1) == 0);
    tls_tell_tickets(c);
    struct outgoing *o = mem_alloc(sizeof(*o));
    o->refs = 1;
    o->number = atomic_fetch_add(&numbers, 1) + 1;
    o->context = c;
    memcpy(o->digest, digest, sizeof(o->digest));
    return o;
}

struct outgoing *outgoing_load(const struct outgoing_files *files, struct outgoing *before, int64_t now_ms,
                               struct buf *why)
{
    struct making m = { .files = files, .why = why };
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
    struct outgoing *o = NULL;
    if (read_all(&m)) {
        sum_up(&m, digest);
        bool is_same = before && memcmp(before->digest, digest, sizeof(digest)) == 0;
        o = is_same ? outgoing_ref(before) : make(&m, digest, now_ms);
    }
    if (m.key.n)
        OPENSSL_cleanse(m.key.p, m.key.n);
    buf_fini(&m.ca);
    buf_fini(&m.cert);
    buf_fini(&m.key);
    return o;
}

struct outgoing *outgoing_ref(struct outgoing *o)
{
    atomic_fetch_add(&o->refs, 1);
    return o;
}

void outgoing_unref(struct outgoing *o)
{
    if (!o || atomic_fetch_sub(&o->refs, 1) > 1)
        return;
    SSL_CTX_free(o->context);
    mem_free(o);
}

struct ssl_ctx_st *outgoing_context(const struct outgoing *o)
{
    return o->context;
}

uint64_t outgoing_number(const struct outgoing *o)
{
    return o->number;
}
