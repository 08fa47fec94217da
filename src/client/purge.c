#include "client/client.h"

#include <stdlib.h>

#include "client/ask.h"
#include "client/report.h"

static bool add_list(json_t *to, const char *name, const struct strs *list)
{
    json_t *array = json_array();
    bool good = true;
    for (size_t i = 0; i < list->n; i++)
        good &= json_array_append_new(array, json_stringn(list->v[i].p, list->v[i].n)) == 0;
    return json_object_set_new(to, name, array) == 0 && good;
}

/* NULL: something in it is not UTF-8. */
static char *purge_body(const struct cli *cli)
{
    json_t *o = json_object();
    bool good = true;
    if (cli->site.n)
        good &= json_object_set_new(o, "site_id", json_stringn(cli->site.p, cli->site.n)) == 0;
    if (cli->tags.n)
        good &= add_list(o, "cache_tags", &cli->tags);
    if (cli->urls.n)
        good &= add_list(o, "urls", &cli->urls);
    if (cli->prefixes.n)
        good &= add_list(o, "prefixes", &cli->prefixes);
    if (cli->soft)
        good &= json_object_set_new(o, "soft", json_true()) == 0;
    char *text = good ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

int client_purge(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    /* Said before anything is asked: without a list the API purges the whole site. */
    if (!cli->all && !cli->tags.n && !cli->urls.n && !cli->prefixes.n)
        return report_failure("purge", CLIENT_WRONG_USAGE,
                              "nothing to purge; say what with --tag, --url, --prefix or --all");
    char *body = purge_body(cli);
    if (!body)
        return report_failure("purge", CLIENT_WRONG_USAGE, "a tag, a URL, a prefix or the site is not UTF-8");
    int code = door_find(&d, "purge", cli);
    if (code == CLIENT_DONE)
        code = ask_admin(&d, METHOD_POST, STR("/api/v1/purge"), str_from(body), &answer, NULL);
    if (code == CLIENT_DONE) {
        printf("purged ");
        report_safe(stdout, member_text(answer, "purged"));
        printf(" (sequence %lld%s)\n", (long long)member_number(answer, "sequence"),
               json_is_true(json_object_get(answer, "durable")) ? ""
                                                                : "; not on disk: freshet's log says why");
    }
    json_decref(answer);
    free(body);
    door_fini(&d);
    return code;
}
