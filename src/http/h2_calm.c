#include "http/h2_calm.h"

#include "base/check.h"

#define ONE 1000u /* of a bucket's level */

static const struct {
    uint32_t burst, per_s;
    const char *text;
} kinds[H2_GLITCH_COUNT] = {
#define H2_GLITCH(id, burst, per_s, text) { burst, per_s, text },
#include "tbl/h2_glitches.h"
#undef H2_GLITCH
};

/* One a second is a thousandth a millisecond. */
static void leak(struct h2_calm *c, int64_t now_ms)
{
    int64_t ms = now_ms - c->at_ms;
    if (ms <= 0)
        return;
    c->at_ms = now_ms;
    for (unsigned i = 0; i < H2_GLITCH_COUNT; i++) {
        bool all = ms >= (int64_t)(c->level[i] / kinds[i].per_s + 1);
        c->level[i] -= all ? c->level[i] : (uint32_t)ms * kinds[i].per_s;
    }
}

bool h2_calm_count(struct h2_calm *c, enum h2_glitch what, int64_t now_ms)
{
    CHECK(what < H2_GLITCH_COUNT);
    leak(c, now_ms);
    if (c->level[what] > (kinds[what].burst - 1) * ONE)
        return false;
    c->level[what] += ONE;
    return true;
}

void h2_calm_excuse(struct h2_calm *c, enum h2_glitch what, unsigned n)
{
    CHECK(what < H2_GLITCH_COUNT && n < 1000);
    c->level[what] -= c->level[what] < n * ONE ? c->level[what] : n * ONE;
}

const char *h2_calm_text(enum h2_glitch what)
{
    CHECK(what < H2_GLITCH_COUNT);
    return kinds[what].text;
}

unsigned h2_calm_burst(enum h2_glitch what)
{
    CHECK(what < H2_GLITCH_COUNT);
    return kinds[what].burst;
}
