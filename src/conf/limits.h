/*
 * Limits that contradict each other: one that can never be reached, or more connections than the process may have
 * descriptors. Nothing fails for it before the site is busy. Pure.
 */
#ifndef CONF_LIMITS_H
#define CONF_LIMITS_H

#include "conf/settings.h"

/* Adds a line for each contradiction: what it is, and what to do. `files`: how many descriptors the process may have open. Returns
 * how many there are. */
size_t limits_check(const struct settings *s, uint64_t files, struct buf *out);
/* How many connections of clients there may be: the setting, or what `files` leaves beside the other limits, at least half. */
int64_t limits_connections(const struct settings *s, uint64_t files);

#endif
