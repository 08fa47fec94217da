#include "cache/mark.h"

#include "cache/index.h"

#define IN_SET     4   /* sixteen bytes each: a line of the processor's cache */
#define PART       256 /* of the memory, at most, for marks of all shards */
#define TAG_MASK   (UINT32_MAX >> (MARK_REASON_BITS + 1))
#define SETS_LEAST 4    /* of a shard */
#define SETS_MOST  1024 /* a million marks in all shards, 16 MiB */

_Static_assert(REASON_COUNT <= 1 << MARK_REASON_BITS, "a mark's reason");

static uint32_t sets_for(const struct memory *memory)
{
    int64_t sets = memory->budget_bytes / PART / CACHE_SHARDS / (int64_t)(IN_SET * sizeof(struct mark));
    return sets < SETS_LEAST ? SETS_LEAST : sets > SETS_MOST ? SETS_MOST : (uint32_t)sets;
}

static size_t bytes_of(const struct marks *m)
{
    return m->sets * IN_SET * sizeof(struct mark);
}

/* Both hashes are keyed by the process's secret: a stranger cannot choose keys that collide. */
static uint32_t tag_of(const struct place *p)
{
    uint64_t h = p->hash.hi + (p->variant_hash + (uint64_t)1) * 0x9e3779b97f4a7c15u;
    uint32_t tag = (uint32_t)(h >> (32 + MARK_REASON_BITS + 1));
    return tag ? tag : 1;
}

/* The lower half of the primary key's hash selects the shard. */
static struct mark *set_of(const struct marks *m, const struct place *p)
{
    uint32_t h = (uint32_t)(p->hash.lo >> 32) ^ p->variant_hash;
    return m->v + (size_t)(h % m->sets) * IN_SET;
}

void marks_fini(struct marks *m, struct memory *memory)
{
    if (!m->v)
        return;
    memory_charge_books(memory, -(int64_t)memory_cost(bytes_of(m)));
    memory_give(memory, m->v, bytes_of(m));
    m->v = NULL;
}

struct mark *marks_find(const struct marks *m, const struct place *p)
{
    if (!m->v)
        return NULL;
    uint32_t tag = tag_of(p);
    struct mark *set = set_of(m, p);
    for (unsigned i = 0; i < IN_SET; i++)
        if (set[i].tag == tag)
            return &set[i];
    return NULL;
}

static bool make_table(struct marks *m, struct memory *memory)
{
    m->sets = sets_for(memory);
    m->v = memory_take(memory, bytes_of(m));
    if (!m->v)
        return false;
    memset(m->v, 0, bytes_of(m));
    memory_charge_books(memory, (int64_t)memory_cost(bytes_of(m)));
    return true;
}

/* A mark that has ended goes before one in force; of two alike, the one used longest ago. */
static bool goes_before(const struct mark *a, const struct mark *b, uint32_t now_s)
{
    bool a_over = a->until_s <= now_s, b_over = b->until_s <= now_s;
    return a_over != b_over ? a_over : a->used_s < b->used_s;
}

struct mark *marks_make(struct marks *m, struct memory *memory, const struct place *p, uint32_t now_s,
                        bool needed)
{
    if (!m->v && !make_table(m, memory))
        return NULL;
    struct mark *found = marks_find(m, p);
    if (found)
        return found;
    struct mark *set = set_of(m, p), *first = set;
    for (unsigned i = 1; i < IN_SET; i++)
        if (goes_before(&set[i], first, now_s))
            first = &set[i];
    if (!needed && first->until_s > now_s)
        return NULL;
    *first = (struct mark){ .tag = tag_of(p) & TAG_MASK };
    return first;
}

void marks_forget(struct marks *m, const struct place *p)
{
    struct mark *k = marks_find(m, p);
    if (k)
        *k = (struct mark){ 0 };
}
