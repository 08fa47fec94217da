/*
 * Marks: what the index remembers of a key whose latest answer was not stored: why, and until when its
 * requests do not wait for each other. A page of the same URL under another key has a mark of its own
 * (docs/decisions/036).
 *
 * Marks are small entries, four to a set, in one table of fixed size for each shard. The table is made with
 * the shard's first mark. Only hashes lead from a key to its set and entry. So a full set forgets a mark, and
 * of two keys with the same hashes one gets the other's mark. Then requests of a key wait for each other
 * though they should not, or do not though they should; nobody gets a wrong page. Only cache/index*.c calls
 * these functions, under the shard's lock.
 */
#ifndef CACHE_MARK_H
#define CACHE_MARK_H

#include "cache/reason.h"
#include "store/memory.h"

struct place;

#define MARK_REASON_BITS 7

struct mark {
    uint32_t tag : 31 - MARK_REASON_BITS; /* a hash of its key; 0: the entry is free */
    /* The request went without some of its visitor's cookies: a pass does not renew the mark. */
    uint32_t cookies_cut : 1;
    uint32_t reason : MARK_REASON_BITS; /* enum reason: why the latest answer was not stored */
    uint32_t until_s; /* monotonic: in force, so that requests do not wait for each other, until then */
    uint32_t used_s;  /* monotonic: when it was last renewed; the index sets it, also for a new mark */
    uint32_t broken;  /* with REASON_TARGETED_INVALID: the mistake, packed by policy_broken_pack; else 0 */
};

/* The marks of a shard. All zero: none. */
struct marks {
    struct mark *v; /* NULL: no mark yet */
    uint32_t sets;  /* of v */
};

/* Frees the marks, and takes their charge from `memory`, from which they were made. `m` is empty then. */
void marks_fini(struct marks *m, struct memory *memory);

/* Returns the mark of the key `p`, or NULL. Good while the shard's lock is held. Here and below, the caller
 * has set the hashes of `p` (place_hash); nothing else of it is read. */
struct mark *marks_find(const struct marks *m, const struct place *p);
/* Returns the mark of the key `p`, or a new one, which has no reason and is not in force. A new one takes a
 * free entry of the set, else one that is not in force, else one in force: of several, the one renewed
 * longest ago. `needed`: whether it may take one in force. NULL: no memory, or it may not. `now_s`: monotonic
 * seconds. */
struct mark *marks_make(struct marks *m, struct memory *memory, const struct place *p, uint32_t now_s,
                        bool needed);
/* Frees the mark of the key `p`, if there is one: a response for the key is stored now. */
void marks_forget(struct marks *m, const struct place *p);

#endif
