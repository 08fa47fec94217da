/*
 * Keyed hashing: XXH3 with a secret that a stranger does not know, so that nobody can choose names that
 * collide. Such a hash means something beside its secret only, which is one with a state folder: never write
 * one anywhere else. Sums and the hasher below have no secret and are the same everywhere.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

struct hash128 {
    uint64_t lo, hi;
};

/* Filled with randomness (XXH3 wants at least 136 bytes of high entropy) when a state folder is new, else
 * read from there, at start (server/facts). It never changes afterwards; all threads share it. */
struct hash_secret {
    _Alignas(64) unsigned char bytes[192];
};

/* Return the hash of `data` under the secret. Any thread; `data` may be empty. */
struct hash128 hash128(const struct hash_secret *s, struct str data);
uint64_t hash64(const struct hash_secret *s, struct str data);

/* Returns a sum without a secret, for bytes on disk. Damage changes it; whoever can write there can make it
 * hold. Equal bytes give equal sums, in every process and however the bytes were cut into pieces. Any thread;
 * pieces may be empty. */
uint64_t hash_sum(struct str data);
uint64_t hash_sum_of(const struct str *pieces, size_t n);

/* Hashes many pieces without a secret: equal bytes give equal hashes, in every process and however the bytes
 * were cut. For entity tags, not for tables. One thread at a time uses a hasher. */
struct hasher;
/* Returns a hasher, never NULL. The caller owns it and ends it by hasher_finish. */
struct hasher *hasher_new(void);
/* Adds `data` behind what was added before. Keeps no pointer to it. */
void hasher_add(struct hasher *h, struct str data);
/* Returns the hash of all pieces, frees the hasher and sets *h to NULL. */
struct hash128 hasher_finish(struct hasher **h);

/* Are the hashes equal? */
static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

#endif
