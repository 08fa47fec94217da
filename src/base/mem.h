/*
 * Memory from the heap. mem_alloc is for small structures, without which no request can be answered: it stops
 * the process when no memory is left. mem_try is for bodies and everything else whose size a stranger
 * chooses: it returns NULL, and the caller goes on without. Any thread may call these functions.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Returns `bytes` of zeroed memory, never NULL. The caller owns it and frees it by mem_free. */
void *mem_alloc(size_t bytes);

/* Returns `bytes` of memory with unspecified content, or NULL. The caller frees it by mem_free. */
void *mem_try(size_t bytes);

/* Grows or shrinks an allocation. Keeps the content; new bytes are unspecified. Never NULL for bytes > 0. */
void *mem_resize(void *p, size_t bytes);

/* Frees memory of the three functions above. NULL is allowed. */
void mem_free(void *p);

/* Returns what malloc takes for an allocation of that size, with its header. */
size_t mem_cost(size_t bytes);

/* Ends the process, saying that the system refused `bytes` that it cannot do without. */
_Noreturn void mem_out(size_t bytes);

#endif
