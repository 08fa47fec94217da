/*
 * Pages of the system, for those who divide them up themselves.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* `bytes` (a power of two, at least a page) of zeros that begin at a multiple of `bytes`; NULL: the system refused. Memory is taken
 * when it is first touched: page by page, or, with `huge`, 2 MiB at a time where the system has them (MADV_HUGEPAGE). Any thread. */
void *pages_map(size_t bytes, bool huge);

/* All of a mapping. Any thread. */
void pages_unmap(void *p, size_t bytes);

#endif
