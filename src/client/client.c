#include "client/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "client/running.h"
#include "client/state.h"
#include "conf/form.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "io/stream.h"

#define DEFAULT_ADMIN "127.0.0.1:8081"
#define TIMEOUT_MS    10000
#define ANSWER_MAX    ((size_t)8 << 20)
#define ROOM          ((size_t)65536)
#define FIELDS_MAX    64
#define LABEL_COLUMNS 12

enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2 };

/* ---- the terminal ---- */

/* What others wrote (tags, header fields) must not steer the terminal. */
static void print_safe(FILE *to, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        putc((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i], to);
}

/* "freshet purge: ...": returns `code`. */
__attribute__((format(printf, 3, 4))) static int complain(const char *verb, int code, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "freshet %s: ", verb);
    print_safe(stderr, (struct str){ text, n < 0                      ? 0
                                           : (size_t)n < sizeof(text) ? (size_t)n
                                                                      : sizeof(text) - 1 });
    putc('\n', stderr);
    return code;
}

/* ---- where the running freshet is ---- */

struct door {
    const char *verb;
    struct buf admin, token, source;
    enum { FROM_FLAG, FROM_ENVIRONMENT, FROM_STATE, FROM_RUNNING, FROM_DEFAULT } admin_from;
    const char *token_from;
    char state[PATH_MAX]; /* empty: nothing says where it is */
};

static void door_fini(struct door *d)
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

/* Nobody has said which one is meant. */
static int too_many(const struct door *d, const struct running *v, size_t n)
{
    complain(d->verb, WRONG_USAGE, "%zu freshets run here; name one with --state or --admin:", n);
    for (size_t i = 0; i < n; i++) {
        fputs("  --state ", stderr);
        print_safe(stderr, str_from(v[i].state));
        fputs("   (admin ", stderr);
        print_safe(stderr, str_from(v[i].admin));
        fprintf(stderr, ", process %ld)\n", v[i].pid);
    }
    return WRONG_USAGE;
}

/* By flag, environment, the state folder that a flag names; else the one that runs. */
static int find_admin(struct door *d, const struct cli *cli)
{
    const char *environment = getenv("FRESHET_ADMIN");
    bool by_environment = !cli->admin.n && environment && *environment;
    bool named = cli->admin.n || by_environment;
    struct running *v = calloc(RUNNING_MAX, sizeof(*v));
    if (!v)
        return complain(d->verb, FAILED, "out of memory");
    size_t n = cli->state.n && !named ? 0 : running_find(v);
    int code = DONE;
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
static const char *admin_source(struct door *d)
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
        return complain(
            d->verb, FAILED,
            "no state folder: neither XDG_STATE_HOME nor HOME is set; name that of the running freshet "
            "with --state, or give its token with --token or FRESHET_TOKEN");
    /* A freshet that runs has left one of the two. */
    if (status == -ENOENT && d->admin_from == FROM_DEFAULT)
        return complain(
            d->verb, FAILED,
            "no freshet was started with the state folder \"%s\" yet; start one with \"freshet run "
            "--origin URL\", or name the state folder of the one that runs with --state",
            d->state);
    return complain(
        d->verb, FAILED,
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
        return complain(d->verb, WRONG_USAGE, "the token from %s %s", d->token_from, wrong);
    return DONE;
}

static int find_door(struct door *d, const char *verb, const struct cli *cli)
{
    *d = (struct door){ .verb = verb };
    if (state_folder(cli->state, d->state) < 0)
        d->state[0] = '\0';
    int code = find_admin(d, cli);
    return code == DONE ? find_token(d, cli) : code;
}

/* ---- one question over HTTP/1.1 ---- */

struct exchange {
    struct loop loop;
    struct clock clock;
    struct log log;
    struct timer timer;
    struct resolve resolve;
    struct address addresses[RESOLVE_MAX];
    size_t addresses_n, at; /* at: the next one to try */
    struct stream stream;
    bool open; /* the stream is to be closed */
    bool over;
    bool reached; /* somebody took the connection */
    enum method method;
    struct buf out, in;
    size_t taken; /* of `in` */
    struct head_scan scan;
    int status; /* 0: no head yet */
    struct framing framing;
    struct chunked chunked;
    struct buf body;
    char failure[256]; /* empty: none */
};

static void say_nothing(struct log *log, struct str line)
{
    (void)log;
    (void)line;
}

static void finish(struct exchange *x)
{
    x->over = true;
    timer_stop(&x->loop, &x->timer);
    if (x->open)
        stream_close(&x->stream);
}

__attribute__((format(printf, 2, 3))) static void give_up(struct exchange *x, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(x->failure, sizeof(x->failure), fmt, ap);
    va_end(ap);
    finish(x);
}

static void take_head(struct exchange *x)
{
    struct field table[FIELDS_MAX];
    struct response_head head = { .fields = { .v = table, .cap = FIELDS_MAX } };
    const struct head_limits limits = { 8192, 65536, FIELDS_MAX };
    enum http_error e = HTTP_ERROR_NONE;
    while (x->status == 0) {
        switch (
            response_head_parse(str_from_index(buf_str(&x->in), x->taken), &x->scan, &limits, &head, &e)) {
        case HEAD_MORE: return;
        case HEAD_BAD: give_up(x, "its answer is no HTTP: %s", http_error_text(e)); return;
        case HEAD_DONE: break;
        }
        x->taken += head.bytes;
        x->scan = (struct head_scan){ 0 };
        if (head.status < 200)
            continue;
        e = framing_of_response(x->method, &head, &x->framing);
        if (e != HTTP_ERROR_NONE) {
            give_up(x, "its answer is no HTTP: %s", http_error_text(e));
            return;
        }
        x->status = head.status;
    }
}

static void take_body(struct exchange *x)
{
    struct str rest = str_from_index(buf_str(&x->in), x->taken), data;
    enum http_error e;
    switch (x->framing.kind) {
    case FRAMING_NONE: finish(x); return;
    case FRAMING_CLOSE: return;
    case FRAMING_LENGTH:
        if (rest.n < x->framing.length)
            return;
        buf_add(&x->body, str_first(rest, (size_t)x->framing.length));
        finish(x);
        return;
    case FRAMING_CHUNKED: break;
    }
    for (;;) {
        enum chunked_event event = chunked_decode(&x->chunked, &rest, &data, &e);
        x->taken = x->in.n - rest.n;
        if (event == CHUNKED_DATA) {
            buf_add(&x->body, data);
            continue;
        }
        if (event == CHUNKED_DONE)
            finish(x);
        else if (event == CHUNKED_BAD)
            give_up(x, "its answer is no HTTP: %s", http_error_text(e));
        return;
    }
}

static size_t space(struct stream *s, char **p)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    *p = buf_room(&x->in, ROOM);
    return ROOM;
}

static void data(struct stream *s, size_t n)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    x->in.n += n;
    if (x->over)
        return;
    if (x->in.n > ANSWER_MAX) {
        give_up(x, "its answer is larger than %zu bytes", ANSWER_MAX);
        return;
    }
    if (x->status == 0)
        take_head(x);
    if (x->status && !x->over)
        take_body(x);
}

static void ended(struct stream *s, int status)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    if (x->over)
        return;
    if (status < 0) {
        give_up(x, "the connection broke (%s)", strerror(-status));
    } else if (x->status && x->framing.kind == FRAMING_CLOSE) {
        buf_add(&x->body, str_from_index(buf_str(&x->in), x->taken));
        finish(x);
    } else {
        give_up(x, "it closed the connection before its answer was whole");
    }
}

static void written(struct stream *s, int status)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    if (status < 0 && !x->over)
        give_up(x, "the connection broke (%s)", strerror(-status));
}

static void try_next(struct exchange *x);

static void connected(struct stream *s, int status)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    if (x->over)
        return;
    if (status < 0) {
        int why = address_refusal(&x->addresses[x->at - 1], status);
        snprintf(x->failure, sizeof(x->failure), "%s", strerror(-why));
        stream_close(s); /* closed() tries the next address */
        return;
    }
    struct iovec all = { x->out.p, x->out.n };
    x->failure[0] = '\0'; /* of an address before this one */
    x->reached = true;
    stream_read_start(s);
    if (stream_write(s, &all, 1) == STREAM_BROKEN)
        give_up(x, "the connection broke");
}

static void closed(struct stream *s)
{
    struct exchange *x = CONTAINER_OF(s, struct exchange, stream);
    x->open = false;
    if (!x->over)
        try_next(x);
}

static const struct stream_notices notices = { connected, space, data, ended, written, closed };

static void try_next(struct exchange *x)
{
    while (x->at < x->addresses_n) {
        int status = stream_connect(&x->stream, &x->loop, &notices, &x->addresses[x->at++]);
        if (status == 0) {
            x->open = true;
            return;
        }
        snprintf(x->failure, sizeof(x->failure), "%s", strerror(-status));
    }
    finish(x);
}

static void resolved(struct resolve *r, int status, const struct address *v, size_t n)
{
    struct exchange *x = CONTAINER_OF(r, struct exchange, resolve);
    if (x->over)
        return;
    if (status < 0) {
        give_up(x, "its name has no address");
        return;
    }
    memcpy(x->addresses, v, n * sizeof(*v));
    x->addresses_n = n;
    try_next(x);
}

static void took_too_long(struct timer *t)
{
    struct exchange *x = CONTAINER_OF(t, struct exchange, timer);
    if (x->addresses_n == 0)
        resolve_cancel(&x->resolve);
    give_up(x, "no answer within %d s", TIMEOUT_MS / 1000);
}

static void start(struct exchange *x, struct str admin)
{
    struct address address;
    if (address_parse(admin, &address)) {
        x->addresses[x->addresses_n++] = address;
        try_next(x);
        return;
    }
    size_t colon = str_index(admin, ':');
    uint64_t port = 80;
    if (colon < admin.n && !str_to_u64(str_from_index(admin, colon + 1), UINT16_MAX, &port)) {
        give_up(x, "that is no address; write ADDR:PORT, http://HOST:PORT or unix:/path");
        return;
    }
    int status = resolve_start(&x->loop, &x->resolve, str_first(admin, colon), (uint16_t)port, resolved);
    if (status < 0)
        give_up(x, "its name has no address");
}

static void write_question(struct exchange *x, const struct door *d, struct str target, struct str body)
{
    struct str admin = buf_str(&d->admin);
    bool local = str_starts(admin, STR("unix:")), any = str_starts(admin, STR(":"));
    buf_add(&x->out, x->method == METHOD_POST ? STR("POST ") : STR("GET "));
    buf_add(&x->out, target);
    buf_printf(&x->out, " HTTP/1.1\r\nHost: %s%.*s\r\n", local || any ? "localhost" : "",
               local ? 0 : (int)admin.n, admin.p);
    buf_printf(&x->out, "Authorization: Bearer %.*s\r\n", STR_ARG(buf_str(&d->token)));
    buf_add(&x->out, STR("User-Agent: freshet/" FRESHET_VERSION
                         "\r\nAccept: application/json\r\nConnection: close\r\n"));
    if (x->method == METHOD_POST)
        buf_printf(&x->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
    buf_add(&x->out, STR("\r\n"));
    buf_add(&x->out, body);
}

/* What freshet's admin says of itself when it refuses. */
static int refused(struct door *d, int status, const json_t *answer)
{
    const char *message = json_string_value(json_object_get(answer, "message"));
    if (status == 401)
        return complain(d->verb, FAILED,
                        "the freshet at %.*s, %s, does not take the token from %s; give the one that it was "
                        "started with (--token, FRESHET_TOKEN, or --state with its state folder)",
                        STR_ARG(buf_str(&d->admin)), admin_source(d), d->token_from);
    if (!message)
        return complain(
            d->verb, FAILED,
            "what answers (with status %d) at %.*s, %s, is not freshet's admin listener; name that with "
            "--admin or FRESHET_ADMIN",
            status, STR_ARG(buf_str(&d->admin)), admin_source(d));
    return complain(d->verb, status == 400 ? WRONG_USAGE : FAILED, "%s (status %d)", message, status);
}

/* Nobody there: what to do depends on who said that somebody is. */
static int nobody(struct door *d, const struct exchange *x)
{
    const char *advice =
        "start it with \"freshet run\", or name another address with --admin or FRESHET_ADMIN";
    if (d->admin_from == FROM_STATE && !x->reached)
        advice = "the one that wrote it has ended: start it with \"freshet run\", or name the state folder "
                 "of the one "
                 "that runs with --state";
    if (d->admin_from == FROM_DEFAULT && !x->reached)
        advice = "start one with \"freshet run\", or name the state folder of the one that runs with --state";
    return complain(d->verb, FAILED, "no freshet answers at %.*s (%s), %s; %s", STR_ARG(buf_str(&d->admin)),
                    x->failure, admin_source(d), advice);
}

/* Asks. DONE and *answer (to be given back by json_decref) when the status is 2xx; else what went wrong was
 * said. *text: the answer as it came; NULL: not wanted. */
static int ask(struct door *d, enum method method, struct str target, struct str body, json_t **answer,
               struct buf *text)
{
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return complain(d->verb, FAILED, "out of memory");
    int code = FAILED, status;
    x->method = method;
    x->log = (struct log){ .write = say_nothing, .clock = &x->clock };
    chunked_init(&x->chunked);
    write_question(x, d, target, body);
    if ((status = loop_init(&x->loop, &x->clock, &x->log)) < 0) {
        complain(d->verb, FAILED, "no event loop: %s", strerror(-status));
        goto out;
    }
    timer_start(&x->loop, &x->timer, TIMEOUT_MS, took_too_long);
    start(x, buf_str(&d->admin));
    loop_close(&x->loop);
    loop_run(&x->loop);
    loop_fini(&x->loop);
    if (x->status == 0 || !x->over || x->failure[0]) {
        code = nobody(d, x);
        goto out;
    }
    json_t *json = json_loadb(x->body.p ? x->body.p : "", x->body.n, 0, NULL);
    if (x->status / 100 != 2 || !json_is_object(json)) {
        code = refused(d, x->status, json);
        json_decref(json);
        goto out;
    }
    *answer = json;
    if (text)
        buf_add(text, buf_str(&x->body));
    code = DONE;
out:
    buf_fini(&x->out);
    buf_fini(&x->in);
    buf_fini(&x->body);
    free(x);
    return code;
}

/* ---- members of answers; what is missing is empty ---- */

static struct str text_at(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return (struct str){ json_string_value(v), json_string_length(v) };
}

static int64_t number_at(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

static bool is_at(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* ---- lines of a report ---- */

static void label(const char *name)
{
    printf("  %-*s", LABEL_COLUMNS, name);
}

static void line(const char *name, struct str value)
{
    label(name);
    print_safe(stdout, value);
    putchar('\n');
}

/* "3 h 12 m", "48 s": two units at most. */
static void print_duration(int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 31536000, "y" }, { 86400, "d" }, { 3600, "h" }, { 60, "m" } };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (seconds < units[i].seconds)
            continue;
        int64_t smaller = i + 1 < COUNT_OF(units) ? units[i + 1].seconds : 1;
        int64_t rest = seconds % units[i].seconds / smaller;
        printf("%lld %s", (long long)(seconds / units[i].seconds), units[i].name);
        if (rest)
            printf(" %lld %s", (long long)rest, i + 1 < COUNT_OF(units) ? units[i + 1].name : "s");
        return;
    }
    printf("%lld s", (long long)seconds);
}

static void print_bytes(int64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes / 1024;
    size_t i = 0;
    if (bytes < 1024) {
        printf("%lld bytes", (long long)bytes);
        return;
    }
    while (value >= 1024 && i + 1 < COUNT_OF(units)) {
        value /= 1024;
        i++;
    }
    printf(value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]);
}

static void print_count(int64_t n, const char *one, const char *many)
{
    printf("%lld %s", (long long)n, n == 1 ? one : many);
}

/* ---- purge ---- */

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
    if (!cli->all && !cli->tags.n && !cli->urls.n)
        return complain("purge", WRONG_USAGE, "nothing to purge; say what with --tag, --url or --all");
    char *body = purge_body(cli);
    if (!body)
        return complain("purge", WRONG_USAGE, "a tag, a URL or the site is not UTF-8");
    int code = find_door(&d, "purge", cli);
    if (code == DONE)
        code = ask(&d, METHOD_POST, STR("/api/v1/purge"), str_from(body), &answer, NULL);
    if (code == DONE) {
        printf("purged ");
        print_safe(stdout, text_at(answer, "purged"));
        printf(" (sequence %lld)\n", (long long)number_at(answer, "sequence"));
    }
    json_decref(answer);
    free(body);
    door_fini(&d);
    return code;
}

/* ---- explain ---- */

/* Everything but unreserved characters is percent-encoded (RFC 3986 §2.3). */
static void add_encoded(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

/* Parts "name: value" with "; " between them, one a line. */
static void print_key(struct str key)
{
    const char *name = "key";
    while (key.n) {
        size_t n = 0;
        while (n < key.n && !str_starts(str_from_index(key, n), STR("; ")))
            n++;
        line(name, str_first(key, n));
        key = str_from_index(key, n + 2);
        name = "";
    }
}

static void print_stored(const json_t *stored)
{
    label("stored");
    if (!json_is_object(stored)) {
        printf("no\n");
        return;
    }
    printf("status %lld", (long long)number_at(stored, "status"));
    if (text_at(stored, "content_type").n) {
        printf(", ");
        print_safe(stdout, text_at(stored, "content_type"));
    }
    printf(", body ");
    print_bytes(number_at(stored, "body_bytes"));
    printf(", head ");
    print_bytes(number_at(stored, "head_bytes"));
    printf(", ");
    print_count(number_at(stored, "hits"), "hit", "hits");
    putchar('\n');
    line("received", text_at(stored, "received"));
    if (text_at(stored, "purged").n)
        line("purged", text_at(stored, "purged"));
}

static void print_window(const json_t *stored, const char *what, const char *name, const char *left)
{
    int64_t window = number_at(stored, name);
    if (window == 0)
        return;
    printf(", %s ", what);
    print_duration(window);
    if (number_at(stored, "ttl_s") < 0) {
        printf(" (");
        print_duration(number_at(stored, left));
        printf(" left)");
    }
}

static void print_age(const json_t *stored)
{
    int64_t left = number_at(stored, "ttl_s");
    struct str purged = text_at(stored, "purged");
    label("age");
    print_duration(number_at(stored, "age_s"));
    printf(" of ");
    print_duration(number_at(stored, "lifetime_s"));
    /* A soft purge has made it older. */
    if (purged.n && !str_eq(purged, STR("soft"))) {
        printf(str_eq(purged, STR("hard")) ? ", purged: not served again\n"
                                           : ", invalidated: not served before the origin confirms it\n");
        return;
    }
    printf(left >= 0 ? ", fresh for another " : ", stale for ");
    print_duration(left >= 0 ? left : -left);
    print_window(stored, "stale-while-revalidate", "stale_while_revalidate_s",
                 "stale_while_revalidate_left_s");
    print_window(stored, "stale-if-error", "stale_if_error_s", "stale_if_error_left_s");
    if (is_at(stored, "always_revalidate"))
        printf(", always revalidated");
    putchar('\n');
}

static void print_list(const char *name, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    label(name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        printf("%s", i ? ", " : "");
        print_safe(stdout, (struct str){ json_string_value(v), json_string_length(v) });
    }
    putchar('\n');
}

static void print_error(const json_t *origin)
{
    if (text_at(origin, "last_error").n == 0)
        return;
    printf(": ");
    print_safe(stdout, text_at(origin, "last_error"));
}

static void print_origin(const json_t *o)
{
    label("origin");
    print_safe(stdout, text_at(o, "address"));
    if (number_at(o, "failed_in_row")) {
        printf(" (failing: ");
        print_safe(stdout, text_at(o, "last_reason_text"));
        print_error(o);
        putchar(')');
    }
    putchar('\n');
}

/* The response fields that made it what it is. */
static void print_rule(const json_t *resource)
{
    const json_t *from = json_object_get(resource, "rule_from");
    size_t n = json_array_size(from);
    label("rule");
    print_safe(stdout, text_at(resource, "rule"));
    printf(n                          ? " (from "
           : is_at(resource, "known") ? " (the default: no answer named anything else"
                                      : " (the default");
    for (size_t i = 0; i < n; i++) {
        const json_t *field = json_array_get(from, i);
        printf("%s", i == 0 ? "" : i + 1 < n ? ", " : " and ");
        print_safe(stdout, (struct str){ json_string_value(field), json_string_length(field) });
    }
    printf(")\n");
}

static void print_resource(const json_t *resource)
{
    print_rule(resource);
    label("variants");
    printf("%lld stored%s\n", (long long)number_at(resource, "variants"),
           is_at(resource, "fetch_running") ? "; a fetch runs" : "");
}

static void print_explanation(const struct cli *cli, const json_t *answer)
{
    const json_t *request = json_object_get(answer, "request"), *stored = json_object_get(answer, "stored");
    print_safe(stdout, cli->url);
    putchar('\n');
    label("answer");
    print_safe(stdout, text_at(answer, "outcome"));
    printf(": ");
    print_safe(stdout, text_at(answer, "text"));
    putchar('\n');
    if (text_at(answer, "advice").n) {
        label("why");
        if (text_at(answer, "reason").n) {
            print_safe(stdout, text_at(answer, "reason"));
            if (text_at(answer, "detail").n) {
                printf(" (");
                print_safe(stdout, text_at(answer, "detail"));
                putchar(')');
            }
            printf(": ");
        }
        print_safe(stdout, text_at(answer, "advice"));
        putchar('\n');
    }
    label("site");
    print_safe(stdout, text_at(request, "site"));
    printf(" (profile ");
    print_safe(stdout, text_at(request, "profile"));
    printf(")\n");
    print_origin(json_object_get(answer, "origin"));
    print_key(text_at(answer, "key"));
    print_resource(json_object_get(answer, "resource"));
    print_stored(stored);
    if (!json_is_object(stored))
        return;
    print_age(stored);
    if (text_at(stored, "ruled_by").n)
        line("ruled by", text_at(stored, "ruled_by"));
    if (text_at(stored, "targeted_invalid").n)
        line("ignored", text_at(stored, "targeted_invalid"));
    print_list("tags", json_object_get(stored, "tags"));
    print_list("groups", json_object_get(stored, "groups"));
}

int client_explain(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    struct buf target = BUF_INIT;
    buf_add(&target, STR("/api/v1/explain?url="));
    add_encoded(&target, cli->url);
    for (size_t i = 0; i < cli->headers.n; i++) {
        buf_add(&target, STR("&header="));
        add_encoded(&target, cli->headers.v[i]);
    }
    int code = find_door(&d, "explain", cli);
    if (code == DONE)
        code = ask(&d, METHOD_GET, buf_str(&target), STR_NONE, &answer, NULL);
    if (code == DONE)
        print_explanation(cli, answer);
    json_decref(answer);
    buf_fini(&target);
    door_fini(&d);
    return code;
}

/* ---- status ---- */

static void print_requests(const json_t *r)
{
    label("requests");
    printf("%lld, %lld open", (long long)number_at(r, "total"), (long long)number_at(r, "open"));
    if (json_is_real(json_object_get(r, "hit_ratio")))
        printf("; %.1f %% answered from memory", 100 * json_real_value(json_object_get(r, "hit_ratio")));
    putchar('\n');
    label("");
    print_count(number_at(r, "hits"), "hit, ", "hits, ");
    printf("%lld stale, ", (long long)number_at(r, "stale_hits"));
    print_count(number_at(r, "misses"), "miss, ", "misses, ");
    printf("%lld joined, %lld passed\n", (long long)number_at(r, "joins"), (long long)number_at(r, "passes"));
}

static void print_cache(const json_t *answer)
{
    const json_t *memory = json_object_get(answer, "memory"), *cache = json_object_get(answer, "cache");
    label("memory");
    print_bytes(number_at(memory, "used_bytes"));
    printf(" of ");
    print_bytes(number_at(memory, "budget_bytes"));
    putchar('\n');
    label("pages");
    printf("%lld stored, of ", (long long)number_at(cache, "objects"));
    print_count(number_at(cache, "resources"), "known URL", "known URLs");
    printf("; %lld evicted, %lld swept\n", (long long)number_at(cache, "evicted"),
           (long long)number_at(cache, "swept"));
}

static void print_purges(const json_t *purges)
{
    const json_t *latest = json_object_get(purges, "latest");
    label("purges");
    printf("sequence %lld", (long long)number_at(purges, "sequence"));
    printf(json_array_size(latest) ? "; the latest:\n" : "; none yet\n");
    for (size_t i = 0; i < json_array_size(latest); i++) {
        const json_t *p = json_array_get(latest, i);
        label("");
        print_safe(stdout, text_at(p, "time"));
        printf("  %lld  ", (long long)number_at(p, "sequence"));
        print_safe(stdout, text_at(p, "what"));
        putchar('\n');
    }
}

static void print_sites(const json_t *sites)
{
    for (size_t i = 0; i < json_array_size(sites); i++) {
        const json_t *s = json_array_get(sites, i), *hosts = json_object_get(s, "hosts");
        label(i ? "" : "sites");
        print_safe(stdout, text_at(s, "name"));
        printf(" (profile ");
        print_safe(stdout, text_at(s, "profile"));
        printf("): ");
        for (size_t k = 0; k < json_array_size(hosts); k++) {
            printf("%s", k ? ", " : "");
            print_safe(stdout, str_from(json_string_value(json_array_get(hosts, k))));
        }
        printf("%s from ", json_array_size(hosts)       ? ""
                           : json_array_size(sites) > 1 ? "every other host"
                                                        : "every host");
        print_safe(stdout, text_at(s, "origin"));
        putchar('\n');
    }
}

static void print_origins(const json_t *origins)
{
    for (size_t i = 0; i < json_array_size(origins); i++) {
        const json_t *o = json_array_get(origins, i);
        label(i ? "" : "origins");
        print_safe(stdout, text_at(o, "address"));
        printf(": ");
        print_count(number_at(o, "in_use"), "connection in use", "connections in use");
        if (str_eq(text_at(o, "health"), STR("sick")))
            printf(", sick: asked by one page at a time");
        printf(", %lld waiting, ", (long long)number_at(o, "waiting"));
        print_count(number_at(o, "answered"), "answer, ", "answers, ");
        print_count(number_at(o, "failed"), "failure", "failures");
        putchar('\n');
        if (!number_at(o, "failed"))
            continue;
        label("");
        printf("  %lld failed in a row; the last at ", (long long)number_at(o, "failed_in_row"));
        print_safe(stdout, text_at(o, "last_failed"));
        printf(": ");
        print_safe(stdout, text_at(o, "last_reason_text"));
        print_error(o);
        putchar('\n');
    }
}

/* Only when there is something to be done about it. */
static void print_reload(const json_t *reload)
{
    if (!is_at(reload, "failed"))
        return;
    label("reload");
    printf("FAILED at ");
    print_safe(stdout, text_at(reload, "latest"));
    printf(", the old configuration is used: ");
    print_safe(stdout, text_at(reload, "error"));
    printf("; mend it and send SIGHUP again\n");
}

static void print_lost_lines(const json_t *counters)
{
    int64_t lost = number_at(counters, "access_log_lines_lost_total");
    if (lost == 0)
        return;
    label("access log");
    print_count(lost, "line is lost", "lines are lost");
    printf(", which could not be written; the log of errors says why\n");
}

static void print_status(const struct door *d, const json_t *answer)
{
    printf("freshet ");
    print_safe(stdout, text_at(answer, "version"));
    printf(", admin at %.*s, up ", STR_ARG(buf_str(&d->admin)));
    print_duration(number_at(answer, "uptime_s"));
    printf(", ");
    print_count(number_at(answer, "workers"), "worker", "workers");
    printf("%s\n", is_at(answer, "ready") ? "" : ", not ready: starting or stopping");
    print_sites(json_object_get(answer, "sites"));
    print_reload(json_object_get(answer, "reload"));
    print_lost_lines(json_object_get(answer, "counters"));
    print_requests(json_object_get(answer, "requests"));
    print_cache(answer);
    print_origins(json_object_get(answer, "origins"));
    print_purges(json_object_get(answer, "purges"));
}

int client_status(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    struct buf text = BUF_INIT;
    int code = find_door(&d, "status", cli);
    if (code == DONE)
        code = ask(&d, METHOD_GET, STR("/api/v1/status"), STR_NONE, &answer, &text);
    if (code == DONE && cli->json)
        fwrite(text.p, 1, text.n, stdout);
    else if (code == DONE)
        print_status(&d, answer);
    json_decref(answer);
    buf_fini(&text);
    door_fini(&d);
    return code;
}
