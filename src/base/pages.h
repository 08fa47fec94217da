/*
 * Pages of memory from the system, for callers that divide them up themselves. base/mem counts them.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Maps `bytes` (a power of two, at least a page) of zeros at a multiple of `bytes`. NULL: the system refused.
 * The system gives the memory when it is first touched: page by page, or with `huge` 2 MiB at a time where it
 * can (MADV_HUGEPAGE). Any thread. */
void *pages_map(size_t bytes, bool huge);

/* Gives a whole mapping back: `p` and `bytes` as with pages_map. Any thread. */
void pages_unmap(void *p, size_t bytes);

#endif
