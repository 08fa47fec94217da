/*
 * The program: which verb, and what it answers to wrong usage. Each verb is a file of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "conf/cli.h"
#include "conf/limits.h"
#include "io/system.h"
#include "io/tls.h"
#include "origin/trust.h"
#include "server/acme.h"
#include "server/load.h"
#include "server/prepare.h"
#include "server/run.h"
#include "server/tls.h"
#include "site/rules.h"

static void print(FILE *to, struct buf *text)
{
    if (text->n)
        fwrite(text->p, 1, text->n, to);
    buf_fini(text);
}

static int help(enum cli_verb verb)
{
    struct buf text = BUF_INIT;
    cli_help(verb, &text);
    print(stdout, &text);
    return 0;
}

/* What would only show when the site is busy. */
static void say_limits(const struct settings *s)
{
    struct buf lines = BUF_INIT;
    limits_check(s, system_raise_files_limit(), &lines);
    for (struct str rest = buf_str(&lines), line; rest.p && (line = str_cut(&rest, '\n')).n;)
        fprintf(stderr, "freshet check: warning: %.*s\n", STR_ARG(line));
    buf_fini(&lines);
}

/* A rule that can never match was meant to do something. */
static void say_rules(const struct settings *s)
{
    struct buf lines = BUF_INIT;
    rules_warn(s, &lines);
    for (struct str rest = buf_str(&lines), line; rest.p && (line = str_cut(&rest, '\n')).n;)
        fprintf(stderr, "freshet check: warning: %.*s\n", STR_ARG(line));
    buf_fini(&lines);
}

/* Returns the exit code. */
static int try_start(const struct settings *s)
{
    struct preparation p = { .settings = s, .only_try = true };
    int code = prepare(&p);
    process_tls_free(p.tls);
    trusts_free(p.trusts);
    process_acme_free(p.acme);
    prepare_fini(&p);
    return code;
}

/* Whatever one stage finds, the next ones look too: all mistakes are told at once. */
static int check(const struct cli *cli)
{
    struct buf errors = BUF_INIT;
    struct settings *s = load_look(cli, &errors);
    int code = s && !s->is_broken ? 0 : settings_errors_name_flag(buf_str(&errors)) ? 2 : 1;
    print(stderr, &errors);
    if (!s)
        return code;
    if (!s->start_is_broken) {
        say_limits(s);
        say_rules(s);
        int wrong = try_start(s);
        code = wrong > code ? wrong : code;
    }
    if (code == 0)
        printf("%s: good, %zu site%s\n", cli->config ? cli->config : "settings", s->sites_n,
               s->sites_n == 1 ? "" : "s");
    settings_unref(s);
    return code;
}

/* What was printed still waits to be written: a full disk is found out here, with the reason of its first
 * error. */
static int finish(int code)
{
    errno = 0;
    bool failed = fflush(stdout) != 0;
    if (!failed && !ferror(stdout))
        return code;
    fprintf(stderr, "freshet: cannot write to standard output: %s\n",
            errno ? strerror(errno) : "an earlier error");
    return code ? code : 1;
}

static int dispatch(const struct cli *cli)
{
    if (cli->help)
        return help(cli->verb);
    switch (cli->verb) {
    case CLI_RUN: return run_verb(cli);
    case CLI_CHECK: return check(cli);
    case CLI_PURGE: return client_purge(cli);
    case CLI_DEPLOY: return client_deploy(cli);
    case CLI_EXPLAIN: return client_explain(cli);
    case CLI_STATUS: return client_status(cli);
    case CLI_TOKEN: return client_token(cli);
    case CLI_CERTIFICATE: return client_certificate(cli);
    case CLI_ORIGIN: return client_origin(cli);
    case CLI_UPGRADE: return client_upgrade(cli);
    case CLI_TRUST: return client_trust(cli);
    case CLI_VERSION: printf("freshet %s\n", FRESHET_VERSION); return 0;
    default: return help(CLI_HELP);
    }
}

int main(int argc, char *argv[])
{
    static char waits[65536]; /* more than any verb prints but a long explain or status */
    struct arena arena;
    struct cli cli;
    struct buf error = BUF_INIT;
    tls_count_memory();
    setvbuf(stdout, waits, _IOFBF, sizeof(waits));
    arena_init(&arena, 4096);
    int code = 2;
    if (cli_parse(argc, argv, &arena, &cli, &error))
        code = dispatch(&cli);
    else
        print(stderr, &error);
    buf_fini(&error);
    arena_fini(&arena);
    return finish(code);
}
