/*
 * What searches cost where there is much to search in (docs/decisions/047-what-a-search-costs.md): a run of
 * pages in a heap of 64 GB, one of 10,000 origins, the names of an object among 2^20 purged ones. Each beside
 * the same in a small one. The heap is address space, of which hardly a page is touched.
 * Usage: searches     prints a line of JSON for each
 */
#include <stdio.h>
#include <sys/prctl.h>

#include "base/mem.h"
#include "bench.h"
#include "cache/cache.h"
#include "cache/names.h"
#include "io/system.h"
#include "origin/origin.h"
#include "store/heap.h"

#define ROUNDS      20000
#define CHUNK_PAGES 1000 /* a run that leaves a few of a chunk's pages free */
#define BATCH       1024

static uint64_t state = 1;

static uint64_t dice(uint64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

static size_t run_bytes(size_t chunk)
{
    return (CHUNK_PAGES - chunk % 7) * HEAP_PAGE;
}

/* In each round two chunks give their runs back and take runs again: the first finds its place in the chunk
 * that gave last, the second has to search. */
static void search_heap(size_t chunks)
{
    struct heap h;
    void **runs = mem_alloc(chunks * sizeof(*runs));
    heap_init(&h, (size_t)64 << 20, 0);
    for (size_t i = 0; i < chunks; i++)
        runs[i] = heap_take(&h, run_bytes(i));
    uint64_t steps = 0, took = 0;
    for (int i = 0; i < ROUNDS; i++) {
        size_t k = dice(chunks), other = (k + 7 + 7 * dice(chunks / 14)) % chunks;
        heap_give(&h, runs[other], run_bytes(other));
        heap_give(&h, runs[k], run_bytes(k));
        runs[k] = heap_take(&h, run_bytes(k));
        uint64_t before = h.steps, began = bench_now_ns();
        runs[other] = heap_take(&h, run_bytes(other));
        took += bench_now_ns() - began;
        steps += h.steps - before;
    }
    printf("{\"heap_bytes\":%zu,\"chunks\":%zu,\"steps\":%.1f,\"ns\":%.0f}\n", h.chunks_n * 1024 * HEAP_PAGE,
           h.chunks_n, (double)steps / ROUNDS, (double)took / ROUNDS);
    for (size_t i = 0; i < chunks; i++)
        heap_give(&h, runs[i], run_bytes(i));
    heap_fini(&h);
    mem_free(runs);
}

static struct origin_address address_of(size_t i, char text[32])
{
    int n = snprintf(text, 32, "host%zu.test", i);
    struct str s = { text, (size_t)n };
    return (struct origin_address){ .host_name = s, .port = 80, .authority = s };
}

static void search_origins(size_t n)
{
    struct origins all = { 0 };
    char text[32];
    origins_init(&all);
    for (size_t i = 0; i < n; i++) {
        struct origin_address at = address_of(i, text);
        origins_get(&all, &at);
    }
    uint64_t began = bench_now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct origin_address at = address_of(dice(n), text);
        if (origins_get(&all, &at)->number >= n)
            bench_fatal("an origin is new");
    }
    printf("{\"origins\":%zu,\"ns\":%.0f}\n", n, (double)(bench_now_ns() - began) / ROUNDS);
    origins_fini(&all);
}

static uint64_t name_of(const struct epochs *e, size_t i)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "tag-%zu", i);
    return epoch_hash(e, EPOCH_TAG, STR("site"), (struct str){ text, (size_t)n });
}

/* Objects whose names nobody purged: each is looked for in the whole table, since all purges came later. */
static void search_names(struct epochs *e, size_t purged, size_t names)
{
    bool is_short = names <= EPOCH_NAMES_FEW;
    uint64_t *list = mem_alloc(names * sizeof(*list)), took = 0;
    void *packed = mem_alloc(epoch_names_bytes(names, is_short));
    size_t touched = 0, next = 2 * purged;
    for (int i = 0; i < ROUNDS / 10; i++) {
        for (size_t k = 0; k < names; k++)
            list[k] = name_of(e, next++) & epoch_names_bits(is_short);
        epoch_names_write(packed, list, names, is_short);
        struct epoch_names of = { packed, names, is_short };
        struct purged out;
        uint64_t began = bench_now_ns();
        if (epochs_touched(e, of, 0, 0, epochs_latest(e), &out))
            touched += out.hard != 0;
        took += bench_now_ns() - began;
    }
    printf("{\"purged_names\":%zu,\"table_bytes\":%zu,\"names\":%zu,\"ns\":%.0f,\"falsely_purged\":%zu}\n",
           epochs_count(e), epochs_bytes(e), names, (double)took / (ROUNDS / 10), touched);
    mem_free(packed);
    mem_free(list);
}

static void search_epochs(size_t purged)
{
    struct hash_secret secret;
    uint64_t batch[BATCH];
    system_random(&secret, sizeof(secret));
    struct epochs *e = epochs_new(&secret, EPOCH_NAMES_MOST);
    for (size_t i = 0; i < purged; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++)
            batch[k] = name_of(e, i + k);
        epochs_purge(e, PURGE_HARD, batch, BATCH, 0);
    }
    search_names(e, purged, 6);
    search_names(e, purged, 505);
    epochs_free(e);
}

/* The names of all prefixes of a path, which a look-up makes once after a purge by prefix, and the search for
 * them among those purged. */
static void search_prefixes(unsigned levels)
{
    struct hash_secret secret;
    struct arena a;
    struct buf path = BUF_INIT;
    system_random(&secret, sizeof(secret));
    struct epochs *e = epochs_new(&secret, EPOCH_NAMES_MOST);
    struct cache c = { .epochs = e };
    arena_init(&a, 4096);
    for (unsigned i = 0; i < levels; i++)
        buf_add(&path, STR("/segment"));
    struct key_request key = { .site = STR("shop"), .host = STR("shop.example"), .path = buf_str(&path) };
    struct str primary = key_primary(&key, &a);
    key.path = STR("/elsewhere/");
    uint64_t name = name_of_prefix(&c, &key, &a), latest = epochs_purge(e, PURGE_HARD, &name, 1, 0);
    size_t touched = 0, n = 0;
    uint64_t began = bench_now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t made[NAMES_OF_PREFIXES];
        struct purged out;
        n = names_of_prefixes(&c, primary, made);
        struct epoch_names of = { .made = made, .made_n = n };
        touched += epochs_touched(e, of, latest - 1, latest - 1, latest, &out);
    }
    if (touched)
        bench_fatal("a page elsewhere was purged");
    printf("{\"levels\":%u,\"names\":%zu,\"ns\":%.0f}\n", levels, n,
           (double)(bench_now_ns() - began) / ROUNDS);
    epochs_free(e);
    arena_fini(&a);
    buf_fini(&path);
}

int main(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* else each chunk's books would take 2 MiB */
    search_heap(16);
    search_heap(16384);
    search_origins(10);
    search_origins(10000);
    search_epochs(BATCH);
    search_epochs(EPOCH_NAMES_MOST);
    search_prefixes(1);
    search_prefixes(3);
    search_prefixes(40);
    return 0;
}
