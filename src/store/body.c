#include "store/body.h"

#include <string.h>

#include "base/check.h"

/*
 * Two forms. A whole body is one piece of memory of exactly its size, with this head in front: for a stored
 * body of known length, or one that was compacted. If it has more than a few pages, the bytes that do not
 * fill its last page are in a piece of their own, so that little is wasted. A chain is every other body: it
 * grows block by block.
 */
struct body {
    atomic_uint refs;        /* and PASSING, set by the writer and read by the last unref */
    uint32_t room : 22;      /* bytes of a whole body */
    uint32_t is_distant : 1; /* a chain without a block */
    uint32_t is_chain : 1;
    uint32_t memory : 8; /* the memory's id */
};

#define PASSING (1u << 31)

_Static_assert(BODY_WHOLE_MAX < 1u << 22, "a whole one's length has 22 bits");

/* There may be millions of these, so it has no word too many. */
struct whole {
    struct body b;
    _Atomic uint32_t length;
};

/* A whole body with a tail; see tail_bytes. */
struct tailed {
    struct whole w;
    char *tail;
};

struct body_block {
    _Atomic(struct body_block *) next;
    uint64_t start; /* position of its first byte in the body */
    size_t bytes;   /* room for data */
    char data[];
};

struct chain {
    struct body b;
    _Atomic uint64_t length;
    struct body_block *first; /* set before the first commit; only body_forget moves it */
    struct body_block *last;  /* the writer's */
    uint64_t expected;
    uint64_t passing_from; /* for a passing body: blocks from this position on are charged as passing, those
                            * before were kept */
    _Atomic size_t charged;
};

struct distant {
    struct chain c; /* its length is the whole one's, and it has no block */
    struct body_distance where;
};

#define BLOCK_FIRST  ((size_t)4096)  /* for a body of unknown length; this and the next with their heads */
#define BLOCK_WINDOW ((size_t)16384) /* of a passing body */
#define BLOCK_MOST   ((size_t)1 << 20)

#define COMPACT_ALWAYS ((size_t)65536) /* up to here a copy costs less than another request */
#define TAIL_WORTH     ((size_t)256)   /* a smaller waste at the end is not worth a second piece */

/* ---- the whole form ---- */

/* Returns how many of `room` bytes are in the tail; 0: none. */
static size_t tail_bytes(uint32_t room)
{
    size_t all = sizeof(struct whole) + room;
    /* On every hit: (HEAP_PAGE - all % HEAP_PAGE) % HEAP_PAGE is the waste in its last page. */
    if (all <= HEAP_SMALL || -all % HEAP_PAGE <= TAIL_WORTH)
        return 0;
    return (sizeof(struct tailed) + room) % HEAP_PAGE;
}

static size_t trunk_bytes(uint32_t room)
{
    size_t tail = tail_bytes(room);
    return tail ? sizeof(struct tailed) + room - tail : sizeof(struct whole) + room;
}

static struct whole *whole_of(const struct body *b)
{
    return (struct whole *)(void *)(uintptr_t)b;
}

static struct tailed *tailed_of(const struct body *b)
{
    return (struct tailed *)(void *)(uintptr_t)b;
}

static char *trunk_data(struct body *b, size_t tail)
{
    return (char *)b + (tail ? sizeof(struct tailed) : sizeof(struct whole));
}

static struct memory *memory_of_body(const struct body *b)
{
    return memory_of(b->memory);
}

size_t body_whole_cost(uint64_t length)
{
    size_t tail = tail_bytes((uint32_t)length);
    return memory_cost(trunk_bytes((uint32_t)length)) + (tail ? memory_cost(tail) : 0);
}

struct body *body_new_whole(struct memory *m, uint64_t length)
{
    CHECK(length <= BODY_WHOLE_MAX);
    uint32_t room = (uint32_t)length;
    size_t tail = tail_bytes(room);
    struct body *b = memory_take(m, trunk_bytes(room));
    char *end = b && tail ? memory_take(m, tail) : NULL;
    if (!b || (tail && !end)) {
        memory_give(m, b, trunk_bytes(room));
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->room = room & ((1u << 22) - 1);
    b->is_chain = b->is_distant = false;
    b->memory = m->id;
    atomic_init(&whole_of(b)->length, 0);
    if (tail)
        tailed_of(b)->tail = end;
    memory_charge(m, (int64_t)body_whole_cost(length));
    return b;
}

static void free_whole(struct body *b)
{
    uint32_t room = b->room;
    size_t tail = tail_bytes(room);
    struct memory *m = memory_of_body(b);
    if (tail)
        memory_give(m, tailed_of(b)->tail, tail);
    memory_give(m, b, trunk_bytes(room));
}

/* Returns the place of the byte at `from`, and up to which position its piece goes. */
static char *whole_piece(struct body *b, uint64_t from, uint64_t *to)
{
    size_t tail = tail_bytes(b->room);
    uint64_t trunk = b->room - tail;
    *to = from < trunk ? trunk : b->room;
    return from < trunk ? trunk_data(b, tail) + from : tailed_of(b)->tail + (from - trunk);
}

/* ---- the chain ---- */

static struct chain *chain_of(const struct body *b)
{
    return (struct chain *)(void *)(uintptr_t)b;
}

static size_t chain_bytes(const struct chain *c)
{
    return c->b.is_distant ? sizeof(struct distant) : sizeof(*c);
}

static struct chain *new_chain(struct memory *m, size_t bytes, uint64_t expected)
{
    struct chain *c = memory_zero(m, bytes);
    atomic_init(&c->b.refs, 1);
    c->b.is_chain = true;
    c->b.memory = m->id;
    c->expected = expected;
    size_t cost = memory_cost(bytes);
    atomic_init(&c->charged, cost);
    memory_charge(m, (int64_t)cost);
    return c;
}

struct body *body_new(struct memory *m, uint64_t expected)
{
    return &new_chain(m, sizeof(struct chain), expected)->b;
}

struct body *body_new_distant(struct memory *m, uint64_t length, const struct body_distance *where)
{
    struct chain *c = new_chain(m, sizeof(struct distant), length);
    c->b.is_distant = true;
    atomic_init(&c->length, length);
    CONTAINER_OF(c, struct distant, c)->where = *where;
    return &c->b;
}

const struct body_distance *body_distance(const struct body *b)
{
    return b->is_distant ? &CONTAINER_OF(chain_of(b), struct distant, c)->where : NULL;
}

size_t body_distant_cost(void)
{
    return memory_cost(sizeof(struct distant));
}

static size_t block_cost(size_t bytes)
{
    return memory_cost(sizeof(struct body_block) + bytes);
}

static struct body_block *next_of(const struct body_block *k)
{
    return atomic_load_explicit(&k->next, memory_order_acquire);
}

static void free_block(struct memory *m, struct body_block *k)
{
    memory_give(m, k, sizeof(*k) + k->bytes);
}

static size_t block_cost(size_t bytes);

/* Returns the bytes that stay charged against the budget although the body passes: the blocks from before. */
static size_t kept_bytes(const struct chain *c)
{
    size_t kept = 0;
    for (struct body_block *k = c->first; k && k->start < c->passing_from; k = next_of(k))
        kept += block_cost(k->bytes);
    return kept;
}

static void free_chain(struct chain *c)
{
    struct memory *m = memory_of_body(&c->b);
    for (struct body_block *k = c->first, *next; k; k = next) {
        next = next_of(k);
        free_block(m, k);
    }
    memory_give(m, c, chain_bytes(c));
}

static bool is_passing(const struct body *b)
{
    return atomic_load_explicit(&b->refs, memory_order_relaxed) & PASSING;
}

static void charge_as(struct memory *m, bool passing, int64_t bytes)
{
    if (passing)
        atomic_fetch_add_explicit(&m->passing_bytes, bytes, memory_order_relaxed);
    else
        memory_charge(m, bytes);
}

static void charge(struct chain *c, bool passing, int64_t bytes)
{
    charge_as(memory_of_body(&c->b), passing, bytes);
    /* Only the writer changes it. */
    size_t before = atomic_load_explicit(&c->charged, memory_order_relaxed);
    atomic_store_explicit(&c->charged, (size_t)((int64_t)before + bytes), memory_order_relaxed);
}

static size_t room_in_last(const struct chain *c)
{
    if (!c->last)
        return 0;
    uint64_t length = atomic_load_explicit(&c->length, memory_order_relaxed);
    return c->last->bytes - (size_t)(length - c->last->start);
}

/* Returns the size of the next block: the expected rest, at most BODY_BLOCK_MAX, or a window of a passing
 * body. Without a length each block is as large as all before it, so that a long body has few blocks and a
 * short one wastes little. */
static size_t next_block_bytes(const struct chain *c)
{
    const size_t head = sizeof(struct body_block);
    uint64_t length = atomic_load_explicit(&c->length, memory_order_relaxed);
    size_t most = is_passing(&c->b) ? BLOCK_WINDOW - head : BODY_BLOCK_MAX;
    if (c->expected != BODY_LENGTH_UNKNOWN && c->expected > length)
        return c->expected - length < most ? (size_t)(c->expected - length) : most;
    if (is_passing(&c->b))
        return most;
    if (length < BLOCK_FIRST)
        return BLOCK_FIRST - head;
    /* Rounds up to a page, which is taken anyway. */
    return length < BLOCK_MOST ? ((size_t)length + head + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE - head
                               : BODY_BLOCK_MAX;
}

static char *chain_room(struct chain *c, size_t *n)
{
    size_t room = room_in_last(c);
    if (room == 0) {
        size_t bytes = next_block_bytes(c);
        struct body_block *k = memory_take(memory_of_body(&c->b), sizeof(*k) + bytes);
        if (!k)
            return NULL;
        atomic_init(&k->next, NULL);
        k->start = atomic_load_explicit(&c->length, memory_order_relaxed);
        k->bytes = bytes;
        charge(c, is_passing(&c->b), (int64_t)block_cost(bytes));
        if (c->last)
            atomic_store_explicit(&c->last->next, k, memory_order_release);
        else
            c->first = k;
        c->last = k;
        room = bytes;
    }
    *n = room;
    return c->last->data + (c->last->bytes - room);
}

/* ---- both ---- */

struct body *body_ref(struct body *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

/* A function of its own, so that a hit's unref is a few instructions. */
static __attribute__((noinline)) void free_body(struct body *b, bool passing)
{
    int64_t charged = (int64_t)body_charged(b), kept = passing ? (int64_t)kept_bytes(chain_of(b)) : charged;
    charge_as(memory_of_body(b), false, -kept);
    charge_as(memory_of_body(b), true, kept - charged);
    if (b->is_chain)
        free_chain(chain_of(b));
    else
        free_whole(b);
}

void body_unref(struct body *b)
{
    unsigned before = b ? atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) : 0;
    if ((before & ~PASSING) == 1)
        free_body(b, before & PASSING);
}

uint64_t body_length(const struct body *b)
{
    return b->is_chain ? atomic_load_explicit(&chain_of(b)->length, memory_order_acquire)
                       : atomic_load_explicit(&whole_of(b)->length, memory_order_acquire);
}

uint64_t body_expected(const struct body *b)
{
    return b->is_chain ? chain_of(b)->expected : b->room;
}

size_t body_charged(const struct body *b)
{
    return b->is_chain ? atomic_load_explicit(&chain_of(b)->charged, memory_order_relaxed)
                       : body_whole_cost(b->room);
}

size_t body_next_cost(const struct body *b)
{
    return b->is_chain && !room_in_last(chain_of(b)) ? block_cost(next_block_bytes(chain_of(b))) : 0;
}

char *body_room(struct body *b, size_t *n)
{
    if (b->is_chain)
        return chain_room(chain_of(b), n);
    uint64_t length = atomic_load_explicit(&whole_of(b)->length, memory_order_relaxed), end;
    CHECK(length < b->room);
    char *p = whole_piece(b, length, &end);
    *n = (size_t)(end - length);
    return p;
}

void body_commit(struct body *b, size_t n)
{
    if (b->is_chain) {
        struct chain *c = chain_of(b);
        uint64_t length = atomic_load_explicit(&c->length, memory_order_relaxed);
        CHECK(n <= room_in_last(c));
        atomic_store_explicit(&c->length, length + n, memory_order_release);
    } else {
        struct whole *w = whole_of(b);
        uint32_t length = atomic_load_explicit(&w->length, memory_order_relaxed);
        CHECK(n <= b->room - length);
        atomic_store_explicit(&w->length, length + (uint32_t)n, memory_order_release);
    }
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
    if (is_passing(b) || !b->is_chain)
        return;
    struct chain *c = chain_of(b);
    c->passing_from = c->last ? c->last->start + c->last->bytes : 0;
    int64_t own = (int64_t)memory_cost(chain_bytes(c));
    charge_as(memory_of_body(b), false, -own);
    charge_as(memory_of_body(b), true, own);
    atomic_fetch_or_explicit(&b->refs, PASSING, memory_order_relaxed);
}

void body_forget(struct body *b, uint64_t position)
{
    body_pass(b);
    if (!b->is_chain)
        return;
    struct chain *c = chain_of(b);
    while (c->first && c->first != c->last && c->first->start + c->first->bytes < position) {
        struct body_block *k = c->first;
        c->first = next_of(k);
        charge(c, k->start >= c->passing_from, -(int64_t)block_cost(k->bytes));
        free_block(memory_of_body(b), k);
    }
}

struct body *body_compact(struct body *b)
{
    uint64_t length = body_length(b);
    if (!b->is_chain || is_passing(b) || length > BODY_WHOLE_MAX)
        return body_ref(b);
    size_t cost = body_whole_cost(length);
    bool worth = length <= COMPACT_ALWAYS || body_charged(b) > cost + cost / 8;
    struct body *w = worth ? body_new_whole(memory_of_body(b), length) : NULL;
    if (!w)
        return body_ref(b);
    for (struct body_block *k = chain_of(b)->first; k && body_length(w) < length; k = next_of(k)) {
        uint64_t there = length - k->start;
        body_append(w, (struct str){ k->data, there < k->bytes ? (size_t)there : k->bytes });
    }
    CHECK(body_length(w) == length);
    return w;
}

/* ---- moving ---- */

static struct body *move_whole(struct body *b, unsigned quarters)
{
    struct memory *m = memory_of_body(b);
    size_t tail = tail_bytes(b->room);
    if (tail)
        tailed_of(b)->tail = memory_move(m, tailed_of(b)->tail, tail, quarters);
    return memory_move(m, b, trunk_bytes(b->room), quarters);
}

/* Moves its small blocks too: the first and the last ones. */
static struct body *move_chain(struct chain *c, unsigned quarters)
{
    struct memory *m = memory_of_body(&c->b);
    struct body_block *before = NULL;
    for (struct body_block *k = c->first, *next; k; k = next) {
        next = next_of(k);
        bool is_last = k == c->last;
        k = memory_move(m, k, sizeof(*k) + k->bytes, quarters);
        if (before)
            atomic_store_explicit(&before->next, k, memory_order_release);
        else
            c->first = k;
        if (is_last)
            c->last = k;
        before = k;
    }
    return memory_move(m, c, chain_bytes(c), quarters);
}

struct body *body_move(struct body *b, unsigned quarters)
{
    /* With acquire: readers that dropped their reference have finished reading. */
    if (atomic_load_explicit(&b->refs, memory_order_acquire) != 1)
        return b;
    return b->is_chain ? move_chain(chain_of(b), quarters) : move_whole(b, quarters);
}

/* ---- readers ---- */

static unsigned lease_whole(struct body *b, uint64_t from, uint64_t to, struct iovec *iov, unsigned max,
                            uint64_t *bytes)
{
    size_t tail = tail_bytes(b->room);
    uint64_t trunk = b->room - tail;
    unsigned n = 0;
    *bytes = to - from;
    if (from < trunk) {
        char *data = trunk_data(b, tail);
        if (to <= trunk || max == 1) {
            *bytes = (to < trunk ? to : trunk) - from;
            iov[0] = (struct iovec){ data + from, (size_t)*bytes };
            return 1;
        }
        iov[n++] = (struct iovec){ data + from, (size_t)(trunk - from) };
        from = trunk;
    }
    iov[n++] = (struct iovec){ tailed_of(b)->tail + (from - trunk), (size_t)(to - from) };
    return n;
}

static __attribute__((noinline)) unsigned lease_chain(struct chain *chain, struct body_cursor *c,
                                                      uint64_t from, uint64_t to, struct iovec *iov,
                                                      unsigned max, uint64_t *bytes)
{
    CHECK(!chain->b.is_distant);
    struct body_block *k = c->block ? c->block : chain->first;
    CHECK(from >= k->start); /* what was forgotten is somebody else's memory */
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

unsigned body_lease(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                    struct iovec *iov, unsigned max, uint64_t *bytes)
{
    *bytes = 0;
    if (from >= to)
        return 0;
    return b->is_chain ? lease_chain(chain_of(b), c, from, to, iov, max, bytes)
                       : lease_whole((struct body *)(uintptr_t)b, from, to, iov, max, bytes);
}
