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

/* Looks the name up in the file. On a thread that may wait; a slow name keeps it until is_over(ctx). true:
 * *status is 0 and `v` has *n addresses with that port, or *status is a libuv error. false: there is no file,
 * or the name is not in it. */
bool hosts_look_up(struct str name, uint16_t port, struct address v[RESOLVE_MAX], size_t *n, int *status,
                   bool (*is_over)(void *ctx), void *ctx);

#endif
#endif
