#include "store/facts_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "io/system.h"

static const struct str prefix = STR_INIT("facts."), suffix = STR_INIT(".db");

/* 0: it is no such name. */
static uint32_t number_of(struct str name)
{
    if (!str_starts(name, prefix) || !str_ends(name, suffix) || name.n <= prefix.n + suffix.n)
        return 0;
    struct str digits = str_first(str_from_index(name, prefix.n), name.n - prefix.n - suffix.n);
    uint64_t n = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (!is_digit(digits.p[i]) || i > 9)
            return 0;
        n = n * 10 + (uint64_t)(digits.p[i] - '0');
    }
    return digits.p[0] == '0' || n > UINT32_MAX - 1 ? 0 : (uint32_t)n;
}

static int falling(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x > y ? -1 : x < y;
}

int facts_files(const char *folder, uint32_t out[FACTS_FILES_MOST])
{
    DIR *dir = opendir(folder);
    struct dirent *e;
    int n = 0;
    if (!dir)
        return -errno;
    while (n < FACTS_FILES_MOST && (e = readdir(dir)))
        if ((out[n] = number_of(str_from(e->d_name))) > 0)
            n++;
    closedir(dir);
    qsort(out, (size_t)n, sizeof(*out), falling);
    return n;
}

void facts_file_path(const char *folder, uint32_t number, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s/%.*s%u%.*s", folder, STR_ARG(prefix), number, STR_ARG(suffix));
    buf_add_char(out, '\0');
    out->n--;
}

/* What SQLite has beside a file. The file itself comes last: a log that is left alone would be read into the
 * next file of that name. */
static const char *const parts[] = { "-journal", "-shm", "-wal", "" };

void facts_file_remove(const char *folder, uint32_t number)
{
    struct buf path = BUF_INIT;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        facts_file_path(folder, number, &path);
        buf_printf(&path, "%s", parts[i]);
        buf_add_char(&path, '\0');
        system_remove_file(path.p);
    }
    buf_fini(&path);
}

int facts_file_make(const char *folder, uint32_t number)
{
    struct buf path = BUF_INIT;
    facts_file_remove(folder, number);
    facts_file_path(folder, number, &path);
    int status = system_write_file(path.p, STR_NONE, 0600);
    buf_fini(&path);
    return status;
}

void facts_file_put_aside(const char *folder, uint32_t number)
{
    struct buf path = BUF_INIT, to = BUF_INIT;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        facts_file_path(folder, number, &path);
        buf_clear(&to);
        buf_printf(&to, "%s.damaged%s", path.p, parts[i]);
        buf_printf(&path, "%s", parts[i]);
        buf_add_char(&path, '\0');
        buf_add_char(&to, '\0');
        rename(path.p, to.p);
    }
    buf_fini(&path);
    buf_fini(&to);
}
