/*
 * Readers: requests parked on an object. For each object and worker there is one watch, owned by that worker, with all its
 * parked requests: a fetch that feeds a thousand visitors on two workers sends two notices. All on the worker's thread.
 */
#ifndef REQUEST_READER_H
#define REQUEST_READER_H

#include "request/request.h"

struct reader;

/* The request waits for the object's progress: request_wake comes for each. r->reader is set when OBJECT_WATCHED. */
enum object_watch reader_join(struct request *r, struct object *o, bool own_fetch);
/* Harmless when it is not reading. */
void reader_leave(struct request *r);
/* The request is past these bytes: a passing body may let them go. */
void reader_moved(struct request *r, uint64_t position);

#endif
