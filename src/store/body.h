/*
 * A body: bytes in blocks, written by one fetch and read by any number of requests on any thread, also while it grows.
 * Counted: an object holds one reference, and so does each reader; 304 successors share it.
 *
 * The writer appends into blocks and publishes the length (release); readers load it (acquire) and then may read all
 * bytes below it without a lock. A kept body keeps all its blocks. A passing body (a window) lets blocks go when all readers
 * are past them: body_forget. A block that holds the byte before a reader's position is never let go, so a cursor stays
 * valid without a lock.
 */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include <sys/uio.h>

#include "base/str.h"
#include "store/memory.h"

struct body;
struct body_block;

#define BODY_LENGTH_UNKNOWN UINT64_MAX
#define BODY_BLOCK_MAX      (((size_t)1 << 20) - 24) /* bytes in one block, which fills its pages */
#define BODY_WHOLE_MAX      ((uint64_t)1 << 20)

/* Grows block by block. `expected`: the length when it is known, so that it takes blocks of its size. The first reference is the
 * caller's. */
struct body *body_new(struct memory *m, uint64_t expected);
/* Takes all that it will ever need at once, up to BODY_WHOLE_MAX: what is to be kept and has a known length. NULL: no memory. It is
 * charged: ask body_whole_cost first and make room. */
struct body *body_new_whole(struct memory *m, uint64_t length);
size_t body_whole_cost(uint64_t length);
struct body *body_ref(struct body *b);
void body_unref(struct body *b);

/* ---- the writer, one thread ---- */

/* Where the next bytes go: *n is how many fit (> 0). NULL when there is no memory. A block is charged when it is made: ask
 * body_next_cost first and make room. A whole body must not be full. */
char *body_room(struct body *b, size_t *n);
/* What body_room would charge now: 0 when the last block has space left. */
size_t body_next_cost(const struct body *b);
/* n of these bytes are written: readers may see them. */
void body_commit(struct body *b, size_t n);
/* Copies; the number of bytes taken, less than data.n only without memory. */
size_t body_append(struct body *b, struct str data);
/* Readers are all at or past `position`: blocks below go. From the first call on the body is a passing one. */
void body_forget(struct body *b, uint64_t position);
/* What comes from now on is charged as passing, not against the budget. What is there stays counted there until it goes: a slow reader
 * keeps all of it meanwhile. A whole one is all there. */
void body_pass(struct body *b);
/* A whole copy of a chain that is complete, when that is small or saves more than an eighth; else another reference to it. Never
 * NULL. */
struct body *body_compact(struct body *b);

/* Moves what of it stands in slabs that are hardly used (memory_take_denser), when the caller has the only reference and nobody can get
 * one meanwhile. Returns where it is now. */
struct body *body_move(struct body *b, unsigned quarters);

/* ---- readers, any thread ---- */

uint64_t body_length(const struct body *b);
/* How long it will be, by what was known when it was made; BODY_LENGTH_UNKNOWN. */
uint64_t body_expected(const struct body *b);
/* Bytes allocated. */
size_t body_charged(const struct body *b);

struct body_cursor {
    struct body_block *block; /* NULL: not yet begun */
};
/* Up to `max` pieces of [from, to) that are there; to <= body_length. `from` never goes back on one cursor. The memory stays
 * until the reader says that it is past it. Returns the number of pieces; *bytes is their sum. */
unsigned body_lease(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                    struct iovec *iov, unsigned max, uint64_t *bytes);

#endif
