#include "base/hash.h"

#include <xxhash.h>

struct hash128 hash128(const struct hash_secret *s, struct str data)
{
    XXH128_hash_t h = XXH3_128bits_withSecret(data.n ? data.p : "", data.n, s->bytes, sizeof(s->bytes));
    return (struct hash128){ h.low64, h.high64 };
}

uint64_t hash64(const struct hash_secret *s, struct str data)
{
    return XXH3_64bits_withSecret(data.n ? data.p : "", data.n, s->bytes, sizeof(s->bytes));
}
