#include "server/secret_file.h"

#include <stdio.h>
#include <string.h>

#include "io/system.h"

#define FILE_MAX        4096
#define OTHERS_MAY_READ 0004

int secret_file_read(const char *path, struct buf *out)
{
    int status = system_read_file(path, FILE_MAX, out);
    if (status < 0) {
        buf_clear(out);
        return status;
    }
    struct str all = buf_str(out), line = str_first(all, str_index(all, '\n'));
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    line = str_trim(line);
    if (line.n)
        memmove(out->p, line.p, line.n);
    out->n = line.n;
    return 0;
}

void secret_file_warn(const char *path, const char *what, const char *advice)
{
    int mode = system_file_mode(path);
    if (mode >= 0 && (mode & OTHERS_MAY_READ))
        fprintf(stderr, "freshet: warning: everybody on this machine can read %s in \"%s\"; chmod 600 %s\n",
                what, path, advice);
}
