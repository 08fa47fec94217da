/*
 * A pour: the coding of a response that is still coming, made piece by piece for those who wait for it. It is
 * an object of its own (cache/object.h), private, which fills as the plain one does: it reads that, encodes
 * what is there, and whoever wants the coding reads the pour's object instead. So there is one encoder for a
 * fetch and a coding, however many readers there are, and what it made stays as the stored coding. Nobody
 * knows how long the body is: it is flushed whenever no more of it is at hand. So its ETag is a weak one.
 *
 * Pours have threads of their own, of the workers' priority, since visitors wait for them: a step of them
 * takes a millisecond, for which no loop should stand. Only of answers that are to be stored. When memory is
 * short the pour's body becomes a passing one: then the pour waits for its slowest reader.
 */
#ifndef CODING_POUR_H
#define CODING_POUR_H

#include "cache/object.h"
#include "http/accept.h"

struct pours;

/* So many at a time, with some 3 MiB each; beyond, what comes goes out plain. */
#define POURS_MOST ((size_t)32)

/* Plain bytes that are encoded before it is another pour's turn. */
#define POUR_TURN_BYTES ((uint64_t)65536)

struct pour_plan {
    struct object *from; /* in HEAD, to be stored, with room for codings */
    struct body *body;   /* its body; from which its fetch reads no byte back */
    enum coding coding;
    int level;
    uint64_t least, most;  /* bodies of other lengths get no stored coding */
    uint64_t window_bytes; /* of a passing body: how far it may be ahead of its slowest reader */
};

/* Counts what a pour has made, by the plan's `ctx`: a stored coding, or one that is useless. Any thread. */
typedef void pour_count_fn(void *ctx, enum coding coding, bool useless, uint64_t bytes_in,
                           uint64_t bytes_out);

/* Starts `threads` threads. NULL: the system has none. On main's thread, before the workers start; the cache
 * outlives it. */
struct pours *pours_start(struct cache *c, unsigned threads, pour_count_fn *count, void *ctx);
/* Ends the threads and what they pour. NULL is allowed. No worker runs any more. */
void pours_stop(struct pours *ps);
/* Returns how many there are now. Any thread. NULL: none. */
size_t pours_now(struct pours *ps);

/* Begins a pour: from now on object_pour(from, coding) is its object, until it is whole or has failed. On the
 * thread of `from`'s fetch. false: there are too many. `ps` NULL: false. */
bool pour_begin(struct pours *ps, const struct pour_plan *plan);

#endif
