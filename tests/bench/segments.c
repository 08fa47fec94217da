/*
 * What the log of segments costs (docs/decisions/059-segments.md), on the disk of the folder that is named:
 * CPU of the whole process for each stored object of 4 KB, while files are made and when they are used again;
 * finding a million records at start, by their indexes; reading through a segment of 64 MB that was not
 * finished. Writes at most 2 GB into seven files, which it removes. Usage: segments FOLDER      prints one
 * object of JSON
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "bench.h"
#include "store/segments.h"

#define SEGMENTS  7
#define LIMIT     (SEGMENTS * SEGMENTS_BYTES)
#define LAP_BYTES (LIMIT - SEGMENTS_BYTES)

static struct clock bench_clock;
static char folder[3000], body[4096];

static bool keeps_none(void *ctx, const struct segments_found *r, bool is_cheap)
{
    (void)ctx;
    (void)r;
    return is_cheap && false;
}

static void is_gone(void *ctx, const struct segments_found *old, const struct segments_found *now)
{
    (void)ctx;
    (void)old;
    (void)now;
}

static void to_stderr(struct log *log, struct str line)
{
    (void)log;
    fprintf(stderr, "%.*s", STR_ARG(line));
}

static struct log bench_log = { .write = to_stderr, .clock = &bench_clock, .most = LOG_WARNING };

static struct segments *open_log(void)
{
    struct segments *s;
    struct segments_options o = { .files = &file_system,
                                  .clock = &bench_clock,
                                  .log = &bench_log,
                                  .folder = folder,
                                  .limit_bytes = LIMIT,
                                  .segment_bytes = SEGMENTS_BYTES,
                                  .buffer_bytes = SEGMENTS_BUFFER,
                                  .owner = { NULL, keeps_none, is_gone } };
    if (segments_open(&o, &s) != 0)
        bench_fatal("segments_open");
    return s;
}

static double cpu_us(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * 1e6 + (double)u.ru_utime.tv_usec +
           (double)u.ru_stime.tv_usec;
}

static void wait_a_little(void)
{
    struct timespec t = { 0, 3000000 };
    nanosleep(&t, NULL);
}

struct lap {
    double cpu_us, caller_us; /* each object; of the process, and of the thread that appends */
    double mb_per_s;
    uint64_t n;
};

/* A page's head and keys, with a body of so many bytes. */
static struct segment_record record_of(uint64_t n, size_t bytes, char url[32])
{
    char *end = str_put(url, STR("site https://a.example /p/"));
    for (unsigned i = 0; i < 5; i++)
        *end++ = (char)('a' + (n >> 4 * i & 15));
    struct str url_text = { url, (size_t)(end - url) };
    return (struct segment_record){ .key = { n * UINT64_C(0x9e3779b97f4a7c15), n },
                                    .begin = n / 1000,
                                    .object = n,
                                    .body_whole = bytes,
                                    .lifetime_ms = 3600000,
                                    .status = 200,
                                    .url = url_text,
                                    .names = { body, 48 },
                                    .head = { body, bytes < 1000 ? 64 : 280 },
                                    .body = { body, bytes } };
}

static struct lap run_lap(struct segments *s, uint64_t first, size_t bytes, uint64_t lap_bytes)
{
    struct lap lap = { 0 };
    double cpu = cpu_us(RUSAGE_SELF), caller = cpu_us(RUSAGE_THREAD);
    uint64_t began = bench_now_ns();
    struct segments_found found;
    for (uint64_t done = 0; done < lap_bytes; lap.n++) {
        char url[32];
        struct segment_record r = record_of(first + lap.n, bytes, url);
        for (;;) {
            enum segments_append result = segments_append(s, &r, &found);
            if (result == SEGMENTS_APPENDED)
                break;
            if (result != SEGMENTS_BUSY)
                bench_fatal("segments_append");
            wait_a_little();
        }
        done += found.bytes;
    }
    lap.cpu_us = (cpu_us(RUSAGE_SELF) - cpu) / (double)lap.n;
    lap.caller_us = (cpu_us(RUSAGE_THREAD) - caller) / (double)lap.n;
    lap.mb_per_s = (double)lap_bytes / (double)(bench_now_ns() - began) * 1000;
    return lap;
}

static void count(void *ctx, const struct segments_found *f)
{
    *(uint64_t *)ctx += f->bytes > 0;
}

struct recovery {
    uint64_t n;
    double ms, first_ms, scan_ms; /* all; the newest; the longest of those that were read through */
};

static struct recovery recover(void)
{
    struct recovery r = { 0 };
    struct segments *s = open_log();
    struct segments_figures f = { 0 };
    uint64_t began = bench_now_ns();
    for (bool more = true; more;) {
        uint64_t before = bench_now_ns(), scanned = f.scanned;
        more = segments_recover(s, count, &r.n);
        segments_figures(s, &f);
        double took = (double)(bench_now_ns() - before) / 1e6;
        if (f.scanned > scanned && took > r.scan_ms)
            r.scan_ms = took;
        r.first_ms = r.first_ms > 0 ? r.first_ms : took;
    }
    r.ms = (double)(bench_now_ns() - began) / 1e6;
    segments_close(&s);
    return r;
}

/* As if its end had not been written. */
static void unfinish(unsigned segment)
{
    char path[4000];
    static const char zeros[4096];
    snprintf(path, sizeof(path), "%s/%06x.segment", folder, segment);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), (off_t)SEGMENTS_BYTES - 4096) != 4096 || fsync(fd) != 0)
        bench_fatal(path);
    close(fd);
}

static void remove_all(void)
{
    char path[4000];
    for (unsigned i = 0; i < SEGMENTS; i++) {
        snprintf(path, sizeof(path), "%s/%06x.segment", folder, i);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/lock", folder);
    unlink(path);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "Usage: segments FOLDER\n");
        return 2;
    }
    snprintf(folder, sizeof(folder), "%s/segments.XXXXXX", argv[1]);
    if (!mkdtemp(folder))
        bench_fatal(folder);
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)(i * 31 + i / 200);
    struct segments *s = open_log();
    segments_start(s);
    struct lap making = run_lap(s, 0, 4096, LAP_BYTES);
    struct lap again = run_lap(s, making.n, 4096, LAP_BYTES);
    segments_close(&s);
    struct recovery pages = recover();
    for (unsigned i = 0; i < 3; i++)
        unfinish(i);
    struct recovery scans = recover();
    s = open_log();
    uint64_t known = 0;
    while (segments_recover(s, count, &known))
        continue;
    segments_start(s);
    run_lap(s, making.n + again.n, 128, LAP_BYTES);
    segments_close(&s);
    struct recovery small = recover();
    printf("{\"first_lap\":{\"cpu_us\":%.2f,\"caller_us\":%.2f,\"mb_per_s\":%.0f,\"n\":%llu},\n",
           making.cpu_us, making.caller_us, making.mb_per_s, (unsigned long long)making.n);
    printf(" \"next_lap\":{\"cpu_us\":%.2f,\"caller_us\":%.2f,\"mb_per_s\":%.0f,\"n\":%llu},\n", again.cpu_us,
           again.caller_us, again.mb_per_s, (unsigned long long)again.n);
    printf(" \"recover_4k\":{\"n\":%llu,\"ms\":%.1f},\n", (unsigned long long)pages.n, pages.ms);
    printf(" \"scan_ms\":%.1f,\n", scans.scan_ms);
    printf(" \"recover_small\":{\"n\":%llu,\"ms\":%.1f,\"newest_ms\":%.1f,\"s_per_million\":%.3f}}\n",
           (unsigned long long)small.n, small.ms, small.first_ms, small.ms / 1000 / (double)small.n * 1e6);
    remove_all();
    return 0;
}
