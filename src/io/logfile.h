/*
 * A file of lines that a loop appends to: the access log of one worker. It collects lines and writes them
 * whole, with one O_APPEND write on a thread of io/chores: workers share a file without torn lines, and no
 * loop waits for the disk. Pipes and terminals take little at a time: there the workers of a process write
 * in turns. All functions except logfile_try run on the loop's thread.
 */
#ifndef IO_LOGFILE_H
#define IO_LOGFILE_H

#include "base/buf.h"
#include "io/loop.h"

struct logfile;

/* Opens the file for appending. `path`, which is copied: "-" is standard output. A new file gets mode 0640.
 * Returns a log file that ends by logfile_close; *error is 0. NULL: it cannot be opened, and *error is a
 * libuv error. */
struct logfile *logfile_open(struct loop *l, struct str path, int *error);
/* Returns a buffer of the log file's. The caller appends one whole line (newline included), then calls
 * logfile_added at once. The file is written when 64 KiB are together or a second has passed. Drops and
 * counts lines beyond 8 MiB when the disk is too slow, and lines that the disk refuses (full); the process
 * warns once until writing works again. Takes a line back when only a part of it was written to a file. */
struct buf *logfile_line(struct logfile *f);
void logfile_added(struct logfile *f);
/* Opens the path anew (SIGUSR1). A write under way still goes to the old file. 0: done, also for standard
 * output, which stays. A libuv error: the old file stays in use. */
int logfile_reopen(struct logfile *f);
/* Writes the rest and frees the log file, then calls closed(ctx) from the loop; `closed` may be NULL. No
 * other function may be called from now on. Gives up on a pipe that nobody reads after a second. */
void logfile_close(struct logfile *f, void (*closed)(void *ctx), void *ctx);
/* Returns its path, or "standard output", for people. Good until logfile_close. */
const char *logfile_name(const struct logfile *f);
/* From now on lost(ctx, n) is called whenever n more lines are lost: from the loop, or inside
 * logfile_added. */
void logfile_on_lost(struct logfile *f, void (*lost)(void *ctx, uint64_t n), void *ctx);
/* Could logfile_open open it? Opens an existing file; makes none. 0: yes. A libuv error: no. Any thread;
 * waits for the disk. */
int logfile_try(struct str path);
/* Returns the number of lines lost so far. */
uint64_t logfile_dropped(const struct logfile *f);

#endif
