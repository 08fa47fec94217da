/* A purge is written as one line of text and read back; what is read purges in another cache what it
 * purges in the first, under the rules that are known there when it is applied. Other text is refused
 * with the place. */
#include "admin_test.h"

#include "admin/purge.h"

#define SITES                                                                                                \
    "listen: [\"127.0.0.1:8080\"]\n"                                                                         \
    "sites:\n"                                                                                               \
    "  one:\n"                                                                                               \
    "    hosts: [one.example]\n"                                                                             \
    "    origin: http://127.0.0.1:1\n"                                                                       \
    "  two:\n"                                                                                               \
    "    hosts: [two.example, \"*.two.example\"]\n"                                                          \
    "    origin: http://127.0.0.1:2\n"
#define KEPT "Netlify-CDN-Cache-Control: public, s-maxage=60, stale-while-revalidate=60\n"

static struct world here, there;

static int begin(void **state)
{
    (void)state;
    world_init(&here, SITES);
    world_init(&there, SITES);
    /* Another secret, so that no name of one cache is one of the other. */
    there.secret.bytes[0] ^= 1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_fini(&here);
    world_fini(&there);
    return 0;
}

static struct purge from_api(const char *json)
{
    struct purge p;
    struct purge_error error;
    if (!purge_parse(str_from(json), &here.arena, &p, &error) ||
        !purge_check(&p, here.settings, &here.arena, &error))
        fail_msg("%s: %.*s", json, STR_ARG(error.text));
    return p;
}

static struct str text_of(const struct purge *p)
{
    struct buf b = BUF_INIT;
    purge_write(p, &b);
    struct str text = arena_dup(&here.arena, buf_str(&b));
    buf_fini(&b);
    return text;
}

static struct purge read_back(struct str text)
{
    struct purge p;
    struct purge_error error;
    if (!purge_read(text, &there.arena, &p, &error))
        fail_msg("%.*s: %.*s", STR_ARG(text), STR_ARG(error.text));
    assert_true(str_eq(text_of(&p), text));
    return p;
}

static size_t apply(struct world *w, const struct purge *p)
{
    struct purge_result result;
    struct purge_error error;
    uint64_t before = epochs_latest(w->cache->epochs);
    if (!purge_apply(w->cache, w->settings, p, clock_now(&w->clock).mono_ms, &w->arena, &result, &error))
        fail_msg("%.*s", STR_ARG(error.text));
    assert_int_equal(result.sequence, before + result.names);
    assert_int_equal(result.sequence, epochs_latest(w->cache->epochs));
    return result.names;
}

static const char *const pages[] = { "http://one.example/",         "http://one.example/l?page=1",
                                     "http://one.example/l?page=2", "https://one.example/l",
                                     "http://two.example/",         "http://a.two.example/x" };

static void store_all(struct world *w)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        world_store(w, pages[i], NULL,
                    i % 2 ? KEPT "Cache-Tag: even, all, m\xc3\xb6" : KEPT "Cache-Tag: odd, \"all\", all");
}

/* ---- the same effect elsewhere ---- */

static void it_has_the_same_effect_on_another_cache(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int gone; /* how many pages are not hits any more */
    } rows[] = {
        { "{\"site_id\":\"one\"}", 4 },
        { "{\"site_id\":\"two\",\"soft\":true}", 2 },
        { "{\"domain\":\"A.two.example.\",\"urls\":[\"/x\"]}", 1 },
        { "{\"site_id\":\"one\",\"cache_tags\":[\"ODD\"]}", 2 },
        { "{\"site_id\":\"one\",\"cache_tags\":[\"even, odd\"],\"soft\":true}", 4 },
        { "{\"site_id\":\"two\",\"cache_tags\":[\"m\xc3\xb6\"]}", 1 },
        { "{\"site_id\":\"one\",\"cache_tags\":[\"\\\"all\\\"\"]}", 2 },
        { "{\"urls\":[\"http://one.example/l?page=1\"]}", 1 },
        { "{\"urls\":[\"http://one.example/l\",\"https://two.example/\"],\"soft\":true}", 4 },
        { "{\"site_id\":\"one\",\"urls\":[\"/\"],\"cache_tags\":[\"none\"]}", 1 },
        { "{\"site_id\":\"one\",\"prefixes\":[\"/l/\"]}", 3 },
        { "{\"prefixes\":[\"http://one.example/\"],\"soft\":true}", 4 },
        { "{\"domain\":\"a.two.example\",\"prefixes\":[\"/\"]}", 1 },
        { "{\"site_id\":\"one\",\"cache_tags\":[]}", 0 },
        { "{\"urls\":[]}", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        end(NULL);
        begin(NULL);
        store_all(&here);
        store_all(&there);
        struct purge p = from_api(rows[i].json);
        struct purge q = read_back(text_of(&p));
        assert_true(q.kind == p.kind && q.scope == p.scope && q.cause == PURGE_BY_API);
        assert_true(str_eq(purge_say(&p, &here.arena), purge_say(&q, &here.arena)));
        assert_int_equal(apply(&here, &p), apply(&there, &q));
        int gone = 0;
        for (size_t k = 0; k < COUNT_OF(pages); k++) {
            enum outcome outcome = world_look(&here, pages[k], NULL);
            if (outcome != world_look(&there, pages[k], NULL))
                fail_msg("%s: %s differs", rows[i].json, pages[k]);
            gone += outcome != OUTCOME_HIT;
            if (outcome != OUTCOME_HIT)
                assert_int_equal(outcome, p.kind == PURGE_SOFT ? OUTCOME_STALE_JOIN : OUTCOME_PASS);
        }
        if (gone != rows[i].gone)
            fail_msg("%s: %d gone", rows[i].json, gone);
    }
}

/* Names are made when it is applied: a URL with a query is purged under the rule that is known there and
 * then. */
static void rules_are_those_of_where_it_is_applied(void **state)
{
    (void)state;
    struct purge p = from_api("{\"urls\":[\"http://one.example/l?page=1&x=2\"]}");
    struct str text = text_of(&p);
    world_store(&here, "http://one.example/l?page=1&x=2", NULL, KEPT);
    world_store(&there, "http://one.example/l?page=1", NULL, KEPT "Netlify-Vary: query=page");
    struct purge q = read_back(text);
    apply(&here, &q);
    apply(&there, &q);
    assert_false(world_has(&here, "http://one.example/l?page=1&x=2"));
    assert_false(world_has(&there, "http://one.example/l?page=1"));
}

static void groups_are_purged_at_their_origin(void **state)
{
    (void)state;
    struct str groups[] = { STR("a"), STR("b \"c\""), STR("") };
    struct purge p = { .scope = PURGE_OF_GROUPS,
                       .kind = PURGE_INVALIDATE,
                       .cause = PURGE_BY_UNSAFE,
                       .origin = STR("https://one.example:8443"),
                       .groups = { groups, 3 } };
    struct str text = text_of(&p);
    assert_true(str_eq(text, STR("{\"purge\":1,\"kind\":\"invalidate\",\"cause\":\"unsafe-method\","
                                 "\"origin\":\"https://one.example:8443\",\"groups\":[\"a\",\"b "
                                 "\\\"c\\\"\",\"\"]}")));
    struct purge q = read_back(text);
    uint64_t before = epochs_latest(there.cache->epochs);
    assert_int_equal(apply(&there, &q), 3);
    struct key_request at = { .https = true, .host = STR("one.example"), .port = 8443 };
    uint64_t name = name_of_group(there.cache, &at, STR("b \"c\""), &there.arena);
    uint32_t packed[16];
    struct purged purged;
    epoch_names_write(packed, &name, 1, true);
    assert_true(epochs_touched(there.cache->epochs, (struct epoch_names){ packed, 1, true }, before, before,
                               before + 3, &purged));
    assert_true(purged.invalidated && !purged.hard);
    struct purge_result result;
    struct purge_error error;
    q.origin = STR("one.example");
    assert_false(purge_apply(there.cache, there.settings, &q, 0, &there.arena, &result, &error));
    assert_int_equal(epochs_latest(there.cache->epochs), before + 3);
}

/* Settings that do not have the site refuse it, and nothing is purged. */
static void what_is_unknown_there_is_refused(void **state)
{
    (void)state;
    struct purge p = from_api("{\"site_id\":\"one\"}"), q = read_back(text_of(&p));
    struct purge_result result;
    struct purge_error error;
    uint64_t before = epochs_latest(there.cache->epochs);
    world_configure(&there, "sites:\n  three:\n    origin: http://127.0.0.1:1\n");
    assert_false(purge_apply(there.cache, there.settings, &q, 0, &there.arena, &result, &error));
    assert_int_equal(error.status, 404);
    assert_int_equal(epochs_latest(there.cache->epochs), before);
}

/* ---- the text ---- */

#define HEAD "{\"purge\":1,\"kind\":\"hard\",\"cause\":\"api\""

static void other_text_is_refused_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after; /* the place is between them */
    } rows[] = {
        { "", "" },
        { "", "{}" },
        { "", "{\"purge\":2,\"kind\":\"hard\",\"cause\":\"api\",\"site\":\"one\",\"everything\":true}" },
        { "", " " HEAD ",\"everything\":true}" },
        { "{\"purge\":1,\"kind\":", "\"harder\",\"cause\":\"api\",\"everything\":true}" },
        { "{\"purge\":1,\"kind\":", "1,\"cause\":\"api\",\"everything\":true}" },
        { "{\"purge\":1,\"kind\":\"hard\"", ",\"everything\":true}" },
        { "{\"purge\":1,\"kind\":\"hard\",\"cause\":", "\"me\",\"everything\":true}" },
        { HEAD, "" },
        { HEAD, "}" },
        { HEAD ",\"site\":\"one\"", "}" },
        { HEAD, ",\"everything\":false}" },
        { HEAD, ",\"patterns\":[\"/a\"]}" },
        { HEAD ",\"prefixes\":[\"/a/\"]", ",\"urls\":[\"/a\"]}" },
        { HEAD ",\"everything\":true", "" },
        { HEAD ",\"everything\":true", ",\"cache_tags\":[]}" },
        { HEAD ",\"everything\":true", ",\"site\":\"one\"}" },
        { HEAD ",\"everything\":true}", "\n" },
        { HEAD ",\"everything\":true}", "{" },
        { HEAD ",\"site\":", "\"\",\"everything\":true}" },
        { HEAD ",\"site\":", "1,\"everything\":true}" },
        { HEAD ",\"cache_tags\":[", "1]}" },
        { HEAD ",\"cache_tags\":[", ",\"a\"]}" },
        { HEAD ",\"cache_tags\":[\"a\",", "]}" },
        { HEAD ",\"cache_tags\":[\"a\"", "}" },
        { HEAD ",\"cache_tags\":[\"a\"", " ,\"b\"]}" },
        { HEAD ",\"cache_tags\":[", "\"\"]}" },
        { HEAD ",\"cache_tags\":[\"", "a\nb\"]}" },
        { HEAD ",\"cache_tags\":[\"", "a\xff\"]}" },
        { HEAD ",\"cache_tags\":[\"", "\x7f\"]}" },
        { HEAD ",\"cache_tags\":[\"a", "\\u0041\"]}" },
        { HEAD ",\"cache_tags\":[\"a", "\\" },
        { HEAD ",\"cache_tags\":[\"a", "" },
        { HEAD ",\"urls\":[\"/\"]", ",\"cache_tags\":[\"a\"]}" },
        { HEAD ",\"origin\":\"http://a\"", "}" },
        { HEAD, ",\"groups\":[\"a\"]}" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str text = arena_printf(&here.arena, "%s%s", rows[i].before, rows[i].after);
        struct purge p;
        struct purge_error error = { 0 };
        if (purge_read(text, &here.arena, &p, &error))
            fail_msg("%.*s was read", STR_ARG(text));
        struct str place = arena_printf(&here.arena, "byte %zu: ", strlen(rows[i].before));
        if (error.at != strlen(rows[i].before) || !str_starts(error.text, place))
            fail_msg("%.*s: %zu, %.*s", STR_ARG(text), error.at, STR_ARG(error.text));
        assert_int_equal(error.status, 400);
    }
}

/* No beginning of a good line is one. */
static void a_line_that_was_cut_is_refused(void **state)
{
    (void)state;
    struct purge p = from_api("{\"site_id\":\"one\",\"urls\":[\"/a?b=\\\"\",\"/\xc3\xbc\"],"
                              "\"cache_tags\":[\"x\",\"a\\\\b\"],\"soft\":true}");
    struct str text = text_of(&p);
    assert_true(
        str_eq(text, STR("{\"purge\":1,\"kind\":\"soft\",\"cause\":\"api\",\"site\":\"one\","
                         "\"cache_tags\":[\"x\",\"a\\\\b\"],\"urls\":[\"/a?b=\\\"\",\"/\xc3\xbc\"]}")));
    for (size_t n = 0; n < text.n; n++) {
        struct purge_error error;
        /* Its own piece of memory, so that a look behind it is seen. */
        char *copy = malloc(n + 1);
        memcpy(copy, text.p, n);
        struct str cut = { copy, n };
        assert_false(purge_read(cut, &there.arena, &p, &error));
        assert_true(error.at <= n);
        free(copy);
    }
    read_back(text);
}

static void lines_and_lists_have_an_end(void **state)
{
    (void)state;
    struct purge p;
    struct purge_error error;
    struct buf b = BUF_INIT;
    buf_add(&b, STR(HEAD ",\"cache_tags\":[\"t\""));
    for (int i = 1; i < PURGE_LIST_MAX; i++)
        buf_add(&b, STR(",\"t\""));
    size_t n = b.n;
    buf_add(&b, STR("]}"));
    assert_int_equal(read_back(buf_str(&b)).tags.n, PURGE_LIST_MAX);
    b.n = n;
    buf_add(&b, STR(",\"t\"]}"));
    assert_false(purge_read(buf_str(&b), &here.arena, &p, &error));
    assert_int_equal(error.at, n + 1);

    b.n = 0;
    buf_add(&b, STR(HEAD ",\"site\":\""));
    while (b.n < PURGE_TEXT_MAX)
        buf_add_char(&b, 'x');
    b.n -= sizeof("\",\"everything\":true}") - 1;
    buf_add(&b, STR("\",\"everything\":true}"));
    assert_int_equal(b.n, PURGE_TEXT_MAX);
    assert_true(purge_read(buf_str(&b), &here.arena, &p, &error));
    b.n -= sizeof("\",\"everything\":true}") - 1;
    buf_add(&b, STR("x\",\"everything\":true}"));
    assert_false(purge_read(buf_str(&b), &here.arena, &p, &error));
    assert_int_equal(error.at, PURGE_TEXT_MAX);
    buf_fini(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(it_has_the_same_effect_on_another_cache),
        T(rules_are_those_of_where_it_is_applied),
        T(groups_are_purged_at_their_origin),
        T(what_is_unknown_there_is_refused),
        T(other_text_is_refused_with_the_place),
        T(a_line_that_was_cut_is_refused),
        T(lines_and_lists_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
