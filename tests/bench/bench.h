/* What the bench's programs share: a listening socket on loopback, a file's bytes, the clock, and an end with
 * a message. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Prints what failed and why (errno), and ends the program. */
_Noreturn void bench_fatal(const char *what);

/* A non-blocking socket that listens on 127.0.0.1. */
int bench_listen(const char *port);

/* A connected socket to 127.0.0.1, TCP_NODELAY, non-blocking when asked; -1 and errno when it fails. */
int bench_connect(const char *port, int nonblocking);

/* All bytes of a file, on the heap. */
char *bench_read_file(const char *path, size_t *bytes);

/* CLOCK_MONOTONIC, which node's process.hrtime reads too. */
uint64_t bench_now_ns(void);

/* A decimal number up to `most`; anything else ends the program. */
uint64_t bench_number(const char *text, uint64_t most);

#endif
