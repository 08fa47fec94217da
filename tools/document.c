/*
 * document FOLDER: writes docs/CONFIGURATION.md and freshet.example.yaml below FOLDER, the repository's root. Run it after
 * a change of src/tbl/settings.h or src/tbl/profiles.h; a unit test says when it was forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/document.h"

static bool write_file(const char *folder, const char *name, void (*make)(struct buf *))
{
    struct buf path = BUF_INIT, text = BUF_INIT;
    buf_printf(&path, "%s/%s", folder, name);
    buf_add_char(&path, '\0');
    make(&text);
    FILE *f = fopen(path.p, "w");
    bool good = f && fwrite(text.p, 1, text.n, f) == text.n;
    if (f && fclose(f) != 0)
        good = false;
    if (!good)
        fprintf(stderr, "%s: cannot be written: %s\n", path.p, strerror(errno));
    buf_fini(&path);
    buf_fini(&text);
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: document FOLDER\n");
        return 2;
    }
    bool good = write_file(argv[1], "docs/CONFIGURATION.md", document_configuration) &&
                write_file(argv[1], "freshet.example.yaml", document_example);
    return good ? 0 : 1;
}
