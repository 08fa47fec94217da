/*
 * Names for test builds: a file that says which addresses a name has, so that a test can move, break and delay a name
 * without a name server. The environment variable FRESHET_TEST_HOSTS names it. A line is a name and its addresses, or
 * `fail` (it has none), or `slow` (no answer before the line is another one). A name that is not there is asked of the system.
 */
#ifndef IO_HOSTS_H
#define IO_HOSTS_H

#ifdef FRESHET_CONTROL

#include "io/address.h"

/* Answers as resolve_start does; false: the name is not in the file, or there is none. */
bool hosts_start(struct resolve *r, struct str name);
/* Of one that hosts_start took. */
void hosts_cancel(struct resolve *r);

#endif
#endif
