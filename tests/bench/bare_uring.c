/*
 * The same as bare_epoll on io_uring, as a second limit: accepting and receiving are asked for once and
 * report again and again (multishot), received bytes lie in buffers that the kernel takes from a ring, and
 * all writes of a turn are submitted by the one call that waits for the next.
 * Usage: bare_uring PORT RESPONSE_FILE [THREADS]
 *
 * Thread 0 accepts and deals connections out in turn, by messages from ring to ring.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define ENTRIES      4096
#define BUFFERS      1024 /* a power of two */
#define BUFFER_BYTES 4096
#define THREADS      64

/* What a completion is for: the low bits of its user data; above them the connection. */
enum kind { KIND_ACCEPT, KIND_GIVEN, KIND_RECEIVED, KIND_SENT, KIND_NOTHING };
#define KIND_MASK 7u

struct connection {
    int fd;
    bool over; /* nothing more will be received */
    bool sending;
    size_t out;   /* sent of the response */
    char tail[4]; /* the latest bytes received: a request's end may be cut in two */
};

struct worker {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    char *memory;
    int index;
    pthread_barrier_t *ready;
};

static char *response;
static size_t response_bytes;
static struct worker workers[THREADS];
static int threads = 1, listener;

static struct io_uring_sqe *entry(struct worker *w, struct connection *c, enum kind kind)
{
    struct io_uring_sqe *e = io_uring_get_sqe(&w->ring);
    if (!e) {
        io_uring_submit(&w->ring);
        e = io_uring_get_sqe(&w->ring);
    }
    if (!e)
        bench_fatal("io_uring_get_sqe");
    e->user_data = (uint64_t)(uintptr_t)c | kind;
    return e;
}

static void ask_accept(struct worker *w)
{
    struct io_uring_sqe *e = entry(w, NULL, KIND_ACCEPT);
    io_uring_prep_multishot_accept(e, listener, NULL, NULL, 0);
}

static void ask_receive(struct worker *w, struct connection *c)
{
    struct io_uring_sqe *e = entry(w, c, KIND_RECEIVED);
    io_uring_prep_recv_multishot(e, c->fd, NULL, 0, 0);
    e->flags |= IOSQE_BUFFER_SELECT;
    e->buf_group = 0;
}

static void ask_send(struct worker *w, struct connection *c)
{
    struct io_uring_sqe *e = entry(w, c, KIND_SENT);
    io_uring_prep_send(e, c->fd, response + c->out, response_bytes - c->out, MSG_NOSIGNAL | MSG_WAITALL);
    c->sending = true;
}

static void free_if_over(struct connection *c)
{
    if (!c->over || c->sending)
        return;
    close(c->fd);
    free(c);
}

static void begin(struct worker *w, int fd)
{
    int on = 1;
    struct connection *c = aligned_alloc(KIND_MASK + 1, sizeof(*c));
    if (!c)
        bench_fatal("aligned_alloc");
    memset(c, 0, sizeof(*c));
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ask_receive(w, c);
}

/* ---- completions ---- */

static void on_accept(struct worker *w, struct io_uring_cqe *done)
{
    static unsigned turn;
    if (!(done->flags & IORING_CQE_F_MORE))
        ask_accept(w);
    if (done->res < 0)
        return;
    int to = (int)(turn++ % (unsigned)threads);
    if (to == w->index) {
        begin(w, done->res);
        return;
    }
    struct io_uring_sqe *e = entry(w, NULL, KIND_NOTHING);
    io_uring_prep_msg_ring(e, workers[to].ring.ring_fd, (unsigned)done->res, KIND_GIVEN, 0);
}

static bool is_whole(struct connection *c, const char *bytes, size_t n)
{
    size_t keep = n < 4 ? 4 - n : 0, take = 4 - keep;
    memmove(c->tail, c->tail + take, keep);
    memcpy(c->tail + keep, bytes + n - take, take);
    return memcmp(c->tail, "\r\n\r\n", 4) == 0;
}

static void give_back(struct worker *w, unsigned id)
{
    io_uring_buf_ring_add(w->buffers, w->memory + (size_t)id * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(w->buffers, 1);
}

static void on_received(struct worker *w, struct connection *c, struct io_uring_cqe *done)
{
    if (done->res > 0) {
        unsigned id = done->flags >> IORING_CQE_BUFFER_SHIFT;
        bool whole = is_whole(c, w->memory + (size_t)id * BUFFER_BYTES, (size_t)done->res);
        give_back(w, id);
        if (whole && !c->sending)
            ask_send(w, c);
    }
    if (done->flags & IORING_CQE_F_MORE)
        return;
    if (done->res > 0 || done->res == -ENOBUFS) {
        ask_receive(w, c);
    } else {
        c->over = true;
        free_if_over(c);
    }
}

static void on_sent(struct worker *w, struct connection *c, struct io_uring_cqe *done)
{
    c->sending = false;
    c->out += done->res > 0 ? (size_t)done->res : 0;
    if (done->res > 0 && c->out < response_bytes) {
        ask_send(w, c);
        return;
    }
    c->out = 0;
    free_if_over(c);
}

static void on_done(struct worker *w, struct io_uring_cqe *done)
{
    struct connection *c = (struct connection *)(uintptr_t)(done->user_data & ~(uint64_t)KIND_MASK);
    switch ((enum kind)(done->user_data & KIND_MASK)) {
    case KIND_ACCEPT: on_accept(w, done); break;
    case KIND_GIVEN: begin(w, done->res); break;
    case KIND_RECEIVED: on_received(w, c, done); break;
    case KIND_SENT: on_sent(w, c, done); break;
    case KIND_NOTHING: break;
    }
}

/* ---- rings ---- */

static void make_ring(struct worker *w)
{
    struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_CQSIZE,
                                 .cq_entries = ENTRIES * 4 };
    int status = io_uring_queue_init_params(ENTRIES, &w->ring, &p);
    if (status < 0) {
        errno = -status;
        bench_fatal("io_uring");
    }
    size_t bytes = BUFFERS * sizeof(struct io_uring_buf);
    if (posix_memalign((void **)&w->buffers, 4096, bytes) ||
        !(w->memory = malloc((size_t)BUFFERS * BUFFER_BYTES)))
        bench_fatal("malloc");
    memset(w->buffers, 0, bytes);
    struct io_uring_buf_reg reg = { .ring_addr = (uint64_t)(uintptr_t)w->buffers,
                                    .ring_entries = BUFFERS,
                                    .bgid = 0 };
    status = io_uring_register_buf_ring(&w->ring, &reg, 0);
    if (status < 0) {
        errno = -status;
        bench_fatal("io_uring_register_buf_ring");
    }
    io_uring_buf_ring_init(w->buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        give_back(w, i);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    make_ring(w);
    pthread_barrier_wait(w->ready);
    if (w->index == 0)
        ask_accept(w);
    for (;;) {
        struct io_uring_cqe *done;
        unsigned head, n = 0;
        io_uring_submit_and_wait(&w->ring, 1);
        io_uring_for_each_cqe(&w->ring, head, done)
        {
            on_done(w, done);
            n++;
        }
        io_uring_cq_advance(&w->ring, n);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_barrier_t ready;
    if (argc < 3) {
        fprintf(stderr, "usage: bare_uring PORT RESPONSE_FILE [THREADS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    response = bench_read_file(argv[2], &response_bytes);
    threads = argc > 3 ? (int)bench_number(argv[3], THREADS) : 1;
    listener = bench_listen(argv[1]);
    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++)
        workers[i] = (struct worker){ .index = i, .ready = &ready };
    for (int i = 1; i < threads; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, run, &workers[i]))
            bench_fatal("pthread_create");
    }
    run(&workers[0]);
}
