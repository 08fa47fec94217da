#include "store/memory.h"

void memory_init(struct memory *m, int64_t budget_bytes)
{
    m->budget_bytes = budget_bytes;
    atomic_init(&m->used_bytes, 0);
    atomic_init(&m->passing_bytes, 0);
}

int64_t memory_excess(const struct memory *m, int64_t bytes)
{
    int64_t over = memory_used(m) + bytes - m->budget_bytes;
    return over > 0 ? over : 0;
}

size_t memory_cost(size_t bytes)
{
    /* glibc: one word of header, multiples of two words, at least four words. */
    size_t cost = (bytes + sizeof(size_t) + 15) & ~(size_t)15;
    return cost < 32 ? 32 : cost;
}
