/*
 * The control socket of test builds (-Dcontrol=true): turns the clocks and reads the gauges, so that
 * scenarios need not sleep. One command a line, one line back:
 *
 *   advance MS   both clocks go forward; "ok" when every worker has looked at its timers
 *   wall MS      the wall clock alone, either way
 *   gauges       a JSON object: what is open, in flight and held now
 *
 * A release build has none of it.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server/process.h"

struct control;

/* Opens the socket at `path` on main's loop. Main thread, like all functions here. NULL: it cannot be made,
 * and *status is a libuv error. */
struct control *control_open(struct process *p, struct str path, int *status);
/* Call it when a worker has looked at its timers. */
void control_rechecked(struct control *c);
/* Closes it; it frees itself when all is closed. */
void control_close(struct control *c);

#endif
