/*
 * The state folder: what freshet leaves for its next start and for the other verbs: the admin token, and
 * where the admin listener is. Small files of one line, readable by their owner only. Main thread; waits for
 * the disk.
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <limits.h>

#include "io/system.h"

/* Finds the folder's path, NUL-terminated; the folder need not exist. `override`: the setting `state`; empty:
 * $XDG_STATE_HOME/freshet, else ~/.local/state/freshet. 0, -ENOENT (nothing names a folder) or
 * -ENAMETOOLONG. */
int state_folder(struct str override, char out[PATH_MAX]);

/* Append the first line of the token's or the address's file, without white space around it. 0; or a negative
 * errno, and `out` is unchanged. -EINVAL: the file has no such line. */
int state_read_token(const char *folder, struct buf *out);
int state_read_admin(const char *folder, struct buf *out);

/* Make the folder when there is none (mode 0700), and replace the file (mode 0600). 0 or a negative errno.
 * *id: the file, for state_remove_admin. */
int state_write_token(const char *folder, struct str token);
int state_write_admin(const char *folder, struct str address, struct file_id *id);
/* Removes the file at the end, unless another freshet has written it since. */
void state_remove_admin(const char *folder, const struct file_id *id);

#endif
