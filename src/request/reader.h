/*
 * Readers: requests that wait for an object. For each object and worker there is one watch, which that worker
 * owns, with all its waiting requests. So a fetch that feeds a thousand visitors on two workers sends two
 * notices. All on the worker's thread.
 */
#ifndef REQUEST_READER_H
#define REQUEST_READER_H

#include "request/request.h"

struct reader;

/* Makes the request a reader of the object: request_wake comes whenever the object has changed.
 * OBJECT_WATCHED: r->reader is set. `own_fetch` as for object_watch. */
enum object_watch reader_join(struct request *r, struct object *o, bool own_fetch);
/* Ends it. Does nothing when the request reads nothing. */
void reader_leave(struct request *r);
/* The request is past these bytes: a passing body may free them. */
void reader_moved(struct request *r, uint64_t position);

#endif
