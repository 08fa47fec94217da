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
