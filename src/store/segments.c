#include "store/segments_machine.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/pages.h"
#include "io/system.h"

#define AREA "disk"

/* ---- small things ---- */

uint64_t segments_round(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

size_t segments_map_bytes(size_t n)
{
    size_t bytes = FILE_BLOCK;
    while (bytes < n)
        bytes *= 2;
    return bytes;
}

#define HUGE ((size_t)2 << 20)

void *segments_map(size_t n)
{
    size_t bytes = segments_map_bytes(n);
    return pages_map(bytes, bytes >= HUGE);
}

void segments_unmap(void *p, size_t n)
{
    if (p)
        pages_unmap(p, segments_map_bytes(n));
}

void segments_path(const struct segments *s, uint32_t slot, const char *kind, char out[SEGMENTS_PATH])
{
    int n = snprintf(out, SEGMENTS_PATH, "%s/%06x.%s", s->folder, slot, kind);
    CHECK(n > 0 && n < SEGMENTS_PATH);
}

void segments_count(struct segments *s, uint64_t *figure, uint64_t n)
{
    lock_take(&s->lock);
    *figure += n;
    lock_give(&s->lock);
}

struct segments_found segments_found_of(const struct segment_entry *e, uint32_t slot, uint64_t generation)
{
    return (struct segments_found){
        .key = e->key,
        .part = e->part,
        .begin = e->begin,
        .generation = generation,
        .place = { slot, e->unit },
        .bytes = e->units * (uint32_t)SEGMENT_UNIT,
        .expires_wall_ms = e->expires_wall_ms,
        .status = e->status,
        .flags = e->flags,
    };
}

bool segments_wins(const struct segments_found *a, const struct segments_found *b)
{
    if (a->begin != b->begin)
        return a->begin > b->begin;
    if (a->generation != b->generation)
        return a->generation > b->generation;
    return a->place.unit > b->place.unit;
}

#define CHANCE_BITS 24

/* The lower bits are random, since the head with the largest number may be damaged. */
uint64_t segments_new_generation(struct segments *s)
{
    uint64_t chance;
    system_random(&chance, sizeof(chance));
    return ++s->top << CHANCE_BITS | chance >> (64 - CHANCE_BITS);
}

/* ---- opening ---- */

static bool is_valid(const struct segments_options *o)
{
    return o->segment_bytes >= SEGMENTS_BYTES_MIN && o->segment_bytes <= SEGMENTS_BYTES &&
           o->segment_bytes % SEGMENT_BLOCK == 0 && o->limit_bytes / o->segment_bytes >= 2 &&
           o->limit_bytes / o->segment_bytes <= SEGMENTS_MOST && o->buffer_bytes >= SEGMENTS_BUFFER_MIN &&
           (o->buffer_bytes & (o->buffer_bytes - 1)) == 0 && strlen(o->folder) < SEGMENTS_PATH - 32;
}

static int take_lock(struct segments *s)
{
    char path[SEGMENTS_PATH + 8];
    int status = s->o.files->make_folder(s->o.files, s->folder);
    if (status < 0)
        return status;
    snprintf(path, sizeof(path), "%s/lock", s->folder);
    int file = s->o.files->open(s->o.files, path, FILE_WRITE | FILE_CREATE);
    if (file < 0)
        return file;
    status = s->o.files->lock(s->o.files, file);
    if (status < 0)
        s->o.files->close(s->o.files, file);
    else
        s->lock_file = file;
    return status;
}

/* Is it NNNNNN.`kind`? */
static bool parse_name(const char *name, const char *kind, uint32_t *number)
{
    uint32_t value = 0;
    for (int i = 0; i < 6; i++) {
        int digit = ascii_hex_value(name[i]);
        if (digit < 0 || (name[i] >= 'A' && name[i] <= 'F'))
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *number = value;
    return name[6] == '.' && strcmp(name + 7, kind) == 0;
}

static void remove_name(struct segments *s, const char *name)
{
    char path[SEGMENTS_PATH + 300];
    snprintf(path, sizeof(path), "%s/%.255s", s->folder, name);
    s->o.files->remove(s->o.files, path);
}

/* Is the file's head one of ours? Counts what it is instead. */
static bool read_head(struct segments *s, struct slot *slot)
{
    struct segment_head head;
    int64_t n = segments_read_at(s, slot->file, s->scratch, FILE_BLOCK, 0);
    struct str in = { s->scratch, n < 0 ? 0 : (size_t)n };
    enum segment_result result = segment_head_read(in, &head);
    s->figures.newer += result == SEGMENT_NEWER;
    s->figures.damaged += result == SEGMENT_DAMAGED || result == SEGMENT_CUT;
    if (result != SEGMENT_OK)
        return false;
    uint64_t top = head.generation >> CHANCE_BITS;
    s->top = top > s->top ? top : s->top;
    if (head.bytes == s->o.segment_bytes && memcmp(head.secret, s->o.secret, SEGMENT_SECRET) == 0) {
        slot->generation = head.generation;
        slot->made_wall_ms = head.made_wall_ms;
        return true;
    }
    s->figures.foreign++;
    return false;
}

static void found_segment(struct segments *s, uint32_t number)
{
    char path[SEGMENTS_PATH];
    struct slot *slot = &s->slots[number];
    segments_path(s, number, "segment", path);
    int file = s->o.files->open(s->o.files, path, FILE_WRITE | FILE_DIRECT);
    bool read_only = file < 0;
    if (read_only)
        file = s->o.files->open(s->o.files, path, FILE_DIRECT);
    if (file < 0)
        return; /* in time it is made anew */
    if (s->o.files->size(s->o.files, file) != (int64_t)s->o.segment_bytes) {
        s->o.files->close(s->o.files, file);
        s->o.files->remove(s->o.files, path);
        return;
    }
    slot->file = file;
    slot->bad = read_only; /* it is made anew when the folder can be written */
    slot->state = read_head(s, slot) ? SLOT_FOUND : SLOT_FREE;
}

static void found_name(void *ctx, const char *name)
{
    struct segments *s = ctx;
    uint32_t number;
    if (parse_name(name, "new", &number))
        remove_name(s, name);
    else if (parse_name(name, "segment", &number) && number >= s->slots_n)
        remove_name(s, name);
    else if (parse_name(name, "segment", &number))
        found_segment(s, number);
}

static struct segments *make(const struct segments_options *o)
{
    struct segments *s = mem_alloc(sizeof(*s));
    s->o = *o;
    strcpy(s->folder, o->folder);
    s->lock_file = s->next = s->making.slot = -1;
    s->slots_n = (uint32_t)(o->limit_bytes / o->segment_bytes);
    s->slots = mem_alloc(s->slots_n * sizeof(*s->slots));
    for (uint32_t i = 0; i < s->slots_n; i++)
        s->slots[i] = (struct slot){ .file = -1, .begin_min = UINT64_MAX };
    /* Smaller records than 512 bytes fill the index first. */
    s->entries_most = (uint32_t)(o->segment_bytes / 512);
    s->entries_map = s->entries_most * SEGMENT_ENTRY;
    s->written = s->flushed = SEGMENT_BLOCK;
    s->patience_us = SEGMENTS_RETRY_US;
    s->direct = true;
    lock_init(&s->lock);
    s->ring = segments_map(o->buffer_bytes);
    s->scratch = segments_map(FILE_BLOCK);
    s->zeros = segments_map(SEGMENTS_PIECE);
    return s;
}

static void free_all(struct segments *s)
{
    for (uint32_t i = 0; i < s->slots_n; i++)
        if (s->slots[i].file >= 0)
            s->o.files->close(s->o.files, s->slots[i].file);
    if (s->lock_file >= 0)
        s->o.files->close(s->o.files, s->lock_file);
    for (unsigned i = 0; i < s->stages_n; i++)
        segments_unmap(s->stages[i].entries, s->entries_map);
    for (unsigned i = 0; i < SEGMENTS_STAGES; i++)
        segments_unmap(s->spare[i], s->entries_map);
    segments_unmap(s->ring, s->o.buffer_bytes);
    segments_unmap(s->scratch, FILE_BLOCK);
    segments_unmap((void *)(uintptr_t)s->zeros, SEGMENTS_PIECE);
    segments_unmap(s->carried, segments_room(SEGMENT_RECORD_MAX));
    lock_fini(&s->lock);
    mem_free(s->slots);
    mem_free(s);
}

static void found_unread(void *ctx, const char *name)
{
    uint32_t number;
    if (parse_name(name, "new", &number) || parse_name(name, "segment", &number))
        remove_name(ctx, name);
}

int segments_lock(struct segments *s)
{
    if (s->lock_file >= 0)
        return 0;
    int status = take_lock(s);
    return status < 0 ? status : s->o.files->list(s->o.files, s->folder, found_unread, s);
}

int segments_open(const struct segments_options *o, struct segments **out)
{
    *out = NULL;
    if (!is_valid(o))
        return -EINVAL;
    struct segments *s = make(o);
    int status = s->ring && s->scratch && s->zeros ? take_lock(s) : -ENOMEM;
    if (status == -EWOULDBLOCK || status == -ENOMEM) {
        free_all(s);
        return status;
    }
    if (status == 0)
        status = o->files->list(o->files, s->folder, found_name, s);
    if (status < 0)
        segments_fault(s, "cannot use the folder", status);
    *out = s;
    return 0;
}

static int64_t work(void *ctx)
{
    return segments_work(ctx);
}

void segments_start(struct segments *s)
{
    CHECK(!s->thread);
    s->thread = background_start("freshet disk", work, s);
    if (!s->thread)
        log_warning(s->o.log, AREA, "%s: no thread to write with; pages are kept in memory only", s->folder);
}

#define HOLD_NAP_US 100

/* Who copies into the buffer now is done soon. */
static void wait_for_holds(struct segments *s)
{
    for (;;) {
        lock_take(&s->lock);
        bool writes = false;
        for (uint64_t set = s->held; set;)
            writes |= segments_next_hold(s, &set)->writes;
        lock_give(&s->lock);
        if (!writes)
            return;
        background_nap(HOLD_NAP_US);
    }
}

void segments_pause(struct segments *s)
{
    lock_take(&s->lock);
    s->paused = true;
    lock_give(&s->lock);
    wait_for_holds(s);
    background_stop(&s->thread);
    int leaving = s->making.slot >= 0 && s->slots[s->making.slot].state == SLOT_LEAVING ? s->making.slot : -1;
    segments_prepare_end(s);
    if (leaving >= 0) { /* what it has can still be read */
        lock_take(&s->lock);
        s->slots[leaving].state = SLOT_SEALED;
        lock_give(&s->lock);
    }
    segments_drain(s);
    if (s->lock_file >= 0)
        s->o.files->close(s->o.files, s->lock_file);
    s->lock_file = -1;
}

int segments_resume(struct segments *s)
{
    if (!s->paused)
        return 0;
    int status = take_lock(s);
    if (status < 0)
        return status;
    segments_start(s); /* before others append again */
    lock_take(&s->lock);
    s->paused = false;
    lock_give(&s->lock);
    return 0;
}

void segments_close(struct segments **s)
{
    if (!*s)
        return;
    background_stop(&(*s)->thread);
    segments_prepare_end(*s);
    segments_drain(*s);
    free_all(*s);
    *s = NULL;
}

/* ---- questions ---- */

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t segments_oldest_begin(struct segments *s)
{
    uint64_t oldest = UINT64_MAX;
    lock_take(&s->lock);
    for (uint32_t i = 0; i < s->slots_n; i++) {
        struct slot *slot = &s->slots[i];
        bool unknown = slot->state == SLOT_FOUND || slot->state == SLOT_LOADING;
        oldest = min(oldest, unknown ? 0 : slot->begin_min);
    }
    for (unsigned i = 0; i < s->stages_n; i++)
        oldest = min(oldest, s->stages[i].begin_min);
    lock_give(&s->lock);
    return oldest;
}

static bool is_filled(const struct segments *s, uint32_t number)
{
    for (unsigned i = 0; i < s->stages_n; i++)
        if (s->stages[i].slot == number && s->stages[i].count)
            return true;
    return false;
}

/* Under the lock. */
static bool has_records(const struct segments *s, uint32_t number)
{
    const struct slot *slot = &s->slots[number];
    switch (slot->state) {
    case SLOT_FOUND:
    case SLOT_LOADING: return true; /* as far as is known */
    case SLOT_FILLING: return is_filled(s, number);
    case SLOT_SEALED:
    case SLOT_LEAVING: return slot->begin_min != UINT64_MAX;
    default: return false;
    }
}

void segments_figures(struct segments *s, struct segments_figures *out)
{
    int64_t now_us = clock_mono_us(s->o.clock);
    lock_take(&s->lock);
    *out = s->figures;
    out->is_off = s->off;
    out->bytes_per_s = segments_rate(&s->rate, now_us);
    out->file_bytes = 0;
    for (uint32_t i = 0; i < s->slots_n; i++) {
        const struct slot *slot = &s->slots[i];
        out->file_bytes += slot->file >= 0 ? s->o.segment_bytes : 0;
        if (has_records(s, i) && (!out->oldest_wall_ms || slot->made_wall_ms < out->oldest_wall_ms))
            out->oldest_wall_ms = slot->made_wall_ms;
    }
    lock_give(&s->lock);
}

void segments_cache(struct segments *s, struct slot *slot, bool cached)
{
    struct files *f = s->o.files;
    bool is_cached =
        f->set_direct && slot->file >= 0 && f->set_direct(f, slot->file, !cached && s->direct) == 0 && cached;
    lock_take(&s->lock);
    slot->cached = is_cached;
    lock_give(&s->lock);
}
