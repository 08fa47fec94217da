#include "acme/revoke.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "acme/base64url.h"
#include "acme/problem.h"
#include "base/check.h"

#define REASONS "unspecified, keyCompromise, affiliationChanged, superseded"

bool revoke_reason(struct str name, unsigned *reason)
{
    static const struct {
        struct str name;
        unsigned number;
    } all[] = {
        { STR_INIT("unspecified"), REVOKE_UNSPECIFIED },
        { STR_INIT("keyCompromise"), REVOKE_KEY_COMPROMISE },
        { STR_INIT("affiliationChanged"), REVOKE_AFFILIATION_CHANGED },
        { STR_INIT("superseded"), REVOKE_SUPERSEDED },
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (str_eq_nocase(name, all[i].name)) {
            *reason = all[i].number;
            return true;
        }
    return false;
}

struct str revoke_reasons(void)
{
    return STR(REASONS);
}

bool revoke_add_certificate(struct str pem, struct buf *out)
{
    unsigned char *der = NULL;
    BIO *b = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    CHECK(b);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    int n = x ? i2d_X509(x, &der) : 0;
    if (n > 0)
        base64url_add(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_free(x);
    BIO_free(b);
    ERR_clear_error();
    return n > 0;
}

/* What will be refused again. A CA that has forgotten the account has another one for us the next time. */
static bool is_final(const struct session_trouble *t)
{
    return t->status >= 400 && t->status < 500 && t->status != 408 && t->status != 429 &&
           !problem_is(t->problem, "badNonce") && !problem_is(t->problem, "accountDoesNotExist") &&
           !problem_is(t->problem, "rateLimited");
}

enum revoke_result revoke_ask(struct session *s, struct str certificate, unsigned reason, int64_t now_ms,
                              struct session_trouble *t)
{
    struct buf payload = BUF_INIT;
    if (!session_open(s, now_ms, t))
        return REVOKE_LATER;
    struct str url = session_url(s, "revokeCert");
    if (url.n == 0) {
        buf_add(&t->text, STR("this CA revokes nothing by ACME: its directory has no revokeCert"));
        return REVOKE_NEVER;
    }
    buf_printf(&payload, "{\"certificate\":\"%.*s\",\"reason\":%u}", STR_ARG(certificate), reason);
    bool good = session_post(s, url, buf_str(&payload), now_ms, NULL, t);
    buf_fini(&payload);
    if (good || problem_is(t->problem, "alreadyRevoked"))
        return REVOKE_DONE;
    return is_final(t) ? REVOKE_NEVER : REVOKE_LATER;
}
