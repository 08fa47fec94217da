/*
 * A flood: many connections that hold what they can for as little as they can. Connections that end are made
 * again, a tenth of a second later.
 * Usage: flood PORT KIND CONNECTIONS SECONDS [ADDRESSES]
 *
 *   heads      a head that drips, a field a second
 *   uploads    POST /upload of 1 MB: as much as is taken at once, then 10 bytes ten times a second
 *   drips      the same, without the first part: 10 bytes ten times a second
 *   readers    GET /big, with the smallest receive buffer, 100 bytes read ten times a second
 *   passing    the same for /pass, which is not stored
 *   idle       one request, then silence
 *   silent     nothing
 *   ranges     GET /b4000000,u/big with 100 ranges, one after the other
 *   pipelines  GET /page, fifty in a row, as fast as they are answered
 *   long       GET /page with a head of 5 KB of commas, cookies and encoded parameters, one after the other
 *   aborts     GET /pass, gone when the first bytes of the answer are there
 *   connects   nothing: gone when the connection stands
 *
 * ADDRESSES (1): the connections come from so many addresses, from 127.1.0.1 on. Prints a line of JSON when
 * the time is over: bytes sent and received, connections made and lost, us of processor time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define TICK_NS  100000000u /* ten times a second */
#define EVENTS   256
#define PIPELINE 50

struct kind {
    const char *name, *first; /* sent when the connection stands */
    const char *drip;         /* sent at each tick; NULL: nothing */
    unsigned drip_every;      /* ticks */
    size_t fill;              /* bytes sent behind `first`, as far as they are taken */
    size_t read_each;         /* bytes read at each tick; 0: all that comes, at once */
    bool again;               /* sends `first` again for each answer */
    bool leaves;              /* ends the connection with the first bytes of the answer */
};

#define RANGE_10  "0-,1-,2-,3-,4-,5-,6-,7-,8-,9-,"
#define RANGE_100 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10 RANGE_10
#define UPLOAD    "POST /upload HTTP/1.1\r\nHost: up.test\r\nContent-Length: 1000000\r\n\r\n"

#define TEN(x)       x x x x x x x x x x
#define HUNDRED(x)   TEN(TEN(x))
#define LONG_PATH    "/b1024,u/page?" HUNDRED("%61%62=%63&")
#define LONG_CODINGS "Accept-Encoding: " HUNDRED("br;q=0.5,") "x\r\n"
#define LONG_COOKIES "Cookie: " HUNDRED("aa=b; ") "c=d\r\n"
#define LONG_HOPS    "X-Forwarded-For: " HUNDRED("1.2.3.4,") "1.2.3.4\r\n"
#define LONG_TAGS    "If-None-Match: " HUNDRED("\"a\", ") "\"b\"\r\n"
#define LONG_RULES   "Cache-Control: " HUNDRED("a=1, ") "b\r\n"
#define LONG_FIELDS  LONG_CODINGS LONG_COOKIES LONG_HOPS LONG_TAGS LONG_RULES
#define LONG         "GET " LONG_PATH " HTTP/1.1\r\nHost: test\r\n" LONG_FIELDS "\r\n"

static const struct kind kinds[] = {
    { .name = "heads",
      .first = "GET /b1024,u/page HTTP/1.1\r\nHost: test\r\n",
      .drip = "X-A: bbbbbbbb\r\n",
      .drip_every = 10 },
    { .name = "uploads", .first = UPLOAD, .drip = "xxxxxxxxxx", .drip_every = 1, .fill = 200000 },
    { .name = "drips", .first = UPLOAD, .drip = "xxxxxxxxxx", .drip_every = 1 },
    { .name = "readers", .first = "GET /b4000000,u/big HTTP/1.1\r\nHost: test\r\n\r\n", .read_each = 100 },
    { .name = "passing",
      .first = "GET /b20000000,u,n/pass HTTP/1.1\r\nHost: test\r\n\r\n",
      .read_each = 100 },
    { .name = "idle", .first = "GET /b1024,u/page HTTP/1.1\r\nHost: test\r\n\r\n" },
    { .name = "silent", .first = "" },
    { .name = "ranges",
      .first = "GET /b4000000,u/big HTTP/1.1\r\nHost: test\r\nRange: bytes=" RANGE_100 "10-\r\n\r\n",
      .again = true },
    { .name = "long", .first = LONG, .again = true },
    { .name = "aborts", .first = "GET /b20000000,u,n/pass HTTP/1.1\r\nHost: test\r\n\r\n", .leaves = true },
    { .name = "connects", .first = "", .leaves = true },
    { .name = "pipelines", .first = "GET /b1024,u/page HTTP/1.1\r\nHost: test\r\n\r\n", .again = true },
};

struct connection {
    int fd; /* -1: none */
    unsigned ticks, owed;
    bool stands;
    uint64_t answers; /* bytes of the answer to come, as far as is known */
};

static const struct kind *kind;
static const char *first;
static size_t first_bytes;
static char filling[16384];
static uint64_t sent, received, made, lost;
static struct sockaddr_in to;
static unsigned addresses;
static int poll;

static void put(struct connection *c, const char *text, size_t n)
{
    ssize_t r = send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (r > 0)
        sent += (uint64_t)r;
}

static void begin(struct connection *c, unsigned i)
{
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0x7f010001u + i % addresses) };
    int small = 2048, on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        bench_fatal("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (kind->read_each)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)))
        bench_fatal("bind");
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
        bench_fatal("connect");
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e))
        bench_fatal("epoll_ctl");
    c->ticks = c->owed = 0;
    c->stands = false;
    made++;
}

static void end(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    lost++;
}

static void take(struct connection *c, size_t most)
{
    static char in[65536];
    for (;;) {
        ssize_t n = recv(c->fd, in, most ? most : sizeof(in), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(c);
            return;
        }
        received += (uint64_t)n;
        if (kind->again && c->stands)
            put(c, first, first_bytes);
        if (most || n < (ssize_t)sizeof(in))
            return;
    }
}

static void on_event(struct connection *c, uint32_t events)
{
    if (c->fd < 0)
        return;
    if (!c->stands && (events & EPOLLOUT) && !(events & EPOLLERR)) {
        c->stands = true;
        if (first_bytes)
            put(c, first, first_bytes);
        else if (kind->leaves)
            end(c);
        for (size_t n = 0; n < kind->fill; n += sizeof(filling))
            put(c, filling, sizeof(filling));
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP))
        end(c);
    else if ((events & EPOLLIN) && kind->leaves)
        end(c);
    else if ((events & EPOLLIN) && !kind->read_each)
        take(c, 0);
    else if (events & EPOLLRDHUP)
        end(c);
}

static void tick(struct connection *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct connection *c = &all[i];
        if (c->fd < 0)
            begin(c, i);
        else if (c->stands && kind->drip && ++c->ticks % kind->drip_every == 0)
            put(c, kind->drip, strlen(kind->drip));
        else if (c->stands && kind->read_each)
            take(c, kind->read_each);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: flood PORT KIND CONNECTIONS SECONDS [ADDRESSES]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(argv[2], kinds[i].name) == 0)
            kind = &kinds[i];
    if (!kind) {
        fprintf(stderr, "flood: no kind %s\n", argv[2]);
        return 2;
    }
    unsigned n = (unsigned)bench_number(argv[3], 100000), seconds = (unsigned)bench_number(argv[4], 3600);
    addresses = argc > 5 ? (unsigned)bench_number(argv[5], 65000) : 1;
    to = (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)bench_number(argv[1], 65535)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    first = kind->first;
    first_bytes = strlen(first);
    if (strcmp(kind->name, "pipelines") == 0) {
        char *many = malloc(first_bytes * PIPELINE);
        for (unsigned i = 0; many && i < PIPELINE; i++)
            memcpy(many + i * first_bytes, kind->first, first_bytes);
        first = many;
        first_bytes *= PIPELINE;
    }
    memset(filling, 'x', sizeof(filling));
    signal(SIGPIPE, SIG_IGN);
    poll = epoll_create1(0);
    struct connection *all = calloc(n, sizeof(*all));
    if (poll < 0 || !all)
        bench_fatal("calloc");
    for (unsigned i = 0; i < n; i++)
        all[i].fd = -1;
    uint64_t until = bench_now_ns() + (uint64_t)seconds * 1000000000u, next = bench_now_ns();
    for (uint64_t now; (now = bench_now_ns()) < until;) {
        struct epoll_event events[EVENTS];
        if (now >= next) {
            tick(all, n);
            next = now + TICK_NS;
        }
        int got = epoll_wait(poll, events, EVENTS, (int)((next - now) / 1000000 + 1));
        for (int i = 0; i < got; i++)
            on_event(events[i].data.ptr, events[i].events);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    uint64_t cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000u +
                      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"sent\":%llu,\"received\":%llu,\"made\":%llu,\"lost\":%llu,\"cpu_us\":%llu}\n",
           (unsigned long long)sent, (unsigned long long)received, (unsigned long long)made,
           (unsigned long long)lost, (unsigned long long)cpu_us);
    return 0;
}
