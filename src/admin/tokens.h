/*
 * The tokens that were made by the API (`freshet token`), of the whole process: in memory, where every worker
 * asks for them, and as facts (store/facts.h) under "token 0" to "token 99". What is made or revoked is in
 * force for the next request on any worker. One lock guards them, under which nothing waits; at most
 * TOKEN_LIMIT_TOKENS are looked at.
 *
 * tokens_init, tokens_load and tokens_fini run on main's thread, before the workers start and after they
 * ended. The others run on any thread, without a lock held.
 */
#ifndef ADMIN_TOKENS_H
#define ADMIN_TOKENS_H

#include "admin/token.h"
#include "base/clock.h"
#include "base/lock.h"

struct facts;

struct tokens_kept {
    struct token token;
    int64_t due_mono_ms;  /* when it expires by the monotonic clock; INT64_MAX: never */
    int64_t used_wall_ms; /* latest use since the start; 0: none */
};

struct tokens {
    struct lock lock; /* guards all below */
    struct facts *facts;
    struct tokens_kept *slots[TOKEN_LIMIT_TOKENS]; /* NULL: free; owned */
    _Atomic uint64_t refused;                      /* wrong tokens ever, for metrics; not under the lock */
};

/* Prepares a zeroed struct, and ends it. */
void tokens_init(struct tokens *t);
void tokens_fini(struct tokens *t);
/* Reads those that are on disk; from now on changes go there. After facts_open, before facts_start. Appends
 * to `said` what cannot be read: such a token does not work any more, and its place is free. */
void tokens_load(struct tokens *t, struct facts *f, struct now now, struct buf *said);
/* Is what is made kept on disk, as far as is known now? false: `why`, of 256 bytes, says why not. */
bool tokens_are_kept(struct tokens *t, char why[256]);

enum tokens_found { TOKENS_NONE, TOKENS_EXPIRED, TOKENS_GOOD };
/* Looks for the token of a secret, and sets *out to its rights when it is found; they are in the arena.
 * Looks at all of them, and compares in constant time. Marks those that have expired: by either clock, and
 * from then on for ever. *expired_wall_ms: when it did. */
enum tokens_found tokens_find(struct tokens *t, struct str secret, struct now now, struct arena *a,
                              struct token_rights *out, int64_t *expired_wall_ms);

enum tokens_made { TOKENS_MADE, TOKENS_HAS_NAME, TOKENS_FULL };
/* Adds a copy; it is unsaved until a commit (facts_ask). TOKENS_FULL: *expired says how many of them have
 * expired. */
enum tokens_made tokens_add(struct tokens *t, const struct token *token, struct now now, size_t *expired);
/* Removes a token. `hash`: only the one of that secret; NULL: whichever has the name. false: there is none.
 * Unsaved as above. */
bool tokens_revoke(struct tokens *t, struct str name, const unsigned char *hash);

/* Copies them all into the arena, sorted by name. Returns how many. */
size_t tokens_list(struct tokens *t, struct now now, struct arena *a, struct tokens_kept **out);

#endif
