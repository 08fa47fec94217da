/*
 * The origin behind everything that is measured: one thread, epoll. What it answers stands in the first
 * segment of the path, as letters with numbers, so that a table asks for what it needs and any number of URLs
 * exists:
 *   GET /b10240,t100/page-7      10 KB with 100 tags
 *     bN  body of N bytes (1024)           tN  Cache-Tag: "all" and N others, made of the number
 *                                              at the end of the path (0)
 *     u   no Cache-Tag
 *     n   may not be stored                v   Netlify-Vary with four query names and one cookie
 *     wN  N ms before the head             pN  N ms between the first KB of the body and the rest
 *     f   note when the first byte goes out  g   text, which may be compressed to some 40 %; other bodies
 *                                              say that they are none
 *   GET /count                   requests answered so far, but for this kind
 *   GET /first                   when the first byte of the latest answer with `f` went out,
 *                                in ns of the monotonic clock
 * Usage: origin PORT [TLS_PORT CERT KEY]
 *   With TLS_PORT it listens there as well, with TLS and that certificate (PEM).
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define INPUT      16384
#define HEAD       32768
#define EVENTS     1024
#define PIECE      (256 * 1024)
#define FIRST_PART 1024

enum state { READING, WAITING, SENDING };

struct connection {
    int fd;
    SSL *tls; /* NULL: in clear */
    enum state state;
    bool noted;
    uint64_t wake_ns; /* WAITING: until then */
    uint64_t pause_ms;
    size_t in, head_bytes, head_sent;
    char *body;                                    /* filler or words */
    uint64_t body_at, body_left, body_until_pause; /* until_pause: 0 when there is none */
    struct connection *waiting_next;
    char *head; /* made while a request is answered */
    char buffer[INPUT];
};

struct wish {
    uint64_t body, tags, wait, pause;
    bool private, vary, note, untagged, text;
};

static char filler[PIECE], words[PIECE]; /* of bodies; of those with `g` */
static uint64_t answered, first_ns;
static struct connection *waiting;

/* Words of random letters: what a page is like to an encoder. */
static void write_words(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < PIECE; i++) {
        x = x * 1103515245u + 12345u;
        words[i] = i % 14 < 8 ? "abcdefghijklmnop"[x >> 28] : " of a "[i % 14 - 8];
    }
}

/* ---- what is asked for ---- */

static struct wish read_wish(const char **path)
{
    struct wish w = { .body = 1024 };
    const char *p = *path + 1;
    while (*p && *p != '/' && *p != ' ' && *p != '?') {
        char *end, letter = *p++;
        uint64_t n = strtoull(p, &end, 10);
        p = *end == ',' ? end + 1 : end;
        switch (letter) {
        case 'b': w.body = n; break;
        case 't': w.tags = n; break;
        case 'w': w.wait = n; break;
        case 'p': w.pause = n; break;
        case 'n': w.private = true; break;
        case 'u': w.untagged = true; break;
        case 'v': w.vary = true; break;
        case 'g': w.text = true; break;
        case 'f': w.note = true; break;
        default: break;
        }
    }
    *path = p;
    return w;
}

/* The number at the end of the path, 0 when there is none. */
static uint64_t page_number(const char *path)
{
    uint64_t n = 0;
    for (; *path && *path != ' ' && *path != '?'; path++)
        n = *path >= '0' && *path <= '9' ? n * 10 + (uint64_t)(*path - '0') : 0;
    return n;
}

static size_t write_tags(char *to, size_t room, uint64_t tags, uint64_t page)
{
    size_t n = (size_t)snprintf(to, room, "Cache-Tag: all");
    for (uint64_t i = 0; i < tags && n < room; i++)
        n += (size_t)snprintf(to + n, room - n, ",p%" PRIu64 "-%" PRIu64, page, i);
    return n + (n < room ? (size_t)snprintf(to + n, room - n, "\r\n") : 0);
}

static void write_head(struct connection *c, const struct wish *w, uint64_t page)
{
    size_t n =
        (size_t)snprintf(c->head, HEAD,
                         "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                         "Cache-Control: %s\r\nETag: \"v1\"\r\n%s",
                         w->text ? "text/html; charset=utf-8" : "application/octet-stream",
                         w->private ? "private, no-store" : "public, max-age=86400",
                         w->vary ? "Netlify-Vary: query=sort|page|per_page|lang, cookie=theme\r\n" : "");
    if (!w->untagged)
        n += write_tags(c->head + n, HEAD - n, w->tags, page);
    n += n < HEAD ? (size_t)snprintf(c->head + n, HEAD - n, "Content-Length: %" PRIu64 "\r\n\r\n", w->body)
                  : 0;
    if (n >= HEAD) {
        fprintf(stderr, "origin: too many tags\n");
        exit(1);
    }
    c->head_bytes = n;
}

static void write_number(struct connection *c, uint64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
    c->head_bytes =
        (size_t)snprintf(c->head, HEAD,
                         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
                         "Content-Length: %d\r\n\r\n%s",
                         n, text);
    c->body_left = 0;
}

/* ---- one connection ---- */

static void wait_for(struct connection *c, uint64_t ms)
{
    c->state = WAITING;
    c->wake_ns = bench_now_ns() + ms * 1000000u;
    c->waiting_next = waiting;
    waiting = c;
}

static void begin(struct connection *c)
{
    const char *path = memchr(c->buffer, ' ', c->in);
    c->buffer[c->in - 1] = 0;
    path = path ? path + 1 : "/";
    c->head = malloc(HEAD);
    if (!c->head)
        bench_fatal("malloc");
    c->in = c->head_sent = 0;
    c->body_until_pause = c->pause_ms = 0;
    c->noted = true;
    c->state = SENDING;
    if (strncmp(path, "/count", 6) == 0) {
        write_number(c, answered);
    } else if (strncmp(path, "/first", 6) == 0) {
        write_number(c, first_ns);
    } else {
        struct wish w = read_wish(&path);
        answered++;
        write_head(c, &w, page_number(path));
        c->body = w.text ? words : filler;
        c->body_at = 0;
        c->body_left = w.body;
        c->noted = !w.note;
        c->pause_ms = w.pause;
        c->body_until_pause = w.pause && w.body > FIRST_PART ? FIRST_PART : 0;
        if (w.wait)
            wait_for(c, w.wait);
    }
}

/* As recv and send do, for an edge-triggered socket. */
static ssize_t result_of(const struct connection *c, int n)
{
    if (n > 0)
        return n;
    int error = SSL_get_error(c->tls, n);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* Head and body in one record, when they fit. */
static ssize_t send_encrypted(struct connection *c, const struct iovec *v)
{
    static char record[16384];
    size_t head = v[0].iov_len < sizeof(record) ? v[0].iov_len : sizeof(record);
    size_t body = v[1].iov_len < sizeof(record) - head ? v[1].iov_len : sizeof(record) - head;
    memcpy(record, v[0].iov_base, head);
    memcpy(record + head, v[1].iov_base, body);
    return result_of(c, SSL_write(c->tls, record, (int)(head + body)));
}

static ssize_t receive(struct connection *c)
{
    if (c->tls)
        return result_of(c, SSL_read(c->tls, c->buffer + c->in, (int)(INPUT - c->in)));
    return recv(c->fd, c->buffer + c->in, INPUT - c->in, 0);
}

/* Up to the end of the piece. */
static size_t piece_of(const struct connection *c, uint64_t most)
{
    uint64_t left = PIECE - c->body_at % PIECE;
    return (size_t)(most < left ? most : left);
}

static ssize_t send_some(struct connection *c)
{
    uint64_t most = c->body_until_pause ? c->body_until_pause : c->body_left;
    struct iovec v[2] = { { c->head + c->head_sent, c->head_bytes - c->head_sent },
                          { c->body + c->body_at % PIECE, piece_of(c, most) } };
    struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
    if (!c->noted)
        first_ns = bench_now_ns();
    c->noted = true;
    return c->tls ? send_encrypted(c, v) : sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

/* Until all went out, the socket is full, or it is time to pause. False: the peer is gone. */
static bool go_on(struct connection *c)
{
    while (c->state == SENDING && (c->head_sent < c->head_bytes || c->body_left)) {
        ssize_t n = send_some(c);
        if (n < 0)
            return errno == EAGAIN;
        size_t head = (size_t)n < c->head_bytes - c->head_sent ? (size_t)n : c->head_bytes - c->head_sent;
        size_t body = (size_t)n - head;
        c->head_sent += head;
        c->body_left -= body;
        c->body_at += body;
        if (c->body_until_pause) {
            c->body_until_pause -= body;
            if (c->body_until_pause == 0)
                wait_for(c, c->pause_ms);
        }
    }
    if (c->state == SENDING) {
        free(c->head);
        c->head = NULL;
        c->state = READING;
    }
    return true;
}

/* False: the connection is over. A peer that leaves while we wait is seen when we write. */
static bool serve(struct connection *c)
{
    for (;;) {
        if (!go_on(c))
            return false;
        if (c->state != READING)
            return true;
        ssize_t n = receive(c);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        c->in += (size_t)n;
        if (c->in >= 4 && memcmp(c->buffer + c->in - 4, "\r\n\r\n", 4) == 0)
            begin(c);
        else if (c->in == INPUT)
            return false;
    }
}

static void end(struct connection *c)
{
    SSL_free(c->tls);
    close(c->fd);
    free(c->head);
    free(c);
}

/* ---- all of them ---- */

/* Goes on with those whose time has come; returns the ms until the next, -1 when nobody waits. */
static int wake_waiting(void)
{
    struct connection *due = waiting, *c;
    uint64_t now = bench_now_ns(), next = UINT64_MAX;
    waiting = NULL;
    while ((c = due)) {
        due = c->waiting_next;
        if (c->wake_ns > now) {
            c->waiting_next = waiting;
            waiting = c;
        } else {
            c->state = SENDING;
            if (!serve(c)) {
                end(c);
                continue;
            }
        }
        if (c->state == WAITING && c->wake_ns < next)
            next = c->wake_ns;
    }
    return waiting ? (int)((next - now + 999999) / 1000000) : -1;
}

static void accept_all(int poll, int listener, SSL_CTX *context)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));
        if (!c)
            bench_fatal("calloc");
        c->fd = fd;
        c->tls = context ? SSL_new(context) : NULL;
        if (c->tls) {
            SSL_set_fd(c->tls, fd);
            SSL_set_accept_state(c->tls);
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e))
            bench_fatal("epoll_ctl");
    }
}

static SSL_CTX *make_context(const char *cert, const char *key)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (!c || SSL_CTX_use_certificate_chain_file(c, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
        bench_fatal("the certificate");
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return c;
}

int main(int argc, char **argv)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, events[EVENTS];
    struct epoll_event with_tls = { .events = EPOLLIN, .data.ptr = &with_tls };
    SSL_CTX *context = NULL;
    int tls_listener = -1;
    if (argc < 2) {
        fprintf(stderr, "usage: origin PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    memset(filler, 'x', sizeof(filler));
    write_words();
    int poll = epoll_create1(0), listener = bench_listen(argv[1]);
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e))
        bench_fatal("epoll");
    if (argc == 5) {
        context = make_context(argv[3], argv[4]);
        tls_listener = bench_listen(argv[2]);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, tls_listener, &with_tls))
            bench_fatal("epoll");
    }
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, wake_waiting());
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                accept_all(poll, listener, NULL);
            else if (events[i].data.ptr == &with_tls)
                accept_all(poll, tls_listener, context);
            else if (!serve(c))
                end(c);
        }
    }
}
