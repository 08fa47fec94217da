/*
 * The control socket of test builds (-Dcontrol=true): turns the clocks and reads the gauges, so that
 * scenarios need not sleep. One command a line, one line back:
 *
 *   advance MS   both clocks go forward; "ok" when every worker has looked at its timers
 *   wall MS      the wall clock alone, either way
 *   open PATH    tries to open that file for reading: "ok", or why not
 *   write PATH   for writing, and makes it
 *   call NAME    tries to make that system call
 *   gauges       a JSON object: what is open, in flight and held now
 *
 * A release build has none of it.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server/process.h"

struct control;

/* Makes the socket at `path`. A descriptor, or a negative libuv error. Main thread, like all functions
 * here. */
int control_socket(struct str path);
/* Listens on it, on main's loop. NULL: it cannot, and *status is a libuv error. */
struct control *control_open(struct process *p, int fd, int *status);
/* Its socket. */
int control_fd(const struct control *c);
/* Accepts no more: the next process does. */
void control_leave(struct control *c);
/* Call it when a worker has looked at its timers. */
void control_rechecked(struct control *c);
/* Closes it; it frees itself when all is closed. */
void control_close(struct control *c);

#endif
