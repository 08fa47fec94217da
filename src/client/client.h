/*
 * The verbs that talk to a running freshet: purge.c, deploy.c, explain.c, status.c, token.c, certificate.c,
 * origin.c, upgrade.c. Each finds the admin listener and the token (door.h), asks one question (ask.h), and
 * prints the answer (report.h). Blocks until the answer is there: at most 10 s, but for a deploy, which takes
 * its time, and for certificates. trust.c asks nobody: it reads the state folder.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "conf/cli.h"

/* Ask and print. Main thread. Return the exit code: 0, 1 (failed), 2 (wrong usage). Standard error says what
 * went wrong and what to do. */
int client_purge(const struct cli *cli);
int client_deploy(const struct cli *cli);
int client_explain(const struct cli *cli);
int client_status(const struct cli *cli);
int client_token(const struct cli *cli);
int client_certificate(const struct cli *cli);
int client_trust(const struct cli *cli);
int client_origin(const struct cli *cli);
int client_upgrade(const struct cli *cli);

#endif
