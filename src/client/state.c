#include "client/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX 4096

/* Joins and says whether it fits. */
static int join(const char *folder, const char *name, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int state_folder(struct str override, char out[PATH_MAX])
{
    if (override.n) {
        int n = snprintf(out, PATH_MAX, "%.*s", STR_ARG(override));
        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
    }
    /* The XDG base directory specification: a path that is not absolute is to be ignored. */
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        return join(xdg, "freshet", out);
    if (home && home[0])
        return join(home, ".local/state/freshet", out);
    return -ENOENT;
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    return s.n > 0;
}

/* `visible_only`: neither an empty nor a garbled file may become a header field. */
static int read_line(const char *folder, const char *name, bool visible_only, struct buf *out)
{
    char path[PATH_MAX];
    struct buf content = BUF_INIT;
    int status = join(folder, name, path);
    if (status == 0)
        status = system_read_file(path, FILE_MAX, &content);
    if (status == 0) {
        struct str rest = buf_str(&content), line = str_cut(&rest, '\n');
        if (str_ends(line, STR("\r")))
            line.n--;
        line = str_trim(line);
        if (line.n == 0 || (visible_only && !is_visible(line)))
            status = -EINVAL;
        else
            buf_add(out, line);
    }
    buf_fini(&content);
    return status;
}

int state_read_token(const char *folder, struct buf *out)
{
    return read_line(folder, "token", true, out);
}

int state_read_admin(const char *folder, struct buf *out)
{
    return read_line(folder, "admin", false, out);
}

static int write_line(const char *folder, const char *name, struct str line)
{
    char path[PATH_MAX];
    struct buf content = BUF_INIT;
    int status = join(folder, name, path);
    if (status == 0)
        status = system_make_dirs(folder, 0700);
    if (status == 0) {
        buf_add(&content, line);
        buf_add_char(&content, '\n');
        status = system_write_file(path, buf_str(&content), 0600);
    }
    buf_fini(&content);
    return status;
}

int state_write_token(const char *folder, struct str token)
{
    return write_line(folder, "token", token);
}

int state_write_admin(const char *folder, struct str address, struct file_id *id)
{
    char path[PATH_MAX];
    int status = write_line(folder, "admin", address);
    return status == 0 && (status = join(folder, "admin", path)) == 0 ? system_file_id(path, id) : status;
}

void state_remove_admin(const char *folder, const struct file_id *id)
{
    char path[PATH_MAX];
    struct file_id now;
    if (join(folder, "admin", path) == 0 && system_file_id(path, &now) == 0 && now.device == id->device &&
        now.inode == id->inode)
        system_remove_file(path);
}
