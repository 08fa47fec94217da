/* The admin site answers who has the token, and who asks for health or metrics; it says what is wrong with
 * everything else. */
#include "admin_test.h"

#define SITE                                                                                                 \
    "sites:\n"                                                                                               \
    "  one:\n"                                                                                               \
    "    hosts: [one.example]\n"                                                                             \
    "    origin: http://127.0.0.1:1\n"                                                                       \
    "  raw:\n"                                                                                               \
    "    hosts: [raw.example]\n"                                                                             \
    "    profile: rfc9111\n"                                                                                 \
    "    origin: unix:/tmp/raw\n"
#define KEPT                                                                                                 \
    "Netlify-CDN-Cache-Control: public, s-maxage=60, stale-while-revalidate=600\nContent-Type: text/html\n"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, SITE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* ---- who may ask what ---- */

static void only_the_token_opens(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        NULL,
        "Authorization: ",
        "Authorization: Bearer",
        "Authorization: " TOKEN,
        "Authorization: Bearer" TOKEN,
        "Authorization: Basic " TOKEN,
        "Authorization: Bearer " TOKEN "x",
        "Authorization: Bearer x" TOKEN,
        "Authorization: Bearer the-admin-toke",
        "Authorization: Bearer THE-ADMIN-TOKEN",
        "Authorization: Bearer " TOKEN " " TOKEN,
        "Authorization: Bearer \"" TOKEN "\"",
        "Authorization: Bearer " TOKEN "\nAuthorization: Bearer " TOKEN,
        "Authorization: Bearer " TOKEN "\nAuthorization: Bearer wrong",
        "X-Authorization: Bearer " TOKEN,
    };
    static const struct {
        enum method method;
        const char *target;
        int status;
    } pages[] = {
        { METHOD_POST, "/api/v1/purge", 202 },
        { METHOD_GET, "/api/v1/status", 200 },
        { METHOD_GET, "/api/v1/explain?url=http://one.example/", 200 },
    };
    uint64_t before = epochs_latest(world.cache->epochs);
    struct str all = STR("{\"site_id\":\"one\"}");
    for (size_t p = 0; p < COUNT_OF(pages); p++) {
        for (size_t i = 0; i < COUNT_OF(wrong); i++) {
            struct answer_page *page = world_ask(&world, pages[p].method, pages[p].target, wrong[i], all);
            assert_int_equal(page->status, 401);
            assert_true(str_eq(world_field(page, "WWW-Authenticate"), STR("Bearer")));
            assert_null(memmem(page->body.p, page->body.n, TOKEN, strlen(TOKEN)));
        }
        assert_int_equal(epochs_latest(world.cache->epochs), before);
        const char *const right[] = { "Authorization: Bearer " TOKEN, "Authorization: bearer   " TOKEN };
        for (size_t i = 0; i < COUNT_OF(right); i++)
            assert_int_equal(world_ask(&world, pages[p].method, pages[p].target, right[i], all)->status,
                             pages[p].status);
        before = epochs_latest(world.cache->epochs);
    }
}

static void other_methods_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        const char *target, *allow;
    } rows[] = {
        { METHOD_GET, "/api/v1/purge", "POST" },        { METHOD_HEAD, "/api/v1/purge", "POST" },
        { METHOD_PUT, "/api/v1/purge", "POST" },        { METHOD_DELETE, "/api/v1/purge", "POST" },
        { METHOD_OPTIONS, "/api/v1/purge", "POST" },    { METHOD_OTHER, "/api/v1/purge", "POST" },
        { METHOD_POST, "/api/v1/status", "GET, HEAD" }, { METHOD_PATCH, "/api/v1/explain", "GET, HEAD" },
        { METHOD_POST, "/healthz", "GET, HEAD" },       { METHOD_POST, "/readyz", "GET, HEAD" },
        { METHOD_DELETE, "/metrics", "GET, HEAD" },
    };
    uint64_t before = epochs_latest(world.cache->epochs);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct answer_page *page =
            world_ask(&world, rows[i].method, rows[i].target, "Authorization: Bearer " TOKEN, STR("{}"));
        assert_int_equal(page->status, 405);
        assert_true(str_eq(world_field(page, "Allow"), str_from(rows[i].allow)));
    }
    assert_int_equal(epochs_latest(world.cache->epochs), before);
    assert_int_equal(world_ask(&world, METHOD_HEAD, "/healthz", NULL, STR_NONE)->status, 200);
    assert_true(world.request.head_only);
    assert_int_equal(world_ask(&world, METHOD_GET, "/healthz", NULL, STR_NONE)->status, 200);
    assert_false(world.request.head_only);
}

static void elsewhere_is_a_list_of_what_there_is(void **state)
{
    (void)state;
    static const char *const targets[] = { "/",          "/api/v1",  "/api/v1/purge/", "/API/v1/purge",
                                           "/metrics/x", "/healthz2" };
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        json_t *json = world_json(world_ask(&world, METHOD_GET, targets[i], NULL, STR_NONE));
        assert_int_equal(world.request.answer.status, 404);
        assert_int_equal(number_at(json, "code"), 404);
        assert_non_null(strstr(text_at(json, "message"), "/api/v1/purge"));
        json_decref(json);
    }
}

static void health_is_for_everybody_and_readiness_is_told(void **state)
{
    (void)state;
    struct answer_page *page = world_ask(&world, METHOD_GET, "/healthz", NULL, STR_NONE);
    assert_true(page->status == 200 && str_eq(page->body, STR("ok\n")));
    assert_int_equal(world_ask(&world, METHOD_GET, "/readyz", NULL, STR_NONE)->status, 503);
    atomic_store(&world.admin.ready, true);
    assert_int_equal(world_ask(&world, METHOD_GET, "/readyz", NULL, STR_NONE)->status, 200);
    assert_int_equal(world_ask(&world, METHOD_GET, "/healthz", NULL, STR_NONE)->status, 200);
    atomic_store(&world.admin.ready, false);
    assert_int_equal(world_ask(&world, METHOD_GET, "/readyz", NULL, STR_NONE)->status, 503);
    assert_int_equal(world_ask(&world, METHOD_GET, "/healthz", NULL, STR_NONE)->status, 200);
}

/* ---- metrics ---- */

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alpha(s.p[i]) && s.p[i] != '_' && !(is_digit(s.p[i]) && i))
            return false;
    return s.n > 0;
}

static int64_t sample(struct str text, const char *name)
{
    uint64_t value;
    struct str wanted = arena_printf(&world.arena, "%s ", name);
    for (struct str rest = text; rest.p;) {
        struct str line = str_cut(&rest, '\n');
        if (!str_starts(line, wanted))
            continue;
        assert_true(str_to_u64(str_from_index(line, wanted.n), INT64_MAX, &value));
        return (int64_t)value;
    }
    fail_msg("no sample of %s", name);
    return -1;
}

static void metrics_are_text_that_prometheus_reads(void **state)
{
    (void)state;
    struct origin_address quoted = { .local_path = STR("/tmp/a\"b\\c\nd"), .authority = STR("localhost") };
    count_add(&world.counters[0], COUNTER_HITS, 5);
    count_add(&world.counters[1], COUNTER_HITS, 7);
    origins_get(&world.origins, &world.settings->sites[0].origin_address);
    origin_failed(origins_get(&world.origins, &quoted), REASON_CONNECT_FAILED, HTTP_ERROR_NONE,
                  (struct now){ 1, 1 });
    world_store(&world, "http://one.example/a", NULL, KEPT);
    struct answer_page *page = world_ask(&world, METHOD_GET, "/metrics", NULL, STR_NONE);
    assert_int_equal(page->status, 200);
    assert_true(str_starts(page->content_type, STR("text/plain; version=0.0.4")));

    /* Each family: HELP, TYPE, then its samples; no family twice. */
    struct str family = STR_NONE, seen[200];
    size_t families = 0, samples = 0;
    assert_true(str_ends(page->body, STR("\n")));
    for (struct str rest = str_first(page->body, page->body.n - 1); rest.p;) {
        struct str line = str_cut(&rest, '\n');
        if (str_starts(line, STR("# HELP "))) {
            assert_true(families == 0 || samples > 0);
            samples = 0;
            struct str words = str_from_index(line, 7);
            family = str_cut(&words, ' ');
            assert_true(is_name(family) && str_starts(family, STR("freshet_")) && words.n > 0);
            for (size_t i = 0; i < families; i++)
                assert_false(str_eq(seen[i], family));
            assert_true(families < COUNT_OF(seen));
            seen[families++] = family;
            struct str type = str_cut(&rest, '\n');
            assert_true(str_starts(type, STR("# TYPE ")));
            words = str_from_index(type, 7);
            assert_true(str_eq(str_cut(&words, ' '), family));
            bool counter = str_eq(words, STR("counter"));
            assert_true(counter || str_eq(words, STR("gauge")));
            assert_true(counter == str_ends(family, STR("_total")));
            continue;
        }
        assert_true(families > 0 && str_starts(line, family));
        struct str value = str_from_index(line, family.n);
        if (value.p[0] == '{')
            value = str_from_index(value, str_index(value, '}') + 1);
        assert_true(value.n > 1 && value.p[0] == ' ');
        uint64_t number;
        assert_true(str_to_u64(str_from_index(value, 1), INT64_MAX, &number));
        samples++;
    }
    assert_true(samples > 0);
    assert_int_equal(sample(page->body, "freshet_hits_total"), 12);
    assert_int_equal(sample(page->body, "freshet_objects"), 1);
    assert_int_equal(sample(page->body, "freshet_memory_budget_bytes"), 64 << 20);
    assert_int_equal(sample(page->body, "freshet_memory_used_bytes"), memory_used(&world.cache->memory));
    assert_int_equal(sample(page->body, "freshet_origin_failed_total{origin=\"unix:/tmp/a\\\"b\\\\c\\nd\"}"),
                     1);
    assert_int_equal(sample(page->body, "freshet_origin_failed_total{origin=\"http://127.0.0.1:1\"}"), 0);
#define COUNTER(id, name, kind, help) sample(page->body, "freshet_" name);
#include "tbl/counters.h"
#undef COUNTER
}

/* ---- status ---- */

static void status_says_how_it_is_doing(void **state)
{
    (void)state;
    struct world *w = &world;
    json_t *json = world_json(world_get(w, "/api/v1/status"));
    assert_int_equal(w->request.answer.status, 200);
    assert_true(json_is_null(json_at(json, "requests.hit_ratio")));
    assert_string_equal(text_at(json, "version"), FRESHET_VERSION);
    assert_true(json_is_false(json_at(json, "ready")));
    assert_int_equal(json_array_size(json_at(json, "purges.latest")), 0);
    json_decref(json);

    count_add(&w->counters[0], COUNTER_HITS, 5);
    count_add(&w->counters[1], COUNTER_STALE_HITS, 1);
    count_add(&w->counters[1], COUNTER_DISK_HITS, 2);
    count_add(&w->counters[1], COUNTER_MISSES, 1);
    count_add(&w->counters[1], COUNTER_PASSES, 1);
    origin_failed(origins_get(&w->origins, &w->settings->sites[0].origin_address), REASON_CONNECT_FAILED,
                  HTTP_ERROR_NONE, (struct now){ 1, 1000 });
    world_store(w, "http://one.example/a", NULL, KEPT);
    for (int i = 0; i < ADMIN_PURGES_KEPT + 5; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"site_id\":\"one\",\"cache_tags\":[\"t%d\"]}", i);
        assert_int_equal(world_post(w, body)->status, 202);
    }
    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[]}")->status, 202); /* no purge */
    atomic_store(&w->admin.ready, true);
    atomic_fetch_add(&w->clock.mono_shift_ms, 90500);

    json = world_json(world_get(w, "/api/v1/status"));
    double ratio = json_real_value(json_at(json, "requests.hit_ratio"));
    assert_true(ratio > 0.7499 && ratio < 0.7501);
    ratio = json_real_value(json_at(json, "requests.memory_hit_ratio"));
    assert_true(ratio > 0.4999 && ratio < 0.5001); /* two of the six hits came from disk */
    assert_int_equal(number_at(json, "requests.hits"), 5);
    assert_int_equal(number_at(json, "requests.disk_hits"), 2);
    assert_int_equal(number_at(json, "counters.stale_hits_total"), 1);
    assert_int_equal(json_object_size(json_at(json, "counters")), COUNTER_COUNT);
    assert_true(json_is_true(json_at(json, "ready")));
    assert_in_range(number_at(json, "uptime_s"), 90, 91 + 60);
    assert_int_equal(number_at(json, "workers"), 2);
    assert_int_equal(number_at(json, "cache.objects"), 1);
    assert_int_equal(number_at(json, "memory.used_bytes"), memory_used(&w->cache->memory));
    assert_int_equal(json_array_size(json_at(json, "purges.latest")), ADMIN_PURGES_KEPT);
    assert_string_equal(text_at(json, "purges.latest.0.what"), "site one: tag t24");
    assert_int_equal(number_at(json, "purges.latest.0.sequence"), number_at(json, "purges.sequence"));
    assert_int_equal(number_at(json, "purges.latest.9.sequence"), number_at(json, "purges.sequence") - 9);
    assert_string_equal(text_at(json, "sites.0.hosts.0"), "one.example");
    assert_string_equal(text_at(json, "sites.1.profile"), "rfc9111");
    assert_string_equal(text_at(json, "origins.0.address"), "http://127.0.0.1:1");
    assert_string_equal(text_at(json, "origins.0.health"), "failing");
    assert_int_equal(number_at(json, "origins.0.failed_in_row"), 1);
    assert_string_equal(text_at(json, "origins.0.last_reason"), "connect-failed");
    assert_string_equal(text_at(json, "origins.0.last_failed"), "1970-01-01T00:00:01.000Z");
    json_decref(json);
}

/* ---- explain ---- */

static json_t *explain(const char *query)
{
    json_t *json = world_json(world_get(&world, arena_printf(&world.arena, "/api/v1/explain?%s", query).p));
    if (world.request.answer.status != 200)
        fail_msg("%s: %s", query, text_at(json, "message"));
    return json;
}

static void explain_needs_a_whole_url(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int status;
        const char *says;
    } rows[] = {
        { "", 400, "url is missing" },
        { "url=", 400, "url is missing" },
        { "url=/a", 400, "has no host" },
        { "url=one.example", 400, "begins with neither http:// nor https://" },
        { "url=http://one.example/a%20b", 400, "\" has a space; write %20" },
        { "url=http://one.example/a%09b", 400, "has a control character" },
        { "url=http://u@one.example/", 400, "has a user or password" },
        { "url=http://one.example/%25zz", 400, "percent-encoding" },
        { "url=http://other.example/", 404, "other.example" },
        { "url=http://one.example/a&b=1", 400, "%26" },
        { "url=http://one.example/&header=none", 400, "no header field" },
        { "url=http://one.example/&header=a%20b:c", 400, "no header field" },
        { "url=http://one.example/&header=a:b%0d%0ac:d", 400, "no header field" },
        { "url=http://one.example/&header=Host:%20a%20b", 400, "refused" },
        { "url=http://one.example/&header=Host:one.example&header=Host:one.example", 400, "refused" },
        { "url=http://one.example/&header=Via:%201.1%20freshet-00000000", 400, "508" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *json =
            world_json(world_get(&world, arena_printf(&world.arena, "/api/v1/explain?%s", rows[i].query).p));
        const char *message = text_at(json, "message");
        if (world.request.answer.status != rows[i].status || !strstr(message, rows[i].says))
            fail_msg("%s: %d %s", rows[i].query, world.request.answer.status, message);
        json_decref(json);
    }
    struct buf many = BUF_INIT;
    buf_add(&many, STR("/api/v1/explain?url=http://one.example/"));
    for (int i = 0; i < 101; i++)
        buf_add(&many, STR("&header=a:b"));
    buf_add_char(&many, '\0');
    assert_int_equal(world_get(&world, many.p)->status, 400);
    buf_fini(&many);
}

static void explain_of_what_nobody_asked_for_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        json_t *json =
            explain("url=http%3A%2F%2FONE.example%3A80%2Fx%2F..%2F%2561%3Fb%3D2%26a%3D1%26utm_source%3Dq");
        assert_string_equal(text_at(json, "outcome"), "miss");
        assert_string_equal(text_at(json, "request.site"), "one");
        assert_string_equal(text_at(json, "request.host"), "one.example");
        assert_string_equal(text_at(json, "request.path"), "/a");
        assert_string_equal(text_at(json, "request.query"), "b=2&a=1");
        assert_string_equal(text_at(json, "origin.address"), "http://127.0.0.1:1");
        assert_string_equal(text_at(json, "origin.health"), "good");
        assert_string_equal(text_at(json, "resource.rule"), "the whole query");
        assert_int_equal(json_array_size(json_at(json, "resource.rule_from")), 0);
        assert_true(json_is_false(json_at(json, "resource.known")));
        assert_true(json_is_null(json_at(json, "stored")));
        assert_non_null(strstr(text_at(json, "advice"), "not requested"));
        assert_int_equal(atomic_load(&world.cache->families), 0);
        json_decref(json);
    }
}

static void explain_of_a_page_says_how_long_and_why(void **state)
{
    (void)state;
    struct world *w = &world;
    world_store(
        w, "http://one.example/a?p=1", "Cookie: theme=dark\nAccept-Encoding: gzip",
        KEPT
        "Netlify-Vary: query=p,cookie=theme\nVary: Accept-Encoding\nCache-Tag: Book-1, books\nETag: \"x\"");
    atomic_fetch_add(&w->clock.mono_shift_ms, 20000);
    const char *question =
        "url=http://one.example/a?p=1%26q=2&header=Cookie:%20theme=dark&header=accept-encoding:+gzip,+foo";
    json_t *json = explain(question);
    assert_string_equal(text_at(json, "outcome"), "hit");
    assert_non_null(strstr(text_at(json, "resource.rule"), "query=p,cookie=theme"));
    assert_string_equal(text_at(json, "resource.rule_from.0"), "Netlify-Vary");
    assert_int_equal(json_array_size(json_at(json, "resource.rule_from")), 1);
    assert_int_equal(number_at(json, "resource.variants"), 1);
    assert_non_null(strstr(text_at(json, "key"), "cookie theme: dark"));
    assert_int_equal(number_at(json, "stored.status"), 200);
    assert_in_range(number_at(json, "stored.age_s"), 20, 25);
    assert_in_range(number_at(json, "stored.ttl_s"), 34, 40);
    assert_int_equal(number_at(json, "stored.lifetime_s"), 60);
    assert_int_equal(number_at(json, "stored.stale_while_revalidate_s"), 600);
    assert_int_equal(number_at(json, "stored.stale_while_revalidate_left_s"), 600);
    assert_string_equal(text_at(json, "stored.ruled_by"),
                        "Netlify-CDN-Cache-Control: public, s-maxage=60, stale-while-revalidate=600");
    assert_string_equal(text_at(json, "stored.tags.0"), "book-1");
    assert_string_equal(text_at(json, "stored.tags.1"), "books");
    assert_string_equal(text_at(json, "stored.etag"), "\"x\"");
    assert_int_equal(number_at(json, "stored.body_bytes"), 5);
    assert_int_equal(number_at(json, "stored.hits"), 0);
    assert_true(json_is_null(json_at(json, "stored.purged")));
    json_decref(json);

    /* Another variant is not stored. */
    json = explain("url=http://one.example/a?p=2");
    assert_string_equal(text_at(json, "outcome"), "miss");
    assert_true(json_is_null(json_at(json, "stored")) && json_is_true(json_at(json, "resource.known")));
    assert_non_null(strstr(text_at(json, "text"), "other variants"));
    json_decref(json);

    atomic_fetch_add(&w->clock.mono_shift_ms, 50000);
    json = explain(question);
    assert_string_equal(text_at(json, "outcome"), "stale");
    assert_in_range(-number_at(json, "stored.ttl_s"), 10, 16);
    assert_in_range(number_at(json, "stored.stale_while_revalidate_left_s"), 584, 590);
    json_decref(json);

    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"books\"],\"soft\":true}")->status,
                     202);
    json = explain(question);
    assert_string_equal(text_at(json, "stored.purged"), "soft");
    json_decref(json);

    atomic_fetch_add(&w->clock.mono_shift_ms, 600000);
    json = explain(question);
    assert_string_equal(text_at(json, "outcome"), "expired");
    assert_int_equal(number_at(json, "stored.stale_while_revalidate_left_s"), 0);
    json_decref(json);

    assert_int_equal(world_post(w, "{\"site_id\":\"one\",\"cache_tags\":[\"books\"]}")->status, 202);
    json = explain(question);
    assert_string_equal(text_at(json, "outcome"), "miss");
    assert_string_equal(text_at(json, "stored.purged"), "hard");
    assert_string_equal(text_at(json, "reason"), "purged");
    assert_non_null(strstr(text_at(json, "advice"), "purged since it was stored"));
    json_decref(json);
}

static void explain_tells_http_from_https(void **state)
{
    (void)state;
    world_store(&world, "http://one.example/a", NULL, KEPT);
    json_t *json = explain("url=https://one.example/a");
    assert_string_equal(text_at(json, "outcome"), "miss");
    assert_true(json_is_true(json_at(json, "request.https")));
    assert_non_null(strstr(text_at(json, "advice"), "trusted_proxies"));
    json_decref(json);
    json = explain("url=https://one.example/b");
    assert_null(strstr(text_at(json, "advice"), "trusted_proxies"));
    json_decref(json);
}

static void explain_repeats_why_it_was_not_stored(void **state)
{
    (void)state;
    struct world *w = &world;
    struct fields none = { 0 };
    struct page_at p = page_at(w, "http://one.example/c", &none, NULL);
    int64_t now_ms = clock_now(&w->clock).mono_ms;
    index_mark(
        w->cache, &p.place,
        &(struct index_note){ .effect = MARK_SETS, .until_ms = now_ms + 30000, .reason = REASON_SET_COOKIE },
        now_ms);
    json_t *json = explain("url=http://one.example/c");
    assert_string_equal(text_at(json, "outcome"), "pass");
    assert_string_equal(text_at(json, "reason"), "set-cookie");
    assert_string_equal(text_at(json, "advice"), reason_sentence(REASON_SET_COOKIE).p);
    assert_in_range(number_at(json, "resource.no_queue_left_s"), 1, 30);
    json_decref(json);
}

static void explain_honours_what_the_site_honours(void **state)
{
    (void)state;
    struct world *w = &world;
    const char *lines = "Cache-Control: max-age=60";
    world_store(w, "http://one.example/a", NULL, lines);
    world_store(w, "http://raw.example/a", NULL, lines);
    const char *no_cache = "&header=Cache-Control:%20no-cache";
    json_t *json = explain(arena_printf(&w->arena, "url=http://one.example/a%s", no_cache).p);
    assert_string_equal(text_at(json, "outcome"), "hit");
    json_decref(json);
    json = explain(arena_printf(&w->arena, "url=http://raw.example/a%s", no_cache).p);
    assert_string_equal(text_at(json, "outcome"), "expired");
    json_decref(json);
    json = explain("url=http://one.example/b&header=Authorization:%20Basic%20eDp5");
    assert_string_equal(text_at(json, "outcome"), "pass");
    json_decref(json);
    json = explain("url=http://one.example/a&header=Connection:%20upgrade&header=Upgrade:%20websocket");
    assert_string_equal(text_at(json, "outcome"), "pass");
    assert_string_equal(text_at(json, "reason"), "upgrade");
    json_decref(json);
    /* As with a real request the Host field counts. */
    json = explain("url=http://127.0.0.1/a&header=Host:%20one.example");
    assert_string_equal(text_at(json, "outcome"), "hit");
    json_decref(json);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_the_token_opens),
        TEST(other_methods_are_refused),
        TEST(elsewhere_is_a_list_of_what_there_is),
        TEST(health_is_for_everybody_and_readiness_is_told),
        TEST(metrics_are_text_that_prometheus_reads),
        TEST(status_says_how_it_is_doing),
        TEST(explain_needs_a_whole_url),
        TEST(explain_of_what_nobody_asked_for_changes_nothing),
        TEST(explain_of_a_page_says_how_long_and_why),
        TEST(explain_tells_http_from_https),
        TEST(explain_repeats_why_it_was_not_stored),
        TEST(explain_honours_what_the_site_honours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
