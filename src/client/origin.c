#include "client/client.h"

#include <stdlib.h>

#include "client/ask.h"
#include "client/report.h"

#define VERB    "origin"
#define ORIGINS "/api/v1/origins"

/* ---- list ---- */

static void print_checks(const json_t *o)
{
    const json_t *c = json_object_get(o, "checks");
    if (!c)
        return;
    printf("; checks: %lld good, %lld failed", (long long)member_number(c, "good"),
           (long long)member_number(c, "bad"));
    if (member_number(c, "last_status"))
        printf(", the last with status %lld", (long long)member_number(c, "last_status"));
    if (member_text(c, "last_reason").n) {
        printf(", the last: ");
        report_safe(stdout, member_text(c, "last_reason"));
    }
}

static void print_origin(const json_t *o)
{
    printf("  ");
    report_safe(stdout, member_text(o, "url"));
    printf(": ");
    report_safe(stdout, member_text(o, "state"));
    if (member_is(o, "backup"))
        printf(", backup");
    if (member_number(o, "weight") != 1)
        printf(", weight %lld", (long long)member_number(o, "weight"));
    printf("; %lld outstanding%s, ", (long long)member_number(o, "outstanding"),
           member_number(o, "http2_connections") > 0 ? " (HTTP/2)" : "");
    report_count(member_number(o, "answered"), "answer, ", "answers, ");
    report_count(member_number(o, "failed"), "failure", "failures");
    print_checks(o);
    putchar('\n');
}

static void print_list(const json_t *sites)
{
    for (size_t i = 0; i < json_array_size(sites); i++) {
        const json_t *site = json_array_get(sites, i), *origins = json_object_get(site, "origins");
        report_safe(stdout, member_text(site, "name"));
        printf(":\n");
        for (size_t k = 0; k < json_array_size(origins); k++)
            print_origin(json_array_get(origins, k));
    }
}

static int list(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    struct buf text = BUF_INIT;
    int code = ask_admin(d, METHOD_GET, STR(ORIGINS), STR_NONE, &answer, &text);
    if (code == CLIENT_DONE && cli->json)
        fwrite(text.p, 1, text.n, stdout);
    else if (code == CLIENT_DONE)
        print_list(json_object_get(answer, "sites"));
    json_decref(answer);
    buf_fini(&text);
    return code;
}

/* ---- drain ---- */

static void print_drained(const json_t *answer)
{
    bool drained = member_is(answer, "drained"), changed = member_is(answer, "changed");
    long long outstanding = (long long)member_number(answer, "outstanding");
    report_safe(stdout, member_text(answer, "origin"));
    printf(" %s %sdrained", changed ? "is" : "was already", drained ? "" : changed ? "no more " : "not ");
    if (drained && outstanding)
        printf(": it gets nothing new, and has %lld to end", outstanding);
    else if (drained)
        printf(": it gets nothing new, and has nothing to do");
    putchar('\n');
    if (!member_is(answer, "durable"))
        fprintf(stderr,
                "freshet " VERB ": this is not on disk (freshet's log says why): a restart forgets it\n");
}

/* NULL: the URL is not UTF-8. */
static char *make_body(const struct cli *cli)
{
    json_t *o = json_object();
    bool good = json_object_set_new(o, "origin", json_stringn(cli->url.p, cli->url.n)) == 0;
    if (cli->force)
        good &= json_object_set_new(o, "force", json_true()) == 0;
    char *text = good ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static int drain(struct door *d, const struct cli *cli, bool drained)
{
    json_t *answer = NULL;
    char *body = make_body(cli);
    if (!body)
        return report_failure(VERB, CLIENT_WRONG_USAGE, "the URL is not UTF-8");
    int code = ask_admin(d, METHOD_POST, drained ? STR(ORIGINS "/drain") : STR(ORIGINS "/undrain"),
                         str_from(body), &answer, NULL);
    if (code == CLIENT_DONE)
        print_drained(answer);
    json_decref(answer);
    free(body);
    return code;
}

int client_origin(const struct cli *cli)
{
    struct door d;
    int code = door_find(&d, VERB, cli);
    if (code == CLIENT_DONE)
        code =
            cli->action == CLI_ORIGIN_LIST ? list(&d, cli) : drain(&d, cli, cli->action == CLI_ORIGIN_DRAIN);
    door_fini(&d);
    return code;
}
