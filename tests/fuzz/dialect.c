/* A purge request of the plugins' dialects is refused with a sentence, or becomes a purge that can be
 * written down and read back, and names something; no tag of it is one that the request has not. Input:
 * method, target and fields, each a line. GET comes below the setting purge_path. */
#include <string.h>

#include "admin/dialect.h"
#include "two_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `by_page`: TYPO3's number of a page makes tags of its own. */
static void check_purge(const struct dialect_purge *d, struct str input, bool by_page, struct arena *a)
{
    struct purge p = d->purge, again;
    struct purge_error error = { 0 };
    struct buf line = BUF_INIT;
    CHECK(p.scope && p.cause == PURGE_BY_DIALECT && p.site.n == 0 && d->as.n > 0);
    CHECK(!(p.scope & PURGE_OF_GROUPS) && !purge_is_empty(&p));
    CHECK(!(p.scope & PURGE_OF_TAGS) == (p.tags.n == 0) && !(p.scope & PURGE_OF_URLS) == (p.urls.n == 0));
    for (size_t i = 0; i < p.tags.n; i++)
        CHECK(p.tags.v[i].n > 0 && (memmem(input.p, input.n, "\\", 1) ||
                                    memmem(input.p, input.n, p.tags.v[i].p, p.tags.v[i].n) || by_page));
    purge_write(&p, &line);
    CHECK(purge_read(buf_str(&line), a, &again, &error) && again.scope == p.scope && again.kind == p.kind);
    CHECK(again.tags.n == p.tags.n && again.urls.n == p.urls.n && again.prefixes.n == p.prefixes.n);
    p.site = STR("one");
    check_applied(&p, a);
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = { (const char *)data, size }, rest = input;
    struct arena a;
    struct fields fields = { 0 };
    struct dialect_purge out;
    struct purge_error error = { 0 };
    bool by_page = false;
    set_up();
    arena_init(&a, 4096);
    struct dialect_request r = { .method = str_cut(&rest, '\n'),
                                 .host = STR("one.example"),
                                 .fields = &fields };
    r.target = str_cut(&rest, '\n');
    if (str_eq(r.method, STR("GET")) && str_starts(r.target, STR("/"))) { /* below the setting purge_path */
        r.purge_path = STR("/purge");
        r.target = ARENA_JOIN(&a, r.purge_path, r.target);
    }
    r.is_absolute = str_starts(r.method, STR("!"));
    while (rest.n && fields.n < 50) {
        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        fields_add(&fields, &a, name, str_trim(value));
        by_page |= str_eq_nocase(name, STR("Varnish-Ban-TYPO3-Pid"));
    }
    if (dialect_read(&r, &a, &out, &error))
        check_purge(&out, input, by_page, &a);
    else
        CHECK(error.text.n > 0 && (error.status == 400 || error.status == 413));
    arena_fini(&a);
    return 0;
}
