/* The rest of the system (io/system.h, presence.h, watch.h): chance instead of the kernel's, and no files. */
#include "sim_system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "io/presence.h"
#include "io/system.h"
#include "io/watch.h"
#include "sim.h"

static char boot[40];

void sim_system_boot(void)
{
    snprintf(boot, sizeof(boot), "%016llx%016llx", (unsigned long long)sim_roll(),
             (unsigned long long)sim_roll());
}

void system_random(void *out, size_t bytes)
{
    sim_bytes(out, bytes);
}

const char *system_strerror(int code)
{
    return strerror(-code);
}

bool system_is_exhausted(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOMEM || code == -ENOBUFS;
}

uint64_t system_raise_files_limit(void)
{
    return 65536;
}

unsigned system_cores(void)
{
    return 2;
}

unsigned system_quota_cores(struct str cpu_max)
{
    (void)cpu_max;
    return 0;
}

/* The only file that it reads: which boot this is. */
int system_read_file(const char *path, size_t max, struct buf *out)
{
    if (strcmp(path, "/proc/sys/kernel/random/boot_id") != 0)
        return -ENOENT;
    (void)max;
    buf_add(out, str_from(boot));
    return 0;
}

int system_write_file(const char *path, struct str content, mode_t mode)
{
    (void)path;
    (void)content;
    (void)mode;
    return 0;
}

struct timespec system_after_ms(int64_t ms)
{
    int64_t at = sim_now() + ms * 1000;
    return (struct timespec){ at / 1000000, at % 1000000 * 1000 };
}

int system_file_id(const char *path, struct file_id *out)
{
    (void)path;
    *out = (struct file_id){ 1, 1 };
    return 0;
}

int system_remove_file(const char *path)
{
    (void)path;
    return 0;
}

/* No certificate is looked after. */
void system_file_stamp(const char *path, struct file_stamp *out)
{
    (void)path;
    memset(out, 0, sizeof(*out));
}

int system_lock_file(const char *path)
{
    (void)path;
    return -ENOENT;
}

void system_unlock_file(int fd)
{
    (void)fd;
}

int system_file_mode(const char *path)
{
    (void)path;
    return -ENOENT;
}

int system_may_make_file(const char *path)
{
    (void)path;
    return 0;
}

int system_may_make_dirs(const char *path)
{
    (void)path;
    return 0;
}

int system_make_dirs(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

bool system_is_special(const char *path)
{
    (void)path;
    return false;
}

int system_folder_of(const char *path, char out[PATH_MAX])
{
    (void)path;
    strcpy(out, "/");
    return 0;
}

int system_absolute(const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "/%s", path);
    return 0;
}

/* ---- io/presence.h, io/watch.h: nobody looks ---- */

int presence_make_folder(const char *folder)
{
    (void)folder;
    return 0;
}

int presence_show(struct presence *p, const char *folder, struct str content)
{
    (void)folder;
    (void)content;
    p->folder = p->file = -1;
    return 0;
}

void presence_withdraw(struct presence *p)
{
    (void)p;
}

int presence_each(const char *folder, bool of_anybody, presence_fn fn, void *ctx)
{
    (void)folder;
    (void)of_anybody;
    (void)fn;
    (void)ctx;
    return -ENOENT;
}

int presence_owner(const char *path, uid_t *out)
{
    (void)path;
    (void)out;
    return -ENOENT;
}

struct watch {
    int unused;
};

struct watch *watch_start(struct loop *const *loops, size_t n, int64_t rest_ms, const struct watch_ops *ops,
                          void *ctx)
{
    (void)loops;
    (void)n;
    (void)rest_ms;
    (void)ops;
    (void)ctx;
    return mem_alloc(sizeof(struct watch));
}

void watch_stop(struct watch **w)
{
    mem_free(*w);
    *w = NULL;
}

_Noreturn void system_exit_now(int code)
{
    _exit(code);
}
