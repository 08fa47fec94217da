/*
 * What it costs that purges outlive the process: commits of purged names to the disk, as purges wait for them
 * (cache/epoch.h, store/facts.h), without HTTP. CPU is that of the whole process, with the load's own.
 *
 * Usage: durable FOLDER [SECONDS [NAMES]]     FOLDER: on the disk to be measured; a folder in it is made and
 * left there. NAMES: that are purged before, 2^20 when not said
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cache/epoch.h"
#include "io/file.h"
#include "io/system.h"
#include "store/facts.h"

#define MOST   400000 /* purges of one measurement */
#define STARTS 5      /* with all names: the least of them is the program's own, the rest the machine's */

static const struct hash_secret secret = { "a secret that everybody knows" };
static const struct clock real_clock;
static struct epochs *epochs;
static struct facts *facts;
static char folder[4096];
static uint64_t names_n = (uint64_t)1 << 20;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)1000000 + t.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * (int64_t)1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static int64_t read_us; /* when all names were in memory again; the first commit follows */

static void start(void)
{
    enum facts_found found;
    struct buf said = BUF_INIT;
    epochs = epochs_new(&secret, EPOCH_NAMES_MOST);
    struct facts_rows rows = epochs_rows(epochs);
    facts = facts_open(str_from(folder), &real_clock, &rows, &found, &said);
    if (found != FACTS_USABLE) {
        fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&said)));
        exit(1);
    }
    epochs_save_to(epochs, facts);
    read_us = now_us();
    facts_start(facts);
}

static void stop(void)
{
    CHECK(facts_stop(facts));
    epochs_free(epochs);
    facts_free(facts);
}

/* ---- who waits ---- */

static pthread_mutex_t settled_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static uint64_t commits;

static void told(struct facts_listener *l)
{
    (void)l;
    pthread_mutex_lock(&settled_lock);
    commits++;
    pthread_mutex_unlock(&settled_lock);
    pthread_cond_broadcast(&settled);
}

/* Holds no lock of its own while it asks: `told` is called under that of the facts. */
static void wait_for(uint64_t ticket)
{
    for (;;) {
        pthread_mutex_lock(&settled_lock);
        uint64_t seen = commits;
        pthread_mutex_unlock(&settled_lock);
        if (facts_settled(facts, ticket) != FACTS_UNSETTLED)
            break;
        pthread_mutex_lock(&settled_lock);
        while (commits == seen)
            pthread_cond_wait(&settled, &settled_lock);
        pthread_mutex_unlock(&settled_lock);
    }
    CHECK(facts_settled(facts, ticket) == FACTS_SAVED);
}

/* ---- closed loop: each asks again when it was answered. All wait in one thread, as at a worker's
 * desk ---- */

static int64_t took[MOST];
static _Atomic size_t took_n;

static uint64_t random_name(unsigned *seed)
{
    uint64_t n = (uint64_t)rand_r(seed) << 20 ^ (uint64_t)rand_r(seed);
    return (n % names_n) * 0x9e3779b97f4a7c15u & EPOCH_NAME_BITS & ~EPOCH_PAIR;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *what, unsigned rate, int64_t cpu, int64_t wall)
{
    size_t n = took_n < MOST ? took_n : MOST;
    qsort(took, n, sizeof(*took), by_value);
    printf("%s %6u: %8.0f purges/s, p50 %6lld us, p99 %6lld us, longest %6lld us, CPU %5.1f us each\n", what,
           rate, (double)n * 1e6 / (double)wall, (long long)took[n / 2], (long long)took[n * 99 / 100],
           (long long)took[n - 1], (double)cpu / (double)n);
}

struct waiter {
    int64_t began_us;
    uint64_t ticket;
};

static void ask(struct waiter *w, unsigned *seed)
{
    uint64_t name = random_name(seed);
    w->began_us = now_us();
    epochs_purge(epochs, PURGE_HARD, &name, 1, w->began_us / 1000);
    w->ticket = facts_ask(facts);
}

static void closed_loop(unsigned at_once, int64_t us)
{
    struct waiter waiters[64];
    unsigned seed = at_once, next = 0;
    size_t n = 0;
    int64_t cpu = cpu_us(), began = now_us();
    for (unsigned i = 0; i < at_once; i++)
        ask(&waiters[i], &seed);
    while (now_us() - began < us && n < MOST) {
        wait_for(waiters[next].ticket);
        /* All that this commit has: tickets rise. */
        for (unsigned i = 0; i < at_once && n < MOST; i++) {
            struct waiter *w = &waiters[next];
            if (facts_settled(facts, w->ticket) == FACTS_UNSETTLED)
                break;
            took[n++] = now_us() - w->began_us;
            ask(w, &seed);
            next = (next + 1) % at_once;
        }
    }
    took_n = n;
    report("at once", at_once, cpu_us() - cpu, now_us() - began);
}

/* ---- open loop: purges come when they come; one thread asks, one notes the commits ---- */

static struct {
    int64_t due_us;
    uint64_t ticket;
} asked[MOST];
static _Atomic size_t asked_n;
static _Atomic int ended;

static void *note(void *arg)
{
    size_t i = 0;
    (void)arg;
    while (!ended || i < asked_n)
        if (i == asked_n) {
            usleep(50);
        } else {
            wait_for(asked[i].ticket);
            took[i] = now_us() - asked[i].due_us;
            i++;
        }
    took_n = i;
    return NULL;
}

static void open_loop(unsigned rate, int64_t us)
{
    pthread_t noter;
    unsigned seed = 7;
    asked_n = 0;
    ended = 0;
    int64_t cpu = cpu_us(), began = now_us();
    CHECK(pthread_create(&noter, NULL, note, NULL) == 0);
    size_t n = (size_t)((double)rate * (double)us / 1e6);
    for (size_t i = 0; i < n && i < MOST; i++) {
        int64_t due = began + (int64_t)((double)i * 1e6 / rate), wait = due - now_us();
        if (wait > 0)
            usleep((useconds_t)wait);
        uint64_t name = random_name(&seed);
        epochs_purge(epochs, PURGE_HARD, &name, 1, due / 1000);
        asked[i].due_us = due;
        asked[i].ticket = facts_ask(facts);
        asked_n = i + 1;
    }
    ended = 1;
    pthread_join(noter, NULL);
    report("a second", rate, cpu_us() - cpu, now_us() - began);
}

/* ---- the disk itself, and a start with all names ---- */

/* What a commit costs at least: a block is written to a file that was written before, and synced. */
static void sync_alone(void)
{
    char path[4200];
    int64_t all[500];
    void *block = aligned_alloc(FILE_BLOCK, FILE_BLOCK);
    snprintf(path, sizeof(path), "%s/sync", folder);
    int file = file_system.open(&file_system, path, FILE_WRITE | FILE_CREATE | FILE_DIRECT);
    CHECK(file >= 0 && block);
    memset(block, 1, FILE_BLOCK);
    for (size_t i = 0; i < 500; i++)
        CHECK(file_system.write(&file_system, file, block, FILE_BLOCK, i * FILE_BLOCK) == FILE_BLOCK);
    CHECK(file_system.sync(&file_system, file) == 0);
    int64_t cpu = cpu_us();
    for (size_t i = 0; i < 500; i++) {
        int64_t began = now_us();
        CHECK(file_system.write(&file_system, file, block, FILE_BLOCK, i * FILE_BLOCK) == FILE_BLOCK);
        CHECK(file_system.sync(&file_system, file) == 0);
        all[i] = now_us() - began;
    }
    cpu = cpu_us() - cpu;
    file_system.close(&file_system, file);
    file_system.remove(&file_system, path);
    free(block);
    qsort(all, 500, sizeof(*all), by_value);
    printf("write and fdatasync of 4 KB: p50 %lld us, p99 %lld us, CPU %.1f us each\n", (long long)all[250],
           (long long)all[495], (double)cpu / 500);
}

int main(int argc, char **argv)
{
    struct facts_listener listener = { .told = told };
    int64_t us = argc > 2 ? atoll(argv[2]) * 1000000 : 5000000;
    if (argc > 3)
        names_n = strtoull(argv[3], NULL, 10);
    if (argc < 2 || names_n == 0) {
        fprintf(stderr, "usage: durable FOLDER [SECONDS [NAMES]]\n");
        return 2;
    }
    snprintf(folder, sizeof(folder), "%s/durable-%ld", argv[1], (long)getpid());
    start();
    sync_alone();
    for (uint64_t i = 0; i < names_n; i++) {
        uint64_t name = i * 0x9e3779b97f4a7c15u & EPOCH_NAME_BITS & ~EPOCH_PAIR;
        epochs_purge(epochs, PURGE_HARD, &name, 1, 1);
    }
    int64_t began = now_us();
    stop();
    printf("%llu names written in %lld ms\n", (unsigned long long)names_n,
           (long long)(now_us() - began) / 1000);
    for (int i = 0; i < STARTS; i++) {
        int64_t cpu = cpu_us();
        began = now_us();
        start();
        printf("%zu names are there again after %lld ms, the first commit after %lld ms (CPU %lld ms)\n",
               epochs_count(epochs), (long long)(read_us - began) / 1000,
               (long long)(now_us() - began) / 1000, (long long)(cpu_us() - cpu) / 1000);
        if (i < STARTS - 1)
            stop();
    }
    facts_listen(facts, &listener);
    for (unsigned at_once = 1; at_once <= 64; at_once *= 8)
        closed_loop(at_once, us);
    open_loop(1000, us);
    open_loop(10000, us);
    facts_unlisten(facts, &listener);
    sync_alone();
    stop();
    return 0;
}
