/*
 * Names for test builds. A file says which addresses a name has, so that a test can move, break and delay a
 * name without a name server. The environment variable FRESHET_TEST_HOSTS gives the file's path. A line is a
 * name and its addresses, or a name and `fail` (no address), or a name and `slow` (no answer until the line
 * changes). The system resolves names that are not in the file.
 */
#ifndef IO_HOSTS_H
#define IO_HOSTS_H

#ifdef FRESHET_CONTROL

#include "io/address.h"

/* Starts a look-up of `r`, whose loop, port and `done` are set. On the loop's thread; reads the file. true:
 * `done` will come, as after resolve_start. false: it will not, since there is no file or the name is not in
 * it. */
bool hosts_start(struct resolve *r, struct str name);
/* Cancels a look-up for which hosts_start returned true and whose `done` has not come: `done` comes with
 * UV_ECANCELED, from the loop. On the loop's thread. */
void hosts_cancel(struct resolve *r);

#endif
#endif
