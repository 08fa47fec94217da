/* What an answered POST makes of the cache: references are resolved as RFC 3986 §5 has it and only those of
 * the same origin count; what is stored for these URLs and groups must be revalidated, and nothing else. */
#include "cache_world.h"

#include "origin/invalidate.h"

/* Of one site. */
static const struct settings *settings(void)
{
    if (!settings_made_n)
        site_of("");
    return settings_made[0];
}

/* The request: http://a/b/c/d;p?q, the base of RFC 3986 §5.4. */
static struct key_request base(void)
{
    return (struct key_request){ .site = STR("s"),
                                 .host = STR("a"),
                                 .path = STR("/b/c/d;p"),
                                 .query = STR("q"),
                                 .has_query = true,
                                 .fields = fields_of(NULL),
                                 .order = QUERY_SORTED };
}

/* "/path?query", or NULL: not of this origin, or malformed. */
static void resolves(const struct key_request *at, const char *reference, const char *expected)
{
    struct key_request out;
    bool is = same_origin_reference(at, str_from(reference), &arena, &out);
    if (is != (expected != NULL))
        fail_msg("%s: %s", reference, is ? "resolved" : "refused");
    if (!is)
        return;
    struct str text =
        arena_printf(&arena, "%.*s%s%.*s", STR_ARG(out.path), out.has_query ? "?" : "", STR_ARG(out.query));
    if (!str_eq(text, str_from(expected)))
        fail_msg("%s: %.*s instead of %s", reference, STR_ARG(text), expected);
    assert_true(str_eq(out.host, at->host) && out.port == at->port && out.https == at->https &&
                str_eq(out.site, at->site));
}

/* RFC 3986 §5.4.1, in its order; fragments are not part of what is stored. */
static void normal_examples(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "g:h", NULL },         { "g", "/b/c/g" },
        { "./g", "/b/c/g" },     { "g/", "/b/c/g/" },
        { "/g", "/g" },          { "//g", NULL },
        { "?y", "/b/c/d;p?y" },  { "g?y", "/b/c/g?y" },
        { "#s", "/b/c/d;p?q" },  { "g#s", "/b/c/g" },
        { "g?y#s", "/b/c/g?y" }, { ";x", "/b/c/;x" },
        { "g;x", "/b/c/g;x" },   { "g;x?y#s", "/b/c/g;x?y" },
        { "", "/b/c/d;p?q" },    { ".", "/b/c/" },
        { "./", "/b/c/" },       { "..", "/b/" },
        { "../", "/b/" },        { "../g", "/b/g" },
        { "../..", "/" },        { "../../", "/" },
        { "../../g", "/g" },
    };
    struct key_request at = base();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        resolves(&at, rows[i][0], rows[i][1]);
}

/* §5.4.2 */
static void abnormal_examples(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "../../../g", "/g" },
        { "../../../../g", "/g" },
        { "/./g", "/g" },
        { "/../g", "/g" },
        { "g.", "/b/c/g." },
        { ".g", "/b/c/.g" },
        { "g..", "/b/c/g.." },
        { "..g", "/b/c/..g" },
        { "./../g", "/b/g" },
        { "./g/.", "/b/c/g/" },
        { "g/./h", "/b/c/g/h" },
        { "g/../h", "/b/c/h" },
        { "g;x=1/./y", "/b/c/g;x=1/y" },
        { "g;x=1/../y", "/b/c/y" },
        { "g?y/./x", "/b/c/g?y/./x" },
        { "g?y/../x", "/b/c/g?y/../x" },
        { "g#s/./x", "/b/c/g" },
        { "g#s/../x", "/b/c/g" },
        { "http:g", NULL }, /* for strict parsers: another URI, and no good one */
    };
    struct key_request at = base();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        resolves(&at, rows[i][0], rows[i][1]);
}

static void only_of_the_same_origin(void **state)
{
    (void)state;
    struct key_request http = base(), https = base(), port = base();
    https.https = true;
    port.port = 8080;
    static const struct {
        const char *reference, *http, *https, *port;
    } rows[] = {
        { "http://a/g?y", "/g?y", NULL, NULL },
        { "HTTP://A/g", "/g", NULL, NULL },
        { "http://a.:80/g", "/g", NULL, NULL },
        { "http://a:80", "/", NULL, NULL },
        { "http://a:443/g", NULL, NULL, NULL },
        { "https://a/g", NULL, "/g", NULL },
        { "HTTPS://a/g", NULL, "/g", NULL },
        { "https://a:443/g", NULL, "/g", NULL },
        { "https://a:80/g", NULL, NULL, NULL },
        { "http://a:8080/g", NULL, NULL, "/g" },
        { "//a/g?y#s", "/g?y", "/g?y", NULL },
        { "//a", "/", "/", NULL },
        { "//a:8080/g", NULL, NULL, "/g" },
        { "//A/./x/../g", "/g", "/g", NULL },
        { "http://b/g", NULL, NULL, NULL },
        { "//b/g", NULL, NULL, NULL },
        { "http://a.b/g", NULL, NULL, NULL },
        { "http://u@a/g", NULL, NULL, NULL },
        { "http://a#s", "/", NULL, NULL },
        { "http://", NULL, NULL, NULL },
        { "//", NULL, NULL, NULL },
        { "///g", NULL, NULL, NULL },
        { "ftp://a/g", NULL, NULL, NULL },
        { "mailto:x@a", NULL, NULL, NULL },
        { "javascript:x", NULL, NULL, NULL },
        { "data:,x", NULL, NULL, NULL },
        { "httpx://a/g", NULL, NULL, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        resolves(&http, rows[i].reference, rows[i].http);
        resolves(&https, rows[i].reference, rows[i].https);
        resolves(&port, rows[i].reference, rows[i].port);
    }
}

static void odd_references(void **state)
{
    (void)state;
    struct key_request at = base();
    resolves(&at, "/g%2fh%7e", "/g%2Fh~"); /* in the spelling of the key */
    resolves(&at, "%2e%2e/g", "/b/g");
    resolves(&at, "/g?", "/g?");
    resolves(&at, "/g?a#b?c", "/g?a");
    resolves(&at, "/a:b", "/a:b");
    resolves(&at, "./a:b", "/b/c/a:b");
    resolves(&at, "?a:b/c", "/b/c/d;p?a:b/c");
    resolves(&at, "/g%", NULL);
    resolves(&at, "/g%00", NULL);
    resolves(&at, "/g h", NULL);
    resolves(&at, "/g\xc3\xbc", "/g%C3%BC");
    resolves(&at, "/g\xfc", NULL);
    at.path = STR("/");
    resolves(&at, "g", "/g");
    resolves(&at, "..", "/");
}

/* ---- what is stored ---- */

static struct place place_of_request(const struct key_request *r)
{
    struct place p = { .primary = key_primary(r, &arena), .variant = key_variant(r, NULL, &arena) };
    place_hash(cache, &p);
    return p;
}

/* Stores a page for each of these paths ("/p" or "/p?q") on http://a. */
static void store_pages(const char *const *paths, size_t n, const char *group)
{
    static const struct str no_groups[1];
    struct str groups[] = { group ? str_from(group) : no_groups[0] };
    for (size_t i = 0; i < n; i++) {
        struct key_request r = base();
        struct str rest = str_from(paths[i]);
        r.path = str_cut(&rest, '?');
        r.query = rest;
        r.has_query = rest.p != NULL;
        struct look l = look_of("");
        l.place = place_of_request(&r);
        struct found f = look_as(&l, OUTCOME_MISS);
        struct body *body = NULL;
        struct verdict v = { .store = true,
                             .fresh = { .lifetime_ms = 60000 },
                             .groups = { groups, group != NULL } };
        struct name_list names;
        names_of_response(cache, &r, NULL, NULL, &v, &arena, &names);
        struct response *response = response_new(&cache->memory, &(struct response_plan){
                                                                     .names = names.v,
                                                                     .names_n = names.n,
                                                                     .names_are_short = names.is_short,
                                                                     .status = 200,
                                                                     .fields = fields_of(NULL),
                                                                 });
        index_settle(f.busy, &l.place, NULL);
        f.busy->begun_mono_ms = now.mono_ms;
        object_set_head(f.busy, &(struct object_head){ .response = &response,
                                                       .body = &body,
                                                       .verdict = &v,
                                                       .received_mono_ms = now.mono_ms });
        object_seal(f.busy, false);
        assert_true(index_publish(f.busy, &l.place, 1024, now.mono_ms));
        found_drop(&f);
    }
}

static bool must_be_revalidated(const char *path)
{
    struct key_request r = base();
    struct str rest = str_from(path);
    r.path = str_cut(&rest, '?');
    r.query = rest;
    r.has_query = rest.p != NULL;
    struct look l = look_of("");
    l.place = place_of_request(&r);
    struct object *o = index_peek(cache, &l.place);
    assert_non_null(o); /* bodies are kept */
    struct object_purged p = object_check_purged(o, HERE, epochs_latest(cache->epochs), now.mono_ms);
    assert_false(p.gone);
    object_unref(o);
    return p.invalidated;
}

static const char *const pages[] = { "/b/c/d;p?q", "/b/c/d;p", "/b/c/g", "/g", "/g?y", "/other" };

static void answer(const char *lines, const char *const *hit, size_t n)
{
    struct key_request at = base();
    world_end(NULL);
    world_begin(NULL);
    store_pages(pages, COUNT_OF(pages), NULL);
    at.fields = fields_of(NULL);
    invalidate_by_answer(cache, settings(), &at, fields_of(lines), &arena, now.mono_ms);
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        bool expected = false;
        for (size_t k = 0; k < n; k++)
            expected |= strcmp(pages[i], hit[k]) == 0;
        if (must_be_revalidated(pages[i]) != expected)
            fail_msg("%s: %s", lines, pages[i]);
    }
}

static void the_url_and_what_the_answer_names(void **state)
{
    (void)state;
    answer("", (const char *[]){ "/b/c/d;p?q" }, 1);
    answer("Location: g", (const char *[]){ "/b/c/d;p?q", "/b/c/g" }, 2);
    answer("Content-Location: /g?y", (const char *[]){ "/b/c/d;p?q", "/g?y" }, 2);
    answer("Location: http://a/g\nContent-Location: http://a/b/c/g#x",
           (const char *[]){ "/b/c/d;p?q", "/g", "/b/c/g" }, 3);
    answer("Location: http://b/g\nContent-Location: https://a/g", (const char *[]){ "/b/c/d;p?q" }, 1);
    answer("Location: :::\nContent-Location:", (const char *[]){ "/b/c/d;p?q" }, 1);
}

/* Of a URL that nothing is known of nothing is stored: no purge is made of it, however many such requests
 * come. But a fetch that no look-up can see may bring it, and what it brings is older than the unsafe
 * request. */
static void an_unknown_url_costs_nothing(void **state)
{
    (void)state;
    struct key_request at = base();
    struct look l = look_of("");
    l.place = place_of_request(&at);
    l.authorization = true;
    for (int before = 0; before < 2; before++) {
        struct found f = look_as(&l, OUTCOME_PASS);
        found_drop(&f);
        struct object *o = object_new(cache, l.latest);
        uint64_t latest = epochs_latest(cache->epochs);
        if (!before)
            index_begin(o, &l.place, now.mono_ms);
        for (int i = 0; i < 1000; i++)
            invalidate_by_answer(cache, settings(), &at, fields_of("Location: g\nContent-Location: /g?y"),
                                 &arena, now.mono_ms);
        assert_int_equal(epochs_latest(cache->epochs), latest);
        assert_int_equal(cache->families, 0);
        if (before)
            index_begin(o, &l.place, now.mono_ms);
        assert_int_equal(object_store(o, &l.place, &(struct page){ .body_bytes = 10 }), before);
    }
    assert_int_equal(cache->objects, 1);
    invalidate_by_answer(cache, settings(), &at, fields_of(NULL), &arena, now.mono_ms);
    assert_int_equal(epochs_count(cache->epochs), 1);
}

/* RFC 9875 §3. */
static void the_groups_that_the_answer_names(void **state)
{
    (void)state;
    struct key_request at = base();
    at.path = STR("/api");
    store_pages((const char *const[]){ "/1", "/2" }, 2, "Books");
    store_pages((const char *const[]){ "/3" }, 1, "films");
    invalidate_by_answer(cache, settings(), &at, fields_of("Cache-Group-Invalidation: \"books\", token, 5"),
                         &arena, now.mono_ms);
    assert_false(must_be_revalidated("/1"));
    struct key_request other = at;
    other.https = true;
    invalidate_by_answer(cache, settings(), &other, fields_of("Cache-Group-Invalidation: \"Books\""), &arena,
                         now.mono_ms);
    assert_false(must_be_revalidated("/1"));
    invalidate_by_answer(
        cache, settings(), &at,
        fields_of("Cache-Group-Invalidation: \"x\";a=1\nCache-Group-Invalidation: \"Books\""), &arena,
        now.mono_ms);
    assert_true(must_be_revalidated("/1"));
    assert_true(must_be_revalidated("/2"));
    assert_false(must_be_revalidated("/3"));
    /* Does not parse: none. */
    invalidate_by_answer(cache, settings(), &at, fields_of("Cache-Group-Invalidation: \"films"), &arena,
                         now.mono_ms);
    assert_false(must_be_revalidated("/3"));
}

/* An answer that names a thousand groups: bounded, and the first ones count. */
static void groups_are_bounded(void **state)
{
    (void)state;
    struct key_request at = base();
    struct buf b = BUF_INIT;
    at.path = STR("/api");
    store_pages((const char *const[]){ "/1" }, 1, "g0");
    buf_add(&b, STR("Cache-Group-Invalidation: "));
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%s\"g%d\"", i ? "," : "", i);
    buf_add_char(&b, '\0');
    uint64_t before = epochs_latest(cache->epochs);
    invalidate_by_answer(cache, settings(), &at, fields_of(b.p), &arena, now.mono_ms);
    assert_true(must_be_revalidated("/1"));
    assert_true(epochs_latest(cache->epochs) - before <= 1 + 64);
    buf_fini(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(normal_examples),
        T(abnormal_examples),
        T(only_of_the_same_origin),
        T(odd_references),
        T(the_url_and_what_the_answer_names),
        T(an_unknown_url_costs_nothing),
        T(the_groups_that_the_answer_names),
        T(groups_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
