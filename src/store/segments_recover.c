#include "store/segments_machine.h"

#include "base/mem.h"

/* ---- by the index ---- */

static struct loaded *load_new(size_t bytes)
{
    struct loaded *l = mem_alloc(sizeof(*l));
    l->map_bytes = bytes;
    l->entries = segments_map(bytes);
    l->begin_min = UINT64_MAX;
    if (!l->entries)
        segments_unload(&l);
    return l;
}

void segments_unload(struct loaded **l)
{
    if (*l)
        segments_unmap((*l)->entries, (*l)->map_bytes);
    mem_free(*l);
    *l = NULL;
}

static bool read_end(struct segments *s, int file, uint64_t generation, char *room, struct segment_end *out)
{
    uint64_t at = s->o.segment_bytes - FILE_BLOCK;
    if (segments_read_at(s, file, room, FILE_BLOCK, at) < (int64_t)FILE_BLOCK)
        return false;
    struct str in = { room + FILE_BLOCK - SEGMENT_SECTOR, SEGMENT_SECTOR };
    return segment_end_read(in, generation, s->o.segment_bytes, out) == SEGMENT_OK;
}

static struct loaded *load_index(struct segments *s, int file, const struct segment_end *end)
{
    size_t bytes = segments_round(end->count * SEGMENT_ENTRY, FILE_BLOCK);
    struct loaded *l = load_new(bytes);
    if (!l)
        return NULL;
    int64_t got = segments_read_at(s, file, l->entries, bytes, end->index_unit * SEGMENT_UNIT);
    struct str in = { (const char *)l->entries, got < 0 ? 0 : (size_t)got };
    if (segment_index_check(end, in) != SEGMENT_OK) {
        segments_unload(&l);
        return NULL;
    }
    l->count = end->count;
    l->begin_min = end->count ? end->begin_min : UINT64_MAX;
    l->begin_max = end->begin_max;
    l->used_bytes = end->records_unit * SEGMENT_UNIT - SEGMENT_BLOCK;
    return l;
}

/* ---- record by record ---- */

#define WINDOW ((size_t)4 << 20) /* read at once */

struct scan {
    struct segments *s;
    struct loaded *l;
    uint64_t generation, at; /* of the next record */
    uint64_t window_at;
    size_t window_n;
    char *window;
    int file;
};

/* The bytes at c->at that are in memory. */
static struct str scan_input(const struct scan *c)
{
    size_t skip = (size_t)(c->at - c->window_at);
    return skip < c->window_n ? (struct str){ c->window + skip, c->window_n - skip } : STR_NONE;
}

/* Reads the window anew, from c->at on. */
static void scan_move(struct scan *c)
{
    c->window_at = c->at / FILE_BLOCK * FILE_BLOCK;
    uint64_t left = c->s->o.segment_bytes - c->window_at;
    int64_t got =
        segments_read_at(c->s, c->file, c->window, left < WINDOW ? (size_t)left : WINDOW, c->window_at);
    c->window_n = got < 0 ? 0 : (size_t)got;
}

static enum segment_result scan_read(struct scan *c, struct segment_record *r, size_t *bytes)
{
    enum segment_result result = segment_record_read(scan_input(c), c->generation, r, bytes);
    if (result != SEGMENT_CUT)
        return result;
    scan_move(c);
    return segment_record_read(scan_input(c), c->generation, r, bytes);
}

static void scan_add(struct scan *c, const struct segment_record *r)
{
    struct segment_entry e = segment_entry_of(r, (uint32_t)(c->at / SEGMENT_UNIT));
    segment_entry_write(&e, c->l->entries + c->l->count * SEGMENT_ENTRY);
    c->l->count++;
    c->l->begin_min = r->begin < c->l->begin_min ? r->begin : c->l->begin_min;
    c->l->begin_max = r->begin > c->l->begin_max ? r->begin : c->l->begin_max;
}

/* Up to the first head that is not ours. What has a head and is damaged is passed over. */
static void scan_all(struct scan *c)
{
    while (c->at < c->s->o.segment_bytes && c->l->count < c->s->entries_most) {
        struct segment_record r;
        size_t bytes;
        enum segment_result result = scan_read(c, &r, &bytes);
        if (result == SEGMENT_OK)
            scan_add(c, &r);
        if (result == SEGMENT_DAMAGED)
            segments_count(c->s, &c->s->figures.damaged, 1);
        if (result == SEGMENT_NEWER)
            segments_count(c->s, &c->s->figures.newer, 1);
        if (bytes == 0 || result == SEGMENT_CUT)
            break;
        c->at += bytes;
    }
    c->l->used_bytes = c->at - SEGMENT_BLOCK;
}

static struct loaded *load_scan(struct segments *s, int file, uint64_t generation)
{
    struct scan c = { .s = s, .generation = generation, .at = SEGMENT_BLOCK, .file = file };
    c.l = load_new(s->entries_most * SEGMENT_ENTRY);
    c.window = segments_map(WINDOW);
    if (c.l && c.window)
        scan_all(&c);
    else
        segments_unload(&c.l);
    segments_unmap(c.window, WINDOW);
    if (c.l)
        c.l->is_scanned = true;
    segments_count(s, &s->figures.scanned, 1);
    return c.l;
}

struct loaded *segments_load(struct segments *s, int file, uint64_t generation)
{
    struct segment_end end;
    struct loaded *l = NULL;
    char *room = segments_map(FILE_BLOCK);
    if (room && read_end(s, file, generation, room, &end))
        l = load_index(s, file, &end);
    segments_unmap(room, FILE_BLOCK);
    return l ? l : load_scan(s, file, generation);
}

/* ---- at start ---- */

/* The newest that was not looked at yet; NULL: none is left. */
static struct slot *take_newest(struct segments *s)
{
    struct slot *newest = NULL;
    lock_take(&s->lock);
    for (uint32_t i = 0; i < s->slots_n; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->state == SLOT_FOUND && (!newest || slot->generation > newest->generation))
            newest = slot;
    }
    if (newest)
        newest->state = SLOT_LOADING;
    lock_give(&s->lock);
    return newest;
}

static void set_loaded(struct segments *s, struct slot *slot, const struct loaded *l)
{
    lock_take(&s->lock);
    slot->state = l && l->count ? SLOT_SEALED : SLOT_FREE;
    s->none_full = false;
    slot->begin_min = l ? l->begin_min : UINT64_MAX;
    slot->used_bytes = l ? l->used_bytes : 0;
    s->figures.recovered += l ? l->count : 0;
    lock_give(&s->lock);
    if (s->thread)
        background_wake(s->thread);
}

/* A process that was killed left bytes to the kernel alone. What a visitor has seen of them must not vanish
 * in a power cut: an older record would be back. */
static void make_durable(struct segments *s, struct slot *slot)
{
    int status = s->o.files->sync(s->o.files, slot->file);
    lock_take(&s->lock);
    slot->bad |= status < 0; /* it is read as long as it can be */
    lock_give(&s->lock);
}

bool segments_recover(struct segments *s, void (*each)(void *ctx, const struct segments_found *record),
                      void *ctx)
{
    struct slot *slot = take_newest(s);
    if (!slot)
        return false;
    struct loaded *l = segments_load(s, slot->file, slot->generation);
    if (l && l->is_scanned)
        make_durable(s, slot);
    /* The newest first here as well: what is found may be asked for at once. */
    for (uint32_t i = l ? l->count : 0; i-- > 0;) {
        struct segment_entry e;
        segment_entry_read(l->entries + i * SEGMENT_ENTRY, &e);
        struct segments_found found = segments_found_of(&e, (uint32_t)(slot - s->slots), slot->generation);
        each(ctx, &found);
    }
    segments_cache(s, slot, l != NULL);
    set_loaded(s, slot, l);
    segments_unload(&l);
    return true;
}
