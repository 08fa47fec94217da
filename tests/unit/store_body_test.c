/* A body gives its readers every byte once and in order, while it grows and while it forgets; all of its
 * memory is counted, and none is left when the last reference goes. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/body.h"

static struct memory memory;

static int setup(void **state)
{
    (void)state;
    memory_init(&memory, 1 << 30);
    alarm(100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(memory_used(&memory), 0);
    assert_int_equal(memory.passing_bytes, 0);
    memory_fini(&memory); /* which looks whether all was given back */
    return 0;
}

/* The byte that stands at a position in all bodies here. */
static unsigned char byte_at(uint64_t position)
{
    return (unsigned char)(position * 2654435761u >> 11);
}

/* Appends up to this length, in pieces of the given size. */
static void fill(struct body *b, uint64_t length, size_t piece)
{
    unsigned char *bytes = mem_alloc(piece);
    while (body_length(b) < length) {
        uint64_t at = body_length(b);
        size_t n = length - at < piece ? (size_t)(length - at) : piece;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        assert_int_equal(body_append(b, (struct str){ (char *)bytes, n }), n);
    }
    mem_free(bytes);
}

/* Checks one lease; returns its bytes. */
static uint64_t read_some(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                          unsigned max)
{
    struct iovec iov[8];
    uint64_t bytes = 77, sum = 0;
    assert_true(max <= COUNT_OF(iov));
    unsigned n = body_lease(b, c, from, to, iov, max, &bytes);
    assert_true(n <= max);
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *p = iov[i].iov_base;
        assert_true(iov[i].iov_len > 0);
        for (size_t k = 0; k < iov[i].iov_len; k++)
            if (p[k] != byte_at(from + sum + k))
                fail_msg("wrong byte at %llu", (unsigned long long)(from + sum + k));
        sum += iov[i].iov_len;
    }
    assert_int_equal(sum, bytes);
    assert_true(bytes <= to - from);
    return bytes;
}

static void read_all(const struct body *b, uint64_t from, uint64_t to, unsigned max)
{
    struct body_cursor c = { NULL };
    while (from < to) {
        uint64_t n = read_some(b, &c, from, to, max);
        assert_true(n > 0);
        from += n;
    }
}

static void starts_empty(void **state)
{
    (void)state;
    struct body_cursor c = { NULL };
    struct iovec iov;
    uint64_t bytes = 1;
    struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
    assert_int_equal(body_length(b), 0);
    assert_int_equal(body_charged(b), memory_used(&memory));
    assert_int_equal(body_lease(b, &c, 0, 0, &iov, 1, &bytes), 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(body_append(b, STR_NONE), 0);
    body_unref(b);
    body_unref(NULL);
}

static void a_known_length_takes_one_block_of_its_size(void **state)
{
    (void)state;
    static const uint64_t lengths[] = { 1, 100, 4000, 4096, 4097, 100000, BODY_BLOCK_MAX };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct body *b = body_new(&memory, lengths[i]);
        size_t before = body_charged(b), cost = body_next_cost(b), room;
        assert_true(cost >= lengths[i] && cost < lengths[i] + 24 + HEAP_PAGE);
        assert_non_null(body_room(b, &room));
        assert_int_equal(room, lengths[i]);
        assert_int_equal(body_charged(b), before + cost);
        assert_int_equal(body_next_cost(b), 0);
        fill(b, lengths[i], 1000);
        struct body_cursor c = { NULL };
        assert_int_equal(read_some(b, &c, 0, lengths[i], 8), lengths[i]);
        assert_int_equal(body_charged(b), before + cost);
        assert_int_equal(memory_used(&memory), body_charged(b));
        body_unref(b);
    }
}

/* All at once, whatever the length, in one run or two, and little more than its bytes. */
static void a_whole_one_takes_what_it_needs(void **state)
{
    (void)state;
    static const uint64_t lengths[] = { 0,     1,     100,    1000,   4071,    4072,          4073,  4096,
                                        4097,  8000,  8168,   8192,   10240,   12000,         40000, 65535,
                                        65536, 99999, 102400, 500000, 1048575, BODY_WHOLE_MAX };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint64_t length = lengths[i];
        struct body *b = body_new_whole(&memory, length);
        assert_int_equal(body_charged(b), body_whole_cost(length));
        assert_int_equal(memory_used(&memory), body_charged(b));
        assert_true(body_charged(b) >= length && body_charged(b) <= length + 300);
        assert_int_equal(body_length(b), 0);
        assert_int_equal(body_next_cost(b), 0);
        fill(b, length, 1000);
        assert_int_equal(body_charged(b), body_whole_cost(length));
        struct body_cursor c = { NULL };
        assert_int_equal(read_some(b, &c, 0, length, 2), length);
        static const uint64_t near[] = { 0, 1, 4063, 4064, 4065, 8160, 8161, 8168 };
        for (size_t k = 0; k < COUNT_OF(near); k++)
            for (unsigned max = 1; max <= 3 && near[k] < length; max++) {
                read_all(b, near[k], length, max);
                read_all(b, 0, near[k], max);
                read_all(b, length - 1 - near[k], length, max);
            }
        struct body *same = body_compact(b);
        assert_ptr_equal(same, b);
        body_unref(same);
        if (i % 2)
            body_pass(b);
        /* All of it is there already, and stays counted. */
        assert_int_equal(memory_used(&memory), body_charged(b));
        assert_int_equal(memory.passing_bytes, 0);
        body_forget(b, length / 2); /* it stays as it is */
        read_all(b, 0, length, 2);
        body_unref(b);
        assert_int_equal(memory.passing_bytes + memory_used(&memory), 0);
    }
}

/* What body_room charges is what body_next_cost said, for every block. */
static void costs_what_it_says(void **state)
{
    (void)state;
    static const uint64_t expected[] = { BODY_LENGTH_UNKNOWN, 0, 10, 3 * BODY_BLOCK_MAX + 5 };
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        struct body *b = body_new(&memory, expected[i]);
        while (body_length(b) < 5 * BODY_BLOCK_MAX) {
            size_t cost = body_next_cost(b), before = body_charged(b), room;
            assert_true(cost > 0);
            char *p = body_room(b, &room);
            assert_int_equal(body_charged(b), before + cost);
            assert_true(room > 0 && room <= BODY_BLOCK_MAX);
            /* In two parts: in between nothing is charged. */
            memset(p, 0, room);
            body_commit(b, room / 2);
            assert_int_equal(body_next_cost(b), 0);
            body_commit(b, room - room / 2);
        }
        assert_int_equal(memory_used(&memory), body_charged(b));
        body_unref(b);
    }
}

/* A long body of unknown length has few blocks, and at no time much more memory than bytes. */
static void grows_in_proportion(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
    size_t blocks = 0;
    for (uint64_t length = 1; length < 20 * BODY_BLOCK_MAX; length += length / 3 + 1) {
        fill(b, length, 4093);
        assert_true(body_charged(b) < 2 * length + 4096 + 512);
    }
    struct body_cursor c = { NULL };
    for (uint64_t at = 0; at < body_length(b); blocks++)
        at += read_some(b, &c, at, body_length(b), 1);
    assert_true(blocks <= 8 + 20);
    body_unref(b);
}

/* Positions on both sides of each boundary between blocks, which fill whole pages with their heads; pieces 1
 * to 8 at a time. */
static void leases_at_every_boundary(void **state)
{
    (void)state;
    enum { LENGTH = 40000 };
    struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
    fill(b, LENGTH, 1500);
    static const uint64_t near[] = { 0,    1,     4071,  4072,  4073,       8143,  8144,
                                     8145, 16312, 32671, 32672, LENGTH - 1, LENGTH };
    for (size_t i = 0; i < COUNT_OF(near); i++)
        for (size_t k = i; k < COUNT_OF(near); k++)
            for (unsigned max = 1; max <= 8; max++)
                read_all(b, near[i], near[k], max);
    /* One cursor, from boundary to boundary. */
    struct body_cursor c = { NULL };
    for (size_t i = 0; i + 1 < COUNT_OF(near); i++)
        for (uint64_t at = near[i]; at < near[i + 1];)
            at += read_some(b, &c, at, near[i + 1], 8);
    /* The same run twice: what was leased and not taken is leased again. */
    c.block = NULL;
    assert_int_equal(read_some(b, &c, 4000, 4072, 8), 72);
    assert_int_equal(read_some(b, &c, 4000, 4072, 8), 72);
    assert_int_equal(read_some(b, &c, 4072, 4073, 8), 1);
    body_unref(b);
}

static void grows_beyond_what_was_announced(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, 100);
    fill(b, 70000, 333);
    read_all(b, 0, 70000, 8);
    body_unref(b);
    /* Announced and not sent: nothing is taken before the first byte. */
    b = body_new(&memory, 1 << 30);
    assert_true(body_charged(b) < 256);
    size_t room;
    body_room(b, &room);
    assert_int_equal(room, BODY_BLOCK_MAX);
    body_unref(b);
}

static void references_are_counted(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, 10);
    fill(b, 10, 10);
    assert_ptr_equal(body_ref(b), b);
    int64_t used = memory_used(&memory);
    body_unref(b);
    assert_int_equal(memory_used(&memory), used);
    read_all(b, 0, 10, 1);
    body_unref(b);
    assert_int_equal(memory_used(&memory), 0);
}

/* ---- passing bodies ---- */

static void forgets_what_is_behind(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
    fill(b, 5000, 5000);
    int64_t kept = memory_used(&memory);
    body_forget(b, 0);
    /* What was kept is counted where it was, until it goes; what comes now is not. */
    int64_t still = memory_used(&memory);
    assert_in_range(still, 8192, kept - 1);
    assert_int_equal(memory.passing_bytes, kept - still);
    assert_int_equal(body_charged(b), kept);
    fill(b, 200000, 5000);
    size_t most = body_charged(b);
    assert_int_equal(memory_used(&memory), still);
    assert_int_equal(memory.passing_bytes + still, most);

    /* The cursor stands in the block that ends at 4072: with the reader at 4072 it stays, one byte on it
     * goes. */
    struct body_cursor c = { NULL };
    assert_int_equal(read_some(b, &c, 0, 4072, 8), 4072);
    body_forget(b, 4072);
    assert_int_equal(body_charged(b), most);
    assert_int_equal(read_some(b, &c, 4072, 4073, 8), 1);
    body_forget(b, 4073);
    assert_true(body_charged(b) < most);
    assert_true(memory_used(&memory) < still);
    assert_int_equal(memory.passing_bytes + memory_used(&memory), body_charged(b));
    /* The reader is behind: that changes nothing. */
    most = body_charged(b);
    body_forget(b, 10);
    assert_int_equal(body_charged(b), most);
    for (uint64_t at = 4073; at < 200000;) {
        at += read_some(b, &c, at, at + 777 < 200000 ? at + 777 : 200000, 3);
        body_forget(b, at);
        assert_true(body_charged(b) <= most);
        most = body_charged(b);
    }
    assert_int_equal(memory_used(&memory), 0);
    /* All is read; the last block stays for the writer and for the cursor. */
    assert_true(most < 2 * 16384 + 512);
    fill(b, 260000, 100);
    for (uint64_t at = 200000; at < 260000;)
        at += read_some(b, &c, at, 260000, 8);
    body_forget(b, 260000);
    assert_true(body_charged(b) < 2 * 16384 + 512);
    body_unref(b);
}

/* Also when nobody read what goes: a position beyond the length drops all but the last block. */
static void forgets_beyond_the_end(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
    body_forget(b, UINT64_MAX);
    fill(b, 100000, 5000);
    body_forget(b, UINT64_MAX);
    assert_true(body_charged(b) < 16384 + 512);
    size_t room;
    assert_non_null(body_room(b, &room));
    body_unref(b);
}

static void passes_from_the_start(void **state)
{
    (void)state;
    struct body *b = body_new(&memory, 3);
    body_pass(b);
    body_pass(b);
    assert_int_equal(memory_used(&memory), 0);
    fill(b, 3, 3);
    assert_int_equal(memory_used(&memory), 0);
    assert_int_equal(memory.passing_bytes, body_charged(b));
    assert_true(body_charged(b) < 512); /* no window for so little */
    struct body *other = body_ref(b);
    body_unref(b);
    read_all(other, 0, 3, 1);
    body_unref(other);

    b = body_new(&memory, 20000);
    body_pass(b);
    fill(b, 1, 1);
    assert_in_range(body_charged(b), 16384, 16384 + 512); /* a window, and then the rest */
    fill(b, 20000, 5000);
    assert_in_range(body_charged(b), 20000, 24576 + 512);
    read_all(b, 0, 20000, 3);
    body_unref(b);
}

/* ---- compaction ---- */

static void compacts(void **state)
{
    (void)state;
    static const uint64_t lengths[] = { 0,    1,    50,    4095,  4096,   4097,
                                        5000, 9000, 16384, 20000, 500000, BODY_BLOCK_MAX };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct body *b = body_new(&memory, BODY_LENGTH_UNKNOWN);
        size_t room;
        body_room(b, &room); /* a block stands ready, as after a read that brought nothing more */
        fill(b, lengths[i], 700);
        int64_t before = memory_used(&memory);
        struct body *c = body_compact(b);
        assert_int_equal(body_length(c), lengths[i]);
        if (c == b)
            assert_int_equal(memory_used(&memory), before);
        else
            assert_int_equal(memory_used(&memory), before + (int64_t)body_charged(c));
        /* At most an eighth of the ideal, which is the bytes and two headers, is wasted. */
        assert_true(body_charged(c) <= (lengths[i] < 65536 ? lengths[i] + 300 : (lengths[i] + 160) * 9 / 8));
        body_unref(b);
        read_all(c, 0, lengths[i], 8);
        assert_int_equal(memory_used(&memory), body_charged(c));
        body_unref(c);
    }
}

static void does_not_compact_what_it_should_not(void **state)
{
    (void)state;
    struct body *exact = body_new(&memory, 100000), *passing = body_new(&memory, BODY_LENGTH_UNKNOWN),
                *large = body_new(&memory, BODY_LENGTH_UNKNOWN);
    fill(exact, 100000, 700);
    body_pass(passing);
    fill(passing, 10, 10);
    fill(large, BODY_WHOLE_MAX + 1, 7000);
    struct body *all[] = { exact, passing, large };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct body *c = body_compact(all[i]);
        assert_ptr_equal(c, all[i]);
        body_unref(c);
        body_unref(all[i]);
    }
}

/* ---- memory ---- */

static void counts_the_budget(void **state)
{
    (void)state;
    struct memory m;
    memory_init(&m, 1000);
    assert_int_equal(memory_excess(&m, 1000), 0);
    assert_int_equal(memory_excess(&m, 1001), 1);
    memory_charge(&m, 600);
    assert_int_equal(memory_excess(&m, 400), 0);
    assert_int_equal(memory_excess(&m, 500), 100);
    memory_charge(&m, 600);
    assert_int_equal(memory_excess(&m, 0), 200);
    memory_charge(&m, -1200);
    assert_int_equal(memory_used(&m), 0);
    memory_fini(&m);
    /* glibc: at least 32 bytes, then steps of 16, one word of it its own. */
    assert_int_equal(mem_cost(0), 32);
    assert_int_equal(mem_cost(24), 32);
    assert_int_equal(mem_cost(25), 48);
    assert_int_equal(mem_cost(40), 48);
    assert_int_equal(mem_cost(41), 64);
    assert_int_equal(mem_cost(4096), 4112);
}

/* ---- threads ---- */

#define READERS 3
#define TOTAL   ((uint64_t)3 << 20)
#define WINDOW  ((uint64_t)100000)

struct world {
    struct body *body;
    bool passes;
    _Atomic uint64_t positions[READERS];
    atomic_bool sealed;
};

struct reader {
    struct world *w;
    unsigned number;
    pthread_t thread;
    uint64_t wrong, read;
};

/* No assertions on other threads: cmocka's are for the main one. */
static void *read_along(void *ctx)
{
    struct reader *r = ctx;
    struct body_cursor c = { NULL };
    uint64_t step = 1000 + 7919 * r->number;
    for (;;) {
        bool sealed = atomic_load(&r->w->sealed);
        uint64_t there = body_length(r->w->body);
        if (r->read == there && sealed)
            break;
        if (r->read == there) {
            sched_yield();
            continue;
        }
        struct iovec iov[4];
        uint64_t bytes, to = r->read + step < there ? r->read + step : there, at = r->read;
        unsigned n = body_lease(r->w->body, &c, r->read, to, iov, 4, &bytes);
        for (unsigned i = 0; i < n; i++)
            for (size_t k = 0; k < iov[i].iov_len; k++)
                r->wrong += ((unsigned char *)iov[i].iov_base)[k] != byte_at(at++);
        r->read += bytes;
        atomic_store_explicit(&r->w->positions[r->number], r->read, memory_order_release);
    }
    body_unref(r->w->body);
    return NULL;
}

static uint64_t slowest(struct world *w)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < READERS; i++) {
        uint64_t p = atomic_load_explicit(&w->positions[i], memory_order_acquire);
        least = p < least ? p : least;
    }
    return least;
}

static void write_with_readers(bool passes)
{
    struct world w = { .body = body_new(&memory, BODY_LENGTH_UNKNOWN), .passes = passes };
    struct reader readers[READERS] = { 0 };
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .w = &w, .number = i };
        body_ref(w.body);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_along, &readers[i]), 0);
    }
    size_t most = 0;
    for (uint64_t length = 1; length < TOTAL; length += 3001) {
        /* Kept at first, as a body that turns out too long is. */
        bool forget = passes && length > TOTAL / 4;
        while (forget && length - slowest(&w) > WINDOW)
            sched_yield();
        if (forget)
            body_forget(w.body, slowest(&w));
        fill(w.body, length, 3001);
        if (length > TOTAL / 2)
            most = body_charged(w.body) > most ? body_charged(w.body) : most;
    }
    uint64_t length = body_length(w.body);
    struct body *b = w.body;
    body_ref(b);
    atomic_store(&w.sealed, true);
    struct body *c = body_compact(b);
    assert_ptr_equal(c, b);
    body_unref(c);
    body_unref(b);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
        assert_int_equal(readers[i].read, length);
    }
    if (passes)
        assert_true(most < WINDOW + 4 * 16384);
    body_unref(b);
}

static void is_read_by_others_while_it_grows(void **state)
{
    (void)state;
    write_with_readers(false);
}

static void is_read_by_others_while_it_forgets(void **state)
{
    (void)state;
    write_with_readers(true);
}

/* It has a length and no bytes; it is counted, moved, compacted and passed on as any other. */
static void a_distant_body_has_no_bytes(void **state)
{
    (void)state;
    const struct body_distance where = { { 1, 2 }, 3 };
    struct body *b = body_new_distant(&memory, (uint64_t)5 << 30, &where);
    assert_int_equal(memory_used(&memory), body_distant_cost());
    assert_int_equal(body_charged(b), body_distant_cost());
    assert_int_equal(body_length(b), (uint64_t)5 << 30);
    assert_int_equal(body_expected(b), (uint64_t)5 << 30);
    assert_int_equal(body_next_cost(b) > 0, 1);
    struct body *same = body_compact(b);
    assert_ptr_equal(same, b);
    body_unref(same);
    b = body_move(b, 4);
    assert_true(hash128_eq(body_distance(b)->key, where.key) && body_distance(b)->object == where.object);
    body_unref(b);
    struct body *whole = body_new_whole(&memory, 10), *chain = body_new(&memory, 10);
    assert_null(body_distance(whole));
    assert_null(body_distance(chain));
    body_unref(whole);
    body_unref(chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(a_known_length_takes_one_block_of_its_size, setup, teardown),
        cmocka_unit_test_setup_teardown(a_whole_one_takes_what_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(costs_what_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(grows_in_proportion, setup, teardown),
        cmocka_unit_test_setup_teardown(leases_at_every_boundary, setup, teardown),
        cmocka_unit_test_setup_teardown(grows_beyond_what_was_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(references_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_what_is_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_beyond_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_from_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(compacts, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_compact_what_it_should_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_distant_body_has_no_bytes, setup, teardown),
        cmocka_unit_test(counts_the_budget),
        cmocka_unit_test_setup_teardown(is_read_by_others_while_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(is_read_by_others_while_it_forgets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
