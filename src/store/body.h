/*
 * A body: bytes in blocks. One fetch writes it; any number of requests read it on any thread, also while it
 * grows. Counted: the object holds one reference and each reader holds one; a 304's successor shares the
 * body.
 *
 * The writer appends to blocks, then stores the length (release). Readers load the length (acquire), and may
 * then read all bytes below it without a lock. A stored body keeps all its blocks. A passing body (of a
 * response that is not stored) frees blocks that all readers have passed: body_forget. It never frees the
 * block with the byte before a reader's position, so a cursor stays valid without a lock.
 *
 * A distant body has no byte in memory: it says where they are, and whoever wants them fetches them from
 * there (cache/disk.h). Its length is known and whole. No byte of it is leased.
 */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include <sys/uio.h>

#include "base/hash.h"
#include "base/str.h"
#include "store/memory.h"

struct body;
struct body_block;

#define BODY_LENGTH_UNKNOWN UINT64_MAX
#define BODY_BLOCK_MAX      (((size_t)1 << 20) - 24) /* bytes in one block, which fills its pages */
#define BODY_WHOLE_MAX      ((uint64_t)1 << 20)

/* Makes a body that grows block by block. `expected`: its length in bytes, which sets the size of the blocks;
 * BODY_LENGTH_UNKNOWN: not known. Never NULL. Charges the body's head. The first reference is the
 * caller's. */
struct body *body_new(struct memory *m, uint64_t expected);
/* Makes a body with all the memory that it will ever need, up to BODY_WHOLE_MAX: for a body of known length
 * that is to be stored. Charges it: first ask body_whole_cost and make room. NULL: no memory. */
struct body *body_new_whole(struct memory *m, uint64_t length);
/* Returns what body_new_whole charges for `length` bytes, at most BODY_WHOLE_MAX. Any thread. */
size_t body_whole_cost(uint64_t length);

/* Where the bytes of a distant body are: what the log of segments calls the object, and the key of its first
 * record. */
struct body_distance {
    struct hash128 key;
    uint64_t object;
};
/* Makes a distant body of `length` bytes. Never NULL. Charges its head. */
struct body *body_new_distant(struct memory *m, uint64_t length, const struct body_distance *where);
/* Returns where its bytes are. NULL: they are in memory. */
const struct body_distance *body_distance(const struct body *b);
/* Returns what body_new_distant charges. */
size_t body_distant_cost(void);

/* Takes a reference and returns `b`. Any thread that has one, or the lock under which the object has one. */
struct body *body_ref(struct body *b);
/* Gives a reference back. The last one frees the body. Any thread. NULL is allowed. */
void body_unref(struct body *b);

/* ---- the writer, one thread ---- */

/* Returns where the next bytes go; *n is how many fit (> 0). NULL: no memory. Charges a block when it makes
 * one: first ask body_next_cost and make room. A whole body must not be full. */
char *body_room(struct body *b, size_t *n);
/* Returns what body_room would charge now. 0: the last block has space left. */
size_t body_next_cost(const struct body *b);
/* Adds n bytes that the caller has written to the length: readers may see them. */
void body_commit(struct body *b, size_t n);
/* Copies `data` behind the end. Returns the number of bytes taken: less than data.n only when there is no
 * memory. A whole body must have room for all of it. */
size_t body_append(struct body *b, struct str data);
/* Frees the blocks that end below `position`, except the last one; all readers are there or past it. Calls
 * body_pass first. Does nothing to a whole body. */
void body_forget(struct body *b, uint64_t position);
/* Makes a body that grows by blocks a passing one. Blocks made from now on are charged as passing, not
 * against the budget. Blocks made before stay charged against the budget until body_forget or the last unref
 * frees them. Does nothing to a whole body: its memory stays charged until the last unref. */
void body_pass(struct body *b);
/* For a complete body: returns a whole copy when the body is small or a copy saves more than an eighth; else
 * another reference to it. Never NULL. */
struct body *body_compact(struct body *b);

/* Moves those pieces that stand in slabs less than `quarters` quarters full (memory_take_denser). Any thread,
 * under a lock that keeps others from taking a reference. Does nothing when the caller's reference is not the
 * only one. Returns where the body is now; old pointers to it are invalid. */
struct body *body_move(struct body *b, unsigned quarters);

/* ---- readers, any thread ---- */

/* Returns the bytes that the writer has stored so far (acquire). All below may be read. */
uint64_t body_length(const struct body *b);
/* Returns the whole length as known when the body was made, or BODY_LENGTH_UNKNOWN. */
uint64_t body_expected(const struct body *b);
/* Returns the bytes charged for it, against the budget and as passing, with the heap's rounding. */
size_t body_charged(const struct body *b);

struct body_cursor {
    struct body_block *block; /* NULL: not yet begun */
};
/* Returns up to `max` pieces of [from, to), and their sum in *bytes; to <= body_length. `from` never goes
 * back on one cursor. The memory stays valid until the reader reports a position beyond it. */
unsigned body_lease(const struct body *b, struct body_cursor *c, uint64_t from, uint64_t to,
                    struct iovec *iov, unsigned max, uint64_t *bytes);

#endif
