/*
 * The files of a build, as paths that a site's visitors ask for: what `freshet deploy --assets` names. Main
 * thread.
 */
#ifndef CLIENT_BUILD_H
#define CLIENT_BUILD_H

#include <jansson.h>

#include "base/buf.h"

#define BUILD_FILES_MAX 10000

/* Adds the URL path of each file below a folder to a JSON array, sorted. `what`: "DIR" or "DIR=PREFIX", where
 * PREFIX is the path that the folder has on the site. Without it the folder's name says it: ".next/static" is
 * "/_next/static/", a name that begins with "_" and "assets" are themselves, and any other folder is "/".
 * Leaves out what begins with a dot. true: done. false: `error` says what is wrong with which path. */
bool build_list(struct str what, json_t *paths, struct buf *error);

#endif
