#include "server/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/little.h"
#include "cache/disk.h"
#include "cache/names.h"
#include "io/background.h"
#include "io/system.h"
#include "store/facts.h"

#define SITES_KEY STR("sites")
#define FOLDER    "pages"
#define LATER_MS  100

/* ---- the settings that pages were stored under ---- */

/* For each site two numbers of 8 bytes: the name that a purge of it has, and a sum of its settings. */
#define SITE_BYTES ((size_t)16)

static void put_site(struct process *p, const struct site_settings *site, struct buf *out)
{
    struct buf bytes = BUF_INIT;
    little_add(&bytes, RECORD_FORM, 4);
    site_settings_store_bytes(site, &bytes);
    little_add(out, name_of_site(p->cache, site->name), 8);
    little_add(out, hash_sum(buf_str(&bytes)), 8);
    buf_fini(&bytes);
}

static void put_sites(struct process *p, struct buf *out)
{
    const struct settings *s = settings_as_read(p->settings);
    for (size_t i = 0; i < s->sites_n; i++)
        put_site(p, &s->sites[i], out);
}

static bool has_site(struct str sites, struct str wanted)
{
    for (; sites.n >= SITE_BYTES; sites = str_from_index(sites, SITE_BYTES))
        if (str_eq(str_first(sites, SITE_BYTES), wanted))
            return true;
    return false;
}

/* Each site of either list that is not in the other as it is. */
static void purge_others(struct process *p, struct str of, struct str in)
{
    for (; of.n >= SITE_BYTES; of = str_from_index(of, SITE_BYTES)) {
        struct str site = str_first(of, SITE_BYTES), rest = site;
        uint64_t name;
        if (!has_site(in, site) && little_cut(&rest, 8, &name))
            epochs_purge(p->cache->epochs, PURGE_HARD, (uint64_t[]){ name & EPOCH_NAME_BITS }, 1,
                         clock_now(&p->clock).mono_ms);
    }
}

static void purge_changed(struct process *p)
{
    struct str then = facts_get(p->facts, SITES_KEY);
    struct disk_figures figures;
    disk_figures(p->cache->disk, &figures);
    if (figures.log.file_bytes == 0)
        return; /* there are no pages */
    struct buf now = BUF_INIT;
    put_sites(p, &now);
    purge_others(p, then, buf_str(&now));
    purge_others(p, buf_str(&now), then);
    buf_fini(&now);
}

static void say_sites(struct disk_watch *w)
{
    struct process *p = w->process;
    /* With more sites than fit, nothing is said of any, and the next start purges all of them. */
    facts_put(p->facts, SITES_KEY, w->sites.n <= FACTS_VALUE_MAX ? buf_str(&w->sites) : STR_NONE);
    facts_ask(p->facts);
}

/* ---- life ---- */

static struct record_boot find_boot(void)
{
    struct record_boot boot;
    struct buf text = BUF_INIT;
    if (system_read_file("/proc/sys/kernel/random/boot_id", 128, &text) == 0 && text.n > 0) {
        struct hasher *h = hasher_new();
        hasher_add(h, buf_str(&text));
        struct hash128 id = hasher_finish(&h);
        memcpy(boot.id, &id, sizeof(boot.id));
    } else {
        system_random(boot.id, sizeof(boot.id)); /* each start counts as another boot */
    }
    buf_fini(&text);
    return boot;
}

int process_disk_open(struct process *p, struct disk_watch *w, const char *folder)
{
    const struct process_settings *s = &p->settings->process;
    char path[PATH_MAX];
    *w = (struct disk_watch){ .process = p };
    /* Without facts that last, the names of purges would mean nothing to the next process. */
    if (!folder[0] || s->disk == 0 || facts_is_failing(p->facts))
        return 0;
    int n = snprintf(path, sizeof(path), "%s/" FOLDER, folder);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        fprintf(stderr, "freshet: the path of the state folder is too long: \"%s\"\n", folder);
        return 1;
    }
    struct disk_options o = {
        .cache = p->cache,
        .clock = &p->clock,
        .log = &p->log,
        .files = &file_system,
        .folder = path,
        .limit_bytes = (uint64_t)s->disk,
        .bytes_per_s = (uint64_t)s->disk_rate,
        .boot = find_boot(),
    };
    system_random(&o.object, sizeof(o.object));
    int status = disk_open(&o, &w->disk);
    if (status < 0) {
        fprintf(stderr, "freshet: cannot use \"%s\" for pages: %s; %s, or go without: --disk 0\n", path,
                system_strerror(status),
                status == -EWOULDBLOCK
                    ? "another freshet uses it: give each a state folder of its own with --state"
                    : "name another state folder with --state");
        return 1;
    }
    purge_changed(p);
    return 0;
}

void process_disk_start(struct process *p, struct disk_watch *w)
{
    if (w->disk && facts_is_failing(p->facts)) {
        /* Numbers of purges may be given twice then. */
        disk_stop(w->disk);
        disk_free(&w->disk);
    }
    /* What this run purges and changes, it does without the pages: the next one purges them all. */
    if (!w->disk) {
        facts_put(p->facts, SITES_KEY, STR_NONE);
        facts_ask(p->facts);
    }
    if (!w->disk && p->settings->process.disk > 0 && facts_is_failing(p->facts))
        log_info(
            &p->log, "disk",
            "pages are in memory alone until freshet is started with a state folder that can be written");
    if (!w->disk)
        return;
    /* The first commit has the purges of purge_changed. */
    put_sites(p, &w->sites);
    say_sites(w);
    disk_start(w->disk);
}

static void look_later(struct timer *t)
{
    struct disk_watch *w = CONTAINER_OF(t, struct disk_watch, later);
    struct process *p = w->process;
    enum facts_settled settled = facts_settled(p->facts, w->ticket);
    if (settled == FACTS_SAVED) {
        say_sites(w);
        return;
    }
    /* In memory alone: it goes into the file with all else once there is one again. */
    if (settled == FACTS_UNSAVED && !facts_is_failing(p->facts))
        w->ticket = facts_ask(p->facts);
    timer_start(&p->loop, t, LATER_MS, look_later);
}

void process_disk_reloaded(struct process *p, struct disk_watch *w)
{
    if (!w->disk)
        return;
    buf_clear(&w->sites);
    put_sites(p, &w->sites); /* of this reload: another may begin before its purge is on disk */
    w->ticket = facts_ask(p->facts);
    timer_start(&p->loop, &w->later, LATER_MS, look_later);
}

/* ---- an upgrade ---- */

/* The one before serves meanwhile, so that there is time. */
#define FIND_MS 10000

void process_disk_find(struct disk_watch *w)
{
    if (w->disk)
        disk_find(w->disk, FIND_MS);
}

void process_disk_write_behind(struct disk_watch *w)
{
    if (w->disk)
        disk_write_behind(w->disk);
}

/* A reload whose purge is not yet on disk is not said: the next process makes it once more. */
void process_disk_pause(struct process *p, struct disk_watch *w)
{
    timer_stop(&p->loop, &w->later);
    if (w->disk)
        disk_pause(w->disk);
}

int process_disk_resume(struct disk_watch *w)
{
    return w->disk ? disk_resume(w->disk) : 0;
}

/* ---- the end ---- */

#define END_MOST_US ((int64_t)15 * 1000 * 1000)

struct end {
    struct process *process;
    bool is_late;
};

/* A disk that does not answer must not keep a process for ever. What was said to be durable is. */
static int64_t watch_end(void *ctx)
{
    struct end *e = ctx;
    if (!e->is_late) {
        e->is_late = true;
        return END_MOST_US;
    }
    log_error(&e->process->log, "disk",
              "the disk does not answer: freshet ends without what was still to be written");
    _exit(1);
}

void process_disk_stop(struct process *p, struct disk_watch *w)
{
    struct end end = { .process = p };
    timer_stop(&p->loop, &w->later);
    buf_fini(&w->sites);
    if (!w->disk)
        return;
    struct background *watch = background_start("disk-end", watch_end, &end);
    disk_stop(w->disk);
    background_stop(&watch);
}

void process_disk_free(struct disk_watch *w)
{
    disk_free(&w->disk);
}
