/*
 * The limit that a hit over TLS is measured against: reads requests and answers each with the bytes of a file
 * (an HTTP/1.1 response), over HTTP/1.1 or, when ALPN says so, HTTP/2. TLS and the frames are done as freshet
 * does them (wire.h), and nothing else: no checks, no timers, no counters, no log. Of a header block only its
 * end is looked for.
 * Usage: bare_tls PORT RESPONSE_FILE PEM_FILE
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "wire.h"

#define EVENTS       1024
#define STREAMS      128
#define FRAME_MOST   16384
#define FRAMES_MOST  64 /* of a response */
#define WINDOW_FIRST 65535

struct connection {
    struct wire wire;
    bool is_h2;
    bool has_preface;
    unsigned answers; /* HTTP/1.1: that are due */
    size_t sent;      /* of the answer that is being sent */
    /* ---- HTTP/2 ---- */
    int64_t window;        /* of the connection */
    uint32_t due[STREAMS]; /* a ring: requests without an answer */
    unsigned due_at, due_n;
    char *part; /* of a frame */
    size_t part_n;
};

/* The response as it stands, and as frames whose stream is to be filled in. */
static char *response, *frames;
static size_t response_n, frames_n, body_n;
static size_t heads[FRAMES_MOST];
static unsigned heads_n;

static char plain[WIRE_PIECE * 2]; /* received, or to be encrypted */
static size_t plain_n;

/* ---- the response as frames ---- */

static char *add_field(char *to, const char *line, const char *end)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    char name[64];
    size_t n = colon ? (size_t)(colon - line) : 0;
    if (n == 0 || n > sizeof(name) || strncasecmp(line, "connection", n) == 0)
        return to;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + 32 : line[i]);
    for (colon++; colon < end && *colon == ' '; colon++)
        continue;
    *to++ = 0; /* a literal without indexing */
    return hpack_put_text(hpack_put_text(to, name, n), colon, (size_t)(end - colon));
}

static char *begin_frame(char *to, size_t bytes, uint8_t type, uint8_t flags)
{
    if (heads_n == FRAMES_MOST)
        bench_fatal("the response is too long");
    heads[heads_n++] = (size_t)(to - frames);
    return frame_put(to, (uint32_t)bytes, type, flags, 0);
}

static void make_frames(void)
{
    char *end = memmem(response, response_n, "\r\n\r\n", 4), block[4096], *at = block;
    if (!end || end - response > 2048)
        bench_fatal("no response");
    const char *body = end + 4;
    body_n = response_n - (size_t)(body - response);
    *at++ = (char)0x88; /* :status 200 */
    for (char *line = strstr(response, "\r\n") + 2; line < end + 2;) {
        char *next = strstr(line, "\r\n");
        at = add_field(at, line, next);
        line = next + 2;
    }
    frames = malloc(response_n * 2 + 8192);
    if (!frames)
        bench_fatal("malloc");
    char *to = begin_frame(frames, (size_t)(at - block), H2_HEADERS, H2_END_HEAD | (body_n ? 0 : H2_END));
    to = mempcpy(to, block, (size_t)(at - block));
    for (size_t left = body_n; left;) {
        size_t n = left < FRAME_MOST ? left : FRAME_MOST;
        to = begin_frame(to, n, H2_DATA, n == left ? H2_END : 0);
        to = mempcpy(to, body, n);
        body += n;
        left -= n;
    }
    frames_n = (size_t)(to - frames);
}

/* ---- answers ---- */

static void encrypt(struct connection *c)
{
    wire_write(&c->wire, plain, plain_n);
    plain_n = 0;
}

/* Puts one more piece of what is to be sent; the id is filled into what was copied. */
static void put(const char *from, size_t n)
{
    memcpy(plain + plain_n, from, n);
    plain_n += n;
}

static void put_frames(uint32_t stream, size_t from, size_t n)
{
    char *to = plain + plain_n;
    put(frames + from, n);
    for (unsigned i = 0; i < heads_n; i++)
        if (heads[i] >= from && heads[i] + H2_HEAD <= from + n)
            frame_put_number(to + (heads[i] - from) + 5, stream);
}

/* Where the next piece of frames ends: not within a frame's head. */
static size_t piece_end(size_t from, size_t most)
{
    size_t end = frames_n - from < most ? frames_n : from + most;
    for (unsigned i = 0; i < heads_n; i++)
        if (end > heads[i] && end < heads[i] + H2_HEAD)
            end = heads[i];
    return end;
}

static void answer_h2(struct connection *c)
{
    uint32_t stream = c->due[c->due_at % STREAMS];
    size_t end = piece_end(c->sent, WIRE_PIECE);
    put_frames(stream, c->sent, end - c->sent);
    c->sent = end;
    if (end < frames_n)
        return;
    c->sent = 0;
    c->window -= (int64_t)body_n;
    c->due_at++;
    c->due_n--;
}

static void answer_h1(struct connection *c)
{
    size_t n = response_n - c->sent < WIRE_PIECE ? response_n - c->sent : WIRE_PIECE;
    wire_write(&c->wire, response + c->sent, n);
    c->sent += n;
    if (c->sent < response_n)
        return;
    c->sent = 0;
    c->answers--;
}

/* false: the connection is broken. */
static bool answer(struct connection *c)
{
    while (!wire_waits(&c->wire) && (c->answers || (c->due_n && c->window >= (int64_t)body_n))) {
        if (c->is_h2)
            answer_h2(c);
        else
            answer_h1(c);
        if (plain_n >= WIRE_PIECE)
            encrypt(c);
        if (wire_unsent() >= WIRE_TURN && !wire_flush(&c->wire))
            return false;
    }
    if (plain_n)
        encrypt(c);
    return wire_waits(&c->wire) || wire_flush(&c->wire);
}

/* ---- requests ---- */

static void put_settings(struct connection *c)
{
    char text[64], *at = frame_put(text, 6, H2_SETTINGS, 0, 0);
    at[0] = 0;
    at[1] = 3; /* MAX_CONCURRENT_STREAMS */
    at = frame_put_number(at + 2, STREAMS);
    wire_write(&c->wire, text, (size_t)(at - text));
}

/* Goes through the fields, without a look at them. */
static void walk(const char *block, size_t n)
{
    const unsigned char *p = (const unsigned char *)block, *end = p + n;
    while (p < end) {
        unsigned first = *p, texts = first & 0x80 ? 0 : (first & 0xe0) == 0x20 ? 0 : 1;
        unsigned prefix = first & 0x80 ? 127 : first & 0x40 ? 63 : (first & 0x20) ? 31 : 15;
        if (texts && (first & prefix) == 0)
            texts = 2;
        if ((*p++ & prefix) == prefix)
            while (p < end && *p++ & 0x80)
                continue;
        for (; texts && p < end; texts--) {
            size_t bytes = *p++ & 127;
            if (bytes == 127)
                for (unsigned shift = 0, more = 0x80; more && p < end; shift += 7) {
                    bytes += (size_t)(*p & 127) << shift;
                    more = *p++ & 0x80;
                }
            p += bytes;
        }
    }
}

static bool take_frame(struct connection *c, const struct frame *f, const char *payload)
{
    char text[32];
    switch (f->type) {
    case H2_HEADERS:
        if (c->due_n == STREAMS)
            return false;
        walk(payload, f->bytes);
        c->due[(c->due_at + c->due_n++) % STREAMS] = f->stream;
        return true;
    case H2_SETTINGS:
        if (!(f->flags & H2_ACK))
            wire_write(&c->wire, text, (size_t)(frame_put(text, 0, H2_SETTINGS, H2_ACK, 0) - text));
        return true;
    case H2_PING:
        memcpy(frame_put(text, 8, H2_PING, H2_ACK, 0), payload, 8);
        if (!(f->flags & H2_ACK))
            wire_write(&c->wire, text, H2_HEAD + 8);
        return true;
    case H2_WINDOW_UPDATE:
        if (f->stream == 0)
            c->window += frame_number(payload);
        return true;
    default: return f->type != H2_GOAWAY;
    }
}

/* Takes what is whole, returns how much that is; 0 and *ok false: it is over. */
static size_t take_frames(struct connection *c, const char *p, size_t n, bool *ok)
{
    size_t at = 0;
    if (!c->has_preface) {
        if (n < sizeof(H2_PREFACE) - 1)
            return 0;
        at = sizeof(H2_PREFACE) - 1;
        c->has_preface = true;
    }
    while (n - at >= H2_HEAD) {
        struct frame f = frame_of(p + at);
        if (f.bytes > FRAME_MOST || n - at - H2_HEAD < f.bytes)
            break;
        if (!take_frame(c, &f, p + at + H2_HEAD)) {
            *ok = false;
            return 0;
        }
        at += H2_HEAD + f.bytes;
    }
    return at;
}

static bool take_h2(struct connection *c, size_t n)
{
    bool ok = true;
    char *joined = NULL;
    const char *p = plain;
    if (c->part_n) {
        joined = malloc(c->part_n + n);
        if (!joined)
            bench_fatal("malloc");
        memcpy(mempcpy(joined, c->part, c->part_n), plain, n);
        n += c->part_n;
        p = joined;
    }
    size_t used = take_frames(c, p, n, &ok);
    free(c->part);
    c->part = NULL;
    c->part_n = n - used;
    if (c->part_n) {
        c->part = malloc(c->part_n);
        if (!c->part)
            bench_fatal("malloc");
        memcpy(c->part, p + used, c->part_n);
    }
    free(joined);
    return ok;
}

/* A request may come in pieces, but only the last one ends with an empty line. */
static bool take_h1(struct connection *c, size_t n)
{
    c->answers += n >= 4 && memcmp(plain + n - 4, "\r\n\r\n", 4) == 0;
    return true;
}

static bool shake(struct connection *c)
{
    int result = wire_shake(&c->wire);
    if (result == 1) {
        c->is_h2 = wire_is_h2(&c->wire);
        c->window = WINDOW_FIRST;
        if (c->is_h2)
            put_settings(c);
    }
    return wire_flush(&c->wire) && result >= 0;
}

static bool take(struct connection *c)
{
    ssize_t n;
    if (!c->wire.is_open && !shake(c))
        return false;
    if (!c->wire.is_open)
        return true;
    while ((n = wire_read(&c->wire, plain, WIRE_PIECE)) > 0)
        if (!(c->is_h2 ? take_h2(c, (size_t)n) : take_h1(c, (size_t)n)))
            return false;
    return n == 0;
}

/* false: the connection is over. */
static bool serve(struct connection *c)
{
    for (;;) {
        if (wire_waits(&c->wire) && !wire_flush(&c->wire))
            return false;
        if (!answer(c))
            return false;
        if (wire_waits(&c->wire))
            return true; /* the next edge goes on */
        int came = wire_receive(&c->wire);
        if (came <= 0)
            return came == 0;
        if (!take(c) || !answer(c))
            return false;
        if (came == 1 && !wire_waits(&c->wire))
            return true; /* a short read has emptied the socket: what comes later is another edge */
    }
}

/* ---- connections ---- */

static void accept_all(int listener, int poll, SSL_CTX *context)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));
        if (!c)
            bench_fatal("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        wire_open(&c->wire, fd, context, true, NULL);
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e))
            bench_fatal("epoll_ctl");
    }
}

static void end(struct connection *c)
{
    plain_n = 0;
    wire_close(&c->wire);
    free(c->part);
    free(c);
}

int main(int argc, char **argv)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, events[EVENTS];
    if (argc < 4) {
        fprintf(stderr, "usage: bare_tls PORT RESPONSE_FILE PEM_FILE\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    response = bench_read_file(argv[2], &response_n);
    make_frames();
    SSL_CTX *context = wire_server(argv[3]);
    int listener = bench_listen(argv[1]), poll = epoll_create1(0);
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e))
        bench_fatal("epoll");
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                accept_all(listener, poll, context);
            else if (!serve(c))
                end(c);
        }
    }
}
