/*
 * Looks how full memory is (base/overload.h), and has the workers give up connections while it is short, or
 * while connections themselves are nearly too many.
 */
#ifndef SERVER_RELIEF_H
#define SERVER_RELIEF_H

#include "server/process.h"

/* Initialises process->overload from the settings, before the workers are made. Main's thread. */
void relief_init(struct process *p);
/* Notes what is held before the first client comes. When the workers are made, and before they start. */
void relief_begin(struct process *p);
/* Looks once. On the watchdog's thread, ten times a second; twice while nothing happens. true: memory is
 * short, or was. */
bool relief_look(struct process *p);

#endif
