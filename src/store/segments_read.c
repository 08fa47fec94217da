#include "store/segments_machine.h"

#include <errno.h>

int64_t segments_read_at(struct segments *s, int file, void *to, size_t n, uint64_t at)
{
    struct files *f = s->o.files;
    size_t done = 0;
    while (done < n) {
        int64_t got = f->read(f, file, (char *)to + done, n - done, at + done);
        if (got < 0)
            return got;
        if (got == 0 || (size_t)got % FILE_BLOCK != 0)
            return (int64_t)(done + (size_t)got);
        done += (size_t)got;
    }
    return (int64_t)done;
}

/* What a read needs to know of its segment. */
struct source {
    uint64_t generation;
    bool cached; /* it may be in the page cache */
    int file;
    uint64_t from; /* in the ring, with `hold` */
    struct hold *hold;
};

static struct stage *stage_of(struct segments *s, uint32_t slot)
{
    for (unsigned i = 0; i < s->stages_n; i++)
        if (s->stages[i].slot == slot)
            return &s->stages[i];
    return NULL;
}

/* Returns the position up to which bytes from `at` on may be read: others are being copied in just now. `at`
 * itself: none. */
static uint64_t settled_end(const struct segments *s, const struct stage *g, uint64_t at)
{
    uint64_t end = g->end;
    for (uint64_t left = s->held; left;) {
        const struct hold *h = segments_next_hold(s, &left);
        if (h->writes && h->to > at && h->from < end)
            end = h->from > at ? h->from : at;
    }
    return end;
}

static bool is_readable(const struct slot *slot)
{
    return slot->file >= 0 &&
           (slot->state == SLOT_FILLING || slot->state == SLOT_FOUND || slot->state == SLOT_LOADING ||
            slot->state == SLOT_SEALED || slot->state == SLOT_LEAVING);
}

/* Under the lock. Shortens *bytes to what there can be. false: nothing is there. */
static bool find_source(struct segments *s, struct segments_place place, size_t *bytes, struct source *from)
{
    uint64_t at = place.unit * SEGMENT_UNIT;
    if (place.segment >= s->slots_n || at < SEGMENT_BLOCK || at >= s->o.segment_bytes)
        return false;
    struct slot *slot = &s->slots[place.segment];
    struct stage *g = stage_of(s, place.segment);
    uint64_t end = g ? settled_end(s, g, g->base + at) - g->base : s->o.segment_bytes;
    if (!is_readable(slot) || at >= end)
        return false;
    *bytes = *bytes < end - at ? *bytes : (size_t)(end - at);
    *from = (struct source){ .generation = slot->generation, .cached = slot->cached, .file = slot->file };
    if (g && g->base + at + *bytes > s->written) {
        from->from = g->base + at;
        from->hold = segments_hold(s, from->from, from->from + *bytes, false);
        return from->hold != NULL;
    }
    slot->readers++;
    return true;
}

static void leave_source(struct segments *s, struct segments_place place, struct source *from)
{
    lock_take(&s->lock);
    if (from->hold)
        segments_release(s, from->hold);
    else
        s->slots[place.segment].readers--;
    lock_give(&s->lock);
}

/* Reads what is in the page cache. Returns the bytes that are there, all of them or none; -EAGAIN: none. */
static int64_t read_cached(struct segments *s, const struct source *from, char *to, size_t n, uint64_t at)
{
    struct files *f = s->o.files;
    int64_t got = f->read_cached && from->cached ? f->read_cached(f, from->file, to, n, at) : -EAGAIN;
    return got == (int64_t)n ? got : -EAGAIN;
}

/* Returns the bytes at the place, in `room`. *at_hand: only when nobody has to wait for them; false
 * afterwards: they are not, and nothing is returned. */
static struct str fetch(struct segments *s, struct segments_place place, const struct source *from,
                        char *room, size_t bytes, bool *at_hand)
{
    uint64_t at = place.unit * SEGMENT_UNIT, block = at / FILE_BLOCK * FILE_BLOCK;
    if (from->hold) {
        segments_copy_out(s, from->from, room, bytes);
        *at_hand = true;
        return (struct str){ room, bytes };
    }
    size_t skip = (size_t)(at - block), n = segments_round(skip + bytes, FILE_BLOCK);
    int64_t got =
        *at_hand ? read_cached(s, from, room, n, block) : segments_read_at(s, from->file, room, n, block);
    *at_hand = got != -EAGAIN;
    return got < (int64_t)skip ? STR_NONE : str_first((struct str){ room + skip, (size_t)got - skip }, bytes);
}

static bool is_wanted(const struct segment_record *r, const struct segment_record *want)
{
    return hash128_eq(r->key, want->key) && r->part == want->part && str_eq(r->url, want->url) &&
           str_eq(r->variant, want->variant);
}

static void note(struct segments *s, enum segments_read result, enum segment_result found, size_t bytes)
{
    lock_take(&s->lock);
    s->figures.read += result == SEGMENTS_READ;
    s->figures.read_bytes += result == SEGMENTS_READ ? bytes : 0;
    s->figures.missed += result == SEGMENTS_MISS;
    s->figures.damaged += found == SEGMENT_DAMAGED;
    s->figures.newer += found == SEGMENT_NEWER;
    lock_give(&s->lock);
}

static enum segments_read read_record(struct segments *s, struct segments_place place,
                                      const struct segment_record *want, char *room, size_t *bytes,
                                      struct segment_record *out, bool only_at_hand)
{
    struct source from;
    size_t length = 0, most = *bytes;
    enum segment_result found = SEGMENT_PAST;
    enum segments_read result = SEGMENTS_MISS;
    lock_take(&s->lock);
    bool is_there = find_source(s, place, &most, &from), at_hand = only_at_hand;
    lock_give(&s->lock);
    if (is_there) {
        struct str in = fetch(s, place, &from, room, most, &at_hand);
        leave_source(s, place, &from);
        if (only_at_hand && !at_hand)
            return SEGMENTS_FAR;
        found = segment_record_read(in, from.generation, out, &length);
    }
    if (found == SEGMENT_OK && is_wanted(out, want))
        result = SEGMENTS_READ;
    else if (found == SEGMENT_CUT && length > *bytes)
        result = SEGMENTS_LONG;
    if (result != SEGMENTS_MISS)
        *bytes = length;
    note(s, result, found, length);
    return result;
}

enum segments_read segments_read(struct segments *s, struct segments_place place,
                                 const struct segment_record *want, char *room, size_t *bytes,
                                 struct segment_record *out)
{
    return read_record(s, place, want, room, bytes, out, false);
}

enum segments_read segments_read_at_hand(struct segments *s, struct segments_place place,
                                         const struct segment_record *want, char *room, size_t *bytes,
                                         struct segment_record *out)
{
    return read_record(s, place, want, room, bytes, out, true);
}
