/* Who starts the program, reloads its settings, and lets all go wrong: power, disk, clock, network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "server/run.h"
#include "conf/cli.h"
#include "sim_clock.h"
#include "sim_disk.h"
#include "sim_memory.h"
#include "sim_net.h"
#include "sim_system.h"
#include "store/memory.h"
#include "world.h"

#include <signal.h>

#define ENDS_WITHIN   (60 * SECOND) /* drain_timeout, and a disk that is slow */
#define LOOK_UPS_TAKE (5 * SECOND)  /* more than sim_resolve lets them */

static char config_path[32];
static int config_fd = -1;
static unsigned generation; /* of the settings */
static bool runs, has_ended;
static int code;
static bool is_there;

static void write_config(void)
{
    char text[2048];
    if (config_fd < 0) {
        config_fd = memfd_create("freshet.yaml", 0);
        CHECK(config_fd >= 0);
        snprintf(config_path, sizeof(config_path), "/proc/self/fd/%d", config_fd);
    }
    int n = snprintf(
        text, sizeof(text),
        "listen: [\"10.0.0.1:80\"]\nadmin: \"10.0.0.1:81\"\ntoken: a-token-of-the-simulation\n"
        "state: /state\nsandbox: off\nworkers: 2\nio: epoll\nmemory: %s\ndisk: %s\n"
        "connect_timeout: 2s\nfirst_byte_timeout: 4s\nbetween_bytes_timeout: 4s\n"
        "queue_timeout: 5s\nwait_timeout: 6s\ndrain_timeout: 10s\nrefresh_backoff: 1s\nno_queue_time: 1s\n"
        "tag_bytes: %u\ncompress_most: 32K\ncompress_often: 16\n"
        "compress_br: 0\ncompress_br_best: 2\ncompress_zstd: 1\ncompress_zstd_best: 2\ncompress_gzip: 1\n"
        "compress_gzip_best: 2\n"
        "sites:\n  a:\n    hosts: [a.test]\n    origin: [http://10.0.0.2:80%s]\n%s"
        "  b:\n    hosts: [b.test]\n    origin: http://origin-b.test:80\n    origin_resolve: 2s\n%s",
        world.small_memory ? "1M" : "16M", world.no_disk ? "0" : "8M", 512 + generation,
        world.two_origins && generation % 2 == 0 ? ", http://10.0.0.5:80 weight=2" : "",
        world.two_origins
            ? "    health: {path: /up, every: 500ms, timeout: 1s, fall: 2}\n    slow_start: 2s\n"
            : "",
        world.combines ? "    combine_parts: true\n" : "");
    CHECK(ftruncate(config_fd, 0) == 0 && pwrite(config_fd, text, (size_t)n, 0) == n);
}

/* ---- its life ---- */

static void *run_program(void *arg)
{
    static char name[] = "freshet", verb[] = "run";
    static char *argv[] = { name, verb, NULL };
    static struct cli cli;
    (void)arg;
    cli = (struct cli){ .verb = CLI_RUN, .config = config_path, .argv = argv };
    code = run_verb(&cli);
    has_ended = true;
    return NULL;
}

void process_start(void)
{
    CHECK(!runs);
    sim_note("the program starts");
    model_disturb_all(sim_now()); /* it has all to learn */
    runs = true;
    has_ended = false;
    fiber_start("main", run_program, NULL, true);
}

static void forget_process(void)
{
    sim_streams_forget();
    sim_listeners_forget();
    net_process_gone();
    sim_loops_forget();
    sim_disk_process_gone();
    sim_memory_drop();
    for (size_t i = 0; i < MEMORIES_MAX; i++)
        memory_by_id[i] = NULL; /* the program's only static that a crash leaves behind */
    model_restarted();
    runs = false;
}

void process_kill(bool power_cut)
{
    sim_note("the program is killed%s", power_cut ? ": the power is cut" : "");
    figures.crashes++;
    figures.power_cuts += power_cut;
    fibers_kill();
    forget_process();
    if (!power_cut)
        return;
    sim_disk_cut();
    sim_clock_boot();
    sim_system_boot();
}

void process_end(void)
{
    if (!sim_receives_signals()) {
        process_kill(false); /* it is too young to be asked */
        return;
    }
    int64_t until = sim_now() + ENDS_WITHIN;
    sim_note("the program is told to end");
    model_disturb_all(sim_now());
    sim_signal(SIGTERM);
    while (!has_ended && sim_now() < until)
        fiber_nap(5 * MS);
    if (!has_ended)
        sim_fail("the program was told to end %lld s ago, and runs", (long long)(ENDS_WITHIN / SECOND));
    if (code != 0)
        sim_fail("the program ended with %d", code);
    /* Nobody waits for look-ups at the end of a process; what they leave is seen when they are over. */
    until = sim_now() + LOOK_UPS_TAKE;
    do {
        fiber_nap(MS);
    } while (fibers_of_process() && sim_now() < until);
    if (fibers_of_process())
        sim_fail("the program has ended, and has threads");
    if (sim_memory_left())
        sim_fail("the program has ended, and has %zu pieces of memory", sim_memory_left());
    figures.ends++;
    forget_process();
}

static void down_time(void)
{
    fiber_nap(sim_once_in(4) ? sim_between(SECOND, 8 * SECOND) : sim_between(MS, 500 * MS));
    process_start();
}

/* ---- what goes wrong ---- */

static void reload(void)
{
    if (!sim_receives_signals())
        return;
    generation++;
    write_config();
    model_reloaded();
    figures.reloads++;
    sim_note("the settings are read again");
    sim_signal(SIGHUP);
}

static void trouble_with_disk(void)
{
    int64_t until = sim_now() + sim_between(10 * MS, 5 * SECOND);
    switch (sim_below(4)) {
    case 0: sim_disk_full(until); break;
    case 1: sim_disk_slow(until); break;
    case 2: sim_disk_fail_writes(1 + (unsigned)sim_below(3)); break;
    default: sim_disk_fail_syncs(1 + (unsigned)sim_below(2)); break;
    }
    model_disk_trouble();
    sim_note("the disk has trouble");
}

static void trouble_with_network(void)
{
    struct net_end *e = net_any();
    int64_t until = sim_now();
    model_failed(0);
    model_failed(1);
    sim_note("the network has trouble");
    if (e && sim_once_in(2)) {
        net_cut(e);
    } else if (e) {
        until += sim_between(MS, 6 * SECOND);
        (sim_once_in(2) ? e : e->peer)->stands_to = until;
    }
    model_disturb_all(until);
}

static void trouble_with_origin(void)
{
    unsigned site = (unsigned)sim_below(SITES);
    bool other = site == 0 && world.two_origins && sim_once_in(2);
    sim_note("origin %u%s is down", site, other ? " (the other one)" : "");
    origins_down(site, other, true);
    fiber_nap(sim_between(50 * MS, 4 * SECOND));
    origins_down(site, other, false);
    sim_note("origin %u%s is up", site, other ? " (the other one)" : "");
}

static void trouble(void)
{
    uint64_t dice = sim_below(40);
    if (dice < 3) {
        process_kill(dice > 0);
        down_time();
    } else if (dice < 5) {
        process_end();
        down_time();
    } else if (dice < 8) {
        reload();
    } else if (dice < 14) {
        trouble_with_disk();
    } else if (dice < 18) {
        int64_t ms = sim_between(-100000, 100000);
        sim_note("the wall clock is turned by %lld ms", (long long)ms);
        sim_clock_turn_wall(ms);
    } else if (dice < 22) {
        trouble_with_origin();
    } else {
        trouble_with_network();
    }
}

static void *work(void *arg)
{
    (void)arg;
    sim_system_boot();
    write_config();
    process_start();
    while (sim_now() < world.end) {
        fiber_nap(sim_between(100 * MS, 2 * SECOND));
        if (has_ended)
            sim_fail("the program ended by itself, with %d", code);
        trouble();
    }
    while (visitors_are_there())
        fiber_nap(10 * MS);
    fiber_nap(100 * SECOND); /* the CMS has its answers, connections are idle */
    process_end();
    is_there = false;
    return NULL;
}

void operator_start(void)
{
    is_there = true;
    fiber_start("operator", work, NULL, false);
}

bool operator_is_there(void)
{
    return is_there;
}
