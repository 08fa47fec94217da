/*
 * make sim SECONDS=n [SEED=s]: simulated worlds, one a seed, one after the other until the time is up. Each
 * is a process of its own, so that a world follows from its seed alone; with SEED it is that one only. A
 * world that fails says how to replay it.
 *
 *   sim [--seconds N] [--seed S] [--length SECONDS] [--worlds N]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "sim_disk.h"
#include "world.h"

struct world_options world;
struct world_figures figures;

static uint64_t seed;
static int64_t length = 60; /* of a world, in its own seconds */

static void say_replay(void)
{
    fprintf(sim_out,
            "sim: replay it with: make sim SEED=%llu%s (SIM_TRACE=4000 shows more of what happened)\n---\n",
            (unsigned long long)seed, length == 60 ? "" : " LENGTH=...");
}

static void on_crash(int signo)
{
    fprintf(sim_out, "--- sim: failed with signal %d: the last events (ms of simulated time):\n", signo);
    sim_show_trace();
    say_replay();
    fflush(NULL);
    signal(signo, SIG_DFL);
    raise(signo);
}

static void say_figures(double took)
{
    const struct world_figures *f = &figures;
    printf("world %llu: %llu requests (%.0f a second of the processor), %llu hits, %llu stale, %llu errors, "
           "%llu cut, %llu fetches, %llu "
           "304s, %llu purges (%llu durable), %llu crashes (%llu of power), %llu reloads, %llu ends; "
           "%llu coded, %llu parts, %llu not modified, %llu of %llu uploads, %llu of %llu tunnels; disk: "
           "%llu MB, "
           "%llu syncs, %llu lost, %llu torn; digest %016llx\n",
           (unsigned long long)seed, (unsigned long long)f->requests, (double)f->requests / took,
           (unsigned long long)f->hits, (unsigned long long)f->stale, (unsigned long long)f->errors,
           (unsigned long long)f->cut, (unsigned long long)f->fetches, (unsigned long long)f->revalidated,
           (unsigned long long)f->purges, (unsigned long long)f->durable, (unsigned long long)f->crashes,
           (unsigned long long)f->power_cuts, (unsigned long long)f->reloads, (unsigned long long)f->ends,
           (unsigned long long)f->coded, (unsigned long long)f->parts, (unsigned long long)f->not_modified,
           (unsigned long long)f->uploaded, (unsigned long long)f->uploads, (unsigned long long)f->talked / 2,
           (unsigned long long)f->tunnels, (unsigned long long)(sim_disk_figures.written >> 20),
           (unsigned long long)sim_disk_figures.syncs, (unsigned long long)sim_disk_figures.lost,
           (unsigned long long)sim_disk_figures.torn, (unsigned long long)sim_digest());
}

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the processor: what others do on the machine does not count. */
static double worked(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* In a process of its own. */
static void run_world(void)
{
    double began = worked();
    sim_keep_errors();
    sim_seed(seed);
    sim_on_failure = say_replay;
    static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        signal(crashes[i], on_crash);
    if (sim_once_in(3))
        sim_give_turns(4, 20);
    world.small_memory = sim_once_in(4);
    world.no_disk = sim_once_in(6);
    world.rare_purges = sim_once_in(3);
    world.two_origins = sim_once_in(2);
    world.combines = sim_once_in(2);
    world.end = sim_now() + length * SECOND;
    model_init();
    origins_start();
    operator_start();
    visitors_start();
    cms_start();
    while (operator_is_there())
        if (!sim_step())
            sim_fail("nothing will ever happen again");
    say_figures(worked() - began);
    exit(0);
}

static bool world_is_good(void)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_world();
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* With another layout of the memory a world would be another one where an address counts. */
static void fix_addresses(char **argv)
{
    if (getenv("SIM_FIXED") || personality(ADDR_NO_RANDOMIZE) < 0)
        return;
    setenv("SIM_FIXED", "1", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    int64_t most = 0, worlds = 0;
    bool has_seed = false;
    fix_addresses(argv);
    for (int i = 1; i + 1 < argc; i += 2) {
        long long value = strtoll(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seconds") == 0)
            most = value;
        else if (strcmp(argv[i], "--length") == 0)
            length = value;
        else if (strcmp(argv[i], "--worlds") == 0)
            worlds = value;
        else if (strcmp(argv[i], "--seed") == 0) {
            seed = (uint64_t)value;
            has_seed = true;
        }
    }
    if (has_seed && worlds == 0)
        worlds = 1;
    most = worlds && !most ? INT64_MAX : most ? most : 30;
    if (!has_seed)
        seed = (uint64_t)time(NULL) * 1000;
    unsigned passed = 0, failed = 0;
    for (double began = seconds(); (!worlds || passed < worlds) && seconds() - began < (double)most; seed++) {
        if (!world_is_good()) {
            failed++;
            break;
        }
        passed++;
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed > 0;
}
