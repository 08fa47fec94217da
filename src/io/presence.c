#include "io/presence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/system.h"

#define CONTENT_MAX ((size_t)65536)
#define FILES_MAX   1000

/* Whoever can write to the folder can send a verb, and the token that it brings, anywhere. */
static bool is_trusted(const struct stat *st, bool of_anybody)
{
    uid_t me = geteuid();
    return S_ISDIR(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
           (st->st_uid == me || st->st_uid == 0 || (me == 0 && of_anybody));
}

/* The folder's descriptor or a negative errno. *owner: whose it is. */
static int open_folder(const char *folder, bool of_anybody, uid_t *owner)
{
    struct stat st;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && is_trusted(&st, of_anybody)) {
        *owner = st.st_uid;
        return fd;
    }
    close(fd);
    return -EPERM;
}

static int write_all(int fd, struct str content)
{
    while (content.n) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        content = str_from_index(content, (size_t)n);
    }
    return 0;
}

/* A name that no other file ever had: who removes it removes this one. */
static void make_name(char out[PRESENCE_NAME])
{
    uint64_t chance;
    system_random(&chance, sizeof(chance));
    snprintf(out, PRESENCE_NAME, "%ld-%016llx", (long)getpid(), (unsigned long long)chance);
}

/* Written and locked under a name that readers pass over, then renamed: what a reader finds is whole and
 * locked. */
static int put(struct presence *p, struct str content)
{
    char hidden[PRESENCE_NAME + 1];
    snprintf(hidden, sizeof(hidden), ".%s", p->name);
    p->file = openat(p->folder, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->file < 0)
        return -errno;
    int status = flock(p->file, LOCK_EX | LOCK_NB) < 0 ? -errno : write_all(p->file, content);
    if (status == 0 && renameat(p->folder, hidden, p->folder, p->name) < 0)
        status = -errno;
    if (status < 0)
        unlinkat(p->folder, hidden, 0);
    return status;
}

static void pass_over(void *ctx, struct str content, uid_t owner)
{
    (void)ctx;
    (void)content;
    (void)owner;
}

int presence_make_folder(const char *folder)
{
    uid_t owner;
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open_folder(folder, false, &owner);
    if (fd < 0)
        return fd;
    close(fd);
    return owner == geteuid() ? 0 : -EPERM;
}

int presence_show(struct presence *p, const char *folder, struct str content)
{
    uid_t owner;
    *p = (struct presence){ .folder = -1, .file = -1 };
    if (content.n >= CONTENT_MAX)
        return -EFBIG;
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open_folder(folder, false, &owner);
    if (fd < 0)
        return fd;
    p->folder = fd;
    /* The owner of another user's folder could replace our file. */
    int status = owner == geteuid() ? 0 : -EPERM;
    if (status == 0) {
        presence_each(folder, false, pass_over, NULL);
        make_name(p->name);
        status = put(p, content);
    }
    if (status < 0) {
        p->name[0] = '\0'; /* nothing is to be removed */
        presence_withdraw(p);
    }
    return status;
}

void presence_withdraw(struct presence *p)
{
    if (p->folder >= 0 && p->name[0])
        unlinkat(p->folder, p->name, 0);
    if (p->file >= 0)
        close(p->file);
    if (p->folder >= 0)
        close(p->folder);
    p->folder = p->file = -1;
}

/* Appends what a living process wrote. false: nobody's, or not of a kind to be read. */
static bool read_file(int folder, const char *name, uid_t owner, struct buf *out)
{
    struct stat st;
    bool good = false;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != owner || st.st_size >= (off_t)CONTENT_MAX)
        goto out;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        unlinkat(folder, name, 0); /* its process is dead */
        goto out;
    }
    if (errno != EWOULDBLOCK)
        goto out;
    ssize_t n;
    while (out->n < CONTENT_MAX && (n = read(fd, buf_room(out, 4096), 4096)) > 0)
        out->n += (size_t)n;
    good = true;
out:
    close(fd);
    return good;
}

int presence_each(const char *folder, bool of_anybody, presence_fn fn, void *ctx)
{
    uid_t owner;
    int fd = open_folder(folder, of_anybody, &owner);
    if (fd < 0)
        return fd;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        int status = -errno;
        if (copy >= 0)
            close(copy);
        close(fd);
        return status;
    }
    struct buf content = BUF_INIT;
    struct dirent *e;
    for (int n = 0; n < FILES_MAX && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        buf_clear(&content);
        if (read_file(fd, e->d_name, owner, &content))
            fn(ctx, buf_str(&content), owner);
    }
    buf_fini(&content);
    closedir(dir);
    close(fd);
    return 0;
}

int presence_owner(const char *path, uid_t *out)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return -errno;
    *out = st.st_uid;
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}
