/* What the readers of segments accept, the writers write back to the same bytes; nothing behind the input is
 * looked at; what is cut or of another generation is not accepted. Input: a byte that chooses the form and
 * whether the sums are made right first, then the bytes of the form. */
#include "pieces.h"
#include "store/segment_format.h"

#define GENERATION    UINT64_C(0x0101010101010101)
#define SEGMENT_BYTES ((uint64_t)64 << 20)

enum { MEND = 4, FORMS = 4 };

static void put_sum(unsigned char *at, const unsigned char *from, size_t n)
{
    uint64_t sum = hash_sum((struct str){ (const char *)from, n });
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(sum >> 8 * i);
}

static size_t get_u32(const unsigned char *p)
{
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* The length of the texts of a record and of its body, as its head has them at 64. */
static size_t texts_of(const unsigned char *p)
{
    size_t n = 0;
    for (int i = 0; i < 5; i++)
        n += get_u32(p + 72 + 4 * i) & 0xffff;
    return n;
}

/* Makes generation, length and sums right, so that what is behind them is reached. */
static void mend_record(unsigned char *p, size_t n)
{
    if (n < SEGMENT_RECORD_HEAD)
        return;
    size_t texts = texts_of(p), body = get_u32(p + 92),
           sums = (body + SEGMENT_SUMMED - 1) / SEGMENT_SUMMED * 8;
    size_t bytes = (SEGMENT_RECORD_HEAD + sums + texts + body + 63) / 64 * 64, at = SEGMENT_RECORD_HEAD;
    memset(p + 8, 1, 8);
    for (int i = 0; i < 4; i++)
        p[48 + i] = (unsigned char)(bytes / 64 >> 8 * i);
    if (body <= SEGMENT_BODY_MAX && bytes <= n) {
        for (size_t from = 0; from < body; from += SEGMENT_SUMMED, at += 8)
            put_sum(p + at, p + SEGMENT_RECORD_HEAD + sums + texts + from,
                    body - from < SEGMENT_SUMMED ? body - from : SEGMENT_SUMMED);
        put_sum(p + 176, p + SEGMENT_RECORD_HEAD, sums + texts);
    }
    put_sum(p + 184, p, 184);
}

static void mend_sector(unsigned char *p, size_t n)
{
    if (n >= SEGMENT_SECTOR)
        put_sum(p + SEGMENT_SECTOR - 8, p, SEGMENT_SECTOR - 8);
}

static void check_record(struct str in)
{
    struct segment_record r;
    size_t bytes, peeked = 0;
    enum segment_result result = segment_record_read(in, GENERATION, &r, &bytes);
    enum segment_result peek = segment_record_peek(in, GENERATION, &peeked);
    CHECK((peek == SEGMENT_OK) == (bytes > 0) && peeked == bytes && bytes <= SEGMENT_RECORD_MAX);
    if (result != SEGMENT_OK)
        return;
    unsigned char *out = malloc(bytes);
    CHECK(out && bytes <= in.n && segment_record_bytes(&r) == bytes);
    CHECK(segment_record_write(&r, GENERATION, out) == bytes && memcmp(out, in.p, bytes) == 0);
    free(out);
    struct str cut = piece_copy(str_first(in, bytes - 1));
    size_t ignored;
    CHECK(segment_record_read(cut, GENERATION, &r, &ignored) == SEGMENT_CUT);
    CHECK(segment_record_read(in, GENERATION + 1, &r, &ignored) == SEGMENT_PAST);
    piece_free(cut);
}

static void check_head(struct str in)
{
    struct segment_head h;
    unsigned char out[SEGMENT_SECTOR];
    if (segment_head_read(in, &h) != SEGMENT_OK)
        return;
    segment_head_write(&h, out);
    CHECK(memcmp(out, in.p, sizeof(out)) == 0);
}

static void check_end(struct str in)
{
    struct segment_end e;
    unsigned char out[SEGMENT_SECTOR];
    if (segment_end_read(in, GENERATION, SEGMENT_BYTES, &e) != SEGMENT_OK)
        return;
    segment_end_write(&e, out);
    CHECK(memcmp(out, in.p, sizeof(out)) == 0);
    CHECK(e.records_unit * SEGMENT_UNIT + segment_end_room(e.records_unit, e.count) <= SEGMENT_BYTES);
}

/* An index, its number of entries and where they end taken from the input. */
static void check_index(struct str in, bool mend)
{
    if (in.n < 20)
        return;
    const unsigned char *p = (const unsigned char *)in.p;
    struct segment_end e = { .begin_min = 0, .begin_max = UINT64_MAX, .count = p[0], .records_unit = 64 };
    struct str entries = str_from_index(in, 1);
    for (size_t i = 0; i < e.count && (i + 1) * SEGMENT_ENTRY <= entries.n; i++)
        e.records_unit += (uint32_t)get_u32(p + 1 + i * SEGMENT_ENTRY + 28);
    if (mend)
        e.index_sum = hash_sum(str_first(entries, e.count * SEGMENT_ENTRY));
    if (segment_index_check(&e, entries) != SEGMENT_OK)
        return;
    for (size_t i = 0; i < e.count; i++) {
        struct segment_entry entry;
        unsigned char out[SEGMENT_ENTRY];
        segment_entry_read(p + 1 + i * SEGMENT_ENTRY, &entry);
        segment_entry_write(&entry, out);
        CHECK(memcmp(out, p + 1 + i * SEGMENT_ENTRY, sizeof(out)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str in = piece_copy((struct str){ (const char *)data + 1, size - 1 });
    unsigned char *bytes = (unsigned char *)(uintptr_t)in.p;
    bool mend = data[0] & MEND;
    switch (data[0] % FORMS) {
    case 0:
        if (mend)
            mend_record(bytes, in.n);
        check_record(in);
        break;
    case 1:
        if (mend)
            mend_sector(bytes, in.n);
        check_head(in);
        break;
    case 2:
        if (mend)
            mend_sector(bytes, in.n);
        check_end(in);
        break;
    default: check_index(in, mend);
    }
    piece_free(in);
    return 0;
}
