/*
 * Keyed hashing: XXH3 with a secret that is made anew for each process, so that a stranger cannot choose names
 * that collide. Hashes are only good within one process; nothing on disk or on the wire may hold one.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

struct hash128 {
    uint64_t lo, hi;
};

/* Filled with randomness once at start (io/system gives it; XXH3 wants at least 136 bytes of high entropy); immutable
 * afterwards, shared by all threads. */
struct hash_secret {
    _Alignas(64) unsigned char bytes[192];
};

struct hash128 hash128(const struct hash_secret *s, struct str data);
uint64_t hash64(const struct hash_secret *s, struct str data);

/* A hash of many pieces without a secret: equal for equal bytes in every process and however they were cut. For entity
 * tags, not for tables. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, struct str data);
struct hash128 hasher_finish(struct hasher **h); /* ends it and clears the pointer */

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

#endif
