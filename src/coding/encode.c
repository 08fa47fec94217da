#define ZLIB_CONST /* input is const */
#include "coding/encode.h"

#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_createCCtx_advanced, which Debian's library exports */
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"
#include "base/mem.h"
#include "coding/allocator.h"

/* What is made in one call. */
#define ROOM_BYTES 16384
/* zlib's counters have 32 bits. */
#define INPUT_MOST ((size_t)1 << 30)
/* br is given no larger one: browsers on phones have to take it. */
#define BR_WINDOW_LOG_MOST 22
#define STREAM_WINDOW_LOG  18

_Static_assert((uint64_t)1 << STREAM_WINDOW_LOG == ENCODE_STREAM_WINDOW, "it is the same");

struct encode {
    enum coding coding;
    bool is_ended, failed;
    union {
        z_stream gzip;
        BrotliEncoderState *br;
        ZSTD_CCtx *zstd;
    };
    char room[ROOM_BYTES];
};

int encode_level(enum coding coding, int level)
{
    static const int least[CODINGS] = { [CODING_GZIP] = 1, [CODING_BR] = 0, [CODING_ZSTD] = 1 };
    static const int most[CODINGS] = { [CODING_GZIP] = 9, [CODING_BR] = 11, [CODING_ZSTD] = 19 };
    return level < least[coding] ? least[coding] : level > most[coding] ? most[coding] : level;
}

bool encode_is_exact(enum coding coding, int level)
{
    return coding != CODING_BR || level >= 2;
}

/* 16: with gzip's header and trailer. */
static bool gzip_begin(z_stream *z, int level)
{
    *z = (z_stream){ .zalloc = allocator_take_items, .zfree = allocator_give };
    return deflateInit2(z, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

/* The smallest window that has all of it: a larger one costs memory on both sides, and gains nothing. */
static uint32_t br_window_log(uint64_t expected)
{
    uint32_t log = BROTLI_MIN_WINDOW_BITS;
    while (log < BR_WINDOW_LOG_MOST && ((uint64_t)1 << log) - 16 < expected)
        log++;
    return log;
}

static bool br_begin(struct encode *e, int level, uint64_t expected, bool streams)
{
    e->br = BrotliEncoderCreateInstance(allocator_take, allocator_give, NULL);
    if (!e->br)
        return false;
    BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, (uint32_t)level);
    BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN,
                              streams ? STREAM_WINDOW_LOG : br_window_log(expected));
    if (expected < UINT32_MAX)
        BrotliEncoderSetParameter(e->br, BROTLI_PARAM_SIZE_HINT, (uint32_t)expected);
    return true;
}

static bool zstd_begin(struct encode *e, int level, uint64_t expected, bool streams)
{
    e->zstd = ZSTD_createCCtx_advanced((ZSTD_customMem){ allocator_take, allocator_give, NULL });
    if (!e->zstd)
        return false;
    ZSTD_compressionParameters p =
        ZSTD_getCParams(level, expected == UINT64_MAX ? ZSTD_CONTENTSIZE_UNKNOWN : expected, 0);
    bool good = !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, level));
    if (streams) {
        /* Its tables are of that size, too. */
        good &= !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_srcSizeHint, (int)ENCODE_STREAM_WINDOW));
        good &= !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, STREAM_WINDOW_LOG));
    } else if (p.windowLog > ZSTD_WINDOW_LOG_OF_HTTP)
        good &= !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG_OF_HTTP));
    if (expected != UINT64_MAX)
        good &= !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(e->zstd, expected));
    if (!good)
        ZSTD_freeCCtx(e->zstd);
    return good;
}

static struct encode *new_encode(enum coding coding, int level, uint64_t expected, bool streams)
{
    struct encode *e = mem_try(sizeof(*e));
    bool good = false;
    if (!e)
        return NULL;
    e->coding = coding;
    e->is_ended = e->failed = false;
    level = encode_level(coding, level);
    switch (coding) {
    case CODING_GZIP: good = gzip_begin(&e->gzip, level); break;
    case CODING_BR: good = br_begin(e, level, expected, streams); break;
    case CODING_ZSTD: good = zstd_begin(e, level, expected, streams); break;
    default: UNREACHABLE();
    }
    if (good)
        return e;
    mem_free(e);
    return NULL;
}

struct encode *encode_new(enum coding coding, int level, uint64_t expected)
{
    return new_encode(coding, level, expected, false);
}

struct encode *encode_new_stream(enum coding coding, int level)
{
    return new_encode(coding, level, UINT64_MAX, true);
}

void encode_free(struct encode *e)
{
    if (!e)
        return;
    if (e->coding == CODING_GZIP)
        deflateEnd(&e->gzip);
    else if (e->coding == CODING_BR)
        BrotliEncoderDestroyInstance(e->br);
    else
        ZSTD_freeCCtx(e->zstd);
    mem_free(e);
}

static enum encode_event fail(struct encode *e)
{
    e->failed = true;
    return ENCODE_NO_MEMORY;
}

static enum encode_event give(struct encode *e, size_t n, struct str *data)
{
    *data = (struct str){ e->room, n };
    return ENCODE_DATA;
}

static enum encode_event next_gzip(struct encode *e, struct str *in, bool last, struct str *data)
{
    z_stream *z = &e->gzip;
    for (;;) {
        size_t n = in->n < INPUT_MOST ? in->n : INPUT_MOST;
        z->next_in = (const Bytef *)in->p;
        z->avail_in = (uInt)n;
        z->next_out = (Bytef *)e->room;
        z->avail_out = ROOM_BYTES;
        int result = deflate(z, last && n == in->n ? Z_FINISH : Z_NO_FLUSH);
        *in = str_from_index(*in, n - z->avail_in);
        if (result == Z_STREAM_ERROR)
            return fail(e);
        e->is_ended = result == Z_STREAM_END;
        if (z->avail_out < ROOM_BYTES)
            return give(e, ROOM_BYTES - z->avail_out, data);
        if (e->is_ended)
            return ENCODE_ENDED;
        if (in->n == 0 && !last)
            return ENCODE_MORE;
    }
}

static enum encode_event next_br(struct encode *e, struct str *in, bool last, struct str *data)
{
    for (;;) {
        const uint8_t *next_in = (const uint8_t *)in->p;
        uint8_t *next_out = (uint8_t *)e->room;
        size_t n = in->n, room = ROOM_BYTES;
        if (!BrotliEncoderCompressStream(e->br, last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS, &n,
                                         &next_in, &room, &next_out, NULL))
            return fail(e);
        *in = str_from_index(*in, in->n - n);
        e->is_ended = last && BrotliEncoderIsFinished(e->br);
        if (room < ROOM_BYTES)
            return give(e, ROOM_BYTES - room, data);
        if (e->is_ended)
            return ENCODE_ENDED;
        if (in->n == 0 && !last)
            return ENCODE_MORE;
    }
}

static enum encode_event next_zstd(struct encode *e, struct str *in, bool last, struct str *data)
{
    for (;;) {
        ZSTD_inBuffer from = { in->p, in->n, 0 };
        ZSTD_outBuffer to = { e->room, ROOM_BYTES, 0 };
        size_t left = ZSTD_compressStream2(e->zstd, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
        *in = str_from_index(*in, from.pos);
        if (ZSTD_isError(left))
            return fail(e);
        e->is_ended = last && in->n == 0 && left == 0;
        if (to.pos)
            return give(e, to.pos, data);
        if (e->is_ended)
            return ENCODE_ENDED;
        if (in->n == 0 && !last)
            return ENCODE_MORE;
    }
}

enum encode_event encode_next(struct encode *e, struct str *in, bool last, struct str *data)
{
    if (e->failed)
        return ENCODE_NO_MEMORY;
    if (e->is_ended)
        return ENCODE_ENDED;
    switch (e->coding) {
    case CODING_GZIP: return next_gzip(e, in, last, data);
    case CODING_BR: return next_br(e, in, last, data);
    case CODING_ZSTD: return next_zstd(e, in, last, data);
    default: UNREACHABLE();
    }
}

/* Z_BUF_ERROR: all was given before. */
static enum encode_event flush_gzip(struct encode *e, struct str *data)
{
    z_stream *z = &e->gzip;
    z->avail_in = 0;
    z->next_out = (Bytef *)e->room;
    z->avail_out = ROOM_BYTES;
    if (deflate(z, Z_SYNC_FLUSH) == Z_STREAM_ERROR)
        return fail(e);
    return z->avail_out < ROOM_BYTES ? give(e, ROOM_BYTES - z->avail_out, data) : ENCODE_MORE;
}

static enum encode_event flush_br(struct encode *e, struct str *data)
{
    const uint8_t *next_in = NULL;
    uint8_t *next_out = (uint8_t *)e->room;
    size_t n = 0, room = ROOM_BYTES;
    if (!BrotliEncoderCompressStream(e->br, BROTLI_OPERATION_FLUSH, &n, &next_in, &room, &next_out, NULL))
        return fail(e);
    return room < ROOM_BYTES ? give(e, ROOM_BYTES - room, data) : ENCODE_MORE;
}

static enum encode_event flush_zstd(struct encode *e, struct str *data)
{
    ZSTD_inBuffer from = { "", 0, 0 };
    ZSTD_outBuffer to = { e->room, ROOM_BYTES, 0 };
    if (ZSTD_isError(ZSTD_compressStream2(e->zstd, &to, &from, ZSTD_e_flush)))
        return fail(e);
    return to.pos ? give(e, to.pos, data) : ENCODE_MORE;
}

enum encode_event encode_flush(struct encode *e, struct str *data)
{
    CHECK(!e->is_ended);
    if (e->failed)
        return ENCODE_NO_MEMORY;
    switch (e->coding) {
    case CODING_GZIP: return flush_gzip(e, data);
    case CODING_BR: return flush_br(e, data);
    case CODING_ZSTD: return flush_zstd(e, data);
    default: UNREACHABLE();
    }
}
