/* The process' memory (base/mem.h, base/pages.h): a crash gives it back, an end finds what was left. */
#include "sim_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/pages.h"

/* In front of each piece; its size keeps malloc's alignment. */
struct piece {
    struct link link;
    size_t bytes;
    bool is_budgeted;
};
#define PAGES_MOST 4096
static struct list pieces = { { &pieces.head, &pieces.head } };
static size_t pieces_n;
static int64_t held; /* by those without a budget, and what was counted otherwise */
static struct {
    void *p;
    size_t bytes;
} maps[PAGES_MOST];
static size_t maps_n;

static void *keep(struct piece *x, size_t bytes, bool is_budgeted)
{
    if (!x)
        mem_out(bytes);
    x->bytes = bytes;
    x->is_budgeted = is_budgeted;
    held += is_budgeted ? 0 : (int64_t)bytes;
    list_push_back(&pieces, &x->link);
    pieces_n++;
    return x + 1;
}

_Noreturn void mem_out(size_t bytes)
{
    fprintf(stderr, "sim: no memory for %zu bytes\n", bytes);
    abort();
}

void *mem_alloc(size_t bytes)
{
    return keep(calloc(1, sizeof(struct piece) + bytes), bytes, false);
}

void *mem_alloc_budgeted(size_t bytes)
{
    return keep(calloc(1, sizeof(struct piece) + bytes), bytes, true);
}

void *mem_try(size_t bytes)
{
    return keep(malloc(sizeof(struct piece) + bytes), bytes, false);
}

void *mem_try_budgeted(size_t bytes)
{
    return keep(malloc(sizeof(struct piece) + bytes), bytes, true);
}

static void leave(struct piece *x)
{
    link_remove(&x->link);
    pieces_n--;
    held -= x->is_budgeted ? 0 : (int64_t)x->bytes;
}

void *mem_resize(void *p, size_t bytes)
{
    if (!p)
        return mem_try(bytes);
    struct piece *x = (struct piece *)p - 1;
    leave(x);
    return keep(realloc(x, sizeof(*x) + bytes), bytes, false);
}

void *mem_try_resize(void *p, size_t bytes)
{
    return mem_resize(p, bytes);
}

void mem_free(void *p)
{
    if (!p)
        return;
    struct piece *x = (struct piece *)p - 1;
    leave(x);
    free(x);
}

void mem_free_budgeted(void *p)
{
    mem_free(p);
}

int64_t mem_held(void)
{
    return held;
}

void mem_count(int64_t bytes)
{
    held += bytes;
}

void mem_trim(void)
{
}

size_t mem_cost(size_t bytes)
{
    size_t cost = (bytes + sizeof(size_t) + 15) & ~(size_t)15;
    return cost < 32 ? 32 : cost;
}

void *pages_map(size_t bytes, bool huge)
{
    (void)huge;
    char *p = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && maps_n < PAGES_MOST);
    char *from = (char *)(((uintptr_t)p + bytes - 1) & ~(uintptr_t)(bytes - 1));
    if (from > p)
        munmap(p, (size_t)(from - p));
    munmap(from + bytes, bytes - (size_t)(from - p));
    maps[maps_n].p = from;
    maps[maps_n++].bytes = bytes;
    return from;
}

void pages_unmap(void *p, size_t bytes)
{
    for (size_t i = 0; i < maps_n; i++) {
        if (maps[i].p != p)
            continue;
        CHECK(maps[i].bytes == bytes && munmap(p, bytes) == 0);
        maps[i] = maps[--maps_n];
        return;
    }
    UNREACHABLE();
}

size_t sim_memory_left(void)
{
    return pieces_n + maps_n;
}

void sim_memory_drop(void)
{
    for (struct link *l; (l = list_pop(&pieces)) != NULL;)
        free(CONTAINER_OF(l, struct piece, link));
    pieces_n = 0;
    held = 0;
    while (maps_n > 0) {
        maps_n--;
        munmap(maps[maps_n].p, maps[maps_n].bytes);
    }
}

_Noreturn void mem_no_thread(void)
{
    fputs("sim: no thread\n", stderr);
    abort();
}
