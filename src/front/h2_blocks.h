/*
 * Header blocks that are sent again and again: of the latest responses of a worker, the lines of their heads
 * as HPACK has them (http/hpack.h). A block is found by its lines, byte for byte, so it needs nothing of the
 * response that it was made of, and a response needs no room for it. docs/decisions/072-http2-to-visitors.md.
 * One thread.
 */
#ifndef FRONT_H2_BLOCKS_H
#define FRONT_H2_BLOCKS_H

#include "base/buf.h"

struct h2_blocks {
    struct h2_blocks_slot *slots; /* NULL: none yet */
};

/* Returns the block of these lines, without its :status. Empty: the caller makes one, since they came for the
 * first time, or are long. The block is good until the next call. `lines` is where a stored response has
 * them: others find less. They have no field that HTTP/2 forbids. *priority: when a block is found, the value
 * of their Priority field, as long as the block; n 0: none. */
struct str h2_blocks_find(struct h2_blocks *b, struct str lines, struct str *priority);
/* Is that the name of the Priority field (RFC 9218 §5)? */
static inline bool h2_blocks_is_priority(struct str name)
{
    return name.n == 8 && (name.p[0] | 0x20) == 'p' && str_eq_nocase(name, STR("Priority"));
}
/* Forgets all and gives the memory back. */
void h2_blocks_drop(struct h2_blocks *b);

#endif
