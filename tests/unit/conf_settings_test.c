// A configuration becomes one snapshot: values of every type, layers in their order, all mistakes found at
// once with their lines, hosts found by name and pattern, and nothing left when the last user is done.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/limits.h"
#include "conf/nearest.h"
#include "conf/setting.h"
#include "conf/settings.h"
#include "conf/tree.h"
#include "conf/value.h"

/* A buffer is not NUL-terminated. */
static const char *text_in(const struct buf *b, const char *text)
{
    return b->n ? memmem(b->p, b->n, text, strlen(text)) : NULL;
}

#define ORIGIN "origin: http://127.0.0.1:4321\n"

struct flag {
    const char *name, *value;
};

#define FLAGS_MAX 8

static struct settings *parse_with(const char *yaml, const struct flag *flags, size_t n, struct buf *errors)
{
    static char words[FLAGS_MAX][64];
    struct override o[FLAGS_MAX];
    assert_true(n <= FLAGS_MAX);
    for (size_t i = 0; i < n; i++) {
        snprintf(words[i], sizeof(words[i]), "--%s", flags[i].name);
        o[i] = (struct override){ str_from(words[i]), str_from(flags[i].name), str_from(flags[i].value) };
    }
    struct str name = yaml ? STR("t.yaml") : STR_NONE;
    return settings_parse(str_from(yaml), name, o, n, errors);
}

/* What must be good. */
static struct settings *good_with(const char *yaml, const struct flag *flags, size_t n)
{
    struct buf errors = BUF_INIT;
    struct settings *s = parse_with(yaml, flags, n, &errors);
    if (!s)
        print_message("%.*s", STR_ARG(buf_str(&errors)));
    assert_non_null(s);
    assert_int_equal(errors.n, 0);
    buf_fini(&errors);
    return s;
}

static struct settings *good(const char *yaml)
{
    return good_with(yaml, NULL, 0);
}

/* What must be refused, with exactly these lines. */
static void bad_with(const char *yaml, const struct flag *flags, size_t n, const char *lines)
{
    struct buf errors = BUF_INIT;
    struct settings *s = parse_with(yaml, flags, n, &errors);
    assert_null(s);
    buf_add_char(&errors, '\0');
    assert_string_equal(errors.p, lines);
    buf_fini(&errors);
}

static void bad(const char *yaml, const char *lines)
{
    bad_with(yaml, NULL, 0, lines);
}

static void assert_str(struct str s, const char *expected)
{
    if (!str_eq(s, str_from(expected)))
        print_message("\"%.*s\" instead of \"%s\"\n", STR_ARG(s), expected);
    assert_true(str_eq(s, str_from(expected)));
}

/* ---- values ---- */

static void defaults_are_the_tables(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN);
    assert_int_equal(s->process.listen.n, 1);
    assert_str(s->process.listen.v[0], "127.0.0.1:8080");
    assert_str(s->process.admin, "127.0.0.1:8081");
    assert_str(s->process.token, "");
    assert_int_equal(s->process.workers, 0);
    assert_int_equal(s->process.memory, 256 << 20);
    assert_int_equal(s->process.trusted_proxies.n, 0);
    assert_int_equal(s->process.header_timeout, 10000);
    assert_int_equal(s->sites_n, 1);
    const struct site_settings *site = &s->sites[0];
    assert_str(site->name, "default");
    assert_int_equal(site->profile, PROFILE_ISR);
    assert_int_equal(site->hosts.n, 0);
    assert_int_equal(site->first_byte_timeout, 60000);
    assert_true(site->explicit_only);
    assert_false(site->all_statuses);
    assert_int_equal(site->set_cookie, SET_COOKIE_REFUSE);
    assert_int_equal(site->query, QUERY_SORTED);
    assert_int_equal(site->unkeyed_query, UNKEYED_STRIP);
    assert_int_equal(site->cdn_cache_control.n, 2);
    assert_str(site->cdn_cache_control.v[0], "Netlify-CDN-Cache-Control");
    assert_str(site->cdn_cache_control.v[1], "CDN-Cache-Control");
    assert_int_equal(site->tag_headers.n, 2);
    assert_str(s->path, "t.yaml");
    settings_unref(s);
}

static void values_of_every_type(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN "listen: [\":80\", '[::1]:81', 82, unix:/run/f.sock]\n"
                                     "admin: ''\n"
                                     "token: abc\n"
                                     "token_file: /etc/token\n"
                                     "workers: '3'\n"
                                     "memory: 2G\n"
                                     "request_line: 4096\n"
                                     "request_body: 0\n"
                                     "trusted_proxies: [10.0.0.0/8, '::1', 'fe80::/10', unix]\n"
                                     "header_timeout: 500ms\n"
                                     "idle_timeout: 5\n"
                                     "body_timeout: 2m\n"
                                     "send_timeout: 1h\n"
                                     "tunnel_timeout: 1d\n"
                                     "store: false\n"
                                     "strip_cdn_headers: true\n"
                                     "set_cookie: store\n"
                                     "host: Example.com:8080\n"
                                     "cdn_cache_control: Surrogate-Control\n"
                                     "tag_headers: [Cache-Tag, 'Surrogate-Key:space', xkey:either, A:comma]\n"
                                     "ignore_query: []\n"
                                     "object_bytes: 512k\n");
    const struct process_settings *p = &s->process;
    const struct site_settings *site = &s->sites[0];
    assert_int_equal(p->listen.n, 4);
    assert_str(p->listen.v[0], ":80");
    assert_str(p->listen.v[1], "[::1]:81");
    assert_str(p->listen.v[2], "82");
    assert_str(p->listen.v[3], "unix:/run/f.sock");
    assert_int_equal(p->admin.n, 0);
    assert_str(p->token, "abc");
    assert_str(p->token_file, "/etc/token");
    assert_int_equal(p->workers, 3);
    assert_int_equal(p->memory, (int64_t)2 << 30);
    assert_int_equal(p->request_line, 4096);
    assert_int_equal(p->request_body, 0);
    assert_int_equal(p->trusted_proxies.n, 4);
    assert_int_equal(p->header_timeout, 500);
    assert_int_equal(p->idle_timeout, 5000);
    assert_int_equal(p->body_timeout, 120000);
    assert_int_equal(p->send_timeout, 3600000);
    assert_int_equal(p->tunnel_timeout, 86400000);
    assert_false(site->store);
    assert_true(site->strip_cdn_headers);
    assert_int_equal(site->set_cookie, SET_COOKIE_STORE);
    assert_str(site->host, "Example.com:8080");
    assert_int_equal(site->cdn_cache_control.n, 1);
    assert_str(site->cdn_cache_control.v[0], "Surrogate-Control");
    static const struct {
        const char *name;
        int separator;
    } tags[] = { { "Cache-Tag", TAG_SEPARATOR_COMMA },
                 { "Surrogate-Key", TAG_SEPARATOR_SPACE },
                 { "xkey", TAG_SEPARATOR_EITHER },
                 { "A", TAG_SEPARATOR_COMMA } };
    assert_int_equal(site->tag_headers.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_str(site->tag_header_list[i].name, tags[i].name);
        assert_int_equal(site->tag_header_list[i].separator, tags[i].separator);
    }
    assert_int_equal(site->ignored_params.n, 0);
    assert_int_equal(site->object_bytes, 512 << 10);
    settings_unref(s);
}

static void numbers_hold_to_their_range(void **state)
{
    (void)state;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *t = &setting_table[id];
        if (t->type != TYPE_COUNT && t->type != TYPE_BYTES && t->type != TYPE_TIME)
            continue;
        const char *unit = t->type == TYPE_TIME ? "ms" : "";
        const struct {
            int64_t value;
            bool fits;
        } edges[] = {
            { t->least, true }, { t->most, true }, { t->least - 1, false }, { t->most + 1, false }
        };
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            char yaml[128];
            struct buf errors = BUF_INIT;
            snprintf(yaml, sizeof(yaml), ORIGIN "%.*s: %lld%s\n", STR_ARG(t->name), (long long)edges[i].value,
                     unit);
            struct settings *s = parse_with(yaml, NULL, 0, &errors);
            assert_int_equal(s != NULL, edges[i].fits);
            if (s) {
                const void *base = t->scope == SCOPE_PROCESS ? (void *)&s->process : (void *)&s->sites[0];
                assert_int_equal(*(const int64_t *)((const char *)base + t->offset), edges[i].value);
                settings_unref(s);
            }
            buf_fini(&errors);
        }
    }
}

static void numbers_are_written_as_people_do(void **state)
{
    (void)state;
    static const struct {
        enum setting_type type;
        int64_t number;
        const char *text;
    } rows[] = {
        { TYPE_BYTES, 0, "0" },
        { TYPE_BYTES, 1023, "1023" },
        { TYPE_BYTES, 1024, "1K" },
        { TYPE_BYTES, 1536, "1536" },
        { TYPE_BYTES, 3 << 20, "3M" },
        { TYPE_BYTES, (int64_t)1 << 40, "1T" },
        { TYPE_TIME, 999, "999ms" },
        { TYPE_TIME, 90000, "90s" },
        { TYPE_TIME, 3600000, "1h" },
        { TYPE_TIME, 86400000, "1d" },
        { TYPE_COUNT, 86400000, "86400000" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT;
        setting_write_number(rows[i].type, rows[i].number, &out);
        assert_str(buf_str(&out), rows[i].text);
        buf_fini(&out);
    }
}

static void wrong_values_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        { "store: yes", "store: \"yes\" is neither true nor false; write one of them" },
        { "store: True", "store: \"True\" is neither true nor false; write one of them" },
        { "workers: -1", "workers: \"-1\" is not a whole number; write digits only" },
        { "workers: 1.5", "workers: \"1.5\" is not a whole number; write digits only" },
        { "workers: 2K", "workers: \"2K\" is not a whole number; write digits only" },
        { "workers: ''", "workers: \"\" is not a whole number; write digits only" },
        { "workers: 257", "workers: \"257\" is out of range; allowed is 0 to 256" },
        { "workers: 99999999999999999999999",
          "workers: \"99999999999999999999999\" is out of range; allowed is 0 to 256" },
        { "memory: 512MB", "memory: \"512MB\" is not a size; did you mean \"512M\"?" },
        { "memory: M", "memory: \"M\" is not a size; write bytes, or a number with K, M, G or T, like 512M" },
        { "memory: 12", "memory: \"12\" is out of range; allowed is 1M to 1T; did you mean \"12M\"?" },
        { "memory: 9223372036854775807T",
          "memory: \"9223372036854775807T\" is out of range; allowed is 1M to 1T" },
        { "idle_timeout: 5M", "idle_timeout: \"5M\" is not a time; did you mean \"5m\"?" },
        { "idle_timeout: 1 s", "idle_timeout: \"1 s\" is not a time; did you mean \"1s\"?" },
        { "idle_timeout: soon", "idle_timeout: \"soon\" is not a time; write seconds, or a number with ms, "
                                "s, m, h or d, like 10s" },
        { "idle_timeout: 2d", "idle_timeout: \"2d\" is out of range; allowed is 100ms to 1d" },
        { "connect_timeout: 1ms", "connect_timeout: \"1ms\" is out of range; allowed is 10ms to 10m" },
        { "set_cookie: stor", "set_cookie: \"stor\" is none of refuse/strip/store; did you mean \"store\"?" },
        { "set_cookie: never", "set_cookie: \"never\" is none of refuse/strip/store; write one of them" },
        { "listen: localhost:80", "listen: \"localhost:80\" is not an address; did you mean "
                                  "\"127.0.0.1:80\"?" },
        { "listen: ::1:80", "listen: \"::1:80\" is not an address; did you mean \"[::1]:80\"?" },
        { "listen: 127.0.0.1:65536", "listen: \"127.0.0.1:65536\" is not an address; write 127.0.0.1:8080, "
                                     "[::1]:8080, :8080 or unix:/path" },
        { "listen: 127.0.0.1", "listen: \"127.0.0.1\" is not an address; did you mean \"127.0.0.1:8080\"?" },
        { "admin: 'unix:run'",
          "admin: \"unix:run\" is not an address; write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path" },
        { "listen: []", "listen: is empty; write a value" },
        { "listen: ''", "listen: is empty; write a value" },
        { "listen: [':80', '']", "listen: an empty entry; remove it" },
        { "listen: [[':80']]", "listen: an entry is not a text; write it in quotes" },
        { "listen: [~]", "listen: an entry is not a text; write it in quotes" },
        { "listen:", "listen: has no value; write one or remove the line" },
        { "admin: null", "admin: has no value; write one or remove the line" },
        { "admin: ~", "admin: has no value; write one or remove the line" },
        { "admin: [':80']", "admin: is a list; write one value" },
        { "admin: {a: b}", "admin: is a block of settings; write a value" },
        { "listen: {a: b}", "listen: is a block of settings; write a value" },
        { "trusted_proxies: 10.0.0.0/33",
          "trusted_proxies: \"10.0.0.0/33\" is not a network; write 10.0.0.0/8, ::1 or unix" },
        { "trusted_proxies: '::1/129'",
          "trusted_proxies: \"::1/129\" is not a network; write 10.0.0.0/8, ::1 or unix" },
        { "trusted_proxies: 10.0.0.0/",
          "trusted_proxies: \"10.0.0.0/\" is not a network; write 10.0.0.0/8, ::1 or unix" },
        { "trusted_proxies: proxy",
          "trusted_proxies: \"proxy\" is not a network; write 10.0.0.0/8, ::1 or unix" },
        { "state: ~/freshet",
          "state: \"~/freshet\" starts with ~, which nothing expands here; write the whole path" },
        { "state: \"a\\nb\"", "state: \"a?b\" holds a control character; write one line of text" },
        { "token: 'se cret'", "token: the value holds a space or a character that a header cannot carry; use "
                              "letters and digits" },
        { "debug_secret: \"\\0\"",
          "debug_secret: the value holds a control character; write one line of text" },
        { "host: 'a b'", "host: \"a b\" is not a host; write HOST or HOST:PORT" },
        { "host: 'a:0'", "host: \"a:0\" is not a host; write HOST or HOST:PORT" },
        { "cdn_cache_control: 'A B'",
          "cdn_cache_control: \"A B\" is not a field name; write it as in CDN-Cache-Control" },
        { "tag_headers: ':space'", "tag_headers: \":space\" does not begin with a field name; write "
                                   "Cache-Tag, or Surrogate-Key:space" },
        { "tag_headers: 'xkey:tab'",
          "tag_headers: \"xkey:tab\" has an unknown separator; they are :comma, :space and :either" },
        { "ignore_query: 'utm_*'", "ignore_query: \"utm_*\" has a *; parameters are named one by one" },
        { "ignore_query: 'a=b'", "ignore_query: \"a=b\" is not the name of a query parameter; did "
                                 "you mean \"a\"?" },
        { "hosts: 'a.example:80'", "hosts: \"a.example:80\" has a port; did you mean "
                                   "\"a.example\"?" },
        { "hosts: 'a.*.example'", "hosts: \"a.*.example\" has a * in the wrong place; only *.NAME is "
                                  "possible, for all hosts below NAME" },
        { "hosts: '*'",
          "hosts: \"*\" has a * in the wrong place; only *.NAME is possible, for all hosts below NAME" },
        { "hosts: 'http://a.example'",
          "hosts: \"http://a.example\" is a URL or a path; did you mean \"a.example\"?" },
        { "hosts: '*.'",
          "hosts: \"*.\" is not a host name; write shop.example, *.shop.example or an address" },
        { "hosts: 'a..b'",
          "hosts: \"a..b\" is not a host name; write shop.example, *.shop.example or an address" },
        { "hosts: '-a.b'",
          "hosts: \"-a.b\" is not a host name; write shop.example, *.shop.example or an address" },
        { "hosts: '1.2.3'",
          "hosts: \"1.2.3\" is not a host name; write shop.example, *.shop.example or an address" },
        { "hosts: '[::g]'",
          "hosts: \"[::g]\" is not a host name; write shop.example, *.shop.example or an address" },
        { "profile: isrr", "profile: \"isrr\" is no profile (isr, rfc9111, dev); did you mean \"isr\"?" },
        { "profile: [dev]", "profile: \"\" is no profile (isr, rfc9111, dev); did you mean \"isr\"?" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char yaml[256], error[320];
        snprintf(yaml, sizeof(yaml), ORIGIN "%s\n", rows[i].line);
        snprintf(error, sizeof(error), "t.yaml:2: %s\n", rows[i].error);
        bad(yaml, error);
    }
}

static void long_and_many_have_limits(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT, errors = BUF_INIT;
    buf_add(&yaml, STR(ORIGIN "state: /"));
    for (size_t i = 0; i < VALUE_BYTES_MAX; i++)
        buf_add_char(&yaml, 'x');
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_non_null(text_in(&errors, "xxx...\" is too long; 4096 bytes at most\n"));
    assert_true(errors.n < 200);

    buf_clear(&yaml);
    buf_clear(&errors);
    buf_add(&yaml, STR(ORIGIN "ignore_query: ["));
    for (size_t i = 0; i <= VALUE_ITEMS_MAX; i++)
        buf_add(&yaml, STR("a,"));
    buf_add(&yaml, STR("]\n"));
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_str(buf_str(&errors), "t.yaml:2: ignore_query: 1001 entries are too many; at most 1000\n");

    buf_clear(&yaml);
    buf_clear(&errors);
    buf_add(&yaml, STR("sites:\n"));
    for (size_t i = 0; i <= 1000; i++)
        buf_printf(&yaml, "  s%zu: {origin: 'http://a', hosts: h%zu}\n", i, i);
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_str(buf_str(&errors), "t.yaml:1: sites: 1001 are too many; at most 1000\n");

    buf_clear(&yaml);
    buf_clear(&errors);
    for (size_t i = 0; i < REPORT_MAX + 7; i++)
        buf_printf(&yaml, "zzzzzzzzz%zu: 1\n", i);
    buf_add(&yaml, STR(ORIGIN));
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    buf_add_char(&errors, '\0');
    assert_non_null(text_in(&errors, "\nt.yaml:100: unknown setting"));
    assert_null(text_in(&errors, "t.yaml:101:"));
    assert_non_null(text_in(&errors, "\nt.yaml: 7 more problems are not shown\n"));
    buf_fini(&yaml);
    buf_fini(&errors);
}

/* ---- the file ---- */

static void files_that_are_no_configuration(void **state)
{
    (void)state;
    bad("", "t.yaml: no origin; add the line origin: http://HOST[:PORT] or give --origin\n");
    bad("# nothing\n", "t.yaml: no origin; add the line origin: http://HOST[:PORT] or give --origin\n");
    bad("- a\n", "t.yaml:1: this is not a configuration; write lines like origin: http://HOST\n");
    bad("origin\n", "t.yaml:1: this is not a configuration; write lines like origin: http://HOST\n");
    bad(ORIGIN "\tmemory: 1G\n", "t.yaml:2: indented with a tab; YAML wants spaces\n");
    bad(ORIGIN "a: &x 1\n",
        "t.yaml:2: anchors (&), aliases (*) and tags (!) are not used here; write the value out, in "
        "quotes if it starts with such a sign\n");
    bad(ORIGIN "hosts: [*.example]\n", "t.yaml:2: anchors (&), aliases (*) and tags (!) are not used here; "
                                       "write the value out, in quotes if it starts "
                                       "with such a sign\n");
    bad(ORIGIN "host: *x\n", "t.yaml:2: anchors (&), aliases (*) and tags (!) are not used here; write the "
                             "value out, in quotes if it starts "
                             "with such a sign\n");
    bad(ORIGIN "workers: !!int 3\n", "t.yaml:2: anchors (&), aliases (*) and tags (!) are not used here; "
                                     "write the value out, in quotes if it starts "
                                     "with such a sign\n");
    bad(ORIGIN "---\nmemory: 1G\n", "t.yaml:2: a second document (---); a configuration is one\n");
    bad(ORIGIN "? [a]\n: b\n",
        "t.yaml:2: a list or block stands where a name is expected; start with NAME:\n");
    bad(ORIGIN "memory: \xff\n", "t.yaml:2: the file is not UTF-8 text\n");
    bad(ORIGIN "x: [[[[[[[[[1]]]]]]]]]\n", "t.yaml:2: nested too deeply\n");
    struct buf errors = BUF_INIT;
    assert_null(settings_parse(STR(ORIGIN "a: [b\n"), STR("t.yaml"), NULL, 0, &errors));
    assert_true(str_starts(buf_str(&errors), STR("t.yaml:3: not valid YAML: ")));
    assert_true(str_ends(buf_str(&errors), STR("; values with special characters go in quotes\n")));
    buf_fini(&errors);
}

static void large_files_are_refused(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT, errors = BUF_INIT;
    while (yaml.n <= TREE_BYTES_MAX)
        buf_add(&yaml, STR("# a line of a comment that is long enough to be worth its while\n"));
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_str(buf_str(&errors), "t.yaml: larger than 1048576 bytes; this is not a configuration\n");
    buf_clear(&yaml);
    buf_clear(&errors);
    buf_add(&yaml, STR("a:\n"));
    for (size_t i = 0; i < TREE_NODES_MAX; i++)
        buf_add(&yaml, STR("- 1\n"));
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_str(buf_str(&errors),
               "t.yaml:19999: the file has more than 20000 values; one of freshet has so many at most\n");
    buf_fini(&yaml);
    buf_fini(&errors);
}

static void unknown_and_repeated_names(void **state)
{
    (void)state;
    bad("orgin: http://127.0.0.1:4321\n", "t.yaml:1: unknown setting \"orgin\"; did you mean \"origin\"?\n");
    bad(ORIGIN "first-byte-timeout: 5s\n",
        "t.yaml:2: unknown setting \"first-byte-timeout\"; did you mean \"first_byte_timeout\"?\n");
    bad(ORIGIN "site: {}\n", "t.yaml:2: unknown setting \"site\"; did you mean \"sites\"?\n");
    bad(ORIGIN "colour: red\n",
        "t.yaml:2: unknown setting \"colour\"; the known ones are in docs/CONFIGURATION.md\n");
    bad(ORIGIN "\"a\\nb\\e\": 1\n",
        "t.yaml:2: unknown setting \"a?b?\"; the known ones are in docs/CONFIGURATION.md\n");
    bad(ORIGIN "memory: 1G\nmemory: 2G\n",
        "t.yaml:3: \"memory\" is set twice, first in line 2; remove one\n");
    bad(ORIGIN "profile: isr\nprofile: dev\n",
        "t.yaml:3: \"profile\" is set twice, first in line 2; remove one\n");
    bad("sites: {a: {origin: 'http://a'}}\nsites: {b: {origin: 'http://b'}}\n",
        "t.yaml:2: \"sites\" is set twice, first in line 1; remove one\n");
}

static void a_long_name_is_cut_between_characters(void **state)
{
    (void)state;
    char yaml[128], error[256], name[80] = "";
    memset(name, 'x', 63); /* of the two bytes of the next character only one is below the limit */
    snprintf(yaml, sizeof(yaml), ORIGIN "%s\u00e4\u00e4: 1\n", name);
    snprintf(error, sizeof(error),
             "t.yaml:2: unknown setting \"%s...\"; the known ones are in docs/CONFIGURATION.md\n", name);
    bad(yaml, error);
}

static void all_problems_come_at_once_in_order(void **state)
{
    (void)state;
    static const struct flag flags[] = { { "workers", "x" }, { "frist-byte-timeout", "1s" } };
    bad_with("sites:\n"
             "  a:\n"
             "    orgin: http://a\n"
             "    store: maybe\n"
             "memory: 1\n"
             "listen: nowhere\n",
             flags, 2,
             "t.yaml:3: unknown setting \"orgin\"; did you mean \"origin\"?\n"
             "t.yaml:4: store: \"maybe\" is neither true nor false; write one of them\n"
             "t.yaml:5: memory: \"1\" is out of range; allowed is 1M to 1T; did you mean \"1M\"?\n"
             "t.yaml:6: listen: \"nowhere\" is not an address; write 127.0.0.1:8080, [::1]:8080, :8080 or "
             "unix:/path\n"
             "--workers: \"x\" is not a whole number; write digits only\n"
             "--frist-byte-timeout: unknown setting; did you mean \"first_byte_timeout\"?\n");
}

/* ---- origins ---- */

static void origins_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *host_name, *local_path, *authority;
        unsigned port;
    } rows[] = {
        { "http://127.0.0.1:4321", "127.0.0.1", "", "127.0.0.1:4321", 4321 },
        { "http://127.0.0.1:4321/", "127.0.0.1", "", "127.0.0.1:4321", 4321 },
        { "HTTP://Origin.Example.", "origin.example", "", "origin.example", 80 },
        { "http://origin.example:80", "origin.example", "", "origin.example", 80 },
        { "http://my_app-1:65535", "my_app-1", "", "my_app-1:65535", 65535 },
        { "http://[::1]:81", "::1", "", "[::1]:81", 81 },
        { "http://[2001:DB8::1]", "2001:db8::1", "", "[2001:db8::1]", 80 },
        { "unix:/run/site.sock", "", "/run/site.sock", "localhost", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct flag flag = { "origin", rows[i].origin };
        struct settings *s = good_with(NULL, &flag, 1);
        const struct origin_address *o = &s->sites[0].origin_address;
        assert_str(s->sites[0].origin_text, rows[i].origin);
        assert_str(o->host_name, rows[i].host_name);
        assert_str(o->local_path, rows[i].local_path);
        assert_str(o->authority, rows[i].authority);
        assert_int_equal(o->port, rows[i].port);
        settings_unref(s);
    }
}

static void https_origins_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *authority, *server_name, *ca, *cert, *key;
        unsigned port;
        bool insecure;
    } rows[] = {
        { "origin: https://Shop.Example.\n", "shop.example", "shop.example", "", "", "", 443, false },
        { "origin: https://a:80\norigin_ca: /x/ca.pem\n", "a:80", "a", "/x/ca.pem", "", "", 80, false },
        { "origin: https://a:443/\norigin_server_name: B.example\norigin_cert: c.pem\n", "a", "b.example", "",
          "c.pem", "c.pem", 443, false },
        { "origin: https://[::1]:8443\norigin_cert: c.pem\norigin_key: k.pem\n", "[::1]:8443", "::1", "",
          "c.pem", "k.pem", 8443, false },
        { "origin: https://a\norigin_ca: ca.pem\norigin_insecure: true\n", "a", "a", "", "", "", 443, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings *s = good(rows[i].yaml);
        const struct origin_address *o = &s->sites[0].origin_address;
        assert_true(o->tls.is_on);
        assert_str(o->authority, rows[i].authority);
        assert_int_equal(o->port, rows[i].port);
        assert_str(o->tls.server_name, rows[i].server_name);
        assert_str(o->tls.ca, rows[i].ca);
        assert_str(o->tls.cert, rows[i].cert);
        assert_str(o->tls.key, rows[i].key);
        assert_int_equal(o->tls.insecure, rows[i].insecure);
        settings_unref(s);
    }
    struct settings *s = good("origin: http://a\norigin_ca: ca.pem\norigin_insecure: true\n");
    assert_false(s->sites[0].origin_address.tls.is_on);
    assert_int_equal(s->sites[0].origin_address.tls.ca.n, 0);
    settings_unref(s);
    bad("origin: https://a\norigin_key: k.pem\n",
        "t.yaml:2: origin_key: is the key of a certificate that is not named; set origin_cert too\n");
    bad("origin: https://a\norigin_server_name: a:443\n",
        "t.yaml:2: origin_server_name: \"a:443\" is not the name of a server; did you mean \"a\"?\n");
}

/* A value that is refused is followed by the whole value that was probably meant; what is offered would be
 * taken. */
static void what_was_meant_is_offered(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *offer; /* NULL: none */
    } rows[] = {
        { "memory", "256", "256M" },
        { "memory", "1.5G", "1536M" },
        { "memory", "1GB", "1G" },
        { "memory", "1 GB", "1G" },
        { "memory", "2gib", "2G" },
        { "memory", "512mb", "512M" },
        { "memory", "0.5T", "512G" },
        { "memory", "1,024M", "1G" },
        { "memory", "1,5G", "1536M" }, /* a comma before anything but three digits is a decimal one */
        { "memory", "1,50G", "1536M" },
        { "memory", "1_024M", "1G" },
        { "memory", "1,048,576K", "1G" },
        { "memory", "1,5,5G", NULL },
        { "memory", "1,024.5M", "1049088K" },
        { "memory", "lots", NULL },
        { "memory", "-1", NULL },
        { "memory", "9999999999999999999G", NULL },
        { "memory", "1.2.3G", NULL },
        { "idle_timeout", "1m30s", "90s" },
        { "idle_timeout", "1h 30m", "90m" },
        { "idle_timeout", "1.5h", "90m" },
        { "idle_timeout", "1,5h", "90m" },
        { "idle_timeout", "30sec", "30s" },
        { "idle_timeout", "5 minutes", "5m" },
        { "idle_timeout", "10S", "10s" },
        { "connect_timeout", "5000", "5s" }, /* milliseconds elsewhere */
        { "connect_timeout", "1y", NULL },
        { "workers", "1,0", "1" },
        { "workers", "2.0x", NULL },
        { "connections", "10k", "10000" },
        { "listen", "0.0.0.0", "0.0.0.0:8080" },
        { "listen", "localhost", "127.0.0.1:8080" },
        { "listen", "localhost:3000", "127.0.0.1:3000" },
        { "listen", "*:80", ":80" },
        { "listen", "http://0.0.0.0:80/", "0.0.0.0:80" },
        { "listen", "::", "[::]:8080" },
        { "listen", "[::1]", "[::1]:8080" },
        { "listen", "2001:db8::1:80", "[2001:db8::1]:80" },
        { "listen", "/run/freshet.sock", "unix:/run/freshet.sock" },
        { "listen", "shop.example:80", NULL }, /* which of its addresses? */
        { "admin", "127.0.0.1", "127.0.0.1:8081" },
        { "admin", "none", "" },
        { "admin", "off", "" },
        { "origin", "localhost:3000", "http://localhost:3000" },
        { "origin", "3000", "http://127.0.0.1:3000" },
        { "origin", ":3000", "http://127.0.0.1:3000" },
        { "origin", "shop.internal", "http://shop.internal" },
        { "origin", "http:localhost:3000", "http://localhost:3000" },
        { "origin", "http://localhost:3000/blog?x", "http://localhost:3000" },
        { "origin", "//localhost", "http://localhost" },
        { "origin", "/run/site.sock", "unix:/run/site.sock" },
        { "origin", "https://a/blog", "https://a" },
        { "origin_server_name", "https://a:1/", "a" },
        { "hosts", "https://shop.example/", "shop.example" },
        { "hosts", "shop.example:443", "shop.example" },
        { "hosts", "*shop.example", "*.shop.example" },
        { "host", "http://shop.example/", "shop.example" },
        { "trusted_proxies", "localhost", "127.0.0.1" },
        { "trusted_proxies", "[::1]", "::1" },
        { "trusted_proxies", "unix:/run/x", "unix" },
        { "trusted_proxies", "10.*", NULL },
        { "ignore_query", "?ref=", "ref" },
        { "cdn_cache_control", "CDN-Cache-Control:", "CDN-Cache-Control" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf errors = BUF_INIT;
        struct flag flag = { rows[i].name, rows[i].value };
        char expected[128];
        if (parse_with(strcmp(rows[i].name, "origin") ? ORIGIN : "", &flag, 1, &errors))
            fail_msg("%s: %s is taken", rows[i].name, rows[i].value);
        snprintf(expected, sizeof(expected), "; did you mean \"%s\"?\n", rows[i].offer ? rows[i].offer : "");
        buf_add_char(&errors, '\0');
        if (!strstr(errors.p, rows[i].offer ? expected : "did you mean") != !rows[i].offer)
            fail_msg("%s: %s: %s", rows[i].name, rows[i].value, errors.p);
        buf_fini(&errors);
        if (!rows[i].offer)
            continue;
        flag.value = rows[i].offer;
        struct settings *s = parse_with(strcmp(rows[i].name, "origin") ? ORIGIN : "", &flag, 1, &errors);
        if (!s)
            fail_msg("%s: %s is offered and not taken", rows[i].name, rows[i].offer);
        settings_unref(s);
        buf_fini(&errors);
    }
}

/* Nothing expands "${NAME}": it is refused wherever it stands, and a token has a hint where to put it. */
static void variables_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        { "token: ${TOKEN}",
          "t.yaml:2: token: the value is the name of a variable, which nothing expands here; leave "
          "the setting out and set FRESHET_TOKEN, or name a file with token_file\n" },
        { "token: $FRESHET_TOKEN", "set FRESHET_TOKEN" },
        { "token: '{{ token }}'", NULL }, /* a space: refused as such */
        { "token: '{{token}}'", "set FRESHET_TOKEN" },
        { "debug_secret: ${SECRET}", "debug_secret: the value is the name of a variable" },
        { "memory: ${MEMORY}",
          "memory: \"${MEMORY}\" holds a variable, which nothing expands here; write the value "
          "itself, or give it by the flag --memory, where the shell expands it\n" },
        { "host: ${HOST}", "host: \"${HOST}\" holds a variable" },
        { "access_log: ${LOGS}/access.log", "by the flag --access-log" },
        { "hosts: [a.example, '${HOST}']", "hosts: \"${HOST}\" holds a variable" },
        { "workers: ${N:-2}", "workers: \"${N:-2}\" holds a variable" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char yaml[256];
        struct buf errors = BUF_INIT;
        snprintf(yaml, sizeof(yaml), "%s%s\n", ORIGIN, rows[i].line);
        if (settings_parse(str_from(yaml), STR("t.yaml"), NULL, 0, &errors))
            fail_msg("%s is taken", rows[i].line);
        buf_add_char(&errors, '\0');
        if (rows[i].error && !strstr(errors.p, rows[i].error))
            fail_msg("%s: %s", rows[i].line, errors.p);
        buf_fini(&errors);
    }
    /* Not every dollar is one. */
    struct buf errors = BUF_INIT;
    struct settings *s =
        settings_parse(STR(ORIGIN "token: pa$$word-$1-{x}\n"), STR("t.yaml"), NULL, 0, &errors);
    assert_non_null(s);
    settings_unref(s);
}

static void wrong_origins_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *error;
    } rows[] = {
        { "a.example:80", "is not an origin; did you mean \"http://a.example:80\"?" },
        { "ftp://a",
          "is not an origin; write http://HOST[:PORT], https://HOST[:PORT] or unix:/path/to/socket" },
        { "https://", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "https://a/b", "has a path; did you mean \"https://a\"?" },
        { "http://", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http:///", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http://a b",
          "has more behind its URL than weight=NUMBER and backup; write these, or the URL alone" },
        { "http://a wieght=2 backup",
          "has more behind its URL than weight=NUMBER and backup; write these, or the URL alone" },
        { " http://a", "holds a space; did you mean \"http://a\"?" },
        { "http://a/ ", "holds a space; did you mean \"http://a\"?" },
        { "http://256.1.1.1", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http://[::1", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http://[127.0.0.1]", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http://::1", "names no valid host; write http://HOST[:PORT] or unix:/path" },
        { "http://a:", "has no valid port; ports are 1 to 65535" },
        { "http://a:0", "has no valid port; ports are 1 to 65535" },
        { "http://a:65536", "has no valid port; ports are 1 to 65535" },
        { "http://a:8x", "has no valid port; ports are 1 to 65535" },
        { "http://a/b", "has a path; did you mean \"http://a\"?" },
        { "http://a//", "has a path; did you mean \"http://a\"?" },
        { "unix:run", "is not the path of a Unix socket; write unix:/path/to/socket (107 bytes at most)" },
        { "unix:/", "is not the path of a Unix socket; write unix:/path/to/socket (107 bytes at most)" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct flag flag = { "origin", rows[i].origin };
        char error[256];
        snprintf(error, sizeof(error), "--origin: \"%s\" %s\n", rows[i].origin, rows[i].error);
        bad_with(NULL, &flag, 1, error);
    }
    bad_with(NULL, NULL, 0,
             "--origin: is missing; say where the site runs, like --origin http://127.0.0.1:3000, or name a "
             "configuration "
             "file\n");
    bad("origin: ''\n", "t.yaml:1: origin: is empty; write a value\n");
}

/* A URL may hold a user and a password, also where none belongs; a message goes into logs. */
static void passwords_in_urls_are_not_repeated(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "http://user:secret@a",      "http://secret@a/",   "https://user:secret@a", "ftp://user:secret@a",
        "http://user:se@secret@a:x", "http://u:sec ret@a", "user:secret@a"
    };
    static const char *const names[] = {
        "origin", "listen", "admin", "host", "hosts", "memory", "set_cookie"
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (size_t k = 0; k < COUNT_OF(names); k++) {
            struct buf errors = BUF_INIT;
            char yaml[256];
            const struct flag flag = { names[k], texts[i] };
            snprintf(yaml, sizeof(yaml), "%s: '%s'\n", names[k], texts[i]);
            assert_null(parse_with(yaml, NULL, 0, &errors));
            assert_null(parse_with(NULL, &flag, 1, &errors));
            assert_null(text_in(&errors, "secret"));
            assert_null(text_in(&errors, "sec ret"));
            assert_non_null(text_in(&errors, "***@a"));
            buf_fini(&errors);
        }
    const struct flag flag = { "origin", "http://u:p@a" };
    bad_with(NULL, &flag, 1,
             "--origin: \"http://***@a\" holds a user or password; write http://HOST[:PORT]\n");
    bad("origin: unix:run/@a:b\n",
        "t.yaml:1: origin: \"unix:run/@a:b\" is not the path of a Unix socket; write "
        "unix:/path/to/socket (107 bytes at most)\n");
}

static void limits_that_contradict_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint64_t files;
        const char *lines;
    } rows[] = {
        { ORIGIN, 1 << 20, "" },
        { ORIGIN "connections: 500\n", 1 << 20, "" }, /* defaults that are above it contradict nobody */
        { ORIGIN "connections: 500\ntunnels: 501\n", 1 << 20,
          "tunnels: 501 is above connections (500): each is a client's connection, so there are never so "
          "many; "
          "lower it, or raise connections\n" },
        { ORIGIN "connections: 500\nstreams: 500\ntunnels: 500\n", 1 << 20, "" },
        { ORIGIN "object_bytes: 1G\n", 1 << 20,
          "site default: object_bytes: 1G is above memory (256M): so large a body is never stored; lower it, "
          "or "
          "raise memory\n" },
        { ORIGIN "upload_buffer: 2M\nrequest_body: 1M\n", 1 << 20,
          "site default: upload_buffer: 2M is above request_body (1M): so long a body is refused before; "
          "lower it, "
          "or raise request_body\n" },
        { ORIGIN, 11775,
          "11775 descriptors are too few for these limits: origin_connections 256, tunnels 1024, streams "
          "4096 and "
          "512 for freshet itself, and as many for clients; lower them, or raise the limit of open files to "
          "11776 "
          "(LimitNOFILE=11776, ulimit -n 11776)\n" },
        { ORIGIN, 11776, "" },
        { ORIGIN "connections: 1000\ntunnels: 10\nstreams: 10\norigin_connections: 10\n", 1541,
          "1541 descriptors are too few for these limits: connections 1000, origin_connections 10, tunnels "
          "10, "
          "streams 10 and 512 for freshet itself; lower them, or raise the limit of open files to 1542 "
          "(LimitNOFILE=1542, ulimit -n 1542)\n" },
        { "connections: 1000\ntunnels: 10\nstreams: 10\nsites:\n  a:\n    hosts: [a]\n    " ORIGIN
          "    origin_connections: 5\n  b:\n    hosts: [b]\n    " ORIGIN
          "    origin_connections: 10\n  c:\n    hosts: [c]\n    " ORIGIN "    origin_connections: 10\n",
          1542, "" }, /* one origin: its limit counts once */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf lines = BUF_INIT;
        struct settings *s = good_with(rows[i].yaml, NULL, 0);
        size_t n = limits_check(s, rows[i].files, &lines);
        assert_str(buf_str(&lines), rows[i].lines);
        assert_int_equal(n, rows[i].lines[0] ? 1 : 0);
        buf_fini(&lines);
        settings_unref(s);
    }
}

static void clients_get_what_other_limits_leave(void **state)
{
    (void)state;
    struct settings *s = good_with(ORIGIN, NULL, 0);
    assert_int_equal(limits_connections(s, 1 << 20), (1 << 20) - 5888);
    assert_int_equal(limits_connections(s, 1024), 512);
    settings_unref(s);
    s = good_with(ORIGIN "connections: 77\n", NULL, 0);
    assert_int_equal(limits_connections(s, 1024), 77);
    settings_unref(s);
}

static void unix_paths_have_a_length(void **state)
{
    (void)state;
    char path[128] = "unix:/";
    memset(path + 6, 'x', 106);
    const struct flag fits = { "origin", path };
    struct settings *s = good_with(NULL, &fits, 1);
    assert_int_equal(s->sites[0].origin_address.local_path.n, 107);
    settings_unref(s);
    path[112] = 'x';
    struct buf errors = BUF_INIT;
    assert_null(parse_with(NULL, &fits, 1, &errors));
    buf_fini(&errors);
}

/* ---- profiles and layers ---- */

static void two_listeners_have_two_addresses(void **state)
{
    (void)state;
    bad(ORIGIN "listen:\n  - 127.0.0.1:80\n  - 127.0.0.1:80\n",
        "t.yaml:4: listen: \"127.0.0.1:80\" is listed twice; remove one\n");
    /* The same place in other words, or a part of it. */
    static const struct {
        const char *first, *second;
    } overlaps[] = {
        { ":80", "80" },
        { ":80", "127.0.0.1:80" },
        { "[::1]:80", ":080" },
        { "0.0.0.0:80", "127.0.0.1:80" },
        { "127.0.0.1:80", "[::ffff:127.0.0.1]:80" },
        { "[::ffff:0.0.0.0]:80", "127.0.0.1:80" },
        { "[::1]:80", "[0:0::1]:80" },
        { "[::]:80", "0.0.0.0:80" },
    };
    for (size_t i = 0; i < COUNT_OF(overlaps); i++) {
        const char *a = overlaps[i].first, *b = overlaps[i].second;
        char yaml[256], lines[256];
        snprintf(yaml, sizeof(yaml), ORIGIN "listen: ['%s', '%s']\n", a, b);
        snprintf(lines, sizeof(lines), "t.yaml:2: listen: \"%s\" overlaps with \"%s\"; remove one\n", b, a);
        bad(yaml, lines);
        snprintf(yaml, sizeof(yaml), ORIGIN "listen: '%s'\nadmin: '%s'\n", a, b);
        snprintf(lines, sizeof(lines),
                 "t.yaml:3: admin: \"%s\" overlaps with \"%s\" of listen; choose another address\n", b, a);
        bad(yaml, lines);
    }
    static const struct {
        const char *first, *second;
    } apart[] = {
        { "127.0.0.1:80", "127.0.0.1:81" },
        { "127.0.0.1:80", "127.0.0.2:80" },
        { "0.0.0.0:80", "[::1]:80" },
        { "127.0.0.1:80", "[::1]:80" },
        { ":0", ":0" },
        { "127.0.0.1:0", "127.0.0.1:0" },
        { "unix:/a", "unix:/b" },
        { "unix:/80", "80" },
    };
    for (size_t i = 0; i < COUNT_OF(apart); i++) {
        char yaml[256];
        snprintf(yaml, sizeof(yaml), ORIGIN "listen: ['%s', '%s']\n", apart[i].first, apart[i].second);
        settings_unref(good(yaml));
        snprintf(yaml, sizeof(yaml), ORIGIN "listen: '%s'\nadmin: '%s'\n", apart[i].first, apart[i].second);
        settings_unref(good(yaml));
    }
    bad(ORIGIN "listen: unix:/a\nadmin: unix:/a\n",
        "t.yaml:3: admin: \"unix:/a\" is an address of listen as well; choose another address\n");
    /* Said where it was written: the other may be the default, or behind a flag. */
    bad(ORIGIN "admin: 127.0.0.1:8080\n",
        "t.yaml:2: admin: \"127.0.0.1:8080\" is an address of listen as well; choose another address\n");
    bad(ORIGIN "listen:\n  - :80\n  - :8081\n",
        "t.yaml:4: listen: \":8081\" overlaps with \"127.0.0.1:8081\" of admin; choose another address\n");
    bad_with(ORIGIN "admin: :90\n", (struct flag[]){ { "listen", ":80" }, { "listen", "90" } }, 2,
             "--listen: \"90\" overlaps with \":90\" of admin; choose another address\n");
    bad_with(ORIGIN, (struct flag[]){ { "admin", ":80" }, { "listen", ":80" } }, 2,
             "--admin: \":80\" is an address of listen as well; choose another address\n");
    bad_with(NULL, (struct flag[]){ { "listen", ":80" }, { "listen", ":80" }, { "origin", "http://a" } }, 3,
             "--listen: \":80\" is listed twice; remove one\n");
    settings_unref(good(ORIGIN "listen: 127.0.0.1:8081\nadmin: ''\n"));
    /* Of https too: two sockets would share the port without an error. */
    bad(ORIGIN "https: :8080\n",
        "t.yaml:2: https: \":8080\" overlaps with \"127.0.0.1:8080\" of listen; choose another address\n");
    bad(ORIGIN "https: ['[::1]:8443', 127.0.0.1:8081]\n",
        "t.yaml:2: https: \"127.0.0.1:8081\" overlaps with \"127.0.0.1:8081\" of admin; choose another "
        "address\n");
    bad(ORIGIN "https: [':443', '[::1]:443']\n",
        "t.yaml:2: https: \"[::1]:443\" overlaps with \":443\"; remove one\n");
    /* Who speaks the PROXY protocol. */
    settings_unref(
        good(ORIGIN "https: :443\nproxy_protocol: [':443', 127.0.0.1:8080]\ntrusted_proxies: 10.0.0.1\n"));
    bad(ORIGIN "proxy_protocol: :443\ntrusted_proxies: 10.0.0.1\n",
        "t.yaml:2: proxy_protocol: \":443\" is no address of listen or https; write it as it stands there\n");
    bad(ORIGIN "proxy_protocol: 127.0.0.1:8080\n",
        "t.yaml:2: proxy_protocol: nobody may connect to \"127.0.0.1:8080\", since trusted_proxies is empty; "
        "write the "
        "networks of the proxies there\n");
    /* What is no address is told alone. */
    bad(ORIGIN "listen: x\nadmin: x\n",
        "t.yaml:2: listen: \"x\" is not an address; write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path\n"
        "t.yaml:3: admin: \"x\" is not an address; write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path\n");
}

static void profiles_are_other_defaults(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN "profile: rfc9111\n");
    const struct site_settings *site = &s->sites[0];
    assert_int_equal(site->profile, PROFILE_RFC9111);
    assert_false(site->explicit_only);
    assert_true(site->combine_parts);
    assert_int_equal(site->set_cookie, SET_COOKIE_STORE);
    assert_int_equal(site->query, QUERY_RAW);
    assert_int_equal(site->unkeyed_query, UNKEYED_FORWARD);
    assert_int_equal(site->ignored_params.n, 0);
    assert_true(site->store);
    settings_unref(s);

    s = good(ORIGIN "profile: dev\nexplicit_only: false\n");
    assert_int_equal(s->sites[0].profile, PROFILE_DEV);
    assert_false(s->sites[0].store);
    assert_false(s->sites[0].explicit_only);
    settings_unref(s);

    assert_str(profile_name(PROFILE_ISR), "isr");
    assert_str(profile_name(PROFILE_RFC9111), "rfc9111");
    assert_str(profile_name(PROFILE_DEV), "dev");
}

static void a_setting_is_the_first_layers_that_gives_it(void **state)
{
    (void)state;
    static const char yaml[] = "first_byte_timeout: 20s\n"
                               "set_cookie: strip\n"
                               "profile: rfc9111\n"
                               "origin: http://top.example\n"
                               "sites:\n"
                               "  a:\n"
                               "    hosts: a.example\n"
                               "    first_byte_timeout: 5s\n"
                               "  b:\n"
                               "    hosts: b.example\n"
                               "    profile: dev\n"
                               "    origin: http://b.example\n"
                               "  c:\n"
                               "wait_timeout: 7s\n";
    struct settings *s = good(yaml);
    const struct site_settings *a = settings_site_by_name(s, STR("a")),
                               *b = settings_site_by_name(s, STR("b"));
    const struct site_settings *c = settings_site_by_name(s, STR("c"));
    assert_int_equal(s->sites_n, 3);
    assert_null(settings_site_by_name(s, STR("d")));
    assert_int_equal(a->profile, PROFILE_RFC9111);
    assert_int_equal(b->profile, PROFILE_DEV);
    assert_int_equal(c->profile, PROFILE_RFC9111);
    assert_int_equal(a->first_byte_timeout, 5000);
    assert_int_equal(b->first_byte_timeout, 20000);
    assert_str(a->origin_address.host_name, "top.example");
    assert_str(b->origin_address.host_name, "b.example");
    assert_int_equal(a->set_cookie, SET_COOKIE_STRIP);
    assert_int_equal(b->set_cookie,
                     SET_COOKIE_STRIP); /* what stands at the top counts more than any profile */
    assert_int_equal(a->query, QUERY_RAW);
    assert_int_equal(b->query, QUERY_SORTED);
    assert_int_equal(c->wait_timeout, 7000); /* also when the top goes on behind the sites */
    settings_unref(s);

    static const struct flag flags[] = { { "first-byte-timeout", "1s" },
                                         { "profile", "isr" },
                                         { "first_byte_timeout", "2s" } };
    s = good_with(yaml, flags, 3);
    for (size_t i = 0; i < s->sites_n; i++) {
        assert_int_equal(s->sites[i].profile, PROFILE_ISR);
        assert_int_equal(s->sites[i].first_byte_timeout, 2000); /* of flags the last */
        assert_int_equal(s->sites[i].query, QUERY_SORTED);
    }
    settings_unref(s);
}

static void flags_make_and_replace_lists(void **state)
{
    (void)state;
    static const struct flag flags[] = { { "listen", ":80" },
                                         { "memory", "1G" },
                                         { "listen", ":81" },
                                         { "origin", "http://b" },
                                         { "ignore-query", "" } };
    struct settings *s = good_with(ORIGIN "listen: ':79'\n", flags, 5);
    assert_int_equal(s->process.listen.n, 2);
    assert_str(s->process.listen.v[0], ":80");
    assert_str(s->process.listen.v[1], ":81");
    assert_int_equal(s->process.memory, 1 << 30);
    assert_str(s->sites[0].origin_text, "http://b");
    assert_int_equal(s->sites[0].ignored_params.n, 0);
    settings_unref(s);
}

static void wrong_flags_are_explained(void **state)
{
    (void)state;
    static const char two[] =
        "sites:\n  a: {origin: 'http://a', hosts: a}\n  b: {origin: 'http://b', hosts: b}\n";
    static const struct {
        const char *yaml;
        struct flag flag;
        const char *error;
    } rows[] = {
        { ORIGIN,
          { "memory", "12" },
          "--memory: \"12\" is out of range; allowed is 1M to 1T; did you mean \"12M\"?\n" },
        { ORIGIN, { "listen", "" }, "--listen: is empty; write a value\n" },
        { ORIGIN, { "origin", "" }, "--origin: is empty; write a value\n" },
        { ORIGIN,
          { "token", "a b" },
          "--token: the value holds a space or a character that a header cannot carry; use letters and "
          "digits\n" },
        { ORIGIN,
          { "profile", "x" },
          "--profile: \"x\" is no profile (isr, rfc9111, dev); did you mean \"isr\"?\n" },
        { ORIGIN,
          { "site", "a b" },
          "--site: \"a b\" is not a name for a site; use letters, digits, - _ and . (128 at most)\n" },
        { ORIGIN,
          { "colour", "1" },
          "--colour: unknown setting; the known ones are in docs/CONFIGURATION.md\n" },
        { two, { "origin", "http://c" }, "--origin: the file has 2 sites; change it there\n" },
        { two, { "hosts", "c" }, "--hosts: the file has 2 sites; change it there\n" },
        { two,
          { "site", "a" },
          "--site: the file names its sites itself, under sites:; leave the flag out\n" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf errors = BUF_INIT;
        assert_null(parse_with(rows[i].yaml, &rows[i].flag, 1, &errors));
        buf_add_char(&errors, '\0');
        assert_non_null(text_in(&errors, rows[i].error));
        buf_fini(&errors);
    }
}

static void the_one_site_can_be_named(void **state)
{
    (void)state;
    static const struct flag flag = { "site", "shop" };
    struct settings *s = good_with(ORIGIN, &flag, 1);
    assert_str(s->sites[0].name, "shop");
    settings_unref(s);
}

/* ---- sites ---- */

static void wrong_sites_are_explained(void **state)
{
    (void)state;
    static const char shape[] =
        "sites: is not a block of sites; write below it NAME: and, indented, the site's settings\n";
    char error[256];
    snprintf(error, sizeof(error), "t.yaml:1: %s", shape);
    bad("sites: []\n", error);
    bad("sites: {}\n", error);
    bad("sites:\n", error);
    bad("sites: shop\n", error);
    bad("sites:\n  a: 5\norigin: http://a\n",
        "t.yaml:2: site \"a\" is not a block of settings; indent them below its name\n");
    bad("sites:\n  'a b': {origin: 'http://a'}\n",
        "t.yaml:2: \"a b\" is not a name for a site; use letters, digits, - _ and . (128 at most)\n");
    bad("sites:\n  a: {hosts: x}\n", "t.yaml:2: site \"a\" has no origin; add origin: http://HOST[:PORT]\n");
    bad("sites:\n  a: {origin: 'http://a', hosts: x}\n  a: {origin: 'http://b', hosts: y}\n",
        "t.yaml:3: site \"a\" is there twice, first in line 2; rename one\n");
    bad("sites:\n  a:\n    origin: http://a\n    memory: 1G\n",
        "t.yaml:4: \"memory\" belongs to the whole process; move it to the top of the file\n");
    bad("hosts: x\nsites: {a: {origin: 'http://a'}}\n",
        "t.yaml:1: hosts: stands at the top, for all sites; move it into the site that it names\n");
    bad("sites:\n  a: {origin: 'http://a'}\n  b: {origin: 'http://b'}\n",
        "t.yaml:3: site \"b\" has no hosts, and neither has \"a\" in line 2; only one site can take the "
        "rest\n");
    bad("sites:\n"
        "  a:\n    origin: http://a\n    hosts:\n      - x.example\n      - y.example\n"
        "  b:\n    origin: http://b\n    hosts: [z.example,\n            X.example.]\n",
        "t.yaml:10: host \"x.example\" belongs to site \"a\" already, in line 5; a host has one site\n");
    bad(ORIGIN "hosts: [a.example, b.example, A.example]\n",
        "t.yaml:2: host \"a.example\" is listed twice; remove one\n");
}

static const struct {
    const char *host, *site;
} host_rows[] = {
    { "shop.example", "shop" },
    { "www.shop.example", "shop" },
    { "a.shop.example", "below" },
    { "b.a.shop.example", "below" },
    { "x.deep.shop.example", "deep" },
    { "y.x.deep.shop.example", "deep" },
    { "deep.shop.example", "below" }, /* a pattern does not match its own name */
    { "xshop.example", "rest" },
    { "example", "rest" },
    { "10.0.0.1", "address" },
    { "[::1]", "address" },
    { "", "rest" },
    { ".", "rest" },
    { ".shop.example", "below" },
    { "*.shop.example", "below" },
};

#define HOST_SITES                                                                                           \
    "origin: http://o\n"                                                                                     \
    "sites:\n"                                                                                               \
    "  shop: {hosts: [Shop.Example, www.shop.example.]}\n"                                                   \
    "  below: {hosts: '*.shop.example'}\n"                                                                   \
    "  deep: {hosts: ['*.deep.shop.example', '*.other']}\n"                                                  \
    "  address: {hosts: [10.0.0.1, '[::1]']}\n"

static void a_host_finds_its_site(void **state)
{
    (void)state;
    struct settings *s = good(HOST_SITES "  rest:\n");
    for (size_t i = 0; i < COUNT_OF(host_rows); i++) {
        const struct site_settings *site = settings_site_of_host(s, str_from(host_rows[i].host));
        assert_non_null(site);
        assert_str(site->name, host_rows[i].site);
    }
    settings_unref(s);
    s = good(HOST_SITES);
    for (size_t i = 0; i < COUNT_OF(host_rows); i++) {
        const struct site_settings *site = settings_site_of_host(s, str_from(host_rows[i].host));
        bool known = strcmp(host_rows[i].site, "rest") != 0;
        assert_int_equal(site != NULL, known);
    }
    settings_unref(s);
}

/* ---- query parameters ---- */

static bool is_ignored(const struct site_settings *site, const char *name)
{
    for (size_t i = 0; i < site->ignored_params.n; i++)
        if (str_eq(site->ignored_params.v[i], str_from(name)))
            return true;
    return false;
}

static void tracking_is_a_list(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN "ignore_query: [zz, tracking, ref, fbclid]\n");
    const struct site_settings *site = &s->sites[0];
    assert_int_equal(site->ignored_params.n, 26 + 2);
    assert_true(is_ignored(site, "utm_source"));
    assert_true(is_ignored(site, "igshid"));
    assert_true(is_ignored(site, "fbclid"));
    assert_true(is_ignored(site, "ref"));
    assert_true(is_ignored(site, "zz"));
    assert_false(is_ignored(site, "tracking"));
    for (size_t i = 1; i < site->ignored_params.n; i++)
        assert_true(str_cmp(site->ignored_params.v[i - 1], site->ignored_params.v[i]) < 0);
    settings_unref(s);
    s = good(ORIGIN "ignore_query: ref\n");
    assert_int_equal(s->sites[0].ignored_params.n, 1);
    settings_unref(s);
}

/* ---- cookies ---- */

static bool is_cookie(const struct site_settings *site, const char *name, enum cookie_kind kind)
{
    return cookie_names_find(&site->cookies, str_from(name), kind).n > 0;
}

static void cookies_have_lists(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN "bypass_cookies: [mine, logged-in, \"staff_*\"]\nignore_cookies: []\n");
    const struct site_settings *site = &s->sites[0];
    assert_true(is_cookie(site, "mine", COOKIE_BYPASS) && !is_cookie(site, "mine", COOKIE_IGNORED));
    assert_true(is_cookie(site, "staff_1", COOKIE_BYPASS));
    assert_true(is_cookie(site, "wordpress_logged_in_1", COOKIE_BYPASS));
    assert_false(is_cookie(site, "__prerender_bypass", COOKIE_BYPASS));
    assert_false(is_cookie(site, "logged-in", COOKIE_BYPASS));
    assert_false(is_cookie(site, "_ga_1", COOKIE_IGNORED));
    settings_unref(s);

    s = good(ORIGIN);
    assert_true(is_cookie(&s->sites[0], "__prerender_bypass", COOKIE_BYPASS));
    assert_true(is_cookie(&s->sites[0], "_ga_1", COOKIE_IGNORED));
    settings_unref(s);
    s = good(ORIGIN "profile: rfc9111\n");
    assert_int_equal(s->sites[0].cookies.n, 0);
    settings_unref(s);

    bad(ORIGIN "bypass_cookies: [logged_in]\n",
        "t.yaml:2: bypass_cookies: \"logged_in\" is no cookie; the list is called logged-in\n");
    bad(ORIGIN "bypass_cookies: [\"a*b*\"]\n", "t.yaml:2: bypass_cookies: \"a*b*\" has more than one *\n");
    bad(ORIGIN "ignore_cookies: [\"a=1\"]\n",
        "t.yaml:2: ignore_cookies: \"a=1\" is not the name of a cookie; did you mean \"a\"?\n");
    bad(ORIGIN "asset_prefixes: [assets]\n", "t.yaml:2: asset_prefixes: \"assets\" is no folder of the site; "
                                             "write it with a / at both ends, like /assets/\n");
    bad(ORIGIN "asset_prefixes: [\"/a*/\"]\n", "t.yaml:2: asset_prefixes: \"/a*/\" is not the path of a "
                                               "folder; write it as it stands in the URL, without * and ?\n");
}

static void every_known_cookie_is_a_name(void **state)
{
    (void)state;
    static const struct str known[] = {
#define COOKIE(list, name, whose) STR_INIT(name),
#include "tbl/cookies.h"
#undef COOKIE
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (cookie_names_problem(known[i]))
            fail_msg("%.*s %s", STR_ARG(known[i]), cookie_names_problem(known[i]));
}

/* ---- lists of blocks ---- */

#define SHOP "sites:\n  shop:\n    origin: http://127.0.0.1:1\n    rules:\n"

static void a_list_of_blocks_keeps_fields_and_lines(void **state)
{
    (void)state;
    struct settings *s = good(SHOP "      - path: [/a/*, /b]\n"
                                   "        bypass: true\n"
                                   "      - status: '404'\n"
                                   "        redirect: /x\n"
                                   "        redirect_status: 308\n");
    const struct maps *rules = &s->sites[0].rules;
    assert_int_equal(rules->n, 2);
    assert_int_equal(rules->v[0].line, 5);
    assert_int_equal(rules->v[0].v[RULE_path].list.n, 2);
    assert_str(rules->v[0].v[RULE_path].list.v[1], "/b");
    assert_true(rules->v[0].v[RULE_bypass].yes);
    assert_int_equal(rules->v[0].v[RULE_bypass].line, 6);
    assert_int_equal(rules->v[0].v[RULE_status].line, 0);
    assert_str(rules->v[1].v[RULE_status].list.v[0], "404");
    assert_str(rules->v[1].v[RULE_redirect].text, "/x");
    assert_int_equal(rules->v[1].v[RULE_redirect_status].choice, 2);
    settings_unref(s);
}

static void mistakes_in_a_block_name_line_entry_and_field(void **state)
{
    (void)state;
    bad(SHOP "      - path: /a\n"
             "        bypas: true\n"
             "      - path: /b\n"
             "        bypass: 1\n"
             "        path: /c\n"
             "      - redirect_status: 303\n"
             "        path: []\n"
             "      - /a\n",
        "t.yaml:6: rule 1 of shop: unknown field \"bypas\"; did you mean \"bypass\"?\n"
        "t.yaml:8: rule 2 of shop: bypass: \"1\" is neither true nor false; write one of them\n"
        "t.yaml:9: rule 2 of shop: path: is set twice, first in line 7; remove one\n"
        "t.yaml:10: rule 3 of shop: redirect_status: \"303\" is none of 301/302/308; did you mean \"301\"?\n"
        "t.yaml:11: rule 3 of shop: path: is empty; write a value or remove the line\n"
        "t.yaml:12: rule 4 of shop: is not a block; write NAME: VALUE lines behind the \"-\"\n");
    bad(ORIGIN "rules: /a\n",
        "t.yaml:2: rules: is a list of blocks; write them in the file, each begun with \"- \"\n");
    bad(ORIGIN "rules:\n  path: /a\n",
        "t.yaml:2: rules: is a block; write a list of blocks, each begun with \"- \"\n");
    bad(ORIGIN "rules:\n  - x: 1\n",
        "t.yaml:3: rule 1: unknown field \"x\"; the known ones are in docs/CONFIGURATION.md\n");
}

static void a_list_of_blocks_has_a_limit(void **state)
{
    (void)state;
    struct buf yaml = BUF_INIT, errors = BUF_INIT;
    buf_add(&yaml, STR(ORIGIN "rules:\n"));
    for (int i = 0; i < 201; i++)
        buf_add(&yaml, STR("  - path: /a\n"));
    assert_null(settings_parse(buf_str(&yaml), STR("t.yaml"), NULL, 0, &errors));
    assert_str(buf_str(&errors), "t.yaml:2: rules: 201 entries are too many; at most 200\n");
    buf_fini(&yaml);
    buf_fini(&errors);
}

/* A changed block empties the cache; a moved one does not. */
static void a_reload_compares_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        bool changed;
    } t[] = {
        { ORIGIN "rules:\n  - path: /a\n    bypass: true\n", false },
        { ORIGIN "\n\nrules: [{bypass: true, path: [/a]}]\n", false },
        { ORIGIN "rules: [{bypass: false, path: [/a]}]\n", true },
        { ORIGIN "rules: [{path: [/a]}]\n", true },
        { ORIGIN "rules: [{bypass: true, path: [/a, /b]}]\n", true },
        { ORIGIN "rules: [{bypass: true, path: [/b]}]\n", true },
        { ORIGIN "rules: [{bypass: true, path: [/a]}, {path: /b}]\n", true },
        { ORIGIN, true },
    };
    struct settings *before = good(t[0].yaml);
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        struct settings *after = good(t[i].yaml);
        assert_int_equal(site_settings_store_changed(&before->sites[0], &after->sites[0]), t[i].changed);
        settings_unref(after);
    }
    settings_unref(before);
}

/* ---- snapshots ---- */

static void a_snapshot_lives_until_its_last_user(void **state)
{
    (void)state;
    struct settings *s = good(ORIGIN);
    struct settings *again = settings_ref(s);
    assert_ptr_equal(again, s);
    settings_unref(s);
    assert_str(again->sites[0].name, "default"); /* the address sanitizer would speak */
    settings_unref(again);
}

/* What must be refused, with these words among its lines. */
static void refused_with(const char *yaml, const char *words)
{
    struct buf errors = BUF_INIT;
    struct settings *s = parse_with(yaml, NULL, 0, &errors);
    assert_null(s);
    if (!memmem(errors.p, errors.n, words, strlen(words)))
        fail_msg("%s%.*s", yaml, STR_ARG(buf_str(&errors)));
    buf_fini(&errors);
}

/* A value that differs from both defaults, for each type. */
static const char *other_value(const struct setting *t, char *out, size_t n)
{
    static const char *const by_form[] = {
        [FORM_ANY] = "x",
        [FORM_ADDRESS] = "\":9\"",
        [FORM_NETWORK] = "unix",
        [FORM_HOSTS] = "x.example",
        [FORM_HOST] = "x.example",
        [FORM_ORIGIN] = "http://x",
        [FORM_FIELD] = "X",
        [FORM_TAG_HEADER] = "X",
        [FORM_PARAM] = "x",
        [FORM_PATH] = "/x",
        [FORM_SECRET] = "x",
        [FORM_COOKIE] = "x",
        [FORM_MEDIA_TYPE] = "text/x",
        [FORM_FOLDER] = "/x/",
        [FORM_URL_PATH] = "/x",
        [FORM_USER] = "nobody",
        [FORM_EMAIL] = "a@b",
        [FORM_DIRECTORY] = "staging",
        [FORM_ORIGINS] = "http://x",
        [FORM_SERVER] = "x.example",
    };
    switch (t->type) {
    case TYPE_BOOL: return str_eq(t->initial, STR("true")) ? "false" : "true";
    case TYPE_MAPS:
        return str_eq(t->name, STR("webhooks")) ? "[{path: /x, secret: s, everything: true}]"
                                                : "[{path: /x}]"; /* of health, too */
    case TYPE_TEXT:
    case TYPE_LIST: return by_form[t->form];
    case TYPE_CHOICE: snprintf(out, n, "%s", strrchr(t->words.p, '|') + 1); return out;
    default: snprintf(out, n, "%lld%s", (long long)t->most, t->type == TYPE_TIME ? "ms" : ""); return out;
    }
}

/* However many words a choice has: the message lists them all. */
static void a_wrong_word_is_refused_for_each_choice(void **state)
{
    (void)state;
    static const char *const maps[] = {
        "rules: [{path: /x, %.*s: wrongly}]\n",
        "webhooks: [{path: /x, secret: s, everything: true, %.*s: wrongly}]\n"
    };
    size_t choices = 0;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *t = &setting_table[id];
        if (t->type != TYPE_CHOICE)
            continue;
        char yaml[256];
        snprintf(yaml, sizeof(yaml), ORIGIN "%.*s: wrongly\n", STR_ARG(t->name));
        refused_with(yaml, "wrongly\" is none of ");
        choices++;
    }
    for (size_t k = 0; k < COUNT_OF(maps); k++) {
        const struct shape *shape = &shape_table[k == 0 ? SHAPE_RULE : SHAPE_WEBHOOK];
        for (size_t i = 0; i < shape->n; i++) {
            if (shape->fields[i].type != TYPE_CHOICE)
                continue;
            char line[160], yaml[256];
            snprintf(line, sizeof(line), maps[k], STR_ARG(shape->fields[i].name));
            snprintf(yaml, sizeof(yaml), ORIGIN "%s", line);
            refused_with(yaml, "wrongly\" is none of ");
            choices++;
        }
    }
    assert_true(choices > 8);
}

static void a_site_may_have_several_origins(void **state)
{
    (void)state;
    struct settings *s = good(
        "origin:\n"
        "- http://a\n"
        "- {url: \"http://b:81\", weight: 3}\n"
        "- url: unix:/run/c.sock\n"
        "  backup: true\n"
        "health: {path: /up?x=1, every: 2s, timeout: 1s, fall: 1, rise: 4, expect: [204, 3xx, 401-403]}\n"
        "slow_start: 0\n");
    const struct site_settings *site = &s->sites[0];
    assert_int_equal(site->origin.n, 3);
    assert_str(site->origin_text, "http://a, http://b:81 weight=3, unix:/run/c.sock backup");
    assert_str(site->origin_address.host_name, "a");
    assert_int_equal(site->origin_list[0].weight, 1);
    assert_false(site->origin_list[0].is_backup);
    assert_int_equal(site->origin_list[1].at.port, 81);
    assert_int_equal(site->origin_list[1].weight, 3);
    assert_str(site->origin_list[2].at.local_path, "/run/c.sock");
    assert_true(site->origin_list[2].is_backup);
    const struct health *h = site->checks;
    assert_str(h->path, "/up?x=1");
    assert_int_equal(h->every_ms, 2000);
    assert_int_equal(h->timeout_ms, 1000);
    assert_int_equal(h->fall, 1);
    assert_int_equal(h->rise, 4);
    static const struct {
        int status;
        bool good;
    } rows[] = { { 200, false }, { 204, true }, { 300, true }, { 399, true },
                 { 400, false }, { 401, true }, { 403, true }, { 404, false } };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(health_expects(h, rows[i].status), rows[i].good);
    settings_unref(s);
    /* As one block, and by flags, which are instead of the file's. */
    s = good("origin: {url: http://a, weight: 2}\nhealth: {path: /}\n");
    assert_int_equal(s->sites[0].origin_list[0].weight, 2);
    h = s->sites[0].checks;
    assert_true(h->every_ms == 5000 && h->timeout_ms == 2000 && h->fall == 3 && h->rise == 2);
    assert_true(health_expects(h, 200) && health_expects(h, 301) && !health_expects(h, 404));
    settings_unref(s);
    s = good_with(ORIGIN,
                  (struct flag[]){ { "origin", "http://x" }, { "origin", "http://y backup weight=7" } }, 2);
    assert_str(s->sites[0].origin_text, "http://x, http://y backup weight=7");
    assert_true(s->sites[0].origin_list[1].is_backup && s->sites[0].origin_list[1].weight == 7);
    assert_null(s->sites[0].checks);
    assert_int_equal(s->sites[0].slow_start, 10000);
    settings_unref(s);
}

static void mistakes_in_several_origins(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "origin: [http://a, http://a/]\n",
          "t.yaml:1: origin: \"http://a/\" is there twice; give it a weight instead\n" },
        { "origin: [http://a, http://b:x]\n",
          "t.yaml:1: origin: \"http://b:x\" has no valid port; ports are 1 to 65535\n" },
        { "origin: [http://a weight=0]\n",
          "t.yaml:1: origin: \"http://a weight=0\" has no valid weight; weights are 1 to 100\n" },
        { "origin:\n- http://a\n- {weight: 2}\n", "t.yaml:3: origin 2: url: is missing\n" },
        { "origin:\n- {url: http://a, wieght: 2}\n",
          "t.yaml:2: origin 1: unknown field \"wieght\"; did you mean \"weight\"?\n" },
        { "origin:\n- {url: http://a, weight: 101}\n",
          "t.yaml:2: origin 1: weight: \"101\" is out of range; allowed is 1 to 100\n" },
        { "origin: [{url: http://a, backup: true}]\n",
          "t.yaml:1: origin: all of them are backups; leave it out of those that work always\n" },
        { ORIGIN "health: /up\n",
          "t.yaml:2: health: is a block; write it in the file, NAME: VALUE lines below health:\n" },
        { ORIGIN "health: {every: 2s}\n", "t.yaml:2: health: path: is missing\n" },
        { ORIGIN "health: {path: up}\n",
          "t.yaml:2: health of default: path: \"up\" is no path; write it like /healthz\n" },
        { ORIGIN "health: {path: /a b}\n",
          "t.yaml:2: health of default: path: \"/a b\" is no path; write it like /healthz\n" },
        { ORIGIN "health: {path: /up, expect: [200, 2x, 300-200]}\n",
          "t.yaml:2: health of default: expect: \"2x\" is no status; write 200, 2xx or 200-399\n"
          "t.yaml:2: health of default: expect: \"300-200\" is no status; write 200, 2xx or 200-399\n" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        bad(rows[i][0], rows[i][1]);
    struct buf many = BUF_INIT;
    buf_add(&many, STR("origin:\n"));
    for (int i = 0; i < 17; i++)
        buf_printf(&many, "- http://a%d\n", i);
    buf_add_char(&many, '\0');
    bad(many.p, "t.yaml:1: origin: 17 are too many; at most 16\n");
    buf_fini(&many);
}

/* An origin that comes or goes beside others changes nothing that is stored. */
static void a_reload_keeps_what_one_of_the_origins_made(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool changed;
    } rows[] = {
        { "origin: http://a\n", "origin: http://b\n", true },
        { "origin: http://a\n", "origin: [http://a, http://b]\n", false },
        { "origin: [http://a, http://b]\n", "origin: http://b\n", false },
        { "origin: [http://a, http://b]\n", "origin: [http://b weight=2, http://a]\n", false },
        { "origin: [http://a, http://b]\n", "origin: [http://c, http://d]\n", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings *before = good(rows[i].before), *after = good(rows[i].after);
        assert_int_equal(site_settings_store_changed(&before->sites[0], &after->sites[0]), rows[i].changed);
        settings_unref(before);
        settings_unref(after);
    }
    /* Between two processes the order and the weights do not count. */
    struct settings *a = good("origin: [http://a, http://b]\n"),
                    *b = good("origin: [http://b weight=2, http://a]\n");
    struct buf one = BUF_INIT, other = BUF_INIT;
    site_settings_store_bytes(&a->sites[0], &one);
    site_settings_store_bytes(&b->sites[0], &other);
    assert_true(str_eq(buf_str(&one), buf_str(&other)));
    buf_fini(&one);
    buf_fini(&other);
    settings_unref(a);
    settings_unref(b);
}

static void a_reload_knows_what_changed(void **state)
{
    (void)state;
    struct settings *before = good(ORIGIN), *same = good(ORIGIN);
    struct buf names = BUF_INIT;
    assert_false(site_settings_store_changed(&before->sites[0], &same->sites[0]));
    assert_false(settings_start_changed(before, same, &names));
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *t = &setting_table[id];
        char yaml[256], value[32];
        snprintf(yaml, sizeof(yaml), "%s%.*s: %s\n", id == SETTING_origin ? "" : ORIGIN, STR_ARG(t->name),
                 other_value(t, value, sizeof(value)));
        if (id == SETTING_proxy_protocol) /* one of listen, and somebody who may connect to it */
            strcpy(yaml, ORIGIN "proxy_protocol: 127.0.0.1:8080\ntrusted_proxies: 10.0.0.0/8\n");
        if (id == SETTING_hsts_preload) /* it wants more */
            strcpy(yaml, ORIGIN "hsts_preload: true\nhsts: 365d\nhsts_subdomains: true\n");
        if (id == SETTING_origin_key) /* of something */
            strcpy(yaml, ORIGIN "origin_cert: /x\norigin_key: /x\n");
        struct settings *after = good(yaml);
        bool counts = t->class == CLASS_KEY || t->class == CLASS_STORE;
        assert_int_equal(site_settings_store_changed(&before->sites[0], &after->sites[0]), counts);
        buf_clear(&names);
        assert_int_equal(settings_start_changed(before, after, &names), t->class == CLASS_START);
        assert_true(str_eq(buf_str(&names), t->class == CLASS_START ? t->name : STR_NONE));
        settings_unref(after);
    }
    struct settings *two = good(ORIGIN "memory: 1G\nlisten: ':1'\n");
    buf_clear(&names);
    assert_true(settings_start_changed(before, two, &names));
    assert_str(buf_str(&names), "listen, memory");
    settings_unref(two);
    settings_unref(before);
    settings_unref(same);
    buf_fini(&names);
}

/* ---- webhooks ---- */

static void webhooks_are_read(void **state)
{
    (void)state;
    struct settings *s =
        good(ORIGIN "webhooks:\n"
                    "  - {path: /h, sender: github, secret: s, tags: [\"a-{b.c}\"], soft: true}\n"
                    "  - {path: /i, secret_env: E, header: X-Sig, digest: sha1, coding: base64,"
                    " prefix: \"p=\", everything: true}\n"
                    "  - {path: /j, sender: sanity, secret: s, window: 1m, everything: true}\n");
    const struct webhook *w = s->sites[0].webhook_list;
    assert_int_equal(w[0].sender, SENDER_github);
    assert_int_equal(w[0].tags_n, 1);
    assert_int_equal(w[0].window_ms, 300000);
    assert_true(w[0].soft && !w[0].everything);
    assert_int_equal(w[1].sender, SENDER_generic);
    assert_int_equal(w[1].scheme.how, WEBHOOK_BODY);
    assert_int_equal(w[1].scheme.digest, WEBHOOK_SHA1);
    assert_int_equal(w[1].scheme.coding, WEBHOOK_BASE64);
    assert_true(str_eq(w[1].scheme.field, STR("X-Sig")) && str_eq(w[1].secret_env, STR("E")));
    assert_int_equal(w[2].window_ms, 60000);
    assert_ptr_equal(webhook_at(w, 3, STR("/i")), &w[1]);
    assert_null(webhook_at(w, 3, STR("/i/")));
    settings_unref(s);
}

/* The words of the setting `sender` are the rows of tbl/senders.h, in their order. */
static void each_sender_has_its_word(void **state)
{
    (void)state;
    for (enum sender i = 0; i < SENDER_COUNT; i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml),
                 ORIGIN "webhooks: [{path: /h, sender: %.*s, secret: s, everything: true}]\n",
                 STR_ARG(webhook_sender_name(i)));
        struct settings *s = good(yaml);
        assert_int_equal(s->sites[0].webhook_list[0].sender, i);
        settings_unref(s);
    }
}

static void a_bad_webhook_is_said(void **state)
{
    (void)state;
    bad(ORIGIN "webhooks:\n  - {path: /h, sender: github, everything: true}\n",
        "t.yaml:3: webhook 1 of default: secret: is missing; write secret, secret_file or secret_env\n");
    bad(ORIGIN "webhooks:\n  - {path: /h, secret: s, secret_env: E, everything: true}\n",
        "t.yaml:3: webhook 1 of default: secret: the secret is given twice; leave one of secret, secret_file "
        "and secret_env\n");
    bad(ORIGIN "webhooks:\n  - {path: /h, secret: s}\n",
        "t.yaml:3: webhook 1 of default: tags: is missing; write tags, urls, or everything: true\n");
    bad(ORIGIN "webhooks:\n  - {path: /h, secret: s, tags: [\"{{a}}\"]}\n",
        "t.yaml:3: webhook 1 of default: tags: \"{{a}}\" has two braces; write one, like {sys.id}\n");
    bad(ORIGIN "webhooks:\n  - {path: /h, secret: s, digest: sha1, everything: true}\n",
        "t.yaml:3: webhook 1 of default: digest: needs header: the name of the header that holds it\n");
    bad(ORIGIN "webhooks:\n  - {path: /h, sender: ghost, prefix: x, secret: s, everything: true}\n",
        "t.yaml:3: webhook 1 of default: prefix: is for sender: generic alone; leave it out\n");
    static const char *const passed_over[][2] = {
        { "member: a, header: X, digest: sha1", "t.yaml:3: webhook 1 of default: header: is about a header, "
                                                "and member says that the secret is in the "
                                                "payload; leave one out\n"
                                                "t.yaml:3: webhook 1 of default: digest: is about a header, "
                                                "and member says that the secret is in the "
                                                "payload; leave one out\n" },
        { "member: a, prefix: x", "t.yaml:3: webhook 1 of default: prefix: is about a header, and member "
                                  "says that the secret is in the "
                                  "payload; leave one out\n" },
        { "coding: hex",
          "t.yaml:3: webhook 1 of default: coding: says how a digest is written; add digest, or leave "
          "it out\n" },
        { "window: 1m", "t.yaml:3: webhook 1 of default: window: this sender signs no time; leave it out\n" },
        { "sender: github, window: 1m",
          "t.yaml:3: webhook 1 of default: window: this sender signs no time; leave it out\n" },
    };
    for (size_t i = 0; i < COUNT_OF(passed_over); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml), ORIGIN "webhooks:\n  - {path: /h, secret: s, everything: true, %s}\n",
                 passed_over[i][0]);
        bad(yaml, passed_over[i][1]);
    }
    bad(ORIGIN "webhooks:\n  - {path: /h, secret: s, everything: true}\n  - {path: /h, secret: s, "
               "everything: true}\n",
        "t.yaml:4: webhook 2 of default: path: another webhook of this site has it already\n");
}

/* ---- files ---- */

static void files_are_read(void **state)
{
    (void)state;
    char path[] = "/tmp/freshet-conf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, ORIGIN, sizeof(ORIGIN) - 1), sizeof(ORIGIN) - 1);
    close(fd);
    struct buf errors = BUF_INIT;
    struct settings *s = settings_read(path, NULL, 0, &errors);
    assert_non_null(s);
    assert_str(s->path, path);
    assert_str(s->sites[0].origin_text, "http://127.0.0.1:4321");
    settings_unref(s);
    unlink(path);
    assert_null(settings_read(path, NULL, 0, &errors));
    assert_true(str_starts(buf_str(&errors), str_from(path)));
    assert_true(str_ends(buf_str(&errors), STR(": cannot be read: No such file or directory\n")));
    buf_clear(&errors);
    assert_null(settings_read(NULL, NULL, 0, &errors));
    assert_true(str_starts(buf_str(&errors), STR("--origin: is missing; ")));
    buf_clear(&errors);
    assert_null(settings_read("/tmp", NULL, 0, &errors));
    assert_str(buf_str(&errors), "/tmp: cannot be read: Is a directory\n");
    buf_clear(&errors);
    assert_null(settings_read("/dev/zero", NULL, 0, &errors));
    assert_str(buf_str(&errors), "/dev/zero: larger than 1048576 bytes; this is not a configuration\n");
    buf_fini(&errors);
}

/* The list that browsers come with wants more than the word (hstspreload.org). */
static void preload_wants_the_rest(void **state)
{
    (void)state;
#define PRELOAD                                                                                              \
    "hsts_preload wants hsts of 365d at least and hsts_subdomains: true, else the browsers' list does not "  \
    "take the site; set "
    bad(ORIGIN "hsts: 5m\nhsts_subdomains: true\nhsts_preload: true\n",
        "t.yaml:4: " PRELOAD "hsts: 365d, or leave hsts_preload out\n");
    bad(ORIGIN "hsts: 364d\nhsts_preload: true\n",
        "t.yaml:3: " PRELOAD "hsts: 365d and hsts_subdomains: true, or leave hsts_preload out\n");
    bad(ORIGIN "hsts_preload: true\n",
        "t.yaml:2: " PRELOAD "hsts: 365d and hsts_subdomains: true, or leave hsts_preload out\n");
    bad(ORIGIN "hsts: 365d\nhsts_preload: true\n",
        "t.yaml:3: " PRELOAD "hsts_subdomains: true, or leave hsts_preload out\n");
    struct settings *s = good(ORIGIN "hsts: 365d\nhsts_subdomains: true\nhsts_preload: true\n");
    assert_str(s->sites[0].hsts_value, "max-age=31536000; includeSubDomains; preload");
    settings_unref(s);
    settings_unref(good(ORIGIN "hsts_preload: false\n"));
}

/* Some editors put a byte-order mark before the first name, and end lines with CR LF. */
static void files_of_other_systems(void **state)
{
    (void)state;
    struct settings *s = good("\xef\xbb\xbforigin: http://127.0.0.1:1\r\nmemory: 64M\r\n");
    assert_int_equal(s->process.memory, 64 << 20);
    settings_unref(s);
    bad("\xef\xbb\xbforigin: http://127.0.0.1:1\r\nmemroy: 64M\r\n",
        "t.yaml:2: unknown setting \"memroy\"; did you mean \"memory\"?\n");
    bad("\xef\xbb\xbf", "t.yaml: no origin; add the line origin: http://HOST[:PORT] or give --origin\n");
}

/* ---- did you mean ---- */

static void distances_between_names(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned edits;
    } rows[] = { { "origin", "origin", 0 }, { "orgin", "origin", 1 }, { "oirgin", "origin", 1 },
                 { "ORIGIN", "origin", 0 }, { "a-b", "a_b", 0 },      { "", "abc", 3 },
                 { "abc", "", 3 },          { "abc", "cab", 2 },      { "kitten", "sitting", 3 },
                 { "abcdef", "ghijkl", 5 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(edit_distance(str_from(rows[i].a), str_from(rows[i].b), 4), rows[i].edits);
    char long_name[66];
    memset(long_name, 'a', 65);
    long_name[65] = '\0';
    assert_int_equal(edit_distance(str_from(long_name), str_from(long_name), 2), 3);
    struct nearest n = nearest_to(STR("a"));
    nearest_offer(&n, STR("b"));
    assert_int_equal(n.name.n, 0); /* all of it was changed: nobody meant that */
    n = nearest_to(STR("purg"));
    nearest_offer(&n, STR("help"));
    nearest_offer(&n, STR("purge"));
    nearest_offer(&n, STR("urge"));
    assert_str(n.name, "purge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_tables),
        cmocka_unit_test(values_of_every_type),
        cmocka_unit_test(numbers_hold_to_their_range),
        cmocka_unit_test(numbers_are_written_as_people_do),
        cmocka_unit_test(wrong_values_are_explained),
        cmocka_unit_test(long_and_many_have_limits),
        cmocka_unit_test(files_that_are_no_configuration),
        cmocka_unit_test(large_files_are_refused),
        cmocka_unit_test(unknown_and_repeated_names),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(all_problems_come_at_once_in_order),
        cmocka_unit_test(origins_are_taken_apart),
        cmocka_unit_test(https_origins_are_taken_apart),
        cmocka_unit_test(wrong_origins_are_explained),
        cmocka_unit_test(what_was_meant_is_offered),
        cmocka_unit_test(variables_are_refused),
        cmocka_unit_test(passwords_in_urls_are_not_repeated),
        cmocka_unit_test(limits_that_contradict_are_found),
        cmocka_unit_test(clients_get_what_other_limits_leave),
        cmocka_unit_test(unix_paths_have_a_length),
        cmocka_unit_test(two_listeners_have_two_addresses),
        cmocka_unit_test(profiles_are_other_defaults),
        cmocka_unit_test(a_setting_is_the_first_layers_that_gives_it),
        cmocka_unit_test(flags_make_and_replace_lists),
        cmocka_unit_test(wrong_flags_are_explained),
        cmocka_unit_test(the_one_site_can_be_named),
        cmocka_unit_test(wrong_sites_are_explained),
        cmocka_unit_test(a_host_finds_its_site),
        cmocka_unit_test(tracking_is_a_list),
        cmocka_unit_test(cookies_have_lists),
        cmocka_unit_test(every_known_cookie_is_a_name),
        cmocka_unit_test(a_snapshot_lives_until_its_last_user),
        cmocka_unit_test(a_list_of_blocks_keeps_fields_and_lines),
        cmocka_unit_test(mistakes_in_a_block_name_line_entry_and_field),
        cmocka_unit_test(a_list_of_blocks_has_a_limit),
        cmocka_unit_test(a_reload_compares_blocks),
        cmocka_unit_test(a_wrong_word_is_refused_for_each_choice),
        cmocka_unit_test(a_site_may_have_several_origins),
        cmocka_unit_test(mistakes_in_several_origins),
        cmocka_unit_test(a_reload_keeps_what_one_of_the_origins_made),
        cmocka_unit_test(a_reload_knows_what_changed),
        cmocka_unit_test(webhooks_are_read),
        cmocka_unit_test(each_sender_has_its_word),
        cmocka_unit_test(a_bad_webhook_is_said),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(files_of_other_systems),
        cmocka_unit_test(preload_wants_the_rest),
        cmocka_unit_test(distances_between_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
