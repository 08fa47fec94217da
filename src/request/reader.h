/*
 * Readers: requests that wait for an object. For each object and worker there is one watch, which that worker
 * owns, with all its waiting requests. So a fetch that feeds a thousand visitors on two workers sends two
 * notices. All functions run on the request's thread.
 */
#ifndef REQUEST_READER_H
#define REQUEST_READER_H

#include "request/request.h"

struct reader;

/* Makes the request, which reads no object, a reader of `o`, at position 0. `own_fetch`: the request started
 * the fetch that fills `o`, so it may join a closed object. OBJECT_WATCHED: r->reader is set; request_wake
 * comes, from the loop, whenever the object has changed. OBJECT_DONE, OBJECT_CLOSED (cache/object.h): it is
 * no reader. */
enum object_watch reader_join(struct request *r, struct object *o, bool own_fetch);
/* Makes the request, which may read another object, a reader of `o` instead, as reader_join does for one that
 * did not start its fetch. OBJECT_CLOSED: it was left where it is. */
enum object_watch reader_switch(struct request *r, struct object *o);
/* Makes the request a reader no longer: no request_wake comes for the object, and r->reader is NULL. Does
 * nothing when it is NULL already. */
void reader_leave(struct request *r);
/* Notes that the request needs the body's bytes before `position` no longer: a passing body may free them.
 * `position` never goes back. Does nothing when the request is no reader. */
void reader_moved(struct request *r, uint64_t position);

#endif
