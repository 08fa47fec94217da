/*
 * links AUTHORITY PATH: reads a document of that path from standard input and prints the links to assets that
 * freshet finds in it, one a line, with the default asset prefixes. The tests of real builds ask it what can
 * be reached from a page.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "deploy/links.h"

static void print(void *ctx, struct str link)
{
    (void)ctx;
    printf("%.*s\n", STR_ARG(link));
}

int main(int argc, char **argv)
{
    struct buf errors = BUF_INIT;
    if (argc != 3 || argv[2][0] != '/') {
        fprintf(stderr, "usage: links AUTHORITY PATH <document\n");
        return 2;
    }
    struct settings *s = settings_parse(STR("sites:\n  default:\n    origin: http://127.0.0.1:1\n"),
                                        STR("links"), NULL, 0, &errors);
    CHECK(s);
    struct links_document d = { &s->sites[0], str_from(argv[1]), str_from(argv[2]) };
    struct links *l = mem_alloc(sizeof(*l));
    char piece[65536];
    size_t n;
    links_init(l, &d, print, NULL);
    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
        links_feed(l, (struct str){ piece, n });
    links_end(l);
    mem_free(l);
    settings_unref(s);
    buf_fini(&errors);
    return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
