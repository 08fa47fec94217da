/*
 * The state folder: what one start of freshet leaves for the next one and for the other verbs: the admin token, and where the
 * admin listener is. Small files, one line each, for their owner only.
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <limits.h>

#include "io/system.h"

/* The folder's path, NUL-terminated; it need not exist. `override`: the setting `state`; empty: $XDG_STATE_HOME/freshet, else
 * ~/.local/state/freshet. 0, -ENOENT (nothing says where it is) or -ENAMETOOLONG. */
int state_folder(struct str override, char out[PATH_MAX]);

/* Each appends the file's first line, without white space around it. 0 or a negative errno, then `out` is as it was; -EINVAL: the
 * file holds nothing of the kind. */
int state_read_token(const char *folder, struct buf *out);
int state_read_admin(const char *folder, struct buf *out);

/* Each makes the folder when there is none (mode 0700) and replaces the file (mode 0600). 0 or a negative errno. *id: what
 * state_remove_admin knows the file by. */
int state_write_token(const char *folder, struct str token);
int state_write_admin(const char *folder, struct str address, struct file_id *id);
/* At the end. Not when another freshet has written the file since. */
void state_remove_admin(const char *folder, const struct file_id *id);

#endif
