/* Bodies in a coding, as a browser reads them. */
#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "world_visitor.h"

static char plain[BODY_MOST];

/* Each returns how long the plain body is; 0: it cannot be read. */
static size_t of_gzip(const char *from, size_t n)
{
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)from,
                   .avail_in = (unsigned)n,
                   .next_out = (unsigned char *)plain,
                   .avail_out = sizeof(plain) };
    int status = inflateInit2(&z, 15 + 16);
    if (status == Z_OK)
        status = inflate(&z, Z_FINISH);
    size_t made = status == Z_STREAM_END && z.avail_in == 0 ? sizeof(plain) - z.avail_out : 0;
    inflateEnd(&z);
    return made;
}

static size_t of_br(const char *from, size_t n)
{
    size_t made = sizeof(plain);
    return BrotliDecoderDecompress(n, (const uint8_t *)from, &made, (uint8_t *)plain) ==
                   BROTLI_DECODER_RESULT_SUCCESS
               ? made
               : 0;
}

static size_t of_zstd(const char *from, size_t n)
{
    size_t made = ZSTD_decompress(plain, sizeof(plain), from, n);
    return ZSTD_isError(made) ? 0 : made;
}

void decode_body(struct visitor *v, const char *coding)
{
    static const struct {
        const char *name;
        unsigned bit;
        size_t (*decode)(const char *, size_t);
    } all[] = { { "gzip", TAKES_GZIP, of_gzip }, { "br", TAKES_BR, of_br }, { "zstd", TAKES_ZSTD, of_zstd } };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(coding, all[i].name) != 0)
            continue;
        if (!(v->r.codings & all[i].bit))
            break;
        size_t n = all[i].decode(v->body, v->n);
        if (n == 0)
            sim_fail("request %u for %s: its %s cannot be read", v->r.number, v->r.page->path, coding);
        memcpy(v->body, plain, n);
        v->n = n;
        return;
    }
    sim_fail("request %u for %s: it does not take %s", v->r.number, v->r.page->path, coding);
}
