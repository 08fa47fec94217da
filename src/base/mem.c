#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void mem_out(size_t bytes)
{
    fprintf(stderr,
            "freshet: out of memory: %zu bytes refused by the system. Lower --memory or the limits.\n",
            bytes);
    abort();
}

_Noreturn void mem_no_thread(void)
{
    fputs("freshet: the system gives it no more threads. Raise the limit of tasks: TasksMax of systemd, "
          "ulimit -u, "
          "the pids of a container.\n",
          stderr);
    abort();
}

/* ---- what is held ---- */

static _Atomic int64_t held;        /* as the threads have told */
static _Thread_local int64_t share; /* what this one has not told yet */

void mem_count(int64_t bytes)
{
    share += bytes;
    if (share < MEM_SHARE && share > -MEM_SHARE)
        return;
    atomic_fetch_add_explicit(&held, share, memory_order_relaxed);
    share = 0;
}

int64_t mem_held(void)
{
    return atomic_load_explicit(&held, memory_order_relaxed);
}

/* With malloc's own header. */
static int64_t cost_of(void *p)
{
    return p ? (int64_t)(malloc_usable_size(p) + sizeof(size_t)) : 0;
}

/* ---- taking and giving ---- */

void *mem_alloc_budgeted(size_t bytes)
{
    void *p = MEM_IS_REFUSED("mem_alloc") ? NULL : calloc(1, bytes ? bytes : 1);
    if (!p)
        mem_out(bytes);
    return p;
}

void *mem_try_budgeted(size_t bytes)
{
    return MEM_IS_REFUSED("mem_try") ? NULL : malloc(bytes ? bytes : 1);
}

void mem_free_budgeted(void *p)
{
    free(p);
}

void *mem_alloc(size_t bytes)
{
    void *p = mem_alloc_budgeted(bytes);
    mem_count(cost_of(p));
    return p;
}

void *mem_try(size_t bytes)
{
    void *p = mem_try_budgeted(bytes);
    mem_count(cost_of(p));
    return p;
}

static void *resize(void *p, size_t bytes, const char *what)
{
    (void)what;
    int64_t before = cost_of(p);
    void *q = MEM_IS_REFUSED(what) ? NULL : realloc(p, bytes ? bytes : 1);
    if (q)
        mem_count(cost_of(q) - before);
    return q;
}

void *mem_resize(void *p, size_t bytes)
{
    void *q = resize(p, bytes, "mem_alloc");
    if (!q)
        mem_out(bytes);
    return q;
}

void *mem_try_resize(void *p, size_t bytes)
{
    return resize(p, bytes, "mem_try");
}

void mem_free(void *p)
{
    mem_count(-cost_of(p));
    free(p);
}

void mem_trim(void)
{
    malloc_trim(0);
}

size_t mem_cost(size_t bytes)
{
    /* glibc: one word of header, multiples of two words, at least four words. */
    size_t cost = (bytes + sizeof(size_t) + 15) & ~(size_t)15;
    return cost < 32 ? 32 : cost;
}
