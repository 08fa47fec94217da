/*
 * Memory from the heap. mem_alloc is for small structures, without which no request can be answered: it stops
 * the process when no memory is left. mem_try is for bodies and everything else whose size a stranger
 * chooses: it returns NULL, and the caller goes on without. Any thread may call these functions.
 *
 * All of it is counted, so that the whole has a ceiling (setting overhead, base/overload.h), except for what
 * a budget of its own counts (store/memory.h).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns `bytes` of zeroed memory, never NULL. The caller owns it and frees it by mem_free. */
void *mem_alloc(size_t bytes);

/* Returns `bytes` of memory with unspecified content. NULL: no memory is left. The caller owns it and frees
 * it by mem_free. */
void *mem_try(size_t bytes);

/* Grows or shrinks an allocation; `p` NULL makes a new one. Keeps the content; new bytes are unspecified.
 * Returns where it is now, never NULL: stops the process when no memory is left. `p` is not to be used any
 * more. */
void *mem_resize(void *p, size_t bytes);

/* The same for who goes on without: NULL when no memory is left, and `p` is as it was. */
void *mem_try_resize(void *p, size_t bytes);

/* Frees memory of mem_alloc, mem_try or mem_resize. NULL is allowed. */
void mem_free(void *p);

/* The same for memory that a budget of its own counts: mem_held leaves it out. Freed by mem_free_budgeted
 * alone. */
void *mem_alloc_budgeted(size_t bytes);
void *mem_try_budgeted(size_t bytes);
void mem_free_budgeted(void *p);

/* Returns the bytes that the process holds from here and from mem_count. Each thread adds its share when it
 * has changed by MEM_SHARE, so the sum is wrong by that much a thread at most. */
int64_t mem_held(void);
#define MEM_SHARE 16384
/* Counts memory that the caller has from elsewhere; negative: no longer. */
void mem_count(int64_t bytes);
/* Has malloc give its free pages back to the system. May take some milliseconds; other threads wait for
 * memory meanwhile. */
void mem_trim(void);

/* Returns the bytes that malloc takes for an allocation of `bytes`, with its header. Pure. */
size_t mem_cost(size_t bytes);

#ifdef FRESHET_CONTROL
/* For test builds: is this call of `what` ("mem_alloc", "mem_try", "pages_map") one that the system refuses?
 * tests/faults defines it; without it none is. Any thread. */
__attribute__((weak)) bool mem_fault(const char *what);
#define MEM_IS_REFUSED(what) (mem_fault && mem_fault(what))
#else
#define MEM_IS_REFUSED(what) false
#endif

/* Says on standard error that the system refused `bytes`, and aborts the process. */
_Noreturn void mem_out(size_t bytes);
/* The same, when the system has refused a thread without which the process cannot go on. */
_Noreturn void mem_no_thread(void);

#endif
