/*
 * Checks: statements about the program itself. A CHECK that fails is a bug in freshet, never bad input: the
 * process prints the place and the expression and aborts. Input is validated with ordinary results. Any
 * thread.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Writes the failed expression to standard error and aborts. Does not return. */
_Noreturn void check_failed(const char *expr, const char *file, int line);

/* Always on; evaluates `expr` once. For statements that protect memory, or keep two visitors' data apart. */
#define CHECK(expr) ((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

/* On in builds with FRESHET_DEBUG only; the others do not evaluate `expr`, so it must change nothing. For
 * checks that are slow or run often. */
#ifdef FRESHET_DEBUG
#define CHECK_DEBUG(expr) CHECK(expr)
#else
#define CHECK_DEBUG(expr) ((void)0)
#endif

/* Marks a place that the program never reaches. Stops the process. */
#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

/* Returns the struct whose `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Returns the number of elements of an array. `array` must not be a pointer. */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
