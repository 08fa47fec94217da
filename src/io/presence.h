/*
 * A folder in which each living process of a kind keeps one small file. The file is locked (flock) as long as its process lives,
 * whatever ends it, so that it is known to be of the living without asking for a process id, which may be another's by now or
 * of another namespace. Any thread; nobody waits.
 *
 * Folders lie where others may write too (/tmp). One is used only when it is a folder, not a link to one, belongs to this
 * user or to root, and nobody else may write to it.
 */
#ifndef IO_PRESENCE_H
#define IO_PRESENCE_H

#include <limits.h>
#include <sys/types.h>

#include "base/buf.h"

#define PRESENCE_NAME 64

struct presence {
    int folder, file; /* descriptors; -1: not published */
    char name[PRESENCE_NAME];
};

/* Makes the folder when there is none (mode 0700, not what is above it) and puts `content` (below 64 KiB) there for as long as this
 * process lives. 0 or a negative errno; -EPERM: the folder is not to be trusted. What dead processes left there is removed. */
int presence_publish(struct presence *p, const char *folder, struct str content);
/* At the end; also after a publish that failed. */
void presence_withdraw(struct presence *p);

/* Called for what each living process wrote, with its owner. `content` lives as long as the call. */
typedef void (*presence_fn)(void *ctx, struct str content, uid_t owner);
/* Reads at most 1000 files of the folder, and removes what dead processes left as far as this user may. `of_anybody`: root also reads
 * a folder of another user; only where root has made it. 0, also when there is none alive, or a negative errno: no folder, or one that is not to be
 * trusted (-EPERM). */
int presence_each(const char *folder, bool of_anybody, presence_fn fn, void *ctx);

/* Whose file it is. 0 or a negative errno; -EINVAL: no file, also when it is a link to one. */
int presence_owner(const char *path, uid_t *out);

#endif
