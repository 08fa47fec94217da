#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void mem_out(size_t bytes)
{
    fprintf(stderr,
            "freshet: out of memory: %zu bytes refused by the system. Lower --memory or the limits.\n",
            bytes);
    abort();
}

void *mem_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        mem_out(bytes);
    return p;
}

void *mem_try(size_t bytes)
{
    return malloc(bytes ? bytes : 1);
}

void *mem_resize(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        mem_out(bytes);
    return q;
}

void mem_free(void *p)
{
    free(p);
}

size_t mem_cost(size_t bytes)
{
    /* glibc: one word of header, multiples of two words, at least four words. */
    size_t cost = (bytes + sizeof(size_t) + 15) & ~(size_t)15;
    return cost < 32 ? 32 : cost;
}
