#include "client/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/report.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "io/stream.h"

#define TIMEOUT_MS 10000
#define ANSWER_MAX ((size_t)8 << 20)
#define ROOM       ((size_t)65536)
#define FIELDS_MAX 64

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
    int64_t timeout_ms;
};

void ask_add_encoded(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

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
    give_up(x, "no answer within %lld s", (long long)x->timeout_ms / 1000);
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
    buf_add(&x->out, x->method == METHOD_POST     ? STR("POST ")
                     : x->method == METHOD_DELETE ? STR("DELETE ")
                                                  : STR("GET "));
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
    if (status == 401 && member_text(answer, "message").n && strstr(message, " has expired"))
        return report_failure(d->verb, CLIENT_FAILED, "%s", message);
    if (status == 401)
        return report_failure(
            d->verb, CLIENT_FAILED,
            "the freshet at %.*s, %s, does not take the token from %s; give the one that it was "
            "started with (--token, FRESHET_TOKEN, or --state with its state folder)",
            STR_ARG(buf_str(&d->admin)), door_source(d), d->token_from);
    if (!message)
        return report_failure(
            d->verb, CLIENT_FAILED,
            "what answers (with status %d) at %.*s, %s, is not freshet's admin listener; name that with "
            "--admin or FRESHET_ADMIN",
            status, STR_ARG(buf_str(&d->admin)), door_source(d));
    return report_failure(d->verb, status == 400 ? CLIENT_WRONG_USAGE : CLIENT_FAILED, "%s (status %d)",
                          message, status);
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
    return report_failure(d->verb, CLIENT_FAILED, "no freshet answers at %.*s (%s), %s; %s",
                          STR_ARG(buf_str(&d->admin)), x->failure, door_source(d), advice);
}

int ask_admin(struct door *d, enum method method, struct str target, struct str body, json_t **answer,
              struct buf *text)
{
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return report_failure(d->verb, CLIENT_FAILED, "out of memory");
    int code = CLIENT_FAILED, status;
    x->method = method;
    x->log = (struct log){ .write = say_nothing, .clock = &x->clock };
    chunked_init(&x->chunked);
    write_question(x, d, target, body);
    if ((status = loop_init(&x->loop, &x->clock, &x->log)) < 0) {
        report_failure(d->verb, CLIENT_FAILED, "no event loop: %s", strerror(-status));
        goto out;
    }
    x->timeout_ms = d->timeout_ms ? d->timeout_ms : TIMEOUT_MS;
    timer_start(&x->loop, &x->timer, x->timeout_ms, took_too_long);
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
    code = CLIENT_DONE;
out:
    buf_fini(&x->out);
    buf_fini(&x->in);
    buf_fini(&x->body);
    free(x);
    return code;
}
