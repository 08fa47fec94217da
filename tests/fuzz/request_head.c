/* A request head reads the same however it is cut, keeps its limits, and llhttp reads what we accept as the
 * same. */
#include "head.h"
#include "http/url.h"
#include "oracle.h"

static void read_request(struct reading *r, struct str in, struct head_scan *scan,
                         const struct head_limits *limits)
{
    struct request_head *h = &r->request;
    r->result = request_head_parse(in, scan, limits, h, &r->error);
    if (r->result != HEAD_DONE)
        return;
    r->bytes = h->bytes;
    r->minor = h->minor;
    r->fields = h->fields;
    /* llhttp knows only some methods by name. */
    buf_add(&r->text, h->method == METHOD_OTHER ? STR("POST") : h->method_name);
    buf_add_char(&r->text, ' ');
    buf_add(&r->text, h->target);
    buf_add_char(&r->text, '\n');
}

/* The front's other checks, without which llhttp has good reason to refuse. */
static bool is_acceptable(const struct request_head *h, struct framing *f)
{
    struct target t;
    struct host host;
    struct arena a;
    arena_init(&a, 1024);
    bool ok = h->method != METHOD_CONNECT && framing_of_request(h, f) == HTTP_ERROR_NONE &&
              target_parse(h->target, &t) == HTTP_ERROR_NONE &&
              (t.form != TARGET_ABSOLUTE || host_parse(t.authority, false, &a, &host) == HTTP_ERROR_NONE);
    arena_fini(&a);
    return ok;
}

static void write_for_oracle(struct buf *out, struct str head, const struct request_head *h)
{
    size_t method_at = (size_t)(h->method_name.p - head.p);
    buf_add(out, str_first(head, method_at));
    buf_add(out, h->method == METHOD_OTHER ? STR("POST") : h->method_name);
    buf_add(out, str_from_index(head, method_at + h->method_name.n));
    oracle_blank_tabs(out, head, &h->fields);
}

static void check_oracle(struct str head, const struct reading *r)
{
    struct framing f;
    struct oracle o;
    struct buf given = BUF_INIT;
    if (!is_acceptable(&r->request, &f))
        return;
    write_for_oracle(&given, head, &r->request);
    oracle_init(&o, HTTP_REQUEST, false);
    CHECK(oracle_feed(&o, str_first(buf_str(&given), given.n - 1)) && !o.has_head);
    CHECK(oracle_feed(&o, str_from_index(buf_str(&given), given.n - 1)) && o.has_head);
    CHECK(str_eq(buf_str(&o.text), buf_str(&r->text)));
    CHECK(o.parser.http_major == 1 && o.parser.http_minor == r->minor);
    oracle_check_framing(&o, &f);
    CHECK(o.has_end == (f.kind == FRAMING_NONE || (f.kind == FRAMING_LENGTH && f.length == 0)));
    oracle_fini(&o);
    buf_fini(&given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = { (const char *)data, size };
    struct dice d = dice_of(in);
    struct head_scan scan = { 0 };
    struct reading whole;
    reading_make(&whole, read_request, in, &scan, &wide);
    check_pieces(read_request, in, &whole, &wide, &d);
    check_limits(read_request, in, &whole, &d);
    if (whole.result == HEAD_DONE)
        check_oracle(str_first(in, whole.bytes), &whole);
    buf_fini(&whole.text);
    return 0;
}
