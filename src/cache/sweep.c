#include "cache/sweep.h"

#define SLICE_RESOURCES 256
#define BUSY_PAUSE_MS   10 /* while there may be purged memory to give back */
#define IDLE_PAUSE_MS   1000
#define FETCH_MOST_MS   (3600 * (int64_t)1000)

/* A fetch that is not in the index yet holds a begin number that the sweep cannot see. None is stored that took longer than
 * an hour (index_publish), so what was purged more than an hour ago may be forgotten as far as they go. */
static uint64_t hour_ago(struct cache *c, struct now now, uint64_t published)
{
    if (c->sweep_marked_ms == 0 || now.mono_ms - c->sweep_marked_ms > FETCH_MOST_MS) {
        c->sweep_hour_ago = c->sweep_marked;
        c->sweep_marked = published;
        c->sweep_marked_ms = now.mono_ms;
    }
    return c->sweep_hour_ago;
}

int64_t cache_sweep(struct cache *c, const struct clock *clock, int64_t budget_us)
{
    int64_t until_us = clock_mono_us(clock) + budget_us;
    struct now now = clock_now(clock);
    uint64_t published = epochs_published(c->epochs);
    do {
        if (c->sweep_shard == 0 && c->sweep_bucket == 0)
            c->sweep_began = published;
        if (index_sweep(c, SLICE_RESOURCES, now)) {
            uint64_t oldest = c->sweep_oldest, hour = hour_ago(c, now, published);
            epochs_forget(c->epochs, oldest < hour ? oldest : hour);
            c->sweep_purged_upto = c->sweep_began;
            break;
        }
    } while (clock_mono_us(clock) < until_us);
    bool behind = c->sweep_purged_upto < epochs_published(c->epochs);
    bool amid = c->sweep_shard != 0 || c->sweep_bucket != 0;
    return behind ? BUSY_PAUSE_MS : amid ? 5 * BUSY_PAUSE_MS : IDLE_PAUSE_MS;
}
