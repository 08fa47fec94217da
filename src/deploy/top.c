#include "deploy/top.h"

#include <string.h>

#include "base/mem.h"
#include "cache/key.h"

#define SLICE_US 500

void top_init(struct top *t, struct cache *c, struct str site, size_t most)
{
    CHECK(most > 0 && most <= TOP_MOST);
    *t = (struct top){ .cache = c, .site = site, .most = most };
    t->v = mem_alloc((most + 1) * sizeof(*t->v));
}

/* Under a shard's lock: sorted by insertion, and of most pages only the last entry is looked at. */
static void offer(void *ctx, struct str primary, uint64_t hits)
{
    struct top *t = ctx;
    struct key_request key;
    if (t->n == t->most && t->v[t->n - 1].hits >= hits)
        return;
    key_read_primary(primary, &key);
    if (!str_eq(key.site, t->site))
        return;
    size_t at = t->n;
    while (at > 0 && t->v[at - 1].hits < hits)
        at--;
    memmove(&t->v[at + 1], &t->v[at], (t->n - at) * sizeof(*t->v));
    t->v[at] = (struct top_page){ hits, mem_alloc(primary.n), primary.n };
    memcpy(t->v[at].primary, primary.p, primary.n);
    if (t->n == t->most)
        mem_free(t->v[t->n].primary);
    else
        t->n++;
}

bool top_search(struct top *t, const struct clock *clock)
{
    int64_t start_us = clock_mono_us(clock);
    struct walk_question q = { epochs_latest(t->cache->epochs), clock_now(clock).mono_ms };
    while (index_walk(t->cache, &t->walk, &q, offer, t))
        if (clock_mono_us(clock) - start_us > SLICE_US)
            return true;
    return false;
}

void top_fini(struct top *t)
{
    for (size_t i = 0; i < t->n; i++)
        mem_free(t->v[i].primary);
    mem_free(t->v);
    t->v = NULL;
    t->n = 0;
}
