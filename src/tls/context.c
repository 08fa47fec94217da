#include "tls/context.h"

#include <openssl/ssl.h>

#include "base/check.h"

/* How long a ticket may be used: shorter than tickets.c can read it. */
#define SESSION_SECONDS 43200

#define SUITES_12                                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

static SSL_CTX *make(const SSL_METHOD *method)
{
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro casts const away */
    SSL_CTX *c = SSL_CTX_new(method);
    CHECK(c);
    CHECK(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1);
    CHECK(SSL_CTX_set_cipher_list(c, SUITES_12) == 1);
    CHECK(SSL_CTX_set_ciphersuites(c, SUITES_13) == 1);
    CHECK(SSL_CTX_set1_groups_list(c, groups) == 1);
    /* Our order counts; but a client that puts ChaCha20 first has no instructions for AES, and gets it. */
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(c, SESSION_SECONDS);
    return c;
}

struct ssl_ctx_st *context_new(void)
{
    SSL_CTX *c = make(TLS_server_method());
    SSL_CTX_set_max_early_data(c, 0);
    CHECK(SSL_CTX_set_num_tickets(c, 1) == 1);
    CHECK(SSL_CTX_set_session_id_context(c, (const unsigned char *)"freshet", 7) == 1);
    return c;
}

struct ssl_ctx_st *context_new_client(void)
{
    return make(TLS_client_method());
}
