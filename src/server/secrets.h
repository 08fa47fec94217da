/*
 * Secrets of webhooks that a configuration only names (secret_file, secret_env): read here, at start, at
 * reload and for `freshet check`, before anybody else sees the snapshot.
 */
#ifndef SERVER_SECRETS_H
#define SERVER_SECRETS_H

#include "conf/settings.h"

/* Reads them all, and looks whether each suits its sender. `s` has one reference. true: all are there. false:
 * a line for each problem was added to `errors`; none of them has a secret in it. Warns on standard error of
 * files that everybody may read. Main's thread. */
bool secrets_read(struct settings *s, struct buf *errors);

#endif
