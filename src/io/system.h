/*
 * The operating system: randomness, limits, cores, files and folders. Any thread. Calls that name a file may
 * wait for the disk, so a worker's loop makes none of them.
 */
#ifndef IO_SYSTEM_H
#define IO_SYSTEM_H

#include <sys/types.h>

#include "base/buf.h"

/* Fills `out` by getrandom(2). Stops the process when the kernel gives none. */
void system_random(void *out, size_t bytes);
/* Returns a few words for any negative code that io/ returns, for people. Good for ever. */
const char *system_strerror(int code);
/* Does such a code mean that this process or the system is out of something (descriptors, memory), whatever
 * the peer does? */
bool system_is_exhausted(int code);
/* Raises RLIMIT_NOFILE to its hard limit. Returns the limit now. */
uint64_t system_raise_files_limit(void);
/* Returns the cores that this process may use (affinity, cgroup quota rounded up), at least 1. */
unsigned system_cores(void);
/* Returns the cores of a quota in the form of cgroup v2's cpu.max, "QUOTA PERIOD", rounded up. 0: "max", no
 * limit, or another text. */
unsigned system_quota_cores(struct str cpu_max);
/* Appends the whole file to `out`. 0; or a negative errno, and `out` is unchanged. -EFBIG: it is larger than
 * `max`. */
int system_read_file(const char *path, size_t max, struct buf *out);
/* Replaces a file's content: writes a new file beside it, calls fsync, renames. After a crash the old or the
 * new content is there, whole. The mode is exact, whatever the umask. 0; or a negative errno: the old file is
 * untouched, unless only the fsync of its folder failed. */
int system_write_file(const char *path, struct str content, mode_t mode);
/* Identifies a file, behind links: no other existing file has the same pair. */
struct file_id {
    dev_t device;
    ino_t inode;
};
/* Sets *out for the file at `path`. 0; or a negative errno, and *out is unchanged. */
int system_file_id(const char *path, struct file_id *out);
/* Removes a file. 0 or a negative errno. */
int system_remove_file(const char *path);
/* Returns the permission bits of a file or folder, or a negative errno. */
int system_file_mode(const char *path);
/* Could this process make that file, or that folder with those above it, and write there? Makes nothing. 0:
 * yes. A negative errno: no, and why. */
int system_may_make_file(const char *path);
int system_may_make_dirs(const char *path);
/* Makes the folder and those above it that are missing, with `mode` less the umask. 0: it is there. A
 * negative errno: it is not, or is no folder; some above it may have been made. */
int system_make_dirs(const char *path, mode_t mode);

#endif
