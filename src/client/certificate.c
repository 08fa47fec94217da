#include "client/certificate.h"

#include <inttypes.h>
#include <stdlib.h>

#include "client/ask.h"
#include "client/client.h"
#include "client/report.h"
#include "io/background.h"

#define VERB         "certificate"
#define CERTIFICATES "/api/v1/certificates"

#define SAID_NAMES 3
#define DAY_CHARS  10 /* of a time: 2026-11-22 */
#define NAP_US     100000
#define WAIT_LAST  3000 /* naps */

/* ---- lines ---- */

static void print_names(const json_t *names)
{
    size_t n = json_array_size(names);
    for (size_t i = 0; i < n && i < SAID_NAMES; i++) {
        const json_t *name = json_array_get(names, i);
        printf("%s", i ? ", " : "");
        report_safe(stdout, (struct str){ json_string_value(name), json_string_length(name) });
    }
    if (n > SAID_NAMES)
        printf(" and %zu more", n - SAID_NAMES);
    if (n == 0)
        printf("no name");
}

static void print_from(const json_t *c)
{
    struct str source = member_text(c, "source");
    if (str_eq(source, STR("acme"))) {
        printf("by ACME from ");
        report_safe(stdout, member_text(c, "directory"));
    } else if (str_eq(source, STR("file"))) {
        printf("the file ");
        report_safe(stdout, member_text(c, "id"));
    } else {
        printf("of the local authority");
    }
}

static void print_day(const char *before, struct str time)
{
    if (time.n == 0)
        return;
    printf("%s", before);
    report_safe(stdout, str_first(time, DAY_CHARS));
}

static void print_one(const json_t *c)
{
    struct str until = member_text(c, "until");
    print_names(json_object_get(c, "names"));
    printf(": ");
    print_from(c);
    printf("%s", until.n ? "" : ", not there yet");
    print_day(", good until ", until);
    if (until.n)
        print_day(", renewed about ", member_text(c, "renewed"));
    if (member_is(c, "ordering"))
        printf("; an order is under way");
    if (member_is(c, "revoking"))
        printf("; one is being revoked");
    putchar('\n');
}

/* What is wrong has a line of its own. */
static void print_error(const json_t *c)
{
    int64_t failures = member_number(c, "failures");
    printf("  FAILED");
    if (failures)
        printf(" %" PRId64 " time%s", failures, failures == 1 ? "" : "s");
    printf(": ");
    report_safe(stdout, member_text(c, "error"));
    if (member_text(c, "next_try").n) {
        printf("; the next try is at ");
        report_safe(stdout, member_text(c, "next_try"));
    }
    putchar('\n');
}

void certificate_print(const char *label, const json_t *certificates)
{
    for (size_t i = 0; i < json_array_size(certificates); i++) {
        const json_t *c = json_array_get(certificates, i);
        if (label)
            report_label(i ? "" : label);
        print_one(c);
        if (!member_text(c, "error").n)
            continue;
        if (label)
            report_label("");
        print_error(c);
    }
}

/* ---- list ---- */

static int list(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    struct buf text = BUF_INIT;
    int code = ask_admin(d, METHOD_GET, STR(CERTIFICATES), STR_NONE, &answer, &text);
    const json_t *all = json_object_get(answer, "certificates");
    if (code == CLIENT_DONE && cli->json)
        fwrite(text.p, 1, text.n, stdout);
    else if (code == CLIENT_DONE && json_array_size(all) == 0)
        printf("none; the setting https makes freshet ask for them, docs/TLS.md says how\n");
    else if (code == CLIENT_DONE)
        certificate_print(NULL, all);
    json_decref(answer);
    buf_fini(&text);
    return code;
}

/* ---- renew, revoke ---- */

static bool is_of(const json_t *c, struct str name)
{
    const json_t *names = json_object_get(c, "names");
    bool found = str_eq(member_text(c, "id"), name);
    for (size_t i = 0; i < json_array_size(names) && !found; i++)
        found = str_eq_nocase(str_from(json_string_value(json_array_get(names, i))), name);
    return found && str_eq(member_text(c, "source"), STR("acme"));
}

/* NULL: it is there no more. */
static const json_t *find(const json_t *answer, struct str name)
{
    const json_t *all = json_object_get(answer, "certificates");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (is_of(json_array_get(all, i), name))
            return json_array_get(all, i);
    return NULL;
}

static int say_end(const json_t *c, const struct cli *cli)
{
    if (member_text(c, "outcome").n) {
        fprintf(stderr,
                "freshet " VERB ": not %s: ", cli->action == CLI_CERTIFICATE_RENEW ? "renewed" : "revoked");
        report_safe(stderr, member_text(c, "outcome"));
        fputc('\n', stderr);
        return CLIENT_FAILED;
    }
    printf("%s; now there is\n", cli->action == CLI_CERTIFICATE_RENEW ? "renewed" : "revoked and replaced");
    print_one(c);
    return CLIENT_DONE;
}

/* *is_over: nothing more is to be waited for. Returns the exit code. The number is of the process that was
 * asked: one that takes its place goes on with what was begun, and knows no number. */
static int look(const json_t *answer, const struct cli *cli, const json_t *asked, bool *is_over)
{
    const json_t *c = find(answer, cli->name);
    *is_over = true;
    if (member_number(answer, "pid") != member_number(asked, "pid"))
        return report_failure(
            VERB, CLIENT_FAILED,
            "another freshet has taken its place meanwhile; \"freshet certificate list\" shows "
            "whether it goes on with this, else ask again");
    if (!c)
        return report_failure(VERB, CLIENT_FAILED,
                              "the settings have changed meanwhile: no such certificate is wanted any more");
    *is_over = member_number(c, "answered") >= member_number(asked, "asked");
    return *is_over ? say_end(c, cli) : CLIENT_DONE;
}

static int wait(struct door *d, const struct cli *cli, const json_t *asked)
{
    for (int i = 0; i < WAIT_LAST; i++) {
        json_t *answer = NULL;
        bool is_over = true;
        int code = ask_admin(d, METHOD_GET, STR(CERTIFICATES), STR_NONE, &answer, NULL);
        if (code == CLIENT_DONE)
            code = look(answer, cli, asked, &is_over);
        json_decref(answer);
        if (is_over)
            return code;
        background_nap(NAP_US);
    }
    return report_failure(
        VERB, CLIENT_FAILED,
        "nothing has come of it in five minutes; freshet goes on, and \"freshet certificate "
        "list\" shows how");
}

static int ask(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    json_t *o = json_object();
    bool renews = cli->action == CLI_CERTIFICATE_RENEW;
    bool good =
        json_object_set_new(o, "name", json_stringn(cli->name.p, cli->name.n)) == 0 &&
        json_object_set_new(o, "action", json_string(renews ? "renew" : "revoke")) == 0 &&
        (!cli->reason.n || json_object_set_new(o, "reason", json_stringn(cli->reason.p, cli->reason.n)) == 0);
    char *body = good ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!body)
        return report_failure(VERB, CLIENT_WRONG_USAGE, "the name or the reason is not UTF-8");
    int code = ask_admin(d, METHOD_POST, STR(CERTIFICATES), str_from(body), &answer, NULL);
    free(body);
    if (code == CLIENT_DONE)
        code = wait(d, cli, answer);
    json_decref(answer);
    return code;
}

int client_certificate(const struct cli *cli)
{
    struct door d;
    int code = door_find(&d, VERB, cli);
    if (code == CLIENT_DONE)
        code = cli->action == CLI_CERTIFICATE_LIST ? list(&d, cli) : ask(&d, cli);
    door_fini(&d);
    return code;
}
