#define ZLIB_CONST /* input is const */
#include "coding/decode.h"

#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_createDCtx_advanced, which Debian's library exports */
#include <brotli/decode.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"
#include "base/mem.h"
#include "coding/allocator.h"

/* What is decoded in one call. */
#define ROOM_BYTES 16384

struct decode {
    enum coding coding;
    enum decode_event error; /* DECODE_MORE: none yet */
    bool is_ended;           /* gzip, zstd: between two members; br: behind the stream; identity: always */
    unsigned magic_n;        /* zstd: bytes of the frame that begins, up to 4 */
    char magic[4];
    uint64_t left; /* content that may still come */
    union {
        z_stream gzip;
        BrotliDecoderState *br;
        ZSTD_DCtx *zstd;
    };
    char room[ROOM_BYTES];
};

static bool zstd_begin(struct decode *d)
{
    d->zstd = ZSTD_createDCtx_advanced((ZSTD_customMem){ allocator_take, allocator_give, NULL });
    return d->zstd &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_OF_HTTP));
}

/* 16: a gzip header and trailer, with their checks, and nothing else. */
static bool gzip_begin(z_stream *z)
{
    *z = (z_stream){ .zalloc = allocator_take_items, .zfree = allocator_give };
    return inflateInit2(z, 16 + MAX_WBITS) == Z_OK;
}

struct decode *decode_new(enum coding coding, uint64_t most)
{
    struct decode *d = mem_try(sizeof(*d));
    bool good = true;
    if (!d)
        return NULL;
    d->coding = coding;
    d->error = DECODE_MORE;
    d->magic_n = 0;
    d->is_ended = coding == CODING_IDENTITY;
    d->left = most;
    switch (coding) {
    case CODING_IDENTITY: break;
    case CODING_GZIP: good = gzip_begin(&d->gzip); break;
    case CODING_BR:
        d->br = BrotliDecoderCreateInstance(allocator_take, allocator_give, NULL);
        good = d->br != NULL;
        break;
    case CODING_ZSTD: good = zstd_begin(d); break;
    default: UNREACHABLE();
    }
    if (good)
        return d;
    if (coding == CODING_ZSTD)
        ZSTD_freeDCtx(d->zstd);
    mem_free(d);
    return NULL;
}

void decode_free(struct decode *d)
{
    if (!d)
        return;
    if (d->coding == CODING_GZIP)
        inflateEnd(&d->gzip);
    else if (d->coding == CODING_BR)
        BrotliDecoderDestroyInstance(d->br);
    else if (d->coding == CODING_ZSTD)
        ZSTD_freeDCtx(d->zstd);
    mem_free(d);
}

static enum decode_event fail(struct decode *d, enum decode_event error)
{
    d->error = error;
    return error;
}

/* One byte more than may come shows that the content is too long. */
static size_t room_bytes(const struct decode *d)
{
    return d->left < ROOM_BYTES ? (size_t)d->left + 1 : ROOM_BYTES;
}

/* The decoder has written n > 0 bytes of content. */
static enum decode_event give(struct decode *d, const char *p, size_t n, struct str *data)
{
    if (n > d->left)
        return fail(d, DECODE_TOO_LARGE);
    d->left -= n;
    *data = (struct str){ p, n };
    return DECODE_DATA;
}

static enum decode_event next_identity(struct decode *d, struct str *in, struct str *data)
{
    struct str piece = *in;
    *in = STR_NONE;
    return piece.n ? give(d, piece.p, piece.n, data) : DECODE_MORE;
}

/* zlib's counters have 32 bits. */
#define INPUT_MOST ((size_t)1 << 30)

/* Members may follow each other, and nothing else (RFC 1952 §2.2). */
static enum decode_event next_gzip(struct decode *d, struct str *in, struct str *data)
{
    z_stream *z = &d->gzip;
    for (;;) {
        size_t n = in->n < INPUT_MOST ? in->n : INPUT_MOST, room = room_bytes(d);
        if (d->is_ended) {
            if (n == 0)
                return DECODE_MORE;
            d->is_ended = false;
            CHECK(inflateReset(z) == Z_OK);
        }
        z->next_in = (const Bytef *)in->p;
        z->avail_in = (uInt)n;
        z->next_out = (Bytef *)d->room;
        z->avail_out = (uInt)room;
        int result = inflate(z, Z_NO_FLUSH);
        *in = str_from_index(*in, n - z->avail_in);
        room -= z->avail_out;
        if (result == Z_MEM_ERROR)
            return fail(d, DECODE_NO_MEMORY);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return fail(d, DECODE_DAMAGED);
        d->is_ended = result == Z_STREAM_END;
        if (room)
            return give(d, d->room, room, data);
        if (in->n == 0)
            return DECODE_MORE;
    }
}

static bool is_out_of_memory(BrotliDecoderErrorCode code)
{
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static enum decode_event next_br(struct decode *d, struct str *in, struct str *data)
{
    if (d->is_ended)
        return in->n ? fail(d, DECODE_DAMAGED) : DECODE_MORE;
    const uint8_t *next_in = (const uint8_t *)in->p;
    uint8_t *next_out = (uint8_t *)d->room;
    size_t n = in->n, most = room_bytes(d), room = most;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(d->br, &n, &next_in, &room, &next_out, NULL);
    *in = str_from_index(*in, in->n - n);
    if (result == BROTLI_DECODER_RESULT_ERROR)
        return fail(d,
                    is_out_of_memory(BrotliDecoderGetErrorCode(d->br)) ? DECODE_NO_MEMORY : DECODE_DAMAGED);
    d->is_ended = result == BROTLI_DECODER_RESULT_SUCCESS;
    if (most > room)
        return give(d, d->room, most - room, data);
    return d->is_ended && n ? fail(d, DECODE_DAMAGED) : DECODE_MORE;
}

/* Do the frame's first bytes, those that came and those that come, begin as a frame or a skippable frame does
 * (RFC 8878 §3.1)? The library also decodes formats from before the RFC, which no client knows. */
static bool zstd_is_frame(const struct decode *d, struct str in)
{
    char magic[4] = { 0 };
    unsigned n = d->magic_n;
    memcpy(magic, d->magic, n);
    for (size_t i = 0; n < 4 && i < in.n; i++)
        magic[n++] = in.p[i];
    bool skips = (magic[0] & 0xf0) == 0x50;
    if (skips)
        magic[0] = 0x50;
    return memcmp(magic, skips ? "\x50\x2a\x4d\x18" : "\x28\xb5\x2f\xfd", n) == 0;
}

static void zstd_note(struct decode *d, struct str taken, bool is_ended)
{
    for (size_t i = 0; d->magic_n < 4 && i < taken.n; i++)
        d->magic[d->magic_n++] = taken.p[i];
    if (is_ended)
        d->magic_n = 0;
    d->is_ended = is_ended;
}

/* Frames may follow each other (RFC 8878 §3). */
static enum decode_event next_zstd(struct decode *d, struct str *in, struct str *data)
{
    for (;;) {
        if (d->is_ended && in->n == 0)
            return DECODE_MORE;
        if (!zstd_is_frame(d, *in))
            return fail(d, DECODE_DAMAGED);
        /* The first byte of a frame alone: the library looks at a frame that comes whole more closely than at
         * one in pieces, and where a body was cut must make no difference. */
        ZSTD_inBuffer from = { in->p, d->magic_n == 0 && in->n ? 1 : in->n, 0 };
        ZSTD_outBuffer to = { d->room, room_bytes(d), 0 };
        size_t result = ZSTD_decompressStream(d->zstd, &to, &from);
        struct str taken = str_first(*in, from.pos);
        *in = str_from_index(*in, from.pos);
        if (ZSTD_isError(result))
            return fail(d, ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? DECODE_NO_MEMORY
                                                                                     : DECODE_DAMAGED);
        zstd_note(d, taken, result == 0);
        if (to.pos)
            return give(d, d->room, to.pos, data);
        if (in->n == 0)
            return DECODE_MORE;
    }
}

enum decode_event decode_next(struct decode *d, struct str *in, struct str *data)
{
    if (d->error != DECODE_MORE)
        return d->error;
    switch (d->coding) {
    case CODING_IDENTITY: return next_identity(d, in, data);
    case CODING_GZIP: return next_gzip(d, in, data);
    case CODING_BR: return next_br(d, in, data);
    case CODING_ZSTD: return next_zstd(d, in, data);
    default: break;
    }
    UNREACHABLE();
}

bool decode_is_whole(const struct decode *d)
{
    return d->error == DECODE_MORE && d->is_ended;
}
