/*
 * Marks: what the index remembers of a key whose latest answer was not stored: why, and until when its requests do not wait for each
 * other. A page of the same URL under another key has its own (docs/decisions/036).
 *
 * They stand in small entries, four to a set, one table of fixed size for each shard, made when its first mark is. A key finds its set
 * and its entry by hashes alone: of two that collide, or when a set is full, one is forgotten or taken for the other. Both cost
 * collapsing, never a page. Only for cache/index*.c, under the shard's lock.
 */
#ifndef CACHE_MARK_H
#define CACHE_MARK_H

#include "cache/reason.h"
#include "store/memory.h"

struct place;

#define MARK_REASON_BITS 6

struct mark {
    uint32_t tag : 32 - MARK_REASON_BITS; /* of its key; 0: free */
    uint32_t reason : MARK_REASON_BITS;   /* enum reason: why the latest answer was not stored */
    uint32_t until_s; /* monotonic: nobody waits for another until then; a time that is over: they do */
    uint32_t used_s;  /* when it was last made or renewed */
    uint32_t broken;  /* with the reason: policy_broken_pack */
};

struct marks {
    struct mark *v; /* NULL: none was made yet */
    uint32_t sets;  /* of v */
};

void marks_fini(struct marks *m, struct memory *memory);

/* NULL: nothing is known of that key. The place has its hashes. */
struct mark *marks_find(const struct marks *m, const struct place *p);
/* The key's mark, or a new one without a reason and with a time that is over: of its set the free one, else the one that was over or
 * used first. NULL: there is no room, since there is no memory, or since all of the set are in force and `needed` is not. */
struct mark *marks_make(struct marks *m, struct memory *memory, const struct place *p, uint32_t now_s,
                        bool needed);
/* That key is stored. */
void marks_forget(struct marks *m, const struct place *p);

#endif
