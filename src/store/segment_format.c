#include "store/segment_format.h"

#include "base/check.h"
#include "base/little.h"

/*
 * Each form is a list of its numbers in their order, from which its writer and its reader are
 * made. All of them are little endian.
 */

#define HEAD_MAGIC   UINT64_C(0x0a47455348535246) /* "FRSHSEG\n" */
#define END_MAGIC    UINT64_C(0x0a444e4548535246) /* "FRSHEND\n" */
#define RECORD_MAGIC UINT32_C(0x0a445246)         /* "FRD\n" */

#define PUT(type, member) p = little_put_##type(p, (uint64_t)(f->member));
#define GET(type, member) f->member = (__typeof__(f->member))little_get_##type(&p);

static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)s.p;
}

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static uint64_t sum_of(const unsigned char *p, size_t n)
{
    return hash_sum((struct str){ (const char *)p, n });
}

static uint64_t sum_at(const unsigned char *p)
{
    return little_get_u64(&p);
}

/* ---- sectors: magic, version, numbers, zeros, and the sum of all that ---- */

#define SECTOR_SUM (SEGMENT_SECTOR - 8)

/* Reads magic and version, and checks the sum. *p: behind them. */
static enum segment_result sector_open(struct str in, uint64_t magic, const unsigned char **p)
{
    *p = bytes_of(in);
    if (in.n < SEGMENT_SECTOR)
        return SEGMENT_CUT;
    if (little_get_u64(p) != magic)
        return SEGMENT_FOREIGN;
    uint64_t version = little_get_u64(p);
    if (version > SEGMENT_VERSION)
        return SEGMENT_NEWER;
    bool is_whole = version && sum_at(bytes_of(in) + SECTOR_SUM) == sum_of(bytes_of(in), SECTOR_SUM);
    return is_whole ? SEGMENT_OK : SEGMENT_DAMAGED;
}

static bool sector_ends(struct str in, const unsigned char *p)
{
    return is_zero(p, (size_t)(bytes_of(in) + SECTOR_SUM - p));
}

static unsigned char *sector_begin(unsigned char *out, uint64_t magic)
{
    memset(out, 0, SEGMENT_SECTOR);
    return little_put_u64(little_put_u64(out, magic), SEGMENT_VERSION);
}

static void sector_close(unsigned char *out)
{
    little_put_u64(out + SECTOR_SUM, sum_of(out, SECTOR_SUM));
}

#define HEAD_FIELDS(F)                                                                                       \
    F(u64, generation)                                                                                       \
    F(u64, bytes)                                                                                            \
    F(u64, made_wall_ms)

void segment_head_write(const struct segment_head *f, unsigned char out[SEGMENT_SECTOR])
{
    CHECK(f->generation != 0);
    unsigned char *p = sector_begin(out, HEAD_MAGIC);
    HEAD_FIELDS(PUT)
    memcpy(p, f->secret, SEGMENT_SECRET);
    sector_close(out);
}

enum segment_result segment_head_read(struct str in, struct segment_head *out)
{
    const unsigned char *p;
    struct segment_head head, *f = &head;
    enum segment_result result = sector_open(in, HEAD_MAGIC, &p);
    if (result != SEGMENT_OK)
        return result;
    HEAD_FIELDS(GET)
    memcpy(head.secret, p, SEGMENT_SECRET);
    if (head.generation == 0 || !sector_ends(in, p + SEGMENT_SECRET))
        return SEGMENT_DAMAGED;
    *out = head;
    return SEGMENT_OK;
}

#define END_FIELDS(F)                                                                                        \
    F(u64, generation)                                                                                       \
    F(u64, begin_min)                                                                                        \
    F(u64, begin_max)                                                                                        \
    F(u32, count)                                                                                            \
    F(u32, index_unit)                                                                                       \
    F(u32, records_unit)                                                                                     \
    F(u64, index_sum)

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint64_t index_at(uint32_t records_unit)
{
    return round_up((uint64_t)records_unit * SEGMENT_UNIT, SEGMENT_BLOCK);
}

uint64_t segment_end_room(uint32_t records_unit, uint32_t count)
{
    return index_at(records_unit) - (uint64_t)records_unit * SEGMENT_UNIT +
           round_up(count * SEGMENT_ENTRY, SEGMENT_BLOCK) + SEGMENT_BLOCK;
}

static bool end_fits(const struct segment_end *e, uint64_t segment_bytes)
{
    uint64_t records_end = (uint64_t)e->records_unit * SEGMENT_UNIT;
    return records_end >= SEGMENT_BLOCK &&
           (uint64_t)e->index_unit * SEGMENT_UNIT == index_at(e->records_unit) &&
           records_end + segment_end_room(e->records_unit, e->count) <= segment_bytes &&
           e->begin_min <= e->begin_max;
}

void segment_end_write(const struct segment_end *f, unsigned char out[SEGMENT_SECTOR])
{
    unsigned char *p = sector_begin(out, END_MAGIC);
    END_FIELDS(PUT)
    CHECK(p < out + SECTOR_SUM);
    sector_close(out);
}

enum segment_result segment_end_read(struct str in, uint64_t generation, uint64_t segment_bytes,
                                     struct segment_end *out)
{
    const unsigned char *p;
    struct segment_end end, *f = &end;
    enum segment_result result = sector_open(in, END_MAGIC, &p);
    if (result != SEGMENT_OK)
        return result;
    END_FIELDS(GET)
    if (!sector_ends(in, p))
        return SEGMENT_DAMAGED;
    if (end.generation != generation)
        return SEGMENT_PAST;
    if (!end_fits(&end, segment_bytes))
        return SEGMENT_DAMAGED;
    *out = end;
    return SEGMENT_OK;
}

/* ---- records ---- */

/* A record's head as numbers. */
struct numbers {
    uint32_t magic;
    uint16_t version, flags;
    uint64_t generation;
    uint64_t key_lo, key_hi, begin, object;
    uint32_t units, part;
    uint64_t body_from, body_whole;
    uint32_t url, variant, rule, names, head, body; /* lengths */
    uint64_t boot_lo, boot_hi;
    int64_t boot_ms, wall_ms;
    uint32_t status, form;
    uint64_t release;
    int64_t age_ms, lifetime_ms, stale_while_ms, stale_error_ms;
    uint64_t texts_sum; /* of what stands between the head and the body */
};

#define RECORD_FIELDS(F)                                                                                     \
    F(u32, magic)                                                                                            \
    F(u16, version)                                                                                          \
    F(u16, flags)                                                                                            \
    F(u64, generation)                                                                                       \
    F(u64, key_lo)                                                                                           \
    F(u64, key_hi)                                                                                           \
    F(u64, begin)                                                                                            \
    F(u64, object)                                                                                           \
    F(u32, units)                                                                                            \
    F(u32, part)                                                                                             \
    F(u64, body_from)                                                                                        \
    F(u64, body_whole)                                                                                       \
    F(u32, url)                                                                                              \
    F(u32, variant)                                                                                          \
    F(u32, rule)                                                                                             \
    F(u32, names)                                                                                            \
    F(u32, head)                                                                                             \
    F(u32, body)                                                                                             \
    F(u64, boot_lo)                                                                                          \
    F(u64, boot_hi)                                                                                          \
    F(u64, boot_ms)                                                                                          \
    F(u64, wall_ms)                                                                                          \
    F(u32, status)                                                                                           \
    F(u32, form)                                                                                             \
    F(u64, release)                                                                                          \
    F(u64, age_ms)                                                                                           \
    F(u64, lifetime_ms)                                                                                      \
    F(u64, stale_while_ms)                                                                                   \
    F(u64, stale_error_ms)                                                                                   \
    F(u64, texts_sum)

#define HEAD_SUM (SEGMENT_RECORD_HEAD - 8)

#define ADD_SIZE(type, member) +SIZE_##type
#define SIZE_u16               2
#define SIZE_u32               4
#define SIZE_u64               8
_Static_assert(0 RECORD_FIELDS(ADD_SIZE) == HEAD_SUM, "the numbers and their sum fill a record's head");

static size_t sums_bytes(size_t body)
{
    return (body + SEGMENT_SUMMED - 1) / SEGMENT_SUMMED * 8;
}

static uint64_t texts_bytes(const struct numbers *f)
{
    return (uint64_t)f->url + f->variant + f->rule + f->names + f->head;
}

/* Are all numbers in their range, and the lengths within their limits? The one question for what is written
 * and for what is read. */
static bool is_sound(const struct numbers *f)
{
    bool lengths = texts_bytes(f) <= SEGMENT_TEXTS_MAX && f->body <= SEGMENT_BODY_MAX;
    bool place = f->body_from <= f->body_whole && f->body <= f->body_whole - f->body_from;
    bool times = f->age_ms >= 0 && f->lifetime_ms >= 0 && f->stale_while_ms >= 0 && f->stale_error_ms >= 0;
    return lengths && place && times && f->status < 1000 && (f->flags & ~SEGMENT_FLAGS) == 0;
}

static size_t bytes_whole(const struct numbers *f)
{
    return round_up(SEGMENT_RECORD_HEAD + sums_bytes(f->body) + (size_t)texts_bytes(f) + f->body,
                    SEGMENT_UNIT);
}

_Static_assert(SEGMENT_RECORD_MAX % SEGMENT_UNIT == 0, "the longest record");
_Static_assert((SEGMENT_PREFIX_MAX + SEGMENT_UNIT - 32) % SEGMENT_UNIT == 0,
               "what aligns the longest record");

size_t segment_record_body(const struct segment_record *r)
{
    size_t n = r->body.n;
    for (size_t i = 0; i < r->more.n; i++)
        n += r->more.v[i].n;
    return n;
}

/* false: a length does not fit into its number. */
static bool lengths_of(const struct segment_record *r, struct numbers *f)
{
    const struct str *texts[] = { &r->url, &r->variant, &r->rule, &r->names, &r->head };
    size_t body = segment_record_body(r);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i]->n > SEGMENT_TEXTS_MAX)
            return false;
    f->url = (uint32_t)r->url.n;
    f->variant = (uint32_t)r->variant.n;
    f->rule = (uint32_t)r->rule.n;
    f->names = (uint32_t)r->names.n;
    f->head = (uint32_t)r->head.n;
    f->body = (uint32_t)body;
    return body <= SEGMENT_BODY_MAX && r->more.n <= SEGMENT_MORE_MAX;
}

static void times_of(const struct segment_record *r, struct numbers *f)
{
    const unsigned char *boot = r->received.boot;
    f->boot_lo = little_get_u64(&boot);
    f->boot_hi = little_get_u64(&boot);
    f->boot_ms = r->received.boot_ms;
    f->wall_ms = r->received.wall_ms;
    f->age_ms = r->age_ms;
    f->lifetime_ms = r->lifetime_ms;
    f->stale_while_ms = r->stale_while_ms;
    f->stale_error_ms = r->stale_error_ms;
}

/* All but generation and sums. false: it cannot be written. */
static bool numbers_of(const struct segment_record *r, struct numbers *f)
{
    if (!lengths_of(r, f))
        return false;
    times_of(r, f);
    f->magic = RECORD_MAGIC;
    f->version = SEGMENT_VERSION;
    f->flags = r->flags;
    f->key_lo = r->key.lo;
    f->key_hi = r->key.hi;
    f->begin = r->begin;
    f->object = r->object;
    f->part = r->part;
    f->body_from = r->body_from;
    f->body_whole = r->body_whole;
    f->status = r->status;
    f->form = r->form;
    f->release = r->release;
    f->units = (uint32_t)(bytes_whole(f) / SEGMENT_UNIT);
    return is_sound(f);
}

size_t segment_record_bytes(const struct segment_record *r)
{
    struct numbers f;
    return numbers_of(r, &f) ? f.units * SEGMENT_UNIT : 0;
}

/* ---- writing a record ---- */

/* Where a walk over a body's pieces stands. */
struct walk {
    const struct segment_record *r;
    size_t piece, at;
};

static struct str piece_of(const struct segment_record *r, size_t i)
{
    return i == 0 ? r->body : r->more.v[i - 1];
}

/* Returns the sum of the next bytes, up to SEGMENT_SUMMED, of a body in many pieces. */
static uint64_t next_sum(struct walk *w)
{
    struct str cut[SEGMENT_MORE_MAX + 1];
    size_t n = 0, left = SEGMENT_SUMMED;
    while (left && w->piece <= w->r->more.n) {
        struct str rest = str_from_index(piece_of(w->r, w->piece), w->at);
        cut[n] = str_first(rest, left);
        left -= cut[n].n;
        w->at = cut[n].n < rest.n ? w->at + cut[n].n : 0;
        w->piece += cut[n].n == rest.n;
        n++;
    }
    return hash_sum_of(cut, n);
}

size_t segment_record_prefix(const struct segment_record *r, uint64_t generation,
                             unsigned char out[SEGMENT_PREFIX_MAX])
{
    struct numbers numbers, *f = &numbers;
    CHECK(numbers_of(r, f));
    size_t sums = sums_bytes(f->body);
    struct walk w = { .r = r };
    for (size_t i = 0; i < sums; i += 8)
        little_put_u64(out + SEGMENT_RECORD_HEAD + i, next_sum(&w));
    struct str texts[] = {
        { (const char *)out + SEGMENT_RECORD_HEAD, sums }, r->url, r->variant, r->rule, r->names, r->head
    };
    f->texts_sum = hash_sum_of(texts, COUNT_OF(texts));
    f->generation = generation;
    unsigned char *p = out;
    RECORD_FIELDS(PUT)
    little_put_u64(p, sum_of(out, HEAD_SUM));
    return SEGMENT_RECORD_HEAD + sums;
}

size_t segment_record_write(const struct segment_record *r, uint64_t generation, unsigned char *out)
{
    unsigned char prefix[SEGMENT_PREFIX_MAX];
    size_t n = segment_record_prefix(r, generation, prefix), bytes = segment_record_bytes(r);
    const struct str parts[] = {
        { (const char *)prefix, n }, r->url, r->variant, r->rule, r->names, r->head
    };
    char *p = (char *)out;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        p = str_put(p, parts[i]);
    for (size_t i = 0; i <= r->more.n; i++)
        p = str_put(p, piece_of(r, i));
    memset(p, 0, (size_t)((char *)out + bytes - p));
    return bytes;
}

/* ---- reading a record ---- */

/* The head alone. */
static enum segment_result read_numbers(struct str in, struct numbers *f)
{
    const unsigned char *p = bytes_of(in);
    if (in.n < 8)
        return SEGMENT_CUT;
    f->magic = (uint32_t)little_get_u32(&p);
    f->version = (uint16_t)little_get_u16(&p);
    if (f->magic != RECORD_MAGIC)
        return SEGMENT_FOREIGN;
    if (f->version > SEGMENT_VERSION)
        return SEGMENT_NEWER;
    if (in.n < SEGMENT_RECORD_HEAD)
        return SEGMENT_CUT;
    p = bytes_of(in);
    RECORD_FIELDS(GET)
    bool is_whole = f->version && sum_at(p) == sum_of(bytes_of(in), HEAD_SUM);
    return is_whole && is_sound(f) && f->units == bytes_whole(f) / SEGMENT_UNIT ? SEGMENT_OK
                                                                                : SEGMENT_DAMAGED;
}

static enum segment_result read_head(struct str in, uint64_t generation, struct numbers *f)
{
    enum segment_result result = read_numbers(in, f);
    return result == SEGMENT_OK && f->generation != generation ? SEGMENT_PAST : result;
}

enum segment_result segment_record_peek(struct str in, uint64_t generation, size_t *bytes)
{
    struct numbers f;
    enum segment_result result = read_head(in, generation, &f);
    if (result == SEGMENT_OK)
        *bytes = f.units * SEGMENT_UNIT;
    return result;
}

static struct str cut_text(struct str *rest, size_t n)
{
    struct str text = str_first(*rest, n);
    *rest = (struct str){ rest->p + n, rest->n - n };
    return text;
}

static void set_values(const struct numbers *f, struct segment_record *r)
{
    *r = (struct segment_record){
        .key = { f->key_lo, f->key_hi },
        .begin = f->begin,
        .object = f->object,
        .part = f->part,
        .body_from = f->body_from,
        .body_whole = f->body_whole,
        .received = { .boot_ms = f->boot_ms, .wall_ms = f->wall_ms },
        .age_ms = f->age_ms,
        .lifetime_ms = f->lifetime_ms,
        .stale_while_ms = f->stale_while_ms,
        .stale_error_ms = f->stale_error_ms,
        .status = (uint16_t)f->status,
        .flags = f->flags,
        .form = f->form,
        .release = f->release,
    };
    little_put_u64(little_put_u64(r->received.boot, f->boot_lo), f->boot_hi);
}

static void set_texts(const struct numbers *f, struct str rest, struct segment_record *r)
{
    r->url = cut_text(&rest, f->url);
    r->variant = cut_text(&rest, f->variant);
    r->rule = cut_text(&rest, f->rule);
    r->names = cut_text(&rest, f->names);
    r->head = cut_text(&rest, f->head);
}

static bool sums_hold(struct str body, const unsigned char *sums)
{
    for (; body.n; body = str_from_index(body, SEGMENT_SUMMED))
        if (little_get_u64(&sums) != hash_sum(str_first(body, SEGMENT_SUMMED)))
            return false;
    return true;
}

/* `rest`: the whole record behind its head. */
static bool read_parts(const struct numbers *f, struct str rest, struct segment_record *out)
{
    size_t sums = sums_bytes(f->body), texts = (size_t)texts_bytes(f);
    const unsigned char *sums_at = bytes_of(rest);
    if (hash_sum(str_first(rest, sums + texts)) != f->texts_sum)
        return false;
    cut_text(&rest, sums);
    struct str text = cut_text(&rest, texts), body = cut_text(&rest, f->body);
    if (!is_zero(bytes_of(rest), rest.n) || !sums_hold(body, sums_at))
        return false;
    set_values(f, out);
    set_texts(f, text, out);
    out->body = body;
    return true;
}

enum segment_result segment_record_read(struct str in, uint64_t generation, struct segment_record *out,
                                        size_t *bytes)
{
    struct numbers f;
    *bytes = 0;
    enum segment_result result = read_head(in, generation, &f);
    if (result != SEGMENT_OK)
        return result;
    *bytes = f.units * SEGMENT_UNIT;
    if (in.n < *bytes)
        return SEGMENT_CUT;
    struct str rest = { in.p + SEGMENT_RECORD_HEAD, *bytes - SEGMENT_RECORD_HEAD };
    return read_parts(&f, rest, out) ? SEGMENT_OK : SEGMENT_DAMAGED;
}

/* ---- the index ---- */

#define ENTRY_FIELDS(F)                                                                                      \
    F(u64, key.lo)                                                                                           \
    F(u64, key.hi)                                                                                           \
    F(u64, begin)                                                                                            \
    F(u32, unit)                                                                                             \
    F(u32, units)                                                                                            \
    F(u64, expires_wall_ms)                                                                                  \
    F(u32, part)                                                                                             \
    F(u16, status)                                                                                           \
    F(u16, flags)

_Static_assert(0 ENTRY_FIELDS(ADD_SIZE) == SEGMENT_ENTRY, "the numbers fill an entry");

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

struct segment_entry segment_entry_of(const struct segment_record *r, uint32_t unit)
{
    int64_t window = r->stale_while_ms > r->stale_error_ms ? r->stale_while_ms : r->stale_error_ms;
    return (struct segment_entry){
        .key = r->key,
        .begin = r->begin,
        .unit = unit,
        .units = (uint32_t)(segment_record_bytes(r) / SEGMENT_UNIT),
        .expires_wall_ms = add(add(add(r->received.wall_ms, -r->age_ms), r->lifetime_ms), window),
        .part = r->part,
        .status = r->status,
        .flags = r->flags,
    };
}

void segment_entry_write(const struct segment_entry *f, unsigned char out[SEGMENT_ENTRY])
{
    unsigned char *p = out;
    ENTRY_FIELDS(PUT)
    CHECK(p == out + SEGMENT_ENTRY);
}

void segment_entry_read(const unsigned char in[SEGMENT_ENTRY], struct segment_entry *f)
{
    const unsigned char *p = in;
    ENTRY_FIELDS(GET)
}

/* Do the records of the entries follow each other, from the first block to the end? */
static bool in_order(const struct segment_end *e, const unsigned char *in)
{
    uint64_t at = SEGMENT_BLOCK / SEGMENT_UNIT;
    for (uint32_t i = 0; i < e->count; i++, in += SEGMENT_ENTRY) {
        struct segment_entry entry;
        segment_entry_read(in, &entry);
        bool fits = entry.unit == at && entry.units > 0 && entry.units <= SEGMENT_RECORD_MAX / SEGMENT_UNIT;
        if (!fits || entry.begin < e->begin_min || entry.begin > e->begin_max)
            return false;
        at += entry.units;
    }
    return at == e->records_unit;
}

enum segment_result segment_index_check(const struct segment_end *e, struct str in)
{
    size_t bytes = e->count * SEGMENT_ENTRY;
    if (in.n < bytes)
        return SEGMENT_CUT;
    bool is_whole = hash_sum(str_first(in, bytes)) == e->index_sum && in_order(e, bytes_of(in));
    return is_whole ? SEGMENT_OK : SEGMENT_DAMAGED;
}
