#include "coding/allocator.h"

#include "base/mem.h"

void *allocator_take(void *ctx, size_t bytes)
{
    (void)ctx;
    return mem_try(bytes);
}

void *allocator_take_items(void *ctx, unsigned n, unsigned bytes)
{
    return allocator_take(ctx, (size_t)n * bytes);
}

void allocator_give(void *ctx, void *p)
{
    (void)ctx;
    mem_free(p);
}
