/*
 * Makes the codings of stored responses (cache/coded.h) on threads of its own, whose priority is below the
 * workers'. Whoever delivers a response says which coding was wanted; nobody waits for it. What is wanted is
 * made in the order in which it came, and the better level of pages that are asked for often only when
 * nothing else is to be made.
 *
 * Bounded: at most CODER_JOBS_MOST responses wait, with CODER_BYTES_MOST bytes together; beyond, what is
 * wanted is forgotten, and wanted again by the next visitor.
 */
#ifndef CODING_CODER_H
#define CODING_CODER_H

#include "cache/coded.h"

struct coder;
struct pours;

#define CODER_JOBS_MOST  1024
#define CODER_BYTES_MOST ((uint64_t)64 << 20)

/* Starts `threads` threads for this cache, 1 at least. NULL: the system has none. On main's thread, before
 * the workers start; the cache outlives it. */
struct coder *coder_start(struct cache *c, unsigned threads);
/* Waits until what is being made is made, drops what waits, and ends. NULL is allowed. Nobody wants anything
 * any more. */
void coder_stop(struct coder *k);

/* The response should have that coding (`best`: made anew, of a better level), unless it has it, or it is
 * being made, or is not worth it. `level`: encode_level's. Any thread, with a reference to the object, which
 * is in SEALED with room for codings and a body in memory. `k` NULL: does nothing. */
void coder_want(struct coder *k, struct object *o, enum coding coding, int level, bool best);

/* Returns its pours (coding/pour.h), which have as many threads. NULL: the system has none, or `k` is
 * NULL. */
struct pours *coder_pours(struct coder *k);

/* Figures, of its pours too. Any thread. */
struct coder_figures {
    uint64_t made[CODINGS]; /* codings made */
    uint64_t useless;       /* tried, and hardly shorter than the plain body */
    uint64_t failed;        /* not made since memory was short */
    uint64_t forgotten;     /* wanted while too many waited */
    uint64_t bytes_in, bytes_out;
    int64_t waiting;
};
void coder_figures(struct coder *k, struct coder_figures *out);

#endif
