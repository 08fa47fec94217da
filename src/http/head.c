#include "http/head.h"

#include <string.h>

#include "base/check.h"
#include "http/scan.h"

#define EMPTY_LINES_MAX 4 /* CR LF in front of a request line; old clients send one after a body */

/*
 * The parser is one pass over the bytes, in their order; what it finds depends only on the bytes up to there,
 * so a fault is the same one however the input was cut. Each piece gives back a result: DONE, go on behind
 * it; MORE, the input ended inside; BAD, *error is set. `end` is the end of the input, `lim` the end of what
 * a limit allows, at most `end`.
 */
struct cursor {
    const char *from, *at, *end; /* from: the start of the input */
    enum http_error *error;
};

static enum head_result bad(struct cursor *c, enum http_error e)
{
    *c->error = e;
    return HEAD_BAD;
}

/* The first `bytes` from here, or all there is. */
static const char *limit_of(const struct cursor *c, size_t bytes)
{
    return (size_t)(c->end - c->at) <= bytes ? c->end : c->at + bytes;
}

/* Ran into `lim`: is that the limit, or only the end of what has arrived? */
static enum head_result out_of_bytes(struct cursor *c, const char *lim, enum http_error too_much)
{
    return lim == c->end ? HEAD_MORE : bad(c, too_much);
}

/* What a byte that no element allows says about its line. */
static enum http_error fault_of(char byte, enum http_error usual)
{
    return byte == '\n' ? HTTP_ERROR_LINE_ENDING : usual;
}

/* CR LF, at the end of what the line limits count. */
static enum head_result take_crlf(struct cursor *c, enum http_error usual)
{
    if (c->at == c->end)
        return HEAD_MORE;
    if (*c->at != '\r')
        return bad(c, fault_of(*c->at, usual));
    if (c->at + 1 == c->end)
        return HEAD_MORE;
    if (c->at[1] != '\n')
        return bad(c, HTTP_ERROR_LINE_ENDING);
    c->at += 2;
    return HEAD_DONE;
}

/* Scanning. Each skip_ function returns the first byte that does not belong, or `lim`, and reads nothing
 * behind it. */

/* All but letters, digits and "-": the rest of a token is rare. */
static inline unsigned token_stops(word w)
{
    return word_bits(
        ~(word_within(w | word_of(0x20), 'a', 'z') | word_within(w, '0', '9') | word_is(w, '-')));
}

static const char *skip_value(const struct cursor *c, const char *p, const char *lim)
{
    return scan_for(c->from, p, lim, scan_value_stops);
}

static const char *skip_target(const struct cursor *c, const char *p, const char *lim)
{
    return scan_for(c->from, p, lim, scan_target_stops);
}

static const char *skip_token(const struct cursor *c, const char *p, const char *lim, unsigned *kinds)
{
    p = scan_for(c->from, p, lim, token_stops);
    while (p < lim && token_chars[(unsigned char)*p])
        *kinds |= token_chars[(unsigned char)*p++];
    return p;
}

/* The field section: field lines up to and with the empty line. */

static enum head_result parse_field_line(struct cursor *c, const char *lim, struct field *out)
{
    const char *name = c->at, *colon, *value, *stop;
    unsigned kinds = 0;
    colon = skip_token(c, name, lim, &kinds);
    if (colon == lim)
        return out_of_bytes(c, lim, HTTP_ERROR_FIELDS_TOO_LARGE);
    if (*colon != ':' || colon == name)
        return bad(c, fault_of(*colon, HTTP_ERROR_FIELD_NAME));
    out->name = (struct str){ name, (size_t)(colon - name) };
    if (kinds & TOKEN_MARK && field_name_is_disguised(out->name))
        return bad(c, HTTP_ERROR_FIELD_DISGUISED);

    for (value = colon + 1; value < lim && (*value == ' ' || *value == '\t'); value++)
        ;
    stop = skip_value(c, value, lim);
    c->at = stop + 2;
    if (lim - stop < 2 || stop[0] != '\r' || stop[1] != '\n') {
        c->at = stop;
        if (stop == lim || (*stop == '\r' && stop + 1 == lim))
            return out_of_bytes(c, lim, HTTP_ERROR_FIELDS_TOO_LARGE);
        enum head_result r = take_crlf(c, HTTP_ERROR_FIELD_VALUE);
        CHECK(r != HEAD_DONE);
        return r;
    }
    while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    out->value = (struct str){ value, (size_t)(stop - value) };
    out->id = field_id_of(out->name);
    return HEAD_DONE;
}

static enum head_result parse_fields(struct cursor *c, const struct head_limits *limits, struct fields *out)
{
    const char *lim = limit_of(c, limits->fields_bytes);
    CHECK(limits->fields_count <= out->cap);
    out->n = 0;
    fields_note_none(out);
    for (;;) {
        if (c->at == c->end)
            return HEAD_MORE;
        if (*c->at == '\r')
            return take_crlf(c, HTTP_ERROR_LINE_ENDING);
        if (*c->at == ' ' || *c->at == '\t')
            return bad(c, out->n ? HTTP_ERROR_FIELD_FOLDED : HTTP_ERROR_FIELD_NAME);
        if (c->at == lim)
            return bad(c, HTTP_ERROR_FIELDS_TOO_LARGE);
        if (out->n == limits->fields_count)
            return bad(c, HTTP_ERROR_FIELDS_TOO_MANY);
        enum head_result r = parse_field_line(c, lim, &out->v[out->n]);
        if (r != HEAD_DONE)
            return r;
        fields_note(out, out->v[out->n].id);
        out->n++;
    }
}

/* "HTTP/1." and 0 or 1. Other well-formed versions are told apart from nonsense (RFC 9110 §15.6.6), when
 * `after`, what must follow a version, has been seen. */
static enum head_result parse_version(struct cursor *c, const char *lim, char after, enum http_error too_long,
                                      int *minor)
{
    static const char form[] = "HTTP/d.d";
    const char *v = c->at;
    if (lim - v >= 8 && memcmp(v, "HTTP/1.", 7) == 0 && (v[7] == '0' || v[7] == '1')) {
        *minor = v[7] - '0';
        c->at += 8;
        return HEAD_DONE;
    }
    for (size_t i = 0; i < 8; i++) {
        if (v + i == lim)
            return out_of_bytes(c, lim, too_long);
        if (form[i] == 'd' ? !is_digit(v[i]) : v[i] != form[i])
            return bad(c, fault_of(v[i], HTTP_ERROR_VERSION));
    }
    c->at += 8;
    if (c->at == c->end)
        return HEAD_MORE;
    return bad(c, *c->at == after && v[5] != '1' ? HTTP_ERROR_VERSION_UNSUPPORTED : HTTP_ERROR_VERSION);
}

enum method method_of(struct str m)
{
    static const struct {
        struct str name;
        enum method method;
    } methods[] = {
        { STR_INIT("POST"), METHOD_POST },       { STR_INIT("PUT"), METHOD_PUT },
        { STR_INIT("DELETE"), METHOD_DELETE },   { STR_INIT("OPTIONS"), METHOD_OPTIONS },
        { STR_INIT("PATCH"), METHOD_PATCH },     { STR_INIT("TRACE"), METHOD_TRACE },
        { STR_INIT("CONNECT"), METHOD_CONNECT },
    };
    if (m.n == 3 && memcmp(m.p, "GET", 3) == 0)
        return METHOD_GET;
    if (m.n == 4 && memcmp(m.p, "HEAD", 4) == 0)
        return METHOD_HEAD;
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_eq(m, methods[i].name))
            return methods[i].method;
    return METHOD_OTHER;
}

bool method_is_safe(struct str name)
{
    static const struct str safe[] = {
#define SAFE_METHOD(text) STR_INIT(text),
#include "tbl/safe_methods.h"
#undef SAFE_METHOD
    };
    for (size_t i = 0; i < COUNT_OF(safe); i++)
        if (str_eq(name, safe[i]))
            return true;
    return false;
}

static enum head_result parse_request_line(struct cursor *c, size_t line_bytes, struct request_head *out)
{
    const char *lim = limit_of(c, line_bytes), *method = c->at, *target, *stop;
    unsigned kinds = 0;
    stop = skip_token(c, method, lim, &kinds);
    if (stop == lim)
        return out_of_bytes(c, lim, HTTP_ERROR_LINE_TOO_LONG);
    if (*stop != ' ' || stop == method)
        return bad(c, fault_of(*stop, HTTP_ERROR_METHOD));
    out->method_name = (struct str){ method, (size_t)(stop - method) };
    out->method = method_of(out->method_name);

    target = stop + 1;
    stop = skip_target(c, target, lim);
    if (stop == lim)
        return out_of_bytes(c, lim, HTTP_ERROR_LINE_TOO_LONG);
    if (*stop != ' ' || stop == target) {
        /* A line that ends here is HTTP/0.9 or lacks a part; two spaces give an empty target. */
        bool lacks_part = *stop == '\r' || *stop == ' ';
        return bad(c, fault_of(*stop, lacks_part ? HTTP_ERROR_REQUEST_LINE : HTTP_ERROR_TARGET));
    }
    out->target = (struct str){ target, (size_t)(stop - target) };

    c->at = stop + 1;
    enum head_result r = parse_version(c, lim, '\r', HTTP_ERROR_LINE_TOO_LONG, &out->minor);
    return r == HEAD_DONE ? take_crlf(c, HTTP_ERROR_VERSION) : r;
}

static enum head_result parse_status_line(struct cursor *c, size_t line_bytes, struct response_head *out)
{
    const char *lim = limit_of(c, line_bytes), *reason, *stop;
    enum head_result r = parse_version(c, lim, ' ', HTTP_ERROR_STATUS_LINE_TOO_LONG, &out->minor);
    if (r != HEAD_DONE)
        return r;
    int status = 0;
    for (size_t i = 0; i < 4; i++, c->at++) {
        if (c->at == lim)
            return out_of_bytes(c, lim, HTTP_ERROR_STATUS_LINE_TOO_LONG);
        if (i == 0 ? *c->at != ' ' : !is_digit(*c->at))
            return bad(c, fault_of(*c->at, HTTP_ERROR_STATUS_LINE));
        if (i > 0)
            status = status * 10 + (*c->at - '0');
    }
    if (status < 100 || status > 599)
        return bad(c, HTTP_ERROR_STATUS_CODE);
    out->status = status;
    out->reason = (struct str){ c->at, 0 };
    if (c->at < lim && *c->at == ' ') {
        reason = c->at + 1;
        stop = skip_value(c, reason, lim);
        if (stop == lim && lim < c->end && *stop != '\r')
            return bad(c, HTTP_ERROR_STATUS_LINE_TOO_LONG);
        out->reason = (struct str){ reason, (size_t)(stop - reason) };
        c->at = stop;
    }
    return take_crlf(c, HTTP_ERROR_STATUS_LINE);
}

/* A head in pieces. The first call parses what has come, and so finds what is wrong with it at once. Later
 * calls only look through the new bytes for a reason to parse again, which then ends the matter: the end of
 * the head, a line feed alone, or a limit. So the work stays linear in the length of the head, whatever the
 * pieces are. */

/* Remembers the lines in the bytes not yet seen. true: parsing will not say MORE. */
static bool scan_lines(struct str in, struct head_scan *s, const struct head_limits *limits)
{
    CHECK(s->seen <= in.n);
    while (s->seen < in.n) {
        const char *lf = memchr(in.p + s->seen, '\n', in.n - s->seen);
        if (!lf) {
            s->seen = in.n;
            break;
        }
        size_t at = (size_t)(lf - in.p), length = at - s->line_at;
        if (length == 0 || lf[-1] != '\r')
            return true;
        if (length == 1 && s->lines > 0)
            return true;
        s->seen = s->line_at = at + 1;
        if (length > 1 && ++s->lines == 1)
            s->fields_at = s->line_at;
        if (s->lines > limits->fields_count + 1)
            return true;
    }
    if (s->lines == 0)
        return s->line_at > 2 * EMPTY_LINES_MAX || in.n - s->line_at > limits->line_bytes + 1;
    return in.n - s->fields_at > limits->fields_bytes + 1;
}

static bool is_worth_parsing(struct str in, struct head_scan *s, const struct head_limits *limits)
{
    return s->seen == 0 ? in.n > 0 : scan_lines(in, s, limits);
}

static enum head_result remember(struct str in, struct head_scan *s, const struct head_limits *limits)
{
    bool over = scan_lines(in, s, limits);
    CHECK_DEBUG(!over);
    (void)over;
    return HEAD_MORE;
}

/* Empty lines in front of a request line (RFC 9112 §2.2). */
static enum head_result skip_empty_lines(struct cursor *c)
{
    for (int i = 0; c->at < c->end && (*c->at == '\r' || *c->at == '\n'); i++) {
        if (i == EMPTY_LINES_MAX)
            return bad(c, HTTP_ERROR_REQUEST_LINE);
        enum head_result r = take_crlf(c, HTTP_ERROR_LINE_ENDING);
        if (r != HEAD_DONE)
            return r;
    }
    return c->at == c->end ? HEAD_MORE : HEAD_DONE;
}

enum head_result request_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                    struct request_head *out, enum http_error *error)
{
    if (!is_worth_parsing(in, scan, limits))
        return HEAD_MORE;
    struct cursor c = { in.p, in.p, in.p + in.n, error };
    enum head_result r = skip_empty_lines(&c);
    if (r == HEAD_DONE)
        r = parse_request_line(&c, limits->line_bytes, out);
    if (r == HEAD_DONE)
        r = parse_fields(&c, limits, &out->fields);
    if (r == HEAD_MORE)
        return remember(in, scan, limits);
    out->bytes = (size_t)(c.at - in.p);
    return r;
}

enum head_result response_head_parse(struct str in, struct head_scan *scan, const struct head_limits *limits,
                                     struct response_head *out, enum http_error *error)
{
    if (!is_worth_parsing(in, scan, limits))
        return HEAD_MORE;
    struct cursor c = { in.p, in.p, in.p + in.n, error };
    enum head_result r = parse_status_line(&c, limits->line_bytes, out);
    if (r == HEAD_DONE)
        r = parse_fields(&c, limits, &out->fields);
    if (r == HEAD_MORE)
        return remember(in, scan, limits);
    out->bytes = (size_t)(c.at - in.p);
    return r;
}
