/*
 * The operating system: randomness, limits, cores, files and folders. Any thread may call these functions.
 * Those that have a `path` may wait for the disk, so a worker's loop calls none of them (but for io/hosts, in
 * test builds). They follow symbolic links, except where they say otherwise.
 */
#ifndef IO_SYSTEM_H
#define IO_SYSTEM_H

#include <limits.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

/* Fills `out` with random bytes of getrandom(2). Stops the process when the kernel gives none. */
void system_random(void *out, size_t bytes);
/* Returns a few words for people, for a negative code (errno or libuv) that a function of io/ returned. The
 * text stays good. */
const char *system_strerror(int code);
/* Does a negative code of io/ mean that this process or the system is out of something (descriptors, memory),
 * whatever the peer does? */
bool system_is_exhausted(int code);
/* Raises RLIMIT_NOFILE, the number of descriptors that the process may have, to its hard limit. Returns the
 * limit that is in force now, which is the old one when the system refuses. */
uint64_t system_raise_files_limit(void);
/* Returns how many cores this process may use (affinity; cgroup quota, rounded up), at least 1. Reads files
 * in /proc and /sys. */
unsigned system_cores(void);
/* Returns how many cores a text of cgroup v2's cpu.max allows, "QUOTA PERIOD", rounded up, at least 1. 0: no
 * limit ("max"), or another text. Pure. */
unsigned system_quota_cores(struct str cpu_max);
/* Appends the whole file to `out`. Returns 0; or a negative errno, and the content of `out` is unchanged.
 * -EFBIG: the file has more than `max` bytes. */
int system_read_file(const char *path, size_t max, struct buf *out);
/* Makes or replaces a file: writes a new file beside it, calls fsync, renames. A link at `path` is replaced.
 * After a crash the old or the new content is there, whole. The mode is exact, whatever the umask. Returns 0,
 * or a negative errno: the old file is untouched, unless only the fsync of its folder failed; then the new
 * content is there. */
int system_write_file(const char *path, struct str content, mode_t mode);
/* Returns when so many milliseconds will be over, by CLOCK_MONOTONIC: for pthread_cond_timedwait. */
struct timespec system_after_ms(int64_t ms);
/* Identifies a file: no other file that exists has the same pair. */
struct file_id {
    dev_t device;
    ino_t inode;
};
/* Sets *out for the file at `path`. Returns 0; or a negative errno, and *out is unchanged. */
int system_file_id(const char *path, struct file_id *out);
/* By which a file is seen to have changed, or to be another one. All zero: none is there. */
struct file_stamp {
    struct file_id id;
    int64_t bytes, changed_ns;
};
/* Writes the stamp of the file at `path` to *out. */
void system_file_stamp(const char *path, struct file_stamp *out);
/* Removes a file; of a link, the link. Returns 0 or a negative errno. */
int system_remove_file(const char *path);
/* Locks the file at `path` to this process, until system_unlock_file or its end, however that comes; makes it
 * (mode 0600) when there is none. A process that it starts does not hold the lock. Returns a descriptor;
 * -EWOULDBLOCK: another process has the lock; or another negative errno. */
int system_lock_file(const char *path);
/* Gives such a lock back. The file stays. */
void system_unlock_file(int fd);
/* Returns the permission bits of a file or folder (at most 07777), or a negative errno. */
int system_file_mode(const char *path);
/* Is there something at the path that is neither a file nor a folder? */
bool system_is_special(const char *path);
/* Writes the path of the folder that `path` stands in: "." for a name alone. 0 or -ENAMETOOLONG. */
int system_folder_of(const char *path, char out[PATH_MAX]);
/* Writes the path as others must say it who stand in another folder: as it is when it begins with '/', else
 * with the present folder in front. 0 or a negative errno. */
int system_absolute(const char *path, char out[PATH_MAX]);
/* Could this process make a file at `path`? Looks only at the folder that the file would stand in. Makes
 * nothing. Returns 0: yes; a negative errno: no, and why. */
int system_may_make_file(const char *path);
/* Could this process make the folder at `path` with those above it, or write in it when it is there? Looks at
 * the lowest folder of the path that exists. Makes nothing. Returns 0: yes; a negative errno: no, and why. */
int system_may_make_dirs(const char *path);
/* Makes the folder at `path`, and those above it that are missing, with `mode` less the umask. Returns 0: the
 * folder is there, made now or before. A negative errno: it is not there, or is no folder; some above it may
 * have been made. */
int system_make_dirs(const char *path, mode_t mode);

/* Ends the process, whatever its threads do: no handler runs, and no sanitizer asks what is left. */
_Noreturn void system_exit_now(int code);

#endif
