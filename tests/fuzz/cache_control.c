/* Seconds are absent or within 0 and DELTA_MAX, and no line takes away what another one forbids. */
#include <string.h>

#include "base/check.h"
#include "http/directives.h"

static void check_seconds(int64_t s)
{
    CHECK(s == DELTA_NONE || (s >= 0 && s <= DELTA_MAX));
}

static void check_values(const struct directives *d)
{
    check_seconds(d->max_age);
    check_seconds(d->s_maxage);
    check_seconds(d->stale_while_revalidate);
    check_seconds(d->stale_if_error);
    check_seconds(d->min_fresh);
    if (d->max_stale != DELTA_ANY)
        check_seconds(d->max_stale);
    CHECK(d->any || !(d->no_cache || d->private_ || d->public_ || d->max_age >= 0 || d->s_maxage >= 0));
}

static bool same(const struct directives *a, const struct directives *b)
{
    return a->no_store == b->no_store && a->no_cache == b->no_cache && a->no_transform == b->no_transform &&
           a->only_if_cached == b->only_if_cached && a->private_ == b->private_ && a->public_ == b->public_ &&
           a->must_revalidate == b->must_revalidate && a->proxy_revalidate == b->proxy_revalidate &&
           a->must_understand == b->must_understand && a->immutable == b->immutable &&
           a->max_age == b->max_age && a->s_maxage == b->s_maxage &&
           a->stale_while_revalidate == b->stale_while_revalidate && a->stale_if_error == b->stale_if_error &&
           a->max_stale == b->max_stale && a->min_fresh == b->min_fresh;
}

/* CACHING.md 4.9: what comes behind so many members may only forbid. */
#define MEMBERS_MAX 64

/* At least as many as the members of all lines. */
static size_t members_at_most(const struct fields *f)
{
    size_t n = f->n;
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->v[i].value.n; k++)
            n += f->v[i].value.p[k] == ',';
    return n;
}

/* Does `b` forbid all that `a` does, and allow nothing that `a` does not? */
static bool is_stricter(const struct directives *a, const struct directives *b)
{
    struct directives forbidding = *a;
    forbidding.no_store = b->no_store;
    forbidding.no_cache = b->no_cache;
    forbidding.private_ = b->private_;
    return same(&forbidding, b) && a->no_store <= b->no_store && a->no_cache <= b->no_cache &&
           a->private_ <= b->private_;
}

static void add_lines(struct fields *f, struct arena *a, struct str name, struct str rest)
{
    for (size_t n = 0; rest.p && n < 64; n++)
        fields_add(f, a, name, str_trim(str_cut(&rest, '\n')));
}

/* `f` is what `one` was read from, and more lines behind it that say nothing new. */
static void check_behind(const struct fields *f, const struct directives *one)
{
    struct directives more;
    directives_parse(f, &more);
    CHECK(members_at_most(f) > MEMBERS_MAX ? is_stricter(one, &more) : same(one, &more));
}

static void check_cache_control(struct arena *a, struct str lines)
{
    struct fields f = { 0 };
    struct directives one, more;
    add_lines(&f, a, STR("Cache-Control"), lines);
    directives_parse(&f, &one);
    check_values(&one);
    /* Behind it: what is unknown changes nothing, nor does a second lifetime, and a restriction is heard. */
    fields_add(&f, a, STR("cache-control"), STR("x-unknown, y=\"max-age=1, no-store\""));
    check_behind(&f, &one);
    if (one.max_age >= 0) {
        fields_add(&f, a, STR("cache-control"), STR("max-age=77"));
        check_behind(&f, &one);
    }
    fields_add(&f, a, STR("Cache-Control"), STR("no-store, private"));
    directives_parse(&f, &more);
    CHECK(more.no_store && more.private_ && more.any);
    one.no_store = one.private_ = true;
    check_behind(&f, &one);
}

static void check_targeted(struct arena *a, struct str lines)
{
    struct fields f = { 0 };
    struct directives d, none, plain;
    directives_parse(&f, &none);
    add_lines(&f, a, STR("CDN-Cache-Control"), lines);
    struct field_spot bad;
    enum targeted_result result = directives_parse_targeted(&f, STR("cdn-cache-control"), a, &d, &bad);
    /* A byte of the line that is told, or just behind it. */
    CHECK(!bad.byte ||
          (bad.line <= bad.lines && bad.lines == f.n && bad.byte <= f.v[bad.line - 1].value.n + 2));
    switch (result) {
    case TARGETED_ABSENT: CHECK(same(&d, &none) && !d.any && !bad.byte); break;
    case TARGETED_INVALID:
        CHECK(bad.byte);
        none.no_store = d.no_store;
        CHECK(same(&d, &none) && !d.any);
        break;
    case TARGETED_OK: {
        check_values(&d);
        CHECK(d.any || same(&d, &none));
        /* What it forbids here it forbids as Cache-Control too. */
        struct fields g = { 0 };
        add_lines(&g, a, STR("Cache-Control"), lines);
        directives_parse(&g, &plain);
        CHECK(plain.no_store >= d.no_store && plain.private_ >= d.private_ && plain.no_cache >= d.no_cache);
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str lines = { (const char *)data, size };
    int64_t seconds;
    arena_init(&a, 16384);
    check_cache_control(&a, lines);
    check_targeted(&a, lines);
    if (delta_parse(lines, &seconds))
        CHECK(seconds >= 0 && seconds <= DELTA_MAX);
    arena_fini(&a);
    return 0;
}
