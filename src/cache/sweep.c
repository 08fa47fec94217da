#include "cache/sweep.h"

#include "cache/disk.h"
#include "cache/room.h"

/* While there may be purged objects to free: half of one core. */
#define PAUSE_FOR_WORK 1
#define PAUSE_LEAST_US ((int64_t)250)
#define PAUSE_MOST_US  ((int64_t)500)   /* a slice takes longer when others used the core meanwhile */
#define PAUSE_AMID_US  ((int64_t)50000) /* nothing was purged: no hurry */
#define PAUSE_IDLE_US  ((int64_t)1000000)
/* Between two rounds while purges keep coming: short after a round that freed much, else in proportion to its
 * length. */
#define PAUSE_ROUND_US      ((int64_t)100000)
#define PAUSE_ROUND_FOR     8
#define PAUSE_ROUND_MOST_US ((int64_t)4000000)
#define MUCH                16 /* one of so many objects */

#define FETCH_MOST_MS (3600 * (int64_t)1000)

/* The sweep cannot see the number of a fetch that is not in the index yet. None is stored that took longer
 * than an hour (index_publish), so purges more than an hour old may be forgotten as far as such fetches go.
 * The same holds for what is being read from disk, while its segment is used again: so what the disk had an
 * hour ago counts, too. */
static uint64_t hour_ago(struct cache *c, struct now now, uint64_t latest, uint64_t *disk)
{
    if (c->sweep_marked_ms == 0 || now.mono_ms - c->sweep_marked_ms > FETCH_MOST_MS) {
        c->sweep_hour_ago = c->sweep_marked;
        c->sweep_disk_hour_ago = c->sweep_disk;
        c->sweep_disk = disk_oldest_begin(c->disk);
        c->sweep_marked = latest;
        c->sweep_marked_ms = now.mono_ms;
    }
    *disk = c->sweep_disk_hour_ago;
    return c->sweep_hour_ago;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_amid(const struct cache *c)
{
    return c->sweep_shard != 0 || c->sweep_bucket != 0 || c->sweep_in;
}

static void begin_round(struct cache *c, uint64_t latest)
{
    c->sweep_began = latest;
    c->sweep_round_us = 0;
    c->sweep_round_swept = atomic_load_explicit(&c->swept, memory_order_relaxed);
}

static void end_round(struct cache *c, struct now now, uint64_t latest)
{
    uint64_t disk, hour = hour_ago(c, now, latest, &disk);
    disk = least(disk, disk_oldest_begin(c->disk));
    epochs_forget(c->epochs, least(c->sweep_oldest, least(hour, disk)));
    c->sweep_purged_upto = c->sweep_began;
}

static int64_t pause_after_round(const struct cache *c)
{
    int64_t gone = (int64_t)(atomic_load_explicit(&c->swept, memory_order_relaxed) - c->sweep_round_swept);
    int64_t pause_us = c->sweep_round_us * PAUSE_ROUND_FOR;
    if (pause_us < PAUSE_ROUND_US || gone * MUCH > atomic_load_explicit(&c->objects, memory_order_relaxed))
        return PAUSE_ROUND_US;
    return pause_us < PAUSE_ROUND_MOST_US ? pause_us : PAUSE_ROUND_MOST_US;
}

/* Gives free memory back to the system when nothing is more urgent: a purged page leaves a gap, its
 * neighbours follow, and then the memory goes back in large pieces. true: there is more. */
static bool trim(struct cache *c, const struct clock *clock, int64_t budget_us)
{
    int64_t start_us = clock_mono_us(clock);
    bool more;
    while ((more = memory_trim(&c->memory)) && clock_mono_us(clock) - start_us < budget_us)
        ;
    return more;
}

#define FEW_STEPS 16
#ifdef FRESHET_DEBUG
#define MOVES_ALWAYS true /* so that every test meets pages that move */
#else
#define MOVES_ALWAYS false
#endif

/* Moves pages together while that helps. true: there is more to move. */
static bool compact(struct cache *c, const struct clock *clock, int64_t budget_us)
{
    int64_t start_us = clock_mono_us(clock);
    if (MOVES_ALWAYS || room_moves_nothing(c)) /* it may have changed */
        room_compact(c, FEW_STEPS);
    while (memory_is_holey(&c->memory) && !room_moves_nothing(c) &&
           clock_mono_us(clock) - start_us < budget_us)
        room_compact(c, 1);
    return memory_is_holey(&c->memory) && !room_moves_nothing(c);
}

int64_t cache_sweep(struct cache *c, const struct clock *clock, int64_t budget_us)
{
    int64_t start_us = clock_mono_us(clock), worked_us;
    struct now now = clock_now(clock);
    uint64_t latest = epochs_latest(c->epochs);
    bool over;
    if (!is_amid(c))
        begin_round(c, latest);
    do {
        over = index_sweep(c, now);
        worked_us = clock_mono_us(clock) - start_us;
    } while (!over && worked_us < budget_us);
    c->sweep_round_us += worked_us;
    if (over)
        end_round(c, now, latest);
    bool behind = c->sweep_purged_upto < epochs_latest(c->epochs);
    if (over || !behind) {
        bool holey = compact(c, clock, budget_us), more = trim(c, clock, budget_us);
        if (holey)
            return PAUSE_LEAST_US;
        if (behind)
            return pause_after_round(c);
        return over && !more ? PAUSE_IDLE_US : PAUSE_AMID_US;
    }
    int64_t pause_us = worked_us * PAUSE_FOR_WORK;
    return pause_us < PAUSE_LEAST_US ? PAUSE_LEAST_US : pause_us > PAUSE_MOST_US ? PAUSE_MOST_US : pause_us;
}
