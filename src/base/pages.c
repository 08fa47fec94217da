#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"

/* The system's mapping is not aligned: more is asked for and the ends are given back. */
void *pages_map(size_t bytes, bool huge)
{
    CHECK((bytes & (bytes - 1)) == 0);
    if (MEM_IS_REFUSED("pages_map"))
        return NULL;
    char *p = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    char *from = (char *)(((uintptr_t)p + bytes - 1) & ~(uintptr_t)(bytes - 1));
    if (from > p)
        munmap(p, (size_t)(from - p));
    munmap(from + bytes, bytes - (size_t)(from - p));
    mem_count((int64_t)bytes);
    madvise(from, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return from;
}

void pages_unmap(void *p, size_t bytes)
{
    CHECK(munmap(p, bytes) == 0);
    mem_count(-(int64_t)bytes);
}
