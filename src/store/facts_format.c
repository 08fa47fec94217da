#include "store/facts_format.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/little.h"

#define BATCH_MAGIC UINT32_C(0x0a425246)         /* "FRB\n" */
#define WHOLE_MAGIC UINT64_C(0x0a4c4c4148535246) /* "FRSHALL\n" */

#define BATCH_SUM 56 /* where it stands, behind what it covers of the head */
#define WHOLE_SUM (FACTS_SECTOR - 8)

#define FLAG_PIECE 1

enum { ENTRY_ROW = 1, ENTRY_FACT = 2 };
#define ROW_HEAD  ((size_t)10) /* kind, length, key */
#define FACT_HEAD ((size_t)8)  /* kind, zero, lengths of name and value */

static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)s.p;
}

/* ---- writing ---- */

void facts_writer_init(struct facts_writer *w, unsigned char *at, size_t room)
{
    CHECK(room >= FACTS_BATCH_HEAD && room <= FACTS_BATCH_MOST);
    *w = (struct facts_writer){ .at = at, .room = room, .n = FACTS_BATCH_HEAD };
}

/* Returns where an entry goes; NULL: there is no room for it. */
static unsigned char *take(struct facts_writer *w, size_t n)
{
    if (w->room - w->n < n)
        return NULL;
    unsigned char *p = w->at + w->n;
    w->n += n;
    w->count++;
    return p;
}

bool facts_writer_row(struct facts_writer *w, const struct facts_row *row)
{
    CHECK(row->n > 0 && row->n <= FACTS_ROW_MAX);
    unsigned char *p = take(w, ROW_HEAD + row->n);
    if (!p)
        return false;
    *p++ = ENTRY_ROW;
    *p++ = (unsigned char)row->n;
    little_put_bytes(little_put_u64(p, row->key), row->bytes, row->n);
    return true;
}

bool facts_writer_fact(struct facts_writer *w, struct str key, struct str value)
{
    CHECK(key.n > 0 && key.n <= FACTS_KEY_MAX && value.n <= FACTS_VALUE_MAX);
    unsigned char *p = take(w, FACT_HEAD + key.n + value.n);
    if (!p)
        return false;
    *p++ = ENTRY_FACT;
    *p++ = 0;
    p = little_put_bytes(little_put_u32(little_put_u16(p, key.n), value.n), key.p, key.n);
    if (value.n)
        little_put_bytes(p, value.p, value.n);
    return true;
}

/* Over all of a batch but the sum itself. */
static uint64_t sum_of(const unsigned char *p, size_t n)
{
    struct str pieces[] = { { (const char *)p, BATCH_SUM },
                            { (const char *)p + FACTS_BATCH_HEAD, n - FACTS_BATCH_HEAD } };
    return hash_sum_of(pieces, COUNT_OF(pieces));
}

size_t facts_writer_end(struct facts_writer *w, const struct facts_batch *b, size_t unit)
{
    size_t n = (w->n + unit - 1) / unit * unit;
    CHECK(n <= w->room && b->generation);
    memset(w->at + w->n, 0, n - w->n);
    unsigned char *p = little_put_u32(w->at, BATCH_MAGIC);
    p = little_put_u16(p, FACTS_VERSION);
    p = little_put_u16(p, b->is_piece ? FLAG_PIECE : 0);
    p = little_put_u64(p, b->generation);
    p = little_put_u64(p, b->serial);
    p = little_put_u64(p, b->after);
    p = little_put_u64(p, b->durable);
    p = little_put_u32(p, n);
    p = little_put_u32(p, w->count);
    p = little_put_u64(p, 0);
    CHECK(p == w->at + BATCH_SUM);
    little_put_u64(p, sum_of(w->at, n));
    return n;
}

/* ---- reading ---- */

static bool head_holds(const struct facts_batch *b, uint64_t flags, uint64_t zero)
{
    return b->generation && zero == 0 && flags <= FLAG_PIECE && b->bytes >= FACTS_BATCH_HEAD &&
           b->bytes <= FACTS_BATCH_MOST && b->bytes % FACTS_UNIT == 0;
}

enum facts_result facts_batch_read(struct str in, struct facts_batch *out)
{
    *out = (struct facts_batch){ .bytes = FACTS_BATCH_HEAD };
    if (in.n < FACTS_BATCH_HEAD)
        return FACTS_CUT;
    const unsigned char *p = bytes_of(in);
    if (little_get_u32(&p) != BATCH_MAGIC)
        return FACTS_FOREIGN;
    uint64_t version = little_get_u16(&p), flags = little_get_u16(&p);
    if (version > FACTS_VERSION)
        return FACTS_NEWER;
    struct facts_batch b = { .is_piece = flags & FLAG_PIECE };
    b.generation = little_get_u64(&p);
    b.serial = little_get_u64(&p);
    b.after = little_get_u64(&p);
    b.durable = little_get_u64(&p);
    b.bytes = (uint32_t)little_get_u32(&p);
    b.count = (uint32_t)little_get_u32(&p);
    if (version == 0 || !head_holds(&b, flags, little_get_u64(&p)))
        return FACTS_DAMAGED;
    out->bytes = b.bytes;
    if (in.n < b.bytes)
        return FACTS_CUT;
    if (little_get_u64(&p) != sum_of(bytes_of(in), b.bytes))
        return FACTS_DAMAGED;
    *out = b;
    return FACTS_OK;
}

/* Takes a row at *p. false: there is none, or it is refused. */
static bool read_row(const unsigned char **p, const unsigned char *end, const struct facts_reader *reader)
{
    struct facts_row row;
    if ((size_t)(end - *p) < ROW_HEAD)
        return false;
    row.n = (*p)[1];
    *p += 2;
    row.key = little_get_u64(p);
    if (row.n == 0 || row.n > FACTS_ROW_MAX || (size_t)(end - *p) < row.n)
        return false;
    little_get_bytes(p, row.bytes, row.n);
    return reader->row(reader->ctx, &row);
}

static bool read_fact(const unsigned char **p, const unsigned char *end, const struct facts_reader *reader)
{
    if ((size_t)(end - *p) < FACT_HEAD || (*p)[1])
        return false;
    *p += 2;
    struct str key = { NULL, (size_t)little_get_u16(p) }, value = { NULL, (size_t)little_get_u32(p) };
    size_t left = (size_t)(end - *p);
    if (key.n == 0 || key.n > FACTS_KEY_MAX || value.n > FACTS_VALUE_MAX || left < key.n ||
        left - key.n < value.n)
        return false;
    key.p = (const char *)*p;
    value.p = key.p + key.n;
    *p += key.n + value.n;
    return reader->fact(reader->ctx, key, value.n ? value : STR_NONE);
}

enum facts_result facts_batch_each(struct str in, const struct facts_batch *b,
                                   const struct facts_reader *reader)
{
    CHECK(in.n >= b->bytes);
    const unsigned char *p = bytes_of(in) + FACTS_BATCH_HEAD, *end = bytes_of(in) + b->bytes;
    for (uint32_t i = 0; i < b->count; i++) {
        bool good = p < end && (*p == ENTRY_ROW    ? read_row(&p, end, reader)
                                : *p == ENTRY_FACT ? read_fact(&p, end, reader)
                                                   : false);
        if (!good)
            return FACTS_DAMAGED;
    }
    while (p < end)
        if (*p++)
            return FACTS_DAMAGED;
    return FACTS_OK;
}

/* ---- the head of a snapshot ---- */

void facts_whole_head_write(const struct facts_whole_head *h, unsigned char out[FACTS_SECTOR])
{
    memset(out, 0, FACTS_SECTOR);
    unsigned char *p = little_put_u64(little_put_u64(out, WHOLE_MAGIC), FACTS_VERSION);
    p = little_put_u64(little_put_u64(p, h->generation), h->serial);
    little_put_u64(little_put_u64(p, h->bytes), h->pieces);
    little_put_u64(out + WHOLE_SUM, hash_sum((struct str){ (const char *)out, WHOLE_SUM }));
}

static bool whole_holds(const struct facts_whole_head *h, const unsigned char *p, const unsigned char *end)
{
    while (p < end)
        if (*p++)
            return false;
    return h->generation && h->pieces > 0 && h->bytes % FACTS_BLOCK == 0 &&
           h->bytes / FACTS_BLOCK >= h->pieces;
}

enum facts_result facts_whole_head_read(struct str in, struct facts_whole_head *out)
{
    if (in.n < FACTS_SECTOR)
        return FACTS_CUT;
    const unsigned char *p = bytes_of(in), *sum = p + WHOLE_SUM;
    if (little_get_u64(&p) != WHOLE_MAGIC)
        return FACTS_FOREIGN;
    uint64_t version = little_get_u64(&p);
    if (version == 0 || little_get_u64(&sum) != hash_sum(str_first(in, WHOLE_SUM)))
        return FACTS_DAMAGED;
    if (version > FACTS_VERSION)
        return FACTS_NEWER;
    struct facts_whole_head h;
    h.generation = little_get_u64(&p);
    h.serial = little_get_u64(&p);
    h.bytes = little_get_u64(&p);
    h.pieces = little_get_u64(&p);
    if (!whole_holds(&h, p, bytes_of(in) + WHOLE_SUM))
        return FACTS_DAMAGED;
    *out = h;
    return FACTS_OK;
}
