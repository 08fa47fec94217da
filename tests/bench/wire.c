#include "wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define IN_BYTES  ((size_t)262144)
#define OUT_BYTES (WIRE_TURN * 2)

static char in[IN_BYTES], out[OUT_BYTES];
static size_t in_at, in_n, out_n;

/* ---- OpenSSL's side ---- */

static int bio_read(BIO *b, char *to, int n)
{
    size_t bytes = (size_t)n < in_n - in_at ? (size_t)n : in_n - in_at;
    BIO_clear_retry_flags(b);
    if (bytes == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    memcpy(to, in + in_at, bytes);
    in_at += bytes;
    return (int)bytes;
}

static int bio_write(BIO *b, const char *from, int n)
{
    BIO_clear_retry_flags(b);
    if ((size_t)n > OUT_BYTES - out_n)
        return -1;
    memcpy(out + out_n, from, (size_t)n);
    out_n += (size_t)n;
    return n;
}

static long bio_control(BIO *b, int command, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static _Noreturn void tls_fatal(const char *what)
{
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int choose(SSL *ssl, const unsigned char **name, unsigned char *n, const unsigned char *offered,
                  unsigned offered_n, void *arg)
{
    static const unsigned char ours[] = "\2h2\10http/1.1";
    static unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, n, ours, sizeof(ours) - 1, offered, offered_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION))
        tls_fatal("SSL_CTX_new");
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    return c;
}

SSL_CTX *wire_server(const char *pem)
{
    SSL_CTX *c = make_context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(c, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(c, pem, SSL_FILETYPE_PEM) != 1)
        tls_fatal(pem);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(c, choose, NULL);
    return c;
}

SSL_CTX *wire_client(const char *alpn)
{
    unsigned char list[32];
    SSL_CTX *c = make_context(TLS_client_method());
    /* One suite for all servers: some go by the client's order, some by their own. */
    if (SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") != 1)
        tls_fatal("SSL_CTX_set_ciphersuites");
    list[0] = (unsigned char)strlen(alpn);
    memcpy(list + 1, alpn, list[0]);
    SSL_CTX_set_alpn_protos(c, list, list[0] + 1u);
    return c;
}

/* ---- a connection ---- */

static BIO *make_bio(void)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
    BIO *b = BIO_new(method);
    if (b)
        BIO_set_init(b, 1);
    return b;
}

void wire_open(struct wire *w, int fd, SSL_CTX *context, bool is_server, SSL_SESSION *session)
{
    *w = (struct wire){ .fd = fd, .is_open = !context };
    if (!context)
        return;
    BIO *b = make_bio();
    w->ssl = SSL_new(context);
    if (!w->ssl || !b)
        tls_fatal("SSL_new");
    SSL_set_bio(w->ssl, b, b);
    if (is_server)
        SSL_set_accept_state(w->ssl);
    else
        SSL_set_connect_state(w->ssl);
    if (session)
        SSL_set_session(w->ssl, session);
}

void wire_close(struct wire *w)
{
    in_at = in_n = out_n = 0;
    if (w->ssl && w->is_open && !wire_waits(w)) {
        ERR_clear_error();
        SSL_shutdown(w->ssl);
        wire_flush(w);
    }
    SSL_free(w->ssl);
    free(w->rest);
    close(w->fd);
}

bool wire_is_h2(const struct wire *w)
{
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(w->ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

int wire_receive(struct wire *w)
{
    ssize_t n = recv(w->fd, in, IN_BYTES, 0);
    in_at = 0;
    in_n = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    return in_n == IN_BYTES ? 2 : 1;
}

int wire_shake(struct wire *w)
{
    ERR_clear_error();
    int result = SSL_do_handshake(w->ssl);
    w->is_open = result == 1;
    return result == 1 ? 1 : SSL_get_error(w->ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t wire_read(struct wire *w, char *to, size_t most)
{
    if (w->ssl) {
        size_t all = 0;
        /* OpenSSL gives one record a call. */
        while (all < most) {
            ERR_clear_error();
            int n = SSL_read(w->ssl, to + all, (int)(most - all));
            if (n > 0)
                all += (size_t)n;
            else if (SSL_get_error(w->ssl, n) == SSL_ERROR_WANT_READ)
                break;
            else
                return all ? (ssize_t)all : -1;
        }
        return (ssize_t)all;
    }
    size_t n = most < in_n - in_at ? most : in_n - in_at;
    memcpy(to, in + in_at, n);
    in_at += n;
    return (ssize_t)n;
}

void wire_write(struct wire *w, const char *bytes, size_t n)
{
    while (w->ssl && n) {
        size_t some = n < WIRE_PIECE ? n : WIRE_PIECE;
        if (SSL_write(w->ssl, bytes, (int)some) != (int)some)
            tls_fatal("SSL_write");
        bytes += some;
        n -= some;
    }
    if (n > OUT_BYTES - out_n) {
        fprintf(stderr, "wire: more than a turn is written\n");
        exit(1);
    }
    memcpy(out + out_n, bytes, n);
    out_n += n;
}

size_t wire_unsent(void)
{
    return out_n;
}

bool wire_flush(struct wire *w)
{
    const char *from = w->rest_n ? w->rest + w->rest_at : out;
    size_t bytes = w->rest_n ? w->rest_n : out_n;
    if (bytes == 0)
        return true;
    ssize_t n = send(w->fd, from, bytes, MSG_NOSIGNAL);
    size_t sent = n > 0 ? (size_t)n : 0;
    out_n = 0;
    if (n < 0 && errno != EAGAIN)
        return false;
    if (w->rest_n) {
        w->rest_at += sent;
        w->rest_n -= sent;
    } else if (sent < bytes) {
        w->rest = malloc(bytes - sent);
        if (!w->rest)
            bench_fatal("malloc");
        memcpy(w->rest, out + sent, bytes - sent);
        w->rest_n = bytes - sent;
        w->rest_at = 0;
    }
    if (w->rest && w->rest_n == 0) {
        free(w->rest);
        w->rest = NULL;
    }
    return true;
}

/* ---- HTTP/2 ---- */

char *frame_put_number(char *to, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (char)(n >> shift & 0xff);
    return to;
}

uint32_t frame_number(const char *from)
{
    const unsigned char *p = (const unsigned char *)from;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

char *frame_put(char *to, uint32_t bytes, uint8_t type, uint8_t flags, uint32_t stream)
{
    frame_put_number(to, bytes << 8 | type);
    to[4] = (char)flags;
    return frame_put_number(to + 5, stream);
}

struct frame frame_of(const char *head)
{
    uint32_t first = frame_number(head);
    return (struct frame){ .bytes = first >> 8,
                           .type = (uint8_t)first,
                           .flags = (uint8_t)head[4],
                           .stream = frame_number(head + 5) & 0x7fffffffu };
}

char *hpack_put_integer(char *to, uint8_t first, unsigned prefix, uint32_t n)
{
    uint32_t most = (1u << prefix) - 1;
    *to++ = (char)(first | (n < most ? n : most));
    if (n < most)
        return to;
    for (n -= most; n >= 128; n >>= 7)
        *to++ = (char)(0x80 | (n & 0x7f));
    *to++ = (char)n;
    return to;
}

char *hpack_put_text(char *to, const char *text, size_t n)
{
    to = hpack_put_integer(to, 0, 7, (uint32_t)n);
    memcpy(to, text, n);
    return to + n;
}
