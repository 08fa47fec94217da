/* A chunked body decodes the same however it is cut, and ends for llhttp at the same byte with the same
 * content. */
#include "base/buf.h"
#include "http/chunked.h"
#include "oracle.h"
#include "pieces.h"

struct decoded {
    enum chunked_event end; /* MORE, DONE or BAD */
    enum http_error error;
    size_t taken;
    struct buf body;
};

/* One piece, to the end of what it tells. */
static void decode_piece(struct chunked *c, struct decoded *r, struct str piece)
{
    struct str in = piece, data;
    while ((r->end = chunked_decode(c, &in, &data, &r->error)) == CHUNKED_DATA) {
        CHECK(data.n > 0 && data.p >= piece.p && data.p + data.n == in.p);
        buf_add(&r->body, data);
    }
    CHECK(in.p + in.n == piece.p + piece.n && (r->end != CHUNKED_MORE || in.n == 0));
    r->taken += piece.n - in.n;
}

static void check_pieces(struct str in, const struct decoded *whole, struct dice *d)
{
    struct chunked c;
    struct decoded r = { .body = BUF_INIT };
    size_t step = 1 + dice_roll(d, in.n / 4 + 1);
    chunked_init(&c);
    for (size_t at = 0; at < in.n && r.end == CHUNKED_MORE;) {
        size_t n = 1 + dice_roll(d, step);
        struct str piece = piece_copy(str_first(str_from_index(in, at), n));
        decode_piece(&c, &r, piece);
        at += piece.n;
        piece_free(piece);
    }
    CHECK(r.end == whole->end && r.error == whole->error && r.taken == whole->taken);
    CHECK(str_eq(buf_str(&r.body), buf_str(&whole->body)));
    buf_fini(&r.body);
}

/* The accepted input without extensions: llhttp knows neither white space around them, nor a backslash in
 * them, nor one behind another that has a value. */
static void write_plain(struct buf *out, struct str in)
{
    size_t size;
    do {
        size_t line = str_index(in, '\n') + 1, digits = 0;
        for (size = 0; digits < line && strchr("0123456789abcdefABCDEF", in.p[digits]); digits++)
            size = size << 4 |
                   (size_t)(is_digit(in.p[digits]) ? in.p[digits] - '0' : (in.p[digits] | 0x20) - 'a' + 10);
        buf_add(out, str_first(in, digits));
        buf_add(out, CHUNK_TAIL);
        in = str_from_index(in, line);
        buf_add(out, str_first(in, size ? size + 2 : in.n));
        in = str_from_index(in, size + 2);
    } while (size);
}

/* false: llhttp finds a fault. It must not see an end where we see none. */
static bool ends_alike(struct str in, bool has_end, const struct buf *body)
{
    struct oracle o;
    oracle_init(&o, HTTP_REQUEST, false);
    CHECK(oracle_feed(&o, STR("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")) && o.has_head);
    bool good = oracle_feed(&o, str_first(in, in.n - 1));
    CHECK(!o.has_end);
    good = good && oracle_feed(&o, str_from_index(in, in.n - 1));
    CHECK(o.has_end == (good && has_end));
    if (good)
        CHECK(str_eq(buf_str(&o.body), buf_str(body)));
    oracle_fini(&o);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = { (const char *)data, size };
    struct dice d = dice_of(in);
    struct chunked c;
    struct decoded whole = { .body = BUF_INIT };
    chunked_init(&c);
    decode_piece(&c, &whole, in);
    check_pieces(in, &whole, &d);
    struct str taken = str_first(in, whole.taken);
    if (whole.end == CHUNKED_DONE && !ends_alike(taken, true, &whole.body)) {
        struct buf plain = BUF_INIT;
        write_plain(&plain, taken);
        CHECK(plain.n < taken.n && ends_alike(buf_str(&plain), true, &whole.body));
        buf_fini(&plain);
    }
    if (whole.end == CHUNKED_MORE && in.n)
        (void)ends_alike(in, false, &whole.body);
    buf_fini(&whole.body);
    return 0;
}
