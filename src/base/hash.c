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

uint64_t hash_sum(struct str data)
{
    return XXH3_64bits(data.n ? data.p : "", data.n);
}

/* Several short texts are put together: a state for pieces costs more than a copy. */
#define TOGETHER ((size_t)1024)

static uint64_t sum_together(const struct str *pieces, size_t n, size_t bytes)
{
    char whole[TOGETHER], *p = whole;
    for (size_t i = 0; i < n; i++)
        p = str_put(p, pieces[i]);
    return hash_sum((struct str){ whole, bytes });
}

static uint64_t sum_by_pieces(const struct str *pieces, size_t n)
{
    XXH3_state_t *state = XXH3_createState();
    CHECK(state && XXH3_64bits_reset(state) == XXH_OK);
    for (size_t i = 0; i < n; i++)
        if (pieces[i].n)
            CHECK(XXH3_64bits_update(state, pieces[i].p, pieces[i].n) == XXH_OK);
    uint64_t sum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return sum;
}

uint64_t hash_sum_of(const struct str *pieces, size_t n)
{
    size_t bytes = 0;
    if (n == 1)
        return hash_sum(pieces[0]);
    for (size_t i = 0; i < n; i++)
        bytes += pieces[i].n;
    return bytes <= TOGETHER ? sum_together(pieces, n, bytes) : sum_by_pieces(pieces, n);
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
