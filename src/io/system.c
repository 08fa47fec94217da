#include "io/system.h"

#include <uv.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

void system_random(void *out, size_t bytes)
{
    char *p = out;
    while (bytes) {
        ssize_t n = getrandom(p, bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fprintf(stderr, "freshet: the kernel gives no randomness (getrandom: %s).\n", strerror(errno));
            abort();
        }
        p += n;
        bytes -= (size_t)n;
    }
}

uint64_t system_raise_files_limit(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit most = { limit.rlim_max, limit.rlim_max };
    if (limit.rlim_cur != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &most) == 0)
        limit = most;
    return limit.rlim_cur;
}

/* ---- cores ---- */

unsigned system_quota_cores(struct str cpu_max)
{
    uint64_t quota, period;
    struct str line = str_cut(&cpu_max, '\n');
    struct str first = str_cut(&line, ' ');
    if (!str_to_u64(first, UINT32_MAX * UINT64_C(1000000), &quota) ||
        !str_to_u64(line, UINT32_MAX, &period) || period == 0)
        return 0;
    uint64_t cores = (quota + period - 1) / period;
    return cores == 0 ? 1 : cores > UINT_MAX ? UINT_MAX : (unsigned)cores;
}

#define CGROUP_ROOT "/sys/fs/cgroup"

static unsigned quota_of(struct str folder)
{
    char path[PATH_MAX];
    struct buf text = BUF_INIT;
    unsigned cores = 0;
    int n = snprintf(path, sizeof(path), CGROUP_ROOT "%.*s/cpu.max", STR_ARG(folder));
    if (n > 0 && (size_t)n < sizeof(path) && system_read_file(path, 256, &text) == 0)
        cores = system_quota_cores(buf_str(&text));
    buf_fini(&text);
    return cores;
}

/* The smallest quota from this process's group up to the root; 0: none. In a container the root is the
 * group. */
static unsigned cgroup_cores(void)
{
    struct buf text = BUF_INIT;
    unsigned least = 0;
    struct str folder = STR_NONE;
    if (system_read_file("/proc/self/cgroup", 65536, &text) == 0) {
        struct str rest = buf_str(&text);
        while (rest.p) {
            struct str line = str_cut(&rest, '\n');
            if (str_starts(line, STR("0::/")))
                folder = str_from_index(line, 3);
        }
    }
    for (;;) {
        while (folder.n && folder.p[folder.n - 1] == '/')
            folder.n--;
        unsigned cores = quota_of(folder);
        if (cores && (!least || cores < least))
            least = cores;
        if (folder.n == 0)
            break;
        while (folder.n && folder.p[folder.n - 1] != '/')
            folder.n--;
    }
    buf_fini(&text);
    return least;
}

unsigned system_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    /* Fails on machines with more than 1024 cores, where this set is too small. */
    long cores =
        sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = cores < 1 ? 1 : (unsigned)cores;
    unsigned quota = cgroup_cores();
    return quota && quota < n ? quota : n;
}

/* ---- files ---- */

/* Reads to the end rather than what stat says: files in /proc and /sys have no size. */
static int read_all(int fd, size_t max, struct buf *out)
{
    size_t start = out->n;
    for (;;) {
        size_t left = max - (out->n - start);
        /* One byte above the limit, to know whether there is more. */
        size_t room = left < 16384 ? left + 1 : 16384;
        ssize_t n = read(fd, buf_room(out, room), room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        if ((size_t)n > left)
            return -EFBIG;
        out->n += (size_t)n;
    }
}

int system_read_file(const char *path, size_t max, struct buf *out)
{
    size_t start = out->n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = read_all(fd, max, out);
    close(fd);
    if (status != 0)
        out->n = start;
    return status;
}

static int write_all(int fd, struct str content)
{
    while (content.n) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        content = str_from_index(content, (size_t)n);
    }
    return 0;
}

/* The rename is durable once the folder is. */
static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 1;
    if (n >= sizeof(folder))
        return -ENAMETOOLONG;
    memcpy(folder, slash ? path : ".", n);
    folder[n] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return status;
}

static int fill_file(int fd, struct str content, mode_t mode)
{
    if (fchmod(fd, mode) != 0)
        return -errno;
    int status = write_all(fd, content);
    if (status == 0 && fsync(fd) != 0)
        status = -errno;
    return status;
}

int system_write_file(const char *path, struct str content, mode_t mode)
{
    char beside[PATH_MAX];
    int n = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(beside))
        return -ENAMETOOLONG;
    int fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 until it is whole */
    if (fd < 0)
        return -errno;
    int status = fill_file(fd, content, mode);
    if (close(fd) != 0 && status == 0)
        status = -errno;
    if (status == 0 && rename(beside, path) != 0)
        status = -errno;
    if (status != 0) {
        unlink(beside);
        return status;
    }
    return sync_folder_of(path);
}

struct timespec system_after_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

int system_file_id(const char *path, struct file_id *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -errno;
    *out = (struct file_id){ st.st_dev, st.st_ino };
    return 0;
}

void system_file_stamp(const char *path, struct file_stamp *out)
{
    struct stat st;
    memset(out, 0, sizeof(*out)); /* stamps are compared whole */
    if (stat(path, &st) != 0)
        return;
    out->id = (struct file_id){ st.st_dev, st.st_ino };
    out->bytes = st.st_size;
    out->changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

int system_lock_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int status = -errno;
    close(fd);
    return status;
}

void system_unlock_file(int fd)
{
    close(fd);
}

int system_remove_file(const char *path)
{
    return unlink(path) == 0 ? 0 : -errno;
}

int system_file_mode(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -errno;
}

static int may_write_in(const char *folder)
{
    struct stat st;
    if (stat(folder, &st) != 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    /* As the process would be judged: by its effective user. */
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

int system_folder_of(const char *path, char out[PATH_MAX])
{
    size_t n = strlen(path);
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    memcpy(out, path, n);
    out[n] = '\0';
    if (n == 0)
        strcpy(out, ".");
    return 0;
}

int system_absolute(const char *path, char out[PATH_MAX])
{
    char here[PATH_MAX];
    bool is_absolute = path[0] == '/';
    if (!is_absolute && !getcwd(here, sizeof(here)))
        return -errno;
    int n = snprintf(out, PATH_MAX, "%s%s%s", is_absolute ? "" : here, is_absolute ? "" : "/", path);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int system_may_make_file(const char *path)
{
    char folder[PATH_MAX];
    int status = system_folder_of(path, folder);
    return status < 0 ? status : may_write_in(folder);
}

int system_may_make_dirs(const char *path)
{
    char at[PATH_MAX], above[PATH_MAX];
    if (strlen(path) >= sizeof(at))
        return -ENAMETOOLONG;
    strcpy(at, path);
    int status;
    /* The first that is there decides. */
    while ((status = may_write_in(at)) == -ENOENT && strcmp(at, ".") != 0 && strcmp(at, "/") != 0) {
        system_folder_of(at, above);
        strcpy(at, above);
    }
    return status;
}

bool system_is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int make_dir(const char *path, mode_t mode)
{
    struct stat st;
    if (mkdir(path, mode) == 0)
        return 0;
    int error = errno;
    /* Also when the file system is read-only or the folder above is not ours: what is there need not be
     * made. */
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    return -error;
}

int system_make_dirs(const char *path, mode_t mode)
{
    char folder[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0)
        return -ENOENT;
    if (n >= sizeof(folder))
        return -ENAMETOOLONG;
    memcpy(folder, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (folder[i] != '/')
            continue;
        folder[i] = '\0';
        int status = make_dir(folder, mode);
        if (status != 0)
            return status;
        folder[i] = '/';
    }
    return make_dir(folder, mode);
}

/* libuv makes a new text, which nobody frees, of a code that it does not know. */
const char *system_strerror(int code)
{
    static const char unknown[] = "Unknown system error";
    char text[128];
    if (strncmp(uv_strerror_r(code, text, sizeof(text)), unknown, sizeof(unknown) - 1) != 0)
        return uv_strerror(code);
    const char *said = strerrordesc_np(-code);
    return said ? said : "unknown error";
}

bool system_is_exhausted(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

_Noreturn void system_exit_now(int code)
{
    syscall(SYS_exit_group, code);
    __builtin_unreachable();
}
