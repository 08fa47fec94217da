#include "client/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/report.h"
#include "client/running.h"
#include "client/state.h"
#include "conf/form.h"

#define DEFAULT_ADMIN "127.0.0.1:8081"

void door_fini(struct door *d)
{
    buf_fini(&d->admin);
    buf_fini(&d->token);
    buf_fini(&d->source);
}

/* An address, or as an origin: "http://127.0.0.1:8081/". */
static struct str plain_address(struct str s)
{
    if (str_starts_nocase(s, STR("http://")))
        s = str_from_index(s, 7);
    while (str_ends(s, STR("/")) && !str_starts(s, STR("unix:")))
        s = str_first(s, s.n - 1);
    return s;
}

/* The token is in the state folder of `r`, unless a flag names another, or this one was given its token by
 * other means. */
static void take_running(struct door *d, const struct cli *cli, const struct running *r)
{
    if (!cli->state.n && r->owns_token)
        snprintf(d->state, sizeof(d->state), "%s", r->state);
}

/* Does another one have the same state folder? */
static bool shares_state(const struct running *v, size_t n, const struct running *r)
{
    for (size_t i = 0; i < n; i++)
        if (&v[i] != r && strcmp(v[i].state, r->state) == 0)
            return true;
    return false;
}

static void list_running(const struct running *r, const char *flag, const char *value, const char *other,
                         const char *other_value)
{
    fprintf(stderr, "  %s ", flag);
    report_safe(stderr, str_from(value));
    fprintf(stderr, "   (%s ", other);
    report_safe(stderr, str_from(other_value));
    fprintf(stderr, ", process %ld)\n", r->pid);
}

/* Nobody has said which one is meant: lists for each the flag that names it alone. */
static int too_many(const struct door *d, const struct running *v, size_t n)
{
    report_failure(d->verb, CLIENT_WRONG_USAGE,
                   "%zu freshets run here; name one with --state or --admin:", n);
    for (size_t i = 0; i < n; i++) {
        if (shares_state(v, n, &v[i]))
            list_running(&v[i], "--admin", v[i].admin, "state", v[i].state);
        else
            list_running(&v[i], "--state", v[i].state, "admin", v[i].admin);
    }
    return CLIENT_WRONG_USAGE;
}

/* By flag, environment, the state folder that a flag names; else the one that runs. */
static int find_admin(struct door *d, const struct cli *cli)
{
    const char *environment = getenv("FRESHET_ADMIN");
    bool by_environment = !cli->admin.n && environment && *environment;
    bool named = cli->admin.n || by_environment;
    struct running *v = calloc(RUNNING_MAX, sizeof(*v));
    if (!v)
        return report_failure(d->verb, CLIENT_FAILED, "out of memory");
    size_t n = cli->state.n && !named ? 0 : running_find(v);
    int code = CLIENT_DONE;
    if (named) {
        d->admin_from = by_environment ? FROM_ENVIRONMENT : FROM_FLAG;
        buf_add(&d->admin, plain_address(by_environment ? str_from(environment) : cli->admin));
        for (size_t i = 0; i < n; i++)
            if (str_eq(str_from(v[i].admin), buf_str(&d->admin)))
                take_running(d, cli, &v[i]);
    } else if (n > 1) {
        code = too_many(d, v, n);
    } else if (n == 1) {
        d->admin_from = FROM_RUNNING;
        buf_add(&d->admin, str_from(v[0].admin));
        take_running(d, cli, &v[0]);
    } else if (d->state[0] && state_read_admin(d->state, &d->admin) == 0) {
        d->admin_from = FROM_STATE;
    } else {
        d->admin_from = FROM_DEFAULT;
        buf_add(&d->admin, STR(DEFAULT_ADMIN));
    }
    free(v);
    return code;
}

/* Who named the address, as the end of "127.0.0.1:8081, ...". Lives as long as the door. */
const char *door_source(struct door *d)
{
    switch (d->admin_from) {
    case FROM_FLAG: return "the address of --admin";
    case FROM_ENVIRONMENT: return "the address in FRESHET_ADMIN";
    case FROM_RUNNING: return "the address of the one that runs here";
    case FROM_STATE:
    case FROM_DEFAULT: break;
    }
    if (!d->state[0])
        return "the default";
    buf_clear(&d->source);
    buf_printf(&d->source,
               d->admin_from == FROM_STATE ? "the address in \"%s/admin\""
                                           : "the default, as there is no \"%s/admin\"",
               d->state);
    buf_add_char(&d->source, '\0');
    return d->source.p;
}

static int without_token(const struct door *d, int status)
{
    if (!d->state[0])
        return report_failure(
            d->verb, CLIENT_FAILED,
            "no state folder: neither XDG_STATE_HOME nor HOME is set; name that of the running freshet "
            "with --state, or give its token with --token or FRESHET_TOKEN");
    /* A freshet that runs has left one of the two. */
    if (status == -ENOENT && d->admin_from == FROM_DEFAULT)
        return report_failure(
            d->verb, CLIENT_FAILED,
            "no freshet was started with the state folder \"%s\" yet; start one with \"freshet run "
            "--origin URL\", or name the state folder of the one that runs with --state",
            d->state);
    return report_failure(
        d->verb, CLIENT_FAILED,
        "no admin token: %s/token cannot be read (%s); name the state folder of the running freshet "
        "with --state, or give its token with --token or FRESHET_TOKEN",
        d->state, status == -EINVAL ? "it holds no token" : strerror(-status));
}

static int find_token(struct door *d, const struct cli *cli)
{
    const char *environment = getenv("FRESHET_TOKEN");
    int status = 0;
    d->token_from = "--token";
    if (cli->token.n) {
        buf_add(&d->token, cli->token);
    } else if (environment && *environment) {
        d->token_from = "FRESHET_TOKEN";
        buf_add(&d->token, str_from(environment));
    } else {
        d->token_from = "the state folder";
        status = d->state[0] ? state_read_token(d->state, &d->token) : -ENOENT;
    }
    if (status < 0)
        return without_token(d, status);
    /* The rule of --token holds for all. */
    const char *wrong = form_check(FORM_SECRET, buf_str(&d->token));
    if (wrong)
        return report_failure(d->verb, CLIENT_WRONG_USAGE, "the token from %s %s", d->token_from, wrong);
    return CLIENT_DONE;
}

int door_find(struct door *d, const char *verb, const struct cli *cli)
{
    *d = (struct door){ .verb = verb };
    if (state_folder(cli->state, d->state) < 0)
        d->state[0] = '\0';
    int code = find_admin(d, cli);
    return code == CLIENT_DONE ? find_token(d, cli) : code;
}
