#define ZLIB_CONST /* input is const */
#include "coding/decode.h"

#include <brotli/decode.h>
#include <zlib.h>

#include "base/check.h"
#include "base/mem.h"

/* What is decoded in one call. */
#define ROOM_BYTES 16384

struct decode {
    enum decode_coding coding;
    enum decode_event error; /* DECODE_MORE: none yet */
    bool is_ended;           /* gzip: between two members; br: behind the stream; identity: always */
    uint64_t left;           /* content that may still come */
    union {
        z_stream gzip;
        BrotliDecoderState *br;
    };
    char room[ROOM_BYTES];
};

bool decode_coding_from(struct str content_encoding, enum decode_coding *out)
{
    static const struct {
        struct str name;
        enum decode_coding coding;
    } names[] = { { STR_INIT(""), DECODE_IDENTITY },
                  { STR_INIT("identity"), DECODE_IDENTITY },
                  { STR_INIT("gzip"), DECODE_GZIP },
                  { STR_INIT("x-gzip"), DECODE_GZIP }, /* RFC 9110 §8.4.1.3 */
                  { STR_INIT("br"), DECODE_BR } };
    struct str s = str_trim(content_encoding);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq_nocase(s, names[i].name)) {
            *out = names[i].coding;
            return true;
        }
    }
    return false;
}

/* The windows are as large as a stranger says. */
static void *take_memory(void *ctx, size_t bytes)
{
    (void)ctx;
    return mem_try(bytes);
}

static void *take_items(void *ctx, unsigned n, unsigned bytes)
{
    return take_memory(ctx, (size_t)n * bytes);
}

static void give_memory(void *ctx, void *p)
{
    (void)ctx;
    mem_free(p);
}

/* 16: a gzip header and trailer, with their checks, and nothing else. */
static bool gzip_begin(z_stream *z)
{
    *z = (z_stream){ .zalloc = take_items, .zfree = give_memory };
    return inflateInit2(z, 16 + MAX_WBITS) == Z_OK;
}

struct decode *decode_new(enum decode_coding coding, uint64_t most)
{
    struct decode *d = mem_try(sizeof(*d));
    bool good = true;
    if (!d)
        return NULL;
    d->coding = coding;
    d->error = DECODE_MORE;
    d->is_ended = coding == DECODE_IDENTITY;
    d->left = most;
    switch (coding) {
    case DECODE_IDENTITY: break;
    case DECODE_GZIP: good = gzip_begin(&d->gzip); break;
    case DECODE_BR:
        d->br = BrotliDecoderCreateInstance(take_memory, give_memory, NULL);
        good = d->br != NULL;
        break;
    }
    if (good)
        return d;
    mem_free(d);
    return NULL;
}

void decode_free(struct decode *d)
{
    if (!d)
        return;
    if (d->coding == DECODE_GZIP)
        inflateEnd(&d->gzip);
    else if (d->coding == DECODE_BR)
        BrotliDecoderDestroyInstance(d->br);
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

enum decode_event decode_next(struct decode *d, struct str *in, struct str *data)
{
    if (d->error != DECODE_MORE)
        return d->error;
    switch (d->coding) {
    case DECODE_IDENTITY: return next_identity(d, in, data);
    case DECODE_GZIP: return next_gzip(d, in, data);
    case DECODE_BR: return next_br(d, in, data);
    }
    UNREACHABLE();
}

bool decode_is_whole(const struct decode *d)
{
    return d->error == DECODE_MORE && d->is_ended;
}
