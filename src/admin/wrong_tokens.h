/*
 * Who has sent wrong tokens lately, by address: how long the answer to the next one waits. A bounded table;
 * who is not in it has sent none. A right token is never looked up here, so it is not slowed, whoever else
 * has the same address. It has a lock of its own. Any thread.
 */
#ifndef ADMIN_WRONG_TOKENS_H
#define ADMIN_WRONG_TOKENS_H

#include "admin/token.h"
#include "base/lock.h"

#define WRONG_TOKENS_WAYS 4 /* places for an address */

struct wrong_tokens_sender {
    uint64_t hash; /* of the address, keyed; 0: free */
    int64_t at_ms; /* monotonic: when `wrong` was counted */
    int64_t wrong; /* thousandths of a token */
};

struct wrong_tokens {
    struct lock lock;
    struct wrong_tokens_sender senders[TOKEN_LIMIT_SENDERS];
};

/* Prepares a zeroed struct, and ends it. On main's thread. */
void wrong_tokens_init(struct wrong_tokens *w);
void wrong_tokens_fini(struct wrong_tokens *w);
/* Counts one. `address`: a keyed hash of it. Returns for how many milliseconds its answer waits; 0: for the
 * first few. */
int64_t wrong_tokens_count(struct wrong_tokens *w, uint64_t address, int64_t now_mono_ms);

#endif
