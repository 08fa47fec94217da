/*
 * The two clocks. Monotonic for every duration, age and timer; wall only for HTTP dates and log records. Both in
 * milliseconds. Test builds can turn them (the control socket adds to the shifts); everything else gets the time
 * as an argument. The monotonic one counts the time that a machine was suspended: pages age while a laptop sleeps.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* One for the process, shared by all workers. */
struct clock {
    _Atomic int64_t mono_shift_ms;
    _Atomic int64_t wall_shift_ms;
};

struct now {
    int64_t mono_ms; /* since some fixed point in the past, never goes back */
    int64_t wall_ms; /* since 1970-01-01T00:00:00Z, may jump */
};

struct now clock_now(const struct clock *c);
/* Microseconds of the monotonic clock, for measured durations. */
int64_t clock_mono_us(const struct clock *c);

#endif
