/* A request target has one spelling for key and origin; what is ambiguous is refused, nothing is guessed. */
#include "arena_test.h"

#include <string.h>

#include "http/url.h"

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), text);
}

static void splits_targets(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(target_parse(STR("/a/b?x=1?y"), &t), HTTP_ERROR_NONE);
    assert_int_equal(t.form, TARGET_ORIGIN);
    assert_str(t.path, "/a/b");
    assert_str(t.query, "x=1?y");
    assert_true(t.has_query);
    assert_str(t.authority, "");

    assert_int_equal(target_parse(STR("/a?"), &t), HTTP_ERROR_NONE);
    assert_true(t.has_query);
    assert_int_equal(t.query.n, 0);
    assert_int_equal(target_parse(STR("/a"), &t), HTTP_ERROR_NONE);
    assert_false(t.has_query);
    /* RFC 9112 §3.2.1: origin-form, although it looks like an authority */
    assert_int_equal(target_parse(STR("//b/"), &t), HTTP_ERROR_NONE);
    assert_str(t.path, "//b/");

    assert_int_equal(target_parse(STR("*"), &t), HTTP_ERROR_NONE);
    assert_int_equal(t.form, TARGET_ASTERISK);
    assert_str(t.path, "*");
}

static void splits_absolute_targets(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(target_parse(STR("HTTP://Example.org:81/x?y"), &t), HTTP_ERROR_NONE);
    assert_int_equal(t.form, TARGET_ABSOLUTE);
    assert_str(t.scheme, "http");
    assert_str(t.authority, "Example.org:81");
    assert_str(t.path, "/x");
    assert_str(t.query, "y");

    assert_int_equal(target_parse(STR("https://a"), &t), HTTP_ERROR_NONE);
    assert_str(t.scheme, "https");
    assert_str(t.path, "/");
    assert_false(t.has_query);

    assert_int_equal(target_parse(STR("http://a?q"), &t), HTTP_ERROR_NONE);
    assert_str(t.authority, "a");
    assert_str(t.path, "/");
    assert_str(t.query, "q");
}

static void refuses_targets(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "a",           "example.org:80", "a/b",          "?x",           "**",
        "*?x",       "/a b",        "/a#b",           "/a?b#c",       "/a\tb",        "/\x7f",
        "/\x80",     "/\xc3\xbc",   "ftp://a/",       "http:/a",      "http://",      "http:///x",
        "http://?x", "http://u@a/", "http://u:p@a",   "http://a#@b/", "javascript:x", "http//a",
        "/\r",       "/\n",
    };
    struct target t;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (target_parse(str_from(bad[i]), &t) != HTTP_ERROR_TARGET)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(target_parse((struct str){ "/a\0b", 4 }, &t), HTTP_ERROR_TARGET);
}

/* Whatever is special about a target is seen at each place in it, near the ends of words too. */
static void looks_at_every_byte(void **state)
{
    char text[72];
    struct target t;
    struct str path;
    for (size_t n = 2; n < sizeof(text); n++)
        for (size_t at = 1; at < n; at++) {
            struct str whole = { text, n };
            memset(text, 'a', sizeof(text));
            text[0] = '/';
            assert_int_equal(target_parse(whole, &t), HTTP_ERROR_NONE);
            assert_true(t.is_normal);
            for (int bad = 0; bad < 256; bad++) {
                text[at] = (char)bad;
                bool good = bad > 0x20 && bad < 0x7f && bad != '#';
                assert_int_equal(target_parse(whole, &t), good ? HTTP_ERROR_NONE : HTTP_ERROR_TARGET);
                if (!good)
                    continue;
                assert_int_equal(t.path.n, bad == '?' ? at : n);
                assert_int_equal(t.has_query, bad == '?');
                assert_int_equal(t.is_normal, bad != '%' && (bad != '.' || at > 1));
            }
            /* Behind the first one it is part of the query. */
            text[at] = '?';
            text[n - 1] = '?';
            assert_int_equal(target_parse(whole, &t), HTTP_ERROR_NONE);
            assert_int_equal(t.path.n, at);
            text[n - 1] = 'a';
            if (at + 1 < n) {
                memcpy(text + at, "/.", 2);
                assert_int_equal(target_parse(whole, &t), HTTP_ERROR_NONE);
                assert_false(t.is_normal);
                assert_int_equal(path_normalize(t.path, *state, &path), HTTP_ERROR_NONE);
            }
        }
}

/* CACHING.md 4.1: percent-encoding in upper case, unreserved characters decoded, dot segments removed,
 * nothing else touched. */
static void normalizes_paths(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "/", "/" },
        { "*", "*" },
        { "//", "//" },
        { "/a//b/", "/a//b/" },
        { "/%7euser/%41%2d%5F%2e%30", "/~user/A-_.0" },
        { "/%c3%bc%e2%82%ac", "/%C3%BC%E2%82%AC" },
        { "/%2f%2F%3f%23%25%20%26", "/%2F%2F%3F%23%25%20%26" },
        { "/%2541", "/%2541" },
        { "/.", "/" },
        { "/..", "/" },
        { "/./", "/" },
        { "/../", "/" },
        { "/a/.", "/a/" },
        { "/a/..", "/" },
        { "/a/b/..", "/a/" },
        { "/a/b/../", "/a/" },
        { "/a/./b", "/a/b" },
        { "/a/../b", "/b" },
        { "/../../a", "/a" },
        { "/a/b/../../../c", "/c" },
        { "/a//../b", "/a/b" },
        { "/a/b/c/./../../g", "/a/g" },
        { "/a/%2e%2E/b", "/b" },
        { "/a/.%2e/b", "/b" },
        { "/%2e", "/" },
        { "/a/..%2fb", "/a/..%2Fb" },
        { "/a/...", "/a/..." },
        { "/a/..b/.c/d.", "/a/..b/.c/d." },
        { "/.well-known/x", "/.well-known/x" },
        { "/a\\..\\b", "/a\\..\\b" },
        { "/a;x/..;/b", "/a;x/..;/b" },
        { "/A+b|c^\"<>`{}", "/A+b|c^\"<>`{}" },
    };
    struct str out;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(path_normalize(str_from(cases[i].in), *state, &out), HTTP_ERROR_NONE);
        assert_str(out, cases[i].out);
    }
}

/* CACHING.md 4.1: what is sent keeps its spelling, without dot segments in any spelling. */
static void removes_dots_alone(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "/%7euser/%c3%bc", "/%7euser/%c3%bc" },
        { "/a/../%62", "/%62" },
        { "/%61/%2e%2E/b", "/b" },
        { "/a/.%2e/%2e/b/%2E", "/b/" },
        { "/a/%2e%2e%2e/..b/%2e%2f", "/a/%2e%2e%2e/..b/%2e%2f" },
        { "/..", "/" },
        { "/%2e", "/" },
        { "//%2e%2e/%2e./a", "/a" },
        { "*", "*" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str in = str_from(cases[i].in), out = path_without_dots(in, *state);
        assert_str(out, cases[i].out);
        if (strcmp(cases[i].in, cases[i].out) == 0)
            assert_ptr_equal(out.p, in.p);
    }
}

static void copies_no_normal_path(void **state)
{
    static const char *const normal[] = { "/", "/a/b", "/%C3%BC", "/.well-known", "/a..", "/..a/", "//" };
    for (size_t i = 0; i < sizeof(normal) / sizeof(normal[0]); i++) {
        struct str out;
        assert_int_equal(path_normalize(str_from(normal[i]), *state, &out), HTTP_ERROR_NONE);
        assert_ptr_equal(out.p, normal[i]);
        assert_int_equal(out.n, strlen(normal[i]));
    }
}

static void refuses_paths(void **state)
{
    static const char *const bad[] = { "/%",   "/%4",  "/%4g",  "/%g4",  "/%%41",  "/%00",
                                       "/%0a", "/%0D", "/%1f",  "/%7F",  "/a%",    "/a b",
                                       "/a?b", "/a#b", "/\x7f", "/\xff", "/%u0041" };
    struct str out;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (path_normalize(str_from(bad[i]), *state, &out) != HTTP_ERROR_TARGET_ENCODING)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(path_normalize(STR_NONE, *state, &out), HTTP_ERROR_TARGET);
    assert_int_equal(path_normalize(STR("a"), *state, &out), HTTP_ERROR_TARGET);
}

/* CACHING.md 4.9: a path with more than 64 dot segments, in any spelling. */
static void refuses_endless_dots(void **state)
{
    static const char *const dots[] = { "/.", "/..", "/%2e", "/.%2E" };
    char text[65 * 5];
    struct str out;
    for (size_t i = 0; i < COUNT_OF(dots); i++) {
        size_t n = strlen(dots[i]);
        for (size_t k = 0; k < 65; k++)
            memcpy(text + k * n, dots[i], n);
        assert_int_equal(path_normalize((struct str){ text, 64 * n }, *state, &out), HTTP_ERROR_NONE);
        assert_str(out, "/");
        assert_int_equal(path_normalize((struct str){ text, 65 * n }, *state, &out),
                         HTTP_ERROR_TARGET_ENCODING);
    }
}

static void checks_queries(void **state)
{
    (void)state;
    /* A '%' that begins no encoding stands for itself (URL Standard). */
    static const char *const good[] = { "",        "a=b&c",  "%20%0d%0A%09", "?/:@!$'()*,;", "a%3Db",
                                        "%ff",     "%",      "%2",           "a%zz",         "q=100%&a=%%",
                                        "50%_off", "%u0411", "%%20%2g%41",   "%C3%28%g0%-1", "a=%&b=%2&c",
                                        "%=%" };
    static const char *const bad[] = { "%00",  "%1b",  "%7f",  "a b",   "#",        "\x01",
                                       "\x7f", "\x80", "%%00", "%2%00", "a=%&b=%01" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(query_check(str_from(good[i])), HTTP_ERROR_NONE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (query_check(str_from(bad[i])) != HTTP_ERROR_TARGET_ENCODING)
            fail_msg("accepted: %s", bad[i]);
}

/* CACHING.md 4.1: raw UTF-8 gets one spelling; other bytes above 0x7f are refused. */
static void encodes_utf8(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "/", "/" },
        { "", "" },
        { "/%c3%bc?%", "/%c3%bc?%" },
        { "/g\xc3\xbc?q=\xe2\x82\xac%", "/g%C3%BC?q=%E2%82%AC%" },
        { "\xf0\x9f\x98\x80", "%F0%9F%98%80" },
        { "http://\xc3\xbc.example/", "http://%C3%BC.example/" },
        { "/\xc2\x80\x7f", "/%C2%80\x7f" }, /* the rest is target_parse's business */
    };
    static const char *const bad[] = { "/\xfc",     "/\xc3",         "/\xc3/\xbc",
                                       "/\xc0\xaf", "/\xed\xa0\x80", "/\xf4\x90\x80\x80",
                                       "/\xbf",     "/\xff",         "/a\xe2\x82" };
    struct str out;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str in = str_from(cases[i].in);
        assert_true(target_encode(in, *state, &out));
        assert_str(out, cases[i].out);
        if (str_eq(in, out))
            assert_ptr_equal(in.p, out.p);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (target_encode(str_from(bad[i]), *state, &out))
            fail_msg("accepted: %s", bad[i]);
}

/* CACHING.md 4.3: names are what a form's parser makes of them. */
static void decodes_names(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "", "" },
        { "a", "a" },
        { "a[b]", "a[b]" },
        { "a%5Bb%5d", "a[b]" },
        { "a+b%20c%2Bd", "a b c+d" },
        { "%", "%" },
        { "100%", "100%" },
        { "%4", "%4" },
        { "%zz%41", "%zzA" },
        { "%%41", "%A" },
        { "%2541", "%41" },
        { "%u0411", "%u0411" },
        { "%c3%BC", "\xc3\xbc" },
        { "%ff+", "\xff " },
        { "+", " " },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str in = str_from(cases[i].in), out = query_decode(in, *state);
        assert_str(out, cases[i].out);
        if (str_eq(in, out) && !strpbrk(cases[i].in, "%+"))
            assert_ptr_equal(in.p, out.p);
    }
}

/* CACHING.md 4.1: host in lower case, no trailing dot, port if not default. */
static void normalizes_hosts(void **state)
{
    static const struct {
        const char *in;
        bool https;
        const char *name;
        uint16_t port;
    } cases[] = {
        { "example.org", false, "example.org", 0 },
        { "EXAMPLE.Org.", false, "example.org", 0 },
        { "a:80", false, "a", 0 },
        { "a:80", true, "a", 80 },
        { "a:443", true, "a", 0 },
        { "a:443", false, "a", 443 },
        { "a:", false, "a", 0 },
        { "a:00080", false, "a", 0 },
        { "a.:65535", false, "a", 65535 },
        { "127.0.0.1:8080", false, "127.0.0.1", 8080 },
        { "my_host-1", false, "my_host-1", 0 },
        { "[::1]", false, "[::1]", 0 },
        { "[::1]:8080", false, "[::1]", 8080 },
        { "[2001:DB8:0:0::1]:443", true, "[2001:db8::1]", 0 },
        { "[::ffff:1.2.3.4]", false, "[::ffff:1.2.3.4]", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host h;
        assert_int_equal(host_parse(str_from(cases[i].in), cases[i].https, *state, &h), HTTP_ERROR_NONE);
        assert_str(h.name, cases[i].name);
        assert_int_equal(h.port, cases[i].port);
    }
    struct host h;
    const char *normal = "a.b:81";
    assert_int_equal(host_parse(str_from(normal), false, *state, &h), HTTP_ERROR_NONE);
    assert_ptr_equal(h.name.p, normal);
}

/* The authority is the name with its port, in one spelling; what is spelled so already is not copied. */
static void spells_authorities(void **state)
{
    static const struct {
        const char *in, *out;
        bool copied;
    } cases[] = {
        { "a.b", "a.b", false },
        { "a.b:81", "a.b:81", false },
        { "a.b:80", "a.b", false },
        { "a.b:", "a.b", false },
        { "a.b:081", "a.b:81", true },
        { "a.b.:81", "a.b:81", true },
        { "A.b:81", "a.b:81", true },
        { "A.b", "a.b", true },
        { "[::1]:65535", "[::1]:65535", false },
        { "[0::1]:9", "[::1]:9", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host h;
        assert_int_equal(host_parse(str_from(cases[i].in), false, *state, &h), HTTP_ERROR_NONE);
        assert_str(h.authority, cases[i].out);
        assert_int_equal(h.authority.p != cases[i].in, cases[i].copied);
    }
}

static void refuses_hosts(void **state)
{
    static const char *const bad[] = {
        "",        ".",    "a..",      ".a",     "a..b",     "a:1:2", "a,b",          "a b",      "user@a",
        "foo/bar", "a:0",  "a:65536",  "a:x",    "a:-1",     "a:+1",  "a: 1",         "a:000080", ":80",
        "[",       "[]",   "[::1",     "[::1]x", "[::1]x:1", "::1",   "[::1%25eth0]", "[v1.a]",   "[1.2.3.4]",
        "[g::]",   "a%41", "\xc3\xbc", "a\\b",   "a?",       "a#",    "[::1].",
    };
    struct host h;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (host_parse(str_from(bad[i]), false, *state, &h) != HTTP_ERROR_HOST_INVALID)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(host_parse((struct str){ "a\0.b", 4 }, false, *state, &h), HTTP_ERROR_HOST_INVALID);
    assert_int_equal(host_parse((struct str){ "[::1\0]", 6 }, false, *state, &h), HTTP_ERROR_HOST_INVALID);
    char longest[256];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(host_parse((struct str){ longest, 255 }, false, *state, &h), HTTP_ERROR_NONE);
    assert_int_equal(host_parse((struct str){ longest, 256 }, false, *state, &h), HTTP_ERROR_HOST_INVALID);
}

/* What a name may be, byte by byte. */
static bool is_good_name(const char *name, size_t n)
{
    if (n == 0 || n > 255 || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                     (name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '_';
        if (!plain && (name[i] != '.' || (i > 0 && name[i - 1] == '.')))
            return false;
    }
    return true;
}

/* Names are looked at sixteen bytes at a time: two odd bytes at any places of names up to three words. */
static void names_of_all_lengths(void **state)
{
    static const char odd[] = {
        '.', 'A', 'Z', '_', '-', '0', '%', '/', '@', '[', '`', '{', '\x80', '\0', ' '
    };
    char name[48];
    struct host h;
    for (size_t n = 1; n <= sizeof(name); n++)
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof(odd) * 2; k++) {
                memset(name, 'b', n);
                name[at] = odd[k % sizeof(odd)];
                name[(at + 1 + k) % n] = odd[(k * 7 + n) % sizeof(odd)];
                bool good = host_parse((struct str){ name, n }, false, *state, &h) == HTTP_ERROR_NONE;
                if (good != is_good_name(name, n))
                    fail_msg("%.*s: %d", (int)n, name, good);
                if (!good)
                    continue;
                assert_int_equal(h.name.n, n - (name[n - 1] == '.'));
                for (size_t i = 0; i < h.name.n; i++)
                    assert_int_equal(h.name.p[i],
                                     name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
                arena_rewind(*state);
            }
}

/* CACHING.md 4.3: split at "&" and the first "="; ";" is no separator; ?a and ?a= are two things. */
static void walks_queries(void **state)
{
    (void)state;
    struct str rest = STR("&a=1&&b&c=&=d&e=f=g;h&");
    static const struct {
        const char *raw, *name, *value;
        bool has_value;
    } pieces[] = {
        { "a=1", "a", "1", true }, { "b", "b", "", false },           { "c=", "c", "", true },
        { "=d", "", "d", true },   { "e=f=g;h", "e", "f=g;h", true },
    };
    struct query_param q = { 0 };
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        assert_true(query_next(&rest, &q));
        assert_str(q.raw, pieces[i].raw);
        assert_str(q.name, pieces[i].name);
        assert_str(q.value, pieces[i].value);
        assert_int_equal(q.has_value, pieces[i].has_value);
    }
    assert_false(query_next(&rest, &q));
    assert_false(query_next(&rest, &q));
    struct str none = STR_NONE, empty = STR("");
    assert_false(query_next(&none, &q));
    assert_false(query_next(&empty, &q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_targets),
        cmocka_unit_test(splits_absolute_targets),
        cmocka_unit_test(refuses_targets),
        cmocka_unit_test_setup_teardown(looks_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(normalizes_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_dots_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_no_normal_path, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_endless_dots, setup, teardown),
        cmocka_unit_test(checks_queries),
        cmocka_unit_test_setup_teardown(encodes_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(decodes_names, setup, teardown),
        cmocka_unit_test_setup_teardown(normalizes_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(spells_authorities, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_all_lengths, setup, teardown),
        cmocka_unit_test(walks_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
