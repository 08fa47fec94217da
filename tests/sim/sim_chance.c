#include "sim.h"

#include <string.h>

/* splitmix64: small, and good enough for dice. */
static uint64_t state;

void sim_seed(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
}

uint64_t sim_roll(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_below(uint64_t n)
{
    return n ? sim_roll() % n : 0;
}

int64_t sim_between(int64_t least, int64_t most)
{
    return least + (int64_t)sim_below((uint64_t)(most - least) + 1);
}

bool sim_once_in(uint64_t n)
{
    return sim_below(n) == 0;
}

void sim_bytes(void *out, size_t n)
{
    for (char *p = out; n > 0;) {
        uint64_t dice = sim_roll();
        size_t part = n < sizeof(dice) ? n : sizeof(dice);
        memcpy(p, &dice, part);
        p += part;
        n -= part;
    }
}

static uint64_t word_of(uint64_t seed, bool is_text, size_t word)
{
    uint64_t z = (word + 1) * 0x9e3779b97f4a7c15u ^ seed * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 29) * 0x94d049bb133111ebu;
    z ^= z >> 32;
    return is_text ? (z & 0x0707070707070707u) | 0x6060606060606060u : z;
}

void sim_pattern(uint64_t seed, bool is_text, size_t from, char *out, size_t n)
{
    for (size_t at = 0, some; at < n; at += some) {
        uint64_t word = word_of(seed, is_text, (from + at) / 8);
        size_t skip = (from + at) % 8;
        some = n - at < 8 - skip ? n - at : 8 - skip;
        memcpy(out + at, (const char *)&word + skip, some);
    }
}

size_t sim_pattern_differs(uint64_t seed, bool is_text, size_t from, const char *bytes, size_t n)
{
    char wanted[1024];
    for (size_t at = 0, some; at < n; at += some) {
        some = n - at < sizeof(wanted) ? n - at : sizeof(wanted);
        sim_pattern(seed, is_text, from + at, wanted, some);
        if (memcmp(bytes + at, wanted, some) == 0)
            continue;
        for (size_t i = 0; i < some; i++)
            if (bytes[at + i] != wanted[i])
                return at + i;
    }
    return n;
}
