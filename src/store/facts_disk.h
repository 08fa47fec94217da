/*
 * The files of facts in the state folder: a lock, two logs and two snapshots. All access goes through
 * io/file.h, past the page cache where the file system can: so what is read is on the disk, and the write
 * itself tells a failure. No locks: a file is used by one thread at a time. For store/facts alone.
 *
 * Functions that return an int or int64_t return a negative errno when they fail.
 */
#ifndef STORE_FACTS_DISK_H
#define STORE_FACTS_DISK_H

#include <limits.h>
#include <stdatomic.h>

#include "io/file.h"
#include "store/facts_format.h"

enum facts_file { FACTS_LOG_0, FACTS_LOG_1, FACTS_WHOLE_0, FACTS_WHOLE_1, FACTS_FILES };

struct facts_disk {
    struct files *files;
    char folder[PATH_MAX]; /* empty: none */
    int lock;              /* -1: the folder is not ours */
    atomic_bool direct;    /* past the page cache */
    struct {
        int handle; /* -1: closed */
        uint64_t bytes;
    } file[FACTS_FILES];
};

/* Makes a disk with everything closed. false: the folder's name is too long. An empty one is none. */
bool facts_disk_init(struct facts_disk *d, struct files *files, struct str folder);
/* Makes the folder and takes its lock, unless it has it. -EWOULDBLOCK: another process has it. */
int facts_disk_lock(struct facts_disk *d);
/* Closes all files. */
void facts_disk_close_all(struct facts_disk *d);
/* Closes all files, and gives the folder back. */
void facts_disk_leave(struct facts_disk *d);
/* Is the folder that stands there now the one whose lock we have? -ESTALE, -ENOENT: no. */
int facts_disk_is_ours(const struct facts_disk *d);
/* Are the lock and this open file those that have their names in the folder now? -ESTALE, -ENOENT: no. */
int facts_disk_is_there(const struct facts_disk *d, enum facts_file which);

/* Opens a file, if it is not open. `makes`: makes it when there is none. -ENOENT: there is none. -ESTALE: the
 * folder is not ours any more. */
int facts_disk_open(struct facts_disk *d, enum facts_file which, bool makes);
void facts_disk_close(struct facts_disk *d, enum facts_file which);
/* Closes it and removes it. */
void facts_disk_remove(struct facts_disk *d, enum facts_file which);
/* Closes it and puts it aside, as NAME.damaged, where nothing reads it. */
void facts_disk_put_aside(struct facts_disk *d, enum facts_file which);
/* Writes all of it, or fails. `n` and `at` are multiples of FACTS_BLOCK. */
int facts_disk_write(struct facts_disk *d, enum facts_file which, const void *from, size_t n, uint64_t at);
/* Reads at a multiple of FACTS_BLOCK. Returns how many bytes are there, at most n. */
int64_t facts_disk_read(struct facts_disk *d, enum facts_file which, void *to, size_t n, uint64_t at);
int facts_disk_sync(struct facts_disk *d, enum facts_file which);
int facts_disk_sync_names(struct facts_disk *d);
const char *facts_disk_name(enum facts_file which);

/* Is an open log at least `target` bytes long? Else a step writes zeros behind it, from `zeros`, of
 * FACTS_BATCH_MOST bytes: writes into a file that was really written are quick to sync. 1: it is now, and on
 * disk; 0: there is more to do. */
int facts_disk_grow(struct facts_disk *d, enum facts_file which, uint64_t target, const void *zeros);

/* Memory for one batch, or for what is read: a multiple of FACTS_BLOCK, aligned to it; zeros. */
void *facts_disk_room(size_t bytes);
void facts_disk_free(void *room, size_t bytes);

#endif
