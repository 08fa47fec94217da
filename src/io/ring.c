#include "io/ring.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define PLACES  1024 /* in the queue of operations */
#define RESULTS 8192 /* beyond, the kernel keeps them itself, at a cost */
#define SURPLUS 256

#define DIRECT_MOST 8 /* in one turn */
/* Measured with 8 connections against a bare epoll server: 1: 1.27 of its CPU, 3: 1.16, 5: 0.95, 9: 0.98;
 * with 64 connections 0.93, 0.90, 0.87, 0.99. */
#ifdef FRESHET_DEBUG
#define DIRECT_BELOW 2 /* tests are never busy: both ways have their turn */
#else
#define DIRECT_BELOW 5
#endif
#define WRITES_KEPT 256

/* Operations that the queue has no room for. It is not submitted to make some: owners rely on nothing being
 * under way before the loop turns. */
struct places {
    struct places *next;
    unsigned n;
    struct io_uring_sqe v[SURPLUS];
};

static size_t table_bytes(void)
{
    return RING_BUFFERS * sizeof(struct io_uring_buf);
}

/* Pages of their own: the kernel wants the table at a page's start, and what is never used is never there. */
static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t bytes)
{
    if (p)
        CHECK(munmap(p, bytes) == 0);
}

/* Offers a buffer to the kernel; `ahead`: so many were offered since the last io_uring_buf_ring_advance. */
static void add_buffer(struct ring *r, unsigned i, int ahead)
{
    io_uring_buf_ring_add(r->buffers, r->bytes + (size_t)i * RING_BUFFER_BYTES, RING_BUFFER_BYTES,
                          (unsigned short)i, io_uring_buf_ring_mask(RING_BUFFERS), ahead);
}

static int make_buffers(struct ring *r)
{
    r->buffers = map(table_bytes());
    r->bytes = map((size_t)RING_BUFFERS * RING_BUFFER_BYTES);
    if (!r->buffers || !r->bytes)
        return -ENOMEM;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)r->buffers,
        .ring_entries = RING_BUFFERS,
        .bgid = RING_GROUP,
    };
    int status = io_uring_register_buf_ring(&r->uring, &reg, 0);
    if (status < 0)
        return status;
    io_uring_buf_ring_init(r->buffers);
    for (unsigned i = 0; i < RING_BUFFERS; i++)
        add_buffer(r, i, (int)i);
    io_uring_buf_ring_advance(r->buffers, RING_BUFFERS);
    return 0;
}

static void free_buffers(struct ring *r)
{
    unmap(r->buffers, table_bytes());
    unmap(r->bytes, (size_t)RING_BUFFERS * RING_BUFFER_BYTES);
}

/* What a ring is asked for in io/: nothing else is done with it, whoever writes into its queue. System calls
 * that a ring makes pass by the sandbox's filter; this is what holds them. */
static int restrict_to_needs(struct ring *r)
{
    static const unsigned char operations[] = { IORING_OP_NOP,         IORING_OP_POLL_ADD, IORING_OP_RECV,
                                                IORING_OP_SEND,        IORING_OP_SENDMSG,  IORING_OP_CONNECT,
                                                IORING_OP_ASYNC_CANCEL };
    struct io_uring_restriction v[COUNT_OF(operations) + 1];
    memset(v, 0, sizeof(v));
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        v[i].opcode = IORING_RESTRICTION_SQE_OP;
        v[i].sqe_op = operations[i];
    }
    v[COUNT_OF(operations)].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    v[COUNT_OF(operations)].sqe_flags = IOSQE_BUFFER_SELECT;
    /* As io_uring_enable_rings below. */
    long status =
        syscall(__NR_io_uring_register, r->uring.ring_fd, IORING_REGISTER_RESTRICTIONS, v, COUNT_OF(v));
    return status < 0 ? -errno : 0;
}

struct ring *ring_new(int *error)
{
    struct ring *r = mem_alloc(sizeof(*r));
    list_init(&r->writes);
    r->direct_below = DIRECT_BELOW;
    /* Disabled at first: then it belongs to the thread that enables it, not to the one that makes it. Results
     * are worked out when that thread asks for them, and so never interrupt it (DEFER_TASKRUN, Linux 6.1). */
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = RESULTS,
    };
    *error = io_uring_queue_init_params(PLACES, &r->uring, &p);
    if (*error < 0) {
        mem_free(r);
        return NULL;
    }
    *error = make_buffers(r);
    if (*error == 0)
        *error = restrict_to_needs(r);
    if (*error < 0) {
        io_uring_queue_exit(&r->uring);
        free_buffers(r);
        mem_free(r);
        return NULL;
    }
    return r;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    CHECK(r->streams == 0);
    struct link *l;
    while ((l = list_pop(&r->writes)) != NULL)
        mem_free(CONTAINER_OF(l, struct ring_write, link));
    io_uring_queue_exit(&r->uring);
    free_buffers(r);
    mem_free(r);
}

static void enable(struct ring *r)
{
    if (r->enabled)
        return;
    r->enabled = true;
    /* liburing 2.3 declares io_uring_enable_rings and does not export it. */
    CHECK(syscall(__NR_io_uring_register, r->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0);
}

static struct io_uring_sqe *surplus_place(struct ring *r)
{
    struct places *end = r->surplus_end;
    if (!end || end->n == SURPLUS) {
        end = mem_alloc(sizeof(*end));
        if (r->surplus)
            r->surplus_end->next = end;
        else
            r->surplus = end;
        r->surplus_end = end;
    }
    return &end->v[end->n++];
}

struct io_uring_sqe *ring_place(struct ring *r)
{
    struct io_uring_sqe *sqe = r->surplus ? NULL : io_uring_get_sqe(&r->uring);
    return sqe ? sqe : surplus_place(r);
}

/* Not io_uring_submit: when there are more results than places for them it has the kernel go on with what it
 * has, in front of a cancellation that is still among the surplus. */
static int submit(struct ring *r)
{
    struct io_uring_sq *sq = &r->uring.sq;
    sq->sqe_head = sq->sqe_tail;
    io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
    int status = io_uring_enter((unsigned)r->uring.ring_fd,
                                sq->sqe_tail - io_uring_smp_load_acquire(sq->khead), 0, 0, NULL);
    /* EAGAIN, EBUSY: the kernel is short of memory, or results must be read first. */
    CHECK(status >= 0 || status == -EINTR || status == -EAGAIN || status == -EBUSY);
    return status;
}

/* Puts the surplus into the queue; what does not fit stays for the next turn. */
static void queue_surplus(struct ring *r)
{
    while (r->surplus) {
        struct places *first = r->surplus;
        unsigned i = 0;
        while (i < first->n) {
            struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
            if (!sqe && submit(r) <= 0)
                break;
            if (sqe)
                *sqe = first->v[i++];
        }
        if (i < first->n) {
            memmove(first->v, first->v + i, (first->n - i) * sizeof(first->v[0]));
            first->n -= i;
            return;
        }
        r->surplus = first->next;
        mem_free(first);
    }
    r->surplus_end = NULL;
}

static void void_if(struct io_uring_sqe *sqe, struct ring_op *op)
{
    if (sqe->user_data != (uintptr_t)op)
        return;
    io_uring_prep_nop(sqe);
    ring_submit(sqe, op);
}

void ring_void(struct ring *r, struct ring_op *op)
{
    const struct io_uring_sq *sq = &r->uring.sq;
    for (unsigned i = io_uring_smp_load_acquire(sq->khead); i != sq->sqe_tail; i++)
        void_if(&sq->sqes[i & *sq->kring_mask], op);
    for (struct places *p = r->surplus; p; p = p->next)
        for (unsigned i = 0; i < p->n; i++)
            void_if(&p->v[i], op);
}

void ring_cancel(struct ring *r, struct ring_op *op)
{
    struct io_uring_sqe *sqe = ring_place(r);
    io_uring_prep_cancel(sqe, op, 0);
    ring_submit(sqe, NULL);
}

void ring_give_buffer(struct ring *r, char *buffer)
{
    add_buffer(r, (unsigned)((size_t)(buffer - r->bytes) / RING_BUFFER_BYTES), 0);
    io_uring_buf_ring_advance(r->buffers, 1);
}

/* In a quiet turn, where the queue would save nothing; but of the thousand who wait for one page only the
 * first few, so that they have it at once, and the others together. */
bool ring_is_direct(struct ring *r)
{
    return r->batch < r->direct_below && r->direct++ < DIRECT_MOST;
}

struct ring_write *ring_take_write(struct ring *r)
{
    struct link *l = list_pop(&r->writes);
    if (!l) {
        struct ring_write *w = mem_alloc(sizeof(*w));
        link_init(&w->link);
        return w;
    }
    r->writes_n--;
    return CONTAINER_OF(l, struct ring_write, link);
}

void ring_give_write(struct ring *r, struct ring_write *w)
{
    if (r->writes_n >= WRITES_KEPT) {
        mem_free(w);
        return;
    }
    list_push_front(&r->writes, &w->link);
    r->writes_n++;
}

static void tell_owners(struct ring *r)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    r->batch = io_uring_cq_ready(&r->uring);
    r->direct = 0;
    io_uring_for_each_cqe(&r->uring, head, cqe)
    {
        struct ring_op *op = io_uring_cqe_get_data(cqe);
        n++;
        if (op)
            op->done(op, cqe->res, cqe->flags);
    }
    io_uring_cq_advance(&r->uring, n);
}

void ring_turn(struct ring *r, int timeout_ms)
{
    struct __kernel_timespec time = { timeout_ms / 1000, (long long)(timeout_ms % 1000) * 1000000 };
    struct io_uring_cqe *cqe;
    enable(r);
    if (r->surplus)
        queue_surplus(r);
    if (r->surplus) {
        /* The kernel took none now. What it has must not go on in front of a cancellation that is among
         * them. */
        tell_owners(r);
        return;
    }
    int status = timeout_ms == 0 ? io_uring_submit_and_get_events(&r->uring)
                                 : io_uring_submit_and_wait_timeout(&r->uring, &cqe, 1,
                                                                    timeout_ms > 0 ? &time : NULL, NULL);
    /* ETIME: nothing came. EAGAIN, EBUSY: as above. */
    CHECK(status >= 0 || status == -ETIME || status == -EINTR || status == -EAGAIN || status == -EBUSY);
    tell_owners(r);
}
