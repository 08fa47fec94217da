/* The clocks (base/clock.h). The wall clock can be turned, and the monotonic one begins anew with a boot. */
#include "sim_clock.h"

#include "base/clock.h"
#include "sim.h"

#define WALL_FIRST_MS INT64_C(1800000000000)

static int64_t wall_shift_ms, boot_at_us, turned_ms;

struct now clock_now(const struct clock *c)
{
    (void)c;
    sim_pass(1);
    return (struct now){ .mono_ms = (sim_now() - boot_at_us) / 1000 + 1000,
                         .wall_ms = WALL_FIRST_MS + sim_now() / 1000 + wall_shift_ms };
}

int64_t clock_mono_us(const struct clock *c)
{
    (void)c;
    sim_pass(1);
    return sim_now() - boot_at_us + 1000000;
}

void sim_clock_turn_wall(int64_t ms)
{
    wall_shift_ms += ms;
    turned_ms += ms < 0 ? -ms : ms;
}

int64_t sim_clock_turned(void)
{
    return turned_ms;
}

void sim_clock_boot(void)
{
    boot_at_us = sim_now();
}

int64_t sim_clock_booted(void)
{
    return boot_at_us;
}
