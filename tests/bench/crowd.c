/*
 * Many connections that want the same thing at the same moment: connects all, prints "ready", waits for a
 * line on standard input, sends the request on all of them and reads the answers, then prints one line of
 * JSON. Without a line (end of input) it only held the connections. Times are in ns of the monotonic clock;
 * when an answer began to come is the kernel's stamp of its first bytes, however late this program is woken.
 * Usage: crowd PORT REQUEST_FILE CONNECTIONS [BYTES_PER_SECOND]
 *
 * With BYTES_PER_SECOND each connection reads no faster than that; it ends, and tells how far it came, at the
 * end of input.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define INPUT   (64 * 1024)
#define HEAD    1024
#define EVENTS  1024
#define TURN_MS 20
#define BATCH   128 /* connections being made at once: below anybody's backlog */

struct connection {
    int fd;
    bool has_head, over, bad;
    uint64_t body, length, sum;
    size_t in;
    char head[HEAD]; /* the beginning of the answer; of ten thousand: a large process is slower to wake */
};

static struct connection *all;
static unsigned n_all, complete;
static uint64_t first_ns, latest_first_ns, bytes;
static int64_t wall_ahead_ns; /* of the monotonic clock */
static char input[INPUT];

static uint64_t wall_ns(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

static void open_all(const char *port)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 }; /* no TIME_WAIT: the next crowd wants the ports */
    for (unsigned i = 0; i < n_all; i++) {
        if ((all[i].fd = bench_connect(port, 0)) < 0)
            bench_fatal("connect");
        setsockopt(all[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        setsockopt(all[i].fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int));
        if (i % BATCH == BATCH - 1)
            usleep(1000);
    }
}

static uint64_t content_length(const char *head, size_t n)
{
    static const char name[] = "\ncontent-length:";
    for (size_t i = 0; i + sizeof(name) < n; i++)
        if (head[i] == '\n' && strncasecmp(head + i, name, sizeof(name) - 1) == 0)
            return strtoull(head + i + sizeof(name) - 1, NULL, 10);
    return UINT64_MAX;
}

static void end(struct connection *c, bool bad)
{
    c->over = true;
    c->bad = bad;
    close(c->fd);
    complete++;
}

static void add_body(struct connection *c, const char *body, size_t n)
{
    for (size_t i = 0; i < n; i++)
        c->sum = c->sum * 31 + (unsigned char)body[i];
    c->body += n;
}

/* As recv; *came_ns: when the kernel had them, by its clock of the wall. */
static ssize_t receive(int fd, size_t most, uint64_t *came_ns)
{
    union {
        struct cmsghdr first;
        char room[256];
    } control;
    struct iovec to = { input, most };
    struct msghdr m = {
        .msg_iov = &to, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    *came_ns = 0;
    if (n <= 0)
        return n;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(h), sizeof(t));
            *came_ns = wall_ns(&t) - (uint64_t)wall_ahead_ns;
        }
    return n;
}

static void take(struct connection *c, const char *data, size_t n, uint64_t came_ns)
{
    bytes += n;
    if (c->has_head) {
        add_body(c, data, n);
        return;
    }
    if (c->in == 0) {
        if (!came_ns)
            bench_fatal("a stamp of the kernel");
        first_ns = first_ns && first_ns < came_ns ? first_ns : came_ns;
        latest_first_ns = latest_first_ns > came_ns ? latest_first_ns : came_ns;
    }
    size_t keep = n < HEAD - c->in ? n : HEAD - c->in;
    memcpy(c->head + c->in, data, keep);
    char *end = memmem(c->head, c->in + keep, "\r\n\r\n", 4);
    size_t before = c->in;
    c->in += keep;
    if (!end)
        return;
    size_t head = (size_t)(end - c->head) + 4;
    c->has_head = true;
    c->length = content_length(c->head, head);
    add_body(c, data + (head - before), n - (head - before));
}

/* At most `most` bytes; says whether the socket may hold more. */
static void read_some(struct connection *c, uint64_t most, bool summed)
{
    while (most > 0 && !c->over) {
        uint64_t came_ns;
        ssize_t n = receive(c->fd, most < INPUT ? (size_t)most : INPUT, &came_ns);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(c, true);
            return;
        }
        most -= (uint64_t)n;
        if (summed || !c->has_head)
            take(c, input, (size_t)n, came_ns);
        else
            c->body += (uint64_t)n, bytes += (uint64_t)n;
        if (c->has_head && c->body >= c->length)
            end(c, c->body != c->length || memcmp(c->head + 9, "200", 3) != 0);
    }
}

static void read_all(void)
{
    struct epoll_event events[EVENTS];
    int poll = epoll_create1(0);
    for (unsigned i = 0; i < n_all; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &all[i] };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &e))
            bench_fatal("epoll_ctl");
    }
    while (complete < n_all) {
        int n = epoll_wait(poll, events, EVENTS, 30000);
        if (n <= 0)
            break;
        /* Of one connection everything matters, of many the body's bytes too; of one giant only their
         * number. */
        for (int i = 0; i < n; i++)
            read_some(events[i].data.ptr, INPUT, n_all > 1);
    }
    close(poll);
}

static void read_slowly(uint64_t rate)
{
    struct pollfd in = { .fd = 0, .events = POLLIN };
    while (complete < n_all && poll(&in, 1, TURN_MS) == 0)
        for (unsigned i = 0; i < n_all; i++)
            read_some(&all[i], rate * TURN_MS / 1000, false);
}

static unsigned count_bad(void)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < n_all; i++)
        bad += !all[i].over || all[i].bad || all[i].sum != all[0].sum || all[i].body != all[0].body;
    return bad;
}

int main(int argc, char **argv)
{
    char line[16];
    size_t request_bytes;
    if (argc < 4) {
        fprintf(stderr, "usage: crowd PORT REQUEST_FILE CONNECTIONS [BYTES_PER_SECOND]\n");
        return 2;
    }
    char *request = bench_read_file(argv[2], &request_bytes);
    n_all = (unsigned)bench_number(argv[3], 100000);
    all = calloc(n_all, sizeof(*all));
    if (!all)
        bench_fatal("calloc");
    open_all(argv[1]);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    wall_ahead_ns = (int64_t)(wall_ns(&wall) - bench_now_ns());
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 0;
    uint64_t go_ns = bench_now_ns();
    for (unsigned i = 0; i < n_all; i++)
        if (send(all[i].fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
            bench_fatal("send");
    uint64_t sent_ns = bench_now_ns();
    if (argc > 4)
        read_slowly(bench_number(argv[4], 1u << 30));
    else
        read_all();
    printf("{\"go_ns\":%llu,\"sent_ns\":%llu,\"first_ns\":%llu,\"latest_first_ns\":%llu,\"done_ns\":%llu,"
           "\"bytes\":%llu,"
           "\"complete\":%u,\"bad\":%u}\n",
           (unsigned long long)go_ns, (unsigned long long)sent_ns, (unsigned long long)first_ns,
           (unsigned long long)latest_first_ns, (unsigned long long)bench_now_ns(), (unsigned long long)bytes,
           complete, count_bad());
    return 0;
}
