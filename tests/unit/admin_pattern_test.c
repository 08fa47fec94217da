/* The patterns of purges that are understood are what their senders mean, and all others are refused: no
 * byte of a regular expression is taken for a literal. */
#include "arena_test.h"

#include "admin/pattern.h"

struct row {
    const char *text;
    enum pattern_kind kind;
    const char *path;
};

static void expect(struct row row, struct pattern found)
{
    if (found.kind != row.kind || !str_eq(found.path, row.path ? str_from(row.path) : STR_NONE))
        fail_msg("%s: kind %d, \"%.*s\"", row.text, (int)found.kind, STR_ARG(found.path));
}

static void regular_expressions_over_paths(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { ".*", PATTERN_ALL, "/" },
        { "^.*$", PATTERN_ALL, "/" },
        { "/.*", PATTERN_ALL, "/" },
        { "^/.*$", PATTERN_ALL, "/" },
        { "^/(.*)", PATTERN_ALL, "/" },
        { "/", PATTERN_ALL, "/" },
        { "/blog/.*", PATTERN_BELOW, "/blog/" },
        { "/blog/", PATTERN_BELOW, "/blog/" },
        { "^/blog/a\\.html.*$", PATTERN_BELOW, "/blog/" },
        { "/blog/a.html(.*)", PATTERN_BELOW, "/blog/" },
        { "/blog.*", PATTERN_ALL, "/" },
        { "/a\\*b/.*", PATTERN_BELOW, "/a%2Ab/" },
        { "/\xc3\xa4/.*", PATTERN_BELOW, "/\xc3\xa4/" },
        { "^/blog/a$", PATTERN_ONE, "/blog/a" },
        { "^/blog/a(?:\\?.*)?$", PATTERN_ONE, "/blog/a" },
        { "^/blog/a(\\?.*)?$", PATTERN_ONE, "/blog/a" },
        { "^/w/Foo_\\(bar\\)$", PATTERN_ONE, "/w/Foo_(bar)" },
        { "^/a\\\\b$", PATTERN_ONE, "/a\\b" },
        { "", PATTERN_UNKNOWN, NULL },
        { "^", PATTERN_UNKNOWN, NULL },
        { "$", PATTERN_UNKNOWN, NULL },
        { "^$", PATTERN_UNKNOWN, NULL },
        { "blog/.*", PATTERN_UNKNOWN, NULL },
        { "/blog/a$", PATTERN_UNKNOWN, NULL },
        { "\\.css$", PATTERN_UNKNOWN, NULL },
        { ".*\\.css.*", PATTERN_UNKNOWN, NULL },
        { "/a.*b", PATTERN_UNKNOWN, NULL },
        { "/a.*/.*", PATTERN_UNKNOWN, NULL },
        { "/(a|b)/.*", PATTERN_UNKNOWN, NULL },
        { "/a|/b", PATTERN_UNKNOWN, NULL },
        { "/a+", PATTERN_UNKNOWN, NULL },
        { "/a?b", PATTERN_UNKNOWN, NULL },
        { "/[ab]/.*", PATTERN_UNKNOWN, NULL },
        { "/a{2}", PATTERN_UNKNOWN, NULL },
        { "/\\d+", PATTERN_UNKNOWN, NULL },
        { "/\\w.*", PATTERN_UNKNOWN, NULL },
        { "/a\\", PATTERN_UNKNOWN, NULL },
        { "/a.?", PATTERN_UNKNOWN, NULL },
        { "/a.+", PATTERN_UNKNOWN, NULL },
        { "^^/a", PATTERN_UNKNOWN, NULL },
        { "/a)", PATTERN_UNKNOWN, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect(rows[i], pattern_of_regex(str_from(rows[i].text), &arena));
}

static void paths_of_targets(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "/.*", PATTERN_ALL, "/" },
        { "/*", PATTERN_ALL, "/" },
        { "/blog/.*", PATTERN_BELOW, "/blog/" },
        { "/blog/*", PATTERN_BELOW, "/blog/" },
        { "/blog/a*", PATTERN_BELOW, "/blog/" },
        { "/blog/a", PATTERN_ONE, "/blog/a" },
        { "/", PATTERN_ONE, "/" },
        { "/a(b)+|$", PATTERN_ONE, "/a(b)+|$" },
        { "/x/a*b", PATTERN_BELOW, "/x/" },
        { "/a*b/*", PATTERN_ALL, "/" },
        { "/.*/.*", PATTERN_ALL, "/" },
        { "a", PATTERN_UNKNOWN, NULL },
        { "", PATTERN_UNKNOWN, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect(rows[i], pattern_of_path(str_from(rows[i].text), false, &arena));
    expect((struct row){ "/a*", PATTERN_ONE, "/a%2A" }, pattern_of_path(STR("/a*"), true, &arena));
    expect((struct row){ "/*b*", PATTERN_ONE, "/%2Ab%2A" }, pattern_of_path(STR("/*b*"), true, &arena));
}

static void regular_expressions_over_tags(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tags; /* NULL: refused; "*": every tag */
    } rows[] = {
        { ".*", "*" },
        { " ^.*$ ", "*" },
        { "a", "a" },
        { "a|b|c|d|e", "a b c d e" },
        { "(a|b)($|\\,)", "a b" },
        { "(a)(,.+)?$", "a" },
        { "(^|,)a(,|$)", "a" },
        { "(^|,)(a|b)(,|$)", "a b" },
        { "((^|,)cat_p_1(,|$))|((^|,)node:1(,|$))", "cat_p_1 node:1" },
        { "((^|\\,)a($|\\,))|b", "a b" },
        { "^(?:a|b)$", "a b" },
        { "/books/1\\.json|node\\:1", "/books/1.json node:1" },
        { "a\\|b", "a|b" },
        { "a.b", "a.b" },
        { "((((a))))", "a" },
        { "", NULL },
        { "|", NULL },
        { "a|", NULL },
        { "(a", NULL },
        { "a)", NULL },
        { "()", NULL },
        { "(^|,)(,|$)", NULL },
        { "a.*", NULL },
        { ".+", NULL },
        { "a+", NULL },
        { "[ab]", NULL },
        { "cat_\\d+", NULL },
        { "a(b|c)", NULL },
        { "(a|b)c", NULL },
        { "a\\", NULL },
        { "(((((((a)))))))", NULL },
        { "a$b", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct strs tags = { 0 };
        bool all;
        bool good = pattern_of_tags(str_from(rows[i].text), &arena, &tags, &all);
        struct str said = all ? STR("*") : STR_NONE;
        for (size_t k = 0; k < tags.n; k++)
            said = ARENA_JOIN(&arena, said, k ? STR(" ") : STR_NONE, tags.v[k]);
        if (good != (rows[i].tags != NULL) || (good && !str_eq(said, str_from(rows[i].tags))))
            fail_msg("%s: %s \"%.*s\"", rows[i].text, good ? "good" : "refused", STR_ARG(said));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(regular_expressions_over_paths),
        T(paths_of_targets),
        T(regular_expressions_over_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
