/* A purge request that is good becomes exactly the names that it says; one that is not is refused with the
 * reason, and purges nothing. */
#include "admin_test.h"

#include "admin/purge.h"
#include "cache/purge_names.h"

#define TWO_SITES                                                                                            \
    "listen: [\"127.0.0.1:8080\", \"unix:/tmp/s\"]\n"                                                        \
    "sites:\n"                                                                                               \
    "  one:\n"                                                                                               \
    "    hosts: [one.example, www.one.example]\n"                                                            \
    "    origin: http://127.0.0.1:1\n"                                                                       \
    "  two:\n"                                                                                               \
    "    hosts: [\"*.two.example\", two.example]\n"                                                          \
    "    origin: http://127.0.0.1:2\n"
#define ONE_SITE                                                                                             \
    "sites:\n"                                                                                               \
    "  only:\n"                                                                                              \
    "    origin: http://127.0.0.1:1\n"
#define KEPT "Netlify-CDN-Cache-Control: public, s-maxage=60, stale-while-revalidate=60\n"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, TWO_SITES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* ---- the body ---- */

static void expect_refused(const char *json, int status, const char *says)
{
    struct purge ask;
    struct purge_error error = { 0 };
    if (purge_parse(str_from(json), &world.arena, &ask, &error))
        fail_msg("%s was taken", json);
    struct str want = str_from(says);
    bool found = false;
    for (size_t i = 0; i + want.n <= error.text.n; i++)
        found |= str_starts(str_from_index(error.text, i), want);
    if (!found)
        fail_msg("%s: \"%.*s\" does not say \"%s\"", json, STR_ARG(error.text), says);
    assert_int_equal(error.status, status);
}

static struct purge expect_taken(const char *json)
{
    struct purge ask;
    struct purge_error error = { 0 };
    if (!purge_parse(str_from(json), &world.arena, &ask, &error))
        fail_msg("%s: %.*s", json, STR_ARG(error.text));
    return ask;
}

static void what_is_no_purge_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } rows[] = {
        { "", "is empty" },
        { "  ", "is empty" },
        { "purge it", "not good JSON" },
        { "{\"cache_tags\":[\"t\"", "not good JSON" },
        { "{} {}", "not good JSON" },
        { "[]", "JSON object" },
        { "\"all\"", "JSON object" },
        { "null", "JSON object" },
        { "{\"cache_tags\":[],\"cache_tags\":[\"t\"]}", "duplicate" },
        { "{\"cache_tags\":\"t\"}", "cache_tags must be a list" },
        { "{\"cache_tags\":{}}", "cache_tags must be a list" },
        { "{\"cache_tags\":[\"a\",1]}", "cache_tags[1]" },
        { "{\"cache_tags\":[null]}", "cache_tags[0]" },
        { "{\"cache_tags\":[[\"a\"]]}", "cache_tags[0]" },
        { "{\"cache_tags\":[\"a\\u0000b\"]}", "not good JSON" },
        { "{\"cache_tags\":[\"a\\nb\"]}", "control character" },
        { "{\"cache_tags\":[\"\xff\"]}", "not good JSON" },
        { "{\"urls\":\"/\"}", "urls must be a list" },
        { "{\"urls\":[true]}", "urls[0]" },
        { "{\"soft\":\"yes\"}", "soft must be true or false" },
        { "{\"soft\":1}", "soft must be true or false" },
        { "{\"site_id\":\"\"}", "site_id must be a string" },
        { "{\"site_slug\":7}", "site_slug must be a string" },
        { "{\"domain\":[\"a\"]}", "domain must be a string" },
        { "{\"deploy_alias\":false}", "deploy_alias must be a string" },
        { "{\"site_id\":\"a\",\"site_slug\":\"b\"}", "different sites" },
        { "{\"cache_tag\":[\"a\"]}", "did you mean \"cache_tags\"" },
        { "{\"tags\":[\"a\"]}", "unknown member \"tags\"" },
        { "{\"everything\":true}", "unknown member \"everything\"" },
        { "[[[[[[[[[[[[]]]]]]]]]]]]", "nested too deeply" },
        { "{\"cache_tags\":[[[[[[[[\"]]]]]]]]\"", "nested too deeply" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_refused(rows[i].json, 400, rows[i].says);
}

static void brackets_in_strings_are_no_nesting(void **state)
{
    (void)state;
    struct purge ask = expect_taken("{\"cache_tags\":[\"[[[[[[[[[[[[[[\",\"\\\"[[[[[[[[[[[[\"]}");
    assert_int_equal(ask.tags.n, 2);
    assert_true(str_eq(ask.tags.v[1], STR("\"[[[[[[[[[[[[")));
}

static void what_netlify_sends_is_taken(void **state)
{
    (void)state;
    struct purge ask = expect_taken("{\"cache_tags\":[\"a\",\" b \",\"\"],\"site_id\":\"one\"}");
    assert_true(ask.scope == PURGE_OF_TAGS && ask.kind == PURGE_HARD);
    assert_int_equal(ask.tags.n, 2);
    assert_true(str_eq(ask.tags.v[0], STR("a")) && str_eq(ask.tags.v[1], STR("b")));
    assert_true(str_eq(ask.site, STR("one")));

    ask = expect_taken("{\"deploy_alias\":\"preview\",\"site_slug\":\"one\"}");
    assert_true(ask.scope == PURGE_OF_SITE && str_eq(ask.site, STR("one")));
    ask = expect_taken("{\"domain\":\"one.example\"}");
    assert_true(str_eq(ask.domain, STR("one.example")) && !ask.site.n);
    ask = expect_taken("{\"cache_tags\":null,\"deploy_alias\":null,\"site_id\":\"a\",\"site_slug\":\"a\"}");
    assert_true(ask.scope == PURGE_OF_SITE && str_eq(ask.site, STR("a")));
    ask = expect_taken("{\"cache_tags\":[],\"soft\":true}");
    assert_true(ask.scope == PURGE_OF_TAGS && ask.tags.n == 0 && ask.kind == PURGE_SOFT);
    ask = expect_taken("{\"urls\":[\"\"]}");
    assert_int_equal(ask.urls.n, 1); /* to be refused by name */
}

static void lists_have_an_end(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_add(&b, STR("{\"cache_tags\":[\"t\""));
    for (int i = 1; i < PURGE_LIST_MAX; i++)
        buf_add(&b, STR(",\"t\""));
    size_t n = b.n;
    buf_add(&b, STR("]}\0"));
    assert_int_equal(expect_taken(b.p).tags.n, PURGE_LIST_MAX);
    b.n = n;
    buf_add(&b, STR(",\"t\"]}\0"));
    buf_add_char(&b, '\0');
    expect_refused(b.p, 413, "more than");
    buf_fini(&b);
}

/* ---- what it means ---- */

static struct purge checked(const char *json)
{
    struct purge ask = expect_taken(json);
    struct purge_error error = { 0 };
    if (!purge_check(&ask, world.settings, &world.arena, &error))
        fail_msg("%s: %.*s", json, STR_ARG(error.text));
    return ask;
}

static struct purge_names names_of(const char *json)
{
    struct purge ask = checked(json);
    struct purge_names names;
    struct purge_error error = { 0 };
    if (!purge_names(&ask, world.settings, world.cache, &world.arena, &names, &error))
        fail_msg("%s: %.*s", json, STR_ARG(error.text));
    assert_int_equal(names.n == 0, purge_is_empty(&ask));
    return names;
}

static struct str said_of(const char *json)
{
    struct purge ask = checked(json);
    struct str said = purge_say(&ask, &world.arena);
    assert_in_range(said.n, 1, PURGE_SAID_MAX);
    return said;
}

static void expect_names(const char *json, const uint64_t *names, size_t n)
{
    struct purge_names got = names_of(json);
    if (got.n != n)
        fail_msg("%s: %zu names instead of %zu", json, got.n, n);
    for (size_t i = 0; i < n; i++)
        if (got.v[i] != names[i])
            fail_msg("%s: name %zu is another", json, i);
}

static uint64_t tag(const char *site, const char *name)
{
    return name_of_tag(world.cache, str_from(site), str_from(name), &world.arena);
}

static uint64_t path(const char *site, const char *host, uint16_t port, const char *name)
{
    struct key_request key = {
        .site = str_from(site), .host = str_from(host), .port = port, .path = str_from(name)
    };
    return name_of_path(world.cache, &key, &world.arena);
}

#define EXPECT(json, ...)                                                                                    \
    expect_names(json, (const uint64_t[]){ __VA_ARGS__ },                                                    \
                 sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void sites_and_tags_become_names(void **state)
{
    (void)state;
    uint64_t one = name_of_site(world.cache, STR("one")), two = name_of_site(world.cache, STR("two"));
    assert_true(one != two);
    EXPECT("{\"site_id\":\"one\"}", one);
    EXPECT("{\"site_slug\":\"two\"}", two);
    EXPECT("{\"domain\":\"ONE.example.\"}", one);
    EXPECT("{\"domain\":\"www.two.example:8443\"}", two);
    EXPECT("{\"site_id\":\"two\",\"domain\":\"two.example\"}", two);
    EXPECT("{\"site_id\":\"one\",\"deploy_alias\":\"x\",\"soft\":true}", one);
    EXPECT("{\"site_id\":\"one\",\"cache_tags\":[\"Book-1\"]}", tag("one", "book-1"));
    EXPECT("{\"domain\":\"two.example\",\"cache_tags\":[\"b\",\"a\"]}", tag("two", "b"), tag("two", "a"));
    EXPECT("{\"site_id\":\"one\",\"cache_tags\":[\"a, b\"]}", tag("one", "a, b"), tag("one", "a"),
           tag("one", "b"));
    expect_names("{\"site_id\":\"one\",\"cache_tags\":[]}", NULL, 0);
    expect_names("{\"site_id\":\"one\",\"urls\":[]}", NULL, 0);
    /* In UTF-8, and as Node writes it: in Latin-1, where that has all of it. */
    EXPECT("{\"site_id\":\"one\",\"cache_tags\":[\"m\xc3\xb6\xc3\x84"
           "bel\"]}",
           tag("one", "m\xc3\xb6\xc3\x84"
                      "bel"),
           tag("one", "m\xf6\xc4"
                      "bel"));
    EXPECT("{\"site_id\":\"one\",\"cache_tags\":[\"\xe2\x82\xac\"]}", tag("one", "\xe2\x82\xac"));
    EXPECT("{\"site_id\":\"one\",\"cache_tags\":[\"a,\xc3\xb6\"]}", tag("one", "a,\xc3\xb6"),
           tag("one", "a,\xf6"), tag("one", "a"), tag("one", "\xc3\xb6"), tag("one", "\xf6"));
}

static void urls_become_names(void **state)
{
    (void)state;
    uint64_t a = path("one", "one.example", 0, "/a");
    EXPECT("{\"urls\":[\"http://one.example/a\"]}", a);
    EXPECT("{\"urls\":[\"https://ONE.example.:443/%61\"]}", a);
    EXPECT("{\"urls\":[\" http://one.example/x/../a?#top \"]}", a);
    EXPECT("{\"urls\":[\"http://one.example\"],\"site_id\":\"one\"}", path("one", "one.example", 0, "/"));
    EXPECT("{\"urls\":[\"http://one.example:8080/a\"]}", path("one", "one.example", 8080, "/a"));
    EXPECT("{\"urls\":[\"http://one.example/\xc3\xbc\"]}", path("one", "one.example", 0, "/%C3%BC"));
    /* each finds its site */
    EXPECT("{\"urls\":[\"http://one.example/a\",\"http://x.two.example/b\"]}", a,
           path("two", "x.two.example", 0, "/b"));
    EXPECT("{\"urls\":[\"http://one.example/a\"],\"cache_tags\":[\"t\"],\"site_id\":\"one\"}",
           tag("one", "t"), a);
    /* a path alone: at every host and port of the site */
    EXPECT("{\"site_id\":\"one\",\"urls\":[\"/a\"]}",
           name_of_path_anywhere(world.cache, STR("one"), STR("/a")));
    EXPECT("{\"site_id\":\"two\",\"urls\":[\"/%61?x=1\"]}",
           name_of_path_anywhere(world.cache, STR("two"), STR("/a")));
    EXPECT("{\"domain\":\"b.two.example\",\"urls\":[\"/a\"]}", path("two", "b.two.example", 0, "/a"),
           path("two", "b.two.example", 8080, "/a"));
    EXPECT("{\"domain\":\"b.two.example:99\",\"urls\":[\"/a\"]}", path("two", "b.two.example", 99, "/a"));
}

static void expect_unknown(const char *json, int status, const char *says)
{
    struct purge ask = expect_taken(json);
    struct purge_error error = { 0 };
    if (purge_check(&ask, world.settings, &world.arena, &error))
        fail_msg("%s means something", json);
    struct str want = str_from(says);
    bool found = false;
    for (size_t i = 0; i + want.n <= error.text.n; i++)
        found |= str_starts(str_from_index(error.text, i), want);
    if (!found || error.status != status)
        fail_msg("%s: %d \"%.*s\"", json, error.status, STR_ARG(error.text));
}

static void what_cannot_be_found_is_refused(void **state)
{
    (void)state;
    expect_unknown("{}", 400, "several sites");
    expect_unknown("{\"cache_tags\":[\"t\"]}", 400, "several sites");
    expect_unknown("{\"cache_tags\":[\"t\"],\"urls\":[\"http://one.example/\"]}", 400, "several sites");
    expect_unknown("{\"site_id\":\"three\"}", 404, "one, two");
    expect_unknown("{\"domain\":\"three.example\"}", 404, "three.example");
    expect_unknown("{\"domain\":\"http://one.example\"}", 400, "is no host name");
    expect_unknown("{\"domain\":\"two.example\",\"site_id\":\"one\"}", 400, "belongs to the site two");
    expect_unknown("{\"urls\":[\"\"]}", 400, "urls[0] \"\" is empty; write");
    expect_unknown("{\"urls\":[\"http://one.example/\",\"/no url\"]}", 400,
                   "urls[1] \"/no url\" has a space; write %20");
    expect_unknown("{\"urls\":[\"http://one.example/a b\"]}", 400, "has a space; write %20");
    expect_unknown("{\"urls\":[\"http://\"]}", 400, "names no host");
    expect_unknown("{\"urls\":[\"https:///a\"]}", 400, "names no host");
    expect_unknown("{\"urls\":[\"http://u:p@one.example/\"]}", 400, "has a user or password");
    expect_unknown("{\"urls\":[\"http://one.example:x/@\"]}", 400, "has no valid host or port");
    expect_unknown("{\"urls\":[\"ftp://one.example/\"]}", 400, "is neither http nor https");
    expect_unknown("{\"urls\":[\"one.example/a\"]}", 400,
                   "begins with neither http:// nor https://, and as a path it begins with /");
    expect_unknown("{\"urls\":[\"one.example/a?b=c://d\"]}", 400,
                   "begins with neither http:// nor https://, and as a path it begins with /");
    expect_unknown("{\"urls\":[\"http://one.example/%zz\"]}", 400, "percent-encoding");
    expect_unknown("{\"urls\":[\"http://one.example/?%00\"]}", 400, "urls[0]");
    expect_unknown("{\"urls\":[\"*\"]}", 400, "urls[0]");
    expect_unknown("{\"urls\":[\"http://three.example/\"]}", 404, "three.example");
    expect_unknown("{\"urls\":[\"http://two.example/\"],\"site_id\":\"one\"}", 400,
                   "belongs to the site two");
    expect_unknown("{\"urls\":[\"/a\"]}", 400, "several sites");
    world_configure(&world, ONE_SITE);
    EXPECT("{\"urls\":[\"/a\"]}", name_of_path_anywhere(world.cache, STR("only"), STR("/a")));
    EXPECT("{}", name_of_site(world.cache, STR("only")));
    EXPECT("{\"urls\":[\"http://any.thing/a\"]}", path("only", "any.thing", 0, "/a"));
}

static void expect_said(const char *json, const char *what)
{
    struct str said = said_of(json);
    if (!str_eq(said, str_from(what)))
        fail_msg("\"%.*s\"", STR_ARG(said));
}

static void people_are_told_what_was_purged(void **state)
{
    (void)state;
    expect_said("{\"site_id\":\"one\"}", "site one: everything");
    expect_said("{\"site_id\":\"one\",\"soft\":true}", "site one: everything (soft)");
    expect_said("{\"site_id\":\"one\",\"cache_tags\":[\"A\"]}", "site one: tag A");
    expect_said("{\"site_id\":\"one\",\"cache_tags\":[]}", "site one: nothing, the list is empty");
    expect_said("{\"site_id\":\"one\",\"cache_tags\":[\"a\",\"b\"],\"urls\":[\"http://one.example/\"]}",
                "site one: tags a, b; URL http://one.example/");
    expect_said("{\"site_id\":\"one\",\"prefixes\":[\"/a/\",\"/b/\"]}",
                "site one: everything below /a/, /b/");
    expect_said("{\"urls\":[\"http://one.example/\",\"http://two.example/\"]}",
                "URLs http://one.example/, http://two.example/");

    /* Cut between characters, and still said to be soft. */
    struct buf b = BUF_INIT;
    for (int shift = 0; shift < 3; shift++) {
        buf_clear(&b);
        buf_printf(&b, "{\"site_id\":\"one\",\"soft\":true,\"cache_tags\":[\"%.*s", shift, "xx");
        for (int i = 0; i < 200; i++)
            buf_add(&b, STR("\xe2\x82\xac"));
        buf_add(&b, STR("\"]}"));
        buf_add_char(&b, '\0');
        struct str what = said_of(b.p);
        assert_true(str_ends(what, STR("... (soft)")));
        json_t *valid = json_stringn(what.p, what.n); /* NULL when it is not UTF-8 */
        assert_non_null(valid);
        json_decref(valid);
    }
    buf_fini(&b);
}

/* ---- in force ---- */

static void a_purge_takes_what_it_names_and_nothing_else(void **state)
{
    (void)state;
    struct world *w = &world;
    world_store(w, "http://one.example/a", NULL, KEPT "Cache-Tag: t, u");
    world_store(w, "http://one.example/a?x=1&y=2", NULL, KEPT "Cache-Tag: u");
    world_store(w, "http://two.example/a", NULL, KEPT "Cache-Tag: t");
    assert_true(world_has(w, "http://one.example/a") && world_has(w, "http://two.example/a"));
    assert_true(world_has(w, "http://one.example/a?y=2&x=1"));

    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[]}")->status, 202);
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"nothing\"]}")->status, 202);
    assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/b\"]}")->status, 202);
    assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/a?x=1\"]}")->status, 202);
    assert_int_equal(world_post(w, "{\"site_id\":\"three\"}")->status, 404);
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"tags\":[\"t\"]}")->status, 400);
    assert_true(world_has(w, "http://one.example/a") && world_has(w, "http://two.example/a"));
    assert_true(world_has(w, "http://one.example/a?x=1&y=2"));

    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"T\"]}")->status, 202);
    assert_true(!world_has(w, "http://one.example/a") && world_has(w, "http://two.example/a"));
    assert_true(world_has(w, "http://one.example/a?x=1&y=2"));

    assert_int_equal(world_post(w, "{\"urls\":[\"https://one.example/a?y=2&x=1&utm_source=q\"]}")->status,
                     202);
    assert_false(world_has(w, "http://one.example/a?x=1&y=2"));

    world_store(w, "http://one.example/a?x=1", NULL, KEPT "Cache-Tag: u");
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"urls\":[\"/a\"]}")->status, 202);
    assert_false(world_has(w, "http://one.example/a?x=1"));

    world_store(w, "http://one.example/a", NULL, KEPT);
    assert_int_equal(world_post(w, "{\"domain\":\"www.one.example\"}")->status, 202);
    assert_true(!world_has(w, "http://one.example/a") && world_has(w, "http://two.example/a"));
}

/* A prefix takes what is at it and below it, with every query, and nothing beside it; its spelling counts as
 * that of a URL. CACHING.md 5.3 */
static void a_prefix_takes_what_is_below_it(void **state)
{
    (void)state;
    struct world *w = &world;
    static const char *const pages[] = {
        "http://one.example/blog",        "http://one.example/blog/",
        "http://one.example/blog/a?x=1",  "https://one.example/blog/a/b.html",
        "http://one.example/blogger",     "http://one.example/",
        "http://www.one.example/blog/a",  "http://one.example:8081/blog/a",
        "http://two.example/blog/a",      "http://one.example/Blog/a",
        "http://one.example/caf%C3%A9/a", "http://one.example/x/blog/",
    };
    static const struct {
        const char *json;
        unsigned gone; /* a bit for each page */
    } rows[] = {
        { "{\"prefixes\":[\"http://one.example/blog/\"]}", 0x00f },
        { "{\"prefixes\":[\"https://ONE.example:443/x/../%62log\"]}", 0x00f },
        { "{\"prefixes\":[\"http://one.example:8081/\"]}", 0x080 },
        { "{\"prefixes\":[\"/blog/\"],\"site_id\":\"one\"}", 0x0cf },
        { "{\"prefixes\":[\"/blog/a\"],\"site_id\":\"one\"}", 0x0cc },
        { "{\"prefixes\":[\"/blog/a\"],\"domain\":\"www.one.example\"}", 0x040 },
        { "{\"prefixes\":[\"http://one.example/\"]}", 0xe3f },
        { "{\"prefixes\":[\"http://one.example/caf\u00e9/\"]}", 0x400 },
        { "{\"prefixes\":[\"http://one.example/blog/a/b.html\",\"http://two.example/blog\"]}", 0x108 },
        { "{\"prefixes\":[\"http://one.example/nothing/\"]}", 0 },
        { "{\"prefixes\":[]}", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(pages); k++)
            world_store(w, pages[k], NULL, KEPT);
        assert_int_equal(world_post(w, rows[i].json)->status, 202);
        for (size_t k = 0; k < COUNT_OF(pages); k++)
            if (world_has(w, pages[k]) == (rows[i].gone >> k & 1))
                fail_msg("%s: %s", rows[i].json, pages[k]);
    }
    world_store(w, pages[2], NULL, KEPT);
    assert_int_equal(world_post(w, "{\"prefixes\":[\"http://one.example/blog\"],\"soft\":true}")->status,
                     202);
    assert_int_equal(world_look(w, pages[2], NULL), OUTCOME_STALE_JOIN);
    /* Other purges in between hide none. */
    world_store(w, pages[2], NULL, KEPT);
    assert_int_equal(world_post(w, "{\"prefixes\":[\"http://one.example/blog\"]}")->status, 202);
    for (int i = 0; i < 700; i++)
        assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/other\"]}")->status, 202);
    assert_false(world_has(w, pages[2]));
}

/* Deeper than names go, a prefix takes its own beginning: too much, and never too little. */
static void a_deep_prefix_is_not_missed(void **state)
{
    (void)state;
    struct world *w = &world;
    struct buf path = BUF_INIT, json = BUF_INIT;
    for (int depth = 1; depth <= 40; depth++) {
        buf_printf(&path, "/d%d", depth);
        struct str page = ARENA_JOIN(&w->arena, STR("http://one.example"), buf_str(&path), STR("/page")),
                   beside = ARENA_JOIN(&w->arena, STR("http://one.example"), buf_str(&path), STR("x/page"));
        buf_clear(&json);
        buf_printf(&json, "{\"prefixes\":[\"http://one.example%.*s/\"]}%c", STR_ARG(buf_str(&path)), 0);
        world_store(w, arena_printf(&w->arena, "%.*s%c", STR_ARG(page), 0).p, NULL, KEPT);
        world_store(w, arena_printf(&w->arena, "%.*s%c", STR_ARG(beside), 0).p, NULL, KEPT);
        assert_int_equal(world_post(w, json.p)->status, 202);
        assert_false(world_has(w, arena_printf(&w->arena, "%.*s%c", STR_ARG(page), 0).p));
        assert_int_equal(world_has(w, arena_printf(&w->arena, "%.*s%c", STR_ARG(beside), 0).p),
                         depth <= NAMES_LEVELS);
    }
    buf_fini(&path);
    buf_fini(&json);
}

static void a_url_takes_all_its_variants_and_only_what_it_is_answered_with(void **state)
{
    (void)state;
    struct world *w = &world;
    const char *rule = KEPT "Netlify-Vary: query=page,cookie=theme";
    world_store(w, "http://one.example/l?page=1", NULL, rule);
    world_store(w, "http://one.example/l?page=1", "Cookie: theme=dark", rule);
    world_store(w, "http://one.example/l?page=2", NULL, rule);
    world_store(w, "http://one.example/l", NULL, rule);
    assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/l?page=1&other=3\"]}")->status, 202);
    assert_true(world_look(w, "http://one.example/l?page=1", NULL) != OUTCOME_HIT);
    assert_true(world_look(w, "http://one.example/l?page=1", "Cookie: theme=dark") != OUTCOME_HIT);
    assert_true(world_has(w, "http://one.example/l?page=2") && world_has(w, "http://one.example/l"));
    /* None of its parameters counts: it is answered as the plain URL is. */
    assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/l?other=3\"]}")->status, 202);
    assert_true(world_has(w, "http://one.example/l?page=2") && !world_has(w, "http://one.example/l"));
}

static void rules_of_http_and_https_may_differ(void **state)
{
    (void)state;
    struct world *w = &world;
    world_store(w, "http://one.example/s?a=1", NULL, KEPT "Netlify-Vary: query=a");
    world_store(w, "https://one.example/s?b=2", NULL, KEPT "Netlify-Vary: query=b");
    assert_true(world_has(w, "http://one.example/s?a=1&b=2") &&
                world_has(w, "https://one.example/s?a=1&b=2"));
    assert_int_equal(world_post(w, "{\"urls\":[\"http://one.example/s?a=1&b=2\"]}")->status, 202);
    assert_false(world_has(w, "http://one.example/s?a=1&b=2"));
    assert_false(world_has(w, "https://one.example/s?a=1&b=2"));
}

static void soft_leaves_it_to_be_served_stale(void **state)
{
    (void)state;
    struct world *w = &world;
    world_store(w, "http://one.example/a", NULL, KEPT "Cache-Tag: t");
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"t\"],\"soft\":true}")->status,
                     202);
    assert_int_equal(world_look(w, "http://one.example/a", NULL), OUTCOME_STALE_JOIN);
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"t\"],\"soft\":false}")->status,
                     202);
    assert_int_equal(world_look(w, "http://one.example/a", NULL), OUTCOME_PASS);
}

static void the_answer_has_the_number_which_only_grows(void **state)
{
    (void)state;
    struct world *w = &world;
    uint64_t before = epochs_latest(w->cache->epochs);
    static const struct {
        const char *json;
        unsigned names;
    } rows[] = {
        { "{\"site_id\":\"one\"}", 1 },
        { "{\"site_id\":\"one\",\"cache_tags\":[]}", 0 },
        { "{\"site_id\":\"one\",\"cache_tags\":[\"a\",\"b\"]}", 2 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct answer_page *page = world_post(w, rows[i].json);
        assert_int_equal(page->status, 202);
        json_t *json = world_json(page);
        before += rows[i].names;
        assert_int_equal(number_at(json, "sequence"), before);
        assert_int_equal(epochs_latest(w->cache->epochs), before);
        /* Nothing is kept here; but what named nothing has nothing to be kept. */
        assert_int_equal(json_is_true(json_at(json, "durable")), rows[i].names == 0);
        json_decref(json);
    }
    /* Each that purged something is in the log, and no token. */
    struct str log = buf_str(&w->logged), rest = log;
    size_t lines = 0;
    while (rest.n && str_cut(&rest, '\n').n)
        lines++;
    assert_int_equal(lines, 2);
    assert_null(memmem(log.p, log.n, TOKEN, strlen(TOKEN)));
    assert_non_null(memmem(log.p, log.n, "site one: tags a, b", 19));
}

static void more_than_the_rate_is_429_and_purges_nothing(void **state)
{
    (void)state;
    struct world *w = &world;
    world_configure(w, "purge_rate: 2\n" ONE_SITE);
    /* A second may end between two requests, but not between all. */
    int refused = 0;
    uint64_t sequence = epochs_latest(w->cache->epochs);
    for (int i = 0; i < 1000 && !refused; i++) {
        const struct answer_page *page = world_post(w, "{}");
        uint64_t now = epochs_latest(w->cache->epochs);
        if (page->status == 429) {
            assert_true(str_eq(world_field(page, "Retry-After"), STR("1")));
            assert_int_equal(now, sequence);
            refused++;
        } else {
            assert_int_equal(page->status, 202);
            assert_int_equal(now, sequence + 1);
        }
        sequence = now;
    }
    assert_int_equal(refused, 1);
    atomic_fetch_add(&w->clock.mono_shift_ms, 1000);
    assert_int_equal(world_post(w, "{}")->status, 202);
}

/* A purge that could find nothing is refused, with what to do about it: 202 is for what is in force. */
static void what_could_find_nothing_is_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    expect_refused("{\"cache_tags\":[\"\"]}", 400, "nothing but empty strings");
    expect_refused("{\"site_id\":\"one\",\"cache_tags\":[\" \",\"\"]}", 400, "nothing but empty strings");
    expect_unknown("{\"site_id\":\"one\",\"cache_tags\":[\"a\",\", ,\"]}", 400,
                   "cache_tags[1] \", ,\" is nothing but commas");
    static const char *const stars[] = { "http://one.example/wild/*",  "/wild/*", "http://one.example/*.css",
                                         "http://one.example/?page=*", "*",       "http://*.one.example/" };
    for (size_t i = 0; i < COUNT_OF(stars); i++) {
        b.n = 0;
        buf_printf(&b, "{\"site_id\":\"one\",\"urls\":[\"%s\"]}%c", stars[i], 0);
        expect_unknown(b.p, 400, i < 4 ? "name it in prefixes" : "urls[0]");
    }
    expect_unknown("{\"site_id\":\"one\",\"urls\":[\"//one.example/a\"]}", 400, "begins with //");
    /* A * that stands in a page's address. */
    EXPECT("{\"urls\":[\"http://one.example/a%2Ab\"]}", path("one", "one.example", 0, "/a%2Ab"),
           path("one", "one.example", 0, "/a*b"));
    expect_unknown("{\"prefixes\":[\"http://one.example/blog/*\"]}", 400, "everything below it is purged");
    expect_unknown("{\"prefixes\":[\"http://one.example/blog/?a=1\"]}", 400, "has a query");
    expect_unknown("{\"site_id\":\"one\",\"prefixes\":[\"//a/\"]}", 400, "begins with //");
    expect_unknown("{\"prefixes\":[\"/blog/\"]}", 400, "several sites");
    expect_unknown("{\"prefixes\":[\"http://three.example/blog/\"]}", 404, "three.example");
    expect_unknown("{\"prefixes\":[\"\",\"/a/\"]}", 400, "prefixes[0]");
    /* Longer than any stored response's, by bytes. */
    for (size_t bytes = 1023; bytes <= 1026; bytes++) {
        b.n = 0;
        buf_add(&b, STR("{\"site_id\":\"one\",\"cache_tags\":[\""));
        for (size_t i = 0; i < bytes; i++)
            buf_add_char(&b, 'x');
        buf_add(&b, STR("\"]}"));
        buf_add_char(&b, '\0');
        if (bytes <= 1024)
            assert_int_equal(names_of(b.p).n, 1);
        else
            expect_unknown(b.p, 400, "is longer than 1024 bytes (setting tag_bytes)");
    }
    /* Too long in UTF-8, not in Latin-1. */
    b.n = 0;
    buf_add(&b, STR("{\"site_id\":\"one\",\"cache_tags\":[\""));
    for (size_t i = 0; i < 600; i++)
        buf_add(&b, STR("\xc3\xb6"));
    buf_add(&b, STR("\"]}"));
    buf_add_char(&b, '\0');
    assert_int_equal(names_of(b.p).n, 1);
    buf_fini(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_purge_is_refused),
        TEST(brackets_in_strings_are_no_nesting),
        TEST(what_netlify_sends_is_taken),
        TEST(lists_have_an_end),
        TEST(sites_and_tags_become_names),
        TEST(what_could_find_nothing_is_refused),
        TEST(urls_become_names),
        TEST(what_cannot_be_found_is_refused),
        TEST(people_are_told_what_was_purged),
        TEST(a_purge_takes_what_it_names_and_nothing_else),
        TEST(a_prefix_takes_what_is_below_it),
        TEST(a_deep_prefix_is_not_missed),
        TEST(a_url_takes_all_its_variants_and_only_what_it_is_answered_with),
        TEST(rules_of_http_and_https_may_differ),
        TEST(soft_leaves_it_to_be_served_stale),
        TEST(the_answer_has_the_number_which_only_grows),
        TEST(more_than_the_rate_is_429_and_purges_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
