#include "store/segments_machine.h"

#include <errno.h>

#include "io/system.h"

#define AREA "disk"

/* ---- the disk, and its faults ---- */

int segments_write_at(struct segments *s, int file, const void *from, size_t n, uint64_t at)
{
    int64_t done = s->o.files->write(s->o.files, file, from, n, at);
    if (s->o.bytes_per_s)
        s->pace_us += (int64_t)(n * 1000000 / s->o.bytes_per_s);
    if (done < 0)
        return (int)done;
    /* What writes less than it was given has a fault that the next call would say. */
    return (size_t)done == n ? 0 : -EIO;
}

static const char *advice_for(int status)
{
    return status == -ENOSPC || status == -EDQUOT
               ? ": make room there, or give pages less of it with the setting disk"
           : status == -EROFS || status == -EACCES || status == -EPERM
               ? ": see that freshet's user may write there, or name another state folder"
               : "";
}

void segments_fault(struct segments *s, const char *what, int status)
{
    lock_take(&s->lock);
    bool was_off = s->off;
    s->off = true;
    s->figures.faults++;
    lock_give(&s->lock);
    if (!was_off)
        log_warning(s->o.log, AREA, "%s: %s: %s; pages are kept in memory only until it works again%s",
                    s->folder, what, system_strerror(status), advice_for(status));
    s->retry_us = clock_mono_us(s->o.clock) + s->patience_us;
    s->patience_us = s->patience_us * 2 < SEGMENTS_PATIENCE ? s->patience_us * 2 : SEGMENTS_PATIENCE;
}

static void works_again(struct segments *s)
{
    lock_take(&s->lock);
    bool was_off = s->off;
    s->off = false;
    lock_give(&s->lock);
    s->patience_us = SEGMENTS_RETRY_US;
    if (was_off)
        log_info(s->o.log, AREA, "%s: pages are written to disk again", s->folder);
}

/* ---- the segment that is written ---- */

/* What there is to write. */
struct span {
    struct stage *stage; /* the first, which only this thread takes away */
    int file;
    uint64_t from, flushed, ready; /* positions: written, written to the byte, to be written */
    bool last;                     /* nothing more is appended */
};

static bool find_span(struct segments *s, struct span *out)
{
    lock_take(&s->lock);
    struct stage *g = &s->stages[0];
    bool is_there = s->stages_n > 0;
    if (is_there) {
        uint64_t ready = segments_committed(s, g->end);
        *out = (struct span){ .stage = g,
                              .file = s->slots[g->slot].file,
                              .from = s->written,
                              .flushed = s->flushed,
                              .ready = ready,
                              .last = g->full && ready == g->end };
    }
    lock_give(&s->lock);
    return is_there;
}

/* The first segment is done with, whole or not: nothing more is written to it. */
static void end_stage(struct segments *s, bool bad)
{
    lock_take(&s->lock);
    struct stage g = s->stages[0];
    struct slot *slot = &s->slots[g.slot];
    s->stages[0] = s->stages[1];
    s->stages_n--;
    s->written = segments_round(g.end, FILE_BLOCK);
    s->flushed = s->written;
    slot->state = g.count ? SLOT_SEALED : SLOT_FREE;
    s->none_full = false;
    slot->bad |= bad;
    slot->begin_min = g.begin_min;
    slot->used_bytes = g.end - g.base - SEGMENT_BLOCK;
    s->spare[s->spare[0] != NULL] = g.entries;
    lock_give(&s->lock);
    s->dirty = false;
    s->pending_us = 0;
    if (!bad)
        segments_cache(s, slot, true);
}

static enum segments_step give_up(struct segments *s, const char *what, int status)
{
    end_stage(s, true);
    segments_fault(s, what, status);
    return SEGMENTS_FAULT;
}

#define RATE_US  ((int64_t)10 * 1000 * 1000)
#define LEAST_US ((int64_t)1000 * 1000)

static uint64_t per_s(uint64_t bytes, int64_t us)
{
    return bytes * 1000000 / (uint64_t)us;
}

void segments_rate_add(struct segments_rate *r, size_t n, int64_t now_us)
{
    if (!r->is_begun)
        *r = (struct segments_rate){ .from_us = now_us, .is_begun = true };
    int64_t us = now_us - r->from_us;
    if (us >= RATE_US)
        *r = (struct segments_rate){
            .from_us = now_us, .before = per_s(r->bytes, us), .has_before = true, .is_begun = true
        };
    r->bytes += n;
}

uint64_t segments_rate(const struct segments_rate *r, int64_t now_us)
{
    int64_t us = now_us - r->from_us;
    if (!r->is_begun)
        return 0;
    if (us >= RATE_US)
        return per_s(r->bytes, us);
    if (!r->has_before)
        return per_s(r->bytes, us > LEAST_US ? us : LEAST_US);
    /* What the ten seconds have of the time before went as that did. */
    return per_s(r->bytes + r->before * (uint64_t)(RATE_US - us) / 1000000, RATE_US);
}

static void note_written(struct segments *s, uint64_t written, uint64_t flushed, size_t n)
{
    int64_t now_us = clock_mono_us(s->o.clock);
    lock_take(&s->lock);
    segments_rate_add(&s->rate, n, now_us);
    s->written = written;
    s->flushed = flushed;
    s->figures.written_bytes += n;
    lock_give(&s->lock);
    s->dirty = true;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whole blocks, straight from the ring. */
static enum segments_step write_blocks(struct segments *s, const struct span *w, size_t n)
{
    size_t at = (size_t)(w->from & (s->o.buffer_bytes - 1));
    n = (size_t)min(min(n, SEGMENTS_PIECE), s->o.buffer_bytes - at);
    int status = segments_write_at(s, w->file, s->ring + at, n, w->from - w->stage->base);
    if (status < 0)
        return give_up(s, "cannot write", status);
    uint64_t written = w->from + n;
    note_written(s, written, written > w->flushed ? written : w->flushed, n);
    return SEGMENTS_DONE;
}

/* The block that is not full yet, with zeros behind it: the next piece begins with it again. */
static enum segments_step write_tail(struct segments *s, const struct span *w)
{
    size_t n = (size_t)(w->ready - w->from);
    segments_copy_out(s, w->from, s->scratch, n);
    memset(s->scratch + n, 0, FILE_BLOCK - n);
    int status = segments_write_at(s, w->file, s->scratch, FILE_BLOCK, w->from - w->stage->base);
    if (status < 0)
        return give_up(s, "cannot write", status);
    note_written(s, w->from, w->ready, FILE_BLOCK);
    return SEGMENTS_DONE;
}

static int sync_stage(struct segments *s, int file)
{
    int status = s->o.files->sync(s->o.files, file);
    if (status == 0) {
        s->dirty = false;
        s->synced_us = clock_mono_us(s->o.clock);
        works_again(s);
    }
    return status;
}

static struct segment_end end_of(const struct stage *g)
{
    uint32_t records_unit = (uint32_t)((g->end - g->base) / SEGMENT_UNIT);
    return (struct segment_end){
        .generation = g->generation,
        .begin_min = g->begin_min,
        .begin_max = g->begin_max,
        .count = g->count,
        .records_unit = records_unit,
        .index_unit = (uint32_t)(segments_round(records_unit * SEGMENT_UNIT, SEGMENT_BLOCK) / SEGMENT_UNIT),
        .index_sum = hash_sum((struct str){ (const char *)g->entries, g->count * SEGMENT_ENTRY }),
    };
}

static int write_index(struct segments *s, int file, const struct stage *g, const struct segment_end *end)
{
    size_t used = g->count * SEGMENT_ENTRY, bytes = segments_round(used, FILE_BLOCK);
    memset(g->entries + used, 0, bytes - used);
    int status = 0;
    for (size_t at = 0; at < bytes && status == 0; at += SEGMENTS_PIECE)
        status = segments_write_at(s, file, g->entries + at, (size_t)min(SEGMENTS_PIECE, bytes - at),
                                   end->index_unit * SEGMENT_UNIT + at);
    segments_count(s, &s->figures.written_bytes, bytes + FILE_BLOCK);
    return status < 0 ? status : sync_stage(s, file);
}

static int write_end(struct segments *s, int file, const struct segment_end *end)
{
    unsigned char sector[SEGMENT_SECTOR];
    segment_end_write(end, sector);
    memset(s->scratch, 0, FILE_BLOCK);
    memcpy(s->scratch + FILE_BLOCK - SEGMENT_SECTOR, sector, SEGMENT_SECTOR);
    int status = segments_write_at(s, file, s->scratch, FILE_BLOCK, s->o.segment_bytes - FILE_BLOCK);
    return status < 0 ? status : sync_stage(s, file);
}

static enum segments_step seal(struct segments *s, const struct span *w)
{
    struct segment_end end = end_of(w->stage);
    int status = w->stage->count ? write_index(s, w->file, w->stage, &end) : 0;
    if (status == 0 && w->stage->count)
        status = write_end(s, w->file, &end);
    if (status < 0)
        return give_up(s, "cannot finish a segment", status);
    end_stage(s, false);
    return SEGMENTS_DONE;
}

static enum segments_step write_some(struct segments *s, int64_t now_us)
{
    struct span w;
    if (!find_span(s, &w))
        return SEGMENTS_NOTHING;
    if (w.ready <= w.flushed) {
        s->pending_us = 0;
        return w.last ? seal(s, &w) : SEGMENTS_NOTHING;
    }
    if (!s->pending_us)
        s->pending_us = now_us;
    uint64_t blocks = w.ready / FILE_BLOCK * FILE_BLOCK;
    size_t whole = blocks > w.from ? (size_t)(blocks - w.from) : 0;
    if (whole < SEGMENTS_PIECE && !w.last && now_us - s->pending_us < SEGMENTS_FLUSH_US)
        return SEGMENTS_NOTHING;
    enum segments_step step = whole ? write_blocks(s, &w, whole) : write_tail(s, &w);
    if (whole >= SEGMENTS_PIECE)
        s->pending_us = 0; /* the rest came later */
    return step;
}

static enum segments_step sync_some(struct segments *s, int64_t now_us)
{
    struct span w;
    if (!s->dirty || now_us - s->synced_us < SEGMENTS_SYNC_US || !find_span(s, &w))
        return SEGMENTS_NOTHING;
    int status = sync_stage(s, w.file);
    return status < 0 ? give_up(s, "cannot sync", status) : SEGMENTS_DONE;
}

/* ---- the thread ---- */

static void sleep_until(int64_t *wait_us, int64_t then_us, int64_t now_us)
{
    int64_t left = then_us > now_us ? then_us - now_us : 0;
    *wait_us = left < *wait_us ? left : *wait_us;
}

/* Nothing is to be done now: returns for how long, and says what ends it earlier. */
static int64_t rest(struct segments *s, int64_t now_us)
{
    int64_t wait = BACKGROUND_IDLE;
    if (s->pending_us)
        sleep_until(&wait, s->pending_us + SEGMENTS_FLUSH_US, now_us);
    if (s->dirty)
        sleep_until(&wait, s->synced_us + SEGMENTS_SYNC_US, now_us);
    if (s->off && s->no_room_us > now_us)
        sleep_until(&wait, s->no_room_us, now_us);
    if (s->making.slot >= 0)
        sleep_until(&wait, now_us + SEGMENTS_POLL_US, now_us);
    lock_take(&s->lock);
    uint64_t ready = s->stages_n ? segments_committed(s, s->stages[0].end) : 0;
    bool came =
        s->stages_n && (ready >= s->written + SEGMENTS_PIECE || (ready > s->flushed && !s->pending_us));
    s->wake_at = s->pending_us ? s->written + SEGMENTS_PIECE : 0;
    lock_give(&s->lock);
    return came ? 0 : wait;
}

static int64_t pause_for(struct segments *s, int64_t us)
{
    lock_take(&s->lock);
    s->wake_at = UINT64_MAX;
    lock_give(&s->lock);
    return us;
}

int64_t segments_work(struct segments *s)
{
    int64_t now = clock_mono_us(s->o.clock);
    if (now < s->retry_us)
        return pause_for(s, s->retry_us - now);
    if (now < s->pace_us)
        return pause_for(s, s->pace_us - now);
    s->pace_us = now;
    /* In turns, so that neither waits for the other. */
    enum segments_step written = write_some(s, now);
    enum segments_step synced = written == SEGMENTS_FAULT ? SEGMENTS_FAULT : sync_some(s, now);
    enum segments_step prepared = synced == SEGMENTS_FAULT ? SEGMENTS_FAULT : segments_prepare(s, now);
    bool is_idle = !written && !synced && !prepared;
    return is_idle ? rest(s, now) : 0;
}

void segments_drain(struct segments *s)
{
    int64_t late = INT64_MAX;
    lock_take(&s->lock);
    if (s->stages_n)
        s->stages[s->stages_n - 1].full = true;
    lock_give(&s->lock);
    while (s->stages_n && write_some(s, late) == SEGMENTS_DONE)
        continue;
}
