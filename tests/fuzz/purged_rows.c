/* Rows of purged names, as the disk gives them (cache/epoch.h, epochs_rows): what is taken is written as it
 * was, and no number is given twice. A row is a byte for its length, 8 for its key, then its bytes. */
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "cache/epoch.h"
#include "store/facts.h"

static const struct hash_secret secret = { "a secret that everybody knows" };
static const struct clock real_clock;
static const struct now now = { .mono_ms = 1000, .wall_ms = 1800000000000 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

/* Loads all rows. false: one of them was refused. */
static bool load(const struct facts_rows *rows, const unsigned char *data, size_t n, uint64_t *highest)
{
    for (size_t at = 0; at + 9 <= n;) {
        struct facts_row row = { .n = data[at] };
        for (int k = 7; k >= 0; k--)
            row.key = row.key << 8 | data[at + 1 + (size_t)k];
        at += 9;
        /* What facts_batch_each gives: no row is empty, none is too long. */
        if (row.n == 0 || row.n > FACTS_ROW_MAX || row.n > n - at)
            return true;
        memcpy(row.bytes, data + at, row.n);
        if (!rows->load(rows->owner, &row, now))
            return false;
        at += row.n;
        for (size_t k = 0; row.key && k + 8 <= row.n && k < 16; k += 8) {
            uint64_t number = 0;
            for (int b = 7; b >= 0; b--)
                number = number << 8 | row.bytes[k + (size_t)b];
            *highest = number > *highest ? number : *highest;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    enum facts_found found;
    struct buf said = BUF_INIT;
    struct epochs *e = epochs_new(&secret, 64);
    struct facts_rows rows = epochs_rows(e);
    struct facts *facts = facts_open(STR_NONE, &real_clock, &rows, &found, &said);
    uint64_t highest = 0, name = 0x1234560000000000;
    if (!load(&rows, data, n, &highest)) {
        rows.forget(rows.owner);
        highest = 0;
        CHECK(epochs_count(e) == 0);
    }
    epochs_save_to(e, facts);
    CHECK(epochs_latest(e) >= highest && epochs_count(e) <= 64);
    CHECK(epochs_purge(e, PURGE_SOFT, &name, 1, now.mono_ms) > highest);
    struct facts_row taken[8];
    rows.begin(rows.owner);
    while (rows.take(rows.owner, taken, 8, now) > 0)
        ;
    epochs_free(e);
    facts_free(facts);
    buf_fini(&said);
    return 0;
}
