/* Eviction keeps what is asked for again: S3-FIFO's hit ratios on a shop's trace, better than LRU's also when
 * weights differ; nothing queued is lost or comes out twice, and what it remembers of the past stays
 * small. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cache/evict.h"
#include "cache/ghost.h"

#define TRACE    SOURCE_FOLDER "/../shared/data/web07.trace.xz"
#define REQUESTS 76118
#define PAGES    20484

static uint32_t *trace; /* page numbers from 0 up, in order of appearance */

static int setup(void **state)
{
    (void)state;
    alarm(150);
    return 0;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The page numbers of the file are sparse: an open-addressed table gives each the next small one. */
static uint32_t renumber(uint32_t *table, size_t mask, uint32_t *numbers, uint32_t page, uint32_t *next)
{
    size_t i = mix(page) & mask;
    while (numbers[i] && table[i] != page)
        i = (i + 1) & mask;
    if (!numbers[i]) {
        table[i] = page;
        numbers[i] = ++*next;
    }
    return numbers[i] - 1;
}

static bool read_trace(void)
{
    if (trace)
        return true;
    if (access(TRACE, R_OK) != 0)
        return false;
    FILE *f = popen("xz -dc '" TRACE "'", "r");
    assert_non_null(f);
    enum { SLOTS = 65536 };
    uint32_t *table = mem_alloc(SLOTS * sizeof(*table)), *numbers = mem_alloc(SLOTS * sizeof(*numbers)),
             pages = 0;
    size_t n = 0;
    unsigned char b[4];
    trace = mem_alloc(REQUESTS * sizeof(*trace));
    while (n < REQUESTS && fread(b, 1, 4, f) == 4)
        trace[n++] =
            renumber(table, SLOTS - 1, numbers,
                     (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3], &pages);
    assert_int_equal(fread(b, 1, 1, f), 0);
    pclose(f);
    assert_int_equal(n, REQUESTS);
    assert_int_equal(pages, PAGES);
    mem_free(table);
    mem_free(numbers);
    return true;
}

static int forget_trace(void **state)
{
    (void)state;
    mem_free(trace);
    return 0;
}

/* ---- simulations ---- */

struct page {
    struct evict_item item;
    struct link lru;
    bool in_lru;
};

static uint64_t one(uint32_t page)
{
    (void)page;
    return 1;
}

/* From 300 bytes to 300 KB, few of them large. */
static uint64_t bytes(uint32_t page)
{
    uint64_t r = mix(page + 1);
    return 300u << (r % 11 < r / 11 % 11 ? r % 11 : r / 11 % 11);
}

struct result {
    uint64_t hits, hit_bytes, asked_bytes;
};

/* As the cache does it: an object is queued when it is sealed, then others go until all fit. */
static struct result run_ours(uint64_t capacity, uint64_t (*weight)(uint32_t))
{
    struct result r = { 0 };
    struct page *pages = mem_alloc(PAGES * sizeof(*pages));
    struct evict *e = evict_new(capacity, NULL);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct page *p = &pages[trace[i]];
        r.asked_bytes += weight(trace[i]);
        if (p->item.queue != EVICT_NONE) {
            r.hits++;
            r.hit_bytes += weight(trace[i]);
            evict_touch(&p->item);
            continue;
        }
        p->item = (struct evict_item){ .fingerprint = mix(trace[i]), .weight = weight(trace[i]) };
        link_init(&p->item.link);
        /* Room is made before the new one comes in. */
        while (evict_weight(e) + p->item.weight > capacity && evict_take(e, NULL))
            ;
        evict_insert(e, &p->item);
    }
    evict_free(e);
    mem_free(pages);
    return r;
}

static struct result run_lru(uint64_t capacity, uint64_t (*weight)(uint32_t))
{
    struct result r = { 0 };
    struct page *pages = mem_alloc(PAGES * sizeof(*pages));
    struct list list;
    uint64_t used = 0;
    list_init(&list);
    for (size_t i = 0; i < PAGES; i++)
        link_init(&pages[i].lru);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct page *p = &pages[trace[i]];
        r.asked_bytes += weight(trace[i]);
        if (p->in_lru) {
            r.hits++;
            r.hit_bytes += weight(trace[i]);
            link_remove(&p->lru);
        } else {
            while (used + weight(trace[i]) > capacity && !list_is_empty(&list)) {
                struct page *out = CONTAINER_OF(list_pop(&list), struct page, lru);
                out->in_lru = false;
                used -= weight((uint32_t)(out - pages));
            }
            used += weight(trace[i]);
            p->in_lru = true;
        }
        list_push_back(&list, &p->lru);
    }
    mem_free(pages);
    return r;
}

/* The thread sanitizer sees nothing in what one thread does, and takes its time. */
#ifdef __SANITIZE_THREAD__
#define SIZES 1
#else
#define SIZES 4
#endif

static void reaches_the_papers_ratios(void **state)
{
    (void)state;
    static const struct {
        unsigned percent;
        double ours, lru;
    } rows[] = { { 1, .438, .392 }, { 5, .542, .506 }, { 10, .581, .557 }, { 25, .642, .629 } };
    if (!read_trace()) {
        print_message("skipped: no %s\n", TRACE);
        skip();
    }
    for (size_t i = 0; i < SIZES; i++) {
        uint64_t capacity = (uint64_t)PAGES * rows[i].percent / 100;
        double ours = (double)run_ours(capacity, one).hits / REQUESTS,
               lru = (double)run_lru(capacity, one).hits / REQUESTS;
        print_message("%2u %%: ours %.4f, LRU %.4f\n", rows[i].percent, ours, lru);
        assert_true(lru > rows[i].lru - .002 &&
                    lru < rows[i].lru + .002); /* the reading and the loop are right */
        assert_true(ours > rows[i].ours - .005 && ours < rows[i].ours + .005);
        assert_true(ours > rows[i].lru);
    }
}

static void beats_lru_with_weights(void **state)
{
    (void)state;
    if (!read_trace()) {
        print_message("skipped: no %s\n", TRACE);
        skip();
    }
    uint64_t all = 0;
    for (uint32_t i = 0; i < PAGES; i++)
        all += bytes(i);
    static const unsigned percents[] = { 1, 5, 10, 25 };
    for (size_t i = 0; i < SIZES; i++) {
        struct result ours = run_ours(all * percents[i] / 100, bytes),
                      lru = run_lru(all * percents[i] / 100, bytes);
        print_message("%2u %%: hits %.4f, LRU %.4f; bytes %.4f, LRU %.4f\n", percents[i],
                      (double)ours.hits / REQUESTS, (double)lru.hits / REQUESTS,
                      (double)ours.hit_bytes / (double)ours.asked_bytes,
                      (double)lru.hit_bytes / (double)lru.asked_bytes);
        assert_true(ours.hits > lru.hits);
        assert_true(ours.hit_bytes > lru.hit_bytes);
    }
}

/* ---- queues ---- */

static struct evict_item item_of(uint64_t fingerprint, uint64_t weight)
{
    return (struct evict_item){ .fingerprint = fingerprint, .weight = weight };
}

static void leaves_in_order(void **state)
{
    (void)state;
    struct evict *e = evict_new(100, NULL);
    struct evict_item items[10];
    assert_null(evict_take(e, NULL));
    for (int i = 0; i < 10; i++) {
        items[i] = item_of((uint64_t)i, 10); /* 0 is a fingerprint too */
        link_init(&items[i].link);
        evict_insert(e, &items[i]);
    }
    assert_int_equal(evict_weight(e), 100);
    assert_int_equal(evict_count(e), 10);
    /* Not asked for since it came: it goes; else it stays, and leaves the main queue only after the
     * others. */
    evict_touch(&items[1]);
    assert_ptr_equal(evict_take(e, NULL), &items[0]);
    assert_int_equal(items[0].queue, EVICT_NONE);
    assert_ptr_equal(evict_take(e, NULL), &items[2]);
    assert_int_equal(items[1].queue, EVICT_MAIN);
    assert_int_equal(evict_weight(e), 80);
    /* What returns goes to the main queue at once. */
    evict_insert(e, &items[2]);
    assert_int_equal(items[2].queue, EVICT_MAIN);
    for (int i = 3; i <= 7; i++)
        assert_ptr_equal(evict_take(e, NULL), &items[i]);
    /* The small queue is within its share, which has become two tenths: the main one gives. Uses there are
     * chances. */
    evict_touch(&items[1]);
    assert_ptr_equal(evict_take(e, NULL), &items[2]);
    assert_ptr_equal(evict_take(e, NULL), &items[1]);
    assert_ptr_equal(evict_take(e, NULL), &items[8]);
    assert_ptr_equal(evict_take(e, NULL), &items[9]);
    /* What left the main queue goes there again, too. */
    evict_insert(e, &items[1]);
    assert_int_equal(items[1].queue, EVICT_MAIN);
    assert_ptr_equal(evict_take(e, NULL), &items[1]);
    assert_null(evict_take(e, NULL));
    assert_int_equal(evict_weight(e), 0);
    assert_int_equal(evict_count(e), 0);
    evict_free(e);
}

/* Newcomers that return after they left: they get more room, and past uses count less while that is so. */
static void the_shares_follow_what_returns(void **state)
{
    (void)state;
    struct evict *e = evict_new(100, NULL);
    struct evict_item old[90], young[13];
    for (int i = 0; i < 90; i++) {
        old[i] = item_of(1000 + (uint64_t)i, 1);
        link_init(&old[i].link);
        evict_insert(e, &old[i]);
        evict_touch(&old[i]);
    }
    for (int i = 0; i < 13; i++) {
        young[i] = item_of(1 + (uint64_t)i, 1);
        link_init(&young[i].link);
    }
    /* All were used: they are in the main queue now. */
    assert_ptr_equal(evict_take(e, NULL), &old[0]);
    assert_int_equal(old[89].queue, EVICT_MAIN);
    for (int i = 0; i < 11; i++)
        evict_insert(e, &young[i]);
    assert_ptr_equal(evict_take(e, NULL), &young[0]); /* more than a tenth */
    evict_insert(e, &young[0]);
    assert_int_equal(young[0].queue, EVICT_MAIN);
    evict_insert(e, &young[11]);
    /* Eleven again, and now the main queue gives; three uses are good for one round, not for three. */
    for (int i = 0; i < 3; i++)
        evict_touch(&old[1]);
    assert_ptr_equal(evict_take(e, NULL), &old[2]);
    assert_int_equal(old[1].uses, 0);
    /* Old ones that return take the room back. */
    evict_insert(e, &old[2]);
    assert_int_equal(old[2].queue, EVICT_MAIN);
    evict_insert(e, &old[0]);
    evict_insert(e, &young[12]);
    evict_touch(&old[3]);
    evict_touch(&old[3]);
    assert_ptr_equal(evict_take(e, NULL), &young[1]);
    assert_ptr_equal(evict_take(e, NULL), &young[2]);
    assert_ptr_equal(evict_take(e, NULL), &old[4]);
    assert_int_equal(old[3].uses, 1);
    evict_free(e);
}

/* A page that takes the room of many needs more than one use to stay while popularity moves on; else one is
 * enough. */
static void a_heavy_one_needs_two_uses(void **state)
{
    (void)state;
    for (int moves_on = 0; moves_on < 2; moves_on++) {
        struct evict *e = evict_new(100, NULL);
        struct evict_item first = item_of(1, 1), heavy[2], light[40];
        link_init(&first.link);
        evict_insert(e, &first);
        for (uint32_t i = 0; i < COUNT_OF(heavy); i++) {
            heavy[i] = item_of(10 + i, 20);
            link_init(&heavy[i].link);
            evict_insert(e, &heavy[i]);
        }
        for (uint32_t i = 0; i < COUNT_OF(light); i++) {
            light[i] = item_of(100 + i, 1);
            link_init(&light[i].link);
            evict_insert(e, &light[i]);
        }
        for (uint32_t i = 0; i < COUNT_OF(heavy); i++)
            evict_touch(&heavy[i]);
        for (uint32_t i = 0; i < 30; i++)
            evict_touch(&light[i]);
        assert_ptr_equal(evict_take(e, NULL), &first);
        assert_ptr_equal(evict_take(e, NULL),
                         &light[30]); /* the used ones went to main, heavy ones in front */
        if (moves_on) {
            evict_insert(e, &first); /* too soon gone: newcomers get more room */
            evict_insert(e, &light[30]);
        }
        evict_touch(&heavy[0]);
        evict_touch(&heavy[1]);
        evict_touch(&heavy[1]);
        evict_touch(&light[0]);
        struct evict_item *out = evict_take(e, NULL);
        assert_ptr_equal(out, moves_on ? &heavy[0] : &light[1]);
        assert_int_equal(heavy[1].queue, EVICT_MAIN);
        assert_int_equal(light[0].queue, EVICT_MAIN);
        evict_free(e);
    }
}

static void removes(void **state)
{
    (void)state;
    struct evict *e = evict_new(100, NULL);
    struct evict_item a = item_of(1, 30), b = item_of(2, 30);
    link_init(&a.link);
    link_init(&b.link);
    evict_remove(e, &a); /* not queued */
    evict_insert(e, &a);
    evict_insert(e, &b);
    evict_remove(e, &a);
    evict_remove(e, &a);
    assert_int_equal(evict_weight(e), 30);
    assert_int_equal(evict_count(e), 1);
    /* Removed is not evicted: the ghost does not know it. */
    evict_insert(e, &a);
    assert_int_equal(a.queue, EVICT_SMALL);
    assert_ptr_equal(evict_take(e, NULL), &b);
    assert_ptr_equal(evict_take(e, NULL), &a);
    evict_free(e);
}

static void removes_many(void **state)
{
    (void)state;
    struct evict *e = evict_new(100, NULL);
    struct evict_item a = item_of(1, 10), b = item_of(2, 20), c = item_of(3, 30), out = item_of(4, 30);
    evict_insert(e, &a);
    evict_insert(e, &b);
    evict_insert(e, &c);
    evict_remove_all(e, (struct evict_item *[]){ &a, &out, &b },
                     3); /* neighbours, and one that is not queued */
    assert_int_equal(a.queue, EVICT_NONE);
    assert_int_equal(b.queue, EVICT_NONE);
    assert_int_equal(evict_weight(e), 30);
    assert_int_equal(evict_count(e), 1);
    evict_remove_all(e, NULL, 0);
    assert_ptr_equal(evict_take(e, NULL), &c);
    assert_null(evict_take(e, NULL));
    evict_free(e);
}

/* A refreshed page is the same page: it stands where the old one stood, and is as much used. */
static void a_successor_takes_the_place(void **state)
{
    (void)state;
    struct evict *e = evict_new(100, NULL);
    struct evict_item items[4], next[2];
    for (int i = 0; i < 4; i++) {
        items[i] = item_of((uint64_t)i + 1, 10);
        link_init(&items[i].link);
        evict_insert(e, &items[i]);
    }
    /* 1 to main, 0 out. */
    for (int k = 0; k < 3; k++)
        evict_touch(&items[1]);
    assert_ptr_equal(evict_take(e, NULL), &items[0]);
    assert_ptr_equal(evict_take(e, NULL), &items[2]);
    assert_int_equal(items[1].queue, EVICT_MAIN);
    evict_touch(&items[1]);
    for (int i = 0; i < 2; i++) {
        next[i] = item_of(i ? 4 : 2, 25);
        link_init(&next[i].link);
    }
    evict_replace(e, &items[1], &next[0]);
    assert_int_equal(next[0].queue, EVICT_MAIN);
    assert_int_equal(next[0].uses, 1);
    assert_int_equal(items[1].queue, EVICT_NONE);
    evict_replace(e, &items[3], &next[1]);
    assert_int_equal(next[1].queue, EVICT_SMALL);
    assert_int_equal(evict_weight(e), 50);
    assert_int_equal(evict_count(e), 2);
    /* Of what is not queued: an insert, through the ghost. */
    evict_replace(e, &items[3], &items[2]);
    assert_int_equal(items[2].queue, EVICT_MAIN);
    assert_ptr_equal(evict_take(e, NULL), &next[1]);
    assert_ptr_equal(evict_take(e, NULL), &items[2]);
    assert_ptr_equal(evict_take(e, NULL), &next[0]);
    assert_null(evict_take(e, NULL));
    assert_int_equal(evict_weight(e), 0);
    evict_free(e);
}

static void counts_uses_to_three(void **state)
{
    (void)state;
    struct evict_item i = item_of(1, 1);
    for (int k = 0; k < 300; k++)
        evict_touch(&i);
    assert_int_equal(i.uses, 3);
}

static unsigned held;

static void hold(struct evict_item *i)
{
    assert_int_equal(i->queue, EVICT_NONE);
    held++;
}

static void holds_what_it_gives(void **state)
{
    (void)state;
    struct evict *e = evict_new(10, NULL);
    struct evict_item a = item_of(1, 1);
    link_init(&a.link);
    held = 0;
    assert_null(evict_take(e, hold));
    assert_int_equal(held, 0);
    evict_insert(e, &a);
    assert_ptr_equal(evict_take(e, hold), &a);
    assert_int_equal(held, 1);
    evict_free(e);
}

/* An item larger than all, and a capacity of nothing. */
static void bears_odd_sizes(void **state)
{
    (void)state;
    static const uint64_t capacities[] = { 0, 1, 9, 10, 1 << 20 };
    for (size_t k = 0; k < COUNT_OF(capacities); k++) {
        struct evict *e = evict_new(capacities[k], NULL);
        struct evict_item items[3] = { item_of(1, 1), item_of(2, 1 << 30), item_of(3, 1) };
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 3; i++) {
                link_init(&items[i].link);
                evict_insert(e, &items[i]);
                evict_touch(&items[i]);
                evict_touch(&items[i]);
            }
            for (int i = 0; i < 3; i++)
                assert_non_null(evict_take(e, NULL));
            assert_null(evict_take(e, NULL));
            assert_int_equal(evict_weight(e), 0);
        }
        evict_free(e);
    }
}

/* Random inserts, hits, removals and evictions: what is queued is exactly what should be. */
static void loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { ITEMS = 3000, CAPACITY = 100000 };
    static struct evict_item items[ITEMS];
    static bool in[ITEMS];
    struct memory memory;
    memory_init(&memory, 1 << 30);
    struct evict *e = evict_new(CAPACITY, &memory);
    uint64_t weight = 0, dice = 1;
    size_t count = 0;
    for (int i = 0; i < ITEMS; i++) {
        /* Equal fingerprints happen: two objects of one URL. */
        items[i] = item_of(mix((uint64_t)i / 2), 1 + mix((uint64_t)i) % 200);
        link_init(&items[i].link);
    }
    for (int step = 0; step < 400000; step++) {
        dice = mix(dice + (uint64_t)step);
        size_t i = dice / 8 % ITEMS * (dice / 8 % ITEMS) / ITEMS; /* some more often than others */
        switch (dice % 8) {
        case 0:
            if (in[i]) {
                evict_remove(e, &items[i]);
                in[i] = false;
                weight -= items[i].weight;
                count--;
            }
            break;
        case 1:
        case 2: evict_touch(&items[i]); break;
        default:
            if (in[i]) {
                evict_touch(&items[i]);
                break;
            }
            items[i].uses = 0;
            evict_insert(e, &items[i]);
            in[i] = true;
            weight += items[i].weight;
            count++;
        }
        while (weight > CAPACITY) {
            struct evict_item *out = evict_take(e, NULL);
            assert_non_null(out);
            size_t k = (size_t)(out - items);
            assert_true(in[k]);
            in[k] = false;
            weight -= out->weight;
            count--;
        }
        if (step % 1000 == 0) {
            assert_int_equal(evict_weight(e), weight);
            assert_int_equal(evict_count(e), count);
        }
    }
    size_t left = 0;
    for (struct evict_item *out; (out = evict_take(e, NULL)) != NULL; left++)
        assert_true(in[out - items]);
    assert_int_equal(left, count);
    /* The ghost: at most what nine tenths of the capacity can name, two for one while it is grown. */
    assert_true(memory_used(&memory) < 64 * 2 * ITEMS);
    evict_free(e);
    assert_int_equal(memory_used(&memory), 0);
    memory_fini(&memory);
}

/* Everything that leaves returns soon: the ghost's entries are used up as fast as they come. It must not grow
 * for that. */
static void the_ghost_stays_small(void **state)
{
    (void)state;
    struct memory memory;
    memory_init(&memory, 1 << 30);
    struct evict *e = evict_new(1000, &memory);
    struct evict_item items[8] = { 0 };
    int64_t first = memory_used(&memory);
    for (uint64_t round = 0; round < 300000; round++) {
        for (size_t i = 0; i < COUNT_OF(items); i++) {
            /* Out of the small queue, back through its ghost, out of the main one, back through the other
             * ghost. */
            for (int twice = 0; twice < 2; twice++) {
                items[i] = item_of(mix(i), 1);
                link_init(&items[i].link);
                evict_insert(e, &items[i]);
                assert_int_equal(items[i].queue, twice || round ? EVICT_MAIN : EVICT_SMALL);
                assert_ptr_equal(evict_take(e, NULL), &items[i]);
            }
        }
    }
    assert_true(memory_used(&memory) <= first + 2 * 8192);
    evict_free(e);
    memory_fini(&memory);
}

/* What somebody holds would free nothing: all others go first, and when only held ones are left nobody
 * goes. */
static void takes_nothing_that_is_held(void **state)
{
    (void)state;
    enum { ITEMS = 1000 };
    static struct evict_item items[ITEMS];
    struct evict *e = evict_new(ITEMS, NULL);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = item_of(i + 1, 1);
        link_init(&items[i].link);
        if (i == 0)
            assert_true(evict_hold(e, &items[i])); /* before it is queued */
        evict_insert(e, &items[i]);
        if (i % 3 == 1)
            evict_touch(&items[i]);
    }
    assert_int_equal(evict_loose_weight(e), ITEMS - 1);
    for (uint32_t i = 1; i < ITEMS; i++)
        if (i % 2 == 0)
            assert_true(evict_hold(e, &items[i]));
    assert_true(evict_hold(e, &items[2])); /* two do */
    assert_int_equal(evict_loose_weight(e), ITEMS / 2);
    for (uint32_t out = 0; out < ITEMS / 2; out++) {
        struct evict_item *i = evict_take(e, NULL);
        assert_non_null(i);
        assert_int_equal((i - items) % 2, 1);
    }
    for (unsigned again = 0; again < 10; again++)
        assert_null(evict_take(e, NULL));
    assert_int_equal(evict_weight(e), ITEMS / 2);
    assert_int_equal(evict_loose_weight(e), 0);
    evict_release(e, &items[2]);
    assert_int_equal(evict_loose_weight(e), 0);
    evict_release(e, &items[2]);
    assert_int_equal(evict_loose_weight(e), 1);
    struct evict_item *out = NULL;
    for (unsigned tries = 0; !out && tries < ITEMS / 100; tries++)
        out = evict_take(e, NULL);
    assert_ptr_equal(out, &items[2]);
    /* Its successor is held by nobody. */
    struct evict_item next = item_of(5, 3);
    link_init(&next.link);
    evict_replace(e, &items[4], &next);
    assert_int_equal(evict_loose_weight(e), 3);
    evict_release(e, &items[4]);
    assert_int_equal(evict_loose_weight(e), 3);
    for (uint32_t i = 0; i < ITEMS; i += 2)
        if (i != 2 && i != 4)
            evict_release(e, &items[i]);
    assert_int_equal(evict_loose_weight(e), evict_weight(e));
    for (uint32_t i = 0; i < ITEMS / 2 - 1; i++)
        assert_non_null(evict_take(e, NULL));
    assert_null(evict_take(e, NULL));
    assert_int_equal(evict_loose_weight(e), 0);
    evict_free(e);
}

/* 65,535 readers can hold one; one more does not count, and gives nothing back. */
static void counts_so_many_holders(void **state)
{
    (void)state;
    struct evict *e = evict_new(10, NULL);
    struct evict_item i = item_of(1, 1);
    link_init(&i.link);
    evict_insert(e, &i);
    unsigned n = 0;
    while (evict_hold(e, &i))
        n++;
    assert_int_equal(n, UINT16_MAX);
    assert_null(evict_take(e, NULL));
    while (n-- > 0)
        evict_release(e, &i);
    assert_ptr_equal(evict_take(e, NULL), &i);
    evict_free(e);
}

/* ---- how much a call does (tests/bench/longest_call.c: how long it takes) ---- */

/* The lock is held for a bounded number of steps, whatever was used: a call comes by 256 of the small queue,
 * which move, then by 128 of the main one, which go round, and takes the next. */
static void no_call_looks_at_many(void **state)
{
    (void)state;
    enum { ITEMS = 100000, STEPS = 128 };
    struct evict_item *items = mem_alloc(ITEMS * sizeof(*items));
    struct evict *e = evict_new(ITEMS, NULL);
    uint64_t before = 0, most = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = item_of(mix(i), 1);
        link_init(&items[i].link);
        evict_insert(e, &items[i]);
    }
    assert_int_equal(evict_looked_at(e), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (i < 20)
            for (uint32_t k = 0; k < ITEMS; k++)
                items[k].uses = 3;
        assert_non_null(evict_take(e, NULL));
        uint64_t now = evict_looked_at(e), looked_at = now - before;
        most = looked_at > most ? looked_at : most;
        before = now;
    }
    assert_int_equal(most, 3 * STEPS + 1);
    assert_null(evict_take(e, NULL));
    /* All held: 256 of the small queue, of the main one, and of the small one again. */
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_true(evict_hold(e, &items[i]));
        evict_insert(e, &items[i]);
    }
    before = evict_looked_at(e);
    assert_null(evict_take(e, NULL));
    assert_in_range(evict_looked_at(e) - before, 2 * STEPS, 6 * STEPS);
    evict_free(e);
    mem_free(items);
}

/* ---- what a ghost remembers ---- */

/* In order, up to a weight and a number of entries; each is found once. */
static void a_ghost_remembers_in_order(void **state)
{
    (void)state;
    struct memory memory;
    struct ghost g;
    memory_init(&memory, 1 << 30);
    ghost_init(&g, &memory);
    enum { KEPT = 1000, ALL = 100000 };
    for (uint32_t i = 1; i <= ALL; i++) {
        ghost_add(&g, i, 3, 3 * KEPT);
        assert_true(g.weight <= 3 * KEPT);
        if (i % 5 == 0 && i > 10)
            assert_true(ghost_take(&g, i - 7));
        if (i % 100 == 0)
            ghost_add(&g, i - 50, 3, 3 * KEPT); /* it becomes the youngest */
    }
    assert_true(memory_used(&memory) < 64 * 1024);
    unsigned found = 0;
    for (uint32_t i = 1; i <= ALL; i++)
        if (ghost_take(&g, i)) {
            found++;
            assert_true(i > ALL - 2 * KEPT);
            assert_false(ghost_take(&g, i));
        }
    assert_in_range(found, KEPT - 10, KEPT);
    assert_int_equal(g.weight, 0);
    assert_int_equal(g.live, 0);
    ghost_fini(&g);
    assert_int_equal(memory_used(&memory), 0);
    memory_fini(&memory);
}

/* What is heavy makes many forget, some hundreds in one call; the rest go with the next ones. */
static void a_ghost_forgets_some_at_once(void **state)
{
    (void)state;
    enum { MANY = 100000, FORGET = 256 };
    struct ghost g;
    ghost_init(&g, NULL);
    for (uint32_t i = 1; i <= MANY; i++)
        ghost_add(&g, i, 1, MANY);
    uint32_t n = g.n;
    for (uint32_t i = 1; i <= 10; i++) {
        uint64_t before = g.steps;
        ghost_add(&g, MANY + i, MANY, MANY);
        assert_int_equal(n + i - g.n, FORGET * i);
        assert_in_range(g.steps - before, 2 * FORGET, 8 * FORGET); /* each stands in a short chain */
    }
    ghost_fini(&g);
}

/* It forgets by number too, and goes on when its numbers begin again. */
static void a_ghost_has_a_bound(void **state)
{
    (void)state;
    enum { MOST = 1 << 22, ALL = 18 << 20 };
    struct ghost g;
    uint64_t most = 0;
    unsigned long_calls = 0;
    ghost_init(&g, NULL);
    for (uint32_t i = 1; i <= ALL; i++) {
        uint64_t before = g.steps;
        ghost_add(&g, i, 1, UINT64_MAX);
        uint64_t steps = g.steps - before;
        most = steps > most ? steps : most;
        long_calls += steps > 32;
    }
    /* The tables of pointers double, one for 256 entries; nothing else takes steps. */
    print_message("a call's most steps: %u, above 32: %u\n", (unsigned)most, long_calls);
    assert_in_range(most, MOST / 256, MOST / 256 + 32);
    assert_in_range(long_calls, 10, 26);
    assert_int_equal(g.live, MOST);
    assert_int_equal(g.n, MOST);
    assert_false(ghost_take(&g, ALL - MOST));
    for (uint32_t i = ALL - MOST + 1; i <= ALL; i += 1001)
        assert_true(ghost_take(&g, i));
    ghost_fini(&g);
}

/* ---- threads ---- */

enum { THREADS = 4, OWN = 500, STEPS = 20000 };

struct owned {
    struct evict_item item;
    atomic_bool in;
};

struct crowd {
    struct evict *e;
    struct owned items[THREADS][OWN];
    _Atomic int64_t weight;
    atomic_uint wrong;
};

struct worker {
    struct crowd *c;
    unsigned number;
    pthread_t thread;
};

static void *insert_and_take(void *ctx)
{
    struct worker *w = ctx;
    struct crowd *c = w->c;
    uint64_t dice = w->number + 1;
    for (int step = 0; step < STEPS; step++) {
        dice = mix(dice + 1);
        struct owned *own = &c->items[w->number][dice % OWN];
        /* Only the owner puts it in; anybody may take it out. */
        if (!atomic_load(&own->in)) {
            atomic_store(&own->in, true);
            atomic_fetch_add(&c->weight, (int64_t)own->item.weight);
            evict_insert(c->e, &own->item);
        }
        evict_touch(&c->items[dice / 7 % THREADS][dice / 11 % OWN].item);
        while (atomic_load(&c->weight) > 5000) {
            struct evict_item *out = evict_take(c->e, NULL);
            if (!out)
                break;
            atomic_fetch_sub(&c->weight, (int64_t)out->weight);
            struct owned *o = CONTAINER_OF(out, struct owned, item);
            if (!atomic_exchange(&o->in, false))
                atomic_fetch_add(&c->wrong, 1);
        }
    }
    return NULL;
}

static void several_threads_lose_nothing(void **state)
{
    (void)state;
    struct crowd *c = mem_alloc(sizeof(*c));
    struct worker workers[THREADS];
    c->e = evict_new(5000, NULL);
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < OWN; i++) {
            c->items[t][i].item = item_of(mix(t * OWN + i), 1 + i % 20);
            link_init(&c->items[t][i].item.link);
        }
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t] = (struct worker){ .c = c, .number = t };
        assert_int_equal(pthread_create(&workers[t].thread, NULL, insert_and_take, &workers[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(workers[t].thread, NULL);
    assert_int_equal(c->wrong, 0);
    assert_int_equal(evict_weight(c->e), c->weight);
    for (struct evict_item *out; (out = evict_take(c->e, NULL)) != NULL;)
        assert_true(atomic_exchange(&CONTAINER_OF(out, struct owned, item)->in, false));
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < OWN; i++)
            assert_false(c->items[t][i].in);
    evict_free(c->e);
    mem_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reaches_the_papers_ratios, setup),
        cmocka_unit_test_setup(beats_lru_with_weights, setup),
        cmocka_unit_test_setup(leaves_in_order, setup),
        cmocka_unit_test_setup(the_shares_follow_what_returns, setup),
        cmocka_unit_test_setup(a_heavy_one_needs_two_uses, setup),
        cmocka_unit_test_setup(removes, setup),
        cmocka_unit_test_setup(removes_many, setup),
        cmocka_unit_test_setup(a_successor_takes_the_place, setup),
        cmocka_unit_test_setup(counts_uses_to_three, setup),
        cmocka_unit_test_setup(holds_what_it_gives, setup),
        cmocka_unit_test_setup(bears_odd_sizes, setup),
        cmocka_unit_test_setup(loses_and_doubles_nothing, setup),
        cmocka_unit_test_setup(the_ghost_stays_small, setup),
        cmocka_unit_test_setup(takes_nothing_that_is_held, setup),
        cmocka_unit_test_setup(counts_so_many_holders, setup),
        cmocka_unit_test_setup(no_call_looks_at_many, setup),
        cmocka_unit_test_setup(a_ghost_remembers_in_order, setup),
        cmocka_unit_test_setup(a_ghost_forgets_some_at_once, setup),
        cmocka_unit_test_setup(a_ghost_has_a_bound, setup),
        cmocka_unit_test_setup(several_threads_lose_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, forget_trace);
}
