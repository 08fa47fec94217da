#include "store/body.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct body_block {
    _Atomic(struct body_block *) next;
    uint64_t start; /* position of its first byte in the body */
    size_t bytes;   /* room for data */
    char data[];
};

struct body {
    atomic_uint refs;
    bool passing; /* the writer's */
    struct memory *memory;
    struct body_block *first; /* set before the first commit; moved by body_forget only */
    struct body_block *last;  /* the writer's */
    uint64_t expected;
    _Atomic uint64_t length;
    _Atomic size_t charged;
};

#define BLOCK_FIRST  ((size_t)4096)  /* of a body of unknown length */
#define BLOCK_WINDOW ((size_t)16384) /* of a passing body */

struct body *body_new(struct memory *m, uint64_t expected)
{
    struct body *b = mem_alloc(sizeof(*b));
    atomic_init(&b->refs, 1);
    b->memory = m;
    b->expected = expected;
    size_t cost = memory_cost(sizeof(*b));
    atomic_init(&b->charged, cost);
    memory_charge(m, (int64_t)cost);
    return b;
}

struct body *body_ref(struct body *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static void charge(struct body *b, int64_t bytes)
{
    if (b->passing)
        atomic_fetch_add_explicit(&b->memory->passing_bytes, bytes, memory_order_relaxed);
    else
        memory_charge(b->memory, bytes);
    /* Only the writer changes it; readers just look. */
    atomic_store_explicit(&b->charged, (size_t)((int64_t)body_charged(b) + bytes), memory_order_relaxed);
}

static struct body_block *next_of(const struct body_block *k)
{
    return atomic_load_explicit(&k->next, memory_order_acquire);
}

void body_unref(struct body *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (struct body_block *k = b->first; k;) {
        struct body_block *next = next_of(k);
        mem_free(k);
        k = next;
    }
    charge(b, -(int64_t)body_charged(b));
    mem_free(b);
}

uint64_t body_length(const struct body *b)
{
    return atomic_load_explicit(&b->length, memory_order_acquire);
}

size_t body_charged(const struct body *b)
{
    return atomic_load_explicit(&b->charged, memory_order_relaxed);
}

static size_t room_in_last(const struct body *b)
{
    if (!b->last)
        return 0;
    return b->last->bytes - (size_t)(atomic_load_explicit(&b->length, memory_order_relaxed) - b->last->start);
}

/* What is expected and not yet there, in blocks of at most BODY_BLOCK_MAX; without a length each block is as large as all
 * before it, so that a long body has few blocks and a short one wastes little. */
static size_t next_block_bytes(const struct body *b)
{
    uint64_t length = atomic_load_explicit(&b->length, memory_order_relaxed);
    uint64_t want;
    if (b->passing)
        want =
            b->expected - length < BLOCK_WINDOW && b->expected > length ? b->expected - length : BLOCK_WINDOW;
    else if (b->expected != BODY_LENGTH_UNKNOWN && b->expected > length)
        want = b->expected - length;
    else
        want = length < BLOCK_FIRST ? BLOCK_FIRST : length;
    return want > BODY_BLOCK_MAX ? BODY_BLOCK_MAX : (size_t)want;
}

size_t body_next_cost(const struct body *b)
{
    return room_in_last(b) ? 0 : memory_cost(sizeof(struct body_block) + next_block_bytes(b));
}

char *body_room(struct body *b, size_t *n)
{
    size_t room = room_in_last(b);
    if (room == 0) {
        size_t bytes = next_block_bytes(b);
        struct body_block *k = mem_try(sizeof(*k) + bytes);
        if (!k)
            return NULL;
        atomic_init(&k->next, NULL);
        k->start = atomic_load_explicit(&b->length, memory_order_relaxed);
        k->bytes = bytes;
        charge(b, (int64_t)memory_cost(sizeof(*k) + bytes));
        if (b->last)
            atomic_store_explicit(&b->last->next, k, memory_order_release);
        else
            b->first = k;
        b->last = k;
        room = bytes;
    }
    *n = room;
    return b->last->data + (b->last->bytes - room);
}

void body_commit(struct body *b, size_t n)
{
    CHECK(n <= room_in_last(b));
    uint64_t length = atomic_load_explicit(&b->length, memory_order_relaxed);
    atomic_store_explicit(&b->length, length + n, memory_order_release);
}

size_t body_append(struct body *b, struct str data)
{
    size_t taken = 0;
    while (taken < data.n) {
        size_t room;
        char *to = body_room(b, &room);
        if (!to)
            break;
        size_t n = data.n - taken < room ? data.n - taken : room;
        memcpy(to, data.p + taken, n);
        body_commit(b, n);
        taken += n;
    }
    return taken;
}

void body_pass(struct body *b)
{
    if (b->passing)
        return;
    int64_t charged = (int64_t)body_charged(b);
    memory_charge(b->memory, -charged);
    b->passing = true;
    atomic_fetch_add_explicit(&b->memory->passing_bytes, charged, memory_order_relaxed);
}

void body_forget(struct body *b, uint64_t position)
{
    body_pass(b);
    while (b->first && b->first != b->last && b->first->start + b->first->bytes < position) {
        struct body_block *k = b->first;
        b->first = next_of(k);
        charge(b, -(int64_t)memory_cost(sizeof(*k) + k->bytes));
        mem_free(k);
    }
}

struct body *body_compact(struct body *b)
{
    uint64_t length = body_length(b);
    size_t ideal = memory_cost(sizeof(struct body_block) + length) + memory_cost(sizeof(*b));
    if (b->passing || length > BODY_BLOCK_MAX || body_charged(b) <= ideal + ideal / 8)
        return body_ref(b);
    struct body *c = body_new(b->memory, length);
    for (struct body_block *k = b->first; k && body_length(c) < length; k = next_of(k)) {
        uint64_t there = length - k->start;
        if (body_append(c, (struct str){ k->data, there < k->bytes ? (size_t)there : k->bytes }) == 0)
            break;
    }
    if (body_length(c) == length)
        return c;
    body_unref(c);
    return body_ref(b);
}

unsigned body_lease(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                    struct iovec *iov, unsigned max, uint64_t *bytes)
{
    *bytes = 0;
    if (from >= to)
        return 0;
    struct body_block *k = c->block ? c->block : b->first;
    while (from >= k->start + k->bytes)
        k = next_of(k);
    unsigned n = 0;
    for (;;) {
        uint64_t end = k->start + k->bytes < to ? k->start + k->bytes : to;
        iov[n++] = (struct iovec){ k->data + (from - k->start), (size_t)(end - from) };
        *bytes += end - from;
        from = end;
        if (from >= to || n == max)
            break;
        k = next_of(k);
    }
    c->block = k;
    return n;
}
