/*
 * Hit ratios of freshet's own eviction (src/cache/evict.c) beside FIFO and LRU, in a loop that does as the
 * cache does: room is made, then what was fetched comes in.
 * Usage: hit_ratio trace FILE      32-bit page numbers, big-endian; each page weighs one
 *        hit_ratio mix             synthetic mixes of requests, pages weigh their bytes
 * Prints lines of JSON: {"mix":…,"percent":…,"ours":…,"lru":…,"fifo":…} and the same for bytes.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "bench.h"
#include "cache/evict.h"

#define REQUESTS 1000000
#define PAGES    100000
#define PHASE    200000

struct page {
    struct evict_item item;
    struct link link; /* in the list of FIFO or LRU */
    bool in_list;
    uint64_t weight;
};

struct requests {
    const char *name;
    uint32_t *page;
    size_t n, pages;
    uint64_t *weight;
};

struct ratio {
    double hits, bytes;
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* ---- policies ---- */

static bool ours(struct evict *e, struct page *p, uint64_t number, uint64_t capacity)
{
    if (p->item.queue != EVICT_NONE) {
        evict_touch(&p->item);
        return true;
    }
    p->item = (struct evict_item){ .fingerprint = mix(number), .weight = p->weight };
    link_init(&p->item.link);
    while (evict_weight(e) + p->weight > capacity && evict_take(e, NULL))
        ;
    evict_insert(e, &p->item);
    return false;
}

static bool in_order(struct list *list, struct page *p, uint64_t *used, uint64_t capacity, bool lru)
{
    if (p->in_list) {
        if (lru) {
            link_remove(&p->link);
            list_push_back(list, &p->link);
        }
        return true;
    }
    while (*used + p->weight > capacity && !list_is_empty(list)) {
        struct page *out = CONTAINER_OF(list_pop(list), struct page, link);
        out->in_list = false;
        *used -= out->weight;
    }
    *used += p->weight;
    p->in_list = true;
    list_push_back(list, &p->link);
    return false;
}

enum policy { OURS, LRU, FIFO };

static struct ratio run(const struct requests *r, uint64_t capacity, enum policy policy)
{
    struct page *pages = mem_alloc(r->pages * sizeof(*pages));
    struct evict *e = evict_new(capacity, NULL);
    struct list list;
    uint64_t used = 0, hits = 0, hit_bytes = 0, bytes = 0;
    memset(pages, 0, r->pages * sizeof(*pages));
    list_init(&list);
    for (size_t i = 0; i < r->pages; i++) {
        link_init(&pages[i].link);
        pages[i].weight = r->weight ? r->weight[i] : 1;
    }
    for (size_t i = 0; i < r->n; i++) {
        struct page *p = &pages[r->page[i]];
        bool hit = policy == OURS ? ours(e, p, r->page[i], capacity)
                                  : in_order(&list, p, &used, capacity, policy == LRU);
        hits += hit;
        hit_bytes += hit ? p->weight : 0;
        bytes += p->weight;
    }
    evict_free(e);
    mem_free(pages);
    return (struct ratio){ (double)hits / (double)r->n, (double)hit_bytes / (double)bytes };
}

static void report(const struct requests *r)
{
    static const unsigned percents[] = { 1, 5, 10, 25 };
    uint64_t all = 0;
    for (size_t i = 0; i < r->pages; i++)
        all += r->weight ? r->weight[i] : 1;
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        uint64_t capacity = all * percents[i] / 100;
        struct ratio a = run(r, capacity, OURS), b = run(r, capacity, LRU), c = run(r, capacity, FIFO);
        printf("{\"mix\":\"%s\",\"percent\":%u,\"ours\":%.4f,\"lru\":%.4f,\"fifo\":%.4f,\"ours_bytes\":%.4f,"
               "\"lru_bytes\":%.4f,"
               "\"fifo_bytes\":%.4f}\n",
               r->name, percents[i], a.hits, b.hits, c.hits, a.bytes, b.bytes, c.bytes);
    }
}

/* ---- a trace ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Its page numbers are sparse: a page's place in their sorted list is its number here. */
static void read_trace(const char *path)
{
    size_t bytes, pages = 0;
    unsigned char *b = (unsigned char *)bench_read_file(path, &bytes);
    struct requests r = { .name = "web07", .n = bytes / 4 };
    uint32_t *sorted = mem_alloc((r.n + 1) * sizeof(*sorted));
    r.page = mem_alloc((r.n + 1) * sizeof(*r.page));
    for (size_t i = 0; i < r.n; i++)
        sorted[i] = r.page[i] = (uint32_t)b[4 * i] << 24 | (uint32_t)b[4 * i + 1] << 16 |
                                (uint32_t)b[4 * i + 2] << 8 | b[4 * i + 3];
    qsort(sorted, r.n, sizeof(*sorted), by_number);
    for (size_t i = 0; i < r.n; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            sorted[pages++] = sorted[i];
    for (size_t i = 0; i < r.n; i++) {
        uint32_t *at = bsearch(&r.page[i], sorted, pages, sizeof(*sorted), by_number);
        r.page[i] = (uint32_t)(at - sorted);
    }
    r.pages = pages;
    report(&r);
}

/* ---- mixes ---- */

static uint64_t state = 88172645463325252u;

static double random_unit(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((double)(state >> 11) + .5) / 9007199254740992.0;
}

/* Sizes as on the web: half of the pages below 10 KB, one in a hundred above 500 KB (log-normal). */
static uint64_t some_size(void)
{
    double normal = sqrt(-2 * log(random_unit())) * cos(2 * 3.14159265358979 * random_unit());
    double bytes = exp(log(10240) + 1.7 * normal);
    return bytes < 300 ? 300 : bytes > 10485760 ? 10485760 : (uint64_t)bytes;
}

enum change { NEVER, AT_ONCE, ONE_BY_ONE };

/* Popularity by Zipf's law; `scans`: the share of requests that walk through all pages, as a crawler does. A
 * page is popular for PHASE requests, then another takes its rank: all at the same moment, or each at its
 * own. */
static void report_mix(const char *name, double exponent, double scans, enum change change)
{
    struct requests r = { .name = name, .n = REQUESTS, .pages = PAGES };
    double *below = mem_alloc(PAGES * sizeof(*below)), sum = 0;
    size_t scan = 0;
    r.page = mem_alloc(REQUESTS * sizeof(*r.page));
    r.weight = mem_alloc(PAGES * sizeof(*r.weight));
    for (size_t i = 0; i < PAGES; i++) {
        below[i] = sum += pow((double)i + 1, -exponent);
        r.weight[i] = some_size();
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        if (random_unit() < scans) {
            r.page[i] = (uint32_t)(scan++ % PAGES);
            continue;
        }
        double at = random_unit() * sum;
        size_t low = 0, high = PAGES - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (below[middle] < at)
                low = middle + 1;
            else
                high = middle;
        }
        size_t phase = change == NEVER ? 0 : (i + (change == ONE_BY_ONE ? mix(low) % PHASE : 0)) / PHASE;
        r.page[i] = (uint32_t)(mix(low + phase * 1000003) % PAGES);
    }
    report(&r);
    mem_free(below);
    mem_free(r.page);
    mem_free(r.weight);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "trace") == 0) {
        read_trace(argv[2]);
    } else if (argc == 2 && strcmp(argv[1], "mix") == 0) {
        report_mix("Zipf 0.7", .7, 0, NEVER);
        report_mix("Zipf 0.9", .9, 0, NEVER);
        report_mix("Zipf 0.9, a tenth crawls", .9, .1, NEVER);
        report_mix("Zipf 0.9, popularity moves on", .9, 0, ONE_BY_ONE);
        report_mix("Zipf 0.9, all changes at once", .9, 0, AT_ONCE);
    } else {
        fprintf(stderr, "usage: hit_ratio trace FILE | hit_ratio mix\n");
        return 2;
    }
    return 0;
}
