/*
 * The verb run: sets the process up, starts the workers, handles signals and the sweep on the main loop, and
 * ends when the last worker has drained.
 */
#ifndef SERVER_RUN_H
#define SERVER_RUN_H

#include "conf/cli.h"

/* Serves until the process is told to end. Main thread. Returns the exit code: 0, 1 (failed), 2 (wrong
 * settings). */
int run_verb(const struct cli *cli);

#endif
