#include "client/build.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 16

struct build {
    json_t *paths;
    struct buf *error;
    struct buf file; /* the path of the file, with a NUL behind it */
    struct buf url;  /* its path on the site */
};

static bool refuse(struct build *b, const char *why)
{
    buf_printf(b->error, "%s: %s", b->file.p, why);
    return false;
}

static bool is_plain(char c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("-._~!$&'()*+,;=:@", c));
}

/* As a browser would ask for it (RFC 3986 §3.3). */
static void add_segment(struct buf *url, struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (is_plain(name.p[i]))
            buf_add_char(url, name.p[i]);
        else
            buf_printf(url, "%%%02X", (unsigned)(unsigned char)name.p[i]);
}

static bool add_file(struct build *b)
{
    if (json_array_size(b->paths) == BUILD_FILES_MAX)
        return refuse(b, "the folder has more than 10000 files; name a smaller one");
    return json_array_append_new(b->paths, json_stringn(b->url.p, b->url.n)) == 0 ||
           refuse(b, "its name cannot be written as a URL");
}

static bool add_folder(struct build *b, unsigned depth);

/* One entry of a folder: b->file and b->url are those of the folder, with a slash at the end. */
static bool add_entry(struct build *b, const char *name, unsigned depth)
{
    struct stat info;
    size_t file_n = b->file.n, url_n = b->url.n;
    bool good = true;
    buf_add(&b->file, str_from(name));
    buf_add_char(&b->file, '\0');
    b->file.n--;
    add_segment(&b->url, str_from(name));
    if (stat(b->file.p, &info) < 0)
        good = refuse(b, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        good = depth < DEPTH_MAX ? add_folder(b, depth + 1) : refuse(b, "is too deep in the folder");
    else if (S_ISREG(info.st_mode))
        good = add_file(b);
    b->file.n = file_n;
    b->url.n = url_n;
    return good;
}

static int is_seen(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static bool add_folder(struct build *b, unsigned depth)
{
    struct dirent **entries = NULL;
    buf_add_char(&b->file, '\0');
    b->file.n--;
    int n = scandir(b->file.p, &entries, is_seen, alphasort);
    if (n < 0)
        return refuse(b, strerror(errno));
    buf_add_char(&b->file, '/');
    if (depth > 0)
        buf_add_char(&b->url, '/');
    bool good = true;
    for (int i = 0; i < n; i++) {
        good = good && add_entry(b, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return good;
}

/* The path on the site of a folder whose name says it. */
static struct str prefix_of(struct str folder)
{
    static const struct str next = STR_INIT(".next/static");
    while (folder.n > 1 && folder.p[folder.n - 1] == '/')
        folder.n--;
    if (str_ends(folder, next) && (folder.n == next.n || folder.p[folder.n - next.n - 1] == '/'))
        return STR("/_next/static");
    size_t at = folder.n;
    while (at > 0 && folder.p[at - 1] != '/')
        at--;
    struct str name = str_from_index(folder, at);
    return name.n && (name.p[0] == '_' || str_eq(name, STR("assets"))) ? name : STR_NONE;
}

bool build_list(struct str what, json_t *paths, struct buf *error)
{
    struct build b = { .paths = paths, .error = error };
    struct str prefix = what, folder = str_cut(&prefix, '=');
    if (!prefix.p)
        prefix = prefix_of(folder);
    if (!str_starts(prefix, STR("/")))
        buf_add_char(&b.url, '/');
    buf_add(&b.url, prefix);
    if (b.url.p[b.url.n - 1] != '/')
        buf_add_char(&b.url, '/');
    buf_add(&b.file, folder);
    size_t before = json_array_size(paths);
    bool good = add_folder(&b, 0);
    if (good && json_array_size(paths) == before) {
        b.file.n = folder.n;
        buf_add_char(&b.file, '\0');
        good = refuse(&b, "there are no files in this folder");
    }
    buf_fini(&b.file);
    buf_fini(&b.url);
    return good;
}
