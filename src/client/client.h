/*
 * The verbs that talk to a running freshet: purge, explain, status. Each finds the admin listener and the
 * token (flag, environment, state folder), asks one question over HTTP/1.1, and prints the answer for people.
 * Blocks until the answer is there, at most 10 s.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "conf/cli.h"

/* Ask and print. Return the exit code: 0, 1 (failed), 2 (wrong usage). Standard error says what went wrong
 * and what to do. */
int client_purge(const struct cli *cli);
int client_explain(const struct cli *cli);
int client_status(const struct cli *cli);

#endif
