/*
 * How long one call of the eviction holds its lock at most (docs/decisions/039-pages-move-together.md):
 * 2,000,000 items come, all used since, and are taken out. What the machine does beside it comes at any time,
 * what a call does comes each time: a call counts as long as its fastest of a few rounds.
 * Usage: longest_call [ROUNDS]     prints {"calls":N,"longest_us":N}; fails from a millisecond on
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench.h"
#include "cache/evict.h"

#define ITEMS       2000000
#define CALLS       (2 * ITEMS)
#define ROUNDS      6
#define ROUNDS_MOST 1000
#define MOST_NS     1000000

static uint32_t mix(uint32_t x)
{
    uint64_t y = (uint64_t)x * 0xff51afd7ed558ccdu;
    return (uint32_t)(y ^ y >> 32);
}

static void call(struct evict *e, struct evict_item *items, size_t number)
{
    if (number >= ITEMS) {
        if (!evict_take(e, NULL))
            bench_fatal("evict_take");
        return;
    }
    struct evict_item *i = &items[number];
    *i = (struct evict_item){ .fingerprint = mix((uint32_t)number), .weight = 1, .uses = 3 };
    link_init(&i->link);
    evict_insert(e, i);
}

/* Lowers what is known of each call. Returns the longest. */
static uint32_t measure(struct evict_item *items, uint32_t *ns)
{
    struct evict *e = evict_new((uint64_t)ITEMS * 4, NULL);
    uint32_t longest = 0;
    uint64_t before = bench_now_ns();
    for (size_t i = 0; i < CALLS; i++) {
        call(e, items, i);
        uint64_t now = bench_now_ns(), took = now - before;
        ns[i] = took < ns[i] ? (uint32_t)took : ns[i];
        longest = ns[i] > longest ? ns[i] : longest;
        before = now;
    }
    evict_free(e);
    return longest;
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? bench_number(argv[1], ROUNDS_MOST) : ROUNDS;
    struct evict_item *items = mem_alloc(ITEMS * sizeof(*items));
    uint32_t *ns = mem_alloc(CALLS * sizeof(*ns)), longest = 0;
    memset(ns, 0xff, CALLS * sizeof(*ns));
    for (uint64_t i = 0; i < rounds; i++)
        longest = measure(items, ns);
    printf("{\"calls\":%d,\"longest_us\":%u}\n", CALLS, longest / 1000);
    mem_free(items);
    mem_free(ns);
    return longest >= MOST_NS;
}
