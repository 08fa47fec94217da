#include "base/hash.h"

#include <xxhash.h>

#include "base/check.h"
#include "base/mem.h"

struct hash128 hash128(const struct hash_secret *s, struct str data)
{
    XXH128_hash_t h = XXH3_128bits_withSecret(data.n ? data.p : "", data.n, s->bytes, sizeof(s->bytes));
    return (struct hash128){ h.low64, h.high64 };
}

uint64_t hash64(const struct hash_secret *s, struct str data)
{
    return XXH3_64bits_withSecret(data.n ? data.p : "", data.n, s->bytes, sizeof(s->bytes));
}

struct hasher {
    XXH3_state_t *state;
};

struct hasher *hasher_new(void)
{
    struct hasher *h = mem_alloc(sizeof(*h));
    h->state = XXH3_createState();
    CHECK(h->state && XXH3_128bits_reset(h->state) == XXH_OK);
    return h;
}

void hasher_add(struct hasher *h, struct str data)
{
    if (data.n)
        CHECK(XXH3_128bits_update(h->state, data.p, data.n) == XXH_OK);
}

struct hash128 hasher_finish(struct hasher **h)
{
    XXH128_hash_t digest = XXH3_128bits_digest((*h)->state);
    XXH3_freeState((*h)->state);
    mem_free(*h);
    *h = NULL;
    return (struct hash128){ digest.low64, digest.high64 };
}
