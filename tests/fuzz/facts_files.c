/* The files of facts, as a disk may give them (store/facts_recover.h): whatever stands there, nothing behind
 * it is looked at; what is taken, and written as a new snapshot, is read again as it was, also when a byte is
 * another one or a file ends earlier. Input: a byte, 1: sums are made right first, 2: nothing is changed
 * afterwards; a byte that chooses what is changed; the lengths of the four files in units of 64 bytes, two
 * bytes each; then the files: both snapshots, both logs. */
#include "../unit/disk_test.h"
#include "base/hash.h"
#include "store/facts_recover.h"
#include "store/facts_whole.h"

static const char *const paths[] = { "f/facts.0.whole", "f/facts.1.whole", "f/facts.0.log", "f/facts.1.log" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what was read ---- */

struct seen {
    size_t facts, rows;
    uint64_t last;          /* a hash of all entries, in their order */
    struct facts_whole *to; /* where they are written again; NULL: nowhere */
};

static void note(struct seen *s, const void *p, size_t n)
{
    struct str pieces[] = { { (const char *)&s->last, sizeof(s->last) }, { p, n } };
    s->last = hash_sum_of(pieces, 2);
}

static bool take_fact(void *ctx, struct str key, struct str value)
{
    struct seen *s = ctx;
    CHECK(key.n > 0 && key.n <= FACTS_KEY_MAX && value.n <= FACTS_VALUE_MAX);
    note(s, key.p, key.n);
    if (value.n)
        note(s, value.p, value.n);
    s->facts++;
    if (s->to && !facts_writer_fact(&s->to->piece, key, value)) {
        CHECK(facts_whole_flush(s->to) == 0);
        CHECK(facts_writer_fact(&s->to->piece, key, value));
    }
    return true;
}

static bool take_row(void *ctx, const struct facts_row *row)
{
    struct seen *s = ctx;
    CHECK(row->n > 0 && row->n <= FACTS_ROW_MAX);
    note(s, &row->key, sizeof(row->key));
    note(s, row->bytes, row->n);
    s->rows++;
    if (s->to && !facts_writer_row(&s->to->piece, row)) {
        CHECK(facts_whole_flush(s->to) == 0);
        CHECK(facts_writer_row(&s->to->piece, row));
    }
    return row->key != 0xbad;
}

/* ---- the files ---- */

static void put_file(struct disk *d, const char *path, const uint8_t *bytes, size_t n)
{
    int file = d->files.open(&d->files, path, FILE_WRITE | FILE_CREATE);
    disk_reach(&d->file[file], n);
    if (n)
        memcpy(d->file[file].data, bytes, n);
}

static uint32_t get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Makes the sums of batches right, one behind the other. */
static void mend_batches(uint8_t *p, size_t n)
{
    for (size_t at = 0; at + FACTS_BATCH_HEAD <= n;) {
        size_t bytes = get_u32(p + at + 40);
        if (bytes < FACTS_BATCH_HEAD || bytes > n - at)
            return;
        struct str pieces[] = { { (const char *)p + at, 56 },
                                { (const char *)p + at + FACTS_BATCH_HEAD, bytes - FACTS_BATCH_HEAD } };
        uint64_t sum = hash_sum_of(pieces, 2);
        memcpy(p + at + 56, &sum, sizeof(sum));
        at += bytes;
    }
}

static void mend_whole(uint8_t *p, size_t n)
{
    if (n < FACTS_BLOCK)
        return;
    uint64_t sum = hash_sum((struct str){ (const char *)p, FACTS_SECTOR - 8 });
    memcpy(p + FACTS_SECTOR - 8, &sum, sizeof(sum));
    mend_batches(p + FACTS_BLOCK, n - FACTS_BLOCK);
}

static struct facts_recovered read_all(struct disk *d, struct seen *s)
{
    static struct facts_disk facts;
    struct facts_reader reader = { s, take_fact, take_row };
    struct facts_recovered r;
    CHECK(facts_disk_init(&facts, &d->files, STR("f")) && facts_disk_lock(&facts) == 0);
    CHECK(facts_recover(&facts, &reader, &r) == 0);
    facts_disk_leave(&facts);
    return r;
}

/* Writes what `d` has as a snapshot of a new disk, and reads that. */
static void write_again(struct disk *d, const struct seen *before)
{
    struct disk other;
    struct facts_disk facts;
    struct facts_whole w;
    struct seen s = { .to = &w }, again = { .to = NULL };
    void *room = facts_disk_room(FACTS_BATCH_MOST);
    disk_init(&other);
    other.grows = true;
    CHECK(facts_disk_init(&facts, &other.files, STR("f")) && facts_disk_lock(&facts) == 0);
    CHECK(facts_whole_begin(&w, &facts, FACTS_WHOLE_1, 7, 0, room) == 0);
    CHECK(read_all(d, &s).result == FACTS_OK && s.last == before->last);
    CHECK(facts_whole_end(&w) == 0);
    facts_disk_leave(&facts);
    CHECK(read_all(&other, &again).result == FACTS_OK);
    CHECK(again.last == before->last && again.facts == before->facts && again.rows == before->rows);
    facts_disk_free(room, FACTS_BATCH_MOST);
    disk_fini(&other);
}

/* One byte is another one, or a file ends earlier. */
static void change(struct disk *d, uint8_t how)
{
    struct disk_file *k = &d->file[how & 3];
    struct seen s = { .to = NULL };
    if (k->bytes == 0)
        return;
    size_t at = (size_t)(how >> 2) * 131 % k->bytes;
    if (how & 64)
        k->bytes = at;
    else
        k->data[at] ^= 0x10;
    /* An older snapshot may have what the newer one had, with its logs. */
    if (read_all(d, &s).result == FACTS_OK)
        write_again(d, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 10)
        return 0;
    struct disk d;
    disk_init(&d);
    const uint8_t *from = data + 10, *end = data + size;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        size_t n = ((size_t)data[2 + 2 * i] | (size_t)data[3 + 2 * i] << 8) * 64;
        n = n < (size_t)(end - from) ? n : (size_t)(end - from);
        put_file(&d, paths[i], from, n);
        if (data[0] & 1)
            (i < 2 ? mend_whole : mend_batches)(d.file[i].data, n);
        from += n;
    }
    struct seen s = { .to = NULL };
    struct facts_recovered r = read_all(&d, &s);
    if (r.result == FACTS_OK) {
        CHECK(r.generation > 0 && (r.whole == FACTS_WHOLE_0 || r.whole == FACTS_WHOLE_1));
        write_again(&d, &s);
        if (!(data[0] & 2))
            change(&d, data[1]);
    }
    disk_fini(&d);
    return 0;
}
