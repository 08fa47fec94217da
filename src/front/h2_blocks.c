#include "front/h2_blocks.h"

#include <string.h>

#include "base/mem.h"
#include "http/hpack.h"
#include "http/lines.h"

#define SLOT_BITS  10
#define SLOTS      ((size_t)1 << SLOT_BITS)
#define LINES_MOST ((size_t)2048)

/* The lines, then their block. */
struct h2_blocks_slot {
    const char *seen; /* where the lines stood that came here last */
    struct buf text;
    size_t lines_n; /* of `text` */
    /* where the value of their Priority field is in `text`; n 0: there is none */
    uint32_t priority_at, priority_n;
};

/* Lines of a stored response stay where they are, and are aligned. */
static struct h2_blocks_slot *slot_of(struct h2_blocks *b, const char *lines)
{
    uint64_t hash = (uint64_t)(uintptr_t)lines * UINT64_C(0x9e3779b97f4a7c15);
    return &b->slots[hash >> (64 - SLOT_BITS)];
}

static void make(struct h2_blocks_slot *s, struct str lines)
{
    buf_clear(&s->text);
    buf_add(&s->text, lines);
    s->lines_n = lines.n;
    hpack_add_lines(&s->text, lines);
    s->priority_n = 0;
    struct str rest = lines;
    struct field f;
    while (lines_next(&rest, &f))
        if (h2_blocks_is_priority(f.name)) {
            s->priority_at = (uint32_t)(f.value.p - lines.p);
            s->priority_n = (uint32_t)f.value.n;
        }
}

struct str h2_blocks_find(struct h2_blocks *b, struct str lines, struct str *priority)
{
    *priority = STR_NONE;
    if (lines.n == 0 || lines.n > LINES_MOST)
        return STR_NONE;
    if (!b->slots)
        b->slots = mem_alloc(SLOTS * sizeof(*b->slots));
    struct h2_blocks_slot *s = slot_of(b, lines.p);
    bool is_it = s->lines_n == lines.n && memcmp(s->text.p, lines.p, lines.n) == 0;
    if (!is_it && s->seen != lines.p) {
        s->seen = lines.p; /* what comes once is not worth it */
        return STR_NONE;
    }
    if (!is_it)
        make(s, lines);
    if (s->priority_n)
        *priority = (struct str){ s->text.p + s->priority_at, s->priority_n };
    return str_from_index(buf_str(&s->text), s->lines_n);
}

void h2_blocks_drop(struct h2_blocks *b)
{
    for (size_t i = 0; b->slots && i < SLOTS; i++)
        buf_fini(&b->slots[i].text);
    mem_free(b->slots);
    b->slots = NULL;
}
