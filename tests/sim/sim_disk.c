/*
 * A disk in memory (io/file.h). Each file has what a reader sees now, and what would be left after a power
 * cut: the difference is a list of writes that were not synced. Calls take time, and their effect comes at
 * its end, so that a crash finds some of them undone.
 */
#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "io/file.h"
#include "sim.h"

#define FILES_MOST   64
#define HANDLES_MOST 128
#define NAMES_MOST   256
#define NAME_ROOM    96
#define SECTOR       512

struct unsynced {
    struct unsynced *next;
    uint64_t at;
    size_t n;
    unsigned char bytes[];
};

struct sim_file {
    bool used, locked;
    char name[NAME_ROOM], kept_name[NAME_ROOM]; /* now, and after a cut; empty: none */
    unsigned char *now, *kept;
    size_t n, kept_n;
    struct unsynced *first, **last;
    unsigned handles;
    bool broken; /* a sync of it failed: writing and syncing it is a mistake */
};

static struct sim_file files[FILES_MOST];
static struct {
    int file; /* and one; 0: free */
    unsigned flags;
    bool locks;
} handles[HANDLES_MOST];
/* Changes of names since the last sync of the folder, in order. */
static struct {
    int file;
    char name[NAME_ROOM];
} changes[NAMES_MOST];
static size_t changes_n;
static int64_t full_until, slow_until;
static unsigned fails_writes, fails_syncs;
static bool has_failed;
struct sim_disk_figures sim_disk_figures;

/* ---- time, and faults ---- */

static void take(int64_t least_us, int64_t most_us)
{
    bool slow = sim_now() < slow_until;
    if (fiber_self())
        fiber_nap(slow && sim_once_in(2) ? sim_between(1000, 500000) : sim_between(least_us, most_us));
}

static int fails(unsigned *calls)
{
    if (*calls == 0)
        return 0;
    --*calls;
    has_failed = true;
    return -EIO;
}

/* ---- files ---- */

static struct sim_file *file_of(int handle)
{
    CHECK(handle >= 0 && handle < HANDLES_MOST && handles[handle].file > 0);
    return &files[handles[handle].file - 1];
}

static int find(const char *path)
{
    for (int i = 0; i < FILES_MOST; i++)
        if (files[i].used && strcmp(files[i].name, path) == 0)
            return i;
    return -1;
}

static void forget_unsynced(struct sim_file *f)
{
    while (f->first) {
        struct unsynced *next = f->first->next;
        free(f->first);
        f->first = next;
    }
    f->last = &f->first;
}

static void free_if_gone(struct sim_file *f)
{
    if (f->handles > 0 || f->name[0] || f->kept_name[0])
        return;
    forget_unsynced(f);
    free(f->now);
    free(f->kept);
    *f = (struct sim_file){ 0 };
}

static void sync_names(void)
{
    for (size_t i = 0; i < changes_n; i++)
        strcpy(files[changes[i].file].kept_name, changes[i].name);
    changes_n = 0;
    for (int i = 0; i < FILES_MOST; i++)
        if (files[i].used)
            free_if_gone(&files[i]);
}

static void name_it(int file, const char *name)
{
    CHECK(strlen(name) < NAME_ROOM);
    strcpy(files[file].name, name);
    if (changes_n == NAMES_MOST)
        sync_names(); /* a file system does not keep them back for ever */
    changes[changes_n].file = file;
    strcpy(changes[changes_n++].name, name);
}

static void reach(unsigned char **bytes, size_t *n, size_t wanted)
{
    if (wanted <= *n)
        return;
    *bytes = realloc(*bytes, wanted);
    memset(*bytes + *n, 0, wanted - *n);
    *n = wanted;
}

static int on_open(struct files *disk, const char *path, unsigned flags)
{
    (void)disk;
    take(5, 60);
    int file = find(path), handle = 0;
    if (file < 0 && !(flags & FILE_CREATE))
        return -ENOENT;
    if (file < 0) {
        if (sim_now() < full_until)
            return -ENOSPC;
        for (file = 0; file < FILES_MOST && files[file].used; file++)
            ;
        CHECK(file < FILES_MOST);
        files[file] = (struct sim_file){ .used = true };
        files[file].last = &files[file].first;
        name_it(file, path);
    }
    while (handle < HANDLES_MOST && handles[handle].file)
        handle++;
    CHECK(handle < HANDLES_MOST);
    handles[handle].file = file + 1;
    handles[handle].flags = flags;
    handles[handle].locks = false;
    files[file].handles++;
    return handle;
}

static void on_close(struct files *disk, int handle)
{
    (void)disk;
    struct sim_file *f = file_of(handle);
    if (handles[handle].locks)
        f->locked = false;
    f->handles--;
    handles[handle].file = 0;
    free_if_gone(f);
}

static int on_lock(struct files *disk, int handle)
{
    (void)disk;
    struct sim_file *f = file_of(handle);
    if (f->locked)
        return -EWOULDBLOCK;
    f->locked = handles[handle].locks = true;
    return 0;
}

static int64_t on_size(struct files *disk, int handle)
{
    (void)disk;
    return (int64_t)file_of(handle)->n;
}

static void check_blocks(int handle, const void *memory, size_t n, uint64_t at)
{
    if (handles[handle].flags & FILE_DIRECT)
        CHECK(at % FILE_BLOCK == 0 && n % FILE_BLOCK == 0 && (uintptr_t)memory % FILE_BLOCK == 0);
}

static int64_t on_read(struct files *disk, int handle, void *to, size_t n, uint64_t at)
{
    (void)disk;
    check_blocks(handle, to, n, at);
    take(20, 400);
    struct sim_file *f = file_of(handle);
    n = at >= f->n ? 0 : f->n - at < n ? f->n - at : n;
    if (n > 0)
        memcpy(to, f->now + at, n);
    return (int64_t)n;
}

static void put(struct sim_file *f, const void *from, size_t n, uint64_t at)
{
    struct unsynced *u = malloc(sizeof(*u) + n);
    reach(&f->now, &f->n, at + n);
    memcpy(f->now + at, from, n);
    *u = (struct unsynced){ .at = at, .n = n };
    memcpy(u->bytes, from, n);
    *f->last = u;
    f->last = &u->next;
    sim_disk_figures.written += n;
}

static int64_t on_write(struct files *disk, int handle, const void *from, size_t n, uint64_t at)
{
    (void)disk;
    struct sim_file *f = file_of(handle);
    check_blocks(handle, from, n, at);
    if (f->broken)
        sim_fail("%s is written after a sync of it has failed", f->name);
    take(20, 600);
    int status = fails(&fails_writes);
    if (status == 0 && sim_now() < full_until && at + n > f->kept_n) {
        has_failed = true;
        status = -ENOSPC;
    }
    if (status < 0 && sim_once_in(2))
        return status;
    if (status < 0)
        n = n / 2 / FILE_BLOCK * FILE_BLOCK; /* some of it */
    if (n > 0)
        put(f, from, n, at);
    return (int64_t)n;
}

static int on_allocate(struct files *disk, int handle, uint64_t n)
{
    (void)disk;
    struct sim_file *f = file_of(handle);
    take(20, 2000);
    if (sim_now() < full_until && n > f->n) {
        has_failed = true;
        return -ENOSPC;
    }
    reach(&f->now, &f->n, n);
    reach(&f->kept, &f->kept_n, n);
    return 0;
}

static void keep(struct sim_file *f, const struct unsynced *u, size_t from, size_t n)
{
    reach(&f->kept, &f->kept_n, u->at + from + n);
    memcpy(f->kept + u->at + from, u->bytes + from, n);
}

static int on_sync(struct files *disk, int handle)
{
    (void)disk;
    struct sim_file *f = file_of(handle);
    struct unsynced *upto = NULL;
    if (f->broken)
        sim_fail("%s is synced again after a sync of it has failed", f->name);
    for (struct unsynced *u = f->first; u; u = u->next)
        upto = u;
    take(200, 6000);
    sim_disk_figures.syncs++;
    int status = fails(&fails_syncs);
    f->broken = status < 0;
    /* After a failure each write is on disk or not, and nobody is told again. What is written meanwhile waits
     * for the next sync. */
    while (upto && f->first) {
        struct unsynced *u = f->first;
        if (status == 0 || sim_once_in(2))
            keep(f, u, 0, u->n);
        f->first = u->next;
        if (!f->first)
            f->last = &f->first;
        bool over = u == upto;
        free(u);
        if (over)
            break;
    }
    return status;
}

static int on_sync_folder(struct files *disk, const char *folder)
{
    (void)disk;
    (void)folder;
    take(100, 3000);
    sync_names();
    return 0;
}

static int on_remove(struct files *disk, const char *path)
{
    (void)disk;
    int file = find(path);
    if (file < 0)
        return -ENOENT;
    name_it(file, "");
    free_if_gone(&files[file]);
    return 0;
}

static int on_rename(struct files *disk, const char *from, const char *to)
{
    int file = find(from);
    if (file < 0)
        return -ENOENT;
    on_remove(disk, to);
    name_it(file, to);
    return 0;
}

static int on_is_named(struct files *disk, const char *path, int handle)
{
    (void)disk;
    int file = find(path);
    return file < 0 ? -ENOENT : &files[file] == file_of(handle) ? 0 : -ESTALE;
}

static int on_make_folder(struct files *disk, const char *folder)
{
    (void)disk;
    (void)folder;
    return 0;
}

static int on_list(struct files *disk, const char *folder, void (*each)(void *ctx, const char *name),
                   void *ctx)
{
    (void)disk;
    size_t n = strlen(folder);
    for (int i = 0; i < FILES_MOST; i++)
        if (files[i].used && strncmp(files[i].name, folder, n) == 0 && files[i].name[n] == '/')
            each(ctx, files[i].name + n + 1);
    return 0;
}

struct files file_system = { on_open,   on_close,    on_lock,        on_size,        on_read,
                             on_write,  on_allocate, on_sync,        on_sync_folder, on_rename,
                             on_remove, on_is_named, on_make_folder, on_list };

/* ---- what the world does ---- */

void sim_disk_process_gone(void)
{
    for (int i = 0; i < HANDLES_MOST; i++)
        if (handles[i].file)
            on_close(&file_system, i);
    for (int i = 0; i < FILES_MOST; i++)
        files[i].broken = false; /* whoever comes next may try */
}

static void cut_file(struct sim_file *f)
{
    for (struct unsynced *u = f->first; u; u = u->next) {
        uint64_t tears = sim_below(4); /* all of it is there, nothing, or any mixture */
        sim_disk_figures.lost += tears == 1;
        sim_disk_figures.torn += tears > 1;
        for (size_t at = 0; at < u->n; at += SECTOR)
            if (tears == 0 || (tears > 1 && sim_once_in(2)))
                keep(f, u, at, u->n - at < SECTOR ? u->n - at : SECTOR);
    }
    forget_unsynced(f);
    free(f->now);
    f->n = f->kept_n;
    f->now = malloc(f->n + 1);
    if (f->n)
        memcpy(f->now, f->kept, f->n);
}

void sim_disk_cut(void)
{
    sim_disk_figures.cuts++;
    changes_n = changes_n ? sim_below(changes_n + 1) : 0;
    sync_names();
    for (int i = 0; i < FILES_MOST; i++) {
        struct sim_file *f = &files[i];
        if (!f->used)
            continue;
        cut_file(f);
        strcpy(f->name, f->kept_name);
        free_if_gone(f);
    }
}

void sim_disk_full(int64_t until)
{
    full_until = until;
}

void sim_disk_slow(int64_t until)
{
    slow_until = until;
}

void sim_disk_fail_writes(unsigned calls)
{
    fails_writes = calls;
}

void sim_disk_fail_syncs(unsigned calls)
{
    fails_syncs = calls;
}

bool sim_disk_has_failed(void)
{
    bool failed = has_failed;
    has_failed = false;
    return failed;
}
