/* The simulated disk: what the world does to it. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* The process is gone: what it wrote is in the system's memory, and its locks and handles are given back. */
void sim_disk_process_gone(void);
/* The power is cut: of what was not synced each sector is there or not; of names that were not synced the
 * first few are. */
void sim_disk_cut(void);
/* Until then it has no room; it takes long for each call; the next calls of a kind fail. */
void sim_disk_full(int64_t until);
void sim_disk_slow(int64_t until);
void sim_disk_fail_writes(unsigned calls);
void sim_disk_fail_syncs(unsigned calls);
/* Did a call fail since the last time that somebody asked? */
bool sim_disk_has_failed(void);
/* Bytes written, syncs, cuts, writes that were torn or lost by a cut. */
struct sim_disk_figures {
    uint64_t written, syncs, cuts, torn, lost;
};
extern struct sim_disk_figures sim_disk_figures;

#endif
