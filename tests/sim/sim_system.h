/* The simulated machine. */
#ifndef SIM_SYSTEM_H
#define SIM_SYSTEM_H

/* It boots: it is another boot than the last. */
void sim_system_boot(void);

#endif
