/*
 * The origin as a source (request/source.h): a fetch fills the object (origin/fetch.h).
 */
#ifndef REQUEST_SOURCE_ORIGIN_H
#define REQUEST_SOURCE_ORIGIN_H

#include "request/source.h"

/* The source of all requests for sites. It has no state of its own, so all workers share it. The request
 * machine calls its functions, on the request's thread. */
extern struct source source_origin;

#endif
