/*
 * How full the room is that everything but the cache may take (setting overhead), and what is done about it:
 * steps, each with all those before it. The server judges ten times a second (server/overload.h); the rooms
 * that take memory for strangers ask. docs/decisions/062-overload.md says why in this order.
 */
#ifndef BASE_OVERLOAD_H
#define BASE_OVERLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum overload_step {
    OVERLOAD_NONE,
    OVERLOAD_SAVE,   /* buffers are small, idle connections end sooner */
    OVERLOAD_CUT,    /* clients that hold most for the least progress are cut off, a few in each look */
    OVERLOAD_REFUSE, /* no new fetches: 503. Hits go on. */
    OVERLOAD_PAUSE,  /* accepting pauses when nobody can be cut off */
    OVERLOAD_STEPS
};

struct overload {
    int64_t most_bytes; /* the setting; 0: no limit. Does not change. */
    /* Of these, what is held before the first client comes (overload_begin). Steps are parts of the rest. */
    int64_t base_bytes;
    const _Atomic int64_t *passing; /* of bodies that are not kept, beside mem_held; NULL: none */
    int64_t (*beside)(void *ctx);   /* further bytes; NULL: none. Any thread. */
    void *ctx;                      /* for `beside` */
    _Atomic int step;               /* enum overload_step, as judged last */
    _Atomic int64_t held_bytes;     /* as of then */
    _Atomic int64_t high_bytes;     /* the most that was ever seen */
};

/* Returns the step in force. NULL: none. Any thread. */
static inline enum overload_step overload_step(const struct overload *o)
{
    return o ? (enum overload_step)atomic_load_explicit(&o->step, memory_order_relaxed) : OVERLOAD_NONE;
}

/* Notes what is held already. Returns false when that is more than half of everything: then there is little
 * left for clients. Before other threads ask. */
bool overload_begin(struct overload *o);
/* Returns the step for `held` of `most` bytes (or connections), when the last one was `before`. A step begins
 * at its own part of the whole, and ends an eighth of the whole below that. Pure. */
enum overload_step overload_next(enum overload_step before, int64_t held, int64_t most);
/* Returns how many bytes above the part of the whole the process is at which the step CUT ends: so much is to
 * be given back. 0: nothing. Any thread. */
int64_t overload_excess(const struct overload *o);
/* Sums up what is held, and sets the step. Returns it. One thread. */
enum overload_step overload_judge(struct overload *o);
/* Returns the step that would begin if so many bytes more were taken now, so that no flood outruns the steps
 * between two looks. NULL: none. Any thread. */
enum overload_step overload_with(const struct overload *o, int64_t bytes);
/* May a stranger's request take so many bytes now, below the last step? NULL: yes. Any thread. */
static inline bool overload_has_room(const struct overload *o, int64_t bytes)
{
    return overload_with(o, bytes) < OVERLOAD_PAUSE;
}
/* Would so many bytes more be over the ceiling? NULL: no. Any thread. */
bool overload_is_over(const struct overload *o, int64_t bytes);

#endif
