/*
 * Limits that contradict each other: a limit that can never be reached, or more connections than the process
 * may have descriptors. Such a mistake does no harm before the site is busy. Pure; any thread.
 */
#ifndef CONF_LIMITS_H
#define CONF_LIMITS_H

#include "conf/settings.h"

/* Appends a line for each contradiction: what it is, and what to do. `files`: how many descriptors the
 * process may have open. Returns the number of lines; 0: nothing
 * contradicts. */
size_t limits_check(const struct settings *s, uint64_t files, struct buf *out);
/* Returns how many client connections there may be: the setting, or what `files` leaves beside the other
 * limits, at least half of `files`. */
int64_t limits_connections(const struct settings *s, uint64_t files);

#endif
