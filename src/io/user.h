/*
 * The user that the process runs as. freshet may be started by root, for ports below 1024 and files that only
 * root reads, and then goes on as somebody who may do less. Main's thread, before there are others.
 */
#ifndef IO_USER_H
#define IO_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

#define USER_NAME_MAX 256

struct user {
    uid_t uid;
    gid_t gid;
    bool is_named; /* the system knows a name for it, and so its other groups */
    char name[USER_NAME_MAX];
};

enum user_found { USER_FOUND, USER_UNKNOWN, USER_GROUP_UNKNOWN, USER_GROUP_MISSING };

/* Looks up "NAME", "NAME:GROUP", or numbers in their places. USER_GROUP_MISSING: a number that the system has
 * no user for needs a group. */
enum user_found user_find(struct str text, struct user *out);
/* May this process become another user? Only root may. */
bool user_is_root(void);
/* Is the process this user already, with that group? */
bool user_is_now(const struct user *u);
/* Becomes this user, in all threads and for good: its group, its other groups (those that the system knows of
 * it; of a number none), its id. Returns 0, or a negative errno; then the process must end, since it may be
 * somebody in between. */
int user_become(const struct user *u);
/* Makes the folder, and those above it, and gives the last one to the user when it was not there before. 0:
 * it is there, whoever's it is; or a negative errno. */
int user_make_folder(const struct user *u, const char *folder);
/* Returns whose the file is, or a negative errno: 0: it is u's. -EACCES: somebody else's. */
int user_owns(const struct user *u, const char *path);

#endif
