/* A disk in memory: it records what is done to it, fails when it is told to, and can be cut at any moment:
 * what was not synced is then there, lost, or torn. One thread. */
#ifndef DISK_TEST_H
#define DISK_TEST_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "io/file.h"

enum disk_kind {
    DISK_OPEN,
    DISK_READ,
    DISK_WRITE,
    DISK_ALLOCATE,
    DISK_SYNC,
    DISK_SYNC_FOLDER,
    DISK_RENAME,
    DISK_REMOVE,
    DISK_KINDS
};

#define DISK_FILES 64
#define DISK_SHORT 1 /* as a failure's status: a write writes half */

struct disk_file {
    char name[64]; /* empty: it has none any more */
    unsigned char *data;
    size_t bytes;
    bool used, locked, failed; /* failed: a write or sync; nothing may be written or synced any more */
};

struct disk_op {
    enum disk_kind kind;
    int file;
    uint64_t at;
    size_t bytes;
    unsigned char *data; /* of DISK_WRITE */
    char name[64];       /* what the file is named from then on */
};

struct disk {
    struct files files;
    struct disk_file file[DISK_FILES];
    int files_n;
    struct disk_op *ops;
    size_t ops_n, ops_cap;
    bool records; /* keep ops */
    bool grows;   /* a write behind the end makes the file longer; else it is a mistake */
    bool forgets; /* a name is there after a cut only when its folder was synced */
    uint64_t calls[DISK_KINDS];
    struct disk_failure {
        uint64_t from, times; /* calls, from 1; times 0: none */
        int status;
    } fail[DISK_KINDS];
    uint64_t room_bytes;            /* 0: any */
    uint64_t now_bytes, most_bytes; /* of all files with a name */
};

static inline struct disk *disk_of(struct files *f)
{
    return (struct disk *)(void *)f;
}

/* 0, or what is to fail. */
static inline int disk_call(struct disk *d, enum disk_kind kind)
{
    uint64_t n = ++d->calls[kind];
    const struct disk_failure *f = &d->fail[kind];
    return n >= f->from && n - f->from < f->times ? f->status : 0;
}

static inline void disk_fail(struct disk *d, enum disk_kind kind, uint64_t after, uint64_t times, int status)
{
    d->fail[kind] = (struct disk_failure){ d->calls[kind] + after, times, status };
}

static inline void disk_note(struct disk *d, enum disk_kind kind, int file, uint64_t at, const void *data,
                             size_t n)
{
    if (!d->records)
        return;
    if (d->ops_n == d->ops_cap) {
        d->ops_cap = d->ops_cap ? d->ops_cap * 2 : 256;
        d->ops = realloc(d->ops, d->ops_cap * sizeof(*d->ops));
    }
    struct disk_op *op = &d->ops[d->ops_n++];
    *op = (struct disk_op){ .kind = kind, .file = file, .at = at, .bytes = n };
    strcpy(op->name, d->file[file].name);
    if (data) {
        op->data = malloc(n);
        memcpy(op->data, data, n);
    }
}

static inline int disk_find(struct disk *d, const char *path)
{
    for (int i = 0; i < d->files_n; i++)
        if (d->file[i].used && d->file[i].name[0] && strcmp(d->file[i].name, path) == 0)
            return i;
    return -1;
}

static inline int disk_open(struct files *f, const char *path, unsigned flags)
{
    struct disk *d = disk_of(f);
    int file = disk_find(d, path), status = disk_call(d, DISK_OPEN);
    if (status < 0 && (flags & FILE_WRITE))
        return status;
    if (file < 0 && !(flags & FILE_CREATE))
        return -ENOENT;
    if (file < 0) {
        CHECK(d->files_n < DISK_FILES);
        file = d->files_n++;
        d->file[file] = (struct disk_file){ .used = true };
        strcpy(d->file[file].name, path);
        disk_note(d, DISK_OPEN, file, 0, NULL, 0);
    }
    return file;
}

static inline void disk_close(struct files *f, int file)
{
    disk_of(f)->file[file].locked = false;
}

static inline int disk_lock(struct files *f, int file)
{
    struct disk_file *k = &disk_of(f)->file[file];
    if (k->locked)
        return -EWOULDBLOCK;
    k->locked = true;
    return 0;
}

static inline int64_t disk_size(struct files *f, int file)
{
    return (int64_t)disk_of(f)->file[file].bytes;
}

static inline int64_t disk_read(struct files *f, int file, void *to, size_t bytes, uint64_t at)
{
    const struct disk_file *k = &disk_of(f)->file[file];
    CHECK(at % FILE_BLOCK == 0 && bytes % FILE_BLOCK == 0 && (uintptr_t)to % FILE_BLOCK == 0);
    int status = disk_call(disk_of(f), DISK_READ);
    if (status < 0)
        return status;
    size_t n = at >= k->bytes ? 0 : k->bytes - at < bytes ? k->bytes - at : bytes;
    if (n)
        memcpy(to, k->data + at, n);
    return (int64_t)n;
}

/* Makes the file so long, if it is shorter. */
static inline void disk_reach(struct disk_file *k, uint64_t bytes)
{
    if (bytes <= k->bytes)
        return;
    k->data = realloc(k->data, bytes);
    memset(k->data + k->bytes, 0, bytes - k->bytes);
    k->bytes = bytes;
}

static inline int64_t disk_write(struct files *f, int file, const void *from, size_t bytes, uint64_t at)
{
    struct disk *d = disk_of(f);
    struct disk_file *k = &d->file[file];
    CHECK(at % FILE_BLOCK == 0 && bytes % FILE_BLOCK == 0 && (uintptr_t)from % FILE_BLOCK == 0);
    CHECK(!k->failed && (d->grows || at + bytes <= k->bytes));
    int status = disk_call(d, DISK_WRITE);
    k->failed = status != 0;
    if (status < 0)
        return status;
    bytes = status == DISK_SHORT ? bytes / 2 : bytes;
    disk_reach(k, at + bytes);
    disk_note(d, DISK_WRITE, file, at, from, bytes);
    memcpy(k->data + at, from, bytes);
    return (int64_t)bytes;
}

static inline int disk_allocate(struct files *f, int file, uint64_t bytes)
{
    struct disk *d = disk_of(f);
    struct disk_file *k = &d->file[file];
    int status = disk_call(d, DISK_ALLOCATE);
    if (status == 0 && d->room_bytes && d->now_bytes + bytes - k->bytes > d->room_bytes)
        status = -ENOSPC;
    if (status < 0)
        return status;
    k->data = realloc(k->data, bytes);
    memset(k->data + k->bytes, 0, bytes - k->bytes);
    d->now_bytes += bytes - k->bytes;
    d->most_bytes = d->now_bytes > d->most_bytes ? d->now_bytes : d->most_bytes;
    k->bytes = bytes;
    disk_note(d, DISK_ALLOCATE, file, 0, NULL, bytes);
    return 0;
}

static inline int disk_sync(struct files *f, int file)
{
    struct disk *d = disk_of(f);
    CHECK(!d->file[file].failed);
    int status = disk_call(d, DISK_SYNC);
    d->file[file].failed = status < 0;
    if (status == 0)
        disk_note(d, DISK_SYNC, file, 0, NULL, 0);
    return status;
}

static inline int disk_sync_folder(struct files *f, const char *folder)
{
    (void)folder;
    int status = disk_call(disk_of(f), DISK_SYNC_FOLDER);
    if (status == 0)
        disk_note(disk_of(f), DISK_SYNC_FOLDER, 0, 0, NULL, 0);
    return status;
}

static inline int disk_is_named(struct files *f, const char *path, int file)
{
    int found = disk_find(disk_of(f), path);
    return found < 0 ? -ENOENT : found == file ? 0 : -ESTALE;
}

static inline int disk_remove(struct files *f, const char *path)
{
    struct disk *d = disk_of(f);
    int file = disk_find(d, path), status = disk_call(d, DISK_REMOVE);
    if (status < 0 || file < 0)
        return status < 0 ? status : -ENOENT;
    d->now_bytes -= d->file[file].bytes;
    d->file[file].name[0] = '\0';
    disk_note(d, DISK_REMOVE, file, 0, NULL, 0);
    return 0;
}

static inline int disk_rename(struct files *f, const char *from, const char *to)
{
    struct disk *d = disk_of(f);
    int file = disk_find(d, from), status = disk_call(d, DISK_RENAME);
    if (status < 0 || file < 0)
        return status < 0 ? status : -ENOENT;
    disk_remove(f, to);
    strcpy(d->file[file].name, to);
    disk_note(d, DISK_RENAME, file, 0, NULL, 0);
    return 0;
}

static inline int disk_make_folder(struct files *f, const char *folder)
{
    (void)f;
    (void)folder;
    return 0;
}

static inline int disk_list(struct files *f, const char *folder, void (*each)(void *ctx, const char *name),
                            void *ctx)
{
    struct disk *d = disk_of(f);
    size_t n = strlen(folder);
    for (int i = 0; i < d->files_n; i++)
        if (d->file[i].used && strncmp(d->file[i].name, folder, n) == 0 && d->file[i].name[n] == '/')
            each(ctx, d->file[i].name + n + 1);
    return 0;
}

static inline void disk_init(struct disk *d)
{
    *d = (struct disk){ .files = { disk_open, disk_close, disk_lock, disk_size, disk_read, disk_write,
                                   disk_allocate, disk_sync, disk_sync_folder, disk_rename, disk_remove,
                                   disk_is_named, disk_make_folder, disk_list } };
}

static inline void disk_forget_ops(struct disk *d)
{
    for (size_t i = 0; i < d->ops_n; i++)
        free(d->ops[i].data);
    d->ops_n = 0;
}

static inline void disk_fini(struct disk *d)
{
    disk_forget_ops(d);
    free(d->ops);
    for (int i = 0; i < d->files_n; i++)
        free(d->file[i].data);
}

/* Will the write be synced by one of the first n operations? */
static inline bool disk_is_synced(const struct disk *d, size_t i, size_t n)
{
    for (size_t k = i + 1; k < n; k++)
        if (d->ops[k].kind == DISK_SYNC && d->ops[k].file == d->ops[i].file)
            return true;
    return false;
}

static inline uint64_t disk_roll(uint64_t *dice)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return *dice;
}

/* What a write that was not synced leaves: each sector of it or what was before. `tears`: 0 all lost, 1 all
 * there, else any mixture. */
static inline void disk_tear(struct disk_file *k, const struct disk_op *op, unsigned tears, uint64_t *dice)
{
    for (size_t at = 0; at < op->bytes; at += 512) {
        if (tears == 1 || (tears > 1 && disk_roll(dice) >> 63))
            memcpy(k->data + op->at + at, op->data + at, 512);
    }
}

/* Names that are not synced are there or not. */
static inline void disk_cut_names(const struct disk *d, size_t n, uint64_t *dice, struct disk *to)
{
    size_t synced = d->forgets ? 0 : n;
    for (size_t i = 0; i < n; i++)
        if (d->ops[i].kind == DISK_SYNC_FOLDER)
            synced = i > synced ? i : synced;
    for (size_t i = 0; i < n; i++) {
        const struct disk_op *op = &d->ops[i];
        bool names = op->kind == DISK_OPEN || op->kind == DISK_RENAME || op->kind == DISK_REMOVE;
        if (names && (i < synced || (dice && disk_roll(dice) >> 63)))
            strcpy(to->file[op->file].name, op->name);
    }
}

/* Makes `to`, a new disk, what a power cut after the first n operations of `d`, which it began empty, leaves.
 * `dice` NULL: all that was not synced is lost. */
static inline void disk_cut(const struct disk *d, size_t n, uint64_t *dice, struct disk *to)
{
    uint64_t none = 0;
    disk_init(to);
    to->grows = d->grows;
    for (size_t i = 0; i < n; i++) {
        const struct disk_op *op = &d->ops[i];
        struct disk_file *k = &to->file[op->file];
        to->files_n = op->file >= to->files_n ? op->file + 1 : to->files_n;
        k->used = true;
        if (op->kind == DISK_ALLOCATE) {
            k->data = calloc(1, op->bytes);
            k->bytes = op->bytes;
        } else if (op->kind == DISK_WRITE) {
            unsigned tears = disk_is_synced(d, i, n) ? 1 : dice ? (unsigned)(disk_roll(dice) >> 62) : 0;
            if (d->grows && tears)
                disk_reach(k, op->at + op->bytes);
            if (op->at + op->bytes <= k->bytes)
                disk_tear(k, op, tears, dice ? dice : &none);
        }
    }
    disk_cut_names(d, n, dice, to);
    for (int i = 0; i < to->files_n; i++)
        to->now_bytes += to->file[i].name[0] ? to->file[i].bytes : 0;
}

#endif
