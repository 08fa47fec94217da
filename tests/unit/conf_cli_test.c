// The command line of every verb becomes a value; a mistake becomes one sentence that names the verb and what
// to do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/cli.h"
#include "conf/setting.h"

/* A buffer is not NUL-terminated. */
static const char *text_in(const struct buf *b, const char *text)
{
    return b->n ? memmem(b->p, b->n, text, strlen(text)) : NULL;
}

#define ARGS_MAX 24

struct fixture {
    struct arena arena;
    struct cli cli;
    struct buf error;
    char text[512]; /* the words of the line; the strings of `cli` point into it */
    char *argv[ARGS_MAX];
    int argc;
};

/* "freshet LINE" taken apart at spaces; '_' alone is an empty word, '^' in a word stands for a space. */
static bool parse(struct fixture *f, const char *line)
{
    arena_init(&f->arena, 4096);
    f->error = BUF_INIT;
    f->argc = 0;
    snprintf(f->text, sizeof(f->text), "freshet %s", line);
    for (char *word = strtok(f->text, " "); word; word = strtok(NULL, " ")) {
        assert_true(f->argc < ARGS_MAX);
        if (strcmp(word, "_") == 0)
            *word = '\0';
        for (char *p = word; *p; p++)
            if (*p == '^')
                *p = ' ';
        f->argv[f->argc++] = word;
    }
    bool good = cli_parse(f->argc, f->argv, &f->arena, &f->cli, &f->error);
    assert_int_equal(good, f->error.n == 0);
    return good;
}

static void forget(struct fixture *f)
{
    arena_fini(&f->arena);
    buf_fini(&f->error);
}

static void assert_str(struct str s, const char *expected)
{
    if (!str_eq(s, str_from(expected)))
        print_message("\"%.*s\" instead of \"%s\"\n", STR_ARG(s), expected);
    assert_true(str_eq(s, str_from(expected)));
}

static void good(struct fixture *f, const char *line)
{
    if (!parse(f, line))
        fail_msg("%s: %.*s", line, STR_ARG(buf_str(&f->error)));
}

static void bad(const char *line, const char *sentence)
{
    struct fixture f;
    char expected[256];
    assert_false(parse(&f, line));
    snprintf(expected, sizeof(expected), "%s\n", sentence);
    assert_str(buf_str(&f.error), expected);
    forget(&f);
}

static void assert_override(const struct fixture *f, size_t i, const char *flag, const char *name,
                            const char *value)
{
    assert_true(i < f->cli.overrides_n);
    assert_str(f->cli.overrides[i].flag, flag);
    assert_str(f->cli.overrides[i].name, name);
    assert_str(f->cli.overrides[i].value, value);
}

/* ---- what is right ---- */

static void run_takes_a_file_and_settings(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "run");
    assert_int_equal(f.cli.verb, CLI_RUN);
    assert_null(f.cli.config);
    assert_int_equal(f.cli.overrides_n, 0);
    forget(&f);

    good(&f, "run --listen :80 freshet.yaml --listen=:81 --first-byte-timeout 5s --token= --profile dev "
             "--site shop "
             "--access-log - --workers -1");
    assert_string_equal(f.cli.config, "freshet.yaml");
    assert_int_equal(f.cli.overrides_n, 8);
    assert_override(&f, 0, "--listen", "listen", ":80");
    assert_override(&f, 1, "--listen", "listen", ":81");
    assert_override(&f, 2, "--first-byte-timeout", "first-byte-timeout", "5s");
    assert_override(&f, 3, "--token", "token", "");
    assert_override(&f, 4, "--profile", "profile", "dev");
    assert_override(&f, 5, "--site", "site", "shop");
    assert_override(&f, 6, "--access-log", "access-log", "-");
    assert_override(&f, 7, "--workers", "workers", "-1"); /* what a value means is settings_read's business */
    forget(&f);

    good(&f, "run --origin _ --state=--x");
    assert_override(&f, 0, "--origin", "origin", "");
    assert_override(&f, 1, "--state", "state", "--x");
    forget(&f);
}

static void a_flag_for_true_or_false_stands_alone(void **state)
{
    (void)state;
    struct fixture f;
    good(&f,
         "run --stale-on-error f.yaml --store false --generate-etag true --store-post --combine-parts=maybe "
         "--explicit-only");
    assert_string_equal(f.cli.config, "f.yaml");
    assert_int_equal(f.cli.overrides_n, 6);
    assert_override(&f, 0, "--stale-on-error", "stale-on-error", "true");
    assert_override(&f, 1, "--store", "store", "false");
    assert_override(&f, 2, "--generate-etag", "generate-etag", "true");
    assert_override(&f, 3, "--store-post", "store-post", "true");
    assert_override(&f, 4, "--combine-parts", "combine-parts", "maybe");
    assert_override(&f, 5, "--explicit-only", "explicit-only", "true");
    forget(&f);

    /* Other words for it, and numbers, are no files: the settings say which two there are. */
    static const char *const words[] = { "no", "yes", "off", "On", "0", "1", "False", "TRUE", "3", "10s" };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char line[64], sentence[128];
        struct buf errors = BUF_INIT;
        snprintf(line, sizeof(line), "run f.yaml --store %s", words[i]);
        good(&f, line);
        assert_override(&f, 0, "--store", "store", words[i]);
        assert_null(settings_parse(STR("origin: http://a\n"), STR("t"), f.cli.overrides, 1, &errors));
        snprintf(sentence, sizeof(sentence), "--store: \"%s\" is neither true nor false; write one of them\n",
                 words[i]);
        assert_str(buf_str(&errors), sentence);
        buf_fini(&errors);
        forget(&f);
    }
}

/* What cannot be read later may have been meant for it. */
static void a_file_behind_such_a_flag_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line, *config, *behind;
    } rows[] = {
        { "run --store gzip", "gzip", "--store" },
        { "check --origin a --store f.yaml", "f.yaml", "--store" },
        { "run --store --origin a f.yaml", "f.yaml", "" },
        { "run --store true f.yaml", "f.yaml", "" },
        { "run --store=true f.yaml", "f.yaml", "" },
        { "run f.yaml --store", "f.yaml", "" },
        { "run --store ./3", "./3", "--store" },
        { "run --store 3.yaml", "3.yaml", "--store" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        good(&f, rows[i].line);
        assert_string_equal(f.cli.config, rows[i].config);
        assert_str(f.cli.config_behind, rows[i].behind);
        forget(&f);
    }
}

static void every_setting_is_a_flag_that_the_settings_take(void **state)
{
    (void)state;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        struct fixture f;
        char line[128], flag[64];
        snprintf(flag, sizeof(flag), "--%.*s", STR_ARG(setting_table[id].name));
        for (char *p = flag; *p; p++)
            if (*p == '_')
                *p = '-';
        for (size_t i = 0; i < 2; i++) {
            snprintf(line, sizeof(line), "%s f.yaml %s ?=^x", i ? "check" : "run", flag);
            if (setting_table[id].type == TYPE_BOOL)
                snprintf(line, sizeof(line), "%s f.yaml %s=?=^x", i ? "check" : "run", flag);
            good(&f, line);
            assert_int_equal(f.cli.overrides_n, 1);
            assert_str(f.cli.overrides[0].flag, flag);
            assert_str(f.cli.overrides[0].value, "?= x");
            /* Some take it for a text; none may say that it does not know the flag. */
            struct buf errors = BUF_INIT;
            struct settings *s =
                settings_parse(STR("origin: http://a\n"), STR("t"), f.cli.overrides, 1, &errors);
            assert_true(s || str_starts(buf_str(&errors), str_from(flag)));
            buf_add_char(&errors, '\0');
            assert_null(text_in(&errors, "unknown setting"));
            if (s)
                settings_unref(s);
            buf_fini(&errors);
            forget(&f);
        }
    }
}

static void purge_says_what_and_where(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "purge --tag a --tag=b,c --url http://x/?q=1 --url /y --soft --site shop --admin 127.0.0.1:9 "
             "--token t "
             "--state /s");
    assert_int_equal(f.cli.verb, CLI_PURGE);
    assert_int_equal(f.cli.tags.n, 2);
    assert_str(f.cli.tags.v[0], "a");
    assert_str(f.cli.tags.v[1], "b,c");
    assert_int_equal(f.cli.urls.n, 2);
    assert_str(f.cli.urls.v[0], "http://x/?q=1");
    assert_str(f.cli.urls.v[1], "/y");
    assert_true(f.cli.soft);
    assert_false(f.cli.all);
    assert_str(f.cli.site, "shop");
    assert_str(f.cli.admin, "127.0.0.1:9");
    assert_str(f.cli.token, "t");
    assert_str(f.cli.state, "/s");
    forget(&f);
    good(&f, "purge --all");
    assert_true(f.cli.all);
    assert_false(f.cli.soft);
    assert_int_equal(f.cli.tags.n, 0);
    forget(&f);
}

static void explain_takes_a_url_and_fields(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "explain -H Accept:^text/html http://shop.example/a -HCookie:a=b --header X: --token=t");
    assert_int_equal(f.cli.verb, CLI_EXPLAIN);
    assert_str(f.cli.url, "http://shop.example/a");
    assert_int_equal(f.cli.headers.n, 3);
    assert_str(f.cli.headers.v[0], "Accept: text/html");
    assert_str(f.cli.headers.v[1], "Cookie:a=b");
    assert_str(f.cli.headers.v[2], "X:");
    assert_str(f.cli.token, "t");
    forget(&f);
}

static void origin_lists_and_drains(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "origin list --json --token t");
    assert_int_equal(f.cli.verb, CLI_ORIGIN);
    assert_int_equal(f.cli.action, CLI_ORIGIN_LIST);
    assert_true(f.cli.json);
    forget(&f);
    good(&f, "origin drain http://a:81 --force");
    assert_int_equal(f.cli.action, CLI_ORIGIN_DRAIN);
    assert_str(f.cli.url, "http://a:81");
    assert_true(f.cli.force);
    forget(&f);
    good(&f, "origin undrain unix:/a");
    assert_int_equal(f.cli.action, CLI_ORIGIN_UNDRAIN);
    forget(&f);
    static const char *const lines[][2] = {
        { "origin", "an argument is missing" },
        { "origin stop", "\"stop\" is none; there are list, drain and undrain" },
        { "origin drain", "write which one: origin drain URL" },
        { "origin list http://a", "list shows all of them" },
        { "origin undrain http://a --force", "--force is for \"freshet origin drain\"" },
        { "origin drain http://a --json", "--json is for \"freshet origin list\"" },
        { "origin drain http://a http://b", "one word too many" },
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_false(parse(&f, lines[i][0]));
        if (!text_in(&f.error, lines[i][1]))
            fail_msg("%s: %.*s", lines[i][0], STR_ARG(buf_str(&f.error)));
        forget(&f);
    }
}

static void token_makes_lists_and_revokes(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "token create --scope purge --scope read,admin --site shop --expires 90d --name ci --token t");
    assert_int_equal(f.cli.verb, CLI_TOKEN);
    assert_int_equal(f.cli.action, CLI_TOKEN_CREATE);
    assert_int_equal(f.cli.scopes.n, 2);
    assert_str(f.cli.scopes.v[1], "read,admin");
    assert_int_equal(f.cli.sites.n, 1);
    assert_str(f.cli.sites.v[0], "shop");
    assert_str(f.cli.expires, "90d");
    assert_str(f.cli.name, "ci");
    forget(&f);
    good(&f, "token list --json");
    assert_int_equal(f.cli.action, CLI_TOKEN_LIST);
    forget(&f);
    good(&f, "token revoke ci");
    assert_int_equal(f.cli.action, CLI_TOKEN_REVOKE);
    assert_str(f.cli.name, "ci");
    forget(&f);
    good(&f, "certificate list --json");
    assert_int_equal(f.cli.action, CLI_CERTIFICATE_LIST);
    forget(&f);
    good(&f, "certificate revoke a.example --reason keyCompromise");
    assert_int_equal(f.cli.action, CLI_CERTIFICATE_REVOKE);
    assert_str(f.cli.name, "a.example");
    assert_str(f.cli.reason, "keyCompromise");
    forget(&f);
    static const char *const lines[][2] = {
        { "token", "an argument is missing" },
        { "token make", "\"make\" is none; there are create, list and revoke" },
        { "token create", "--name is missing" },
        { "token create --name ci", "--scope is missing" },
        { "token create ci --scope read", "write --name ci" },
        { "token list ci", "list shows all of them" },
        { "token list --scope read", "list shows all of them" },
        { "token revoke", "write which one" },
        { "token revoke ci --site shop", "write which one, and nothing else" },
        { "token revoke ci --json", "--json is for" },
        { "token revoke ci cd", "one word too many" },
        { "token renew ci", "\"renew\" is none; there are create, list and revoke" },
        { "certificate", "an argument is missing" },
        { "certificate create", "\"create\" is none; there are list, renew and revoke" },
        { "certificate list a.example", "list shows all of them" },
        { "certificate renew", "write which one: certificate renew HOST" },
        { "certificate revoke", "write which one: certificate revoke HOST" },
        { "certificate renew a.example b", "one word too many" },
        { "certificate renew a.example --reason superseded", "--reason is for" },
        { "certificate revoke a.example --json", "--json is for" },
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_false(parse(&f, lines[i][0]));
        if (!text_in(&f.error, lines[i][1]))
            fail_msg("%s: %.*s", lines[i][0], STR_ARG(buf_str(&f.error)));
        forget(&f);
    }
}

static void the_other_verbs(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "status");
    assert_int_equal(f.cli.verb, CLI_STATUS);
    assert_false(f.cli.json);
    forget(&f);
    good(&f, "status --json --admin unix:/run/admin.sock");
    assert_true(f.cli.json);
    assert_str(f.cli.admin, "unix:/run/admin.sock");
    forget(&f);
    static const char *const doors[] = { "[::1]:80", "localhost:8081", "http://127.0.0.1:8081/",
                                         "HTTP://inside.example" };
    for (size_t i = 0; i < COUNT_OF(doors); i++) {
        char line[64];
        snprintf(line, sizeof(line), "status --admin %s", doors[i]);
        good(&f, line);
        assert_str(f.cli.admin, doors[i]);
        forget(&f);
    }
    good(&f, "check f.yaml --memory 1G");
    assert_int_equal(f.cli.verb, CLI_CHECK);
    assert_string_equal(f.cli.config, "f.yaml");
    assert_int_equal(f.cli.overrides_n, 1);
    forget(&f);
    good(&f, "run -- --odd-name.yaml");
    assert_string_equal(f.cli.config, "--odd-name.yaml");
    forget(&f);
    static const struct {
        const char *line;
        enum cli_verb verb;
        bool help;
    } rows[] = {
        { "version", CLI_VERSION, false },   { "--version", CLI_VERSION, false },
        { "help", CLI_HELP, false },         { "--help", CLI_HELP, false },
        { "-h", CLI_HELP, false },           { "help purge", CLI_PURGE, true },
        { "purge --help", CLI_PURGE, true }, { "explain -h", CLI_EXPLAIN, true },
        { "check --help", CLI_CHECK, true }, { "run f.yaml --help", CLI_RUN, true },
        { "version -h", CLI_VERSION, true }, { "help help", CLI_HELP, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        good(&f, rows[i].line);
        assert_int_equal(f.cli.verb, rows[i].verb);
        assert_int_equal(f.cli.help, rows[i].help);
        forget(&f);
    }
}

/* ---- what is wrong ---- */

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        { "", "freshet: a verb is missing; \"freshet help\" lists them, \"freshet run --origin URL\" serves "
              "a site" },
        { "_", "freshet: unknown verb \"\"; \"freshet help\" lists them" },
        { "prge --all", "freshet: unknown verb \"prge\"; did you mean \"purge\"?" },
        { "frobnicate", "freshet: unknown verb \"frobnicate\"; \"freshet help\" lists them" },
        { "--origin http://a", "freshet: a verb comes before \"--origin\"; did you mean \"freshet run\"?" },
        { "freshet.yaml", "freshet: a verb comes before \"freshet.yaml\"; did you mean \"freshet run\"?" },
        { "help prge", "freshet help: unknown verb \"prge\"; did you mean \"purge\"?" },
        { "run a b",
          "freshet run: \"b\" is one word too many; usage: freshet run [CONFIG] [--SETTING VALUE]..." },
        { "run http://127.0.0.1:3000", "freshet run: \"http://127.0.0.1:3000\" is an origin, not a file; "
                                       "write --origin http://127.0.0.1:3000" },
        { "run freshet.yaml https://a.example",
          "freshet run: \"https://a.example\" is an origin, not a file; write --origin https://a.example" },
        { "run UNIX:/run/site.sock", "freshet run: \"UNIX:/run/site.sock\" is an origin, not a file; write "
                                     "--origin UNIX:/run/site.sock" },
        { "run localhost:3000",
          "freshet run: \"localhost:3000\" is an origin, not a file; write --origin http://localhost:3000" },
        { "check http://a", "freshet check: \"http://a\" is an origin, not a file; write --origin http://a" },
        { "purge http://a/b", "freshet purge: \"http://a/b\" is a URL; write --url http://a/b" },
        { "run _", "freshet run: an empty argument; usage: freshet run [CONFIG] [--SETTING VALUE]..." },
        { "run --frist-byte-timeout 5s",
          "freshet run: unknown flag \"--frist-byte-timeout\"; did you mean \"--first-byte-timeout\"?" },
        { "run --profil dev", "freshet run: unknown flag \"--profil\"; did you mean \"--profile\"?" },
        { "run --colour red", "freshet run: unknown flag \"--colour\"; \"freshet run --help\" lists them" },
        { "run --tag x", "freshet run: unknown flag \"--tag\"; did you mean \"--tags\"?" },
        { "run -x", "freshet run: unknown flag \"-x\"; \"freshet run --help\" lists them" },
        { "run -H a:b", "freshet run: unknown flag \"-H\"; \"freshet run --help\" lists them" },
        { "run -listen :80", "freshet run: unknown flag \"-listen\"; did you mean \"--listen\"?" },
        { "run --origin", "freshet run: --origin needs a value; write --origin VALUE" },
        { "run --origin --memory 1G",
          "freshet run: --origin needs a value; write --origin VALUE, or =VALUE when it begins with --" },
        { "run --help=x", "freshet run: unknown flag \"--help\"; \"freshet run --help\" lists them" },
        { "check a b",
          "freshet check: \"b\" is one word too many; usage: freshet check [CONFIG] [--SETTING VALUE]..." },
        { "purge", "freshet purge: nothing to purge; say what with --tag, --url, --prefix or --all" },
        { "purge --soft --site a",
          "freshet purge: nothing to purge; say what with --tag, --url, --prefix or --all" },
        { "purge --all --tag a",
          "freshet purge: --all is the whole site; leave out --all, or --tag, --url and --prefix" },
        { "purge --all --url a",
          "freshet purge: --all is the whole site; leave out --all, or --tag, --url and --prefix" },
        { "purge --all=1", "freshet purge: --all takes no value; leave out what is behind the =" },
        { "purge --all=", "freshet purge: --all takes no value; leave out what is behind the =" },
        { "purge --all yes", "freshet purge: --all takes no value; leave out \"yes\"" },
        { "purge --soft 1 --all", "freshet purge: --soft takes no value; leave out \"1\"" },
        { "status --json true", "freshet status: --json takes no value; leave out \"true\"" },
        { "run a --compress b",
          "freshet run: \"b\" is one word too many; usage: freshet run [CONFIG] [--SETTING VALUE]..." },
        { "purge --tag _", "freshet purge: --tag is empty; write a value or leave it out" },
        { "purge --tag=", "freshet purge: --tag is empty; write a value or leave it out" },
        { "purge a", "freshet purge: \"a\" is one word too many; usage: freshet purge [--tag T]... [--url "
                     "U]... [--prefix P]... [--all] [--soft] [--site S]" },
        { "purge --memory 1G",
          "freshet purge: unknown flag \"--memory\"; \"freshet purge --help\" lists them" },
        { "purge --all --admin here", "freshet purge: --admin: \"here\" is not an address; did you "
                                      "mean \"here:8081\"?" },
        { "purge --all --admin https://here/", "freshet purge: --admin: \"https://here/\" is not an address; "
                                               "did you mean \"here:8081\"?" },
        { "status --admin here:0", "freshet status: --admin: \"here:0\" is not an address; "
                                   "write ADDR:PORT, http://HOST:PORT or unix:/path" },
        { "purge --all --token a^b", "freshet purge: --token: the value holds a space or a character that a "
                                     "header cannot carry; use letters and digits" },
        { "purge --all --state ~/x",
          "freshet purge: --state: \"~/x\" starts with ~, which nothing expands here; write the whole path" },
        { "explain",
          "freshet explain: an argument is missing; usage: freshet explain URL [-H 'Name: value']..." },
        { "explain a b",
          "freshet explain: \"b\" is one word too many; usage: freshet explain URL [-H 'Name: value']..." },
        { "explain a -H", "freshet explain: -H needs a value; write -H VALUE" },
        { "explain a -H b", "freshet explain: -H: \"b\" is not a header field; write 'NAME: VALUE'" },
        { "explain a --header a^b:c",
          "freshet explain: --header: \"a b:c\" is not a header field; write 'NAME: VALUE'" },
        { "status --jsn", "freshet status: unknown flag \"--jsn\"; did you mean \"--json\"?" },
        { "status now", "freshet status: \"now\" is one word too many; usage: freshet status [--json]" },
        { "version 2", "freshet version: \"2\" is one word too many; usage: freshet version" },
#ifndef FRESHET_CONTROL
        { "run --control /x", "freshet run: unknown flag \"--control\"; \"freshet run --help\" lists them" },
#endif
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        bad(rows[i].line, rows[i].sentence);
}

/* What people type who know another program: the sentence says what it is here, with a value that can be
 * copied. */
static void what_other_programs_call_it_is_translated(void **state)
{
    (void)state;
    static const struct {
        const char *line, *has;
    } rows[] = {
        { "reload", "freshet: \"reload\" is no verb; SIGHUP makes it read its configuration again: kill -HUP "
                    "$(pidof freshet)" },
        { "stop", "kill $(pidof freshet)" },
        { "restart", "stop it with SIGTERM" },
        { "reopen", "kill -USR1 $(pidof freshet)" },
        { "list", "\"freshet explain URL\"" },
        { "flush", "\"freshet purge --all\"" },
        { "ban", "\"freshet purge --all\"" },
        { "serve", "\"freshet run --origin URL\"" },
        { "start --origin http://a", "freshet: \"start\" is no verb; \"freshet run --origin URL\"" },
        { "START", "\"freshet run --origin URL\"" },
        { "configtest freshet.yaml", "\"freshet check CONFIG\"" },
        { "stats", "\"freshet status\"" },
        { "help reload", "freshet help: \"reload\" is no verb" },
        { "run --port 3000", "freshet run: \"--port\" is no flag of freshet; write --listen 127.0.0.1:3000" },
        { "run --port=3000", "write --listen 127.0.0.1:3000" },
        { "run -p 80", "write --listen 127.0.0.1:80" },
        { "run --port", "write --listen 127.0.0.1:8080" },
        { "run --port --origin http://a", "write --listen 127.0.0.1:8080" },
        { "run --bind 0.0.0.0", "write --listen 0.0.0.0:8080" },
        { "run --upstream localhost:3000", "write --origin http://localhost:3000" },
        { "check --backend 3000", "freshet check: \"--backend\" is no flag of freshet; write --origin "
                                  "http://127.0.0.1:3000" },
        { "run -c freshet.conf", "the file stands without one: freshet run freshet.conf" },
        { "run --config=my.yaml", "freshet run my.yaml" },
        { "run --config", "freshet run freshet.yaml" },
        { "check -c my.yaml", "the file stands without one: freshet check my.yaml" },
        /* Before a verb, too. */
        { "--port 3000",
          "freshet: \"--port\" is no flag of freshet; write freshet run --listen 127.0.0.1:3000" },
        { "--port=3000", "freshet: \"--port\" is no flag of freshet; write freshet run --listen "
                         "127.0.0.1:3000" },
        { "-p 3000 run", "write freshet run --listen 127.0.0.1:3000" },
        { "-c my.yaml", "freshet: \"-c\" is no flag of freshet; the file stands without one: freshet run "
                        "my.yaml" },
        { "--config my.yaml", "the file stands without one: freshet run my.yaml" },
        { "--config=my.yaml", "the file stands without one: freshet run my.yaml" },
        { "--config", "freshet run freshet.yaml" },
        { "--upstream 3000", "write freshet run --origin http://127.0.0.1:3000" },
        { "--debug", "freshet: \"--debug\" is no flag of freshet; \"freshet explain URL\"" },
        { "--daemon", "stays in the foreground" },
        { "run --cache-size 1g", "write --memory 256M" },
        { "run --threads 4", "write --workers 4" },
        { "run --log /var/log/a", "write --access-log /var/log/a" },
        { "run --debug", "\"freshet explain URL\"" },
        { "run -v", "\"freshet version\" prints the version" },
        { "purge --verbose --all", "\"freshet explain URL\"" },
        { "run -V", "write freshet --version" },
        { "status --version", "write freshet --version" },
        { "run -t", "\"freshet check CONFIG\"" },
        { "run --daemon", "stays in the foreground" },
        { "run -u www", "takes --user NAME" },
        { "run --ssl x", "write --https :443 --cert FILE --key FILE" },
        { "status --port 9000",
          "freshet status: \"--port\" is no flag of freshet; write --admin 127.0.0.1:9000" },
        { "purge --config x", "freshet purge: unknown flag \"--config\"" },
        { "explain http://a/ --debug", "\"freshet explain URL\"" },
        { "purge --all --admin 8081/", "did you mean" },
        { "purge --all --admin localhost", "did you mean \"127.0.0.1:8081\"?" },
        { "purge --all --token ${TOKEN}",
          "freshet purge: --token: the value is the name of a variable, which nothing expands here" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        if (parse(&f, rows[i].line))
            fail_msg("%s: taken", rows[i].line);
        if (!text_in(&f.error, rows[i].has))
            fail_msg("%s: %.*s", rows[i].line, STR_ARG(buf_str(&f.error)));
        forget(&f);
    }
}

static void there_are_four_ways_to_ask_for_the_version(void **state)
{
    (void)state;
    static const char *const lines[] = { "version", "--version", "-V", "-v" };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct fixture f;
        good(&f, lines[i]);
        assert_int_equal(f.cli.verb, CLI_VERSION);
        forget(&f);
    }
}

static void a_strangers_bytes_stay_on_one_line(void **state)
{
    (void)state;
    bad("run --\x01\n\x7f=1", "freshet run: unknown flag \"--???\"; \"freshet run --help\" lists them");
}

#ifdef FRESHET_CONTROL
static void test_builds_take_a_control_socket(void **state)
{
    (void)state;
    struct fixture f;
    good(&f, "run --control /tmp/c.sock");
    assert_str(f.cli.control, "/tmp/c.sock");
    assert_int_equal(f.cli.overrides_n, 0);
    forget(&f);
}
#endif

/* ---- help ---- */

static void help_names_every_flag(void **state)
{
    (void)state;
    static const struct {
        enum cli_verb verb;
        const char *has[8];
    } rows[] = {
        { CLI_HELP,
          { "freshet run [CONFIG]", "freshet purge", "freshet explain URL", "freshet status",
            "freshet check [CONFIG]", "freshet version", "freshet help [VERB]",
            "0 done, 1 failed, 2 wrong usage" } },
        { CLI_RUN,
          { "usage: freshet run [CONFIG]", "\n  --origin URL...\n", "--listen ADDRESS...", "Default: 256M.",
            "--profile isr|rfc9111|dev", "--site NAME", "--store [true|false]", "--help, -h" } },
        { CLI_PURGE,
          { "\n  --tag TAG\n", "\n  --url URL\n", "\n  --all\n", "\n  --soft\n", "\n  --site NAME\n",
            "\n  --admin ADDRESS\n", "FRESHET_TOKEN", "\n  --state FOLDER\n" } },
        { CLI_DEPLOY,
          { "\n  --id ID\n", "\n  --warm WHAT\n", "--rollback", "Default: the setting keep_assets" } },
        { CLI_EXPLAIN, { "\n  --header, -H 'NAME: VALUE'\n", "--admin", "--token" } },
        { CLI_STATUS, { "\n  --json\n", "--admin", "--token" } },
        { CLI_TOKEN,
          { "usage: freshet token create", "\n  --name NAME\n", "\n  --scope SCOPE\n", "\n  --site NAME\n",
            "\n  --expires TIME\n", "\n  --json\n", "--token" } },
        { CLI_CHECK, { "usage: freshet check [CONFIG]", "--memory SIZE" } },
        { CLI_VERSION, { "usage: freshet version\n" } },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf help = BUF_INIT;
        cli_help(rows[i].verb, &help);
        buf_add_char(&help, '\0');
        for (size_t j = 0; j < COUNT_OF(rows[i].has) && rows[i].has[j]; j++)
            if (!text_in(&help, rows[i].has[j]))
                fail_msg("the help of verb %zu lacks \"%s\"", i, rows[i].has[j]);
        for (struct str rest = { help.p, help.n - 1 }; rest.p;)
            assert_true(str_cut(&rest, '\n').n <= 110);
        buf_fini(&help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_takes_a_file_and_settings),
        cmocka_unit_test(a_flag_for_true_or_false_stands_alone),
        cmocka_unit_test(a_file_behind_such_a_flag_is_told_apart),
        cmocka_unit_test(every_setting_is_a_flag_that_the_settings_take),
        cmocka_unit_test(purge_says_what_and_where),
        cmocka_unit_test(explain_takes_a_url_and_fields),
        cmocka_unit_test(origin_lists_and_drains),
        cmocka_unit_test(token_makes_lists_and_revokes),
        cmocka_unit_test(the_other_verbs),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(what_other_programs_call_it_is_translated),
        cmocka_unit_test(there_are_four_ways_to_ask_for_the_version),
        cmocka_unit_test(a_strangers_bytes_stay_on_one_line),
#ifdef FRESHET_CONTROL
        cmocka_unit_test(test_builds_take_a_control_socket),
#endif
        cmocka_unit_test(help_names_every_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
