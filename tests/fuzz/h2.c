/* Bytes of an HTTP/2 client break no invariant and are told the same however they are cut; what we send
 * then is well-formed frames. The preface and the first SETTINGS are put in front, unless the input has
 * them. */
#include "h2_frames.h"
#include "h2_server.h"

static struct str with_start(struct str in, struct buf *to)
{
    static const char settings[9] = { 0, 0, 0, H2_SETTINGS };
    if (str_starts(in, str_first(H2_PREFACE, 3)))
        return in;
    buf_add(to, H2_PREFACE);
    buf_add(to, (struct str){ settings, sizeof(settings) });
    buf_add(to, in);
    return buf_str(to);
}

/* All of what we sent is whole frames; header blocks are not interrupted. */
static void check_frames(struct str out)
{
    uint32_t block_of = 0;
    while (out.n) {
        struct str frame = frame_next(&out);
        CHECK(frame.n); /* it is whole */
        const unsigned char *p = (const unsigned char *)frame.p;
        uint32_t stream = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
        CHECK(frame.n <= H2_FRAME_HEAD + H2_FRAME_BYTES && p[3] <= H2_CONTINUATION);
        CHECK(block_of == 0 ? p[3] != H2_CONTINUATION : p[3] == H2_CONTINUATION && stream == block_of);
        if (p[3] == H2_HEADERS || p[3] == H2_CONTINUATION)
            block_of = p[4] & H2_END_HEADERS ? 0 : stream;
    }
    CHECK(block_of == 0);
}

static void run(struct server *v, struct str in, struct dice *d, size_t step, bool silent)
{
    server_init(v);
    v->silent = silent;
    for (size_t at = 0; at < in.n;) {
        struct str piece =
            piece_copy(str_first(str_from_index(in, at), step ? 1 + dice_roll(d, step) : in.n));
        bool goes_on = server_feed(v, piece);
        at += piece.n;
        piece_free(piece);
        if (!goes_on)
            break;
    }
    check_frames(buf_str(&v->out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server whole, cut;
    struct str given = { (const char *)data, size };
    struct dice d = dice_of(given);
    struct buf room = BUF_INIT;
    struct str in = with_start(given, &room);
    bool silent = dice_roll(&d, 2);
    run(&whole, in, &d, 0, silent);
    run(&cut, in, &d, 1 + dice_roll(&d, in.n + 1), silent);
    /* When answers end depends on whether a window was opened before or after a piece: only a silent
     * server is told the same. */
    if (silent)
        CHECK(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
    server_fini(&whole);
    server_fini(&cut);
    buf_fini(&room);
    return 0;
}
