#include "tls/alpn_proof.h"

#include <openssl/ssl.h>

static const unsigned char offer[] = "\x0a" ALPN_PROOF_PROTOCOL;
#define OFFER_N (sizeof(offer) - 1)

static struct str extension(SSL *ssl, unsigned type)
{
    const unsigned char *p;
    size_t n;
    if (SSL_client_hello_get0_ext(ssl, type, &p, &n) != 1)
        return STR_NONE;
    return (struct str){ (const char *)p, n };
}

/* Takes off a length of two bytes that counts all that follows. false: it does not. */
static bool skip_length(struct str *s)
{
    if (s->n < 2 || ((size_t)(unsigned char)s->p[0] << 8 | (unsigned char)s->p[1]) != s->n - 2)
        return false;
    *s = str_from_index(*s, 2);
    return true;
}

/* One name, as all clients send it (RFC 6066 §3). */
static bool read_name(struct str s, struct str *out)
{
    if (!skip_length(&s) || s.n < 1 || s.p[0] != TLSEXT_NAMETYPE_host_name)
        return false;
    s = str_from_index(s, 1);
    if (!skip_length(&s) || s.n == 0)
        return false;
    *out = s;
    return true;
}

bool alpn_proof_is_asked(struct ssl_st *ssl, struct str *name)
{
    struct str protocols = extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation);
    return skip_length(&protocols) && protocols.n == OFFER_N && memcmp(protocols.p, offer, OFFER_N) == 0 &&
           read_name(extension(ssl, TLSEXT_TYPE_server_name), name);
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *offered,
                  unsigned offered_n, void *arg)
{
    (void)ssl;
    (void)arg;
    if (offered_n != OFFER_N || memcmp(offered, offer, OFFER_N) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = offer + 1;
    *n = OFFER_N - 1;
    return SSL_TLSEXT_ERR_OK;
}

void alpn_proof_prepare(struct ssl_ctx_st *context)
{
    SSL_CTX_set_alpn_select_cb(context, choose, NULL);
}
