#include "tls/pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include "base/check.h"
#include "io/system.h"

int pem_no_password(char *to, int room, int writing, void *asked)
{
    (void)to;
    (void)room;
    (void)writing;
    if (asked)
        *(bool *)asked = true;
    return -1;
}

bool pem_read_file(const char *path, const char *setting, struct buf *out, struct buf *why)
{
    int status = system_read_file(path, PEM_FILE_MAX, out);
    bool is_other = status == -ENOENT || status == -ENOTDIR || status == -EISDIR;
    const char *advice = status == -EACCES  ? ": let the user read it that freshet runs as"
                         : status == -EFBIG ? ": a file of PEM has 1 MiB at most"
                         : is_other         ? ": write there which file it is"
                                            : "";
    if (status < 0)
        buf_printf(why, "cannot read %s: %s; `%s` names it%s", path, system_strerror(status), setting,
                   advice);
    return status == 0;
}

BIO *pem_reader(struct str text)
{
    BIO *b = BIO_new_mem_buf(text.n ? text.p : "", (int)text.n);
    CHECK(b);
    return b;
}

EVP_PKEY *pem_read_key(struct str text)
{
    BIO *b = pem_reader(text);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, pem_no_password, NULL);
    ERR_clear_error();
    BIO_free(b);
    return key;
}

X509 *pem_read_cert(struct str text)
{
    BIO *b = pem_reader(text);
    X509 *cert = PEM_read_bio_X509(b, NULL, pem_no_password, NULL);
    ERR_clear_error();
    BIO_free(b);
    return cert;
}

/* Takes what was written, and frees the writer. */
static void take(BIO *b, struct buf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    buf_add(out, (struct str){ p, (size_t)n });
    BIO_free(b);
}

void pem_add_key(const EVP_PKEY *key, struct buf *out)
{
    BIO *b = BIO_new(BIO_s_secmem());
    CHECK(b && PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1);
    take(b, out);
}

void pem_add_cert(const X509 *cert, struct buf *out)
{
    BIO *b = BIO_new(BIO_s_mem());
    CHECK(b && PEM_write_bio_X509(b, cert) == 1);
    take(b, out);
}

int64_t pem_time_ms(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : -1;
}
