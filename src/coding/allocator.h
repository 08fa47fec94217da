/*
 * What the libraries of codings take memory from: it may be refused, since how much they take is a stranger's
 * choice, and counts with the rest (base/mem). And the limit that both directions keep to. Any thread.
 */
#ifndef CODING_ALLOCATOR_H
#define CODING_ALLOCATOR_H

#include <stddef.h>

/* RFC 9659: a window of zstd over HTTP has at most 8 MiB, as the logarithm to the base 2. */
#define ZSTD_WINDOW_LOG_OF_HTTP 23

/* As brotli and zstd want them; `ctx` is not used. NULL: no memory. */
void *allocator_take(void *ctx, size_t bytes);
void allocator_give(void *ctx, void *p);
/* As zlib wants it: memory for n items. allocator_give gives it back. */
void *allocator_take_items(void *ctx, unsigned n, unsigned bytes);

#endif
