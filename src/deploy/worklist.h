/*
 * A list of targets to fetch: each once, in the order in which they came, up to a limit. One thread at a time
 * uses it.
 */
#ifndef DEPLOY_WORKLIST_H
#define DEPLOY_WORKLIST_H

#include "base/arena.h"
#include "base/hash.h"

#define WORKLIST_MAX 10000

struct worklist {
    struct arena *arena;              /* of the targets */
    const struct hash_secret *secret; /* so that nobody chooses targets that collide */
    struct str *v;
    size_t n, next; /* next: the first that was not taken */
    size_t room;
    uint32_t
        *seen; /* places in v, plus one, by a hash; twice WORKLIST_MAX and a power of two; NULL: none yet */
    bool is_full; /* one was left out */
};

/* Adds a copy of the target, unless the list has it, or has WORKLIST_MAX. */
void worklist_add(struct worklist *w, struct str target);
/* Takes the next target; it lives as long as the arena. false: there is none. */
bool worklist_take(struct worklist *w, struct str *out);
/* Frees what is not in the arena. */
void worklist_fini(struct worklist *w);

#endif
