#include "io/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/system.h"

/* (uid_t)-1 means "no change" to the kernel. */
static bool read_number(struct str text, uint64_t *out)
{
    return str_to_u64(text, UINT32_MAX - 1, out);
}

static enum user_found find_group(struct str text, gid_t *out)
{
    char name[USER_NAME_MAX];
    uint64_t number;
    if (!str_to_c(text, name, sizeof(name)))
        return USER_GROUP_UNKNOWN;
    const struct group *g = getgrnam(name);
    if (g)
        *out = g->gr_gid;
    else if (read_number(text, &number))
        *out = (gid_t)number;
    else
        return USER_GROUP_UNKNOWN;
    return USER_FOUND;
}

enum user_found user_find(struct str text, struct user *out)
{
    struct str group = text, name = str_cut(&group, ':');
    char key[USER_NAME_MAX];
    uint64_t number;
    bool has_group = name.n < text.n;
    *out = (struct user){ 0 };
    if (!str_to_c(name, key, sizeof(key)))
        return USER_UNKNOWN;
    const struct passwd *p = getpwnam(key);
    if (!p && read_number(name, &number)) {
        p = getpwuid((uid_t)number);
        out->uid = (uid_t)number;
    } else if (!p) {
        return USER_UNKNOWN;
    }
    if (p) {
        out->uid = p->pw_uid;
        out->gid = p->pw_gid;
        out->is_named = str_to_c(str_from(p->pw_name), out->name, sizeof(out->name));
    }
    if (!out->is_named)
        memcpy(out->name, key, sizeof(key));
    if (has_group)
        return find_group(group, &out->gid);
    return p ? USER_FOUND : USER_GROUP_MISSING;
}

bool user_is_root(void)
{
    return geteuid() == 0;
}

bool user_is_now(const struct user *u)
{
    return getuid() == u->uid && geteuid() == u->uid && getegid() == u->gid;
}

int user_become(const struct user *u)
{
    int status = u->is_named ? initgroups(u->name, u->gid) : setgroups(1, &u->gid);
    if (status != 0 || setresgid(u->gid, u->gid, u->gid) != 0 || setresuid(u->uid, u->uid, u->uid) != 0)
        return -errno;
    /* Of a kernel that would let it come back nothing else is to be believed. */
    if (u->uid != 0 && (setuid(0) == 0 || !user_is_now(u)))
        return -EPERM;
    return 0;
}

/* By descriptor: a path could be somebody else's folder by now. */
static int give_folder(const struct user *u, const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = fchown(fd, u->uid, u->gid) == 0 ? 0 : -errno;
    close(fd);
    return status;
}

int user_make_folder(const struct user *u, const char *folder)
{
    struct stat st;
    if (stat(folder, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    int status = system_make_dirs(folder, 0700);
    return status < 0 ? status : give_folder(u, folder);
}

int user_owns(const struct user *u, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -errno;
    return st.st_uid == u->uid ? 0 : -EACCES;
}
