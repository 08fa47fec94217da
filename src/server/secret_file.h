/*
 * Files that hold a secret in their first line: the admin token, secrets of webhooks. On main's thread.
 */
#ifndef SERVER_SECRET_FILE_H
#define SERVER_SECRET_FILE_H

#include "base/buf.h"

/* Sets *out to the first line, trimmed; it may be empty. Takes no file above 4096 bytes. Returns 0, or a
 * negative error (io/system.h); then *out is empty. */
int secret_file_read(const char *path, struct buf *out);
/* Warns on standard error when everybody on this machine may read the file. `what` is in it: "the admin
 * token"; `advice` follows "chmod 600". */
void secret_file_warn(const char *path, const char *what, const char *advice);

#endif
