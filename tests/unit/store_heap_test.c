/* The heap gives each piece its own bytes, costs what it says, fills up what is there before it asks the
 * system, and returns to the system what it does not need. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/heap.h"
#include "store/memory.h"

#define DIRTY_MAX ((size_t)256)

static struct heap heap;
static uint64_t dice_now;

static uint64_t dice(uint64_t below)
{
    dice_now = dice_now * 6364136223846793005u + 1442695040888963407u;
    return (dice_now >> 33) % below;
}

static int begin(void **state)
{
    (void)state;
    alarm(150);
    dice_now = 1;
    heap_init(&heap, DIRTY_MAX, 0);
    return 0;
}

/* heap_fini looks whether every page was given back. */
static int end(void **state)
{
    (void)state;
    assert_int_equal(heap.holes, 0);
    assert_true(heap.dirty <= DIRTY_MAX);
    heap_fini(&heap);
    return 0;
}

struct piece {
    unsigned char *p;
    size_t bytes;
    unsigned char mark;
};

/* Marks both ends: a piece that shares a byte with another is found when either is given back. */
static void take(struct piece *piece, size_t bytes)
{
    static unsigned char next;
    *piece = (struct piece){ heap_take(&heap, bytes), bytes, ++next };
    assert_non_null(piece->p);
    size_t ends = bytes < 64 ? bytes : 64;
    memset(piece->p, piece->mark, ends);
    memset(piece->p + bytes - ends, piece->mark, ends);
}

static void give(struct piece *piece)
{
    size_t ends = piece->bytes < 64 ? piece->bytes : 64;
    for (size_t i = 0; i < ends; i++)
        if (piece->p[i] != piece->mark || piece->p[piece->bytes - 1 - i] != piece->mark)
            fail_msg("byte %zu of %zu is somebody else's", i, piece->bytes);
    heap_give(&heap, piece->p, piece->bytes);
    piece->p = NULL;
}

/* Small from 0 to a page, large in whole pages; hardly more than what was asked for. */
static void costs_little_more(void **state)
{
    (void)state;
    size_t last = 0;
    for (size_t bytes = 0; bytes <= 3 * HEAP_PAGE; bytes++) {
        size_t cost = heap_cost(bytes);
        assert_true(cost >= bytes && cost >= last && cost % 8 == 0);
        assert_int_equal(heap_cost(cost), cost);
        if (bytes <= HEAP_SMALL)
            assert_true(cost - bytes <= (bytes <= 512 ? 8 : bytes / 32));
        else
            assert_int_equal(cost, (bytes + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE);
        last = cost;
    }
    heap_give(&heap, NULL, 10);
}

static void gives_each_piece_its_own(void **state)
{
    (void)state;
    enum { PIECES = 300 };
    for (size_t bytes = 1; bytes <= 2 * HEAP_PAGE + 1; bytes = bytes < 200 ? bytes + 13 : bytes + bytes / 7) {
        struct piece pieces[PIECES];
        for (size_t i = 0; i < PIECES; i++) {
            take(&pieces[i], bytes);
            assert_int_equal((uintptr_t)pieces[i].p % 8, 0);
            if (bytes > HEAP_SMALL)
                assert_int_equal((uintptr_t)pieces[i].p % HEAP_PAGE, 0);
        }
        /* All that it holds is for them, but for one slab that is not full and what is lost at the ends of
         * slabs. */
        size_t all = PIECES * heap_cost(bytes);
        assert_true((size_t)heap.holes <= all / 32 + 16 * HEAP_PAGE);
        for (size_t i = 0; i < PIECES; i += 2)
            give(&pieces[i]);
        for (size_t i = 0; i < PIECES; i += 2)
            take(&pieces[i], bytes);
        for (size_t i = PIECES; i-- > 0;)
            give(&pieces[i]);
        assert_int_equal(heap.holes, 0);
    }
}

/* A cache line's worth of them stands on cache lines. */
static void aligns_powers_of_two(void **state)
{
    (void)state;
    struct piece pieces[20];
    for (size_t bytes = 16; bytes <= HEAP_PAGE; bytes *= 2) {
        for (size_t i = 0; i < COUNT_OF(pieces); i++) {
            take(&pieces[i], bytes);
            assert_int_equal((uintptr_t)pieces[i].p % bytes, 0);
        }
        for (size_t i = 0; i < COUNT_OF(pieces); i++)
            give(&pieces[i]);
    }
}

static size_t any_size(void)
{
    switch (dice(8)) {
    case 0: return 1 + (size_t)dice(2 << 20);
    case 1: return 1 + (size_t)dice(60000);
    case 2: return 1 + (size_t)dice(HEAP_SMALL);
    default: return 1 + (size_t)dice(600);
    }
}

/* Random sizes come and go: no two share a byte, and holes and pages are counted rightly. */
static void bears_any_order(void **state)
{
    (void)state;
    enum { PIECES = 2000, STEPS = 60000 };
    static struct piece pieces[PIECES];
    size_t small = 0, large = 0;
    for (int step = 0; step < STEPS; step++) {
        struct piece *piece = &pieces[dice(step / 15000 % 2 ? 100 : PIECES)];
        size_t *sum = NULL;
        if (piece->p) {
            sum = piece->bytes <= HEAP_SMALL ? &small : &large;
            *sum -= heap_cost(piece->bytes);
            give(piece);
        } else {
            take(piece, any_size());
            sum = piece->bytes <= HEAP_SMALL ? &small : &large;
            *sum += heap_cost(piece->bytes);
        }
        if (step % 500 == 0) {
            size_t books = heap.chunks_n * 8 * HEAP_PAGE;
            size_t resident = heap_resident(&heap);
            assert_true(heap.holes >= 0);
            assert_true(resident >= small + large + (size_t)heap.holes);
            assert_true(resident <= small + large + (size_t)heap.holes + heap.dirty * HEAP_PAGE + books);
            assert_true(heap.dirty <= DIRTY_MAX);
        }
    }
    for (size_t i = 0; i < PIECES; i++)
        if (pieces[i].p)
            give(&pieces[i]);
}

/* What was given back is used again before the system is asked for more. */
static void fills_up_what_is_there(void **state)
{
    (void)state;
    enum { PIECES = 4000 };
    static struct piece pieces[PIECES];
    size_t most = 0;
    for (int round = 0; round < 30; round++) {
        for (size_t i = 0; i < PIECES; i++)
            if (!pieces[i].p)
                take(&pieces[i], 100 + (i * 37 + (size_t)round) % 3000);
        size_t now = heap_resident(&heap);
        most = round == 3 ? now : most;
        if (round > 3)
            assert_true(now <= most + most / 8);
        for (size_t i = 0; i < PIECES; i++)
            if (dice(2))
                give(&pieces[i]);
    }
    for (size_t i = 0; i < PIECES; i++)
        if (pieces[i].p)
            give(&pieces[i]);
}

static void returns_what_it_does_not_need(void **state)
{
    (void)state;
    enum { PIECES = 2000 };
    static struct piece small[PIECES], large[100];
    struct piece last;
    for (size_t i = 0; i < PIECES; i++)
        take(&small[i], 3000);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        take(&large[i], 500000);
    take(&last, 10); /* the first chunk is not empty */
    size_t all = heap_resident(&heap);
    assert_true(all > PIECES * 3000 + COUNT_OF(large) * 500000);
    for (size_t i = 0; i < PIECES; i++)
        give(&small[i]);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        give(&large[i]);
    assert_true(heap_resident(&heap) <=
                DIRTY_MAX * HEAP_PAGE + heap.chunks_n * 9 * HEAP_PAGE + 16 * HEAP_PAGE);
    assert_true(heap.chunks_n <= 4);
    give(&last);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif
#define HUGE_BYTES  ((size_t)2 << 20)
#define CHUNK_BYTES (2 * HUGE_BYTES)

static size_t resident_pages(unsigned char *p, size_t bytes)
{
    unsigned char there[64];
    size_t n = 0, pages = (bytes + HEAP_PAGE - 1) / HEAP_PAGE;
    assert_true(pages <= COUNT_OF(there));
    assert_int_equal(mincore(p, bytes, there), 0);
    for (size_t i = 0; i < pages; i++)
        n += there[i] & 1;
    return n;
}

/* A large heap has huge pages where the system has them; what it does not need of them goes back
 * nevertheless. */
static void returns_parts_of_huge_pages(void **state)
{
    (void)state;
    enum { PIECES = 1600, BYTES = 65536 };
    static struct piece pieces[PIECES];
    static unsigned char *at[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        take(&pieces[i], BYTES);
        memset(pieces[i].p, pieces[i].mark, BYTES);
        at[i] = pieces[i].p;
    }
    size_t huge = 0;
    for (size_t i = 0; i < heap.chunks_n; i++)
        huge += heap.chunks[i].huge;
    assert_in_range(huge, 1, heap.chunks_n - 1); /* not the first */
    for (size_t i = 0; i < PIECES; i += 2)
        give(&pieces[i]);
    /* What the system does by itself after some seconds (khugepaged): where it may, it makes huge pages again
     * of what is left. */
    for (size_t i = 0; i < heap.chunks_n; i++)
        for (size_t k = 0; k < CHUNK_BYTES; k += HUGE_BYTES)
            madvise((char *)heap.chunks[i].chunk + k, HUGE_BYTES, MADV_COLLAPSE);
    size_t left = 0;
    for (size_t i = 0; i < PIECES; i += 2)
        left += resident_pages(at[i], BYTES);
    assert_in_range(left, 1, DIRTY_MAX);
    for (size_t i = 1; i < PIECES; i += 2)
        give(&pieces[i]);
}

/* A heap of its own for so many pages, and `n` pieces of a page from it. */
static void **fill(struct heap *h, size_t most, size_t n)
{
    void **pieces = mem_alloc(n * sizeof(*pieces));
    heap_init(h, DIRTY_MAX, most);
    for (size_t i = 0; i < n; i++)
        pieces[i] = heap_take(h, HEAP_PAGE);
    return pieces;
}

/* Below its size the heap waits until there is time; then whole chunks go first, and huge pages are not split
 * for what follows anyway. */
static void gives_back_when_there_is_time(void **state)
{
    (void)state;
    enum { PIECES = 20 * 1024, MOST = 30 * 1024 };
    struct heap h;
    void **pieces = fill(&h, MOST, PIECES);
    size_t full = heap_resident(&h), steps = 0;
    assert_int_equal(full, (h.used + h.dirty) * HEAP_PAGE);
    assert_false(heap_trim(&h));
    /* All but one of a thousand. */
    for (size_t i = 0; i < PIECES; i++)
        if (i % 1000)
            heap_give(&h, pieces[i], HEAP_PAGE);
    assert_int_equal(heap_resident(&h), full);
    while (heap_trim(&h))
        steps++;
    assert_true(steps < PIECES / 16);
    assert_true(h.dirty <= DIRTY_MAX);
    size_t left = heap_resident(&h);
    assert_int_equal(left, (h.used + h.dirty) * HEAP_PAGE);
    assert_true(left < full / 20);
    /* What is empty goes as a whole, a step each. */
    for (size_t i = 1; i < PIECES; i++)
        if (i % 1000)
            pieces[i] = heap_take(&h, HEAP_PAGE);
    size_t chunks = h.chunks_n;
    for (size_t i = 0; i < PIECES; i++)
        heap_give(&h, pieces[i], HEAP_PAGE);
    for (steps = 1; heap_trim(&h); steps++)
        ;
    assert_true(steps <= chunks + 64);
    assert_true(h.chunks_n <= 1);
    mem_free(pieces);
    heap_fini(&h);
}

/* Above its size it does not wait. */
static void gives_back_at_once_when_too_large(void **state)
{
    (void)state;
    enum { PIECES = 20 * 1024, MOST = 10 * 1024 };
    struct heap h;
    void **pieces = fill(&h, MOST, PIECES);
    for (size_t i = 0; i < PIECES; i++) {
        heap_give(&h, pieces[i], HEAP_PAGE);
        assert_true(h.dirty <= DIRTY_MAX || h.used + h.dirty <= MOST);
    }
    assert_in_range(heap_resident(&h), (MOST / 2) * HEAP_PAGE, MOST * HEAP_PAGE);
    mem_free(pieces);
    heap_fini(&h);
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* In a full cache each page takes the place of another: the system is not asked for it each time, whatever
 * was there before. */
static void replaces_without_the_system(void **state)
{
    (void)state;
    enum { SMALL = 4000, LARGE = 100, STEPS = 2000 };
    static struct piece small[SMALL], large[LARGE];
    for (size_t i = 0; i < SMALL; i++)
        take(&small[i], 3000);
    for (size_t i = 0; i < LARGE; i++)
        take(&large[i], 20000);
    /* Their slabs leave as many dirty pages behind as may be. */
    for (size_t i = 0; i < SMALL; i++)
        if (i % 50)
            give(&small[i]);
    long before = 0;
    for (size_t step = 0; step < 2 * STEPS; step++) {
        before = step == STEPS ? faults() : before;
        give(&large[step % LARGE]);
        take(&large[step % LARGE], 20000);
    }
    assert_true(faults() - before < STEPS / 4);
    for (size_t i = 0; i < SMALL; i += 50)
        give(&small[i]);
    for (size_t i = 0; i < LARGE; i++)
        give(&large[i]);
}

/* Larger than a chunk: from the system, at the same cost. */
static void gives_huge_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = { (4 << 20) - 65536, (4 << 20) - 1, 4 << 20, 5 << 20 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct piece piece;
        take(&piece, sizes[i]);
        give(&piece);
    }
}

/* Whatever is wrong about it ends the process before a byte is somebody else's. */
static void dies(void *p, size_t bytes)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka's would go on */
        heap_give(&heap, p, bytes);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void refuses_what_is_no_piece(void **state)
{
    (void)state;
    struct piece small[3], large;
    for (size_t i = 0; i < COUNT_OF(small); i++)
        take(&small[i], 100);
    take(&large, 10000);
    void *given = small[1].p, *pages = large.p;
    dies(small[0].p, 200);      /* another size */
    dies(small[0].p + 16, 100); /* amid one */
    dies(large.p, 100);         /* no slab */
    give(&small[1]);
    give(&large);
#ifdef FRESHET_DEBUG
    dies(given, 100); /* twice */
#endif
    dies(pages, 10000);
    (void)given;
    give(&small[0]);
    give(&small[2]);
}

/* ---- a large heap ---- */

/* The thread sanitizer has shadows of all memory: it bears 4 GB. */
#ifdef __SANITIZE_THREAD__
enum { LARGE_CHUNKS = 1024, LARGE_HALVES = 11 };
#else
enum { LARGE_CHUNKS = 16384, LARGE_HALVES = 15 };
#endif

/* 64 GB of chunks, each with a free run of another length: a run is found, and pages go back, in as many
 * steps as there are halves of halves of chunks, not in as many as there are chunks. Address space, hardly a
 * page of which is touched. */
static void finds_its_way_in_64_gigabytes(void **state)
{
    (void)state;
    enum { CHUNKS = LARGE_CHUNKS, RUN = 1000, STEPS_MOST = 8 * LARGE_HALVES };
    static unsigned char *runs[CHUNKS];
    struct heap h;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* else each chunk's books would take 2 MiB */
    heap_init(&h, DIRTY_MAX, 0);
    uint64_t most = 0;
    for (size_t i = 0; i < CHUNKS; i++) {
        uint64_t before = h.steps;
        runs[i] = heap_take(&h, (RUN - i % 7) * HEAP_PAGE);
        assert_non_null(runs[i]);
        most = h.steps - before > most ? h.steps - before : most;
    }
    assert_in_range(h.chunks_n, CHUNKS * 9 / 10, CHUNKS);
    /* Runs that few have, and one that nobody has; those that come free give pages back at once. */
    for (size_t i = 0; i < 2000; i++) {
        uint64_t before = h.steps;
        size_t k = (size_t)dice(CHUNKS), bytes = (1 + (size_t)dice(30)) * HEAP_PAGE;
        heap_give(&h, runs[k], (RUN - k % 7) * HEAP_PAGE);
        void *p = heap_take(&h, bytes), *whole = heap_take(&h, RUN * HEAP_PAGE);
        heap_give(&h, p, bytes);
        heap_give(&h, whole, RUN * HEAP_PAGE);
        runs[k] = heap_take(&h, (RUN - k % 7) * HEAP_PAGE);
        uint64_t steps = (h.steps - before) / 6;
        most = steps > most ? steps : most;
    }
    print_message("%zu chunks: at most %llu steps\n", h.chunks_n, (unsigned long long)most);
    assert_true(most <= STEPS_MOST);
    for (size_t i = 0; i < CHUNKS; i++)
        heap_give(&h, runs[i], (RUN - i % 7) * HEAP_PAGE);
    uint64_t before = h.steps;
    heap_trim(&h);
    assert_true(h.steps - before <= STEPS_MOST);
    heap_fini(&h);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

/* ---- slabs that are hardly used ---- */

/* Pieces that move where it is denser leave their slabs empty: what one in five is left of takes little more
 * than its own in the end, and then nothing moves any more. */
static void what_is_left_moves_together(void **state)
{
    (void)state;
    enum { PIECES = 20000, BYTES = 312, LEFT = PIECES / 5 };
    static struct piece pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++)
        take(&pieces[i], BYTES);
    for (size_t i = 0; i < PIECES; i++)
        if (i % 5)
            give(&pieces[i]);
    assert_true(heap.holes > (int64_t)(PIECES - LEFT) * BYTES / 2);
    unsigned rounds = 0, moved = 1;
    for (; moved && rounds < 20; rounds++) {
        moved = 0;
        for (size_t i = 0; i < PIECES; i += 5) {
            struct piece *piece = &pieces[i];
            unsigned char *to = heap_take_denser(&heap, piece->p, BYTES, 1 + rounds % HEAP_FULLNESS);
            if (!to)
                continue;
            memcpy(to, piece->p, BYTES);
            heap_give(&heap, piece->p, BYTES);
            piece->p = to;
            moved++;
        }
        if (rounds % HEAP_FULLNESS < HEAP_FULLNESS - 1)
            moved = 1; /* it may be that none is so sparse */
    }
    assert_true(rounds < 20);
    assert_true(heap.holes < 16 * (int64_t)HEAP_PAGE + LEFT * BYTES / 50);
    assert_null(
        heap_take_denser(&heap, pieces[0].p, HEAP_SMALL + 1, HEAP_FULLNESS)); /* whole pages leave no holes */
    for (size_t i = 0; i < PIECES; i += 5)
        give(&pieces[i]);
}

/* ---- the budget ---- */

/* Room between pieces counts when it is more than a mixture of sizes needs, so that what the process takes
 * stays within its bound. */
static void counts_holes(void **state)
{
    (void)state;
    struct memory m;
    enum { PIECES = 40000 };
    void **pieces = mem_alloc(PIECES * sizeof(*pieces));
    memory_init(&m, (int64_t)64 << 20);
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = heap_take(&m.heap, 1000);
    memory_charge(&m, PIECES * 1008);
    assert_int_equal(memory_excess(&m, 0), 0);
    /* Of each four three go: half of the budget is holes. */
    for (size_t i = 0; i < PIECES; i++)
        if (i % 4) {
            heap_give(&m.heap, pieces[i], 1000);
            memory_charge(&m, -1008);
        }
    int64_t left = m.budget_bytes - memory_used(&m);
    assert_true(m.heap.holes > (int64_t)28 << 20);
    assert_true(memory_excess(&m, left) > (int64_t)20 << 20);
    assert_int_equal(memory_excess(&m, left - m.heap.holes), 0);
    for (size_t i = 0; i < PIECES; i += 4)
        heap_give(&m.heap, pieces[i], 1000);
    memory_charge(&m, -memory_used(&m));
    assert_int_equal(memory_excess(&m, m.budget_bytes), 0);
    memory_fini(&m);
    mem_free(pieces);
}

/* ---- threads ---- */

enum { THREADS = 4, OWN = 200, STEPS = 20000 };

static void *come_and_go(void *ctx)
{
    unsigned char mark = (unsigned char)(uintptr_t)ctx;
    struct piece own[OWN] = { 0 };
    uint64_t state = mark;
    uintptr_t wrong = 0;
    for (int step = 0; step < STEPS; step++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        struct piece *piece = &own[(state >> 33) % OWN];
        if (piece->p) {
            wrong += piece->p[0] != mark || piece->p[piece->bytes - 1] != mark;
            heap_give(&heap, piece->p, piece->bytes);
            piece->p = NULL;
        } else {
            piece->bytes = 1 + (state >> 40) % (step % 50 ? 1000 : 300000);
            piece->p = heap_take(&heap, piece->bytes);
            piece->p[0] = piece->p[piece->bytes - 1] = mark;
        }
    }
    for (size_t i = 0; i < OWN; i++)
        heap_give(&heap, own[i].p, own[i].bytes);
    return (void *)wrong;
}

static void several_threads_share_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(costs_little_more),
        T(gives_each_piece_its_own),
        T(aligns_powers_of_two),
        T(bears_any_order),
        T(fills_up_what_is_there),
        T(returns_what_it_does_not_need),
        T(replaces_without_the_system),
        T(gives_huge_pieces),
        T(refuses_what_is_no_piece),
        T(finds_its_way_in_64_gigabytes),
        T(what_is_left_moves_together),
        T(counts_holes),
        T(returns_parts_of_huge_pages),
        T(gives_back_when_there_is_time),
        T(gives_back_at_once_when_too_large),
        T(several_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
