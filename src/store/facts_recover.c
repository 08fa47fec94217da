#include "store/facts_recover.h"

#include <errno.h>

#define WINDOW (2 * FACTS_BATCH_MOST) /* has a whole batch, wherever it begins */

/* How far behind the end of a log is looked for batches that should not be there. */
#define SEARCHED (2 * FACTS_BATCH_MOST)

struct recovery {
    struct facts_disk *d;
    const struct facts_reader *reader;
    struct facts_recovered *out;
    char *room;
    /* what of a file is in it */
    enum facts_file file;
    uint64_t at;
    size_t n;
    int status; /* a negative errno: a file could not be read */
};

/* ---- a window on a file ---- */

static struct str in_window(const struct recovery *r, uint64_t at)
{
    uint64_t skip = at - r->at;
    return at < r->at || skip >= r->n ? STR_NONE : (struct str){ r->room + skip, r->n - (size_t)skip };
}

/* Returns the bytes of the file from `at` on: at least `need`, if it has them. */
static struct str look(struct recovery *r, enum facts_file file, uint64_t at, size_t need)
{
    struct str in = r->file == file ? in_window(r, at) : STR_NONE;
    if (in.n >= need || r->status < 0 || r->d->file[file].handle < 0)
        return in;
    int64_t got = facts_disk_read(r->d, file, r->room, WINDOW, at / FACTS_BLOCK * FACTS_BLOCK);
    r->status = got < 0 ? (int)got : 0;
    r->file = file;
    r->at = at / FACTS_BLOCK * FACTS_BLOCK;
    r->n = got < 0 ? 0 : (size_t)got;
    return in_window(r, at);
}

static enum facts_result batch_at(struct recovery *r, enum facts_file file, uint64_t at,
                                  struct facts_batch *b, struct str *bytes)
{
    *bytes = look(r, file, at, FACTS_BATCH_HEAD);
    enum facts_result result = facts_batch_read(*bytes, b);
    if (result != FACTS_CUT)
        return result;
    *bytes = look(r, file, at, b->bytes);
    return facts_batch_read(*bytes, b);
}

static void note_generation(struct recovery *r, uint64_t generation)
{
    if (generation > r->out->generation)
        r->out->generation = generation;
}

static enum facts_result damaged(struct recovery *r, enum facts_file file)
{
    r->out->damaged = file;
    return FACTS_DAMAGED;
}

/* ---- the snapshot ---- */

static enum facts_result read_whole(struct recovery *r, enum facts_file file,
                                    const struct facts_whole_head *h)
{
    uint64_t at = FACTS_BLOCK;
    for (uint64_t i = 1; i <= h->pieces; i++) {
        struct facts_batch b;
        struct str bytes;
        if (batch_at(r, file, at, &b, &bytes) != FACTS_OK || !b.is_piece || b.generation != h->generation ||
            b.serial != i || b.bytes % FACTS_BLOCK || facts_batch_each(bytes, &b, r->reader) != FACTS_OK)
            return damaged(r, file);
        at += b.bytes;
    }
    return at == FACTS_BLOCK + h->bytes ? FACTS_OK : damaged(r, file);
}

/* Is there anything in the first sector? */
static bool is_blank(struct str in)
{
    for (size_t i = 0; i < in.n && i < FACTS_SECTOR; i++)
        if (in.p[i])
            return false;
    return true;
}

/* Finds the newest snapshot. FACTS_FOREIGN: there is none. */
static enum facts_result find_whole(struct recovery *r, struct facts_whole_head *newest)
{
    enum facts_result result = FACTS_FOREIGN;
    *newest = (struct facts_whole_head){ 0 };
    for (enum facts_file file = FACTS_WHOLE_0; file <= FACTS_WHOLE_1; file++) {
        struct facts_whole_head h;
        struct str in = look(r, file, 0, FACTS_SECTOR);
        enum facts_result found = facts_whole_head_read(in, &h);
        if (found == FACTS_NEWER)
            return FACTS_NEWER;
        if (found == FACTS_OK && h.generation > newest->generation) {
            *newest = h;
            r->out->whole = file;
            result = FACTS_OK;
        } else if (found != FACTS_OK && !is_blank(in) && result == FACTS_FOREIGN) {
            result = damaged(r, file); /* unless the other one is good */
        }
        if (found == FACTS_OK)
            note_generation(r, h.generation);
    }
    return result;
}

/* ---- the logs ---- */

/* Where the reading stands: behind this batch. */
struct chain {
    uint64_t generation, serial;
};

/* Is a batch there that was written when later ones than the chain's last were on disk already? Then one that
 * was on disk has gone. */
static bool has_lost(struct recovery *r, enum facts_file file, uint64_t at, const struct chain *c)
{
    for (uint64_t end = at + SEARCHED; at < end; at += FACTS_UNIT) {
        struct facts_batch b;
        struct str bytes;
        enum facts_result result = batch_at(r, file, at, &b, &bytes);
        if (bytes.n < FACTS_BATCH_HEAD)
            return false; /* the end of the file */
        if (result == FACTS_OK && b.generation >= c->generation && b.durable > c->serial)
            return true;
    }
    return false;
}

/* Reads a log up to the first batch that is not there. */
static enum facts_result replay(struct recovery *r, enum facts_file file, struct chain *c)
{
    uint64_t at = 0;
    struct facts_batch b;
    struct str bytes;
    while (batch_at(r, file, at, &b, &bytes) == FACTS_OK && !b.is_piece && b.generation == c->generation &&
           b.serial == c->serial + 1) {
        if (facts_batch_each(bytes, &b, r->reader) != FACTS_OK)
            return damaged(r, file);
        c->serial++;
        r->out->batches++;
        at += b.bytes;
    }
    return has_lost(r, file, at, c) ? damaged(r, file) : FACTS_OK;
}

static bool first_batch(struct recovery *r, enum facts_file file, struct facts_batch *b)
{
    struct str bytes;
    return batch_at(r, file, 0, b, &bytes) == FACTS_OK && !b->is_piece;
}

/* The log that belongs to the snapshot, then the one that goes on behind it. What is newer than these, and
 * does not go on there, was written when something was there that is missing now. */
static enum facts_result replay_all(struct recovery *r, struct chain *c)
{
    struct facts_batch b;
    enum facts_result result = FACTS_OK;
    for (enum facts_file file = FACTS_LOG_0; file <= FACTS_LOG_1 && result == FACTS_OK; file++)
        if (first_batch(r, file, &b) && b.generation == c->generation)
            result = b.serial == c->serial + 1 ? replay(r, file, c) : damaged(r, file);
    for (enum facts_file file = FACTS_LOG_0; file <= FACTS_LOG_1 && result == FACTS_OK; file++)
        if (first_batch(r, file, &b) && b.generation > c->generation && b.after == c->generation &&
            b.serial == c->serial + 1) {
            c->generation = b.generation;
            result = replay(r, file, c);
        }
    for (enum facts_file file = FACTS_LOG_0; file <= FACTS_LOG_1 && result == FACTS_OK; file++)
        if (first_batch(r, file, &b)) {
            note_generation(r, b.generation);
            result = b.generation > c->generation ? damaged(r, file) : FACTS_OK;
        } else if (has_lost(r, file, 0, c)) {
            result = damaged(r, file);
        }
    return result;
}

static bool has_batches(struct recovery *r)
{
    struct facts_batch b;
    return first_batch(r, FACTS_LOG_0, &b) || first_batch(r, FACTS_LOG_1, &b);
}

static enum facts_result recover(struct recovery *r)
{
    struct facts_whole_head h;
    enum facts_result result = find_whole(r, &h);
    if (result == FACTS_FOREIGN && has_batches(r))
        return damaged(r, FACTS_WHOLE_0);
    if (result == FACTS_OK)
        result = read_whole(r, r->out->whole, &h);
    struct chain c = { h.generation, h.serial };
    return result == FACTS_OK ? replay_all(r, &c) : result;
}

int facts_recover(struct facts_disk *d, const struct facts_reader *reader, struct facts_recovered *out)
{
    *out = (struct facts_recovered){ .result = FACTS_FOREIGN };
    for (int i = 0; i < FACTS_FILES; i++) {
        int status = facts_disk_open(d, (enum facts_file)i, false);
        if (status < 0 && status != -ENOENT)
            return status;
    }
    struct recovery r = { .d = d, .reader = reader, .out = out, .room = facts_disk_room(WINDOW) };
    out->result = recover(&r);
    facts_disk_free(r.room, WINDOW);
    return r.status;
}
