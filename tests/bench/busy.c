/*
 * Unrelated work: counts for a quarter of a millisecond and sleeps for as long, over and over, as freshet's
 * sweep does (docs/decisions/021-sweep.md). What visitors notice of it is the machine's doing.
 * Usage: busy SECONDS      prints the CPU time that it took, ms
 */
#include <stdio.h>
#include <time.h>

#include "bench.h"

#define SLICE_NS 250000

static void work(uint64_t until_ns)
{
    static volatile uint64_t sum;
    while (bench_now_ns() < until_ns)
        for (int i = 0; i < 100; i++)
            sum += (uint64_t)i * i;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_fatal("usage: busy SECONDS");
    uint64_t end = bench_now_ns() + bench_number(argv[1], 600) * 1000000000;
    for (uint64_t now; (now = bench_now_ns()) < end;) {
        work(now + SLICE_NS);
        nanosleep(&(struct timespec){ .tv_nsec = SLICE_NS }, NULL);
    }
    printf("%.0f\n", (double)clock() * 1000 / CLOCKS_PER_SEC);
    return 0;
}
