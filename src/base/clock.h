/*
 * The two clocks, both in milliseconds. The monotonic one measures every duration, age and timer; the wall
 * clock only makes HTTP dates and log records. Only test builds can turn them: the control socket adds to the
 * shifts. All other code gets the time as an argument. The monotonic clock also counts the time for which the
 * machine was suspended, so pages age while a laptop sleeps.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* One for the process, shared by all workers. Zeroed: the system's clocks as they are. Any thread may add to
 * the shifts. */
struct clock {
    _Atomic int64_t mono_shift_ms;
    _Atomic int64_t wall_shift_ms;
};

struct now {
    int64_t mono_ms; /* since some fixed point in the past, never goes back */
    int64_t wall_ms; /* since 1970-01-01T00:00:00Z, may jump */
};

/* Reads both clocks. Any thread. */
struct now clock_now(const struct clock *c);
/* Returns microseconds of the monotonic clock, for measured durations. Any thread. */
int64_t clock_mono_us(const struct clock *c);

#endif
