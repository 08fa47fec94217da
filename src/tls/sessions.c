#include "tls/sessions.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "tls/pem.h"

void sessions_put(struct sessions *all, struct ssl_session_st *s)
{
    if (all->n == SESSIONS_MOST) {
        SSL_SESSION_free(all->v[0]);
        memmove(all->v, all->v + 1, --all->n * sizeof(*all->v));
    }
    all->v[all->n++] = s;
}

/* Nobody looks at the certificate again in a handshake that goes on with a session. */
static bool is_fit(const SSL_SESSION *s, int64_t now_ms)
{
    const X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)s);
    int64_t until_ms = (int64_t)(SSL_SESSION_get_time(s) + SSL_SESSION_get_timeout(s)) * 1000;
    return SSL_SESSION_is_resumable(s) && now_ms < until_ms &&
           (!peer || now_ms < pem_time_ms(X509_get0_notAfter(peer)));
}

struct ssl_session_st *sessions_take(struct sessions *all, int64_t now_ms)
{
    while (all->n) {
        SSL_SESSION *s = all->v[all->n - 1];
        if (!is_fit(s, now_ms)) {
            SSL_SESSION_free(s);
            all->n--;
            continue;
        }
        if (SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION)
            all->n--;
        else
            SSL_SESSION_up_ref(s);
        return s;
    }
    return NULL;
}

void sessions_drop(struct ssl_session_st *s)
{
    SSL_SESSION_free(s);
}

void sessions_clear(struct sessions *all)
{
    while (all->n)
        SSL_SESSION_free(all->v[--all->n]);
}
