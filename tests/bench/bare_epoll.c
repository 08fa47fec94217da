/*
 * The limit that a hit is measured against, on epoll: reads a request up to its empty line and answers with
 * the bytes of a file. One read and one write a request and nothing else: no parsing, no timers, no counters,
 * no log.
 * Usage: bare_epoll PORT RESPONSE_FILE [THREADS]
 *
 * Thread 0 accepts and deals connections out in turn, so that all threads have the same number of them: then
 * the figure of two threads is that of two busy threads. Edge-triggered and for both directions from the
 * start, so that a body that does not fit into the socket's buffer costs no further call than its writes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define INPUT   16384
#define EVENTS  1024
#define THREADS 64

struct connection {
    int fd;
    bool writing;
    size_t in, out; /* received of a request; sent of the response */
    char buffer[INPUT];
};

static char *response;
static size_t response_bytes;
static int polls[THREADS], threads = 1, listener;

/* Whether all went out: else the next edge goes on. */
static bool answer(struct connection *c)
{
    ssize_t n = send(c->fd, response + c->out, response_bytes - c->out, MSG_NOSIGNAL);
    c->out += n > 0 ? (size_t)n : 0;
    if (c->out < response_bytes)
        return false; /* full; or broken, which the next read says */
    c->out = 0;
    return true;
}

/* False: the connection is over. */
static bool serve(struct connection *c)
{
    for (;;) {
        if (c->writing && !answer(c))
            return true;
        c->writing = false;
        size_t room = INPUT - c->in;
        ssize_t n = recv(c->fd, c->buffer + c->in, room, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        c->in += (size_t)n;
        c->writing = c->in >= 4 && memcmp(c->buffer + c->in - 4, "\r\n\r\n", 4) == 0;
        if (c->writing)
            c->in = 0;
        else if (c->in == INPUT)
            return false;
        /* A short read has emptied the socket: what comes later is another edge. */
        if ((size_t)n < room)
            return !c->writing || (answer(c) ? (c->writing = false, true) : true);
    }
}

static void accept_all(void)
{
    static unsigned turn;
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));
        if (!c)
            bench_fatal("calloc");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
        if (epoll_ctl(polls[turn++ % (unsigned)threads], EPOLL_CTL_ADD, fd, &e))
            bench_fatal("epoll_ctl");
    }
}

static void *run(void *arg)
{
    int poll = *(int *)arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                accept_all();
            } else if (!serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
    if (argc < 3) {
        fprintf(stderr, "usage: bare_epoll PORT RESPONSE_FILE [THREADS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    response = bench_read_file(argv[2], &response_bytes);
    threads = argc > 3 ? (int)bench_number(argv[3], THREADS) : 1;
    listener = bench_listen(argv[1]);
    for (int i = 0; i < threads; i++)
        if ((polls[i] = epoll_create1(0)) < 0)
            bench_fatal("epoll_create1");
    if (epoll_ctl(polls[0], EPOLL_CTL_ADD, listener, &e))
        bench_fatal("epoll_ctl");
    for (int i = 1; i < threads; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, run, &polls[i]))
            bench_fatal("pthread_create");
    }
    run(&polls[0]);
}
