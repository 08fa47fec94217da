/*
 * How long a sleeping process takes until it runs again, by the memory that it works with
 * (docs/decisions/033-many-at-once.md): the parent writes the time into a pipe every 600 ms, the child waits
 * in read, and then writes into each page of its memory.
 * Usage: wake MEGABYTES [TIMES]      prints the time from before the write to after the read,
 *                                    ms: least, median, most
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define TIMES_MOST 1000
#define PAGE       4096

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void sleeper(int in, size_t bytes, size_t times)
{
    static uint64_t took[TIMES_MOST];
    char *memory = malloc(bytes + 1);
    uint64_t sent;
    if (!memory)
        bench_fatal("malloc");
    memset(memory, 1, bytes + 1);
    for (size_t i = 0; i < times; i++) {
        if (read(in, &sent, sizeof(sent)) != sizeof(sent))
            bench_fatal("read");
        took[i] = bench_now_ns() - sent;
        for (size_t k = 0; k <= bytes; k += PAGE)
            memory[k]++;
    }
    qsort(took, times, sizeof(*took), compare);
    printf("%.3f %.3f %.3f\n", (double)took[0] / 1e6, (double)took[times / 2] / 1e6,
           (double)took[times - 1] / 1e6);
    free(memory);
}

int main(int argc, char **argv)
{
    int ends[2];
    if (argc < 2)
        bench_fatal("usage: wake MEGABYTES [TIMES]");
    size_t bytes = (size_t)bench_number(argv[1], 1 << 16) << 20;
    size_t times = argc > 2 ? (size_t)bench_number(argv[2], TIMES_MOST) : 20;
    if (times == 0 || pipe(ends) != 0)
        bench_fatal("pipe");
    pid_t child = fork();
    if (child < 0)
        bench_fatal("fork");
    if (child == 0) {
        sleeper(ends[0], bytes, times);
        return 0;
    }
    for (size_t i = 0; i < times; i++) {
        const struct timespec pause = { .tv_nsec = 600 * 1000 * 1000 };
        nanosleep(&pause, NULL);
        uint64_t now = bench_now_ns();
        if (write(ends[1], &now, sizeof(now)) != sizeof(now))
            bench_fatal("write");
    }
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}
