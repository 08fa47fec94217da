#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/system.h"

static int result_of(int returned)
{
    return returned < 0 ? -errno : returned;
}

static int on_open(struct files *f, const char *path, unsigned flags)
{
    (void)f;
    int mode = (flags & FILE_WRITE ? O_RDWR : O_RDONLY) | (flags & FILE_CREATE ? O_CREAT : 0);
    int fd = -1;
    if (flags & FILE_DIRECT)
        fd = open(path, mode | O_NOFOLLOW | O_CLOEXEC | O_DIRECT, 0600);
    /* EINVAL: the file system has no direct access. */
    if (fd < 0 && (!(flags & FILE_DIRECT) || errno == EINVAL))
        fd = open(path, mode | O_NOFOLLOW | O_CLOEXEC, 0600);
    return result_of(fd);
}

static void on_close(struct files *f, int file)
{
    (void)f;
    close(file);
}

static int on_lock(struct files *f, int file)
{
    (void)f;
    return result_of(flock(file, LOCK_EX | LOCK_NB));
}

static int64_t on_size(struct files *f, int file)
{
    (void)f;
    struct stat st;
    return fstat(file, &st) == 0 ? (int64_t)st.st_size : -errno;
}

static int64_t on_read(struct files *f, int file, void *to, size_t bytes, uint64_t at)
{
    (void)f;
    ssize_t n;
    do {
        n = pread(file, to, bytes, (off_t)at);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int64_t)n;
}

static int64_t on_read_cached(struct files *f, int file, void *to, size_t bytes, uint64_t at)
{
    (void)f;
    struct iovec iov = { to, bytes };
    ssize_t n = preadv2(file, &iov, 1, (off_t)at, RWF_NOWAIT);
    return n >= 0 ? (int64_t)n : errno == EOPNOTSUPP || errno == EINTR ? -EAGAIN : -errno;
}

static int on_set_direct(struct files *f, int file, bool direct)
{
    (void)f;
    int flags = fcntl(file, F_GETFL);
    if (flags < 0 || fcntl(file, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
        return -errno;
    return direct ? 0 : -posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
}

static int64_t on_write(struct files *f, int file, const void *from, size_t bytes, uint64_t at)
{
    (void)f;
    ssize_t n;
    do {
        n = pwrite(file, from, bytes, (off_t)at);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int64_t)n;
}

static int on_allocate(struct files *f, int file, uint64_t bytes)
{
    (void)f;
    int status = result_of(fallocate(file, 0, 0, (off_t)bytes));
    if (status == -EOPNOTSUPP || status == -ENOSYS)
        status = result_of(ftruncate(file, (off_t)bytes));
    return status;
}

static int on_sync(struct files *f, int file)
{
    (void)f;
    return result_of(fdatasync(file));
}

static int on_sync_folder(struct files *f, const char *folder)
{
    (void)f;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = result_of(fsync(fd));
    close(fd);
    return status;
}

static int on_rename(struct files *f, const char *from, const char *to)
{
    (void)f;
    return result_of(rename(from, to));
}

static int on_remove(struct files *f, const char *path)
{
    (void)f;
    return result_of(unlink(path));
}

static int on_is_named(struct files *f, const char *path, int file)
{
    (void)f;
    struct stat named, open;
    if (lstat(path, &named) < 0 || fstat(file, &open) < 0)
        return -errno;
    return named.st_dev == open.st_dev && named.st_ino == open.st_ino ? 0 : -ESTALE;
}

static int on_make_folder(struct files *f, const char *folder)
{
    (void)f;
    return system_make_dirs(folder, 0700);
}

static int on_list(struct files *f, const char *folder, void (*each)(void *ctx, const char *name), void *ctx)
{
    (void)f;
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    struct dirent *e;
    while (errno = 0, (e = readdir(dir)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            each(ctx, e->d_name);
    int status = -errno;
    closedir(dir);
    return status;
}

struct files file_system = {
    .open = on_open,
    .close = on_close,
    .lock = on_lock,
    .size = on_size,
    .read = on_read,
    .read_cached = on_read_cached,
    .set_direct = on_set_direct,
    .write = on_write,
    .allocate = on_allocate,
    .sync = on_sync,
    .sync_folder = on_sync_folder,
    .rename = on_rename,
    .remove = on_remove,
    .is_named = on_is_named,
    .make_folder = on_make_folder,
    .list = on_list,
};
