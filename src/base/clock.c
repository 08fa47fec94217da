#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct now clock_now(const struct clock *c)
{
    return (struct now){
        .mono_ms =
            read_us(CLOCK_BOOTTIME) / 1000 + atomic_load_explicit(&c->mono_shift_ms, memory_order_relaxed),
        .wall_ms =
            read_us(CLOCK_REALTIME) / 1000 + atomic_load_explicit(&c->wall_shift_ms, memory_order_relaxed),
    };
}

int64_t clock_mono_us(const struct clock *c)
{
    return read_us(CLOCK_BOOTTIME) + 1000 * atomic_load_explicit(&c->mono_shift_ms, memory_order_relaxed);
}
