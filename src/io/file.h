/*
 * Files that are read and written at places, for the store. All access goes through a table of operations, so
 * that tests and simulations replace the disk: by one that records, that fails at the n-th call, that loses
 * what was not synced. Each operation but read_cached waits for the disk: no worker's loop calls one. Any
 * thread may call them. Those that return an int or int64_t return a negative errno when they fail.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file opened with FILE_DIRECT is read and written in blocks of this size, at multiples of it, from and to
 * memory that is aligned to it. */
#define FILE_BLOCK ((size_t)4096)

enum file_flag {
    FILE_WRITE = 1,  /* to be read and written; else to be read */
    FILE_CREATE = 2, /* makes it, with mode 0600, when it is not there */
    FILE_DIRECT = 4, /* past the page cache, where the file system can (O_DIRECT) */
};

/* A disk. The table is embedded in whatever replaces it, as struct log is. */
struct files {
    /* Opens a file. Returns a handle, >= 0. Never follows a link. */
    int (*open)(struct files *f, const char *path, unsigned flags);
    void (*close)(struct files *f, int file);
    /* Takes the lock of a file, which no other process gets until it is closed. -EWOULDBLOCK: another has
     * it. */
    int (*lock)(struct files *f, int file);
    int64_t (*size)(struct files *f, int file);
    /* Read and write at a place. Return the number of bytes, which may be smaller. */
    int64_t (*read)(struct files *f, int file, void *to, size_t bytes, uint64_t at);
    int64_t (*write)(struct files *f, int file, const void *from, size_t bytes, uint64_t at);
    /* Reserves the blocks of the first `bytes`, and makes the file that long. 0 also where the file system
     * cannot reserve. */
    int (*allocate)(struct files *f, int file, uint64_t bytes);
    /* Waits until what was written would survive a power cut (fdatasync). After a failure the file's state
     * is not known, also when a later call says 0. */
    int (*sync)(struct files *f, int file);
    /* The same for the names in a folder. */
    int (*sync_folder)(struct files *f, const char *folder);
    int (*rename)(struct files *f, const char *from, const char *to);
    int (*remove)(struct files *f, const char *path);
    /* Is the file that has this name now the one that is open? 0: yes; -ESTALE: it is another one; or a
     * negative errno: there is none. */
    int (*is_named)(struct files *f, const char *path, int file);
    /* Makes a folder, and those above it, with mode 0700. 0 also when it is there. */
    int (*make_folder)(struct files *f, const char *folder);
    /* Calls each(ctx, name) for the names in a folder, in any order, without "." and "..". */
    int (*list)(struct files *f, const char *folder, void (*each)(void *ctx, const char *name), void *ctx);
    /* Like read, of what the page cache has, and never waits for the disk: on any thread. -EAGAIN: it is not
     * there, or that cannot be known. A file opened with FILE_DIRECT has nothing there. May be NULL: no
     * cache. */
    int64_t (*read_cached)(struct files *f, int file, void *to, size_t bytes, uint64_t at);
    /* Lets an open file be read and written past the page cache, or through it: then it is read here and
     * there, and nothing more than was asked for. May be NULL: no cache. */
    int (*set_direct)(struct files *f, int file, bool direct);
};

/* The system's disk. Has no state: all share it. */
extern struct files file_system;

#endif
