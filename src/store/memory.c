#include "store/memory.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* With the address sanitizer each piece comes from malloc, which the sanitizer checks. The heap has tests of
 * its own. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Parts of the budget that may lie idle beyond it: free pages for the next pieces, and room between pieces in
 * slabs. */
#define DIRTY_PART  64
#define DIRTY_LEAST ((int64_t)1 << 20)
#define HOLES_PART  32
#define HOLES_LEAST ((int64_t)4 << 20)

struct memory *memory_by_id[MEMORIES_MAX];

void memory_init(struct memory *m, int64_t budget_bytes)
{
    m->id = 0;
    while (memory_by_id[m->id])
        CHECK(++m->id < MEMORIES_MAX);
    memory_by_id[m->id] = m;
    m->budget_bytes = budget_bytes;
    atomic_init(&m->used_bytes, 0);
    atomic_init(&m->book_bytes, 0);
    atomic_init(&m->moved, 0);
    atomic_init(&m->passing_bytes, 0);
    heap_init(&m->heap, (size_t)(budget_bytes / DIRTY_PART + DIRTY_LEAST) / HEAP_PAGE,
              (size_t)budget_bytes / HEAP_PAGE);
}

void memory_fini(struct memory *m)
{
    heap_fini(&m->heap);
    memory_by_id[m->id] = NULL;
}

int64_t memory_holes_most(const struct memory *m)
{
    return m->budget_bytes / HOLES_PART + HOLES_LEAST;
}

int64_t memory_holes_over(const struct memory *m)
{
    return atomic_load_explicit(&m->heap.holes, memory_order_relaxed) - memory_holes_most(m);
}

int64_t memory_excess(const struct memory *m, int64_t bytes)
{
    int64_t holes = memory_holes_over(m);
    int64_t over = memory_used(m) + (holes > 0 ? holes : 0) + bytes - m->budget_bytes;
    return over > 0 ? over : 0;
}

void *memory_take(struct memory *m, size_t bytes)
{
    return SANITIZED ? mem_try_budgeted(bytes) : heap_take(&m->heap, bytes);
}

void *memory_zero(struct memory *m, size_t bytes)
{
    void *p = memory_take(m, bytes);
    if (!p)
        mem_out(bytes);
    return memset(p, 0, bytes);
}

void memory_give(struct memory *m, void *p, size_t bytes)
{
    if (SANITIZED)
        mem_free_budgeted(p);
    else
        heap_give(&m->heap, p, bytes);
}

/* Pieces from malloc always move: so the sanitizer finds pointers to the old place. */
void *memory_take_denser(struct memory *m, const void *p, size_t bytes, unsigned quarters)
{
    void *to = SANITIZED ? mem_try_budgeted(bytes) : heap_take_denser(&m->heap, p, bytes, quarters);
    if (to)
        atomic_fetch_add_explicit(&m->moved, 1, memory_order_relaxed);
    return to;
}

void *memory_move(struct memory *m, void *p, size_t bytes, unsigned quarters)
{
    void *to = p ? memory_take_denser(m, p, bytes, quarters) : NULL;
    if (!to)
        return p;
    memcpy(to, p, bytes);
    memory_give(m, p, bytes);
    return to;
}

size_t memory_cost(size_t bytes)
{
    return heap_cost(bytes);
}

bool memory_trim(struct memory *m)
{
    return heap_trim(&m->heap);
}
