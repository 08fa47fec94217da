/* A body decodes the same however it is cut, and as the library does in one call; the content never passes
 * its limit. What was encoded comes back. Input: a byte (coding, limit), the body. */
#include <brotli/decode.h>
#include <zlib.h>

#include "base/buf.h"
#include "coding/decode.h"
#include "coding/encode.h"
#include "pieces.h"

#define MOST 100000

struct result {
    enum decode_event end;
    bool is_whole;
    struct buf content;
};

static struct result decode(enum coding coding, struct str in, uint64_t most, struct dice *dice)
{
    struct result r = { .content = BUF_INIT };
    struct decode *d = decode_new(coding, most);
    CHECK(d);
    size_t step = dice ? 1 + dice_roll(dice, in.n / 4 + 1) : in.n;
    for (size_t at = 0; at < in.n && r.end == DECODE_MORE;) {
        size_t n = dice ? 1 + dice_roll(dice, step) : step;
        struct str piece = piece_copy(str_first(str_from_index(in, at), n)), left = piece, data;
        while ((r.end = decode_next(d, &left, &data)) == DECODE_DATA) {
            CHECK(data.n > 0);
            buf_add(&r.content, data);
        }
        CHECK(r.end != DECODE_MORE || left.n == 0);
        at += piece.n;
        piece_free(piece);
    }
    CHECK(r.content.n <= most);
    r.is_whole = decode_is_whole(d);
    CHECK(!r.is_whole || r.end == DECODE_MORE);
    decode_free(d);
    return r;
}

/* Whole, and in the library's one call: the same. */
static void check_br(struct str in, const struct result *r, uint64_t most)
{
    uint8_t *to = malloc(most + 1);
    CHECK(to);
    size_t n = most;
    bool good = BrotliDecoderDecompress(in.n, (const uint8_t *)in.p, &n, to) == BROTLI_DECODER_RESULT_SUCCESS;
    /* It does not mind bytes behind the end. */
    CHECK(good ? r->is_whole || r->end == DECODE_DAMAGED : !r->is_whole);
    if (r->is_whole)
        CHECK(str_eq((struct str){ (char *)to, n }, buf_str(&r->content)));
    free(to);
}

static void check_round_trip(struct str in)
{
    struct buf body = BUF_INIT;
    z_stream z = { 0 };
    CHECK(deflateInit2(&z, 1, Z_DEFLATED, 16 + 9, 1, Z_DEFAULT_STRATEGY) == Z_OK); /* 9, 1: little memory */
    size_t bound = deflateBound(&z, in.n);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)buf_room(&body, bound);
    z.avail_out = (uInt)bound;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    body.n = bound - z.avail_out;
    deflateEnd(&z);
    struct dice dice = dice_of(in);
    struct result r = decode(CODING_GZIP, buf_str(&body), in.n, &dice);
    CHECK(r.is_whole && str_eq(buf_str(&r.content), in));
    buf_fini(&r.content);
    buf_fini(&body);
}

/* What the encoder makes of any bytes, however they come, decodes to them. */
static void check_encoder(enum coding coding, int level, struct str in)
{
    struct buf body = BUF_INIT;
    struct dice dice = dice_of(in);
    struct encode *e = encode_new(coding, level, in.n);
    struct str left = in, data;
    enum encode_event event = ENCODE_MORE;
    CHECK(e);
    while (event == ENCODE_MORE) {
        size_t n = 1 + dice_roll(&dice, in.n / 3 + 1);
        struct str piece = str_first(left, n);
        left = str_from_index(left, piece.n);
        while ((event = encode_next(e, &piece, left.n == 0, &data)) == ENCODE_DATA)
            buf_add(&body, data);
    }
    CHECK(event == ENCODE_ENDED);
    encode_free(e);
    struct result r = decode(coding, buf_str(&body), in.n, &dice);
    CHECK(r.is_whole && str_eq(buf_str(&r.content), in));
    buf_fini(&r.content);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum coding codings[] = { CODING_GZIP, CODING_BR, CODING_IDENTITY, CODING_ZSTD };
    if (size == 0)
        return 0;
    enum coding coding = codings[data[0] % COUNT_OF(codings)];
    uint64_t most = data[0] & 0x80 ? data[0] & 0x7f : MOST;
    struct str in = { (const char *)data + 1, size - 1 };
    struct dice dice = dice_of(in);
    struct result whole = decode(coding, in, most, NULL), pieces = decode(coding, in, most, &dice);
    /* Of two errors the cut decides which comes first. */
    CHECK((whole.end == DECODE_MORE) == (pieces.end == DECODE_MORE) && whole.is_whole == pieces.is_whole);
    if (whole.end == DECODE_MORE)
        CHECK(str_eq(buf_str(&whole.content), buf_str(&pieces.content)));
    if (coding == CODING_BR)
        check_br(in, &whole, most);
    check_round_trip(in);
    for (enum coding c = CODING_GZIP; c < CODINGS; c++)
        check_encoder(c, data[0] % 5, in);
    buf_fini(&whole.content);
    buf_fini(&pieces.content);
    return 0;
}
