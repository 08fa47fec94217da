/*
 * The timer wheel. Time is cut into ticks of 32 ms; a timer is filed in the slot of the tick at which it must
 * be looked at, modulo the number of slots, so that starting, stopping and re-arming cost the same however
 * many run. A slot is looked at when its tick has passed; timers of a later turn of the wheel stay, timers
 * whose deadline has moved are filed again, the others fire. libuv's timer waits for the next slot that holds
 * something.
 */
#include "io/loop.h"

#include "base/check.h"

#define TICK_MS 32

/* Delays from here on may be 1 % late: they are filed at round ticks, so that ten thousand idle connections
 * cause a few wake-ups a second, not thirty. */
#define FAR_MS            20000
#define FAR_GRANULE_TICKS 64

/* So late the process was stopped, or the machine slept, or is very busy. */
#define LATE_MS 100

/* Ten years: far from any overflow. */
#define DELAY_MOST_MS (INT64_C(10) * 366 * 86400 * 1000)

static void on_tick(uv_timer_t *tick);

void timers_init(struct loop *l)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        list_init(&l->wheel.slots[i]);
    l->wheel.at = l->now.mono_ms / TICK_MS;
    uv_timer_init(&l->uv, &l->wheel.tick);
    l->wheel.tick.data = l;
}

static size_t slot_of(int64_t tick)
{
    return (size_t)tick & (WHEEL_SLOTS - 1);
}

/* The tick at which a timer that is due then must be looked at: the first that is not early. */
static int64_t tick_for(const struct loop *l, int64_t due_ms)
{
    int64_t tick = (due_ms + TICK_MS - 1) / TICK_MS;
    int64_t left_ms = due_ms - l->now.mono_ms;
    if (left_ms >= FAR_MS) {
        int64_t granule = 1;
        while (granule < FAR_GRANULE_TICKS && granule * 2 * TICK_MS * 100 <= left_ms)
            granule *= 2;
        tick = (tick + granule - 1) & -granule;
    }
    return tick > l->wheel.at ? tick : l->wheel.at + 1;
}

static void arm(struct loop *l, int64_t tick)
{
    /* libuv's clock is not ours, which can be turned and counts suspended time; but both were read at about
     * the same moment. The millisecond is for their rounding: a wake-up too early would only be followed by
     * another. */
    int64_t wait_ms = tick * TICK_MS - l->now.mono_ms;
    l->wheel.armed = tick;
    uv_timer_start(&l->wheel.tick, on_tick, wait_ms > 0 ? (uint64_t)wait_ms + 1 : 0, 0);
}

static void disarm(struct loop *l)
{
    l->wheel.armed = 0;
    l->wheel.waits_for_sockets = false;
    uv_timer_stop(&l->wheel.tick);
}

/* The next tick whose slot holds a timer. Slots that were emptied by timer_stop lose their bit here. */
static int64_t next_filled(struct loop *l)
{
    for (int64_t tick = l->wheel.at + 1; tick <= l->wheel.at + WHEEL_SLOTS;) {
        size_t slot = slot_of(tick);
        uint64_t word = l->wheel.filled[slot / 64] >> (slot % 64);
        if (!word) {
            tick += (int64_t)(64 - slot % 64);
            continue;
        }
        tick += __builtin_ctzll(word);
        slot = slot_of(tick);
        if (!list_is_empty(&l->wheel.slots[slot]))
            return tick;
        l->wheel.filled[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    }
    UNREACHABLE(); /* called with running timers only, and each is in a slot */
}

static void file(struct loop *l, struct timer *t, int64_t tick)
{
    size_t slot = slot_of(tick);
    list_push_back(&l->wheel.slots[slot], &t->link);
    l->wheel.filled[slot / 64] |= UINT64_C(1) << (slot % 64);
    l->wheel.running++;
    t->slot_ms = tick * TICK_MS;
    if (l->wheel.armed == 0 || tick < l->wheel.armed)
        arm(l, tick);
}

static void unfile(struct loop *l, struct timer *t)
{
    link_remove(&t->link);
    l->wheel.running--;
    t->slot_ms = 0;
}

void timer_start(struct loop *l, struct timer *t, int64_t ms, void (*fire)(struct timer *))
{
    CHECK(ms >= 0);
    t->fire = fire;
    t->due_ms = l->now.mono_ms + (ms < DELAY_MOST_MS ? ms : DELAY_MOST_MS);
    if (t->slot_ms && t->slot_ms <= t->due_ms)
        return; /* looked at early enough, and filed again then */
    int64_t tick = tick_for(l, t->due_ms);
    if (t->slot_ms) {
        if (t->slot_ms <= tick * TICK_MS)
            return;
        unfile(l, t);
    }
    file(l, t, tick);
}

void timer_stop(struct loop *l, struct timer *t)
{
    t->due_ms = 0;
    if (!t->slot_ms)
        return;
    unfile(l, t);
    if (l->wheel.running == 0)
        disarm(l);
}

/* Moves the slot's timers up to this tick to `due`. No callbacks here: they could stop what the loop stands
 * on. */
static void collect(struct loop *l, size_t slot, int64_t until_tick, struct list *due)
{
    if (!(l->wheel.filled[slot / 64] & (UINT64_C(1) << (slot % 64))))
        return;
    LIST_EACH_SAFE(it, &l->wheel.slots[slot]) {
        struct timer *t = CONTAINER_OF(it, struct timer, link);
        if (t->slot_ms <= until_tick * TICK_MS) {
            link_remove(&t->link);
            list_push_back(due, &t->link);
        }
    }
}

/* A callback may stop timers that are still in `due`, they leave it then, and start others, which are filed
 * beyond wheel.at and so never come back in this run. */
static void fire_due(struct loop *l, struct list *due)
{
    struct link *link;
    while ((link = list_first(due)) != NULL) {
        struct timer *t = CONTAINER_OF(link, struct timer, link);
        unfile(l, t);
        if (t->due_ms > l->now.mono_ms) {
            file(l, t, tick_for(l, t->due_ms));
        } else {
            t->due_ms = 0;
            t->fire(t);
        }
    }
}

/* libuv fires timers before it looks at sockets. After a time in which the process stood still, what came
 * meanwhile would be read when all that waited for it was given up: so one turn of the loop comes first. Not
 * in this turn: libuv would fire a delay of 0 at once. */
static bool must_wait_for_sockets(struct loop *l)
{
    bool late = l->now.mono_ms - l->wheel.armed * TICK_MS > LATE_MS;
    l->wheel.waits_for_sockets = late && !l->wheel.waits_for_sockets;
    if (l->wheel.waits_for_sockets)
        uv_timer_start(&l->wheel.tick, on_tick, 1, 0);
    return l->wheel.waits_for_sockets;
}

static void on_tick(uv_timer_t *tick)
{
    struct loop *l = tick->data;
    loop_read_clock(l);
    if (must_wait_for_sockets(l))
        return;
    int64_t from = l->wheel.at, until = l->now.mono_ms / TICK_MS;
    struct list due;
    list_init(&due);
    l->wheel.armed = 0;
    if (until > from) {
        l->wheel.at = until;
        /* After a long sleep or a turn of the clock each slot is looked at once, not once for each tick
         * missed. */
        int64_t slots = until - from < WHEEL_SLOTS ? until - from : WHEEL_SLOTS;
        for (int64_t i = 1; i <= slots; i++)
            collect(l, slot_of(from + i), until, &due);
        fire_due(l, &due);
    }
    if (l->wheel.running)
        arm(l, next_filled(l));
}

/* All timers are filed again relative to the clock's new time; those that are due by it at the very next tick
 * of libuv's timer. The clock may have gone back, too. */
void timers_recheck(struct loop *l)
{
    struct list all;
    list_init(&all);
    loop_read_clock(l);
    for (size_t slot = 0; slot < WHEEL_SLOTS; slot++)
        list_move_all(&all, &l->wheel.slots[slot]);
    /* One tick short, so that a timer that is due exactly now has a slot that has come up. */
    l->wheel.at = l->now.mono_ms / TICK_MS - 1;
    disarm(l);
    struct link *link;
    while ((link = list_first(&all)) != NULL) {
        struct timer *t = CONTAINER_OF(link, struct timer, link);
        unfile(l, t);
        file(l, t, t->due_ms <= l->now.mono_ms ? l->wheel.at + 1 : tick_for(l, t->due_ms));
    }
}
