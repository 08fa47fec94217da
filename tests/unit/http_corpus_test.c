/* Of gunicorn's request corpus every valid stream parses, or is refused by a rule named here; no invalid one
 * passes. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "http/url.h"

/* The defaults of tbl/settings.h, and those of gunicorn, which some files go past on purpose. */
static const struct head_limits ours = { 8192, 16384, 100 }, gunicorns = { 4094, 8190, 100 };

/* What freshet would say to a stream. */
struct verdict {
    enum http_error error;
    bool cut;        /* no fault, but the last message is not whole: it would wait, and close in the end */
    size_t requests; /* whole ones */
};

/* The checks of the front, in its order; `strict` adds those on Host, which many files leave out. */
static enum http_error check_request(const struct request_head *h, bool strict, struct arena *a)
{
    struct target t;
    struct host host;
    struct str path;
    enum http_error e;
    if (h->method == METHOD_CONNECT || h->method == METHOD_TRACE)
        return HTTP_ERROR_METHOD_REFUSED;
    if ((e = target_parse(h->target, &t)))
        return e;
    if (t.form == TARGET_ASTERISK && h->method != METHOD_OPTIONS)
        return HTTP_ERROR_TARGET;
    if ((e = path_normalize(t.path, a, &path)) || (e = query_check(t.query)))
        return e;
    if (t.form == TARGET_ABSOLUTE && (e = host_parse(t.authority, false, a, &host)))
        return e;
    size_t hosts = fields_count(&h->fields, FIELD_HOST);
    if (hosts > 1)
        return HTTP_ERROR_HOST_REPEATED;
    if (hosts == 1)
        return host_parse(fields_value(&h->fields, FIELD_HOST), false, a, &host);
    return strict && h->minor > 0 ? HTTP_ERROR_HOST_MISSING : HTTP_ERROR_NONE;
}

/* Takes the body off *in. *whole is false when bytes of it are missing. */
static enum http_error take_body(const struct framing *f, struct str *in, bool *whole)
{
    *whole = true;
    if (f->kind == FRAMING_LENGTH) {
        *whole = in->n >= f->length;
        size_t n = *whole ? (size_t)f->length : in->n;
        *in = (struct str){ in->p + n, in->n - n };
    } else if (f->kind == FRAMING_CHUNKED) {
        struct chunked c;
        struct str data;
        enum http_error e = HTTP_ERROR_NONE;
        enum chunked_event event;
        chunked_init(&c);
        while ((event = chunked_decode(&c, in, &data, &e)) == CHUNKED_DATA)
            ;
        *whole = event == CHUNKED_DONE;
        return event == CHUNKED_BAD ? e : HTTP_ERROR_NONE;
    }
    return HTTP_ERROR_NONE;
}

/* Whole, and in pieces of seven bytes: both must say the same, but that pieces may still wait for the head's
 * end. */
static enum head_result parse_head(struct str in, const struct head_limits *limits, struct request_head *h,
                                   enum http_error *e)
{
    struct head_scan scan = { 0 };
    enum http_error in_pieces = HTTP_ERROR_NONE;
    enum head_result r = HEAD_MORE, whole;
    for (size_t n = 7; n < in.n && r == HEAD_MORE; n += 7)
        r = request_head_parse(str_first(in, n), &scan, limits, h, &in_pieces);
    if (r == HEAD_MORE)
        r = request_head_parse(in, &scan, limits, h, &in_pieces);
    size_t bytes = h->bytes;
    scan = (struct head_scan){ 0 };
    whole = request_head_parse(in, &scan, limits, h, e);
    assert_true(r == whole || (r == HEAD_MORE && whole == HEAD_BAD));
    assert_int_equal(in_pieces, r == HEAD_MORE ? HTTP_ERROR_NONE : *e);
    if (r == HEAD_DONE)
        assert_int_equal(bytes, h->bytes);
    return whole;
}

static enum http_error take_request(struct str *in, const struct head_limits *limits, bool strict,
                                    bool *whole, struct arena *a)
{
    struct field table[100];
    struct request_head h = { .fields = { .v = table, .cap = COUNT_OF(table) } };
    struct framing f;
    enum http_error e = HTTP_ERROR_NONE;
    enum head_result r = parse_head(*in, limits, &h, &e);
    *whole = r != HEAD_MORE;
    if (r != HEAD_DONE)
        return e;
    *in = (struct str){ in->p + h.bytes, in->n - h.bytes };
    if ((e = framing_of_request(&h, &f)) || (e = check_request(&h, strict, a)))
        return e;
    return take_body(&f, in, whole);
}

static struct verdict judge(struct str in, const struct head_limits *limits, bool strict)
{
    struct verdict v = { 0 };
    struct arena a;
    arena_init(&a, 4096);
    while (in.n && !v.error && !v.cut) {
        bool whole;
        v.error = take_request(&in, limits, strict, &whole, &a);
        v.cut = !v.error && !whole;
        v.requests += !v.error && whole;
    }
    arena_fini(&a);
    return v;
}

/* Files: line ends are not part of the stream, backslash escapes stand for bytes. */

static char escape_byte(const char **p, const char *end)
{
    char c = *(*p)++;
    if (c == 'x') {
        char hex[3] = { 0 };
        assert_true(end - *p >= 2);
        memcpy(hex, *p, 2);
        *p += 2;
        return (char)strtol(hex, NULL, 16);
    }
    switch (c) {
    case 'r': return '\r';
    case 'n': return '\n';
    case 't': return '\t';
    case '0': return '\0';
    default: fail_msg("an escape that this test does not know: \\%c", c);
    }
    return 0;
}

static void read_stream(const char *path, struct buf *out)
{
    struct buf raw = BUF_INIT;
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read", path);
    size_t n;
    do {
        n = fread(buf_room(&raw, 4096), 1, 4096, f);
        raw.n += n;
    } while (n);
    fclose(f);
    for (const char *p = raw.p, *end = raw.p + raw.n; p < end;) {
        char c = *p++;
        if (c == '\\' && p < end)
            buf_add_char(out, escape_byte(&p, end));
        else if (c != '\n' && c != '\r')
            buf_add_char(out, c);
    }
    buf_fini(&raw);
}

typedef void check_fn(const char *name, struct str stream);

/* Returns the number of files. */
static size_t for_each_stream(const char *kind, check_fn *check)
{
    char folder[512], path[1024];
    size_t files = 0;
    snprintf(folder, sizeof(folder), SOURCE_FOLDER "/../shared/data/http1/%s", kind);
    DIR *dir = opendir(folder);
    if (!dir) {
        print_message("skipped: gunicorn's corpus is not in ../shared/data/http1 beside the repository\n");
        skip();
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct str name = str_from(e->d_name);
        if (!str_ends(name, STR(".http")))
            continue;
        struct buf stream = BUF_INIT;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        read_stream(path, &stream);
        char *exact = malloc(stream.n ? stream.n : 1); /* the sanitizer sees a read behind it */
        assert_non_null(exact);
        memcpy(exact, stream.p, stream.n);
        check(e->d_name, (struct str){ exact, stream.n });
        free(exact);
        buf_fini(&stream);
        files++;
    }
    closedir(dir);
    return files;
}

/* A file that is not judged as its folder says, and the rule. */
struct exception {
    const char *name;
    enum http_error error;
    enum { REFUSED, WITHOUT_HOST, OVER_LIMITS, CUT } how;
};

static const struct exception valid_exceptions[] = {
    { "002.http", HTTP_ERROR_HOST_INVALID, REFUSED }, /* "0.0.0.0=5000" */
    { "003.http", HTTP_ERROR_HOST_INVALID, REFUSED },
    { "005.http", HTTP_ERROR_TARGET, REFUSED }, /* a fragment: RFC 9112 3.2 has none */
    { "009.http", HTTP_ERROR_LENGTH_AND_ENCODING, REFUSED },
    { "025.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED }, /* no coding but chunked, alone */
    { "025_line.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED },
    { "029.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED },
    { "030.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED },
    { "rfc9112_smuggle_gzip_chunked_01.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED },
    { "rfc9112_smuggle_te_identity_chunked_01.http", HTTP_ERROR_TRANSFER_ENCODING, REFUSED },
    { "027.http", HTTP_ERROR_TARGET, REFUSED },          /* bytes above 0x7f: RFC 3986 2 */
    { "028.http", HTTP_ERROR_FIELD_NAME, REFUSED },      /* white space before the colon: RFC 9112 5.1 */
    { "040.http", HTTP_ERROR_FIELD_DISGUISED, REFUSED }, /* Transfer_Encoding */
    { "040_compat.http", HTTP_ERROR_FIELD_DISGUISED, REFUSED },
    { "compat_obs_fold.http", HTTP_ERROR_FIELD_FOLDED, REFUSED },
    { "compat_obs_fold_huge.http", HTTP_ERROR_FIELD_FOLDED, REFUSED },
    { "099.http", HTTP_ERROR_NONE, CUT },          /* has half the body that its Content-Length says */
    { "pp_01.http", HTTP_ERROR_VERSION, REFUSED }, /* the PROXY protocol is not HTTP */
    { "pp_02.http", HTTP_ERROR_VERSION, REFUSED },
    { "pp_04.http", HTTP_ERROR_METHOD, REFUSED },
    { "pp_05.http", HTTP_ERROR_METHOD, REFUSED },
    { "rfc9112_target_absolute_userinfo_01.http", HTTP_ERROR_TARGET, REFUSED },
    { "rfc9112_target_authority_connect_01.http", HTTP_ERROR_METHOD_REFUSED, REFUSED },
    { "rfc9112_target_authority_ipv6_01.http", HTTP_ERROR_METHOD_REFUSED, REFUSED },
};

static const struct exception invalid_exceptions[] = {
    { "001.http", HTTP_ERROR_NONE,
      CUT }, /* a fault that shows only when the line goes on, which it never does */
    { "rfc9112_chunked_missing_final_crlf_01.http", HTTP_ERROR_NONE, CUT },
    { "003c.http", HTTP_ERROR_HOST_MISSING,
      WITHOUT_HOST }, /* a short method; 010, 017, 019: gunicorn's own settings */
    { "010.http", HTTP_ERROR_HOST_MISSING, WITHOUT_HOST },
    { "017.http", HTTP_ERROR_HOST_MISSING, WITHOUT_HOST },
    { "019.http", HTTP_ERROR_HOST_MISSING, WITHOUT_HOST },
    { "006.http", HTTP_ERROR_LINE_TOO_LONG, OVER_LIMITS },
    { "007.http", HTTP_ERROR_FIELDS_TOO_LARGE, OVER_LIMITS },
    { "008.http", HTTP_ERROR_FIELDS_TOO_LARGE, OVER_LIMITS },
    { "limit_header_default_01.http", HTTP_ERROR_FIELDS_TOO_LARGE, OVER_LIMITS },
};

static const struct exception *exception_find(const struct exception *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static void check_exception(const struct exception *x, struct str stream)
{
    struct verdict v = judge(stream, x->how == OVER_LIMITS ? &gunicorns : &ours, x->how == WITHOUT_HOST);
    if (v.error != x->error || v.cut != (x->how == CUT) || v.requests != 0)
        fail_msg("%s: %s, %zu requests", x->name, http_error_text(v.error), v.requests);
}

static size_t exceptions_met;

static void check_valid(const char *name, struct str stream)
{
    const struct exception *x = exception_find(valid_exceptions, COUNT_OF(valid_exceptions), name);
    if (x) {
        check_exception(x, stream);
        exceptions_met++;
        return;
    }
    /* gunicorn asks for no Host. */
    struct verdict v = judge(stream, &ours, false);
    if (v.error || v.cut || v.requests == 0)
        fail_msg("%s: %s, %zu requests", name, http_error_text(v.error), v.requests);
    if (strcmp(name, "018.http") == 0 || strcmp(name, "023.http") == 0)
        assert_int_equal(v.requests, 2);
}

static void check_invalid(const char *name, struct str stream)
{
    const struct exception *x = exception_find(invalid_exceptions, COUNT_OF(invalid_exceptions), name);
    if (x) {
        check_exception(x, stream);
        exceptions_met++;
        return;
    }
    /* Without the rule that a Host must be there, so that each is refused for what is wrong with it. */
    struct verdict v = judge(stream, &ours, false);
    if (v.error == HTTP_ERROR_NONE || v.requests != 0)
        fail_msg("%s: %s, %zu requests", name, http_error_text(v.error), v.requests);
}

static void accepts_the_valid(void **state)
{
    (void)state;
    exceptions_met = 0;
    size_t files = for_each_stream("valid", check_valid);
    print_message("%zu files\n", files);
    assert_true(files >= 60);
    assert_int_equal(exceptions_met, COUNT_OF(valid_exceptions));
}

static void refuses_the_invalid(void **state)
{
    (void)state;
    exceptions_met = 0;
    size_t files = for_each_stream("invalid", check_invalid);
    print_message("%zu files\n", files);
    assert_true(files >= 70);
    assert_int_equal(exceptions_met, COUNT_OF(invalid_exceptions));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_valid),
        cmocka_unit_test(refuses_the_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
