#include "store/facts_disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/pages.h"

#define PATH_ROOM (PATH_MAX + 32)

static const char *const names[FACTS_FILES] = { "facts.0.log", "facts.1.log", "facts.0.whole",
                                                "facts.1.whole" };

const char *facts_disk_name(enum facts_file which)
{
    return names[which];
}

static const char *path_of(const struct facts_disk *d, const char *name, char room[PATH_ROOM])
{
    snprintf(room, PATH_ROOM, "%s/%s", d->folder, name);
    return room;
}

bool facts_disk_init(struct facts_disk *d, struct files *files, struct str folder)
{
    *d = (struct facts_disk){ .files = files, .lock = -1, .direct = true };
    for (int i = 0; i < FACTS_FILES; i++)
        d->file[i].handle = -1;
    if (folder.n >= sizeof(d->folder))
        return false;
    str_put(d->folder, folder);
    return true;
}

void facts_disk_close_all(struct facts_disk *d)
{
    for (int i = 0; i < FACTS_FILES; i++)
        facts_disk_close(d, (enum facts_file)i);
}

void facts_disk_leave(struct facts_disk *d)
{
    facts_disk_close_all(d);
    if (d->lock >= 0)
        d->files->close(d->files, d->lock);
    d->lock = -1;
}

int facts_disk_lock(struct facts_disk *d)
{
    char room[PATH_ROOM];
    if (d->lock >= 0)
        return 0;
    int status = d->files->make_folder(d->files, d->folder);
    if (status < 0)
        return status;
    int file = d->files->open(d->files, path_of(d, "lock", room), FILE_WRITE | FILE_CREATE);
    if (file < 0)
        return file;
    status = d->files->lock(d->files, file);
    if (status < 0) {
        d->files->close(d->files, file);
        return status;
    }
    d->lock = file;
    return 0;
}

int facts_disk_is_ours(const struct facts_disk *d)
{
    char room[PATH_ROOM];
    return d->files->is_named(d->files, path_of(d, "lock", room), d->lock);
}

int facts_disk_is_there(const struct facts_disk *d, enum facts_file which)
{
    char room[PATH_ROOM];
    int status = facts_disk_is_ours(d);
    return status < 0 ? status
                      : d->files->is_named(d->files, path_of(d, names[which], room), d->file[which].handle);
}

int facts_disk_open(struct facts_disk *d, enum facts_file which, bool makes)
{
    char room[PATH_ROOM];
    if (d->file[which].handle >= 0)
        return 0;
    int status = facts_disk_is_ours(d); /* another process may have what stands there now */
    if (status < 0)
        return status;
    int file = d->files->open(d->files, path_of(d, names[which], room),
                              FILE_WRITE | (makes ? FILE_CREATE : 0) | (d->direct ? FILE_DIRECT : 0));
    if (file < 0)
        return file;
    int64_t bytes = d->files->size(d->files, file);
    if (bytes < 0) {
        d->files->close(d->files, file);
        return (int)bytes;
    }
    d->file[which].handle = file;
    d->file[which].bytes = (uint64_t)bytes / FACTS_BLOCK * FACTS_BLOCK;
    return 0;
}

void facts_disk_close(struct facts_disk *d, enum facts_file which)
{
    if (d->file[which].handle >= 0)
        d->files->close(d->files, d->file[which].handle);
    d->file[which].handle = -1;
    d->file[which].bytes = 0;
}

void facts_disk_remove(struct facts_disk *d, enum facts_file which)
{
    char room[PATH_ROOM];
    facts_disk_close(d, which);
    if (facts_disk_is_ours(d) == 0)
        d->files->remove(d->files, path_of(d, names[which], room));
}

void facts_disk_put_aside(struct facts_disk *d, enum facts_file which)
{
    char from[PATH_ROOM], to[PATH_ROOM + 8];
    facts_disk_close(d, which);
    path_of(d, names[which], from);
    snprintf(to, sizeof(to), "%s.damaged", from);
    d->files->rename(d->files, from, to);
}

int facts_disk_write(struct facts_disk *d, enum facts_file which, const void *from, size_t n, uint64_t at)
{
    int64_t done = d->files->write(d->files, d->file[which].handle, from, n, at);
    if (done == -EINVAL && d->direct)
        d->direct =
            false; /* it opens, and then wants other blocks than ours: the next file is opened otherwise */
    if (done < 0)
        return (int)done;
    if ((size_t)done < n)
        return -EIO;
    if (at + n > d->file[which].bytes)
        d->file[which].bytes = at + n;
    return 0;
}

int64_t facts_disk_read(struct facts_disk *d, enum facts_file which, void *to, size_t n, uint64_t at)
{
    size_t have = 0;
    while (have < n) {
        int64_t got = d->files->read(d->files, d->file[which].handle, (char *)to + have, n - have, at + have);
        if (got < 0)
            return got;
        have += (size_t)got;
        if (got == 0 || (size_t)got % FACTS_BLOCK)
            break; /* the end */
    }
    return (int64_t)have;
}

int facts_disk_sync(struct facts_disk *d, enum facts_file which)
{
    return d->files->sync(d->files, d->file[which].handle);
}

int facts_disk_sync_names(struct facts_disk *d)
{
    return d->files->sync_folder(d->files, d->folder);
}

int facts_disk_grow(struct facts_disk *d, enum facts_file which, uint64_t target, const void *zeros)
{
    uint64_t at = d->file[which].bytes;
    if (at >= target)
        return 1;
    size_t n = target - at < FACTS_BATCH_MOST ? (size_t)(target - at) : FACTS_BATCH_MOST;
    int status = facts_disk_write(d, which, zeros, n, at);
    if (status < 0 || at + n < target)
        return status;
    status = facts_disk_sync(d, which);
    if (status == 0)
        status = facts_disk_sync_names(d);
    return status < 0 ? status : 1;
}

static size_t mapped(size_t bytes)
{
    size_t n = FACTS_BLOCK;
    while (n < bytes)
        n *= 2;
    return n;
}

void *facts_disk_room(size_t bytes)
{
    void *p = pages_map(mapped(bytes), false);
    if (!p)
        mem_out(bytes);
    return p;
}

void facts_disk_free(void *room, size_t bytes)
{
    if (room)
        pages_unmap(room, mapped(bytes));
}
