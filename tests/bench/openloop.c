/*
 * Load at a rate: requests are due at times that do not depend on the answers (exponential gaps, the same at
 * each run), and a latency counts from the time at which its request was due, so that a server that stalls
 * cannot hide how many it kept waiting.
 * Usage: openloop PORT REQUEST_FILE RATE CONNECTIONS SECONDS [MODULO]
 *        openloop PORT REQUEST_FILE 0 CONNECTIONS REQUESTS     so many, as fast as they are answered
 *
 * The request is sent as it stands in the file; "########" in it becomes the request's number (modulo
 * MODULO). Answers have a Content-Length or no body. Prints one line of JSON. The first tenth of the time is
 * not counted.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define INPUT       (64 * 1024)
#define EVENTS      256
#define PATIENCE_NS 5000000000u /* for answers after the last request */

struct connection {
    int fd;
    bool busy;
    uint64_t due_ns;
    uint64_t body_left; /* once the head was read */
    bool has_head;
    size_t in;
    struct connection *idle_next;
    char buffer[INPUT];
};

static const char *port;
static char *text, *placeholder;
static size_t text_bytes;
static uint64_t modulo;

static struct connection *idle;
static uint64_t *queue; /* due times of requests that no connection was idle for */
static uint64_t queued, unqueued;
static uint64_t *latency, counted, sent, answered, errors, count_from_ns;
static uint64_t most;

/* ---- requests ---- */

static void send_request(struct connection *c, uint64_t due_ns)
{
    char number[24];
    if (placeholder) {
        snprintf(number, sizeof(number), "%08llu", (unsigned long long)(modulo ? sent % modulo : sent));
        memcpy(placeholder, number, 8);
    }
    c->busy = true;
    c->due_ns = due_ns;
    c->in = 0;
    c->has_head = false;
    sent++;
    if (send(c->fd, text, text_bytes, MSG_NOSIGNAL) != (ssize_t)text_bytes)
        bench_fatal("send");
}

static void request(uint64_t due_ns)
{
    struct connection *c = idle;
    if (c) {
        idle = c->idle_next;
        send_request(c, due_ns);
    } else {
        queue[queued++] = due_ns;
    }
}

static void finished(struct connection *c)
{
    uint64_t now = bench_now_ns();
    answered++;
    if (c->due_ns >= count_from_ns)
        latency[counted++] = now - c->due_ns;
    if (unqueued < queued) {
        send_request(c, queue[unqueued++]);
        return;
    }
    c->busy = false;
    c->idle_next = idle;
    idle = c;
}

/* ---- answers ---- */

static uint64_t content_length(const char *head, size_t n)
{
    static const char name[] = "\ncontent-length:";
    for (size_t i = 0; i + sizeof(name) < n; i++)
        if (head[i] == '\n' && strncasecmp(head + i, name, sizeof(name) - 1) == 0)
            return strtoull(head + i + sizeof(name) - 1, NULL, 10);
    return 0;
}

static void on_input(struct connection *c)
{
    for (;;) {
        size_t room = INPUT - c->in;
        ssize_t n = recv(c->fd, c->buffer + c->in, room, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            fprintf(stderr, "openloop: a connection was closed after %llu answers\n",
                    (unsigned long long)answered);
            exit(1);
        }
        uint64_t body = (uint64_t)n;
        if (!c->has_head) {
            c->in += (size_t)n;
            char *end = memmem(c->buffer, c->in, "\r\n\r\n", 4);
            if (!end)
                continue;
            size_t head = (size_t)(end - c->buffer) + 4;
            if (c->buffer[9] != '2' && c->buffer[9] != '3')
                errors++;
            body = c->in - head;
            c->has_head = true;
            c->body_left = memcmp(c->buffer + 9, "304", 3) == 0 ? 0 : content_length(c->buffer, head);
        }
        c->in = 0;
        c->body_left -= body < c->body_left ? body : c->body_left;
        if (c->body_left == 0)
            finished(c);
        if ((size_t)n < room)
            return;
    }
}

/* ---- the run ---- */

static void open_connections(int poll, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct connection *c = calloc(1, sizeof(*c));
        if (!c || (c->fd = bench_connect(port, 1)) < 0)
            bench_fatal("connect");
        struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.ptr = c };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e))
            bench_fatal("epoll_ctl");
        c->idle_next = idle;
        idle = c;
    }
}

static double next_gap_ns(double rate)
{
    static uint64_t x = 0x9e3779b97f4a7c15u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return -log(((double)(x >> 11) + 1) / 9007199254740993.0) / rate * 1e9;
}

static void wait_for_input(int poll, uint64_t ns)
{
    struct epoll_event events[EVENTS];
    struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
    int n = epoll_pwait2(poll, events, EVENTS, &t, NULL);
    for (int i = 0; i < n; i++)
        on_input(events[i].data.ptr);
}

static void run(int poll, double rate, double seconds)
{
    uint64_t begin = bench_now_ns() + 20000000u, end = begin + (uint64_t)(seconds * 1e9);
    double due = (double)begin;
    count_from_ns = begin + (uint64_t)(seconds * 1e8);
    for (;;) {
        uint64_t now = bench_now_ns();
        while (due <= (double)now && due < (double)end && sent + queued - unqueued < most) {
            request((uint64_t)due);
            due += next_gap_ns(rate);
        }
        bool over = due >= (double)end;
        if (over && (answered == sent + queued - unqueued || now > end + PATIENCE_NS))
            return;
        wait_for_input(poll, over ? 10000000u : due > (double)now + 10000 ? (uint64_t)due - now : 0);
    }
}

static void run_all(int poll, uint64_t requests)
{
    count_from_ns = bench_now_ns();
    for (uint64_t i = 0; i < requests; i++)
        request(count_from_ns);
    while (answered < requests)
        wait_for_input(poll, 1000000000u);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_us(double p)
{
    uint64_t at = (uint64_t)ceil(p / 100 * (double)counted);
    return counted ? (double)latency[at ? at - 1 : 0] / 1000 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: openloop PORT REQUEST_FILE RATE CONNECTIONS SECONDS [MODULO]\n");
        return 2;
    }
    port = argv[1];
    text = bench_read_file(argv[2], &text_bytes);
    placeholder = memmem(text, text_bytes, "########", 8);
    double rate = (double)bench_number(argv[3], 10000000),
           seconds = (double)bench_number(argv[5], rate > 0 ? 3600 : 100000000);
    modulo = argc > 6 ? bench_number(argv[6], 100000000) : 0;
    most = rate > 0 ? (uint64_t)(rate * seconds * 1.5) + 1000 : (uint64_t)seconds;
    latency = malloc(most * sizeof(*latency));
    queue = malloc(most * sizeof(*queue));
    int poll = epoll_create1(0);
    if (!latency || !queue || poll < 0)
        bench_fatal("malloc");
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1000);
    open_connections(poll, (unsigned)bench_number(argv[4], 20000));
    if (rate > 0)
        run(poll, rate, seconds);
    else
        run_all(poll, most);
    qsort(latency, counted, sizeof(*latency), by_size);
    printf("{\"sent\":%llu,\"answered\":%llu,\"counted\":%llu,\"errors\":%llu,\"p50_us\":%.1f,\"p90_us\":%."
           "1f,\"p99_us\":%.1f,"
           "\"p999_us\":%.1f,\"max_us\":%.1f}\n",
           (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)counted,
           (unsigned long long)errors, percentile_us(50), percentile_us(90), percentile_us(99),
           percentile_us(99.9), percentile_us(100));
    return answered == sent ? 0 : 1;
}
