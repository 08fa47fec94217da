#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(size_t bytes)
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
        out_of_memory(bytes);
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
        out_of_memory(bytes);
    return q;
}

void mem_free(void *p)
{
    free(p);
}
