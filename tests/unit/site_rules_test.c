/* Globs and rules: what each pattern takes, which rule counts, what a mistake is told, what is warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/setting.h"
#include "site/glob.h"
#include "site/rules.h"

static void a_path_matches_by_segments(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path, *captures; /* NULL: no match */
    } t[] = {
        { "/a", "/a", "" },
        { "/a", "/a/", NULL },
        { "/a/*", "/a/b", "b" },
        { "/a/*", "/a/", "" },
        { "/a/*", "/a", NULL },
        { "/a/*", "/a/b/c", NULL },
        { "/a/*/c", "/a/b/c", "b" },
        { "/a/*.js", "/a/x.y.js", "x.y" },
        { "/*-*", "/a-b-c", "a|b-c" },
        { "/a/**", "/a", "" },
        { "/a/**", "/a/", "" },
        { "/a/**", "/a/b/c", "b/c" },
        { "/a/**", "/ab", NULL },
        { "/**", "/", "" },
        { "/**.js", "/a/b.js", "a/b" },
        { "/**/x/*", "/a/b/x/c", "a/b|c" },
        { "/**/x", "/x", NULL },
        { "/a*/**/z", "/ab/c/d/z", "b|c/d" },
        { "**", "/q", "/q" },
        { "/ab**ba", "/aba", NULL },
        { "/aab*ab", "/aabaabab", "aab" },
    };
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct glob_captures c;
        char text[128] = "";
        bool matches = glob_match_path(str_from(t[i].pattern), str_from(t[i].path), &c);
        for (size_t k = 0; matches && k < c.n; k++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", k ? "|" : "",
                     STR_ARG(c.v[k]));
        if (matches != (t[i].captures != NULL) || (matches && strcmp(text, t[i].captures) != 0))
            fail_msg("%s on %s: %s \"%s\"", t[i].pattern, t[i].path, matches ? "matches" : "does not", text);
    }
}

/* Against a match by definition, on all short texts. */
static bool slow_match(const char *p, const char *t)
{
    if (!*p)
        return !*t;
    if (*p == '*') {
        bool any = p[1] == '*';
        for (const char *u = t;; u++) {
            if (slow_match(p + 1 + any, u))
                return true;
            if (!*u || (*u == '/' && !any))
                return false;
        }
    }
    return *p == *t && slow_match(p + 1, t + 1);
}

static void a_path_matches_as_defined(void **state)
{
    (void)state;
    static const char letters[] = "a/b*";
    size_t compared = 0;
    for (unsigned i = 0; i < 4 * 4 * 4 * 4 * 4; i++) {
        char pattern[8] = "/";
        for (unsigned k = 0, rest = i; k < 5; k++, rest /= 4)
            pattern[1 + k] = letters[rest % 4];
        if (glob_problem(str_from(pattern), true) || str_ends(str_from(pattern), STR("/**")))
            continue;
        for (unsigned j = 0; j < 3 * 3 * 3 * 3 * 3; j++) {
            char path[8] = "/";
            for (unsigned k = 0, rest = j; k < 5; k++, rest /= 3)
                path[1 + k] = letters[rest % 3];
            for (size_t n = 1; n <= 6; n++) {
                char cut[8] = { 0 };
                memcpy(cut, path, n);
                if (glob_match_path(str_from(pattern), str_from(cut), NULL) != slow_match(pattern, cut))
                    fail_msg("%s on %s", pattern, cut);
                compared++;
            }
        }
    }
    assert_true(compared > 100000);
}

static void bad_patterns_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a", "", "*", "/a?b", "/a#b", "/**/**", "/***", "/*a*b*c*d*e*f*g*h*i*j"
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (!glob_problem(str_from(bad[i]), true))
            fail_msg("%s is accepted", bad[i]);
    assert_non_null(glob_problem(STR("a**b"), false));
    assert_null(glob_problem(STR("a*b*"), false));
}

/* ---- rules ---- */

#define ORIGIN "origin: http://127.0.0.1:1\n"

static struct settings *parse(const char *yaml, struct buf *errors)
{
    struct settings *s = settings_parse(str_from(yaml), STR("t.yaml"), NULL, 0, errors);
    if (s && !rules_prepare(s, errors)) {
        settings_unref(s);
        s = NULL;
    }
    return s;
}

static struct settings *good(const char *yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *s = parse(yaml, &errors);
    if (!s)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    buf_fini(&errors);
    return s;
}

static void mistakes_name_line_rule_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *told;
    } t[] = {
        { "{path: a, bypass: true}",
          "t.yaml:2: rule 1 of default: path: \"a\" is not a path; it begins with /" },
        { "{path: /a}", "t.yaml:2: rule 1 of default: does nothing; add an action, like bypass: true" },
        { "{path: /a, cdn_cache_control: max-age=5m}", "cdn_cache_control: \"max-age=5m\" does not parse" },
        { "{path: /a, cdn_cache_control: maxage=5}",
          "cdn_cache_control: \"maxage=5\" says nothing that freshet knows; write it like max-age=60" },
        { "{path: /a, default_cdn_cache_control: \"\"}", "default_cdn_cache_control: " },
        { "{path: /a, redirect: \"//e\"}", "redirect: \"//e\" is neither a path nor a URL" },
        { "{path: \"/a/*\", redirect: \"https://{1}/\"}", "takes its host from the request" },
        { "{path: \"/a/*\", redirect: \"https://e{1}\"}", "has no host and path" },
        { "{path: \"/a/*\", redirect: \"https://u@e/\"}", "takes its host from the request" },
        { "{path: \"/a/*\", redirect: \"{1}\"}", "is neither a path nor a URL" },
        { "{path: [\"/a/*\", /b], tags: \"x-{1}\"}", "names a capture that not every path" },
        { "{status: 99, tags: x}", "status: \"99\" is no status" },
        { "{status: 404, bypass: true}", "before there is one; make two rules" },
        { "{set_header: \"Content-Length: 1\"}", "\"Content-Length\" is not for rules" },
        { "{set_header: \"Authorization: Basic x\"}", "\"Authorization\" is not for rules" },
        { "{path: /a, vary: \"query=a\", cookie: x}", "would be another one for each visitor" },
        { "{path: /a, vary: \"cookies\"}", "does not parse" },
        { "{path: /a, cdn_cache_control: max-age=abc}", "\"max-age=abc\" does not parse" },
        { "{path: /a, default_cdn_cache_control: \"max-age=60,\"}", "does not parse" },
        { "{set_header: \"X-Forwarded-For: 1\"}", "is not for rules" },
        { "{set_response_header: \"Set-Cookie: a=1\"}", "\"Set-Cookie\" is not for rules" },
        { "{remove_response_header: Transfer-Encoding}", "is not for rules" },
        { "{path: \"!\", bypass: true}", "is empty behind the !" },
        { "{header: \"a b: c\", bypass: true}", "does not begin with a header's name" },
        { "{path: /a, redirect_status: 302, bypass: true}", "says nothing without redirect" },
        { "{path: /a, redirect: /a}", "redirect: \"/a\" leads to the URL that was asked for" },
        { "{path: \"/a/**\", redirect: \"/a/{1}\"}", "leads to the URL that was asked for" },
        { "{path: \"/a/*/b\", redirect: \"/a/{1}/b\", cookie: x}", "leads to the URL that was asked for" },
        { "{path: \"/a/**\", redirect: \"/a/b/{1}\"}", "rule matches again, and on without an end" },
        { "{path: [/c, \"/**\"], redirect: \"/x/{1}?y\"}", "names a capture" },
        { "{path: \"/**\", redirect: \"/x/{1}?y\"}", "rule matches again, and on without an end" },
        { "{method: get, bypass: true}", "method: \"get\" is no method as requests have it" },
    };
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct buf yaml = BUF_INIT, errors = BUF_INIT;
        buf_printf(&yaml, ORIGIN "rules: [%s]\n", t[i].rule);
        buf_add_char(&yaml, '\0');
        struct settings *s = parse(yaml.p, &errors);
        buf_add_char(&errors, '\0');
        if (s || !strstr(errors.p, t[i].told))
            fail_msg("%s: %s", t[i].rule, errors.p);
        buf_fini(&yaml);
        buf_fini(&errors);
    }
}

static void what_never_matches_is_warned_of(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    struct settings *s = good("hosts: [a.example, \"*.w.example\"]\n" ORIGIN "rules:\n"
                              "  - {path: \"/a/**\", bypass: true}\n"
                              "  - {path: [/a/b, \"/a/c/*\"], bypass: true}\n"
                              "  - {path: /a/b, bypass: true, tags: x}\n"
                              "  - {path: /ab, bypass: true}\n"
                              "  - {host: b.example, bypass: true}\n"
                              "  - {host: \"a.*\", bypass: true}\n");
    assert_int_equal(rules_warn(s, &out), 1);
    assert_true(str_eq(buf_str(&out), STR("rule 2 of default can never match: rule 1 of default comes first "
                                          "and takes all that it could\n")));
    settings_unref(s);
    buf_clear(&out);
    s = good("hosts: [a.example]\n" ORIGIN "rules: [{host: b.example, bypass: true}]\n");
    assert_int_equal(rules_warn(s, &out), 1);
    settings_unref(s);
    buf_fini(&out);
}

static void every_preset_is_good(void **state)
{
    (void)state;
    for (struct str rest = setting_table[SETTING_preset].words; rest.p;) {
        struct buf yaml = BUF_INIT;
        struct str name = str_cut(&rest, '|');
        buf_printf(&yaml, ORIGIN "preset: %.*s\n", STR_ARG(name));
        buf_add_char(&yaml, '\0');
        struct settings *s = good(yaml.p);
        assert_int_equal(rules_count(s->sites[0].ruled) > 0, !str_eq(name, STR("none")));
        settings_unref(s);
        buf_fini(&yaml);
    }
}

static size_t bypass_of(struct settings *s, const char *path, const char *cookie)
{
    struct arena a;
    struct rules_said said;
    struct fields f = { 0 };
    arena_init(&a, 1024);
    if (cookie)
        fields_add_id(&f, &a, FIELD_COOKIE, str_from(cookie));
    struct str rest = str_from(path), plain = str_cut(&rest, '?');
    struct rules_request q = { rules_path(plain, &a), STR("a.example"), rest, STR("GET"), &f };
    rules_ask(s->sites[0].ruled, &q, &a, &said);
    arena_fini(&a);
    return said.bypass;
}

static void presets_keep_visitors_apart(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *path, *cookie;
        bool bypass;
    } t[] = {
        { "wordpress", "/", NULL, false },
        { "wordpress", "/wp-admin", NULL, true },
        { "wordpress", "/wp-admin/x.php", NULL, true },
        { "wordpress", "/wp-login.php", NULL, true },
        { "wordpress", "/?preview=true", NULL, true },
        { "wordpress", "/?%70review=true", NULL, true },
        { "wordpress", "//wp-admin//x", NULL, true },
        { "wordpress", "/a-long-folder-1//wp-admin", NULL, false },
        { "drupal", "/node/123456789//edit", NULL, true }, /* the slashes stand in two words */
        { "wordpress", "/wp-admin%2Fx", NULL, true },
        { "wordpress", "/wp%2fadmin", NULL, false },
        { "wordpress", "/", "wordpress_logged_in_1=x", true },
        { "wordpress", "/", "comment_author_1=x", true },
        { "wordpress", "/wp-content/a.css", "wordpress_logged_in_1=x", false },
        { "wordpress", "/", "wordpress_test_cookie=x", false },
        { "woocommerce", "/cart", NULL, true },
        { "woocommerce", "/my-account/orders", NULL, true },
        { "woocommerce", "/product/x", "woocommerce_items_in_cart=1", true },
        { "woocommerce", "/?add-to-cart=3", NULL, true },
        { "woocommerce", "/product/x", NULL, false },
        { "mediawiki", "/index.php/Main", NULL, false },
        { "mediawiki", "/index.php?title=A&action=edit", NULL, true },
        { "mediawiki", "/wiki/Special:Log", NULL, true },
        { "mediawiki", "/wiki/Main", "enwikiUserID=7", true },
        { "mediawiki", "/w/load.php", "enwikiUserID=7", false },
        { "drupal", "/node/1", NULL, false },
        { "drupal", "/node/1/edit", NULL, true },
        { "drupal", "/user/login", NULL, true },
        { "drupal", "/node/1", "SESSabc=x", true },
        { "nextjs", "/", "__prerender_bypass=x", true },
        { "nextjs", "/", NULL, false },
        { "static", "/", NULL, false },
    };
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct buf yaml = BUF_INIT;
        buf_printf(&yaml, ORIGIN "preset: %s\n", t[i].preset);
        buf_add_char(&yaml, '\0');
        struct settings *s = good(yaml.p);
        bool bypass = bypass_of(s, t[i].path, t[i].cookie) != RULES_NONE;
        if (bypass != t[i].bypass)
            fail_msg("%s %s %s: %d", t[i].preset, t[i].path, t[i].cookie ? t[i].cookie : "", bypass);
        settings_unref(s);
        buf_fini(&yaml);
    }
}

/* The filter by bytes of the path leaves out no rule that matches: each rule is found among many. */
static void each_of_many_rules_is_found(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT;
    buf_add(&yaml, STR(ORIGIN "rules:\n"));
    for (int i = 0; i < 200; i++)
        buf_printf(&yaml, "  - {path: \"/%s/part%d%s\", bypass: true}\n", i % 3 ? "same/long/folder" : "b", i,
                   i % 2 ? "/**" : "");
    buf_add_char(&yaml, '\0');
    struct settings *s = good(yaml.p);
    for (int i = 0; i < 200; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/%s/part%d", i % 3 ? "same/long/folder" : "b", i);
        assert_int_equal(bypass_of(s, path, NULL), i);
        strcat(path, i % 2 ? "/x/y" : "x");
        assert_int_equal(bypass_of(s, path, NULL), i % 2 ? (size_t)i : RULES_NONE);
    }
    settings_unref(s);
    buf_fini(&yaml);
}

static struct str location(const char *rule, const char *path, const char *query, struct arena *a)
{
    struct buf yaml = BUF_INIT;
    struct fields none = { 0 };
    struct rules_said said;
    int status;
    buf_printf(&yaml, ORIGIN "rules: [%s]\n", rule);
    buf_add_char(&yaml, '\0');
    struct settings *s = good(yaml.p);
    struct rules_request q = { rules_path(str_from(path), a), STR("h"), query ? str_from(query) : STR_NONE,
                               STR("GET"), &none };
    rules_ask(s->sites[0].ruled, &q, a, &said);
    assert_int_equal(said.redirect, 0);
    struct str to = arena_dup(a, rules_redirect(s->sites[0].ruled, &q, 0, &status, a));
    assert_int_equal(status, 301);
    settings_unref(s);
    buf_fini(&yaml);
    return to;
}

static void a_redirect_never_leads_where_the_path_says(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    static const char rule[] = "{path: \"/go/**\", redirect: \"/{1}\"}";
    assert_string_equal(location(rule, "/go/a/b", NULL, &a).p, "/a/b");
    assert_string_equal(location(rule, "/go//evil.example", NULL, &a).p, "/evil.example");
    assert_string_equal(location(rule, "/go///\\/evil.example", NULL, &a).p, "/evil.example");
    assert_string_equal(location(rule, "/go/\\evil.example", NULL, &a).p, "/evil.example");
    assert_string_equal(location(rule, "/go//", NULL, &a).p, "/");
    assert_string_equal(location(rule, "/go/a", "x=1", &a).p, "/a?x=1");
    assert_string_equal(
        location("{path: \"/p/*\", redirect: \"https://e.example/q?p={1}\"}", "/p/7", "x=1", &a).p,
        "https://e.example/q?p=7");
    arena_fini(&a);
}

/* Where it would lead to the URL that was asked for, the rule is passed over: the visitor would come again
 * and again. */
static void a_redirect_never_leads_to_itself(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    static const char all[] = "{path: \"/**\", redirect: \"/closed\"}";
    assert_string_equal(location(all, "/a", NULL, &a).p, "/closed");
    assert_int_equal(location(all, "/closed", NULL, &a).n, 0);
    assert_int_equal(location(all, "/closed", "x=1", &a).n, 0);
    assert_int_equal(location(all, "//closed", NULL, &a).n, 0);
    static const char other[] = "{path: \"/**\", redirect: \"/closed?why=1#top\"}";
    assert_string_equal(location(other, "/closed", NULL, &a).p, "/closed?why=1#top");
    assert_int_equal(location(other, "/closed", "why=1", &a).n, 0);
    static const char whole[] = "{path: \"/**\", redirect: \"http://H/{1}\"}";
    assert_int_equal(location(whole, "/a", NULL, &a).n, 0);
    static const char https[] = "{path: \"/**\", redirect: \"https://h/{1}\"}";
    assert_string_equal(location(https, "/a", NULL, &a).p, "https://h/a");
    arena_fini(&a);
}

static struct str key_of(const char *rules, const char *cookie, struct arena *a)
{
    struct buf yaml = BUF_INIT;
    struct fields f = { 0 };
    struct rules_said said;
    buf_printf(&yaml, ORIGIN "rules: [%s]\n", rules);
    buf_add_char(&yaml, '\0');
    struct settings *s = good(yaml.p);
    fields_add_id(&f, a, FIELD_COOKIE, str_from(cookie));
    struct rules_request q = { STR("/"), STR("h"), STR_NONE, STR("GET"), &f };
    rules_ask(s->sites[0].ruled, &q, a, &said);
    struct str key = arena_dup(a, said.key);
    settings_unref(s);
    buf_fini(&yaml);
    return key;
}

/* A request that began before a reload still has the old rules, and their numbers mean something else. */
static void equal_numbers_of_other_rules_are_another_key(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "{cookie: beta, tags: t}",        "{cookie: admin, tags: t}",
        "{cookie: beta, tags: u}",        "{cookie: [beta, x], tags: t}",
        "{cookie: beta, drop_cookie: t}", "{cookie: beta, tags: t}, {path: /x, bypass: true}",
        "{cookie: beta, tags: [t, u]}",
    };
    struct arena a;
    arena_init(&a, 1024);
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        for (size_t k = 0; k < COUNT_OF(rules); k++) {
            struct str one = key_of(rules[i], "beta=1; admin=1", &a),
                       other = key_of(rules[k], "beta=1; admin=1", &a);
            assert_true(one.n && other.n);
            if (str_eq(one, other) != (i == k))
                fail_msg("%s and %s", rules[i], rules[k]);
        }
    assert_int_equal(key_of(rules[0], "other=1", &a).n, 0);
    arena_fini(&a);
}

/* Hosts and media types have no case. */
static void hosts_and_types_match_in_any_case(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN "rules:\n  - {host: \"WWW.*.Example\", bypass: true}\n"
                                     "  - {content_type: \"Image/*\", set_response_header: \"X: 1\"}\n");
    struct arena a;
    struct fields f = { 0 }, answer = { 0 };
    struct rules_said said;
    struct str undo;
    arena_init(&a, 1024);
    struct rules_request q = { STR("/"), STR("www.a.example"), STR_NONE, STR("GET"), &f };
    rules_ask(s->sites[0].ruled, &q, &a, &said);
    assert_int_equal(said.bypass, 0);
    fields_add_id(&answer, &a, FIELD_CONTENT_TYPE, STR("IMAGE/png; q=1"));
    rules_change_answer(s->sites[0].ruled, &q, said.key, 200, &answer, &undo, &a);
    assert_int_equal(answer.n, 2);
    arena_fini(&a);
    settings_unref(s);
}

/* What is undone is as it came, but for a cookie, which was one visitor's. */
static void what_a_rule_changed_can_be_undone(void **state)
{
    (void)state;
    struct settings *s =
        good(ORIGIN "rules:\n  - {response_header: \"X-Kind: a\", set_response_header: [\"X-Kind: b\", "
                    "\"X-New: 1\", \"X-Two: 3\"], remove_response_header: [X-Gone, Set-Cookie], tags: t}\n");
    struct arena a;
    struct fields none = { 0 }, answer = { 0 };
    struct str undo, again;
    arena_init(&a, 1024);
    struct rules_request q = { STR("/"), STR("h"), STR_NONE, STR("GET"), &none };
    static const char *const lines[][2] = { { "X-Kind", "a" }, { "X-Gone", "x" }, { "X-Two", "1" },
                                            { "x-two", "2" },  { "Etag", "e" },   { "Set-Cookie", "c=1" } };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        fields_add(&answer, &a, str_from(lines[i][0]), str_from(lines[i][1]));
    rules_change_answer(s->sites[0].ruled, &q, STR_NONE, 200, &answer, &undo, &a);
    assert_int_equal(answer.n, 5); /* X-Kind, X-Two, Etag, X-New, and a tag */
    assert_true(undo.n > 0);
    rules_undo(undo, &answer, &a);
    assert_int_equal(answer.n, 5);
    for (size_t i = 0; i < 5; i++) {
        size_t at = fields_index_of(&answer, str_from(lines[i][0]), 0);
        if (i == 3)
            at = fields_index_of(&answer, str_from(lines[i][0]), at + 1);
        assert_true(at < answer.n && str_eq(answer.v[at].value, str_from(lines[i][1])));
    }
    /* When it does not match, it changes nothing, and nothing is to be undone. */
    fields_remove_by_name(&answer, STR("X-Kind"));
    rules_change_answer(s->sites[0].ruled, &q, STR_NONE, 200, &answer, &again, &a);
    assert_int_equal(again.n, 0);
    assert_int_equal(answer.n, 4);
    arena_fini(&a);
    settings_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_matches_by_segments),
        cmocka_unit_test(a_path_matches_as_defined),
        cmocka_unit_test(bad_patterns_are_told),
        cmocka_unit_test(mistakes_name_line_rule_and_field),
        cmocka_unit_test(what_never_matches_is_warned_of),
        cmocka_unit_test(every_preset_is_good),
        cmocka_unit_test(presets_keep_visitors_apart),
        cmocka_unit_test(each_of_many_rules_is_found),
        cmocka_unit_test(a_redirect_never_leads_where_the_path_says),
        cmocka_unit_test(a_redirect_never_leads_to_itself),
        cmocka_unit_test(equal_numbers_of_other_rules_are_another_key),
        cmocka_unit_test(hosts_and_types_match_in_any_case),
        cmocka_unit_test(what_a_rule_changed_can_be_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
