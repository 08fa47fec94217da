/*
 * Marks: what the index remembers of a key whose latest answer was not stored: why, and until when its
 * requests do not wait for each other. A page of the same URL under another key has a mark of its own
 * (docs/decisions/036).
 *
 * Marks are small entries, four to a set, in one table of fixed size for each shard, made with the shard's
 * first mark. Hashes alone lead from a key to its set and entry. When two keys collide, or a set is full, a
 * mark is forgotten or taken for another key's. Both can only cost collapsing, never a wrong page. Only for
 * cache/index*.c, under the shard's lock.
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
    uint32_t until_s; /* monotonic: requests do not wait for each other until then; in the past: they do */
    uint32_t used_s;  /* when it was last made or renewed */
    uint32_t broken;  /* with the reason: policy_broken_pack */
};

struct marks {
    struct mark *v; /* NULL: no mark yet */
    uint32_t sets;  /* of v */
};

/* Frees the marks of a shard; `m` is empty then. */
void marks_fini(struct marks *m, struct memory *memory);

/* Returns the key's mark, or NULL. Good while the shard's lock is held. The hashes of `p` are set. */
struct mark *marks_find(const struct marks *m, const struct place *p);
/* Returns the key's mark, or a new one without a reason and not in force. A new one takes a free entry of the
 * set, else the entry that ended or was used first. NULL: no memory; or all entries of the set are in force
 * and `needed` is false. */
struct mark *marks_make(struct marks *m, struct memory *memory, const struct place *p, uint32_t now_s,
                        bool needed);
/* Frees the key's mark, if there is one: its response is stored now. */
void marks_forget(struct marks *m, const struct place *p);

#endif
