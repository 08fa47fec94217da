/*
 * Memory from the heap. Small structures: mem_alloc, which stops the process when there is none left, since no
 * request can be answered without them. Bodies and everything whose size a stranger chooses: mem_try, which
 * returns NULL, and the caller does without.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* `bytes` of zeroed memory, never NULL. Owned by the caller, given back by mem_free. Any thread. */
void *mem_alloc(size_t bytes);

/* `bytes` of memory with unspecified content, or NULL. */
void *mem_try(size_t bytes);

/* Grows or shrinks; keeps the content; never NULL for bytes > 0. New bytes are unspecified. */
void *mem_resize(void *p, size_t bytes);

/* NULL is allowed. */
void mem_free(void *p);

/* What malloc takes for an allocation of that size, its header included. */
size_t mem_cost(size_t bytes);

/* Says so and ends the process: `bytes` were refused that it cannot do without. */
_Noreturn void mem_out(size_t bytes);

#endif
