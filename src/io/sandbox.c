#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

/* Headers of an older kernel lack them. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* Since which version the kernel knows which rights: all of the first are below this bit. */
#define FIRST_RIGHTS (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1)

/* A rule for a plain file may name these alone. */
#define RIGHTS_OF_FILES                                                                                      \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |             \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

void sandbox_gain_nothing(void)
{
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

void sandbox_dump_nothing(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_cur = 0; /* not the hard limit, which a program that takes our place could not raise again */
    (void)setrlimit(RLIMIT_CORE, &limit);
    /* That limit means nothing to a core_pattern that is a program; this does, with any. */
    CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static uint64_t rights_of_version(int version)
{
    return FIRST_RIGHTS | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
           (version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
}

int sandbox_begin(struct sandbox *s)
{
    *s = (struct sandbox){ .fd = -1 };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return version < 0 ? -errno : -ENOSYS;
    s->handled = rights_of_version((int)version);
    struct landlock_ruleset_attr attr = { .handled_access_fs = s->handled };
    s->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    return s->fd < 0 ? -errno : 0;
}

static uint64_t rights_of(unsigned access)
{
    const uint64_t append =
        LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG;
    uint64_t rights = 0;
    if (access & SANDBOX_READ)
        rights |= LANDLOCK_ACCESS_FS_READ_FILE;
    if (access & SANDBOX_LIST)
        rights |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (access & (SANDBOX_APPEND | SANDBOX_CHANGE))
        rights |= append;
    if (access & SANDBOX_CHANGE)
        rights |=
            LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR;
    if (access & SANDBOX_SOCKET)
        rights |= LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    if (access & SANDBOX_RUN)
        rights |= LANDLOCK_ACCESS_FS_EXECUTE;
    return rights;
}

int sandbox_allow(const struct sandbox *s, const char *path, unsigned access)
{
    struct stat st;
    if (s->fd < 0)
        return 0;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = fstat(fd, &st) == 0 ? 0 : -errno;
    uint64_t rights = rights_of(access) & s->handled;
    if (status == 0 && !S_ISDIR(st.st_mode))
        rights &= RIGHTS_OF_FILES;
    struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = fd };
    if (status == 0 && rights &&
        syscall(SYS_landlock_add_rule, s->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        status = -errno;
    close(fd);
    /* A pipe without a name (/dev/stdout): no rule is needed for one. */
    return status == -EBADFD ? 0 : status;
}

int sandbox_hold_files(struct sandbox *s)
{
    if (s->fd < 0)
        return 0;
    int status = syscall(SYS_landlock_restrict_self, s->fd, 0) == 0 ? 0 : -errno;
    close(s->fd);
    s->fd = -1;
    return status;
}
