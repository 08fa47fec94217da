/* The simulated process' memory. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>

/* How many pieces and mappings there are. */
size_t sim_memory_left(void);
/* Gives all of it back: the process was killed. */
void sim_memory_drop(void);

#endif
