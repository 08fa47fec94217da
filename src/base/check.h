/*
 * Checks: statements about the program itself. A CHECK that fails is a bug in freshet, never bad input: the
 * process stops at once and prints the place and the expression. Input is validated with ordinary results.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Writes the failed expression to standard error and aborts. Does not return. Any thread. */
_Noreturn void check_failed(const char *expr, const char *file, int line);

/* Always on. For statements that protect memory, or keep two visitors' data apart. */
#define CHECK(expr) ((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

/* On in development and test builds only. For checks that are slow or run often. */
#ifdef FRESHET_DEBUG
#define CHECK_DEBUG(expr) CHECK(expr)
#else
#define CHECK_DEBUG(expr) ((void)0)
#endif

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

/* From a pointer to a member: the struct that contains it. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
