#include "store/segments_machine.h"

#include <errno.h>

#include "base/mem.h"

#define AT_ONCE 256 /* entries of a segment that is reclaimed, in one step */

static void set_state(struct segments *s, int slot, enum slot_state state)
{
    lock_take(&s->lock);
    s->slots[slot].state = state;
    if (state == SLOT_FREE || state == SLOT_NONE)
        s->slots[slot].begin_min = UINT64_MAX;
    lock_give(&s->lock);
}

/* ---- which slot ---- */

/* Is another segment needed soon? Under the lock. */
static bool wants_next(const struct segments *s)
{
    if (s->next >= 0 || s->stages_n == SEGMENTS_STAGES)
        return false;
    const struct stage *g = &s->stages[0];
    return s->stages_n == 0 || g->full || s->hurry || g->end - g->base >= s->o.segment_bytes / 2;
}

static bool is_unknown(const struct slot *slot)
{
    return slot->state == SLOT_FOUND || slot->state == SLOT_LOADING;
}

/* The lower, the sooner it is taken: a file at hand, a new file, the oldest segment. UINT64_MAX: not now. */
static uint64_t rank(const struct slot *slot, bool may_make, bool may_reclaim)
{
    if (slot->state == SLOT_FREE && !slot->bad)
        return 0;
    if (slot->state == SLOT_NONE && may_make)
        return 1;
    if (slot->state == SLOT_FREE)
        return 2;
    return slot->state == SLOT_SEALED && may_reclaim ? slot->generation : UINT64_MAX;
}

/* Under the lock. Returns the slot, or -1. */
static int choose(const struct segments *s, int64_t now_us)
{
    /* As long as nothing is appended, all that is there stays. */
    bool may_reclaim = s->hurry || s->stages_n > 0;
    uint64_t best = UINT64_MAX;
    int chosen = -1;
    /* What is not known yet is perhaps older. */
    for (uint32_t i = 0; i < s->slots_n; i++)
        may_reclaim &= !is_unknown(&s->slots[i]);
    for (uint32_t i = 0; i < s->slots_n; i++) {
        uint64_t r = rank(&s->slots[i], now_us >= s->no_room_us, may_reclaim);
        if (r < best) {
            best = r;
            chosen = (int)i;
        }
    }
    return chosen;
}

/* Under the lock. Returns the slot of the segment that is to leave, or -1. */
static int choose_retired(struct segments *s)
{
    int oldest = -1;
    for (uint32_t i = 0; i < s->slots_n; i++) {
        if (is_unknown(&s->slots[i]))
            return -1;
        if (s->slots[i].state == SLOT_SEALED &&
            (oldest < 0 || s->slots[i].generation < s->slots[oldest].generation))
            oldest = (int)i;
    }
    s->none_full = oldest < 0;
    return oldest;
}

bool segments_retire(struct segments *s)
{
    lock_take(&s->lock);
    bool may = !s->none_full && !s->off && !s->paused, wake = may && !s->retires && s->thread;
    s->retires |= may;
    lock_give(&s->lock);
    if (wake)
        background_wake(s->thread);
    return may;
}

static enum segments_step begin(struct segments *s, int64_t now_us)
{
    lock_take(&s->lock);
    int slot = wants_next(s) ? choose(s, now_us) : -1;
    bool retires = slot < 0 && s->retires;
    if (retires)
        slot = choose_retired(s);
    if (slot < 0)
        s->retires = false;
    if (slot >= 0 && (s->slots[slot].state == SLOT_SEALED || s->slots[slot].bad))
        s->slots[slot].state = SLOT_LEAVING;
    lock_give(&s->lock);
    if (slot < 0)
        return SEGMENTS_NOTHING;
    s->making = (struct making){ .slot = slot, .retires = retires };
    int status = segments_lock(s);
    if (status == 0)
        return SEGMENTS_DONE;
    s->making.slot = -1;
    if (s->slots[slot].state == SLOT_LEAVING)
        set_state(s, slot, SLOT_SEALED);
    segments_fault(s, "cannot use the folder", status);
    return SEGMENTS_FAULT;
}

/* ---- a new file ---- */

static void remove_file(struct segments *s, int slot, const char *kind)
{
    char path[SEGMENTS_PATH];
    lock_take(&s->lock);
    int file = s->slots[slot].file;
    s->slots[slot].file = -1;
    s->slots[slot].bad = false;
    lock_give(&s->lock);
    if (file >= 0)
        s->o.files->close(s->o.files, file);
    segments_path(s, (uint32_t)slot, kind, path);
    s->o.files->remove(s->o.files, path);
    set_state(s, slot, SLOT_NONE);
}

static enum segments_step cannot_make(struct segments *s, int status, int64_t now_us)
{
    remove_file(s, s->making.slot, "new");
    s->making.slot = -1;
    if (status == -EINVAL && s->direct) {
        s->direct = false; /* it opens, and then wants other blocks than ours */
        return SEGMENTS_DONE;
    }
    if (status == -ENOSPC || status == -EDQUOT)
        s->no_room_us = now_us + SEGMENTS_PATIENCE; /* until then with the files that there are */
    segments_fault(s, "cannot make a file", status);
    return SEGMENTS_FAULT;
}

static enum segments_step create(struct segments *s, int64_t now_us)
{
    char path[SEGMENTS_PATH];
    struct files *f = s->o.files;
    /* One that could not be opened at start would be one too many. */
    segments_path(s, (uint32_t)s->making.slot, "segment", path);
    f->remove(f, path);
    segments_path(s, (uint32_t)s->making.slot, "new", path);
    int file = f->open(f, path, FILE_WRITE | FILE_CREATE | (s->direct ? FILE_DIRECT : 0));
    if (file < 0)
        return cannot_make(s, file, now_us);
    lock_take(&s->lock);
    s->slots[s->making.slot].file = file;
    s->slots[s->making.slot].state = SLOT_MAKING;
    lock_give(&s->lock);
    int status = f->allocate(f, file, s->o.segment_bytes);
    return status < 0 ? cannot_make(s, status, now_us) : SEGMENTS_DONE;
}

/* The file is whole, and durable with its name, before it is used. */
static int finish_file(struct segments *s, int file)
{
    char from[SEGMENTS_PATH], to[SEGMENTS_PATH];
    struct files *f = s->o.files;
    segments_path(s, (uint32_t)s->making.slot, "new", from);
    segments_path(s, (uint32_t)s->making.slot, "segment", to);
    int status = f->sync(f, file);
    if (status == 0)
        status = f->rename(f, from, to);
    return status < 0 ? status : f->sync_folder(f, s->folder);
}

/* Zeros, so that later writes change no metadata of the file system. */
static enum segments_step fill(struct segments *s, int64_t now_us)
{
    int slot = s->making.slot, file = s->slots[slot].file;
    uint64_t left = s->o.segment_bytes - s->making.made_bytes;
    size_t n = left < SEGMENTS_PIECE ? (size_t)left : SEGMENTS_PIECE;
    int status = segments_write_at(s, file, s->zeros, n, s->making.made_bytes);
    s->making.made_bytes += n;
    segments_count(s, &s->figures.zeroed_bytes, n);
    if (status == 0 && n == left)
        status = finish_file(s, file);
    if (status < 0)
        return cannot_make(s, status, now_us);
    if (n == left)
        set_state(s, slot, SLOT_FREE);
    return SEGMENTS_DONE;
}

/* ---- the oldest segment leaves ---- */

static uint64_t used_bytes(struct segments *s, int slot)
{
    lock_take(&s->lock);
    uint64_t used = s->slots[slot].used_bytes;
    lock_give(&s->lock);
    return used;
}

static bool read_carried(struct segments *s, const struct slot *slot, const struct segments_found *old,
                         struct segment_record *r)
{
    uint64_t at = old->place.unit * SEGMENT_UNIT, block = at / FILE_BLOCK * FILE_BLOCK;
    size_t skip = (size_t)(at - block), n = segments_round(skip + old->bytes, FILE_BLOCK), bytes;
    if (!s->carried)
        s->carried = segments_map(segments_room(SEGMENT_RECORD_MAX));
    if (!s->carried || segments_read_at(s, slot->file, s->carried, n, block) < (int64_t)(skip + old->bytes))
        return false;
    struct str in = { s->carried + skip, old->bytes };
    return segment_record_read(in, slot->generation, r, &bytes) == SEGMENT_OK && hash128_eq(r->key, old->key);
}

static bool is_cheap(struct segments *s)
{
    return used_bytes(s, s->making.slot) <= s->o.segment_bytes / 8;
}

static bool may_carry(struct segments *s, const struct segments_found *old)
{
    return s->making.carried_bytes + old->bytes <= segments_reserve(s) &&
           s->o.owner.keeps(s->o.owner.ctx, old, is_cheap(s));
}

static void note_carried(struct segments *s, size_t bytes)
{
    s->making.carried_bytes += bytes;
    lock_take(&s->lock);
    s->figures.carried++;
    s->figures.carried_bytes += bytes;
    lock_give(&s->lock);
}

/* One record leaves. false: it has to wait until the buffer is written. */
static bool leave(struct segments *s, const struct segments_found *old)
{
    struct segments_found now;
    struct segment_record r;
    const struct segments_found *to = NULL;
    /* Asked again after the reading: a newer one may have been appended meanwhile, and must stay behind. */
    if (may_carry(s, old) && read_carried(s, &s->slots[s->making.slot], old, &r) && may_carry(s, old)) {
        enum segments_append result = segments_carry(s, &r, &now);
        if (result == SEGMENTS_BUSY)
            return false;
        if (result == SEGMENTS_APPENDED) {
            note_carried(s, old->bytes);
            to = &now;
        }
    }
    s->o.owner.gone(s->o.owner.ctx, old, to);
    return true;
}

static bool leave_some(struct segments *s, const struct loaded *l)
{
    uint64_t generation = s->slots[s->making.slot].generation, carried = s->making.carried_bytes;
    for (unsigned n = 0; n < AT_ONCE && s->making.at < l->count && s->making.carried_bytes == carried; n++) {
        struct segment_entry e;
        segment_entry_read(l->entries + s->making.at * SEGMENT_ENTRY, &e);
        struct segments_found old = segments_found_of(&e, (uint32_t)s->making.slot, generation);
        if (!leave(s, &old))
            return n > 0;
        s->making.at++;
    }
    return true;
}

/* Nobody has the file open who could be surprised: only its own readers, who are waited for. */
static enum segments_step left(struct segments *s)
{
    int slot = s->making.slot;
    lock_take(&s->lock);
    bool bad = s->slots[slot].bad, busy = s->slots[slot].readers > 0;
    if (!bad)
        s->slots[slot].state = SLOT_FREE;
    s->slots[slot].begin_min = UINT64_MAX;
    lock_give(&s->lock);
    if (bad && busy)
        return SEGMENTS_NOTHING;
    segments_unload(&s->making.leaving);
    if (bad) {
        remove_file(s, slot, "segment");
        s->making.slot = -1;
    }
    return SEGMENTS_DONE;
}

static enum segments_step reclaim(struct segments *s)
{
    struct making *m = &s->making;
    struct slot *slot = &s->slots[m->slot];
    if (!m->leaving)
        m->leaving = segments_load(s, slot->file, slot->generation);
    if (!m->leaving)
        m->leaving = mem_alloc(sizeof(*m->leaving)); /* it cannot be read: nobody is told what is lost */
    if (m->at < m->leaving->count)
        return leave_some(s, m->leaving) ? SEGMENTS_DONE : SEGMENTS_NOTHING;
    return left(s);
}

/* ---- its new head ---- */

static void make_ready(struct segments *s, uint64_t generation, int64_t made_wall_ms)
{
    struct slot *slot = &s->slots[s->making.slot];
    lock_take(&s->lock);
    slot->state = s->making.retires ? SLOT_FREE : SLOT_READY;
    slot->generation = generation;
    slot->made_wall_ms = made_wall_ms;
    slot->begin_min = UINT64_MAX;
    slot->used_bytes = 0;
    if (s->making.retires) {
        s->retires = false; /* who asked meanwhile has got it, too */
    } else {
        s->next = s->making.slot;
        s->hurry = false;
    }
    s->figures.written_bytes += FILE_BLOCK;
    s->making.slot = -1;
    s->making.retires = false;
    lock_give(&s->lock);
}

/* Synced before a record of its generation is written: a record never precedes its head. */
static enum segments_step write_head(struct segments *s)
{
    struct slot *slot = &s->slots[s->making.slot];
    struct segment_head head = { .generation = segments_new_generation(s),
                                 .bytes = s->o.segment_bytes,
                                 .made_wall_ms = clock_now(s->o.clock).wall_ms };
    segments_cache(s, slot, false);
    memcpy(head.secret, s->o.secret, SEGMENT_SECRET);
    memset(s->scratch, 0, FILE_BLOCK);
    segment_head_write(&head, (unsigned char *)s->scratch);
    int status = segments_write_at(s, slot->file, s->scratch, FILE_BLOCK, 0);
    if (status == 0)
        status = s->o.files->sync(s->o.files, slot->file);
    if (status == 0) {
        make_ready(s, head.generation, head.made_wall_ms);
        return SEGMENTS_DONE;
    }
    lock_take(&s->lock);
    slot->bad = true;
    lock_give(&s->lock);
    s->making.slot = -1;
    segments_fault(s, "cannot begin a segment", status);
    return SEGMENTS_FAULT;
}

enum segments_step segments_prepare(struct segments *s, int64_t now_us)
{
    if (s->making.slot < 0)
        return begin(s, now_us);
    switch (s->slots[s->making.slot].state) {
    case SLOT_NONE: return create(s, now_us);
    case SLOT_MAKING: return fill(s, now_us);
    case SLOT_LEAVING: return reclaim(s);
    default: return write_head(s);
    }
}

void segments_prepare_end(struct segments *s)
{
    if (s->making.slot >= 0 && s->slots[s->making.slot].state == SLOT_MAKING)
        remove_file(s, s->making.slot, "new");
    segments_unload(&s->making.leaving);
    s->making.slot = -1;
}
