/*
 * A folder in which each living process of a kind keeps one small file. The process holds a lock (flock) on
 * its file as long as it lives, whatever ends it. So a reader knows that the process lives without asking for
 * a process id, which another process may have by now, or which may belong to another namespace. Any thread;
 * no call waits for a lock, but each may wait for the disk.
 *
 * The folder may lie where others may write too (/tmp). It is used only when it is a folder and no link to
 * one, belongs to this user or to root, and only its owner may write to it.
 */
#ifndef IO_PRESENCE_H
#define IO_PRESENCE_H

#include <limits.h>
#include <sys/types.h>

#include "base/buf.h"

#define PRESENCE_NAME 64

struct presence {
    int folder, file; /* descriptors; -1: not shown. Private to io/presence.c */
    char name[PRESENCE_NAME];
};

/* Makes the folder when there is none, and looks whether presence_show can use it. 0 or a negative errno. */
int presence_make_folder(const char *folder);
/* Puts `content` (below 64 KiB) into the folder for as long as this process lives. Makes the folder when
 * there is none (mode 0700), but not those above it. Removes files of dead processes. 0: shown, until
 * presence_withdraw. A negative errno: not shown; -EPERM: the folder is not to be trusted or is another
 * user's; -EFBIG: `content` is too long. */
int presence_show(struct presence *p, const char *folder, struct str content);
/* Removes this process's file. Call it at the end. Does nothing after presence_show failed, and the second
 * time. */
void presence_withdraw(struct presence *p);

/* Called for the file of each living process, with the file's owner. `content` lives as long as the call. */
typedef void (*presence_fn)(void *ctx, struct str content, uid_t owner);
/* Calls `fn` for the file of each living process, inside this call. Reads at most 1000 files of the folder.
 * Removes files of dead processes where this user may. `of_anybody`: root may also read the folder of another
 * user; use it only where root has made the folder above. 0, also when no process lives; or a negative errno:
 * no folder, or one that is not to be trusted (-EPERM). */
int presence_each(const char *folder, bool of_anybody, presence_fn fn, void *ctx);

/* Sets *out to the owner of a regular file. 0 or a negative errno; -EINVAL: it is no regular file, and *out
 * is its owner. Does not follow links. */
int presence_owner(const char *path, uid_t *out);

#endif
