/* What a response can be purged by, and what a purge of a URL means: everything that a GET of it would be
 * answered with, and under a query= rule nothing that it would not (CACHING.md 5.2 to 5.5). */
#include "cache_world.h"

#include "cache/names.h"

/* A GET of this URL: "https://host:port/path?query" taken apart by the test. */
static struct key_request request(const char *path, const char *query)
{
    return (struct key_request){ .site = STR("s"),
                                 .host = STR("example.org"),
                                 .path = str_from(path),
                                 .query = str_from(query),
                                 .has_query = query != NULL,
                                 .fields = fields_of(NULL),
                                 .order = QUERY_SORTED };
}

static struct rule *rule_with(const char *lines)
{
    struct rule *rule;
    assert_int_equal(rule_of_response(fields_of(lines), NULL, true, &arena, &rule), RULE_OK);
    return rule;
}

/* One with EPOCH_PAIR stands for its partner too. */
static bool is_in(const struct name_list *names, uint64_t name)
{
    bool found = false;
    for (size_t i = 0; i < names->n; i++)
        found |= names->v[i] == name || ((names->v[i] & EPOCH_PAIR) && (names->v[i] ^ EPOCH_PAIR) == name);
    return found;
}

/* Is the name among those of a response to `r` that is stored under `rule`? */
static bool has(const struct key_request *r, const struct rule *rule, const struct verdict *v, uint64_t name)
{
    struct name_list names;
    static const struct verdict none;
    names_of_response(cache, r, rule, rule, v ? v : &none, &arena, &names);
    return is_in(&names, name);
}

/* Would a purge of `url`, asked for now, purge what is stored for `r` under `rule`? */
static bool reaches(const struct key_request *url, const struct key_request *r, const struct rule *rule)
{
    uint64_t name = 0;
    return name_of_url(cache, url, &arena, &name) && has(r, rule, NULL, name);
}

static void has_the_names_of_its_place(void **state)
{
    (void)state;
    struct key_request r = request("/p", "a=1"), other = r;
    assert_true(has(&r, NULL, NULL, name_of_site(cache, STR("s"))));
    assert_true(has(&r, NULL, NULL, name_of_path_anywhere(cache, STR("s"), STR("/p"))));
    assert_true(has(&r, NULL, NULL, name_of_path(cache, &r, &arena)));
    assert_false(has(&r, NULL, NULL, name_of_site(cache, STR("t"))));
    assert_false(has(&r, NULL, NULL, name_of_path_anywhere(cache, STR("t"), STR("/p"))));
    assert_false(has(&r, NULL, NULL, name_of_path_anywhere(cache, STR("s"), STR("/P"))));
    /* The path is of host, port and site; not of scheme and query. */
    static const struct {
        const char *what;
        bool same;
    } rows[] = { { "https", true }, { "query", true }, { "host", false },
                 { "port", false }, { "path", false }, { "site", false } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        other = r;
        switch (i) {
        case 0: other.https = true; break;
        case 1: other.query = STR("b=2"); break;
        case 2: other.host = STR("example.com"); break;
        case 3: other.port = 8080; break;
        case 4: other.path = STR("/P"); break;
        case 5: other.site = STR("t"); break;
        }
        if (has(&r, NULL, NULL, name_of_path(cache, &other, &arena)) != rows[i].same)
            fail_msg("%s", rows[i].what);
    }
}

static void has_tags_and_groups(void **state)
{
    (void)state;
    struct key_request r = request("/p", NULL), other = r;
    struct str tags[] = { STR("book-1"), STR("gr\xc3\xbcn") }, groups[] = { STR("Scripts") };
    struct verdict v = { .tags = { tags, 2 }, .groups = { groups, 1 } };
    assert_true(has(&r, NULL, &v, name_of_tag(cache, STR("s"), STR("Book-1"), &arena))); /* any case */
    assert_true(has(&r, NULL, &v, name_of_tag(cache, STR("s"), STR("GR\xc3\xbcN"), &arena)));
    assert_false(has(&r, NULL, &v, name_of_tag(cache, STR("s"), STR("book-2"), &arena)));
    assert_false(has(&r, NULL, &v, name_of_tag(cache, STR("t"), STR("book-1"), &arena)));
    assert_false(has(&r, NULL, &v, name_of_tag(cache, STR("s"), STR("scripts"), &arena)));
    /* RFC 9875 §2: groups are of an origin, and their case matters. */
    assert_true(has(&r, NULL, &v, name_of_group(cache, &r, STR("Scripts"), &arena)));
    assert_false(has(&r, NULL, &v, name_of_group(cache, &r, STR("scripts"), &arena)));
    assert_false(has(&r, NULL, &v, name_of_group(cache, &r, STR("book-1"), &arena)));
    other.https = true;
    assert_false(has(&r, NULL, &v, name_of_group(cache, &other, STR("Scripts"), &arena)));
    other = r;
    other.port = 8080;
    assert_false(has(&r, NULL, &v, name_of_group(cache, &other, STR("Scripts"), &arena)));
    other = r;
    other.host = STR("example.com");
    assert_false(has(&r, NULL, &v, name_of_group(cache, &other, STR("Scripts"), &arena)));
}

static void a_url_without_a_rule_is_its_whole_query(void **state)
{
    (void)state;
    static const struct {
        const char *url, *stored;
        bool reached;
    } rows[] = {
        { NULL, NULL, true },
        { "", NULL, true },
        { "a=1", "a=1", true },
        { "a=1", NULL, false },
        { NULL, "a=1", false },
        { "a=1&b=2", "b=2&a=1", true },
        { "a=1", "a=1&b=2", false },
        { "a", "a=", false },
        { "a=1&a=2", "a=1", false },
        { "a=1&&b=2&", "b=2&a=1", true },
        { "a=1", "A=1", false },
        /* every spelling of it */
        { "a=%c3%bc", "%61=%C3%BC", true },
        { "a=b+c", "a=b%20c", true },
        { "q=100%", "q=100%", true },
        { "a=1%26b=2", "a=1", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct key_request url = request("/p", rows[i].url), r = request("/p", rows[i].stored);
        if (reaches(&url, &r, NULL) != rows[i].reached)
            fail_msg("?%s and ?%s", rows[i].url, rows[i].stored);
    }
    /* The '?' cannot be moved. */
    struct key_request url = request("/p", "a"), r = request("/p%3Fa", NULL);
    assert_false(reaches(&url, &r, NULL));
    /* rfc9111: byte for byte. */
    url = request("/p", "a=1&b=2");
    r = request("/p", "b=2&a=1");
    url.order = r.order = QUERY_RAW;
    assert_false(reaches(&url, &r, NULL));
    r.query = url.query;
    assert_true(reaches(&url, &r, NULL));
}

/* CACHING.md 5.5: under a query= rule what counts are the listed names. */
static void under_a_rule_the_listed_names_count(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Netlify-Vary: query=a|b");
    struct key_request any = request("/p", NULL);
    struct place place = { .primary = key_primary(&any, &arena) };
    place_hash(cache, &place);
    learn_rule(&place, rule);
    static const struct {
        const char *url, *stored;
        bool reached;
    } rows[] = {
        { "a=1", "a=1", true },    { "x=9&a=1", "a=1", true },   { "b=2&a=1&x=9", "a=1&b=2", true },
        { NULL, NULL, true },      { "x=9", NULL, false },       { "x=9", "a=1", false },
        { "a=2", "a=1", false },   { NULL, "a=1", false },       { "a=1", NULL, false },
        { "_rsc=1", NULL, false }, { "_rsc=1", "_rsc=1", true }, /* always in the key */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct key_request url = request("/p", rows[i].url), r = request("/p", rows[i].stored);
        if (reaches(&url, &r, rule) != rows[i].reached)
            fail_msg("?%s and ?%s", rows[i].url, rows[i].stored);
    }
    /* A query with none of them touches nothing, an empty one does. */
    uint64_t name;
    struct key_request url = request("/p", "action=x");
    assert_false(name_of_url(cache, &url, &arena, &name));
    url = request("/p", NULL);
    assert_true(name_of_url(cache, &url, &arena, &name));
    rule_unref(rule);
}

/* CACHING.md 4.10: a parameter that makes no other page may stand in the URL that is purged. */
static void under_no_vary_search_the_others_count(void **state)
{
    (void)state;
    struct rule *rule = rule_with("No-Vary-Search: key-order, params=(\"utm\")");
    struct key_request any = request("/p", NULL);
    struct place place = { .primary = key_primary(&any, &arena) };
    place_hash(cache, &place);
    learn_rule(&place, rule);
    static const struct {
        const char *url, *stored;
        bool reached;
    } rows[] = {
        { "utm=1", NULL, true },        { "utm=1&a=1", "a=1", true }, { "a=1&b=2&utm=3", "b=2&a=1", true },
        { "a=1", "a=1&utm=9", true },   { "a=2", "a=1", false },      { "utm=1", "a=1", false },
        { "%75tm=1&a=1", "a=1", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (enum query_order order = QUERY_SORTED; order <= QUERY_RAW; order++) {
            struct key_request url = request("/p", rows[i].url), r = request("/p", rows[i].stored);
            url.order = r.order = order;
            if (reaches(&url, &r, rule) != rows[i].reached)
                fail_msg("?%s and ?%s", rows[i].url, rows[i].stored);
        }
    rule_unref(rule);
}

/* While a fetch runs the rule of its answer is not known: then it is the whole path, more than asked. */
static void while_a_fetch_runs_it_is_the_path(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Netlify-Vary: query=a");
    struct key_request any = request("/p", "x=1"), url = request("/p", "a=1"), other = request("/q", "a=1");
    struct look l = look_of("/p");
    l.place =
        (struct place){ .primary = key_primary(&any, &arena), .variant = key_variant(&any, NULL, &arena) };
    place_hash(cache, &l.place);
    struct found f = look_as(&l, OUTCOME_MISS);
    uint64_t name;
    assert_true(name_of_url(cache, &url, &arena, &name));
    assert_true(name == name_of_path(cache, &url, &arena));
    assert_true(reaches(&url, &any, rule));
    assert_true(name_of_url(cache, &other, &arena, &name));
    assert_false(name == name_of_path(cache, &other, &arena));
    index_withdraw(f.busy);
    found_drop(&f);
    rule_unref(rule);
}

/* An answer that changes the rule can be purged by its URL under the one before too: who purged did not know
 * the new one. */
static void both_rules_count_when_it_changes(void **state)
{
    (void)state;
    struct rule *rule = rule_with("Netlify-Vary: query=a");
    struct key_request r = request("/p", "a=1&x=2"), url = request("/p", "x=2&a=1");
    struct name_list names;
    static const struct verdict none;
    uint64_t name = 0;
    assert_true(name_of_url(cache, &url, &arena, &name)); /* nothing is known yet */
    names_of_response(cache, &r, rule, NULL, &none, &arena, &names);
    assert_true(is_in(&names, name));
    rule_unref(rule);
}

/* Of the packed names of an object of n names that begin at `from`. */
static struct epoch_names packed(uint64_t from, size_t n)
{
    uint64_t *names = arena_alloc(&arena, (n + 1) * sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = hash64(&secret, (struct str){ (const char *)&from, sizeof(from) }) & EPOCH_NAME_BITS,
        from++;
    void *at = arena_zero(&arena, epoch_names_bytes(n, n <= EPOCH_NAMES_FEW) + 8);
    epoch_names_write(at, names, n, n <= EPOCH_NAMES_FEW);
    return (struct epoch_names){ at, n, n <= EPOCH_NAMES_FEW };
}

static struct name_list fresh(uint64_t from, size_t n)
{
    uint64_t *names = arena_alloc(&arena, (n + 1) * sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = hash64(&secret, (struct str){ (const char *)&from, sizeof(from) }) & EPOCH_NAME_BITS,
        from++;
    return (struct name_list){ names, n, n <= EPOCH_NAMES_FEW };
}

/* A page that a 304 confirmed has the names of both, those that are the same once; as much is kept of each as
 * is known. */
static void a_304_keeps_the_old_names(void **state)
{
    (void)state;
    static const struct {
        uint64_t from;
        size_t n, old_n, all;
        bool is_short;
    } rows[] = {
        { 0, 6, 6, 6, true },           { 0, 6, 0, 6, true },
        { 0, 0, 6, 6, true },           { 3, 6, 6, 9, true },
        { 8, 8, 7, 15, true },          { 9, 8, 8, 16, true /* and more: asked anew */ },
        { 0, 500, 15, 500, false },     { 10, 500, 500, 510, false },
        { 500, 500, 500, 1000, false }, { 0, 5, 500, 500, false },
        { 15, 500, 15, 515, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct name_list names = fresh(rows[i].from, rows[i].n);
        struct epoch_names old = packed(0, rows[i].old_n);
        names_keep(&names, &old, &arena);
        if (names.n != rows[i].all || names.is_short != rows[i].is_short)
            fail_msg("row %zu: %zu names, %s", i, names.n, names.is_short ? "short" : "long");
        for (size_t k = 0; k < old.n; k++) {
            bool found = false;
            for (size_t l = 0; l < names.n; l++)
                found |= (names.v[l] & epoch_names_bits(old.is_short)) == epoch_names_at(&old, k);
            assert_true(found);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(has_the_names_of_its_place),
        T(has_tags_and_groups),
        T(a_url_without_a_rule_is_its_whole_query),
        T(under_a_rule_the_listed_names_count),
        T(under_no_vary_search_the_others_count),
        T(while_a_fetch_runs_it_is_the_path),
        T(both_rules_count_when_it_changes),
        T(a_304_keeps_the_old_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
