/* Which token may have what of the admin listener: each scope and each site at each route. */
#include "admin_test.h"

#include "admin/routes.h"
#include "admin/token_api.h"

#define SITE                                                                                                 \
    "sites:\n"                                                                                               \
    "  shop:\n"                                                                                              \
    "    hosts: [shop.example]\n"                                                                            \
    "    origin: http://127.0.0.1:1\n"                                                                       \
    "  blog:\n"                                                                                              \
    "    hosts: [blog.example]\n"                                                                            \
    "    origin: http://127.0.0.1:2\n"

static struct world world;

/* Nobody upgrades here. */
static void is_wanted(struct notice *n, const void *sender)
{
    (void)sender;
    notice_received(n);
}

static struct notice upgrade = { .post = is_wanted };

static int begin(void **state)
{
    (void)state;
    world_init(&world, SITE);
    world.admin.upgrade_main = &upgrade;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static const struct now never; /* tokens that do not expire */

/* A token whose secret is its name. */
static void make(const char *name, unsigned scopes, const char *site, const char *other)
{
    size_t expired;
    struct token t = { .scopes = scopes, .every_site = !site };
    snprintf(t.name, sizeof(t.name), "%s", name);
    token_hash(str_from(name), t.hash);
    if (site)
        snprintf(t.sites[t.sites_n++], sizeof(t.sites[0]), "%s", site);
    if (other)
        snprintf(t.sites[t.sites_n++], sizeof(t.sites[0]), "%s", other);
    assert_int_equal(tokens_add(&world.tokens, &t, never, &expired), TOKENS_MADE);
}

static int ask(const char *token, enum method method, const char *target, const char *body)
{
    char line[128];
    snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
    return world_ask(&world, method, target, line, str_from(body))->status;
}

static bool says(const char *text)
{
    struct str body = world.request.answer.body;
    return memmem(body.p, body.n, text, strlen(text)) != NULL;
}

static bool has_route(const char *path)
{
    for (enum routes_id i = 0; i < ROUTES; i++)
        if (str_eq(routes_rows[i].path, str_from(path)))
            return true;
    return false;
}

/* ---- scopes ---- */

static void each_scope_at_each_route(void **state)
{
    (void)state;
    static const struct {
        enum routes_id route;
        enum method method;
        const char *target, *body;
        int status;
    } rows[] = {
        { ROUTE_PURGE, METHOD_POST, "/api/v1/purge", "{\"site_id\":\"shop\"}", 202 },
        { ROUTE_FOREIGN, METHOD_POST, "/service/shop/purge_all", "", 200 },
        { ROUTE_EXPLAIN, METHOD_GET, "/api/v1/explain?url=http://shop.example/", "", 200 },
        { ROUTE_EXPLAIN, METHOD_HEAD, "/api/v1/explain?url=http://shop.example/", "", 200 },
        { ROUTE_STATUS, METHOD_GET, "/api/v1/status", "", 200 },
        { ROUTE_DEPLOY, METHOD_POST, "/api/v1/deploy", "{\"site\":\"shop\",\"id\":5}", 400 },
        { ROUTE_ORIGINS, METHOD_GET, "/api/v1/origins", "", 200 },
        { ROUTE_DRAIN, METHOD_POST, "/api/v1/origins/drain", "{\"origin\":\"http://nobody\"}", 404 },
        { ROUTE_UNDRAIN, METHOD_POST, "/api/v1/origins/undrain", "{}", 400 },
        { ROUTE_UPGRADE, METHOD_POST, "/api/v1/upgrade", "", 202 },
        { ROUTE_UPGRADED, METHOD_GET, "/api/v1/upgrade", "", 200 },
        { ROUTE_CERTIFICATES, METHOD_GET, "/api/v1/certificates", "", 200 },
        { ROUTE_CERTIFY, METHOD_POST, "/api/v1/certificates", "{}", 400 },
        { ROUTE_TOKENS, METHOD_GET, "/api/v1/tokens", "", 200 },
        { ROUTE_CREATE, METHOD_POST, "/api/v1/tokens", "{}", 400 },
        { ROUTE_REVOKE, METHOD_DELETE, "/api/v1/tokens?name=nobody", "", 404 },
        { ROUTE_HEALTH, METHOD_GET, "/healthz", "", 200 },
        { ROUTE_METRICS, METHOD_GET, "/metrics", "", 200 },
    };
    static const struct {
        const char *name;
        unsigned scopes;
    } tokens[] = {
        { "purges", TOKEN_SCOPE_PURGE },
        { "reads", TOKEN_SCOPE_READ },
        { "both", TOKEN_SCOPE_PURGE | TOKEN_SCOPE_READ },
        { "does-all", TOKEN_SCOPE_ADMIN },
    };
    for (size_t k = 0; k < COUNT_OF(tokens); k++)
        make(tokens[k].name, tokens[k].scopes, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum token_scope needs = routes_rows[rows[i].route].scope;
        for (size_t k = 0; k < COUNT_OF(tokens); k++) {
            bool may = needs == TOKEN_SCOPE_NONE || tokens[k].scopes & needs || k == 3;
            world.request.came = str_from(rows[i].target);
            int status = ask(tokens[k].name, rows[i].method, rows[i].target, rows[i].body);
            if (rows[i].route == ROUTE_FOREIGN && may)
                continue; /* needs the request's target as it came: the scenario asks it */
            if (status != (may ? rows[i].status : 403))
                fail_msg("%s at %s: %d: %.*s", tokens[k].name, rows[i].target, status,
                         STR_ARG(world.request.answer.body));
            if (!may) {
                assert_true(says("this needs a token with the scope "));
                assert_true(says(tokens[k].name));
            }
        }
        int should = needs == TOKEN_SCOPE_NONE ? rows[i].status : 401;
        assert_int_equal(ask("nobody", rows[i].method, rows[i].target, rows[i].body), should);
        if (rows[i].route != ROUTE_FOREIGN)
            assert_int_equal(ask(TOKEN, rows[i].method, rows[i].target, rows[i].body), rows[i].status);
    }
}

/* So that a new route gets its rows above. */
static void these_are_all_routes(void **state)
{
    (void)state;
    static const char *const paths[] = { "/api/v1/origins",
                                         "/api/v1/origins/drain",
                                         "/api/v1/origins/undrain",
                                         "/api/v1/purge",
                                         "/api/v1/explain",
                                         "/api/v1/status",
                                         "/api/v1/deploy",
                                         "/api/v1/upgrade",
                                         "/api/v1/tokens",
                                         "/api/v1/certificates",
                                         "/healthz",
                                         "/readyz",
                                         "/metrics" };
    assert_int_equal(ROUTES, 19);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_true(has_route(paths[i]));
    for (enum routes_id i = 0; i < ROUTES; i++)
        assert_int_equal(routes_rows[i].scope == TOKEN_SCOPE_NONE, routes_rows[i].sites == ROUTE_SITES_NONE);
    assert_int_equal(ask("x", METHOD_PUT, "/api/v1/tokens", ""), 405);
    assert_true(str_eq(world_field(&world.request.answer, "Allow"), STR("GET, HEAD, POST, DELETE")));
}

static void an_expired_one_says_so(void **state)
{
    (void)state;
    size_t expired;
    struct token t = { .name = "old", .scopes = TOKEN_SCOPE_READ, .every_site = true, .expires_wall_ms = 1 };
    token_hash(STR("old"), t.hash);
    tokens_add(&world.tokens, &t, clock_now(&world.clock), &expired);
    assert_int_equal(ask("old", METHOD_GET, "/api/v1/status", ""), 401);
    assert_true(says("the token \\\"old\\\" has expired, at 1970-01-01T00:00:00.001Z"));
}

/* ---- sites ---- */

static void a_purge_stays_with_the_tokens_sites(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int one, both; /* a token for shop; for shop and blog */
    } rows[] = {
        { "{}", 202, 400 }, /* its own site; which of the two? */
        { "{\"cache_tags\":[\"t\"]}", 202, 400 },
        { "{\"urls\":[\"/a\"]}", 202, 400 },
        { "{\"site_id\":\"shop\"}", 202, 202 },
        { "{\"site_id\":\"blog\"}", 403, 202 },
        { "{\"site_slug\":\"blog\",\"cache_tags\":[\"t\"]}", 403, 202 },
        { "{\"site_id\":\"none\"}", 403, 403 },
        { "{\"domain\":\"shop.example\"}", 202, 202 },
        { "{\"domain\":\"blog.example\"}", 403, 202 },
        { "{\"domain\":\"BLOG.example:8080\",\"cache_tags\":[\"t\"]}", 403, 202 },
        { "{\"domain\":\"none.example\"}", 403, 403 },
        { "{\"urls\":[\"http://shop.example/a\"]}", 202, 202 },
        { "{\"urls\":[\"http://shop.example/a\",\"https://blog.example/b\"]}", 403, 202 },
        { "{\"urls\":[\"//blog.example/b\"],\"site_id\":\"shop\"}", 400, 400 },
        { "{\"prefixes\":[\"http://blog.example/\"]}", 403, 202 },
        { "{\"prefixes\":[\"/x\"],\"domain\":\"blog.example\"}", 403, 202 },
        { "{\"urls\":[\"http://none.example/\"]}", 403, 403 },
        { "{\"urls\":[]}", 202, 202 },
    };
    make("one", TOKEN_SCOPE_PURGE, "shop", NULL);
    make("both", TOKEN_SCOPE_PURGE, "shop", "blog");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int k = 0; k < 2; k++) {
            uint64_t before = epochs_latest(world.cache->epochs);
            int should = k ? rows[i].both : rows[i].one;
            int status = ask(k ? "both" : "one", METHOD_POST, "/api/v1/purge", rows[i].body);
            if (status != should)
                fail_msg("%s: %d: %.*s", rows[i].body, status, STR_ARG(world.request.answer.body));
            assert_true(should == 202 || epochs_latest(world.cache->epochs) == before);
            assert_true(should != 403 || says(k ? "is for the sites shop, blog" : "is for the site shop;"));
            assert_true(k || !strstr(rows[i].body, "none") || !says("blog"));
        }
    }
}

static void explain_tells_nothing_of_other_sites(void **state)
{
    (void)state;
    char one[4096];
    make("one", TOKEN_SCOPE_READ, "shop", NULL);
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/explain?url=http://shop.example/x", ""), 200);
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/explain?url=http://blog.example/x", ""), 403);
    snprintf(one, sizeof(one), "%.*s", STR_ARG(world.request.answer.body));
    /* Is there such a host at all? The same answer. */
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/explain?url=http://none.example/x", ""), 403);
    assert_true(str_eq(world.request.answer.body, str_from(one)));
    /* A field that is to be explained does not lead around it. */
    assert_int_equal(
        ask("one", METHOD_GET, "/api/v1/explain?url=http://shop.example/x&header=Host:%20blog.example", ""),
        403);
}

static void status_shows_its_own_sites(void **state)
{
    (void)state;
    make("one", TOKEN_SCOPE_READ, "shop", NULL);
    origins_get(&world.origins, &world.settings->sites[0].origin_address);
    origins_get(&world.origins, &world.settings->sites[1].origin_address);
    world_post(&world, "{\"site_id\":\"shop\"}");
    world_post(&world, "{\"site_id\":\"blog\"}");
    world_post(&world, "{\"urls\":[\"http://shop.example/a\",\"http://blog.example/b\"]}");
    admin_reloaded(&world.admin, STR("site blog: something is wrong"), 5);
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/status", ""), 200);
    assert_false(says("blog"));
    assert_false(says("127.0.0.1:2"));
    assert_true(says("127.0.0.1:1"));
    assert_true(says("site shop: everything"));
    assert_true(says("\"failed\": true"));
    assert_int_equal(ask(TOKEN, METHOD_GET, "/api/v1/status", ""), 200);
    assert_true(says("127.0.0.1:2") && says("site blog: everything") && says("something is wrong"));
}

static void a_deploy_is_of_the_tokens_sites(void **state)
{
    (void)state;
    make("one", TOKEN_SCOPE_ADMIN, "shop", NULL);
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/deploy", "{\"site\":\"blog\"}"), 403);
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/deploy", "{\"site\":\"blog\",\"id\":5}"), 403);
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/deploy", "{\"site\":\"none\"}"), 403);
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/deploy", "{\"site\":\"shop\",\"id\":5}"), 400);
    /* What names no site means the token's own. */
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/deploy", "{\"id\":5}"), 400);
    assert_true(says("id must be a string"));
    make("both", TOKEN_SCOPE_ADMIN, "shop", "blog");
    assert_int_equal(ask("both", METHOD_POST, "/api/v1/deploy", "{\"id\":5}"), 400);
    assert_true(says("is for several sites; name one of them: shop, blog"));
    assert_int_equal(ask(TOKEN, METHOD_POST, "/api/v1/deploy", "{}"), 400);
    assert_true(says("name one with site (freshet deploy: --site)"));
}

static void tokens_are_for_those_of_all_sites(void **state)
{
    (void)state;
    make("one", TOKEN_SCOPE_ADMIN, "shop", NULL);
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/tokens", ""), 403);
    assert_true(says("this needs a token for all sites"));
    assert_int_equal(ask("one", METHOD_POST, "/api/v1/tokens", "{\"name\":\"x\",\"scopes\":[\"admin\"]}"),
                     403);
    assert_int_equal(ask("one", METHOD_DELETE, "/api/v1/tokens?name=one", ""), 403);
    assert_int_equal(ask("one", METHOD_GET, "/api/v1/status", ""), 200);
}

/* ---- making them ---- */

static void what_is_not_understood_makes_none(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
        int status;
    } rows[] = {
        { "", "name", 400 },
        { "{}", "name is missing", 400 },
        { "{\"name\":\"x\"}", "scopes is missing", 400 },
        { "{\"name\":\"x\",\"scopes\":[]}", "scopes is missing", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"all\"]}", "there are purge, read, admin", 400 },
        { "{\"name\":\"x\",\"scopes\":\"purge\"}", "scopes", 400 },
        { "{\"name\":\"x y\",\"scopes\":[\"purge\"]}", "is no name for a token", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"sites\":[]}", "leave it out for all sites", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"sites\":[\"shop\",\"none\"]}", "no site is named", 404 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"site\":\"shop\"}", "did you mean", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"expires\":\"soon\"}", "expires must be", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"expires\":\"0s\"}", "expires must be", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"expires\":-5}", "expires must be", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"expires\":\"3651d\"}", "expires must be", 400 },
        { "{\"name\":\"x\",\"scopes\":[\"purge\"],\"expires\":9223372036854775807}", "expires must be", 400 },
        /* Here is no state folder. */
        { "{\"name\":\"x\",\"scopes\":[\"purge\"]}", "could not be kept", 503 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int status = ask(TOKEN, METHOD_POST, "/api/v1/tokens", rows[i].body);
        if (status != rows[i].status || !says(rows[i].text))
            fail_msg("%s: %d: %.*s", rows[i].body, status, STR_ARG(world.request.answer.body));
    }
    assert_int_equal(ask(TOKEN, METHOD_GET, "/api/v1/tokens", ""), 200);
    assert_true(says("\"tokens\": []"));
}

static void a_body_becomes_a_token(void **state)
{
    (void)state;
    struct token t;
    struct purge_error error;
    struct now now = { .mono_ms = 5, .wall_ms = 1000 };
    assert_true(
        token_api_parse(STR("{\"name\":\"ci\",\"scopes\":[\"read\",\"purge\"],\"sites\":[\"shop\",\"shop\","
                            "\"blog\"],\"expires\":\"90d\"}"),
                        world.settings, now, &world.arena, &t, &error));
    assert_string_equal(t.name, "ci");
    assert_int_equal(t.scopes, TOKEN_SCOPE_READ | TOKEN_SCOPE_PURGE);
    assert_int_equal(t.sites_n, 2);
    assert_false(t.every_site);
    assert_true(t.expires_wall_ms == 1000 + 90 * (int64_t)86400000);
    assert_true(token_api_parse(STR("{\"name\":\"ci\",\"scopes\":[\"admin\"],\"expires\":60,\"sites\":null}"),
                                world.settings, now, &world.arena, &t, &error));
    assert_true(t.every_site && t.expires_wall_ms == 61000);
}

static void revoking_needs_a_name_that_is_there(void **state)
{
    (void)state;
    make("ci", TOKEN_SCOPE_READ, NULL, NULL);
    assert_int_equal(ask("ci", METHOD_GET, "/api/v1/status", ""), 200);
    assert_int_equal(ask(TOKEN, METHOD_DELETE, "/api/v1/tokens", ""), 400);
    assert_int_equal(ask(TOKEN, METHOD_DELETE, "/api/v1/tokens?name=a%20b", ""), 400);
    assert_int_equal(ask(TOKEN, METHOD_DELETE, "/api/v1/tokens?name=cd", ""), 404);
    assert_int_equal(ask(TOKEN, METHOD_DELETE, "/api/v1/tokens?name=ci", ""), 200);
    assert_int_equal(ask("ci", METHOD_GET, "/api/v1/status", ""), 401);
    assert_null(memmem(world.logged.p, world.logged.n, TOKEN, strlen(TOKEN)));
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_scope_at_each_route),
        T(these_are_all_routes),
        T(an_expired_one_says_so),
        T(a_purge_stays_with_the_tokens_sites),
        T(explain_tells_nothing_of_other_sites),
        T(status_shows_its_own_sites),
        T(a_deploy_is_of_the_tokens_sites),
        T(tokens_are_for_those_of_all_sites),
        T(what_is_not_understood_makes_none),
        T(a_body_becomes_a_token),
        T(revoking_needs_a_name_that_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
