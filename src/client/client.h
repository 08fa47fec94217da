/*
 * The verbs that talk to a running freshet: purge, explain, status. Each finds its admin listener and the token (flag, environment,
 * state folder), asks one question over HTTP/1.1 and prints the answer for people. Blocks until there is one, 10 s at most.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "conf/cli.h"

/* The exit code: 0, 1 (failed), 2 (wrong usage); what went wrong and what to do is on standard error. */
int client_purge(const struct cli *cli);
int client_explain(const struct cli *cli);
int client_status(const struct cli *cli);

#endif
