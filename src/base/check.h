/*
 * Checks: statements about the program itself. A CHECK that fails is a bug in freshet, never bad input; the
 * process stops at once with the place and the expression. Input is validated with ordinary results.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Writes the failed expression to standard error and aborts. Does not return. Any thread. */
_Noreturn void check_failed(const char *expr, const char *file, int line);

/* Always on: for what would corrupt memory or mix up two visitors if it were wrong. */
#define CHECK(expr) ((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

/* Slow or frequent: on in development and test builds only. */
#ifdef FRESHET_DEBUG
#define CHECK_DEBUG(expr) CHECK(expr)
#else
#define CHECK_DEBUG(expr) ((void)0)
#endif

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

/* The struct that a member is embedded in. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
