#include "client/client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask.h"
#include "client/build.h"
#include "client/report.h"
#include "conf/number.h"
#include "io/system.h"

#define FILE_MAX  ((size_t)1 << 20) /* of a file with pages */
#define WAIT_MS   ((int64_t)10000)  /* the server's own, when nothing is said */
#define WARM_MS   ((int64_t)60000)
#define BESIDE_MS ((int64_t)15000) /* what a deploy takes beside both */

static bool add_text(json_t *to, const char *name, struct str value)
{
    return value.n == 0 || json_object_set_new(to, name, json_stringn(value.p, value.n)) == 0;
}

static bool is_kind(struct str what)
{
    return str_eq(what, STR("sitemap")) || str_starts(what, STR("sitemap:")) || str_starts(what, STR("top:"));
}

/* Each line is a page; empty ones, and those that begin with #, are none. */
static int add_lines(json_t *pages, struct str text)
{
    for (struct str rest = text; rest.p && rest.n;) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (json_array_append_new(pages, json_stringn(line.p, line.n)) < 0)
            return CLIENT_WRONG_USAGE;
    }
    return CLIENT_DONE;
}

static int add_file(json_t *pages, struct str name)
{
    char path[PATH_MAX];
    struct buf text = BUF_INIT;
    if (name.n >= sizeof(path))
        return report_failure("deploy", CLIENT_WRONG_USAGE, "--warm: the file's name is too long");
    *str_put(path, name) = '\0';
    int status = system_read_file(path, FILE_MAX, &text), code;
    if (status < 0)
        code = report_failure("deploy", CLIENT_WRONG_USAGE,
                              "--warm %s: cannot be read: %s; write sitemap, top:N, or a file with a path on "
                              "each line",
                              path, system_strerror(status));
    else if ((code = add_lines(pages, buf_str(&text))) != CLIENT_DONE)
        report_failure("deploy", code, "--warm %s: it is not UTF-8", path);
    buf_fini(&text);
    return code;
}

static int add_warm(json_t *to, const struct strs *warm)
{
    json_t *pages = json_array();
    int code = CLIENT_DONE;
    for (size_t i = 0; i < warm->n && code == CLIENT_DONE; i++)
        if (!is_kind(warm->v[i]))
            code = add_file(pages, warm->v[i]);
        else if (json_array_append_new(pages, json_stringn(warm->v[i].p, warm->v[i].n)) < 0)
            code = report_failure("deploy", CLIENT_WRONG_USAGE, "--warm: it is not UTF-8");
    json_object_set_new(to, "warm", pages);
    return code;
}

static int add_assets(json_t *to, const struct strs *folders)
{
    json_t *paths = json_array();
    struct buf error = BUF_INIT;
    int code = CLIENT_DONE;
    for (size_t i = 0; i < folders->n && code == CLIENT_DONE; i++)
        if (!build_list(folders->v[i], paths, &error))
            code = report_failure("deploy", CLIENT_WRONG_USAGE, "--assets %.*s", STR_ARG(buf_str(&error)));
    buf_fini(&error);
    json_object_set_new(to, "assets", paths);
    return code;
}

/* Sets *out to the JSON of the question, which the caller frees. */
static int make_body(const struct cli *cli, char **out)
{
    json_t *o = json_object();
    bool good = add_text(o, "site", cli->site) && add_text(o, "id", cli->id) &&
                add_text(o, "origin", cli->origin) && add_text(o, "check", cli->check) &&
                add_text(o, "wait", cli->wait) && add_text(o, "warm_time", cli->warm_time) &&
                add_text(o, "keep", cli->keep) && add_text(o, "url", cli->base);
    int code =
        good ? CLIENT_DONE : report_failure("deploy", CLIENT_WRONG_USAGE, "a value of a flag is not UTF-8");
    if (code == CLIENT_DONE && cli->warm.n)
        code = add_warm(o, &cli->warm);
    if (code == CLIENT_DONE && cli->assets.n)
        code = add_assets(o, &cli->assets);
    if (cli->rollback)
        json_object_set_new(o, "rollback", json_true());
    *out = code == CLIENT_DONE ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return code;
}

/* How long the server may take; what it does not take for a time it refuses at once. */
static int64_t time_of(struct str text, int64_t otherwise)
{
    int64_t ms;
    return text.n && number_parse(TYPE_TIME, text, &ms) && ms <= INT32_MAX ? ms : otherwise;
}

static void print_count(const char *name, const json_t *count, bool is_over)
{
    int64_t wanted = member_number(count, "wanted"), failed = member_number(count, "failed");
    if (wanted == 0)
        return;
    report_label(name);
    printf("%lld of %lld fetched", (long long)member_number(count, "done"), (long long)wanted);
    if (failed)
        printf(", %lld failed", (long long)failed);
    printf("%s\n", is_over ? "; the time was over" : "");
}

static void print_live(const json_t *answer, bool is_rollback)
{
    const json_t *live = json_object_get(answer, "deploy"), *before = json_object_get(answer, "before");
    struct str id = member_text(live, "id");
    bool is_over = member_is(answer, "warm_time_over");
    printf("%s", is_rollback ? "rolled back: " : "");
    report_safe(stdout, id.n ? id : STR("what freshet was started with"));
    printf(" is live%s (release %lld)\n", member_is(answer, "was_live") ? " already" : "",
           (long long)member_number(live, "release"));
    if (before && member_text(before, "id").n)
        report_line("before", member_text(before, "id"));
    print_count("pages", json_object_get(answer, "pages"), is_over);
    print_count("assets", json_object_get(answer, "assets"), is_over);
    if (member_is(answer, "lists_cut"))
        report_line("note", STR("the lists were longer than 10000 entries; the rest was left out"));
    if (member_is(answer, "sitemap_failed"))
        report_line("note", STR("no page could be read from the sitemap"));
}

int client_deploy(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    char *body = NULL;
    int code = make_body(cli, &body);
    if (code != CLIENT_DONE)
        return code;
    code = door_find(&d, "deploy", cli);
    d.timeout_ms = time_of(cli->wait, WAIT_MS) + BESIDE_MS;
    if (cli->warm.n || cli->assets.n)
        d.timeout_ms += time_of(cli->warm_time, WARM_MS);
    if (code == CLIENT_DONE)
        code = ask_admin(&d, METHOD_POST, STR("/api/v1/deploy"), str_from(body), &answer, NULL);
    if (code == CLIENT_DONE)
        print_live(answer, cli->rollback);
    json_decref(answer);
    free(body);
    door_fini(&d);
    return code;
}
