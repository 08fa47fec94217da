/* A response head reads the same however it is cut, keeps its limits, and llhttp reads what we accept as the
 * same. */
#include "head.h"
#include "oracle.h"

static void read_response(struct reading *r, struct str in, struct head_scan *scan,
                          const struct head_limits *limits)
{
    struct response_head *h = &r->response;
    r->result = response_head_parse(in, scan, limits, h, &r->error);
    if (r->result != HEAD_DONE)
        return;
    CHECK(h->status >= 100 && h->status <= 599);
    r->bytes = h->bytes;
    r->minor = h->minor;
    r->status = h->status;
    r->fields = h->fields;
    buf_add(&r->text, h->reason);
    buf_add_char(&r->text, '\n');
}

/* 1xx, 204 and 304 have no body for us whatever they claim; llhttp believes the claim. */
static bool may_have_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void check_oracle(struct str head, const struct reading *r, bool to_head)
{
    struct framing ours, claimed;
    struct oracle o;
    struct buf given = BUF_INIT;
    struct response_head plain = r->response;
    if (!may_have_body(r->status))
        plain.status = 200;
    if (framing_of_response(METHOD_GET, &plain, &claimed) != HTTP_ERROR_NONE)
        return;
    CHECK(framing_of_response(to_head ? METHOD_HEAD : METHOD_GET, &r->response, &ours) == HTTP_ERROR_NONE);
    buf_add(&given, head);
    oracle_blank_tabs(&given, head, &r->fields);
    oracle_init(&o, HTTP_RESPONSE, to_head);
    CHECK(oracle_feed(&o, str_first(buf_str(&given), given.n - 1)) && !o.has_head);
    CHECK(oracle_feed(&o, str_from_index(buf_str(&given), given.n - 1)) && o.has_head);
    CHECK(str_eq(buf_str(&o.text), buf_str(&r->text)));
    CHECK(o.parser.http_major == 1 && o.parser.http_minor == r->minor && o.parser.status_code == r->status);
    oracle_check_framing(&o, &claimed);
    if (to_head || !may_have_body(r->status))
        CHECK(ours.kind == FRAMING_NONE);
    else
        CHECK(ours.kind == claimed.kind && ours.length == claimed.length);
    if (to_head || may_have_body(r->status))
        CHECK(o.has_end == (ours.kind == FRAMING_NONE || (ours.kind == FRAMING_LENGTH && ours.length == 0)));
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
    reading_make(&whole, read_response, in, &scan, &wide);
    check_pieces(read_response, in, &whole, &wide, &d);
    check_limits(read_response, in, &whole, &d);
    if (whole.result == HEAD_DONE) {
        check_oracle(str_first(in, whole.bytes), &whole, false);
        check_oracle(str_first(in, whole.bytes), &whole, true);
    }
    buf_fini(&whole.text);
    return 0;
}
