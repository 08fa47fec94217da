/* A request to the purge API of another cache is refused with a sentence, or becomes a purge that can be
 * written down and read back, and that names something. Input: the target, the value of Surrogate-Key, and
 * from the third line on the body. */
#include "admin/foreign.h"
#include "two_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_purge(struct purge p, struct arena *a)
{
    struct purge again;
    struct purge_error error = { 0 };
    struct buf line = BUF_INIT;
    CHECK(p.scope && p.cause == PURGE_BY_DIALECT && !purge_is_empty(&p) && !(p.scope & PURGE_OF_GROUPS));
    purge_write(&p, &line);
    CHECK(purge_read(buf_str(&line), a, &again, &error) && again.scope == p.scope && again.kind == p.kind);
    CHECK(again.tags.n == p.tags.n && again.urls.n == p.urls.n && again.prefixes.n == p.prefixes.n);
    check_applied(&p, a);
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    struct arena a;
    struct fields fields = { 0 };
    struct foreign_purge out;
    struct purge_error error = { 0 };
    set_up();
    arena_init(&a, 4096);
    struct foreign_request r = { .target = str_cut(&rest, '\n'), .fields = &fields, .settings = settings };
    struct str keys = str_cut(&rest, '\n');
    if (keys.n)
        fields_add(&fields, &a, STR("Surrogate-Key"), str_trim(keys));
    r.body = rest;
    enum foreign_api api = foreign_of(str_first(r.target, str_index(r.target, '?')));
    if (foreign_read(api, &r, &a, &out, &error))
        check_purge(out.purge, &a);
    else
        CHECK(error.text.n > 0 && (error.status == 400 || error.status == 404 || error.status == 413));
    arena_fini(&a);
    return 0;
}
