/*
 * A file of lines that a loop appends to: the access log of one worker. Lines are collected and written whole with one
 * O_APPEND write in libuv's thread pool, so that workers share a file without torn lines and without a stalled loop.
 * Pipes and terminals take little at a time: there the workers of a process write in turns.
 */
#ifndef IO_LOGFILE_H
#define IO_LOGFILE_H

#include "base/buf.h"
#include "io/loop.h"

struct logfile;

/* `path`: "-" is standard output; a new file gets mode 0640. NULL and *error (a libuv code) when it cannot be opened. */
struct logfile *logfile_open(struct loop *l, struct str path, int *error);
/* A buffer to add one whole line to (newline included); then logfile_added. Written when 64 KiB are together or a second
 * has passed. When the disk cannot keep up, lines above 8 MiB are dropped and counted, as are those that it
 * refuses (a full disk), with one warning of the process until it works again. A line of which only a part was written to a
 * file is taken back. */
struct buf *logfile_line(struct logfile *f);
void logfile_added(struct logfile *f);
/* SIGUSR1: opens the path anew. What is being written still goes to the old file. 0, or a libuv error: the old file is
 * kept. */
int logfile_reopen(struct logfile *f);
/* Writes what is left and frees it; `closed(ctx)` follows, NULL is allowed. A pipe that nobody empties is given up after a
 * second. */
void logfile_close(struct logfile *f, void (*closed)(void *ctx), void *ctx);
/* For people: its path, or "standard output". */
const char *logfile_name(const struct logfile *f);
/* `lost(ctx, n)`, on the loop, whenever n lines more are lost. */
void logfile_on_lost(struct logfile *f, void (*lost)(void *ctx, uint64_t n), void *ctx);
/* Could logfile_open open it? Opens what is there, makes nothing. 0 or a libuv error. */
int logfile_try(struct str path);
/* Lines lost so far. */
uint64_t logfile_dropped(const struct logfile *f);

#endif
