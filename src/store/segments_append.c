#include "store/segments_machine.h"

/* ---- the ring ---- */

struct hold *segments_hold(struct segments *s, uint64_t from, uint64_t to, bool writes)
{
    if (s->held == UINT64_MAX)
        return NULL;
    int i = __builtin_ctzll(~s->held);
    s->held |= UINT64_C(1) << i;
    s->holds[i] = (struct hold){ .from = from, .to = to, .writes = writes };
    return &s->holds[i];
}

void segments_release(struct segments *s, const struct hold *h)
{
    s->held &= ~(UINT64_C(1) << (h - s->holds));
}

uint64_t segments_committed(const struct segments *s, uint64_t end)
{
    for (uint64_t left = s->held; left;) {
        const struct hold *h = segments_next_hold(s, &left);
        if (h->writes && h->from < end)
            end = h->from;
    }
    return end;
}

/* Returns the position below which the ring may be overwritten. What was written last stays as long as the
 * longest record: so a record that is not yet written whole is whole in the ring. */
static uint64_t ring_tail(const struct segments *s)
{
    uint64_t keep = segments_round(SEGMENT_RECORD_MAX, FILE_BLOCK);
    uint64_t tail = s->written > keep ? s->written - keep : 0;
    for (uint64_t left = s->held; left;) {
        const struct hold *h = segments_next_hold(s, &left);
        if (h->from < tail)
            tail = h->from;
    }
    return tail;
}

static void copy_in(struct segments *s, uint64_t *at, struct str data)
{
    size_t ring = s->o.buffer_bytes, from = (size_t)(*at & (ring - 1));
    size_t first = data.n < ring - from ? data.n : ring - from;
    str_put(s->ring + from, str_first(data, first));
    str_put(s->ring, str_from_index(data, first));
    *at += data.n;
}

void segments_copy_out(const struct segments *s, uint64_t from, char *to, size_t n)
{
    size_t ring = s->o.buffer_bytes, at = (size_t)(from & (ring - 1));
    size_t first = n < ring - at ? n : ring - at;
    memcpy(to, s->ring + at, first);
    memcpy(to + first, s->ring, n - first);
}

/* ---- which segment ---- */

static uint32_t unit_at(const struct stage *g, uint64_t position)
{
    return (uint32_t)((position - g->base) / SEGMENT_UNIT);
}

uint64_t segments_reserve(const struct segments *s)
{
    return s->o.segment_bytes / 4;
}

/* Has the segment room for a record of so many bytes, with index and end behind it? */
static bool stage_takes(const struct segments *s, const struct stage *g, uint64_t bytes)
{
    uint64_t end = g->end - g->base + bytes;
    return !g->full && g->count < s->entries_most &&
           end + segment_end_room((uint32_t)(end / SEGMENT_UNIT), g->count + 1) <= s->o.segment_bytes;
}

static struct stage *last_stage(struct segments *s)
{
    return s->stages_n ? &s->stages[s->stages_n - 1] : NULL;
}

/* A new one costs a page fault for each page of it. */
static unsigned char *take_entries(struct segments *s)
{
    for (unsigned i = 0; i < SEGMENTS_STAGES; i++)
        if (s->spare[i]) {
            unsigned char *entries = s->spare[i];
            s->spare[i] = NULL;
            return entries;
        }
    return segments_map(s->entries_map);
}

/* The next segment becomes the one that is appended to. NULL: none is ready, or there is no memory. */
static struct stage *begin_stage(struct segments *s)
{
    struct stage *before = last_stage(s);
    if (s->next < 0 || s->stages_n == SEGMENTS_STAGES)
        return NULL;
    unsigned char *entries = take_entries(s);
    if (!entries)
        return NULL;
    uint64_t at = before ? segments_round(before->end, FILE_BLOCK) : s->written;
    struct stage *g = &s->stages[s->stages_n++];
    *g = (struct stage){
        .slot = (uint32_t)s->next,
        .generation = s->slots[s->next].generation,
        .base = at - SEGMENT_BLOCK,
        .end = at,
        .entries = entries,
        .begin_min = UINT64_MAX,
    };
    s->slots[s->next].state = SLOT_FILLING;
    s->next = -1;
    return g;
}

/* NULL: it has to wait. What is carried over goes into the segment that there is, or nowhere. */
static struct stage *stage_for(struct segments *s, size_t bytes, bool carries)
{
    struct stage *g = last_stage(s);
    if (g && stage_takes(s, g, bytes + (carries || s->next >= 0 ? 0 : segments_reserve(s))))
        return g;
    if (carries)
        return NULL;
    s->hurry = true;
    struct stage *next = begin_stage(s);
    if (g && next)
        g->full = true;
    return next;
}

/* ---- appending ---- */

/* Where a record is copied to. */
struct reserved {
    uint64_t at, generation;
    struct hold *hold;
};

static void add_entry(struct stage *g, const struct segment_record *r, uint32_t slot,
                      struct segments_found *out)
{
    struct segment_entry e = segment_entry_of(r, unit_at(g, g->end));
    segment_entry_write(&e, g->entries + g->count * SEGMENT_ENTRY);
    g->count++;
    g->begin_min = r->begin < g->begin_min ? r->begin : g->begin_min;
    g->begin_max = r->begin > g->begin_max ? r->begin : g->begin_max;
    *out = segments_found_of(&e, slot, g->generation);
}

/* Under the lock. */
static enum segments_append reserve(struct segments *s, const struct segment_record *r, size_t bytes,
                                    bool carries, struct reserved *to, struct segments_found *out)
{
    if (s->paused && !carries)
        return SEGMENTS_OFF;
    struct stage *g = stage_for(s, bytes, carries);
    if (!g && carries)
        return SEGMENTS_REFUSED;
    if (!g)
        return s->off ? SEGMENTS_OFF : SEGMENTS_BUSY;
    if (g->end + bytes - ring_tail(s) > s->o.buffer_bytes)
        return SEGMENTS_BUSY;
    to->hold = segments_hold(s, g->end, g->end + bytes, true);
    if (!to->hold)
        return SEGMENTS_BUSY;
    to->at = g->end;
    to->generation = g->generation;
    add_entry(g, r, g->slot, out);
    g->end += bytes;
    s->figures.appended++;
    s->figures.appended_bytes += bytes;
    return SEGMENTS_APPENDED;
}

static void copy_record(struct segments *s, const struct segment_record *r, size_t bytes,
                        const struct reserved *to)
{
    static const char zeros[SEGMENT_UNIT];
    unsigned char prefix[SEGMENT_PREFIX_MAX];
    size_t n = segment_record_prefix(r, to->generation, prefix);
    const struct str parts[] = {
        { (const char *)prefix, n }, r->url, r->variant, r->rule, r->names, r->head, r->body
    };
    uint64_t at = to->at;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        copy_in(s, &at, parts[i]);
    for (size_t i = 0; i < r->more.n; i++)
        copy_in(s, &at, r->more.v[i]);
    copy_in(s, &at, (struct str){ zeros, (size_t)(to->at + bytes - at) });
}

static uint64_t *figure_of(struct segments *s, enum segments_append result)
{
    return result == SEGMENTS_OFF    ? &s->figures.off
           : result == SEGMENTS_BUSY ? &s->figures.busy
                                     : &s->figures.refused;
}

/* Does the thread want to know of it? Under the lock. */
static bool wakes(struct segments *s, uint64_t end)
{
    bool wake = s->thread && end > s->wake_at;
    if (wake)
        s->wake_at = UINT64_MAX;
    return wake;
}

static enum segments_append append(struct segments *s, const struct segment_record *r, bool carries,
                                   struct segments_found *out)
{
    size_t bytes = segment_record_bytes(r);
    struct reserved to = { 0 };
    lock_take(&s->lock);
    enum segments_append result = bytes ? reserve(s, r, bytes, carries, &to, out) : SEGMENTS_REFUSED;
    if (result != SEGMENTS_APPENDED && !carries)
        ++*figure_of(s, result);
    bool wake = result == SEGMENTS_BUSY && wakes(s, UINT64_MAX);
    lock_give(&s->lock);
    if (result == SEGMENTS_APPENDED) {
        copy_record(s, r, bytes, &to);
        lock_take(&s->lock);
        segments_release(s, to.hold);
        wake = wakes(s, to.at + bytes);
        lock_give(&s->lock);
    }
    if (wake)
        background_wake(s->thread);
    return result;
}

enum segments_append segments_append(struct segments *s, const struct segment_record *r,
                                     struct segments_found *out)
{
    return append(s, r, false, out);
}

enum segments_append segments_carry(struct segments *s, const struct segment_record *r,
                                    struct segments_found *out)
{
    return append(s, r, true, out);
}

uint64_t segments_waiting(struct segments *s)
{
    lock_take(&s->lock);
    struct stage *g = last_stage(s);
    uint64_t bytes = g && g->end > s->written ? g->end - s->written : 0;
    lock_give(&s->lock);
    return bytes;
}
