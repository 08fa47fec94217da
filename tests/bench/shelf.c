/*
 * What the book of what is on disk costs (src/cache/shelf.h): bytes an entry, and what lies idle between the
 * heap's pieces beside them; nanoseconds of CPU of a put, of a look-up that finds and one that does not, of a
 * removal, and of one read anywhere in so much memory, which says how busy the machine is. Keys come in
 * random order.
 * Usage: shelf [ENTRIES]...     prints a line of JSON for each number; a million without one
 */
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "bench.h"
#include "cache/shelf.h"

#define LOOKS  2000000
#define NOW_MS ((int64_t)1790000000000)
#define MOST   100000000

static uint64_t state;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t dice(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static struct hash128 key_of(uint64_t n)
{
    uint64_t x = (n + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (struct hash128){ x ^ x >> 31, x * 0xd1342543de82ef95u };
}

/* Returns the nanoseconds of a look-up among keys `from` to `from + n`. */
static double look(struct shelf *s, uint64_t from, uint64_t n, bool is_there)
{
    uint64_t began = cpu_ns();
    for (unsigned i = 0; i < LOOKS; i++) {
        struct shelf_item out;
        struct hash128 key = key_of(from + dice() % n);
        CHECK(shelf_find(s, &key, NOW_MS, &out) == is_there);
    }
    return (double)(cpu_ns() - began) / LOOKS;
}

static void put(struct shelf *s, uint64_t i)
{
    struct shelf_item item = {
        key_of(i), i, { (uint32_t)(i >> 14), (uint32_t)i % 16384 }, 4608, NOW_MS + 3600000
    };
    CHECK(shelf_put(s, &item, false));
}

/* Returns the nanoseconds in which this machine, as it is now, makes a key and reads a byte somewhere in so
 * many: what any look-up takes at least. */
static double read_anywhere(size_t bytes)
{
    unsigned char *p = mem_alloc(bytes);
    uint64_t sum = 0, began;
    for (size_t i = 0; i < bytes; i += 64)
        p[i] = (unsigned char)dice();
    began = cpu_ns();
    for (unsigned i = 0; i < LOOKS; i++)
        sum += p[(key_of(dice()).hi + (sum & 1)) % bytes];
    double ns = (double)(cpu_ns() - began) / LOOKS;
    CHECK(sum > 0);
    mem_free(p);
    return ns;
}

static void measure(uint64_t n)
{
    struct memory m;
    memory_init(&m, (int64_t)1 << 36);
    struct shelf *s = shelf_new(&m, n);
    uint64_t began = cpu_ns();
    for (uint64_t i = 0; i < n; i++)
        put(s, i);
    double put_ns = (double)(cpu_ns() - began) / (double)n;
    double bytes = (double)shelf_bytes(s) / (double)n;
    double idle = (double)(atomic_load(&m.heap.holes)) / (double)n;
    double read_ns = read_anywhere(shelf_bytes(s));
    double hit_ns = look(s, 0, n, true), miss_ns = look(s, n, n, false);
    began = cpu_ns();
    for (uint64_t i = 0; i < n; i++)
        put(s, i);
    double replace_ns = (double)(cpu_ns() - began) / (double)n;
    began = cpu_ns();
    for (uint64_t i = 0; i < n; i++) {
        struct hash128 key = key_of(i);
        CHECK(shelf_remove(s, &key, NULL));
    }
    double remove_ns = (double)(cpu_ns() - began) / (double)n;
    printf("{\"entries\":%llu,\"bytes_each\":%.2f,\"idle_each\":%.2f,\"put_ns\":%.0f,"
           "\"read_ns\":%.0f,\"hit_ns\":%.0f,\"miss_ns\":%.0f,\"replace_ns\":%.0f,\"remove_ns\":%.0f}\n",
           (unsigned long long)n, bytes, idle, put_ns, read_ns, hit_ns, miss_ns, replace_ns, remove_ns);
    fflush(stdout);
    shelf_free(s);
    memory_fini(&m);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        measure(bench_number(argv[i], MOST));
    if (argc == 1)
        measure(1000000);
    return 0;
}
