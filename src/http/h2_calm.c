#include "http/h2_calm.h"

#include "base/check.h"

#define ONE  1000u /* of a bucket's level */
#define TINY 1024  /* an increment below so many bytes is tiny (CVE-2019-9511) */

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
    c->has_some = false;
    for (unsigned i = 0; i < H2_GLITCH_COUNT; i++) {
        bool all = ms >= (int64_t)(c->level[i] / kinds[i].per_s + 1);
        c->level[i] -= all ? c->level[i] : (uint32_t)ms * kinds[i].per_s;
        c->has_some |= c->level[i] > 0;
    }
}

bool h2_calm_count(struct h2_calm *c, enum h2_glitch what, int64_t now_ms)
{
    CHECK(what < H2_GLITCH_COUNT);
    leak(c, now_ms);
    if (c->level[what] > (kinds[what].burst - 1) * ONE)
        return false;
    c->level[what] += ONE;
    c->has_some = true;
    return true;
}

/* Nothing is saved up. */
static void excuse(struct h2_calm *c, enum h2_glitch what, unsigned n)
{
    c->level[what] -= c->level[what] < n * ONE ? c->level[what] : n * ONE;
}

/* Firefox and Chromium send priorities with requests; some send a frame of an unknown type to keep servers
 * flexible (GREASE). */
void h2_calm_request(struct h2_calm *c)
{
    if (!c->has_some)
        return;
    excuse(c, H2_GLITCH_PRIORITY, 4);
    excuse(c, H2_GLITCH_ON_CLOSED, 2);
    excuse(c, H2_GLITCH_PING, 1);
    excuse(c, H2_GLITCH_EMPTY, 1);
    excuse(c, H2_GLITCH_UNKNOWN, 1);
}

/* A client may open the windows of stream and connection again for each frame that it gets, also when the
 * stream has ended meanwhile, and measure the way with a PING. */
void h2_calm_sent(struct h2_calm *c, size_t bytes, bool by_window)
{
    CHECK(bytes < (size_t)1 << 20);
    if (!c->has_some)
        return;
    if (bytes >= TINY || !by_window)
        excuse(c, H2_GLITCH_TINY_WINDOW, 2);
    excuse(c, H2_GLITCH_ON_CLOSED, 2 + (unsigned)(bytes / TINY));
    excuse(c, H2_GLITCH_PING, 1);
}

bool h2_calm_is_tiny(uint32_t increment)
{
    return increment > 0 && increment < TINY;
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
