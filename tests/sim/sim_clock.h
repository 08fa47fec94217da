/* The simulated clocks: what the world does to them. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdint.h>

void sim_clock_turn_wall(int64_t ms);
/* How far the wall clock was turned in all, to and fro. */
int64_t sim_clock_turned(void);
/* The machine boots: the monotonic clock begins anew. Returns when it did, in simulated time. */
void sim_clock_boot(void);
int64_t sim_clock_booted(void);

#endif
