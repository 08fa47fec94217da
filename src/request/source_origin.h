/*
 * The origin as a source: a fetch fills the object (origin/fetch.h).
 */
#ifndef REQUEST_SOURCE_ORIGIN_H
#define REQUEST_SOURCE_ORIGIN_H

#include "request/source.h"

/* One for all workers: what it needs hangs on the request. */
extern struct source source_origin;

#endif
