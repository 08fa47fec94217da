/*
 * Settings from file and flags, in all their stages: values, headers files, rules, secrets. For run, reload
 * and `freshet check`, so that none of them leaves one out.
 */
#ifndef SERVER_LOAD_H
#define SERVER_LOAD_H

#include "conf/cli.h"
#include "conf/settings.h"

/* Reads what the command line names. A stage that finds mistakes does not keep the next ones from looking, so
 * `errors` gets all of them in one run, a line for each, as settings_read writes them. The caller owns the
 * reference. NULL: there are mistakes. Main's thread. */
struct settings *load_settings(const struct cli *cli, struct buf *errors);
/* The same; also returns settings with mistakes (is_broken), for who looks at them further. NULL: it is no
 * configuration at all. */
struct settings *load_look(const struct cli *cli, struct buf *errors);

#endif
