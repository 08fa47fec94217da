/*
 * What is asked of the operating system once: randomness, the descriptor limit, cores, whole small files.
 */
#ifndef IO_SYSTEM_H
#define IO_SYSTEM_H

#include <sys/types.h>

#include "base/buf.h"

/* getrandom(2); stops the process when the kernel has none. */
void system_random(void *out, size_t bytes);
/* What went wrong, for people: of any negative code that io/ returns. A literal. */
const char *system_strerror(int code);
/* Of such a code: the process or the system has no more of what it takes, whoever is at the other end. */
bool system_is_exhausted(int code);
/* Raises RLIMIT_NOFILE to its hard limit; returns what holds now. */
uint64_t system_raise_files_limit(void);
/* Cores that this process may run on (affinity, cgroup quota rounded up), at least 1. */
unsigned system_cores(void);
/* The whole cores in a quota as cgroup v2's cpu.max states it: "QUOTA PERIOD", rounded up; 0: "max", no limit, or not
 * such a text. */
unsigned system_quota_cores(struct str cpu_max);
/* Appends the whole file. 0 or a negative errno, then `out` is as it was; -EFBIG above `max`. */
int system_read_file(const char *path, size_t max, struct buf *out);
/* Writes a new file beside it, fsyncs, renames: after a crash there is the old content or the new, whole. The mode is
 * exact, whatever the umask. 0 or a negative errno, then the old file is untouched. */
int system_write_file(const char *path, struct str content, mode_t mode);
/* Which file it is: while it is there, no other has the same. 0 or a negative errno. */
struct file_id {
    dev_t device;
    ino_t inode;
};
int system_file_id(const char *path, struct file_id *out);
/* 0 or a negative errno. */
int system_remove_file(const char *path);
/* The permission bits of a file or folder, or a negative errno. */
int system_file_mode(const char *path);
/* Could this process make that file, or that folder with those above it, and write there? Makes nothing. 0 or a negative errno. */
int system_may_make_file(const char *path);
int system_may_make_dirs(const char *path);
/* mkdir -p with `mode` for what is made. 0 or a negative errno. */
int system_make_dirs(const char *path, mode_t mode);

#endif
