/*
 * The verb run: sets the process up, starts the workers, sits on its own loop for signals and the sweep, and ends when the last
 * worker has drained.
 */
#ifndef SERVER_RUN_H
#define SERVER_RUN_H

#include "conf/cli.h"

/* The exit code: 0, 1 (failed), 2 (wrong settings). */
int run_verb(const struct cli *cli);

#endif
