#include "client/client.h"

#include <stdlib.h>

#include "client/ask.h"
#include "client/report.h"

#define VERB   "token"
#define TOKENS "/api/v1/tokens"

/* ---- lines about a token ---- */

static void print_words(FILE *to, const json_t *list, const char *none)
{
    size_t n = json_array_size(list);
    if (n == 0)
        fprintf(to, "%s", none);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "%s", i ? ", " : "");
        report_safe(to, str_from(json_string_value(json_array_get(list, i))));
    }
}

/* "purge; site shop, blog; expires 2027-..." */
static void print_what(FILE *to, const json_t *t)
{
    const json_t *sites = json_object_get(t, "sites");
    struct str expires = member_text(t, "expires");
    print_words(to, json_object_get(t, "scopes"), "nothing");
    fputs(json_array_size(sites) == 1 ? "; site " : json_array_size(sites) ? "; sites " : "; ", to);
    print_words(to, sites, "all sites");
    fputs(member_is(t, "expired") ? "; EXPIRED " : expires.n ? "; expires " : "; never expires", to);
    report_safe(to, expires);
}

/* ---- create ---- */

static bool add_list(json_t *to, const char *name, const struct strs *list)
{
    json_t *array = json_array();
    bool good = true;
    for (size_t i = 0; i < list->n; i++)
        for (struct str rest = list->v[i]; rest.p;) { /* --scope purge,read is --scope purge --scope read */
            struct str word = str_cut(&rest, ',');
            good &= json_array_append_new(array, json_stringn(word.p, word.n)) == 0;
        }
    return json_object_set_new(to, name, array) == 0 && good;
}

static bool add_text(json_t *to, const char *name, struct str value)
{
    return json_object_set_new(to, name, json_stringn(value.p, value.n)) == 0;
}

/* NULL: something in it is not UTF-8. */
static char *make_body(const struct cli *cli)
{
    json_t *o = json_object();
    bool good = add_text(o, "name", cli->name) && add_list(o, "scopes", &cli->scopes);
    if (cli->sites.n)
        good = good && add_list(o, "sites", &cli->sites);
    if (cli->expires.n)
        good = good && add_text(o, "expires", cli->expires);
    char *text = good ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

/* The secret is alone on standard output, so that a script can take it. */
static void print_made(const json_t *answer)
{
    fprintf(stderr, "made the token \"");
    report_safe(stderr, member_text(answer, "name"));
    fprintf(stderr, "\" (");
    print_what(stderr, answer);
    fprintf(stderr, "); this is its secret, which is shown only now:\n");
    fflush(stderr);
    report_safe(stdout, member_text(answer, "secret"));
    putchar('\n');
}

static int create(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    char *body = make_body(cli);
    if (!body)
        return report_failure(VERB, CLIENT_WRONG_USAGE, "a value of a flag is not UTF-8");
    int code = ask_admin(d, METHOD_POST, STR(TOKENS), str_from(body), &answer, NULL);
    if (code == CLIENT_DONE)
        print_made(answer);
    json_decref(answer);
    free(body);
    return code;
}

/* ---- list ---- */

static void print_list(const json_t *tokens)
{
    if (json_array_size(tokens) == 0)
        printf("none but the one that freshet was started with; \"freshet token create\" makes others\n");
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *t = json_array_get(tokens, i);
        struct str used = member_text(t, "used");
        report_safe(stdout, member_text(t, "name"));
        printf(": ");
        print_what(stdout, t);
        printf(used.n ? "; last used " : "; not used since the start");
        report_safe(stdout, used);
        putchar('\n');
    }
}

static int list(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    struct buf text = BUF_INIT;
    int code = ask_admin(d, METHOD_GET, STR(TOKENS), STR_NONE, &answer, &text);
    if (code == CLIENT_DONE && cli->json)
        fwrite(text.p, 1, text.n, stdout);
    else if (code == CLIENT_DONE)
        print_list(json_object_get(answer, "tokens"));
    json_decref(answer);
    buf_fini(&text);
    return code;
}

/* ---- revoke ---- */

static int revoke(struct door *d, const struct cli *cli)
{
    json_t *answer = NULL;
    struct buf target = BUF_INIT;
    buf_add(&target, STR(TOKENS "?name="));
    ask_add_encoded(&target, cli->name);
    int code = ask_admin(d, METHOD_DELETE, buf_str(&target), STR_NONE, &answer, NULL);
    if (code == CLIENT_DONE && member_is(answer, "durable"))
        printf("revoked the token \"%.*s\"\n", STR_ARG(cli->name));
    else if (code == CLIENT_DONE)
        code = report_failure(VERB, CLIENT_FAILED,
                              "the token \"%.*s\" is revoked, but not on disk: freshet's log says why. When "
                              "freshet is started again the token works again; revoke it once more then",
                              STR_ARG(cli->name));
    json_decref(answer);
    buf_fini(&target);
    return code;
}

int client_token(const struct cli *cli)
{
    struct door d;
    int code = door_find(&d, VERB, cli);
    if (code == CLIENT_DONE)
        code = cli->action == CLI_TOKEN_CREATE ? create(&d, cli)
               : cli->action == CLI_TOKEN_LIST ? list(&d, cli)
                                               : revoke(&d, cli);
    door_fini(&d);
    return code;
}
